//! Rows that are there before their PDU: they wait a day for it, and are archived once, whole or damaged. A damaged line is
//! mended when its PDU turns up later.

use std::io;

use serde_json::json;
use synapse_export::archive::{Counts, Hook, Selection};
use synapse_export::doctor::{Severity, examine};
use synapse_export::event::RoomId;

use crate::support::archive::{Heard, TestArchive, chain};
use crate::support::story::{EventRow, NOON, ROOM};
use crate::support::{Database, Shape};
use crate::{SHAPES, server};

const OTHER: &str = "!other:here.test";

/// Takes away the PDUs of events.
fn hide(database: &Database, event_ids: &[&str]) {
    database.execute("create table if not exists hidden (like event_json)");
    for event_id in event_ids {
        database.execute(&format!(
            "with gone as (delete from event_json where event_id = '{event_id}' returning *) insert into hidden select * from gone"
        ));
    }
}

/// Gives them back.
fn show(database: &Database, event_ids: &[&str]) {
    for event_id in event_ids {
        database.execute(&format!("insert into event_json select * from hidden where event_id = '{event_id}'"));
    }
}

#[track_caller]
fn export(archive: &TestArchive, database: &Database) -> (Counts, Heard) {
    let (counts, heard) = archive.try_export(&database.dsn());
    (counts.unwrap_or_else(|error| panic!("{}", chain(&error))), heard)
}

fn outcomes(archive: &TestArchive) -> String {
    archive.one("select group_concat(outcome || ' ' || waiting, ', ' order by run) from run")
}

#[test]
fn a_row_without_its_pdu_is_waited_for_and_archived_whole() {
    for shape in SHAPES {
        let (database, archive) = (server(shape), TestArchive::new());
        database.events(1..=4);
        database.event(EventRow::at(-1));
        hide(&database, &["$2", "$-1"]);
        // in a first export, and in later ones
        let (counts, heard) = export(&archive, &database);
        assert_eq!((counts.new_events(), counts.damaged, heard.waiting), (3, 0, vec!["$-1".to_owned(), "$2".into()]));
        database.events(5..=6);
        hide(&database, &["$5"]);
        let (counts, heard) = export(&archive, &database);
        assert_eq!((counts.new_events(), heard.waiting.join(" ")), (1, "$-1 $2 $5".to_owned()));
        assert_eq!((archive.ids(), outcomes(&archive)), ("$1 $3 $4 $6".to_owned(), "damaged 2, damaged 3".to_owned()));

        // each comes once, by itself or as everything is read again
        show(&database, &["$2"]);
        let (counts, heard) = export(&archive, &database);
        assert_eq!((counts.new_events(), counts.late, heard.waiting.join(" ")), (1, 1, "$-1 $5".to_owned()));
        show(&database, &["$5"]);
        archive.reset();
        let (counts, heard) = export(&archive, &database);
        assert_eq!((counts.new_events(), heard.waiting.join(" ")), (1, "$-1".to_owned()));
        show(&database, &["$-1"]);
        export(&archive, &database);
        let other = TestArchive::new();
        other.export(&database);
        assert_eq!(archive.lines(), other.lines());
        assert_eq!(
            (archive.one("select count(*) from waiting"), archive.one("select sum(damaged) from run")),
            ("0".into(), "0".into())
        );
        let (counts, _) = export(&archive, &database);
        assert_eq!((counts, outcomes(&archive).rsplit(", ").next()), (Counts::default(), Some("done 0")));
    }
}

#[test]
fn after_a_day_it_is_archived_as_damaged() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    database.events(1..=3);
    hide(&database, &["$2", "$3"]);
    export(&archive, &database);
    archive.a_day_passes();
    show(&database, &["$3"]);
    // what is met by the run that gives up waits for a day of its own, whatever its server's clock said
    database.event(EventRow { received_ts: Some(0), ..EventRow::at(4) });
    hide(&database, &["$4"]);
    let (counts, heard) = export(&archive, &database);
    assert_eq!((counts.new_events(), counts.damaged), (2, 1));
    assert_eq!((heard.damaged.len(), &*heard.damaged[0].0, heard.waiting.join(" ")), (1, "$2", "$4".to_owned()));
    assert!(archive.lines()["$2"].about()["unparsed"].is_null());
    // as a reset does not make a day longer
    archive.reset();
    archive.a_day_passes();
    let (counts, heard) = export(&archive, &database);
    assert_eq!((counts.damaged, heard.waiting.len(), archive.ids()), (1, 0, "$1 $2 $3 $4".to_owned()));
    archive.reset();
    let (counts, heard) = export(&archive, &database);
    assert_eq!((counts.new_events(), counts.known, heard.waiting.len()), (0, 4, 0));
}

