//! Makes a file of our own anew, so that readers see either the old or the new one. Never writes through a link, and nothing where
//! the file says it already.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Seek as _, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::{Error, Readers, inside};
use crate::document::html::page_file;

/// Writes a file anew, for whoever is to read it; one that says the same, and may be read by the same, stays as it is.
pub(crate) fn replace(
    archive: &Path,
    path: &str,
    readers: Readers,
    write: &mut dyn FnMut(&mut (dyn Write + Send)) -> Result<(), Error>,
) -> Result<(), Error> {
    let (parent, name) = inside::split(path);
    let mut attempt = || -> Result<(), Error> {
        let directory = inside::directory(archive, parent).map_err(Error::Transcript)?;
        let mut writer = Replacement::of(&directory, name, readers);
        write(&mut writer).and_then(|()| writer.finish().map_err(Error::Transcript)).inspect_err(|_| {
            // above all on a full disk
            let _ = rustix::fs::unlinkat(&directory, &*beside(name), AtFlags::empty());
        })
    };
    attempt().map_err(|error| match error {
        Error::Transcript(source) => Error::io("write", &archive.join(path))(source),
        error => error,
    })
}

/// Whether a file is there and says just what is written.
pub(crate) fn says(
    archive: &Path,
    path: &str,
    write: &mut dyn FnMut(&mut (dyn Write + Send)) -> Result<(), Error>,
) -> Result<bool, Error> {
    let failed = |source| Error::io("read", &archive.join(path))(source);
    let old = match inside::read(archive, path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => BufReader::new(opened.map_err(failed)?),
    };
    let mut comparing = Comparing { old, is_same: true };
    write(&mut comparing).map_err(|error| match error {
        Error::Transcript(source) => failed(source),
        error => error,
    })?;
    Ok(comparing.is_same && comparing.old.fill_buf().map_err(failed)?.is_empty())
}

/// Compares with a file what is written.
struct Comparing {
    old: BufReader<File>,
    is_same: bool,
}

