//! Which transcripts are to be rendered, as the catalog keeps it.

use std::collections::BTreeSet;

use rusqlite::params;

use super::super::writing::{Writing, signed};
use super::super::{Catalog, Error, layout};
use super::{AT_ONCE, Transcripts};

/// A room-day whose transcript is stale.
#[derive(Clone, Debug)]
pub(super) struct Stale {
    /// Its file of lines, below the archive.
    pub(super) path: String,
    pub(super) room_id: String,
    pub(super) events: i64,
}

impl Stale {
    /// Its transcript, below the archive.
    pub(super) fn transcript(&self) -> String {
        format!("{}.md", self.path.trim_end_matches(".jsonl"))
    }

    pub(super) fn day(&self) -> &str {
        layout::parts(&self.path).map_or("", |(_, day)| day)
    }
}

impl Writing<'_> {
    /// Says that transcripts have to be rendered anew; how many.
    pub(super) fn mark(&self, which: &Transcripts) -> Result<usize, Error> {
        let marked = match which {
            Transcripts::All => {
                self.0.execute("update room set link = null", [])?;
                self.0.execute("update file set dirty = 1", [])?
            }
            Transcripts::Room(room_id) => self.0.execute(
                "update file set dirty = 1
                  where path between 'rooms/' || (select directory from room where room_id = ?1) || '/'
                                 and 'rooms/' || (select directory from room where room_id = ?1) || '/~'",
                [room_id],
            )?,
            Transcripts::Day(day) => {
                self.0.execute("update file set dirty = 1 where path like '%/' || ?1 || '.jsonl'", [day])?
            }
        };
        self.0.execute(
            "update room set dirty = 1 where ?1 is null or room_id = ?1",
            [match which {
                Transcripts::Room(room_id) => Some(room_id),
                _ => None,
            }],
        )?;
        Ok(marked)
    }
}

impl Catalog {
    /// Whether transcripts show what redacted messages said.
    pub fn shows_redacted(&self) -> Result<bool, Error> {
        let sql = "select exists (select 1 from setting where name = 'show_redacted' and value)";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// Some of the stale room-days, room by room.
    pub(super) fn stale_days(&self) -> Result<Vec<Stale>, Error> {
        let sql = "select path, room_id, events from file
                     join room on directory = substr(path, 7, instr(substr(path, 7), '/') - 1)
                    where file.dirty order by path limit ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![signed(AT_ONCE as u64)], |row| {
            Ok(Stale { path: row.get(0)?, room_id: row.get(1)?, events: row.get(2)? })
        })?;
        let stale = rows.collect::<Result<Vec<Stale>, _>>()?;
        stale.iter().try_for_each(|stale| layout::checked_day(&stale.room_id, &stale.path).map(drop))?;
        Ok(stale)
    }

    /// The days of a room, the oldest first, `undated` last.
    pub(super) fn days_of(&self, room_id: &str) -> Result<BTreeSet<String>, Error> {
        let mut statement = self.connection.prepare_cached(
            "select path from file
              where path between 'rooms/' || (select directory from room where room_id = ?1) || '/'
                             and 'rooms/' || (select directory from room where room_id = ?1) || '/~'",
        )?;
        let paths = statement.query_map([room_id], |row| row.get::<_, String>(0))?;
        paths.map(|path| Ok(layout::checked_day(room_id, &path?)?.to_owned())).collect()
    }
}
