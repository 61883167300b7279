//! What is erased from an archive, for good: who asked for what, and what is left of it.
//!
//! What is asked for, each tombstone and each hold are state, on the disk before the first byte is erased. `selecting` finds the lines,
//! and what repeats them; `taking` says what of a line is taken; `burying` sets the tombstones and writes files of lines anew, with the catalog, as `forgetting` says; `arriving` sees to it
//! that what comes later is as it is here; `asking` keeps what is asked for while another process holds the archive; `trace` leaves nothing of it in the catalog's files; `copy` keeps the tombstones elsewhere; `foreseeing` says what policies will erase. Who
//! is killed at any step leaves lines that are to be erased yet, which the next run erases. Renders nothing.

mod arriving;
mod asking;
mod burying;
mod copy;
mod foreseeing;
mod forgetting;
mod replays;
mod request;
mod selecting;
mod taking;
mod trace;

use std::fmt::Write as _;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _};
use sha2::{Digest as _, Sha256};

use super::{Catalog, Error};
use crate::event::{Erased, EventId};
pub use asking::{TakenRequest, leave_request, requests};
pub use burying::Buried;
pub use foreseeing::{Foreseen, Policy};
pub use request::{Age, Erasure, Hold, Request, What};
pub use selecting::Selected;

/// What stands in the place of a redaction where this archive has erased what an event said.
pub(crate) const ERASED_HERE: &str = "archive";
/// The setting that says that something is erased, and that it may not be gone everywhere yet.
const ERASING: &str = "erasing";

impl Catalog {
    /// Whether something is to be erased yet, or may still be somewhere.
    pub fn is_erasing(&self) -> Result<bool, Error> {
        let sql = "select exists (select 1 from to_erase) or exists (select 1 from erasure where done < 2)";
        Ok(self.is_set(ERASING)? || self.connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// Whether there is any line.
    pub(crate) fn has_events(&self) -> Result<bool, Error> {
        Ok(self.connection.query_row("select exists (select 1 from file)", [], |row| row.get(0))?)
    }

    /// How many events have a tombstone.
    pub fn tombstones(&self) -> Result<u64, Error> {
        let count = self.connection.query_row("select count(*) from tombstone", [], |row| row.get::<_, i64>(0))?;
        Ok(count.unsigned_abs())
    }

    /// How much of an event is erased for good; none: it has no tombstone.
    pub(crate) fn tombstone(&self, event: EventId<'_>) -> Result<Option<Erased>, Error> {
        tombstone(&self.connection, event)
    }

    /// The same of an event that is known by what tombstones have in place of its id alone.
    pub(super) fn tombstone_of(&self, id: &str) -> Result<Option<Erased>, Error> {
        tombstone_of(&self.connection, id)
    }

    /// Whether an event has a tombstone, be there a line of it or not.
    pub(crate) fn has_tombstone(&self, event: EventId<'_>) -> Result<bool, Error> {
        Ok(tombstone(&self.connection, event)?.is_some())
    }
}

/// How much of an event is erased for good.
pub(super) fn tombstone(catalog: &Connection, event: EventId<'_>) -> Result<Option<Erased>, Error> {
    tombstone_of(catalog, &digest(&event))
}

fn tombstone_of(catalog: &Connection, id: &str) -> Result<Option<Erased>, Error> {
    let mut statement = catalog.prepare_cached("select kind from tombstone where id = ?1")?;
    Ok(statement.query_row([id], |row| row.get(0)).optional()?)
}

/// What a tombstone has in place of an event's id, and of its line: the SHA-256, in hexadecimal digits.
pub(super) fn digest(text: &str) -> String {
    let mut digits = String::with_capacity(64);
    for byte in Sha256::digest(text) {
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

impl FromSql for Erased {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let name = value.as_str()?;
        Erased::named(name)
            .ok_or_else(|| FromSqlError::Other(Box::new(Error::altered("a tombstone of the kind", name))))
    }
}

impl ToSql for Erased {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.name().into())
    }
}
