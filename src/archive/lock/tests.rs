use std::sync::atomic::{AtomicU32, Ordering};

use super::claim::{boot, stat};
use super::*;

impl Lock {
    fn take(directory: &Path) -> Result<Lock, Error> {
        Lock::take_as(directory, false)
    }
}

fn kept(directory: &Path) -> Claim {
    match found(&directory.join(NAME)).unwrap() {
        LockState::Claim(claim) => claim,
        _ => panic!("nobody holds it"),
    }
}

fn leave(directory: &Path, claim: &Claim) {
    fs::write(directory.join(NAME), serde_json::to_string(claim).unwrap()).unwrap();
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map(milliseconds).unwrap()
}

/// Of a process on another host.
fn elsewhere(seconds_ago: u64) -> Claim {
    Claim {
        host: "alpha".to_owned(),
        boot: "another".to_owned(),
        time: now() - seconds_ago * 1000,
        ..Claim::of_this_process(false)
    }
}

#[track_caller]
fn refused(directory: &Path) -> String {
    match Lock::take(directory) {
        Err(Error::Locked { holder, .. }) => holder,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it is taken"),
    }
}

#[test]
fn it_says_who_has_it_and_is_gone_afterwards() {
    let directory = tempfile::tempdir().unwrap();
    let lock = Lock::take(directory.path()).unwrap();
    let claim = kept(directory.path());
    assert_eq!((claim.process, &claim.boot, claim.is_stale(now())), (std::process::id(), &boot(), false));
    assert_eq!(held_by(directory.path()), Some(format!("process {}", std::process::id())));
    assert_eq!(held_elsewhere(directory.path()), None);
    assert_eq!(durable::names(directory.path(), "").unwrap().len(), 1);
    drop(lock);
    assert_eq!(held_by(directory.path()), None);
    assert!(durable::names(directory.path(), "").unwrap().is_empty());
}

#[test]
fn another_host_has_it_until_it_is_stale() {
    let directory = tempfile::tempdir().unwrap();
    for seconds in [0, 15, 175] {
        leave(directory.path(), &elsewhere(seconds));
        let process = format!("process {} on alpha", std::process::id());
        assert_eq!(refused(directory.path()), process);
        assert_eq!(held_elsewhere(directory.path()), Some(process));
        assert_eq!(kept(directory.path()).host, "alpha");
    }
    leave(directory.path(), &elsewhere(181));
    assert_eq!(held_elsewhere(directory.path()), None);
    drop(Lock::take(directory.path()).unwrap());
    // nor is it refreshed when it is far ahead
    leave(directory.path(), &Claim { time: now() + 200_000, ..elsewhere(0) });
    drop(Lock::take(directory.path()).unwrap());
}

#[test]
fn a_process_that_is_gone_holds_nobody_up() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let own = Claim { time: now(), ..Claim::of_this_process(false) };
    // also before its parent has taken note
    let (state, started) = loop {
        match stat(child.id()) {
            Some(('Z', started)) => break ('Z', started),
            _ => thread::sleep(PAUSE),
        }
    };
    assert_eq!(state, 'Z');
    let ended = Claim { process: child.id(), started, ..own.clone() };
    leave(directory.path(), &ended);
    drop(Lock::take(directory.path()).unwrap());
    child.wait().unwrap();
    leave(directory.path(), &ended);
    drop(Lock::take(directory.path()).unwrap());
    // another process has its number
    leave(directory.path(), &Claim { started: own.started + 1, ..own.clone() });
    drop(Lock::take(directory.path()).unwrap());
    // in a container of this host nobody knows, unless it had the kernel's lock
    let contained = Claim { pid_namespace: "pid:[1]".to_owned(), ..ended };
    leave(directory.path(), &contained);
    assert!(refused(directory.path()).contains("another PID namespace"));
    leave(directory.path(), &Claim { kernel: true, ..contained });
    let taken = Lock::take(directory.path());
    assert_eq!(taken.is_ok(), !network::is_shared(directory.path()));
    drop(taken);
    // and one that lives has it
    leave(directory.path(), &Claim { nth: own.nth + 1000, ..own });
    assert_eq!(refused(directory.path()), format!("process {}", std::process::id()));
}

