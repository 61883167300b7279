//! Why an archive cannot be opened or written, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use super::CATALOG_VERSION;
use super::catalog::was_endless;

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
    #[error(
        "another program keeps the archive's catalog.sqlite locked, and waiting for 30 seconds did not help. Let it end its transaction, or try again later"
    )]
    Busy(#[source] rusqlite::Error),
    /// It was told to stop while it did something that takes long.
    #[error("stopped before it was done: the next run goes on from there")]
    Stopped,
    /// A look at the catalog took longer than any of ours does.
    #[error(
        "to look at the archive's catalog.sqlite takes longer than it can where a synapse-export has written it, unless its first export still goes on. If none does, the catalog is damaged or made to do harm: delete it, and the next export makes it anew from the files"
    )]
    Endless(#[source] rusqlite::Error),
    /// No space.
    #[error(
        "there is no space for the archive's catalog.sqlite, or for what SQLite sorts on its way in SQLITE_TMPDIR, TMPDIR or /var/tmp. Make space and run this again: it goes on from there"
    )]
    Full(#[source] rusqlite::Error),
    /// The catalog's own text is damaged.
    #[error(
        "the archive's catalog.sqlite is damaged. Restore it from a backup of the archive, or delete it: the next export makes it anew from the files that are there, reads the server again and adds what is missing"
    )]
    Damaged(#[source] rusqlite::Error),
    /// Another program's database.
    #[error("the archive's catalog.sqlite is not a catalog of synapse-export")]
    Foreign,
    /// A catalog of a newer version.
    #[error(
        "the archive's catalog has version {0}, this synapse-export knows version {CATALOG_VERSION}: use a newer one"
    )]
    Newer(i64),
    /// A catalog of a version that was never released.
    #[error(
        "the archive's catalog has version {0}, which no release had, and this synapse-export knows version {CATALOG_VERSION}. Delete catalog.sqlite: the next export makes it anew from the files, reads the server again and adds what is missing"
    )]
    Older(i64),
    /// A catalog of the version before, which only who may write to it can bring to this one.
    #[error(
        "the archive's catalog has version {0}, this synapse-export knows version {CATALOG_VERSION}: the next `synapse-export export` brings it up to that"
    )]
    NotUpgraded(i64),
    /// The database is another server's.
    #[error("the archive is of the server {}, the database of {}: each server has its own archive", own.escape_debug(), found.escape_debug())]
    OtherServer {
        /// Whose events are archived.
        own: String,
        /// Whose database it is.
        found: String,
    },
    /// No catalog to look at.
    #[error("{} is no archive: it has no catalog.sqlite", .0.display())]
    NoArchive(PathBuf),
    /// The directory is no archive, and not empty.
    #[error(
        "{} is no archive, and not empty: {} in the way. Give the archive a directory of its own",
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
        "{} {why}, who could read or alter what is archived. Make it this user's alone (chown, chmod go-w), or, if it is meant to be so, say --shared-archive",
        path.display()
    )]
    NotOurs {
        /// The directory, or what is in it.
        path: PathBuf,
        /// Whose it is, or who may write to it.
        why: String,
    },
    /// Somebody else writes to the archive.
    #[error("another synapse-export ({}) is writing to {}", holder, archive.display())]
    Locked {
        /// `process 4711`, as far as it is known.
        holder: String,
        /// The archive.
        archive: PathBuf,
    },
    /// A file is not as the catalog knows it.
    #[error(
        "{} {found}, but the catalog knows {committed} bytes of it. Restore it from a backup of the archive. If there is none, delete catalog.sqlite: the next export makes it anew from the files that are there, reads the server again and adds what is missing",
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
        "the archive's catalog.sqlite has {0}, which no synapse-export has written: somebody has altered it, or made it to do harm. Restore it from a backup of the archive, or delete it: the next export makes it anew from the files that are there, reads the server again and adds what is missing"
    )]
    Altered(String),
    /// A file or directory of somebody else has the name of one that is to be made.
    #[error("{} is in the way: no synapse-export has made it, and something is to be written there. Move it elsewhere, then run this again", .0.display())]
    InTheWay(PathBuf),
    /// A line from which the catalog cannot be made anew.
    #[error("line {line} of {} cannot be read back: {why}. Repair it or take it out, then try again", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// What is wrong, without its text.
        why: String,
    },
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
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseCorrupt, DiskFull, NotADatabase, OperationInterrupted};
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
            _ => Error::Catalog(source),
        }
    }
}

impl Error {
    /// Whether the same may work later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Error::Locked { .. } | Error::Busy(_))
    }

    /// Whether an event would have had two rows in the catalog.
    pub(super) fn is_duplicate(&self) -> bool {
        let unique = rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE;
        matches!(self, Error::Catalog(error) if error.sqlite_error().is_some_and(|error| error.extended_code == unique))
    }

    /// Something in a catalog that cannot be of an export; what it is of, and its text.
    pub(super) fn altered(what: &str, text: &str) -> Error {
        let text: String = text.chars().take(SHOWN).collect();
        Error::Altered(format!("{what} {text:?}"))
    }

    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Io { doing, path: path.to_owned(), source }
    }
}
