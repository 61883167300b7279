//! How a catalog in WAL mode is looked at where nothing can be written beside it: on a read-only mount, as it lies there, while no
//! export of this host can begin. Never beside one that writes.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rusqlite::{ErrorCode, OpenFlags};
use rustix::fs::Access;
use rustix::io::Errno;

use super::super::{Error, inside, lock, network};
use super::Catalog;

/// Opens a catalog in WAL mode on a read-only mount, where what that takes cannot be made beside it: as it is, if nothing is in its
/// log, and while no export can begin. Others who may not write there could not keep one from beginning.
pub(super) fn open(archive: &Path, path: &Path, error: rusqlite::Error) -> Result<(i64, Catalog), Error> {
    let directory = path.parent().unwrap_or(archive);
    let is_read_only = rustix::fs::access(directory, Access::WRITE_OK) == Err(Errno::ROFS);
    let is_local = !network::is_shared(directory) && !network::is_shared(archive);
    let still = if is_read_only && is_local { lock::keep_still(archive)? } else { None };
    let log = inside::length(directory, "catalog.sqlite-wal").map_err(Error::io("look at", path))?;
    if still.is_none() || log.is_some_and(|bytes| bytes > 0) {
        return Err(Error::NeedsLog(error));
    }
    Catalog::connect_as(path, OpenFlags::SQLITE_OPEN_READ_ONLY, still)?.bounded()
}

/// A path as SQLite takes it in a URI, which says besides that nobody changes what is there.
pub(super) fn uri(path: &Path) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || *byte == b'/' {
            uri.push(char::from(*byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri + "?immutable=1"
}

/// Whether it is in WAL mode, and neither has the files that this takes nor may make them.
pub(super) fn needs_log(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi;
    let codes = [ffi::SQLITE_READONLY_DIRECTORY, ffi::SQLITE_READONLY_CANTINIT, ffi::SQLITE_READONLY_RECOVERY];
    let of = |error: &ffi::Error| error.code == ErrorCode::CannotOpen || codes.contains(&error.extended_code);
    error.sqlite_error().is_some_and(of)
}
