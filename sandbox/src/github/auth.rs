//! Who asks: personal tokens, one GitHub App with its installation, and what each of them may still spend.

use super::ids::{number_of_name, sha_of};
use super::limits::{Meters, Resource};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, header::AUTHORIZATION};
use jiff::{SignedDuration, Timestamp};
use ring::rsa::KeyPair;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The private key that the app's owner was given; it opens nothing but this sandbox.
pub const APP_KEY: &str = include_str!("app_key.pem");

/// The login of whoever owns the personal tokens; nobody of the story.
pub(super) const READER: &str = "sandbox-reader";

/// A GitHub App that is installed on the organisation.
#[derive(Debug, Clone)]
pub struct App {
    /// Its id, which its signed tokens name as their issuer.
    pub id: u64,
    /// Its client id, which they may name instead.
    pub client_id: String,
    /// Its one installation.
    pub installation: u64,
}

impl Default for App {
    fn default() -> Self {
        Self { id: 7, client_id: "Iv1.seven".to_owned(), installation: 70 }
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// Nobody in particular.
    Anonymous,
    /// The owner of a personal token.
    User,
    /// An installation of the app.
    Installation(u64),
    /// The app itself.
    App(u64),
}

impl Identity {
    /// The id GitHub names when it refuses.
    #[must_use]
    pub fn number(&self) -> u64 {
        match self {
            Self::Anonymous => 0,
            Self::User => number_of_name(READER),
            Self::Installation(id) | Self::App(id) => *id,
        }
    }
}

/// Why nobody is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejected {
    /// An unknown, revoked or expired token.
    BadCredentials,
    /// A signed token that cannot be read, or names another app.
    Jwt(&'static str),
}

#[derive(Debug)]
struct Inner {
    tokens: HashSet<String>,
    installation_tokens: HashMap<String, (u64, Timestamp)>,
    app: Option<App>,
    issued: u64,
    meters: Meters,
}

/// The credentials GitHub knows, with the budget of each; clones share them.
#[derive(Debug, Clone)]
pub struct Credentials {
    inner: Arc<Mutex<Inner>>,
}

impl Default for Credentials {
    fn default() -> Self {
        let inner = Inner {
            tokens: HashSet::new(),
            installation_tokens: HashMap::new(),
            app: None,
            issued: 0,
            meters: Meters::default(),
        };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }
}

impl Credentials {
    /// Credentials with one personal token.
    #[must_use]
    pub fn with_token(token: &str) -> Self {
        let credentials = Self::default();
        credentials.allow(token);
        credentials
    }

    /// Lets a personal token in.
    pub fn allow(&self, token: &str) {
        self.lock().tokens.insert(token.to_owned());
    }

    /// Lets a token in no longer, whether personal or of an installation.
    pub fn revoke(&self, token: &str) {
        let mut inner = self.lock();
        inner.tokens.remove(token);
        inner.installation_tokens.remove(token);
    }

    /// Lets no installation token in that was issued so far.
    pub fn revoke_installation_tokens(&self) {
        self.lock().installation_tokens.clear();
    }

    /// Installs an app.
    pub fn install(&self, app: App) {
        self.lock().app = Some(app);
    }

    /// The installed app.
    #[must_use]
    pub fn app(&self) -> Option<App> {
        self.lock().app.clone()
    }

    /// Sets what a token has left until its window ends.
    pub fn set_remaining(&self, token: &str, resource: Resource, remaining: u64, now: Timestamp) {
        self.lock().meters.set_remaining(token, resource, remaining, now);
    }

    /// Runs something on the budgets.
    pub(super) fn meters<T>(&self, work: impl FnOnce(&mut Meters) -> T) -> T {
        work(&mut self.lock().meters)
    }

    /// Issues a token of the installation, good for an hour of real time, because clients compare it with theirs.
    pub(super) fn issue(&self, installation: u64) -> (String, Timestamp) {
        let mut inner = self.lock();
        inner.issued += 1;
        let token = format!("ghs_{}", &sha_of(&["installation", &inner.issued.to_string()])[..36]);
        let until = wall() + SignedDuration::from_hours(1);
        inner.installation_tokens.insert(token.clone(), (installation, until));
        (token, until)
    }

