//! Web addresses in text, and what links may point to. Opens none.

use std::ops::Range;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// The schemes that a link may have.
const SCHEMES: [&str; 5] = ["http", "https", "mailto", "matrix", "mxc"];

/// What could end a link's target, or mean something else around it.
const UNSAFE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'$')
    .add(b'(')
    .add(b')')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The target of a link, percent-encoded so that it ends where it should; none when its scheme is not one of ours.
pub(crate) fn target(address: &str) -> Option<String> {
    let address = as_browsers_read(address);
    let (scheme, rest) = address.split_once(':')?;
    if rest.is_empty() || !SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme)) {
        return None;
    }
    Some(utf8_percent_encode(&address, UNSAFE).to_string())
}

/// An address without what browsers ignore (WHATWG URL standard, "basic URL parser").
fn as_browsers_read(address: &str) -> String {
    address.trim_matches(|c: char| c <= ' ').chars().filter(|c| !matches!(c, '\t' | '\n' | '\r')).collect()
}

/// The address in a text whose scheme ends at a colon.
pub(crate) fn at_colon(text: &str, colon: usize) -> Option<Range<usize>> {
    let start = ["https", "http"].iter().find_map(|scheme| {
        let start = colon.checked_sub(scheme.len())?;
        text.get(start..colon)?.eq_ignore_ascii_case(scheme).then_some(start)
    })?;
    // after these, a link would be none, an image, a footnote
    if text[..start].chars().next_back().is_some_and(|c| c.is_alphanumeric() || matches!(c, '\\' | '!' | '^')) {
        return None;
    }
    let host = text.get(colon..)?.strip_prefix("://").filter(|host| host.starts_with(char::is_alphanumeric))?;
    let length = host
        .find(|c: char| c.is_whitespace() || super::visible::is_format(c) || matches!(c, '<' | '>' | '"' | '`' | '|'))
        .unwrap_or(host.len());
    Some(start..colon + "://".len() + without_closing(&host[..length]).len())
}

/// An address without the punctuation of the sentence around it.
fn without_closing(address: &str) -> &str {
    let count = |c: char| address.matches(c).count();
    let mut surplus = [('(', ')'), ('[', ']')].map(|(open, close)| (close, count(close).saturating_sub(count(open))));
    let mut end = address.len();
    while let Some(last) = address[..end].chars().next_back() {
        match surplus.iter_mut().find(|(close, _)| *close == last) {
            Some((_, surplus)) if *surplus > 0 => *surplus -= 1,
            None if !(last.is_alphanumeric()
                || matches!(last, '/' | '#' | '=' | '&' | '-' | '_' | '+' | '%' | '$')) => {}
            _ => break,
        }
        end -= last.len_utf8();
    }
    &address[..end]
}
