use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rusqlite::types::Value as Cell;

use super::*;
use crate::archive::RunOutcome;
use crate::archive::{Advance, Archive, Batch, Opening, Selection};
use crate::event::tests::stored;
use crate::event::{BanRedaction, Event, EventId, RoomId, Stored, UserId};
use crate::stream::{Gap, Gaps, Position, Scope, Stream, Watermark};

const DAY: i64 = 24 * 60 * 60 * 1000;
const START: i64 = 1_795_348_800_000;
const ROOM: &str = "!r:x";
const FILE: &str = "rooms/r@x/2026-11-22.jsonl";

/// What a catalog says, by table, but for what a new one cannot know: which run read what, and what is rendered. `state` says how
/// it is kept, not what.
fn catalog(archive: &Path) -> BTreeMap<String, Vec<String>> {
    let catalog = Catalog::open_to_read(archive).unwrap();
    let texts = |sql: &str| -> Vec<String> {
        let mut statement = catalog.connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let mut found = BTreeMap::new();
    // numbers are given in the order in which things come: what they stand for is compared
    let tables = "select name from sqlite_schema where type = 'table'
                     and name not in ('state', 'archive', 'stale', 'borrowed', 'rendering', 'line', 'relation', 'said', 'user', 'type')
                   union all select 'event'";
    for table in texts(tables) {
        let others: &[&str] = match &*table {
            "event" => &["run", "line"],
            "file" => &["file", "run", "messages"],
            "room" => {
                &["room", "name", "aliases", "type", "encrypted", "messages", "alike", "by_name", "link", "dirty"]
            }
            "membership" | "room_state" => &["redacted", "given", "looks"],
            _ => &[],
        };
        let columns = texts(&format!("select name from pragma_table_xinfo('{table}')"));
        let columns: Vec<&str> = columns
            .iter()
            .map(|it| &**it)
            .filter(|it| !others.contains(it))
            .map(|it| if it == "room" { "(select room_id from room where room = t.room)" } else { it })
            .collect();
        let rest = if table == "run" { " where outcome <> 'rebuilt'" } else { "" };
        let sql = format!("select {} from {table} t{rest}", columns.join(", "));
        let mut statement = catalog.connection.prepare(&sql).unwrap();
        let row = |row: &rusqlite::Row<'_>| {
            (0..columns.len()).map(|at| row.get::<_, Cell>(at)).collect::<Result<Vec<_>, _>>()
        };
        let rows = statement.query_map([], row).unwrap();
        let mut rows: Vec<String> = rows.map(|row| format!("{:?}", row.unwrap())).collect();
        rows.sort();
        found.insert(table, rows);
    }
    found
}

fn differences(one: &BTreeMap<String, Vec<String>>, other: &BTreeMap<String, Vec<String>>) -> String {
    let differing = one.iter().filter(|(table, rows)| other.get(*table) != Some(rows));
    let told = differing.map(|(table, rows)| format!("{table}\n  {rows:#?}\n  {:#?}\n", other.get(table)));
    told.collect::<Vec<_>>().concat()
}

fn lose_catalog(archive: &Path) {
    for name in ["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"] {
        let _ = fs::remove_file(archive.join(name));
    }
}

fn state(archive: &Path) -> String {
    fs::read_to_string(archive.join(NAME)).unwrap()
}

fn event<'a>(event_id: &'a str, json: &'a str, of: impl FnOnce(Stored<'a>) -> Stored<'a>) -> Box<Event> {
    Box::new(Event::from_stored(&of(Stored { event_id: EventId::of(event_id), ..stored(Some(json)) })))
}

