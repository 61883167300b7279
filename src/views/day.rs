//! One room-day as blocks, event by event: who said what and when, and what happened in between.
//!
//! Holds one event at a time, and what is folded into one line: memory does not grow with the day.

use std::borrow::Cow;

use super::ShowOptions;
use super::elsewhere::Elsewhere;
use super::quotes::DAMAGED;
use super::relations::redaction;
pub(super) use super::scene::Memory;
use super::scene::Scene;
use super::telling::Telling;
use super::{beacon, calls, phrases, poll, said};
use crate::archive::Error;
use crate::archive::reading::Reader;
use crate::archive::reading::events::CatalogEvent;
use crate::archive::reading::order::each_of_day;
use crate::document::beacon::{is_info, is_position};
use crate::document::block::{Saying, Writer};
use crate::document::call::{self, Signal};
use crate::document::fold::Remark;
use crate::document::line::{Line, Span};
use crate::document::message::{is_message, without_quote};
use crate::document::page::Tally;
use crate::document::poll::{is_end, is_start, is_vote};
use crate::document::reaction::ReactionKey;
use crate::event::Object;

/// Makes blocks of what happened on one day in one room.
pub(super) struct DayBuilder<'c, 'w> {
    scene: Scene<'c>,
    out: Telling<'w>,
}

impl<'c, 'w> DayBuilder<'c, 'w> {
    /// Writes a day and counts what it tells. `day` is `2026-11-22`, or `undated`.
    pub(super) fn build(
        reader: &'c Reader<'c>,
        room_id: &'c str,
        day: &'c str,
        options: &'c ShowOptions,
        memory: &'c mut Memory,
        out: &'w mut dyn Writer,
    ) -> Result<Tally, Error> {
        let scene = Scene::new(reader, room_id, day, options, memory);
        let mut this = DayBuilder { out: Telling::to(out, options.zone, scene.date), scene };
        let mut elsewhere = Elsewhere::default();
        each_of_day(reader, room_id, day, &options.between, &mut |event| {
            if this.scene.is_of_another(&event) {
                return Ok(());
            }
            this.event(&event)?;
            if this.out.is_empty { elsewhere.add(&event, &mut this.scene) } else { Ok(()) }
        })?;
        if this.out.is_empty {
            elsewhere.kinds().try_for_each(|of| {
                this.turn_to(of.at);
                this.out.small(&of.event_id, of.at, Remark::Other(of.line()))
            })?;
        }
        this.out.end_fold()?;
        Ok(this.out.tally)
    }

    /// Writes some events of a day, which come in its order.
    pub(super) fn passage(
        reader: &'c Reader<'c>,
        room_id: &'c str,
        day: &'c str,
        options: &'c ShowOptions,
        memory: &'c mut Memory,
        out: &'w mut dyn Writer,
        events: &mut dyn Iterator<Item = Result<CatalogEvent, Error>>,
    ) -> Result<(), Error> {
        let scene = Scene::new(reader, room_id, day, options, memory);
        let mut this = DayBuilder { out: Telling::to(out, options.zone, scene.date), scene };
        for event in events {
            this.event(&event?)?;
        }
        this.out.end_fold()
    }

    fn turn_to(&mut self, at: Option<i64>) {
        if let Some(date) = self.scene.turn_to(at) {
            self.out.turn_to(date);
        }
    }

    fn event(&mut self, event: &CatalogEvent) -> Result<(), Error> {
        self.turn_to(event.at);
        if event.state_key.is_some() {
            return self.state(event);
        }
        match event.kind() {
            "m.room.encrypted" => self.encrypted(event),
            "m.reaction" | "m.room.redaction" => self.about_another(event),
            kind if is_vote(kind) || is_end(kind) || is_position(kind) => self.about_another(event),
            kind if is_plumbing(kind) => Ok(()),
            kind if is_call(kind) => self.call(event),
            kind if !is_message(kind) && !is_start(kind) => self.unknown(event),
            _ if event.is_edit() => said::edit(event, &mut self.scene, &mut self.out),
            kind if is_start(kind) => poll::poll(event, &mut self.scene, &mut self.out),
            _ => said::message(event, &mut self.scene, &mut self.out),
        }
    }

