//! Makes a file of our own anew, so that readers see either the old or the new one. Never writes through a link.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use rustix::fs::{AtFlags, OFlags};
use rustix::io::Errno;

use super::super::{Error, Readers, inside};

/// Writes a file anew, for whoever is to read it. What cannot be read from the catalog comes as the inner error.
pub(super) fn replace(
    archive: &Path,
    path: &str,
    readers: Readers,
    write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Error> {
    let (parent, name) = inside::split(path);
    // nobody else makes names in that directory, so this one needs not be a secret: what has it was left by a run that was
    // killed, and is taken away, never opened
    let beside = format!(".{name}.new");
    let mut attempt = || -> io::Result<()> {
        let directory = inside::directory(archive, parent)?;
        let make = || {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::openat(&directory, &*beside, flags, Readers::Owner.of_file())
        };
        let file = match make() {
            Err(Errno::EXIST) => {
                rustix::fs::unlinkat(&directory, &*beside, AtFlags::empty())?;
                make()
            }
            file => file,
        }?;
        readers.admit(&file)?;
        let mut writer = BufWriter::with_capacity(64 * 1024, File::from(file));
        let written = write(&mut writer).and_then(|()| writer.flush());
        drop(writer);
        let named = written.and_then(|()| Ok(rustix::fs::renameat(&directory, &*beside, &directory, name)?));
        named.inspect_err(|_| {
            // above all on a full disk
            let _ = rustix::fs::unlinkat(&directory, &*beside, AtFlags::empty());
        })
    };
    attempt().map_err(|error| {
        let error = error.downcast::<rusqlite::Error>().map(Error::from).or_else(io::Error::downcast::<Error>);
        error.unwrap_or_else(Error::io("write", &archive.join(path)))
    })
}