    /// Says who asks, and under which name the budget is kept.
    pub(super) fn identify(&self, headers: &HeaderMap) -> Result<(Identity, String), Rejected> {
        let Some(token) = presented(headers)? else {
            return Ok((Identity::Anonymous, String::new()));
        };
        let inner = self.lock();
        if token.split('.').count() == 3 {
            let app = inner.app.as_ref().ok_or(Rejected::Jwt("Integration not found"))?;
            verify(&token, app)?;
            return Ok((Identity::App(app.id), format!("app {}", app.id)));
        }
        if inner.tokens.contains(&token) {
            return Ok((Identity::User, token));
        }
        if let Some((installation, until)) = inner.installation_tokens.get(&token)
            && wall() < *until
        {
            return Ok((Identity::Installation(*installation), token));
        }
        Err(Rejected::BadCredentials)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn presented(headers: &HeaderMap) -> Result<Option<String>, Rejected> {
    let Some(header) = headers.get(AUTHORIZATION) else {
        return Ok(None);
    };
    let text = header.to_str().map_err(|_| Rejected::BadCredentials)?;
    let (scheme, rest) = text.split_once(' ').ok_or(Rejected::BadCredentials)?;
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" | "token" => Ok(Some(rest.trim().to_owned())),
        _ => Err(Rejected::BadCredentials),
    }
}

/// Checks an app's signed token: the signature first, then what it claims.
fn verify(token: &str, app: &App) -> Result<(), Rejected> {
    const UNREADABLE: Rejected = Rejected::Jwt("A JSON web token could not be decoded");
    let parts: Vec<_> = token.split('.').collect();
    let read = |part: &str| -> Option<Value> { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok() };
    let (Some(header), Some(claims)) = (read(parts[0]), read(parts[1])) else {
        return Err(UNREADABLE);
    };
    let signed = || {
        let signature = URL_SAFE_NO_PAD.decode(parts[2]).ok()?;
        let message = format!("{}.{}", parts[0], parts[1]);
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key()?.public().as_ref().to_vec());
        key.verify(message.as_bytes(), &signature).ok()
    };
    if header["alg"] != "RS256" || signed().is_none() {
        return Err(UNREADABLE);
    }
    let issuer = claims["iss"].as_str().map(str::to_owned).or_else(|| claims["iss"].as_u64().map(|id| id.to_string()));
    if issuer.is_none_or(|issuer| issuer != app.id.to_string() && issuer != app.client_id) {
        return Err(Rejected::Jwt("Integration not found"));
    }
    let now = wall().as_second();
    match (claims["iat"].as_i64(), claims["exp"].as_i64()) {
        (_, None) => Err(Rejected::Jwt("Missing 'exp' claim in assertion")),
        (None, _) => Err(Rejected::Jwt("Missing 'iat' claim in assertion")),
        (Some(made), _) if made > now + 60 => Err(Rejected::Jwt(
            "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
        )),
        (_, Some(expires)) if expires <= now => Err(Rejected::Jwt(
            "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
        )),
        (_, Some(expires)) if expires > now + 660 => {
            Err(Rejected::Jwt("'Expiration time' claim ('exp') is too far in the future"))
        }
        _ => Ok(()),
    }
}

/// The key pair of [`APP_KEY`].
fn key() -> Option<KeyPair> {
    let base64: String = APP_KEY.lines().filter(|line| !line.starts_with('-')).collect();
    KeyPair::from_der(&STANDARD.decode(base64).ok()?).ok()
}

/// Real time: an app signs its tokens by the clock of its machine, not by the sandbox's.
#[expect(clippy::disallowed_methods, reason = "clients sign and compare these times by the clock of their machine")]
fn wall() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token signed with the app's key, of which so many bytes are then changed.
    fn token(algorithm: &str, claims: &str, changed: usize) -> HeaderMap {
        let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
        let header = encode(format!("{{\"alg\":\"{algorithm}\",\"typ\":\"JWT\"}}"));
        let message = format!("{header}.{}", encode(claims.to_owned()));
        let key = key().unwrap();
        let mut signature = vec![0; key.public().modulus_len()];
        let chance = ring::rand::SystemRandom::new();
        key.sign(&ring::signature::RSA_PKCS1_SHA256, &chance, message.as_bytes(), &mut signature).unwrap();
        signature.iter_mut().take(changed).for_each(|byte| *byte ^= 1);
        let text = format!("Bearer {message}.{}", URL_SAFE_NO_PAD.encode(signature));
        HeaderMap::from_iter([(AUTHORIZATION, text.parse().unwrap())])
    }

    #[test]
    fn a_signed_token_must_name_the_app_and_live() {
        let credentials = Credentials::default();
        credentials.install(App::default());
        let now = wall().as_second();
        let cases = [
            ("RS256", format!("{{\"iss\":7,\"iat\":{},\"exp\":{}}}", now - 60, now + 540), true),
            ("RS256", format!("{{\"iss\":\"7\",\"iat\":{},\"exp\":{}}}", now - 60, now + 540), true),
            ("RS256", format!("{{\"iss\":\"Iv1.seven\",\"iat\":{},\"exp\":{}}}", now - 60, now + 540), true),
            ("HS256", format!("{{\"iss\":7,\"iat\":{},\"exp\":{}}}", now - 60, now + 540), false),
            ("RS256", format!("{{\"iss\":8,\"iat\":{},\"exp\":{}}}", now - 60, now + 540), false),
            ("RS256", format!("{{\"iss\":7,\"iat\":{},\"exp\":{}}}", now - 600, now - 1), false),
            ("RS256", format!("{{\"iss\":7,\"iat\":{},\"exp\":{}}}", now - 60, now + 3600), false),
            ("RS256", format!("{{\"iss\":7,\"iat\":{},\"exp\":{}}}", now + 300, now + 540), false),
            ("RS256", format!("{{\"iss\":7,\"iat\":{}}}", now - 60), false),
        ];
        for (algorithm, claims, good) in cases {
            let ask = |changed| credentials.identify(&token(algorithm, &claims, changed));
            let answer = ask(0);
            assert_eq!(answer.is_ok(), good, "{algorithm} {claims}: {answer:?}");
            assert!(ask(1).is_err(), "a signature that is not the app's");
        }
    }

    #[test]
    fn a_token_works_until_it_is_revoked() {
        let credentials = Credentials::with_token("one");
        let ask = |text: &str| {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, text.parse().unwrap())]);
            credentials.identify(&headers).map(|found| found.0)
        };
        assert_eq!(ask("token one"), Ok(Identity::User));
        assert_eq!(ask("Bearer one"), Ok(Identity::User));
        assert_eq!(ask("Bearer two"), Err(Rejected::BadCredentials));
        credentials.revoke("one");
        assert_eq!(ask("Bearer one"), Err(Rejected::BadCredentials));
        let (issued, _) = credentials.issue(70);
        assert_eq!(ask(&format!("token {issued}")), Ok(Identity::Installation(70)));
        credentials.revoke_installation_tokens();
        assert_eq!(ask(&format!("token {issued}")), Err(Rejected::BadCredentials));
    }
}
