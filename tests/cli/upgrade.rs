//! An archive whose catalog is of the version before.

use std::collections::BTreeSet;
use std::fs;

use rusqlite::Connection;
use synapse_export::archive::Archive;

use crate::support::archive::TestArchive;
use crate::support::story::EventRow;
use crate::{contents, export, run, server, text};

const UPGRADE: &str = include_str!("../../src/archive/catalog_upgrade.sql");

/// Takes what makes version 8 of version 7 away again.
fn put_back_to_7(catalog: &Connection) {
    let text: Vec<&str> = UPGRADE.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
    for statement in text.join(" ").split(';') {
        let words: Vec<&str> = statement.split_whitespace().collect();
        let undo = match words[..] {
            [] => continue,
            ["create", kind @ ("table" | "index"), name, ..] => format!("drop {kind} {name}"),
            ["alter", "table", table, "add", "column", column, ..] => {
                format!("alter table {table} drop column {column}")
            }
            _ => panic!("how is this put back? {statement}"),
        };
        catalog.execute_batch(&undo).unwrap_or_else(|error| panic!("{undo}: {error}"));
    }
}

/// Puts an archive's catalog back to version 7, 8 or 9, with what that version knew, and takes away its state.
fn put_back(archive: &TestArchive, version: i64) {
    let (path, now) = (archive.path().join("catalog.sqlite"), archive.path().join("now.sqlite"));
    Connection::open(&path)
        .expect("the test's own place")
        .execute_batch("pragma journal_mode = delete")
        .expect("the test's own place");
    fs::rename(&path, &now).expect("there is a catalog");
    fs::remove_file(archive.path().join("state.jsonl")).expect("there is a state");
    let catalog = Connection::open(&path).expect("the test's own place");
    catalog.execute("attach ?1 as now", [text(&now)]).expect("the test's own place");
    if version == 9 {
        put_back_to_9(&catalog);
    } else {
        put_back_to_8(&catalog);
    }
    catalog.execute_batch("detach now").expect("the test's own place");
    fs::remove_file(now).expect("the test's own place");
    if version == 7 {
        put_back_to_7(&catalog);
    }
    catalog.pragma_update(None, "application_id", 0x5379_7870).expect("the test's own place");
    catalog.pragma_update(None, "user_version", version).expect("the test's own place");
}

