//! Which event has used a message of a session: a second one that does is a replay.
//!
//! A table in a temporary database without a name, which goes with the process. It holds ids and numbers, no key and no text.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::Error;
use crate::event::{EventId, OwnedEventId, OwnedUserId, UserId};

/// Which event has used a message first.
pub(super) enum FirstUse {
    /// It was not found out.
    Unknown,
    /// This one; none: none of those that claim it can be read.
    Known(Option<OwnedEventId>),
}

/// The uses of all messages of the room that is looked through.
pub(super) struct Uses(Connection);

impl Uses {
    pub(super) fn new() -> Result<Uses, Error> {
        let open = || -> rusqlite::Result<Connection> {
            // a database without a name is a file that SQLite deletes at once, once it is too large for the cache
            let connection = Connection::open("")?;
            connection.execute_batch(
                "pragma journal_mode = off; pragma synchronous = off;
                 create table use (session_id text not null, message integer not null, position integer not null,
                                   event_id text not null, sender text, primary key (session_id, message, position)) without rowid, strict;
                 create table first (session_id text not null, message integer not null, event_id text,
                                     primary key (session_id, message)) without rowid, strict;
                 begin",
            )?;
            Ok(connection)
        };
        open().map(Uses).map_err(failed())
    }

    /// Notes that an event says to use a message; events of a higher position come later.
    pub(super) fn note(
        &self,
        session_id: &str,
        message: u32,
        position: i64,
        event: EventId<'_>,
        sender: Option<UserId<'_>>,
    ) -> Result<(), Error> {
        let note = || {
            let sql = "insert or ignore into use (session_id, message, position, event_id, sender) values (?1, ?2, ?3, ?4, ?5)";
            self.0.prepare_cached(sql)?.execute(params![session_id, message, position, event, sender])
        };
        note().map(|_| ()).map_err(failed())
    }

    /// The senders of all that was noted.
    pub(super) fn senders(&self) -> Result<Vec<OwnedUserId>, Error> {
        let senders = || -> rusqlite::Result<Vec<OwnedUserId>> {
            let mut statement = self.0.prepare_cached("select distinct sender from use where sender is not null")?;
            statement.query_map([], |row| row.get(0))?.collect()
        };
        senders().map_err(failed())
    }

    /// The events that say to use a message, in their order.
    pub(super) fn of(&self, session_id: &str, message: u32) -> Result<Vec<OwnedEventId>, Error> {
        let events = || -> rusqlite::Result<Vec<OwnedEventId>> {
            let sql = "select event_id from use where session_id = ?1 and message = ?2 order by position";
            self.0.prepare_cached(sql)?.query_map(params![session_id, message], |row| row.get(0))?.collect()
        };
        events().map_err(failed())
    }

    /// Whether it was found out already which event has used a message first, and which.
    pub(super) fn first(&self, session_id: &str, message: u32) -> Result<FirstUse, Error> {
        let sql = "select event_id from first where session_id = ?1 and message = ?2";
        let first = || self.0.prepare_cached(sql)?.query_row(params![session_id, message], |row| row.get(0)).optional();
        first().map(|found| found.map_or(FirstUse::Unknown, FirstUse::Known)).map_err(failed())
    }

    /// Notes which event was found to have used a message first.
    pub(super) fn found(&self, session_id: &str, message: u32, event: Option<EventId<'_>>) -> Result<(), Error> {
        let sql = "insert or replace into first (session_id, message, event_id) values (?1, ?2, ?3)";
        let found = || self.0.prepare_cached(sql)?.execute(params![session_id, message, event]);
        found().map(|_| ()).map_err(failed())
    }
}

fn failed() -> impl FnOnce(rusqlite::Error) -> Error {
    Error::sqlite("the temporary file of used messages")
}
