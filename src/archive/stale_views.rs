//! What is stale of the views: which room-days and rooms are to be rendered, as the catalog keeps it, whoever asks or tells.
//! What makes them so when events come is said in `stale`; renders nothing.

use rusqlite::params;

use super::view_state::ViewState;
use super::writing::{Writing, signed};
use super::{Archive, Catalog, Error, layout};

/// Which transcripts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transcripts {
    /// Every one.
    All,
    /// Those of a room.
    Room(String),
    /// Those of a day, `2026-11-22` or `undated`.
    Day(String),
}

/// A room-day whose transcript is stale.
#[derive(Clone, Debug)]
pub(crate) struct StaleDay {
    /// Its file of lines, below the archive.
    pub(crate) path: String,
    pub(crate) room_id: String,
    pub(crate) events: i64,
}

impl StaleDay {
    /// The path that its views have, but for what they end in.
    pub(crate) fn stem(&self) -> &str {
        self.path.trim_end_matches(".jsonl")
    }

    pub(crate) fn day(&self) -> &str {
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
    /// Whether any transcript was ever rendered.
    pub fn has_transcripts(&self) -> Result<bool, Error> {
        Ok(self
            .connection
            .query_row("select exists (select 1 from room where name is not null)", [], |row| row.get(0))?)
    }

    /// How many transcripts are not as the events say.
    pub fn stale_transcripts(&self) -> Result<u64, Error> {
        let sql = "select count(*) from file where dirty";
        Ok(self.connection.query_row(sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs())
    }

    /// Whether transcripts show what redacted messages said.
    pub fn shows_redacted(&self) -> Result<bool, Error> {
        let sql = "select exists (select 1 from setting where name = 'show_redacted' and value)";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// At most `most` of the stale room-days, room by room.
    pub(crate) fn stale_days(&self, most: usize) -> Result<Vec<StaleDay>, Error> {
        let sql = "select path, room_id, events from file
                     join room on directory = substr(path, 7, instr(substr(path, 7), '/') - 1)
                    where file.dirty order by path limit ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![signed(most as u64)], |row| {
            Ok(StaleDay { path: row.get(0)?, room_id: row.get(1)?, events: row.get(2)? })
        })?;
        let stale = rows.collect::<Result<Vec<StaleDay>, _>>()?;
        stale.iter().try_for_each(|stale| layout::checked_day(&stale.room_id, &stale.path).map(drop))?;
        Ok(stale)
    }

    /// The rooms whose indexes are stale.
    pub(crate) fn stale_rooms(&self) -> Result<Vec<String>, Error> {
        let mut statement = self.connection.prepare("select room_id from room where dirty")?;
        Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// Whether some room has no link by its name.
    pub(crate) fn lacks_links(&self) -> Result<bool, Error> {
        let sql = "select exists (select 1 from room where by_name is not null and link is null)";
        Ok(self.connection.query_row(sql, [], |row| row.get::<_, bool>(0))?)
    }
}

impl Archive {
    /// Says that transcripts have to be rendered anew; how many.
    pub fn mark(&mut self, which: &Transcripts) -> Result<usize, Error> {
        let writing = self.catalog.write()?;
        let marked = writing.mark(which)?;
        writing.commit()?;
        Ok(marked)
    }

    /// Remembers whether transcripts show what redacted messages said.
    pub fn show_redacted(&mut self, show: bool) -> Result<(), Error> {
        if self.catalog.shows_redacted()? != show {
            let writing = self.catalog.write()?;
            writing.0.execute("replace into setting (name, value) values ('show_redacted', ?1)", [show])?;
            writing.mark(&Transcripts::All)?;
            writing.commit()?;
        }
        Ok(())
    }

    /// Begins to tell the catalog what was rendered, or is gone.
    pub(crate) fn view_state(&mut self) -> Result<ViewState<'_>, Error> {
        Ok(ViewState(self.catalog.write()?))
    }
}
