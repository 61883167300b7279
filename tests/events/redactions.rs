//! Which redaction of an event is in effect, whenever it comes; the line stays as it was stored.

use serde_json::json;

use crate::support::archive::TestArchive;
use crate::support::story::{EventRow, NOON, ROOM};
use crate::support::{Database, Shape};
use crate::{SHAPES, server};
use synapse_export::archive::Selection;
use synapse_export::event::RoomId;

const RECHECK: &str = r#"{"recheck_redaction":true}"#;

fn row(id: i64) -> EventRow {
    EventRow { content: "{}".to_owned(), ..EventRow::at(id) }
}

fn from(sender: &str, id: i64) -> EventRow {
    EventRow { sender: sender.to_owned(), ..row(id) }
}

#[test]
fn only_an_effective_redaction_counts() {
    for shape in SHAPES {
        let (database, archive) = (server(shape), TestArchive::new());
        database.room("!other:here.test", "10");
        (1..=9).for_each(|id| database.event(EventRow::message(id, "secret")));

        database.redaction("$1", row(101));
        database.redaction("$2", EventRow { rejected: Some("auth_error".to_owned()), ..row(102) });
        database.redaction("$3", EventRow { room_id: "!other:here.test".to_owned(), ..row(103) });
        // Synapse could not check these two when they came: they hold only within their sender's server.
        database.redaction("$4", EventRow { internal_metadata: RECHECK.to_owned(), ..from("@bob:far.test", 104) });
        database.redaction("$5", EventRow { internal_metadata: RECHECK.to_owned(), ..from("@bob:here.test", 105) });
        // Of several the earliest, by their senders' clocks.
        database.redaction("$6", EventRow { ts: row(200).ts, ..row(106) });
        database.redaction("$6", EventRow { ts: row(150).ts, ..row(107) });
        database.redaction("$6", EventRow { ts: row(250).ts, ..row(108) });
        // Another server's moderator, whom Synapse found to be one at once.
        database.redaction("$7", from("@bob:far.test", 109));
        database.redaction("$nobody", row(110));
        database.event(EventRow {
            event_type: "m.room.create".to_owned(),
            state_key: Some(String::new()),
            ..EventRow::at(10)
        });
        database.redaction("$10", row(111));
        // A redaction that Synapse soft-failed is one all the same.
        database.redaction("$8", EventRow { internal_metadata: r#"{"soft_failed":true}"#.to_owned(), ..row(112) });
        // What the server knows of a redaction is more than its PDU may tell.
        database.redaction("$9", EventRow { json: Some("nonsense".to_owned()), ..row(113) });
        database.event(EventRow::at(11));
        archive.export(&database);

        let expected = [
            ("$1", "$101"),
            ("$2", ""),
            ("$3", ""),
            ("$4", ""),
            ("$5", "$105"),
            ("$6", "$107"),
            ("$7", "$109"),
            ("$8", "$112"),
            ("$9", "$113"),
            ("$10", ""),
            ("$11", ""),
        ];
        for (target, redaction) in expected {
            assert_eq!(archive.redacted_by(target), redaction, "{target} {shape:?}");
        }
        let lines = archive.lines();
        assert_eq!(lines.len(), 11 + 13);
        assert_eq!(lines["$1"].json()["content"]["body"], "secret");
    }
}

#[test]
fn it_counts_whenever_it_comes() {
    for shape in SHAPES {
        let (database, archive) = (server(shape), TestArchive::new());
        // Before its target in one run, and in a run before it.
        database.redaction("$2", row(1));
        database.event(EventRow::at(2));
        database.redaction("$9", row(3));
        database.event(EventRow::at(4));
        database.redaction("$-1", row(5));
        archive.export(&database);
        assert_eq!(archive.redacted_by("$2"), "$1");
        assert_eq!(archive.redacted_by("$4"), "");

        // In a run after it, and when either comes late or from the past.
        database.redaction("$4", row(8));
        database.event(EventRow::at(9));
        database.event(EventRow::at(-1));
        let lines = archive.lines();
        archive.export(&database);
        assert_eq!(archive.redacted_by("$4"), "$8", "{shape:?}");
        assert_eq!(archive.redacted_by("$9"), "$3", "{shape:?}");
        assert_eq!(archive.redacted_by("$-1"), "$5", "{shape:?}");
        database.redaction("$-1", EventRow { ts: row(1).ts, ..row(7) });
        archive.export(&database);
        assert_eq!(archive.redacted_by("$-1"), "$7", "an earlier one took its place");
        assert_eq!(archive.lines()["$4"], lines["$4"]);
    }
}

#[test]
fn the_target_is_found_where_the_room_version_puts_it() {
    for shape in SHAPES {
        let (database, archive) = (server(shape), TestArchive::new());
        database.room("!eleven:here.test", "11");
        let eleven = |row: EventRow| EventRow { room_id: "!eleven:here.test".to_owned(), ..row };
        database.events(1..=2);
        (3..=4).for_each(|id| database.event(eleven(EventRow::at(id))));
        let content = |target: &str| format!(r#"{{"redacts":"{target}"}}"#);
        database.redaction("$1", row(11));
        // A version 10 room's redaction that names its target where version 11 has it redacts nothing.
        database.redaction("$2", EventRow { content: content("$2"), ..row(12) });
        database.redaction("$3", eleven(EventRow { content: content("$3"), ..row(13) }));
        database.redaction("$4", eleven(row(14)));
        // Only the PDU is left to say it.
        database.execute("delete from redactions");
        archive.export(&database);
        let found = ["$1", "$2", "$3", "$4"].map(|target| archive.redacted_by(target));
        assert_eq!(found, ["$11", "", "$13", ""], "{shape:?}");
    }
}

#[test]
fn newer_servers_say_themselves_what_is_left_to_check() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    database.events(1..=2);
    let metadata = || RECHECK.to_owned();
    database.redaction("$1", EventRow { internal_metadata: metadata(), ..from("@bob:far.test", 11) });
    database.redaction("$2", EventRow { internal_metadata: metadata(), ..from("@bob:far.test", 12) });
    database.execute("update redactions set recheck = false where redacts = '$1'");
    archive.export(&database);
    assert_eq!(["$1", "$2"].map(|target| archive.redacted_by(target)), ["$11", ""]);
}

#[test]
fn a_redaction_that_is_purged_with_its_target_stays_known() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    database.event(EventRow::message(1, "secret"));
    database.redaction("$1", row(2));
    archive.export(&database);
    let lines = archive.lines();
    database.execute(&format!(
        "delete from events where room_id = '{ROOM}'; delete from event_json; delete from redactions"
    ));
    database.event(EventRow { event_id: "$1".to_owned(), ..EventRow::message(-1, "pruned by others") });
    archive.reset();
    archive.export(&database);
    assert_eq!(archive.lines(), lines);
    assert_eq!(archive.redacted_by("$1"), "$2");
}

const BOB: &str = "@bob:far.test";

fn named(id: i64, name: &str) -> EventRow {
    EventRow {
        content: json!({"membership": "join", "displayname": name}).to_string(),
        ..EventRow::member(id, BOB, "join")
    }
}

fn ban(id: i64) -> EventRow {
    EventRow { sender: "@alice:here.test".to_owned(), ..EventRow::member(id, BOB, "ban") }
}

/// What is redacted by what, and what names are known.
fn known(archive: &TestArchive) -> [String; 2] {
    let redacted = "select group_concat(event_id || ' ' || redacted_by, ', ' order by event_id)
                      from event where redacted_by is not null";
    let names = "select group_concat(event_id || ' ' || displayname, ', ' order by event_id) from membership";
    [archive.one(redacted), archive.one(names)]
}

/// The same, of an archive and of a new one that reads everything at once.
#[track_caller]
fn known_by_any_path(database: &Database, archive: &TestArchive) -> [String; 2] {
    archive.export(database);
    let whole = TestArchive::new();
    whole.export(database);
    let known_now = known(archive);
    assert_eq!(known_now, known(&whole));
    known_now
}

#[test]
fn a_ban_redacts_what_its_user_sent() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    let create = EventRow::state(1, "m.room.create", "", &json!({}));
    database.event(EventRow { sender: BOB.to_owned(), ..create });
    database.event(named(2, "Bob"));
    database.event(from(BOB, 3));
    database.event(EventRow::at(4));
    archive.export(&database);
    let lines = archive.lines();
    assert_eq!(known(&archive), ["", "$2 Bob"]);

    database.event(ban(5));
    database.ban_redacts(BOB, "$5", None);
    assert_eq!(known_by_any_path(&database, &archive), ["$2 $5, $3 $5", ""]);
    // What comes later, from the past; what others sent about him; and a redaction, which comes first.
    database.event(from(BOB, -1));
    database.event(EventRow { sender: "@alice:here.test".to_owned(), ..named(6, "Robert") });
    database.redaction("$3", row(7));
    assert_eq!(known_by_any_path(&database, &archive), ["$-1 $5, $2 $5, $3 $7", "$6 Robert"]);

    // Back in the room, before Synapse says so.
    database.event(named(8, "Bobby"));
    database.event(from(BOB, 9));
    archive.export(&database);
    assert_eq!(known(&archive), ["$-1 $5, $2 $5, $3 $7, $8 $5, $9 $5", "$6 Robert"]);
    database.ban_redacts(BOB, "$5", Some(8));
    assert_eq!(known_by_any_path(&database, &archive), ["$-1 $5, $2 $5, $3 $7", "$6 Robert, $8 Bobby"]);
    database.ban_redacts(BOB, "$5", Some(0));
    assert_eq!(known_by_any_path(&database, &archive)[0], "$-1 $5, $2 $5, $3 $7, $8 $5, $9 $5");

    // Another one takes its place once it is there; one that is rejected or of another room redacts nothing.
    let redacted = |by: &str| format!("$-1 {by}, $2 {by}, $3 $7, $8 {by}, $9 {by}");
    database.ban_redacts(BOB, "$10", None);
    archive.export(&database);
    assert_eq!(known(&archive)[0], redacted("$5"));
    database.event(ban(10));
    assert_eq!(known_by_any_path(&database, &archive)[0], redacted("$10"));
    database.room("!other:here.test", "10");
    database.event(ban(11).within("!other:here.test"));
    database.event(EventRow { rejected: Some("auth_error".to_owned()), ..ban(12) });
    for by in ["$11", "$12"] {
        database.ban_redacts(BOB, by, None);
        assert_eq!(known_by_any_path(&database, &archive), ["$3 $7", "$2 Bob, $6 Robert, $8 Bobby"]);
        database.ban_redacts(BOB, "$10", None);
        assert_eq!(known_by_any_path(&database, &archive)[0], redacted("$10"));
    }
    // What a purge takes away stays in effect here.
    database.execute("delete from room_ban_redactions");
    archive.export(&database);
    assert_eq!(known(&archive)[0], redacted("$10"));
    let now = archive.lines();
    assert!(lines.iter().all(|(id, line)| now[id] == *line), "a line says nothing about redactions");
}

