//! Files in a page itself, as `data:` addresses: small ones, until there are too many. They are put where they belong while the page is
//! written, piece by piece.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::engine::general_purpose::STANDARD;
use base64::write::EncoderWriter;

use super::DIRECTORY;
use crate::archive::Error;
use crate::archive::reading::Reader;
use crate::document::media::FileType;
use crate::document::message::{FileLink, MARK};
use crate::views::Leads;

/// The largest file that is put into a page, and how much is put into one altogether, in bytes as they are on the disk.
const LARGEST: u64 = 5_000_000;
const MOST: u64 = 60_000_000;
/// The largest one that is shown small: what is shown large is to have the room. Bytes.
const LARGEST_SMALL: u64 = 250_000;

/// Leads to files within the page.
#[derive(Clone, Debug)]
pub(in crate::handover) struct Within {
    /// How many bytes there is room for.
    left: Arc<AtomicU64>,
}

impl Within {
    pub(in crate::handover) fn new() -> Within {
        Within { left: Arc::new(AtomicU64::new(MOST)) }
    }
}

impl Leads for Within {
    fn to(&self, file: FileLink) -> Option<FileLink> {
        let has_room = file.bytes <= LARGEST && file.bytes <= self.left.load(Ordering::Relaxed);
        has_room.then(|| FileLink { path: format!("{MARK}{}{MARK}", file.path), ..file })
    }

    fn to_small(&self, file: FileLink) -> Option<FileLink> {
        if file.bytes <= LARGEST_SMALL { self.to(file) } else { None }
    }
}

/// A page that is written, and into which files are put.
pub(in crate::handover) struct PageWithFiles<'p> {
    out: &'p mut dyn Write,
    reader: &'p Reader<'p>,
    within: Within,
    /// The path of a file, while it is written.
    path: Option<Vec<u8>>,
    /// Files that the archive has lost.
    lost: u64,
}

impl<'p> PageWithFiles<'p> {
    pub(in crate::handover) fn new(
        out: &'p mut dyn Write,
        reader: &'p Reader<'p>,
        within: Within,
    ) -> PageWithFiles<'p> {
        PageWithFiles { out, reader, within, path: None, lost: 0 }
    }

    fn put(&mut self, path: &[u8]) -> io::Result<()> {
        let path = std::str::from_utf8(path).map_err(io::Error::other)?;
        let end = path.rsplit_once('.').and_then(|(_, end)| FileType::of_extension(end));
        let Some(kind) = end.filter(|_| path.split('/').next() == Some(DIRECTORY)) else {
            return Err(io::Error::other("a path that is none of a file"));
        };
        let Some(mut file) = self.reader.open_media(path).map_err(io::Error::other)? else {
            self.lost += 1;
            return self.out.write_all(b"data:,");
        };
        let (bytes, left) = (file.metadata()?.len(), self.within.left.load(Ordering::Relaxed));
        // a text may show a small picture often
        if bytes > left {
            return self.out.write_all(b"data:,");
        }
        self.within.left.store(left - bytes, Ordering::Relaxed);
        write!(self.out, "data:{};base64,", kind.media_type())?;
        let mut encoder = EncoderWriter::new(&mut *self.out, &STANDARD);
        io::copy(&mut file, &mut encoder)?;
        encoder.finish().map(drop)
    }

    /// All is written.
    pub(in crate::handover) fn end(self) -> Result<u64, Error> {
        self.out.flush().map_err(Error::Transcript)?;
        Ok(self.lost)
    }
}

impl Write for PageWithFiles<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        while let Some(at) = memchr::memchr(MARK as u8, rest) {
            let part = &rest[..at];
            match self.path.take() {
                None => {
                    self.out.write_all(part)?;
                    self.path = Some(Vec::new());
                }
                Some(mut path) => {
                    path.extend_from_slice(part);
                    self.put(&path)?;
                }
            }
            rest = &rest[at + 1..];
        }
        match &mut self.path {
            None => self.out.write_all(rest)?,
            Some(path) => path.extend_from_slice(rest),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
