//! What a message says, as markdown: of `m.room.message` by its `msgtype`, and of `m.sticker` (client-server
//! specification, "Instant Messaging").
//!
//! A content may be anything: each value that is not of its type is as if it were not there. Knows no sender and no other
//! event; edits and replies are for the caller to put together.

mod media;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{html, markdown};
use crate::event::object::{members, text};

/// How something is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As text or a file.
    Said,
    /// As a bot's `m.notice`.
    Notice,
    /// As what the sender does: see [`Body::emote`].
    Emote,
    /// By the server (`m.server_notice`).
    ServerNotice,
    /// Between programs: a request for verification.
    Noise,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// Blocks of markdown, never empty.
    pub markdown: String,
    /// How it is said.
    pub manner: Manner,
    /// The text within a line, if it is one line of plain text.
    line: Option<String>,
}

impl Body {
    /// The blocks of an emote, by the sender's name in markdown: `***Carol** waves*`.
    #[must_use]
    pub fn emote(&self, name_markdown: &str) -> String {
        match &self.line {
            Some(line) => format!("***{name_markdown}** {line}*"),
            None => format!("***{name_markdown}***\n\n{}", self.markdown),
        }
    }
}

/// Renders the content of an event of this kind, or the `m.new_content` of an edit.
///
/// Of a reply, the quote that older clients put before the answer is left out.
#[must_use]
pub fn body(kind: &str, content: &str, is_reply: bool) -> Body {
    let content = Content::of(content, is_reply);
    let form = Form::of(kind, &content);
    let blocks = match form {
        Form::Text(_) => content.blocks(),
        Form::Other(name) => {
            let name: String = name.chars().take(100).collect();
            format!("{}\n\n*(message of type {})*", content.blocks(), markdown::code_span(&name))
        }
        Form::Media(icon) if content.has_caption() => {
            format!("{}\n\n{}", media::line(icon, &content), content.blocks())
        }
        Form::Media(icon) => media::line(icon, &content),
        Form::Location => media::location(&content),
    };
    let manner = if let Form::Text(manner) = form { manner } else { Manner::Said };
    let line = content.body.as_deref().map(str::trim).filter(|body| !body.is_empty() && !body.contains(['\n', '\r']));
    let line = line.filter(|_| content.html().is_none()).map(markdown::inline);
    Body { markdown: blocks, manner, line }
}

/// Whether a message says nothing to people: see [`Manner::Noise`].
#[must_use]
pub fn is_noise(kind: &str, content: &str) -> bool {
    matches!(Form::of(kind, &Content::of(content, false)), Form::Text(Manner::Noise))
}

/// Renders the beginning of what [`body`] says on one line, without a link, for quotes and links' texts.
///
/// Of a reply, as with [`body`].
#[must_use]
pub fn excerpt(kind: &str, content: &str, is_reply: bool, chars: usize) -> String {
    let content = Content::of(content, is_reply);
    match Form::of(kind, &content) {
        Form::Media(icon) => {
            let icon = if content.is_voice { media::VOICE } else { icon };
            markdown::excerpt(&format!("{icon} {}", content.name()), chars)
        }
        Form::Location => markdown::excerpt(&format!("📍 {}", content.body.as_deref().unwrap_or_default()), chars),
        Form::Text(_) | Form::Other(_) => {
            let html = content.html().and_then(|html| html::text(html, chars));
            let text = html.as_deref().or(content.unformatted()).unwrap_or_default();
            if text.trim().is_empty() { "(no text)".to_owned() } else { markdown::excerpt(text, chars) }
        }
    }
}

