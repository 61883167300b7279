//! Transcripts as a user asks for them: with the export, later, again, of one room.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::Database;
use crate::support::archive::TestArchive;
use crate::support::story::{EventRow, NOON, ROOM};
use crate::{Ended, export, run, server, text};

const DAY: &str = "rooms/room@here.test/2026-11-22.md";

fn read(archive: &TestArchive, path: &str) -> String {
    fs::read_to_string(archive.path().join(path)).unwrap_or_default()
}

fn render(archive: &Path, more: &[&str]) -> Ended {
    run(&[&["render", "--archive", text(archive)], more].concat())
}

/// A message, its edit and a redacted one.
fn talk(database: &Database) {
    database.event(EventRow::state(10, "m.room.name", "", &json!({"name": "Old office"})));
    let joined = json!({"membership": "join", "displayname": "Alice"});
    database.event(EventRow::state(11, "m.room.member", "@alice:here.test", &joined));
    database.event(EventRow::message(12, "a typo"));
    database.event(EventRow {
        content:
            json!({"msgtype": "m.text", "body": "* no typo", "m.new_content": {"msgtype": "m.text", "body": "no typo"},
            "m.relates_to": {"rel_type": "m.replace", "event_id": "$12"}})
            .to_string(),
        ..EventRow::at(13)
    });
    database.event(EventRow::message(14, "a secret"));
    database.redaction("$14", EventRow::at(15));
}

#[test]
fn an_export_renders_what_it_changes() {
    let (database, archive) = (server(), TestArchive::new());
    talk(&database);
    export(&database, archive.path(), &["--no-markdown"]).with(0);
    assert_eq!(read(&archive, DAY), "");
    assert_eq!(archive.one("select count(*) from stale"), "1");

    export(&database, archive.path(), &[]).with(0).saying("rendered 1 room-day of 1 room");
    let day = read(&archive, DAY);
    for part in
        ["name: \"Old office\"", "**Alice** · ", "no typo *(edited 12:00)*", "a typo", "[redacted by Alice at 12:00"]
    {
        assert!(day.contains(part), "{part} is not in\n{day}");
    }
    assert!(!day.contains("secret"), "{day}");
    assert!(read(&archive, "index.md").contains("[Old office](rooms/room@here.test/index.md)"));
    assert!(read(&archive, "rooms/room@here.test/index.md").contains("[Sunday 22](2026-11-22.md) | 6 |"));
    assert!(read(&archive, "rooms/room@here.test/room.json").contains("\"name\": \"Old office\""));
    let link = |name: &str| fs::read_link(archive.path().join("by-name").join(name)).ok();
    assert_eq!(link("Old office").as_deref(), Some(Path::new("../rooms/room@here.test")));

    // a name of the day after leaves the day before alone, and the link follows it
    let renamed = EventRow::state(20, "m.room.name", "", &json!({"name": "New office"}));
    let tomorrow = EventRow { ts: Some(NOON + 86_400_000), ..renamed };
    database.event(tomorrow);
    export(&database, archive.path(), &[]).with(0);
    assert_eq!(
        read(&archive, DAY),
        day.replace(
            "timezone: UTC\nevents: 11\nmessages: 6\n",
            "timezone: UTC\nevents: 11\nmessages: 6\nnext: 2026-11-23.md\n"
        )
        .replace("[all days](index.md)", "[all days](index.md) · [23 November →](2026-11-23.md)")
    );
    assert!(read(&archive, "rooms/room@here.test/2026-11-23.md").contains("previous: 2026-11-22.md"));
    assert_eq!((link("Old office"), link("New office").is_some()), (None, true));

    let before = crate::contents(archive.path());
    export(&database, archive.path(), &[]).with(0);
    let mut after = crate::contents(archive.path());
    after.retain(|path, _| !path.starts_with("catalog") && path != "state.jsonl");
    assert!(after.iter().all(|(path, bytes)| before[path] == *bytes), "a run with nothing new changes a file");
}

