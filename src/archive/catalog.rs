//! The SQLite database that indexes an archive; `catalog.sql` documents its tables. Knows no file but its own.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::Error;
use super::writing::Writing;
use crate::stream::{Gap, Gaps, Position, Stream, Watermark};

/// The version of `catalog.sql`, kept in `pragma user_version`.
pub const VERSION: i64 = 8;
/// The oldest version that [`Catalog::open`] brings to this one.
const UPGRADED_FROM: i64 = 7;
/// "Syxp", in `pragma application_id`.
const APPLICATION_ID: i64 = 0x5379_7870;

/// A run as the catalog remembers it.
#[derive(Clone, Debug)]
pub struct LastRun {
    /// Its number.
    pub run: i64,
    /// RFC 3339, UTC.
    pub started: String,
    /// RFC 3339, UTC; none if it was killed.
    pub finished: Option<String>,
    /// running, done, damaged, stopped, failed; rebuilt: no run, the catalog was made anew from the files.
    pub outcome: String,
    /// Why it failed.
    pub error: Option<String>,
}

/// What is exported, as remembered between runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Selection {
    /// Only these rooms; empty: all.
    pub include: BTreeSet<String>,
    /// Not these.
    pub exclude: BTreeSet<String>,
}

/// An open catalog.
pub struct Catalog {
    pub(super) connection: Connection,
}

impl Catalog {
    /// Opens or creates the catalog at `path`. True: it has just been made and `set_up` still has to be called.
    pub(super) fn open(path: &Path) -> Result<(Catalog, bool), Error> {
        let catalog = Catalog::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        let version = catalog.version()?;
        catalog.connection.pragma_update(None, "synchronous", "full")?;
        catalog.connection.pragma_update(None, "cache_size", -16 * 1024)?;
        catalog.connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
        // beside this one, to sort for an index
        catalog.connection.pragma_update(None, "threads", 1)?;
        if (UPGRADED_FROM..VERSION).contains(&version) {
            let upgrade = catalog.connection.unchecked_transaction()?;
            upgrade.execute_batch(include_str!("catalog_upgrade.sql"))?;
            upgrade.pragma_update(None, "user_version", VERSION)?;
            upgrade.commit()?;
        }
        Ok((catalog, version == 0))
    }

    /// Opens an existing catalog to look at, beside an export that may be running.
    pub fn open_to_read(archive: &Path) -> Result<Catalog, Error> {
        let path = archive.join("catalog.sqlite");
        if !path.try_exists().map_err(Error::io("look at", &path))? {
            return Err(Error::NoArchive(archive.to_owned()));
        }
        let open = |flags| {
            let catalog = Catalog::connect(&path, flags)?;
            Ok((catalog.version()?, catalog))
        };
        let (version, catalog) = match open(OpenFlags::SQLITE_OPEN_READ_ONLY) {
            // a first export was killed within a commit, which only who may write can undo
            Err(Error::Catalog(error)) if needs_rollback(&error) => open(OpenFlags::SQLITE_OPEN_READ_WRITE)?,
            opened => opened?,
        };
        match version {
            0 => Err(Error::NoArchive(archive.to_owned())),
            VERSION => Ok(catalog),
            older => Err(Error::NotUpgraded(older)),
        }
    }

    fn connect(path: &Path, flags: OpenFlags) -> Result<Catalog, Error> {
        // a connection is used by one thread at a time, as Rust makes sure
        let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(std::time::Duration::from_secs(30))?;
        connection.set_prepared_statement_cache_capacity(64);
        // a statement is planned once, and not anew for every value
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        Ok(Catalog { connection })
    }

    /// Lets readers and the writer keep out of each other's way, once there are indexes. Before, events are only added: then
    /// the older kind of journal writes every page once instead of twice; its file stays from commit to commit, which spares
    /// syncs of the directory.
    pub(super) fn set_journal(&self) -> Result<(), Error> {
        let mode = if self.is_indexed()? { "wal" } else { "persist" };
        Ok(self.connection.pragma_update(None, "journal_mode", mode)?)
    }

    fn version(&self) -> Result<i64, Error> {
        let pragma = |name| self.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let (version, application) = (pragma("user_version")?, pragma("application_id")?);
        let tables: i64 = self.connection.query_row("select count(*) from sqlite_schema", [], |row| row.get(0))?;
        match (application, version) {
            (APPLICATION_ID, UPGRADED_FROM..=VERSION) => Ok(version),
            (APPLICATION_ID, ..UPGRADED_FROM) => Err(Error::Older(version)),
            (APPLICATION_ID, _) => Err(Error::Newer(version)),
            (0, 0) if tables == 0 => Ok(version),
            _ => Err(Error::Foreign),
        }
    }

