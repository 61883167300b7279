//! Which redaction of an event is in effect, whenever it comes; the line stays as it was stored.

use crate::support::Shape;
use crate::support::archive::TestArchive;
use crate::support::story::{EventRow, ROOM};
use crate::{SHAPES, server};

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
