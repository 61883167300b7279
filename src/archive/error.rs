//! Why an archive cannot be opened or written; what helps is a `hint` apart, which no other text repeats.

mod hint;

pub(super) use hint::CHAIN;

use std::io;
use std::iter;
use std::path::{Path, PathBuf};

use super::CATALOG_VERSION;
use super::catalog::was_endless;
use super::decrypted::VERSION as DECRYPTED_VERSION;

/// How much is shown of a text in a catalog that cannot be of an export, in characters.
const SHOWN: usize = 200;

/// Why an archive cannot be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// What a transcript is written to.
    #[error("cannot write a transcript")]
    Transcript(#[source] io::Error),
    /// The catalog.
    #[error("the archive's catalog.sqlite cannot be used")]
    Catalog(#[source] rusqlite::Error),
    /// Somebody else writes to the catalog.
    #[error("another program keeps the archive's catalog.sqlite locked, and waiting for 30 seconds did not help")]
    Busy(#[source] rusqlite::Error),
    /// It was told to stop while it did something that takes long.
    #[error("stopped before it was done: the next run goes on from there")]
    Stopped,
    /// A look at the catalog took longer than any of ours does.
    #[error(
        "to look at the archive's catalog.sqlite takes longer than it can where a synapse-export has written it, unless its first export still goes on. If none does, the catalog is damaged or made to do harm"
    )]
    Endless(#[source] rusqlite::Error),
    /// No space.
    #[error(
        "there is no space for the archive's catalog.sqlite, or for what SQLite sorts on its way in SQLITE_TMPDIR, TMPDIR or /var/tmp"
    )]
    Full(#[source] rusqlite::Error),
    /// The chain is not as it was written.
    #[error("the archive's chain.jsonl is broken at byte {at}: {why}")]
    Chain {
        /// Where.
        at: u64,
        /// What is wrong there.
        why: String,
    },
    /// The catalog's own text is damaged.
    #[error("the archive's catalog.sqlite is damaged")]
    Damaged(#[source] rusqlite::Error),
    /// Another program's database.
    #[error("the archive's catalog.sqlite is not a catalog of synapse-export")]
    Foreign,
    /// `decrypted.sqlite`, beside the catalog.
    #[error("the archive's decrypted.sqlite cannot be used")]
    Decrypted(#[source] rusqlite::Error),
    /// Somebody else writes to it, or reads it in a transaction that does not end.
    #[error("another program keeps the archive's decrypted.sqlite locked, and waiting for 30 seconds did not help")]
    DecryptedBusy(#[source] rusqlite::Error),
    /// A `decrypted.sqlite` of another version, or of another program.
    #[error("the archive's decrypted.sqlite is none that this synapse-export has written (version {0})")]
    OtherDecrypted(i64),
    /// A catalog of a newer version.
    #[error("the archive's catalog has version {0}, this synapse-export knows version {CATALOG_VERSION}")]
    Newer(i64),
    /// A state of a newer version.
    #[error("the archive's state.jsonl has format {0}, which this synapse-export does not know")]
    NewerState(u64),
    /// A catalog of a version that was never released.
    #[error(
        "the archive's catalog has version {0}, which no release had, and this synapse-export knows version {CATALOG_VERSION}"
    )]
    Older(i64),
    /// A catalog of the version before, which only who may write to it can bring to this one.
    #[error("the archive's catalog has version {0}, this synapse-export knows version {CATALOG_VERSION}")]
    NotUpgraded(i64),
    /// The database is another server's.
    #[error("the archive is of the server {}, the database of {}", own.escape_debug(), found.escape_debug())]
    OtherServer {
        /// Whose events are archived.
        own: String,
        /// Whose database it is.
        found: String,
    },
    /// No catalog to look at.
    #[error("{} is no archive: it has no catalog.sqlite", .0.display())]
    NoArchive(PathBuf),
    /// Nothing finds an event in it yet.
    #[error("the first export to {} is not done, and no event can be found before", .0.display())]
    NotIndexed(PathBuf),
    /// The directory is no archive, and not empty.
    #[error(
        "{} is no archive, and not empty: {} in the way",
        directory.display(),
        in_the_way(others)
    )]
    NotEmpty {
        /// The directory.
        directory: PathBuf,
        /// The names that are in the way.
        others: Vec<String>,
    },
    /// Another user owns the archive or may write to it.
    #[error(
        "{} {why}, who could read or alter what is archived",
        path.display()
    )]
    NotOurs {
        /// The directory, or what is in it.
        path: PathBuf,
        /// Whose it is, or who may write to it.
        why: String,
    },
    /// The group cannot be let in.
    #[error(
        "the group of {} (gid {group}) cannot be let in: this user is no member of it, or the file system has no such permissions",
        path.display()
    )]
    NotGiven {
        /// The directory.
        path: PathBuf,
        /// Its group.
        group: u32,
    },
    /// Another program has the catalog open, which must be closed for its journal to become another.
    #[error(
        "another program has the archive's catalog.sqlite open, and to let the group read it, all others have to close it for a moment"
    )]
    InUse(#[source] rusqlite::Error),
    /// What was erased is still where somebody keeps it who reads.
    #[error(
        "what was erased may still be in {}, as another program reads the archive's catalog.sqlite",
        .0.display()
    )]
    KeptByReaders(PathBuf),
    /// What was to be erased is of rooms on hold.
    #[error(
        "nothing is erased: {} on hold",
        on_hold(.0)
    )]
    OnHold(Vec<String>),
    /// A run was killed in the middle of a commit, and whoever looks may not undo that.
    #[error(
        "a run was killed while it wrote to the archive's catalog.sqlite, and this user may not undo what it had begun"
    )]
    CutOff(#[source] rusqlite::Error),
    /// A catalog in WAL mode that is looked at by who may not write beside it.
    #[error("the archive's catalog.sqlite has a write-ahead log, which only who may write to its directory can read")]
    NeedsLog(#[source] rusqlite::Error),
    /// Somebody else writes to the archive.
    #[error("another synapse-export ({}) is writing to {}", holder, archive.display())]
    Locked {
        /// `process 4711`, as far as it is known.
        holder: String,
        /// The archive.
        archive: PathBuf,
    },
    /// Somebody else writes to the archive, on another host, and nothing keeps what is read from being half written.
    #[error(
        "another synapse-export ({}) is writing to {}, whose file system does not tell this host what it has locked",
        holder, archive.display()
    )]
    LockedElsewhere {
        /// `process 4711 on alpha`.
        holder: String,
        /// The archive.
        archive: PathBuf,
    },
    /// This process was the one that writes to the archive.
    #[error(
        "{} is not this process's any more: it stood still for two minutes, or the file system did, or somebody took that file away",
        .0.display()
    )]
    LockLost(PathBuf),
    /// There is no catalog where it is kept.
    #[error(
        "the catalog of {} is kept in {}, and there is none",
        archive.display(), directory.display()
    )]
    NoCatalog {
        /// The archive.
        archive: PathBuf,
        /// Where its catalog was.
        directory: PathBuf,
    },
    /// A catalog that is not this archive's.
    #[error(
        "{} is the catalog of another archive than {}",
        path.display(), archive.display()
    )]
    CatalogOfAnother {
        /// The catalog.
        path: PathBuf,
        /// The archive.
        archive: PathBuf,
    },
    /// A catalog in the archive, which was to be elsewhere.
    #[error(
        "the catalog of {} is in the archive itself, and was to be in {}",
        archive.display(), directory.display()
    )]
    CatalogInside {
        /// The archive.
        archive: PathBuf,
        /// Where its catalog was to be.
        directory: PathBuf,
    },
    /// The file system cannot lock, or not as SQLite needs it.
    #[error("the file system of the archive's catalog.sqlite does not lock files")]
    NoLocks(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The file system has no shared memory.
    #[error(
        "the file system of the archive's catalog.sqlite has no shared memory, or no space for it, which its journal needs (WAL)"
    )]
    NoSharedMemory(#[source] rusqlite::Error),
    /// A disk, or a network file system, fails.
    #[error("the disk or the network file system of the archive's catalog.sqlite failed to {doing} it")]
    Disk {
        /// What was attempted.
        doing: &'static str,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// A file is not as the catalog knows it.
    #[error(
        "{} {found}, but the catalog knows {committed} bytes of it",
        path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// `is missing`, or its length.
        found: String,
        /// Its length by the catalog, bytes.
        committed: u64,
    },
    /// A catalog says what no export writes.
    #[error(
        "the archive's catalog.sqlite has {0}, which no synapse-export has written: somebody has altered it, or made it to do harm"
    )]
    Altered(String),
    /// A file or directory of somebody else has the name of one that is to be made.
    #[error("{} is in the way: no synapse-export has made it, and something is to be written there", .0.display())]
    InTheWay(PathBuf),
    /// A line from which the catalog cannot be made anew.
    #[error("line {line} of {} cannot be read back: {why}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// What is wrong, without its text.
        why: String,
    },
}

