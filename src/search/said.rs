//! What of an event is searched: of a message its text and its files, of a poll its question and answers, the topics and names of rooms. The one
//! place that says which events have such a text.

use std::borrow::Cow;

use crate::document::message::{FileKind, Message, is_message, topic};
use crate::document::poll::{self, Question};
use crate::event::{Event, Object};

/// The types of the events that are searched, but for polls with empty state keys or none, as an SQL list.
pub const TYPES: &str = "'m.room.message', 'm.sticker', 'm.room.topic', 'm.room.name', 'm.poll.start', 'org.matrix.msc3381.poll.start', \
     'm.message', 'org.matrix.msc1767.message', 'm.notice', 'org.matrix.msc1767.notice', 'm.emote', \
     'org.matrix.msc1767.emote', 'm.file', 'org.matrix.msc1767.file', 'org.matrix.msc3551.file', 'm.image', \
     'org.matrix.msc1767.image', 'org.matrix.msc3552.image', 'm.video', 'org.matrix.msc1767.video', \
     'org.matrix.msc3553.video', 'm.audio', 'org.matrix.msc1767.audio', 'org.matrix.msc3927.audio', 'm.voice', \
     'org.matrix.msc1767.voice', 'org.matrix.msc3245.voice', 'org.matrix.msc3245.voice.v2', 'm.location', \
     'org.matrix.msc1767.location', 'org.matrix.msc3488.location'";

/// What an event says to be read and searched.
#[must_use]
pub fn text(event: &Event) -> Option<Cow<'_, str>> {
    let kind = event.kind.as_deref().unwrap_or_default();
    let content = || event.content().unwrap_or_default();
    match (kind, event.state_key.as_deref()) {
        ("m.room.topic", Some("")) => topic(&Object::of(content())).map(Cow::Owned),
        ("m.room.name", Some("")) => Object::of(content()).text("name").map(|name| Cow::Owned(name.into_owned())),
        (kind, None) if poll::is_start(kind) => Some(Cow::Owned(asked(content(), event.is_edit))),
        (kind, None) if has_more(kind, event) => message(event).searched().map(Cow::Owned),
        _ => event.said.as_deref().map(Cow::Borrowed),
    }
}

/// Whether it is a message or a poll, and no state event: what is found by words among what was encrypted.
#[must_use]
pub fn is_searched(event: &Event) -> bool {
    let kind = event.kind.as_deref().unwrap_or_default();
    event.state_key.is_none() && (is_message(kind) || poll::is_start(kind))
}

/// Whether a message may say more than its body: files with captions, a place, what extensible events have.
fn has_more(kind: &str, event: &Event) -> bool {
    /// Keys of what else there may be, as they end.
    const KEYS: [&str; 3] = ["filename\"", "itemtypes\"", "location\""];
    let has_key = || event.content().is_some_and(|content| KEYS.iter().any(|key| content.contains(key)));
    is_message(kind) && (kind != "m.room.message" || event.said.is_none() || has_key())
}

/// What a message says, or is to say by an edit.
fn message(event: &Event) -> Message<'_> {
    let kind = event.kind.as_deref().unwrap_or_default();
    let content = event.content().unwrap_or_default();
    let new = if event.is_edit { Object::of(content).get("m.new_content") } else { None };
    Message::of(kind, new.map_or(content, |new| new.get()), false)
}

/// The words that stand for the files of a gallery, or of an extensible event; those of others an event knows itself.
fn files(event: &Event) -> Vec<&'static str> {
    let kind = event.kind.as_deref().unwrap_or_default();
    if event.state_key.is_some() || kind == "m.sticker" || !has_more(kind, event) {
        return Vec::new();
    }
    let mut words: Vec<&str> = Vec::new();
    for kind in message(event).files() {
        let word = match kind {
            FileKind::Image | FileKind::Sticker => "image",
            FileKind::Video => "video",
            FileKind::File => "file",
            FileKind::Audio | FileKind::Voice => "audio",
        };
        let is_known = event.has.as_deref().is_some_and(|has| has.split(' ').any(|it| it == word));
        if !is_known && !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

/// What it has beside that, as words: see [`Has`](super::query::Has), and the ids of those who are mentioned.
#[must_use]
pub fn has(event: &Event, text: Option<&str>) -> Option<String> {
    let is_poll = event.state_key.is_none() && event.kind.as_deref().is_some_and(poll::is_start);
    let has_link =
        text.is_some_and(|text| text.contains("://") && ["http://", "https://"].iter().any(|it| text.contains(it)));
    let words = [is_poll.then_some("poll"), has_link.then_some("link"), event.has.as_deref()];
    let words: Vec<&str> = words.into_iter().flatten().chain(files(event)).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// What a poll asks, and its answers, a line for each.
fn asked(content: &str, is_edit: bool) -> String {
    let new = if is_edit { Object::of(content).get("m.new_content") } else { None };
    let question = Question::of(new.map_or(content, |new| new.get()));
    let mut lines = vec![question.text()];
    lines.extend(question.answers.iter().map(|(_, text)| text.clone()));
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_types_are_those_of_messages_and_of_what_else_is_searched() {
        let others = ["m.room.topic", "m.room.name", "m.poll.start", "org.matrix.msc3381.poll.start"];
        let types: Vec<&str> = TYPES.split(", ").map(|kind| kind.trim_matches('\'')).collect();
        assert!(types.iter().all(|kind| is_message(kind) || others.contains(kind)), "{types:?}");
        let view = include_str!("../archive/catalog.sql");
        let is_in_view = |kind: &&str| view.contains(&format!("'{kind}'"));
        assert!(types.iter().filter(|kind| is_message(kind)).all(is_in_view), "{types:?}");
    }
}