#[test]
fn render_needs_no_database() {
    let (database, archive) = (server(), TestArchive::new());
    talk(&database);
    render(archive.path(), &[]).with(1).saying("is no archive");
    assert!(!archive.path().exists());
    export(&database, archive.path(), &["--no-markdown"]).with(0);
    render(archive.path(), &[]).with(0).saying("rendered 1 room-day of 1 room");
    let day = read(&archive, DAY);
    render(archive.path(), &["--quiet"]).with(0);

    for more in [&["--all"][..], &["--room", ROOM], &["--room", "old OFF"], &["--day", "2026-11-22"]] {
        fs::write(archive.path().join(DAY), "damaged").unwrap();
        render(archive.path(), more).with(0).saying("rendered 1 room-day");
        assert_eq!(read(&archive, DAY), day, "{more:?}");
    }
    render(archive.path(), &["--room", "!none:here.test"])
        .with(1)
        .saying("nothing of a room !none:here.test: index.md lists");
    render(archive.path(), &["--day", "2026-11-21"]).with(1).saying("no such room-day: 2026-11-21");
    render(archive.path(), &["--day", "yesterday"]).with(2).saying("a date like");
    render(archive.path(), &["--day", "2026-11-22", "--all"]).with(2);
}

#[test]
fn what_somebody_deletes_is_made_again() {
    let (database, archive) = (server(), TestArchive::new());
    talk(&database);
    export(&database, archive.path(), &[]).with(0);
    let whole = crate::contents(archive.path());
    let link = archive.path().join("by-name/Old office");
    let room = archive.path().join("rooms/room@here.test");
    let deeds: [(&str, &dyn Fn()); 5] = [
        ("a day", &|| fs::remove_file(archive.path().join(DAY)).unwrap()),
        ("a room's index", &|| fs::remove_file(room.join("index.md")).unwrap()),
        ("what tells of a room", &|| fs::remove_file(room.join("room.json")).unwrap()),
        ("the index", &|| fs::remove_file(archive.path().join("index.md")).unwrap()),
        ("the links", &|| fs::remove_dir_all(archive.path().join("by-name")).unwrap()),
    ];
    for (what, deed) in deeds {
        for again in
            [&|| export(&database, archive.path(), &[]), &|| render(archive.path(), &[])] as [&dyn Fn() -> Ended; 2]
        {
            deed();
            again().with(0);
            let mut now = crate::contents(archive.path());
            now.retain(|path, _| !path.starts_with("catalog") && path != "state.jsonl");
            assert!(now.iter().all(|(path, bytes)| whole[path] == *bytes), "{what}");
            assert!(
                whole.keys().all(|path| path.starts_with("catalog") || path == "state.jsonl" || now.contains_key(path)),
                "{what}"
            );
            assert!(link.is_symlink(), "{what}");
        }
    }
    render(archive.path(), &[]).with(0);
}

#[test]
fn what_was_redacted_is_shown_on_demand() {
    let (database, archive) = (server(), TestArchive::new());
    talk(&database);
    export(&database, archive.path(), &["--show-redacted"]).with(0);
    let shown = read(&archive, DAY);
    assert!(shown.contains("<details><summary>redacted original</summary>\n\na secret\n\n</details>"), "{shown}");
    database.event(EventRow::message(30, "later"));
    export(&database, archive.path(), &[]).with(0);
    assert!(read(&archive, DAY).contains("a secret"), "it is not remembered");
    // also when nothing else comes of it
    export(&database, archive.path(), &["--show-redacted=false", "--room", "!none:here.test"]).with(1);
    render(archive.path(), &[]).with(0).saying("rendered 1 room-day");
    assert!(!read(&archive, DAY).contains("secret"));
    render(archive.path(), &["--show-redacted"]).with(0);
    assert!(read(&archive, DAY).contains("secret"));
    render(archive.path(), &["--show-redacted=false"]).with(0).saying("rendered 1 room-day");
    assert!(!read(&archive, DAY).contains("secret"));
}

