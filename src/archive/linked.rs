//! Rooms that came from one another: which indexes and days are stale once there is more of the other room. Knows nothing of what indexes
//! and days look like.

use rusqlite::params;

use super::Error;
use super::writing::Writing;
use crate::event::{Day, Event, RoomId};

impl Writing<'_> {
    /// Marks what links to a room once it has lines: the indexes, and the days of what names it, of rooms that came from it or go
    /// on in it.
    pub(super) fn mark_linked(&self, room_id: &str) -> Result<(), Error> {
        let sql = "select room_id, origin_server_ts from room_state join room using (room) where other = ?1";
        let mut statement = self.0.prepare_cached(sql)?;
        let mut rows = statement.query([room_id])?;
        while let Some(row) = rows.next()? {
            let (other, at): (String, i64) = (row.get(0)?, row.get(1)?);
            self.room_is_stale(&other)?;
            // of what has no time it is 0
            for day in [Some(at), None].into_iter().take(if at == 0 { 2 } else { 1 }) {
                self.mark_day(RoomId::of(&other), &Day::of(day).to_string())?;
            }
        }
        Ok(())
    }

    /// The index of the room that one came from, by its creation, is not as the catalog says any more.
    pub(super) fn predecessor_is_stale(&self, create: &Event) -> Result<(), Error> {
        let sql = "update room set dirty = 1 where has_lines and room_id in (
                       select other from room_state where room = (select room from room where room_id = ?1)
                          and type = 'm.room.create' and topological_ordering = ?2 and event_id = ?3)";
        let Event { room_id, topological_ordering, event_id, .. } = create;
        self.0.prepare_cached(sql)?.execute(params![room_id, topological_ordering, event_id])?;
        Ok(())
    }
}
