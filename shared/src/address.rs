//! Addresses: how they are written, what of them is shown, and where a header says that a list goes on.

use http::{HeaderMap, header};

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
            escaped.push_str(&crate::tags::hex(&[byte]).to_uppercase());
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
