//! The day that is told, and what is looked up for it in other days: events that are named, where they have their place, whether
//! they may be shown, what people were called. Writes nothing.

use std::collections::HashMap;

use super::ShowOptions;
use crate::archive::Error;
use crate::archive::reading::Reader;
use crate::archive::reading::events::{self, CatalogEvent, DEEPEST, Related};
use crate::archive::reading::names::{MemberNames, Remembered};
use crate::archive::reading::people::People;
use crate::archive::reading::redactions;
use crate::document::call::Calls;
use crate::document::line::{Address, Anchor, Line, Name, When};
use crate::document::media::FileDisplay;
use crate::document::message::{FileLink, Message, said_as};
use crate::document::time::{self, LocalDate};
use crate::event::{EventId, RoomId};

/// The largest picture that is shown small, in bytes: a page has many of them.
const LARGEST_SMALL: u64 = 2_000_000;

/// What was looked up in a room, for the days to come.
#[derive(Default)]
pub(super) struct Memory {
    room_id: String,
    /// By event and length: what was said, as it is quoted.
    in_short: HashMap<(String, usize), Line>,
    pub(super) remembered: Remembered,
}

impl Memory {
    /// For a room of which is to be known who was called what.
    pub(super) fn of_people(room_id: &str) -> Memory {
        let mut memory = Memory { room_id: room_id.to_owned(), ..Memory::default() };
        memory.remembered.people = Some(People::default());
        memory
    }
}

/// A day, and what is looked up for it.
pub(super) struct Scene<'c> {
    pub(super) reader: &'c Reader<'c>,
    pub(super) room_id: &'c str,
    /// `2026-11-22`, or `undated`.
    pub(super) day: &'c str,
    /// The date of what is told, where times are shown; none: it is not known yet, or what is told has none.
    pub(super) date: Option<LocalDate>,
    pub(super) options: &'c ShowOptions,
    pub(super) names: MemberNames<'c>,
    /// By event and length: what was said, as it is quoted, since many may answer what was edited many times.
    pub(super) in_short: &'c mut HashMap<(String, usize), Line>,
    /// The calls of the day; none: not looked up yet.
    pub(super) calls: Option<Calls>,
}

