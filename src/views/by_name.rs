//! `by-name/`: symbolic links to the rooms, named as people name them. Replaces nothing but links of our own, and follows none.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::AtFlags;
use rustix::io::Errno;

use crate::archive::{Archive, Error, UnlinkedRoom, ViewState, durable, inside};

pub(super) const DIRECTORY: &str = "by-name";

/// The longest name, in bytes, and when it needs the room's directory behind it to be unique.
const LONGEST: usize = 120;
const LONGEST_SHARED: usize = 50;
/// Stands between a name and a directory, and in no name.
const SEPARATOR: char = '~';

/// A room's name as a file name: without what a file system, a shell or a terminal could take amiss; none if nothing is left.
///
/// Letters and digits of all scripts stay, and a few signs; everything else becomes `-`.
pub(super) fn safe(name: &str) -> Option<String> {
    let mut safe = String::new();
    for c in name.chars() {
        let c = match c {
            c if c.is_alphanumeric() || matches!(c, '_' | '.' | '+' | ',' | '@' | '(' | ')') => c,
            c if c.is_whitespace() => ' ',
            _ => '-',
        };
        if !(matches!(c, ' ' | '-') && safe.ends_with([' ', '-'])) {
            safe.push(c);
        }
    }
    let safe = cut(safe.trim_start_matches(['.', '-', ' ']), LONGEST).trim_end_matches([' ', '-', '.']);
    (!safe.is_empty()).then(|| safe.to_owned())
}

fn cut(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|&at| text.is_char_boundary(at));
    &text[..end.unwrap_or(0)]
}

/// How many rooms are looked at together.
const AT_ONCE: i64 = 1_000;

/// Makes the links of rooms that have none since their names have changed; false if the file system has no links.
///
/// The catalog has forgotten the old ones by then, so that what is cut off here is done again.
pub(super) fn link(archive: &mut Archive) -> Result<bool, Error> {
    if !archive.catalog().lacks_links()? {
        return Ok(true);
    }
    let below = archive.directory().to_owned();
    let path = below.join(DIRECTORY);
    inside::make_directory(&below, DIRECTORY, archive.readers()).map_err(Error::io("make the directory", &path))?;
    let directory = inside::directory(&below, DIRECTORY).map_err(Error::io("open", &path))?;
    let changes = archive.view_state()?;
    clear(&below, &directory, &changes)?;
    let mut last = String::new();
    loop {
        let rooms = changes.unlinked(&last, AT_ONCE)?;
        let Some(room) = rooms.last() else { break };
        last.clone_from(&room.room_id);
        for UnlinkedRoom { room_id, directory: room, by_name: name, is_shared } in rooms {
            if safe(&name).as_ref() != Some(&name) {
                return Err(Error::altered("the name of a room", &name));
            }
            let name = if is_shared { format!("{}{SEPARATOR}{room}", cut(&name, LONGEST_SHARED)) } else { name };
            match make(&directory, &name, &format!("../rooms/{room}")) {
                Ok(()) => {}
                Err(error) if is_unsupported(&error) => {
                    changes.links_cannot_be()?;
                    changes.commit()?;
                    let _ = fs::remove_dir(&path);
                    return Ok(false);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    return Err(Error::InTheWay(path.join(name)));
                }
                Err(error) => return Err(Error::io("make the symbolic link", &path.join(name))(error)),
            }
            changes.room_is_linked(&room_id, &name)?;
        }
    }
    durable::sync(&path)?;
    durable::sync(&below)?;
    changes.commit()?;
    Ok(true)
}

/// Whether the file system cannot have symbolic links, which Linux says in several ways; that the user may not make one is
/// another error.
fn is_unsupported(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::PERM | Errno::NOSYS | Errno::OPNOTSUPP))
}

/// Makes a link, in place of one of ours that has its name; that something else has it is an error.
fn make(directory: &OwnedFd, name: &str, target: &str) -> io::Result<()> {
    let is_there = |name| rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).is_ok();
    if is_there(name) && room_of(directory, name).is_none() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let beside = ".new";
    if room_of(directory, beside).is_some() {
        rustix::fs::unlinkat(directory, beside, AtFlags::empty())?;
    }
    rustix::fs::symlinkat(target, directory, beside)?;
    Ok(rustix::fs::renameat(directory, beside, directory, name).inspect_err(|_| {
        let _ = rustix::fs::unlinkat(directory, beside, AtFlags::empty());
    })?)
}

/// The room's directory that a link of ours leads to; none if it is no such link.
pub(super) fn room_of(directory: &OwnedFd, name: &str) -> Option<String> {
    let target = rustix::fs::readlinkat(directory, name, Vec::new()).ok()?;
    Some(target.to_str().ok()?.strip_prefix("../rooms/")?.to_owned())
}

/// Whether there is a link of ours by a name, and it leads to this room.
pub(super) fn leads_to(archive: &Path, name: &str, room: &str) -> bool {
    inside::directory(archive, DIRECTORY).is_ok_and(|links| room_of(&links, name).as_deref() == Some(room))
}

/// Takes away the links to these rooms, by their directories.
pub(super) fn forget(archive: &Path, rooms: &BTreeSet<String>) -> Result<(), Error> {
    let names = durable::names(archive, DIRECTORY)?;
    if names.is_empty() {
        return Ok(());
    }
    let path = archive.join(DIRECTORY);
    let directory = inside::directory(archive, DIRECTORY).map_err(Error::io("open", &path))?;
    for name in names {
        if room_of(&directory, &name).is_some_and(|room| rooms.contains(&room)) {
            let removed = rustix::fs::unlinkat(&directory, &*name, AtFlags::empty());
            removed.map_err(|error| Error::io("remove", &path.join(&name))(error.into()))?;
        }
    }
    durable::sync(&path)
}

/// Removes the links to rooms that are not those the catalog knows.
fn clear(archive: &Path, directory: &OwnedFd, changes: &ViewState<'_>) -> Result<(), Error> {
    for name in durable::names(archive, DIRECTORY)? {
        let Some(room) = room_of(directory, &name) else { continue };
        if !changes.is_link_to(&room, &name)? {
            let removed = rustix::fs::unlinkat(directory, &*name, AtFlags::empty());
            removed.map_err(|error| Error::io("remove", &archive.join(DIRECTORY).join(&name))(error.into()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_file_names() {
        for (name, expected) in [
            ("Database team", Some("Database team")),
            ("Größe & Gewicht / 大きさ", Some("Größe Gewicht 大きさ")),
            ("../../etc/passwd", Some("etc-passwd")),
            (" .hidden", Some("hidden")),
            ("-rf *", Some("rf")),
            ("a\u{202e}b\nc~d", Some("a-b c-d")),
            ("🎉", None),
            ("", None),
        ] {
            assert_eq!(safe(name).as_deref(), expected, "{name}");
        }
        let long = safe(&"ü".repeat(300)).unwrap_or_default();
        assert_eq!(long.len(), LONGEST);
    }
}
