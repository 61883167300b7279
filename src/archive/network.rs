//! File systems that several hosts can have mounted: what one host's kernel keeps there, locks and shared memory, another does not
//! see.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::FlockOperation;

use super::Error;

/// What Linux calls them (`statfs`), and whether locks of files reach the other hosts; behind FUSE nobody can tell.
const NETWORK: [(u64, bool); 18] = [
    (0x6969, true),       // NFS
    (0x517b, true),       // SMB
    (0xff53_4d42, true),  // CIFS
    (0xfe53_4d42, true),  // SMB 2
    (0x00c3_6400, true),  // Ceph
    (0x5346_414f, true),  // AFS
    (0x6b41_4653, true),  // kAFS
    (0x0bd0_0bd0, true),  // Lustre
    (0x4750_4653, true),  // GPFS
    (0x1983_0326, true),  // BeeGFS
    (0x0116_1970, true),  // GFS2
    (0x7461_636f, true),  // OCFS2
    (0x7375_7245, false), // Coda
    (0x0102_1997, false), // 9P
    (0x786f_4256, false), // VirtualBox
    (0xbacb_acbc, false), // VMware
    (0x013a_cbee, false), // Parallels
    (0x6573_5546, false), // FUSE
];

/// Whether other hosts may have a directory's file system too.
pub(super) fn is_shared(directory: &Path) -> bool {
    kind(directory).is_some()
}

/// Whether a file that another host has locked may look free here.
pub(super) fn hides_locks(directory: &Path) -> bool {
    kind(directory) == Some(false)
}

/// Makes sure that a file can be locked, as SQLite needs it; it takes a file system that cannot for one that others have locked.
/// Lets go of what this process has locked of it.
pub(super) fn can_lock(path: &Path) -> Result<(), Error> {
    use rustix::io::Errno;
    let file = File::open(path).map_err(Error::io("open", path))?;
    match rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) | Err(Errno::AGAIN | Errno::ACCESS | Errno::INTR) => Ok(()),
        Err(error) => Err(Error::NoLocks(io::Error::from(error).into())),
    }
}

#[cfg(target_os = "linux")]
fn kind(directory: &Path) -> Option<bool> {
    // what does not fit into 32 bits is the sign of a number that does
    #[allow(clippy::cast_sign_loss, clippy::unnecessary_cast, reason = "its type differs between machines")]
    let magic = rustix::fs::statfs(directory).ok()?.f_type as u64 & 0xffff_ffff;
    NETWORK.iter().find(|(known, _)| *known == magic).map(|(_, locks_reach)| *locks_reach)
}

#[cfg(not(target_os = "linux"))]
fn kind(_: &Path) -> Option<bool> {
    let _ = NETWORK;
    None
}
