//! The seam through which an archive is read: its rooms and their days, a day's events in order, an event by its id, what
//! relates to it, its line, what is in effect of edits and redactions, what members and rooms were called, who had
//! the power for what.
//!
//! All SQL that showing needs is here. Writes nothing, and knows nothing of blocks, markdown or what is stale.

pub(crate) mod events;
pub(crate) mod extent;
pub(crate) mod found;
mod media;
pub(crate) mod names;
mod numbers;
pub(crate) mod order;
pub(crate) mod outward;
pub(crate) mod people;
pub(crate) mod powers;
pub(crate) mod proof;
pub(crate) mod redactions;
pub(crate) mod rooms;
pub(crate) mod search;
pub(crate) mod sections;
pub(crate) mod sources;
pub(crate) mod title;

use std::cell::Cell;

use rusqlite::{Connection, InterruptHandle, OptionalExtension as _, Transaction};

use super::catalog::key;
use super::decrypted::Decrypted;
use super::lines::LineReader;
use super::{Catalog, EncryptionDetails, Error, Plaintexts};
use crate::event::{EventId, RoomId};
use numbers::NumberCache;

/// How much is remembered of a kind before it is looked up again.
pub(crate) const REMEMBERED: usize = 5_000;

/// Reads a line of a file, by where it begins and its length in bytes.
type ReadLine<'r, T> = &'r dyn Fn(&LineReader, &str, u64, u64) -> Result<T, Error>;

/// A read-only view of an archive.
pub(crate) struct Reader<'c> {
    connection: &'c Connection,
    /// None: no lines are read.
    lines: Option<&'c LineReader>,
    numbers: NumberCache,
    /// What encrypted events say, if that is to be told.
    plaintexts: Option<&'c Plaintexts>,
    /// Whether the catalog knows of media; none: not looked yet.
    has_media: Cell<Option<bool>>,
}

impl<'c> Reader<'c> {
    pub(super) fn new(connection: &'c Connection, lines: Option<&'c LineReader>) -> Reader<'c> {
        Reader { connection, lines, numbers: NumberCache::default(), plaintexts: None, has_media: Cell::new(None) }
    }

    /// The same of what the lines have, which does not tell what encrypted events say.
    pub(crate) fn as_stored(&self) -> Reader<'c> {
        Reader::new(self.connection, self.lines)
    }

    /// Whether it tells what encrypted events say.
    pub(crate) fn decrypts(&self) -> bool {
        self.plaintexts.is_some()
    }

    /// The file of what encrypted events of the archive say.
    fn decrypted(&self) -> Option<&'c Decrypted> {
        self.plaintexts.and_then(Plaintexts::kept)
    }

    /// What is known of how an event was encrypted; none: nothing, or it was not.
    pub(crate) fn encryption(&self, event_id: &str) -> Result<Option<EncryptionDetails>, Error> {
        self.decrypted().map_or(Ok(None), |decrypted| decrypted.encryption(event_id)).map_err(Error::of_decrypted)
    }

    /// The number of a room; where the catalog does not know the room, what is equal to no number.
    fn room(&self, room_id: &str) -> Result<Option<i64>, Error> {
        self.numbers.room(self.connection, room_id)
    }

    /// The JSON text of an event's `content` as its line has it; none if the line has no PDU, or is not where the catalog says. Where
    /// it is not, the catalog is asked again: others may have been taken out before it meanwhile.
    fn content(
        &self,
        event: EventId<'_>,
        (room, day): (RoomId<'_>, &str),
        place: (i64, i64),
    ) -> Result<Option<String>, Error> {
        let read = |lines: &LineReader, path: &str, start, length| lines.content(event, path, start, length);
        Ok(self.look(event, (room, day), place, &read)?.flatten())
    }

    /// The same of the whole line; none where it cannot be read, which is told.
    fn line(
        &self,
        event: EventId<'_>,
        (room, day): (RoomId<'_>, &str),
        place: (i64, i64),
    ) -> Result<Option<String>, Error> {
        let read = |lines: &LineReader, path: &str, start, length| lines.line(event, path, start, length);
        self.look(event, (room, day), place, &read)
    }

    fn look<T>(
        &self,
        event: EventId<'_>,
        (room, day): (RoomId<'_>, &str),
        (start, length): (i64, i64),
        read: ReadLine<'_, T>,
    ) -> Result<Option<T>, Error> {
        let Some(lines) = self.lines else { return Ok(None) };
        let path = self.numbers.path(self.connection, room, day)?;
        let read = |start: i64, length: i64| read(lines, &path, start.unsigned_abs(), length.unsigned_abs());
        let first = match read(start, length) {
            Err(error) => error,
            read => return read.map(Some),
        };
        let sql = concat!("select start, length from line where id_key = ", key!("?1"), " and event_id = ?1");
        let mut again = self.connection.prepare_cached(sql)?;
        let place = again.query_row([event], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let found = place.map_or(Err(first), |(start, length)| read(start, length));
        Ok(found.map_or_else(
            |error| {
                lines.warn(&path, start.unsigned_abs(), &error);
                None
            },
            Some,
        ))
    }
}

impl Catalog {
    /// The archive as it is from one statement to the next.
    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader { plaintexts: self.plaintexts.as_ref(), ..Reader::new(&self.connection, self.lines.as_ref()) }
    }

    /// The archive as it is at one time, for as long as `work` reads it: to begin and to end a statement alone costs as much as a
    /// whole look.
    pub(crate) fn read<T>(&mut self, work: impl FnOnce(&Reader<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let reading = self.connection.transaction()?;
        work(&Reader { plaintexts: self.plaintexts.as_ref(), ..Reader::new(&reading, self.lines.as_ref()) })
    }

    /// Keeps what is read of it as it is now, until that is dropped.
    pub(crate) fn snapshot(&self) -> Result<Transaction<'_>, Error> {
        let snapshot = self.connection.unchecked_transaction()?;
        // it begins with what is read first
        snapshot.query_row("select count(*) from server", [], |_| Ok(()))?;
        Ok(snapshot)
    }

    /// What ends its statements early.
    pub(crate) fn interrupt_handle(&self) -> InterruptHandle {
        self.connection.get_interrupt_handle()
    }
}