    /// A change of the room or its members, with the mark of its redaction.
    fn state(&mut self, event: &CatalogEvent) -> Result<(), Error> {
        if beacon::begins(event) {
            return beacon::live(event, &mut self.scene, &mut self.out);
        }
        let mark = redaction(event, &mut self.scene)?.map(Span::Redaction);
        let is_damaged = event.content.is_none();
        let is_hidden = event.censored || is_damaged || mark.is_some() && !self.scene.options.show_redacted;
        let mark = mark.or_else(|| is_damaged.then_some(Span::Note(DAMAGED)));
        let phrase = if call::is_membership(event.kind()) {
            let Some(phrase) = calls::membership(event, is_hidden, &mut self.scene)? else { return Ok(()) };
            phrase
        } else {
            phrases::of_state(event, is_hidden, &mut self.scene.names)?
        };
        self.small(event, phrase, mark)
    }

    /// Adds a small thing, with the mark that belongs to it.
    fn small(&mut self, event: &CatalogEvent, phrase: Remark, mark: Option<Span>) -> Result<(), Error> {
        let phrase = match (phrase, mark) {
            // that somebody joined or left outlives a redaction
            (phrase, Some(mark)) if !phrase.is_bare() => {
                Remark::Other([phrase.alone(), vec![Span::words(" "), mark]].concat())
            }
            // told alone where others point to it
            (phrase @ Remark::Alike(..), _) if self.scene.related(event)?.is_any() => Remark::Other(phrase.alone()),
            (phrase, _) => phrase,
        };
        self.out.phrase(event, phrase)
    }

    /// An event of a call, unless it is told where that began.
    fn call(&mut self, event: &CatalogEvent) -> Result<(), Error> {
        let mark = redaction(event, &mut self.scene)?.map(Span::Redaction);
        let phrase = if let Some(signal) = Signal::of(event.kind()) {
            calls::signal(event, signal, &mut self.scene)?.map(Remark::Other)
        } else if event.redacted_by.is_some() {
            None
        } else if call::is_decline(event.kind()) {
            let name = self.scene.sender(event)?;
            Some(Remark::Alike(name, vec![Span::words(" declined the call")]))
        } else {
            calls::membership(event, event.content.is_none(), &mut self.scene)?
        };
        match phrase {
            Some(phrase) => self.small(event, phrase, mark),
            None => Ok(()),
        }
    }

    /// An event that cannot be read: counted, and shown alone where others point to it.
    fn encrypted(&mut self, event: &CatalogEvent) -> Result<(), Error> {
        self.out.tally.encrypted += 1;
        let related = self.scene.related(event)?;
        if event.redacted_by.is_some() || related.is_any() {
            let is_edit = event.rel_type.as_deref() == Some("m.replace");
            let what = Span::words(if is_edit {
                "an encrypted edit that could not be read"
            } else {
                "an encrypted message that could not be read"
            });
            return said::note(event, vec![what], related, &mut self.scene, &mut self.out);
        }
        let name = self.scene.sender(event)?;
        self.out.unread(event, name)
    }

    /// A reaction, vote or redaction, which stands with its target, if that is here and it counts there.
    fn about_another(&mut self, event: &CatalogEvent) -> Result<(), Error> {
        let is_redaction = event.kind() == "m.room.redaction";
        let id = if is_redaction { &event.redacts } else { &event.relates_to };
        let target = match id {
            Some(id) => self.scene.event(id)?,
            None => None,
        };
        if event.redacted_by.is_some() && !is_redaction {
            return Ok(());
        }
        let what = if self.scene.options.only.is_some() {
            Some(vec![Span::words(match event.kind() {
                "m.room.redaction" => " redacted an event",
                "m.reaction" => " reacted",
                kind if is_position(kind) => " sent a position of a live location",
                kind if is_end(kind) => " closed a poll",
                _ => " voted in a poll",
            })])
            .map(|mut what| {
                // the target may be somebody else's, and is told with nobody
                let key = ReactionKey::of(event.content()).filter(|_| event.kind() == "m.reaction");
                what.extend(key.into_iter().flat_map(|key| [Span::words(" "), Span::Text(key.text().into_owned())]));
                what
            })
        } else if is_redaction {
            self.redaction_in_vain(target, id.is_some())?
        } else if event.kind() == "m.reaction" {
            self.reaction_alone(event, target)?
        } else if is_position(event.kind()) {
            match target.filter(|target| is_info(target.kind()) && target.state_key.is_some()) {
                Some(target) if beacon::is_of(event, &target) => None,
                Some(_) => Some(vec![Span::words(" sent a position for the live location of somebody else")]),
                None => Some(vec![Span::words(" sent a position of a live location that is not in this archive")]),
            }
        } else {
            let is_end = is_end(event.kind());
            match target.filter(|target| is_start(target.kind())) {
                Some(target) if is_end => match poll::closes(event, &target, &mut self.scene.names)? {
                    Some(true) => None,
                    Some(false) => Some(vec![Span::words(" tried to close the poll of somebody else, in vain")]),
                    None => Some(vec![Span::words(" closed the poll of somebody else, as moderators may")]),
                },
                Some(_) => None,
                None if is_end => Some(vec![Span::words(" closed a poll that is not in this archive")]),
                None => Some(vec![Span::words(" voted in a poll that is not in this archive")]),
            }
        };
        let Some(what) = what else { return Ok(()) };
        let who = Span::Name(self.scene.sender(event)?);
        self.out.phrase(event, Remark::Other([vec![who], what].concat()))
    }

