//! Files of lines: appended to, synced, checked against their committed lengths, truncated back to them.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::{Error, Step, Steps};

/// From this many files on, one sync of the whole file system is cheaper than one of each file, and keeping them open
/// until then could exceed what a process may have open.
const SYNC_ALL_FROM: usize = 32;

/// How much is gathered before it is written.
const WRITE_BYTES: usize = 64 * 1024;

/// The files that one batch appends to.
pub(super) struct Appending<'a> {
    archive: &'a Path,
    /// Files to sync one by one; empty if the file system is synced as a whole.
    open: Vec<(PathBuf, File)>,
    /// Directories with new entries.
    grown: BTreeSet<PathBuf>,
    /// Opened before anything is written, so that it learns of every failure since.
    whole: Option<File>,
}

impl<'a> Appending<'a> {
    pub(super) fn new(archive: &'a Path, files: usize) -> Result<Self, Error> {
        let whole = cfg!(target_os = "linux") && files >= SYNC_ALL_FROM;
        let whole = whole.then(|| File::open(archive).map_err(Error::io("open", archive))).transpose()?;
        Ok(Appending { archive, open: Vec::new(), grown: BTreeSet::new(), whole })
    }

    /// Appends lines to a file; without a committed length it is a new one.
    pub(super) fn append(
        &mut self,
        path: &str,
        committed: Option<u64>,
        lines: &[&str],
        step: &mut Steps<'_>,
    ) -> Result<(), Error> {
        step.at(Step::Append)?;
        let path = self.archive.join(path);
        if committed.is_none() {
            self.make_room(&path)?;
        }
        let file = OpenOptions::new()
            .append(true)
            .create(committed.is_none())
            .mode(0o600)
            .open(&path)
            .map_err(Error::io("open", &path))?;
        let mut writer = BufWriter::with_capacity(WRITE_BYTES, &file);
        for (i, line) in lines.iter().enumerate() {
            if step.hook.is_some() && i == lines.len() / 2 {
                let half = &line.as_bytes()[..line.len() / 2];
                writer.write_all(half).and_then(|()| writer.flush()).map_err(Error::io("append to", &path))?;
                step.at(Step::HalfAppended)?;
                writer.write_all(&line.as_bytes()[half.len()..])
            } else {
                writer.write_all(line.as_bytes())
            }
            .and_then(|()| writer.write_all(b"\n"))
            .map_err(Error::io("append to", &path))?;
        }
        writer.flush().map_err(Error::io("append to", &path))?;
        drop(writer);
        if self.whole.is_none() {
            self.open.push((path, file));
        }
        Ok(())
    }

    fn make_room(&mut self, path: &Path) -> Result<(), Error> {
        let Some(room) = path.parent() else { return Ok(()) };
        if !room.is_dir() {
            make_directory(room)?;
            self.grown.extend(room.parent().map(Path::to_owned));
            self.grown.insert(self.archive.to_owned());
        }
        self.grown.insert(room.to_owned());
        Ok(())
    }

    /// Returns when all that was appended is on the disk.
    pub(super) fn sync(self) -> Result<(), Error> {
        #[cfg(target_os = "linux")]
        if let Some(whole) = &self.whole {
            return rustix::fs::syncfs(whole).map_err(|e| Error::io("sync", self.archive)(e.into()));
        }
        for (path, file) in &self.open {
            file.sync_all().map_err(Error::io("sync", path))?;
        }
        self.grown.iter().try_for_each(|directory| sync(directory))
    }
}

/// Makes a directory, and those above it, for this user alone.
pub(super) fn make_directory(path: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(Error::io("make the directory", path))
}

/// Syncs a directory's entries.
pub(super) fn sync(directory: &Path) -> Result<(), Error> {
    File::open(directory).and_then(|file| file.sync_all()).map_err(Error::io("sync", directory))
}

/// Returns when files below the archive, and their names, are on the disk. `whole` is the archive's directory, opened
/// before they were written.
pub(super) fn sync_files(
    archive: &Path,
    whole: &File,
    paths: impl ExactSizeIterator<Item = String>,
) -> Result<(), Error> {
    #[cfg(target_os = "linux")]
    if paths.len() >= SYNC_ALL_FROM {
        return rustix::fs::syncfs(whole).map_err(|e| Error::io("sync", archive)(e.into()));
    }
    let mut directories = BTreeSet::new();
    for path in paths {
        let path = archive.join(path);
        File::open(&path).and_then(|file| file.sync_all()).map_err(Error::io("sync", &path))?;
        directories.extend(path.parent().map(Path::to_owned));
    }
    directories.iter().try_for_each(|directory| sync(directory))
}

/// Refuses a file that is not as long as the catalog says, or is there though the catalog does not know it.
pub(super) fn check(archive: &Path, path: &str, committed: Option<u64>) -> Result<(), Error> {
    let path = archive.join(path);
    let length = match fs::metadata(&path) {
        Ok(metadata) => Some(metadata.len()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(e) => return Err(Error::io("look at", &path)(e)),
    };
    if length == committed {
        return Ok(());
    }
    let found = length.map_or_else(|| "is missing".to_owned(), |bytes| format!("has {bytes} bytes"));
    Err(Error::Changed { path, found, committed: committed.unwrap_or(0) })
}

/// Gives a file its committed length again; with none, takes it away.
pub(super) fn truncate(archive: &Path, path: &str, committed: u64) -> Result<(), Error> {
    let relative = path;
    let path = archive.join(relative);
    if committed == 0 {
        return match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", &path)(e)),
            _ => Ok(()),
        };
    }
    if fs::metadata(&path).is_ok_and(|metadata| metadata.len() > committed) {
        let file = OpenOptions::new().write(true).open(&path).map_err(Error::io("open", &path))?;
        file.set_len(committed).and_then(|()| file.sync_all()).map_err(Error::io("truncate", &path))?;
    }
    check(archive, relative, Some(committed))
}
