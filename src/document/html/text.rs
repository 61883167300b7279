//! Text as HTML: the only home of escaping, through which everything remote passes; for elements and for attributes in double quotes.
//!
//! What hides is spelled out as in every form of documents (`visible`).

use std::fmt;

use askama::filters::HtmlSafe;

use super::super::address;
use super::super::text::collapse;
use super::super::visible::{hides, is_newline, may_hide, settled, spell_settled, spelled};

/// HTML of ours, which templates take as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Markup(pub(super) String);

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Markup {}

/// Renders text on one line.
pub(super) fn inline(text: &str) -> Markup {
    Markup(escaped(&collapse(text)))
}

/// As [`inline`], for the name of something (a file, a user, an address of a room), in which nothing is hidden.
pub(super) fn name(name: &str) -> Markup {
    inline(&spelled(name, true))
}

/// Renders text within an element or a quoted attribute; line breaks stay.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    escape(&mut out, &settled(text), false);
    out
}

/// Renders code; line breaks stay.
pub(super) fn code(text: &str) -> String {
    escaped(&lines(&spelled(text, true)))
}

/// Renders text whose lines stay lines where white space is kept, and whose web addresses are links.
pub(super) fn lined(text: &str) -> String {
    let text = lines(text.trim_matches(|c: char| is_newline(c)));
    let mut out = String::with_capacity(text.len() + 8);
    escape(&mut out, &settled(text.trim_end()), true);
    out
}

fn lines(text: &str) -> String {
    if text.contains(|c| c != '\n' && is_newline(c)) {
        text.replace("\r\n", "\n").replace(is_newline, "\n")
    } else {
        text.to_owned()
    }
}

/// The bytes to stop at; the rest is copied.
const STOP: [bool; 256] = {
    let mut stop = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::cast_possible_truncation, reason = "below 256")]
        let b = byte as u8;
        stop[byte] = b < 0x20 || b == 0x7f || may_hide(b) || matches!(b, b'<' | b'>' | b'&' | b'"' | b'\'' | b':');
        byte += 1;
    }
    stop
};

/// Appends a text, which is settled.
pub(super) fn escape(out: &mut String, text: &str, links: bool) {
    let bytes = text.as_bytes();
    let (mut copied, mut at) = (0, 0);
    while at < bytes.len() {
        let byte = bytes[at];
        if !STOP[usize::from(byte)] {
            at += 1;
            continue;
        }
        let reference = match byte {
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'&' => "&amp;",
            b'"' => "&quot;",
            b'\'' => "&#39;",
            b':' if links && bytes[at..].starts_with(b"://") => {
                match address::at_colon(text, at).filter(|range| range.start >= copied) {
                    Some(range) => {
                        out.push_str(&text[copied..range.start]);
                        let address = &text[range.clone()];
                        match link(address) {
                            Some(link) => {
                                out.push_str(&link);
                                escape(out, address, false);
                                out.push_str("</a>");
                            }
                            None => escape(out, address, false),
                        }
                        (copied, at) = (range.end, range.end);
                    }
                    None => at += 1,
                }
                continue;
            }
            byte if byte.is_ascii() && !(byte < 0x20 || byte == 0x7f) => {
                at += 1;
                continue;
            }
            _ => {
                let c = text[at..].chars().next().unwrap_or_default();
                let next = at + c.len_utf8();
                let is_kept = matches!(c, '\t' | '\n');
                // of a carriage return browsers make a line break, and of other white space that controls what they like
                if c.is_control() && c.is_whitespace() && !is_kept {
                    out.extend([&text[copied..at], " "]);
                    copied = next;
                } else if !is_kept && hides(c, text[..at].chars().next_back(), text[next..].chars().next()) {
                    out.push_str(&text[copied..at]);
                    spell_settled(out, c);
                    copied = next;
                }
                at = next;
                continue;
            }
        };
        out.extend([&text[copied..at], reference]);
        at += 1;
        copied = at;
    }
    out.push_str(&text[copied..]);
}

/// The beginning of a link to somewhere that links may lead to and browsers can go to.
pub(super) fn link(to: &str) -> Option<String> {
    let target = address::target(to)?;
    // browsers know no files on Matrix servers
    let is_media = target.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("mxc:"));
    (!is_media).then(|| format!("<a href=\"{}\" rel=\"noreferrer noopener\">", escaped(&target)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_no_markup_in_an_element_and_in_an_attribute() {
        assert_eq!(escaped("a<b>&\"'c:d"), "a&lt;b&gt;&amp;&quot;&#39;c:d");
        assert_eq!(escaped("a\u{202e}b\0\r\n\tc\u{2066}"), "a\\u{202e}b\\u{0} \n\tc\\u{2066}");
        assert_eq!(name("a\u{200e}b").0, "a\\u{200e}b");
    }

    #[test]
    fn web_addresses_are_links_and_others_are_not() {
        let found = lined("see https://a.example/?x=\"1\"&y=(2)). javascript://%0aalert(1)");
        let rel = "rel=\"noreferrer noopener\"";
        assert_eq!(
            found,
            format!(
                "see <a href=\"https://a.example/?x=\" {rel}>https://a.example/?x=</a>&quot;1&quot;&amp;y=(2)). javascript://%0aalert(1)"
            )
        );
        assert_eq!(link("java\nscript:alert(1)"), None);
        assert_eq!(link(" mxc://a/b"), None);
        assert_eq!(link("HTTPS://a/<\">&"), Some(format!("<a href=\"HTTPS://a/%3C%22%3E&amp;\" {rel}>")));
    }
}
