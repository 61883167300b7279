//! Which file a line is in: days that senders choose, rooms that strangers name.

use std::collections::BTreeSet;

use crate::server;
use crate::support::Shape;
use crate::support::archive::{TestArchive, entries};
use crate::support::story::EventRow;

#[test]
fn a_day_is_that_of_the_senders_clock_in_utc() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    let days = [
        (Some(0), "1970-01-01"),
        (Some(86_399_999), "1970-01-01"),
        (Some(86_400_000), "1970-01-02"),
        (Some(951_782_400_000), "2000-02-29"),
        (Some(253_402_300_799_999), "9999-12-31"),
        (Some(253_402_300_800_000), "undated"),
        (Some(-1), "undated"),
        (Some(i64::MAX), "undated"),
        (Some(i64::MIN), "undated"),
        (None, "undated"),
    ];
    for (id, (ts, _)) in (1..).zip(days) {
        database.event(EventRow { ts, ..EventRow::at(id) });
    }
    // The column decides, as it does for Synapse, whatever the PDU says.
    database.event(EventRow { json: Some(r#"{"origin_server_ts":0}"#.to_owned()), ..EventRow::at(11) });
    archive.export(&database);
    let lines = archive.lines();
    for (id, (ts, day)) in (1..).zip(days.into_iter().chain([(None, "2026-11-22")])) {
        assert_eq!(lines[&format!("${id}")].path, format!("rooms/room@here.test/{day}.jsonl"), "{ts:?}");
    }
}

#[test]
fn no_room_leaves_its_place_or_takes_anothers() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    let (long, longer) = (format!("!{}:far.test", "a".repeat(245)), format!("!{}:fas.test", "a".repeat(245)));
    let rooms = [
        "!../../../../../../tmp/evil:far.test",
        "!..:far.test",
        "!..",
        "!.",
        "!",
        "",
        "..",
        ".",
        "/etc/passwd",
        "!a/b:far.test",
        "!a%2Fb:far.test",
        "!a\\b:far.test",
        "!a\nb:far.test",
        "!a\u{1b}[2Jb:far.test",
        "!a\u{202e}b:far.test",
        "!é:far.test",
        "!e\u{301}:far.test",
        r"!\xff\udc80:far.test",
        "!Case:far.test",
        "!case:far.test",
        "!a:b:c",
        "!a@b:c",
        "a:b:c",
        "!~:far.test",
        "! :far.test",
        "!undated.jsonl:far.test",
        &long,
        &longer,
    ];
    for (id, room) in (1..).zip(rooms) {
        database.event(EventRow { room_id: room.to_owned(), ..EventRow::at(id) });
    }
    archive.export(&database);
    let beside: Vec<String> = entries(archive.path()).into_iter().collect();
    assert_eq!(beside, ["catalog.sqlite", "chain.jsonl", "rooms", "state.jsonl"]);
    let lines = archive.lines();
    assert_eq!(lines.len(), rooms.len());
    for (id, room) in (1..).zip(rooms) {
        assert_eq!(lines[&format!("${id}")].json()["room_id"], room);
    }
    let directories: BTreeSet<&str> = lines.values().map(|line| line.path.split('/').nth(1).unwrap()).collect();
    assert_eq!(directories.len(), rooms.len(), "{directories:?}");
    for directory in directories {
        assert!(directory.len() <= 200 && !directory.starts_with('.'), "{directory}");
        assert!(directory.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-@%~=".contains(&b)), "{directory}");
    }
}
