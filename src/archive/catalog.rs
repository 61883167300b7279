//! The SQLite database that indexes an archive; `catalog.sql` documents its tables. Knows no file but its own.

mod opening;
mod still;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::lines::LineReader;
use super::lock::HeldLock;
use super::plaintexts::Plaintexts;
use super::state::StateFile;
use super::writing::Writing;
use super::{Error, LastRun, RunOutcome, indexes, layout};
use crate::event::{EventId, OwnedRoomId};
use crate::stream::{Gap, Gaps, Position, Scope, Stream, Watermark};
pub use opening::VERSION;
pub(super) use opening::was_endless;

/// What an index finds an event id by, as the columns `id_key` and their like have it, in SQL.
macro_rules! key {
    ($id:literal) => {
        concat!("case when instr(", $id, ", ':') then ", $id, " else substr(", $id, ", 2, 8) end")
    };
}
pub(super) use key;

/// What is exported, as remembered between runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Selection {
    /// Only these rooms; empty: all.
    pub include: BTreeSet<OwnedRoomId>,
    /// Not these.
    pub exclude: BTreeSet<OwnedRoomId>,
}

/// An open catalog.
pub struct Catalog {
    pub(super) connection: Connection,
    /// What has to be held for as long as it is written to.
    pub(super) guard: Option<Arc<HeldLock>>,
    /// What follows it, if it is that of an archive which is open to be written to.
    pub(super) state: Option<StateFile>,
    /// The lines that it is an index of, if they are read.
    pub(super) lines: Option<LineReader>,
    /// Other hosts may have its file system too.
    is_shared: bool,
    was_put_there: bool,
    /// What its encrypted events say, if that is to be told.
    pub(super) plaintexts: Option<Plaintexts>,
    /// What keeps an export from beginning while it is looked at as it is.
    _still: Option<fs::File>,
}

/// How long a run waits at its end for those who look, to have them see what is only in the log.
const WAITS_AT_THE_END: Duration = Duration::from_secs(1);

impl Drop for Catalog {
    /// Leaves nothing in the log of what this process has written, so that the one file is all of it for who copies it, or cannot
    /// read a log. Who looks just then may keep it from that; nothing is lost, and the next run does it.
    fn drop(&mut self) {
        if self.guard.as_ref().is_some_and(|held| held.check().is_ok()) {
            let _ = self.empty_log(WAITS_AT_THE_END);
        }
    }
}

impl Catalog {
    /// The directory of its file.
    pub(crate) fn directory(&self) -> Option<&Path> {
        Path::new(self.connection.path()?).parent()
    }

    /// Moves what is in the log to the catalog, and empties it; waits at most so long for those who look. False: in vain.
    pub(super) fn empty_log(&mut self, waits: Duration) -> Result<bool, Error> {
        self.connection.busy_timeout(waits)?;
        let is_busy = self.connection.query_row("pragma wal_checkpoint (truncate)", [], |row| row.get::<_, bool>(0));
        self.wait_for_others()?;
        Ok(!is_busy?)
    }

