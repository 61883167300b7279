//! Files of lines against their committed lengths.

use std::io::{self, Read as _};
use std::path::Path;

use rustix::fs::OFlags;

use super::super::durable::{names, remove};
use super::super::{Error, inside, layout};

/// A path below the archive, if an export makes such files: it may come from a catalog that somebody else has made.
pub(super) fn own(path: &str) -> Result<&str, Error> {
    layout::parts(path).map(|_| path).ok_or_else(|| Error::altered("the path of a file", path))
}

/// Refuses a file that is not as long as the catalog says, or is there though the catalog does not know it.
pub(in crate::archive) fn check(archive: &Path, path: &str, committed: Option<u64>) -> Result<(), Error> {
    let relative = own(path)?;
    let path = archive.join(relative);
    let length = inside::length(archive, relative).map_err(Error::io("look at", &path))?;
    if length == committed {
        return Ok(());
    }
    let found = length.map_or_else(|| "is missing".to_owned(), |bytes| format!("has {bytes} bytes"));
    Err(Error::Changed { path, found, committed: committed.unwrap_or(0) })
}

/// Looks at every file that has the name of a file of lines; its path below the archive, and the day it is named after.
pub(in crate::archive) fn for_each(
    archive: &Path,
    mut look: impl FnMut(&str, &str) -> Result<(), Error>,
) -> Result<(), Error> {
    for room in names(archive, "rooms")? {
        let room = format!("rooms/{room}");
        for file in names(archive, &room)? {
            if let Some(day) = file.strip_suffix(".jsonl") {
                look(&format!("{room}/{file}"), day)?;
            }
        }
    }
    Ok(())
}

/// Gives a file its committed length again; with none, takes it away.
pub(in crate::archive) fn truncate(archive: &Path, path: &str, committed: u64) -> Result<(), Error> {
    let relative = own(path)?;
    let path = archive.join(relative);
    let length = inside::length(archive, relative).map_err(Error::io("look at", &path))?;
    if committed == 0 {
        if length.is_some() && !begins_as_lines_do(archive, relative).map_err(Error::io("read", &path))? {
            let found = "is not of synapse-export".to_owned();
            return Err(Error::Changed { path, found, committed });
        }
        return remove(archive, relative);
    }
    if length.is_some_and(|length| length > committed) {
        let file = inside::open(archive, relative, OFlags::WRONLY).map_err(Error::io("open", &path))?;
        file.set_len(committed).and_then(|()| file.sync_all()).map_err(Error::io("truncate", &path))?;
    }
    check(archive, relative, Some(committed))
}

/// Whether a file may be one of lines, which may be cut off wherever a crash of the program or the machine did.
fn begins_as_lines_do(archive: &Path, path: &str) -> io::Result<bool> {
    let mut begin = Vec::new();
    inside::read(archive, path)?.take(16).read_to_end(&mut begin)?;
    let keys = [r#"{"event_id":"#, r#"{"room_id":"#, r#"{"synapse":"#];
    Ok(keys.iter().any(|key| begin.starts_with(key.as_bytes()) || key.as_bytes().starts_with(&begin))
        || begin.iter().all(|byte| *byte == 0))
}
