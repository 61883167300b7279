//! How a catalog is opened, to write or to look at, by whomever it was made: brought to this version, compared with this one's
//! schema, and never trusted. Reads nothing of what it says of an archive.

use std::cell::Cell;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tracing::info;

use super::super::decrypted::Decrypted;
use super::super::lines::LineReader;
use super::super::ours::CATALOG;
use super::super::place::CatalogLocation;
use super::super::plaintexts::Plaintexts;
use super::super::schema;
use super::super::writing::Writing;
use super::super::{Error, Readers, inside, lock, network};
use super::{Catalog, still};

/// The version of `catalog.sql`, kept in `pragma user_version`.
pub const VERSION: i64 = 10;
/// The oldest version from which this one is made.
const UPGRADED_FROM: i64 = 7;
/// "Syxp", in `pragma application_id`.
const APPLICATION_ID: i64 = 0x5379_7870;

/// How many of SQLite's instructions a look at a catalog may take: no more than somebody who has crafted one can make it take, and
/// more than the tables that say how far an archive is can need.
const STEPS: i32 = 2_000_000_000;
/// After how many they are counted.
const STEPS_AT_ONCE: i32 = 100_000;
/// The longest value that is read from a catalog, in bytes.
const LONGEST_VALUE: i32 = 256 * 1024 * 1024;

thread_local! {
    /// What was asked last in this thread took more steps than a look may.
    static WAS_ENDLESS: Cell<bool> = const { Cell::new(false) };
}

/// Whether it was for its number of steps that SQLite has just ended a statement, and not for a signal.
pub(in crate::archive) fn was_endless() -> bool {
    WAS_ENDLESS.take()
}

impl Catalog {
    /// Opens or creates the catalog at `path`. True: it has just been made and `set_up` still has to be called.
    pub(in crate::archive) fn open(path: &Path) -> Result<(Catalog, bool), Error> {
        let (mut catalog, version) = Catalog::open_to_write(path)?;
        if version != VERSION && version != 0 {
            return Err(Error::NotUpgraded(version));
        }
        if version == VERSION {
            schema::check(&catalog.connection)?;
        }
        catalog.connection.progress_handler(0, None::<fn() -> bool>)?;
        Ok((catalog, version == 0))
    }

    /// Opens a catalog of a version before this one, with that; none: it is of this version, or there is none.
    pub(in crate::archive) fn open_before(path: &Path) -> Result<Option<(Catalog, i64)>, Error> {
        // without SQLite, which may leave something there
        let mut head = Vec::new();
        let read = File::open(path).and_then(|file| file.take(64).read_to_end(&mut head));
        read.map_err(Error::io("read", path))?;
        let version =
            head.get(60..).map_or(0, |version| version.iter().fold(0, |sum, byte| sum << 8 | i64::from(*byte)));
        if !(UPGRADED_FROM..VERSION).contains(&version) {
            return Ok(None);
        }
        let (mut catalog, version) = Catalog::open_to_write(path)?;
        catalog.connection.progress_handler(0, None::<fn() -> bool>)?;
        Ok(Some((catalog, version)))
    }