/// Takes from the catalog that is attached as `now` what version 9 had of it.
fn put_back_to_9(catalog: &Connection) {
    catalog.execute_batch(include_str!("../../testdata/catalog-9.sql")).expect("the test's own place");
    let sql = "select t.name, group_concat(c.name) from main.sqlite_schema t join pragma_table_info(t.name, 'main') c
                where t.type = 'table' and t.name <> 'state' group by t.name";
    let mut tables = catalog.prepare(sql).expect("SQLite knows its tables");
    let mut rows = tables.query([]).expect("they can be listed");
    while let Some(row) = rows.next().expect("they can be read") {
        let [table, columns] = [0, 1].map(|column| row.get::<_, String>(column).expect("it is text"));
        let sql = format!("insert into main.{table} ({columns}) select {columns} from now.{table}");
        catalog.execute_batch(&sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

/// The same of version 8.
fn put_back_to_8(catalog: &Connection) {
    catalog.execute_batch(include_str!("../../testdata/catalog-8.sql")).expect("the test's own place");
    catalog
        .execute_batch(
            "insert into main.event (event_id, room_id, stream_ordering, topological_ordering, type, state_key, sender,
                    origin_server_ts, received_ts, day, relates_to, rel_type, replies_to, redacts, recheck, redacted_by, censored,
                    soft_failed, rejected, outlier, damaged, run)
             select event_id, room_id, stream_ordering, topological_ordering, type, state_key, sender, origin_server_ts,
                    received_ts, day, relates_to, rel_type, replies_to, redacts, recheck, redacted_by, censored, soft_failed,
                    rejected, outlier, damaged, run from now.event order by line;
             insert into main.room (room_id, directory, version, name, aliases, type, encrypted, messages, by_name, link, dirty)
             select room_id, directory, version, name, aliases, type, encrypted, messages, by_name, link, dirty
               from now.room where has_lines;
             insert into main.file (path, bytes, events, run, messages, dirty)
             select 'rooms/' || directory || '/' || day || '.jsonl', bytes, events, run, f.messages, 0
               from now.file f join now.room using (room);
             insert into main.membership
             select room_id, user_id, origin_server_ts, topological_ordering, event_id, membership, displayname
               from now.membership join now.room using (room);
             insert into main.room_state
             select room_id, s.type, origin_server_ts, topological_ordering, event_id, sender, content
               from now.room_state s join now.room using (room);",
        )
        .expect("the test's own place");
    for table in
        ["ban_redaction", "rejudged", "sticky", "waiting", "setting", "server", "run", "duplicate", "watermark"]
            .into_iter()
            .chain(["gap", "selection", "left_out", "first_export"])
    {
        catalog
            .execute_batch(&format!("insert into main.{table} select * from now.{table}"))
            .expect("the test's own place");
    }
}

/// All that an archive's catalog says of events, but for which run archived them.
fn events(archive: &TestArchive) -> String {
    let columns = "event_id, room_id, stream_ordering, topological_ordering, type, state_key, sender, origin_server_ts, received_ts,
                   day, body, relates_to, rel_type, replies_to, redacts, recheck, redacted_by, censored, soft_failed, rejected,
                   outlier, damaged, path, start, length";
    archive.one(&format!(
        "select group_concat(row, char(10)) from (select json_array({columns}) as row from event order by event_id)"
    ))
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
                        (select group_concat(event_id || start) from event) || \
                        (select group_concat(concat_ws('|', run, started, live, damaged)) from run where run = 1) || \
                        (select group_concat(room_id) from left_out)";
    let (lines, transcripts) = (archive.lines(), archive.transcripts());
    let before = (archive.one(state), events(&archive));
    put_back(&archive, 7);
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
    assert_eq!((archive.lines(), archive.transcripts()), (lines, transcripts));
    assert_eq!((archive.one(state), events(&archive)), before);
    assert_eq!(archive.one("select user_version from pragma_user_version"), "10");
    run(&["watermark", "show", "--archive", path]).with(0);

    // a new one is of the same tables
    let new = TestArchive::new();
    export(&database, new.path(), &[]).with(3);
    assert_eq!((columns(&archive), indexes(&archive)), (columns(&new), indexes(&new)));
}

#[test]
fn so_does_whatever_else_may_write_to_it() {
    let database = server();
    for (version, arguments) in [(8, &["render"][..]), (8, &["watermark", "reset", "--yes"]), (9, &["render"])] {
        let archive = TestArchive::new();
        export(&database, archive.path(), &[]).with(0);
        put_back(&archive, version);
        run(&[arguments, &["--archive", text(archive.path())]].concat()).with(0);
        assert_eq!(archive.one("select user_version from pragma_user_version"), "10");
        export(&database, archive.path(), &[]).with(0);
        assert_eq!(archive.lines().len(), 5);
    }
    // a run was killed in the middle of a batch
    for (version, committed) in [
        (8, "select path, bytes from file"),
        (9, "select 'rooms/' || directory || '/' || day || '.jsonl', bytes from file join room using (room)"),
    ] {
        let archive = TestArchive::new();
        export(&database, archive.path(), &[]).with(0);
        let lines = archive.lines();
        put_back(&archive, version);
        let catalog = Connection::open(archive.path().join("catalog.sqlite")).unwrap();
        catalog.execute(&format!("insert into intent {committed}"), []).unwrap();
        drop(catalog);
        let file = archive.path().join("rooms/room@here.test/2026-11-22.jsonl");
        let mut text = std::fs::read_to_string(&file).unwrap();
        text.push_str(r#"{"event_id":"#);
        std::fs::write(&file, text).unwrap();
        export(&database, archive.path(), &[]).with(0);
        assert_eq!(archive.lines(), lines);
    }
}

#[test]
fn whoever_is_stopped_on_the_way_loses_nothing() {
    let database = server();
    let row = |id| EventRow { sender: "@bob:there.test".to_owned(), ..EventRow::at(id) };
    database.redaction("$1", row(11));
    let told = TestArchive::new();
    export(&database, told.path(), &[]).with(0);
    let expected = (told.lines(), events(&told), told.one("select position || anchor from watermark"));
    for version in [7, 8, 9] {
        for failing in 0.. {
            let archive = TestArchive::new();
            export(&database, archive.path(), &["--no-markdown"]).with(0);
            put_back(&archive, version);
            let mut step = 0;
            let hook = move |_| {
                step += 1;
                if step == failing + 1 { Err(std::io::Error::other("gone")) } else { Ok(()) }
            };
            let opened = Archive::open(archive.path(), Some(Box::new(hook)));
            let is_done = opened.is_ok();
            drop(opened);
            drop(Archive::open(archive.path(), None).unwrap());
            let found = (archive.lines(), events(&archive), archive.one("select position || anchor from watermark"));
            assert_eq!(found, expected, "step {failing}");
            assert_eq!(archive.one("select user_version from pragma_user_version"), "10");
            if is_done {
                assert!(failing > 5, "there are more steps");
                break;
            }
        }
    }
}
