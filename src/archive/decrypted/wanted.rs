//! What keys that come later may give: sessions of events that cannot be read, or that nobody vouches for, and when each source was last
//! looked through for them.

use rusqlite::{OptionalExtension as _, params};

use super::super::Error;
use super::Decrypted;
use crate::event::OwnedRoomId;

/// What events lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lacking {
    /// They cannot be read.
    Text,
    /// They can, by a session that nobody vouches for.
    Voucher,
}

impl Lacking {
    /// The index of such events, what they have in common, and when sources were looked through for it, in SQL.
    fn columns(self) -> [&'static str; 3] {
        match self {
            Lacking::Text => ["event_wanted", "wanted and session is not null", "looked"],
            Lacking::Voucher => ["event_unvouched", "unvouched", "vouched"],
        }
    }
}

/// A session of events that lack something.
pub(crate) struct WantedSession {
    pub(crate) session: i64,
    pub(crate) room_id: OwnedRoomId,
    pub(crate) session_id: String,
}

impl Decrypted {
    /// At most `most` of them behind one, in order.
    pub(in crate::archive) fn wanted(
        &self,
        lacking: Lacking,
        after: i64,
        most: u32,
    ) -> Result<Vec<WantedSession>, Error> {
        let [index, which, _] = lacking.columns();
        let sql = format!(
            "select session, room_id, session_id
                     from (select distinct session from event indexed by {index}
                            where {which} and session > ?1 order by session limit ?2)
                     join session using (session) join room using (room) order by session"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let wanted = statement.query_map(params![after, most], |row| {
            Ok(WantedSession { session: row.get(0)?, room_id: row.get(1)?, session_id: row.get(2)? })
        })?;
        Ok(wanted.collect::<Result<_, _>>()?)
    }

    /// At most `most` events of a session that lack it, behind one, in order: numbers and ids.
    pub(in crate::archive) fn wanted_of(
        &self,
        lacking: Lacking,
        session: i64,
        after: i64,
        most: u32,
    ) -> Result<Vec<(i64, String)>, Error> {
        let [index, which, _] = lacking.columns();
        let sql = format!(
            "select event, event_id from event indexed by {index}
              where {which} and session = ?1 and event > ?2 order by event limit ?3"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let events = statement.query_map(params![session, after, most], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(events.collect::<Result<_, _>>()?)
    }

    /// When a source was last looked through for it, milliseconds since the epoch, and what it said then of having changed.
    pub(in crate::archive) fn looked(
        &self,
        lacking: Lacking,
        name: &str,
    ) -> Result<Option<(i64, Option<String>)>, Error> {
        let [_, _, looked] = lacking.columns();
        let sql = format!("select {looked}, etag from source where name = ?1 and {looked} is not null");
        Ok(self.connection.prepare_cached(&sql)?.query_row([name], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
    }

    /// Remembers that sources were looked through.
    pub(in crate::archive) fn have_looked(
        &mut self,
        lacking: Lacking,
        sources: &[(String, Option<String>)],
        now: i64,
    ) -> Result<(), Error> {
        let [_, _, looked] = lacking.columns();
        let sql = format!("update source set {looked} = ?2, etag = ?3 where source = ?1");
        self.in_one(|this| {
            for (name, etag) in sources {
                let source = this.source(name)?;
                this.connection.prepare_cached(&sql)?.execute(params![source, now, etag])?;
            }
            Ok(())
        })
    }
}
