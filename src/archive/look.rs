//! An archive as it lies there: what can be told without opening it to write, beside an export that may be running. Makes and
//! changes nothing.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::params;
use rustix::fs::Access;

use super::catalog::{anywhere, length};
use super::durable::names;
use super::lock::held_by;
use super::opening::check_files;
use super::ours::{is_nobodys, is_own};
use super::{Catalog, Error, layout, lines};
use crate::event::Event;

/// How many strangers are looked for, and in how many directories.
const STRANGERS: usize = 20;
const DIRECTORIES: usize = 200;

/// An archive's directory, or the place where it would be made.
#[derive(Debug)]
pub struct Look {
    /// The directory is there.
    pub exists: bool,
    /// Its permissions, as of chmod.
    pub mode: u32,
    /// This user may make files in it, or, as long as it is not there, make it.
    pub is_writable: bool,
    /// What this user may still write there, bytes.
    pub free_bytes: Option<u64>,
    /// Who is writing to it now: `process 4711`, as far as it is known.
    pub held_by: Option<String>,
}

/// Looks at the directory of an archive.
pub fn look(directory: &Path) -> Result<Look, Error> {
    let looked = Error::io("look at", directory);
    let (exists, mode) = match fs::metadata(directory) {
        Ok(metadata) if !metadata.is_dir() => return Err(looked(std::io::ErrorKind::NotADirectory.into())),
        Ok(metadata) => (true, metadata.permissions().mode() & 0o7777),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => (false, 0),
        Err(e) => return Err(looked(e)),
    };
    let place = nearest(directory);
    let is_writable = rustix::fs::access(&place, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK).is_ok();
    let free = rustix::fs::statvfs(&place).ok().map(|it| it.f_bavail.saturating_mul(it.f_frsize));
    Ok(Look { exists, mode, is_writable, free_bytes: free, held_by: held_by(directory) })
}

/// The directory itself or, if it is not there, the first above it that is.
fn nearest(directory: &Path) -> PathBuf {
    let absolute = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    let found = absolute.ancestors().find(|path| path.is_dir());
    found.map_or_else(|| PathBuf::from("/"), Path::to_owned)
}

impl Catalog {
    /// Compares some files with the catalog, `most` at most, others each time. Only between runs they agree.
    pub fn check_files(&self, archive: &Path, most: i64) -> Result<(), Error> {
        check_files(archive, self, most)
    }

    /// Events whose lines are not where the catalog says, `most` of its rows at most, others each time: event ids, paths below the
    /// archive. Only between runs it can tell.
    pub fn misplaced(&self, archive: &Path, most: i64) -> Result<Vec<(String, String)>, Error> {
        let rows: i64 = self.connection.query_row("select coalesce(max(line), 0) from line", [], |row| row.get(0))?;
        let start = (rows - most).max(0);
        let start = if start == 0 { 0 } else { anywhere(&self.connection)? * most % (start + 1) };
        let sql = "select event_id, path, start, length from event where line > ?1 order by line limit ?2";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query(params![start, most])?;
        let mut misplaced = Vec::new();
        while let Some(row) = rows.next()? {
            let (event_id, path): (String, String) = (row.get(0)?, row.get(1)?);
            let [start, length] = [row.get::<_, i64>(2)?, row.get::<_, i64>(3)?].map(i64::unsigned_abs);
            let is_there = lines::read(archive, &path, start, length)
                .is_ok_and(|line| Event::from_line(&line, "").is_ok_and(|event| event.event_id == event_id.as_str()));
            if !is_there && misplaced.len() < STRANGERS {
                misplaced.push((event_id, path));
            }
        }
        Ok(misplaced)
    }

    /// Files that no export has made, below the archive: some of those in its directory, and of those that bar the way of
    /// lines to come. Only between runs it can tell.
    pub fn strangers(&self, archive: &Path, most: i64) -> Result<Vec<String>, Error> {
        let mut strangers = Vec::new();
        for name in names(archive, "")? {
            if !is_own(&name) && !is_nobodys(&name) {
                strangers.push(name);
            }
        }
        let files = self.some_files(most)?;
        let rooms: BTreeSet<&str> = files.iter().filter_map(|(path, _)| Some(layout::parts(path)?.0)).collect();
        for room in rooms.into_iter().take(DIRECTORIES) {
            for name in names(archive, &format!("rooms/{room}"))? {
                let Some((day, _)) = lines::day_of(&name) else { continue };
                if length(&self.connection, &format!("rooms/{room}/{day}.jsonl"))?.is_none() {
                    strangers.push(format!("rooms/{room}/{name}"));
                }
            }
        }
        strangers.truncate(STRANGERS);
        Ok(strangers)
    }
}
