//! What a day has of edits, reactions, votes, ends of polls, redactions and positions that are told with their targets on other days, in a few words: for a
//! day that has nothing else to tell.

use super::scene::Scene;
use crate::archive::Error;
use crate::archive::reading::events::CatalogEvent;
use crate::document::beacon::is_position;
use crate::document::line::{Address, Line, Span};
use crate::document::poll::{is_end, is_vote};

/// What is told on other days.
#[derive(Default)]
pub(super) struct Elsewhere([Option<EventsOfKind>; ALL.len()]);

/// The events of a kind: the first of them, how many there are, and the target of the first.
pub(super) struct EventsOfKind {
    pub(super) event_id: String,
    pub(super) at: Option<i64>,
    count: u64,
    words: &'static Words,
    /// Its day is before this one.
    is_earlier: bool,
    address: Address,
}

/// One and several, and their targets.
struct Words {
    one: &'static str,
    several: &'static str,
    earlier: &'static str,
    other: &'static str,
}

const EDITS: Words = Words {
    one: " edit of ",
    several: " edits, the first of ",
    earlier: "an earlier day’s message",
    other: "another day’s message",
};
const REACTIONS: Words = Words { one: " reaction to ", several: " reactions, the first to ", ..EDITS };
const VOTES: Words = Words {
    one: " vote in ",
    several: " votes, the first in ",
    earlier: "an earlier day’s poll",
    other: "another day’s poll",
};
const ENDS: Words = Words { one: " end of ", several: " ends, the first of ", ..VOTES };
const REDACTIONS: Words = Words {
    one: " redaction of ",
    several: " redactions, the first of ",
    earlier: "an earlier day’s event",
    other: "another day’s event",
};
const POSITIONS: Words = Words {
    one: " position of ",
    several: " positions, the first of ",
    earlier: "an earlier day’s live location",
    other: "another day’s live location",
};
const ALL: [&Words; 6] = [&EDITS, &REACTIONS, &VOTES, &REDACTIONS, &POSITIONS, &ENDS];

impl Elsewhere {
    /// Takes in an event of which the day tells nothing.
    pub(super) fn add(&mut self, event: &CatalogEvent, scene: &mut Scene<'_>) -> Result<(), Error> {
        let place = match event.kind() {
            _ if event.is_edit() => 0,
            "m.reaction" => 1,
            kind if is_vote(kind) => 2,
            "m.room.redaction" => 3,
            kind if is_position(kind) => 4,
            kind if is_end(kind) => 5,
            _ => return Ok(()),
        };
        if event.redacted_by.is_some() {
            return Ok(());
        }
        if let Some(known) = &mut self.0[place] {
            known.count += 1;
            return Ok(());
        }
        let Some(target) = event.redacts.as_ref().or(event.relates_to.as_ref()) else { return Ok(()) };
        let Some(target) = scene.named(target)?.filter(|target| target.day != scene.day) else { return Ok(()) };
        self.0[place] = Some(EventsOfKind {
            event_id: event.event_id.clone(),
            at: event.at,
            count: 1,
            words: ALL[place],
            is_earlier: *target.day < *scene.day,
            address: scene.address(&target),
        });
        Ok(())
    }

    /// What there is of each kind.
    pub(super) fn kinds(self) -> impl Iterator<Item = EventsOfKind> {
        self.0.into_iter().flatten()
    }
}

impl EventsOfKind {
    /// The same in words.
    pub(super) fn line(&self) -> Line {
        let Words { one, several, earlier, other } = *self.words;
        let how = if self.count == 1 { one } else { several };
        let target = if self.is_earlier { earlier } else { other };
        vec![Span::Words(format!("{}{how}", self.count).into()), Span::Link(target, self.address.clone())]
    }
}