#[test]
fn a_room_as_one_document() {
    let database = server();
    talk(&database);
    let room =
        |more: &[&str]| run(&[&["room", "--format", "markdown", "--database", &database.dsn(), ROOM], more].concat());
    let document = room(&[]).with(0).stdout;
    for part in
        ["---\nroom: \"!room:here.test\"", "# Old office\n", "## Sunday, 22 November 2026\n", "no typo *(edited"]
    {
        assert!(document.contains(part), "{part} is not in\n{document}");
    }
    assert!(!document.contains("secret") && !document.contains("index.md"), "{document}");
    assert!(room(&["--show-redacted"]).with(0).stdout.contains("a secret"));
    assert!(room(&["--state"]).with(0).stdout.contains("| `m.room.name` |"));
    let part = room(&["--since", "2026-11-22T12:00:14Z"]).with(0).stdout;
    assert!(part.contains("redacted by Alice") && !part.contains("typo"), "{part}");
    assert!(!room(&["--until", "2026-11-01"]).with(0).stdout.contains("##"));
    room(&["--show-redacted", "--honour-redactions"]).with(2);

    // a reader that goes away is no failure, and nothing is left behind
    let temporary = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_synapse-export"))
        .env_clear()
        .env("TMPDIR", temporary.path())
        .args(["room", "--quiet", "--format", "markdown", "--database", &database.dsn(), ROOM])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
}

#[test]
fn a_poll_that_another_closes_stays_open_and_who_did_it_is_told() {
    let (database, archive) = (server(), TestArchive::new());
    let poll = json!({"m.poll": {"question": {"m.text": [{"body": "When?"}]}, "kind": "m.disclosed", "max_selections": 1,
        "answers": [{"m.id": "a", "m.text": [{"body": "Now"}]}]}});
    let end = |of: &str| json!({"m.relates_to": {"rel_type": "m.reference", "event_id": of}}).to_string();
    for id in [10, 11] {
        let content = poll.to_string();
        database.event(EventRow { event_type: "m.poll.start".to_owned(), content, ..EventRow::at(id) });
    }
    let end =
        |id: i64, of: &str| EventRow { event_type: "m.poll.end".to_owned(), content: end(of), ..EventRow::at(id) };
    database.event(end(12, "$10"));
    database.event(EventRow { sender: "@mod:here.test".to_owned(), ..end(13, "$11") });
    export(&database, archive.path(), &[]).with(0);
    let day = read(&archive, DAY);
    assert_eq!(day.matches("closed").count(), 2, "{day}");
    assert!(
        day.contains("closed 12:00")
            && day.contains("@mod:here.test closed the poll of somebody else, as moderators may"),
        "{day}"
    );
}