#[test]
fn a_ban_is_read_only_for_the_rooms_that_are_exported() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    for room_id in ["!a:here.test", "!z:here.test"] {
        database.room(room_id, "10");
        database.event(from(BOB, 1 + i64::from(room_id < ROOM)).within(room_id));
    }
    database.event(from(BOB, 3));
    database.event(ban(4));
    for room_id in ["!a:here.test", ROOM, "!z:here.test"] {
        database.execute(&format!("insert into room_ban_redactions values ('{room_id}', '{BOB}', '$4')"));
    }
    let selection = Selection { include: [RoomId::of(ROOM).owned()].into(), ..Selection::default() };
    archive.export_rooms(&database, &selection);
    assert_eq!(known(&archive)[0], "$3 $4");
    archive.export_rooms(&database, &Selection::default());
    assert_eq!(known(&archive)[0], "$3 $4");
    assert_eq!(archive.one("select count(*) from ban_redaction"), "1");
}

/// As a purge makes of it, or before the server was in the room.
#[test]
fn a_ban_redacts_when_it_is_an_outlier_too() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    database.event(from(BOB, 1));
    database.event(EventRow { outlier: true, ..ban(2) });
    database.ban_redacts(BOB, "$2", None);
    assert_eq!(known_by_any_path(&database, &archive)[0], "$1 $2");
    database.de_outlier("$2", 3);
    assert_eq!(known_by_any_path(&database, &archive)[0], "$1 $2");
}

