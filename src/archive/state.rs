//! The state of an archive: what its catalog knows and its lines do not say, kept beside the lines in `state.jsonl`, so that a
//! catalog that is lost is made anew without reading the server again.
//!
//! The catalog is the truth while it is there; the file follows it, one commit after the other, and may lag behind it, never lead.
//! What is promised (what is exported, how it is shown) is on the disk before it takes effect. A file that does not follow its
//! catalog is written anew when the archive is opened. Never decides anything, and is not read while there is a catalog.

mod kinds;
mod record;
mod restoring;

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use rustix::fs::OFlags;
use serde_json::Value;

use super::opening::SELECTION;
use super::writing::{Writing, signed};
use super::{Catalog, Error, durable, inside};
use crate::event::Erased;
use kinds::{KINDS, RecordKind};
pub(super) use restoring::Restoring;

/// The file's name in the archive's directory.
pub(super) const NAME: &str = "state.jsonl";
/// What the names of those begin with that are to take its place.
const NEW: &str = ".state.";
/// The version of its records.
const FORMAT: u64 = 1;
/// In its first record: it has all events that are rejected or soft-failed, whatever their lines say.
const ALL_REFUSED: &str = "all_refused";
/// How much a file may have grown beyond twice what it was, in bytes, before it is written anew.
const SLACK: u64 = 1024 * 1024;
/// How much is gathered before it is written.
const WRITE_BYTES: usize = 256 * 1024;

/// The file of an archive's state, which follows its catalog.
pub(super) struct StateFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// Up to where it is on the disk.
    synced: u64,
    /// It could not be written to: the next one to open the archive writes it anew.
    is_broken: bool,
    /// It has all kinds of records: not before there are indexes, so that a first export is not slowed down. What is promised
    /// it has always.
    is_whole: bool,
}

/// How far the state follows, as the catalog remembers it.
struct StateProgress {
    archive: String,
    snapshot: String,
    bytes: u64,
    synced: u64,
    /// What it had when it was written anew.
    begun: u64,
    is_whole: bool,
}

impl Catalog {
    /// Lets the state follow the catalog from now on, and writes it anew if it does not. `indexed`: with all that it holds.
    pub(super) fn let_state_follow(&mut self, archive: &Path, indexed: bool) -> Result<(), Error> {
        if self.state.as_ref().is_some_and(|state| state.is_whole == indexed) {
            return Ok(());
        }
        let followed = followed(&self.connection)?.filter(|followed| followed.is_whole == indexed);
        let state = match followed.as_ref().map(|followed| followed.open(archive)).transpose()?.flatten() {
            Some(state) => state,
            None => self.write_state(archive, indexed, None)?,
        };
        for kind in KINDS.iter().filter(|kind| indexed || kind.is_promise) {
            kind.watch(&self.connection)?;
        }
        self.state = Some(state);
        Ok(())
    }

    /// Writes the state anew, without what it had said before.
    pub(super) fn renew_state(&mut self, archive: &Path) -> Result<(), Error> {
        let indexed = self.state.as_ref().is_none_or(|state| state.is_whole);
        self.state = Some(self.write_state(archive, indexed, None)?);
        Ok(())
    }

    /// Returns when the state is on the disk.
    pub(super) fn sync_state(&mut self) -> Result<(), Error> {
        self.state.as_mut().map_or(Ok(()), StateFile::sync)
    }

