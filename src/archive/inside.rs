//! Opens, makes and removes what lies inside an archive, and never follows a symbolic link there: whoever made the directory,
//! nothing in it leads outside. The archive's own path may be a link, which is its owner's choice.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::Readers;

/// Opens only to look at or to go through, where that is something else than to read.
#[cfg(target_os = "linux")]
const LOOK: OFlags = OFlags::PATH;
#[cfg(not(target_os = "linux"))]
const LOOK: OFlags = OFlags::NONBLOCK;

/// A directory inside an archive, or the archive's own where `path` is empty, to do something to what it holds.
pub(crate) fn directory(archive: &Path, path: &str) -> io::Result<OwnedFd> {
    let flags = LOOK | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(archive, flags, Mode::empty())?;
    if path.is_empty() {
        return Ok(root);
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::ResolveFlags;
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        match rustix::fs::openat2(&root, path, flags, Mode::empty(), within) {
            // Linux before 5.6, or a sandbox that does not know it
            Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN) => {}
            opened => return opened.map_err(named),
        }
    }
    by_steps(root, path)
}

/// Opens a file, which must be an ordinary one; one that is made is for its owner alone.
pub(super) fn open(archive: &Path, path: &str, flags: OFlags) -> io::Result<File> {
    let (parent, name) = split(path);
    Ok(open_in(&directory(archive, parent)?, name, flags)?.0)
}

/// The same in a directory that is open; how long it is, too, in bytes.
pub(super) fn open_in(directory: &impl AsFd, name: &str, flags: OFlags) -> io::Result<(File, u64)> {
    // else to open a pipe would wait for somebody at its other end
    let file = File::from(step(directory, name, flags | OFlags::NONBLOCK | OFlags::NOCTTY)?);
    let metadata = file.metadata()?;
    if metadata.is_file() { Ok((file, metadata.len())) } else { Err(io::Error::other("it is no ordinary file")) }
}

/// Makes a file in a directory that is open, which must not have it, for whoever is to read it; `flags`: how it is opened besides.
pub(super) fn create_in(directory: &impl AsFd, name: &str, flags: OFlags, readers: Readers) -> io::Result<File> {
    let (file, _) = open_in(directory, name, flags | OFlags::CREATE | OFlags::EXCL)?;
    readers.admit(&file).map(|()| file)
}

/// Makes a file, which must not be there, for whoever is to read it; `flags`: how it is opened besides.
pub(crate) fn create(archive: &Path, path: &str, flags: OFlags, readers: Readers) -> io::Result<File> {
    let (parent, name) = split(path);
    create_in(&directory(archive, parent)?, name, flags, readers)
}

/// Opens a file to read.
pub(crate) fn read(archive: &Path, path: &str) -> io::Result<File> {
    open(archive, path, OFlags::RDONLY)
}

