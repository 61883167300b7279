//! The seam through which an archive is read: its rooms and their days, a day's events in order, an event by its id, what
//! relates to it, its line, what is in effect of edits and redactions, what members and rooms were called.
//!
//! All SQL that showing needs is here. Writes nothing, and knows nothing of blocks, markdown or what is stale.

pub(crate) mod events;
pub(crate) mod found;
pub(crate) mod names;
pub(crate) mod rooms;
pub(crate) mod title;

use rusqlite::{Connection, InterruptHandle};

use super::{Catalog, Error, Plaintexts};

/// How much is remembered of a kind before it is looked up again.
pub(crate) const REMEMBERED: usize = 5_000;

/// A read-only view of an archive.
pub(crate) struct Reader<'c> {
    connection: &'c Connection,
    /// What encrypted events say, if that is to be told.
    plaintexts: Option<&'c Plaintexts>,
}

impl<'c> Reader<'c> {
    pub(super) fn new(connection: &'c Connection) -> Reader<'c> {
        Reader { connection, plaintexts: None }
    }
}

impl Reader<'_> {
    /// Whether it tells what encrypted events say.
    pub(crate) fn decrypts(&self) -> bool {
        self.plaintexts.is_some()
    }
}

impl Catalog {
    /// The archive as it is from one statement to the next.
    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader { plaintexts: self.plaintexts.as_ref(), ..Reader::new(&self.connection) }
    }

    /// The archive as it is at one time, for as long as `work` reads it: to begin and to end a statement alone costs as much as a
    /// whole look.
    pub(crate) fn read<T>(&mut self, work: impl FnOnce(&Reader<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let reading = self.connection.transaction()?;
        work(&Reader { plaintexts: self.plaintexts.as_ref(), ..Reader::new(&reading) })
    }

    /// What ends its statements early.
    pub(crate) fn interrupt_handle(&self) -> InterruptHandle {
        self.connection.get_interrupt_handle()
    }
}