/// As Synapse does when it fetches an event for another one first.
#[test]
fn the_name_of_an_outlier_that_turns_out_to_be_soft_failed_is_forgotten() {
    for metadata in [r#"{"soft_failed":true}"#, "{}"] {
        let (database, archive) = (server(Shape::V1_163), TestArchive::new());
        database.event(EventRow { outlier: true, ..named(1, "Bob") });
        let name = EventRow::state(2, "m.room.name", "", &json!({"name": "Office"}));
        database.event(EventRow { outlier: true, sender: BOB.to_owned(), ..name });
        database.event(from(BOB, 3));
        archive.export(&database);
        archive.render();
        for (id, place) in [("$1", 4), ("$2", 5)] {
            database
                .execute(&format!("update event_json set internal_metadata = '{metadata}' where event_id = '{id}'"));
            database.de_outlier(id, place);
        }
        archive.export(&database);
        archive.render();
        let whole = TestArchive::new();
        whole.export(&database);
        whole.render();
        assert_eq!(known(&archive)[1], if metadata == "{}" { "$1 Bob" } else { "" });
        assert_eq!(archive.transcripts(), whole.transcripts());
    }
}

/// What the lines do not tell, as they are damaged or say it another way, the next export tells again.
#[test]
fn a_catalog_that_was_made_anew_is_as_it_was_after_an_export() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    let pdu = |ts: &str| {
        let content = json!({"body": "x", "msgtype": "m.text"});
        Some(format!(r#"{{"type":"m.room.message","sender":"{BOB}","content":{content},"origin_server_ts":{ts}}}"#))
    };
    database.event(from(BOB, 1));
    database.event(from(BOB, 2));
    database.redaction("$1", EventRow { json: Some(r#"{"content":{"reason":"\ud83d"}}"#.to_owned()), ..row(3) });
    database.redaction("$2", row(4));
    database.execute("delete from event_json where event_id = '$4'");
    database.event(EventRow { json: pdu(&format!("{NOON}.0")), ..from(BOB, 5) });
    database.event(EventRow { json: pdu("0"), ..from(BOB, 6) });
    database.event(EventRow { json: Some("{".to_owned()), ..named(7, "Bob") });
    archive.export(&database);
    archive.a_day_passes();
    archive.export(&database);
    archive.render();
    let (before, transcripts) = (known(&archive), archive.transcripts());
    assert_eq!(before[0], "$1 $3, $2 $4");

    for file in ["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"] {
        std::fs::remove_file(archive.path().join(file)).ok();
    }
    archive.export(&database);
    archive.render();
    assert_eq!(known(&archive), before);
    assert_eq!(archive.transcripts(), transcripts);
}

#[test]
fn more_bans_than_one_statement_reads() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    database.event(ban(1));
    database.event(from("@1234:far.test", 2));
    database.event(from("@2000:far.test", 3));
    database.execute(&format!(
        "insert into room_ban_redactions select '{ROOM}', '@' || i || ':far.test', '$1' from generate_series(1001, 3000) i"
    ));
    archive.export(&database);
    assert_eq!(known(&archive)[0], "$2 $1, $3 $1");
}

#[test]
fn the_name_that_a_redacted_outlier_gave_is_forgotten() {
    for shape in SHAPES {
        let outlier = |row: EventRow| EventRow { outlier: true, ..row };
        let member = |id: i64, user_id: &str| EventRow {
            sender: user_id.to_owned(),
            state_key: Some(user_id.to_owned()),
            ..outlier(named(id, "Bob"))
        };
        let others = EventRow { internal_metadata: RECHECK.to_owned(), ..from("@mallory:else.test", 15) };
        let told = |database: &Database| {
            database.event(member(1, BOB));
            database.event(member(2, "@carol:far.test"));
            database.event(outlier(EventRow::state(3, "m.room.name", "", &json!({"name": "Office"}))));
            // of neither: whether who redacts may do so is not known
            database.event(member(4, "@dora:far.test"));
        };
        let redacted = |database: &Database| {
            database.redaction("$1", row(11));
            database.redaction("$2", EventRow { internal_metadata: RECHECK.to_owned(), ..from(BOB, 12) });
            database.redaction("$3", row(13));
            database.redaction("$4", others.clone());
        };
        let what = |archive: &TestArchive| {
            let content = archive.one("select group_concat(coalesce(content, '-')) from room_state");
            (known(archive), content)
        };
        let (database, archive) = (server(shape), TestArchive::new());
        told(&database);
        archive.export(&database);
        assert_eq!(what(&archive).0[1], "$1 Bob, $2 Bob, $4 Bob");
        redacted(&database);
        let rest = ([String::new(), "$4 Bob".to_owned()], "-".to_owned());
        known_by_any_path(&database, &archive);
        assert_eq!(what(&archive), rest, "{shape:?}");

        let (database, archive) = (server(shape), TestArchive::new());
        redacted(&database);
        archive.export(&database);
        told(&database);
        archive.export(&database);
        assert_eq!(what(&archive), rest, "{shape:?}");
        // Part of the room's history after all, as any event.
        (1..=4).for_each(|id| database.de_outlier(&format!("${id}"), 20 + id));
        assert_eq!(known_by_any_path(&database, &archive), ["$1 $11, $2 $12, $3 $13", "$4 Bob"]);
    }
}
