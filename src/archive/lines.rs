//! Lines read where the catalog says they are. Changes nothing, and says what is not as the catalog has it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use tracing::warn;

use super::{Error, inside, layout};
use crate::event;

/// Reads a line: `length` bytes of a file below the archive from `start` on.
pub(super) fn read(archive: &Path, path: &str, start: u64, length: u64) -> Result<String, Error> {
    Open::new(archive, path)?.read(start, length)
}

/// A file of lines, open to be read from.
#[derive(Debug)]
pub(super) struct Open {
    /// Below the archive.
    path: String,
    file: File,
    bytes: u64,
}

impl Open {
    pub(super) fn new(archive: &Path, path: &str) -> Result<Open, Error> {
        let own = layout::parts(path).map(|_| path).ok_or_else(|| Error::altered("the path of a file", path))?;
        let opened = inside::read(archive, own).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (bytes, file) = opened.map_err(Error::io("open", &archive.join(own)))?;
        Ok(Open { path: own.to_owned(), file, bytes })
    }

    /// Reads all of it, as long as it was when it was opened.
    fn read_all(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; usize::try_from(self.bytes).unwrap_or(usize::MAX)];
        self.file.read_exact_at(&mut bytes, 0).map_err(Error::io("read", Path::new(&self.path)))?;
        Ok(bytes)
    }

    /// Reads `length` bytes from `start` on.
    pub(super) fn read(&self, start: u64, length: u64) -> Result<String, Error> {
        let failed = |error| Error::io("read", Path::new(&self.path))(error);
        if start.checked_add(length).is_none_or(|end| end > self.bytes) {
            return Err(failed(io::ErrorKind::UnexpectedEof.into()));
        }
        let mut text = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        self.file.read_exact_at(&mut text, start).map_err(failed)?;
        String::from_utf8(text).map_err(|error| failed(io::Error::other(error.utf8_error())))
    }
}

/// How much of a file is read at once, if it is no longer; bytes.
const WHOLE: u64 = 256 * 1024;
/// How many files are kept open.
const OPEN: usize = 16;

/// Gives a catalog's connection the function `content(path, start, length)`: the JSON text of an event's `content` as its line
/// has it; null where the line has no PDU, or is not where the catalog says, which is logged.
pub(super) fn give_content(archive: &Path, connection: &Connection) -> Result<(), Error> {
    let (archive, open) = (archive.to_owned(), Mutex::new(Vec::<Held>::new()));
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_scalar_function("content", 3, flags, move |of| {
        let (path, start, length) = (of.get_raw(0).as_str()?, of.get::<i64>(1)?, of.get::<i64>(2)?);
        let (start, length) = (start.unsigned_abs(), length.unsigned_abs());
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        let content = match held(&archive, &mut open, path).and_then(|file| file.content(start, length)) {
            Ok(content) => content,
            Err(error) => {
                warn!("the line at byte {start} of {}: {error}", archive.join(path).display());
                None
            }
        };
        Ok(content)
    })?;
    Ok(())
}

/// A file that was read from lately; a small one with all it says.
struct Held {
    open: Open,
    whole: Option<Vec<u8>>,
}

impl Held {
    fn content(&self, start: u64, length: u64) -> Result<Option<String>, Error> {
        let read;
        let line = match &self.whole {
            Some(whole) => {
                let end = start.saturating_add(length);
                let range = usize::try_from(start).unwrap_or(usize::MAX)..usize::try_from(end).unwrap_or(usize::MAX);
                whole.get(range).and_then(|line| std::str::from_utf8(line).ok())
            }
            None => {
                read = self.open.read(start, length)?;
                Some(&*read)
            }
        };
        let line = line.filter(|line| line.starts_with('{') && line.ends_with('}'));
        let line = line.ok_or_else(|| Error::altered("the place of a line", &self.open.path))?;
        Ok(event::content_of_line(line).map(str::to_owned))
    }
}

/// The file at a path, which is opened unless it was lately.
fn held<'h>(archive: &Path, open: &'h mut Vec<Held>, path: &str) -> Result<&'h Held, Error> {
    if let Some(at) = open.iter().position(|held| held.open.path == path) {
        // the last one comes last
        let last = open.len() - 1;
        open[at..].rotate_left(1);
        return Ok(&open[last]);
    }
    if open.len() >= OPEN {
        open.remove(0);
    }
    let file = Open::new(archive, path)?;
    let whole = (file.bytes <= WHOLE).then(|| file.read_all()).transpose()?;
    open.push(Held { open: file, whole });
    let last = open.len() - 1;
    Ok(&open[last])
}
