//! Disks, file systems, clocks, logs and other programs that are not as they should be.

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rusqlite::Connection;

use crate::shim::{
    Deed, EACCES, EINVAL, EIO, ENOSYS, EOPNOTSUPP, EPERM, EROFS, Fault, ended, program, run, shimmed, traced,
};
use crate::state::{State, copy, differences, files, modes, state};
use crate::story::{Told, many_days};

/// A copy of the archive after so many chapters, or a place for a new one.
fn archive(chapters: usize) -> (tempfile::TempDir, std::path::PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let archive = parent.path().join("archive");
    if chapters > 0 {
        copy(&Told::get().archive(chapters), &archive);
    }
    (parent, archive)
}

#[track_caller]
fn is_as(archive: &Path, expected: &State) {
    let found = state(archive);
    assert!(found == *expected, "{}", differences(&found, expected));
}

#[test]
fn an_archive_that_cannot_be_written_to_stays_as_it_is() {
    let told = Told::get();
    let (_parent, archive) = archive(1);
    let before = files(&archive);
    let read_only = Fault::always(Deed::Fail(EROFS));
    for command in [&told.export(2)[..], &["render", "--all"], &["watermark", "reset", "--yes"]] {
        let ended = run(&archive, Some(&read_only), command).with(1).saying(archive.to_str().unwrap());
        ended.saying("Read-only file system");
        assert_eq!(files(&archive), before);
    }
    // looking needs no more than to read
    let looked = run(&archive, Some(&read_only), &["watermark", "show"]).with(0);
    assert_eq!(looked.stdout, run(&archive, None, &["watermark", "show"]).with(0).stdout);
}

#[test]
fn a_catalog_that_another_program_locks_is_waited_for() {
    let told = Told::get();
    let (_parent, archive) = archive(1);
    let other = Connection::open(archive.join("catalog.sqlite")).unwrap();
    other.execute_batch("begin exclusive").unwrap();
    let mut hasty = shimmed(&archive, None, &told.export(2));
    let ended = ended(hasty.env("FAULT_HASTE", "1")).with(75).saying("catalog.sqlite locked").saying("try again later");
    assert!(ended.stderr.contains("database is locked"), "{ended:#?}");

    let child = program(&archive, &told.export(2)).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1_500));
    other.execute_batch("rollback").unwrap();
    drop(other);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    is_as(&archive, told.state(2));
}

#[test]
fn directories_that_cannot_be_synced_are_no_obstacle() {
    let told = Told::get();
    let (_parent, archive) = archive(0);
    for errno in [EINVAL, EOPNOTSUPP] {
        let fault = Fault::always(Deed::Fail(errno)).of("syncdir");
        fs::remove_dir_all(&archive).ok();
        run(&archive, Some(&fault), &told.export(1)).with(0);
        run(&archive, Some(&fault), &told.export(2)).with(0);
        is_as(&archive, told.state(2));
    }
    // but a failure is one, whichever directory it is
    fs::remove_dir_all(&archive).unwrap();
    let (_, calls) = traced(&archive, None, &told.export(1));
    let mut noticed: Vec<&str> = Vec::new();
    for (n, call) in (1..).zip(calls.iter().filter(|call| call.name == "syncdir")) {
        fs::remove_dir_all(&archive).unwrap();
        let ended = run(&archive, Some(&Fault::at(n, Deed::Fail(EIO)).of("syncdir")), &told.export(1));
        if ended.code == Some(1) {
            noticed.push(&call.path);
        } else {
            assert_eq!(call.path, ".", "{ended:#?}");
        }
    }
    for directory in [".", "rooms", "rooms/lab@here.test", "by-name"] {
        assert!(noticed.contains(&directory), "{directory} is not among {noticed:?}");
    }
}

#[test]
fn a_file_system_without_symbolic_links_has_the_rest() {
    let told = Told::get();
    let without = |state: &State| -> State {
        let mut state = state.clone();
        state.retain(|path, _| !path.starts_with("by-name") && path != "catalog.sqlite room");
        state
    };
    for errno in [EPERM, EOPNOTSUPP, ENOSYS] {
        let (_parent, archive) = archive(0);
        let fault = Fault::always(Deed::Fail(errno)).of("symlink");
        let note = "has no symbolic links";
        let export = |chapters| -> Vec<&str> {
            told.export(chapters).into_iter().filter(|argument| *argument != "--quiet").collect()
        };
        run(&archive, Some(&fault), &export(1)).with(0).saying(note);
        let again = run(&archive, Some(&fault), &export(1)).with(0);
        assert!(!again.stderr.contains(note), "it is said twice: {}", again.stderr);
        run(&archive, Some(&fault), &export(2)).with(0).saying(note);
        let found = state(&archive);
        assert!(without(&found) == without(told.state(2)), "{}", differences(&found, told.state(2)));
        assert!(!found.contains_key("by-name/"));
        // moved to another file system
        run(&archive, None, &["render", "--all", "--quiet"]).with(0);
        is_as(&archive, told.state(2));
    }
    // who may not make one is told
    let (_parent, archive) = archive(1);
    let fault = Fault::always(Deed::Fail(EACCES)).of("symlink");
    run(&archive, Some(&fault), &told.export(2))
        .with(1)
        .saying("by-name/Lab~lab@here.test")
        .saying("Permission denied");
}