#[test]
fn who_has_the_power_to_redact_may_close_a_poll() {
    let (database, archive) = (server(), TestArchive::new());
    // a room that was joined over federation: its power levels are outliers, of which the second ones were allowed by the first
    let levels = |id: i64, content: Value, allowed_by: Value| {
        let row = EventRow { outlier: true, ..EventRow::state(id, "m.room.power_levels", "", &content) };
        let pdu = json!({"type": row.event_type, "state_key": "", "content": content, "auth_events": allowed_by,
            "sender": row.sender, "room_id": ROOM, "origin_server_ts": row.ts, "depth": row.depth});
        database.event(EventRow { json: Some(pdu.to_string()), ..row });
    };
    levels(10, json!({"users": {"@mod:here.test": 50}}), json!([]));
    levels(20, json!({"users": {"@mod:here.test": 50}, "redact": 51}), json!(["$10", "$elsewhere"]));
    database.execute(&format!(
        "insert into current_state_events (event_id, room_id, type, state_key) values ('$20', '{ROOM}', 'm.room.power_levels', '')"
    ));
    let poll = json!({"m.poll": {"question": {"m.text": [{"body": "When?"}]}, "kind": "m.disclosed", "max_selections": 1,
        "answers": [{"m.id": "a", "m.text": [{"body": "Now"}]}]}});
    for id in [12, 13, 14] {
        let content = poll.to_string();
        database.event(EventRow { event_type: "m.poll.start".to_owned(), content, ..EventRow::at(id) });
    }
    for (id, sender, of) in [(15, "mod", "$12"), (16, "bob", "$13"), (25, "mod", "$14")] {
        let content = json!({"m.relates_to": {"rel_type": "m.reference", "event_id": of}}).to_string();
        let sender = format!("@{sender}:here.test");
        database.event(EventRow { event_type: "m.poll.end".to_owned(), content, sender, ..EventRow::at(id) });
    }
    let check = || {
        let day = read(&archive, DAY);
        assert_eq!(day.matches(" · closed 12:00").count(), 1, "{day}");
        for by in ["bob", "mod"] {
            let told = format!("@{by}:here.test tried to close the poll of somebody else, in vain");
            assert!(day.contains(&told), "{by}: {day}");
        }
        day
    };
    export(&database, archive.path(), &[]).with(0);
    let day = check();

    // an archive of an earlier version, which has passed them by
    let catalog = rusqlite::Connection::open(archive.path().join("catalog.sqlite")).unwrap();
    let forget =
        "delete from room_state where type = 'm.room.power_levels'; delete from setting where name = 'power_levels'";
    catalog.execute_batch(forget).unwrap();
    drop(catalog);
    // once, and so also of a room that is left out for now
    export(&database, archive.path(), &["--exclude-room", ROOM]).with(0);
    assert_eq!(archive.one("select count(*) from room_state where type = 'm.room.power_levels'"), "2");
    export(&database, archive.path(), &["--all-rooms"]).with(0);
    assert_eq!(check(), day);

    // the state has them, also where the catalog is lost
    fs::remove_file(archive.path().join("catalog.sqlite")).unwrap();
    run(&["rebuild", "--archive", text(archive.path())]).with(0);
    assert_eq!(archive.one("select count(*) from room_state where type = 'm.room.power_levels'"), "2");
    assert_eq!(archive.one("select value from setting where name = 'power_levels'"), "1");
}

#[test]
fn a_document_has_a_cover_and_what_it_has_is_told() {
    let database = server();
    talk(&database);
    database.event(EventRow { rejected: Some("auth_error".to_owned()), ..EventRow::at(16) });
    let files = tempfile::tempdir().unwrap();
    let written = |name: &str, more: &[&str]| {
        let file = files.path().join(name);
        let all = ["room", "--format", "markdown", "--database", &database.dsn(), ROOM, "--output", text(&file)];
        (run(&[&all, more].concat()).with(0), fs::read_to_string(&file).unwrap())
    };
    let (told, document) = written("all.md", &[]);
    told.saying("11 events of !room:here.test from the server: 6 messages on 1 day");
    for line in [
        "| room | `!room:here.test` |",
        "| version | 10 |",
        "| period asked for | all |",
        "| found | 2026-11-22 11:59 UTC to 2026-11-22 12:00 UTC |",
        "| took part | Alice `@alice:here.test` |",
        "| events | 11, of them 6 messages |",
        "| left out | what 1 redacted event said, 1 event that clients did not see |",
    ] {
        assert!(document.contains(&format!("{line}\n")), "{line} is not in\n{document}");
    }
    let made = document.lines().find(|line| line.starts_with("| made | ")).unwrap();
    assert!(made.contains(" UTC, from here.test, by synapse-export "), "{made}");
    let (_, document) = written("shown.md", &["--show-redacted", "--since", "2026-11-22T12:00:10Z"]);
    for part in
        ["| since 2026-11-22 12:00 UTC |", ", 1 redacted, whose text is shown", "| found | 2026-11-22 12:00 UTC to"]
    {
        assert!(document.contains(part), "{part} is not in\n{document}");
    }
    let (told, document) = written("none.md", &["--since", "2027-01-01", "--until", "2027-01-02"]);
    told.saying("0 events of !room:here.test").saying("there is nothing of the period that was asked for");
    assert!(document.contains("| found | nothing: there are no events of this period |"), "{document}");
    assert!(document.contains("| since 2027-01-01 00:00 UTC, before 2027-01-02 00:00 UTC |"), "{document}");
}

