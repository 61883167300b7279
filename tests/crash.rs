//! The real program, killed at random moments of its runs over a growing server: in the end every event has its one line.
//!
//! `CRASH_SEED` chooses the moments again.

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use support::archive::TestArchive;
use support::{Database, Shape, cluster};

const KILLS: u32 = 50;
/// How many archives are begun; all but the last are given up when the first export is done.
const ARCHIVES: u32 = 2;
const EVENTS_AT_FIRST: i64 = 22_000;
/// What the server stores between two runs after the first export.
const EVENTS_BETWEEN: i64 = 200;
const ROOMS: i64 = 6;

#[test]
fn a_killed_program_loses_nothing_and_repeats_nothing() {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let seed = std::env::var("CRASH_SEED").map_or_else(|_| now(), |seed| seed.parse().expect("CRASH_SEED is a number"));
    println!("CRASH_SEED={seed}");
    let mut chance = Chance(seed);

    let database = cluster().database("crash", Shape::V1_163);
    database.user("@alice:here.test");
    (0..ROOMS).for_each(|room| database.room(&format!("!{room}:here.test"), "10"));
    let mut stored = EVENTS_AT_FIRST;
    store(&database, 1, stored);
    let whole = duration(&database, TestArchive::new().path());

    let (mut kills, mut torn) = (0, 0);
    let mut first_export = || {
        let archive = TestArchive::new();
        loop {
            let mut child = spawn(&database, archive.path());
            std::thread::sleep(chance.below(whole));
            let killed = kill(&mut child);
            torn += u32::from(is_torn(&archive));
            if !killed {
                assert_eq!(archive.lines().len().to_string(), stored.to_string());
                return archive;
            }
            kills += 1;
        }
    };
    (1..ARCHIVES).for_each(|_| drop(first_export()));
    let archive = first_export();
    let of_the_first = kills;
    let more = duration(&database, archive.path());

    let patience = Instant::now() + Duration::from_mins(5);
    while kills < KILLS {
        assert!(Instant::now() < patience, "in five minutes only {kills} runs could be killed");
        store(&database, stored + 1, stored + EVENTS_BETWEEN);
        stored += EVENTS_BETWEEN;
        let (file, before) = grown(archive.path(), stored);
        let mut child = spawn(&database, archive.path());
        if chance.below(Duration::from_secs(2)) < Duration::from_secs(1) {
            std::thread::sleep(chance.below(more * 2));
        } else {
            // In the middle of a commit, when the first lines of the batch are there.
            while grown(archive.path(), stored) == (file.clone(), before) && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_micros(50));
            }
            std::thread::sleep(chance.below(Duration::from_millis(3)));
        }
        kills += u32::from(kill(&mut child));
        torn += u32::from(is_torn(&archive));
    }

    duration(&database, archive.path());
    let lines = archive.lines();
    println!("{of_the_first} kills in the first export, {kills} in all, {torn} in a batch; {stored} events");
    assert!(torn > 0, "no kill came between the start and the end of a batch");
    let pdus = database.query_one_text("select string_agg(event_id || ' ' || json, E'\\n') from event_json");
    let pdus: BTreeMap<&str, &str> = pdus.lines().map(|row| row.split_once(' ').unwrap()).collect();
    assert_eq!(pdus.len().to_string(), stored.to_string());
    assert_eq!(lines.len(), pdus.len());
    for (event_id, pdu) in pdus {
        let text = &lines.get(event_id).unwrap_or_else(|| panic!("{event_id} is missing")).text;
        assert!(text.ends_with(&pdu[1..]), "the PDU is altered: {text}");
    }
    assert_eq!(archive.one("select count(distinct event_id) = count(*) from event"), "1");
    assert_eq!(archive.one("select sum(live) from run"), stored.to_string());
}

/// Stores events of all rooms, in turn; 3,000 make a day.
fn store(database: &Database, first: i64, last: i64) {
    database.execute(&format!(
        "insert into events (stream_ordering, topological_ordering, event_id, type, room_id, processed, outlier, \
                             origin_server_ts, received_ts, sender) \
         select i, i, '$' || i, 'm.room.message', '!' || i % {ROOMS} || ':here.test', true, false, \
                1795305600000 + i * 28800, 1795305600000 + i * 28800, '@alice:here.test' \
           from generate_series({first}, {last}) i; \
         insert into event_json (event_id, room_id, internal_metadata, json, format_version) \
         select event_id, room_id, '{{}}', '{{\"content\":{{\"body\":\"' || repeat(md5(event_id), 20) || '\"}}}}', 3 \
           from events where stream_ordering between {first} and {last}"
    ));
}

/// The file that an event is for, and its length.
fn grown(archive: &Path, event: i64) -> (PathBuf, u64) {
    let day = chrono::DateTime::from_timestamp_millis(1_795_305_600_000 + event * 28_800).expect("a day of 2026");
    let day = day.format("%Y-%m-%d");
    let path = archive.join(format!("rooms/{}@here.test/{day}.jsonl", event % ROOMS));
    let length = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
    (path, length)
}

fn spawn(database: &Database, archive: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_synapse-export"))
        .args(["export", "--quiet", "--database", &database.dsn(), "--archive"])
        .arg(archive)
        .env_clear()
        .stdin(Stdio::null())
        .spawn()
        .expect("it was built")
}

/// Whether the program was still there to be killed; if it ended before, it did so in order.
fn kill(child: &mut Child) -> bool {
    child.kill().expect("it is a child");
    let status = child.wait().expect("it is a child");
    assert!(matches!(status.code(), None | Some(0)), "a run after a kill failed: {status}");
    status.code().is_none()
}

/// How long a run takes that nobody kills.
fn duration(database: &Database, archive: &Path) -> Duration {
    let began = Instant::now();
    let status = spawn(database, archive).wait().expect("it is a child");
    assert!(status.success(), "{status}");
    began.elapsed()
}

/// Whether the archive was left in the middle of a batch.
fn is_torn(archive: &TestArchive) -> bool {
    if !archive.path().join("catalog.sqlite").exists() {
        return false;
    }
    let catalog = archive.catalog();
    let count = |sql| catalog.query_row(sql, [], |row| row.get::<_, i64>(0));
    match count("select count(*) from sqlite_schema where name = 'intent'") {
        Ok(1) => {
            // while the first export reads, any file may be longer than the catalog says
            let of_a_batch = count("select count(*) from intent where path <> ''").expect("a count") > 0;
            of_a_batch || archive.is_longer_than_committed()
        }
        Ok(_) => false,
        // within the catalog's own commit
        Err(error) => {
            let journal = error.sqlite_error().map(|error| error.extended_code);
            assert_eq!(journal, Some(rusqlite::ffi::SQLITE_READONLY_ROLLBACK), "{error}");
            true
        }
    }
}

/// Numbers that look like chance, the same for the same seed (`SplitMix64`).
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let nanoseconds = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX).max(1);
        Duration::from_nanos((z ^ (z >> 31)) % nanoseconds)
    }
}
