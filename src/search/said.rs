//! What of an event is searched: of a message its text, of a poll its question and answers, the topics and names of rooms. The one
//! place that says which events have such a text.

use std::borrow::Cow;

use crate::document::message::topic;
use crate::document::poll::{self, Question};
use crate::event::{Event, Object};

/// The types of the events that are searched, but for polls with empty state keys or none, as an SQL list.
pub const TYPES: &str =
    "'m.room.message', 'm.sticker', 'm.room.topic', 'm.room.name', 'm.poll.start', 'org.matrix.msc3381.poll.start'";

/// What an event says to be read and searched.
#[must_use]
pub fn text(event: &Event) -> Option<Cow<'_, str>> {
    let kind = event.kind.as_deref().unwrap_or_default();
    let content = || event.content().unwrap_or_default();
    match (kind, event.state_key.as_deref()) {
        ("m.room.topic", Some("")) => topic(&Object::of(content())).map(Cow::Owned),
        ("m.room.name", Some("")) => Object::of(content()).text("name").map(|name| Cow::Owned(name.into_owned())),
        (kind, None) if poll::is_start(kind) => Some(Cow::Owned(asked(content(), event.is_edit))),
        _ => event.said.as_deref().map(Cow::Borrowed),
    }
}

/// What it has beside that, as words: see [`Has`](super::query::Has), and the ids of those who are mentioned.
#[must_use]
pub fn has(event: &Event, text: Option<&str>) -> Option<String> {
    let is_poll = event.state_key.is_none() && event.kind.as_deref().is_some_and(poll::is_start);
    let has_link =
        text.is_some_and(|text| text.contains("://") && ["http://", "https://"].iter().any(|it| text.contains(it)));
    let words = [is_poll.then_some("poll"), has_link.then_some("link"), event.has.as_deref()];
    let words: Vec<&str> = words.into_iter().flatten().collect();
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
