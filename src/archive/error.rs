//! Why an archive cannot be opened or written, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use super::CATALOG_VERSION;

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

impl From<rusqlite::Error> for Error {
    fn from(source: rusqlite::Error) -> Error {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseCorrupt, DiskFull, NotADatabase};
        match source.sqlite_error_code() {
            Some(DatabaseBusy) => Error::Busy(source),
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

    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Io { doing, path: path.to_owned(), source }
    }
}
