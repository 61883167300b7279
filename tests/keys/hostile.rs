//! A `decrypted.sqlite` that was damaged, or that somebody else has made: it is read or refused, the lines stay, and nothing panics.

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use rusqlite::Connection;

use super::Lab;
use super::archive::{Archive, all, files};

const NAME: &str = "decrypted.sqlite";

/// Every line, by its file.
fn lines(archive: &Archive<'_>) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut files = files(&archive.directory);
    files.retain(|path| {
        path.extension().is_some_and(|extension| extension == "jsonl")
            && path.starts_with(archive.directory.join("rooms"))
    });
    files.sort();
    files.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// Asks for all that is made of it.
fn is_read_or_refused(archive: &Archive<'_>, what: &str) {
    for (command, more) in [
        ("search", &["signal"][..]),
        ("search", &["--substring", "ello"]),
        ("show", &["--json", "$vQ6nBIGN6j37EJhYy4VuDwncR4oN2QjlnM1980EZEqM"]),
        ("render", &["--all"]),
    ] {
        let ended = archive.run(command, more);
        let is_told = matches!(ended.code, Some(0 | 1 | 3 | 75)) && !ended.stderr.contains("panicked");
        assert!(is_told, "{what}: {ended:#?}");
        // another file is not blamed for it
        let blames = ended.stderr.contains("catalog.sqlite") && !ended.stderr.contains(NAME);
        assert!(!blames, "{what}: {ended:#?}");
    }
}

#[test]
fn bytes_that_are_others_are_read_or_refused() {
    let lab = Lab::new("hostile_bytes");
    let archive = Archive::new(&lab, "archive");
    archive.export_with(&all(&lab));
    let (path, before) = (archive.directory.join(NAME), lines(&archive));
    let whole = std::fs::read(&path).unwrap();
    let config = Config { cases: 24, failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
    let changes = (vec((any::<Index>(), any::<u8>()), 1..40), any::<Option<Index>>());
    let ran = TestRunner::new(config).run(&changes, |(changes, end)| {
        let mut bytes = whole.clone();
        for (at, byte) in &changes {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        if let Some(end) = end {
            bytes.truncate(end.index(bytes.len()));
        }
        put(&path, &bytes);
        is_read_or_refused(&archive, "bytes");
        Ok(())
    });
    ran.unwrap();
    put(&path, &whole);
    assert_eq!(archive.run("render", &["--all"]).code, Some(0));
    assert_eq!((archive.check(), lines(&archive)), (83, before));
}

#[test]
fn rows_that_are_others_are_read_or_refused() {
    let lab = Lab::new("hostile_rows");
    let archive = Archive::new(&lab, "archive");
    archive.export_with(&all(&lab));
    let (path, before) = (archive.directory.join(NAME), lines(&archive));
    let whole = std::fs::read(&path).unwrap();
    for sql in [
        "update plaintext set content = '['",
        "update plaintext set content = '{\"body\":' || char(27) || '}'",
        "update plaintext set content = cast(zeroblob(1000000) as text), type = ''",
        "update plaintext set content = '{\"m.relates_to\":{\"rel_type\":\"m.replace\",\"event_id\":\"$x\"},\"body\":1}'",
        "update plaintext set type = 'm.room.redaction', source = -1, authenticated = 7, decrypted = -1",
        "update plaintext set event = -event",
        "update event set session = 9000000000, message = -1, position = -9223372036854775808",
        "update event set room = 0, reason = char(27) || '[2J', detail = 'x', opened = 7",
        "update event set event_id = event_id || 'x'",
        "delete from session; delete from room; delete from source",
        "insert into search_block (block, newest) values (9007199254740991, -1), (-1, 1)",
        "insert into changed (event) values (-1), (9223372036854775807)",
        "update first set event = -1",
        "drop table first",
        "drop index event_use",
        "create view other as select 1",
        "create trigger other after insert on event begin delete from event; end",
        "alter table event add column other text",
        "pragma user_version = 9",
        "pragma application_id = 1",
        "update own set id = ''",
    ] {
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch(sql).unwrap();
        drop(connection);
        is_read_or_refused(&archive, sql);
        put(&path, &whole);
    }
    assert_eq!(archive.run("render", &["--all"]).code, Some(0));
    assert_eq!((archive.check(), lines(&archive)), (83, before));
}

/// Puts a file in place of what is there.
fn put(path: &Path, bytes: &[u8]) {
    let _ = std::fs::remove_file(path.with_file_name("decrypted.sqlite-journal"));
    std::fs::write(path, bytes).unwrap();
}
