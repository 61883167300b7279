//! Compressed days: every command does as with plain ones, wherever something is cut off, and all of it comes back as it was.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command as Program;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use support::archive::{TestArchive, entries};
use support::ended::{Ended, command, ended};
use support::story::{EventRow, ROOM};
use support::{Database, Shape, cluster};
use synapse_export::archive::{Archive, Hook, Request, Step, What};
use synapse_export::event::UserId;

const OTHER: &str = "!other:here.test";
const DAY: i64 = 86_400_000;
/// How many messages there are at first, some of them so long that a day takes several frames.
const EVENTS: i64 = 300;

fn run(archive: &TestArchive, arguments: &[&str]) -> Ended {
    ended(command().args(arguments).arg("--archive").arg(archive.path()))
}

fn export(database: &Database, archive: &TestArchive) {
    run(archive, &["export", "--database", &database.dsn()]).with(0);
}

/// A message on one of three days, with more to say than repeats itself.
fn message(id: i64, room_id: &str) -> EventRow {
    let mut number = id.unsigned_abs();
    let mut word = || {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{:x}", number >> 16)
    };
    let words = if id % 40 == 0 { 1500 } else { 20 };
    let body: Vec<String> = (0..words).map(|_| word()).collect();
    let row = EventRow::message(id, &format!("word{} {}", id.unsigned_abs(), body.join(" ")));
    EventRow { ts: row.ts.map(|ts| ts + id.rem_euclid(3) * DAY), ..row.within(room_id) }
}

fn server() -> Database {
    let database = cluster().database("compact", Shape::V1_163);
    database.user("@alice:here.test");
    database.room(ROOM, "10");
    database.room(OTHER, "10");
    database.event(EventRow::state(1, "m.room.name", "", &json!({"name": "lobby"})));
    (2..EVENTS).for_each(|id| database.event(message(id, if id % 7 == 0 { OTHER } else { ROOM })));
    database.event(EventRow { ts: None, ..message(EVENTS, ROOM) });
    database
}

/// What comes later, for days that are past: new events, backfilled ones, and a redaction.
fn later(database: &Database, from: i64) {
    (from..from + 6).for_each(|id| database.event(message(id, ROOM)));
    database.event(message(-from, OTHER));
    database.redaction(&format!("${}", from - 9), EventRow { content: "{}".to_owned(), ..EventRow::at(from + 6) });
}

/// The files of lines by their names.
fn files(archive: &TestArchive) -> BTreeSet<String> {
    let rooms = archive.path().join("rooms");
    let of = |room: String| {
        entries(&rooms.join(&room))
            .into_iter()
            .filter(|name| name.contains(".jsonl"))
            .map(move |name| format!("{room}/{name}"))
    };
    entries(&rooms).into_iter().flat_map(of).collect()
}

/// Every day but that of undated events is compressed, and there is nothing else of it.
#[track_caller]
fn is_compressed(archive: &TestArchive) {
    for file in files(archive) {
        assert_eq!(file.contains(".jsonl.zst"), !file.contains("undated"), "{:?}", files(archive));
    }
}

/// The bytes of each file in the archive's directory that does not have to do with how lines are kept.
fn kept(archive: &TestArchive) -> [Vec<u8>; 2] {
    ["chain.jsonl", "state.jsonl"].map(|name| fs::read(archive.path().join(name)).expect("it is there"))
}

/// Nothing is off but that the events of these tests prove nothing.
#[track_caller]
fn verify(archive: &TestArchive) {
    let found = run(archive, &["verify", "--json"]);
    let json: Value = serde_json::from_str(&found.stdout).unwrap_or_else(|error| panic!("{error}: {found:?}"));
    let off: Vec<&String> = json["off"].as_object().expect("it is one").keys().collect();
    assert_eq!(off, ["event"], "{found:?}");
}

/// What the lines have been found to be: each file's digest.
fn digests(archive: &TestArchive) -> String {
    verify(archive);
    archive.one("select group_concat(file || ' ' || digest) from (select * from judged order by file)")
}

/// What `show` says, but for when the two archives were verified, one after the other.
fn without_times(said: &str) -> String {
    let mut parts = said.split("verified");
    let mut rest = parts.next().expect("there is one").to_owned();
    for part in parts {
        let (time, after) = part.split_once('Z').expect("a time ends so");
        assert!(time.len() < 30, "{time}");
        rest += after;
    }
    rest
}

