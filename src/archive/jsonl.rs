//! Files of lines: appended to, synced, checked against their committed lengths, truncated back to them.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender};

use rustix::fs::OFlags;

use super::{Error, Readers, Step, Steps, inside, layout};

/// From this many files on, one sync of the whole file system is cheaper than one of each file.
const SYNC_ALL_FROM: usize = 32;

/// How much is gathered before it is written.
const WRITE_BYTES: usize = 64 * 1024;

/// After how many bytes they are written out while more are appended.
const WRITE_OUT_BYTES: usize = 8 * 1024 * 1024;

/// The files that one commit appends to.
pub(super) struct Appending<'a> {
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
    /// Bytes written since [`write_out`] was last asked to write them out.
    written: usize,
    writing_out: SyncSender<()>,
}

impl<'a> Appending<'a> {
    pub(super) fn new(archive: &'a Path, readers: Readers, writing_out: SyncSender<()>) -> Result<Self, Error> {
        let whole = File::open(archive).map_err(Error::io("open", archive))?;
        let (files, grown, gathered) = (Vec::new(), BTreeSet::new(), Vec::new());
        Ok(Appending { archive, readers, room: None, files, grown, whole, gathered, written: 0, writing_out })
    }

    /// Appends lines to a file; without a committed length it is a new one.
    pub(super) fn append<'l>(
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
        let (room, name) = inside::split(relative);
        let opened = self.room(room).and_then(|room| match committed {
            Some(_) => inside::open_in(room, name, append),
            None => inside::create_in(room, name, append, readers).map(|file| (file, 0)),
        });
        let mut file = match opened {
            Ok((file, length)) if length == committed.unwrap_or(0) => file,
            opened => {
                // it is not as the catalog knows it, or cannot be opened
                check(self.archive, relative, committed)?;
                opened.map_err(Error::io("open", &path))?.0
            }
        };
        let half = lines.len() / 2;
        for (i, line) in lines.enumerate() {
            let mut rest = line.as_bytes();
            if step.hook.is_some() && i == half {
                let begun = rest.split_off(..line.len() / 2).unwrap_or_default();
                self.gathered.extend_from_slice(begun);
                self.write(&mut file, &path)?;
                step.at(Step::HalfAppended)?;
            }
            self.gathered.extend_from_slice(rest);
            self.gathered.push(b'\n');
            if self.gathered.len() >= WRITE_BYTES {
                self.write(&mut file, &path)?;
            }
        }
        self.write(&mut file, &path)?;
        self.files.push(path);
        Ok(())
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

    /// Returns when all that was appended is on the disk.
    pub(super) fn sync(self) -> Result<(), Error> {
        sync_files(self.archive, &self.whole, &self.files, &self.grown)
    }
}

/// A path below the archive, if an export makes such files: it may come from a catalog that somebody else has made.
fn own(path: &str) -> Result<&str, Error> {
    layout::parts(path).map(|_| path).ok_or_else(|| Error::altered("the path of a file", path))
}

/// Makes a directory, and those above it, for this user alone.
fn make_directory(path: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(Error::io("make the directory", path))
}

/// Makes the directory of an archive, and those above it, that they may not vanish with it inside.
pub(super) fn make_archive(directory: &Path) -> Result<(), Error> {
    let absolute = std::path::absolute(directory).map_err(Error::io("make the directory", directory))?;
    let missing: Vec<&Path> = absolute.ancestors().take_while(|directory| !directory.exists()).collect();
    make_directory(&absolute)?;
    for parent in missing.into_iter().filter_map(Path::parent) {
        match sync(parent) {
            // who may make a directory in another need not be allowed to open that
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {}
            synced => synced?,
        }
    }
    Ok(())
}

/// Syncs a directory's entries.
pub(crate) fn sync(directory: &Path) -> Result<(), Error> {
    match File::open(directory).and_then(|file| file.sync_all()) {
        // some network file systems have nothing to sync there
        Err(e) if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        synced => synced.map_err(Error::io("sync", directory)),
    }
}

/// Writes out what is appended to an archive each time it is asked to, so that there is less to wait for in the end. Whether
/// all is on the disk, and whether that failed, only the sync at the end tells.
pub(super) fn write_out(archive: &Path, asked: &Receiver<()>) {
    let Ok(whole) = File::open(archive) else { return };
    for () in asked {
        let _ = sync_whole(archive, &whole);
    }
}

/// Syncs the whole file system of an archive; false if that cannot be done, or would not tell of a failure.
fn sync_whole(archive: &Path, whole: &File) -> Result<bool, Error> {
    #[cfg(target_os = "linux")]
    if tells_of_failure(&rustix::system::uname().release().to_string_lossy()) {
        use rustix::io::Errno;
        return match rustix::fs::syncfs(whole) {
            Ok(()) => Ok(true),
            Err(Errno::NOSYS | Errno::PERM | Errno::INVAL | Errno::OPNOTSUPP) => Ok(false),
            Err(e) => Err(Error::io("sync", archive)(e.into())),
        };
    }
    let _ = (archive, whole);
    Ok(false)
}