#[test]
fn times_are_of_the_zone_that_is_asked_for_and_days_of_utc() {
    let (database, archive) = (server(), TestArchive::new());
    let at = |id: i64, time: &str, body: &str| {
        let ts = chrono::DateTime::parse_from_rfc3339(time).unwrap().timestamp_millis();
        database.event(EventRow { ts: Some(ts), ..EventRow::message(id, body) });
    };
    at(10, "2026-11-22T22:59:00Z", "late");
    at(11, "2026-11-22T23:30:00Z", "past midnight there");
    let reply = json!({"msgtype": "m.text", "body": "yes", "m.relates_to": {"m.in_reply_to": {"event_id": "$10"}}});
    let ts = NOON + 11 * 3_600_000 + 40 * 60_000;
    database.event(EventRow { ts: Some(ts), content: reply.to_string(), ..EventRow::at(12) });
    at(13, "2026-10-25T00:30:00Z", "in summer");
    at(14, "2026-10-25T01:30:00Z", "in winter");
    export(&database, archive.path(), &[]).with(0);
    let utc = read(&archive, DAY);
    assert!(utc.contains("timezone: UTC\n") && !utc.contains("Times are of"), "{utc}");

    render(archive.path(), &["--timezone", "Europe/Berlin"]).with(0).saying("rendered 2 room-days");
    let day = read(&archive, DAY);
    assert_eq!(day.matches("Europe/Berlin").count(), 2, "its front matter and its head: {day}");
    assert!(
        day.contains("· Sunday, 22 November 2026\n") && day.contains("*Times are of Europe/Berlin, days of UTC.*"),
        "{day}"
    );
    let (before, after) = day.split_once("<sub>**Monday, 23 November 2026** · UTC+01:00</sub>\n").unwrap();
    assert!(before.contains("</a>12:59") && before.contains("</a>23:59\n\nlate"), "{day}");
    assert!(
        after.starts_with("\n**@alice:here.test** · ") && after.contains("</a>00:30\n\npast midnight there"),
        "{day}"
    );
    assert!(after.contains("2026-11-22 23:59]("), "what is answered is of the date before: {day}");
    let turned = read(&archive, "rooms/room@here.test/2026-10-25.md");
    let (summer, winter) = turned.split_once("<sub>**Sunday, 25 October 2026** · UTC+01:00</sub>\n").unwrap();
    assert!(summer.contains("</a>02:30") && winter.contains("</a>02:30"), "{turned}");
    // it is remembered
    render(archive.path(), &["--all"]).with(0);
    assert_eq!(read(&archive, DAY), day);
    let again = render(archive.path(), &["--timezone", "Europe/Berlin"]).with(0);
    assert!(!again.stderr.contains("rendered"), "{}", again.stderr);
    fs::remove_file(archive.path().join("catalog.sqlite")).unwrap();
    run(&["rebuild", "--archive", text(archive.path())]).with(0);
    render(archive.path(), &[]).with(0);
    assert_eq!(read(&archive, DAY), day);
    // an archive whose days begin with another date than theirs says so
    render(archive.path(), &["--timezone", "America/New_York"]).with(0);
    let day = read(&archive, "rooms/room@here.test/2026-10-25.md");
    assert!(day.contains("<sub>**Saturday, 24 October 2026** · UTC-04:00</sub>\n\n**@alice:here.test** · "), "{day}");
    let event = run(&["show", "--archive", text(archive.path()), "$11"]).with(0).stdout;
    assert!(event.contains("2026-11-22 18:30") && event.contains("America/New_York"), "{event}");
    render(archive.path(), &["--timezone", "UTC"]).with(0);
    assert_eq!(read(&archive, DAY), utc);
    render(archive.path(), &["--timezone", "Berlin"]).with(2).saying("Europe/Berlin");

    let room = |more: &[&str]| run(&[&["room", "--database", &database.dsn(), ROOM], more].concat()).with(0).stdout;
    let ids = |lines: &str| {
        lines.lines().map(|line| crate::support::archive::json(line)["event_id"].clone()).collect::<Vec<_>>()
    };
    let of_monday = room(&["--timezone", "Europe/Berlin", "--since", "2026-11-23", "--until", "2026-11-24"]);
    assert_eq!(ids(&of_monday), ["$11", "$12"]);
    let document = room(&["--format", "markdown", "--timezone", "Europe/Berlin", "--since", "2026-11-23"]);
    assert!(
        document.contains("| since 2026-11-23 00:00 Europe/Berlin |") && document.contains("</a>00:30"),
        "{document}"
    );

    // a day that tells nothing of its own says what it has, and a date is said for what is told
    let edit = json!({
        "msgtype": "m.text", "body": "* at night", "m.new_content": {"msgtype": "m.text", "body": "at night"},
        "m.relates_to": {"rel_type": "m.replace", "event_id": "$10"},
    });
    let ts = NOON + 24 * 3_600_000 + 11 * 3_600_000 + 40 * 60_000;
    database.event(EventRow { ts: Some(ts), content: edit.to_string(), ..EventRow::at(15) });
    export(&database, archive.path(), &[]).with(0);
    render(archive.path(), &["--timezone", "Europe/Berlin"]).with(0);
    let day = read(&archive, "rooms/room@here.test/2026-11-23.md");
    let (_, told) = day.split_once("<sub>**Tuesday, 24 November 2026** · UTC+01:00</sub>\n").unwrap();
    assert!(told.contains("</a>00:40 · 1 edit of [an earlier day’s message](2026-11-22.md#"), "{day}");
    at(16, "2026-11-23T12:00:00Z", "noon");
    export(&database, archive.path(), &[]).with(0);
    let day = read(&archive, "rooms/room@here.test/2026-11-23.md");
    assert!(day.contains("noon") && !day.contains("24 November"), "nothing is told of that date: {day}");
}

