//! One room-day as markdown, event by event: who said what and when, and what happened in between.
//!
//! Holds one event at a time, and what is folded into one line: memory does not grow with the day.

use std::borrow::Cow;
use std::io::Write;
use std::ops::Range;

use rusqlite::Connection;

use super::super::Error;
use super::fold::{Fold, Place};
use super::names::{Names, Remembered};
use super::phrases::{self, Phrase, type_of};
use super::shown::{self, Related, Shown};
use super::time::clock;
use super::{Options, anchor, poll};
use crate::document::markdown::excerpt;
use crate::document::message::without_quote;
use crate::event::Object;

/// Messages of one sender within this time are told under one name. Milliseconds.
const TOGETHER: i64 = 5 * 60 * 1000;

/// In place of what an event says that has no readable content.
pub(super) const DAMAGED: &str = "*(damaged: see the line)*";

/// Writes what happened on one day in one room.
pub(super) struct Day<'c, 'w> {
    pub(super) connection: &'c Connection,
    pub(super) room_id: &'c str,
    /// `2026-11-22`, or `undated`.
    pub(super) name: &'c str,
    pub(super) range: Range<i64>,
    pub(super) options: &'c Options,
    pub(super) names: Names<'c>,
    out: &'w mut dyn Write,
    /// Whose messages come one after the other: the sender, under which name, until when.
    speaker: Option<(Option<String>, String, i64)>,
    fold: Fold,
    pub(super) counts: Counts,
}

/// What a day has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Messages that can be read: no edits, none redacted.
    pub(super) messages: u64,
    /// Encrypted events.
    pub(super) encrypted: u64,
}

impl<'c, 'w> Day<'c, 'w> {
    /// Writes a day and counts its messages. `day` is `2026-11-22`, or `undated`.
    pub(super) fn write(
        connection: &'c Connection,
        room_id: &'c str,
        day: &'c str,
        options: &'c Options,
        remembered: &'c mut Remembered,
        out: &'w mut dyn Write,
    ) -> Result<Counts, Error> {
        let range = super::time::range(day);
        let names = Names::new(connection, room_id, range.clone(), remembered);
        let (fold, counts) = (Fold::default(), Counts::default());
        let mut this = Day { connection, room_id, name: day, range, options, names, out, speaker: None, fold, counts };
        shown::each_of_day(connection, room_id, day, &options.between, &mut |event| this.event(&event))?;
        this.end_fold()?;
        Ok(this.counts)
    }

    /// Writes a paragraph or another block.
    pub(super) fn block(&mut self, markdown: &str) -> Result<(), Error> {
        self.out.write_all(markdown.as_bytes()).and_then(|()| self.out.write_all(b"\n\n")).map_err(Error::Transcript)
    }

    fn event(&mut self, event: &Shown) -> Result<(), Error> {
        if event.state_key.is_some() {
            return self.state(event);
        }
        match event.kind() {
            "m.room.encrypted" => self.encrypted(event),
            "m.reaction" | "m.room.redaction" => self.about_another(event),
            kind if poll::is_vote(kind) || poll::is_end(kind) => self.about_another(event),
            kind if is_plumbing(kind) => Ok(()),
            kind if !is_message(kind) && !poll::is_start(kind) => self.unknown(event),
            _ if event.is_edit() => self.edit(event),
            kind if poll::is_start(kind) => self.poll(event),
            _ => self.message(event),
        }
    }

    /// Begins what somebody says: the name, unless it stands above already, the anchor and the time.
    pub(super) fn head(&mut self, event: &Shown) -> Result<(String, bool), Error> {
        self.end_fold()?;
        let name = self.names.shown(event.sender.as_deref(), event.at)?;
        let at = event.at.unwrap_or(0);
        let goes_on = self.speaker.as_ref().is_some_and(|(sender, called, until)| {
            *sender == event.sender && *called == name && at.saturating_sub(*until) <= TOGETHER
        });
        let place = format!("{}{}", anchor(&event.event_id), clock(event.at));
        let head = if goes_on { place } else { format!("**{name}** · {place}") };
        self.speaker = Some((event.sender.clone(), name, at));
        Ok((head, goes_on))
    }

    /// What follows is under a name of its own.
    pub(super) fn end_speaker(&mut self) {
        self.speaker = None;
    }

    /// Writes what was folded.
    pub(super) fn end_fold(&mut self) -> Result<(), Error> {
        match self.fold.end() {
            Some(line) => self.block(&line),
            None => Ok(()),
        }
    }

    /// A change of the room or its members, with the mark of its redaction.
    fn state(&mut self, event: &Shown) -> Result<(), Error> {
        let mark = self.redacted(event)?;
        let is_damaged = event.content.is_none();
        let is_hidden = event.censored || is_damaged || mark.is_some() && !self.options.show_redacted;
        let mark = mark.or_else(|| is_damaged.then(|| DAMAGED.to_owned()));
        let phrase = phrases::of_state(event, is_hidden, &mut self.names)?;
        let phrase = match (phrase, mark) {
            (Phrase::Other(text), Some(mark)) => Phrase::Other(format!("{text} {mark}")),
            (Phrase::Other(text), None) => Phrase::Other(text),
            (phrase, _) => {
                // told alone where others point to it
                let is_named = Related::to(self.connection, self.room_id, &event.event_id)?.is_any();
                match phrase {
                    Phrase::Joined(name) if is_named => Phrase::Other(format!("{name} joined")),
                    Phrase::Left(name) if is_named => Phrase::Other(format!("{name} left")),
                    phrase => phrase,
                }
            }
        };
        self.phrase(event, phrase)
    }

