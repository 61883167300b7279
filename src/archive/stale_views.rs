//! What is stale of the views: which room-days and rooms are to be rendered, as the catalog keeps it, whoever asks or tells.
//! What makes them so when events come is said in `stale`; renders nothing.

use rusqlite::{OptionalExtension as _, params};

use super::layout::DayName;
use super::view_state::ViewState;
use super::writing::{Writing, signed};
use super::{Archive, Catalog, Error, layout};
use crate::document::time::Zone;

const TIMEZONE: &str = "timezone";
const HTML: &str = "html";

/// Says of every file of lines that its transcript is to be rendered anew.
pub(super) const MARK: &str = "insert or ignore into stale (view, file) select 'markdown', file from file";

/// Whether there are pages in HTML beside transcripts, which are stale with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HtmlPages {
    /// There never were.
    Never,
    /// There were, so that some may be there.
    NoMore,
    /// There are.
    Kept,
}

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
    /// The number of its file of lines.
    pub(super) number: i64,
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
                self.0.execute("delete from stale where view = 'markdown'", [])?;
                self.0.execute(MARK, [])?
            }
            Transcripts::Room(room_id) => {
                let of_room = "room = (select room from room where room_id = ?1)";
                self.0.execute(&format!("{MARK} where {of_room}"), [room_id])?;
                self.files_with(of_room, room_id)?
            }
            Transcripts::Day(day) => {
                self.0.execute(&format!("{MARK} where day = ?1"), [day])?;
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
    /// Whether any transcript was ever rendered.
    pub fn has_transcripts(&self) -> Result<bool, Error> {
        Ok(self
            .connection
            .query_row("select exists (select 1 from room where name is not null)", [], |row| row.get(0))?)
    }

    /// How many transcripts are not as the events say.
    pub fn stale_transcripts(&self) -> Result<u64, Error> {
        let sql = "select count(*) from stale where view = 'markdown'";
        Ok(self.connection.query_row(sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs())
    }

    /// Whether transcripts show what redacted messages said.
    pub fn shows_redacted(&self) -> Result<bool, Error> {
        self.is_set("show_redacted")
    }

    /// The time zone that transcripts show times of.
    pub fn zone(&self) -> Result<Zone, Error> {
        match self.setting::<String>(TIMEZONE)? {
            Some(name) => name.parse().map_err(|_| Error::Altered(format!("a time zone {name:?}"))),
            None => Ok(Zone::default()),
        }
    }

    /// Whether there are pages in HTML beside transcripts.
    pub(crate) fn html(&self) -> Result<HtmlPages, Error> {
        Ok(match self.setting(HTML)? {
            None => HtmlPages::Never,
            Some(false) => HtmlPages::NoMore,
            Some(true) => HtmlPages::Kept,
        })
    }

    /// Puts the room-days that are stale by now in order, room by room, for [`Catalog::stale_days`]; how many.
    pub(crate) fn order_stale_days(&self) -> Result<u64, Error> {
        self.connection.execute_batch(
            "drop table if exists temp.to_render;
             create temp table to_render (place integer primary key, file integer not null);",
        )?;
        let sql = "insert into temp.to_render (file)
                   select stale.file from stale cross join file using (file) join room using (room)
                    where view = 'markdown' order by room, day";
        Ok(self.connection.execute(sql, [])? as u64)
    }

    /// At most `most` of the stale room-days in their order, behind the first `taken`.
    pub(crate) fn stale_days(&self, taken: u64, most: usize) -> Result<Vec<StaleDay>, Error> {
        let sql = "select directory, day, room_id, events, file
                     from temp.to_render cross join file using (file) join room using (room)
                    where place > ?1 order by place limit ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![signed(taken), signed(most as u64)], read_day)?;
        rows.map(|row| check_day(row?)).collect()
    }

    /// At most `most` room-days that are rendered as this version does it, and as the events say, whose files of lines have the
    /// lowest numbers behind one; the number of the last.
    pub(crate) fn fresh_days(
        &self,
        version: i64,
        last: i64,
        most: usize,
    ) -> Result<(Vec<StaleDay>, Option<i64>), Error> {
        let sql = "select directory, day, room_id, events, file
                     from (select * from file
                            where file > ?1 and file < (select coalesce(next, ?4) from rendering where view = 'markdown' and version = ?3)
                              and not exists (select 1 from stale where view = 'markdown' and stale.file = file.file)
                            order by file limit ?2)
                     join room using (room)";
        let mut statement = self.connection.prepare_cached(sql)?;
        let days = statement.query_map(params![last, signed(most as u64), version, i64::MAX], read_day)?;
        let days = days.map(|day| check_day(day?)).collect::<Result<Vec<_>, _>>()?;
        let last = days.iter().map(|day| day.number).max();
        Ok((days, last))
    }

    /// Whether a room-day is to be rendered by now, or is gone.
    pub(crate) fn is_stale(&self, day: &StaleDay) -> Result<bool, Error> {
        let sql = "select not exists (select 1 from file where file = ?1)
                       or exists (select 1 from stale where view = 'markdown' and file = ?1)";
        Ok(self.connection.prepare_cached(sql)?.query_row([day.number], |row| row.get(0))?)
    }

    /// At most `most` rooms whose indexes are as the events say, with the lowest ids behind one: an index goes with the transcripts of its
    /// room.
    pub(crate) fn fresh_rooms(&self, last: &str, most: usize) -> Result<Vec<String>, Error> {
        let sql = "select room_id from room
                    where has_lines and not dirty and room_id > ?1
                      and room not in (select room from stale cross join file using (file) where view = 'markdown')
                    order by room_id limit ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rooms = statement.query_map(params![last, signed(most as u64)], |row| row.get(0))?;
        Ok(rooms.collect::<Result<_, _>>()?)
    }

    /// Whether a room's index is to be made by now.
    pub(crate) fn is_room_stale(&self, room_id: &str) -> Result<bool, Error> {
        let sql = "select not exists (select 1 from room where room_id = ?1 and has_lines and not dirty)
                       or exists (select 1 from stale cross join file using (file) join room using (room)
                                   where view = 'markdown' and room_id = ?1)";
        Ok(self.connection.prepare_cached(sql)?.query_row([room_id], |row| row.get(0))?)
    }

    /// At most `most` rooms whose indexes are stale, with the lowest ids behind one.
    pub(crate) fn stale_rooms(&self, last: &str, most: usize) -> Result<Vec<String>, Error> {
        let sql = "select room_id from room where dirty and room_id > ?1 order by room_id limit ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rooms = statement.query_map(params![last, signed(most as u64)], |row| row.get(0))?;
        Ok(rooms.collect::<Result<_, _>>()?)
    }

    /// Whether some room has no link by its name.
    pub(crate) fn lacks_links(&self) -> Result<bool, Error> {
        let sql = "select exists (select 1 from room where by_name is not null and link is null)";
        Ok(self.connection.query_row(sql, [], |row| row.get::<_, bool>(0))?)
    }
}

