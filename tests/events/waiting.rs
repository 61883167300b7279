//! Rows that are there before their PDU: they wait a day for it, and are archived once, whole or damaged.

use synapse_export::archive::{Counts, Selection};

use crate::support::archive::{Heard, TestArchive};
use crate::support::story::{EventRow, ROOM};
use crate::support::{Database, Shape};
use crate::{SHAPES, server};

const OTHER: &str = "!other:here.test";

/// Takes away the PDU of an event.
fn hide(database: &Database, event_id: &str) {
    database.execute(&format!(
        "create table if not exists hidden (like event_json); \
         with gone as (delete from event_json where event_id = '{event_id}' returning *) insert into hidden select * from gone"
    ));
}

/// Gives it back.
fn show(database: &Database, event_id: &str) {
    database.execute(&format!("insert into event_json select * from hidden where event_id = '{event_id}'"));
}

#[track_caller]
fn export(archive: &TestArchive, database: &Database) -> (Counts, Heard) {
    let (counts, heard) = archive.try_export(&database.dsn());
    (counts.unwrap(), heard)
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
        ["$2", "$-1"].into_iter().for_each(|id| hide(&database, id));
        // in a first export, and in later ones
        let (counts, heard) = export(&archive, &database);
        assert_eq!((counts.new_events(), counts.damaged, heard.waiting), (3, 0, vec!["$-1".to_owned(), "$2".into()]));
        database.events(5..=6);
        hide(&database, "$5");
        let (counts, heard) = export(&archive, &database);
        assert_eq!((counts.new_events(), heard.waiting.join(" ")), (1, "$-1 $2 $5".to_owned()));
        assert_eq!((archive.ids(), outcomes(&archive)), ("$1 $3 $4 $6".to_owned(), "damaged 2, damaged 3".to_owned()));

        // each comes once, by itself or as everything is read again
        show(&database, "$2");
        let (counts, heard) = export(&archive, &database);
        assert_eq!((counts.new_events(), counts.late, heard.waiting.join(" ")), (1, 1, "$-1 $5".to_owned()));
        show(&database, "$5");
        archive.reset();
        let (counts, heard) = export(&archive, &database);
        assert_eq!((counts.new_events(), heard.waiting.join(" ")), (1, "$-1".to_owned()));
        show(&database, "$-1");
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
    ["$2", "$3"].into_iter().for_each(|id| hide(&database, id));
    export(&archive, &database);
    archive.a_day_passes();
    show(&database, "$3");
    // what is met by the run that gives up waits for a day of its own, whatever its server's clock said
    database.event(EventRow { received_ts: Some(0), ..EventRow::at(4) });
    hide(&database, "$4");
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
    hide(&database, "$2");
    export(&archive, &database);
    database.execute("delete from events where event_id = '$2'");
    let (_, heard) = export(&archive, &database);
    assert_eq!((heard.waiting.join(" "), heard.gone.len()), ("$2".to_owned(), 0));
    archive.a_day_passes();
    let (_, heard) = export(&archive, &database);
    assert_eq!((heard.waiting.len(), heard.gone.join(" ")), (0, "$2".to_owned()));
    let (_, heard) = export(&archive, &database);
    assert_eq!((heard.gone.len(), outcomes(&archive)), (0, "damaged 1, damaged 1, damaged 0, done 0".to_owned()));
}

#[test]
fn what_waits_does_not_look_like_a_restored_server() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    database.events(1..=5);
    hide(&database, "$4");
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
    ["$2", "$3"].into_iter().for_each(|id| hide(&database, id));
    export(&archive, &database);
    let only = Selection { include: [ROOM.to_owned()].into(), ..Selection::default() };
    let without = Selection { exclude: [OTHER.to_owned()].into(), ..Selection::default() };
    ["$2", "$3"].into_iter().for_each(|id| show(&database, id));
    archive.export_rooms(&database, &without);
    assert_eq!((archive.ids(), outcomes(&archive)), ("$1 $3".to_owned(), "damaged 2, done 0".to_owned()));
    archive.export_rooms(&database, &only);
    assert_eq!(archive.ids(), "$1 $3");
    export(&archive, &database);
    assert_eq!((archive.ids(), archive.one("select count(*) from waiting")), ("$1 $2 $3".to_owned(), "0".to_owned()));
}
