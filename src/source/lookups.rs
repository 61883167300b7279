//! What is looked up once and not for every row, where a database has little enough of it.
//!
//! It stays true while events are read up to an id that was taken before: a room is there before it has an event, and what
//! Synapse rejects later, or no longer, it tells of in `events` too (since 1.52; `mark_event_rejected_txn` changes both).

use std::collections::{HashMap, HashSet};

use super::database::Database;
use super::error::Error;
use super::statements::{self, LookedUp, RejectionsRow, TypedStatement, VersionsRow};
use crate::event::{EventId, OwnedEventId, OwnedRoomId, RoomId};

/// How many rejections are looked at. More are looked up row by row.
const REJECTIONS: usize = 10_000;
/// How many rooms are kept in memory: a few megabytes.
const ROOMS: usize = 20_000;

/// What is known before rows are read.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    /// The rejected events of which `events` does not tell it; none when they are to be looked up.
    pub(super) rejections: Option<HashSet<OwnedEventId>>,
    /// The versions of all rooms; none when they are to be looked up.
    pub(super) versions: Option<HashMap<OwnedRoomId, Option<String>>>,
}

impl Lookups {
    /// Which of it there is.
    pub(super) fn at_hand(&self) -> LookedUp {
        LookedUp { rejections: self.rejections.is_some(), versions: self.versions.is_some() }
    }

    /// Whether an event is known to be rejected.
    pub(super) fn is_rejected(&self, event: EventId<'_>) -> bool {
        self.rejections.as_ref().is_some_and(|rejections| !rejections.is_empty() && rejections.contains(event.as_str()))
    }

    /// The version of a room, as far as it is known.
    pub(super) fn version(&self, room: RoomId<'_>) -> Option<&str> {
        self.versions.as_ref()?.get(room.as_str())?.as_deref()
    }
}

impl Database {
    /// Looks up the rejections of which `events` does not tell.
    pub(super) async fn rejections(&self) -> Result<Option<HashSet<OwnedEventId>>, Error> {
        let rows = self.few(&statements::REJECTIONS.over(self.schema.columns()), REJECTIONS).await?;
        let untold = |row: RejectionsRow| row.untold.then_some(row.event_id);
        Ok(rows.map(|rows| rows.into_iter().filter_map(untold).collect()))
    }

    /// Looks up the versions of rooms.
    pub(super) async fn versions(&self) -> Result<Option<HashMap<OwnedRoomId, Option<String>>>, Error> {
        let Some(rows) = self.few(&statements::VERSIONS, ROOMS).await? else { return Ok(None) };
        let mut versions = HashMap::<OwnedRoomId, Option<String>>::with_capacity(rows.len());
        for VersionsRow { room_id, room_version } in rows {
            // of several rows of a room the same one as in `stored.sql`
            let known = versions.entry(room_id).or_default();
            *known = room_version.max(known.take());
        }
        Ok(Some(versions))
    }

    /// All rows of a statement, none when there are more than `most`.
    async fn few<T>(&self, query: &TypedStatement<T>, most: usize) -> Result<Option<Vec<T>>, Error> {
        let limit = i64::try_from(most + 1).unwrap_or(i64::MAX);
        let rows = self.all(query, &[&limit]).await?;
        Ok((rows.len() <= most).then_some(rows))
    }
}
