//! What a message says: of `m.room.message` by its `msgtype`, and of `m.sticker` (client-server specification, "Instant
//! Messaging"), as it is: plain text, Matrix HTML, a file, a place.
//!
//! A content may be anything: each value that is not of its type is as if it were not there. Knows no sender and no other
//! event, no markup and no escaping; edits and replies are for the caller to put together.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::html;
use super::text::shortened;
use crate::event::Object;
use crate::event::object::{members, text};

/// How something is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As text or a file.
    Said,
    /// As a bot's `m.notice`.
    Notice,
    /// As what the sender does.
    Emote,
    /// By the server (`m.server_notice`).
    ServerNotice,
    /// Between programs: a request for verification.
    Noise,
}

/// What form a message has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Text.
    Text(Manner),
    /// A file, with its text as a caption if it is one.
    File(FileKind),
    /// A place.
    Location,
    /// Text of an unknown `msgtype`.
    Other,
}

/// What kind of file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they say what they are")]
pub enum FileKind {
    Image,
    File,
    Audio,
    Video,
    Voice,
    Sticker,
}

impl FileKind {
    /// What stands before its name.
    #[must_use]
    pub fn icon(self) -> &'static str {
        match self {
            FileKind::Image => "🖼",
            FileKind::File => "📎",
            FileKind::Audio => "🔊",
            FileKind::Video => "🎬",
            FileKind::Voice => "🎤",
            FileKind::Sticker => "🖼 sticker",
        }
    }
}

/// What a message says: the members that matter of its content, where they are of the right type.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// What it is.
    pub form: Form,
    /// Its `msgtype`.
    pub(super) msgtype: Option<Cow<'a, str>>,
    /// Plain text, without the quote of a reply.
    pub(super) body: Option<Cow<'a, str>>,
    is_html: bool,
    formatted_body: Option<Cow<'a, str>>,
    filename: Option<Cow<'a, str>>,
    /// Of a file, perhaps not even an address.
    pub(super) url: Option<Cow<'a, str>>,
    info: Option<&'a RawValue>,
    pub(super) geo_uri: Option<Cow<'a, str>>,
    is_voice: bool,
}

