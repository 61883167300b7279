//! An archive whose catalog is of the version before.

use std::collections::BTreeSet;

use rusqlite::Connection;

use crate::support::archive::TestArchive;
use crate::support::story::EventRow;
use crate::{contents, export, run, server, text};

const UPGRADES: [&str; 2] =
    [include_str!("../../src/archive/catalog_upgrade.sql"), include_str!("../../src/archive/catalog_upgrade_8.sql")];

/// Puts a catalog back to version 7: takes away what brings one to this version.
fn put_back(archive: &TestArchive) {
    let catalog = Connection::open(archive.path().join("catalog.sqlite")).expect("there is a catalog");
    std::fs::remove_file(archive.path().join("state.jsonl")).expect("there is a state");
    let text: Vec<&str> =
        UPGRADES.into_iter().flat_map(str::lines).map(|line| line.split("--").next().unwrap_or_default()).collect();
    for statement in text.join(" ").split(';') {
        let words: Vec<&str> = statement.split_whitespace().collect();
        let undo = match words[..] {
            // which tables these fill goes with them
            [] | ["insert", ..] => continue,
            ["create", kind @ ("table" | "index"), name, ..] => format!("drop {kind} {name}"),
            ["alter", "table", table, "add", "column", column, ..] => {
                format!("alter table {table} drop column {column}")
            }
            _ => panic!("how is this put back? {statement}"),
        };
        catalog.execute_batch(&undo).unwrap_or_else(|error| panic!("{undo}: {error}"));
    }
    catalog.pragma_update(None, "user_version", 7).expect("a catalog can be written to");
}

/// What a catalog's tables are made of: table, column, type, not null, default, place in the primary key.
fn columns(archive: &TestArchive) -> BTreeSet<String> {
    let catalog = archive.catalog();
    let sql = "select concat_ws(' ', s.name, c.name, c.type, c.'notnull', c.dflt_value, c.pk)
                 from sqlite_schema s join pragma_table_xinfo(s.name) c where s.type in ('table', 'view')";
    let mut statement = catalog.prepare(sql).expect("SQLite knows its tables");
    let rows = statement.query_map([], |row| row.get(0)).expect("they can be listed");
    rows.collect::<Result<_, _>>().expect("each has a row")
}

fn indexes(archive: &TestArchive) -> String {
    archive.one("select group_concat(name, ' ' order by name) from sqlite_schema where type = 'index'")
}

#[test]
fn the_next_export_brings_it_up_to_date_and_loses_nothing() {
    let (database, archive) = (server(), TestArchive::new());
    let path = text(archive.path());
    database.event(EventRow { json: Some("no JSON".to_owned()), ..EventRow::at(4) });
    database.event(EventRow::at(9));
    export(&database, archive.path(), &["--exclude-room", "!none:here.test"]).with(3);
    let state = "select (select group_concat(concat_ws('|', room_id, stream, position, anchor, event_id, at, run)) from watermark) || \
                        (select group_concat(concat_ws('|', first, last)) from gap) || \
                        (select group_concat(event_id || rowid) from event) || \
                        (select group_concat(concat_ws('|', run, started, live, damaged)) from run where run = 1) || \
                        (select group_concat(room_id) from left_out)";
    let (lines, transcripts, before) = (archive.lines(), archive.transcripts(), archive.one(state));
    put_back(&archive);
    assert_eq!(archive.one("select user_version from pragma_user_version"), "7");

    // who may only look leaves it as it is, and says what to do
    let seen = contents(archive.path());
    run(&["watermark", "show", "--archive", path])
        .with(1)
        .saying("version 7")
        .saying("the next `synapse-export export` brings it up to that");
    let doctor = run(&["doctor", "--database", &database.dsn(), "--archive", path, "--json"]);
    let doctor = crate::support::archive::json(&doctor.stdout);
    let is_told = |finding: &serde_json::Value| {
        finding["kind"] == "warning"
            && finding["what"].as_str().unwrap().contains("version 7")
            && finding["remedy"].as_str().is_some_and(|remedy| remedy.contains("synapse-export export"))
    };
    assert!(doctor["findings"].as_array().unwrap().iter().any(is_told), "{doctor:#}");
    assert_eq!(contents(archive.path()), seen);

    export(&database, archive.path(), &[]).with(0).saying("0 new events").saying("the archive has 7 events");
    assert_eq!((archive.lines(), archive.transcripts(), archive.one(state)), (lines, transcripts, before));
    assert_eq!(archive.one("select user_version from pragma_user_version"), "9");
    run(&["watermark", "show", "--archive", path]).with(0);

    // a new one is of the same tables
    let new = TestArchive::new();
    export(&database, new.path(), &[]).with(3);
    assert_eq!((columns(&archive), indexes(&archive)), (columns(&new), indexes(&new)));
}

#[test]
fn so_does_whatever_else_may_write_to_it() {
    let database = server();
    for arguments in [&["render"][..], &["watermark", "reset", "--yes"]] {
        let archive = TestArchive::new();
        export(&database, archive.path(), &[]).with(0);
        put_back(&archive);
        run(&[arguments, &["--archive", text(archive.path())]].concat()).with(0);
        assert_eq!(archive.one("select user_version from pragma_user_version"), "9");
        export(&database, archive.path(), &[]).with(0);
        assert_eq!(archive.lines().len(), 5);
    }
    // a run was killed in the middle of a batch
    let archive = TestArchive::new();
    export(&database, archive.path(), &[]).with(0);
    let catalog = Connection::open(archive.path().join("catalog.sqlite")).unwrap();
    catalog.execute("insert into intent select path, bytes from file", []).unwrap();
    drop(catalog);
    put_back(&archive);
    let (lines, file) = (archive.lines(), archive.path().join("rooms/room@here.test/2026-11-22.jsonl"));
    let mut text = std::fs::read_to_string(&file).unwrap();
    text.push_str(r#"{"event_id":"#);
    std::fs::write(&file, text).unwrap();
    export(&database, archive.path(), &[]).with(0);
    assert_eq!(archive.lines(), lines);
}
