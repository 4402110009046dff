//! Connections: rustls with ring, the roots that browsers trust, and one client a run.

use crate::{Error, Meter, Result};
use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::CertificateDer, pki_types::pem::PemObject};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The connections of a process.
///
/// The roots are linked in, because reading a system's certificate store costs tens of milliseconds at every start on
/// Lambda; behind a proxy with a root of its own, `SSL_CERT_FILE` names that root and stands in for ours. Each run has a
/// client of its own: Lambda freezes between runs, and a connection that was kept is dead when it wakes.
#[derive(Debug, Clone)]
pub(crate) struct Connections(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: ClientConfig,
    meter: Meter,
    current: Mutex<(u64, reqwest::Client)>,
}

impl Connections {
    /// Connections that trust our roots, or those of this file.
    pub(crate) fn new(cert_file: Option<&str>, meter: Meter) -> Result<Self> {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::config("SSL_CERT_FILE", error.to_string()))?
            .with_root_certificates(roots(cert_file)?)
            .with_no_client_auth();
        let client = client(&config)
            .map_err(|error| Error::config("SSL_CERT_FILE", format!("no client can be made: {error}")))?;
        let current = Mutex::new((meter.run(), client));
        Ok(Self(Arc::new(Inner { config, meter, current })))
    }

    /// The client of this run.
    pub(crate) fn client(&self) -> reqwest::Client {
        let run = self.0.meter.run();
        let mut current = self.0.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.0 != run {
            match client(&self.0.config) {
                Ok(fresh) => *current = (run, fresh),
                Err(error) => tracing::warn!(%error, "no new client can be made: the old one is used"),
            }
        }
        current.1.clone()
    }
}

fn roots(cert_file: Option<&str>) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let Some(path) = cert_file else {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        return Ok(roots);
    };
    let wrong = |problem: String| Error::config("SSL_CERT_FILE", format!("{path}: {problem}"));
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))? {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    Ok(roots)
}

fn client(config: &ClientConfig) -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        // `reqwest` has no feature for rustls without the platform verifier, which is linked and never called.
        .tls_backend_preconfigured(config.clone())
        // Keys in headers would travel along, and the page of a login behind it would look like success.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .pool_max_idle_per_host(16)
        .user_agent(concat!("vitals/", env!("CARGO_PKG_VERSION")))
        .build()
}
