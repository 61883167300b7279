//! Whether a directory may be, or become, an archive of this user: nothing of somebody else is in the way, and nobody else owns
//! it or may write to it. Changes nothing.

use std::path::Path;

use rustix::fs::{AtFlags, FileType, Stat};

use super::opening::SELECTION;
use super::{Error, durable, inside, layout, lines};

/// Names that some file systems and devices put into every directory; those with a dot are in no one's way either.
const NOBODYS: [&str; 3] = ["lost+found", "@eaDir", "#recycle"];
/// The catalog and its journals, which may be all that is left of one that somebody took away.
pub(super) const CATALOG: [&str; 4] =
    ["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm", "catalog.sqlite-journal"];
/// What lies beside it.
const OTHERS: [&str; 8] = [
    "rooms",
    super::sections::DIRECTORY,
    "by-name",
    super::media::NAME,
    "index.md",
    "index.html",
    super::decrypted::FILES[0],
    super::decrypted::FILES[1],
];
/// What says what an archive is, and nothing else has.
const TOLD: [&str; 4] = [super::chain::NAME, super::state::NAME, super::place::NAME, SELECTION];
/// How many files of lines are looked into to tell an archive that has lost its catalog.
const LOOKED_INTO: usize = 1_000;
/// How much of each, in bytes.
const BEGINNING: u64 = 64 * 1024;

/// Refuses a directory that is no archive and has other things in it.
pub(super) fn check_content(directory: &Path) -> Result<(), Error> {
    let names = durable::names(directory, "")?;
    let others: Vec<String> = names.iter().filter(|name| !is_nobodys(name)).cloned().collect();
    let is_told = CATALOG.iter().chain(&TOLD).any(|name| names.contains(*name));
    if others.is_empty() || is_told || has_lines(directory) || others == ["rooms"] && is_hollow(directory) {
        return Ok(());
    }
    Err(Error::NotEmpty { directory: directory.to_owned(), others })
}

/// Whether a name in an archive's directory is its own.
pub(super) fn is_own(name: &str) -> bool {
    CATALOG.contains(&name) || OTHERS.contains(&name) || TOLD.contains(&name)
}

/// Whether a name in an archive's directory is of what its readers may read; who writes to it is not of these.
pub(super) fn is_for_readers(name: &str) -> bool {
    is_own(name) || TOLD.contains(&name)
}

/// Whether a name is in no one's way.
pub(super) fn is_nobodys(name: &str) -> bool {
    name.starts_with('.') || NOBODYS.contains(&name)
}

/// Whether some file has lines of ours.
fn has_lines(directory: &Path) -> bool {
    let mut looked_into = 0;
    // what cannot be listed is none of ours
    for room in durable::names(directory, "rooms").unwrap_or_default() {
        let room = format!("rooms/{room}");
        for file in durable::names(directory, &room).unwrap_or_default() {
            let Some((day, _)) = lines::day_of(&file) else { continue };
            let path = format!("{room}/{day}.jsonl");
            if layout::parts(&path).is_none() {
                continue;
            }
            looked_into += 1;
            if let Ok(begin) = lines::beginning(directory, &path, BEGINNING)
                && (memchr::memmem::find(&begin, b"\"synapse\":").is_some() || is_cut_off(&begin))
            {
                return true;
            }
            if looked_into == LOOKED_INTO {
                return false;
            }
        }
    }
    false
}

/// Whether there is nothing in `rooms` but rooms' directories without anything, of which a line that was cut off may have been all.
fn is_hollow(directory: &Path) -> bool {
    let names = |path: &str| durable::names(directory, path);
    let is_empty = |room: &String| {
        let is_rooms = layout::parts(&format!("rooms/{room}/undated.jsonl")).is_some();
        is_rooms && names(&format!("rooms/{room}")).is_ok_and(|files| files.is_empty())
    };
    names("rooms").is_ok_and(|rooms| !rooms.is_empty() && rooms.iter().all(is_empty))
}

/// Whether it is the beginning of a line of ours and no more, as a first export that was killed may leave it.
fn is_cut_off(begin: &[u8]) -> bool {
    let heads = [&b"{\"event_id\":"[..], b"{\"room_id\":", b"{\"synapse\":"];
    memchr::memchr(b'\n', begin).is_none()
        && heads.iter().any(|head| begin.starts_with(head) || head.starts_with(begin))
}

/// Refuses an archive that another user owns or may write to: he could have it filled, and read or alter it.
pub(super) fn check_owner(directory: &Path) -> Result<(), Error> {
    let look = |path: &Path, stat: Result<Stat, rustix::io::Errno>| match stat {
        Ok(stat) => of_another(&stat).map_or(Ok(()), |why| Err(Error::NotOurs { path: path.to_owned(), why })),
        Err(rustix::io::Errno::NOENT) => Ok(()),
        Err(error) => Err(Error::io("look at", path)(error.into())),
    };
    look(directory, rustix::fs::stat(directory))?;
    let inside = inside::directory(directory, "").map_err(Error::io("open", directory))?;
    for name in CATALOG.into_iter().chain(OTHERS).chain(TOLD) {
        let path = directory.join(name);
        let stat = rustix::fs::statat(&inside, name, AtFlags::SYMLINK_NOFOLLOW);
        if stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink) {
            return Err(Error::io("open", &path)(inside::is_link()));
        }
        look(&path, stat)?;
    }
    Ok(())
}

/// Who else owns something or may write to it; root may anyway.
fn of_another(stat: &Stat) -> Option<String> {
    let (own, mode) = (rustix::process::geteuid().as_raw(), stat.st_mode & 0o7777);
    if stat.st_uid != own && stat.st_uid != 0 {
        return Some(format!("belongs to another user (uid {})", stat.st_uid));
    }
    (mode & 0o022 != 0).then(|| format!("may be written to by other users (mode {mode:04o})"))
}

/// As [`check_owner`], for whoever only looks: what is wrong, if anything is.
#[must_use]
pub fn foreign_owner(directory: &Path) -> Option<Error> {
    check_owner(directory).err().filter(|error| matches!(error, Error::NotOurs { .. }))
}
