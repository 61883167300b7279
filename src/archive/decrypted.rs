//! `decrypted.sqlite`: what the encrypted events of an archive say, beside its catalog, which a new catalog does not touch. It is there only
//! where somebody wants events decrypted, and is written by whoever holds the archive.
//!
//! `decrypted.sql` documents its tables. It has no log that keeps what was deleted: its journal is emptied with each commit, what is
//! deleted is overwritten, and nothing of it is in a temporary file. Knows no line and no key.

mod forgetting;
mod numbers;
mod search;
mod verdicts;
mod wanted;

use std::path::Path;
use std::sync::Arc;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use rustix::fs::OFlags;

use super::lock::HeldLock;
use super::plaintexts::Plaintext;
use super::{Error, Readers, inside, network, schema};
pub(crate) use numbers::EncryptionDetails;
pub use numbers::{DecryptedNumbers, DecryptedOfRoom};
pub(crate) use verdicts::{DecryptedContent, Judgement};
pub(crate) use wanted::{Lacking, WantedSession};

/// The file, in the archive's directory.
pub(super) const NAME: &str = "decrypted.sqlite";
/// It and its journal.
pub(super) const FILES: [&str; 2] = [NAME, "decrypted.sqlite-journal"];
/// The tables.
const TABLES: &str = include_str!("decrypted.sql");
/// In `pragma user_version`.
pub(super) const VERSION: i64 = 1;
/// "Syxd", in `pragma application_id`.
const APPLICATION_ID: i64 = 0x5379_7864;
/// How long is waited for who reads it.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
/// The longest value that is read from it, in bytes.
const LONGEST_VALUE: i32 = 64 * 1024 * 1024;

/// What the encrypted events of an archive say.
pub struct Decrypted {
    pub(super) connection: Connection,
    /// What has to be held for as long as it is written to.
    guard: Option<Arc<HeldLock>>,
}

impl Decrypted {
    /// Opens it to write, or makes it.
    pub(super) fn open_to_write(archive: &Path, readers: Readers, guard: Arc<HeldLock>) -> Result<Decrypted, Error> {
        Decrypted::opened_to_write(archive, readers, guard).map_err(Error::of_decrypted)
    }

    fn opened_to_write(archive: &Path, readers: Readers, guard: Arc<HeldLock>) -> Result<Decrypted, Error> {
        let path = archive.join(NAME);
        let failed = || Error::io("open", &path);
        let file = inside::open(archive, NAME, OFlags::RDWR | OFlags::CREATE).map_err(failed())?;
        readers.admit(&file).map_err(failed())?;
        if network::is_shared(archive) {
            network::can_lock(&path)?;
        }
        drop(file);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let connection = connect(archive, flags)?;
        let mut decrypted = Decrypted { connection, guard: Some(guard) };
        // so that it can be made smaller without a copy in a temporary file
        decrypted.connection.pragma_update(None, "auto_vacuum", "incremental")?;
        decrypted.connection.pragma_update(None, "temp_store", "memory")?;
        decrypted.connection.pragma_update(None, "synchronous", "full")?;
        decrypted.connection.pragma_update(None, "journal_mode", "truncate")?;
        decrypted.connection.pragma_update(None, "secure_delete", true)?;
        decrypted.connection.pragma_update(None, "cache_size", -16 * 1024)?;
        match decrypted.version()? {
            None => decrypted.set_up()?,
            Some(VERSION) => schema::check_decrypted(&decrypted.connection)?,
            Some(version) => return Err(Error::OtherDecrypted(version)),
        }
        Ok(decrypted)
    }

    /// Opens it to look at; none: the archive has none.
    pub(super) fn open_to_read(archive: &Path) -> Result<Option<Decrypted>, Error> {
        Decrypted::opened_to_read(archive).map_err(Error::of_decrypted)
    }

