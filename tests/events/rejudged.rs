//! What Synapse rejects, or accepts again, after it has been archived.

use serde_json::json;

use crate::server;
use crate::support::Shape;
use crate::support::archive::TestArchive;
use crate::support::story::{EventRow, ROOM};
use synapse_export::archive::Selection;
use synapse_export::event::RoomId;

/// The versions that tell of it.
const SHAPES: [Shape; 2] = [Shape::V1_90, Shape::V1_163];

/// Which archived events are rejected.
fn rejections(archive: &TestArchive) -> String {
    archive.one("select coalesce(group_concat(event_id, ' ' order by stream_ordering), '') from event where rejected")
}

#[test]
fn what_is_rejected_later_is_shown_no_more_and_what_is_accepted_again_is() {
    for shape in SHAPES {
        let (database, archive) = (server(shape), TestArchive::new());
        (1..=4).for_each(|id| database.event(EventRow::message(id, &format!("said {id}"))));
        database.event(EventRow { rejected: Some("auth_error".to_owned()), ..EventRow::message(5, "said 5") });
        database.event(EventRow::state(6, "m.room.name", "", &json!({"name": "Office"})));
        database.event(EventRow::state(7, "m.room.name", "", &json!({"name": "Garden"})));
        let day_later = |row: EventRow| EventRow { ts: row.ts.map(|ts| ts + 86_400_000), ..row };
        let member = json!({"membership": "join", "displayname": "Alice"});
        database.event(EventRow::state(8, "m.room.member", "@alice:here.test", &member));
        database.redaction("$1", day_later(EventRow { content: "{}".to_owned(), ..EventRow::at(9) }));
        let edit = json!({"body": "* new", "m.new_content": {"msgtype": "m.text", "body": "new"},
            "m.relates_to": {"rel_type": "m.replace", "event_id": "$3"}});
        database.event(day_later(EventRow { content: edit.to_string(), ..EventRow::at(10) }));
        archive.export(&database);
        archive.render();
        assert_eq!((rejections(&archive), archive.redacted_by("$1")), ("$5".to_owned(), "$9".to_owned()));
        let lines = archive.lines();

        let judged = [("$2", true), ("$5", false), ("$7", true), ("$8", true), ("$9", true), ("$10", true)];
        for (id, (event_id, rejected)) in (1..).zip(judged) {
            database.rejudge(event_id, id, rejected);
        }
        let counts = archive.export(&database);
        assert_eq!((counts.new_events(), counts.known), (0, 6));
        assert_eq!((rejections(&archive), archive.redacted_by("$1")), ("$2 $7 $8 $9 $10".to_owned(), String::new()));
        assert_eq!(archive.lines(), lines, "a line says how it was");
        archive.transcripts_agree(&database);
        assert_eq!(archive.export(&database).known, 0, "what is as it was is not read again");

        // and back again
        database.rejudge("$2", 20, false);
        database.rejudge("$7", 21, false);
        archive.export(&database);
        assert_eq!(rejections(&archive), "$8 $9 $10");
        archive.transcripts_agree(&database);
        assert_eq!(archive.one("select name from room"), "Garden");
    }
}

#[test]
fn a_judgement_is_followed_whenever_it_commits_and_whatever_is_selected() {
    for shape in SHAPES {
        let (database, archive) = (server(shape), TestArchive::new());
        database.events(1..=4);
        database.event(EventRow { room_id: "!other:here.test".to_owned(), ..EventRow::at(5) });
        // told of before anything was archived
        database.rejudge("$1", 3, true);
        archive.export(&database);
        assert_eq!(
            (rejections(&archive), archive.one("select position from rejudged")),
            ("$1".to_owned(), "3".to_owned())
        );

        // a lower id commits later
        database.rejudge("$2", 9, true);
        archive.export(&database);
        database.rejudge("$3", 8, true);
        archive.export(&database);
        assert_eq!(rejections(&archive), "$1 $2 $3");

        // of a room that is not exported any more; and one that is not archived stays so
        let rooms = |rooms: &[&str]| rooms.iter().map(|room| RoomId::of(room).owned()).collect();
        let selection = Selection { include: rooms(&["!none:here.test"]), exclude: rooms(&[ROOM]) };
        database.event(EventRow::at(6));
        database.rejudge("$4", 10, true);
        database.rejudge("$6", 11, true);
        archive.export_rooms(&database, &selection);
        assert_eq!(rejections(&archive), "$1 $2 $3 $4");

        // the server was restored from a backup
        database.execute("truncate un_partial_stated_event_stream");
        database.rejudge("$5", 1, true);
        archive.export_rooms(&database, &selection);
        assert_eq!(archive.one("select position from rejudged"), "1");
        assert_eq!((rejections(&archive), archive.ids()), ("$1 $2 $3 $4 $5".to_owned(), "$1 $2 $3 $4 $5".to_owned()));
    }
}