#[test]
fn what_waits_and_is_gone_is_told_of() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    database.events(1..=3);
    hide(&database, &["$2"]);
    export(&archive, &database);
    database.execute("delete from events where event_id = '$2'");
    let (_, heard) = export(&archive, &database);
    assert_eq!((heard.waiting.join(" "), heard.gone.len()), ("$2".to_owned(), 0));
    archive.a_day_passes();
    let (_, heard) = export(&archive, &database);
    assert_eq!((heard.waiting.len(), heard.gone.join(" ")), (0, "$2".to_owned()));
    let (_, heard) = export(&archive, &database);
    assert_eq!((heard.gone.len(), outcomes(&archive)), (0, "damaged 1, damaged 1, damaged 0, done 0".to_owned()));
    assert_eq!(archive.one("select group_concat(gone, ' ') from run"), "0 0 1 0");
}

#[test]
fn what_waits_does_not_look_like_a_restored_server() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    database.events(1..=5);
    hide(&database, &["$4"]);
    export(&archive, &database);
    // the watermark's event is purged, so that those below it are looked at
    database.execute("delete from events where event_id = '$5'; delete from event_json where event_id = '$5'");
    let (_, heard) = export(&archive, &database);
    assert_eq!(heard.waiting.join(" "), "$4");
}

#[test]
fn only_what_is_exported_is_waited_for() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    database.room(OTHER, "10");
    database.event(EventRow::at(1));
    database.event(EventRow::at(2).within(OTHER));
    database.event(EventRow::at(3));
    hide(&database, &["$2", "$3"]);
    export(&archive, &database);
    let only = Selection { include: [RoomId::of(ROOM).owned()].into(), ..Selection::default() };
    let without = Selection { exclude: [RoomId::of(OTHER).owned()].into(), ..Selection::default() };
    show(&database, &["$2", "$3"]);
    archive.export_rooms(&database, &without);
    assert_eq!((archive.ids(), outcomes(&archive)), ("$1 $3".to_owned(), "damaged 2, done 0".to_owned()));
    archive.export_rooms(&database, &only);
    assert_eq!(archive.ids(), "$1 $3");
    export(&archive, &database);
    assert_eq!((archive.ids(), archive.one("select count(*) from waiting")), ("$1 $2 $3".to_owned(), "0".to_owned()));
}

