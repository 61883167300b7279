//! The archive's directory: what a failing step leaves behind, and what many files and large events cost.

mod support;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::Connection;
use synapse_export::archive::{Archive, Error, Hook, Step};

use support::archive::{TestArchive, chain, entries};
use support::story::{EventRow, ROOM};
use support::{Database, Shape, cluster};

/// Messages of the longest day that is exported.
const LARGE_DAY: u64 = 200_000;
/// How many messages a day has that fills what rendering holds of any: SQLite sorts, and keeps pages, in 2 MB each.
const FULL_BUFFERS: u64 = 60_000;

fn server() -> Database {
    let database = cluster().database("archive", Shape::V1_163);
    database.user("@alice:here.test");
    database.room(ROOM, "10");
    database
}

/// Events of two rooms, on a day they share with the events before and on one of their own.
fn happen(database: &Database, first: i64) {
    for (id, room) in (first..).zip([ROOM, "!other:here.test", ROOM, "!other:here.test"]) {
        database.event(EventRow { room_id: room.to_owned(), ..EventRow::at(id) });
    }
    database.event(EventRow { ts: Some(first * 86_400_000), ..EventRow::at(first + 4) });
    database.redaction(&format!("${first}"), EventRow { content: "{}".to_owned(), ..EventRow::at(first + 5) });
}

/// Counts the steps, and fails at one of them, as at an error of the disk.
fn failing_at(at: Option<usize>) -> (Hook, Arc<Mutex<Vec<Step>>>) {
    let steps = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&steps);
    let hook = move |step| {
        let mut seen = seen.lock().expect("no hook panics");
        seen.push(step);
        if at == Some(seen.len() - 1) { Err(io::Error::other("the disk is gone")) } else { Ok(()) }
    };
    (Box::new(hook), steps)
}

#[test]
fn a_batch_is_there_or_not_whichever_step_fails() {
    let database = server();
    happen(&database, 1);
    let (hook, steps) = failing_at(None);
    let reference = TestArchive::new();
    reference.export_hooked(&database, hook).unwrap();
    let first = steps.lock().unwrap().clone();
    for step in [Step::Intend, Step::Append, Step::HalfAppended, Step::Sync, Step::Record, Step::Recorded, Step::Index]
    {
        assert!(first.contains(&step), "{step:?} is no step of the first export: {first:?}");
    }
    for (failing, step) in first.iter().enumerate() {
        let archive = TestArchive::new();
        let (hook, _) = failing_at(Some(failing));
        let error = archive.export_hooked(&database, hook).unwrap_err();
        assert!(error.contains("the disk is gone"), "{error}");
        // Nobody reads half a line in the meantime.
        archive.lines();
        archive.export(&database);
        assert_eq!(archive.lines(), reference.lines(), "{step:?}");
        assert_eq!(archive.redacted_by("$1"), "$6");
    }

    // The same for a batch that goes to files that are there and to a new one.
    let before = TestArchive::new();
    before.export(&database);
    happen(&database, 11);
    let (hook, steps) = failing_at(None);
    reference.export_hooked(&database, hook).unwrap();
    let later = steps.lock().unwrap().clone();
    for (failing, step) in later.iter().enumerate() {
        let archive = TestArchive::new();
        copy(before.path(), archive.path());
        let (hook, _) = failing_at(Some(failing));
        archive.export_hooked(&database, hook).unwrap_err();
        let lines = archive.lines();
        let whole = if lines == before.lines() { &before } else { &reference };
        assert_eq!(lines, whole.lines(), "half a batch after {step:?}");
        archive.export(&database);
        assert_eq!(archive.lines(), reference.lines(), "{step:?}");
        assert_eq!(archive.redacted_by("$11"), "$16");
    }
}

