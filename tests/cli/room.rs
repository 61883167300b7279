//! A room as it is now, without an archive.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::process::{Command, Stdio};

use crate::support::Database;
use crate::support::archive::{TestArchive, json};
use crate::support::story::{EventRow, NOON, ROOM};
use crate::{Ended, export, run, server, text};

fn room(database: &Database, more: &[&str]) -> Ended {
    run(&[&["room", "--database", &database.dsn()], more].concat())
}

fn ids(lines: &str) -> Vec<String> {
    lines.lines().map(|line| json(line)["event_id"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn its_lines_are_those_of_an_archive_in_the_rooms_own_order() {
    let database = server();
    database.room("!other:here.test", "10");
    database.event(EventRow { room_id: "!other:here.test".to_owned(), ..EventRow::at(4) });
    database.event(EventRow { json: Some("nonsense".to_owned()), depth: 1, ..EventRow::at(5) });
    database.event(EventRow { outlier: true, ..EventRow::at(6) });
    database.event(EventRow { outlier: true, sender: "@bob:far.test".to_owned(), ..EventRow::at(7) });
    database.execute(&format!("insert into room_aliases (room_alias, room_id) values ('#room:here.test', '{ROOM}')"));
    let archive = TestArchive::new();
    export(&database, archive.path(), &["--room", ROOM]).with(3);
    let archived: BTreeSet<String> = ["2026-11-22"]
        .iter()
        .flat_map(|day| {
            let path = archive.path().join(format!("rooms/room@here.test/{day}.jsonl"));
            std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();

    let dumped = room(&database, &["#room:here.test"]);
    assert_eq!(ids(&dumped.stdout), ["$5", "$-2", "$-1", "$1", "$2", "$3", "$6"]);
    assert_eq!(dumped.stdout.lines().map(str::to_owned).collect::<BTreeSet<_>>(), archived);
    dumped.with(3).saying("7 events").saying("$5");
    room(&database, &["!none:here.test"]).with(1).saying("no room !none:here.test");
}

#[test]
fn a_span_of_time_and_a_file() {
    let database = server();
    let between = ["--since", "2026-11-22T12:00:01Z", "--until", "2026-11-22T13:00:03+01:00"];
    assert_eq!(ids(&room(&database, &[&[ROOM][..], &between].concat()).with(0).stdout), ["$1", "$2"]);
    assert_eq!(NOON % 86_400_000, 43_200_000);
    assert_eq!(ids(&room(&database, &[ROOM, "--since", "2026-11-23"]).with(0).stdout), [""; 0]);
    assert_eq!(ids(&room(&database, &[ROOM, "--until", "2026-11-23"]).with(0).stdout).len(), 5);
    room(&database, &[ROOM, "--until", "yesterday"]).with(2).saying("a date like");

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("room.jsonl");
    assert_eq!(room(&database, &[ROOM, "--output", text(&path)]).with(0).stdout, "");
    assert_eq!(ids(&std::fs::read_to_string(&path).unwrap()).len(), 5);
    room(&database, &[ROOM, "--output", text(&path)]).with(1).saying("cannot create");
}

#[test]
fn every_page_is_read_and_a_closed_pipe_is_no_failure() {
    let database = server();
    database.execute(&format!(
        "insert into events (stream_ordering, topological_ordering, depth, event_id, type, room_id, processed, outlier, \
                             origin_server_ts, received_ts, sender, contains_url) \
         select n, n / 3, n / 3, '$' || n, 'm.room.message', '{ROOM}', true, false, {NOON}, {NOON}, '@alice:here.test', false \
           from generate_series(100, 12000) n; \
         insert into event_json (event_id, room_id, internal_metadata, json) \
         select '$' || n, '{ROOM}', '{{}}', '{{\"content\":{{\"body\":\"' || repeat('x', 500) || '\"}}}}' \
           from generate_series(100, 12000) n"
    ));
    let dumped = ids(&room(&database, &[ROOM]).with(0).stdout);
    assert_eq!(dumped.len(), 11_906);
    assert_eq!(dumped.iter().collect::<BTreeSet<_>>().len(), 11_906);

    let mut child = Command::new(env!("CARGO_BIN_EXE_synapse-export"))
        .args(["room", "--database", &database.dsn(), ROOM])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 100]).unwrap();
    drop(out);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
