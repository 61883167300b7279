//! Copies one file into an archive, and hashes what was copied. What is not what the server knows of it gets no place; never links to a
//! file of the store.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use openssl::sha::Sha256;
use rustix::fs::OFlags;

use crate::archive::media::{MediaFile, NAME};
use crate::archive::{Error, Lacks, Readers, durable, inside};
use crate::document::media::{BEGINNING, FileType};
use crate::event::hex::digits as hex;
use crate::source::StoredMedia;

/// How much is read at once.
const PIECE: usize = 256 * 1024;
/// What a file's name ends in that has not got its place yet.
const NEW: &str = ".new";

/// Where one of several threads copies to.
pub(super) struct Into<'a> {
    archive: &'a Path,
    readers: Readers,
    /// Of the file that has not got its place yet.
    name: String,
    piece: Vec<u8>,
}

/// What was copied.
pub(super) struct Copied {
    pub(super) sha256: String,
    pub(super) kind: FileType,
    pub(super) bytes: u64,
}

impl<'a> Into<'a> {
    pub(super) fn new(archive: &'a Path, readers: Readers, number: usize) -> Into<'a> {
        Into { archive, readers, name: format!("{NAME}/.{number}{NEW}"), piece: vec![0; PIECE] }
    }

    /// A new file.
    pub(super) fn begin(&self) -> Result<File, Error> {
        let begin = || match inside::create(self.archive, &self.name, OFlags::RDWR, self.readers) {
            // of a run that was killed
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                inside::remove(self.archive, &self.name)?;
                inside::create(self.archive, &self.name, OFlags::RDWR, self.readers)
            }
            made => made,
        };
        begin().map_err(self.failed())
    }

    /// Gives the file that was made its place, by its path below the archive.
    pub(super) fn place(&self, path: &str) -> Result<(), Error> {
        let place = || {
            inside::make_directory(self.archive, inside::split(path).0, self.readers)?;
            inside::move_to(self.archive, &self.name, path)
        };
        place().map_err(Error::io("write", &self.archive.join(path)))
    }

    /// Takes away what was made.
    pub(super) fn drop_it(&self) -> Result<(), Error> {
        inside::remove(self.archive, &self.name).map_err(self.failed())
    }

    fn failed(&self) -> impl FnOnce(io::Error) -> Error + use<> {
        let path = self.archive.join(&self.name);
        move |source| Error::Io { doing: "write", path, source }
    }

    /// Opens a file of the archive.
    pub(super) fn read(&self, file: &MediaFile) -> Result<Option<File>, Error> {
        match inside::read(self.archive, &file.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some).map_err(Error::io("open", &self.archive.join(file.path()))),
        }
    }

    /// Reads a file to its end, through what alters it, into a new one; none: it cannot be read.
    pub(super) fn pour(
        &mut self,
        from: &mut impl Read,
        mut to: Option<&mut File>,
        alter: &mut dyn FnMut(&mut [u8]),
    ) -> Result<Option<Copied>, Error> {
        let (mut hash, mut begin, mut bytes) = (Sha256::new(), Vec::new(), 0);
        loop {
            let read = match from.read(&mut self.piece) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Ok(None),
                Ok(0) => break,
                Ok(read) => read,
            };
            let piece = &mut self.piece[..read];
            alter(piece);
            hash.update(piece);
            if begin.len() < BEGINNING {
                let more = piece.len().min(BEGINNING - begin.len());
                begin.extend_from_slice(&piece[..more]);
            }
            bytes += read as u64;
            if let Some(to) = to.as_mut() {
                to.write_all(piece).map_err(Error::io("write", &self.archive.join(&self.name)))?;
            }
        }
        Ok(Some(Copied { sha256: hex(&hash.finish()), kind: FileType::of(&begin), bytes }))
    }
}

/// Copies a file of a store; what is wrong with it, if anything is.
pub(super) fn copy(
    into: &mut Into<'_>,
    from: &File,
    stored: &StoredMedia,
    largest: Option<u64>,
) -> Result<Result<MediaFile, Lacks>, Error> {
    let Ok(length) = from.metadata().map(|metadata| metadata.len()) else { return Ok(Err(Lacks::Missing)) };
    if largest.is_some_and(|largest| length > largest) {
        return Ok(Err(Lacks::TooLarge));
    }
    if stored.length.is_some_and(|known| known != length) {
        return Ok(Err(Lacks::Damaged));
    }
    let mut new = into.begin()?;
    let copied = if clone(&new, from) {
        new.seek(SeekFrom::Start(0)).map_err(into.failed())?;
        into.pour(&mut new, None, &mut |_| ())?
    } else {
        let mut from = from.take(length.saturating_add(1));
        into.pour(&mut from, Some(&mut new), &mut |_| ())?
    };
    let is_it = |copied: &Copied| {
        copied.bytes == length
            && stored.sha256.as_ref().is_none_or(|sha256| sha256.eq_ignore_ascii_case(&copied.sha256))
    };
    match copied {
        None => into.drop_it().map(|()| Err(Lacks::Missing)),
        Some(copied) if !is_it(&copied) => into.drop_it().map(|()| Err(Lacks::Damaged)),
        Some(Copied { sha256, kind, bytes }) => {
            let file = MediaFile { sha256, kind, bytes };
            into.place(&file.path())?;
            Ok(Ok(file))
        }
    }
}

/// Lets a new file share another one's bytes, until either is changed, where the file system can.
fn clone(new: &File, from: &File) -> bool {
    #[cfg(target_os = "linux")]
    return rustix::fs::ioctl_ficlone(new, from).is_ok();
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (new, from);
        false
    }
}

/// Takes away what a run has left that was killed.
pub(crate) fn sweep(archive: &Path) -> Result<(), Error> {
    let names = durable::names(archive, NAME)?;
    let mut left = names.iter().filter(|name| name.starts_with('.') && name.ends_with(NEW));
    left.try_for_each(|name| durable::remove(archive, &format!("{NAME}/{name}")))
}
