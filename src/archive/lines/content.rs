//! Lines read where the catalog says they are. Says what is not as the catalog has it. Writes none.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use tracing::warn;

use super::super::Error;
use super::committed::own;
use super::form::{self, Opened};
use crate::event::{self, EventId};

/// Reads a line: `length` bytes of a file below the archive from `start` on.
pub(in crate::archive) fn read(archive: &Path, path: &str, start: u64, length: u64) -> Result<String, Error> {
    Open::new(archive, path)?.read(start, length)
}

/// A file of lines, open to be read from.
pub(in crate::archive) struct Open {
    /// Below the archive.
    path: String,
    file: RefCell<Opened>,
    bytes: u64,
}

impl Open {
    pub(in crate::archive) fn new(archive: &Path, path: &str) -> Result<Open, Error> {
        let own = own(path)?;
        let file = form::open(archive, own).map_err(Error::io("open", &archive.join(own)))?;
        Ok(Open { path: own.to_owned(), bytes: file.length(), file: RefCell::new(file) })
    }

    /// Reads all of it, as long as it was when it was opened.
    fn read_all(&self) -> Result<Vec<u8>, Error> {
        self.bytes(0, self.bytes)
    }

    fn bytes(&self, start: u64, length: u64) -> Result<Vec<u8>, Error> {
        let read = || match &mut *self.file.borrow_mut() {
            Opened::Plain(file, _) => {
                let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
                file.read_exact_at(&mut bytes, start).map(|()| bytes)
            }
            Opened::Compressed(frames) => frames.read(start, length),
        };
        read().map_err(Error::io("read", Path::new(&self.path)))
    }

    /// Reads `length` bytes from `start` on.
    pub(in crate::archive) fn read(&self, start: u64, length: u64) -> Result<String, Error> {
        let failed = |error| Error::io("read", Path::new(&self.path))(error);
        if start.checked_add(length).is_none_or(|end| end > self.bytes) {
            return Err(failed(io::ErrorKind::UnexpectedEof.into()));
        }
        String::from_utf8(self.bytes(start, length)?).map_err(|error| failed(io::Error::other(error.utf8_error())))
    }
}

/// How much of a file is read at once, if it is no longer; bytes.
const WHOLE: u64 = 256 * 1024;
/// How many files are held.
const HELD: usize = 16;

/// The lines of an archive, to be read where its catalog says they are.
pub(in crate::archive) struct LineReader(RefCell<HeldFiles>);

impl LineReader {
    pub(in crate::archive) fn of(archive: &Path) -> LineReader {
        LineReader(RefCell::new(HeldFiles { archive: archive.to_owned(), files: Vec::new() }))
    }

    /// The JSON text of an event's `content` as its line has it: `length` bytes of a file below the archive from `start` on. None
    /// where the line has no PDU.
    ///
    /// # Errors
    /// When the event's line is not there: it may have been moved since the catalog was asked. The file is opened anew then.
    pub(in crate::archive) fn content(
        &self,
        event: EventId<'_>,
        path: &str,
        start: u64,
        length: u64,
    ) -> Result<Option<String>, Error> {
        self.look(path, |held| {
            let line = held.line(path, start, length)?;
            let (_, content) = of_event(&line, event, path)?;
            Ok(content.map(str::to_owned))
        })
    }

    /// An event's line, as [`content`](LineReader::content) finds it.
    pub(in crate::archive) fn line(
        &self,
        event: EventId<'_>,
        path: &str,
        start: u64,
        length: u64,
    ) -> Result<String, Error> {
        self.look(path, |held| {
            let line = held.line(path, start, length)?;
            of_event(&line, event, path)?;
            Ok(line.into_owned())
        })
    }

    /// Reads a file, which is opened anew the next time if that fails.
    fn look<T>(&self, path: &str, read: impl FnOnce(&mut HeldFiles) -> Result<T, Error>) -> Result<T, Error> {
        let mut held = self.0.borrow_mut();
        let read = read(&mut held);
        if read.is_err() {
            held.files.retain(|(held, _)| held != path);
        }
        read
    }

    /// The archive's directory.
    pub(in crate::archive) fn archive(&self) -> PathBuf {
        self.0.borrow().archive.clone()
    }

    /// A line: `length` bytes of a file below the archive from `start` on.
    pub(in crate::archive) fn read(&self, path: &str, start: u64, length: u64) -> Result<String, Error> {
        self.look(path, |held| Ok(held.line(path, start, length)?.into_owned()))
    }

    /// Logs that a line cannot be read.
    pub(in crate::archive) fn warn(&self, path: &str, start: u64, error: &Error) {
        let archive = &self.0.borrow().archive;
        warn!("the line at byte {start} of {} cannot be read: {error}", archive.join(path).display());
    }
}

/// The id and the content of a line, if it is that of an event.
fn of_event<'a>(line: &'a str, event: EventId<'_>, path: &str) -> Result<(Cow<'a, str>, Option<&'a str>), Error> {
    let found = event::id_and_content(line).filter(|(own, _)| **own == *event);
    found.ok_or_else(|| Error::altered("the place of a line", path))
}

/// Files that were read from lately, the last one last.
struct HeldFiles {
    archive: PathBuf,
    files: Vec<(String, HeldContent)>,
}

enum HeldContent {
    /// All that a small file says.
    Whole(Vec<u8>),
    Open(Open),
}

impl HeldFiles {
    /// A line.
    fn line(&mut self, path: &str, start: u64, length: u64) -> Result<Cow<'_, str>, Error> {
        let line = match self.hold(path)? {
            HeldContent::Whole(whole) => {
                let [start, end] =
                    [start, start.saturating_add(length)].map(|at| usize::try_from(at).unwrap_or(usize::MAX));
                let line = whole.get(start..end).and_then(|line| std::str::from_utf8(line).ok());
                line.map(Cow::Borrowed)
            }
            HeldContent::Open(file) => Some(Cow::Owned(file.read(start, length)?)),
        };
        let line = line.filter(|line| line.starts_with('{') && line.ends_with('}'));
        line.ok_or_else(|| Error::altered("the place of a line", path))
    }

    /// A file, which is opened unless it was lately. Of large files one is open at a time.
    fn hold(&mut self, path: &str) -> Result<&HeldContent, Error> {
        let last = self.files.len().saturating_sub(1);
        let file = if let Some(at) = self.files.iter().rposition(|(held, _)| held == path) {
            if at == last {
                return Ok(&self.files[last].1);
            }
            self.files.remove(at)
        } else {
            let file = Open::new(&self.archive, path)?;
            let is_small = file.bytes <= WHOLE;
            self.files.retain(|(_, held)| is_small || matches!(held, HeldContent::Whole(_)));
            if self.files.len() >= HELD {
                self.files.remove(0);
            }
            (path.to_owned(), if is_small { HeldContent::Whole(file.read_all()?) } else { HeldContent::Open(file) })
        };
        self.files.push(file);
        Ok(&self.files[self.files.len() - 1].1)
    }
}
