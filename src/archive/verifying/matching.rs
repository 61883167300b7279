//! What a server has against what its archive has: each of the server's events is looked up, and what of the archive was not met the
//! server has no more.
//!
//! What was found so far, and how far that is, is in a database of its own: a temporary one, or a file that is gone on with another time.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::catalog::key;
use super::super::writing::signed;
use super::super::{Catalog, Error, Selection, lines};
use crate::event::{Event, OwnedEventId, OwnedRoomId, RoomId};
use crate::stream::{Position, Scope, Stream};

/// How many events are named.
const NAMED: usize = 20;
/// How many room-days are told apart.
const DAYS: i64 = 10_000;
/// After how many events what was found is committed.
const AT_ONCE: u64 = 20_000;
/// What is kept. `begun`: of which room, up to which line of the archive, and which rebuild of its catalog had numbered these.
const TABLES: &str = "
    create table if not exists begun (room_id text, last_line integer not null, rebuilt integer not null);
    create table if not exists met (line integer primary key);
    create table if not exists done (stream text primary key, position integer not null);
    create table if not exists count (what text primary key, events integer not null);
    create table if not exists missing (event_id text primary key, room_id text not null);
    create table if not exists of_day (room_id text, day text, missing integer not null default 0, purged integer not null default 0,
                                       pruned integer not null default 0, differs integer not null default 0, primary key (room_id, day));";

/// What of a room, or of a day of it, is not alike.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RoomDifferences {
    /// On the server, and not archived, for no reason that is known.
    pub(crate) missing: u64,
    /// Archived, and on the server no more.
    pub(crate) purged: u64,
    /// Pruned by the server since.
    pub(crate) pruned: u64,
    /// With another text on the server.
    pub(crate) differs: u64,
}

impl std::ops::AddAssign for RoomDifferences {
    fn add_assign(&mut self, other: RoomDifferences) {
        self.missing += other.missing;
        self.purged += other.purged;
        self.pruned += other.pruned;
        self.differs += other.differs;
    }
}

/// What a comparison found.
#[derive(Default)]
pub(crate) struct Compared {
    /// Events of the server's that the archive has.
    pub(crate) archived: u64,
    /// What no archive takes: outliers that no purge has left behind, ids that stand for nothing else.
    pub(crate) outliers: u64,
    /// Of rooms that are not exported.
    pub(crate) left_out: u64,
    /// Not read yet: behind a watermark, or in a gap that is still looked into.
    pub(crate) to_come: u64,
    /// Erased here, with all of it.
    pub(crate) erased: u64,
    /// Without a row in `event_json`, for which an export waits.
    pub(crate) waiting: u64,
    /// All of the rooms.
    pub(crate) all: RoomDifferences,
    /// Each room-day where something is not alike, the first of them.
    pub(crate) days: Vec<(OwnedRoomId, String, RoomDifferences)>,
    /// The first events that are missing.
    pub(crate) missing: Vec<(OwnedEventId, OwnedRoomId)>,
}

/// A comparison that goes on.
pub(crate) struct Matching {
    archive: PathBuf,
    catalog: Catalog,
    room_id: Option<String>,
    selection: Selection,
    left_out: BTreeSet<OwnedRoomId>,
    /// The lines that were there when it began.
    last_line: i64,
    /// What was found so far.
    found: Connection,
    _file: Option<tempfile::NamedTempFile>,
    taken: u64,
}

