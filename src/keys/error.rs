//! Why sources of keys cannot be used. Quotes no key, no passphrase, no address with a password.

use std::path::{Path, PathBuf};

use crate::source;

/// Why sources of keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A database.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// The database of a bridge.
    #[error("cannot read the keys of {name}")]
    Bridge {
        /// Which one.
        name: String,
        /// What its database said.
        #[source]
        source: source::Error,
    },
    /// A file that the user has named.
    #[error("cannot use {}: {problem}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// None of what was given opens it.
    #[error("nothing that was given opens {0}")]
    Locked(String),
    /// A user who has none.
    #[error("{0} has no key backup in this database")]
    NoBackup(String),
    /// A database of SQLite's.
    #[error("cannot use {what}")]
    Sqlite {
        /// Which one.
        what: String,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
}

impl Error {
    pub(super) fn file(path: &Path, problem: impl std::fmt::Display) -> Error {
        Error::File { path: path.to_owned(), problem: problem.to_string() }
    }

    pub(super) fn sqlite(what: impl Into<String>) -> impl FnOnce(rusqlite::Error) -> Error {
        move |source| Error::Sqlite { what: what.into(), source }
    }

    /// What helps, where there is more to say than the error says.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Source(error) | Error::Bridge { source: error, .. } => error.hint(),
            Error::Locked(_) => Some(
                "a recovery key (--recovery-key-file) is the backup's or that of secret storage, a passphrase (--passphrase-file) is that of secret storage"
                    .to_owned(),
            ),
            Error::Sqlite { .. } => Some("a copy of the file does as well, with its -wal file beside it".to_owned()),
            _ => None,
        }
    }
}
