//! Rows that an index should not have let in, as after a change of the collation that it is ordered by, or without it.

use serde_json::json;
use synapse_export::archive::{Archive, Counts};
use synapse_export::config::Config;
use synapse_export::source;
use tokio::runtime::Runtime;

use crate::support::Database;
use crate::support::archive::{Heard, TestArchive};
use crate::support::story::{EventRow, ROOM, message};
use crate::{SHAPES, Shape, server};

/// A second row in `events` of an event, with another stream ordering.
fn second_row(database: &Database, event_id: &str, stream_ordering: i64) {
    let columns = database.query_one_text(
        "select string_agg(column_name, ', ') from information_schema.columns \
          where table_name = 'events' and column_name <> 'stream_ordering'",
    );
    database.with_broken_indexes(
        "events",
        &format!(
            "insert into events ({columns}, stream_ordering) \
             select {columns}, {stream_ordering} from events where event_id = '{event_id}'"
        ),
    );
}

/// A second row in `event_json`, which says `second` where the first says `first`.
fn second_text(database: &Database, event_id: &str, first: &str, second: &str) {
    database.with_broken_indexes(
        "event_json",
        &format!(
            "insert into event_json (event_id, room_id, internal_metadata, json, format_version) \
             select event_id, room_id, internal_metadata, replace(json, '{first}', '{second}'), format_version \
               from event_json where event_id = '{event_id}'"
        ),
    );
}

#[track_caller]
fn exported(archive: &TestArchive, database: &Database) -> (Counts, Heard) {
    let (counts, heard) = archive.try_export(&database.dsn());
    (counts.unwrap_or_else(|error| panic!("{}", crate::support::archive::chain(&error))), heard)
}

#[test]
fn an_event_with_several_rows_has_one_line_in_a_first_export() {
    for shape in SHAPES {
        let (database, archive) = (server(shape), TestArchive::new());
        database.events([1, 2, 3, -1]);
        database.event(EventRow::member(4, "@bob:here.test", "join"));
        for (event_id, id) in [("$1", 10), ("$2", -5), ("$4", 11), ("$4", 12), ("$-1", 13)] {
            second_row(&database, event_id, id);
        }
        let (counts, heard) = exported(&archive, &database);
        assert_eq!(archive.ids(), "$-1 $1 $2 $3 $4");
        let expected = Counts { live: 5, duplicates: 4, ..Counts::default() };
        assert_eq!(counts, Counts { late: 0, ..expected });
        let mut said = heard.duplicates;
        said.sort_unstable();
        assert_eq!(said, ["$-1", "$1", "$2", "$4"]);
        assert_eq!(archive.one("select outcome || duplicates || ' ' || live from run"), "damaged4 5");
        assert_eq!(archive.one("select group_concat(event_id, ' ') from duplicate"), "$-1 $1 $2 $4");
        // the one that was read first, of equals
        assert_eq!(archive.one("select stream_ordering from event where event_id = '$1'"), "1");
        assert_eq!(archive.one("select count(*) from membership where user_id = '@bob:here.test'"), "1");
        assert_eq!(archive.one("select count(*) from rewrite"), "0");
        // what is over is over
        assert_eq!(exported(&archive, &database).0, Counts::default());
        assert_eq!(archive.one("select outcome from run order by run desc limit 1"), "done");
        // unless it is read again, when nothing changes
        let lines = archive.lines();
        archive.reset();
        let (counts, _) = exported(&archive, &database);
        assert_eq!((counts.new_events(), counts.duplicates), (0, 4));
        assert_eq!(archive.lines(), lines);
    }
}

#[test]
fn a_second_row_of_an_archived_event_is_named_and_changes_nothing() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    database.events([1, 2, -1]);
    archive.export(&database);
    let lines = archive.lines();
    second_row(&database, "$1", 10);
    second_row(&database, "$2", -7);
    second_row(&database, "$2", -8);
    database.event(EventRow::at(11));
    let (counts, mut heard) = exported(&archive, &database);
    assert_eq!((counts.new_events(), counts.duplicates), (1, 2), "{counts:?}");
    heard.duplicates.sort_unstable();
    assert_eq!(heard.duplicates, ["$1", "$2"]);
    assert_eq!(archive.one("select outcome || duplicates from run order by run desc limit 1"), "damaged2");
    assert_eq!(archive.lines().len(), lines.len() + 1);
    assert_eq!(archive.lines()["$1"], lines["$1"]);
    // both rows new in one run
    database.event(EventRow::at(12));
    second_row(&database, "$12", 13);
    let (counts, _) = exported(&archive, &database);
    assert_eq!((counts.new_events(), counts.duplicates), (1, 1), "{counts:?}");
    // an event that a purge took and a backfill brought back has another place, and one row
    database.execute("delete from events where event_id = '$-1'; delete from event_json where event_id = '$-1'");
    database.event(EventRow { event_id: "$-1".to_owned(), ..EventRow::at(-20) });
    let (counts, _) = exported(&archive, &database);
    assert_eq!((counts.known, counts.duplicates), (1, 0), "{counts:?}");
}