/// `the room !a:x is`.
fn on_hold(rooms: &[String]) -> String {
    const TOLD: usize = 20;
    let told: Vec<String> = rooms.iter().take(TOLD).map(|room| room.escape_debug().to_string()).collect();
    match rooms.len() {
        1 => format!("the room {} is", told[0]),
        0..=TOLD => format!("the rooms {} are", told.join(", ")),
        all => format!("the rooms {} and {} more are", told.join(", "), all - TOLD),
    }
}

/// `notes, letters and 3 more are`.
fn in_the_way(names: &[String]) -> String {
    const TOLD: usize = 5;
    let told: Vec<String> = names.iter().take(TOLD).map(|name| name.escape_debug().to_string()).collect();
    match names.len() {
        1 => format!("{} is", told[0]),
        0..=TOLD => format!("{} are", told.join(", ")),
        all => format!("{} and {} more are", told.join(", "), all - TOLD),
    }
}

impl From<rusqlite::Error> for Error {
    fn from(source: rusqlite::Error) -> Error {
        use rusqlite::ErrorCode::{
            DatabaseBusy, DatabaseCorrupt, DiskFull, FileLockingProtocolFailed, NoLargeFileSupport, NotADatabase,
            OperationInterrupted, SystemIoFailure,
        };
        let source = match source {
            rusqlite::Error::FromSqlConversionFailure(column, kind, cause) => match cause.downcast() {
                Ok(error) => return *error,
                Err(cause) => rusqlite::Error::FromSqlConversionFailure(column, kind, cause),
            },
            source => source,
        };
        match source.sqlite_error_code() {
            Some(DatabaseBusy) => Error::Busy(source),
            Some(OperationInterrupted) if was_endless() => Error::Endless(source),
            Some(DiskFull) => Error::Full(source),
            Some(DatabaseCorrupt | NotADatabase) => Error::Damaged(source),
            Some(FileLockingProtocolFailed | NoLargeFileSupport) => Error::NoLocks(source.into()),
            Some(SystemIoFailure) => failed(source),
            _ => Error::Catalog(source),
        }
    }
}

