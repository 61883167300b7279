//! One writer at a time, on whatever host.
//!
//! `.lock` is there while somebody writes, and says who: it is put there whole, and never in place of another. A thread writes
//! the file server's time into it every 15 seconds; after three minutes without that, which is more than attributes are cached,
//! it is stale, and before only if its process is provably gone. Whoever holds it looks whether it is still there before each
//! step, and stops when it has not been able to say so for two minutes. Beside it the kernel's lock on the directory keeps
//! processes of one host apart, where the file system has such locks. A holder that lets others in says so there, and one who
//! asks for it makes `.lock.wanted`; see `turn`.

mod claim;
mod turn;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Error, durable, network};
pub use turn::{Turn, is_wanted};

use claim::{Claim, LockState, found, is_taken_away, milliseconds, no_follow};

/// The lock's name in the archive's directory.
const NAME: &str = ".lock";
/// How often it is refreshed.
const REFRESHED_EVERY: Duration = Duration::from_secs(15);
/// Its holder stops when it has not been refreshed for so long.
const HELD_FOR: Duration = Duration::from_secs(120);
/// What nobody has written to for so long was cut off while it was made.
const TORN_AFTER: Duration = Duration::from_secs(5);
/// How long the kernel's lock may outlast what it is there for: a program that is just being started has it too.
const LINGERS: Duration = Duration::from_millis(400);
/// How long one look is enough for many files that are appended to: who takes a lock over waits for minutes.
const LOOKS_FOR: Duration = Duration::from_millis(100);
/// How long is waited before another look.
const PAUSE: Duration = Duration::from_millis(20);
/// What is said of a holder that was a moment faster.
const FIRST: &str = "its process came first";

/// The lock of an archive, held until it is dropped.
pub(super) struct Lock {
    held: Arc<HeldLock>,
    stop: Option<mpsc::Sender<()>>,
    refreshing: Option<JoinHandle<()>>,
    _kernel: Option<File>,
}

/// What says that an archive is this process's.
pub(super) struct HeldLock {
    path: PathBuf,
    /// None: it is not in its place. A network file system keeps what is open but removed under another name.
    file: Mutex<Option<File>>,
    claim: Mutex<Claim>,
    /// When it was last refreshed, by [`uptime`]; none: it is lost.
    refreshed: Mutex<Option<Duration>>,
    /// When it was last seen in its place, by [`uptime`].
    seen: Mutex<Duration>,
    is_shared: bool,
}

impl Lock {
    /// Locks an archive, unless somebody else holds it; as one who `lets_in` others, or not.
    fn take_as(directory: &Path, lets_in: bool) -> Result<Lock, Error> {
        let path = directory.join(NAME);
        let is_shared = network::is_shared(directory);
        let kernel = kernel_lock(directory)?;
        let refused = |holder| Err(Error::Locked { holder, archive: directory.to_owned() });
        let claim = Claim { lets_in, ..Claim::of_this_process(kernel.is_some() && !is_shared) };
        let Some(mut making) = HeldLock::make(directory, claim, is_shared)? else { return refused(FIRST.to_owned()) };
        let own = making.held.claim();
        let mut looks = 0;
        while let Err(error) = making.put(&path) {
            match error.kind() {
                io::ErrorKind::AlreadyExists => {}
                // who has the lock by now
                _ if is_taken_away(&error) => return refused(FIRST.to_owned()),
                _ => return Err(Error::io("make", &path)(error)),
            }
            match found(&path)? {
                LockState::Claim(claim) => {
                    let let_go = claim.kernel && own.kernel && claim.is_of_this_boot();
                    if !(let_go || claim.is_gone() || claim.is_stale(own.time)) {
                        return refused(claim.holder());
                    }
                    if !take_away(directory, &path, &claim)? {
                        return refused(FIRST.to_owned());
                    }
                }
                LockState::Older(Some(holder)) => return refused(holder),
                LockState::Older(None) => durable::remove(directory, NAME)?,
                LockState::Torn if PAUSE * looks >= TORN_AFTER => durable::remove(directory, NAME)?,
                LockState::Nothing | LockState::Torn => {}
            }
            looks += 1;
            thread::sleep(PAUSE);
        }
        let held = making.held;
        held.open()?;
        let held = Arc::new(held);
        held.check()?;
        sweep(directory)?;
        let (stop, stopped) = mpsc::channel();
        let refreshed = Arc::clone(&held);
        let refreshing = thread::Builder::new().name("lock".to_owned()).spawn(move || {
            while stopped.recv_timeout(REFRESHED_EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
                // what cannot be written now may be the next time
                let _ = refreshed.refresh();
            }
        });
        let refreshing = refreshing.map_err(Error::io("keep", &path))?;
        Ok(Lock { held, stop: Some(stop), refreshing: Some(refreshing), _kernel: kernel })
    }

