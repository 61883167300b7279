//! Text as markdown: the only home of escaping, through which everything remote passes.
//!
//! The result is for `CommonMark` 0.31 with GitHub's extensions, and for reading as it is. It says the text and nothing else:
//! no markup, no HTML, except that a mail address stays what GitHub makes a link of, since no escape prevents that.
//! Characters that hide (controls, bidirectional overrides, zero-width ones outside the scripts and emoji that need them) are
//! spelled out like `\u{202e}`; in code and in names of things all of them.

mod escape;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt::Write as _;

use super::super::address;
use super::super::text::{collapse, shortened};
use super::super::visible::{self, is_newline, settled, spelled};
pub(crate) use escape::{TextPosition, escape, is_word};

/// The longest run of backticks that `cmark`, GitHub's and others take for the beginning of code.
const LONGEST_FENCE: usize = 80;

/// Renders text on one line, for anywhere within a line: a sentence, a link's text, emphasis, a table's cell.
///
/// Runs of white space become one space. It contains no link, so it can be in one. Directly before a link, put a space:
/// `!` would make it an image. In the middle of raw HTML it cannot do harm, but its backslashes show.
#[must_use]
pub fn inline(text: &str) -> String {
    let text = collapse(text);
    let text = settled(&text);
    let mut out = String::with_capacity(text.len() + 8);
    escape(&mut out, &text, TextPosition { line_start: true, whole_line: false, cell: true, links: false });
    out
}

/// As [`inline`], for the name of something (a file, a user, an address of a room), in which nothing is hidden.
#[must_use]
pub(crate) fn inline_name(name: &str) -> String {
    inline(&spelled(name, true))
}

/// Renders text as paragraphs in which each line stays a line (two spaces at its end).
///
/// Runs of blank lines become one; leading white space becomes no-break spaces, so that it shows. Web addresses become
/// links to themselves.
#[must_use]
pub fn block(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut paragraph = false;
    let newlines: Cow<'_, str> = if text.contains(is_newline) {
        text.replace("\r\n", "\n").replace(is_newline, "\n").into()
    } else {
        text.into()
    };
    for line in settled(&newlines).split('\n') {
        let line = line.trim_end();
        let content = line.trim_start();
        if content.is_empty() {
            paragraph = false;
            continue;
        }
        if !out.is_empty() {
            out.push_str(if paragraph { "  \n" } else { "\n\n" });
        }
        paragraph = true;
        for c in line[..line.len() - content.len()].chars() {
            out.push_str(if c == '\t' { "\u{a0}\u{a0}\u{a0}\u{a0}" } else { "\u{a0}" });
        }
        let whole_line = line.len() == content.len();
        escape(&mut out, content, TextPosition { line_start: true, whole_line, cell: false, links: true });
    }
    out
}

/// Renders text as code within a line; empty if the text is. What cannot be code is text, as from [`inline`].
#[must_use]
pub fn code_span(text: &str) -> String {
    code_in(text, false).unwrap_or_else(|| inline_name(text))
}

/// The same within a table's cell.
#[must_use]
pub fn code_cell(text: &str) -> String {
    code_in(text, true).unwrap_or_else(|| inline_name(text))
}

/// A span of code, in a table's cell if so; none when that cannot be expressed.
pub(crate) fn code_in(text: &str, cell: bool) -> Option<String> {
    let text = spelled(&text.replace(is_newline, " "), false);
    if text.is_empty() {
        return Some(text);
    }
    let fence = longest_run(&text) + 1;
    let splits_cell = cell && text.contains('|') && (text.contains("\\|") || text.contains("\\\\"));
    if fence > LONGEST_FENCE || splits_cell {
        return None;
    }
    let fence = "`".repeat(fence);
    let stripped = text.starts_with(' ') && text.ends_with(' ') && text.contains(|c| c != ' ');
    let pad = if stripped || text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    let text = if cell { text.replace('|', "\\|") } else { text };
    Some(format!("{fence}{pad}{text}{pad}{fence}"))
}

/// Renders text as a block of code; a language that is none is left out.
#[must_use]
pub fn code_block(text: &str, language: Option<&str>) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '#' | '_' | '.' | '-');
    let language = language.filter(|name| (1..=40).contains(&name.len()) && name.chars().all(allowed)).unwrap_or("");
    let text = spelled(text, true);
    let fence = "`".repeat((longest_run(&text) + 1).max(3));
    let mut out = format!("{fence}{language}\n");
    for line in lines(text.trim_end_matches(is_newline)) {
        out.push_str(line);
        out.push('\n');
    }
    out.push_str(&fence);
    out
}

/// Renders a link, or, when its target is not of the web, mail or Matrix, the text with the target as code.
///
/// The text is markdown without a link.
#[must_use]
pub fn link(text_markdown: &str, target: &str) -> String {
    match self::target(target) {
        Some(target) if text_markdown.is_empty() => format!("[{}]({target})", inline(&target)),
        Some(target) => format!("[{text_markdown}]({target})"),
        None => format!("{text_markdown} {}", code_span(&shortened(target.trim(), 200))).trim().to_owned(),
    }
}

/// A link's target as it stands between parentheses; none when links must not point there.
pub(crate) fn target(address: &str) -> Option<String> {
    let encoded = address::target(address)?;
    // an ampersand may begin an entity, in a target too
    Some(if encoded.contains(';') { encoded.replace('&', "&amp;") } else { encoded })
}

/// An address between angle brackets, which is a link to itself; none when it cannot stand there.
pub(crate) fn autolink(address: &str) -> Option<String> {
    let found = address::at_colon(address, address.find(':')?)?;
    (found == (0..address.len()) && is_plain(address)).then(|| format!("<{address}>"))
}

/// Appends an address of the web that is its own text.
fn write_address(out: &mut String, address: &str) {
    if is_plain(address) {
        out.push('<');
        out.push_str(address);
        out.push('>');
    } else {
        out.push_str(&link(&inline(address), address));
    }
}

/// Whether an address can stand between angle brackets, anywhere: nothing in it ends them, or is an entity.
fn is_plain(address: &str) -> bool {
    let is_plain = |c: char| match u8::try_from(c) {
        Ok(b) if b.is_ascii() => b.is_ascii_alphanumeric() || b"-._~:/?#@!'()*+,;=%&".contains(&b),
        _ => is_word(c),
    };
    address.chars().all(is_plain) && !(address.contains('&') && address.contains(';'))
}

/// Renders the beginning of a text on one line: at most `chars` characters, then `…`, cut between words where possible.
#[must_use]
pub fn excerpt(text: &str, chars: usize) -> String {
    inline(&shortened(text, chars))
}

/// Renders text as a double-quoted YAML scalar, which is a JSON string too. What knows no front matter reads it as markdown: so
/// nothing in it is markup.
#[must_use]
pub fn yaml(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for (at, c) in text.char_indices() {
        let around = || (text[..at].chars().next_back(), text[at..].chars().nth(1));
        match c {
            '_' if text[..at].ends_with(char::is_alphanumeric) && text[at + 1..].starts_with(char::is_alphanumeric) => {
                out.push(c);
            }
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if visible::is_format(c) && !visible::is_isolate(c) && !visible::hides(c, around().0, around().1) => {
                out.push(c);
            }
            '\u{10000}'.. if visible::is_format(c) => {
                // YAML knows no surrogate pairs, JSON no longer escapes
                out.push('\\');
                visible::spell(&mut out, c);
            }
            _ if c.is_control() || visible::is_format(c) || "\u{2028}\u{2029}<>&[]*_`~|$".contains(c) => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).flat_map(|line| line.split(is_newline))
}
