//! Addresses: which may be asked, how they are written, what of them is shown, and where a list goes on.

use crate::env::variable::quoted;
use crate::{Error, Result};
use http::{HeaderMap, Uri, header};
use std::net::IpAddr;

/// A base address without its last slash: over TLS, or on this machine. `name` is the variable that holds it.
///
/// # Errors
/// When it is no address, or one that secrets would travel to in the open.
pub fn base_address(name: &str, text: &str, example: &str) -> Result<String> {
    let wrong = |problem: &str| Err(Error::refused(name, format!("{} {problem}", quoted(text)), example));
    let Ok(address) = text.parse::<Uri>() else {
        return wrong("is not an address");
    };
    let (Some(scheme), Some(host)) = (address.scheme_str(), address.host()) else {
        return wrong("is not an address");
    };
    if address.authority().is_some_and(|authority| authority.as_str().contains('@')) || address.query().is_some() {
        return wrong("holds more than scheme, host and path");
    }
    match scheme {
        "https" => {}
        "http" if is_loopback(host) => {}
        "http" => return wrong("is not https, and not on this machine"),
        _ => return wrong("is neither https nor http"),
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// A path without the values of its query, which may say more than a log should.
pub(crate) fn shown(address: &str) -> String {
    let path =
        address.split_once("://").and_then(|(_, rest)| rest.find('/').map(|slash| &rest[slash..])).unwrap_or(address);
    path.split('?').next().unwrap_or(path).to_owned()
}

/// Writes text so that it can stand in a path or a query.
#[must_use]
pub fn escape(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            escaped.push_str(&crate::digest::hex(&[byte]).to_uppercase());
        }
        escaped
    })
}

/// The address behind `rel="next"` of a `Link` header.
#[must_use]
pub fn next_link(headers: &HeaderMap) -> Option<String> {
    let links = headers.get(header::LINK)?.to_str().ok()?;
    links.split(',').find_map(|link| {
        let (address, parameters) = link.split_once('>')?;
        parameters.contains("rel=\"next\"").then(|| address.trim().trim_start_matches('<').to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_base_address_is_over_tls_or_on_this_machine() {
        let base = |text: &str| base_address("U", text, "https://example.com");
        for good in
            ["https://a.b/c/", "http://127.0.0.1:80", "http://localhost:1/x", "http://[::1]:9", "http://127.8.9.1"]
        {
            assert_eq!(base(good).unwrap(), good.trim_end_matches('/'));
        }
        for bad in [
            "http://a.b",
            "ftp://a.b",
            "a.b",
            "https://",
            "https://u:p@a.b",
            "https://a.b?q=1",
            "http://10.0.0.1",
            "https://a b",
        ] {
            let error = base(bad).unwrap_err();
            assert!(error.exit_code() == 78 && !error.to_string().contains("u:p"), "{bad}: {error}");
        }
    }

    #[test]
    fn the_next_page_is_found_among_the_links() {
        let link = "<https://api.example.com/x?page=1>; rel=\"prev\", <https://api.example.com/x?page=3>; rel=\"next\"";
        let headers = [(header::LINK, HeaderValue::from_static(link))].into_iter().collect();
        assert_eq!(next_link(&headers).as_deref(), Some("https://api.example.com/x?page=3"));
        assert_eq!(escape("acme/web ü"), "acme%2Fweb%20%C3%BC");
    }
}