    /// What a redaction did that is not told with its target.
    fn redaction_in_vain(&mut self, target: Option<CatalogEvent>, names_any: bool) -> Result<Option<Line>, Error> {
        Ok(match target {
            Some(target) if target.redacted_by.is_some() => None,
            Some(target) => {
                let target = self.scene.placed(target)?;
                let to = Span::Link("a message", self.scene.address(&target));
                Some(vec![Span::words(" tried to redact "), to, Span::words(", in vain")])
            }
            None if names_any => Some(vec![Span::words(" redacted an event that is not in this archive")]),
            None => Some(vec![Span::words(" sent a redaction that names no event")]),
        })
    }

    /// What a reaction says that is not told with its target.
    fn reaction_alone(&mut self, event: &CatalogEvent, target: Option<CatalogEvent>) -> Result<Option<Line>, Error> {
        let mut what = vec![Span::words(" reacted")];
        if let Some(key) = ReactionKey::of(event.content()) {
            what.extend([Span::words(" "), Span::Text(key.text().into_owned())]);
        }
        match target.filter(|_| event.rel_type.as_deref() == Some("m.annotation")) {
            Some(target) => {
                let target = self.scene.placed(target)?;
                if !self.is_folded(&target)? {
                    return Ok(None);
                }
                what.extend([Span::words(" to "), Span::Link("this", self.scene.address(&target))]);
            }
            None => what.push(Span::words(" to a message that is not in this archive")),
        }
        Ok(Some(what))
    }

    /// The text of an event of a type that this program does not know.
    fn body<'e>(&mut self, event: &'e CatalogEvent) -> Result<Option<Cow<'e, str>>, Error> {
        let body = Object::of(event.content()).text("body").map(without_quote).filter(|body| !body.trim().is_empty());
        Ok(if self.scene.is_hidden(event)? { None } else { body })
    }

    /// Whether an event is told among the small things, with no line for what is made of it.
    fn is_folded(&mut self, event: &CatalogEvent) -> Result<bool, Error> {
        let kind = event.kind();
        let has_line = is_message(kind) || is_start(kind) || kind == "m.room.encrypted";
        let is_unknown = !has_line && !is_told_elsewhere(kind);
        Ok(event.state_key.is_some() && !beacon::begins(event) || is_unknown && self.body(event)?.is_none())
    }

    /// An event of a type that this program does not know: named, and its text for those who do not know it either.
    fn unknown(&mut self, event: &CatalogEvent) -> Result<(), Error> {
        let related = self.scene.related(event)?;
        if let Some(body) = self.body(event)? {
            let saying = Saying::Other(Span::of_type(event.kind()), body.into_owned());
            return said::say(event, saying, related, &mut self.scene, &mut self.out);
        }
        let who = Span::Name(self.scene.sender(event)?);
        let what = match (&event.kind, &event.content) {
            (None, _) => vec![Span::words("an event that cannot be read")],
            (Some(kind), None) => {
                vec![who, Span::words(" sent "), Span::of_type(kind), Span::words(", which cannot be read")]
            }
            (Some(kind), Some(_)) => vec![who, Span::words(" sent "), Span::of_type(kind)],
        };
        self.out.phrase(event, Remark::Other(what))
    }
}

/// Whether events of a type are told with others, as a rule, or not at all.
pub(super) fn is_told_elsewhere(kind: &str) -> bool {
    matches!(kind, "m.reaction" | "m.room.redaction")
        || is_vote(kind)
        || is_end(kind)
        || is_position(kind)
        || is_plumbing(kind)
        || Signal::of(kind).is_some_and(|signal| signal != Signal::Invite)
}

/// Events that say nothing to people: key verification, what brings calls about, and what mends the graph of events.
fn is_plumbing(kind: &str) -> bool {
    kind.starts_with("m.key.verification.") || kind == "org.matrix.dummy_event" || call::is_plumbing(kind)
}

/// Events of calls that people want to know of.
fn is_call(kind: &str) -> bool {
    Signal::of(kind).is_some() || call::is_membership(kind) || call::is_decline(kind)
}