/// A room-day, with its room's directory.
fn read_day(row: &rusqlite::Row<'_>) -> rusqlite::Result<(String, StaleDay)> {
    let (directory, day): (String, DayName) = (row.get(0)?, row.get(1)?);
    let path = format!("rooms/{directory}/{}.jsonl", day.0);
    Ok((directory, StaleDay { path, room_id: row.get(2)?, events: row.get(3)?, number: row.get(4)? }))
}

fn check_day((directory, day): (String, StaleDay)) -> Result<StaleDay, Error> {
    layout::checked_directory(&day.room_id, &directory).map(|_| day)
}

impl Archive {
    /// Says that transcripts have to be rendered anew; how many.
    pub fn mark(&mut self, which: &Transcripts) -> Result<usize, Error> {
        let writing = self.catalog.write()?;
        let marked = writing.mark(which)?;
        writing.commit()?;
        Ok(marked)
    }

    /// Says that transcripts which another version of the rendering made have to be rendered anew, `most` at most, others each
    /// time until none is left; without, all. How many.
    pub(crate) fn mark_old(&mut self, version: i64, most: Option<usize>) -> Result<usize, Error> {
        let sql = "select version, next from rendering where view = 'markdown'";
        let known = self.catalog.connection.query_row(sql, [], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)));
        let next: Option<i64> = match known.optional()? {
            // an export with nothing new writes nothing
            Some((known, None)) if known == version => return Ok(0),
            Some((known, next)) if known == version => next,
            None if !self.catalog.has_transcripts()? => None,
            _ => Some(0),
        };
        let writing = self.catalog.write()?;
        let (mut marked, mut last) = (0, None);
        if let Some(next) = next {
            let most = most.map_or(i64::MAX, |most| signed(most as u64));
            let mut some = writing.0.prepare("select file from file where file >= ?1 order by file limit ?2")?;
            let mut some = some.query(params![next, most])?;
            while let Some(row) = some.next()? {
                let file: i64 = row.get(0)?;
                writing.file_is_stale(file)?;
                marked += 1;
                last = (marked == most).then_some(file + 1);
            }
        }
        let sql = "replace into rendering (view, version, next) values ('markdown', ?1, ?2)";
        writing.0.execute(sql, params![version, last])?;
        writing.commit()?;
        Ok(usize::try_from(marked).unwrap_or(usize::MAX))
    }

    /// Remembers whether transcripts show what redacted messages said.
    pub fn show_redacted(&mut self, show: bool) -> Result<(), Error> {
        if self.catalog.shows_redacted()? != show {
            let writing = self.catalog.write()?;
            writing.set("show_redacted", show)?;
            writing.mark(&Transcripts::All)?;
            writing.commit()?;
        }
        Ok(())
    }

    /// Remembers the time zone that transcripts show times of.
    pub fn set_zone(&mut self, zone: Zone) -> Result<(), Error> {
        if self.catalog.zone()? != zone {
            let writing = self.catalog.write()?;
            writing.set(TIMEZONE, zone.to_string())?;
            writing.mark(&Transcripts::All)?;
            writing.commit()?;
        }
        Ok(())
    }

    /// Remembers whether there are pages in HTML too.
    pub(crate) fn keep_html(&mut self, keep: bool) -> Result<(), Error> {
        let before: Option<bool> = self.catalog.setting(HTML)?;
        if before.unwrap_or_default() != keep {
            let writing = self.catalog.write()?;
            writing.set(HTML, keep)?;
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