#[test]
fn every_command_does_as_with_plain_days() {
    let (database, plain, archive) = (server(), TestArchive::new(), TestArchive::new());
    export(&database, &plain);
    export(&database, &archive);
    for both in [&plain, &archive] {
        run(both, &["render", "--html"]).with(0);
    }
    let before = kept(&archive);
    run(&archive, &["compact", "--older-than", "2026-11-23"]).with(0);
    let compressed = files(&archive).iter().filter(|file| file.contains(".zst")).cloned().collect::<Vec<_>>();
    assert!(compressed.len() == 2 && compressed.iter().all(|file| file.contains("2026-11-22")), "{compressed:?}");
    // and what is not past never is, whatever is asked for
    assert!(run(&archive, &["compact", "--older-than", "0d"]).with(0).stderr.contains("compressed 4 room-days"));
    is_compressed(&archive);
    assert_eq!(kept(&archive), before, "neither the chain nor the state have to do with it");
    assert!(run(&archive, &["compact", "--older-than", "0d"]).with(0).stderr.contains("compressed 0 room-days"));

    for round in 0..4 {
        assert_eq!(archive.lines(), plain.lines(), "{round}");
        assert_eq!(digests(&archive), digests(&plain), "{round}");
        for asked in
            [&["show", "$40"][..], &["show", "$41", "--raw"], &["show", "$42", "--json"], &["search", "word43"]]
        {
            let [there, here] = [&plain, &archive].map(|archive| without_times(&run(archive, asked).with(0).stdout));
            assert!(!here.is_empty() && here == there, "{asked:?}: {here} {there}");
        }
        for both in [&plain, &archive] {
            run(both, &["render", "--all"]).with(0);
        }
        assert!(archive.transcripts() == plain.transcripts(), "{round}");
        let doctor = run(&archive, &["doctor", "--json", "--database", &database.dsn()]).stdout;
        assert!(!doctor.contains("made these") && doctor.contains("as long as its catalog says"), "{doctor}");
        match round {
            // late arrivals come to the days that are compressed
            0 | 2 => {
                later(&database, EVENTS + 1 + round * 10);
                export(&database, &plain);
                export(&database, &archive);
                is_compressed(&archive);
            }
            // a lost catalog is made anew of them
            1 => {
                for both in [&plain, &archive] {
                    fs::remove_file(both.path().join("catalog.sqlite")).unwrap();
                    run(both, &["rebuild"]).with(0);
                }
                is_compressed(&archive);
            }
            _ => {}
        }
    }
    let parquet = |archive: &TestArchive| {
        let lake = tempfile::tempdir().unwrap();
        let place = format!("parquet:{}", lake.path().display());
        run(archive, &["output", "add", "lake", &place, "--with-erased"]).with(0);
        run(archive, &["output", "run"]).with(0);
        let days = lake.path().join("events");
        let bytes = |day: String| (fs::read(days.join(&day).join("part-0.parquet")).unwrap(), day);
        entries(&days).into_iter().map(bytes).collect::<Vec<_>>()
    };
    assert!(parquet(&archive) == parquet(&plain));
    assert!(run(&archive, &["compact", "--expand"]).with(0).stderr.contains("expanded 6 room-days"));
    assert_eq!(files(&archive), files(&plain));
    for file in files(&plain) {
        let [here, there] =
            [&archive, &plain].map(|archive| fs::read(archive.path().join("rooms").join(&file)).unwrap());
        assert!(here == there, "{file}");
    }
}

#[test]
fn what_is_appended_bit_by_bit_is_brought_into_order() {
    let (database, archive) = (server(), TestArchive::new());
    export(&database, &archive);
    run(&archive, &["compact", "--older-than", "0d"]).with(0);
    let day = archive.path().join("rooms/other@here.test/2026-11-23.jsonl.zst");
    let mut sizes = BTreeMap::new();
    for round in 0..12 {
        database.event(EventRow { ts: Some(support::story::NOON + DAY + round), ..message(EVENTS + 1 + round, OTHER) });
        archive.export(&database);
        sizes.insert(round, fs::metadata(&day).unwrap().len());
    }
    let lines = archive.lines();
    assert!(run(&archive, &["compact", "--older-than", "0d"]).with(0).stderr.contains("compressed 1 room-day,"));
    assert!(fs::metadata(&day).unwrap().len() < sizes[&11] && archive.lines() == lines);
    assert!(run(&archive, &["compact", "--older-than", "0d"]).with(0).stderr.contains("compressed 0 room-days"));
}

/// What erases all that a user said.
fn erase(archive: &mut Archive, whole: bool) -> Result<(), synapse_export::archive::Error> {
    let sender = UserId::of("@mallory:here.test").owned();
    let request = Request { what: What::Sender(sender), whole, lasts: true, reason: None };
    archive.select_to_erase(&request, 0, false)?;
    archive.erase_selected(&mut |_, _| true)?;
    synapse_export::views::render(archive, &mut |_, _| true)?;
    archive.leave_no_trace()
}

