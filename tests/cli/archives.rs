//! Archives that are not as they were left: held by another, changed, lost in part, or none of ours.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::Path;
use std::process::Command;

use rusqlite::Connection;
use synapse_export::archive::Archive;

use crate::support::archive::{TestArchive, entries};
use crate::support::story::{EventRow, ROOM};
use crate::support::{Shape, cluster};
use crate::{Ended, contents, export, run, server, text};

/// What somebody does to a file.
type Deed = fn(&Path);

fn reset(archive: &Path) -> Ended {
    run(&["watermark", "reset", "--yes", "--archive", text(archive)])
}

#[test]
fn a_second_exporter_is_told_who_is_at_work() {
    let database = server();
    let archive = TestArchive::new();
    export(&database, archive.path(), &[]).with(0);
    database.event(EventRow::at(4));
    let held = Archive::open(archive.path(), None).unwrap();
    let process = format!("process {}", std::process::id());
    export(&database, archive.path(), &[]).with(75).saying(&process);
    reset(archive.path()).with(75).saying(&process);
    // Looking is free.
    run(&["watermark", "show", "--archive", text(archive.path())]).with(0);
    drop(held);
    export(&database, archive.path(), &[]).with(0).saying("1 new event");
    // A lock file without a holder holds nobody up.
    fs::write(archive.path().join(".lock"), "4711\n").unwrap();
    export(&database, archive.path(), &[]).with(0);
}

#[test]
fn a_file_that_is_not_as_it_was_left_is_named_and_nothing_is_changed() {
    let damages: [(&str, Deed); 4] = [
        ("is missing", |file| fs::remove_file(file).unwrap()),
        ("bytes", |file| fs::write(file, &fs::read(file).unwrap()[1..]).unwrap()),
        ("bytes", |file| fs::write(file, "").unwrap()),
        ("bytes", |file| fs::write(file, [&fs::read(file).unwrap()[..], b"{}\n"].concat()).unwrap()),
    ];
    let database = server();
    let complete = TestArchive::new();
    export(&database, complete.path(), &[]).with(0);
    database.event(EventRow::at(4));
    for (found, damage) in damages {
        let archive = TestArchive::new();
        copy(complete.path(), archive.path());
        let file = archive.path().join("rooms/room@here.test/2026-11-22.jsonl");
        damage(&file);
        let before = contents(archive.path());
        for ended in [export(&database, archive.path(), &[]), reset(archive.path())] {
            ended.with(1).saying(text(&file)).saying(found).saying("backup").saying("synapse-export rebuild");
        }
        assert!(contents(archive.path()) == before, "{found}");
    }

    // A file that is there before its first line.
    let archive = TestArchive::new();
    copy(complete.path(), archive.path());
    database.event(EventRow { ts: Some(0), ..EventRow::at(5) });
    let file = archive.path().join("rooms/room@here.test/1970-01-01.jsonl");
    fs::write(&file, "somebody's notes\n").unwrap();
    export(&database, archive.path(), &[]).with(1).saying(text(&file));
    assert_eq!(fs::read_to_string(&file).unwrap(), "somebody's notes\n");
    fs::remove_file(&file).unwrap();
    export(&database, archive.path(), &[]).with(0).saying("2 new events");
    assert_eq!(archive.lines().len(), 7);
}

