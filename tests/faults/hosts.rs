//! Archives on file systems that several hosts have mounted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use synapse_export::archive::{Archive, RunOutcome};

use crate::shim::{Deed, EOPNOTSUPP, Ended, Fault, ended, program, run, shimmed, traced};
use crate::state::{State, copy, differences, files, state};
use crate::story::Told;

const NFS: &str = "6969";
const FUSE: &str = "65735546";

fn place() -> (tempfile::TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let archive = parent.path().join("archive");
    (parent, archive)
}

/// Runs the program as if the archive were on another kind of file system.
fn on(kind: &str, archive: &Path, arguments: &[&str]) -> Ended {
    ended(shimmed(archive, None, arguments).env("FAULT_STATFS", kind))
}

fn aloud(export: [&str; 4]) -> [&str; 3] {
    [export[0], export[2], export[3]]
}

/// Whether a catalog is in WAL mode.
fn has_wal(catalog: &Path) -> bool {
    fs::read(catalog).unwrap()[18..20] == [2, 2]
}

#[track_caller]
fn is_as(archive: &Path, told: &Told, chapters: usize) {
    let mut found = state(archive);
    // it stays, emptied, where there is no WAL
    found.retain(|path, _| !path.starts_with("catalog.sqlite-"));
    assert!(found == *told.state(chapters), "{}", differences(&found, told.state(chapters)));
}

/// What is in an archive, but for SQLite's own.
fn kept(archive: &Path) -> State {
    let mut files = files(archive);
    files.retain(|path, _| !path.starts_with("catalog.sqlite-"));
    files
}

/// Leaves a lock as another host does, which wrote it so many seconds ago.
fn lock_elsewhere(archive: &Path, seconds: u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let lock = json!({
        "host": "alpha", "boot": "another", "pid_namespace": "pid:[1]", "process": 4711, "started": 1, "nth": 0,
        "kernel": true, "time": (now - seconds) * 1000,
    });
    fs::write(archive.join(".lock"), lock.to_string()).unwrap();
}

#[test]
fn on_a_network_the_catalog_has_no_wal() {
    let told = Told::get();
    let note = "has a rollback journal there";
    for kind in [NFS, "517b", "ff534d42", "fe534d42", FUSE] {
        let (_parent, archive) = place();
        on(kind, &archive, &aloud(told.export(1))).with(0).saying(note);
        assert!(!has_wal(&archive.join("catalog.sqlite")));
        let again = on(kind, &archive, &aloud(told.export(2))).with(0);
        assert!(!again.stderr.contains(note), "it is said twice: {}", again.stderr);
        assert!(!has_wal(&archive.join("catalog.sqlite")));
        on(kind, &archive, &["watermark", "show"]).with(0);
        is_as(&archive, &told, 2);
    }
    let (_parent, archive) = place();
    let local = run(&archive, None, &aloud(told.export(1))).with(0);
    assert!(!local.stderr.contains(note) && has_wal(&archive.join("catalog.sqlite")));
}

#[test]
fn a_catalog_that_comes_with_a_wal_leaves_it_without_shared_memory() {
    let told = Told::get();
    let (_parent, archive) = place();
    // killed, it leaves a log with all that it wrote
    run(&archive, Some(&Fault::at(1, Deed::Kill).of("symlink")), &told.export(1));
    fs::remove_file(archive.join("catalog.sqlite-shm")).unwrap();
    assert!(has_wal(&archive.join("catalog.sqlite")) && archive.join("catalog.sqlite-wal").exists());
    let trace = archive.parent().unwrap().join("trace");
    let mut command = shimmed(&archive, None, &aloud(told.export(1)));
    let first = ended(command.env("FAULT_STATFS", NFS).env("FAULT_TRACE", &trace)).with(0);
    first.saying("has a rollback journal there");
    let trace = fs::read_to_string(trace).unwrap();
    assert!(trace.contains("catalog.sqlite-journal") && !trace.contains("catalog.sqlite-shm"), "{trace}");
    assert!(!has_wal(&archive.join("catalog.sqlite")) && !archive.join("catalog.sqlite-wal").exists());
    is_as(&archive, &told, 1);
    // back on a local disk
    run(&archive, None, &told.export(2)).with(0);
    assert!(has_wal(&archive.join("catalog.sqlite")));
    is_as(&archive, &told, 2);
}

