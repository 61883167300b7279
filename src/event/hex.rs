//! Texts whose bytes were stored as PostgreSQL writes them, `\x7b22…`: what comes of bytes that are put into a text column, as
//! Synapse 1.4 did when it pruned events, and scripts that move a server from SQLite.

use std::fmt::Write as _;

/// The text that such bytes are; none if it is no such text.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let digits = text.strip_prefix("\\x")?.as_bytes();
    if digits.is_empty() || digits.len() % 2 != 0 {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |pair: &[u8]| Some(digit(pair[0])? << 4 | digit(pair[1])?);
    String::from_utf8(digits.chunks_exact(2).map(byte).collect::<Option<_>>()?).ok()
}

/// Bytes in hexadecimal digits.
pub(crate) fn digits(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn only_whole_texts_in_hex_are_decoded() {
        assert_eq!(decoded(r"\x7b22c3a9227D").as_deref(), Some("{\"é\"}"));
        for text in [r"\x", r"\x7", r"\x7b2", r"\x7g", r"\xff", r"x7b7d", r"7b7d", r"\x7b 7d", r"\x+b+d", r"{}", ""] {
            assert_eq!(decoded(text), None, "{text}");
        }
    }
}
