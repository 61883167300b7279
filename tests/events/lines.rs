//! Which rows have a line, and what it says.

use serde_json::{Value, json};
use synapse_export::archive::Counts;

use crate::support::archive::{TestArchive, json};
use crate::support::story::{EventRow, NOON, ROOM};
use crate::support::{Database, Shape};
use crate::{SHAPES, server};

fn pdu(database: &Database, event_id: &str) -> String {
    database.query_one_text(&format!("select json from event_json where event_id = '{event_id}'"))
}

#[test]
fn a_line_is_the_pdu_behind_what_the_server_knows_of_it() {
    for shape in SHAPES {
        let (database, archive) = (server(shape), TestArchive::new());
        database.event(EventRow { content: r#"{"x":1.50,"body":"\u0000\ud83d\ude00"}"#.to_owned(), ..EventRow::at(7) });
        database.room("!one:here.test", "1");
        let row = EventRow { room_id: "!one:here.test".to_owned(), format_version: 1, ..EventRow::at(8) };
        database.event(EventRow { event_id: "$8:here.test".to_owned(), ..row });
        database.room("!twelve", "12");
        database.event(EventRow {
            room_id: "!twelve".to_owned(),
            event_type: "m.room.create".to_owned(),
            state_key: Some(String::new()),
            json: Some(r#"{"content":{"room_version":"12"},"type":"m.room.create","state_key":""}"#.to_owned()),
            ..EventRow::at(9)
        });
        database.event(EventRow { json: Some(r#"{"type":"x","synapse":[1]}"#.to_owned()), ..EventRow::at(10) });
        archive.export(&database);

        let about = |id: i64, version: &str| {
            let (depth, ts) = (1_000_000 + id, NOON + 1000 * id);
            format!(
                r#""synapse":{{"stream_ordering":{id},"topological_ordering":{depth},"received_ts":{ts},"room_version":"{version}""#
            )
        };
        let lines = archive.lines();
        let expected = format!(r#"{{"event_id":"$7",{}}},{}"#, about(7, "10"), &pdu(&database, "$7")[1..]);
        assert_eq!(lines["$7"].text, expected);
        // A PDU of room versions 1 and 2 has its ID, a room's creation of version 12 and later no room.
        let expected = format!("{{{}}},{}", about(8, "1"), &pdu(&database, "$8:here.test")[1..]);
        assert_eq!(lines["$8:here.test"].text, expected);
        let expected =
            format!(r#"{{"event_id":"$9","room_id":"!twelve",{}}},{}"#, about(9, "12"), &pdu(&database, "$9")[1..]);
        assert_eq!(lines["$9"].text, expected);
        let expected =
            format!(r#"{{"event_id":"$10","room_id":"{ROOM}",{},"shadowed":[1]}},"type":"x"}}"#, about(10, "10"));
        assert_eq!(lines["$10"].text, expected);
    }
}

/// Over many ids, rejections and rooms' versions are looked up once, unless there are too many of them.
#[test]
fn what_is_looked_up_once_is_what_would_be_looked_up_for_each_row() {
    const FAR: i64 = 400_000;
    for (shape, too_many) in SHAPES.into_iter().flat_map(|shape| [(shape, false), (shape, true)]) {
        let (database, archive) = (server(shape), TestArchive::new());
        database.room("!one:here.test", "1");
        database.event(EventRow { rejected: Some("auth_error".to_owned()), ..EventRow::at(1) });
        database.event(EventRow::at(2).within("!one:here.test"));
        database.event(EventRow::at(3).within("!unknown:here.test"));
        database.event(EventRow::at(FAR));
        database.execute("insert into rejections (event_id, reason, last_check) values ('$2', 'as before 1.52', '')");
        if too_many {
            database.execute(
                "insert into rejections (event_id, reason, last_check) select '$-' || i, '', '' from generate_series(1, 10001) i; \
                 insert into rooms (room_id, room_version) select '!-' || i, '10' from generate_series(1, 20001) i",
            );
        }
        archive.export(&database);
        let lines = archive.lines();
        let said = ["$1", "$2", "$3", &format!("${FAR}")].map(|id| {
            let about = lines[id].about();
            (about.get("rejected").is_some(), about["room_version"].as_str().map(str::to_owned))
        });
        let version = |version: &str| Some(version.to_owned());
        let expected = [(true, version("10")), (true, version("1")), (false, None), (false, version("10"))];
        assert_eq!(said, expected, "{shape:?}, too many: {too_many}");
    }
}

#[test]
fn rejected_and_soft_failed_events_have_lines_that_say_so() {
    for shape in SHAPES {
        let (database, archive) = (server(shape), TestArchive::new());
        database.event(EventRow { rejected: Some("auth_error".to_owned()), ..EventRow::at(1) });
        let metadata = r#"{"soft_failed": true, "token_id": 4711, "txn_id": "m1", "device_id": "PHONE"}"#;
        database.event(EventRow { internal_metadata: metadata.to_owned(), ..EventRow::at(2) });
        // Newer servers note a rejection in the event's own row too: either place is enough.
        database.event(EventRow::at(3));
        database.execute("update events set rejection_reason = 'auth_error' where event_id = '$3'");
        database.event(EventRow::at(4));
        let counts = archive.export(&database);
        assert_eq!(counts, Counts { live: 4, rejected: 2, soft_failed: 1, ..Counts::default() });

        let lines = archive.lines();
        let flags = |event_id: &str| {
            let about = lines[event_id].about();
            ["rejected", "soft_failed", "outlier", "censored"].map(|flag| about.get(flag).cloned())
        };
        assert_eq!(flags("$1"), [Some(json!(true)), None, None, None]);
        assert_eq!(flags("$2"), [None, Some(json!(true)), None, None]);
        assert_eq!(flags("$3"), [Some(json!(true)), None, None, None]);
        assert_eq!(flags("$4"), [None, None, None, None]);
        for private in ["4711", "m1", "PHONE"] {
            assert!(!lines["$2"].text.contains(private), "{}", lines["$2"].text);
        }
        assert_eq!(archive.one("select group_concat(event_id) from event where rejected or soft_failed"), "$1,$2,$3");
    }
}

#[test]
fn of_outliers_only_what_a_purge_left_behind_has_a_line() {
    for shape in SHAPES {
        let (database, archive) = (server(shape), TestArchive::new());
        let outlier = |id: i64| EventRow { outlier: true, ..EventRow::at(id) };
        let from = |sender: &str, id: i64| EventRow { sender: sender.to_owned(), ..outlier(id) };
        let state = |id: i64| EventRow { state_key: Some("@alice:here.test".to_owned()), ..outlier(id) };
        database.event(outlier(1));
        database.event(outlier(-1));
        database.event(from("@bob:far.test", 2));
        database.event(from("@bob:far.test:here.test", 3));
        database.event(from("@bob:here.test.far.test", 4));
        database.event(state(5));
        database.event(EventRow { rejected: Some("auth_error".to_owned()), ..outlier(6) });
        // Old rows lack the state key that the PDU has, and the sender.
        database.event(state(7));
        database.execute("update events set state_key = null where event_id = '$7'");
        database.event(outlier(8));
        database.event(from("@bob:far.test", 9));
        database.event(EventRow { json: Some("{}".to_owned()), ..outlier(10) });
        database.execute("update events set sender = null where event_id in ('$8', '$9', '$10')");
        let counts = archive.export(&database);
        assert_eq!(archive.ids(), "$-1 $1 $8", "{shape:?}");
        assert_eq!(counts, Counts { live: 2, backfill: 1, survivors: 3, ..Counts::default() });
        assert_eq!(archive.lines()["$1"].about()["outlier"], true);
    }
}

#[test]
fn what_was_archived_before_a_purge_stays_as_it_was() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    database.events(1..=4);
    archive.export(&database);
    let lines = archive.lines();
    database.execute(
        "delete from events where event_id in ('$1', '$2'); delete from event_json where event_id in ('$1', '$2'); \
         update events set outlier = true where event_id = '$3'",
    );
    archive.export(&database);
    archive.reset();
    let again = archive.export(&database);
    assert_eq!((again.new_events(), again.known), (0, 2));
    assert_eq!(archive.lines(), lines);
}

#[test]
fn without_a_user_no_survivor_can_be_told() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    database.execute("delete from users");
    database.event(EventRow { outlier: true, ..EventRow::at(1) });
    database.event(EventRow { outlier: true, sender: "no user".to_owned(), ..EventRow::at(2) });
    database.event(EventRow::at(3));
    archive.export(&database);
    assert_eq!(archive.ids(), "$3");
}

#[test]
fn damaged_rows_are_kept_as_they_are_and_named() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    let nested = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    let nested = format!(r#"{{"content":{{"x":{nested}}}}}"#);
    let texts = [
        "",
        "nonsense\nof two lines",
        r#"{"a":"\ud83d"}"#,
        r#"{"a":NaN}"#,
        r#"{"a":1e400}"#,
        r#"{"a":"#,
        "[1]",
        &nested,
    ];
    for (id, text) in (1..).zip(texts) {
        database.event(EventRow { json: Some(text.to_owned()), ..EventRow::at(id) });
    }
    database.event(EventRow::at(100));
    database.execute("delete from event_json where event_id = '$100'");
    database.event(EventRow::at(101));
    let (counts, mut heard) = archive.try_export(&database.dsn());
    let counts = counts.unwrap();
    assert_eq!((counts.live, counts.damaged), (9, 8));
    archive.a_day_passes();
    let (counts, missing) = archive.try_export(&database.dsn());
    assert_eq!(counts.unwrap().damaged, 1);
    heard.damaged.extend(missing.damaged);

    let lines = archive.lines();
    for (id, text) in (1..).zip(texts) {
        let line = json(&lines[&format!("${id}")].text);
        assert_eq!(line["synapse"]["unparsed"], *text);
        assert_eq!(line["room_id"], ROOM);
    }
    assert_eq!(lines["$100"].about().get("unparsed"), Some(&Value::Null));
    assert_eq!(lines["$101"].about().get("unparsed"), None);
    let mut named: Vec<&str> = heard.damaged.iter().map(|(event_id, _)| event_id.as_str()).collect();
    named.sort_unstable();
    assert_eq!(
        named.join(" "),
        archive.one("select group_concat(event_id, ' ') from (select event_id from event where damaged order by 1)")
    );
    assert_eq!(archive.one("select group_concat(damaged || outcome) from run"), "8damaged,1damaged");
    for (_, damage) in &heard.damaged {
        assert!(!damage.contains("nonsense"), "{damage}");
    }
}

#[test]
fn missing_columns_values_are_no_obstacle() {
    for shape in SHAPES {
        let (database, archive) = (server(shape), TestArchive::new());
        for id in 1..=3 {
            database.event(EventRow { room_id: format!("!{id}:here.test"), ..EventRow::at(id) });
        }
        database.event(EventRow { state_key: Some("key".to_owned()), ..EventRow::at(4) });
        database.execute(
            "update events set origin_server_ts = null, received_ts = null, sender = null where event_id = '$1'; \
             update events set state_key = null where event_id = '$4'; \
             insert into rooms (room_id, room_version) values ('!2:here.test', null), ('!3:here.test', '12')",
        );
        let counts = archive.export(&database);
        assert_eq!(counts, Counts { live: 4, versionless: 2, ..Counts::default() });
        let lines = archive.lines();
        let about = lines["$1"].about();
        assert_eq!(
            about,
            json!({"stream_ordering": 1, "topological_ordering": 1_000_001, "received_ts": null, "room_version": null})
        );
        assert_eq!(lines["$1"].path, "rooms/1@here.test/undated.jsonl");
        assert_eq!(lines["$2"].about()["room_version"], Value::Null);
        assert_eq!(lines["$3"].about()["room_version"], "12");
        assert_eq!(archive.one("select state_key from event where event_id = '$4'"), "key");
        assert_eq!(archive.one("select sender from event where event_id = '$1'"), "@alice:here.test");
    }
}
