//! Percent-encoding of paths and queries.

/// A text without its escapes; what is no escape stays.
pub(crate) fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let escaped = (bytes[index] == b'%').then(|| bytes.get(index + 1..index + 3)).flatten();
        let byte = escaped.and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok());
        plain.push(byte.unwrap_or(bytes[index]));
        index += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_and_the_rest_stays() {
        for (text, plain) in
            [("a%20b%7b*%7D", "a b{*}"), ("%C3%A4", "ä"), ("100%", "100%"), ("%zz", "%zz"), ("%2", "%2")]
        {
            assert_eq!(unescape(text), plain);
        }
    }
}