#[test]
fn indexes_that_were_made_before_an_end_are_not_made_again() {
    let database = server();
    happen(&database, 1);
    let whole = TestArchive::new();
    whole.export(&database);
    let made = "select group_concat(name) from (select name from sqlite_schema
                 where type = 'index' and tbl_name in ('line', 'relation', 'membership') and sql is not null order by rowid)";
    let all = whole.one(made);
    for nth in 1.. {
        let archive = TestArchive::new();
        let mut steps = 0;
        let hook = move |step| {
            steps += usize::from(step == Step::Index);
            if steps == nth && step == Step::Index { Err(io::Error::other("the disk is gone")) } else { Ok(()) }
        };
        if archive.export_hooked(&database, Box::new(hook)).is_ok() {
            assert!(nth > 7, "there is one step for each index, and one after the second");
            break;
        }
        // step by step, so that a rather long one that is cut off is the only one to be done again
        let before = archive.one(made);
        let expected = if nth <= 3 { nth - 1 } else { nth - 2 };
        assert_eq!(before.split(',').filter(|name| !name.is_empty()).count(), expected, "{before}");
        assert!(all.starts_with(&before), "{before}");
        // who opens it goes on, before anything is added
        let opened = Archive::open(archive.path(), None).unwrap();
        assert_eq!(opened.is_indexed(), nth > 1, "{before}");
        drop(opened);
        archive.export(&database);
        assert_eq!(archive.one(made), all);
        assert_eq!(archive.lines(), whole.lines());
        assert_eq!(archive.redacted_by("$1"), "$6");
    }
}

#[test]
fn who_is_told_to_stop_while_indexes_are_made_leaves_the_others_for_the_next_run() {
    let database = server();
    happen(&database, 1);
    let archive = TestArchive::new();
    let summary = archive.export_stopped_at(&database, Step::Index, 4).unwrap();
    assert!(summary.stopped);
    assert_eq!(archive.one("select outcome from run"), "stopped");
    let has = |index: &str| archive.one(&format!("select count(*) from sqlite_schema where name = '{index}'"));
    assert_eq!(["line_id", "line_file", "relation_redacts"].map(has), ["1", "1", "0"]);
    // as it is for who opens it then, before any run
    let error = archive.export_stopped_at(&database, Step::Index, 1).unwrap_err();
    assert!(matches!(error, synapse_export::export::Error::Stopped), "{error}");
    assert_eq!(archive.one("select count(*) from run"), "1");
    let counts = archive.export(&database);
    assert_eq!((counts.new_events(), has("relation_redacts").as_str()), (0, "1"));
    assert_eq!(archive.redacted_by("$1"), "$6");
}

#[test]
fn what_a_dead_process_left_is_undone_at_the_next_start() {
    let database = server();
    happen(&database, 1);
    let archive = TestArchive::new();
    archive.export(&database);
    let lines = archive.lines();
    let (old, new) = ("rooms/room@here.test/2026-11-22.jsonl", "rooms/new@here.test/2026-11-22.jsonl");
    let length = fs::metadata(archive.path().join(old)).unwrap().len();
    let leave = || {
        let text = fs::read_to_string(archive.path().join(old)).unwrap();
        fs::write(archive.path().join(old), text + "{\"event_id\":\"$half").unwrap();
        fs::create_dir_all(archive.path().join("rooms/new@here.test")).unwrap();
        fs::write(archive.path().join(new), "{\"event_id\"").unwrap();
        let sql = format!("insert into intent values ('{old}', {length}), ('{new}', 0)");
        Connection::open(archive.path().join("catalog.sqlite")).unwrap().execute_batch(&sql).unwrap();
    };
    leave();
    drop(Archive::open(archive.path(), None).unwrap());
    assert_eq!(archive.lines(), lines);
    assert_eq!(archive.one("select count(*) from intent"), "0");

    // Dead again in the middle of that.
    for at in 0.. {
        leave();
        let (hook, steps) = failing_at(Some(at));
        let Err(error) = Archive::open(archive.path(), Some(hook)) else {
            assert!(at > 0, "undoing has no step: {:?}", steps.lock().unwrap());
            break;
        };
        assert!(chain(&error).contains("the disk is gone"), "{error:?}");
        drop(Archive::open(archive.path(), None).unwrap());
        assert_eq!(archive.lines(), lines);
    }

    // What was committed cannot be made out of less.
    leave();
    fs::write(archive.path().join(old), "").unwrap();
    let error = Archive::open(archive.path(), None).err().unwrap();
    assert!(
        matches!(&error, Error::Changed { path, committed, .. } if path.ends_with(old) && *committed == length),
        "{error:?}"
    );
}

