//! `synapse-export status` and `stats`.

use serde_json::{Value, json};

use crate::support::archive::{TestArchive, json};
use crate::support::story::{EventRow, ROOM};
use crate::{contents, export, run, server, text};

fn now() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

fn stats(archive: &TestArchive, more: &[&str]) -> Vec<Value> {
    let ended = run(&[&["stats", "--json", "--archive", text(archive.path())], more].concat()).with(0);
    ended.stdout.lines().map(json).collect()
}

#[test]
fn status_says_how_an_archive_is_and_what_grows() {
    let database = server();
    database.room("!busy:here.test", "10");
    let named = EventRow::state(20, "m.room.name", "", &json!({ "name": "a \u{202e}busy room" }));
    database.event(EventRow { ts: Some(1_000), ..named }.within("!busy:here.test"));
    let at = |id: i64, days: i64| EventRow { ts: Some(now() - days * 86_400_000), ..EventRow::at(id) };
    for (id, days) in [(21, 0), (22, 0), (23, 3), (24, 20), (25, 300)] {
        database.event(at(id, days).within("!busy:here.test"));
    }
    // what senders date into the future has not grown yet
    database.event(at(26, -40).within("!busy:here.test"));
    database.event(EventRow { ts: None, ..EventRow::at(27) }.within(ROOM));
    let archive = TestArchive::new();
    let path = text(archive.path());
    export(&database, archive.path(), &["--no-markdown"]).with(0);
    let files = || {
        let mut files = contents(archive.path());
        // SQLite's memory and log, which whoever looks may make and leave
        files.retain(|name, _| !name.ends_with("-shm") && !name.ends_with("-wal"));
        files
    };
    let before = files();
    let status = json(&run(&["status", "--json", "--archive", path]).with(0).stdout);
    assert!(files() == before, "it changes something");

    let lines = archive.lines();
    assert_eq!((&status["rooms"], status["events"].as_u64().unwrap()), (&json!(2), lines.len() as u64));
    assert_eq!((&status["server"], &status["last_run"]["outcome"]), (&json!("here.test"), &json!("done")));
    let on_disk: u64 = contents(archive.path())
        .iter()
        .filter(|(name, _)| name.strip_suffix(".jsonl").is_some_and(|name| name.starts_with("rooms/")))
        .map(|(_, bytes)| bytes.len() as u64)
        .sum();
    assert_eq!(status["bytes"]["lines"], on_disk);
    assert!(status["bytes"]["catalog"].as_u64().unwrap() > 10_000);
    let grown = |period: &str| {
        status["grown"][period]["rooms"]
            .as_array()
            .unwrap()
            .iter()
            .find(|room| room["room_id"] == "!busy:here.test")
            .map(|room| room["events"].as_u64().unwrap())
    };
    // an event of this test may be from a day that ends while it runs
    assert!(matches!(grown("day"), Some(2) | None), "{status:#}");
    assert_eq!((grown("week"), grown("month")), (Some(3), Some(4)), "{status:#}");
    let transcripts = status["pending"]["transcripts"].as_u64().unwrap();
    assert!(transcripts >= 5, "{status:#}");
    // rooms are called what they were called when they were last rendered
    run(&["render", "--archive", path]).with(0);
    let shown = run(&["status", "--archive", path]).with(0).stdout;
    for part in [
        &format!("{} events of here.test in 2 rooms", lines.len()),
        "here.test",
        "done",
        "position 27",
        "busy room",
        "pending   0 transcripts",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains('\u{202e}'));
    // what is to be done is what doctor says of it
    std::fs::write(archive.path().join("stranger"), "").unwrap();
    let status = json(&run(&["status", "--json", "--archive", path]).with(0).stdout);
    assert!(status["to_do"].to_string().contains("stranger"), "{status:#}");
    assert!(run(&["status", "--archive", path]).with(0).stdout.contains("WARNING"));
}

#[test]
fn stats_count_by_what_is_asked_for() {
    let database = server();
    let bob = |id: i64| EventRow {
        sender: "@bob:far.test".to_owned(),
        ..EventRow::message(id, "a longer message than others")
    };
    database.event(bob(10));
    database.event(EventRow { ts: Some(1_000), ..bob(11) });
    database.event(EventRow { ts: None, ..bob(12) });
    database.room("!other:here.test", "10");
    database.event(EventRow::state(13, "m.room.topic", "", &json!({ "topic": "here" })).within("!other:here.test"));
    let archive = TestArchive::new();
    export(&database, archive.path(), &[]).with(0);
    let all = archive.lines();
    let bytes: u64 = all.values().map(|line| line.text.len() as u64 + 1).sum();

    let rooms = stats(&archive, &["--by", "room"]);
    assert_eq!((&rooms[0]["room_id"], &rooms[0]["events"], &rooms[1]["events"]), (&json!(ROOM), &json!(8), &json!(1)));
    assert_eq!(rooms.iter().map(|room| room["bytes"].as_u64().unwrap()).sum::<u64>(), bytes);
    assert_eq!((&rooms[0]["first_day"], &rooms[0]["last_day"]), (&json!("1970-01-01"), &json!("2026-11-22")));
    let senders = stats(&archive, &["--by", "sender"]);
    let told: Vec<_> =
        senders.iter().map(|it| (it["sender"].as_str().unwrap(), it["events"].as_u64().unwrap())).collect();
    assert_eq!(told, [("@alice:here.test", 6), ("@bob:far.test", 3)]);
    // the lines, and a line feed behind each, are all there is
    assert_eq!(senders.iter().map(|it| it["bytes"].as_u64().unwrap()).sum::<u64>() + all.len() as u64, bytes);
    let days = stats(&archive, &["--by", "day"]);
    let told: Vec<_> = days.iter().map(|it| (it["day"].as_str().unwrap(), it["events"].as_u64().unwrap())).collect();
    assert_eq!(told, [("2026-11-22", 7), ("1970-01-01", 1), ("undated", 1)]);
    let types = stats(&archive, &["--by", "type", "--since", "2026-01-01", "--room", ROOM]);
    assert_eq!(types.len(), 1);
    assert_eq!((&types[0]["type"], &types[0]["events"]), (&json!("m.room.message"), &json!(6)));
    assert_eq!(stats(&archive, &["--by", "sender", "--limit", "1"]).len(), 1);
    assert_eq!(stats(&archive, &["--by", "day", "--limit", "0", "--until", "2000-01-01"]).len(), 1);
    let shown = run(&["stats", "--by", "sender", "--archive", text(archive.path())]).with(0).stdout;
    assert!(shown.lines().next().unwrap().contains("@alice:here.test"), "{shown}");
    run(&["stats", "--by", "room", "--since", "2030-01-01", "--archive", text(archive.path())]).with(1);
    run(&["stats", "--by", "mood", "--archive", text(archive.path())]).with(2);
}
