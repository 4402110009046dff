//! As much of Python's pickle format as the server's clients need: they read what they never use.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A pickled `None`.
pub(super) fn none() -> String {
    STANDARD.encode(b"\x80\x04N.")
}

/// A pickled exception as the server serialises it: its type, its message, no attributes.
pub(super) fn exception(kind: &str, message: &str) -> String {
    let mut bytes = b"\x80\x02}(".to_vec();
    for (key, value) in [("type", kind), ("message", message)] {
        text(&mut bytes, key);
        text(&mut bytes, value);
    }
    text(&mut bytes, "args");
    text(&mut bytes, message);
    bytes.push(0x85);
    text(&mut bytes, "attributes");
    bytes.push(b'}');
    text(&mut bytes, "stacktrace");
    bytes.extend_from_slice(b"Nu.");
    STANDARD.encode(bytes)
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.push(b'X');
    bytes.extend_from_slice(&u32::try_from(text.len()).unwrap_or(0).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}