impl Matching {
    /// Begins one, of one room or all of them, or goes on with that which `progress` has, if it is of this archive as it is numbered now.
    pub(crate) fn begin(
        archive: &Path,
        directory: Option<&Path>,
        room_id: Option<&str>,
        progress: Option<&Path>,
    ) -> Result<Matching, Error> {
        let catalog = Catalog::open_to_search(archive, directory)?;
        let (path, file) = if let Some(path) = progress {
            (path.to_owned(), None)
        } else {
            let place = std::env::temp_dir();
            let file = tempfile::Builder::new().prefix("synapse-export-verify.").tempfile_in(&place);
            let file = file.map_err(Error::io("make a temporary file in", &place))?;
            (file.path().to_owned(), Some(file))
        };
        let found = Connection::open(&path)?;
        found.execute_batch(if file.is_some() {
            "pragma journal_mode = off; pragma synchronous = off; pragma cache_size = -8192"
        } else {
            "pragma journal_mode = delete; pragma synchronous = full; pragma cache_size = -8192"
        })?;
        found.execute_batch(TABLES)?;
        let last_line: i64 =
            catalog.connection.query_row("select coalesce(max(line), 0) from line", [], |row| row.get(0))?;
        let sql = "select coalesce(max(run), 0) from run where outcome = 'rebuilt'";
        let rebuilt: i64 = catalog.connection.query_row(sql, [], |row| row.get(0))?;
        let known = found.query_row(
            "select last_line from begun where room_id is ?1 and rebuilt = ?2",
            params![room_id, rebuilt],
            |row| row.get(0),
        );
        let last_line = if let Some(known) = known.optional()? {
            known
        } else {
            found.execute_batch(
                    "delete from begun; delete from met; delete from done; delete from count; delete from missing; delete from of_day",
                )?;
            found.execute(
                "insert into begun (room_id, last_line, rebuilt) values (?1, ?2, ?3)",
                params![room_id, last_line, rebuilt],
            )?;
            last_line
        };
        found.execute_batch("begin")?;
        let (selection, left_out) = (catalog.selection()?, catalog.left_out()?);
        let room_id = room_id.map(str::to_owned);
        let archive = archive.to_owned();
        Ok(Matching { archive, catalog, room_id, selection, left_out, last_line, found, _file: file, taken: 0 })
    }

    /// Up to which position a stream was compared before.
    pub(crate) fn done(&self, stream: Stream) -> Result<Option<Position>, Error> {
        let sql = "select position from done where stream = ?1";
        let position = self.found.query_row(sql, [stream.to_string()], |row| row.get::<_, i64>(0)).optional()?;
        Ok(position.map(|position| Position(position.unsigned_abs())))
    }

    /// A stream was compared up to a position.
    pub(crate) fn is_done(&mut self, stream: Stream, position: Position) -> Result<(), Error> {
        let sql = "replace into done (stream, position) values (?1, ?2)";
        self.found.prepare_cached(sql)?.execute(params![stream.to_string(), signed(position.0)])?;
        if self.taken >= AT_ONCE {
            self.taken = 0;
            self.found.execute_batch("commit; begin")?;
        }
        Ok(())
    }

    /// Keeps what was found so far, to go on with another time.
    pub(crate) fn pause(self) -> Result<(), Error> {
        Ok(self.found.execute_batch("commit")?)
    }

    fn count(&self, what: &str) -> Result<(), Error> {
        let sql =
            "insert into count (what, events) values (?1, 1) on conflict (what) do update set events = events + 1";
        self.found.prepare_cached(sql)?.execute([what])?;
        Ok(())
    }

    /// Counts an event of a room-day in a column of `of_day`.
    fn count_in(&self, room: RoomId<'_>, day: &str, column: &str) -> Result<(), Error> {
        let sql = format!(
            "insert into of_day (room_id, day, {column}) values (?1, ?2, 1) on conflict (room_id, day) do update set {column} = {column} + 1"
        );
        self.found.prepare_cached(&sql)?.execute([&*room, day])?;
        Ok(())
    }

    /// The catalog, as it is looked at.
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Takes an id of the server's that stands for nothing that an archive takes.
    pub(crate) fn other(&mut self) -> Result<(), Error> {
        self.taken += 1;
        self.count("outliers")
    }