#[test]
fn a_directory_that_has_other_things_becomes_no_archive() {
    let database = server();
    let place = |names: &[&str]| {
        let archive = TestArchive::new();
        fs::create_dir(archive.path()).unwrap();
        for name in names {
            let path = archive.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            if name.ends_with('/') { fs::create_dir_all(path).unwrap() } else { fs::write(path, "mine").unwrap() }
        }
        archive
    };
    let nobodys = place(&[".hidden", ".DS_Store/", "lost+found/", "@eaDir/", "#recycle/"]);
    export(&database, nobodys.path(), &[]).with(0);
    for (names, told) in [
        (&["letter.txt"][..], "letter.txt is in the way"),
        (&["index.md"], "index.md is in the way"),
        (&["by-name"], "by-name is in the way"),
        (&["rooms/"], "rooms is in the way"),
        (&["rooms/kitchen/plan.jsonl", "rooms/r@x/2026-11-22.jsonl"], "rooms is in the way"),
        (&["1", "2", "3", "4", "5", "6", "7"], "1, 2, 3, 4, 5 and 2 more are in the way"),
    ] {
        let archive = place(names);
        let before = contents(archive.path());
        export(&database, archive.path(), &[]).with(1).saying("not empty").saying(told);
        assert!(contents(archive.path()) == before && !archive.path().join(".lock").exists(), "{names:?}");
    }
    // an archive goes on, whatever is put beside it and whatever it has lost
    let archive = TestArchive::new();
    export(&database, archive.path(), &["--no-markdown"]).with(0);
    fs::write(archive.path().join("letter.txt"), "mine").unwrap();
    export(&database, archive.path(), &["--no-markdown"]).with(0);
    for file in ["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"] {
        fs::remove_file(archive.path().join(file)).ok();
    }
    export(&database, archive.path(), &["--no-markdown"]).with(0);
    // and leaves what is put where it would write
    for (name, told) in [("index.md", "index.md is in the way"), ("by-name", "by-name")] {
        fs::write(archive.path().join(name), "mine").unwrap();
        export(&database, archive.path(), &[]).saying(told).with(1);
        assert_eq!(fs::read_to_string(archive.path().join(name)).unwrap(), "mine");
        fs::remove_file(archive.path().join(name)).unwrap();
    }
    let name = archive.path().join("by-name").join(archive.one("select by_name from room"));
    fs::create_dir(name.parent().unwrap()).unwrap();
    fs::write(&name, "mine").unwrap();
    export(&database, archive.path(), &[]).with(1).saying(&format!("{} is in the way", text(&name)));
    assert_eq!(fs::read_to_string(&name).unwrap(), "mine");
    fs::remove_file(&name).unwrap();
    export(&database, archive.path(), &[]).with(0);
    assert!(name.is_symlink());
}

