//! Makes a file of our own anew, so that readers see either the old or the new one. Never writes through a link.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, OFlags};
use rustix::io::Errno;

use super::{Error, Readers, inside};

/// Writes a file anew, for whoever is to read it.
pub(crate) fn replace(
    archive: &Path,
    path: &str,
    readers: Readers,
    write: &mut dyn FnMut(&mut dyn Write) -> Result<(), Error>,
) -> Result<(), Error> {
    let (parent, name) = inside::split(path);
    // nobody else makes names in that directory, so this one needs not be a secret: what has it was left by a run that was
    // killed, and is taken away, never opened
    let beside = format!(".{name}.new");
    let mut attempt = || -> Result<(), Error> {
        let directory = inside::directory(archive, parent).map_err(Error::Transcript)?;
        let file = make(&directory, &beside, readers).map_err(Error::Transcript)?;
        let mut writer = BufWriter::with_capacity(64 * 1024, file);
        let written = write(&mut writer).and_then(|()| writer.flush().map_err(Error::Transcript));
        drop(writer);
        let name = || rustix::fs::renameat(&directory, &*beside, &directory, name);
        written.and_then(|()| name().map_err(|error| Error::Transcript(error.into()))).inspect_err(|_| {
            // above all on a full disk
            let _ = rustix::fs::unlinkat(&directory, &*beside, AtFlags::empty());
        })
    };
    attempt().map_err(|error| match error {
        Error::Transcript(source) => Error::io("write", &archive.join(path))(source),
        error => error,
    })
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