fn message(event_id: &str, ts: i64) -> Box<Event> {
    let json =
        format!(r#"{{"type":"m.room.message","sender":"@a:x","content":{{"body":"hi"}},"origin_server_ts":{ts}}}"#);
    event(event_id, &json, |stored| Stored { origin_server_ts: Some(ts), ..stored })
}

fn advance(scope: Scope, stream: Stream, position: u64, gaps: &[(u64, u64)]) -> Advance {
    let gap = |&(first, last)| Gap { first: Position(first), last: Position(last), clock: START };
    Advance {
        scope,
        stream,
        watermark: Some(Watermark { position: Position(position), anchor: Some((Position(1), "$1".to_owned())) }),
        gaps: Some(gaps.iter().map(gap).collect::<Gaps>()),
    }
}

fn outlier(event_id: &str, kind: &'static str, state_key: &'static str, content: &str) -> Event {
    let json = format!(
        r#"{{"type":"{kind}","state_key":"{state_key}","sender":"@b:y","content":{content},"origin_server_ts":{START}}}"#
    );
    let of =
        |stored| Stored { kind, state_key: Some(state_key), sender: Some(UserId::of("@b:y")), outlier: true, ..stored };
    Event::from_stored(&of(Stored { event_id: EventId::of(event_id), ..stored(Some(&json)) }))
}

const STICKY: &str = r#"{"type":"m.room.message","sender":"@a:x","content":{},"msc4354_sticky":{"duration_ms":3600000},"origin_server_ts":1795348800000}"#;

/// What a first export and a later one leave behind, with all that is in no line.
fn eventful(directory: &Path) -> Archive {
    let mut archive = Archive::open(directory, None).unwrap();
    archive.belong_to("x").unwrap();
    let selection = Selection { exclude: [RoomId::of("!not:x").owned()].into(), ..Selection::default() };
    let run = archive.begin_run(&selection, &[(Stream::Live, Some(Position(9))), (Stream::Backfill, None)]).unwrap();
    archive.rejudged_up_to(7).unwrap();
    let mut batch = Batch::default();
    batch.push(message("$1", START), false);
    batch.push(message("$2", START + DAY), false);
    batch.push_state(outlier("$o1", "m.room.member", "@b:y", r#"{"membership":"join","displayname":"Bea"}"#));
    batch.push_state(outlier("$o2", "m.room.name", "", r#"{"name":"where \"it\" is"}"#));
    batch.advance(advance(Scope::Server, Stream::Live, 9, &[(3, 4), (6, 6)]));
    archive.commit(run, [batch]).unwrap();
    archive.index().unwrap();
    archive.end_run(run, RunOutcome::Stopped, None, 2).unwrap();

    let run = archive.begin_run(&selection, &[]).unwrap();
    archive.end_first_export().unwrap();
    let mut batch = Batch::default();
    let redaction =
        r#"{"type":"m.room.redaction","sender":"@a:x","content":{},"redacts":"$1","origin_server_ts":1795348800000}"#;
    let recheck = |stored| Stored {
        kind: "m.room.redaction",
        internal_metadata: Some(r#"{"recheck_redaction":true}"#),
        redacts: Some(EventId::of("$1")),
        ..stored
    };
    batch.push(event("$redaction", redaction, recheck), false);
    batch.push(event("$within", redaction, |stored| Stored { internal_metadata: None, ..recheck(stored) }), false);
    batch.push(
        event("$elsewhere", redaction, |stored| Stored { sender: Some(UserId::of("@c:z")), ..recheck(stored) }),
        false,
    );
    batch.push(
        event("$broken", "no JSON", |stored| Stored { kind: "m.room.topic", state_key: Some(""), ..stored }),
        false,
    );
    let soft_failed = |stored| Stored { internal_metadata: Some(r#"{"soft_failed":true}"#), ..stored };
    batch.push(event("$sticky", STICKY, soft_failed), false);
    batch.push(event("$accepted", STICKY, soft_failed), false);
    batch.push(event("$expired", STICKY, soft_failed), false);
    let mut twice = message("$twice", START);
    twice.duplicate = true;
    batch.push(twice, false);
    let member = r#"{"type":"m.room.member","state_key":"@m:x","sender":"@m:x","content":{"membership":"join","displayname":"Mo"},"origin_server_ts":1795348800000}"#;
    let of_member =
        |stored| Stored { kind: "m.room.member", state_key: Some("@m:x"), sender: Some(UserId::of("@m:x")), ..stored };
    batch.push(event("$member", member, of_member), false);
    batch.push(Box::new(Event::from_stored(&Stored { event_id: EventId::of("$waits"), ..stored(None) })), false);
    batch.push_state(outlier("$o3", "m.room.member", "@d:y", r#"{"membership":"join","displayname":"Dee"}"#));
    let ban = r#"{"type":"m.room.member","state_key":"@d:y","sender":"@a:x","content":{"membership":"ban"},"origin_server_ts":1795348900000}"#;
    batch.push(event("$ban", ban, |stored| Stored { kind: "m.room.member", state_key: Some("@d:y"), ..stored }), false);
    batch.push(
        event(
            "$said",
            &message("$said", START).line.replace("@a:x", "@d:y").replace("\"synapse\"", "\"s\""),
            |stored| Stored { sender: Some(UserId::of("@d:y")), ..stored },
        ),
        false,
    );
    batch.advance(advance(Scope::Server, Stream::Live, 20, &[(6, 6), (11, 15)]));
    batch.advance(advance(Scope::Server, Stream::Backfill, 3, &[]));
    batch.advance(advance(Scope::of_key("!other:x"), Stream::Live, 5, &[(1, 2)]));
    archive.commit(run, [batch]).unwrap();
    let of = |user_id: &str| BanRedaction {
        room_id: RoomId::of(ROOM).owned(),
        user_id: UserId::of(user_id).owned(),
        event_id: EventId::of("$ban").owned(),
        until: Some(99),
    };
    archive.redact_banned(&[of("@d:y")]).unwrap();
    // judged anew
    let mut batch = Batch::default();
    batch.push(event("$accepted", STICKY, |stored| stored), false);
    batch.push(event("$member", member, |stored| Stored { rejected: true, ..of_member(stored) }), false);
    archive.commit(run, [batch]).unwrap();
    archive.rejudged_up_to(8).unwrap();
    let writing = archive.catalog.write().unwrap();
    writing.0.execute("delete from sticky where event_id = '$expired'", []).unwrap();
    writing.commit().unwrap();
    archive.end_run(run, RunOutcome::Done, None, 3).unwrap();
    archive.show_redacted(true).unwrap();
    archive
}

#[test]
fn a_lost_catalog_is_as_it_was() {
    let place = tempfile::tempdir().unwrap();
    drop(eventful(place.path()));
    let before = catalog(place.path());
    for table in
        ["watermark", "gap", "left_out", "selection", "setting", "sticky", "waiting", "duplicate", "ban_redaction"]
    {
        assert!(!before[table].is_empty(), "{table} is not tried");
    }
    for (table, part) in [("beyond_line", "$accepted"), ("membership", "$o1"), ("room_state", "$o2"), ("rejudged", "8")]
    {
        assert!(before[table].iter().any(|row| row.contains(part)), "{table}: {:?}", before[table]);
    }
    lose_catalog(place.path());
    let archive = Archive::open(place.path(), None).unwrap();
    assert_eq!((archive.lost(), archive.catalog().events().unwrap()), (0, 13));
    drop(archive);
    let after = catalog(place.path());
    assert_eq!(after, before, "{}", differences(&after, &before));
    // once more, from what was written anew
    lose_catalog(place.path());
    drop(Archive::open(place.path(), None).unwrap());
    let after = catalog(place.path());
    assert_eq!(after, before, "{}", differences(&after, &before));
    // and where there is one
    drop(Archive::rebuild(place.path(), Opening::default()).unwrap());
    let after = catalog(place.path());
    assert_eq!(after, before, "{}", differences(&after, &before));
}

#[test]
fn a_state_that_is_not_as_the_catalog_remembers_it_is_written_anew() {
    let place = tempfile::tempdir().unwrap();
    drop(eventful(place.path()));
    let path = place.path().join(NAME);
    let before = catalog(place.path());
    let whole = fs::read(&path).unwrap();
    let of_another = {
        let other = tempfile::tempdir().unwrap();
        drop(eventful(other.path()));
        fs::read(other.path().join(NAME)).unwrap()
    };
    let mut longer = whole.clone();
    longer.extend_from_slice(b"{}\n");
    for spoiled in [None, Some(&whole[..whole.len() - 1]), Some(&longer), Some(&of_another), Some(&whole[..0])] {
        fs::remove_file(&path).unwrap();
        spoiled.map_or(Ok(()), |bytes| fs::write(&path, bytes)).unwrap();
        drop(Archive::open(place.path(), None).unwrap());
        let written = fs::read(&path).unwrap();
        assert_ne!(spoiled, Some(&*written));
        lose_catalog(place.path());
        drop(Archive::open(place.path(), None).unwrap());
        let after = catalog(place.path());
        assert_eq!(after, before, "{}", differences(&after, &before));
    }
    assert!(!durable::names(place.path(), "").unwrap().iter().any(|name| name.starts_with(NEW)));
}

#[test]
fn what_never_reached_the_disk_is_seen() {
    let place = tempfile::tempdir().unwrap();
    let mut archive = eventful(place.path());
    let run = archive.begin_run(&Selection::default(), &[]).unwrap();
    archive.catalog.sync_state().unwrap();
    let synced = state(place.path()).len();
    let mut batch = Batch::default();
    batch.push(message("$last", START), false);
    archive.commit(run, [batch]).unwrap();
    drop(archive);
    let path = place.path().join(NAME);
    let mut bytes = fs::read(&path).unwrap();
    assert!(bytes.len() > synced);
    bytes[synced..].fill(0);
    fs::write(&path, &bytes).unwrap();
    drop(Archive::open(place.path(), None).unwrap());
    assert!(state(place.path()).contains("2026-11-22") && !state(place.path()).contains('\0'));
    // what has reached it is not read once more
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(&path, &bytes).unwrap();
    drop(Archive::open(place.path(), None).unwrap());
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn nothing_new_adds_a_run_and_no_more() {
    let place = tempfile::tempdir().unwrap();
    drop(eventful(place.path()));
    let before = state(place.path());
    let mut archive = Archive::open(place.path(), None).unwrap();
    assert_eq!(state(place.path()), before);
    let selection = archive.catalog().selection().unwrap();
    let run = archive.begin_run(&selection, &[]).unwrap();
    archive.end_run(run, RunOutcome::Done, None, 0).unwrap();
    drop(archive);
    let after = state(place.path());
    let added = after.strip_prefix(&before).unwrap();
    assert!(added.lines().all(|line| line.contains(r#""set":"run""#) || line.contains(r#""end":true"#)), "{added}");
}

#[test]
fn a_state_that_lags_loses_no_event() {
    let place = tempfile::tempdir().unwrap();
    let mut archive = eventful(place.path());
    let lagging = fs::read(place.path().join(NAME)).unwrap();
    let run = archive.begin_run(&Selection::default(), &[]).unwrap();
    let mut batch = Batch::default();
    batch.push(message("$new", START), false);
    batch.push(message("$waits", START), false);
    batch.push(
        event("$watched", &STICKY.replace("\"sender\"", "\"x\":1,\"sender\""), |stored| Stored {
            internal_metadata: Some(r#"{"soft_failed":true}"#),
            ..stored
        }),
        false,
    );
    batch.advance(advance(Scope::Server, Stream::Live, 30, &[]));
    archive.commit(run, [batch]).unwrap();
    drop(archive);
    let newer = catalog(place.path());
    fs::write(place.path().join(NAME), lagging).unwrap();
    lose_catalog(place.path());
    let archive = Archive::open(place.path(), None).unwrap();
    assert_eq!(archive.lost(), 0);
    assert_eq!(archive.catalog().watermark(&Scope::Server, Stream::Live).unwrap().unwrap().position, Position(20));
    assert_eq!(archive.catalog().selection().unwrap().exclude.len(), 1);
    drop(archive);
    let after = catalog(place.path());
    for table in ["event", "file", "waiting", "sticky", "membership", "room_state", "beyond_line"] {
        assert_eq!(after[table], newer[table], "{table}");
    }
}

#[test]
fn where_lines_are_lost_everything_is_read_again() {
    type Deed = fn(&Path);
    let cut: Deed = |path| {
        let text = fs::read_to_string(path).unwrap();
        fs::write(path, &text[..=text.trim_end().rfind('\n').unwrap()]).unwrap();
    };
    let deeds: [(Deed, usize); 3] = [
        (|path| fs::remove_file(path).unwrap(), 1),
        (cut, 1),
        (|path| fs::remove_dir_all(path.parent().unwrap()).unwrap(), 2),
    ];
    for (deed, lost) in deeds {
        for by_hand in [false, true] {
            let place = tempfile::tempdir().unwrap();
            drop(eventful(place.path()));
            deed(&place.path().join(FILE));
            let archive = if by_hand {
                lose_catalog(place.path());
                Archive::open(place.path(), None)
            } else {
                assert!(matches!(Archive::open(place.path(), None), Err(Error::Changed { .. })));
                Archive::rebuild(place.path(), Opening::default())
            };
            let archive = archive.unwrap();
            assert_eq!(archive.lost(), lost as u64);
            let catalog = archive.catalog();
            for stream in Stream::ALL {
                assert_eq!(catalog.watermark(&Scope::Server, stream).unwrap(), None);
                assert!(catalog.gaps(&Scope::Server, stream).unwrap().is_empty());
            }
            assert!(
                catalog.watermark(&Scope::of_key("!other:x"), Stream::Live).unwrap().is_some(),
                "another room's is read as before"
            );
            assert!(catalog.is_indexed().unwrap());
            drop(archive);
            assert_eq!(Archive::open(place.path(), None).unwrap().lost(), 0);
        }
    }
}

#[test]
fn what_is_promised_is_kept_through_a_first_export() {
    let place = tempfile::tempdir().unwrap();
    let selection =
        Selection { include: [RoomId::of(ROOM).owned()].into(), exclude: [RoomId::of("!not:x").owned()].into() };
    let mut archive = Archive::open(place.path(), None).unwrap();
    archive.belong_to("x").unwrap();
    archive.show_redacted(true).unwrap();
    let run = archive.begin_run(&selection, &[(Stream::Live, Some(Position(9)))]).unwrap();
    let following = archive.catalog.state.as_ref().unwrap();
    assert_eq!(following.synced, following.bytes, "it is on the disk before anything is read");
    assert!(state(place.path()).contains("!not:x"));
    let mut batch = Batch::default();
    batch.push(message("$1", START), false);
    batch.advance(advance(Scope::of_key(ROOM), Stream::Live, 9, &[]));
    archive.commit(run, [batch]).unwrap();
    assert!(!state(place.path()).contains("watermark"));
    drop(archive);
    lose_catalog(place.path());
    let archive = Archive::open(place.path(), None).unwrap();
    let catalog = archive.catalog();
    assert_eq!(catalog.selection().unwrap(), selection);
    assert_eq!(catalog.server().unwrap().as_deref(), Some("x"));
    assert!(catalog.shows_redacted().unwrap() && catalog.has_event(EventId::of("$1")).unwrap());
    assert_eq!(catalog.watermark(&Scope::of_key(ROOM), Stream::Live).unwrap(), None);
}

#[test]
fn what_an_earlier_version_has_written_down_is_taken_over() {
    let place = tempfile::tempdir().unwrap();
    let selection = Selection { include: [RoomId::of(ROOM).owned()].into(), ..Selection::default() };
    fs::write(place.path().join(SELECTION), serde_json::to_string(&selection).unwrap()).unwrap();
    drop(Archive::open(place.path(), None).unwrap());
    assert!(!place.path().join(SELECTION).exists());
    lose_catalog(place.path());
    assert_eq!(Archive::open(place.path(), None).unwrap().catalog().selection().unwrap(), selection);
}

#[test]
fn one_that_has_grown_is_written_anew() {
    let place = tempfile::tempdir().unwrap();
    let mut archive = eventful(place.path());
    let run = archive.begin_run(&Selection::default(), &[]).unwrap();
    for last in 0..8 {
        let gaps: Vec<(u64, u64)> = (0..10_000).map(|at| (3 * at + 1, 3 * at + 1 + last % 2)).collect();
        let mut batch = Batch::default();
        batch.advance(advance(Scope::Server, Stream::Live, 40_000, &gaps));
        archive.commit(run, [batch]).unwrap();
    }
    let mut batch = Batch::default();
    batch.advance(advance(Scope::Server, Stream::Live, 40_000, &[]));
    archive.commit(run, [batch]).unwrap();
    let grown = state(place.path()).len();
    drop(archive);
    let before = catalog(place.path());
    drop(Archive::open(place.path(), None).unwrap());
    assert!(state(place.path()).len() * 10 < grown);
    lose_catalog(place.path());
    drop(Archive::open(place.path(), None).unwrap());
    assert_eq!(catalog(place.path()), before);
}

#[test]
fn a_state_of_a_newer_format_is_left_alone() {
    let place = tempfile::tempdir().unwrap();
    drop(eventful(place.path()));
    let mut lines = Vec::new();
    record::push(&mut lines, &serde_json::Map::from_iter([("format".to_owned(), 2.into())])).unwrap();
    fs::write(place.path().join(NAME), &lines).unwrap();
    lose_catalog(place.path());
    assert!(matches!(Archive::open(place.path(), None), Err(Error::NewerState(2))));
    assert_eq!(fs::read(place.path().join(NAME)).unwrap(), lines);
}

#[test]
fn whichever_step_is_the_last_the_old_catalog_is_there_or_the_new_one() {
    let place = tempfile::tempdir().unwrap();
    drop(eventful(place.path()));
    let before = catalog(place.path());
    for is_lost in [false, true] {
        for at in 0.. {
            if is_lost {
                lose_catalog(place.path());
            }
            let mut steps = 0;
            let hook = move |_| {
                steps += 1;
                if steps > at { Err(io::Error::other("gone")) } else { Ok(()) }
            };
            let opening = Opening { hook: Some(Box::new(hook)), ..Opening::default() };
            let made = Archive::rebuild(place.path(), opening);
            let is_done = made.is_ok();
            drop(made);
            if !is_lost {
                // also for who only looks
                Catalog::open_to_read(place.path()).unwrap();
            }
            drop(Archive::open(place.path(), None).unwrap());
            assert!(!place.path().join(".catalog.sqlite.new").exists());
            let after = catalog(place.path());
            assert_eq!(after, before, "{at}: {}", differences(&after, &before));
            if is_done {
                assert!(at > 5, "{at}");
                break;
            }
        }
    }
    // who is killed when the old one is gone leaves the new one, whole
    fs::rename(place.path().join("catalog.sqlite"), place.path().join(".catalog.sqlite.new")).unwrap();
    fs::write(place.path().join("catalog.sqlite-wal"), "of the old one").unwrap();
    let runs = |archive: &Archive| archive.catalog().last_run().unwrap().unwrap().run;
    let archive = Archive::open(place.path(), None).unwrap();
    let run = runs(&archive);
    drop(archive);
    assert_eq!(catalog(place.path()), before);
    assert!(run > 0 && !place.path().join(".catalog.sqlite.new").exists());
}

#[test]
fn what_changes_in_two_tables_at_once_is_noted_once() {
    let place = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(place.path(), None).unwrap();
    let json =
        r#"{"type":"m.room.redaction","sender":"@a:x","content":{},"redacts":"$1","origin_server_ts":1795348800000}"#;
    for (nth, metadata) in [r#"{"soft_failed":true}"#, r#"{"recheck_redaction":true}"#].into_iter().enumerate() {
        let run = archive.begin_run(&Selection::default(), &[]).unwrap();
        archive.index().unwrap();
        let mut batch = Batch::default();
        let of = |stored| Stored { kind: "m.room.redaction", internal_metadata: Some(metadata), ..stored };
        batch.push(event("$redaction", json, of), false);
        let known = archive.commit(run, [batch]).unwrap().counts.known;
        assert_eq!(known, nth as u64);
        archive.end_run(run, RunOutcome::Done, None, 1).unwrap();
    }
    let accepted = r#""set":"event","soft_failed":0"#;
    assert_eq!(state(place.path()).matches(accepted).count(), 1, "{}", state(place.path()));
}