#[test]
fn what_is_left_of_a_catalog_that_was_taken_away_is_in_nobodys_way() {
    let database = cluster().database("cli", Shape::V1_163);
    let archive = TestArchive::new();
    for journal in ["catalog.sqlite-journal", "catalog.sqlite-wal", "catalog.sqlite-shm"] {
        // of a server without events, so that nothing else tells of it
        export(&database, archive.path(), &["--no-markdown"]).with(0);
        for name in entries(archive.path()) {
            let path = archive.path().join(name);
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
        fs::write(archive.path().join(journal), "").unwrap();
        export(&database, archive.path(), &["--no-markdown"]).with(0);
    }
}

#[test]
fn what_another_user_owns_or_may_write_is_refused() {
    let database = server();
    let other = |path: &Path| std::os::unix::fs::chown(path, Some(12_345), None);
    let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    for part in ["", "catalog.sqlite", "rooms", "by-name"] {
        for mode in [0o777, 0o722, 0o720] {
            let archive = TestArchive::new();
            export(&database, archive.path(), &[]).with(0);
            let path = archive.path().join(part);
            open(&path, mode);
            for ended in [
                export(&database, archive.path(), &[]),
                reset(archive.path()),
                run(&["render", "--archive", text(archive.path())]),
            ] {
                ended
                    .with(1)
                    .saying(&format!("may be written to by other users (mode {mode:04o})"))
                    .saying("--shared-archive");
            }
            export(&database, archive.path(), &["--shared-archive"]).with(0);
            let ended = run(&["doctor", "--database", &database.dsn(), "--archive", text(archive.path())]);
            assert!(ended.stdout.contains("may be written to by other users"), "{ended:?}");
            if is_root {
                open(&path, 0o700);
                other(&path).unwrap();
                export(&database, archive.path(), &[]).with(1).saying("belongs to another user (uid 12345)");
            }
        }
    }
    // prepared by somebody before there is an archive
    let archive = TestArchive::new();
    fs::create_dir(archive.path()).unwrap();
    open(archive.path(), 0o777);
    export(&database, archive.path(), &[]).with(1).saying("may be written to by other users");
    assert_eq!(entries(archive.path()).len(), 0);
    // who may only read does no harm
    open(archive.path(), 0o755);
    export(&database, archive.path(), &[]).with(0);
}

#[test]
fn what_rooms_to_export_is_known_though_the_catalog_is_lost() {
    let (database, archive) = (server(), TestArchive::new());
    database.room("!out:here.test", "10");
    database.event(EventRow::at(4).within("!out:here.test"));
    export(&database, archive.path(), &["--exclude-room", "!out:here.test"]).with(0);
    for file in ["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"] {
        fs::remove_file(archive.path().join(file)).ok();
    }
    export(&database, archive.path(), &[]).with(0).saying("exporting all rooms but 1");
    assert_eq!(archive.lines().len(), 5);
    export(&database, archive.path(), &["--all-rooms"]).with(0);
    fs::remove_file(archive.path().join("catalog.sqlite")).unwrap();
    export(&database, archive.path(), &[]).with(0).saying("exporting all rooms of");
    assert_eq!(archive.lines().len(), 6);
}

/// Before there is a line.
#[test]
fn a_room_that_was_left_out_by_a_lost_catalog_is_read_once() {
    let (database, archive) = (server(), TestArchive::new());
    let room = ["--exclude-room", crate::support::story::ROOM];
    export(&database, archive.path(), &room).with(0).saying("0 new events");
    for file in ["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"] {
        fs::remove_file(archive.path().join(file)).ok();
    }
    export(&database, archive.path(), &["--all-rooms"]).with(0).saying("5 new events");
    assert_eq!(archive.lines().len(), 5);
}

#[test]
fn an_event_without_a_place_in_the_stream_is_named() {
    let (database, archive) = (server(), TestArchive::new());
    database.execute("alter table events alter stream_ordering drop not null");
    database.execute("update events set stream_ordering = null where stream_ordering = 2");
    let named = "event $2 in !room:here.test has no stream_ordering";
    export(&database, archive.path(), &[])
        .with(3)
        .saying(named)
        .saying("done, but some rows are not archived: 4 new events");
    assert_eq!(archive.lines().len(), 4);
    let run = || archive.one("select outcome || ' ' || unplaced from run order by run desc limit 1");
    assert_eq!(run(), "damaged 1");
    // every run, until it is mended; where its room is not wanted, none
    export(&database, archive.path(), &["--quiet"]).with(3).saying(named);
    export(&database, archive.path(), &["--exclude-room", ROOM]).with(0);
    assert_eq!(run(), "done 0");
    // what dumps its room leaves it out too, and says so
    database.room("!other:here.test", "10");
    database.event(EventRow::at(9).within("!other:here.test"));
    for format in ["jsonl", "markdown"] {
        let dump = ["room", "--database", &database.dsn(), "--format", format];
        crate::run(&[&dump[..], &[ROOM]].concat()).with(3).saying("no stream_ordering");
        crate::run(&[&dump[..], &["!other:here.test"]].concat()).with(0);
    }
}

#[test]
fn a_catalog_that_is_none_of_ours_is_left_alone() {
    let database = server();
    let made: [(&str, Deed); 5] = [
        ("newer", |path| {
            let version = synapse_export::archive::CATALOG_VERSION + 1;
            Connection::open(path).unwrap().pragma_update(None, "user_version", version).unwrap();
        }),
        ("not a catalog", |path| {
            fs::remove_file(path).unwrap();
            Connection::open(path).unwrap().execute_batch("create table event (x); pragma user_version = 1").unwrap();
        }),
        ("not a catalog", |path| {
            fs::remove_file(path).unwrap();
            Connection::open(path)
                .unwrap()
                .execute_batch("create table notes (x); insert into notes values (1)")
                .unwrap();
        }),
        ("not a catalog", |path| {
            fs::remove_file(path).unwrap();
            let others = "create table notes (x); pragma user_version = 1; pragma application_id = 4711";
            Connection::open(path).unwrap().execute_batch(others).unwrap();
        }),
        ("not a database", |path| fs::write(path, "somebody's notes ".repeat(100)).unwrap()),
    ];
    for (said, make) in made {
        let archive = TestArchive::new();
        export(&database, archive.path(), &[]).with(0);
        make(&archive.path().join("catalog.sqlite"));
        let before = contents(archive.path());
        let show = run(&["watermark", "show", "--archive", text(archive.path())]);
        for ended in [export(&database, archive.path(), &[]), reset(archive.path()), show] {
            ended.with(1).saying(said);
        }
        let mut after = contents(archive.path());
        after.retain(|path, bytes| !(path.ends_with("-shm") || path.ends_with("-wal") && bytes.is_empty()));
        assert!(after == before, "{said}");
    }
}

#[test]
fn a_lost_catalog_is_made_anew_from_the_lines() {
    let database = server();
    let archive = TestArchive::new();
    database.event(EventRow { json: Some("nonsense".to_owned()), ..EventRow::at(5) });
    database.event(EventRow { rejected: Some("auth_error".to_owned()), ..EventRow::at(6) });
    database.event(EventRow { state_key: Some("key".to_owned()), ts: None, ..EventRow::at(7) });
    for (target, id, sender) in [("$1", 10, "@alice:here.test"), ("$2", 11, "@bob:far.test")] {
        database.redaction(
            target,
            EventRow {
                sender: sender.to_owned(),
                content: "{}".to_owned(),
                internal_metadata: r#"{"recheck_redaction":true}"#.to_owned(),
                ..EventRow::at(id)
            },
        );
    }
    export(&database, archive.path(), &[]).with(3);
    let table = "select group_concat(json_array(event_id, room_id, stream_ordering, topological_ordering, state_key, \
                        received_ts, day, body, start, length, relates_to, rel_type, redacts, redacted_by, soft_failed, \
                        rejected, outlier, damaged), '\n') \
                   from (select * from event order by event_id)";
    let (lines, rows) = (archive.lines(), archive.one(table));
    for file in ["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"] {
        fs::remove_file(archive.path().join(file)).ok();
    }
    // A line that was cut off is written again.
    let cut = archive.path().join("rooms/room@here.test/undated.jsonl");
    let text = fs::read(&cut).unwrap();
    fs::write(&cut, &text[..text.len() - 5]).unwrap();
    // One that only lacks its end is kept: the server may not have it any more.
    let unended = archive.path().join("rooms/room@here.test/2026-11-22.jsonl");
    let text = fs::read(&unended).unwrap();
    fs::write(&unended, &text[..text.len() - 1]).unwrap();

    let lost = "rooms/room@here.test/undated.jsonl has 0 events, and had 1";
    export(&database, archive.path(), &[]).with(3).saying(lost).saying("1 new event");
    assert_eq!(archive.lines(), lines);
    assert_eq!(archive.one(table), rows);
    assert_eq!([archive.redacted_by("$1"), archive.redacted_by("$2")], ["$10", ""]);
    export(&database, archive.path(), &[]).with(0).saying("0 new events");
    assert_eq!(archive.lines(), lines);
}

#[test]
fn only_its_owner_may_look_into_an_archive() {
    let database = server();
    let directory = tempfile::tempdir().unwrap();
    let archive = directory.path().join("of/archives/one");
    let status = Command::new("sh")
        .args(["-c", r#"umask 000; exec "$0" export --quiet --database "$1" --archive "$2""#])
        .args([env!("CARGO_BIN_EXE_synapse-export"), &database.dsn(), text(&archive)])
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(modes(&archive), modes_expected(&archive));
    let files =
        ["catalog.sqlite", "index.md", "rooms/room@here.test/2026-11-22.jsonl", "rooms/room@here.test/2026-11-22.md"];
    assert!(files.iter().all(|file| contents(&archive).contains_key(*file)));
}

/// The mode of everything in an archive, and its own.
pub(crate) fn modes(archive: &Path) -> Vec<(String, String)> {
    let mut modes = Vec::new();
    let mut paths = vec![archive.to_owned()];
    while let Some(path) = paths.pop() {
        // what is there for the time of a run may be gone already
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        if metadata.is_symlink() {
            continue;
        }
        modes.push((path.display().to_string(), format!("{:o}", metadata.permissions().mode() & 0o7777)));
        if metadata.is_dir() {
            paths.extend(entries(&path).into_iter().map(|name| path.join(name)));
        }
    }
    modes
}

pub(crate) fn modes_expected(archive: &Path) -> Vec<(String, String)> {
    let mode = |path: &str| if Path::new(path).is_dir() { "700" } else { "600" }.to_owned();
    modes(archive).into_iter().map(|(path, _)| (path.clone(), mode(&path))).collect()
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(status.is_ok_and(|status| status.success()));
}

/// As after a change of the collation that the index of `event_json` is ordered by.
#[test]
fn what_an_index_hides_is_found_before_and_after_it_counts_as_damaged() {
    for is_archived in [false, true] {
        let (database, archive) = (server(), TestArchive::new());
        let ready = |ready: bool| {
            format!("update pg_index set indisready = {ready} where indexrelid = 'event_json_event_id_key'::regclass")
        };
        database.execute(&ready(false));
        database.events([11, 12]);
        database.execute(&ready(true));
        export(&database, archive.path(), &[]).with(3).saying("has no row in event_json yet");
        if is_archived {
            archive.a_day_passes();
            export(&database, archive.path(), &[]).with(3).saying("--look-for-missing finds it");
            assert!(archive.lines()["$11"].about()["unparsed"].is_null());
        }
        export(&database, archive.path(), &["--look-for-missing"]).with(0);
        for event_id in ["$11", "$12"] {
            assert_eq!(archive.lines()[event_id].json()["content"]["body"], "hello");
            assert_eq!(archive.one(&format!("select damaged from event where event_id = '{event_id}'")), "0");
        }
        export(&database, archive.path(), &[]).with(0).saying("0 new events");
    }
}