    /// Begins a transaction that writes; dropped, it leaves everything as it was.
    pub(super) fn write(&mut self) -> Result<Writing<'_>, Error> {
        self.guard.as_ref().map_or(Ok(()), |held| held.check())?;
        Writing::begin(&mut self.connection, self.state.as_mut())
    }

    /// At most `most` files with their lengths, others each time.
    pub(super) fn some_files(&self, most: i64) -> Result<Vec<(String, u64)>, Error> {
        let start = anywhere(&self.connection)?;
        let mut found = Vec::new();
        for which in ["file >= ?1", "file < ?1"] {
            let sql = format!(
                "select 'rooms/' || directory || '/' || day || '.jsonl', bytes from file join room using (room)
                  where {which} order by file limit ?2"
            );
            let mut statement = self.connection.prepare(&sql)?;
            let most = most - i64::try_from(found.len()).unwrap_or(most);
            let rows = statement.query_map(params![start, most], path_and_length)?;
            found.extend(rows.collect::<Result<Vec<_>, _>>()?);
        }
        Ok(found)
    }

    /// Shows every file, with its length.
    pub(super) fn each_file(&self, mut show: impl FnMut(&str, u64) -> Result<(), Error>) -> Result<(), Error> {
        let sql = "select 'rooms/' || directory || '/' || day || '.jsonl', bytes from file join room using (room)";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (path, bytes) = path_and_length(row)?;
            show(&path, bytes)?;
        }
        Ok(())
    }

    /// Up to where the first export reads either stream; none once it is done.
    pub fn first_export(&self) -> Result<Option<[Option<Position>; 2]>, Error> {
        let mut heads = [None, None];
        let mut statement = self.connection.prepare("select stream, head from first_export")?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
        let mut any = false;
        for row in rows {
            let (name, head) = row?;
            any = true;
            for (stream, found) in Stream::ALL.into_iter().zip(&mut heads) {
                if stream.name() == name {
                    *found = Some(position(head)).filter(|head| head.0 > 0);
                }
            }
        }
        Ok(any.then_some(heads))
    }

    /// Whether it is of a version before 9, which had events by their ids and files by their paths.
    pub(super) fn is_before_9(&self) -> Result<bool, Error> {
        let version: i64 = self.connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        Ok(version < 9)
    }

    /// Whether the indexes are there, without which nothing tells that an event is archived already.
    pub fn is_indexed(&self) -> Result<bool, Error> {
        indexes::are_made(&self.connection)
    }

    /// The files of a batch that was not finished, with the lengths they had before it.
    pub(super) fn intent(&self) -> Result<Vec<(String, u64)>, Error> {
        let mut statement = self.connection.prepare("select path, bytes from intent")?;
        Ok(statement.query_map([], path_and_length)?.collect::<Result<_, _>>()?)
    }

    /// How far a stream of a scope is archived.
    pub fn watermark(&self, scope: &Scope, stream: Stream) -> Result<Option<Watermark>, Error> {
        let sql = "select position, anchor, event_id from watermark where room_id = ?1 and stream = ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let found = statement.query_row(params![scope.key(), stream.name()], |row| {
            let anchor = row.get::<_, Option<i64>>(1)?.map(position).zip(row.get(2)?);
            Ok(Watermark { position: position(row.get(0)?), anchor })
        });
        Ok(found.optional()?)
    }

    /// When and by which run the watermark of a stream was last moved.
    pub fn watermark_moved(&self, scope: &Scope, stream: Stream) -> Result<Option<(String, i64)>, Error> {
        let sql = "select at, run from watermark where room_id = ?1 and stream = ?2";
        let found = self.connection.query_row(sql, params![scope.key(), stream.name()], |r| Ok((r.get(0)?, r.get(1)?)));
        Ok(found.optional()?)
    }

    /// The scopes that have a watermark.
    pub fn scopes(&self) -> Result<BTreeSet<Scope>, Error> {
        let mut statement = self.connection.prepare("select distinct room_id from watermark")?;
        let scope = |row: &Row<'_>| Ok(Scope::of_key(row.get_ref(0)?.as_str()?));
        Ok(statement.query_map([], scope)?.collect::<Result<_, _>>()?)
    }

    /// The gaps below a watermark.
    pub fn gaps(&self, scope: &Scope, stream: Stream) -> Result<Gaps, Error> {
        let sql = "select first, last, clock from gap where room_id = ?1 and stream = ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![scope.key(), stream.name()], |row| {
            Ok(Gap { first: position(row.get(0)?), last: position(row.get(1)?), clock: row.get(2)? })
        })?;
        let gaps = rows.collect::<Result<Vec<Gap>, _>>()?;
        match gaps.iter().find(|gap| gap.first > gap.last) {
            Some(gap) => Err(Error::Altered(format!("a gap from {} to {}", gap.first.0, gap.last.0))),
            None => Ok(gaps.into_iter().collect()),
        }
    }

    /// What the runs before this one were told to export.
    pub fn selection(&self) -> Result<Selection, Error> {
        let rooms = |mode: &str| {
            let mut statement = self.connection.prepare("select room_id from selection where mode = ?1")?;
            statement.query_map([mode], |row| row.get(0))?.collect::<Result<_, _>>()
        };
        Ok(Selection { include: rooms("include")?, exclude: rooms("exclude")? })
    }

    /// The rooms that the server's watermark has passed without archiving them.
    pub fn left_out(&self) -> Result<BTreeSet<OwnedRoomId>, Error> {
        let mut statement = self.connection.prepare("select room_id from left_out")?;
        Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// Whether an event is archived; without indexes it takes a look at every one.
    pub fn has_event(&self, event: EventId<'_>) -> Result<bool, Error> {
        let mut statement = self.connection.prepare_cached(concat!(
            "select exists (select 1 from line where id_key = ",
            key!("?1"),
            " and event_id = ?1)"
        ))?;
        Ok(statement.query_row([event], |row| row.get(0))?)
    }

    /// Whether an archived event is rejected; none if it is not archived.
    pub fn is_rejected(&self, event: EventId<'_>) -> Result<Option<bool>, Error> {
        let sql = concat!("select rejected from line where id_key = ", key!("?1"), " and event_id = ?1");
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row([event], |row| row.get(0)).optional()?)
    }

    /// Up to which id of Synapse's `un_partial_stated_event_stream` its new judgements are followed; none: from none on.
    pub fn rejudged(&self) -> Result<Option<i64>, Error> {
        Ok(self.connection.query_row("select position from rejudged", [], |row| row.get(0)).optional()?)
    }

    /// The next sticky events that were archived as soft-failed and may be accepted yet, after one of them, in order.
    pub fn sticky(&self, after: &str, most: u32) -> Result<Vec<String>, Error> {
        let sql = "select event_id from sticky where event_id > ?1 order by event_id limit ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_map(params![after, most], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// The server whose events these are, as far as it is known.
    pub fn server(&self) -> Result<Option<String>, Error> {
        Ok(self.connection.query_row("select name from server", [], |row| row.get(0)).optional()?)
    }

    /// Whether a room has events in the archive.
    pub fn has_room(&self, room_id: &str) -> Result<bool, Error> {
        let sql = "select exists (select 1 from room where room_id = ?1 and has_lines)";
        Ok(self.connection.query_row(sql, [room_id], |row| row.get(0))?)
    }

    /// The number of archived events.
    pub fn events(&self) -> Result<u64, Error> {
        let sql = "select coalesce(sum(live + backfill), 0) from run";
        Ok(self.connection.query_row(sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs())
    }

    /// The number of archived events of a stream.
    pub fn events_of(&self, stream: Stream) -> Result<u64, Error> {
        let sql = format!("select coalesce(sum({}), 0) from run", stream.name());
        Ok(self.connection.query_row(&sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs())
    }

    /// The last run.
    pub fn last_run(&self) -> Result<Option<LastRun>, Error> {
        let sql = "select run, started, finished, outcome, error from run order by run desc limit 1";
        let found = self.connection.query_row(sql, [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, String>(3)?, row.get(4)?))
        });
        let Some((run, started, finished, outcome, error)) = found.optional()? else { return Ok(None) };
        Ok(Some(LastRun { run, started, finished, outcome: RunOutcome::of(&outcome)?, error }))
    }

    /// When the last run began that came to its end, RFC 3339, UTC.
    pub fn last_complete_run(&self) -> Result<Option<String>, Error> {
        let sql = "select started from run where outcome in ('done', 'damaged') order by run desc limit 1";
        Ok(self.connection.query_row(sql, [], |row| row.get(0)).optional()?)
    }

    /// Whether a batch was not finished, or is being written.
    pub fn is_unfinished(&self) -> Result<bool, Error> {
        let sql = "select exists (select 1 from intent) or exists (select 1 from rewrite)";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// How many files of lines there are.
    pub fn count_files(&self) -> Result<u64, Error> {
        Ok(self.connection.query_row("select count(*) from file", [], |row| row.get::<_, i64>(0))?.unsigned_abs())
    }
}

/// The number of a file, another each time.
pub(super) fn anywhere(connection: &Connection) -> Result<i64, Error> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let last: i64 = connection.query_row("select coalesce(max(file), 0) from file", [], |row| row.get(0))?;
    Ok(i64::from(now.subsec_nanos()) % (last + 1))
}

