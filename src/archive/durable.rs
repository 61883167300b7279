//! What is done to files and directories of an archive so that it outlasts a crash of the machine. Knows nothing of what they hold.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;

use super::{Error, inside};

/// From this many files on, one sync of the whole file system is cheaper than one of each file.
const SYNC_ALL_FROM: usize = 32;

/// Makes a directory, and those above it, for this user alone.
fn make_directory(path: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(Error::io("make the directory", path))
}

/// Makes the directory of an archive, and those above it, that they may not vanish with it inside.
pub(crate) fn make_archive(directory: &Path) -> Result<(), Error> {
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

/// The names in a directory of the archive; none if it is not there.
pub(crate) fn names(archive: &Path, path: &str) -> Result<BTreeSet<String>, Error> {
    inside::names(archive, path).map_err(Error::io("list", &archive.join(path)))
}

/// Removes a file of the archive, if it is there, for good.
pub(crate) fn remove(archive: &Path, path: &str) -> Result<(), Error> {
    let parent = archive.join(inside::split(path).0);
    match inside::remove(archive, path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(Error::io("remove", &archive.join(path))(e)),
        _ => {}
    }
    // also if it was not: who removed it may have died before this
    if parent.is_dir() { sync(&parent) } else { Ok(()) }
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
