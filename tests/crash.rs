//! The real program, killed in every phase of its runs over a growing server: in the end every event has its one line.
//!
//! It is stopped again and again, looked at, and killed in the phase that is wanted: so no kill hangs on how fast it is.
//! `CRASH_SEED` chooses the moments of looking again.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::Connection;
use rusqlite::ErrorCode::{CannotOpen, DatabaseBusy, FileLockingProtocolFailed, ReadOnly};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use support::archive::{TestArchive, entries};
use support::{Database, Shape, cluster};

/// How many archives are begun; all but the last are given up when the first export is done.
const ARCHIVES: u32 = 2;
/// More than a batch, so that several are committed together.
const EVENTS_AT_FIRST: i64 = 12_000;
/// What the server stores between two runs after the first export.
const EVENTS_BETWEEN: i64 = 200;
const ROOMS: i64 = 6;
/// How long a run goes on between two looks, at most.
const LOOK: Duration = Duration::from_millis(3);
/// How many runs may end before they are seen in the phase that is wanted. A later one is in some for a few milliseconds only.
const ATTEMPTS: usize = 100;

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// There is no catalog, or nothing in it.
    Beginning,
    /// Lines are there, or may be, of a batch that is not committed.
    Appending,
    /// Some indexes are there, others not.
    Indexing,
    /// All is committed, but a transcript is missing or not as the events say.
    Rendering,
    /// Anything else: it reads, or the catalog's own commit is under way.
    Other,
}

/// In the order in which a first export comes to them.
const OF_A_FIRST_EXPORT: [Phase; 8] = [
    Phase::Beginning,
    Phase::Appending,
    Phase::Other,
    Phase::Appending,
    Phase::Indexing,
    Phase::Indexing,
    Phase::Rendering,
    Phase::Rendering,
];
const OF_A_LATER_ONE: [Phase; 3] = [Phase::Appending, Phase::Rendering, Phase::Other];
/// How often each of them.
const ROUNDS: usize = 6;

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

    let mut first_export = || {
        for _ in 0..ATTEMPTS {
            let archive = TestArchive::new();
            if OF_A_FIRST_EXPORT.iter().all(|&phase| kill_in(phase, &database, archive.path(), &mut chance)) {
                run(&database, archive.path());
                assert_eq!(archive.lines().len().to_string(), stored.to_string());
                return archive;
            }
        }
        panic!("no first export was seen in each of {OF_A_FIRST_EXPORT:?}");
    };
    (1..ARCHIVES).for_each(|_| drop(first_export()));
    let archive = first_export();

    for phase in OF_A_LATER_ONE.repeat(ROUNDS) {
        let is_killed = |_| {
            store(&database, stored + 1, stored + EVENTS_BETWEEN);
            stored += EVENTS_BETWEEN;
            kill_in(phase, &database, archive.path(), &mut chance)
        };
        assert!((0..ATTEMPTS).any(is_killed), "no run was seen in {phase:?}");
    }

    run(&database, archive.path());
    let lines = archive.lines();
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
    assert_eq!(archive.one("select count(*) from stale"), "0");
}

/// Begins a run and kills it once it is seen in a phase. False: it came to its end before.
fn kill_in(wanted: Phase, database: &Database, archive: &Path, chance: &mut Chance) -> bool {
    let mut child = spawn(database, archive);
    let process = Pid::from_child(&child);
    let signal = |signal| kill_process(process, signal).expect("it is a child, and not waited for");
    let is_killed = loop {
        std::thread::sleep(chance.below(LOOK));
        signal(Signal::STOP);
        // told of, but left to be waited for
        let options = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(process), options).expect("it is a child").expect("it was waited for");
        if status.exited() {
            break false;
        }
        if phase(archive) == wanted {
            signal(Signal::KILL);
            break true;
        }
        signal(Signal::CONT);
    };
    let status = child.wait().expect("it is a child");
    assert!(is_killed || status.success(), "a run after a kill failed: {status}");
    is_killed
}

/// What a run is doing that stands still, by what can be seen of it.
fn phase(archive: &Path) -> Phase {
    let Ok(catalog) =
        Connection::open_with_flags(archive.join("catalog.sqlite"), rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)
    else {
        return Phase::Beginning;
    };
    // who stands still lets nobody in
    catalog.busy_timeout(Duration::ZERO).expect("it can be set");
    match look(&catalog, archive) {
        Ok(phase) => phase,
        // within the catalog's own commit
        Err(error) => {
            let code = error.sqlite_error_code();
            let is_busy = matches!(code, Some(DatabaseBusy | ReadOnly | CannotOpen | FileLockingProtocolFailed));
            assert!(is_busy, "{error}");
            Phase::Other
        }
    }
}

fn look(catalog: &Connection, archive: &Path) -> rusqlite::Result<Phase> {
    let holds = |sql: &str| catalog.query_row(&format!("select {sql}"), [], |row| row.get::<_, bool>(0));
    let has = |index: &str| holds(&format!("exists (select 1 from sqlite_schema where name = '{index}')"));
    if !has("intent")? {
        return Ok(Phase::Beginning);
    }
    // while the first export reads, any file may be longer than the catalog says
    if holds("exists (select 1 from intent where path <> '')")? || is_longer_than_committed(catalog, archive)? {
        return Ok(Phase::Appending);
    }
    if !has("membership_alike")? {
        return Ok(if has("line_id")? { Phase::Indexing } else { Phase::Other });
    }
    Ok(if holds("exists (select 1 from stale)")? { Phase::Rendering } else { Phase::Other })
}

/// Whether a file of lines is longer than the catalog says.
fn is_longer_than_committed(catalog: &Connection, archive: &Path) -> rusqlite::Result<bool> {
    let mut committed = catalog.prepare(
        "select coalesce((select bytes from file join room using (room)
                          where 'rooms/' || directory || '/' || day || '.jsonl' = ?1), 0)",
    )?;
    for room in entries(&archive.join("rooms")) {
        for file in entries(&archive.join("rooms").join(&room)) {
            let path = format!("rooms/{room}/{file}");
            let Some(_) = file.strip_suffix(".jsonl") else { continue };
            let length = std::fs::metadata(archive.join(&path)).map_or(0, |metadata| metadata.len());
            if committed.query_row([path], |row| row.get::<_, i64>(0))?.unsigned_abs() < length {
                return Ok(true);
            }
        }
    }
    Ok(false)
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
         select event_id, room_id, '{{}}', '{{\"content\":{{\"body\":\"' || repeat(md5(event_id) || ' ', 20) || '\"}}}}', 3 \
           from events where stream_ordering between {first} and {last}"
    ));
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

/// Begins a run that nobody kills.
fn run(database: &Database, archive: &Path) {
    let status = spawn(database, archive).wait().expect("it is a child");
    assert!(status.success(), "{status}");
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