/// A file of lines as the catalog knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct LinesFile {
    pub(super) number: i64,
    /// Its committed length.
    pub(super) bytes: u64,
    /// The last run that wrote to it.
    pub(super) run: i64,
}

/// A file by its path below the archive; none if the archive has no such file.
pub(super) fn file(connection: &Connection, path: &str) -> Result<Option<LinesFile>, Error> {
    let Some((directory, day)) = layout::parts(path) else { return Ok(None) };
    let sql = "select file, bytes, run from file
                where room = (select room from room where directory = ?1) and day = ?2";
    let found = connection.prepare_cached(sql)?.query_row([directory, day], |row| {
        Ok(LinesFile { number: row.get(0)?, bytes: row.get::<_, i64>(1)?.unsigned_abs(), run: row.get(2)? })
    });
    Ok(found.optional()?)
}

/// The committed length of a file, none if the archive has no such file.
pub(super) fn length(connection: &Connection, path: &str) -> Result<Option<u64>, Error> {
    Ok(file(connection, path)?.map(|file| file.bytes))
}

/// The same, also of a catalog before version 9, which has files by their paths.
pub(super) fn length_by_path(connection: &Connection, path: &str, is_before: bool) -> Result<Option<u64>, Error> {
    if !is_before {
        return length(connection, path);
    }
    let mut statement = connection.prepare_cached("select bytes from file where path = ?1")?;
    Ok(statement.query_row([path], |row| Ok(row.get::<_, i64>(0)?.unsigned_abs())).optional()?)
}

fn path_and_length(row: &rusqlite::Row<'_>) -> rusqlite::Result<(String, u64)> {
    Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
}

fn position(stored: i64) -> Position {
    Position(stored.unsigned_abs())
}
