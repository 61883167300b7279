//! Both streams, and what comes late, twice, goes, or is no longer the same.

use synapse_export::archive::{Counts, Selection, Step};
use synapse_export::event::RoomId;
use synapse_export::export::Error;
use synapse_export::stream::{GAP_LIFETIME, MAX_GAPS};

use crate::support::archive::{TestArchive, chain};
use crate::support::story::{EventRow, NOON};
use crate::support::{Shape, cluster};
use crate::{SHAPES, server};

fn outlier(id: i64) -> EventRow {
    EventRow { outlier: true, sender: "@bob:far.test".to_owned(), ..EventRow::at(id) }
}

#[test]
fn each_stream_goes_on_from_where_it_was() {
    for shape in SHAPES {
        let (database, archive) = (server(shape), TestArchive::new());
        let counts = archive.export(&database);
        assert_eq!(counts, Counts::default(), "a server without events");
        database.events([0, 1, 2, -1, -2]);
        assert_eq!(archive.export(&database), Counts { live: 3, backfill: 2, ..Counts::default() });
        database.events([3, -3, -4]);
        assert_eq!(archive.export(&database), Counts { live: 1, backfill: 2, ..Counts::default() });
        assert_eq!(archive.export(&database), Counts::default());
        assert_eq!(archive.ids(), "$-1 $-2 $-3 $-4 $0 $1 $2 $3");
        let watermarks =
            "select group_concat(stream || position || event_id) from (select * from watermark order by stream)";
        assert_eq!(archive.one(watermarks), "backfill4$-4,live3$3");
    }
}

#[test]
fn a_de_outliered_event_is_found_where_its_stream_announces_it() {
    for shape in SHAPES {
        let (database, archive) = (server(shape), TestArchive::new());
        // Two were de-outliered before the first export, one of them twice.
        for row in [outlier(1), outlier(2), outlier(3), outlier(4), outlier(-1), outlier(-2)] {
            database.event(row);
        }
        database.de_outlier("$1", 5);
        database.de_outlier("$-1", -3);
        database.execute(
            "insert into ex_outlier_stream (event_stream_ordering, event_id, state_group) values (6, '$1', 1)",
        );
        database.event(EventRow::at(7));
        assert_eq!(archive.export(&database).new_events(), 3);
        assert_eq!(archive.ids(), "$-1 $1 $7");

        database.de_outlier("$2", 8);
        database.de_outlier("$-2", -4);
        // By the stream that did it, not that of the event.
        database.de_outlier("$3", -5);
        let counts = archive.export(&database);
        assert_eq!((counts.live, counts.backfill, counts.late), (2, 1, 0), "{shape:?}");
        assert_eq!(archive.ids(), "$-1 $-2 $1 $2 $3 $7");
        assert_eq!(archive.lines()["$2"].about()["stream_ordering"], 2);
        assert_eq!(archive.one("select max(position) from watermark where stream = 'backfill'"), "5");

        // Announced late, below the watermark; and announced, then purged.
        database.event(EventRow::at(11));
        archive.export(&database);
        database.de_outlier("$4", 9);
        database.execute(
            "insert into ex_outlier_stream (event_stream_ordering, event_id, state_group) values (12, '$gone', 1)",
        );
        assert_eq!(archive.export(&database).late, 1);
        assert_eq!(archive.ids(), "$-1 $-2 $1 $11 $2 $3 $4 $7");
        assert_eq!(archive.export(&database), Counts::default());
    }
}

#[test]
fn a_late_commit_is_found_by_the_next_run() {
    for shape in SHAPES {
        let (database, archive) = (server(shape), TestArchive::new());
        database.events([1, 4, 5, 9, -2, -5]);
        archive.export(&database);
        let gaps =
            "select group_concat(stream || first || '-' || last) from (select * from gap order by stream, first)";
        assert_eq!(archive.one(gaps), "backfill1-1,backfill3-4,live2-3,live6-8");
        database.events([3, 7, 10, -1, -4]);
        assert_eq!(archive.export(&database), Counts { live: 3, backfill: 2, late: 4, ..Counts::default() });
        assert_eq!(archive.one(gaps), "backfill3-3,live2-2,live6-6,live8-8");
        assert_eq!(archive.one("select max(late) from run"), "4");
        assert_eq!(archive.ids(), "$-1 $-2 $-4 $-5 $1 $10 $3 $4 $5 $7 $9");
    }
}