    /// Writes the state of an archive whose catalog this is, of a version before, unless that was done: for what takes that one's
    /// place.
    pub(super) fn leave_state(mut self, archive: &Path) -> Result<(), Error> {
        let writing = self.write()?;
        writing.0.execute_batch(
            "create table if not exists state (
                 archive text not null, snapshot text not null, bytes integer not null, synced integer not null,
                 begun integer not null, is_whole integer not null) strict",
        )?;
        let run: i64 = writing.0.query_row("select coalesce(max(run), 0) from run", [], |row| row.get(0))?;
        writing.commit()?;
        let is_left = |followed: StateProgress| -> Result<bool, Error> {
            Ok(followed.snapshot.ends_with(&format!("-{run}")) && followed.open(archive)?.is_some())
        };
        if !followed(&self.connection)?.map_or(Ok(false), is_left)? {
            self.write_state(archive, true, Some(run))?;
        }
        Ok(())
    }

    /// Writes the state anew; it takes the old one's place when it is on the disk.
    /// `before`: the catalog is of a version before, and this its last run.
    fn write_state(&mut self, archive: &Path, indexed: bool, before: Option<i64>) -> Result<StateFile, Error> {
        let path = archive.join(NAME);
        for name in durable::names(archive, "")?.iter().filter(|name| name.starts_with(NEW)) {
            durable::remove(archive, name)?;
        }
        self.state = None;
        let (readers, is_before_9) = (self.readers()?, self.is_before_9()?);
        let writing = self.write()?;
        let (own, mut snapshot) = (writing.archive_id()?, writing.chance()?);
        if let Some(run) = before {
            let _ = write!(snapshot, "-{run}");
        }
        let failed = || Error::io("write", &path);
        let mut new = tempfile::Builder::new().prefix(NEW).tempfile_in(archive).map_err(failed())?;
        readers.admit(new.as_file()).map_err(failed())?;
        let mut lines = Vec::new();
        let head = [("format", FORMAT.into()), ("archive", own.clone().into()), ("snapshot", snapshot.clone().into())];
        let head = head.map(|(key, value): (_, Value)| (key.to_owned(), value));
        let refused = is_before_9.then(|| (ALL_REFUSED.to_owned(), true.into()));
        record::push(&mut lines, &head.into_iter().chain(refused).collect()).map_err(failed())?;
        let mut bytes = 0;
        for kind in KINDS.iter().filter(|kind| indexed || kind.is_promise) {
            kind.each(&writing.0, is_before_9, |row| {
                push_set(&mut lines, kind, row).map_err(failed())?;
                if lines.len() >= WRITE_BYTES {
                    new.write_all(&lines).map_err(failed())?;
                    bytes += lines.len() as u64;
                    lines.clear();
                }
                Ok(())
            })?;
        }
        record::push_end(&mut lines).map_err(failed())?;
        bytes += lines.len() as u64;
        new.write_all(&lines).and_then(|()| new.as_file().sync_all()).map_err(failed())?;
        new.persist(&path).map_err(|error| failed()(error.error))?;
        durable::sync(archive)?;
        writing.0.execute("delete from state", [])?;
        let sql =
            "insert into state (archive, snapshot, bytes, synced, begun, is_whole) values (?1, ?2, ?3, ?3, ?3, ?4)";
        writing.0.execute(sql, params![own, snapshot, signed(bytes), indexed])?;
        writing.commit()?;
        // it was all that earlier versions kept
        durable::remove(archive, SELECTION)?;
        let file = append_to(archive).map_err(Error::io("open", &path))?;
        Ok(StateFile { path, file, bytes, synced: bytes, is_broken: false, is_whole: indexed })
    }
}

/// Lets the state follow what a table has that was made just now.
pub(super) fn watch(catalog: &Connection, kind: &str) -> Result<(), Error> {
    kinds::named(kind).map_or(Ok(()), |kind| kind.watch(catalog))
}

impl Writing<'_> {
    /// What tells an archive from others, also one whose catalog was never kept elsewhere.
    fn archive_id(&self) -> Result<String, Error> {
        let sql = "select coalesce((select id from archive), (select archive from state))";
        let known: Option<String> = self.0.query_row(sql, [], |row| row.get(0))?;
        known.map_or_else(|| self.chance(), Ok)
    }

    fn chance(&self) -> Result<String, Error> {
        Ok(self.0.query_row("select lower(hex(randomblob(16)))", [], |row| row.get(0))?)
    }
}

/// What tells an archive's state from others that were written anew; none: there is none.
pub(super) fn snapshot(archive: &Path) -> Result<Option<String>, Error> {
    let read = || -> io::Result<Option<String>> {
        let mut line = Vec::new();
        record::read(&mut BufReader::new(inside::read(archive, NAME)?), &mut line)?;
        let head = record::object(&line).unwrap_or_default();
        Ok(head.get("snapshot").and_then(Value::as_str).map(str::to_owned))
    };
    match read() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map_err(Error::io("read", &archive.join(NAME))),
    }
}

/// Goes through the tombstones that the state has: what they have in place of an event's id, and how much of it is erased. None:
/// there is no state.
pub(super) fn each_tombstone(
    archive: &Path,
    mut take: impl FnMut(&str, Erased) -> Result<(), Error>,
) -> Result<(), Error> {
    let path = archive.join(NAME);
    let failed = || Error::io("read", &path);
    let mut reader = match inside::read(archive, NAME) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => BufReader::new(opened.map_err(failed())?),
    };
    let mut line = Vec::new();
    loop {
        record::read(&mut reader, &mut line).map_err(failed())?;
        if line.is_empty() {
            return Ok(());
        }
        let object = record::object(&line).filter(|object| object.get("set").is_some_and(|kind| kind == "tombstone"));
        let text = |key: &str| object.as_ref()?.get(key)?.as_str();
        if let (Some(id), Some(how)) = (text("id"), text("kind").and_then(Erased::named)) {
            take(id, how)?;
        }
    }
}

impl Catalog {
    /// Which state is brought into it.
    pub(super) fn restored(&self) -> Result<Option<String>, Error> {
        Ok(followed(&self.connection)?.map(|followed| followed.snapshot))
    }
}

impl Writing<'_> {
    /// Says which state is to be brought into the catalog; it follows none yet.
    pub(super) fn restores(&self, snapshot: &str) -> Result<(), Error> {
        let sql = "insert into state (archive, snapshot, bytes, synced, begun, is_whole) values (?1, ?2, 0, 0, 0, 0)";
        self.0.execute(sql, [&self.archive_id()?, snapshot])?;
        Ok(())
    }
}