    /// What tells whether it is still held.
    pub(super) fn held(&self) -> Arc<HeldLock> {
        Arc::clone(&self.held)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(refreshing) = self.refreshing.take() {
            let _ = refreshing.join();
        }
        // if it stays, its process is soon gone
        let is_held = self.held.check().is_ok();
        drop(self.held.set_file(None));
        if is_held {
            let _ = fs::remove_file(&self.held.path);
        }
    }
}

/// A lock that is not in its place yet, in a file of its own.
struct Making {
    held: HeldLock,
    made: Option<tempfile::TempPath>,
}

impl HeldLock {
    /// Makes it in a file of its own; none where another got the lock meanwhile, and swept that file away.
    fn make(directory: &Path, claim: Claim, is_shared: bool) -> Result<Option<Making>, Error> {
        let path = directory.join(NAME);
        let failed = || Error::io("make", &path);
        let made = tempfile::Builder::new().prefix(".lock.").tempfile_in(directory).map_err(failed())?;
        let (file, made) = made.into_parts();
        let held = HeldLock {
            path: path.clone(),
            file: Mutex::new(Some(file)),
            claim: Mutex::new(claim),
            refreshed: Mutex::default(),
            seen: Mutex::default(),
            is_shared,
        };
        if let Err(error) = held.write() {
            return if is_taken_away(&error) { Ok(None) } else { Err(failed()(error)) };
        }
        drop(held.set_file(None));
        Ok(Some(Making { held, made: Some(made) }))
    }

    fn claim(&self) -> Claim {
        self.claim.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Opens what has been put in its place.
    fn open(&self) -> Result<(), Error> {
        let opened = OpenOptions::new().read(true).write(true).custom_flags(no_follow()).open(&self.path);
        let opened = opened.inspect_err(|_| drop(fs::remove_file(&self.path)));
        drop(self.set_file(Some(opened.map_err(Error::io("open", &self.path))?)));
        Ok(())
    }

    fn set_file(&self, file: Option<File>) -> Option<File> {
        std::mem::replace(&mut *self.file.lock().unwrap_or_else(PoisonError::into_inner), file)
    }

    fn refreshed(&self) -> Option<Duration> {
        *self.refreshed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_refreshed(&self, at: Option<Duration>) {
        *self.refreshed.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    /// Writes who holds it and, by the file server's clock, when.
    fn write(&self) -> io::Result<()> {
        let began = uptime();
        let mut claim = self.claim();
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let file = file.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let write = |claim: &Claim| {
            let text = serde_json::to_string(claim)? + "\n";
            file.write_all_at(text.as_bytes(), 0)?;
            // a local file is seen by all as it is
            if self.is_shared { file.sync_all() } else { Ok(()) }
        };
        write(&claim)?;
        let written = file.metadata()?;
        let then = std::mem::replace(
            &mut claim.time,
            written.mtime().unsigned_abs() * 1000 + written.mtime_nsec().unsigned_abs() / 1_000_000,
        );
        if then > 0 && claim.time.saturating_sub(then) > milliseconds(HELD_FOR) {
            // the machine stood still, and its own clock with it
            self.set_refreshed(None);
            return Ok(());
        }
        write(&claim)?;
        *self.claim.lock().unwrap_or_else(PoisonError::into_inner) = claim;
        self.set_refreshed(Some(began));
        Ok(())
    }

    fn refresh(&self) -> Result<(), Error> {
        // not with a new time before it is known to be ours still
        self.check()?;
        self.write().map_err(Error::io("refresh", &self.path))
    }

    /// Makes sure of it as [`HeldLock::check`] does, unless that was done a moment ago.
    pub(super) fn check_now_and_then(&self) -> Result<(), Error> {
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if self.refreshed().is_some() && uptime().saturating_sub(seen) < LOOKS_FOR { Ok(()) } else { self.check() }
    }

    /// Makes sure that it is still held.
    pub(super) fn check(&self) -> Result<(), Error> {
        let is_young = self.refreshed().is_some_and(|at| uptime().saturating_sub(at) <= HELD_FOR);
        if is_young {
            match found(&self.path)? {
                LockState::Claim(claim) if claim.is(&self.claim()) => {
                    *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = uptime();
                    return Ok(());
                }
                // it is read while it is written
                LockState::Torn => return Ok(()),
                _ => {}
            }
        }
        self.set_refreshed(None);
        Err(Error::LockLost(self.path.clone()))
    }
}

impl Making {
    /// Puts it in its place, if there is none.
    fn put(&mut self, path: &Path) -> io::Result<()> {
        let made = self.made.take().ok_or(io::ErrorKind::NotFound)?;
        let Err(refused) = made.persist_noclobber(path) else { return Ok(()) };
        let (error, made) = (refused.error, refused.path);
        let is_ours = || matches!(found(path), Ok(LockState::Claim(claim)) if claim.is(&self.held.claim()));
        let error = match error.kind() {
            // a server that answers twice says so of our own
            io::ErrorKind::AlreadyExists if is_ours() => return Ok(()),
            io::ErrorKind::AlreadyExists => error,
            _ if is_taken_away(&error) => error,
            // where a file can neither be renamed without replacing another nor have two names, it is made in its place
            _ => match exclusively(path) {
                Ok(file) => {
                    drop(self.held.set_file(Some(file)));
                    return self.held.write().inspect_err(|_| drop(fs::remove_file(path)));
                }
                Err(error) => error,
            },
        };
        self.made = Some(made);
        Err(error)
    }
}

fn exclusively(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).custom_flags(no_follow()).open(path)
}

/// Takes a lock away whose holder is gone. False: it was another's by then, who has it back.
fn take_away(directory: &Path, path: &Path, gone: &Claim) -> Result<bool, Error> {
    let failed = || Error::io("take away", path);
    let aside = tempfile::Builder::new().prefix(".lock.").tempfile_in(directory).map_err(failed())?.into_temp_path();
    match fs::rename(path, &aside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        renamed => renamed.map_err(failed())?,
    }
    match found(&aside)? {
        LockState::Claim(claim) if !claim.is(gone) => {
            let _ = aside.persist_noclobber(path);
            Ok(false)
        }
        _ => Ok(true),
    }
}

/// Removes what others left that did not get the lock.
fn sweep(directory: &Path) -> Result<(), Error> {
    for name in durable::names(directory, "")?.iter().filter(|name| name.starts_with(".lock.")) {
        let _ = fs::remove_file(directory.join(name));
    }
    Ok(())
}

/// The kernel's lock on an archive's directory; none where there are no such locks.
fn kernel_lock(directory: &Path) -> Result<Option<File>, Error> {
    let file = File::open(directory).map_err(Error::io("open", directory))?;
    let mut waited = Duration::ZERO;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(_)) => return Ok(None),
            Err(TryLockError::WouldBlock) if waited < LINGERS => {}
            Err(TryLockError::WouldBlock) => {
                let holder = match found(&directory.join(NAME))? {
                    LockState::Claim(claim) => claim.holder(),
                    _ => "its process is not known".to_owned(),
                };
                return Err(Error::Locked { holder, archive: directory.to_owned() });
            }
        }
        thread::sleep(PAUSE);
        waited += PAUSE;
    }
}