fn failing_at(at: usize) -> (Hook, Arc<Mutex<Vec<Step>>>) {
    let steps = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&steps);
    let hook = move |step| {
        let mut seen = seen.lock().expect("no hook panics");
        seen.push(step);
        if seen.len() == at + 1 { Err(io::Error::other("gone")) } else { Ok(()) }
    };
    (Box::new(hook), steps)
}

/// A small server on which somebody has said what is to be erased.
fn with_mallory() -> Database {
    let database = cluster().database("compact_small", Shape::V1_163);
    database.user("@alice:here.test");
    database.room(ROOM, "10");
    for id in 1..12 {
        let sender = if id % 4 == 0 { "@mallory:here.test" } else { "@alice:here.test" };
        let row = EventRow::message(id, if id % 4 == 0 { "secretword" } else { "hello" });
        database.event(EventRow { sender: sender.to_owned(), ts: row.ts.map(|ts| ts + id % 2 * DAY), ..row });
    }
    // a day of which nothing is left when it is erased whole
    let row = EventRow::message(12, "secretword");
    database.event(EventRow { sender: "@mallory:here.test".to_owned(), ts: row.ts.map(|ts| ts + 2 * DAY), ..row });
    database
}

fn compact(archive: &mut Archive) -> Result<(), synapse_export::archive::Error> {
    archive.compact(i64::MAX / 1_000_000 * 1_000, &mut |_, _| {}).map(drop)
}

/// Nothing of what is erased is in any file, however it is compressed.
#[track_caller]
fn nowhere(directory: &Path, secret: &[u8]) {
    for entry in fs::read_dir(directory).expect("it can be read") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            nowhere(&path, secret);
        } else if path.is_file() {
            let bytes = fs::read(&path).expect("it can be read");
            let said = if path.extension().is_some_and(|it| it == "zst") {
                zstd::decode_all(&*bytes).expect("it can be read")
            } else {
                bytes
            };
            assert!(!said.windows(secret.len()).any(|part| part == secret), "{}", path.display());
        }
    }
}