    fn opened_to_read(archive: &Path) -> Result<Option<Decrypted>, Error> {
        match inside::length(archive, NAME).map_err(Error::io("look at", &archive.join(NAME)))? {
            None | Some(0) => return Ok(None),
            Some(_) => {}
        }
        // one that was killed within a commit has left what only who may write can undo
        let open = |flags| -> Result<_, Error> {
            let decrypted = Decrypted { connection: connect(archive, flags)?, guard: None };
            let version = decrypted.version()?;
            Ok((version, decrypted))
        };
        let (version, decrypted) = match open(OpenFlags::SQLITE_OPEN_READ_ONLY) {
            Err(Error::Catalog(_)) => open(OpenFlags::SQLITE_OPEN_READ_WRITE)?,
            opened => opened?,
        };
        match version {
            None => Ok(None),
            Some(VERSION) => schema::check_decrypted(&decrypted.connection).map(|()| Some(decrypted)),
            Some(version) => Err(Error::OtherDecrypted(version)),
        }
    }

    /// Its version; none: there is nothing in it.
    fn version(&self) -> Result<Option<i64>, Error> {
        let pragma = |name| self.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let tables: i64 = self.connection.query_row("select count(*) from sqlite_schema", [], |row| row.get(0))?;
        match (pragma("application_id")?, pragma("user_version")?) {
            (APPLICATION_ID, version) => Ok(Some(version)),
            (0, 0) if tables == 0 => Ok(None),
            _ => Err(Error::OtherDecrypted(0)),
        }
    }

    fn set_up(&mut self) -> Result<(), Error> {
        self.in_one(|this| {
            this.connection.execute_batch(TABLES)?;
            this.connection.execute("insert into own (id) values (lower(hex(randomblob(16))))", [])?;
            this.connection.pragma_update(None, "application_id", APPLICATION_ID)?;
            Ok(this.connection.pragma_update(None, "user_version", VERSION)?)
        })
    }

    /// Does something in one transaction; should it fail, everything is as it was.
    pub(super) fn in_one<T>(&mut self, work: impl FnOnce(&Decrypted) -> Result<T, Error>) -> Result<T, Error> {
        self.guard.as_ref().map_or(Ok(()), |held| held.check())?;
        let one = || {
            self.connection.execute_batch("begin immediate")?;
            let done = work(self)?;
            self.connection.execute_batch("commit")?;
            Ok(done)
        };
        let done: Result<T, Error> = one();
        if done.is_err() && !self.connection.is_autocommit() {
            // what cannot be rolled back was
            let _ = self.connection.execute_batch("rollback");
        }
        done.map_err(Error::of_decrypted)
    }

    /// What tells it from others.
    pub(super) fn id(&self) -> Result<String, Error> {
        Ok(self.connection.query_row("select id from own", [], |row| row.get(0))?)
    }

    /// What an event says, if it can be read.
    pub(super) fn get(&self, event_id: &str) -> Result<Option<Plaintext>, Error> {
        let sql = "select plaintext.type, content, authenticated, body, has
                     from event cross join plaintext using (event) where event_id = ?1 and reason is null";
        let found = self.connection.prepare_cached(sql)?.query_row([event_id], |row| {
            Ok(Plaintext {
                kind: row.get(0)?,
                content: row.get(1)?,
                authenticated: row.get(2)?,
                body: row.get(3)?,
                has: row.get(4)?,
            })
        });
        Ok(found.optional()?)
    }
}

fn connect(archive: &Path, flags: OpenFlags) -> Result<Connection, Error> {
    for name in FILES {
        // which refuses links, and SQLite would wait for somebody at the other end of a pipe
        inside::length(archive, name).map_err(Error::io("look at", &archive.join(name)))?;
    }
    let directory = archive.canonicalize().map_err(Error::io("look at", archive))?;
    let flags = flags | OpenFlags::SQLITE_OPEN_NOFOLLOW | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(directory.join(NAME), flags)?;
    // somebody else may have made it: SQLite's advice for such files
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // else other values make a statement that is kept be prepared anew
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}
