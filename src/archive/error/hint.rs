//! What helps against an error of the archive: one or more things to do, as the end of a sentence. Never what went wrong.

use std::io;

use rusqlite::ErrorCode;

use super::Error;

/// How a catalog is had anew.
const ANEW: &str = "run `synapse-export rebuild`, which makes catalog.sqlite anew from the archive's files: what these lack, the next export reads again";

/// What helps a chain.
pub(in crate::archive) const CHAIN: &str = "restore the whole archive from a backup. If there is none, move chain.jsonl away if it is still there: the next run begins it anew, and that is told for good";

impl Error {
    /// What helps, where anything does that the error does not say itself.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Busy(_) | Error::DecryptedBusy(_) => "let it end its transaction, or try again later",
            Error::Full(_) => "make space and run this again: it goes on from there",
            Error::Newer(_) | Error::NewerState(_) => "use a newer synapse-export",
            Error::NotUpgraded(_) => "the next `synapse-export export` brings it up to that",
            Error::OtherDecrypted(_) => {
                "move it away, and the next `synapse-export export --decrypt` makes another one, as far as the keys are still there"
            }
            Error::Decrypted(source) if source.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
                "make space and run this again: it goes on from there"
            }
            Error::Decrypted(_) => {
                "if it is damaged, restore it from a backup of the archive, or move it away: the next `synapse-export export` makes another one, as far as the keys are still there"
            }
            Error::Endless(_) | Error::Older(_) => ANEW,
            Error::OtherServer { .. } => "give each server an archive of its own",
            Error::NoArchive(_) => "if its catalog is lost, `synapse-export rebuild` makes it anew",
            Error::NotIndexed(_) => "try again when it is",
            Error::NotEmpty { .. } => "give the archive a directory of its own",
            Error::NotOurs { .. } => {
                "make it this user's alone (chown, chmod go-w), or, if it is meant to be so, say --shared-archive"
            }
            Error::NotGiven { .. } => {
                "give the directory to a group that this user is a member of (chgrp), then run this again"
            }
            Error::InUse(_) => "close it there, then run this again",
            Error::KeptByReaders(_) => {
                "have it end that, then run this again, or `synapse-export erase --go-on`; the next export takes it away too"
            }
            Error::OnHold(_) => "`synapse-export erase --release ROOM` ends a hold",
            Error::CutOff(_) => {
                "the next `synapse-export export` does, or any look by the user whose archive it is: look after that"
            }
            Error::NeedsLog(_) => {
                "have the archive's owner let a group read it (`synapse-export export --group-readable`), which also serves read-only mounts, or look at a copy of the archive"
            }
            Error::LockedElsewhere { .. } => "look when it is done",
            Error::LockLost(_) => "the next run undoes what is not committed, and goes on from there",
            Error::NoCatalog { .. } => {
                "mount that directory, or restore its catalog.sqlite from a backup. If it is lost, `synapse-export rebuild` makes it anew from the archive's files (with --catalog DIR, in another place)"
            }
            Error::CatalogOfAnother { .. } => {
                "give --catalog a directory of this archive's own, or restore its catalog there"
            }
            Error::CatalogInside { .. } => {
                "while no synapse-export runs, move catalog.sqlite (and catalog.sqlite-wal or -journal, if they are there) from the archive to that directory, then run this again"
            }
            Error::NoLocks(_) | Error::NoSharedMemory(_) => "keep the catalog on a local disk: --catalog DIR",
            Error::Disk { .. } => "look into the system's log (dmesg), then run this again: it goes on from there",
            Error::InTheWay(_) => "move it elsewhere, then run this again",
            Error::Line { .. } => "repair it or take it out, then try again",
            Error::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "run this as the user whose archive it is, or give that directory to this user"
            }
            Error::Chain { .. } => CHAIN,
            Error::Damaged(_) | Error::Altered(_) => {
                return Some(format!("restore it from a backup of the archive, or {ANEW}"));
            }
            Error::Changed { .. } => {
                return Some(format!(
                    "restore it from a backup of the archive; if a line was taken out by hand, `synapse-export erase --event ID` then takes the event out for good. If there is no backup, {ANEW}"
                ));
            }
            Error::Io { .. }
            | Error::Transcript(_)
            | Error::Catalog(_)
            | Error::Foreign
            | Error::Stopped
            | Error::Locked { .. } => {
                return None;
            }
        };
        Some(hint.to_owned())
    }
}