/// Whether syncfs of this version of Linux tells that something could not be written, as it does since 5.8.
#[cfg(target_os = "linux")]
fn tells_of_failure(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|number| number.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(5), Some(8))
}

/// Returns when files of the archive are on the disk, and directories with new entries. `whole` is the archive's directory,
/// opened before they were written.
pub(crate) fn sync_files(
    archive: &Path,
    whole: &File,
    files: &[PathBuf],
    grown: &BTreeSet<PathBuf>,
) -> Result<(), Error> {
    if files.len() >= SYNC_ALL_FROM && sync_whole(archive, whole)? {
        return Ok(());
    }
    for path in files {
        // the first to ask is told of a failure, also one of a file that was closed since
        File::open(path).and_then(|file| file.sync_all()).map_err(Error::io("sync", path))?;
    }
    grown.iter().try_for_each(|directory| sync(directory))
}

/// Refuses a file that is not as long as the catalog says, or is there though the catalog does not know it.
pub(super) fn check(archive: &Path, path: &str, committed: Option<u64>) -> Result<(), Error> {
    let relative = own(path)?;
    let path = archive.join(relative);
    let length = inside::length(archive, relative).map_err(Error::io("look at", &path))?;
    if length == committed {
        return Ok(());
    }
    let found = length.map_or_else(|| "is missing".to_owned(), |bytes| format!("has {bytes} bytes"));
    Err(Error::Changed { path, found, committed: committed.unwrap_or(0) })
}

/// Looks at every file that has the name of a file of lines; its path below the archive, and the day it is named after.
pub(super) fn for_each(archive: &Path, mut look: impl FnMut(&str, &str) -> Result<(), Error>) -> Result<(), Error> {
    for room in names(archive, "rooms")? {
        let room = format!("rooms/{room}");
        for file in names(archive, &room)? {
            if let Some(day) = file.strip_suffix(".jsonl") {
                look(&format!("{room}/{file}"), day)?;
            }
        }
    }
    Ok(())
}

/// The names in a directory of the archive; none if it is not there.
pub(crate) fn names(archive: &Path, path: &str) -> Result<BTreeSet<String>, Error> {
    inside::names(archive, path).map_err(Error::io("list", &archive.join(path)))
}

/// Removes a file of the archive, if it is there, for good.
pub(super) fn remove(archive: &Path, path: &str) -> Result<(), Error> {
    let parent = archive.join(inside::split(path).0);
    match inside::remove(archive, path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(Error::io("remove", &archive.join(path))(e)),
        _ => {}
    }
    // also if it was not: who removed it may have died before this
    if parent.is_dir() { sync(&parent) } else { Ok(()) }
}

/// Gives a file its committed length again; with none, takes it away.
pub(super) fn truncate(archive: &Path, path: &str, committed: u64) -> Result<(), Error> {
    let relative = own(path)?;
    let path = archive.join(relative);
    let length = inside::length(archive, relative).map_err(Error::io("look at", &path))?;
    if committed == 0 {
        if length.is_some() && !begins_as_lines_do(archive, relative).map_err(Error::io("read", &path))? {
            let found = "is not of synapse-export".to_owned();
            return Err(Error::Changed { path, found, committed });
        }
        return remove(archive, relative);
    }
    if length.is_some_and(|length| length > committed) {
        let file = inside::open(archive, relative, OFlags::WRONLY).map_err(Error::io("open", &path))?;
        file.set_len(committed).and_then(|()| file.sync_all()).map_err(Error::io("truncate", &path))?;
    }
    check(archive, relative, Some(committed))
}

/// Whether a file may be one of lines, which may be cut off wherever a crash of the program or the machine did.
fn begins_as_lines_do(archive: &Path, path: &str) -> io::Result<bool> {
    let mut begin = Vec::new();
    inside::read(archive, path)?.take(16).read_to_end(&mut begin)?;
    let keys = [r#"{"event_id":"#, r#"{"room_id":"#, r#"{"synapse":"#];
    Ok(keys.iter().any(|key| begin.starts_with(key.as_bytes()) || key.as_bytes().starts_with(&begin))
        || begin.iter().all(|byte| *byte == 0))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::tells_of_failure;

    #[test]
    fn old_kernels_are_told_by_their_release() {
        for release in ["5.8.0-63-generic", "5.10.0-8-amd64", "6.1.0", "10.0", "6"] {
            assert!(tells_of_failure(release), "{release}");
        }
        for release in ["5.4.0-42-generic", "4.19.0-21-amd64", "4.4.0", "5", "", "unknown"] {
            assert!(!tells_of_failure(release), "{release}");
        }
    }
}
