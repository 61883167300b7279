//! What is handed on: a room, or all that one person has sent, made once of an archive as a document, as lines, as a zip of both or as a
//! database.
//!
//! All of it is read through the archive's seam, which decides what is withheld; an archive's own settings do not count here. Keeps
//! nothing up to date, and writes nowhere but where it is told to.

mod database;
mod document;
mod lines;
mod media;
mod zip;

use std::ops::Range;
use std::path::Path;

pub use self::document::{TooLong, document};
pub use database::database;
pub use lines::lines;
use media::Copies;
pub use zip::zip;

use crate::archive::reading::outward::{Including, LineSelection};
use crate::archive::reading::sources::{self, Provenance};
use crate::archive::{Catalog, Error, Interrupt};
use crate::document::page::MadeOf;
use crate::document::time::Zone;
use crate::event::{OwnedRoomId, RoomId, UserId};
use crate::views::{self, DocumentRequest, Files, Split};

/// Where a document is of a person, in whichever room.
const NO_ROOM: RoomId<'static> = RoomId::of("");

/// What is handed on, and of which archive it is made.
pub struct Given<'a> {
    /// The archive.
    pub catalog: &'a Catalog,
    /// Ends it early.
    pub interrupt: &'a Interrupt,
    /// Which room; or in which the sender has sent something, each in its turn.
    pub rooms: Vec<OwnedRoomId>,
    /// Only what this user has sent; none: all.
    pub sender: Option<UserId<'a>>,
    /// Of which time, in milliseconds since the epoch; none: of all.
    pub period: Option<Range<i64>>,
    /// What is redacted, and what erased users said, is not withheld; nor is what clients never saw, where there are lines.
    pub show_redacted: bool,
    /// Of what times are shown.
    pub zone: Zone,
    /// When, in milliseconds since the epoch.
    pub made: i64,
    /// What it is made of.
    pub made_of: MadeOf,
}

/// What was handed on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Handed {
    /// Events that clients saw; of lines: lines.
    pub events: u64,
    /// Messages that can be read.
    pub messages: u64,
    /// Days of rooms.
    pub days: u64,
    /// Events whose lines cannot be read.
    pub unread: u64,
    /// Files that events name and that somebody has taken out of the archive.
    pub lost: u64,
}

/// The rooms in which somebody has sent something, by name.
pub fn rooms_of(catalog: &Catalog, sender: UserId<'_>) -> Result<Vec<OwnedRoomId>, Error> {
    sources::rooms_of(&catalog.reader(), sender)
}

/// Writes a room as several pages, and copies of the files that they show; the pages are in a temporary file of the directory `spool` until they are whole.
pub fn parts(given: &Given<'_>, split: Split, spool: &Path, files: &mut dyn Files) -> Result<Handed, Error> {
    given.during(|| {
        let (made, copies) = ((given.made, &given.made_of), Copies::default());
        copies.look_through(given)?;
        let asked = DocumentRequest { to_media: Some(copies.from("")), ..given.asked(given.room().unwrap_or(NO_ROOM)) };
        let (told, _) = views::document_parts(given.catalog, &asked, split, made, spool, files)?;
        let lost = copies.copy(given, files)?;
        Ok(Handed { events: told.events, messages: told.messages, days: told.days, lost, ..Handed::default() })
    })
}

impl Given<'_> {
    /// Finds out what it is made of: an archive that `is_kept`, or one for this alone; with what its events prove, if they are to be
    /// `judged`.
    pub fn look_through(&mut self, is_kept: bool, judged: bool) -> Result<(), Error> {
        let work = || {
            let reader = self.catalog.reader();
            let mut found = Provenance::new(judged);
            for room_id in &self.rooms {
                found.add(&reader, room_id, &self.days(room_id.borrowed())?)?;
            }
            found.end(&reader, is_kept)
        };
        let made_of = self.interrupt.during(vec![self.catalog.interrupt_handle()], work)?;
        self.made_of = made_of;
        Ok(())
    }

    fn days(&self, room: RoomId<'_>) -> Result<Vec<String>, Error> {
        sources::days(&self.catalog.reader(), room, self.period.as_ref(), self.sender)
    }

    fn asked<'r>(&'r self, room: RoomId<'r>) -> DocumentRequest<'r> {
        DocumentRequest {
            room,
            period: self.period.clone(),
            sender: self.sender,
            show_redacted: self.show_redacted,
            zone: self.zone,
            to_media: None,
        }
    }

    fn lines(&self) -> LineSelection<'_> {
        let with = Including { redacted: self.show_redacted, rejected: self.show_redacted, ..Including::default() };
        LineSelection { with, period: self.period.clone(), sender: self.sender, as_stored: false }
    }

    /// The only room, unless it is of a person.
    fn room(&self) -> Option<RoomId<'_>> {
        self.rooms.first().filter(|_| self.sender.is_none()).map(OwnedRoomId::borrowed)
    }

    /// Does all of the work, until it is told to stop.
    fn during<T>(&self, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        self.interrupt.during(vec![self.catalog.interrupt_handle()], work)
    }

    fn goes_on(&self) -> Result<(), Error> {
        self.interrupt.check()
    }
}

/// An error of a library, in writing what is handed on.
fn writing(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Transcript(std::io::Error::other(error))
}

/// Where temporary files are, for what is beside `output`: there, since what they hold is to be there too.
#[must_use]
pub fn beside(output: &Path) -> &Path {
    output.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