/// The length of an ordinary file in bytes; none if there is nothing.
pub(crate) fn length(archive: &Path, path: &str) -> io::Result<Option<u64>> {
    match at(archive, path, LOOK) {
        Ok(file) => {
            let stat = rustix::fs::fstat(file)?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => Ok(Some(u64::try_from(stat.st_size).unwrap_or(0))),
                FileType::Symlink => Err(is_link()),
                _ => Err(io::Error::other("it is no ordinary file")),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes a directory, and those above it inside the archive, for whoever is to read them.
pub(crate) fn make_directory(archive: &Path, path: &str, readers: Readers) -> io::Result<()> {
    let mut parent = directory(archive, "")?;
    for name in path.split('/') {
        match rustix::fs::mkdirat(&parent, name, Readers::Owner.of_directory()) {
            // what was opened to go through cannot be changed
            Ok(()) if readers == Readers::Group => {
                rustix::fs::fchmod(step(&parent, name, OFlags::RDONLY | OFlags::DIRECTORY)?, readers.of_directory())?;
            }
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        parent = step(&parent, name, LOOK | OFlags::DIRECTORY)?;
    }
    Ok(())
}

/// Removes a file; that there is none is an error.
pub(crate) fn remove(archive: &Path, path: &str) -> io::Result<()> {
    let (parent, name) = split(path);
    Ok(rustix::fs::unlinkat(directory(archive, parent)?, name, AtFlags::empty())?)
}

/// Lets a file take the place of another one beside it, or a new one; `name`: the new place's.
pub(super) fn rename(archive: &Path, path: &str, name: &str) -> io::Result<()> {
    let (parent, own) = split(path);
    let parent = directory(archive, parent)?;
    Ok(rustix::fs::renameat(&parent, own, &parent, name)?)
}

/// Lets a file take a place in another directory, perhaps that of another one.
pub(crate) fn move_to(archive: &Path, path: &str, place: &str) -> io::Result<()> {
    let ((from, own), (to, name)) = (split(path), split(place));
    Ok(rustix::fs::renameat(directory(archive, from)?, own, directory(archive, to)?, name)?)
}

/// The names in a directory; none if it is not there.
pub(super) fn names(archive: &Path, path: &str) -> io::Result<BTreeSet<String>> {
    let directory = match directory(archive, path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        directory => directory?,
    };
    // put in order together, which is cheaper than one by one
    let mut names = Vec::new();
    // what was opened to go through cannot be listed
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    for entry in Dir::new(rustix::fs::openat(directory, ".", flags, Mode::empty())?)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != "." && name != ".." {
            names.push(name);
        }
    }
    Ok(names.into_iter().collect())
}

/// The directory that something inside an archive lies in, and its name there.
pub(crate) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

fn at(archive: &Path, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
    let (parent, name) = split(path);
    step(&directory(archive, parent)?, name, flags)
}

/// Opens one directory after the other.
fn by_steps(root: OwnedFd, path: &str) -> io::Result<OwnedFd> {
    path.split('/').try_fold(root, |directory, name| step(&directory, name, LOOK | OFlags::DIRECTORY))
}

fn step(directory: &impl AsFd, name: &str, flags: OFlags) -> io::Result<OwnedFd> {
    if matches!(name, "" | "." | "..") || name.contains('/') {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(directory, name, flags, Readers::Owner.of_file()).map_err(|error| {
        // to ask for a directory where a link is says only that it is none
        let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW);
        let is_a_link = stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink);
        if is_a_link { is_link() } else { named(error) }
    })
}

fn named(error: Errno) -> io::Error {
    if error == Errno::LOOP { is_link() } else { error.into() }
}

/// Says why a link is refused.
pub(super) fn is_link() -> io::Error {
    io::Error::other("it is a symbolic link, or lies behind one; inside an archive none is followed")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read as _;
    use std::os::unix::fs::symlink;

    use super::*;

    type Enter = fn(&Path, &str) -> io::Result<OwnedFd>;

    fn slowly(archive: &Path, path: &str) -> io::Result<OwnedFd> {
        by_steps(directory(archive, "")?, path)
    }

    #[test]
    fn nothing_is_reached_through_a_link() {
        let place = tempfile::tempdir().unwrap();
        let (archive, outside) = (place.path().join("archive"), place.path().join("outside"));
        fs::create_dir_all(archive.join("rooms/r")).unwrap();
        fs::create_dir(&outside).unwrap();
        for file in [archive.join("rooms/r/file"), outside.join("file")] {
            fs::write(file, "text").unwrap();
        }
        symlink(outside.join("file"), archive.join("rooms/r/link")).unwrap();
        symlink(&outside, archive.join("rooms/away")).unwrap();
        symlink(outside.join("new"), archive.join("rooms/r/dangling")).unwrap();
        let mut text = String::new();
        read(&archive, "rooms/r/file").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "text");
        for path in ["rooms/r/link", "rooms/away/file", "rooms/r/dangling"] {
            for flags in [OFlags::RDONLY, OFlags::WRONLY | OFlags::TRUNC, OFlags::WRONLY | OFlags::CREATE] {
                let error = open(&archive, path, flags).unwrap_err();
                assert!(error.to_string().contains("symbolic link"), "{path}: {error}");
            }
        }
        for path in ["../outside/file", "rooms/../../outside/file", outside.join("file").to_str().unwrap()] {
            assert!(read(&archive, path).is_err(), "{path}");
        }
        for enter in [directory as Enter, slowly as Enter] {
            enter(&archive, "rooms/r").unwrap();
            for path in
                ["..", "rooms/..", "../outside", "rooms/away", "rooms/away/..", "rooms/none", outside.to_str().unwrap()]
            {
                // what stays inside does no harm
                assert!(enter(&archive, path).is_err() || path == "rooms/..", "{path}");
            }
            assert!(enter(&archive, "rooms/away").unwrap_err().to_string().contains("symbolic link"));
        }
        for path in ["rooms/r/link", "rooms/away/file"] {
            assert!(length(&archive, path).unwrap_err().to_string().contains("symbolic link"), "{path}");
        }
        assert!(
            remove(&archive, "rooms/away/file").is_err()
                && make_directory(&archive, "rooms/away/more", Readers::Group).is_err()
        );
        assert!(names(&archive, "rooms/away").is_err());
        assert_eq!(fs::read_to_string(outside.join("file")).unwrap(), "text");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
        // a link itself can be taken away
        remove(&archive, "rooms/r/link").unwrap();
        assert!(outside.join("file").exists());
    }

    #[test]
    fn a_pipe_is_no_file_and_is_not_waited_for() {
        let archive = tempfile::tempdir().unwrap();
        let status = std::process::Command::new("mkfifo").arg(archive.path().join("pipe")).status();
        assert!(status.unwrap().success());
        assert!(read(archive.path(), "pipe").is_err() && length(archive.path(), "pipe").is_err());
    }
}
