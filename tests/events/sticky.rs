//! A soft failure that Synapse withdraws: it may, of sticky events (MSC4354), until they expire, and tells of it nowhere else.

use serde_json::json;

use crate::support::archive::TestArchive;
use crate::support::story::{EventRow, NOON, ROOM};
use crate::support::{Database, Shape};
use crate::{SHAPES, server};
use synapse_export::archive::Selection;
use synapse_export::event::RoomId;

const HOUR: i64 = 60 * 60 * 1000;

/// Which archived events are soft-failed.
fn soft_failed(archive: &TestArchive) -> String {
    archive
        .one("select coalesce(group_concat(event_id, ' ' order by stream_ordering), '') from event where soft_failed")
}

/// Which are looked at again.
fn sticky(archive: &TestArchive) -> String {
    archive.one("select coalesce(group_concat(event_id, ' '), '') from sticky")
}

fn failed(row: EventRow, sticky: Option<i64>) -> EventRow {
    EventRow { internal_metadata: r#"{"soft_failed":true}"#.to_owned(), sticky, ..row }
}

/// What changes a name, a transcript of another day, what is said, and what is redacted.
fn stories(database: &Database, sticky: Option<i64>) {
    for id in 1..=3 {
        database.event(EventRow::message(id, &format!("said {id}")));
    }
    database.event(failed(EventRow::message(4, "said 4"), sticky));
    database.event(failed(EventRow::state(5, "m.room.name", "", &json!({"name": "Garden"})), sticky));
    let member = json!({"membership": "join", "displayname": "Alice"});
    database.event(failed(EventRow::state(6, "m.room.member", "@alice:here.test", &member), sticky));
    let day_later = |row: EventRow| EventRow { ts: row.ts.map(|ts| ts + 24 * HOUR), ..row };
    let edit = json!({"body": "* new", "m.new_content": {"msgtype": "m.text", "body": "new"},
        "m.relates_to": {"rel_type": "m.replace", "event_id": "$3"}});
    database.event(failed(day_later(EventRow { content: edit.to_string(), ..EventRow::at(7) }), sticky));
    database.redaction("$4", day_later(EventRow { content: "{}".to_owned(), ..EventRow::at(8) }));
}

const FAILED: [&str; 4] = ["$4", "$5", "$6", "$7"];

#[test]
fn a_soft_failure_that_is_withdrawn_is_followed_until_the_event_expires() {
    for shape in SHAPES {
        let (database, archive) = (server(shape), TestArchive::new());
        stories(&database, Some(HOUR / 2));
        archive.export(&database);
        archive.render();
        assert_eq!((soft_failed(&archive), sticky(&archive)), (FAILED.join(" "), FAILED.join(" ")));
        let lines = archive.lines();

        let counts = archive.export(&database);
        assert_eq!((counts.known, archive.render()), (0, 0), "nothing has changed");

        for event_id in FAILED {
            database.accept(event_id);
        }
        let counts = archive.export(&database);
        assert_eq!((counts.new_events(), counts.known), (0, 4));
        assert_eq!((soft_failed(&archive), sticky(&archive)), (String::new(), String::new()));
        assert_eq!(archive.lines(), lines, "a line says how it was");
        assert_eq!(archive.redacted_by("$4"), "$8");
        archive.transcripts_agree(&database);
        assert_eq!(archive.one("select name from room"), "Garden");
        assert_eq!(archive.one("select body from message where event_id = '$3'"), "new");
        assert_eq!(archive.export(&database).known, 0);
    }
}

#[test]
fn a_reset_follows_every_soft_failure() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    stories(&database, None);
    archive.export(&database);
    archive.render();
    for event_id in FAILED {
        database.accept(event_id);
    }
    archive.export(&database);
    assert_eq!((soft_failed(&archive), sticky(&archive)), (FAILED.join(" "), String::new()), "none was sticky");
    archive.reset();
    archive.export(&database);
    assert_eq!(soft_failed(&archive), "");
    archive.transcripts_agree(&database);

    // a row that has lost its PDU says nothing of it
    database.event(failed(EventRow::message(9, "said 9"), None));
    archive.export(&database);
    database.execute("delete from event_json where event_id = '$9'");
    archive.reset();
    archive.export(&database);
    assert_eq!(soft_failed(&archive), "$9");
}

#[test]
fn what_has_expired_is_looked_at_no_more() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    // as long as they say, but an hour at most, from when they were sent or received, whichever was first
    let sent =
        |row: EventRow, ts: i64, received_ts: i64| EventRow { ts: Some(ts), received_ts: Some(received_ts), ..row };
    let rows = [(1, Some(1000), 0, 5000), (2, Some(24 * HOUR), 7000, 6000), (3, Some(-1), 0, 0), (4, None, 0, 0)];
    for (id, duration, ts, received_ts) in rows {
        database.event(sent(failed(EventRow::at(id), duration), NOON + ts, NOON + received_ts));
    }
    database.event(EventRow { sticky: Some(1000), ..EventRow::at(5) });
    archive.export(&database);
    let until = |id: &str| archive.one(&format!("select until - {NOON} from sticky where event_id = '{id}'"));
    assert_eq!(
        (sticky(&archive), until("$1"), until("$2")),
        ("$1 $2".to_owned(), "1000".into(), (6000 + HOUR).to_string())
    );

    // a day later; what was decided before it expired may have been committed since
    let later = |id: i64, ms: i64| sent(EventRow::at(id), NOON + ms, NOON + ms);
    database.event(later(6, 24 * HOUR + 2000));
    database.accept("$1");
    archive.export(&database);
    assert_eq!((soft_failed(&archive), sticky(&archive)), ("$2 $3 $4".to_owned(), "$2".to_owned()));
    database.event(later(7, 25 * HOUR + 7000));
    archive.export(&database);
    database.accept("$2");
    assert_eq!((archive.export(&database).known, sticky(&archive)), (0, String::new()));

    // whatever is selected meanwhile
    database.event(sent(failed(EventRow::at(8), Some(HOUR)), NOON + 25 * HOUR, NOON + 25 * HOUR));
    archive.export(&database);
    database.accept("$8");
    let rooms = |rooms: &[&str]| rooms.iter().map(|room| RoomId::of(room).owned()).collect();
    archive.export_rooms(&database, &Selection { include: rooms(&["!none:here.test"]), exclude: rooms(&[ROOM]) });
    assert_eq!(soft_failed(&archive), "$2 $3 $4");
}