impl Write for Comparing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = if self.is_same { bytes } else { &[] };
        while !rest.is_empty() {
            let old = self.old.fill_buf()?;
            let length = old.len().min(rest.len());
            if length == 0 || old[..length] != rest[..length] {
                self.is_same = false;
                break;
            }
            self.old.consume(length);
            rest = &rest[length..];
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Removes a file of our own, and what a run left of it that was killed; that there is none is as well.
pub(crate) fn remove(archive: &Path, path: &str) -> Result<(), Error> {
    let (parent, name) = inside::split(path);
    let remove = || -> io::Result<()> {
        let directory = inside::directory(archive, parent)?;
        for name in [&*beside(name), name] {
            match rustix::fs::unlinkat(&directory, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    };
    remove().map_err(Error::io("remove", &archive.join(path)))
}

/// Removes the pages that a room-day has in HTML beyond so many, the last one first, so that one that is left leads to all.
pub(crate) fn remove_pages(archive: &Path, stem: &str, kept: usize) -> Result<(), Error> {
    let mut last = kept;
    loop {
        let path = page_file(stem, last + 1);
        if inside::length(archive, &path).map_err(Error::io("look at", &archive.join(&path)))?.is_none() {
            break;
        }
        last += 1;
    }
    (kept..last).rev().try_for_each(|before| remove(archive, &page_file(stem, before + 1)))
}

/// What a new file is called until it takes its place. Nobody else makes names in that directory, so this one needs not be a
/// secret: what has it was left by a run that was killed, and is taken away, never opened.
fn beside(name: &str) -> String {
    format!(".{name}.new")
}

/// What is to take a file's place, which is written from where it begins to differ from the file.
struct Replacement<'a> {
    directory: &'a OwnedFd,
    name: &'a str,
    readers: Readers,
    /// The file, as far as it was compared; none: there is none that could stay.
    old: Option<BufReader<File>>,
    /// How much of it was the same, in bytes.
    same: u64,
    new: Option<BufWriter<File>>,
}

impl<'a> Replacement<'a> {
    fn of(directory: &'a OwnedFd, name: &'a str, readers: Readers) -> Replacement<'a> {
        let old = old(directory, name, readers).map(|old| BufReader::with_capacity(16 * 1024, old));
        Replacement { directory, name, readers, old, same: 0, new: None }
    }

    /// The new file, with what was the same in it.
    fn new_file(&mut self) -> io::Result<&mut BufWriter<File>> {
        if self.new.is_none() {
            let file = make(self.directory, &beside(self.name), self.readers)?;
            let mut new = BufWriter::with_capacity(64 * 1024, file);
            if let Some(mut old) = self.old.take() {
                old.rewind()?;
                if io::copy(&mut old.take(self.same), &mut new)? < self.same {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            self.new = Some(new);
        }
        self.new.as_mut().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Puts it in the file's place, unless that says it already.
    fn finish(&mut self) -> io::Result<()> {
        if self.new.is_none()
            && let Some(old) = &mut self.old
            && old.fill_buf().is_ok_and(<[u8]>::is_empty)
        {
            // what a run left that was killed is taken away all the same
            return match rustix::fs::unlinkat(self.directory, &*beside(self.name), AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => Ok(()),
                Err(error) => Err(error.into()),
            };
        }
        self.new_file()?.flush()?;
        Ok(rustix::fs::renameat(self.directory, &*beside(self.name), self.directory, self.name)?)
    }
}

impl Write for Replacement<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        if self.new.is_none()
            && let Some(old) = &mut self.old
            // what cannot be read is not the same
            && let Ok(there) = old.fill_buf()
        {
            let length = there.len().min(text.len());
            if length > 0 && there[..length] == text[..length] {
                old.consume(length);
                self.same += length as u64;
                return Ok(length);
            }
        }
        self.new_file()?.write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.new.as_mut().map_or(Ok(()), Write::flush)
    }
}

/// The file that is there, if it is one as we make it, which may stay.
fn old(directory: &OwnedFd, name: &str, readers: Readers) -> Option<File> {
    // to ask for a pipe would wait for somebody at its other end
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory, name, flags, Mode::empty()).ok()?;
    let stat = rustix::fs::fstat(&file).ok()?;
    let is_ours = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
        && stat.st_uid == rustix::process::geteuid().as_raw()
        && Mode::from_raw_mode(stat.st_mode) == readers.of_file();
    let is_of_group = || rustix::fs::fstat(directory).is_ok_and(|directory| directory.st_gid == stat.st_gid);
    (is_ours && (readers == Readers::Owner || is_of_group())).then(|| File::from(file))
}

fn make(directory: &OwnedFd, name: &str, readers: Readers) -> io::Result<File> {
    let make = || {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(directory, name, flags, Readers::Owner.of_file())
    };
    let file = match make() {
        Err(Errno::EXIST) => {
            rustix::fs::unlinkat(directory, name, AtFlags::empty())?;
            make()
        }
        file => file,
    }?;
    readers.admit(&file)?;
    Ok(File::from(file))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    fn replaced(archive: &Path, parts: &[&str]) {
        replace(archive, "file", Readers::Owner, &mut |file| {
            parts.iter().try_for_each(|part| file.write_all(part.as_bytes())).map_err(Error::Transcript)
        })
        .unwrap();
    }

    #[test]
    fn a_file_that_says_the_same_stays_and_any_other_is_made_anew() {
        let archive = tempfile::tempdir().unwrap();
        let path = archive.path().join("file");
        let long = "x".repeat(40_000);
        let number = || fs::metadata(&path).unwrap().ino();
        for (there, new) in [
            ("", vec![]),
            ("abc", vec!["ab", "c"]),
            (&long, vec![&long[..20_000], "", &long[20_000..]]),
            ("", vec!["a"]),
            ("abc", vec!["ab"]),
            ("abc", vec!["ab", "cd"]),
            ("abc", vec!["xbc"]),
            (&long, vec![&long[..39_999], "y"]),
            (&long, vec![&long, "y"]),
            (&long, vec![]),
        ] {
            fs::write(&path, there).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            // keeps its number from being given to the new one
            let (held, before) = (fs::File::open(&path).unwrap(), number());
            fs::write(archive.path().join(".file.new"), "cut off").unwrap();
            replaced(archive.path(), &new);
            let now = fs::read_to_string(&path).unwrap();
            assert_eq!((&now, number() == before), (&new.concat(), there == now));
            drop(held);
        }
        assert_eq!(fs::read_dir(archive.path()).unwrap().count(), 1);
    }

    #[test]
    fn pages_beyond_those_that_are_kept_go() {
        let archive = tempfile::tempdir().unwrap();
        let names = || {
            let entries = fs::read_dir(archive.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string());
            entries.collect::<Result<std::collections::BTreeSet<_>, _>>().unwrap()
        };
        let all = ["day.html", "day.2.html", "day.3.html", "day.md", "other.2.html"];
        for name in &all {
            fs::write(archive.path().join(name), "").unwrap();
        }
        remove_pages(archive.path(), "day", 3).unwrap();
        assert_eq!(names().len(), all.len());
        remove_pages(archive.path(), "day", 1).unwrap();
        assert!(names().into_iter().eq(["day.html", "day.md", "other.2.html"]));
        remove_pages(archive.path(), "day", 0).unwrap();
        assert!(names().into_iter().eq(["day.md", "other.2.html"]));
    }

    #[test]
    fn a_file_that_others_may_read_does_not_stay() {
        let archive = tempfile::tempdir().unwrap();
        let path = archive.path().join("file");
        for mode in [0o644, 0o640, 0o400] {
            fs::write(&path, "a").unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            replaced(archive.path(), &["a"]);
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        }
        // nor a link to one
        fs::rename(&path, archive.path().join("other")).unwrap();
        std::os::unix::fs::symlink("other", &path).unwrap();
        replaced(archive.path(), &["a"]);
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
    }
}
