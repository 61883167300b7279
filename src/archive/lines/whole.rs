//! All lines of a file, one after the other, and a file that is written anew beside it. Gives none of them its place.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::super::chain::Hashes;
use super::super::{Error, Readers, inside};
use super::committed::own;
use super::form::{self, Form};
use super::frames::FrameWriter;
use super::{WRITE_BYTES, push};

/// The longest line that is read, in bytes: PostgreSQL holds no longer text.
pub(in crate::archive) const LONGEST: u64 = 1 << 30;

/// A file of lines, read from its beginning.
pub(in crate::archive) struct WholeFile<'a> {
    archive: &'a Path,
    name: &'a str,
    path: PathBuf,
    reader: BufReader<Box<dyn Read + Send>>,
    form: Form,
    text: Vec<u8>,
    /// Which line was read last; the first one is 1.
    number: u64,
    /// Where the next one begins.
    next: u64,
}

/// A line as it was read.
pub(in crate::archive) struct FileLine<'w> {
    /// Where it begins, in bytes.
    pub(in crate::archive) start: u64,
    /// Without its newline; none: it is not UTF-8.
    pub(in crate::archive) text: Option<&'w str>,
    /// The same, be it UTF-8 or not.
    pub(in crate::archive) bytes: &'w [u8],
    /// It has no newline: the file was cut off, or is being written to.
    pub(in crate::archive) is_cut_off: bool,
}

impl<'a> WholeFile<'a> {
    /// Opens a file by its path below the archive.
    pub(in crate::archive) fn open(archive: &'a Path, name: &'a str) -> Result<WholeFile<'a>, Error> {
        let path = archive.join(own(name)?);
        let opened = form::open(archive, name).and_then(|file| Ok((file.form(), BufReader::new(file.read_all()?))));
        let (form, reader) = opened.map_err(Error::io("open", &path))?;
        Ok(WholeFile { archive, name, path, reader, form, text: Vec::new(), number: 0, next: 0 })
    }

    /// The next line; none: there is no other.
    pub(in crate::archive) fn next(&mut self) -> Result<Option<FileLine<'_>>, Error> {
        self.text.clear();
        let is_whole = read_line(&mut self.reader, LONGEST, &mut self.text);
        self.number += 1;
        let is_whole = match is_whole {
            // not of the system's: what is compressed there is damaged
            Err(error) if self.form == Form::Compressed && error.raw_os_error().is_none() => {
                return Err(self.broken(&format_args!("what is compressed there cannot be read ({error})")));
            }
            is_whole => is_whole.map_err(Error::io("read", &self.path))?,
        };
        if !is_whole {
            return Err(self.broken(&"it is longer than any event"));
        }
        if self.text.is_empty() {
            return Ok(None);
        }
        let start = self.next;
        self.next += self.text.len() as u64;
        let text = self.text.strip_suffix(b"\n");
        let is_cut_off = text.is_none();
        let bytes = text.unwrap_or(&self.text);
        Ok(Some(FileLine { start, text: std::str::from_utf8(bytes).ok(), bytes, is_cut_off }))
    }

    /// What is wrong with the line that was read last.
    pub(in crate::archive) fn broken(&self, why: &dyn Display) -> Error {
        Error::Line { path: self.path.clone(), line: self.number, why: why.to_string() }
    }

    /// Where it is.
    pub(in crate::archive) fn path(&self) -> &Path {
        &self.path
    }

    /// Which line was read last.
    pub(in crate::archive) fn number(&self) -> u64 {
        self.number
    }

    /// Gives the last line its newline, or takes it away from `start` on.
    pub(in crate::archive) fn end(&self, start: Option<u64>) -> Result<(), Error> {
        if self.form == Form::Compressed {
            // in frames that are whole no line is cut off
            return Err(self.broken(&"it does not end"));
        }
        let opened = inside::open(self.archive, self.name, OFlags::WRONLY | OFlags::APPEND);
        let mut file = opened.map_err(Error::io("open", &self.path))?;
        match start {
            None => file.write_all(b"\n"),
            Some(start) => file.set_len(start),
        }
        .and_then(|()| file.sync_all())
        .map_err(Error::io("mend", &self.path))
    }
}

/// A new file that is to take the place of one of lines.
pub(in crate::archive) struct Anew {
    path: PathBuf,
    file: File,
    /// What writes it compressed, if it is to be.
    frames: Option<FrameWriter>,
    gathered: Vec<u8>,
    hashes: Hashes,
}

impl Anew {
    /// Makes one by its path below the archive, which must not be there, for whoever is to read it.
    pub(in crate::archive) fn make(archive: &Path, name: &str, form: Form, readers: Readers) -> Result<Anew, Error> {
        let path = archive.join(name);
        let make = || {
            let frames = if form == Form::Compressed { Some(FrameWriter::new()?) } else { None };
            Ok((inside::create(archive, name, OFlags::WRONLY, readers)?, frames))
        };
        let (file, frames) = make().map_err(Error::io("make", &path))?;
        Ok(Anew { path, file, frames, gathered: Vec::new(), hashes: Hashes::default() })
    }

    /// Appends a line, given without its newline.
    pub(in crate::archive) fn append(&mut self, line: &str) -> Result<(), Error> {
        self.hashes.add(line.as_bytes());
        push(&mut self.frames, line.as_bytes(), &mut self.gathered)
            .and_then(|()| if self.gathered.len() >= WRITE_BYTES { self.write() } else { Ok(()) })
            .map_err(Error::io("write", &self.path))
    }

    fn write(&mut self) -> io::Result<()> {
        self.file.write_all(&self.gathered)?;
        self.gathered.clear();
        Ok(())
    }

    /// Returns when it is on the disk; the hashes of its lines.
    pub(in crate::archive) fn sync(mut self) -> Result<Hashes, Error> {
        let end = self.frames.as_mut().map_or(Ok(()), |frames| frames.end(&mut self.gathered));
        end.and_then(|()| self.write()).map_err(Error::io("write", &self.path))?;
        self.file.sync_all().map_err(Error::io("sync", &self.path))?;
        Ok(self.hashes)
    }
}

/// Reads a line with its end, or what there is of one; nothing at the end of the file. False: it is longer than `longest`.
fn read_line(reader: &mut impl BufRead, longest: u64, text: &mut Vec<u8>) -> io::Result<bool> {
    let mut line = reader.take(longest);
    line.read_until(b'\n', text)?;
    Ok(line.limit() > 0 || text.ends_with(b"\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_an_end_takes_no_more_than_a_line_can() {
        let mut endless = BufReader::new(io::repeat(0));
        assert!(!read_line(&mut endless, 1_000, &mut Vec::new()).unwrap());
        for (text, expected) in [("1234567\nx", "1234567\n"), ("1234567", "1234567"), ("", "")] {
            let mut line = Vec::new();
            assert!(read_line(&mut text.as_bytes(), 8, &mut line).unwrap());
            assert_eq!(line, expected.as_bytes());
        }
    }
}
