//! What lasts: rules, policies, holds, and the copy of tombstones for an archive from a backup.

use std::process::Command as Program;

use super::*;
use support::story::NOON;

#[test]
fn what_comes_later_is_pruned_before_it_is_written() {
    let (database, archive) = (server(), TestArchive::new());
    export(&database, &archive, &[]).with(3);
    erase(&archive, &["--sender", MALLORY, "--yes"]).with(0);
    database.event(by(MALLORY, EventRow::message(50, "secretlater")));
    database.event(by(
        MALLORY,
        EventRow {
            outlier: true,
            ..EventRow::state(
                51,
                "m.room.member",
                MALLORY,
                &json!({ "membership": "join", "displayname": "secretlater" }),
            )
        }
        .within("!other:here.test"),
    ));
    export(&database, &archive, &[]).with(0);
    nowhere(&archive, &["secretlater"]);
    assert_eq!(archive.lines()["$50"].about()["erased"], "pruned");
    let listed = erase(&archive, &["--list"]).with(0).telling("what @mallory:here.test sent: pruned");
    let number = listed.stdout.trim_start().split(' ').next().unwrap().to_owned();
    erase(&archive, &["--end", &number]).with(0);
    erase(&archive, &["--end", &number]).with(1);
    database.event(by(MALLORY, EventRow::message(52, "as it is")));
    export(&database, &archive, &[]).with(0);
    somewhere(&archive, &["as it is"]);
    // and nothing but that comes back
    run(&["watermark", "reset", "--yes", "--archive", path(&archive)]).with(0);
    export(&database, &archive, &[]);
    nowhere(&archive, &SECRETS);
}

#[test]
fn once_is_once() {
    let (database, archive) = (server(), TestArchive::new());
    export(&database, &archive, &[]).with(3);
    erase(&archive, &["--sender", MALLORY, "--once", "--yes"]).with(0);
    nowhere(&archive, &SECRETS);
    database.event(by(MALLORY, EventRow::message(50, "said later")));
    export(&database, &archive, &[]).with(0);
    somewhere(&archive, &["said later"]);
    nowhere(&archive, &SECRETS);
}

#[test]
fn a_hold_wins_over_all() {
    let (database, archive) = (server(), TestArchive::new());
    export(&database, &archive, &[]).with(3);
    let before = archive.lines();
    erase(&archive, &["--hold", ROOM, "--reason", "a case"]).with(0);
    for which in [["--sender", MALLORY], ["--room", ROOM], ["--event", "$4"], ["--before", "2026-11-23"]] {
        erase(&archive, &[&which[..], &["--yes"]].concat()).with(1).telling(ROOM).telling("on hold");
    }
    assert!(archive.lines() == before);
    assert_eq!(archive.one("select count(*) from erasure"), "0");
    erase(&archive, &["--list"]).with(0).telling("hold  !room:here.test").telling("a case");
    // a policy passes it by, and says so
    erase(&archive, &["--release", ROOM]).with(0);
    erase(&archive, &["--redacted-before", "0d", "--policy", "--yes"]).with(0);
    database.event(EventRow::message(60, "alsohidden"));
    database.redaction("$60", EventRow { content: "{}".to_owned(), ..EventRow::at(61) });
    erase(&archive, &["--hold", ROOM]).with(0);
    export(&database, &archive, &[]).with(0).telling("1 event of rooms on hold left");
    somewhere(&archive, &["alsohidden"]);
    // and `doctor` says how much it will take
    let doctor = || run(&["doctor", "--json", "--database", &database.dsn(), "--archive", path(&archive)]).stdout;
    let told = doctor();
    assert!(told.contains("the next export erases 0 events redacted before"), "{told}");
    assert!(told.contains("of rooms on hold 1 more stay"), "{told}");
    erase(&archive, &["--release", ROOM]).with(0);
    let told = doctor();
    assert!(told.contains("the next export erases 1 event redacted before"), "{told}");
    assert!(!told.contains("rooms on hold"), "{told}");
    export(&database, &archive, &[]).with(0);
    nowhere(&archive, &["alsohidden", "alicehidden"]);
}

#[test]
fn a_policy_goes_by_when_the_redaction_was_received() {
    let (database, archive) = (server(), TestArchive::new());
    let now = chrono::Utc::now().timestamp_millis();
    let day = 86_400_000;
    for (id, days) in [(70, 100), (72, 10)] {
        let at = |id| EventRow { ts: Some(NOON), received_ts: Some(now - days * day), ..EventRow::at(id) };
        database.event(EventRow { content: support::story::message(&format!("original{id}")), ..at(id) });
        database.redaction(&format!("${id}"), EventRow { content: "{}".to_owned(), ..at(id + 1) });
    }
    export(&database, &archive, &[]).with(3);
    let told = erase(&archive, &["--redacted-before", "90d", "--policy"]).with(0);
    assert!(told.stdout.contains("           1  events, what they say"), "{told:#?}");
    erase(&archive, &["--redacted-before", "90d", "--policy", "--yes"]).with(0);
    nowhere(&archive, &["original70"]);
    somewhere(&archive, &["original72", "secretword"]);
    let told = run(&["doctor", "--database", &database.dsn(), "--archive", path(&archive)]);
    assert!(told.stdout.contains("originals of what was redacted more than 90 days ago"), "{told:#?}");
    for wrong in [
        &["--sender", MALLORY, "--policy"][..],
        &["--list", "--whole"],
        &["--before", "2026-01-01", "--policy"],
        &["--before", "2999-01-01"],
    ] {
        erase(&archive, wrong).with(2);
    }
}