fn followed(catalog: &Connection) -> Result<Option<StateProgress>, Error> {
    let sql = "select archive, snapshot, bytes, synced, begun, is_whole from state";
    let number = |row: &rusqlite::Row<'_>, at| row.get::<_, i64>(at).map(i64::unsigned_abs);
    let followed = catalog.query_row(sql, [], |row| {
        let (bytes, synced, begun) = (number(row, 2)?, number(row, 3)?, number(row, 4)?);
        Ok(StateProgress { archive: row.get(0)?, snapshot: row.get(1)?, bytes, synced, begun, is_whole: row.get(5)? })
    });
    Ok(followed.optional()?)
}

impl StateProgress {
    /// Opens the file to go on with it; none: it is not as the catalog remembers it, or has grown so much that it is to be written
    /// anew. Only what may not have reached the disk is read.
    fn open(&self, archive: &Path) -> Result<Option<StateFile>, Error> {
        if self.bytes > 2 * self.begun + SLACK {
            return Ok(None);
        }
        let path = archive.join(NAME);
        match inside::length(archive, NAME).map_err(Error::io("look at", &path))? {
            Some(length) if length == self.bytes => {}
            _ => return Ok(None),
        }
        let is_this = || -> io::Result<bool> {
            let mut reader = BufReader::new(inside::read(archive, NAME)?);
            let mut line = Vec::new();
            record::read(&mut reader, &mut line)?;
            let head = record::object(&line).unwrap_or_default();
            if head.get("archive") != Some(&Value::from(&*self.archive))
                || head.get("snapshot") != Some(&Value::from(&*self.snapshot))
            {
                return Ok(false);
            }
            let unsynced = self.bytes.saturating_sub(self.synced);
            reader.seek(SeekFrom::Start(self.synced))?;
            Ok(record::whole(reader.take(unsynced))? == unsynced)
        };
        if !is_this().map_err(Error::io("read", &path))? {
            return Ok(None);
        }
        let file = append_to(archive).map_err(Error::io("open", &path))?;
        let StateProgress { bytes, synced, is_whole, .. } = *self;
        Ok(Some(StateFile { path, file, bytes, synced, is_broken: false, is_whole }))
    }
}

impl StateFile {
    /// Commits a transaction of the catalog, and lets the state follow it.
    pub(super) fn commit(&mut self, transaction: Transaction<'_>) -> Result<(), Error> {
        if self.is_broken {
            return Ok(transaction.commit()?);
        }
        let (lines, is_urgent) = self.changes(&transaction)?;
        if lines.is_empty() {
            return Ok(transaction.commit()?);
        }
        let bytes = self.bytes + lines.len() as u64;
        let mut statement = transaction.prepare_cached("update state set bytes = ?1, synced = ?2")?;
        statement.execute([signed(bytes), signed(self.synced)])?;
        drop(statement);
        transaction.commit()?;
        self.is_broken = true;
        self.file.write_all(&lines).map_err(Error::io("append to", &self.path))?;
        (self.bytes, self.is_broken) = (bytes, false);
        if is_urgent { self.sync() } else { Ok(()) }
    }

    /// What has changed in a transaction, as lines, and whether these have to be on the disk before anything else happens: what
    /// is promised, and that less is known to be read than before.
    fn changes(&self, transaction: &Transaction<'_>) -> Result<(Vec<u8>, bool), Error> {
        let failed = || Error::io("append to", &self.path);
        let (mut lines, mut is_urgent) = (Vec::new(), false);
        for kind in KINDS.iter().filter(|kind| self.is_whole || kind.is_promise) {
            kind.changed(transaction, |keys, row| {
                is_urgent |= kind.is_promise || kind.name == "watermark" && row.is_none();
                match row {
                    Some(row) => push_set(&mut lines, kind, row),
                    None => push(&mut lines, "forget", kind, keys),
                }
                .map_err(failed())
            })?;
        }
        if !lines.is_empty() {
            record::push_end(&mut lines).map_err(failed())?;
        }
        Ok((lines, is_urgent))
    }

    fn sync(&mut self) -> Result<(), Error> {
        if self.synced < self.bytes && !self.is_broken {
            self.is_broken = true;
            self.file.sync_data().map_err(Error::io("sync", &self.path))?;
            (self.synced, self.is_broken) = (self.bytes, false);
        }
        Ok(())
    }
}

fn append_to(archive: &Path) -> io::Result<File> {
    inside::open(archive, NAME, OFlags::WRONLY | OFlags::APPEND)
}

fn push_set(lines: &mut Vec<u8>, kind: &RecordKind, row: Vec<rusqlite::types::Value>) -> io::Result<()> {
    push(lines, "set", kind, row)
}

/// Adds a record: its kind, and the first columns of that with these values.
fn push(lines: &mut Vec<u8>, what: &str, kind: &RecordKind, values: Vec<rusqlite::types::Value>) -> io::Result<()> {
    let values = kind.columns().zip(values).map(|(column, value)| (column.to_owned(), record::json(value)));
    record::push(lines, &[(what.to_owned(), kind.name.into())].into_iter().chain(values).collect())
}

#[cfg(test)]
mod tests;
