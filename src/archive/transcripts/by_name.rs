//! `by-name/`: symbolic links to the rooms, named as people name them.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use rusqlite::params;

use super::super::writing::Writing;
use super::super::{Error, jsonl};

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

/// Brings the links up to date for every room with one of these names; false if the file system has no links.
pub(super) fn link(archive: &Path, names: &BTreeSet<String>, writing: &Writing<'_>) -> Result<bool, Error> {
    if names.is_empty() {
        return Ok(true);
    }
    let directory = archive.join("by-name");
    jsonl::make_directory(&directory)?;
    let sql = "select exists (select 1 from room where link is not null)";
    if !writing.0.query_row(sql, [], |row| row.get::<_, bool>(0))? {
        clear(&directory)?;
    }
    for name in names {
        let sql =
            "select room_id, directory, by_name, link from room where by_name = ?1 collate nocase order by room_id";
        let mut statement = writing.0.prepare_cached(sql)?;
        let rooms = statement.query_map([name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        let rooms: Vec<(String, String, String, Option<String>)> = rooms.collect::<Result<_, _>>()?;
        let is_shared = rooms.len() > 1;
        for (room_id, room, name, old) in rooms {
            let wanted = if is_shared { format!("{}{SEPARATOR}{room}", cut(&name, LONGEST_SHARED)) } else { name };
            if old.as_ref() == Some(&wanted) {
                continue;
            }
            if let Some(old) = old {
                remove(&directory.join(old))?;
            }
            match make(&directory, &wanted, &format!("../rooms/{room}")) {
                Ok(()) => {}
                Err(error) if is_unsupported(&error) => return Ok(false),
                Err(error) => return Err(Error::io("make the symbolic link", &directory.join(wanted))(error)),
            }
            writing
                .0
                .prepare_cached("update room set link = ?2 where room_id = ?1")?
                .execute(params![room_id, wanted])?;
        }
    }
    jsonl::sync(&directory)?;
    Ok(true)
}

/// Whether the file system cannot have symbolic links, which Linux says in several ways.
fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied)
}

fn make(directory: &Path, name: &str, target: &str) -> io::Result<()> {
    let beside = directory.join(".new");
    let _ = fs::remove_file(&beside);
    symlink(target, &beside)?;
    fs::rename(&beside, directory.join(name))
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => fs::remove_file(path).map_err(Error::io("remove", path)),
        _ => Ok(()),
    }
}

/// Removes the links of a catalog that is no more.
fn clear(directory: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(directory).map_err(Error::io("list", directory))? {
        remove(&entry.map_err(Error::io("list", directory))?.path())?;
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
