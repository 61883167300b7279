//! Files of lines against their committed lengths. Takes away what no commit has, and refuses a file that lacks what one has.

use std::io::{self, Read as _};
use std::path::Path;

use rustix::fs::OFlags;

use super::super::durable::{names, remove};
use super::super::{Error, inside, layout};
use super::form::{self, Form, day_of};

/// A path below the archive, if an export makes such files: it may come from a catalog that somebody else has made.
pub(super) fn own(path: &str) -> Result<&str, Error> {
    layout::parts(path).map(|_| path).ok_or_else(|| Error::altered("the path of a file", path))
}

/// Refuses a file that is not as long as the catalog says, or is there though the catalog does not know it.
pub(in crate::archive) fn check(archive: &Path, path: &str, committed: Option<u64>) -> Result<(), Error> {
    let relative = own(path)?;
    let path = archive.join(relative);
    let found = match form::length(archive, relative) {
        Ok(length) if length == committed => return Ok(()),
        Ok(None) => "is missing".to_owned(),
        Ok(Some(bytes)) => format!("has {bytes} bytes"),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => error.to_string(),
        Err(error) => return Err(Error::io("look at", &path)(error)),
    };
    Err(Error::Changed { path, found, committed: committed.unwrap_or(0) })
}

/// Looks at every file that has the name of a file of lines, whatever its form; its path below the archive, and the day it is named after.
pub(in crate::archive) fn for_each(
    archive: &Path,
    mut look: impl FnMut(&str, &str) -> Result<(), Error>,
) -> Result<(), Error> {
    for room in names(archive, "rooms")? {
        let room = format!("rooms/{room}");
        let names = names(archive, &room)?;
        for (day, form) in names.iter().filter_map(|name| day_of(name)) {
            let path = format!("{room}/{day}.jsonl");
            // where both forms are there, once
            if form == Form::Plain || !names.contains(inside::split(&path).1) {
                look(&path, day)?;
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
    let frames = form::compressed(archive, relative, OFlags::RDWR).map_err(Error::io("open", &path))?;
    if let Some(frames) = frames.filter(|frames| length.is_none_or(|length| length <= frames.length())) {
        let end = frames.end_at(committed).map_err(Error::io("read", &path))?;
        end.map_or(Ok(()), |end| frames.cut(end)).map_err(Error::io("truncate", &path))?;
        return check(archive, relative, (committed > 0).then_some(committed));
    }
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