/// An archive with events that were archived without their PDU, which are there by now: a name, a redacted and an edited message, a
/// redaction, an edit; of several days, each with whole lines before and behind.
fn archived_as_damaged(database: &Database) -> TestArchive {
    let archive = TestArchive::new();
    let day = 24 * 60 * 60 * 1000;
    let later = |row: EventRow, days: i64| EventRow { ts: row.ts.map(|ts| ts + days * day), ..row };
    database.event(EventRow::message(1, "before"));
    database.event(EventRow::message(2, "regrettable"));
    database.event(EventRow::message(3, "old"));
    let member = json!({"membership": "join", "displayname": "Alice"});
    database.event(EventRow::state(4, "m.room.member", "@alice:here.test", &member));
    database.event(EventRow::state(5, "m.room.name", "", &json!({"name": "Garden"})));
    database.event(EventRow::message(6, "behind"));
    database.event(later(EventRow::message(7, "a day later"), 1));
    database.redaction("$2", later(EventRow { content: "{}".to_owned(), ..EventRow::at(8) }, 1));
    let edit = json!({"body": "* new", "m.new_content": {"msgtype": "m.text", "body": "new"},
        "m.relates_to": {"rel_type": "m.replace", "event_id": "$3"}});
    database.event(later(EventRow { content: edit.to_string(), ..EventRow::at(9) }, 2));
    // what cannot be read stays so
    database.event(EventRow { json: Some(r#"{"unparsed":null"#.to_owned()), ..EventRow::at(10) });
    database.event(EventRow::message(11, r#""unparsed":null"#));
    database.execute(
        "create table hidden (like event_json); insert into hidden select * from event_json \
                       where event_id in ('$2', '$3', '$4', '$5', '$8', '$9')",
    );
    database.execute("delete from event_json where event_id in (select event_id from hidden)");
    archive.export(database);
    archive.a_day_passes();
    assert_eq!(archive.export(database).damaged, 6);
    archive.render();
    database.execute("insert into event_json select * from hidden");
    archive
}

/// Lines and transcripts as they are, and as a new archive of the same database has them.
#[track_caller]
fn is_as_new(archive: &TestArchive, database: &Database) {
    let other = archive.transcripts_agree(database);
    assert_eq!(archive.lines(), other.lines());
    let events = "select group_concat(concat_ws('|', event_id, type, state_key, body, relates_to, rel_type, redacts, recheck, \
                         redacted_by, damaged), char(10) order by event_id) from event";
    assert_eq!(archive.one(events), other.one(events));
}

#[test]
fn a_damaged_line_is_mended_when_its_pdu_turns_up() {
    for shape in SHAPES {
        let database = server(shape);
        let archive = archived_as_damaged(&database);
        let says = |kind: Severity, part: &str| {
            let config = synapse_export::config::Config::new(Some(&database.dsn()), |_| None).unwrap();
            let examined =
                tokio::runtime::Runtime::new().unwrap().block_on(examine(&config, Some(archive.path()), None));
            let found = examined.findings.iter().find(|it| it.check == "damaged events").unwrap();
            assert!(found.severity == kind && found.what.contains(part), "{found:?}");
        };
        says(Severity::Warning, "7 archived events are damaged");
        let before = archive.lines();
        assert_eq!(archive.export(&database), Counts::default(), "nothing is read again by itself");
        archive.reset();
        let counts = archive.export(&database);
        assert_eq!((counts.new_events(), counts.known, counts.mended), (0, 11, 6));
        is_as_new(&archive, &database);
        assert_eq!(
            (archive.redacted_by("$2"), archive.one("select name from room")),
            ("$8".to_owned(), "Garden".to_owned())
        );
        let after = archive.lines();
        for event_id in ["$1", "$6", "$7", "$10", "$11"] {
            assert_eq!(after[event_id], before[event_id]);
        }
        says(Severity::Warning, "1 archived event is damaged");
        archive.reset();
        assert_eq!(archive.export(&database).mended, 0);
        assert_eq!(archive.lines(), after);
    }
}

#[test]
fn a_text_that_turns_up_takes_the_place_of_none() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    database.event(EventRow { json: Some("no JSON".to_owned()), ts: None, ..EventRow::at(1) });
    hide(&database, &["$1"]);
    archive.export(&database);
    archive.a_day_passes();
    archive.export(&database);
    assert!(archive.lines()["$1"].about()["unparsed"].is_null());
    show(&database, &["$1"]);
    // as after a purge, its place in the stream is another
    database
        .execute(&format!("update events set stream_ordering = -7, origin_server_ts = {NOON} where event_id = '$1'"));
    assert_eq!(archive.export(&database).mended, 0);
    let line = &archive.lines()["$1"];
    assert_eq!(
        (line.about()["unparsed"].as_str(), line.about()["stream_ordering"].as_i64()),
        (Some("no JSON"), Some(-7))
    );
    assert_eq!(line.path, "rooms/room@here.test/undated.jsonl", "it stays where it was");
}

#[test]
fn mending_that_is_cut_off_at_any_step_is_undone_or_completed() {
    let database = server(Shape::V1_163);
    let mut steps = 0;
    for last in 0.. {
        database.execute(
            "truncate events, event_json, redactions, current_state_events, room_memberships, state_events, \
                           local_current_membership; drop table if exists hidden",
        );
        let archive = archived_as_damaged(&database);
        archive.reset();
        let before = archive.lines();
        let mut at = 0;
        let hook: Hook = Box::new(move |_| {
            at += 1;
            if at > last { Err(io::Error::other("gone")) } else { Ok(()) }
        });
        let ended = archive.export_hooked(&database, hook);
        if ended.is_ok() {
            break;
        }
        steps = last + 1;
        // what was cut off is mended by whoever opens the archive next
        archive.render();
        let now = archive.lines();
        let unchanged = now == before;
        assert!(unchanged || now.len() == before.len());
        let counts =
            archive.try_export(&database.dsn()).0.unwrap_or_else(|error| panic!("step {last}: {}", chain(&error)));
        assert_eq!(counts.mended, if unchanged { 6 } else { 0 }, "step {last}");
        is_as_new(&archive, &database);
    }
    assert!(steps > 8, "{steps} steps");
}