#[test]
fn a_retention_period_leaves_state() {
    let (database, archive) = (server(), TestArchive::new());
    export(&database, &archive, &[]).with(3);
    erase(&archive, &["--before", "2026-11-23", "--yes"]).with(0).telling("state events from before that");
    nowhere(&archive, &["secretword", "alicereply"]);
    somewhere(&archive, &["Quokka", "the next day", "alicetopic"]);
    // sent long ago, as its sender says, or received long ago
    database.event(EventRow { ts: Some(NOON + 5 * 86_400_000), ..EventRow::message(80, "olderthanitsays") });
    export(&database, &archive, &[]).with(0);
    nowhere(&archive, &["olderthanitsays"]);
}

#[test]
fn an_archive_from_a_backup_gets_its_tombstones_again() {
    let (database, archive, backup) = (server(), TestArchive::new(), TestArchive::new());
    export(&database, &archive, &[]).with(3);
    let copied = Program::new("cp").arg("-a").args([archive.path(), backup.path()]).status().unwrap();
    assert!(copied.success());
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("tombstones.jsonl");
    let kept = file.to_str().unwrap();
    erase(&archive, &["--sender", MALLORY, "--yes", "--tombstones", kept]).with(0);
    erase(&archive, &["--event", "$3", "--yes"]).with(0);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!SECRETS.iter().any(|secret| text.contains(secret)) && !text.contains("\"$3\""), "{text}");

    somewhere(&backup, &SECRETS);
    erase(&backup, &["--again", kept, "--yes"]).with(0);
    nowhere(&backup, &SECRETS);
    assert!(backup.lines() == archive.lines());
    // the rule is there too
    database.event(by(MALLORY, EventRow::message(90, "secretlater")));
    export(&database, &backup, &[]).with(0);
    nowhere(&backup, &["secretlater"]);
    erase(&backup, &["--again", kept, "--yes"]).with(0).telling("0 lines of the archive erased");
    std::fs::write(&file, "nonsense\n").unwrap();
    erase(&backup, &["--again", kept, "--yes"]).with(1).telling("no line of a copy");
}

#[test]
fn lines_from_a_backup_under_the_state_of_now_are_erased() {
    let (database, archive) = (server(), TestArchive::new());
    export(&database, &archive, &[]).with(3);
    let rooms = archive.path().join("rooms");
    let before = tempfile::tempdir().unwrap();
    assert!(Program::new("cp").arg("-a").args([&rooms, &before.path().join("rooms")]).status().unwrap().success());
    erase(&archive, &["--sender", MALLORY, "--whole", "--yes"]).with(0);
    let after = archive.lines();
    std::fs::remove_dir_all(&rooms).unwrap();
    assert!(Program::new("cp").arg("-a").args([&before.path().join("rooms"), &rooms]).status().unwrap().success());
    run(&["export", "--database", &database.dsn(), "--archive", path(&archive)]).with(1).telling("erase --event");
    run(&["rebuild", "--archive", path(&archive)]).with(0);
    export(&database, &archive, &[]).with(0);
    nowhere(&archive, &SECRETS);
    assert!(archive.lines() == after);
}

#[test]
fn a_redaction_stays_gone_whole_only_with_what_it_hid() {
    let (database, archive) = (server(), TestArchive::new());
    database.event(EventRow::message(60, "alsohidden"));
    database.redaction("$60", EventRow { content: r#"{"reason":"whyhidden"}"#.to_owned(), ..EventRow::at(61) });
    export(&database, &archive, &[]).with(3);
    let again = |look: &dyn Fn(&str)| {
        look("erased");
        run(&["watermark", "reset", "--yes", "--archive", path(&archive)]).with(0);
        export(&database, &archive, &[]);
        look("read again");
    };
    // what it hides is there, and stays hidden
    erase(&archive, &["--event", "$61", "--whole", "--yes"]).with(0);
    again(&|when| {
        assert_eq!(archive.one("select redacted_by from event where event_id = '$60'"), "$61", "{when}");
        assert_eq!(archive.lines()["$61"].about()["erased"], "pruned", "{when}");
        nowhere(&archive, &["whyhidden"]);
        let transcript = archive.path().join("rooms/room@here.test/2026-11-22.md");
        assert!(!std::fs::read_to_string(transcript).unwrap().contains("alsohidden"), "{when}");
    });
    erase(&archive, &["--event", "$60", "--whole", "--yes"]).with(0);
    erase(&archive, &["--event", "$61", "--whole", "--yes"]).with(0);
    again(&|when| {
        nowhere(&archive, &["whyhidden", "alsohidden"]);
        let lines = archive.lines();
        assert!(!lines.contains_key("$60") && !lines.contains_key("$61"), "{when}");
    });
}
