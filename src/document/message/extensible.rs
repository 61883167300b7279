//! Extensible events: what a content says by its blocks, whatever the type (MSC1767 and what builds on it: files MSC3551, images
//! MSC3552, videos MSC3553, voice MSC3245, audio MSC3927, places MSC3488, automated MSC3955), under the names of either time.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::file::{FileInfo, FileKind};
use super::{Manner, MessageForm};
use crate::event::Object;
use crate::event::object::{members, text};

/// What events of an extensible type are.
pub(super) fn form(kind: &str) -> Option<MessageForm> {
    Some(match kind {
        "m.message" | "org.matrix.msc1767.message" => MessageForm::Text(Manner::Said),
        "m.notice" | "org.matrix.msc1767.notice" => MessageForm::Text(Manner::Notice),
        "m.emote" | "org.matrix.msc1767.emote" => MessageForm::Text(Manner::Emote),
        "m.file" | "org.matrix.msc1767.file" | "org.matrix.msc3551.file" => MessageForm::File(FileKind::File),
        "m.image" | "org.matrix.msc1767.image" | "org.matrix.msc3552.image" => MessageForm::File(FileKind::Image),
        "m.video" | "org.matrix.msc1767.video" | "org.matrix.msc3553.video" => MessageForm::File(FileKind::Video),
        "m.audio" | "org.matrix.msc1767.audio" | "org.matrix.msc3927.audio" => MessageForm::File(FileKind::Audio),
        "m.voice" | "org.matrix.msc1767.voice" | "org.matrix.msc3245.voice" | "org.matrix.msc3245.voice.v2" => {
            MessageForm::File(FileKind::Voice)
        }
        "m.location" | "org.matrix.msc1767.location" | "org.matrix.msc3488.location" => MessageForm::Location,
        _ => return None,
    })
}

/// The blocks of a content.
#[derive(Debug, Default)]
pub(super) struct ContentBlocks<'a> {
    texts: Vec<&'a RawValue>,
    html: Option<Cow<'a, str>>,
    file: Option<&'a RawValue>,
    /// With how many milliseconds a duration in them counts.
    details: Vec<(&'a RawValue, u64)>,
    caption: Option<&'a RawValue>,
    location: Option<&'a RawValue>,
    pub(super) is_automated: bool,
}

/// A text as it is, and as HTML.
#[derive(Debug, Default)]
pub(super) struct TextForms<'a> {
    pub(super) plain: Option<Cow<'a, str>>,
    pub(super) html: Option<Cow<'a, str>>,
}

/// A file's address and name, and what is told of it.
#[derive(Debug, Default)]
pub(super) struct FileContent<'a> {
    pub(super) url: Option<Cow<'a, str>>,
    pub(super) name: Option<Cow<'a, str>>,
    pub(super) info: FileInfo,
    /// What says how it is encrypted, if it does.
    pub(super) sealed: Option<&'a RawValue>,
}

impl<'a> ContentBlocks<'a> {
    /// Takes a member of a content, if it is a block.
    pub(super) fn take(&mut self, key: &str, value: &'a RawValue) {
        match key {
            "m.text"
            | "org.matrix.msc1767.text"
            | "m.markup"
            | "org.matrix.msc1767.markup"
            | "m.message"
            | "org.matrix.msc1767.message" => self.texts.push(value),
            "m.html" | "org.matrix.msc1767.html" => self.html = text(value),
            "m.file" | "org.matrix.msc1767.file" => self.file = Some(value),
            "m.image_details"
            | "m.video_details"
            | "m.audio_details"
            | "org.matrix.msc1767.image_details"
            | "org.matrix.msc1767.video_details"
            | "org.matrix.msc1767.audio_details" => self.details.push((value, 1_000)),
            "m.image"
            | "m.video"
            | "m.audio"
            | "org.matrix.msc1767.image"
            | "org.matrix.msc1767.video"
            | "org.matrix.msc1767.audio" => self.details.push((value, 1)),
            "m.caption" | "org.matrix.msc1767.caption" => self.caption = Some(value),
            "m.location" | "org.matrix.msc3488.location" => self.location = Some(value),
            "m.automated" | "org.matrix.msc3955.automated" | "org.matrix.msc1767.automated" => {
                self.is_automated = value.get() == "true";
            }
            _ => {}
        }
    }

    /// The text.
    pub(super) fn texts(&self) -> TextForms<'a> {
        let mut found = TextForms { plain: None, html: self.html.clone() };
        self.texts.iter().for_each(|value| found.take(value));
        found
    }

    /// The file, if there is one.
    pub(super) fn file(&self) -> Option<FileContent<'a>> {
        let value = self.file?;
        let mut found = FileContent::default();
        for (key, value) in members(value.get()) {
            match &*key {
                "url" => found.url = text(value),
                "name" => found.name = text(value),
                "key" => found.sealed = self.file,
                _ => {}
            }
        }
        found.info.take(value, 1);
        self.details.iter().for_each(|(details, durations)| found.info.take(details, *durations));
        Some(found)
    }

    /// What is said of the file.
    pub(super) fn caption(&self) -> TextForms<'a> {
        let mut found = TextForms::default();
        for (key, value) in self.caption.map(|caption| members(caption.get())).unwrap_or_default() {
            match &*key {
                "m.text" | "org.matrix.msc1767.text" | "m.markup" | "org.matrix.msc1767.markup" => found.take(value),
                "m.html" | "org.matrix.msc1767.html" => found.html = text(value),
                _ => {}
            }
        }
        found
    }

    /// A place: where it is, and its description.
    pub(super) fn place(&self) -> (Option<Cow<'a, str>>, Option<Cow<'a, str>>) {
        let (mut uri, mut description) = (None, None);
        for (key, value) in self.location.map(|location| members(location.get())).unwrap_or_default() {
            match &*key {
                "uri" => uri = text(value),
                "description" => description = text(value).filter(|text| !text.trim().is_empty()),
                _ => {}
            }
        }
        (uri, description)
    }
}

impl<'a> TextForms<'a> {
    /// Takes a string, or a list of the same text in several formats.
    fn take(&mut self, value: &'a RawValue) {
        if self.plain.is_none() {
            self.plain = text(value);
        }
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
            let place = if is_html { &mut self.html } else { &mut self.plain };
            if place.is_none() {
                *place = body;
            }
        }
    }
}

/// The text of a poll's question, of its answers, of a topic: an extensible event's, of either time.
#[must_use]
pub fn extensible(object: &Object<'_>) -> Option<String> {
    let blocks = object.items("m.text").into_iter().find_map(|block| Object::of(block.get()).text("body"));
    let text = blocks.or_else(|| object.text("org.matrix.msc1767.text")).or_else(|| object.text("m.text"));
    text.or_else(|| object.text("body")).map(Cow::into_owned)
}
