//! The one place where text becomes markdown that says this text.
//!
//! What decides is what `CommonMark` 0.31 and GitHub's extensions (tables, strikethrough, bare links, footnotes, task
//! lists, `$` mathematics) would take for markup. Where a decision depends on what comes before or after the text, which
//! is unknown here, the answer is to escape.

use super::super::super::address;
use super::super::super::visible::{hides, may_hide, spell_settled};

/// Where a text stands. None of it may contain a newline.
#[derive(Clone, Copy)]
#[allow(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub(crate) struct TextPosition {
    /// It begins a line, where blocks begin.
    pub(crate) line_start: bool,
    /// Nothing else is on its line.
    pub(crate) whole_line: bool,
    /// It is in a table, where pipes end cells.
    pub(crate) cell: bool,
    /// Web addresses become links; else they must not.
    pub(crate) links: bool,
}

/// The bytes to stop at; the rest is copied.
const STOP: [bool; 256] = {
    let mut stop = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::cast_possible_truncation, reason = "below 256")]
        let b = byte as u8;
        stop[byte] = b < 0x20
            || b == 0x7f
            || may_hide(b)
            || matches!(b, b'\\' | b'*' | b'_' | b'~' | b'[' | b']' | b'<' | b'&' | b'|' | b'$' | b'`' | b':' | b'.');
        byte += 1;
    }
    stop
};

/// Appends a text, which is settled, to `out` so that it is read as this text.
pub(crate) fn escape(out: &mut String, text: &str, place: TextPosition) {
    let bytes = text.as_bytes();
    let forced = if place.line_start { block_start(text) } else { None };
    let (mut copied, mut at) = (0, 0);
    while at < bytes.len() {
        let byte = bytes[at];
        if !STOP[usize::from(byte)] && forced != Some(at) {
            at += 1;
            continue;
        }
        if !byte.is_ascii() || byte < 0x20 || byte == 0x7f {
            let c = text[at..].chars().next().unwrap_or_default();
            let next = at + c.len_utf8();
            if c != '\t' && hides(c, text[..at].chars().next_back(), text[next..].chars().next()) {
                out.push_str(&text[copied..at]);
                spell_settled(out, c);
                copied = next;
            }
            at = next;
            continue;
        }
        let end = match byte {
            b'*' | b'_' | b'~' | b'$' => at + bytes[at..].iter().take_while(|b| **b == byte).count(),
            _ => at + 1,
        };
        if forced != Some(at)
            && let Some(literal) = literal(text, at, end, place)
        {
            at = literal;
            continue;
        }
        out.push_str(&text[copied..at]);
        copied = at;
        at = end;
        match byte {
            b'<' | b'&' => {
                out.push_str(if byte == b'<' { "&lt;" } else { "&amp;" });
                copied = end;
            }
            b':' if place.links
                && let Some(address) = address::at_colon(text, end - 1) =>
            {
                out.truncate(out.len() - (end - 1 - address.start));
                super::write_address(out, &text[address.clone()]);
                (copied, at) = (address.end, address.end);
            }
            _ => {
                for _ in copied..end {
                    out.push('\\');
                    out.push(char::from(byte));
                }
                copied = end;
            }
        }
    }
    out.push_str(&text[copied..]);
}

/// Where to go on after the run of bytes from `at` to `end` if it can stand as it is.
fn literal(text: &str, at: usize, end: usize, place: TextPosition) -> Option<usize> {
    let before = text[..at].chars().next_back();
    let after = text[end..].chars().next();
    let is_space = |c: char| matches!(c, ' ' | '\t');
    let spaced_before = before.is_some_and(is_space);
    let spaced_after = after.map_or(place.whole_line, is_space);
    let rest = &text.as_bytes()[end..];
    let stands = match text.as_bytes()[at] {
        b'*' => spaced_before && spaced_after,
        b'_' => (spaced_before && spaced_after) || (before.is_some_and(is_word) && after.is_some_and(is_word)),
        b'~' => {
            let opens_only = (spaced_before || (before.is_none() && place.line_start)) && end == at + 1;
            (spaced_before && spaced_after)
                || (place.whole_line && opens_only && after.is_some_and(|c| is_word(c) || c == '/'))
        }
        // what follows no space closes nothing, so nothing opens; but code around could close
        b'$' => place.whole_line && end == at + 1 && (spaced_before || before.is_none()),
        b'\\' => after.is_some_and(|c| c == ' ' || is_word(c)),
        b'[' => return bracketed_word(text, at, place),
        b'|' => !place.cell,
        b'<' => match after {
            None => place.whole_line,
            Some(c) if c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?') => false,
            // a mail address
            Some(_) => match rest.iter().position(|b| matches!(b, b' ' | b'<' | b'>' | b'@')) {
                None => place.whole_line,
                Some(length) => length == 0 || rest[length] != b'@',
            },
        },
        b'&' => {
            let name = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'#').count();
            match rest.get(name) {
                Some(b) => name == 0 || *b != b';',
                None => place.whole_line,
            }
        }
        b':' => !(rest.starts_with(b"//") && before.is_some_and(|c| c.is_ascii_alphanumeric())),
        b'.' => !(at >= 3 && text.as_bytes()[at - 3..at].eq_ignore_ascii_case(b"www")),
        _ => false,
    };
    stands.then_some(end)
}

/// Whether every parser takes a character for neither white space nor punctuation: letters and digits, but not those that
/// Unicode has as symbols too.
pub(crate) fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || (!c.is_ascii() && c.is_alphanumeric() && !matches!(c, '\u{2460}'..='\u{24ff}' | '\u{1f100}'..='\u{1f1ff}'))
}

/// The end of a `[WORD]` that no parser takes for a link, a footnote or a task.
fn bracketed_word(text: &str, at: usize, place: TextPosition) -> Option<usize> {
    let bytes = text.as_bytes();
    let inner =
        bytes[at + 1..].iter().take(40).take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'-')).count();
    let end = at + 1 + inner;
    let apart = at == 0 || bytes[at - 1] == b' ';
    let followed = match bytes.get(end + 1) {
        None => place.whole_line,
        Some(b) => *b == b' ',
    };
    (inner >= 2 && bytes[at + 1] != b' ' && bytes.get(end) == Some(&b']') && apart && followed).then_some(end + 1)
}

/// The byte of a line to escape so that the line begins no block and is none: heading, quote, list item, thematic break,
/// underline of a heading, front matter, table, definition. Fences, HTML and references are escaped anyway.
fn block_start(line: &str) -> Option<usize> {
    let bytes = line.as_bytes();
    let ends_at = |at: usize| bytes.get(at).is_none_or(|b| matches!(b, b' ' | b'\t'));
    let only = |allowed: &[u8]| bytes.iter().all(|b| allowed.contains(b) || matches!(b, b' ' | b'\t'));
    match bytes.first()? {
        b'#' => {
            let level = bytes.iter().take_while(|b| **b == b'#').count();
            (level <= 6 && ends_at(level)).then_some(0)
        }
        b'>' => Some(0),
        b'-' | b':' => (ends_at(1) || only(b"|:-")).then_some(0),
        b'+' => (ends_at(1) || only(b"+")).then_some(0),
        b'=' => only(b"=").then_some(0),
        b'|' => only(b"|:-").then_some(0),
        b'0'..=b'9' => {
            let digits = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
            (digits <= 9 && matches!(bytes.get(digits), Some(b'.' | b')')) && ends_at(digits + 1)).then_some(digits)
        }
        _ => None,
    }
}