impl<'a> Message<'a> {
    /// What the content of an event of this type says, or the `m.new_content` of an edit.
    ///
    /// Of a reply, the quote that older clients put before the answer is left out.
    #[must_use]
    pub fn of(kind: &str, content: &'a str, mut is_reply: bool) -> Message<'a> {
        let mut found = Message {
            form: Form::Text(Manner::Said),
            msgtype: None,
            body: None,
            is_html: false,
            formatted_body: None,
            filename: None,
            url: None,
            info: None,
            geo_uri: None,
            is_voice: false,
        };
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
        found.form = form(kind, found.msgtype.as_deref(), found.is_voice);
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

    /// How it is said.
    #[must_use]
    pub fn manner(&self) -> Manner {
        if let Form::Text(manner) = self.form { manner } else { Manner::Said }
    }

    /// Its text as Matrix HTML, as the sender wrote it.
    #[must_use]
    pub fn html(&self) -> Option<&str> {
        self.formatted_body.as_deref().filter(|_| self.is_html)
    }

    /// The text to show where there is nothing to see in its HTML; none of what is there but a reply's quote.
    #[must_use]
    pub fn unformatted(&self) -> Option<&str> {
        let is_quote = self.html().is_some_and(|html| html.to_ascii_lowercase().contains("<mx-reply"));
        if is_quote { Some("") } else { self.body.as_deref() }
    }

    /// The name of a file.
    #[must_use]
    pub fn name(&self) -> &str {
        let names = [self.filename.as_deref(), self.body.as_deref()];
        names.into_iter().flatten().map(str::trim).find(|name| !name.is_empty()).unwrap_or("unnamed")
    }

    /// Whether the text is a file's caption, which it is if the name is elsewhere.
    #[must_use]
    pub fn has_caption(&self) -> bool {
        let text = self.body.as_deref().unwrap_or_default();
        !text.trim().is_empty() && self.filename.as_deref().is_some_and(|name| name != text)
    }

    /// What is told of a file.
    #[must_use]
    pub fn file(&self) -> FileInfo {
        FileInfo::of(self.info)
    }

    /// At most so many characters of what it says, on one line; none where it has no text.
    #[must_use]
    pub fn in_short(&self, chars: usize) -> Option<String> {
        match self.form {
            Form::File(kind) => Some(shortened(&format!("{} {}", kind.icon(), self.name()), chars)),
            Form::Location => Some(shortened(&format!("📍 {}", self.body.as_deref().unwrap_or_default()), chars)),
            Form::Text(_) | Form::Other => {
                let html = self.html().and_then(|html| html::text(html, chars));
                let text = html.as_deref().or(self.unformatted()).unwrap_or_default();
                (!text.trim().is_empty()).then(|| shortened(text, chars))
            }
        }
    }
}

/// Whether events of a type say something by their `body`.
pub(crate) fn is_message(kind: &str) -> bool {
    matches!(kind, "m.room.message" | "m.sticker")
}

/// Whether a message says nothing to people: see [`Manner::Noise`].
#[must_use]
pub fn is_noise(kind: &str, content: &str) -> bool {
    Message::of(kind, content, false).manner() == Manner::Noise
}

fn form(kind: &str, msgtype: Option<&str>, is_voice: bool) -> Form {
    let file = |kind| Form::File(if is_voice { FileKind::Voice } else { kind });
    if kind == "m.sticker" {
        return file(FileKind::Sticker);
    }
    match msgtype {
        None | Some("m.text") => Form::Text(Manner::Said),
        Some("m.notice") => Form::Text(Manner::Notice),
        Some("m.emote") => Form::Text(Manner::Emote),
        Some("m.server_notice") => Form::Text(Manner::ServerNotice),
        Some("m.key.verification.request") => Form::Text(Manner::Noise),
        Some("m.image") => file(FileKind::Image),
        Some("m.file") => file(FileKind::File),
        Some("m.audio") => file(FileKind::Audio),
        Some("m.video") => file(FileKind::Video),
        Some("m.location") => Form::Location,
        Some(_) => Form::Other,
    }
}

/// What `info` tells of a file.
#[derive(Clone, Debug, Default)]
pub struct FileInfo {
    /// Its beginning.
    pub mimetype: Option<String>,
    /// Pixels.
    pub width: Option<u64>,
    /// Pixels.
    pub height: Option<u64>,
    /// Bytes.
    pub size: Option<u64>,
    /// Milliseconds.
    pub duration: Option<u64>,
}

impl FileInfo {
    fn of(info: Option<&RawValue>) -> FileInfo {
        let mut found = FileInfo::default();
        for (key, value) in info.map(|info| members(info.get())).unwrap_or_default() {
            match &*key {
                "mimetype" => found.mimetype = text(value).map(|kind| shortened(&kind, 100)),
                "w" => found.width = number(value),
                "h" => found.height = number(value),
                "size" => found.size = number(value),
                "duration" => found.duration = number(value),
                _ => {}
            }
        }
        found
    }
}

/// A whole number that is not negative; the fraction of one that has one is left out.
fn number(value: &RawValue) -> Option<u64> {
    let (whole, fraction) = value.get().split_once('.').unwrap_or((value.get(), ""));
    whole.parse().ok().filter(|_| fraction.bytes().all(|b| b.is_ascii_digit()))
}

/// The text of a poll's question, of its answers, of a topic: an extensible event's, of either time.
#[must_use]
pub fn extensible(object: &Object<'_>) -> Option<String> {
    let blocks = object.items("m.text").into_iter().find_map(|block| Object::of(block.get()).text("body"));
    let text = blocks.or_else(|| object.text("org.matrix.msc1767.text")).or_else(|| object.text("m.text"));
    text.or_else(|| object.text("body")).map(Cow::into_owned)
}

/// A topic, as a string or as MSC3765 has it.
pub(crate) fn topic(content: &Object<'_>) -> Option<String> {
    let is_some = |text: &String| !text.trim().is_empty();
    let text = content.text("topic").map(Cow::into_owned).filter(is_some);
    text.or_else(|| content.object("m.topic").and_then(|topic| extensible(&topic)).filter(is_some))
}

/// The name that a member's content gives, as it is shown: so it can be told whether another one looks the same.
pub(crate) fn display_name(content: &Object<'_>) -> Option<String> {
    /// Characters.
    const LONGEST: usize = 80;
    let name = shortened(&content.text("displayname")?, LONGEST);
    (!name.is_empty()).then_some(name)
}

/// A reply's text without the quote before it ("Fallbacks for rich replies", version 1.12 and before).
pub(crate) fn without_quote(body: Cow<'_, str>) -> Cow<'_, str> {
    if !(body.starts_with("> <") || body.starts_with("> * <")) {
        return body;
    }
    let quote: usize = body.split_inclusive('\n').take_while(|line| line.starts_with('>')).map(str::len).sum();
    Cow::Owned(body[quote..].trim_start_matches(['\r', '\n']).to_owned())
}
