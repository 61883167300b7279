//! What a message says: of `m.room.message` by its `msgtype`, of `m.sticker` (client-server specification, "Instant
//! Messaging"), and of extensible events, as it is: plain text, Matrix HTML, files, a place.
//!
//! A content may be anything: each value that is not of its type is as if it were not there. Knows no sender and no other
//! event, no markup and no escaping; edits and replies are for the caller to put together.

mod extensible;
mod file;
mod profile;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::formatted;
use super::media::FileDisplay;
use super::text::{looks, shortened};
use crate::event::Object;
use crate::event::media::{EncryptedFile, is_mxc, pictures};
use crate::event::object::{members, text};
pub use extensible::extensible;
use extensible::{ContentBlocks, FileContent};
pub use file::{FileInfo, FileKind, FileLink, MARK};
pub(crate) use profile::said_as;

/// Finds a file by its address, and how it is encrypted.
pub type Find<'f, E> = dyn FnMut(&str, Option<&EncryptedFile>) -> Result<Option<FileLink>, E> + 'f;

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
pub enum MessageForm {
    /// Text.
    Text(Manner),
    /// A file, with its text as a caption if it is one.
    File(FileKind),
    /// Several files (MSC4274), with its text as a caption.
    Gallery,
    /// A place.
    Location,
    /// Text of an unknown `msgtype`.
    Other,
}

/// What a message says: the members that matter of its content, where they are of the right type.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// What it is.
    pub form: MessageForm,
    /// Its `msgtype`.
    pub(super) msgtype: Option<Cow<'a, str>>,
    /// Plain text, without the quote of a reply.
    pub(super) body: Option<Cow<'a, str>>,
    is_html: bool,
    formatted_body: Option<Cow<'a, str>>,
    filename: Option<Cow<'a, str>>,
    /// Of a file, perhaps not even an address.
    pub(super) url: Option<Cow<'a, str>>,
    /// What says how that is encrypted.
    sealed: Option<&'a RawValue>,
    /// The file itself, where it is at hand.
    pub(super) here: Option<FileLink>,
    /// The pictures in its text that are at hand: where each is, by its address.
    pub(super) pictures: BTreeMap<String, String>,
    info: FileInfo,
    pub(super) geo_uri: Option<Cow<'a, str>>,
    is_voice: bool,
    /// Of a gallery, its files.
    pub(super) items: Vec<Message<'a>>,
}

impl<'a> Message<'a> {
    /// What the content of an event of this type says, or the `m.new_content` of an edit.
    ///
    /// Of a reply, the quote that older clients put before the answer is left out; of what is said by a profile of its own, the
    /// name that stands before the text for clients that know none.
    #[must_use]
    pub fn of(kind: &str, content: &'a str, is_reply: bool) -> Message<'a> {
        let mut items = None;
        let mut found = Message::part(kind, content, is_reply, "msgtype", &mut items);
        let is_gallery = matches!(found.msgtype.as_deref(), Some("m.gallery" | "dm.filament.gallery"));
        if let Some(items) = items.filter(|_| is_gallery && kind == "m.room.message") {
            let items: Vec<&RawValue> = serde_json::from_str(items.get()).unwrap_or_default();
            let items = items.into_iter().filter(|item| item.get().starts_with('{'));
            found.items = items.map(|item| Message::part(kind, item.get(), false, "itemtype", &mut None)).collect();
            if !found.items.is_empty() {
                found.form = MessageForm::Gallery;
            }
        }
        found
    }

    /// A message, or one of the files of a gallery, whose type has this key.
    fn part(
        kind: &str,
        content: &'a str,
        mut is_reply: bool,
        type_key: &str,
        items: &mut Option<&'a RawValue>,
    ) -> Message<'a> {
        let mut found = Message {
            form: MessageForm::Text(Manner::Said),
            msgtype: None,
            body: None,
            is_html: false,
            formatted_body: None,
            filename: None,
            url: None,
            sealed: None,
            here: None,
            pictures: BTreeMap::new(),
            info: FileInfo::default(),
            geo_uri: None,
            is_voice: false,
            items: Vec::new(),
        };
        let (mut file, mut blocks, mut profile) = (None, ContentBlocks::default(), None);
        for (key, value) in members(content) {
            match &*key {
                "body" => found.body = text(value),
                "format" => found.is_html = text(value).is_some_and(|format| format == "org.matrix.custom.html"),
                "formatted_body" => found.formatted_body = text(value),
                "filename" => found.filename = text(value),
                "url" => found.url = text(value),
                "info" => {
                    found.info = FileInfo::default();
                    found.info.take(value, 1);
                }
                "geo_uri" => found.geo_uri = text(value),
                "file" => file = Some(value),
                "m.voice" | "org.matrix.msc3245.voice" | "org.matrix.msc3245.voice.v2" => found.is_voice = true,
                "m.relates_to" => is_reply |= members(value.get()).iter().any(|(key, _)| key == "m.in_reply_to"),
                "itemtypes" => *items = Some(value),
                key if key == type_key => found.msgtype = text(value),
                key if profile::is_key(key) => profile = profile::fallback(value),
                key => blocks.take(key, value),
            }
        }
        if found.url.is_none()
            && let Some(file) = file
        {
            found.url = members(file.get()).into_iter().rfind(|(key, _)| key == "url").and_then(|(_, url)| text(url));
            found.sealed = Some(file);
        }
        found.form = form(kind, found.msgtype.as_deref(), found.is_voice);
        found.take_blocks(&blocks);
        if is_reply {
            found.body = found.body.map(without_quote);
        }
        if let Some(name) = profile {
            found.body = found.body.map(|body| profile::without_name(body, &name));
            found.formatted_body = found.formatted_body.map(|html| profile::without_fallback(&html).into());
        }
        found
    }