#[test]
fn a_file_system_that_lacks_what_the_catalog_needs_is_named_with_a_remedy() {
    let told = Told::get();
    for (lacks, said) in [("FAULT_UNLOCKED", "does not lock files"), ("FAULT_UNSHARED", "no shared memory")] {
        let (_parent, archive) = place();
        copy(&told.archive(1), &archive);
        let before = kept(&archive);
        for command in [&["watermark", "show"][..], &["render", "--all"], &told.export(2)] {
            let kind = if lacks == "FAULT_UNLOCKED" { NFS } else { "" };
            let failed = ended(shimmed(&archive, None, command).env(lacks, "1").env("FAULT_STATFS", kind)).with(1);
            failed.saying(said).saying("--catalog DIR");
        }
        let after = kept(&archive);
        assert!(after == before, "{}", differences(&after, &before));
    }
    // where only locks lack, there the catalog is all right elsewhere
    let (parent, archive) = place();
    let catalog = parent.path().join("local");
    let export = [&told.export(1)[..], &["--catalog", catalog.to_str().unwrap()]].concat();
    ended(shimmed(&archive, None, &export).env("FAULT_UNLOCKED", "1").env("FAULT_STATFS", FUSE)).with(0);
    assert!(has_wal(&catalog.join("catalog.sqlite")));
}

#[test]
fn what_another_host_writes_to_is_left_alone() {
    let told = Told::get();
    let (_parent, archive) = place();
    copy(&told.archive(1), &archive);
    let before = kept(&archive);
    lock_elsewhere(&archive, 60);
    for kind in ["", NFS, FUSE] {
        for command in [&told.export(2)[..], &["watermark", "reset", "--yes"], &["render", "--all"]] {
            on(kind, &archive, command).with(75).saying("process 4711 on alpha");
        }
        // behind FUSE, what is read may be half written
        let look = on(kind, &archive, &["watermark", "show"]);
        if kind == FUSE {
            look.with(75).saying("process 4711 on alpha")
        } else {
            look.with(0)
        };
    }
    assert!(kept(&archive) == before);
    lock_elsewhere(&archive, 200);
    on(FUSE, &archive, &["watermark", "show"]).with(0);
    on(NFS, &archive, &told.export(2)).with(0);
    is_as(&archive, &told, 2);
    assert!(!archive.join(".lock").exists());
}

#[test]
fn a_run_whose_lock_is_taken_stops_before_its_next_step() {
    let told = Told::get();
    let (_parent, archive) = place();
    copy(&told.archive(1), &archive);
    let before = kept(&archive);
    let mut open = Archive::open(&archive, None).unwrap();
    lock_elsewhere(&archive, 1);
    let selection = synapse_export::archive::Selection {
        include: [synapse_export::event::RoomId::of("!lab:here.test").owned()].into(),
        ..synapse_export::archive::Selection::default()
    };
    let refused = [
        open.begin_run(&selection, &[]).map(drop).unwrap_err(),
        open.commit(1, [synapse_export::archive::Batch::default()]).map(drop).unwrap_err(),
        open.reset(&synapse_export::stream::Stream::ALL).unwrap_err(),
        open.end_run(1, RunOutcome::Done, None, 0).unwrap_err(),
        synapse_export::views::render(&mut open, &mut |_, _| true).map(drop).unwrap_err(),
    ];
    for error in refused {
        assert!(error.is_transient() && error.to_string().contains("is not this process's any more"), "{error:?}");
    }
    drop(open);
    assert!(kept(&archive) == before);
    on("", &archive, &["render", "--all"]).with(75).saying("on alpha");
}

#[test]
fn who_was_killed_holds_nobody_up_on_any_file_system() {
    let told = Told::get();
    for kind in ["", NFS, FUSE] {
        let (_parent, archive) = place();
        let fault = Fault::at(1, Deed::Kill).of("symlink");
        assert!(ended(shimmed(&archive, Some(&fault), &told.export(1)).env("FAULT_STATFS", kind)).killed);
        assert!(archive.join(".lock").exists());
        on(kind, &archive, &told.export(2)).with(0);
        is_as(&archive, &told, 2);
    }
}