/// What form a message has.
enum Form<'a> {
    Text(Manner),
    /// A file, by its icon.
    Media(&'static str),
    Location,
    /// Text of an unknown `msgtype`.
    Other(&'a str),
}

impl<'a> Form<'a> {
    fn of(kind: &str, content: &'a Content) -> Form<'a> {
        if kind == "m.sticker" {
            return Form::Media(media::STICKER);
        }
        match content.msgtype.as_deref() {
            None | Some("m.text") => Form::Text(Manner::Said),
            Some("m.notice") => Form::Text(Manner::Notice),
            Some("m.emote") => Form::Text(Manner::Emote),
            Some("m.server_notice") => Form::Text(Manner::ServerNotice),
            Some("m.key.verification.request") => Form::Text(Manner::Noise),
            Some("m.image") => Form::Media("🖼"),
            Some("m.file") => Form::Media("📎"),
            Some("m.audio") => Form::Media("🔊"),
            Some("m.video") => Form::Media("🎬"),
            Some("m.location") => Form::Location,
            Some(other) => Form::Other(other),
        }
    }
}

/// The members that matter, where they are of the right type.
#[derive(Default)]
struct Content<'a> {
    msgtype: Option<Cow<'a, str>>,
    /// Without the quote of a reply.
    body: Option<Cow<'a, str>>,
    is_html: bool,
    formatted_body: Option<Cow<'a, str>>,
    filename: Option<Cow<'a, str>>,
    url: Option<Cow<'a, str>>,
    info: Option<&'a RawValue>,
    geo_uri: Option<Cow<'a, str>>,
    is_voice: bool,
}

impl<'a> Content<'a> {
    fn of(content: &'a str, mut is_reply: bool) -> Content<'a> {
        let mut found = Content::default();
        let (mut file, mut extensible) = (None, None);
        for (key, value) in members(content) {
            match &*key {
                "msgtype" => found.msgtype = text(value),
                "body" => found.body = text(value),
                "format" => found.is_html = text(value).is_some_and(|format| format == "org.matrix.custom.html"),
                "formatted_body" => found.formatted_body = text(value),
                "filename" => found.filename = text(value),
                "url" => found.url = text(value),
                "info" => found.info = Some(value),
                "geo_uri" => found.geo_uri = text(value),
                "file" => file = members(value.get()).into_iter().rfind(|(key, _)| key == "url").map(|(_, url)| url),
                "m.text" | "org.matrix.msc1767.text" | "org.matrix.msc1767.message" => extensible = Some(value),
                "m.voice" | "org.matrix.msc3245.voice" | "org.matrix.msc3245.voice.v2" => found.is_voice = true,
                "m.relates_to" => is_reply |= members(value.get()).iter().any(|(key, _)| key == "m.in_reply_to"),
                _ => {}
            }
        }
        found.url = found.url.or_else(|| file.and_then(text));
        if found.body.is_none() {
            found.take_extensible(extensible);
        }
        if is_reply {
            found.body = found.body.map(without_quote);
        }
        found
    }

    /// Takes the text that MSC1767 has in place of `body`: a string, or a list of the same text in several formats.
    fn take_extensible(&mut self, value: Option<&'a RawValue>) {
        let Some(value) = value else { return };
        self.body = text(value);
        let formats: Vec<&RawValue> = serde_json::from_str(value.get()).unwrap_or_default();
        for format in formats {
            let (mut body, mut is_html) = (None, false);
            for (key, value) in members(format.get()) {
                match &*key {
                    "body" => body = text(value),
                    "mimetype" => is_html = text(value).is_some_and(|kind| kind == "text/html"),
                    _ => {}
                }
            }
            let place = if is_html { &mut self.formatted_body } else { &mut self.body };
            if place.is_none() {
                *place = body;
                self.is_html |= is_html;
            }
        }
    }

    fn html(&self) -> Option<&str> {
        self.formatted_body.as_deref().filter(|_| self.is_html)
    }

    /// The text to show where there is nothing to see in its HTML; none of what is there but a reply's quote.
    fn unformatted(&self) -> Option<&str> {
        let is_quote = self.html().is_some_and(|html| html.to_ascii_lowercase().contains("<mx-reply"));
        if is_quote { Some("") } else { self.body.as_deref() }
    }

    /// The text as blocks.
    fn blocks(&self) -> String {
        let blocks = self.html().and_then(html::from_html);
        let blocks = blocks.or_else(|| self.unformatted().map(markdown::block));
        match blocks {
            None => "*(message without a readable body)*".to_owned(),
            Some(blocks) if blocks.is_empty() => "*(empty message)*".to_owned(),
            Some(blocks) => blocks,
        }
    }

    /// The name of a file.
    fn name(&self) -> &str {
        let names = [self.filename.as_deref(), self.body.as_deref()];
        names.into_iter().flatten().map(str::trim).find(|name| !name.is_empty()).unwrap_or("unnamed")
    }

    /// Whether the text is a file's caption, which it is if the name is elsewhere.
    fn has_caption(&self) -> bool {
        let text = self.body.as_deref().unwrap_or_default();
        !text.trim().is_empty() && self.filename.as_deref().is_some_and(|name| name != text)
    }
}

/// A reply's text without the quote before it ("Fallbacks for rich replies", version 1.12 and before).
pub(crate) fn without_quote(body: Cow<'_, str>) -> Cow<'_, str> {
    if !(body.starts_with("> <") || body.starts_with("> * <")) {
        return body;
    }
    let quote: usize = body.split_inclusive('\n').take_while(|line| line.starts_with('>')).map(str::len).sum();
    Cow::Owned(body[quote..].trim_start_matches(['\r', '\n']).to_owned())
}