    /// Opens or creates the catalog at `path`, with its version; no question to it takes longer than [`STEPS`].
    fn open_to_write(path: &Path) -> Result<(Catalog, i64), Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let is_shared = path.parent().is_some_and(network::is_shared);
        if is_shared {
            network::can_lock(path)?;
        }
        let had_wal = is_shared && has_wal(path)?;
        if had_wal {
            leave_wal(&Catalog::connect(path, flags)?.connection)?;
        }
        let mut catalog = Catalog::connect(path, flags)?;
        catalog.bound(STEPS)?;
        let version = catalog.version()?;
        catalog.was_put_there = had_wal || catalog.is_shared && version == 0;
        catalog.connection.pragma_update(None, "synchronous", "full")?;
        // from the first byte on: what is freed without it is never zeroed later
        catalog.connection.pragma_update(None, "secure_delete", true)?;
        catalog.connection.pragma_update(None, "cache_size", -16 * 1024)?;
        catalog.connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
        // beside this one, to sort for an index
        catalog.connection.pragma_update(None, "threads", 1)?;
        Ok((catalog, version))
    }

    /// Opens an existing catalog to look at, beside an export that may be running. No question to it takes longer than
    /// [`STEPS`].
    pub fn open_to_read(archive: &Path) -> Result<Catalog, Error> {
        Catalog::open_to_read_in(archive, None)
    }

    /// The same, of a catalog that is said to be in a directory of its own.
    pub fn open_to_read_in(archive: &Path, directory: Option<&Path>) -> Result<Catalog, Error> {
        let place = CatalogLocation::find(archive, directory)?;
        let path = place.file();
        if inside::length(&place.directory(), "catalog.sqlite").map_err(Error::io("look at", &path))?.is_none() {
            place.may_be_new()?;
            return Err(Error::NoArchive(archive.to_owned()));
        }
        if path.parent().is_some_and(network::hides_locks)
            && let Some(holder) = lock::held_elsewhere(archive)
        {
            return Err(Error::LockedElsewhere { holder, archive: archive.to_owned() });
        }
        // whoever writes has made sure, and would lose what it has locked
        if path.parent().is_some_and(network::is_shared) && !lock::is_own(archive) {
            network::can_lock(&path)?;
        }
        let open = |flags| Catalog::connect(&path, flags)?.bounded();
        let (version, catalog) = match open(OpenFlags::SQLITE_OPEN_READ_ONLY) {
            // a first export was killed within a commit, which only who may write can undo
            Err(Error::Catalog(error)) if needs_rollback(&error) => match open(OpenFlags::SQLITE_OPEN_READ_WRITE) {
                Err(Error::Catalog(error)) if needs_rollback(&error) => return Err(Error::CutOff(error)),
                opened => opened?,
            },
            Err(Error::Catalog(error)) if still::needs_log(&error) => still::open(archive, &path, error)?,
            opened => opened?,
        };
        match version {
            0 => Err(Error::NoArchive(archive.to_owned())),
            VERSION => {
                schema::check(&catalog.connection)?;
                place.check(&catalog).map(|()| catalog)
            }
            older => Err(Error::NotUpgraded(older)),
        }
    }

    /// The directory of an archive's catalog, where the archive says that it is not in it.
    pub fn elsewhere(archive: &Path) -> Result<Option<PathBuf>, Error> {
        let directory = CatalogLocation::find(archive, None)?.directory();
        Ok((directory != archive).then_some(directory))
    }

    /// Makes sure that there is an archive to be opened, of this version or of one that is brought to it; its catalog may be said
    /// to be in a directory of its own.
    pub fn find_in(archive: &Path, directory: Option<&Path>) -> Result<(), Error> {
        match Catalog::open_to_read_in(archive, directory) {
            Ok(_) | Err(Error::NotUpgraded(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// As [`Catalog::open_to_read`], to render from: what that takes grows with what is there.
    pub(crate) fn open_to_render(archive: &Path) -> Result<Catalog, Error> {
        let mut catalog = Catalog::open_to_read(archive)?;
        catalog.connection.progress_handler(0, None::<fn() -> bool>)?;
        catalog.lines = Some(LineReader::of(archive));
        catalog.plaintexts = Decrypted::open_to_read(archive)?.map(Plaintexts::Kept);
        Ok(catalog)
    }

    /// As [`Catalog::open_to_read_in`], to show events from, which needs the indexes.
    pub(crate) fn open_to_show(archive: &Path, directory: Option<&Path>) -> Result<Catalog, Error> {
        let mut catalog = Catalog::open_to_read_in(archive, directory)?;
        if !catalog.is_indexed()? {
            return Err(Error::NotIndexed(archive.to_owned()));
        }
        catalog.lines = Some(LineReader::of(archive));
        catalog.plaintexts = Decrypted::open_to_read(archive)?.map(Plaintexts::Kept);
        Ok(catalog)
    }

    /// As [`Catalog::open_to_show`], to search in: what that takes grows with what is there.
    pub(crate) fn open_to_search(archive: &Path, directory: Option<&Path>) -> Result<Catalog, Error> {
        let mut catalog = Catalog::open_to_show(archive, directory)?;
        catalog.connection.progress_handler(0, None::<fn() -> bool>)?;
        Ok(catalog)
    }

    /// Whether it has just been made, or was found in WAL mode, on a file system that other hosts may have too. There it has an
    /// older kind of journal, which is read by one and written by another in turn.
    #[must_use]
    pub fn was_put_on_a_network(&self) -> bool {
        self.was_put_there
    }

    /// Makes it safe to look at, whoever has made it; with its version.
    pub(super) fn bounded(mut self) -> Result<(i64, Catalog), Error> {
        self.bound(STEPS)?;
        // what somebody else has put there takes no more memory than an event that is larger than any
        self.connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE)?;
        Ok((self.version()?, self))
    }

    fn connect(path: &Path, flags: OpenFlags) -> Result<Catalog, Error> {
        Catalog::connect_as(path, flags, None)
    }

    /// As [`Catalog::connect`]; with what keeps it `still`, as it lies there, without a lock and without what is in its log.
    pub(super) fn connect_as(path: &Path, flags: OpenFlags, still: Option<File>) -> Result<Catalog, Error> {
        // where the archive is may be a link, the catalog itself not; and a path that begins with `file:` is none of SQLite's
        let directory = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let directory = directory.canonicalize().map_err(Error::io("look at", directory))?;
        let path = directory.join(path.file_name().unwrap_or_default());
        // SQLite would wait for somebody at the other end of a pipe
        for name in CATALOG {
            inside::length(&directory, name).map_err(Error::io("look at", &directory.join(name)))?;
        }
        let flags = flags | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        // a connection is used by one thread at a time, as Rust makes sure
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = match still {
            None => Connection::open_with_flags(&path, flags)?,
            Some(_) => Connection::open_with_flags(still::uri(&path), flags | OpenFlags::SQLITE_OPEN_URI)?,
        };
        // somebody else may have made it: SQLite's advice for such files
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        connection.set_prepared_statement_cache_capacity(64);
        // a statement is planned once, and not anew for every value
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        let is_shared = path.parent().is_some_and(network::is_shared);
        let mut catalog = Catalog {
            connection,
            guard: None,
            state: None,
            lines: None,
            is_shared,
            was_put_there: false,
            plaintexts: None,
            _still: still,
        };
        catalog.wait_for_others()?;
        Ok(catalog)
    }

    /// Waits from now on for others who use it, as long as they may take.
    pub(super) fn wait_for_others(&mut self) -> Result<(), Error> {
        Ok(self.connection.busy_handler(Some(wait))?)
    }

    /// Ends whatever takes more than so many steps, all questions together.
    fn bound(&mut self, steps: i32) -> Result<(), Error> {
        let mut left = steps / STEPS_AT_ONCE;
        let is_over = move || {
            left = left.saturating_sub(1);
            WAS_ENDLESS.set(left == 0);
            left == 0
        };
        Ok(self.connection.progress_handler(STEPS_AT_ONCE, Some(is_over))?)
    }

    /// Lets readers and the writer keep out of each other's way, once there are indexes. Before, events are only added: then
    /// the older kind of journal writes every page once instead of twice; its file stays from commit to commit, which spares
    /// syncs of the directory. It is kept where other hosts may have the file system too, since the other one needs their shared
    /// memory, and where the group may look, since the other one cannot be read by who may not write beside it.
    pub(in crate::archive) fn set_journal(&self) -> Result<(), Error> {
        if self.readers()? == Readers::Group {
            return self.share_journal();
        }
        let mode = if self.is_indexed()? && !self.is_shared { "wal" } else { "persist" };
        Ok(self.connection.pragma_update(None, "journal_mode", mode)?)
    }

    /// Gives it the older kind of journal, for which nobody else may have it open if it had the other one.
    pub(in crate::archive) fn share_journal(&self) -> Result<(), Error> {
        let set = self.connection.pragma_update(None, "journal_mode", "persist");
        set.map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::InUse(error),
            _ => error.into(),
        })
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
    pub(in crate::archive) fn set_up<T>(
        &mut self,
        fill: impl FnOnce(&mut Writing<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut writing = self.write()?;
        writing.make_tables(APPLICATION_ID, VERSION)?;
        let filled = fill(&mut writing)?;
        writing.commit()?;
        Ok(filled)
    }
}

/// How long is waited each time for a catalog that another process has locked, how often, and after how many times that is told.
const WAIT: Duration = Duration::from_millis(50);
const WAITS: i32 = 600;
const TOLD_AFTER: i32 = 20;

/// Waits for a catalog that another process has locked; how often it has done so already.
fn wait(waited: i32) -> bool {
    if waited == TOLD_AFTER {
        info!(
            "waiting for the catalog, which another process has locked, for up to {} s",
            (WAIT * WAITS.unsigned_abs()).as_secs()
        );
    }
    std::thread::sleep(WAIT);
    waited < WAITS
}

/// Whether a catalog is in WAL mode (<https://www.sqlite.org/fileformat.html>, 1.3.3).
fn has_wal(path: &Path) -> Result<bool, Error> {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(20).read_to_end(&mut head));
    read.map_err(Error::io("read", path))?;
    Ok(head.get(18..20) == Some(&[2, 2]))
}

/// Ends WAL mode without memory that is shared with others, who must not be there.
fn leave_wal(connection: &Connection) -> Result<(), Error> {
    connection.pragma_update(None, "locking_mode", "exclusive")?;
    Ok(connection.pragma_update(None, "journal_mode", "persist")?)
}

fn needs_rollback(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_READONLY_ROLLBACK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(directory: &Path) -> Catalog {
        let (mut catalog, _) = Catalog::open(&directory.join("catalog.sqlite")).unwrap();
        catalog.set_up(|_| Ok(())).unwrap();
        catalog
    }

    #[test]
    fn a_look_takes_no_more_steps_than_a_look_does() {
        let directory = tempfile::tempdir().unwrap();
        drop(made(directory.path()));
        let mut catalog = Catalog::open_to_read(directory.path()).unwrap();
        assert_eq!(catalog.connection.limit(Limit::SQLITE_LIMIT_LENGTH).unwrap(), LONGEST_VALUE);
        catalog.bound(10 * STEPS_AT_ONCE).unwrap();
        let endless = "with recursive n (i) as (select 1 union all select i + 1 from n) select max(i) from n";
        let ended: Result<i64, _> = catalog.connection.query_row(endless, [], |row| row.get(0));
        assert!(matches!(Error::from(ended.unwrap_err()), Error::Endless(_)));
    }

    #[test]
    fn a_catalog_behind_a_link_is_refused() {
        let (directory, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        drop(made(outside.path()));
        let path = directory.path().join("catalog.sqlite");
        std::os::unix::fs::symlink(outside.path().join("catalog.sqlite"), &path).unwrap();
        assert!(Catalog::open_to_read(directory.path()).is_err() && Catalog::open(&path).is_err());
        // the archive itself may be behind one
        let archive = directory.path().join("archive");
        std::os::unix::fs::symlink(outside.path(), &archive).unwrap();
        Catalog::open_to_read(&archive).unwrap();
        Catalog::open(&archive.join("catalog.sqlite")).unwrap();
    }

    #[test]
    fn a_catalog_is_looked_at_though_a_first_export_was_killed_within_a_commit() {
        let (before, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let catalog = made(before.path());
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
