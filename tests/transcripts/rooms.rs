//! How rooms are told of in one another, and apart from one another.

use serde_json::json;

use super::told::{redaction, says, says_not, server};
use crate::support::Database;
use crate::support::archive::TestArchive;
use crate::support::story::{EventRow, ROOM};

const NEW: &str = "!new:here.test";
const OLD_INDEX: &str = "rooms/room@here.test/index.md";
const NEW_INDEX: &str = "rooms/new@here.test/index.md";
const OLD_DAY: &str = "rooms/room@here.test/2026-11-22.md";
const NEW_DAY: &str = "rooms/new@here.test/2026-11-22.md";

/// Exports what is new, and makes sure that a new archive says the same.
#[track_caller]
fn told(database: &Database, archive: &TestArchive) -> std::collections::BTreeMap<String, String> {
    archive.export(database);
    archive.transcripts_agree(database);
    assert_eq!(archive.render(), 0);
    archive.transcripts()
}

fn tombstone(id: i64) -> EventRow {
    let content = json!({"body": "This room has been replaced", "replacement_room": NEW});
    EventRow::state(id, "m.room.tombstone", "", &content)
}

fn create(id: i64) -> EventRow {
    let content = json!({"room_version": "11", "predecessor": {"room_id": ROOM, "event_id": "$11"}});
    EventRow::state(id, "m.room.create", "", &content).within(NEW)
}

#[test]
fn a_room_and_the_one_that_it_goes_on_in_know_each_other() {
    let (database, archive) = (server(), TestArchive::new());
    database.room(NEW, "11");
    database.event(EventRow::message(10, "Old talk."));
    let found = told(&database, &archive);
    says_not(&found[OLD_INDEX], &["goes on"]);
    // not in the archive yet
    database.event(tombstone(11));
    let found = told(&database, &archive);
    says(&found[OLD_INDEX], &["| goes on in | `!new:here.test` |"]);
    says(&found[OLD_DAY], &["goes on in `!new:here.test`: This room"]);
    database.event(EventRow::message(12, "New talk.").within(NEW));
    let found = told(&database, &archive);
    let (to_new, to_old) =
        ("[`!new:here.test`](../new@here.test/index.md)", "[`!room:here.test`](../room@here.test/index.md)");
    says(&found[OLD_INDEX], &[&format!("| goes on in | {to_new} |")]);
    says(&found[OLD_DAY], &[&format!("closed the room, which goes on in {to_new}: This room")]);
    says_not(&found[NEW_INDEX], &["came from"]);
    database.event(create(13));
    let found = told(&database, &archive);
    says(&found[NEW_INDEX], &[&format!("| came from | {to_old} |")]);
    says(&found[NEW_DAY], &[&format!("created the room (version 11), in the place of {to_old}")]);
    says(&found["rooms/new@here.test/room.json"], &["\"predecessor\": \"!room:here.test\""]);
    says(&found["rooms/room@here.test/room.json"], &["\"successors\": [\n    \"!new:here.test\"\n  ]"]);

    // what the tombstone said is redacted, but not where the new room came from
    database.redaction("$11", redaction(20));
    let found = told(&database, &archive);
    says(&found[OLD_INDEX], &[&format!("| goes on in | {to_new} |")]);
    says_not(&found[OLD_DAY], &["new:here.test"]);
}

#[test]
fn the_new_room_may_come_first_and_the_old_one_as_an_outlier() {
    let (database, archive) = (server(), TestArchive::new());
    database.room(NEW, "11");
    database.event(EventRow { outlier: true, ..create(9) });
    database.event(EventRow::message(10, "New talk.").within(NEW));
    let found = told(&database, &archive);
    says(&found[NEW_INDEX], &["| came from | `!room:here.test` |"]);
    database.event(EventRow::message(11, "Old talk."));
    let found = told(&database, &archive);
    says(&found[NEW_INDEX], &["| came from | [`!room:here.test`](../room@here.test/index.md) |"]);
    // anybody may say that a room came from another: that one says whether it is closed
    says_not(&found[OLD_INDEX], &["goes on"]);
    database.event(EventRow::state(12, "m.room.tombstone", "", &json!({"replacement_room": 7})));
    says(&told(&database, &archive)[OLD_INDEX], &["| goes on in | [`!new:here.test`](../new@here.test/index.md) |"]);
    std::fs::remove_file(archive.path().join("catalog.sqlite")).unwrap();
    told(&database, &archive);
}

#[test]
fn rooms_whose_names_look_the_same_are_told_apart() {
    let (database, archive) = (server(), TestArchive::new());
    let name = |id: i64, name: &str| EventRow::state(id, "m.room.name", "", &json!({ "name": name }));
    database.room(NEW, "11");
    database.room("!other:here.test", "11");
    database.event(name(10, "Town hall"));
    database.event(name(11, "Town\u{200b}  hall").within(NEW));
    database.event(name(12, "Market").within("!other:here.test"));
    let found = told(&database, &archive);
    says(&found["index.md"], &["[Town hall](rooms/room@here.test/index.md) `!room:here.test` |"]);
    says(&found["index.md"], &["(rooms/new@here.test/index.md) `!new:here.test` |"]);
    says(&found["index.md"], &["| [Market](rooms/other@here.test/index.md) |"]);
    database.event(name(13, "Old town hall"));
    let found = told(&database, &archive);
    says(&found["index.md"], &["[Old town hall](rooms/room@here.test/index.md) |", "(rooms/new@here.test/index.md) |"]);
}

#[test]
fn what_an_older_version_rendered_is_rendered_anew_some_at_a_time() {
    use synapse_export::archive::Archive;
    use synapse_export::views;

    let (database, archive) = (server(), TestArchive::new());
    for id in 0..5 {
        database.event(EventRow {
            ts: EventRow::at(0).ts.map(|ts| ts + id * 86_400_000),
            ..EventRow::message(10 + id, "hello")
        });
    }
    let found = told(&database, &archive);
    let mark = |most: Option<usize>| {
        let mut archive = Archive::open(archive.path(), None).expect("an archive");
        views::mark_old(&mut archive, most).expect("a catalog")
    };
    assert_eq!((mark(Some(2)), archive.render()), (0, 0), "all are of this version");
    let change = |sql: &str| {
        let catalog = rusqlite::Connection::open(archive.path().join("catalog.sqlite")).expect("a catalog");
        catalog.execute(sql, []).expect("a catalog");
    };
    let of_old = || {
        change("update rendering set version = 0");
        for (path, _) in found.iter().filter(|(path, _)| path.contains("2026-")) {
            std::fs::write(archive.path().join(path), "as it was").expect("a file");
        }
    };
    of_old();
    for (most, rendered) in [(2, 2), (2, 2), (2, 1), (2, 0)] {
        assert_eq!((mark(Some(most)), archive.render()), (rendered, u64::try_from(rendered).expect("a few")));
    }
    assert_eq!(archive.transcripts(), found);
    of_old();
    assert_eq!((mark(Some(3)), mark(None), archive.render()), (3, 2, 5));
    assert_eq!(archive.transcripts(), found);
    // as if it had been written down nowhere
    change("delete from rendering");
    assert_eq!((mark(None), archive.render()), (5, 5));
}
