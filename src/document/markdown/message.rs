//! What a message says, as blocks of markdown. Every text goes through `text`, and formatted bodies through `formatted`: what a sender
//! wrote makes no markup of its own.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use super::super::formatted;
use super::super::media::FileDisplay;
use super::super::message::{FileKind, Manner, Message, MessageForm};
use super::super::text::{duration, shortened, size};
use super::begins_as_paragraph;
use super::text::{block, code_span, excerpt, inline, inline_name, link};
use crate::event::media::is_mxc;

/// How much of a remote name is shown.
const NAME: usize = 200;

/// Renders what a message says, by the sender's name in markdown; never empty. Of an emote: `***Carol** waves*`.
#[must_use]
pub fn message(message: &Message<'_>, name_markdown: &str) -> String {
    if message.manner() == Manner::Emote { emote(message, name_markdown) } else { blocks(message) }
}

/// Renders what a message says, in whatever manner; never empty.
#[must_use]
pub fn blocks(message: &Message<'_>) -> String {
    match message.form {
        MessageForm::Text(_) => text(message),
        MessageForm::Other => {
            let name: String = message.msgtype.as_deref().unwrap_or_default().chars().take(100).collect();
            format!("{}\n\n*(message of type {})*", text(message), code_span(&name))
        }
        MessageForm::File(kind) if message.has_caption() => format!("{}\n\n{}", file(kind, message), text(message)),
        MessageForm::File(kind) => file(kind, message),
        MessageForm::Gallery => gallery(message),
        MessageForm::Location => location(message),
    }
}

/// Renders the beginning of what a message says on one line, without a link, for quotes and links' texts.
#[must_use]
pub fn in_short(message: &Message<'_>, chars: usize) -> String {
    message.in_short(chars).map_or_else(|| message.nothing().to_owned(), |text| inline(&text))
}

/// Renders an emote as such, by the sender's name in markdown.
#[must_use]
pub fn emote(message: &Message<'_>, name_markdown: &str) -> String {
    let line = message.body.as_deref().map(str::trim).filter(|body| !body.is_empty() && !body.contains(['\n', '\r']));
    if let Some(line) = line.filter(|_| message.html().is_none()) {
        return format!("***{name_markdown}** {}*", inline(line));
    }
    let blocks = blocks(message);
    let between = if begins_as_paragraph(&blocks) { " " } else { "\n\n" };
    format!("***{name_markdown}***{between}{blocks}")
}

fn text(message: &Message<'_>) -> String {
    let blocks = message.html().and_then(formatted::from_html);
    let blocks = blocks.or_else(|| message.unformatted().map(block));
    blocks.filter(|blocks| !blocks.is_empty()).unwrap_or_else(|| format!("*{}*", message.nothing()))
}

/// Renders several files, each on a line of its own, below what is said of them.
fn gallery(message: &Message<'_>) -> String {
    let caption = message.has_text().then(|| text(message));
    caption.into_iter().chain(message.items.iter().map(blocks)).collect::<Vec<_>>().join("\n\n")
}

/// Renders a file: `🖼 [lag.png](mxc://…) · image/png · 1920×1080 · 84 KB`.
fn file(kind: FileKind, message: &Message<'_>) -> String {
    let told = message.file();
    let name = inline_name(&shortened(message.name(), NAME));
    let is_voice = kind == FileKind::Voice;
    let says_voice = name.to_lowercase().contains("voice");
    let here = message.here.as_ref();
    let linked = match (here, message.url.as_deref().filter(|url| is_mxc(url))) {
        (Some(here), _) => format!("[{name}]({})", here.path),
        (None, Some(url)) => link(&name, url),
        (None, None) => name.clone(),
    };
    let mut line = format!("{} {linked}", kind.icon());
    let parts = [
        (is_voice && !says_voice).then(|| "voice message".to_owned()),
        told.mimetype.as_deref().map(inline).filter(|kind| !is_voice && !kind.is_empty()),
        told.width.zip(told.height).filter(|(w, h)| *w > 0 && *h > 0).map(|(w, h)| format!("{w}×{h}")),
        told.duration.filter(|duration| *duration > 0).map(duration),
        told.size.filter(|size| *size > 0 && !is_voice).map(size),
    ];
    for part in parts.into_iter().flatten() {
        line.push_str(" · ");
        line.push_str(&part);
    }
    if let Some(here) = here.filter(|here| here.shown == FileDisplay::Picture) {
        let _ = write!(line, "\n\n![{name}]({})", here.path);
    }
    line
}

/// Renders a place: its description, and where it is.
fn location(message: &Message<'_>) -> String {
    let place = message.body.as_deref().map(|body| excerpt(body, NAME)).filter(|place| !place.is_empty());
    let place = place.unwrap_or_else(|| "location".to_owned());
    match message.geo_uri.as_deref().map(|uri| code_span(&uri.chars().take(100).collect::<String>())) {
        Some(uri) if !uri.is_empty() => format!("📍 {place} · {uri}"),
        _ => format!("📍 {place}"),
    }
}
