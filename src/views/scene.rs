//! The day that is told, and what is looked up for it in other days: events that are named, where they have their place, whether
//! they may be shown, what people were called. Writes nothing.

use std::collections::HashMap;
use std::ops::Range;

use super::Options;
use crate::archive::Error;
use crate::archive::reading::Reader;
use crate::archive::reading::events::{self, CatalogEvent, DEEPEST, Related};
use crate::archive::reading::names::{MemberNames, Remembered};
use crate::archive::reading::redactions;
use crate::document::line::{Address, Anchor, Line, Name, When};
use crate::document::time;

/// What was looked up in a room, for the days to come.
#[derive(Default)]
pub(super) struct Memory {
    room_id: String,
    /// By event and length: what was said, as it is quoted.
    in_short: HashMap<(String, usize), Line>,
    pub(super) remembered: Remembered,
}

/// A day, and what is looked up for it.
pub(super) struct Scene<'c> {
    pub(super) reader: &'c Reader<'c>,
    pub(super) room_id: &'c str,
    /// `2026-11-22`, or `undated`.
    pub(super) day: &'c str,
    /// In milliseconds since the epoch.
    range: Range<i64>,
    pub(super) options: &'c Options,
    pub(super) names: MemberNames<'c>,
    /// By event and length: what was said, as it is quoted, since many may answer what was edited many times.
    pub(super) in_short: &'c mut HashMap<(String, usize), Line>,
}

impl<'c> Scene<'c> {
    pub(super) fn new(
        reader: &'c Reader<'c>,
        room_id: &'c str,
        day: &'c str,
        options: &'c Options,
        memory: &'c mut Memory,
    ) -> Scene<'c> {
        if memory.room_id != room_id {
            *memory = Memory { room_id: room_id.to_owned(), ..Memory::default() };
        }
        let range = time::range(day);
        let Memory { in_short, remembered, .. } = memory;
        let names = MemberNames::new(reader, room_id, range.clone(), remembered);
        Scene { reader, room_id, day, range, options, names, in_short }
    }

    /// An event of this room that clients saw.
    pub(super) fn event(&self, id: &str) -> Result<Option<CatalogEvent>, Error> {
        events::event(self.reader, self.room_id, id)
    }

    /// What else there is about an event.
    pub(super) fn related(&self, event: &CatalogEvent) -> Result<Related, Error> {
        Related::to(self.reader, self.room_id, &event.event_id)
    }

    /// Who sent an event, as they were called then.
    pub(super) fn sender(&mut self, event: &CatalogEvent) -> Result<Name, Error> {
        self.names.shown(event.sender.as_deref(), event.at)
    }

    /// A time as this day shows it.
    pub(super) fn when(&self, at: Option<i64>) -> When {
        When::from(at, &self.range)
    }

    /// What an edit names.
    pub(super) fn edited_by(&self, edit: &CatalogEvent) -> Result<Option<CatalogEvent>, Error> {
        self.event(edit.relates_to.as_deref().unwrap_or_default())
    }

    /// Whether an event is redacted, or what it edits.
    pub(super) fn is_redacted(&mut self, event: &CatalogEvent) -> Result<bool, Error> {
        redactions::is_redacted(self.reader, self.room_id, event, self.names.redactors())
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
        Address { day: (!is_here).then(|| target.day.clone()), anchor: Anchor::of(&target.event_id) }
    }
}
