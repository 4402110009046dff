//! Which server is asked. W&B's own client reads its address from another variable, and a key of one server must not be
//! sent to another.

use http::Uri;
use shared::{Env, Error, Result, Secret};

/// The public server.
const PUBLIC: &str = "https://api.wandb.ai";

/// Our variable, and the one of W&B's own client, which stands in for it.
const OURS: &str = "WANDB_URL";
const CLIENTS: &str = "WANDB_BASE_URL";

/// Where W&B's pages and API are on the cloud that W&B belongs to, and the path there that leads to the API.
const FORGE: &str = "forge.coreweave.com";
const FORGE_API: &str = "/api/wandb";

/// The base address, and the variable that holds it or would.
pub(crate) fn read(env: &Env) -> Result<(String, &'static str)> {
    let variable = if env.get(OURS).is_none() && env.get(CLIENTS).is_some() { CLIENTS } else { OURS };
    let url = env.url(variable, PUBLIC)?;
    let place = url.parse::<Uri>().unwrap_or_default();
    let host = place.host().unwrap_or_default().to_ascii_lowercase();
    if host == FORGE {
        // As W&B's client does: the same API at its own address.
        let api = format!("https://api.{FORGE}");
        return match place.path().trim_end_matches('/') {
            FORGE_API => Ok((api, variable)),
            _ => Err(Error::refused(variable, format!("`{host}` answers below {FORGE_API} alone"), &api)),
        };
    }
    if host.ends_with("wandb.ai") && !host.contains("api.") {
        return Err(Error::refused(variable, format!("`{host}` shows pages, and has no API"), PUBLIC));
    }
    Ok((url, variable))
}

/// Refuses to send the key of somebody's own server to the public one. Such keys begin with a word and a dash, and the
/// public server gives out none with a dash.
pub(crate) fn fits<'k>(url: &str, mut keys: impl Iterator<Item = &'k Secret>) -> Result<()> {
    let is_of_another = |key: &Secret| {
        let text = key.expose();
        text.contains('-') && !text.contains('.')
    };
    if url == PUBLIC
        && let Some(key) = keys.find(|key| is_of_another(key))
    {
        let problem = format!("not set, and {} is the key of a server of your own", key.name());
        return Err(Error::refused(OURS, problem, "https://wandb.example.com"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(vars: &[(&str, &str)]) -> Result<(String, &'static str)> {
        read(&Env::of(vars.iter().copied()))
    }

    #[test]
    fn the_variable_of_wandbs_own_client_stands_in_for_ours() {
        for (vars, url, variable) in [
            (&[][..], PUBLIC, OURS),
            (&[(OURS, "https://wandb.example.com/")], "https://wandb.example.com", OURS),
            (&[(CLIENTS, "https://wandb.example.com/")], "https://wandb.example.com", CLIENTS),
            (&[(CLIENTS, "http://localhost:8080")], "http://localhost:8080", CLIENTS),
            (&[(CLIENTS, " ")], PUBLIC, OURS),
            (&[(OURS, "https://a.example.com"), (CLIENTS, "https://b.example.com")], "https://a.example.com", OURS),
            (&[(CLIENTS, "https://forge.coreweave.com/api/wandb/")], "https://api.forge.coreweave.com", CLIENTS),
            (&[(CLIENTS, "https://api.wandb.ai")], PUBLIC, CLIENTS),
            (&[(OURS, "https://acme.wandb.io")], "https://acme.wandb.io", OURS),
        ] {
            assert_eq!(address(vars).unwrap(), (url.to_owned(), variable), "{vars:?}");
        }
    }

    #[test]
    fn an_address_of_pages_is_refused_as_wandbs_own_client_refuses_it() {
        for (name, value) in [
            (CLIENTS, "https://wandb.ai"),
            (OURS, "https://app.wandb.ai/acme/arena"),
            (CLIENTS, "http://api.wandb.ai"),
            (CLIENTS, "https://forge.coreweave.com/wandb"),
            (CLIENTS, "wandb.example.com"),
        ] {
            let text = address(&[(name, value)]).unwrap_err().to_string();
            assert!(text.starts_with(name) && text.contains("e.g. "), "{text}");
        }
    }

    #[test]
    fn the_key_of_a_server_of_ones_own_is_not_sent_to_the_public_one() {
        let fits = |url: &str, key: &str| {
            let env = Env::of([("WANDB_API_KEY", key)]);
            fits(url, [env.required_secret("WANDB_API_KEY", "").unwrap()].iter())
        };
        let own = "local-0123456789012345678901234567890123456789";
        let text = fits(PUBLIC, own).unwrap_err().to_string();
        assert!(text.starts_with(OURS) && text.contains("WANDB_API_KEY") && !text.contains("0123"), "{text}");
        for (url, key) in [
            ("https://wandb.example.com", own),
            (PUBLIC, "0123456789012345678901234567890123456789"),
            (PUBLIC, "wandb_v1_0123456789012345678901234567890123456789"),
            (PUBLIC, "eyJh-bGci.eyJz-dWIi.c2ln-bmF0"),
        ] {
            assert!(fits(url, key).is_ok(), "{url} {key}");
        }
    }
}