#[test]
fn what_erased_users_said_is_hidden_where_that_is_wanted() {
    let (database, archive) = (server(), TestArchive::new());
    let gone = |row: EventRow| EventRow { sender: "@gone:here.test".to_owned(), ..row };
    let joined = json!({"membership": "join", "displayname": "Personal Name"});
    database.event(gone(EventRow::state(10, "m.room.member", "@gone:here.test", &joined)));
    database.event(gone(EventRow::message(11, "personal")));
    let reply = json!({"msgtype": "m.text", "body": "yes", "m.relates_to": {"m.in_reply_to": {"event_id": "$11"}}});
    let later = Some(NOON + 86_400_000);
    database.event(EventRow { ts: later, content: reply.to_string(), ..EventRow::at(12) });
    let reacted = json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": "$1", "key": "personal"}});
    database.event(gone(EventRow {
        event_type: "m.reaction".to_owned(),
        content: reacted.to_string(),
        ..EventRow::at(13)
    }));
    let days = || format!("{}{}", read(&archive, DAY), read(&archive, "rooms/room@here.test/2026-11-23.md"));
    let tells = || days().to_lowercase().matches("personal").count();
    export(&database, archive.path(), &[]).with(0);
    let before = days();
    let told = tells();
    assert!(told > 6, "{before}");
    database.execute("insert into erased_users values ('@gone:here.test'), ('@other:here.test')");
    export(&database, archive.path(), &[]).with(0);
    assert_eq!(days(), before, "it was not asked for");

    export(&database, archive.path(), &["--hide-erased"]).with(0);
    assert_eq!(tells(), 0, "{}", days());
    assert!(days().contains("*[redacted]*") && days().contains("hello"), "{}", days());
    assert_eq!(archive.one("select count(*) from message where body = 'personal'"), "0");
    let indexed = || archive.one("select count(*) from search where search match 'personal'");
    assert_eq!(indexed(), "0", "the index has no word of it either");
    // it is remembered, also where the catalog is lost, and by what comes late
    fs::remove_file(archive.path().join("catalog.sqlite")).unwrap();
    run(&["rebuild", "--archive", text(archive.path())]).with(0);
    render(archive.path(), &["--all"]).with(0);
    database.event(gone(EventRow::message(14, "personal too")));
    export(&database, archive.path(), &[]).with(0);
    assert_eq!(tells(), 0, "{}", days());
    export(&database, archive.path(), &["--show-redacted"]).with(2).saying("--hide-erased");
    render(archive.path(), &["--show-redacted"]).with(2).saying("--hide-erased");

    // where it may not be read, nothing is rendered by an oversight
    let role = format!("hiding_{}", database.query_one_text("select current_database()"));
    database.psql(&include_str!("../../sql/reader_role.sql").replace("synapse_export", &role));
    database.execute(&format!("revoke select on erased_users from {role}"));
    let dsn = database.dsn().replace("user=postgres", &format!("user={role}"));
    let as_role =
        |more: &[&str]| run(&[&["export", "--database", &dsn, "--archive", text(archive.path())], more].concat());
    database.event(EventRow::message(20, "news"));
    let grant = format!("GRANT SELECT ON erased_users TO {role};");
    as_role(&[]).with(3).saying("transcripts are not rendered").saying(&grant);
    assert!(!days().contains("news"));
    // which matters to who renders only
    assert!(!as_role(&["--no-markdown"]).with(0).stderr.contains("transcripts are not rendered"));
    as_role(&["--hide-erased"]).with(1).saying(&grant).saying("--ignore-erased");
    as_role(&["--ignore-erased"]).with(0).saying("are not hidden");
    assert!(days().contains("news") && tells() == 0, "{}", days());
    // who is erased no more is told again
    database.execute("delete from erased_users");
    export(&database, archive.path(), &[]).with(0);
    assert_eq!((tells(), indexed()), (told + 1, "2".to_owned()), "{}", days());
    database.execute("insert into erased_users values ('@gone:here.test')");
    export(&database, archive.path(), &[]).with(0);
    assert_eq!((tells(), indexed()), (0, "0".to_owned()));
    export(&database, archive.path(), &["--hide-erased=false"]).with(0);
    assert_eq!((tells(), indexed()), (told + 1, "2".to_owned()), "{}", days());
    // one option may make room for the other
    let remembered = || {
        archive.one("select group_concat(name || '=' || value) from (select * from setting where name in ('hide_erased', 'show_redacted') order by name)")
    };
    export(&database, archive.path(), &["--hide-erased", "--show-redacted"]).with(2).saying("exclude each other");
    assert_eq!(remembered(), "hide_erased=0", "nothing is changed by half");
    export(&database, archive.path(), &["--show-redacted"]).with(0);
    export(&database, archive.path(), &["--hide-erased"]).with(2).saying("--show-redacted=false");
    export(&database, archive.path(), &["--hide-erased", "--show-redacted=false"]).with(0);
    assert_eq!(remembered(), "hide_erased=1,show_redacted=0");
    export(&database, archive.path(), &["--hide-erased=false", "--show-redacted"]).with(0);
    assert_eq!(remembered(), "hide_erased=0,show_redacted=1");
    database.execute(&format!("drop owned by {role}; drop role {role}"));
}