/// What SQLite only has a number for (`SQLITE_IOERR_…`).
fn failed(source: rusqlite::Error) -> Error {
    use rusqlite::ffi;
    let code = source.sqlite_error().map_or(0, |error| error.extended_code);
    let doing = match code {
        ffi::SQLITE_IOERR_SHMOPEN
        | ffi::SQLITE_IOERR_SHMSIZE
        | ffi::SQLITE_IOERR_SHMLOCK
        | ffi::SQLITE_IOERR_SHMMAP => return Error::NoSharedMemory(source),
        ffi::SQLITE_IOERR_LOCK
        | ffi::SQLITE_IOERR_RDLOCK
        | ffi::SQLITE_IOERR_UNLOCK
        | ffi::SQLITE_IOERR_BLOCKED
        | ffi::SQLITE_IOERR_CHECKRESERVEDLOCK => return Error::NoLocks(source.into()),
        ffi::SQLITE_IOERR_READ | ffi::SQLITE_IOERR_SHORT_READ | ffi::SQLITE_IOERR_DATA | ffi::SQLITE_IOERR_MMAP => {
            "read"
        }
        ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_TRUNCATE => "write to",
        ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC | ffi::SQLITE_IOERR_CLOSE => "sync",
        ffi::SQLITE_IOERR_DELETE | ffi::SQLITE_IOERR_DELETE_NOENT => "delete the journal of",
        ffi::SQLITE_IOERR_GETTEMPPATH => "make a temporary file (SQLITE_TMPDIR, TMPDIR or /var/tmp) for",
        _ => "use",
    };
    Error::Disk { doing, source }
}

