//! Rooms that are asked for, and rooms that are left out, from run to run.

use std::collections::BTreeSet;

use synapse_export::archive::{Counts, Selection};
use synapse_export::event::OwnedRoomId;

use crate::support::Database;
use crate::support::archive::TestArchive;
use crate::support::story::EventRow;
use crate::{SHAPES, server};

fn room(name: &str) -> String {
    format!("!{name}:here.test")
}

fn rooms(names: &str) -> BTreeSet<OwnedRoomId> {
    names.split_whitespace().map(|name| OwnedRoomId::of(room(name))).collect()
}

fn only(names: &str) -> Selection {
    Selection { include: rooms(names), ..Selection::default() }
}

fn but(names: &str) -> Selection {
    Selection { exclude: rooms(names), ..Selection::default() }
}

/// An event with the room in its name: `$a1`.
fn row(name: &str, id: i64) -> EventRow {
    EventRow { event_id: format!("${name}{id}"), room_id: room(name), ..EventRow::at(id) }
}

fn outlier(name: &str, id: i64) -> EventRow {
    EventRow { outlier: true, sender: "@bob:far.test".to_owned(), ..row(name, id) }
}

/// Three rooms, with an event of each in both streams.
fn told(database: &Database) {
    for (id, name) in (1..).zip(["a", "b", "c"]) {
        database.room(&room(name), "10");
        database.event(row(name, id));
        database.event(row(name, -id));
    }
}

#[test]
fn only_the_rooms_asked_for() {
    for shape in SHAPES {
        let (database, archive) = (server(shape), TestArchive::new());
        told(&database);
        assert_eq!(archive.export_rooms(&database, &only("a")).new_events(), 2);
        assert_eq!(archive.ids(), "$a-1 $a1");

        // Remembered; what comes is read from where each room was.
        for row in [row("a", 4), row("b", 5), row("a", -4)] {
            database.event(row);
        }
        assert_eq!(archive.export(&database), Counts { live: 1, backfill: 1, ..Counts::default() });
        assert_eq!(archive.ids(), "$a-1 $a-4 $a1 $a4");

        // A room added later has its past too, below where the first one was.
        database.event(row("c", 6));
        assert_eq!(archive.export_rooms(&database, &only("a b")).new_events(), 3);
        assert_eq!(archive.ids(), "$a-1 $a-4 $a1 $a4 $b-2 $b2 $b5");

        // What comes late or is de-outliered in a selected room.
        database.event(outlier("b", 8));
        database.event(row("a", 10));
        assert_eq!(archive.export(&database).new_events(), 1);
        database.de_outlier("$b8", 11);
        database.event(row("a", 9));
        database.event(row("c", 7));
        assert_eq!(archive.export(&database).new_events(), 2, "{shape:?}");

        // And all rooms after that.
        let counts = archive.export_rooms(&database, &Selection::default());
        assert_eq!(counts.new_events(), 4);
        assert_eq!(archive.ids(), "$a-1 $a-4 $a1 $a10 $a4 $a9 $b-2 $b2 $b5 $b8 $c-3 $c3 $c6 $c7");
        assert_eq!(archive.export(&database), Counts::default());
    }
}

#[test]
fn all_rooms_but_those_left_out() {
    for shape in SHAPES {
        let (database, archive) = (server(shape), TestArchive::new());
        told(&database);
        archive.export_rooms(&database, &but("b c"));
        assert_eq!(archive.ids(), "$a-1 $a1");

        for row in [row("b", 4), row("a", 5), row("c", 6), row("d", 7)] {
            database.event(row);
        }
        database.event(outlier("b", 8));
        assert_eq!(archive.export(&database).new_events(), 2, "remembered");
        assert_eq!(archive.ids(), "$a-1 $a1 $a5 $d7");

        // One of them no longer: it is caught up, below the watermark, with what came late or was de-outliered meanwhile.
        database.de_outlier("$b8", 9);
        database.event(row("b", -5));
        assert_eq!(archive.export_rooms(&database, &but("c")).new_events(), 5);
        assert_eq!(archive.ids(), "$a-1 $a1 $a5 $b-2 $b-5 $b2 $b4 $b8 $d7");
        assert_eq!(archive.one("select group_concat(room_id) from left_out"), "!c:here.test");
        database.event(row("b", 10));
        database.event(row("c", 11));
        assert_eq!(archive.export(&database).new_events(), 1);

        assert_eq!(archive.export_rooms(&database, &Selection::default()).new_events(), 4);
        assert_eq!(archive.lines().len(), 14);
        assert_eq!(archive.one("select count(*) from left_out"), "0");
        assert_eq!(archive.one("select count(*) from watermark where room_id <> ''"), "0");
        assert_eq!(archive.export(&database), Counts::default());
    }
}

#[test]
fn from_one_selection_to_another_nothing_is_lost() {
    let (database, archive) = (server(SHAPES[2]), TestArchive::new());
    told(&database);
    let steps = [
        but("a"),
        only("a b"),
        but("b"),
        only("c"),
        Selection { exclude: rooms("b"), ..only("a b") },
        Selection::default(),
    ];
    for (id, selection) in (10..).step_by(10).zip(&steps) {
        for (at, name) in (id..).step_by(2).zip(["a", "b", "c"]) {
            database.event(row(name, at));
            database.event(row(name, -at));
        }
        archive.export_rooms(&database, selection);
        let lines = archive.lines();
        for name in ["a", "b", "c"] {
            let wanted = (selection.include.is_empty() || selection.include.contains(room(name).as_str()))
                && !selection.exclude.contains(room(name).as_str());
            let stored =
                database.query_one_text(&format!("select count(*) from events where room_id = '{}'", room(name)));
            let archived = lines.values().filter(|line| line.path.contains(&format!("/{name}@"))).count();
            assert!(!wanted || archived.to_string() == stored, "room {name} has {archived} of {stored}: {selection:?}");
        }
        // An ID that was missing in every run before.
        database.event(row("b", id + 3));
    }
    archive.export(&database);
    assert_eq!(archive.lines().len().to_string(), database.query_one_text("select count(*) from events"));
}
