//! `synapse-export watermark`.

use serde_json::{Value, json};

use crate::support::archive::{TestArchive, entries, json};
use crate::support::story::EventRow;
use crate::{contents, export, run, server, text};

fn show(archive: &TestArchive) -> Value {
    let shown = run(&["watermark", "show", "--json", "--archive", text(archive.path())]).with(0);
    json(&shown.stdout)
}

#[test]
fn it_shows_each_stream() {
    let database = server();
    let archive = TestArchive::new();
    let path = text(archive.path());
    database.event(EventRow::at(7));
    export(&database, archive.path(), &[]).with(0);

    let shown = show(&archive);
    let [live, backfill] = &shown["watermarks"].as_array().unwrap()[..] else { panic!("{shown}") };
    for (watermark, expected) in [
        (
            live,
            json!({"room_id": null, "stream": "live", "position": 7, "event_id": "$7", "run": 1, "gaps": 1, "missing": 3}),
        ),
        (
            backfill,
            json!({"room_id": null, "stream": "backfill", "position": 2, "event_id": "$-2", "run": 1, "gaps": 0, "missing": 0}),
        ),
    ] {
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(&watermark[key], value, "{key} of {watermark}");
        }
        assert!(chrono::DateTime::parse_from_rfc3339(watermark["at"].as_str().unwrap()).is_ok());
    }
    assert_eq!((&shown["last_run"]["run"], &shown["last_run"]["outcome"]), (&json!(1), &json!("done")));

    let text = run(&["watermark", "show", "--archive", path]).with(0).stdout;
    for part in ["live", "position 7", "$7", "backfill", "position 2", "$-2", "done"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // Rooms that are selected have watermarks of their own.
    let selected = TestArchive::new();
    export(&database, selected.path(), &["--room", "!room:here.test"]).with(0);
    assert_eq!(show(&selected)["watermarks"][0]["room_id"], "!room:here.test");
}

#[test]
fn there_is_something_to_show_only_where_there_is_an_archive() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("archive");
    for arguments in [["show", "--json"], ["reset", "--yes"]] {
        run(&[&["watermark"], &arguments[..], &["--archive", text(&path)]].concat()).with(1).saying("no archive");
    }
    assert!(!path.exists());
    // What may not be looked at is not said to be missing.
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let below = file.join("archive");
    run(&["watermark", "show", "--archive", text(&below)]).with(1).saying("cannot look at").saying("Not a directory");
    // One that was killed before its first run had begun.
    std::fs::create_dir(&path).unwrap();
    std::fs::write(path.join("catalog.sqlite"), "").unwrap();
    run(&["watermark", "show", "--archive", text(&path)]).with(1).saying("no archive");
    // An archive of a server without events.
    let database = server();
    database.execute("delete from events");
    let archive = TestArchive::new();
    export(&database, archive.path(), &[]).with(0);
    assert_eq!(show(&archive)["watermarks"][0]["position"], Value::Null);
    assert!(run(&["watermark", "show", "--archive", text(archive.path())]).with(0).stdout.contains("nothing"));
}

#[test]
fn showing_changes_nothing_and_a_closed_pipe_is_no_failure() {
    let database = server();
    let archive = TestArchive::new();
    export(&database, archive.path(), &[]).with(0);
    let before = contents(archive.path());
    show(&archive);
    let closed = std::process::Command::new("sh")
        .args(["-c", r#"{ "$0" watermark show --archive "$1" --json; echo $? >&2; } | true"#])
        .args([env!("CARGO_BIN_EXE_synapse-export"), text(archive.path())])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&closed.stderr), "0\n");
    let mut after = contents(archive.path());
    after.retain(|path, bytes| !(path.ends_with("-shm") || path.ends_with("-wal") && bytes.is_empty()));
    assert!(after == before, "{:?}", entries(archive.path()));
}

#[test]
fn a_reset_reads_everything_again_and_changes_nothing() {
    let database = server();
    let archive = TestArchive::new();
    let path = text(archive.path());
    export(&database, archive.path(), &[]).with(0);
    let lines = archive.lines();

    // There is no terminal to ask at.
    run(&["watermark", "reset", "--archive", path]).with(2).saying("--yes");
    assert_eq!(show(&archive)["watermarks"][0]["position"], 3);

    run(&["watermark", "reset", "--yes", "--stream", "backfill", "--archive", path]).with(0).saying("backfill");
    let positions = || [0, 1].map(|stream| show(&archive)["watermarks"][stream]["position"].clone());
    assert_eq!(positions(), [json!(3), Value::Null]);
    let shown = run(&["watermark", "show", "--archive", path]).with(0).stdout;
    assert!(shown.contains("live      position 3, "), "{shown}");
    assert!(shown.contains("backfill  to be read again, 2 events archived\n"), "{shown}");
    export(&database, archive.path(), &[]).with(0).saying("0 new events");
    assert_eq!(positions(), [json!(3), json!(2)]);

    run(&["watermark", "reset", "--yes", "--archive", path]).with(0);
    assert_eq!(positions(), [Value::Null, Value::Null]);
    // Purged since: the archive alone still has it.
    database.execute("delete from events where event_id = '$1'");
    export(&database, archive.path(), &[]).with(0).saying("0 new events");
    assert_eq!(archive.lines(), lines);
}

#[test]
fn it_counts_what_waits_for_its_json_and_so_does_doctor() {
    let (database, archive) = (server(), TestArchive::new());
    let path = text(archive.path());
    let shown = || run(&["watermark", "show", "--archive", path]).with(0).stdout;
    let doctor = || run(&["doctor", "--database", &database.dsn(), "--archive", path]).stdout;
    database.execute("delete from event_json where event_id in ('$1', '$3')");
    export(&database, archive.path(), &[])
        .with(3)
        .saying("done, but some rows are not whole yet")
        .saying("2 not whole yet");
    assert_eq!(show(&archive)["waiting"], 2);
    assert!(shown().contains("without a row in event_json yet: 2 events"), "{}", shown());
    assert!(doctor().contains("2 events had no row in event_json when they were read"), "{}", doctor());
    archive.a_day_passes();
    export(&database, archive.path(), &[]).with(3).saying("2 damaged");
    assert_eq!(show(&archive)["waiting"], 0);
    assert!(!shown().contains("event_json"), "{}", shown());
    assert!(doctor().contains("2 archived events are damaged"), "{}", doctor());
}