impl Error {
    /// Whether the same may work later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Error::Locked { .. }
                | Error::LockedElsewhere { .. }
                | Error::LockLost(_)
                | Error::Busy(_)
                | Error::DecryptedBusy(_)
                | Error::InUse(_)
                | Error::CutOff(_)
                | Error::KeptByReaders(_)
                | Error::NotIndexed(_)
        )
    }

    /// What SQLite says, as it says it of `decrypted.sqlite`, which is no catalog and is not made anew as one is.
    pub(super) fn of_decrypted(self) -> Error {
        match self {
            Error::Busy(source) => Error::DecryptedBusy(source),
            Error::Catalog(source) | Error::Damaged(source) | Error::Full(source) | Error::Disk { source, .. } => {
                Error::Decrypted(source)
            }
            Error::Altered(_) => Error::OtherDecrypted(DECRYPTED_VERSION),
            other => other,
        }
    }

    /// Whether there is no space.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let is_full = |kind| matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        match self {
            Error::Full(_) => true,
            Error::Io { source, .. } | Error::Transcript(source) => is_full(source.kind()),
            _ => false,
        }
    }

    /// Whether a catalog cannot be used that can be made anew.
    pub(super) fn is_of_catalog(&self) -> bool {
        matches!(
            self,
            Error::Catalog(_)
                | Error::Endless(_)
                | Error::Damaged(_)
                | Error::Older(_)
                | Error::NoCatalog { .. }
                | Error::Changed { .. }
                | Error::Altered(_)
        )
    }

    /// Something in a catalog that cannot be of an export; what it is of, and its text.
    pub(crate) fn altered(what: &str, text: &str) -> Error {
        let text: String = text.chars().take(SHOWN).collect();
        Error::Altered(format!("{what} {text:?}"))
    }

    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Io { doing, path: path.to_owned(), source }
    }
}

/// An error with its causes.
pub(super) fn told(error: &Error) -> String {
    let causes = iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sqlite_has_numbers_for_gets_words_and_a_remedy() {
        let told = |code: i32| {
            let error = Error::from(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None));
            assert!(!error.is_transient());
            format!("{error}; {}", error.hint().expect("something helps"))
        };
        // SQLITE_IOERR_SHMMAP and its kind, then those of locks
        for code in [5386, 4618, 4874, 5130] {
            assert!(told(code).contains("shared memory") && told(code).contains("--catalog DIR"), "{code}");
        }
        for code in [3850, 2314, 2058, 2826, 3594, 15, 22] {
            assert!(told(code).contains("does not lock files") && told(code).contains("--catalog DIR"), "{code}");
        }
        // reading, writing, syncing, removing a journal, temporary files, others
        for (code, doing) in [
            (266, "failed to read it"),
            (522, "failed to read it"),
            (778, "failed to write to it"),
            (1034, "failed to sync it"),
            (1290, "failed to sync it"),
            (2570, "failed to delete the journal of it"),
            (6410, "TMPDIR"),
            (1802, "failed to use it"),
            (10, "failed to use it"),
        ] {
            assert!(told(code).contains(doing) && told(code).contains("dmesg"), "{code}: {}", told(code));
        }
    }
}
