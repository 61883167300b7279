//! What a loss of power asks for: nothing is in the catalog before what it says of the files is on the disk.

use std::collections::BTreeSet;
use std::path::Path;

use crate::shim::{Call, traced};
use crate::state::{copy, files, is_a};
use crate::story::{Told, many_days};

/// Whatever is written, made or renamed is synced, and so is the directory with its name, before the catalog's log is written
/// to; and what the log says before any line is written.
fn is_in_order(archive: &Path, command: &[&str]) -> Vec<Call> {
    let mut known: BTreeSet<String> =
        files(archive).into_keys().map(|path| path.trim_end_matches('/').to_owned()).collect();
    let (ended, calls) = traced(archive, None, command);
    ended.with(0);
    let (mut pending, mut log) = (BTreeSet::new(), false);
    for (n, Call { name, path }) in (1..).zip(&calls) {
        let parent = path.rsplit_once('/').map_or(".", |(parent, _)| parent).to_owned();
        let is_log = path == "catalog.sqlite-wal";
        match &**name {
            "write" if is_log => {
                assert!(pending.is_empty(), "call {n} of {calls:#?}\nwrites to the log, but {pending:?} is not synced");
                log = true;
            }
            "sync" if is_log => log = false,
            "syncfs" => pending.clear(),
            "sync" | "syncdir" => drop(pending.remove(path)),
            _ if path.starts_with("catalog.sqlite") || path.starts_with(".lock") || path == "." => {}
            // it follows, and what is promised in it waits for the disk by itself
            "open" | "write" if path == "state.jsonl" => assert!(!log, "call {n} of {calls:#?}\nleads the catalog"),
            "open" | "mkdir" | "symlink" | "write" | "truncate" if is_a(path, &[".new"]) => {}
            "open" | "mkdir" if known.insert(path.clone()) => drop(pending.insert(parent)),
            "write" | "truncate" => {
                assert!(!log, "call {n} of {calls:#?}\nwrites before the log is synced");
                pending.insert(path.clone());
            }
            // it was synced before, under another name
            "rename" if path == "state.jsonl" => drop(pending.insert(parent)),
            "rename" => {
                let is_link = parent == "by-name";
                pending.extend([parent].into_iter().chain((!is_link).then(|| path.clone())));
            }
            "unlink" => drop(pending.insert(parent)),
            _ => {}
        }
    }
    assert!(pending.is_empty(), "{calls:#?}\nleaves {pending:?}");
    calls
}

fn count(calls: &[Call], name: &str) -> usize {
    calls.iter().filter(|call| call.name == name).count()
}

#[test]
fn the_catalog_says_nothing_that_is_not_on_the_disk() {
    let told = Told::get();
    let parent = tempfile::tempdir().unwrap();
    let archive = parent.path().join("archive");
    for chapters in 1..=3 {
        is_in_order(&archive, &told.export(chapters));
    }
    is_in_order(&archive, &["render", "--all", "--quiet"]);

    let torn = parent.path().join("torn");
    copy(&archive, &torn);
    tear(&torn);
    let calls = is_in_order(&torn, &told.export(3));
    assert!(count(&calls, "unlink") > 0 && count(&calls, "truncate") > 0, "nothing was undone: {calls:#?}");
}

#[test]
fn many_files_are_synced_as_one() {
    let database = many_days();
    let parent = tempfile::tempdir().unwrap();
    let archive = parent.path().join("archive");
    let calls = is_in_order(&archive, &["export", "--quiet", "--database", &database.dsn()]);
    assert_eq!(count(&calls, "syncfs"), 2, "{calls:#?}");
}

/// Leaves an archive as a run does that dies in a batch with a file that is there and one that is not.
fn tear(archive: &Path) {
    let (old, new) = ("rooms/lab@here.test/2026-11-22.jsonl", "rooms/lab@here.test/2026-11-30.jsonl");
    let text = std::fs::read_to_string(archive.join(old)).unwrap();
    std::fs::write(archive.join(old), format!("{text}{{\"half")).unwrap();
    std::fs::write(archive.join(new), "{\"event_id\":\"$half").unwrap();
    let sql = format!("insert into intent values ('{old}', {}), ('{new}', 0)", text.len());
    rusqlite::Connection::open(archive.join("catalog.sqlite")).unwrap().execute_batch(&sql).unwrap();
}