#[test]
fn of_several_texts_the_line_has_the_best() {
    for shape in SHAPES {
        let (database, archive) = (server(shape), TestArchive::new());
        let row = |id: i64| EventRow { content: message("bbb"), ..EventRow::at(id) };
        (1..=3).for_each(|id| database.event(row(id)));
        second_text(&database, "$1", "bbb", "aaa");
        second_text(&database, "$2", "bbb", "ccc");
        second_text(&database, "$3", "}", "");
        second_row(&database, "$1", 10);
        let body = |event_id: &str| archive.lines()[event_id].json()["content"]["body"].clone();
        let (counts, heard) = exported(&archive, &database);
        assert_eq!((counts.new_events(), counts.duplicates, counts.damaged), (3, 3, 0));
        assert_eq!(heard.duplicates.len(), 3);
        assert_eq!(["$1", "$2", "$3"].map(body), ["aaa", "bbb", "bbb"]);
        assert!(!archive.lines()["$3"].text.contains("unparsed"));
        // later too, and what is archived stays
        database.event(row(20));
        second_text(&database, "$20", "bbb", "aaa");
        second_text(&database, "$2", "bbb", "aaa");
        let (counts, heard) = exported(&archive, &database);
        assert_eq!((counts.new_events(), counts.duplicates), (1, 1));
        assert_eq!(heard.duplicates, ["$20"]);
        archive.reset();
        let (counts, _) = exported(&archive, &database);
        assert_eq!((counts.new_events(), counts.duplicates), (0, 4));
        assert_eq!((body("$20"), body("$2")), (json!("aaa"), json!("bbb")));
    }
}

/// Also where a page ends between them.
#[test]
fn events_of_one_stream_ordering_are_all_archived() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    database.with_broken_indexes(
        "events",
        &format!(
            "insert into events (stream_ordering, topological_ordering, event_id, type, room_id, processed, outlier, \
                                 origin_server_ts, received_ts, sender) \
             select s.id, 1, '$' || s.id || s.name, 'm.room.message', '{ROOM}', true, false, 1, 1, '@alice:here.test' \
               from (select least(i, 9999) as id, case when i > 9999 then 'x' || i else '' end as name \
                       from generate_series(1, 10003) i \
                     union all select -1, 'y' union all select -1, 'z') s; \
             insert into event_json (event_id, room_id, internal_metadata, json, format_version) \
             select event_id, room_id, '{{}}', '{{}}', 3 from events"
        ),
    );
    let (counts, _) = exported(&archive, &database);
    assert_eq!((counts.live, counts.backfill, counts.duplicates), (10_003, 2, 0));
    assert_eq!(archive.lines().len(), 10_005);
    // and none of them looks like a server that gives its ids anew
    assert_eq!(exported(&archive, &database).0, Counts::default());
}

/// What is only looked up neither ends an export nor makes every night's end with 3.
#[test]
fn second_rows_of_what_is_looked_up_do_no_harm() {
    let lookups = [
        ("rooms", "insert into rooms (room_id, is_public, creator) select room_id, is_public, creator from rooms"),
        ("rejections", "insert into rejections select * from rejections"),
        ("redactions", "insert into redactions select * from redactions"),
        ("users", "insert into users select * from users"),
        ("ex_outlier_stream", "insert into ex_outlier_stream select * from ex_outlier_stream"),
        ("room_ban_redactions", "insert into room_ban_redactions select * from room_ban_redactions"),
        (
            "un_partial_stated_event_stream",
            "insert into un_partial_stated_event_stream select * from un_partial_stated_event_stream",
        ),
        ("room_memberships", "insert into room_memberships select * from room_memberships"),
        ("local_current_membership", "insert into local_current_membership select * from local_current_membership"),
        ("current_state_events", "insert into current_state_events select * from current_state_events"),
        ("room_aliases", "insert into room_aliases select * from room_aliases"),
    ];
    let tell = |database: &Database| {
        database.events([1, 2, 3, 4]);
        database.event(EventRow { rejected: Some("auth_error".to_owned()), ..EventRow::at(5) });
        database.execute("insert into rejections (event_id, reason, last_check) values ('$4', 'as before 1.52', '')");
        database.redaction("$1", EventRow { content: "{}".to_owned(), ..EventRow::at(6) });
        database.event(EventRow::member(7, "@mallory:far.test", "ban"));
        database.ban_redacts("@mallory:far.test", "$7", None);
        database.event(EventRow { outlier: true, ..EventRow::member(8, "@carol:far.test", "join") });
        database.de_outlier("$8", 9);
        database.rejudge("$2", 1, true);
    };
    let (plain, whole) = (server(Shape::V1_163), TestArchive::new());
    tell(&plain);
    let counts = whole.export(&plain);
    for (table, sql) in lookups {
        let (database, archive) = (server(Shape::V1_163), TestArchive::new());
        tell(&database);
        database.with_broken_indexes(table, sql);
        assert_eq!(archive.export(&database), counts, "{table}");
        assert_eq!(archive.lines(), whole.lines(), "{table}");
        assert_eq!(archive.export(&database), Counts::default(), "{table}");
        archive.reset();
        assert_eq!(archive.export(&database).new_events(), 0, "{table}");
        assert_eq!(archive.one("select group_concat(outcome, ' ') from run"), "done done done", "{table}");
        assert_eq!(archive.redacted_by("$1"), "$6", "{table}");
    }
}