    /// Takes an event of the server's, and where it was found.
    pub(crate) fn event(&mut self, event: &Event, stream: Stream, position: Position) -> Result<(), Error> {
        self.taken += 1;
        let sql = concat!(
            "select line, 'rooms/' || directory || '/' || day || '.jsonl', day, start, length
               from line join file using (file) join room using (room) where id_key = ",
            key!("?1"),
            " and event_id = ?1"
        );
        let found = self.catalog.connection.prepare_cached(sql)?.query_row([&event.event_id], |row| {
            let number = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?, number(3)?, number(4)?))
        });
        let Some((line, path, day, start, length)) = found.optional()? else {
            return self.absent(event, stream, position);
        };
        let is_first = self.found.prepare_cached("insert or ignore into met (line) values (?1)")?.execute([line])? == 1;
        if !is_first {
            return Ok(());
        }
        self.count("archived")?;
        // one that is not where the catalog says is told by who reads all lines
        let text = lines::read(&self.archive, &path, start, length).ok();
        let Some(archived) = text.and_then(|text| Event::from_line(&text, &day).ok()) else { return Ok(()) };
        if archived.erased.is_none() && archived.compare_text(event) != Ordering::Equal {
            let is_pruned = event.censored && !archived.censored;
            self.count_in(event.room(), &day, if is_pruned { "pruned" } else { "differs" })?;
        }
        Ok(())
    }

    /// An event that is not archived, and why.
    fn absent(&mut self, event: &Event, stream: Stream, position: Position) -> Result<(), Error> {
        let Selection { include, exclude } = &self.selection;
        let room_id = &event.room_id;
        let is_left_out = exclude.contains(room_id)
            || self.left_out.contains(room_id)
            || !include.is_empty() && !include.contains(room_id);
        if is_left_out {
            return self.count("left_out");
        }
        if self.catalog.is_waiting(event.id())? {
            return self.count("waiting");
        }
        if self.catalog.has_tombstone(event.id())? {
            return self.count("erased");
        }
        let scope = if include.is_empty() { Scope::Server } else { Scope::Room(room_id.clone()) };
        let watermark = self.catalog.watermark(&scope, stream)?;
        let is_behind = watermark.is_none_or(|watermark| position > watermark.position);
        let mut is_to_come = is_behind;
        if !is_to_come {
            let gaps = self.catalog.gaps(&scope, stream)?;
            is_to_come = gaps.iter().any(|gap| gap.first <= position && position <= gap.last);
        }
        if is_to_come {
            return self.count("to_come");
        }
        let sql = "insert or ignore into missing (event_id, room_id) values (?1, ?2)";
        if self.found.prepare_cached(sql)?.execute(params![event.event_id, room_id])? == 1 {
            self.count_in(event.room(), &event.day.to_string(), "missing")?;
        }
        Ok(())
    }

    /// All of the server's events have been taken. What was found is kept no longer.
    pub(crate) fn end(self) -> Result<Compared, Error> {
        self.count_purged()?;
        let mut compared = Compared::default();
        let mut statement = self.found.prepare("select what, events from count")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (what, events): (String, i64) = (row.get(0)?, row.get(1)?);
            let count = match &*what {
                "archived" => &mut compared.archived,
                "outliers" => &mut compared.outliers,
                "left_out" => &mut compared.left_out,
                "to_come" => &mut compared.to_come,
                "erased" => &mut compared.erased,
                _ => &mut compared.waiting,
            };
            *count = events.unsigned_abs();
        }
        let in_room = |row: &rusqlite::Row<'_>, from: usize| {
            let count = |nth| row.get::<_, i64>(from + nth).map(i64::unsigned_abs);
            Ok(RoomDifferences { missing: count(0)?, purged: count(1)?, pruned: count(2)?, differs: count(3)? })
        };
        let sums =
            ["missing", "purged", "pruned", "differs"].map(|column| format!("coalesce(sum({column}), 0)")).join(", ");
        compared.all = self.found.query_row(&format!("select {sums} from of_day"), [], |row| in_room(row, 0))?;
        let sql = "select room_id, day, missing, purged, pruned, differs from of_day order by room_id, day limit ?1";
        let mut statement = self.found.prepare(sql)?;
        let days = statement.query_map([DAYS], |row| Ok((row.get(0)?, row.get(1)?, in_room(row, 2)?)))?;
        compared.days = days.collect::<Result<_, _>>()?;
        let mut statement = self.found.prepare("select event_id, room_id from missing order by rowid limit ?1")?;
        let missing = statement.query_map([signed(NAMED as u64)], |row| Ok((row.get(0)?, row.get(1)?)))?;
        compared.missing = missing.collect::<Result<_, _>>()?;
        self.found.execute_batch("delete from begun; commit")?;
        Ok(compared)
    }

    /// Counts the lines that the server has no events of any more.
    fn count_purged(&self) -> Result<(), Error> {
        let sql = "select line, room_id, day from line join file using (file) join room using (room)
                    where line <= ?1 and room_id = coalesce(?2, room_id) order by line";
        let mut statement = self.catalog.connection.prepare(sql)?;
        let mut lines = statement.query(params![self.last_line, self.room_id])?;
        let mut statement = self.found.prepare("select line from met order by line")?;
        let mut met = statement.query([])?;
        let mut next: Option<i64> = met.next()?.map(|row| row.get(0)).transpose()?;
        while let Some(row) = lines.next()? {
            let line: i64 = row.get(0)?;
            while next.is_some_and(|next| next < line) {
                next = met.next()?.map(|row| row.get(0)).transpose()?;
            }
            if next != Some(line) {
                self.count_in(row.get::<_, OwnedRoomId>(1)?.borrowed(), &row.get::<_, String>(2)?, "purged")?;
            }
        }
        Ok(())
    }
}
