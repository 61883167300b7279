//! What stands on a line, as HTML: names, addresses of events, redactions. Every text goes through `text`.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::super::line::{Address, FirstNames, Name, RedactionNote, RoomLink, Span};
use super::super::text::listed;
use super::text::{Markup, escaped, inline, name as name_of};

/// How many colours people have.
const COLOURS: u8 = 18;

/// HTML that leads to an event; of one that is not of the period, that it is not.
pub(super) fn leading(html: &Markup, to: &Address) -> Markup {
    if to.is_left_out {
        return Markup(format!("{html} <em class=\"x\">(outside of this document)</em>"));
    }
    // letters, digits, `-`, `_` and the file
    let (anchor, day) = (to.anchor.as_str(), to.day.as_deref().unwrap_or_default());
    let file = if day.is_empty() { "" } else { ".html" };
    Markup(format!("<a href=\"{day}{file}#{anchor}\">{html}</a>"))
}

/// Somebody, as they were called.
pub(super) fn name(of: &Name) -> Markup {
    let mut out = String::new();
    if let Some(said_as) = &of.said_as {
        let _ = write!(out, "<bdi>{}</bdi> (via ", inline(said_as));
    }
    let shown = if of.name.starts_with('@') && of.user_id.is_none() { name_of(&of.name) } else { inline(&of.name) };
    let _ = write!(out, "<bdi>{shown}</bdi>");
    if let Some(user_id) = &of.user_id {
        let _ = write!(out, " <code class=\"id\">{}</code>", name_of(user_id));
    }
    if of.said_as.is_some() {
        out.push(')');
    }
    Markup(out)
}

pub(super) fn names(of: &FirstNames) -> String {
    let first: Vec<String> = of.first.iter().map(|of| name(of).0).collect();
    if of.many { format!("{} and others", first.join(", ")) } else { listed(&first, of.more) }
}

/// The first of those who gave something, so many altogether.
pub(super) fn voters(first: &[Name], count: u64) -> Markup {
    let others = count.saturating_sub(first.len() as u64);
    let first: Vec<String> = first.iter().map(|of| name(of).0).collect();
    Markup(if others == 0 { first.join(", ") } else { listed(&first, others) })
}

/// What stands on a line.
pub(super) fn line(spans: &[Span]) -> Markup {
    let mut out = String::new();
    for span in spans {
        match span {
            Span::Words(words) => out.push_str(&escaped(words)),
            Span::Note(words) => out.extend(["<em>", &escaped(words), "</em>"]),
            Span::Text(text) => out.extend(["<bdi>", &inline(text).0, "</bdi>"]),
            Span::NotedText(text) => out.extend(["<em><bdi>", &inline(text).0, "</bdi></em>"]),
            Span::Code(text) => out.extend(["<code>", &name_of(text).0, "</code>"]),
            Span::Name(of) => out.extend(["<b>", &name(of).0, "</b>"]),
            Span::Names(of) => out.extend(["<b>", &names(of), "</b>"]),
            Span::Link(words, to) => out.push_str(&leading(&inline(words), to).0),
            Span::Room(room) => out.push_str(&room_link(room).0),
            Span::Redaction(mark) => out.push_str(&redaction(mark).0),
        }
    }
    Markup(out)
}

/// A room's id, which leads to its days if the archive has it.
pub(super) fn room_link(room: &RoomLink) -> Markup {
    let id = name_of(&room.room_id);
    Markup(match &room.directory {
        Some(directory) => {
            format!("<a href=\"../{}/index.html\"><code>{id}</code></a>", escaped(&directory.replace('%', "%25")))
        }
        None => format!("<code>{id}</code>"),
    })
}

pub(super) fn redaction(mark: &RedactionNote) -> Markup {
    Markup(match mark {
        RedactionNote::ByServer => "<em class=\"gone\">removed by the server</em>".to_owned(),
        RedactionNote::Unknown => "<em class=\"gone\">redacted</em>".to_owned(),
        RedactionNote::By { name: by, at, reason } => {
            let reason = reason.as_ref().map(|reason| format!(": {}", inline(reason))).unwrap_or_default();
            format!("<em class=\"gone\">redacted by {} at {at}{reason}</em>", name(by))
        }
    })
}

/// Somebody's colour, which stays theirs: a number below [`COLOURS`].
pub(super) fn colour(sender: &str) -> u8 {
    Sha256::digest(sender)[0] % COLOURS
}

/// The first letters of the first two words of a name; of one without letters its first character.
pub(super) fn initials(name: &str) -> Markup {
    let words = name.trim_start_matches('@').split(|c: char| !c.is_alphanumeric());
    let letters: String = words.filter_map(|word| word.chars().next()).take(2).flat_map(char::to_uppercase).collect();
    let letters = if letters.is_empty() { name.chars().take(1).collect() } else { letters };
    name_of(&letters)
}
