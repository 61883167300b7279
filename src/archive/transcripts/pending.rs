//! Which transcripts are to be rendered, as the catalog keeps it.

use std::collections::BTreeSet;

use rusqlite::params;

use super::super::layout::{self, DayName};
use super::super::writing::{Writing, signed};
use super::super::{Catalog, Error};
use super::{AT_ONCE, Transcripts};

/// A room-day whose transcript is stale.
#[derive(Clone, Debug)]
pub(super) struct Stale {
    /// Its file of lines, below the archive.
    pub(super) path: String,
    pub(super) room_id: String,
    pub(super) events: i64,
    pub(super) file: i64,
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
        let mark = "insert into stale (view, file) select 'markdown', file from file";
        let again = "on conflict do nothing";
        let marked = match which {
            Transcripts::All => {
                self.0.execute("update room set link = null", [])?;
                self.0.execute("delete from stale where view = 'markdown'", [])?;
                self.0.execute(mark, [])?
            }
            Transcripts::Room(room_id) => {
                let of_room = "room = (select room from room where room_id = ?1)";
                self.0.execute(&format!("{mark} where {of_room} {again}"), [room_id])?;
                self.files_with(of_room, room_id)?
            }
            Transcripts::Day(day) => {
                self.0.execute(&format!("{mark} where day = ?1 {again}"), [day])?;
                self.files_with("day = ?1", day)?
            }
        };
        self.0.execute(
            "update room set dirty = 1 where has_lines and (?1 is null or room_id = ?1)",
            [match which {
                Transcripts::Room(room_id) => Some(room_id),
                _ => None,
            }],
        )?;
        Ok(marked)
    }

    fn files_with(&self, which: &str, value: &str) -> Result<usize, Error> {
        let sql = format!("select count(*) from file where {which}");
        let files: i64 = self.0.query_row(&sql, [value], |row| row.get(0))?;
        Ok(usize::try_from(files).unwrap_or(usize::MAX))
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
        let sql = "select directory, day, room_id, events, stale.file
                     from stale cross join file using (file) join room using (room)
                    where view = 'markdown' order by room, day limit ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![signed(AT_ONCE as u64)], |row| {
            let (directory, day): (String, DayName) = (row.get(0)?, row.get(1)?);
            let path = format!("rooms/{directory}/{}.jsonl", day.0);
            Ok((directory, Stale { path, room_id: row.get(2)?, events: row.get(3)?, file: row.get(4)? }))
        })?;
        let check =
            |(directory, stale): (String, Stale)| layout::checked_directory(&stale.room_id, &directory).map(|_| stale);
        rows.map(|row| check(row?)).collect()
    }

    /// The days of a room, the oldest first, `undated` last.
    pub(super) fn days_of(&self, room_id: &str) -> Result<BTreeSet<String>, Error> {
        let sql = "select day from file where room = (select room from room where room_id = ?1)";
        let mut statement = self.connection.prepare_cached(sql)?;
        let days = statement.query_map([room_id], |row| row.get::<_, DayName>(0))?;
        days.map(|day| Ok(day?.0)).collect()
    }
}
