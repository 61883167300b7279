//! What a message says, as HTML. Every text goes through `text`, and formatted bodies through `body`: nothing that a sender wrote
//! becomes markup by another way.

use std::fmt::Write as _;

use super::super::media::{FileDisplay, of_path, safe_name};
use super::super::message::{FileKind, FileLink, MARK, Manner, Message, MessageForm};
use super::super::text::{duration, shortened, size};
use super::body;
use super::text::{escaped, inline, lined, name};

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
        MessageForm::Text(Manner::Notice | Manner::ServerNotice) => text(message, "", " no"),
        MessageForm::Text(_) => text(message, "", ""),
        MessageForm::Other => {
            let kind: String = message.msgtype.as_deref().unwrap_or_default().chars().take(100).collect();
            format!("{}<p class=\"x\">message of type <code>{}</code></p>", text(message, "", ""), name(&kind))
        }
        MessageForm::File(kind) if message.has_caption() => format!("{}{}", file(kind, message), text(message, "", "")),
        MessageForm::File(kind) => file(kind, message),
        MessageForm::Gallery => {
            let caption = message.has_text().then(|| text(message, "", ""));
            let items = message.items.iter().map(blocks);
            caption.into_iter().chain(items).collect::<Vec<_>>().concat()
        }
        MessageForm::Location => location(message),
    }
}

/// The text, behind what begins it.
fn text(message: &Message<'_>, begin: &str, class: &str) -> String {
    if let Some(body) = message.html().and_then(|html| body::with_pictures(html, &message.pictures)) {
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
    let called = name(&shortened(message.name(), NAME)).to_string();
    let linked = match &message.here {
        // what is shown is in the page once
        Some(here) if here.is_within() && here.shown != FileDisplay::Link => format!("<bdi>{called}</bdi>"),
        Some(here) => {
            // what is in the page has no name of its own
            let to = if here.is_within() { saved(message.name(), here) } else { String::new() };
            format!("<a href=\"{}\" download=\"{to}\"><bdi>{called}</bdi></a>", here.path)
        }
        None => format!("<bdi>{called}</bdi>"),
    };
    let shown = message.here.as_ref().map_or_else(String::new, |here| {
        shown(here, &escaped(&shortened(message.name(), NAME)), told.width.zip(told.height))
    });
    let mut card = format!("{shown}<div class=\"f\"><span aria-hidden=\"true\">{icon}</span><div><b>{linked}</b>");
    if !parts.is_empty() {
        let _ = write!(card, "<small>{}</small>", parts.join(" · "));
    }
    if let Some(url) = message.url.as_deref().filter(|url| message.here.is_none() && !url.trim().is_empty()) {
        let _ = write!(card, "<small class=\"u\">{}</small>", name(&shortened(url, NAME)));
    }
    card.push_str("</div></div>");
    card
}

/// As what a file is saved that is in the page.
fn saved(called: &str, here: &FileLink) -> String {
    let (stem, end) = safe_name(called, of_path(here.path.trim_end_matches(MARK)));
    escaped(&format!("{stem}.{end}"))
}

/// Renders a file that is at hand, as its bytes allow; `size` is what its sender says of it, in pixels.
fn shown(here: &FileLink, called: &str, size: Option<(u64, u64)>) -> String {
    const MOST: u64 = 100_000;
    let size = size.filter(|(width, height)| (1..MOST).contains(width) && (1..MOST).contains(height));
    let size = size.map_or_else(String::new, |(width, height)| format!(" width=\"{width}\" height=\"{height}\""));
    let path = &here.path;
    match here.shown {
        FileDisplay::Picture => {
            // a click shows it as large as the window, another one as it was
            format!(
                "<label class=\"md\"><input type=\"checkbox\" aria-label=\"{called}, large\"><img src=\"{path}\" alt=\"{called}\" loading=\"lazy\"{size}></label>"
            )
        }
        FileDisplay::Video => {
            format!(
                "<video class=\"md\" src=\"{path}\" aria-label=\"{called}\" controls preload=\"metadata\"{size}></video>"
            )
        }
        FileDisplay::Audio => {
            format!("<audio class=\"md\" src=\"{path}\" aria-label=\"{called}\" controls preload=\"none\"></audio>")
        }
        FileDisplay::Link => String::new(),
    }
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
