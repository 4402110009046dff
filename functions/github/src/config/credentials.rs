//! Who we are for GitHub: a token, or an App with its key.

use octocrab::auth::EncodingKey;
use shared::{Env, Error, Result, Secret, Variable};

/// Who we are for GitHub.
#[derive(Clone)]
pub(crate) enum Credentials {
    /// A personal or fine-grained token.
    Token(Secret),
    /// An App, installed at the owner of the targets.
    App {
        /// Its id.
        id: u64,
        /// Its private key.
        key: Secret,
        /// The installation that sees the targets.
        installation: u64,
    },
}

impl Credentials {
    /// The secret that proves it.
    pub const fn secret(&self) -> &Secret {
        match self {
            Self::Token(secret) | Self::App { key: secret, .. } => secret,
        }
    }

    /// Reads a token, or what an App needs.
    pub(super) fn read(env: &Env) -> Result<Self> {
        if let Some(token) = env.secret("GITHUB_TOKEN") {
            return Ok(Self::Token(token));
        }
        let hint = "set a token, or GITHUB_APP_ID with GITHUB_APP_KEY and GITHUB_APP_INSTALLATION";
        if env.get("GITHUB_APP_ID").is_none() && env.get("GITHUB_APP_KEY").is_none() {
            return env.required_secret("GITHUB_TOKEN", hint).map(Self::Token);
        }
        let number = |variable: Variable| -> Result<u64> {
            let text = env.required(variable)?;
            text.parse().map_err(|_| variable.refused(format!("`{text}` is not a number")))
        };
        let key = env.required_secret("GITHUB_APP_KEY", "it is the private key of the App as PEM")?;
        app_key(&key)?;
        Ok(Self::App {
            id: number(Variable::new("GITHUB_APP_ID", "12345"))?,
            key,
            installation: number(Variable::new("GITHUB_APP_INSTALLATION", "67890"))?,
        })
    }
}

/// The App's key; a value that came through a single line holds `\n` for its line breaks.
pub(crate) fn app_key(secret: &Secret) -> Result<EncodingKey> {
    EncodingKey::from_rsa_pem(secret.expose().replace("\\n", "\n").as_bytes()).map_err(|_| {
        Error::refused(secret.name(), "is not an RSA private key as PEM", "-----BEGIN RSA PRIVATE KEY-----\\n…")
    })
}
