//! The catalog's view of what was said.

use serde_json::json;

use crate::support::Shape;
use crate::support::archive::TestArchive;
use crate::support::story::{EventRow, ROOM};
use crate::{SHAPES, server};

fn edit(id: i64, of: &str) -> EventRow {
    let content = json!({"msgtype": "m.text", "body": format!("* {id}"),
        "m.new_content": {"msgtype": "m.text", "body": format!("edited {id}")},
        "m.relates_to": {"rel_type": "m.replace", "event_id": of}});
    EventRow { content: content.to_string(), ..EventRow::at(id) }
}

fn said(archive: &TestArchive) -> String {
    let of = "event_id || ' ' || coalesce(body, '-') || coalesce(' by ' || edited_by, '')";
    archive.one(&format!("select group_concat({of}, ', ' order by origin_server_ts) from message"))
}

#[test]
fn edits_are_applied_and_what_is_redacted_is_left_out() {
    for shape in SHAPES {
        let (database, archive) = (server(shape), TestArchive::new());
        (1..=8).for_each(|id| database.event(EventRow::message(id, &format!("said {id}"))));
        database.event(edit(11, "$1"));
        database.event(EventRow { ts: EventRow::at(9).ts, ..edit(12, "$1") });
        database.event(EventRow { sender: "@bob:here.test".to_owned(), ..edit(13, "$2") });
        database.event(EventRow { event_type: "m.sticker".to_owned(), ..edit(14, "$2") });
        database.event(EventRow { rejected: Some("auth_error".to_owned()), ..edit(15, "$2") });
        database.event(EventRow { room_id: "!other:here.test".to_owned(), ..edit(16, "$2") });
        let relation = json!({"rel_type": "m.replace", "event_id": "$2"});
        for (id, new) in [(17, json!("none")), (18, json!(null))] {
            let content = json!({"m.new_content": new, "m.relates_to": relation});
            database.event(EventRow { content: content.to_string(), ..EventRow::at(id) });
        }
        database.event(edit(19, "$3"));
        database.redaction("$19", EventRow::at(20));
        database.redaction("$4", EventRow::at(21));
        let content =
            json!({"m.new_content": {"body": {}}, "m.relates_to": {"rel_type": "m.replace", "event_id": "$5"}});
        database.event(EventRow { content: content.to_string(), ..EventRow::at(22) });
        database.event(edit(23, "$22"));
        database.event(EventRow { internal_metadata: r#"{"soft_failed":true}"#.to_owned(), ..EventRow::at(24) });
        database.event(EventRow::state(25, "m.room.message", "", &json!({"body": "state"})));
        archive.export(&database);
        let expected = "$1 edited 11 by $11, $2 said 2, $3 said 3, $5 - by $22, $6 said 6, $7 said 7, $8 said 8";
        assert_eq!(said(&archive), expected, "{shape:?}");
    }
}

#[test]
fn a_reply_is_what_it_answers_not_what_it_quotes() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    let reply = |id: i64, body: &str| {
        let relation = json!({"m.in_reply_to": {"event_id": "$1"}});
        EventRow { content: json!({"body": body, "m.relates_to": relation}).to_string(), ..EventRow::at(id) }
    };
    database.event(EventRow::message(1, "> <@own:x> secret\n\nno reply"));
    database.event(reply(2, "> <@a:x> secret\n> secret\n\nyes\n\n> own"));
    database.event(reply(3, "> * <@a:x> secret\n\nyes"));
    database.event(reply(4, "> <@a:x> secret"));
    database.event(reply(5, "> own"));
    database.event(reply(6, "first"));
    let content = json!({"m.new_content": {"body": "> <@a:x> secret\n\nlast"}, "m.relates_to": {"rel_type": "m.replace", "event_id": "$6"}});
    database.event(EventRow { content: content.to_string(), ..EventRow::at(7) });
    archive.export(&database);
    let expected = "$1 > <@own:x> secret\n\nno reply, $2 yes\n\n> own, $3 yes, $4 , $5 > own, $6 last by $7";
    assert_eq!(said(&archive), expected);
}

#[test]
fn it_is_found_by_index() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    database.event(EventRow::at(1));
    archive.export(&database);
    let catalog = archive.catalog();
    let plan =
        format!("explain query plan select body from message where room_id = '{ROOM}' order by origin_server_ts");
    let mut plan = catalog.prepare(&plan).unwrap();
    let steps: Vec<String> = plan.query_map([], |row| row.get(3)).unwrap().map(Result::unwrap).collect();
    let plan = steps.join("\n");
    assert!(!plan.contains("SCAN"), "{plan}");
    assert!(plan.contains("line_file") && plan.contains("relation_relates_to"), "{plan}");
}