#[test]
fn a_gap_lives_for_a_day_of_the_servers_own_clock() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    let received = |id: i64, ts: i64| EventRow { received_ts: Some(ts), ..EventRow::at(id) };
    let old = NOON - GAP_LIFETIME;
    // Dead when it is first seen: both its neighbours are older than a day. The next one's upper neighbour is not.
    database.event(received(1, old - 2));
    database.event(received(3, old - 1));
    database.event(received(5, old));
    database.event(received(9, NOON));
    archive.export(&database);
    assert_eq!(archive.one("select group_concat(first || '-' || last) from gap"), "4-4,6-8");
    for id in [2, 4] {
        database.event(received(id, old));
    }
    assert_eq!(archive.export(&database).late, 1);
    assert_eq!(archive.ids(), "$1 $3 $4 $5 $9");

    // A day later it is looked at for the last time.
    database.event(received(7, NOON));
    database.event(received(10, NOON + GAP_LIFETIME + 1));
    assert_eq!(archive.export(&database).late, 1);
    assert_eq!(archive.one("select count(*) from gap"), "0");
    database.event(received(8, NOON));
    assert_eq!(archive.export(&database), Counts::default());
    archive.reset();
    assert_eq!(archive.export(&database).new_events(), 2, "a reset finds what came too late");
    assert_eq!(archive.ids(), "$1 $10 $2 $3 $4 $5 $7 $8 $9");
}

/// As it is where a server's clock was wrong for a while.
#[test]
fn an_event_from_the_future_ends_no_gap() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    let received = |id, received_ts| EventRow { received_ts: Some(received_ts), ..EventRow::at(id) };
    for (id, received_ts) in [(1, 1_600_000_000_000), (3, 1_600_000_000_001), (4, 4_000_000_000_000)] {
        database.event(received(id, received_ts));
    }
    archive.export(&database);
    database.event(received(2, 1_600_000_000_002));
    assert_eq!(archive.export(&database).late, 1);
}

#[test]
fn the_same_event_again_is_the_same_event() {
    for shape in SHAPES {
        let (database, archive) = (server(shape), TestArchive::new());
        database.events([1, 2, 3]);
        archive.export(&database);
        let lines = archive.lines();
        // Purged, then brought back by backfill: with the ID it had, at another place of the stream.
        database.execute("delete from events where event_id = '$2'; delete from event_json where event_id = '$2'");
        database.event(EventRow { event_id: "$2".to_owned(), ..EventRow::at(-1) });
        assert_eq!(archive.export(&database), Counts { known: 1, ..Counts::default() });
        archive.reset();
        assert_eq!(archive.export(&database), Counts { known: 3, ..Counts::default() });
        assert_eq!(archive.lines(), lines);
    }
}

#[test]
fn a_purge_of_the_newest_events_is_no_error() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    database.events([1, 2, 8, 9, -1, -7]);
    archive.export(&database);
    let lines = archive.lines();
    database.execute("delete from events where stream_ordering in (8, 9, -7)");
    assert_eq!(archive.export(&database), Counts::default());
    database.execute("delete from events");
    assert_eq!(archive.export(&database), Counts::default());
    assert_eq!(archive.lines(), lines);
    let watermarks = "select group_concat(position) from (select position from watermark order by stream)";
    assert_eq!(archive.one(watermarks), "7,9");
    // What is new has higher IDs; lower ones that were missing may still come.
    database.events([5, 10, -8]);
    assert_eq!(archive.export(&database), Counts { live: 2, backfill: 1, late: 1, ..Counts::default() });
}

#[test]
fn a_server_that_gives_old_ids_to_new_events_is_noticed() {
    for id in [3, -3] {
        let (database, archive) = (server(Shape::V1_163), TestArchive::new());
        database.events([1, 2, 3, -1, -3]);
        archive.export(&database);
        let lines = archive.lines();
        let watermarks = "select group_concat(position || event_id || run) from watermark";
        let before = archive.one(watermarks);
        database.execute(&format!("delete from events where stream_ordering = {id}"));
        database.event(EventRow { event_id: "$restored".to_owned(), ..EventRow::at(id) });
        database.event(EventRow::at(4));

        let error = archive.try_export(&database.dsn()).0.unwrap_err();
        assert!(matches!(&error, Error::Reused(reused) if reused.found == "$restored"), "{error:?}");
        for part in ["restored", &format!("${id}")] {
            assert!(chain(&error).contains(part), "{error}");
        }
        assert!(error.hint().is_some_and(|hint| hint.contains("watermark reset")), "{error}");
        assert_eq!(archive.lines(), lines);
        assert_eq!(archive.one(watermarks), before);
        assert_eq!(archive.one("select outcome from run order by run desc limit 1"), "failed");

        archive.reset();
        archive.export(&database);
        let both = archive.lines();
        assert_eq!(both.len(), lines.len() + 2);
        assert!(both.contains_key("$restored") && both.contains_key("$4") && both.contains_key(&format!("${id}")));
    }
}

#[test]
fn a_restored_server_is_noticed_before_it_has_given_all_ids_again() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    database.events(1..=9);
    database.event(outlier(10));
    archive.export(&database);
    database.execute("delete from events where stream_ordering > 6");
    assert_eq!(archive.export(&database), Counts::default(), "nothing is lost yet");
    database.event(EventRow { event_id: "$restored".to_owned(), ..EventRow::at(7) });
    let error = archive.try_export(&database.dsn()).0.unwrap_err();
    assert!(matches!(&error, Error::Reused(reused) if reused.found == "$restored"), "{error:?}");
    assert!(chain(&error).contains("the event $restored has live position 7, and came after that was archived"));
    // also when the id of the watermark is never given again
    database.event(EventRow::at(12));
    assert!(matches!(archive.try_export(&database.dsn()).0, Err(Error::Reused(_))));

    archive.reset();
    archive.export(&database);
    assert_eq!(archive.ids(), "$1 $12 $2 $3 $4 $5 $6 $7 $8 $9 $restored");
    assert_eq!(archive.export(&database), Counts::default());
}