impl<'c> Scene<'c> {
    pub(super) fn new(
        reader: &'c Reader<'c>,
        room_id: &'c str,
        day: &'c str,
        options: &'c ShowOptions,
        memory: &'c mut Memory,
    ) -> Scene<'c> {
        if memory.room_id != room_id {
            *memory = Memory { room_id: room_id.to_owned(), ..Memory::default() };
        }
        let range = time::range(day);
        // a day that begins with another date than its own says so with its first event
        let date = options.zone.date(Some(range.start)).filter(|date| date.is_of(day));
        let Memory { in_short, remembered, .. } = memory;
        let names = MemberNames::new(reader, room_id, range, remembered);
        Scene { reader, room_id, day, date, options, names, in_short, calls: None }
    }

    /// An event of this room that clients saw.
    pub(super) fn event(&self, id: &str) -> Result<Option<CatalogEvent>, Error> {
        events::event(self.reader, self.room(), EventId::of(id))
    }

    /// What else there is about an event.
    pub(super) fn related(&self, event: &CatalogEvent) -> Result<Related, Error> {
        Related::to(self.reader, self.room(), EventId::of(&event.event_id))
    }

    /// Who sent an event, as they were called then.
    pub(super) fn sender(&mut self, event: &CatalogEvent) -> Result<Name, Error> {
        self.names.shown(event.sender.as_deref(), event.at)
    }

    /// Finds the files of a message that the archive has, if they are to be shown.
    pub(super) fn find_files(&self, message: &mut Message<'_>) -> Result<(), Error> {
        let Some(to_media) = &self.options.to_media else { return Ok(()) };
        message.find_files(&mut |mxc, sealed| Ok(self.reader.media(mxc, sealed)?.and_then(|here| to_media.to(here))))
    }

    /// The picture of who sends an event, as they had it then, if it is to be shown.
    pub(super) fn avatar(&mut self, event: &CatalogEvent) -> Result<Option<FileLink>, Error> {
        // of one person all pictures would be the same
        let is_shown = self.options.to_media.is_some() && self.options.only.is_none();
        let Some(sender) = event.sender.as_deref().filter(|_| is_shown) else { return Ok(None) };
        let found = self.names.avatar(sender, event.at)?;
        Ok(self.small(found))
    }

    /// The picture of an address, as it is shown small.
    pub(super) fn picture(&self, mxc: &str) -> Result<Option<FileLink>, Error> {
        if self.options.to_media.is_none() { Ok(None) } else { Ok(self.small(self.reader.media(mxc, None)?)) }
    }

    fn small(&self, file: Option<FileLink>) -> Option<FileLink> {
        let is_small = |here: &FileLink| here.shown == FileDisplay::Picture && here.bytes <= LARGEST_SMALL;
        file.filter(is_small).and_then(|here| self.options.to_media.as_ref()?.to_small(here))
    }

    /// Who says what an event says: its sender, as they were called then, and for whom.
    pub(super) fn speaker(&mut self, event: &CatalogEvent) -> Result<Name, Error> {
        let sender = self.sender(event)?;
        self.said_by(sender, event)
    }

    /// The sender of an event by a name, and for whom they say it, unless that is hidden.
    pub(super) fn said_by(&mut self, sender: Name, event: &CatalogEvent) -> Result<Name, Error> {
        let said_as = said_as(event.content());
        let said_as = if said_as.is_some() && self.is_hidden(event)? { None } else { said_as };
        Ok(Name { said_as, ..sender })
    }

    /// A time as it is shown beside what is told.
    pub(super) fn when(&self, at: Option<i64>) -> When {
        When::from(at, self.date, self.options.zone)
    }

    /// A time of what is told itself.
    pub(super) fn here(&self, at: Option<i64>) -> When {
        When::here(at, self.options.zone)
    }

    /// Takes note of when something is told of which the time follows; the date, if that or the offset is another one.
    pub(super) fn turn_to(&mut self, at: Option<i64>) -> Option<LocalDate> {
        // with UTC it is the document's
        let date = self.options.zone.date(at).filter(|date| !self.options.zone.is_utc() && self.date != Some(*date))?;
        self.date = Some(date);
        Some(date)
    }

    /// The day of an event, if it is another one than that of what is told.
    pub(super) fn other_day(&self, event: &CatalogEvent) -> Option<String> {
        let zone = self.options.zone;
        match zone.date(event.at).filter(|_| !zone.is_utc()) {
            Some(own) => (!self.date.is_some_and(|date| date.is_same_date(own))).then(|| own.day()),
            None => (event.day != self.day).then(|| event.day.clone()),
        }
    }

    /// Whether only what somebody has sent is told, and this is by somebody else.
    pub(super) fn is_of_another(&self, event: &CatalogEvent) -> bool {
        self.options.only.is_some() && self.options.only != event.sender
    }

    /// The room's id.
    pub(super) fn room(&self) -> RoomId<'c> {
        RoomId::of(self.room_id)
    }

    /// What an edit names.
    pub(super) fn edited_by(&self, edit: &CatalogEvent) -> Result<Option<CatalogEvent>, Error> {
        self.event(edit.relates_to.as_deref().unwrap_or_default())
    }

    /// Whether an event is redacted, or what it edits.
    pub(super) fn is_redacted(&mut self, event: &CatalogEvent) -> Result<bool, Error> {
        redactions::is_redacted(self.reader, self.room(), event, self.names.redactors())
    }

    /// Whether nothing of an event is to be shown, since it is redacted or what it edits is.
    pub(super) fn is_hidden(&mut self, event: &CatalogEvent) -> Result<bool, Error> {
        Ok(event.redacted_by.is_some() || !self.options.show_redacted && self.is_redacted(event)?)
    }

    /// An event that has a place of its own: for an edit that is told with its target, the target.
    pub(super) fn placed(&mut self, mut event: CatalogEvent) -> Result<CatalogEvent, Error> {
        for _ in 0..DEEPEST {
            if !event.is_edit() {
                break;
            }
            let Some(target) = self.edited_by(&event)? else { break };
            if event.flaw(&target).is_some() && !self.is_hidden(&event)? {
                break;
            }
            event = target;
        }
        Ok(event)
    }

    /// An event that others name, where it has its place.
    pub(super) fn named(&mut self, id: &str) -> Result<Option<CatalogEvent>, Error> {
        self.event(id)?.map(|event| self.placed(event)).transpose()
    }

    /// Where an event is shown.
    pub(super) fn address(&self, target: &CatalogEvent) -> Address {
        let is_here = target.day == self.day || self.options.one_document;
        let between = &self.options.between;
        let is_left_out = *between != (i64::MIN..i64::MAX) && !target.at.is_some_and(|at| between.contains(&at));
        let (day, anchor) = ((!is_here).then(|| target.day.clone()), Anchor::of(&target.event_id));
        Address { day, anchor, is_left_out }
    }
}