    /// Makes the tables, and in the same transaction whatever `fill` puts into them.
    pub(super) fn set_up<T>(&mut self, fill: impl FnOnce(&mut Writing<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let mut writing = self.write()?;
        writing.make_tables(APPLICATION_ID, VERSION)?;
        let filled = fill(&mut writing)?;
        writing.commit()?;
        Ok(filled)
    }

    /// Begins a transaction that writes; dropped, it leaves everything as it was.
    pub(super) fn write(&mut self) -> Result<Writing<'_>, Error> {
        Writing::begin(&mut self.connection)
    }

    /// At most `most` files with their lengths, others each time.
    pub(super) fn some_files(&self, most: i64) -> Result<Vec<(String, u64)>, Error> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let letter = |n: u32| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[(n % 52) as usize]);
        self.files(&format!("rooms/{}{}", letter(now.subsec_micros()), letter(now.subsec_micros() / 52)), most)
    }

    /// At most `most` files from `start` on in the order of their paths, then from the beginning, with their lengths.
    fn files(&self, start: &str, most: i64) -> Result<Vec<(String, u64)>, Error> {
        let mut found = Vec::new();
        for statement in [
            "select path, bytes from file where path >= ?1 order by path limit ?2",
            "select path, bytes from file where path < ?1 order by path limit ?2",
        ] {
            let mut statement = self.connection.prepare(statement)?;
            let rows = statement
                .query_map(params![start, most - i64::try_from(found.len()).unwrap_or(most)], path_and_length)?;
            found.extend(rows.collect::<Result<Vec<_>, _>>()?);
        }
        Ok(found)
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

    /// Whether the indexes of `event` are there, without which nothing tells that an event is archived already.
    pub fn is_indexed(&self) -> Result<bool, Error> {
        let sql = "select exists (select 1 from sqlite_schema where type = 'index' and name = 'event_id')";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// The files of a batch that was not finished, with the lengths they had before it.
    pub(super) fn intent(&self) -> Result<Vec<(String, u64)>, Error> {
        let mut statement = self.connection.prepare("select path, bytes from intent")?;
        Ok(statement.query_map([], path_and_length)?.collect::<Result<_, _>>()?)
    }

    /// How far a stream of a scope (a room id, or an empty text for the server) is archived.
    pub fn watermark(&self, scope: &str, stream: Stream) -> Result<Option<Watermark>, Error> {
        let sql = "select position, anchor, event_id from watermark where room_id = ?1 and stream = ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let found = statement.query_row(params![scope, stream.name()], |row| {
            let anchor = row.get::<_, Option<i64>>(1)?.map(position).zip(row.get(2)?);
            Ok(Watermark { position: position(row.get(0)?), anchor })
        });
        Ok(found.optional()?)
    }

    /// When and by which run the watermark of a stream was last moved.
    pub fn watermark_moved(&self, scope: &str, stream: Stream) -> Result<Option<(String, i64)>, Error> {
        let sql = "select at, run from watermark where room_id = ?1 and stream = ?2";
        let found = self.connection.query_row(sql, params![scope, stream.name()], |r| Ok((r.get(0)?, r.get(1)?)));
        Ok(found.optional()?)
    }

    /// The scopes that have a watermark.
    pub fn scopes(&self) -> Result<BTreeSet<String>, Error> {
        let mut statement = self.connection.prepare("select distinct room_id from watermark")?;
        Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// The gaps below a watermark.
    pub fn gaps(&self, scope: &str, stream: Stream) -> Result<Gaps, Error> {
        let sql = "select first, last, clock from gap where room_id = ?1 and stream = ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![scope, stream.name()], |row| {
            Ok(Gap { first: position(row.get(0)?), last: position(row.get(1)?), clock: row.get(2)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
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
    pub fn left_out(&self) -> Result<BTreeSet<String>, Error> {
        let mut statement = self.connection.prepare("select room_id from left_out")?;
        Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// Whether an event is archived; without indexes it takes a look at every one.
    pub fn has_event(&self, event_id: &str) -> Result<bool, Error> {
        let mut statement =
            self.connection.prepare_cached("select exists (select 1 from event where event_id = ?1)")?;
        Ok(statement.query_row([event_id], |row| row.get(0))?)
    }

    /// Whether an archived event is rejected; none if it is not archived.
    pub fn is_rejected(&self, event_id: &str) -> Result<Option<bool>, Error> {
        let mut statement = self.connection.prepare_cached("select rejected from event where event_id = ?1")?;
        Ok(statement.query_row([event_id], |row| row.get(0)).optional()?)
    }

    /// Up to which id of Synapse's `un_partial_stated_event_stream` its new judgements are followed; none: from none on.
    pub fn rejudged(&self) -> Result<Option<i64>, Error> {
        Ok(self.connection.query_row("select position from rejudged", [], |row| row.get(0)).optional()?)
    }

    /// The server whose events these are, as far as it is known.
    pub fn server(&self) -> Result<Option<String>, Error> {
        Ok(self.connection.query_row("select name from server", [], |row| row.get(0)).optional()?)
    }

    /// Whether a room has events in the archive.
    pub fn has_room(&self, room_id: &str) -> Result<bool, Error> {
        let sql = "select exists (select 1 from room where room_id = ?1)";
        Ok(self.connection.query_row(sql, [room_id], |row| row.get(0))?)
    }

    /// The number of archived events.
    pub fn events(&self) -> Result<u64, Error> {
        let sql = "select coalesce(sum(live + backfill), 0) from run";
        Ok(self.connection.query_row(sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs())
    }

    /// The last run.
    pub fn last_run(&self) -> Result<Option<LastRun>, Error> {
        let sql = "select run, started, finished, outcome, error from run order by run desc limit 1";
        let found = self.connection.query_row(sql, [], |row| {
            let (run, started, finished) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(LastRun { run, started, finished, outcome: row.get(3)?, error: row.get(4)? })
        });
        Ok(found.optional()?)
    }

    /// When the last run began that came to its end, RFC 3339, UTC.
    pub fn last_complete_run(&self) -> Result<Option<String>, Error> {
        let sql = "select started from run where outcome in ('done', 'damaged') order by run desc limit 1";
        Ok(self.connection.query_row(sql, [], |row| row.get(0)).optional()?)
    }

    /// Whether a batch was not finished, or is being written.
    pub fn is_unfinished(&self) -> Result<bool, Error> {
        Ok(!self.intent()?.is_empty())
    }

    /// How many transcripts are not as the events say.
    pub fn stale_transcripts(&self) -> Result<u64, Error> {
        let sql = "select count(*) from file where dirty";
        Ok(self.connection.query_row(sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs())
    }
}

/// The committed length of a file, and the last run that wrote to it; none if the archive has no such file.
pub(super) fn file(connection: &Connection, path: &str) -> Result<Option<(u64, i64)>, Error> {
    let mut statement = connection.prepare_cached("select bytes, run from file where path = ?1")?;
    let found = statement.query_row([path], |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?)));
    Ok(found.optional()?)
}

/// The committed length of a file, none if the archive has no such file.
pub(super) fn length(connection: &Connection, path: &str) -> Result<Option<u64>, Error> {
    Ok(file(connection, path)?.map(|(bytes, _)| bytes))
}

fn needs_rollback(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_READONLY_ROLLBACK)
}

fn path_and_length(row: &rusqlite::Row<'_>) -> rusqlite::Result<(String, u64)> {
    Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
}

fn position(stored: i64) -> Position {
    Position(stored.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catalog_is_looked_at_though_a_first_export_was_killed_within_a_commit() {
        let (before, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (mut catalog, _) = Catalog::open(&before.path().join("catalog.sqlite")).unwrap();
        catalog.set_up(|_| Ok(())).unwrap();
        catalog.set_journal().unwrap();
        catalog.connection.execute_batch("pragma cache_size = 1; begin immediate").unwrap();
        let sql = "insert into left_out select value || hex(zeroblob(500)) from json_each('[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]')";
        catalog.connection.execute(sql, []).unwrap();
        catalog.connection.execute("update left_out set room_id = room_id || 'x'", []).unwrap();
        for file in ["catalog.sqlite", "catalog.sqlite-journal"] {
            std::fs::copy(before.path().join(file), killed.path().join(file)).unwrap();
        }
        let read_only = Catalog::connect(&killed.path().join("catalog.sqlite"), OpenFlags::SQLITE_OPEN_READ_ONLY);
        let refused = read_only.unwrap().version();
        assert!(matches!(&refused, Err(Error::Catalog(error)) if needs_rollback(error)), "{refused:?}");
        assert!(Catalog::open_to_read(killed.path()).unwrap().left_out().unwrap().is_empty());
    }
}