#[test]
fn what_is_late_or_left_out_does_not_look_like_a_restored_server() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    let left_out = "!out:here.test";
    database.room(left_out, "10");
    database.events([1, 2, 5, 9]);
    database.event(outlier(3));
    database.event(EventRow::at(6).within(left_out));
    archive
        .export_rooms(&database, &Selection { exclude: [RoomId::of(left_out).owned()].into(), ..Selection::default() });
    database.execute("delete from events where stream_ordering = 9");
    database.event(EventRow::at(4));
    database.event(EventRow::at(7).within(left_out));
    database.de_outlier("$3", 8);
    database.execute("update ex_outlier_stream set event_stream_ordering = 10");
    assert_eq!(archive.export(&database), Counts { live: 2, late: 1, ..Counts::default() });
    assert_eq!(archive.ids(), "$1 $2 $3 $4 $5 $9");
}

#[test]
fn what_was_de_outliered_meanwhile_does_not_look_like_a_restored_server() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    database.events([1, 2, 9, -1, -3]);
    (3..=5).for_each(|id| database.event(outlier(id)));
    archive.export(&database);
    database.execute("delete from events where stream_ordering = 9");
    // as history that is new, and late in either stream
    database.de_outlier("$3", -4);
    database.de_outlier("$4", 8);
    database.de_outlier("$5", -2);
    assert_eq!(archive.export(&database).new_events(), 3);
    assert_eq!(archive.ids(), "$-1 $-3 $1 $2 $3 $4 $5 $9");
}

#[test]
fn an_archive_takes_the_events_of_one_server() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    database.event(EventRow::at(1));
    archive.export(&database);
    let other = cluster().database("other", Shape::V1_163);
    other.user("@alice:there.test");
    other.event(EventRow::at(2));
    let error = archive.try_export(&other.dsn()).0.unwrap_err();
    assert_eq!(chain(&error), "the archive is of the server here.test, the database of there.test");
    assert_eq!(archive.ids(), "$1");
}

#[test]
fn pages_and_batches_have_no_seams() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    // More than a page each way, and more than a batch, with holes.
    database.execute(
        "insert into events (stream_ordering, topological_ordering, event_id, type, room_id, processed, outlier, \
                             origin_server_ts, received_ts, sender) \
         select i, 1, '$' || i, 'm', '!' || i % 7 || ':here.test', true, false, 1795348800000 + i * 4000, \
                1795348800000 + abs(i), '@alice:here.test' \
           from generate_series(-6000, 12000) i where i % 1000 <> 0; \
         insert into event_json (event_id, room_id, internal_metadata, json) \
         select event_id, room_id, '{}', '{\"content\":{\"body\":\"' || repeat('x', 800) || '\"}}' from events",
    );
    let counts = archive.export(&database);
    assert_eq!((counts.live, counts.backfill), (12_000 - 12, 6_000 - 6));
    assert_eq!(archive.lines().len(), 18_000 - 18);
    assert_eq!(archive.one("select count(*) from gap where first = last and first % 1000 = 0"), "16");
    assert_eq!(archive.one("select count(*) from gap"), "16");
    assert_eq!(archive.export(&database), Counts::default());
}

/// With more gaps than are remembered, some are joined, and hold archived events then.
#[test]
fn a_first_export_that_is_cut_off_after_more_gaps_than_are_remembered_reads_nothing_twice() {
    let (database, archive) = (server(Shape::V1_163), TestArchive::new());
    let events = MAX_GAPS + 2;
    database.event(EventRow::at(1));
    database.execute(&format!(
        "insert into events (stream_ordering, topological_ordering, event_id, type, room_id, sender, origin_server_ts,
                received_ts, processed, outlier, depth)
         select 2 * i + 1, 2 * i + 1, '$' || 2 * i + 1, type, room_id, sender, {NOON} + i, {NOON} + i, processed, outlier, depth
           from events, generate_series(1, {events} - 1) i;
         insert into event_json (event_id, room_id, internal_metadata, json, format_version)
         select e.event_id, j.room_id, internal_metadata, json, format_version
           from events e join event_json j on j.event_id = '$1' where e.event_id <> '$1'"
    ));
    let cut_off = archive.export_hooked(
        &database,
        Box::new(|step| if step == Step::Index { Err(std::io::Error::other("cut off")) } else { Ok(()) }),
    );
    assert!(cut_off.unwrap_err().ends_with("cut off"));
    // what was late by then is found as well
    database.event(EventRow { received_ts: Some(NOON), ..EventRow::at(2) });
    let counts = archive.export(&database);
    assert_eq!((counts.new_events(), counts.late), (1, 1));
    assert_eq!(archive.lines().len(), events + 1);
}