    fn phrase(&mut self, event: &Shown, phrase: Phrase) -> Result<(), Error> {
        self.end_speaker();
        let place = Place::of(event);
        match self.fold.add(&place, phrase) {
            Some(line) => self.block(&line),
            None => Ok(()),
        }
    }

    /// An event that cannot be read: counted, and shown alone where others point to it.
    fn encrypted(&mut self, event: &Shown) -> Result<(), Error> {
        self.counts.encrypted += 1;
        let related = Related::to(self.connection, self.room_id, &event.event_id)?;
        if event.redacted_by.is_some() || related.is_any() {
            let is_edit = event.rel_type.as_deref() == Some("m.replace");
            let what = if is_edit { "edit" } else { "message" };
            return self.say(event, &format!("*an encrypted {what} that could not be read*"), related);
        }
        self.end_speaker();
        let name = self.names.shown(event.sender.as_deref(), event.at)?;
        match self.fold.add_encrypted(&Place::of(event), name) {
            Some(line) => self.block(&line),
            None => Ok(()),
        }
    }

    /// A reaction, vote or redaction, which stands with its target, if that is here and it counts there.
    fn about_another(&mut self, event: &Shown) -> Result<(), Error> {
        let is_redaction = event.kind() == "m.room.redaction";
        let id = if is_redaction { &event.redacts } else { &event.relates_to };
        let target = match id {
            Some(id) => shown::event(self.connection, self.room_id, id)?,
            None => None,
        };
        if event.redacted_by.is_some() && !is_redaction {
            return Ok(());
        }
        let who = self.names.shown(event.sender.as_deref(), event.at)?;
        let content = Object::of(event.content());
        let what = match (event.kind(), target) {
            ("m.room.redaction", Some(target)) if target.redacted_by.is_some() => return Ok(()),
            ("m.room.redaction", Some(target)) => {
                let target = self.placed(target)?;
                format!("{who} tried to redact {}, in vain", self.pointer(&target, "a message"))
            }
            ("m.room.redaction", None) if id.is_none() => format!("{who} sent a redaction that names no event"),
            ("m.room.redaction", None) => format!("{who} redacted an event that is not in this archive"),
            ("m.reaction", target) => {
                let key = content.object("m.relates_to").and_then(|relation| relation.text("key"));
                let key = key.map(|key| format!(" {}", excerpt(&key, 40))).unwrap_or_default();
                match target.filter(|_| event.rel_type.as_deref() == Some("m.annotation")) {
                    Some(target) => {
                        let target = self.placed(target)?;
                        if !self.is_folded(&target)? {
                            return Ok(());
                        }
                        format!("{who} reacted{key} to {}", self.pointer(&target, "this"))
                    }
                    None => format!("{who} reacted{key} to a message that is not in this archive"),
                }
            }
            (kind, Some(target)) if poll::is_start(target.kind()) => {
                let is_end = poll::is_end(kind);
                if !is_end || poll::ends(event, &target) {
                    return Ok(());
                }
                format!("{who} closed the poll of somebody else, as moderators may")
            }
            (kind, _) if poll::is_end(kind) => format!("{who} closed a poll that is not in this archive"),
            _ => format!("{who} voted in a poll that is not in this archive"),
        };
        self.phrase(event, Phrase::Other(what))
    }

    /// The text of an event of a type that this program does not know.
    fn body<'e>(&mut self, event: &'e Shown) -> Result<Option<Cow<'e, str>>, Error> {
        let body = Object::of(event.content()).text("body").map(without_quote).filter(|body| !body.trim().is_empty());
        Ok(if self.is_hidden(event)? { None } else { body })
    }

    /// Whether an event is told among the small things, with no line for what is made of it.
    fn is_folded(&mut self, event: &Shown) -> Result<bool, Error> {
        let kind = event.kind();
        let has_line = is_message(kind) || poll::is_start(kind) || kind == "m.room.encrypted";
        let is_about_another =
            matches!(kind, "m.reaction" | "m.room.redaction") || poll::is_vote(kind) || poll::is_end(kind);
        let is_unknown = !has_line && !is_about_another && !is_plumbing(kind);
        Ok(event.state_key.is_some() || is_unknown && self.body(event)?.is_none())
    }

    /// An event of a type that this program does not know: named, and its text for those who do not know it either.
    fn unknown(&mut self, event: &Shown) -> Result<(), Error> {
        let related = Related::to(self.connection, self.room_id, &event.event_id)?;
        if let Some(body) = self.body(event)? {
            let text = format!("{}: {}", type_of(event.kind()), crate::document::markdown::block(&body));
            return self.say(event, &text, related);
        }
        let who = self.names.shown(event.sender.as_deref(), event.at)?;
        let what = match (&event.kind, &event.content) {
            (None, _) => "an event that cannot be read".to_owned(),
            (Some(kind), None) => format!("{who} sent {}, which cannot be read", type_of(kind)),
            (Some(kind), Some(_)) => format!("{who} sent {}", type_of(kind)),
        };
        self.phrase(event, Phrase::Other(what))
    }
}

/// Events that say something by their `body`.
pub(super) fn is_message(kind: &str) -> bool {
    matches!(kind, "m.room.message" | "m.sticker")
}

/// Events that say nothing to people: key verification, and what mends the graph of events.
fn is_plumbing(kind: &str) -> bool {
    kind.starts_with("m.key.verification.") || kind == "org.matrix.dummy_event"
}
