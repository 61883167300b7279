//! Lines that one commit appends. Nothing of it counts before the catalog has committed it. Never writes over what a commit before has
//! made count.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;

use rustix::fs::OFlags;

use super::super::chain::{Chain, ChainHead, Hashes};
use super::super::durable::sync_files;
use super::super::{Error, Readers, Step, Steps, inside};
use super::committed::{check, own};
use super::form::{self, Form};
use super::{WRITE_BYTES, push};

/// After how many bytes they are written out while more are appended.
const WRITE_OUT_BYTES: usize = 8 * 1024 * 1024;

/// The files that one commit appends to.
pub(in crate::archive) struct Appending<'a> {
    archive: &'a Path,
    readers: Readers,
    /// The directory of the last file, by its path below the archive.
    room: Option<(String, OwnedFd)>,
    /// What was appended to.
    files: Vec<PathBuf>,
    /// Directories with new entries.
    grown: BTreeSet<PathBuf>,
    /// Opened before anything is written, so that it learns of every failure since.
    whole: File,
    gathered: Vec<u8>,
    /// Bytes written since `durable::write_out` was last asked to write them out.
    written: usize,
    writing_out: SyncSender<()>,
    chain: Chain,
}

impl<'a> Appending<'a> {
    pub(in crate::archive) fn new(
        archive: &'a Path,
        readers: Readers,
        writing_out: SyncSender<()>,
        chain: Chain,
    ) -> Result<Self, Error> {
        let whole = File::open(archive).map_err(Error::io("open", archive))?;
        let (files, grown, gathered) = (Vec::new(), BTreeSet::new(), Vec::new());
        Ok(Appending { archive, readers, room: None, files, grown, whole, gathered, written: 0, writing_out, chain })
    }

    /// Appends lines to a file; without a committed length it is a new one.
    pub(in crate::archive) fn append<'l>(
        &mut self,
        path: &str,
        committed: Option<u64>,
        lines: impl ExactSizeIterator<Item = &'l str>,
        step: &mut Steps<'_>,
    ) -> Result<(), Error> {
        step.at(Step::Append)?;
        let relative = own(path)?;
        let path = self.archive.join(relative);
        if committed.is_none() {
            self.make_room(relative, &path)?;
        }
        let (append, readers) = (OFlags::WRONLY | OFlags::APPEND, self.readers);
        let append_and_read = OFlags::RDWR | OFlags::APPEND;
        let (room, name) = inside::split(relative);
        let opened = self.room(room).and_then(|room| match committed {
            Some(_) => inside::open_in(room, name, append),
            None => inside::create_in(room, name, append, readers).map(|file| (file, 0)),
        });
        let mut frames = None;
        let (mut file, path) = match opened {
            Ok((file, length)) if length == committed.unwrap_or(0) => (file, path),
            opened => {
                // it is not as the catalog knows it, cannot be opened, or is compressed
                check(self.archive, relative, committed)?;
                let failed = || Error::io("open", &path);
                match form::compressed(self.archive, relative, append_and_read).map_err(failed())? {
                    Some(compressed) => {
                        frames = Some(compressed.append().map_err(failed())?);
                        (compressed.into_file(), self.archive.join(Form::Compressed.of(relative)))
                    }
                    None => (opened.map_err(failed())?.0, path),
                }
            }
        };
        let half = lines.len() / 2;
        let (mut hashes, from) = (Hashes::default(), committed.unwrap_or(0));
        for (i, line) in lines.enumerate() {
            let line = line.as_bytes();
            hashes.add(line);
            let mut begun = 0;
            if step.hook.is_some() && i == half {
                if let Some(frames) = &mut frames {
                    frames.frame(&mut self.gathered).map_err(Error::io("append to", &path))?;
                } else {
                    begun = line.len() / 2;
                    self.gathered.extend_from_slice(&line[..begun]);
                }
                self.write(&mut file, &path)?;
                step.at(Step::HalfAppended)?;
            }
            push(&mut frames, &line[begun..], &mut self.gathered).map_err(Error::io("append to", &path))?;
            if self.gathered.len() >= WRITE_BYTES {
                self.write(&mut file, &path)?;
            }
        }
        let end = frames.as_mut().map_or(Ok(()), |frames| frames.end(&mut self.gathered));
        end.map_err(Error::io("append to", &path))?;
        self.write(&mut file, &path)?;
        self.files.push(path);
        self.chain.add(relative, from, &hashes)
    }

    /// A room's directory, open: the files of one come one after the other.
    fn room(&mut self, path: &str) -> io::Result<&OwnedFd> {
        let room = match self.room.take() {
            Some((last, room)) if last == path => (last, room),
            _ => (path.to_owned(), inside::directory(self.archive, path)?),
        };
        Ok(&self.room.insert(room).1)
    }

    fn write(&mut self, file: &mut File, path: &Path) -> Result<(), Error> {
        file.write_all(&self.gathered).map_err(Error::io("append to", path))?;
        self.written += self.gathered.len();
        self.gathered.clear();
        if self.written >= WRITE_OUT_BYTES && self.writing_out.try_send(()).is_ok() {
            self.written = 0;
        }
        Ok(())
    }

    fn make_room(&mut self, relative: &str, path: &Path) -> Result<(), Error> {
        let Some(room) = path.parent() else { return Ok(()) };
        if self.grown.contains(room) {
            return Ok(());
        }
        let (relative, _) = inside::split(relative);
        inside::make_directory(self.archive, relative, self.readers).map_err(Error::io("make the directory", room))?;
        // those above too, even if they are there: whoever made them may have died before they were synced
        self.grown.extend([Some(room), room.parent(), Some(self.archive)].into_iter().flatten().map(Path::to_owned));
        Ok(())
    }

    /// Returns when all that was appended is on the disk; how far the chain goes then, if there was anything.
    pub(in crate::archive) fn sync(self) -> Result<Option<ChainHead>, Error> {
        sync_files(self.archive, &self.whole, &self.files, &self.grown)?;
        self.chain.end("appended")
    }
}