    /// Takes what extensible events have in the place of `body`, `url` and the rest.
    fn take_blocks(&mut self, blocks: &ContentBlocks<'a>) {
        let mut texts = blocks.texts();
        if let Some(FileContent { url, name, info, sealed }) = blocks.file().filter(|_| self.url.is_none()) {
            (self.url, self.info, self.sealed) = (url, info, sealed);
            if self.body.is_none() && matches!(self.form, MessageForm::File(_)) {
                // the text is for those who know no files
                let name = name.or_else(|| texts.plain.take());
                texts = blocks.caption();
                self.filename = self.filename.take().or(name);
            }
        }
        let (uri, description) = blocks.place();
        self.geo_uri = self.geo_uri.take().or(uri);
        if self.form == MessageForm::Location && description.is_some() {
            self.body = description;
        }
        if self.body.is_none() {
            self.body = texts.plain;
            if self.formatted_body.is_none() && texts.html.is_some() {
                (self.formatted_body, self.is_html) = (texts.html, true);
            }
        }
        if blocks.is_automated && self.form == MessageForm::Text(Manner::Said) {
            self.form = MessageForm::Text(Manner::Notice);
        }
    }

    /// Has its files found, by their addresses, and how they are encrypted.
    pub fn find_files<E>(&mut self, find: &mut Find<'_, E>) -> Result<(), E> {
        if let Some(url) = self.url.as_deref().filter(|url| is_mxc(url)) {
            let sealed = self.sealed.map(|file| EncryptedFile::of(&Object::of(file.get())));
            self.here = match sealed {
                None => find(url, None)?,
                Some(Some(sealed)) => find(url, Some(&sealed))?,
                // what nobody can decrypt is nothing to look at
                Some(None) => None,
            };
        }
        let mut found = BTreeMap::new();
        for mxc in self.html().into_iter().flat_map(pictures) {
            if !found.contains_key(mxc)
                && let Some(here) = find(mxc, None)?.filter(|here| here.shown == FileDisplay::Picture)
            {
                found.insert(mxc.to_owned(), here.path);
            }
        }
        self.pictures = found;
        self.items.iter_mut().try_for_each(|item| item.find_files(find))
    }

