//! Who writes to an archive, as `.lock` says it, and whether that still holds. Changes nothing.

use std::fs::{self, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

use super::Error;

/// Others take it over when it has not been refreshed for so long.
const STALE_AFTER: Duration = Duration::from_secs(180);
/// How much of a lock is read.
const LONGEST: u64 = 4096;

/// Who writes to an archive, as `.lock` says it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Claim {
    pub(super) host: String,
    /// Which start of its kernel; empty: it does not tell.
    pub(super) boot: String,
    pub(super) pid_namespace: String,
    pub(super) process: u32,
    /// When the process began, as its kernel counts.
    pub(super) started: u64,
    /// Which of the process's.
    pub(super) nth: u32,
    /// The kernel's lock on a local directory is held too.
    pub(super) kernel: bool,
    /// When this was written, by the file server's clock; milliseconds since the epoch.
    pub(super) time: u64,
    /// Its holder gives it to one who asks for it, and goes on afterwards.
    #[serde(default)]
    pub(super) lets_in: bool,
}

impl Claim {
    pub(super) fn of_this_process(kernel: bool) -> Claim {
        static NTH: AtomicU32 = AtomicU32::new(0);
        let process = std::process::id();
        Claim {
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            boot: boot(),
            pid_namespace: pid_namespace(),
            process,
            started: stat(process).map_or(0, |(_, started)| started),
            nth: NTH.fetch_add(1, Ordering::Relaxed),
            kernel,
            time: 0,
            lets_in: false,
        }
    }

    pub(super) fn is(&self, other: &Claim) -> bool {
        let whose = |claim: &Claim| (claim.process, claim.started, claim.nth);
        let place = |claim: &Claim| [claim.host.clone(), claim.boot.clone(), claim.pid_namespace.clone()];
        whose(self) == whose(other) && place(self) == place(other)
    }

    /// Whether its process ran under the kernel that runs now.
    pub(super) fn is_of_this_boot(&self) -> bool {
        !self.boot.is_empty() && self.boot == boot()
    }

    /// Whether its process has certainly ended.
    pub(super) fn is_gone(&self) -> bool {
        if !self.is_of_this_boot() || self.pid_namespace.is_empty() || self.pid_namespace != pid_namespace() {
            return false;
        }
        let Some(pid) = i32::try_from(self.process).ok().and_then(Pid::from_raw) else { return true };
        if test_kill_process(pid) == Err(rustix::io::Errno::SRCH) {
            return true;
        }
        // its number may be another's by now
        stat(self.process).is_some_and(|(state, started)| matches!(state, 'Z' | 'X') || started != self.started)
    }

    pub(super) fn is_stale(&self, now: u64) -> bool {
        now.abs_diff(self.time) >= milliseconds(STALE_AFTER)
    }

    /// `process 4711`, and where it is.
    pub(super) fn holder(&self) -> String {
        let process = format!("process {}", self.process);
        match self.is_of_this_boot() {
            true if self.pid_namespace == pid_namespace() => process,
            true => format!("{process} of another PID namespace"),
            false => format!("{process} on {}", self.host.escape_debug()),
        }
    }
}

/// What is in a lock's place.
pub(super) enum LockState {
    Nothing,
    Claim(Claim),
    /// Of a version before this; with who holds it.
    Older(Option<String>),
    /// It is being made, or that was cut off.
    Torn,
}

pub(super) fn found(path: &Path) -> Result<LockState, Error> {
    let mut what = "open";
    let mut read = || {
        let file = OpenOptions::new().read(true).custom_flags(no_follow()).open(path)?;
        what = "look at";
        // a pipe has no end
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no ordinary file"));
        }
        what = "read";
        let mut text = String::new();
        (&file).take(LONGEST).read_to_string(&mut text)?;
        Ok((file, text))
    };
    let (file, text) = match read() {
        Err(error) if is_taken_away(&error) => return Ok(LockState::Nothing),
        read => read.map_err(Error::io(what, path))?,
    };
    if let Ok(claim) = serde_json::from_str(text.lines().next().unwrap_or_default()) {
        return Ok(LockState::Claim(claim));
    }
    Ok(match text.trim().parse::<u32>() {
        Ok(process) => match file.try_lock() {
            Err(TryLockError::WouldBlock) => LockState::Older(Some(format!("process {process}"))),
            _ => LockState::Older(None),
        },
        Err(_) => LockState::Torn,
    })
}

/// Whether a file is not there, or not any more though it is open: a network file system says so of what another host removes.
pub(super) fn is_taken_away(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::StaleNetworkFileHandle)
}

#[allow(clippy::cast_possible_wrap, reason = "a flag")]
pub(super) fn no_follow() -> i32 {
    OFlags::NOFOLLOW.union(OFlags::NONBLOCK).bits() as i32
}

pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map_or_else(|_| String::new(), |id| id.trim().to_owned())
}

pub(super) fn pid_namespace() -> String {
    fs::read_link("/proc/self/ns/pid").map_or_else(|_| String::new(), |name| name.display().to_string())
}

/// The state of a process, and when it began.
pub(super) fn stat(process: u32) -> Option<(char, u64)> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // its name, in brackets, may hold anything
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}