#[test]
fn links_that_are_gone_come_back_with_all_transcripts() {
    let told = Told::get();
    let (_parent, archive) = archive(2);
    fs::remove_dir_all(archive.join("by-name")).unwrap();
    fs::create_dir(archive.join("by-name")).unwrap();
    std::os::unix::fs::symlink("/elsewhere", archive.join("by-name/mine")).unwrap();
    std::os::unix::fs::symlink("../rooms/lab@here.test", archive.join("by-name/old")).unwrap();
    run(&archive, None, &["render", "--all", "--quiet"]).with(0);
    // what somebody else put there is left alone
    fs::remove_file(archive.join("by-name/mine")).unwrap();
    is_as(&archive, told.state(2));
}

#[test]
fn many_files_are_synced_one_by_one_where_a_file_system_cannot_be() {
    let database = many_days();
    let export = ["export", "--quiet", "--database", &database.dsn()];
    let (_parent, archive) = archive(0);
    run(&archive, None, &export).with(0);
    let expected = state(&archive);
    for errno in [ENOSYS, EPERM] {
        fs::remove_dir_all(&archive).unwrap();
        let fault = Fault::always(Deed::Fail(errno)).of("syncfs");
        let (ended, calls) = traced(&archive, Some(&fault), &export);
        ended.with(0);
        is_as(&archive, &expected);
        let is_synced = |path: &str| calls.iter().any(|call| call.name.starts_with("sync") && call.path == path);
        let unsynced: Vec<&String> = expected
            .keys()
            .filter(|path| path.starts_with("rooms/") && !is_synced(path.trim_end_matches('/')))
            .collect();
        assert!(unsynced.is_empty(), "{unsynced:?}");
    }
    for n in 1..=2 {
        fs::remove_dir_all(&archive).unwrap();
        let fault = Fault::at(n, Deed::Fail(EIO)).of("syncfs");
        run(&archive, Some(&fault), &export).with(1).saying("cannot sync").saying("Input/output error");
        run(&archive, None, &export).with(0);
        is_as(&archive, &expected);
    }
}

#[test]
fn a_clock_that_is_wrong_changes_nothing() {
    let told = Told::get();
    let years = |number: i64| (number * 365 * 86_400).to_string();
    for [first, second] in [[0, -20], [20, 0], [-30, -50]] {
        let (_parent, archive) = archive(0);
        for (chapters, wrong) in [(1, first), (2, second)] {
            ended(shimmed(&archive, None, &told.export(chapters)).env("FAULT_CLOCK", years(wrong))).with(0);
        }
        is_as(&archive, told.state(2));
        let catalog = Connection::open(archive.join("catalog.sqlite")).unwrap();
        let sql = "select (select started from run where run = 2) < (select started from run where run = 1)";
        assert!(catalog.query_row(sql, [], |row| row.get::<_, bool>(0)).unwrap());
    }
}

#[test]
fn nobody_else_may_read_an_archive_whatever_the_umask() {
    let told = Told::get();
    for umask in ["000", "077", "027"] {
        let (_parent, archive) = archive(0);
        for chapters in 1..=2 {
            // killed when all else is done, it leaves what is there for the time of a run
            let fault = Fault::at(1, Deed::Kill).of("symlink");
            let command = shimmed(&archive, Some(&fault), &told.export(chapters));
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", r#"umask "$0"; exec "$@""#, umask]).arg(command.get_program()).args(command.get_args());
            shell.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
            assert!(ended(&mut shell).killed);
            let found = modes(&archive);
            for file in ["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm", ".lock", "index.md", "by-name"] {
                assert!(found.contains_key(&archive.join(file)), "no {file} in {found:?}");
            }
            let wrong: Vec<_> =
                found.iter().filter(|(path, mode)| **mode != if path.is_dir() { 0o700 } else { 0o600 }).collect();
            assert!(wrong.is_empty(), "umask {umask}: {wrong:?}");
        }
    }
}

#[test]
fn a_locale_changes_nothing() {
    let told = Told::get();
    let (_parent, archive) = archive(0);
    for locale in ["C", "POSIX", "de_DE.ISO-8859-1", "tr_TR.UTF-8"] {
        fs::remove_dir_all(&archive).ok();
        for chapters in 1..=2 {
            let ended = ended(program(&archive, &told.export(chapters)).env("LC_ALL", locale).env("LANG", locale));
            assert_eq!(ended.with(0).stderr, "");
        }
        is_as(&archive, told.state(2));
        let rooms = ["rooms", "--quiet", "--database", told.export(2)[3]];
        let said = |locale: &str| ended(program(&archive, &rooms).env("LC_ALL", locale)).with(0).stdout;
        assert_eq!(said(locale), said("en_GB.UTF-8"));
    }
}

#[test]
fn a_log_on_a_full_disk_ends_nothing() {
    let told = Told::get();
    let (_parent, archive) = archive(0);
    for chapters in 1..=2 {
        let full = || Stdio::from(OpenOptions::new().write(true).open("/dev/full").unwrap());
        let export: Vec<&str> = told.export(chapters).into_iter().filter(|argument| *argument != "--quiet").collect();
        let output = program(&archive, &export).stdout(full()).stderr(full()).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
    }
    is_as(&archive, told.state(2));
    let full = Stdio::from(OpenOptions::new().write(true).open("/dev/full").unwrap());
    let output = program(&archive, &["watermark", "show"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("No space left on device"));
}
