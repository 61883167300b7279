//! Whether the files of an archive are those that were copied. Reads them, and mends nothing.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use openssl::sha::Sha256;

use crate::archive::{Catalog, Error, Interrupt, inside};
use crate::event::hex::digits as hex;

/// Looks at every file that an archive is to have: whether it is there and as long as it was, and, unless it is to be `quick`, whether it
/// is the same. `off` hears of each that is not, by its path, and why. What was decrypted is made anew where it is lost, and only its
/// length is known. How many were looked at, and their bytes.
pub(crate) fn verify(
    catalog: &Catalog,
    archive: &Path,
    quick: bool,
    interrupt: &Interrupt,
    off: &mut dyn FnMut(&str, &str),
) -> Result<(u64, u64), Error> {
    let (mut files, mut all) = (0, 0);
    catalog.each_media_file(&mut |path, bytes, sha256| {
        interrupt.check()?;
        (files, all) = (files + 1, all + bytes);
        let length = match inside::length(archive, &path) {
            Err(error) => {
                off(&path, &format!("cannot be looked at: {error}"));
                return Ok(());
            }
            Ok(length) => length,
        };
        match length {
            None => off(&path, "is gone"),
            Some(length) if length != bytes => off(&path, &format!("has {length} bytes, and had {bytes}")),
            Some(_) => {
                let Some(sha256) = sha256.filter(|_| !quick) else { return Ok(()) };
                match inside::read(archive, &path).and_then(|file| digest(file, interrupt)) {
                    Ok(Some(found)) if found == sha256 => {}
                    Ok(Some(_)) => off(&path, "is not what was copied: its SHA-256 is another one"),
                    Ok(None) => return Err(Error::Stopped),
                    Err(error) => off(&path, &format!("cannot be read: {error}")),
                }
            }
        }
        Ok(())
    })?;
    Ok((files, all))
}

/// The SHA-256 of a file; none: it was told to stop.
fn digest(mut file: File, interrupt: &Interrupt) -> io::Result<Option<String>> {
    let (mut hash, mut piece) = (Sha256::new(), vec![0; 256 * 1024]);
    loop {
        if interrupt.is_told() {
            return Ok(None);
        }
        match file.read(&mut piece) {
            Ok(0) => return Ok(Some(hex(&hash.finish()))),
            Ok(read) => hash.update(&piece[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