/// Keeps every export of this host from beginning to write to an archive for as long as the file is open; none where that cannot
/// be had.
pub(super) fn keep_still(directory: &Path) -> Result<Option<File>, Error> {
    let file = File::open(directory).map_err(Error::io("open", directory))?;
    match file.try_lock_shared() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::Error(_)) => Ok(None),
        Err(TryLockError::WouldBlock) => {
            let holder = held_by(directory).unwrap_or_else(|| "its process is not known".to_owned());
            Err(Error::Locked { holder, archive: directory.to_owned() })
        }
    }
}

/// Who writes to an archive now, as far as that can be told without writing there: by this host's clock.
pub(super) fn held_by(directory: &Path) -> Option<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, milliseconds);
    match found(&directory.join(NAME)) {
        Ok(LockState::Claim(claim)) if !claim.is_gone() && !claim.is_stale(now) => Some(claim.holder()),
        Ok(LockState::Older(holder)) => holder,
        _ => None,
    }
}

/// Whether this process writes to an archive.
pub(super) fn is_own(directory: &Path) -> bool {
    let own = |claim: &Claim| claim.process == std::process::id() && !claim.is_gone() && claim.is_of_this_boot();
    matches!(found(&directory.join(NAME)), Ok(LockState::Claim(claim)) if own(&claim))
}

/// Who writes to an archive on another host.
pub(super) fn held_elsewhere(directory: &Path) -> Option<String> {
    match found(&directory.join(NAME)) {
        Ok(LockState::Claim(claim)) if !claim.is_of_this_boot() => held_by(directory),
        _ => None,
    }
}

/// For how long this machine has run, also while it slept.
fn uptime() -> Duration {
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    let now = rustix::time::clock_gettime(clock);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests;