#[test]
fn a_lock_is_made_where_a_file_can_have_neither_two_names_nor_be_renamed_aside() {
    let told = Told::get();
    let (_parent, archive) = place();
    let (_, calls) = traced(&archive, None, &told.export(1));
    let first = calls.iter().filter(|call| call.name == "rename").position(|call| call.path == ".lock");
    let fault = Fault::at(first.expect("it is renamed") + 1, Deed::Fail(EOPNOTSUPP)).of("rename");
    let (ended, calls) = traced(&archive, Some(&fault), &told.export(2));
    ended.with(0);
    assert!(calls.iter().any(|call| (&*call.name, &*call.path) == ("open", ".lock")), "{calls:#?}");
    is_as(&archive, &told, 2);
    assert!(!files(&archive).keys().any(|path| path.starts_with(".lock")));
}

#[test]
fn a_dump_is_on_the_disk_before_it_is_said_to_be_there() {
    let told = Told::get();
    let directory = tempfile::tempdir().unwrap();
    let dump = directory.path().join("dump.jsonl");
    let export = told.export(1);
    let room = ["room", "!lab:here.test", export[2], export[3], "--output", dump.to_str().unwrap()];
    let (ended, calls) = traced(directory.path(), None, &room);
    ended.with(0);
    let last: Vec<&str> = calls.iter().rev().take(3).map(|call| &*call.name).collect();
    assert_eq!(last, ["syncdir", "rename", "sync"], "{calls:#?}");
}

/// A directory seen through FUSE, until it is dropped.
struct Mount(PathBuf);

impl Mount {
    fn of(directory: &Path, at: PathBuf) -> Option<Mount> {
        fs::create_dir(&at).unwrap();
        let mounted = Command::new("bindfs").arg(directory).arg(&at).stderr(Stdio::null()).status();
        mounted.is_ok_and(|status| status.success()).then_some(Mount(at))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let unmounted = Command::new("fusermount").arg("-uz").arg(&self.0).stderr(Stdio::null()).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        }
    }
}

#[test]
fn two_mounts_of_one_archive_have_one_writer() {
    let told = Told::get();
    let parent = tempfile::tempdir().unwrap();
    let there = parent.path().join("there");
    fs::create_dir(&there).unwrap();
    let mounts = ["one", "other"].map(|name| Mount::of(&there, parent.path().join(name)));
    let [Some(one), Some(other)] = &mounts else {
        println!("NO FUSE HERE (bindfs, /dev/fuse): two mounts of one archive were not tried, only a shim of statfs");
        return;
    };
    println!("FUSE is here: two bindfs mounts of one archive");
    let (one, other) = (one.0.join("archive"), other.0.join("archive"));
    // one kernel's lock is not seen through the other mount
    let held = Archive::open(&one, None).unwrap();
    let process = format!("process {}", std::process::id());
    ended(&mut program(&other, &told.export(1))).with(75).saying(&process);
    drop(held);
    ended(&mut program(&other, &told.export(1))).with(0);
    assert!(!has_wal(&there.join("archive/catalog.sqlite")));
    // at once, and whoever comes second tries again
    for chapters in [2, 3] {
        thread::scope(|scope| {
            for archive in [&one, &other] {
                let export = told.export(chapters);
                scope.spawn(move || {
                    for attempt in 0.. {
                        let ended = ended(&mut program(archive, &export));
                        if ended.code == Some(0) {
                            return;
                        }
                        assert!(attempt < 100 && ended.code == Some(75), "{ended:#?}");
                        thread::sleep(Duration::from_millis(50));
                    }
                });
            }
        });
        is_as(&there.join("archive"), &told, chapters);
    }
    // a process that is gone is told from one that is not, through either
    let mut child = program(&one, &told.export(3)).spawn().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    ended(&mut program(&other, &told.export(3))).with(0);
    is_as(&there.join("archive"), &told, 3);
}
