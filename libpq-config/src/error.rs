//! Why parameters cannot be used, and what helps.
//!
//! Never quotes a value, which may be a password, or a part of one.

use std::path::PathBuf;

/// Why parameters cannot be used; names what is at fault and never quotes a value.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The connection string is not one.
    #[error("the database's connection string is malformed: {0}")]
    Malformed(String),
    /// A key that libpq does not know either.
    #[error("unknown connection parameter '{key}' in {place}")]
    Unknown {
        /// The key.
        key: String,
        /// Where it was found.
        place: String,
    },
    /// A parameter of libpq's that is not implemented.
    #[error("the connection parameter '{key}' ({place}) is not supported{}", only(harmless))]
    Unsupported {
        /// The key.
        key: &'static str,
        /// Where it was found.
        place: String,
        /// The values that may stand.
        harmless: &'static [&'static str],
    },
    /// A value that cannot be.
    #[error("the connection parameter '{key}' must be {expected}")]
    Value {
        /// The key.
        key: &'static str,
        /// What it could be.
        expected: &'static str,
    },
    /// Lists that do not match.
    #[error("'{0}' must have one value, or as many as there are hosts")]
    Count(&'static str),
    /// Nothing to check certificates against.
    #[error("sslmode verify-ca and verify-full need trusted certificates")]
    NoRoots,
    /// All the world's CAs, and any host.
    #[error("sslrootcert=system needs sslmode=verify-full: anybody can have a certificate of a public authority")]
    WeakMode,
    /// A file that cannot be used.
    #[error("cannot use {} ({key}): {problem}", path.display())]
    File {
        /// Which variable names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

fn only(harmless: &[&str]) -> String {
    if harmless.is_empty() { String::new() } else { format!(" but as {}", harmless.join(" or ")) }
}

impl Error {
    /// What helps, where the error does not say it itself.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Error::Unknown { .. } => Some("correct or remove it"),
            Error::Unsupported { .. } => Some("remove it"),
            Error::NoRoots => Some(
                "give sslrootcert a file (or put it at ~/.postgresql/root.crt), or sslrootcert=system for the system's",
            ),
            _ => None,
        }
    }
}