#[test]
fn a_column_that_is_null_against_its_rule_ends_nothing() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    database.events(1..=9);
    database.event(EventRow { outlier: true, ..EventRow::at(10) });
    for (table, column, event_id) in [
        ("events", "type", "$1"),
        ("events", "topological_ordering", "$2"),
        ("events", "outlier", "$3"),
        ("events", "sender", "$4"),
        ("events", "received_ts", "$5"),
        ("event_json", "internal_metadata", "$6"),
        ("events", "sender", "$10"),
    ] {
        database.execute(&format!("alter table {table} alter column {column} drop not null"));
        database.execute(&format!("update {table} set {column} = null where event_id = '{event_id}'"));
    }
    // these have no place in an archive, and are told of
    database.execute("alter table events alter column room_id drop not null, alter column event_id drop not null");
    database.execute("update events set room_id = null where event_id = '$8'");
    database.execute("update events set event_id = null where event_id = '$9'");
    database.execute("alter table redactions alter column redacts drop not null");
    database.redaction("$7", EventRow { content: "{}".to_owned(), ..EventRow::at(11) });
    database.execute("update redactions set redacts = null");
    let (counts, heard) = exported(&archive, &database);
    assert_eq!(archive.ids(), "$1 $10 $11 $2 $3 $4 $5 $6 $7");
    assert_eq!((counts.damaged, heard.damaged.len()), (0, 0));
    assert_eq!((counts.unplaced, heard.unplaced.join(", ")), (2, "at 9: event_id, $8: room_id".to_owned()));
    assert_eq!(archive.redacted_by("$7"), "$11");
    let expected = "m.room.message @alice:here.test";
    for event_id in ["$1", "$4", "$10"] {
        assert_eq!(
            archive.one(&format!("select type || ' ' || sender from event where event_id = '{event_id}'")),
            expected
        );
    }
    assert_eq!(archive.lines()["$10"].about()["outlier"], true);
    archive.export(&database);
}

#[test]
fn a_row_in_hexadecimal_digits_is_the_event_it_was() {
    for shape in SHAPES {
        let (database, archive) = (server(shape), TestArchive::new());
        database.events([1, 2]);
        let plain = TestArchive::new();
        plain.export(&database);
        database.execute(
            "update event_json set json = '\\x' || encode(convert_to(json, 'UTF8'), 'hex') where event_id = '$2'",
        );
        let (counts, _) = exported(&archive, &database);
        assert_eq!(counts, Counts { live: 2, ..Counts::default() });
        let (lines, plain) = (archive.lines(), plain.lines());
        assert_eq!(lines["$1"], plain["$1"]);
        assert_eq!(lines["$2"].about()["hex"], true);
        assert_eq!(lines["$2"].text.replace(",\"hex\":true", ""), plain["$2"].text);
        assert_eq!(archive.one("select body from event where event_id = '$2'"), "hello");
    }
}

/// Rows that the index of `event_json` does not show, as when it is ordered by another collation than by now.
#[test]
fn a_row_that_no_index_shows_is_found_by_its_place() {
    for shape in SHAPES {
        let (database, archive) = (server(shape), TestArchive::new());
        database.events(1..=3);
        let ready = |ready: bool| {
            format!("update pg_index set indisready = {ready} where indexrelid = 'event_json_event_id_key'::regclass")
        };
        database.execute(&ready(false));
        database.events([4, 5]);
        database.execute(&ready(true));
        let (counts, heard) = exported(&archive, &database);
        assert_eq!((counts.live, heard.waiting.join(" ")), (3, "$4 $5".to_owned()), "the index hides them");

        let config = Config::new(Some(&database.dsn()), |_| None).unwrap();
        let found = Runtime::new().unwrap().block_on(async {
            let database = source::Database::connect(&config).await.unwrap();
            let pages = database.json_pages().await.unwrap();
            assert!(pages >= 1, "{pages}");
            assert!(database.look_for(pages, 128, &["$4"]).await.unwrap().is_empty());
            database.look_for(0, pages, &["$1", "$4", "$5", "$none"]).await.unwrap()
        });
        let lines: Vec<&str> = found.iter().map(|event| &*event.line).collect();
        assert_eq!(found.iter().map(|event| &*event.event_id).collect::<Vec<_>>(), ["$1", "$4", "$5"]);
        assert!(lines.iter().all(|line| line.contains("hello")), "{lines:?}");

        let mut archive = Archive::open(archive.path(), None).unwrap();
        let (sought, page) = archive.begin_search().unwrap().unwrap();
        assert_eq!((sought.join(" "), page), ("$4 $5".to_owned(), 0));
        archive.searched_up_to(128).unwrap();
        assert_eq!(archive.begin_search().unwrap().unwrap().1, 128, "it is gone on with");
        archive.end_search().unwrap();
        assert_eq!(archive.begin_search().unwrap().unwrap().1, 0);
    }
}