#[test]
fn an_archive_has_one_writer_until_it_lets_go() {
    let archive = TestArchive::new();
    let held = Archive::open(archive.path(), None).unwrap();
    let refused = Archive::open(archive.path(), None).err().unwrap();
    let process = format!("process {}", std::process::id());
    assert!(matches!(&refused, Error::Locked { holder, .. } if *holder == process), "{refused:?}");
    drop(held);
    Archive::open(archive.path(), None).unwrap();
}

#[test]
fn many_room_days_need_few_open_files() {
    let database = server();
    database.execute(
        "insert into events (stream_ordering, topological_ordering, event_id, type, room_id, processed, outlier, \
                             origin_server_ts, received_ts, sender) \
         select i, 1, '$' || i, 'm', '!' || i % 60 || ':here.test', true, false, i / 60 * 86400000::bigint, 1, '@alice:here.test' \
           from generate_series(0, 2999) i; \
         insert into event_json (event_id, room_id, internal_metadata, json) select event_id, room_id, '{}', '{}' from events",
    );
    let archive = TestArchive::new();
    let status = Command::new("sh")
        .args(["-c", r#"ulimit -n 48 && exec "$0" export --quiet --database "$1" --archive "$2""#])
        .args([env!("CARGO_BIN_EXE_synapse-export"), &database.dsn(), archive.path().to_str().unwrap()])
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(archive.lines().len(), 3_000);
    assert_eq!(archive.one("select count(*) from file"), "3000");
}

#[test]
fn the_largest_events_fit_into_little_memory() {
    let database = server();
    // 320 events of 190 KB: 60 MB, of which the lines and what the catalog takes of them would be twice as much.
    database.execute(&format!(
        "insert into events (stream_ordering, topological_ordering, event_id, type, room_id, processed, outlier, \
                             origin_server_ts, received_ts, sender) \
         select i, 1, '$' || i, 'm', '{ROOM}', true, false, 1795348800000, 1, '@alice:here.test' \
           from generate_series(1, 320) i; \
         insert into event_json (event_id, room_id, internal_metadata, json) \
         select event_id, room_id, '{{}}', '{{\"content\":{{\"body\":\"' || repeat(md5(event_id), 5940) || '\"}}}}' from events"
    ));
    let archive = TestArchive::new();
    let path = archive.path().to_str().unwrap();
    let peak = peak_of(&["export", "--quiet", "--database", &database.dsn(), "--archive", path]);
    println!("peak memory: {peak} KiB");
    assert!((10_000..150_000).contains(&peak), "{peak} KiB");
    let path = archive.path().join("rooms/room@here.test/2026-11-22.jsonl");
    assert!(fs::metadata(path).unwrap().size() > 60_000_000);
}

#[test]
fn a_day_of_any_size_fits_into_little_memory() {
    let peaks = [FULL_BUFFERS, LARGE_DAY].map(|messages| {
        let database = server();
        database.execute(&format!(
            "insert into events (stream_ordering, topological_ordering, event_id, type, room_id, processed, outlier, \
                                 origin_server_ts, received_ts, sender) \
             select i, i, '$' || i, 'm.room.message', '{ROOM}', true, false, 1795348800000 + i * 40000000 / {messages}, \
                    1795348800000 + i, '@' || i % 100 || ':here.test' \
               from generate_series(1, {messages}::bigint) i; \
             insert into event_json (event_id, room_id, internal_metadata, json) \
             select event_id, room_id, '{{}}', \
                    '{{\"content\":{{\"msgtype\":\"m.text\",\"body\":\"' || repeat(md5(event_id) || ' ', 3) || '\"}}}}' from events"
        ));
        let archive = TestArchive::new();
        let path = archive.path().to_str().unwrap();
        let peaks = [
            peak_of(&["export", "--quiet", "--database", &database.dsn(), "--archive", path]),
            peak_of(&["render", "--all", "--quiet", "--archive", path]),
        ];
        assert_eq!(archive.one("select messages from file"), messages.to_string());
        let transcript = archive.path().join("rooms/room@here.test/2026-11-22.md");
        assert!(fs::metadata(transcript).unwrap().size() > 100 * messages);
        let erasing = peak_of(&["erase", "--quiet", "--room", ROOM, "--yes", "--archive", path]);
        assert_eq!(archive.one("select count(*) from tombstone"), messages.to_string());
        [peaks[0], peaks[1], erasing]
    });
    println!("peak memory: {peaks:?} KiB");
    let [[_, short, erasing_short], [whole, long, erasing_long]] = peaks;
    assert!(erasing_short.abs_diff(erasing_long) < 8_000, "erasing takes {erasing_short} and {erasing_long} KiB");
    // the smaller day is hardly more than a batch of lines, so that only its rendering can be compared
    assert!(short.abs_diff(long) < 4_000, "rendering takes {short} and {long} KiB");
    assert!((10_000..150_000).contains(&whole), "{whole} KiB");
}

/// Runs the program: the most memory that it took, in KiB.
fn peak_of(arguments: &[&str]) -> u64 {
    let mut child = Command::new(env!("CARGO_BIN_EXE_synapse-export"))
        .args(arguments)
        .stdin(Stdio::null())
        .spawn()
        .expect("it was built");
    let mut peak = 0;
    while child.try_wait().expect("it is a child").is_none() {
        peak = peak.max(peak_memory(child.id()).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(child.wait().is_ok_and(|status| status.success()));
    peak
}

/// The most memory that a process has had so far, in KiB.
fn peak_memory(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.split_whitespace().next()?.parse().ok()
}

#[test]
fn a_run_without_news_writes_no_line_and_makes_no_file() {
    let database = server();
    happen(&database, 1);
    let archive = TestArchive::new();
    archive.export(&database);
    let files = || {
        let rooms = archive.path().join("rooms");
        let rooms: Vec<_> = entries(&rooms).into_iter().map(|room| rooms.join(room)).collect();
        let files = rooms.iter().flat_map(|room| entries(room).into_iter().map(move |file| room.join(file)));
        files.map(|file| (file.clone(), fs::metadata(file).unwrap().modified().unwrap())).collect::<Vec<_>>()
    };
    let before = files();
    assert_eq!(before.len(), 3);
    archive.export(&database);
    assert_eq!(files(), before);
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(status.is_ok_and(|status| status.success()));
}

#[test]
fn second_lines_are_taken_out_or_not_whichever_step_fails() {
    let database = server();
    happen(&database, 1);
    let columns = "topological_ordering, event_id, type, room_id, processed, outlier, depth, received_ts, sender";
    let sql = format!(
        "insert into events ({columns}, origin_server_ts, stream_ordering) \
         select {columns}, origin_server_ts, stream_ordering + 100 from events where stream_ordering in (1, 2, 6) \
         union all \
         select {columns}, origin_server_ts + 86400000, stream_ordering + 200 from events where stream_ordering in (1, 3)"
    );
    database.with_broken_indexes("events", &sql);
    let (hook, steps) = failing_at(None);
    let reference = TestArchive::new();
    reference.export_hooked(&database, hook).unwrap();
    let first = steps.lock().unwrap().clone();
    assert!([Step::Index, Step::Rewrite, Step::Replace].iter().all(|step| first.contains(step)), "{first:?}");
    assert_eq!(reference.ids(), "$1 $2 $3 $4 $5 $6");
    assert_eq!(reference.one("select group_concat(event_id, ' ') from duplicate"), "$1 $2 $3 $6");
    let catalog = "select (select group_concat(event_id || day || stream_ordering || coalesce(redacted_by, ''), ' ')
                             from (select * from event order by event_id))
                       || (select group_concat(directory || day || bytes || '/' || events)
                             from (select * from file join room using (room) order by directory, day))
                       || (select sum(live) || ' ' || sum(duplicates) from run)";
    for (failing, step) in first.iter().enumerate() {
        let archive = TestArchive::new();
        let (hook, _) = failing_at(Some(failing));
        archive.export_hooked(&database, hook).unwrap_err();
        archive.export(&database);
        assert_eq!(archive.lines(), reference.lines(), "{failing}: {step:?}");
        assert_eq!(archive.one(catalog), reference.one(catalog), "{failing}: {step:?}");
        let left = entries(&archive.path().join("rooms/room@here.test"));
        assert!(left.iter().all(|name| name.strip_suffix(".new").is_none()), "{left:?}");
    }
}
