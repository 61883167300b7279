//! What of a day is written, in order: who speaks, what is folded, how much it is. Looks nothing up but names.

use super::scene::Scene;
use crate::archive::Error;
use crate::archive::reading::events::CatalogEvent;
use crate::document::block::{Block, Encryption, Head, Writer};
use crate::document::fold::{Fold, Remark};
use crate::document::line::{Anchor, Name};
use crate::document::page::Tally;
use crate::document::time::{LocalDate, Zone};

/// Messages of one sender within this time are told under one name. Milliseconds.
const TOGETHER: i64 = 5 * 60 * 1000;

/// A day as it is written.
pub(super) struct Telling<'w> {
    out: &'w mut dyn Writer,
    /// Whose messages come one after the other: the sender, under which name, until when.
    speaker: Option<(Option<String>, Name, i64)>,
    fold: Fold,
    /// The date of what was told last, and of what is told next, where times are shown.
    date: [Option<LocalDate>; 2],
    pub(super) tally: Tally,
    /// Nothing is told yet.
    pub(super) is_empty: bool,
}

impl<'w> Telling<'w> {
    /// Times are those of a zone; `date` is that of the document.
    pub(super) fn to(out: &'w mut dyn Writer, zone: Zone, date: Option<LocalDate>) -> Telling<'w> {
        let (fold, tally) = (Fold::within(zone), Tally::default());
        Telling { out, speaker: None, fold, date: [date; 2], tally, is_empty: true }
    }

    /// What is told from now on is of another date, or of another offset; said once there is something.
    pub(super) fn turn_to(&mut self, date: LocalDate) {
        self.date[1] = Some(date);
    }

    /// Begins to tell something.
    fn begin(&mut self) -> Result<(), Error> {
        self.is_empty = false;
        if let [told, Some(date)] = self.date
            && told != Some(date)
        {
            self.date[0] = Some(date);
            self.end_fold()?;
            self.end_speaker();
            self.out.write(&Block::Date(date)).map_err(Error::Transcript)?;
        }
        Ok(())
    }

    /// Writes a block; what is folded has to be ended before.
    pub(super) fn block(&mut self, block: &Block<'_>) -> Result<(), Error> {
        self.begin()?;
        self.out.write(block).map_err(Error::Transcript)
    }

    /// Begins what somebody says.
    pub(super) fn head(&mut self, event: &CatalogEvent, scene: &mut Scene<'_>) -> Result<Head, Error> {
        self.begin()?;
        self.end_fold()?;
        let name = scene.speaker(event)?;
        // somebody else's than that of the name
        let avatar = if name.said_as.is_none() { scene.avatar(event)? } else { None };
        let at = event.at.unwrap_or(0);
        let goes_on = self.speaker.as_ref().is_some_and(|(sender, called, until)| {
            *sender == event.sender && *called == name && at.saturating_sub(*until) <= TOGETHER
        });
        self.speaker = Some((event.sender.clone(), name.clone(), at));
        let encrypted = event.encrypted.map(|encrypted| {
            if encrypted.authenticated { Encryption::Authenticated } else { Encryption::NotAuthenticated }
        });
        let (sender, anchor) = (event.sender.clone(), Anchor::of(&event.event_id));
        Ok(Head { sender, name, avatar, goes_on, anchor, at: scene.here(event.at), encrypted })
    }

    /// What follows is under a name of its own.
    pub(super) fn end_speaker(&mut self) {
        self.speaker = None;
    }

    /// Writes what was folded.
    pub(super) fn end_fold(&mut self) -> Result<(), Error> {
        self.fold.end(self.out).map_err(Error::Transcript)
    }

    /// Adds a small thing.
    pub(super) fn phrase(&mut self, event: &CatalogEvent, phrase: Remark) -> Result<(), Error> {
        self.small(&event.event_id, event.at, phrase)
    }

    /// Adds a small thing that has the place of an event.
    pub(super) fn small(&mut self, event_id: &str, at: Option<i64>, phrase: Remark) -> Result<(), Error> {
        self.begin()?;
        self.end_speaker();
        self.fold.add(event_id, at, phrase, self.out).map_err(Error::Transcript)
    }

    /// Adds a message that could not be read.
    pub(super) fn unread(&mut self, event: &CatalogEvent, name: Name) -> Result<(), Error> {
        self.begin()?;
        self.end_speaker();
        self.fold.add_unread(&event.event_id, event.at, name, self.out).map_err(Error::Transcript)
    }
}