/// What is done, whether to an archive whose days are compressed, and how.
type Deed = (&'static str, bool, fn(&mut Archive) -> Result<(), synapse_export::archive::Error>);

#[test]
fn wherever_compressing_expanding_or_erasing_is_cut_off_the_next_run_completes_it() {
    let database = with_mallory();
    let deeds: [Deed; 4] = [
        ("compact", false, compact),
        ("expand", true, |archive| archive.expand(&mut |_, _| {}).map(drop)),
        ("erase", true, |archive| erase(archive, false)),
        ("erase whole", true, |archive| erase(archive, true)),
    ];
    for (what, is_compressed_before, deed) in deeds {
        let begin = || {
            let archive = TestArchive::new();
            archive.export(&database);
            if is_compressed_before {
                compact(&mut Archive::open(archive.path(), None).unwrap()).unwrap();
            }
            archive
        };
        let reference = begin();
        let before = reference.lines();
        deed(&mut Archive::open(reference.path(), None).unwrap()).unwrap();
        let (after, names) = (reference.lines(), files(&reference));
        assert_eq!(after == before, !what.starts_with("erase"));
        let mut steps = 0;
        for at in 0.. {
            let archive = begin();
            let (hook, seen) = failing_at(at);
            let ended = Archive::open(archive.path(), Some(hook)).and_then(|mut archive| deed(&mut archive));
            if ended.is_ok() {
                assert_eq!(seen.lock().unwrap().len(), at);
                break;
            }
            steps += 1;
            if !what.starts_with("erase") {
                // also before it is completed nothing is missing, nor there twice, for who reads them
                verify(&archive);
                if at % 2 == 0 {
                    fs::remove_file(archive.path().join("catalog.sqlite")).unwrap();
                }
            }
            deed(&mut Archive::open(archive.path(), None).unwrap()).unwrap();
            assert_eq!((archive.lines(), files(&archive)), (after.clone(), names.clone()), "{what} {at}");
            if what.starts_with("erase") {
                is_compressed(&archive);
                nowhere(archive.path(), b"secretword");
            }
        }
        assert!(steps >= 6, "{what}: {steps}");
    }
}

#[test]
fn wherever_a_late_arrival_is_cut_off_the_next_export_adds_it_once() {
    let database = with_mallory();
    let begin = || {
        let archive = TestArchive::new();
        archive.export(&database);
        compact(&mut Archive::open(archive.path(), None).unwrap()).unwrap();
        archive
    };
    let mut archives: Vec<TestArchive> = (0..20).map(|_| begin()).collect();
    for id in 20..30 {
        let row = EventRow::message(id, "late");
        database.event(EventRow { ts: row.ts.map(|ts| ts + id % 2 * DAY), ..row });
    }
    let reference = archives.pop().unwrap();
    reference.export(&database);
    is_compressed(&reference);
    let lines = reference.lines();
    for (at, archive) in archives.into_iter().enumerate() {
        let (hook, seen) = failing_at(at);
        let ended = archive.export_hooked(&database, hook);
        let is_last = ended.is_ok();
        assert!(!is_last || seen.lock().unwrap().len() == at);
        if at % 2 == 1 {
            // also where nothing but the files tells what was cut off
            fs::remove_file(archive.path().join("catalog.sqlite")).unwrap();
            let _ = fs::remove_file(archive.path().join("catalog.sqlite-wal"));
        }
        archive.export(&database);
        assert_eq!(archive.lines(), lines, "{at}");
        is_compressed(&archive);
        verify(&archive);
        if is_last {
            assert!(at >= 8, "{at}");
            return;
        }
    }
    panic!("an export has more steps than were tried");
}

#[test]
fn where_a_backup_brought_a_plain_day_back_the_longer_one_counts() {
    let database = with_mallory();
    let archive = TestArchive::new();
    archive.export(&database);
    let day = archive.path().join("rooms/room@here.test/2026-11-22.jsonl");
    let old = fs::read(&day).unwrap();
    compact(&mut Archive::open(archive.path(), None).unwrap()).unwrap();
    database.event(EventRow::message(40, "late"));
    archive.export(&database);
    let lines = archive.lines();
    fs::write(&day, &old).unwrap();
    for way in ["look", "rebuild", "compact", "erase"] {
        fs::write(&day, &old).unwrap();
        match way {
            "rebuild" => drop(run(&archive, &["rebuild"]).with(0)),
            "compact" => drop(run(&archive, &["compact", "--older-than", "0d"]).with(0)),
            "erase" => drop(run(&archive, &["erase", "--sender", "@mallory:here.test", "--yes"]).with(0)),
            _ => {}
        }
        assert_eq!(day.exists(), way == "look", "{way}");
        run(&archive, &["show", "$40"]).with(0);
        verify(&archive);
        if way == "look" {
            fs::remove_file(&day).unwrap();
        }
        if way != "erase" {
            assert_eq!(archive.lines(), lines, "{way}");
        }
    }
    nowhere(archive.path(), b"secretword");
}

#[test]
fn damage_in_a_compressed_day_is_found_and_named() {
    let database = with_mallory();
    let archive = TestArchive::new();
    archive.export(&database);
    compact(&mut Archive::open(archive.path(), None).unwrap()).unwrap();
    let day = archive.path().join("rooms/room@here.test/2026-11-22.jsonl.zst");
    let sound = fs::read(&day).unwrap();
    let by_others = zstd::encode_all(&zstd::decode_all(&*sound).unwrap()[..], 3).unwrap();
    let mut damaged: Vec<Vec<u8>> = vec![by_others, Vec::new(), sound[..sound.len() - 1].to_vec()];
    for at in (0..sound.len()).step_by(7) {
        let mut bytes = sound.clone();
        bytes[at] ^= 0x20;
        damaged.push(bytes);
    }
    for bytes in damaged {
        fs::write(&day, &bytes).unwrap();
        let found = run(&archive, &["verify", "--json"]).with(3).stdout;
        let json: Value = serde_json::from_str(&found).unwrap();
        let is_named =
            |named: &Value| named["kind"] != "event" && named["what"].to_string().contains("2026-11-22.jsonl");
        assert!(json["named"].as_array().unwrap().iter().any(is_named), "{json:#}");
        assert!(fs::read(&day).unwrap() == bytes, "who only looks leaves it be");
    }
    fs::write(&day, &sound).unwrap();
    verify(&archive);
}

#[test]
fn other_programs_read_what_is_compressed() {
    let (database, archive) = (server(), TestArchive::new());
    export(&database, &archive);
    let day = "rooms/room@here.test/2026-11-22.jsonl";
    let lines = fs::read(archive.path().join(day)).unwrap();
    run(&archive, &["compact", "--older-than", "0d"]).with(0);
    later(&database, EVENTS + 1);
    export(&database, &archive);
    let all = Program::new("zstdcat").arg(archive.path().join(format!("{day}.zst"))).output();
    let all = all.expect("zstd, which testdata/prerequisites names, is there").stdout;
    assert!(all.len() > lines.len() && all.starts_with(&lines) && all.ends_with(b"\n"));
    let found = Program::new("zstdgrep").args(["-c", "word3 "]).arg(archive.path().join(format!("{day}.zst"))).output();
    assert_eq!(String::from_utf8(found.unwrap().stdout).unwrap().trim(), "1");
}
