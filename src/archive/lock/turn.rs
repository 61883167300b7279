//! How one who writes now and then lets another in who holds the archive for long: an export that follows, for one.
//!
//! Who wants it makes `.lock.wanted` and goes on trying to take the lock; who holds it looks for that name, and lets go. Whoever takes
//! the lock sweeps it away with all that begins so, so that one that was left by a process which has died costs one turn. Says
//! nothing of who comes next: the lock does.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use tracing::info;

use super::claim::{LockState, found, no_follow};
use super::{Error, Lock, NAME, PAUSE, uptime};
use crate::archive::Interrupt;

/// What one makes who wants the lock.
const WANTED: &str = ".lock.wanted";
/// How long is waited for one who lets others in: more than attributes are cached.
const WAITS_FOR: Duration = Duration::from_secs(180);

/// What becomes of two who want to write to an archive at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Turn {
    /// Whoever comes second fails at once.
    #[default]
    Refused,
    /// It waits for one who lets others in.
    Asks,
    /// It lets in who asks for it.
    LetsIn,
}

impl Lock {
    /// Locks an archive; one who asks waits, for as long as it is not told to stop, while the holder lets others in.
    pub(in crate::archive) fn take_in_turn(directory: &Path, turn: Turn, interrupt: &Interrupt) -> Result<Lock, Error> {
        if turn != Turn::Asks {
            return Lock::take_as(directory, turn == Turn::LetsIn);
        }
        let began = uptime();
        let mut has_asked = false;
        loop {
            let refused = match Lock::take_as(directory, false) {
                Err(Error::Locked { holder, archive }) => Error::Locked { holder, archive },
                taken => return taken,
            };
            let is_in_vain = uptime().saturating_sub(began) >= WAITS_FOR;
            if is_in_vain || !(has_asked || lets_in(directory)) || ask(directory).is_err() {
                if has_asked {
                    let _ = fs::remove_file(directory.join(WANTED));
                }
                return Err(refused);
            }
            if !has_asked && let Error::Locked { holder, .. } = &refused {
                info!("waiting for the export that follows ({holder}) to let this in");
            }
            has_asked = true;
            if let Err(stopped) = interrupt.check() {
                let _ = fs::remove_file(directory.join(WANTED));
                return Err(stopped);
            }
            thread::sleep(PAUSE);
        }
    }
}

/// Whether the holder lets others in.
fn lets_in(directory: &Path) -> bool {
    matches!(found(&directory.join(NAME)), Ok(LockState::Claim(claim)) if claim.lets_in)
}

/// Asks for the lock, again if another took it meanwhile.
fn ask(directory: &Path) -> std::io::Result<()> {
    let wanted = directory.join(WANTED);
    if fs::symlink_metadata(&wanted).is_ok() {
        return Ok(());
    }
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(no_follow())
        .open(&wanted)
        .map(drop)
}

/// Whether somebody asks for an archive's lock.
#[must_use]
pub fn is_wanted(directory: &Path) -> bool {
    fs::symlink_metadata(directory.join(WANTED)).is_ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn who_asks_comes_after_one_who_lets_others_in_and_waits_for_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let (path, never) = (directory.path(), Interrupt::default());
        let holding = Lock::take_in_turn(path, Turn::LetsIn, &never).unwrap();
        assert!(!is_wanted(path));
        thread::scope(|scope| {
            let asking = scope.spawn(|| Lock::take_in_turn(path, Turn::Asks, &Interrupt::default()).map(drop));
            while !is_wanted(path) {
                thread::sleep(PAUSE);
            }
            // another export does not
            assert!(matches!(Lock::take_in_turn(path, Turn::Refused, &never), Err(Error::Locked { .. })));
            assert!(matches!(Lock::take_in_turn(path, Turn::LetsIn, &never), Err(Error::Locked { .. })));
            drop(holding);
            asking.join().unwrap().unwrap();
        });
        assert!(!is_wanted(path), "who takes it sweeps");
        let holding = Lock::take_in_turn(path, Turn::Refused, &never).unwrap();
        assert!(matches!(Lock::take_in_turn(path, Turn::Asks, &never), Err(Error::Locked { .. })));
        assert!(!is_wanted(path));
        drop(holding);
        assert!(crate::archive::durable::names(path, "").unwrap().is_empty());
    }

    #[test]
    fn who_waits_can_be_told_to_stop() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let _holding = Lock::take_in_turn(path, Turn::LetsIn, &Interrupt::default()).unwrap();
        let told = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&told);
        let interrupt = Interrupt::when(move || seen.load(Ordering::Relaxed));
        thread::scope(|scope| {
            let asking = scope.spawn(|| Lock::take_in_turn(path, Turn::Asks, &interrupt).map(drop));
            while !is_wanted(path) {
                thread::sleep(PAUSE);
            }
            told.store(true, Ordering::Relaxed);
            assert!(matches!(asking.join().unwrap(), Err(Error::Stopped)));
        });
        assert!(!is_wanted(path));
    }
}