#[test]
fn what_was_cut_off_or_is_of_an_older_version_is_taken_away() {
    let directory = tempfile::tempdir().unwrap();
    for text in ["4711\n", "", "{\"host\":"] {
        fs::write(directory.path().join(NAME), text).unwrap();
        drop(Lock::take(directory.path()).unwrap());
    }
    fs::write(directory.path().join(NAME), "4711\n").unwrap();
    let older = File::open(directory.path().join(NAME)).unwrap();
    older.lock().unwrap();
    assert_eq!(refused(directory.path()), "process 4711");
}

#[test]
fn no_link_is_followed() {
    let directory = tempfile::tempdir().unwrap();
    let outside = directory.path().join("outside");
    let archive = directory.path().join("archive");
    fs::create_dir(&archive).unwrap();
    fs::write(&outside, "mine").unwrap();
    for target in [&outside, &directory.path().join("nowhere")] {
        let _ = fs::remove_file(archive.join(NAME));
        std::os::unix::fs::symlink(target, archive.join(NAME)).unwrap();
        assert!(matches!(Lock::take(&archive), Err(Error::Io { .. })));
    }
    assert_eq!(fs::read_to_string(&outside).unwrap(), "mine");
    assert!(!directory.path().join("nowhere").exists());
}

#[test]
fn who_has_stood_still_or_lost_it_stops() {
    let directory = tempfile::tempdir().unwrap();
    let age = |lock: &Lock, by: Duration| {
        let mut refreshed = lock.held.refreshed.lock().unwrap();
        *refreshed = refreshed.map(|at| at.saturating_sub(by));
    };
    let lock = Lock::take(directory.path()).unwrap();
    if uptime() > Duration::from_secs(200) {
        age(&lock, Duration::from_secs(60));
        lock.held.check().unwrap();
        lock.held.refresh().unwrap();
        age(&lock, Duration::from_secs(119));
        lock.held.check().unwrap();
        lock.held.refresh().unwrap();
        age(&lock, Duration::from_secs(121));
        // whoever comes first, it is not made young again
        assert!(matches!(lock.held.refresh(), Err(Error::LockLost(_))));
        assert!(matches!(lock.held.check(), Err(Error::LockLost(_))));
        drop(lock);
        // its own process has not ended
        fs::remove_file(directory.path().join(NAME)).unwrap();
    } else {
        drop(lock);
    }
    // a machine whose clock stood still with it
    let lock = Lock::take(directory.path()).unwrap();
    lock.held.claim.lock().unwrap().time -= 130_000;
    lock.held.refresh().unwrap();
    assert!(matches!(lock.held.check(), Err(Error::LockLost(_))));
    drop(lock);
    // taken over: what is another's stays
    fs::remove_file(directory.path().join(NAME)).unwrap();
    let lock = Lock::take(directory.path()).unwrap();
    leave(directory.path(), &elsewhere(1));
    assert!(matches!(lock.held.check(), Err(Error::LockLost(_))));
    assert!(lock.held.refresh().is_err());
    drop(lock);
    assert_eq!(kept(directory.path()).host, "alpha");
    fs::remove_file(directory.path().join(NAME)).unwrap();
    let lock = Lock::take(directory.path()).unwrap();
    fs::remove_file(directory.path().join(NAME)).unwrap();
    assert!(lock.held.check().is_err());
}

#[test]
fn a_lock_that_was_taken_over_meanwhile_is_given_back() {
    let directory = tempfile::tempdir().unwrap();
    let (gone, new) = (elsewhere(200), Claim { process: 1, ..elsewhere(0) });
    leave(directory.path(), &new);
    assert!(!take_away(directory.path(), &directory.path().join(NAME), &gone).unwrap());
    assert!(kept(directory.path()).is(&new));
    assert!(take_away(directory.path(), &directory.path().join(NAME), &new).unwrap());
    assert!(durable::names(directory.path(), "").unwrap().is_empty());
}

#[test]
fn of_many_at_once_one_has_it() {
    let directory = tempfile::tempdir().unwrap();
    leave(directory.path(), &elsewhere(200));
    let taken: Vec<Lock> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| Lock::take(directory.path()).ok())).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(taken.len(), 1);
}

#[test]
fn who_looks_is_in_nobodys_way() {
    let directory = tempfile::tempdir().unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    let looks = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    super::super::look(directory.path()).unwrap();
                    looks.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let taken = (0..200).map(|_| Lock::take(directory.path()).map(drop)).collect::<Result<Vec<()>, _>>();
        done.store(true, Ordering::Relaxed);
        taken.unwrap();
    });
    assert!(looks.into_inner() > 100);
}
