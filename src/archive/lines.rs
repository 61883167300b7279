//! Lines read where the catalog says they are. Changes nothing, and says what is not as the catalog has it.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
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
/// How many files are held.
const HELD: usize = 16;

/// Gives a catalog's connection the function `content(path, start, length)`: the JSON text of an event's `content` as its line
/// has it; null where the line has no PDU, or is not where the catalog says, which is logged.
pub(super) fn give_content(archive: &Path, connection: &Connection) -> Result<(), Error> {
    let held = Mutex::new(HeldFiles { archive: archive.to_owned(), files: Vec::new() });
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_scalar_function("content", 3, flags, move |of| {
        let (path, start, length) = (of.get_raw(0).as_str()?, of.get::<i64>(1)?, of.get::<i64>(2)?);
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        let content = held.content(path, start.unsigned_abs(), length.unsigned_abs());
        Ok(content.unwrap_or_else(|error| {
            warn!("the line at byte {start} of {} cannot be read: {error}", held.archive.join(path).display());
            None
        }))
    })?;
    Ok(())
}

/// Files that were read from lately, the last one last.
struct HeldFiles {
    archive: PathBuf,
    files: Vec<(String, Held)>,
}

enum Held {
    /// All that a small file says.
    Whole(Vec<u8>),
    Open(Open),
}

impl HeldFiles {
    /// The content of a line's PDU, if it has one.
    fn content(&mut self, path: &str, start: u64, length: u64) -> Result<Option<String>, Error> {
        let line = match self.hold(path)? {
            Held::Whole(whole) => {
                let [start, end] =
                    [start, start.saturating_add(length)].map(|at| usize::try_from(at).unwrap_or(usize::MAX));
                let line = whole.get(start..end).and_then(|line| std::str::from_utf8(line).ok());
                line.map(Cow::Borrowed)
            }
            Held::Open(file) => Some(Cow::Owned(file.read(start, length)?)),
        };
        let line = line.filter(|line| line.starts_with('{') && line.ends_with('}'));
        let line = line.ok_or_else(|| Error::altered("the place of a line", path))?;
        Ok(event::content_of_line(&line).map(str::to_owned))
    }

    /// A file, which is opened unless it was lately. Of large files one is open at a time.
    fn hold(&mut self, path: &str) -> Result<&Held, Error> {
        let file = if let Some(at) = self.files.iter().position(|(held, _)| held == path) {
            self.files.remove(at)
        } else {
            let file = Open::new(&self.archive, path)?;
            let is_small = file.bytes <= WHOLE;
            self.files.retain(|(_, held)| is_small || matches!(held, Held::Whole(_)));
            if self.files.len() >= HELD {
                self.files.remove(0);
            }
            (path.to_owned(), if is_small { Held::Whole(file.read_all()?) } else { Held::Open(file) })
        };
        self.files.push(file);
        Ok(&self.files[self.files.len() - 1].1)
    }
}
