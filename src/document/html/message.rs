//! What a message says, as HTML.

use std::fmt::Write as _;

use super::super::message::{FileKind, Form, Manner, Message};
use super::super::text::{duration, shortened, size};
use super::body;
use super::text::{inline, lined, name};

/// How much of a remote name is shown.
const NAME: usize = 200;

/// Renders what a message says, by the sender's name as HTML; never empty.
#[must_use]
pub fn message(message: &Message<'_>, name_html: &str) -> String {
    if message.manner() == Manner::Emote {
        return text(message, &format!("* <b>{name_html}</b> "), " em");
    }
    blocks(message)
}

/// Renders what a message says, in whatever manner; never empty.
pub(super) fn blocks(message: &Message<'_>) -> String {
    match message.form {
        Form::Text(Manner::Notice | Manner::ServerNotice) => text(message, "", " no"),
        Form::Text(_) => text(message, "", ""),
        Form::Other => {
            let kind: String = message.msgtype.as_deref().unwrap_or_default().chars().take(100).collect();
            format!("{}<p class=\"x\">message of type <code>{}</code></p>", text(message, "", ""), name(&kind))
        }
        Form::File(kind) if message.has_caption() => format!("{}{}", file(kind, message), text(message, "", "")),
        Form::File(kind) => file(kind, message),
        Form::Gallery => {
            let caption = message.has_text().then(|| text(message, "", ""));
            let items = message.items.iter().map(blocks);
            caption.into_iter().chain(items).collect::<Vec<_>>().concat()
        }
        Form::Location => location(message),
    }
}

/// The text, behind what begins it.
fn text(message: &Message<'_>, begin: &str, class: &str) -> String {
    if let Some(body) = message.html().and_then(body::from_html) {
        return format!("<div class=\"b r{class}\" dir=\"auto\">{begin}{body}</div>");
    }
    let plain = message.unformatted().map(lined).filter(|text| !text.trim().is_empty());
    match plain {
        Some(plain) => format!("<div class=\"b{class}\" dir=\"auto\">{begin}{plain}</div>"),
        None => format!("<div class=\"b{class}\">{begin}<em class=\"x\">{}</em></div>", message.nothing()),
    }
}

/// Renders a file as a card: its name, and what is told of it.
fn file(kind: FileKind, message: &Message<'_>) -> String {
    let told = message.file();
    let is_voice = kind == FileKind::Voice;
    let icon = if kind == FileKind::Sticker { FileKind::Image.icon() } else { kind.icon() };
    let parts = [
        match kind {
            FileKind::Voice => Some("voice message".to_owned()),
            FileKind::Sticker => Some("sticker".to_owned()),
            _ => None,
        },
        told.mimetype.as_deref().map(|kind| inline(kind).0).filter(|kind| !is_voice && !kind.is_empty()),
        told.width.zip(told.height).filter(|(w, h)| *w > 0 && *h > 0).map(|(w, h)| format!("{w}×{h}")),
        told.duration.filter(|duration| *duration > 0).map(duration),
        told.size.filter(|size| *size > 0 && !is_voice).map(size),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let mut card = format!(
        "<div class=\"f\"><span aria-hidden=\"true\">{icon}</span><div><b><bdi>{}</bdi></b>",
        name(&shortened(message.name(), NAME))
    );
    if !parts.is_empty() {
        let _ = write!(card, "<small>{}</small>", parts.join(" · "));
    }
    if let Some(url) = message.url.as_deref().filter(|url| !url.trim().is_empty()) {
        let _ = write!(card, "<small class=\"u\">{}</small>", name(&shortened(url, NAME)));
    }
    card.push_str("</div></div>");
    card
}

/// Renders a place: its description, and where it is.
fn location(message: &Message<'_>) -> String {
    let place = message.body.as_deref().map(|body| inline(&shortened(body, NAME)).0).filter(|place| !place.is_empty());
    let place = place.unwrap_or_else(|| "location".to_owned());
    let mut card = format!("<div class=\"f\"><span aria-hidden=\"true\">📍</span><div><b><bdi>{place}</bdi></b>");
    if let Some(uri) = &message.geo_uri {
        let uri: String = uri.chars().take(100).collect();
        let _ = write!(card, "<small><code>{}</code></small>", name(&uri));
    }
    card.push_str("</div></div>");
    card
}
