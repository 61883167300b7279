//! What a server has against what its archive has: each of the server's events is looked up, and what of the archive was not met the
//! server has no more.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::catalog::key;
use super::super::{Catalog, Error, Selection, lines};
use crate::event::Event;
use crate::stream::{Position, Scope, Stream};

/// How many events are named, and rooms told apart.
const NAMED: usize = 20;
const ROOMS: usize = 1_000;
/// After how many events the temporary database is committed.
const AT_ONCE: u64 = 100_000;

/// What of a room is not alike.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct InRoom {
    /// On the server, and not archived, for no reason that is known.
    pub(crate) missing: u64,
    /// Archived, and on the server no more.
    pub(crate) purged: u64,
    /// Pruned by the server since.
    pub(crate) pruned: u64,
    /// With another text on the server.
    pub(crate) differs: u64,
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
    pub(crate) all: InRoom,
    /// Each room where something is not alike, the first of them.
    pub(crate) rooms: BTreeMap<String, InRoom>,
    /// The first events that are missing: event id, room id.
    pub(crate) missing: Vec<(String, String)>,
}

impl Compared {
    fn in_room(&mut self, room_id: &str, count: impl Fn(&mut InRoom)) {
        count(&mut self.all);
        if self.rooms.len() < ROOMS || self.rooms.contains_key(room_id) {
            count(self.rooms.entry(room_id.to_owned()).or_default());
        }
    }
}

/// A comparison that goes on.
pub(crate) struct Matching {
    archive: PathBuf,
    catalog: Catalog,
    room_id: Option<String>,
    selection: Selection,
    left_out: BTreeSet<String>,
    /// The lines that were there when it began.
    last_line: i64,
    met: Connection,
    _file: tempfile::NamedTempFile,
    taken: u64,
    compared: Compared,
}

impl Matching {
    /// Begins one, of one room or all of them.
    pub(crate) fn begin(archive: &Path, directory: Option<&Path>, room_id: Option<&str>) -> Result<Matching, Error> {
        let catalog = Catalog::open_to_search(archive, directory)?;
        let place = std::env::temp_dir();
        let file = tempfile::Builder::new().prefix("synapse-export-verify.").tempfile_in(&place);
        let file = file.map_err(Error::io("make a temporary file in", &place))?;
        let met = Connection::open(file.path())?;
        met.execute_batch(
            "pragma journal_mode = off; pragma synchronous = off; pragma cache_size = -8192;
             create table met (line integer primary key); begin",
        )?;
        let last_line =
            catalog.connection.query_row("select coalesce(max(line), 0) from line", [], |row| row.get(0))?;
        let (selection, left_out) = (catalog.selection()?, catalog.left_out()?);
        Ok(Matching {
            archive: archive.to_owned(),
            catalog,
            room_id: room_id.map(str::to_owned),
            selection,
            left_out,
            last_line,
            met,
            _file: file,
            taken: 0,
            compared: Compared::default(),
        })
    }

    /// The catalog, as it is looked at.
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Takes an id of the server's that stands for nothing that an archive takes.
    pub(crate) fn other(&mut self) {
        self.compared.outliers += 1;
    }

    /// Takes an event of the server's, and where it was found.
    pub(crate) fn event(&mut self, event: &Event, stream: Stream, position: Position) -> Result<(), Error> {
        self.taken += 1;
        if self.taken.is_multiple_of(AT_ONCE) {
            self.met.execute_batch("commit; begin")?;
        }
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
        let is_first = self.met.prepare_cached("insert or ignore into met (line) values (?1)")?.execute([line])? == 1;
        if !is_first {
            return Ok(());
        }
        self.compared.archived += 1;
        // one that is not where the catalog says is told by who reads all lines
        let text = lines::read(&self.archive, &path, start, length).ok();
        let Some(archived) = text.and_then(|text| Event::from_line(&text, &day).ok()) else { return Ok(()) };
        if archived.erased.is_none() && archived.compare_text(event) != Ordering::Equal {
            let is_pruned = event.censored && !archived.censored;
            self.compared.in_room(&event.room_id, |room| {
                let count = if is_pruned { &mut room.pruned } else { &mut room.differs };
                *count += 1;
            });
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
            self.compared.left_out += 1;
            return Ok(());
        }
        if self.catalog.is_waiting(&event.event_id)? {
            self.compared.waiting += 1;
            return Ok(());
        }
        if self.catalog.has_tombstone(&event.event_id)? {
            self.compared.erased += 1;
            return Ok(());
        }
        let scope = if include.is_empty() { Scope::Server } else { Scope::Room(room_id.clone()) };
        let watermark = self.catalog.watermark(scope.key(), stream)?;
        let is_behind = watermark.is_none_or(|watermark| position > watermark.position);
        let mut is_to_come = is_behind;
        if !is_to_come {
            let gaps = self.catalog.gaps(scope.key(), stream)?;
            is_to_come = gaps.iter().any(|gap| gap.first <= position && position <= gap.last);
        }
        if is_to_come {
            self.compared.to_come += 1;
            return Ok(());
        }
        if self.compared.missing.len() < NAMED {
            self.compared.missing.push((event.event_id.clone(), room_id.clone()));
        }
        self.compared.in_room(room_id, |room| room.missing += 1);
        Ok(())
    }

    /// All of the server's events have been taken.
    pub(crate) fn end(mut self) -> Result<Compared, Error> {
        self.met.execute_batch("commit")?;
        let sql = "select line, room_id from line join file using (file) join room using (room)
                    where line <= ?1 and room_id = coalesce(?2, room_id) order by line";
        let mut statement = self.catalog.connection.prepare(sql)?;
        let mut lines = statement.query(params![self.last_line, self.room_id])?;
        let mut statement = self.met.prepare("select line from met order by line")?;
        let mut met = statement.query([])?;
        let mut next: Option<i64> = met.next()?.map(|row| row.get(0)).transpose()?;
        while let Some(row) = lines.next()? {
            let line: i64 = row.get(0)?;
            while next.is_some_and(|next| next < line) {
                next = met.next()?.map(|row| row.get(0)).transpose()?;
            }
            if next != Some(line) {
                let room_id: String = row.get(1)?;
                self.compared.in_room(&room_id, |room| room.purged += 1);
            }
        }
        Ok(self.compared)
    }
}
