//! What is looked up once and not for every row, where a database has little enough of it.
//!
//! It stays true while events are read up to an id that was taken before: a room is there before it has an event, and what
//! Synapse rejects later, or no longer, it tells of in `events` too (since 1.52; `mark_event_rejected_txn` changes both).

use std::collections::{HashMap, HashSet};

use super::{Database, Error, queries};

/// How many rejections are looked at. More are looked up row by row.
const REJECTIONS: usize = 10_000;
/// How many rooms are kept in memory: a few megabytes.
const ROOMS: usize = 20_000;

/// What is known before rows are read.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The rejected events of which `events` does not tell it; none when they are to be looked up.
    pub(super) rejections: Option<HashSet<String>>,
    /// The versions of all rooms; none when they are to be looked up.
    pub(super) versions: Option<HashMap<String, Option<String>>>,
}

impl Known {
    /// Whether an event is known to be rejected.
    pub(super) fn is_rejected(&self, event_id: &str) -> bool {
        self.rejections.as_ref().is_some_and(|rejections| !rejections.is_empty() && rejections.contains(event_id))
    }

    /// The version of a room, as far as it is known.
    pub(super) fn version(&self, room_id: &str) -> Option<&str> {
        self.versions.as_ref()?.get(room_id)?.as_deref()
    }
}

impl Database {
    /// Looks up the rejections of which `events` does not tell.
    pub(super) async fn rejections(&self) -> Result<Option<HashSet<String>>, Error> {
        let rows = self.some(queries::REJECTIONS, REJECTIONS).await?;
        let untold = |(event_id, untold): (String, bool)| untold.then_some(event_id);
        Ok(rows.map(|rows| rows.into_iter().filter_map(untold).collect()))
    }

    /// Looks up the versions of rooms.
    pub(super) async fn versions(&self) -> Result<Option<HashMap<String, Option<String>>>, Error> {
        let Some(rows) = self.some::<Option<String>>(queries::VERSIONS, ROOMS).await? else { return Ok(None) };
        let mut versions = HashMap::<String, Option<String>>::with_capacity(rows.len());
        for (room_id, version) in rows {
            // of several rows of a room the same one as in `stored.sql`
            let known = versions.entry(room_id).or_default();
            *known = version.max(known.take());
        }
        Ok(Some(versions))
    }

    /// All rows of a statement of two columns, none when there are more than `most`.
    async fn some<T>(&self, statement: queries::Statement, most: usize) -> Result<Option<Vec<(String, T)>>, Error>
    where
        T: for<'a> tokio_postgres::types::FromSql<'a>,
    {
        let statement = self.schema.adapt(statement);
        let limit = i64::try_from(most + 1).unwrap_or(i64::MAX);
        let rows = self.session.query(&statement, &[&limit]).await?;
        if rows.len() > most {
            return Ok(None);
        }
        let pair = |row: &tokio_postgres::Row| Ok((row.try_get(0)?, row.try_get(1)?));
        rows.iter().map(pair).collect::<Result<_, _>>().map(Some).map_err(Error::query(statement.name))
    }
}
