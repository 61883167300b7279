//! Archives that somebody else hands over, with a catalog, files or links that no export has made: nothing outside is read,
//! written, removed or told of.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::json;

use crate::support::Database;
use crate::support::archive::TestArchive;
use crate::support::story::EventRow;
use crate::{Ended, export, run, server, text};

const LINES: &str = "rooms/room@here.test/2026-11-22.jsonl";

/// An archive, and what lies beside it, which is nobody's business.
struct Place {
    archive: TestArchive,
    outside: PathBuf,
}

impl Place {
    fn new(database: &Database) -> Place {
        let archive = TestArchive::new();
        export(database, archive.path(), &[]).with(0);
        let outside = archive.path().with_file_name("outside");
        fs::create_dir(&outside).expect("the test's own place");
        fs::write(outside.join("2026-11-22.jsonl"), "{\"event_id\":\"somebody's\"}\n").expect("the test's own place");
        fs::write(outside.join("notes"), "somebody's\n").expect("the test's own place");
        Place { archive, outside }
    }

    fn path(&self) -> &Path {
        self.archive.path()
    }

    #[track_caller]
    fn alter(&self, sql: &str) {
        let catalog = Connection::open(self.path().join("catalog.sqlite")).expect("the test's own place");
        catalog
            .execute_batch(&sql.replace("OUTSIDE", text(&self.outside)))
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// What is outside: the names beside the archive, and what the files say.
    fn beside(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for directory in [self.outside.parent().expect("it lies beside"), &self.outside] {
            for entry in fs::read_dir(directory).expect("the test's own place") {
                let path = entry.expect("the test's own place").path();
                let said = if path.is_file() {
                    fs::read_to_string(&path).expect("the test's own place")
                } else {
                    String::new()
                };
                found.insert(path.display().to_string(), said);
            }
        }
        found
    }

    fn render(&self, more: &[&str]) -> Ended {
        run(&[&["render", "--archive", text(self.path())], more].concat())
    }

    fn doctor(&self, database: &Database) -> Ended {
        run(&["doctor", "--database", &database.dsn(), "--archive", text(self.path())])
    }
}

#[test]
fn a_path_that_no_export_makes_is_refused_and_named() {
    let database = server();
    let dirty = "insert or ignore into stale select 'markdown', file from file; update room set dirty = 1;";
    for (deed, named) in [
        ("insert into intent values ('rooms/../../outside/notes', 0)", "rooms/../../outside/notes"),
        ("insert into intent values ('OUTSIDE/notes', 0)", "/outside/notes"),
        ("insert into intent values ('rooms/../../outside/2026-11-22.jsonl', 3)", "outside/2026-11-22.jsonl"),
        ("insert into intent values ('rooms/room@here.test/../../../outside/2026-11-22.jsonl', 0)", "outside"),
        ("update file set day = '../../../outside/2026-11-22'", "outside"),
        ("update room set directory = '../../outside'", "the path of a file \"rooms/../../outside/"),
        ("update room set by_name = '../../outside/link', link = null, dirty = 0; delete from stale", "outside/link"),
        ("update file set day = '](../../../../outside/notes)'", "rooms/room@here.test/](../"),
        (
            "insert into file (room, day, bytes, events, run) select room, '2026-11-21](x)', 0, 0, 1 from room",
            "2026-11-21](x)",
        ),
        ("update room set directory = '\u{1b}]0;x\u{7}'", "the path of a file \"rooms/\\u{1b}]0;x\\u{7}/"),
    ] {
        let place = Place::new(&database);
        place.alter(&format!("{dirty} {deed}"));
        let before = place.beside();
        place.render(&[]).with(1).saying(named).saying("no synapse-export has written");
        let ended = place.doctor(&database);
        assert!(!ended.stdout.contains("27 bytes") && !ended.stdout.contains("11 bytes"), "{deed}: {ended:?}");
        assert!(place.beside() == before, "{deed}");
    }
}

#[test]
fn doctor_tells_nothing_of_a_file_outside() {
    let database = server();
    let place = Place::new(&database);
    place.alter("update file set day = '../../../outside/notes'");
    let ended = place.doctor(&database);
    assert!(
        ended.code == Some(11)
            && ended.stdout.contains("the path of a file \"rooms/room@here.test/../../../outside/notes.jsonl\""),
        "{ended:?}"
    );
    place.alter("update file set day = '2026-11-22'");
    let lines = place.path().join(LINES);
    fs::remove_file(&lines).unwrap();
    symlink(place.outside.join("notes"), &lines).unwrap();
    let ended = place.doctor(&database);
    assert!(ended.code == Some(11) && ended.stdout.contains("symbolic link"), "{ended:?}");
}

#[test]
fn a_schema_that_is_not_ours_is_refused_before_it_is_read() {
    let database = server();
    let endless = "with recursive n (i) as (select 1 union all select i + 1 from n) select 'rooms' as path, i as bytes, 1 as events,
                   1 as run, 0 as messages, 1 as dirty from n";
    for (deed, named) in [
        (&*format!("drop table file; create view file as {endless}"), "the view \"file\""),
        (
            &*format!(
                "drop table setting; create view setting as select 'show_redacted' as name, max(i) as value from ({endless})"
            ),
            "the view \"setting\"",
        ),
        ("create trigger t after insert on run begin delete from line; end", "the trigger \"t\""),
        ("create index i on run (hex(zeroblob(1000000)))", "the index \"i\""),
    ] {
        let place = Place::new(&database);
        place.alter(deed);
        let archive = text(place.path());
        let began = Instant::now();
        for ended in [
            place.render(&[]),
            run(&["watermark", "show", "--archive", archive]),
            run(&["watermark", "reset", "--yes", "--archive", archive]),
            export(&database, place.path(), &[]),
        ] {
            ended.with(1).saying(named);
        }
        let ended = place.doctor(&database);
        assert!(ended.code == Some(11) && ended.stdout.contains(named), "{ended:?}");
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    }
}

#[test]
fn links_inside_an_archive_are_not_followed() {
    let database = server();
    for (id, link, to) in [
        (20, LINES, "outside/2026-11-22.jsonl"),
        (21, "rooms/room@here.test", "outside"),
        (22, "rooms", "outside"),
        (23, "catalog.sqlite", "outside/notes"),
        (24, "by-name", "outside"),
        (25, ".lock", "outside/notes"),
    ] {
        let place = Place::new(&database);
        database.event(EventRow::state(id, "m.room.name", "", &json!({ "name": format!("Office {id}") })));
        let link = place.path().join(link);
        fs::rename(&link, place.path().join(".away")).ok();
        symlink(place.outside.with_file_name(to), &link).unwrap();
        let before = place.beside();
        for more in [&[][..], &["--shared-archive"]] {
            export(&database, place.path(), more).with(1).saying("symbolic link");
            place.render(&[&["--all"], more].concat()).with(1).saying("symbolic link");
        }
        assert!(place.beside() == before, "{}", link.display());
    }
    // what a killed run leaves is taken away, what somebody has planted in its place too
    let place = Place::new(&database);
    for file in [".index.md.new", "rooms/room@here.test/.2026-11-22.md.new", "rooms/room@here.test/.room.json.new"] {
        symlink(place.outside.join("notes"), place.path().join(file)).unwrap();
    }
    let before = place.beside();
    place.render(&["--all"]).with(0);
    assert!(place.beside() == before && !place.path().join(".index.md.new").is_symlink());
}

#[test]
fn files_that_no_export_makes_are_named_where_the_catalog_is_made_from_them() {
    let database = server();
    let line = r#"{"event_id":"$x","room_id":"!other:here.test","synapse":{"stream_ordering":9,"topological_ordering":1,"received_ts":1,"room_version":"10"}}"#;
    for (name, said, deed) in [
        ("pipe", "no ordinary file", "mkfifo \"$0\""),
        ("link", "symbolic link", "ln -s ../../../outside/2026-11-22.jsonl \"$0\""),
        ("of another room", "another file", &*format!("echo '{line}' > \"$0\"")),
        ("directory", "no ordinary file", "mkdir \"$0\""),
    ] {
        let place = Place::new(&database);
        for file in ["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"] {
            fs::remove_file(place.path().join(file)).ok();
        }
        let file = place.path().join("rooms/room@here.test/2026-11-23.jsonl");
        let status = std::process::Command::new("sh").args(["-c", deed, text(&file)]).status();
        assert!(status.unwrap().success(), "{name}");
        let before = place.beside();
        export(&database, place.path(), &[]).with(1).saying(said).saying("2026-11-23.jsonl");
        assert!(place.beside() == before, "{name}");
    }
    // where an unfinished first export is undone, a file of somebody else is not taken away with it
    let place = Place::new(&database);
    let file = place.path().join("rooms/room@here.test/2026-11-23.jsonl");
    for (said, is_ours) in [("somebody's", false), (r#"{"event_id":"$cut o"#, true), ("{\"syn", true), ("\0\0", true)] {
        fs::write(&file, said).unwrap();
        place.alter("insert or ignore into intent values ('', 0)");
        let ended = export(&database, place.path(), &[]);
        assert_eq!((ended.code, file.exists()), if is_ours { (Some(0), false) } else { (Some(1), true) }, "{ended:?}");
        if !is_ours {
            ended.saying("is not of synapse-export");
            fs::remove_file(&file).unwrap();
        }
    }
}

#[test]
fn what_a_catalog_says_is_shown_to_no_terminal_unescaped() {
    let database = server();
    let place = Place::new(&database);
    place.alter("update run set started = char(155) || '2J' || char(27) || ']0;title' || char(7)");
    for more in [&[][..], &["--json"]] {
        let ended = run(&[&["watermark", "show", "--archive", text(place.path())], more].concat());
        assert!(ended.code == Some(0) && !ended.stdout.contains(['\u{1b}', '\u{7}', '\u{9b}']), "{ended:?}");
    }
    let altered = Place::new(&database);
    altered.alter("update run set outcome = char(27) || ']0;title' || char(7)");
    let ended = run(&["watermark", "show", "--archive", text(altered.path())]).with(1).saying("the outcome of a run");
    assert!(!ended.stderr.contains(['\u{1b}', '\u{7}']), "{ended:?}");
    place.alter("insert into gap values ('', 'live', 5, 1, 0)");
    run(&["watermark", "show", "--archive", text(place.path())]).with(1).saying("a gap from 5 to 1");
    let ended = place.doctor(&database);
    assert!(!ended.stdout.contains(['\u{1b}', '\u{9b}']) && ended.code != Some(101), "{ended:?}");
}

#[test]
fn a_pipe_in_place_of_a_file_is_refused() {
    let server = server();
    for name in [".lock", "catalog.sqlite-journal", "catalog.sqlite-wal", "catalog.sqlite-shm"] {
        let place = Place::new(&server);
        let path = place.path().join(name);
        let _ = std::fs::remove_file(&path);
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.is_ok_and(|status| status.success()));
        place.render(&["--all"]).with(1).saying("it is no ordinary file");
    }
}
