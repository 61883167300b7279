//! How a command ends: its exit status, and the hint that helps against an error. Writes nothing itself.

use crate::{archive, config, source};

use super::lag;

/// How a command ended, if it did not fail.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    /// Nothing was found.
    Nothing,
    Damaged,
    Refused,
    /// What `doctor` found.
    Warnings,
    Errors,
    /// As others have, which it has run.
    Ended(u8),
    Signalled(u8),
}

/// What was asked for makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct WrongUsage(pub(super) String);

impl Outcome {
    /// The exit status that it is.
    pub(super) fn status(self) -> u8 {
        match self {
            Outcome::Done => 0,
            Outcome::Nothing => 1,
            Outcome::Refused => 2,
            Outcome::Damaged => 3,
            Outcome::Warnings => 10,
            Outcome::Errors => 11,
            Outcome::Ended(status) => status,
            Outcome::Signalled(signal) => 128 + signal,
        }
    }
}

/// The exit status that an error asks for.
pub(super) fn status(error: &anyhow::Error) -> u8 {
    let transient = of_archive(error).is_some_and(archive::Error::is_transient)
        || of_source(error).is_some_and(source::Error::is_transient);
    if transient || error.is::<lag::Lagging>() || error.is::<lag::StillCopying>() {
        75
    } else if error.is::<config::Error>() || error.is::<WrongUsage>() {
        2
    } else {
        1
    }
}

/// Whether there is no space for an archive.
pub(super) fn is_full(error: &anyhow::Error) -> bool {
    of_archive(error).is_some_and(archive::Error::is_full)
}

/// What helps against an error, where it does not say it itself.
pub(super) fn hint(error: &anyhow::Error) -> Option<String> {
    if error.is::<lag::Lagging>() {
        return Some(lag::Lagging::HINT.to_owned());
    }
    if error.is::<lag::StillCopying>() {
        return Some(lag::StillCopying::HINT.to_owned());
    }
    error.chain().find_map(|cause| {
        if let Some(error) = cause.downcast_ref::<config::Error>() {
            return error.hint().map(str::to_owned);
        }
        let of_export = cause.downcast_ref::<crate::export::Error>().map(crate::export::Error::hint);
        let of_source = || cause.downcast_ref::<source::Error>().map(source::Error::hint);
        let of_archive = || cause.downcast_ref::<archive::Error>().map(archive::Error::hint);
        if let Some(error) = cause.downcast_ref::<crate::keys::Error>() {
            return error.hint();
        }
        if let Some(error) = cause.downcast_ref::<crate::outputs::Error>() {
            return error.hint();
        }
        of_export.or_else(of_source).or_else(of_archive).flatten()
    })
}

fn of_source(error: &anyhow::Error) -> Option<&source::Error> {
    error.chain().find_map(|cause| match cause.downcast_ref() {
        Some(crate::export::Error::Source(error)) => Some(error),
        _ => match cause.downcast_ref() {
            Some(crate::keys::Error::Source(error) | crate::keys::Error::Bridge { source: error, .. }) => Some(error),
            _ => cause.downcast_ref(),
        },
    })
}

fn of_archive(error: &anyhow::Error) -> Option<&archive::Error> {
    error.chain().find_map(|cause| match cause.downcast_ref() {
        Some(crate::export::Error::Archive(error)) => Some(error),
        _ => cause.downcast_ref(),
    })
}

pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    // of all errors only those of writing to stdout come as they are, or from a document
    let of_document = match error.downcast_ref() {
        Some(archive::Error::Transcript(error)) => Some(error),
        _ => None,
    };
    let error = error.downcast_ref::<std::io::Error>().or(of_document);
    error.is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_enter_an_archive_is_told_what_to_do() {
        let denied = |kind: std::io::ErrorKind| archive::Error::Io {
            doing: "open",
            path: "archive/.lock".into(),
            source: kind.into(),
        };
        let hint = |error: archive::Error| hint(&crate::export::Error::Archive(error).into());
        assert!(hint(denied(std::io::ErrorKind::PermissionDenied)).is_some());
        assert!(hint(denied(std::io::ErrorKind::StorageFull)).is_none());
    }
}