    /// How it is said.
    #[must_use]
    pub fn manner(&self) -> Manner {
        if let MessageForm::Text(manner) = self.form { manner } else { Manner::Said }
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
    pub fn file(&self) -> &FileInfo {
        &self.info
    }

    /// At most so many characters of what it says, on one line; none where it has no text.
    #[must_use]
    pub fn in_short(&self, chars: usize) -> Option<String> {
        let short = match self.form {
            MessageForm::File(kind) => {
                let caption = self.words(chars).filter(|_| self.has_caption());
                format!("{} {}", kind.icon(), caption.as_deref().unwrap_or_else(|| self.name()))
            }
            MessageForm::Gallery => match self.words(chars) {
                Some(caption) => format!("{} {caption}", FileKind::Image.icon()),
                None => return self.items.first()?.in_short(chars),
            },
            MessageForm::Location => format!("📍 {}", self.body.as_deref().unwrap_or_default()),
            MessageForm::Text(_) | MessageForm::Other => self.words(chars)?,
        };
        Some(shortened(&short, chars))
    }

    /// All that it says to be searched, a line for each: its text, and the names and captions of its files; none where there is none.
    #[must_use]
    pub fn searched(&self) -> Option<String> {
        let is_file = matches!(self.form, MessageForm::File(_));
        let name = self.filename.as_deref().filter(|name| is_file && self.body.as_deref() != Some(name));
        let mut lines: Vec<&str> = [self.body.as_deref(), name].into_iter().flatten().collect();
        let items: Vec<String> = self.items.iter().filter_map(Message::searched).collect();
        lines.extend(items.iter().map(String::as_str));
        lines.retain(|line| !line.trim().is_empty());
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    /// The kinds of its files.
    pub(crate) fn files(&self) -> Vec<FileKind> {
        match self.form {
            MessageForm::File(kind) => vec![kind],
            _ => self.items.iter().flat_map(Message::files).collect(),
        }
    }

    /// What stands in place of the text of a message that has none.
    #[must_use]
    pub fn nothing(&self) -> &'static str {
        if self.unformatted().is_none() { "(message without a readable body)" } else { "(empty message)" }
    }

    /// Whether there is any text of its own, or any caption.
    pub(super) fn has_text(&self) -> bool {
        self.words(1).is_some()
    }

    /// The text without its markup, or at least its first characters.
    fn words(&self, chars: usize) -> Option<String> {
        let html = self.html().and_then(|html| formatted::text(html, chars));
        let text = html.or_else(|| self.unformatted().map(str::to_owned)).unwrap_or_default();
        Some(text).filter(|text| !text.trim().is_empty())
    }
}

/// Whether events of a type say something by their `body`.
pub(crate) fn is_message(kind: &str) -> bool {
    matches!(kind, "m.room.message" | "m.sticker") || extensible::form(kind).is_some()
}

/// Whether a message says nothing to people: see [`Manner::Noise`].
#[must_use]
pub fn is_noise(kind: &str, content: &str) -> bool {
    Message::of(kind, content, false).manner() == Manner::Noise
}

fn form(kind: &str, msgtype: Option<&str>, is_voice: bool) -> MessageForm {
    let file = |kind| MessageForm::File(if is_voice { FileKind::Voice } else { kind });
    if kind == "m.sticker" {
        return file(FileKind::Sticker);
    }
    if let Some(form) = extensible::form(kind) {
        return form;
    }
    match msgtype {
        None | Some("m.text") => MessageForm::Text(Manner::Said),
        Some("m.notice") => MessageForm::Text(Manner::Notice),
        Some("m.emote") => MessageForm::Text(Manner::Emote),
        Some("m.server_notice") => MessageForm::Text(Manner::ServerNotice),
        Some("m.key.verification.request") => MessageForm::Text(Manner::Noise),
        Some("m.image") => file(FileKind::Image),
        Some("m.file") => file(FileKind::File),
        Some("m.audio") => file(FileKind::Audio),
        Some("m.video") => file(FileKind::Video),
        Some("m.location") => MessageForm::Location,
        Some(_) => MessageForm::Other,
    }
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
    (!looks(&name).is_empty()).then_some(name)
}

/// A reply's text without the quote before it ("Fallbacks for rich replies", version 1.12 and before).
pub(crate) fn without_quote(body: Cow<'_, str>) -> Cow<'_, str> {
    if !(body.starts_with("> <") || body.starts_with("> * <")) {
        return body;
    }
    let quote: usize = body.split_inclusive('\n').take_while(|line| line.starts_with('>')).map(str::len).sum();
    Cow::Owned(body[quote..].trim_start_matches(['\r', '\n']).to_owned())
}
