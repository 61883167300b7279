//! A room as it is now, without an archive.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::interrupted::kill;
use crate::support::archive::{self, TestArchive};
use crate::support::story::{EventRow, NOON, ROOM};
use crate::support::wait_until;
use crate::support::{Database, Shape, cluster};
use crate::{Ended, export, run, server, text};

fn room(database: &Database, more: &[&str]) -> Ended {
    run(&[&["room", "--database", &database.dsn()], more].concat())
}

fn ids(lines: &str) -> Vec<String> {
    lines.lines().map(|line| archive::json(line)["event_id"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn its_lines_are_those_of_an_archive_in_the_rooms_own_order() {
    let database = server();
    database.room("!other:here.test", "10");
    database.event(EventRow { room_id: "!other:here.test".to_owned(), ..EventRow::at(4) });
    database.event(EventRow { json: Some("nonsense".to_owned()), depth: 1, ..EventRow::at(5) });
    database.event(EventRow { outlier: true, ..EventRow::at(6) });
    database.event(EventRow { outlier: true, sender: "@bob:far.test".to_owned(), ..EventRow::at(7) });
    database.execute(&format!("insert into room_aliases (room_alias, room_id) values ('#room:here.test', '{ROOM}')"));
    let archive = TestArchive::new();
    export(&database, archive.path(), &["--room", ROOM]).with(3);
    let archived: BTreeSet<String> = ["2026-11-22"]
        .iter()
        .flat_map(|day| {
            let path = archive.path().join(format!("rooms/room@here.test/{day}.jsonl"));
            std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();

    let dumped = room(&database, &["#room:here.test"]);
    assert_eq!(ids(&dumped.stdout), ["$5", "$-2", "$-1", "$1", "$2", "$3", "$6"]);
    assert_eq!(dumped.stdout.lines().map(str::to_owned).collect::<BTreeSet<_>>(), archived);
    dumped.with(3).saying("7 events").saying("$5");
    room(&database, &["!none:here.test"]).with(1).saying("no room !none:here.test");

    (100..130).for_each(|id| database.event(EventRow { json: Some("nonsense".to_owned()), ..EventRow::at(id) }));
    let said = room(&database, &[ROOM]).with(3).saying("11 more of these").stderr;
    assert_eq!(said.matches("warning: event").count(), 20);
}

#[test]
fn a_span_of_time_and_a_file() {
    let database = server();
    let between = ["--since", "2026-11-22T12:00:01Z", "--until", "2026-11-22T13:00:03+01:00"];
    assert_eq!(ids(&room(&database, &[&[ROOM][..], &between].concat()).with(0).stdout), ["$1", "$2"]);
    assert_eq!(NOON % 86_400_000, 43_200_000);
    assert_eq!(ids(&room(&database, &[ROOM, "--since", "2026-11-23"]).with(0).stdout), [""; 0]);
    assert_eq!(ids(&room(&database, &[ROOM, "--until", "2026-11-23"]).with(0).stdout).len(), 5);
    room(&database, &[ROOM, "--until", "yesterday"]).with(2).saying("a date like");
    for until in ["2026-11-22", "2026-11-23"] {
        room(&database, &[ROOM, "--since", "2026-11-23", "--until", until])
            .with(2)
            .saying("--since is not before --until");
    }
    room(&database, &[ROOM, "--since", "2026-11-23"])
        .with(0)
        .saying("0 events")
        .saying("nothing of the period that was asked for");

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("room.jsonl");
    assert_eq!(room(&database, &[ROOM, "--output", text(&path)]).with(0).stdout, "");
    assert_eq!(ids(&std::fs::read_to_string(&path).unwrap()).len(), 5);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for existing in [text(&path), text(directory.path()), "/dev/null"] {
        room(&database, &[ROOM, "--output", existing]).with(1).saying("is there already: remove it, or choose another");
    }
    let new = format!("{}/new/", text(directory.path()));
    room(&database, &[ROOM, "--output", &new]).with(1).saying("is a directory's name");
    room(&database, &[ROOM, "--output", &format!("{new}room.jsonl")]).with(1).saying("cannot create");
    assert_eq!(ids(&room(&database, &[ROOM, "--output", "-"]).with(0).stdout).len(), 5);

    // what fails leaves nothing behind, so that it can be tried again
    let failed = directory.path().join("failed.jsonl");
    room(&database, &["!none:here.test", "--output", text(&failed)]).with(1);
    database.execute("alter table event_json rename to event_json_");
    room(&database, &[ROOM, "--output", text(&failed)]).with(1);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    database.execute("alter table event_json_ rename to event_json");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let full = Command::new(env!("CARGO_BIN_EXE_synapse-export"))
        .args(["room", "--database", &database.dsn(), ROOM])
        .stdout(full)
        .output()
        .unwrap();
    let said = String::from_utf8(full.stderr).unwrap();
    assert!(said.contains("cannot write to stdout: No space left"), "{said}");
}

#[test]
fn a_signal_leaves_no_part_of_a_file_and_no_statement_behind() {
    let database = server();
    database.execute(
        "alter table event_json rename to event_json_; \
         create view event_json as select * from event_json_ where event_id <> '$3' or pg_sleep(60) is not null",
    );
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("room");
    let sleeping =
        "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()";
    for (format, signal, code) in [("jsonl", "TERM", 143), ("jsonl", "INT", 130), ("markdown", "INT", 130)] {
        let child = Command::new(env!("CARGO_BIN_EXE_synapse-export"))
            .args(["room", "--database", &database.dsn(), ROOM, "--format", format, "--output", text(&path)])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait_until("the dump is in the middle of the room", || database.query_one_text(sleeping) == "1");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "{format}");
        assert!(!path.exists(), "{format}");
        kill(&child, signal);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{format}: {said}");
        assert!(said.contains(&format!("stopped: nothing was written to {}", text(&path))), "{format}: {said}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "{format}");
        wait_until("the statement is cancelled", || database.query_one_text(sleeping) == "0");
    }
}

#[test]
fn options_that_would_do_nothing_are_refused() {
    let database = server();
    room(&database, &[ROOM, "--format", "markdown", "--honour-redactions"])
        .with(2)
        .saying("leaves out what was redacted");
    room(&database, &[ROOM, "--show-redacted"]).with(2).saying("--format markdown");
    for blank in ["", " "] {
        room(&database, &[blank]).with(2).saying("a room's id, alias or name");
    }
}

#[test]
fn every_page_is_read_and_a_closed_pipe_is_no_failure() {
    let database = server();
    database.execute(&format!(
        "insert into events (stream_ordering, topological_ordering, depth, event_id, type, room_id, processed, outlier, \
                             origin_server_ts, received_ts, sender, contains_url) \
         select n, n / 3, n / 3, '$' || n, 'm.room.message', '{ROOM}', true, false, {NOON}, {NOON}, '@alice:here.test', false \
           from generate_series(100, 32000) n; \
         insert into event_json (event_id, room_id, internal_metadata, json) \
         select '$' || n, '{ROOM}', '{{}}', '{{\"content\":{{\"body\":\"' || repeat('x', 500) || '\"}}}}' \
           from generate_series(100, 32000) n"
    ));
    let first = ids(&room(&database, &[ROOM]).with(0).stdout);
    let many: Vec<String> = (100..=32_000).map(|n| format!("${n}")).collect();
    assert_eq!((first.len(), first.iter().collect::<BTreeSet<_>>().len()), (many.len() + 5, many.len() + 5));
    let ours: BTreeSet<&String> = many.iter().collect();
    assert!(first.iter().filter(|id| ours.contains(id)).eq(&many), "not in the room's order");
    for connections in ["3", "16"] {
        let dumped = ids(&room(&database, &[ROOM, "--connections", connections]).with(0).stdout);
        assert!(dumped == first, "{connections} connections give {} events in another order", dumped.len());
    }
    room(&database, &[ROOM, "--connections", "1"]).with(2).saying("--connections");

    let mut child = Command::new(env!("CARGO_BIN_EXE_synapse-export"))
        .args(["room", "--database", &database.dsn(), ROOM])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 100]).unwrap();
    drop(out);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_room_is_found_by_what_it_is_called() {
    let database = server();
    let named = |id: i64, room_id: &str, name: &str| {
        database.room(room_id, "10");
        let alice = EventRow::member(id, "@alice:here.test", "join").within(room_id);
        database.event(alice);
        database.event(EventRow::state(id + 1, "m.room.name", "", &json!({ "name": name })).within(room_id));
    };
    named(10, "!a:here.test", "Kitchen");
    named(20, "!b:here.test", "Kitchen help");
    named(30, "!c:here.test", "\u{1b}[31mGarden");
    named(40, "!d:here.test", "Garden");
    named(50, "!e:here.test", "Garden");
    let canonical = json!({"alias": "#far:far.test"});
    database.event(EventRow::state(60, "m.room.canonical_alias", "", &canonical).within("!c:here.test"));
    database.execute("insert into room_aliases (room_alias, room_id) values ('#help:here.test', '!b:here.test')");

    let found = |name: &str| ids(&room(&database, &[name]).with(0).stdout);
    assert_eq!(found("Kitchen"), ["$10", "$11"], "its name, although it is a part of another");
    assert_eq!(found("KITCHEN H"), ["$20", "$21"]);
    assert_eq!(found("#help:here.test"), ["$20", "$21"]);
    assert_eq!(found("#he"), ["$20", "$21"]);
    assert_eq!(found("#far:far.test"), ["$30", "$31", "$60"], "an alias of another server");
    database.execute("insert into room_aliases (room_alias, room_id) values ('#ops2-board:here.test', '!a:here.test')");
    assert_eq!(found("#ops2"), ["$10", "$11"], "a part of one");
    database.execute("insert into room_aliases (room_alias, room_id) values ('#ops2:here.test', '!b:here.test')");
    assert_eq!(found("#ops2"), ["$20", "$21"], "an alias, although it is a part of another");
    assert_eq!(found("!d:her"), ["$40", "$41"], "the beginning of an id");

    let said = room(&database, &["kitchen"]).with(1).saying("2 rooms are called kitchen");
    assert!(said.stderr.contains("!a:here.test  #ops2-board:here.test  1 member"), "{}", said.stderr);
    assert!(said.stderr.contains("!b:here.test  #help:here.test  1 member"), "{}", said.stderr);
    assert!(!said.stderr.contains("Kitchen"), "{}", said.stderr);
    assert_eq!(said.stdout, "");
    let said = room(&database, &["Garden"]).with(1).saying("2 rooms").saying("!d:here.test").saying("!e:here.test");
    assert!(!said.stderr.contains("!c:here.test"), "{}", said.stderr);
    let red = json!({"alias": "#\u{1b}[31mgarden:far.test"});
    database.event(EventRow::state(70, "m.room.canonical_alias", "", &red).within("!d:here.test"));
    let said = room(&database, &["garden"]).with(1).saying("3 rooms").saying(r"#\u{1b}[31mgarden:far.test");
    assert!(!said.stderr.contains('\u{1b}'));
    for misplaced in ["postgres://u:hunter2@h/d", "PASSWORD=hunter2"] {
        let said = room(&database, &[misplaced]).with(1).saying("no room is called");
        assert!(!said.stderr.contains("hunter2"), "{}", said.stderr);
    }
    room(&database, &["cellar"]).with(1).saying("no room is called cellar");
    room(&database, &["#cellar:here.test"]).with(1).saying("no room is called #cellar:here.test");

    for (at, id) in ["f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"].into_iter().enumerate() {
        named(100 + 10 * i64::try_from(at).unwrap(), &format!("!{id}:here.test"), "Attic");
    }
    let said = room(&database, &["attic"]).with(1).saying("11 rooms").saying("!o:here.test").saying("and 1 more");
    assert!(!said.stderr.contains("!p:here.test"), "{}", said.stderr);
}

#[test]
fn its_state_comes_first_as_it_is_now() {
    for shape in [Shape::V1_60, Shape::V1_163] {
        let database = cluster().database("state", shape);
        database.user("@alice:here.test");
        database.room(ROOM, "10");
        let alice = "@alice:here.test";
        let state = |id: i64, kind: &str, key: &str| EventRow::state(id, kind, key, &json!({ "n": id }));
        database.event(EventRow::member(1, alice, "join"));
        database.event(state(2, "m.room.name", ""));
        database.event(state(3, "m.room.name", ""));
        // of another server, and known by the join only
        database.event(EventRow { outlier: true, sender: "@bob:far.test".to_owned(), ..state(4, "m.room.topic", "") });
        database.execute(&format!(
            "insert into current_state_events (event_id, room_id, type, state_key) values \
             ('$4', '{ROOM}', 'm.room.topic', ''), ('$nowhere', '{ROOM}', 'm.room.avatar', '')"
        ));
        database.event(EventRow::at(5));
        let dumped = |more: &[&str]| room(&database, &[&[ROOM], more].concat()).with(0);
        let with_state = dumped(&["--state"]).saying("4 events").saying("after 3 of its state");
        assert_eq!(ids(&with_state.stdout), ["$1", "$3", "$4", "$1", "$2", "$3", "$5"], "{shape:?}");
        let lines: Vec<_> = with_state.stdout.lines().collect();
        assert_eq!(lines[0], lines[3], "the same line, as state and as a part of the timeline");
        assert_eq!(archive::json(lines[2])["synapse"]["outlier"], true);
        assert_eq!(ids(&dumped(&["--state", "--since", "2026-11-23"]).stdout), ["$1", "$3", "$4"]);

        // Alice leaves, and Synapse has no current state any more.
        database.event(EventRow::member(6, alice, "leave"));
        database.event(EventRow { rejected: Some("auth_error".to_owned()), ..state(7, "m.room.name", "") });
        database.forget_state(ROOM);
        let mut left = ids(&dumped(&["--state"]).saying("after 3 of its state").stdout);
        left.truncate(3);
        left.sort();
        assert_eq!(left, ["$3", "$4", "$6"], "{shape:?}");
    }
}

#[test]
fn every_page_of_a_large_state_is_read() {
    let database = server();
    database.execute(&format!(
        "insert into events (stream_ordering, topological_ordering, event_id, type, room_id, state_key, processed, outlier, sender) \
         select n, n, '$' || n, 'org.test', '{ROOM}', n::text, true, true, '@alice:here.test' from generate_series(100, 10200) n; \
         insert into event_json (event_id, room_id, internal_metadata, json) \
         select '$' || n, '{ROOM}', '{{}}', '{{\"content\":{{}}}}' from generate_series(100, 10200) n; \
         insert into current_state_events (event_id, room_id, type, state_key) \
         select '$' || n, '{ROOM}', case when n % 2 = 0 then 'org.test' else 'org.test.odd' end, n::text \
           from generate_series(100, 10200) n;
         delete from events where event_id in ('$150', '$9000')"
    ));
    let dumped = ids(&room(&database, &[ROOM, "--state"]).with(0).stdout);
    let (state, timeline) = dumped.split_at(10_099);
    assert_eq!(state.iter().collect::<BTreeSet<_>>().len(), 10_099);
    assert_eq!(timeline, ["$-2", "$-1", "$1", "$2", "$3"]);
}

/// The dump that honours redactions, and what it says of each event.
fn honoured(database: &Database, code: i32) -> (Ended, BTreeMap<String, Value>) {
    let dumped = room(database, &[ROOM, "--honour-redactions"]).with(code);
    let lines = dumped.stdout.lines().map(archive::json);
    let lines = lines.map(|line| (line["event_id"].as_str().unwrap_or_default().to_owned(), line)).collect();
    (dumped, lines)
}

fn redaction(id: i64, target: &str) -> (EventRow, String) {
    (EventRow { content: r#"{"reason":"spam"}"#.to_owned(), ..EventRow::at(id) }, target.to_owned())
}

#[test]
fn a_dump_that_honours_redactions_shows_nothing_of_what_was_redacted() {
    for shape in [Shape::V1_60, Shape::V1_90, Shape::V1_163] {
        let database = cluster().database("honour", shape);
        database.user("@alice:here.test");
        database.room(ROOM, "10");
        let redact = |(row, target): (EventRow, String)| database.redaction(&target, row);
        for id in 1..=4 {
            database.event(EventRow::message(id, "secret"));
        }
        let edit = |id: i64, of: &str| {
            let content = json!({"body": "* secret", "m.new_content": {"body": "secret"},
                                 "m.relates_to": {"rel_type": "m.replace", "event_id": of}});
            EventRow { content: content.to_string(), ..EventRow::at(id) }
        };
        database.event(edit(5, "$1"));
        database.event(edit(6, "$elsewhere"));
        let reply = json!({"body": "> said\n\nyes", "m.relates_to": {"m.in_reply_to": {"event_id": "$1"}}});
        database.event(EventRow { content: reply.to_string(), ..EventRow::at(7) });
        let damaged = |id: i64, body: &str| EventRow {
            json: Some(format!(
                r#"{{"content":{{"body":"\ud800 {body}","m.relates_to":{{"rel_type":"m.replace"}}}}}}"#
            )),
            ..EventRow::at(id)
        };
        database.event(damaged(8, "secret"));
        let number = r#"{"content":{"body":"secret","n":1.5},"sender":"@alice:here.test","type":"m.room.message"}"#;
        database.event(EventRow { json: Some(number.to_owned()), ..EventRow::at(9) });
        // its target was redacted by itself, a redaction that is redacted in turn
        redact(redaction(10, "$1"));
        redact(redaction(11, "$2"));
        redact(redaction(12, "$11"));
        redact(redaction(13, "$9"));
        redact(redaction(14, "$elsewhere"));
        // not in effect: rejected, of another server
        database.redaction("$3", EventRow { rejected: Some("auth_error".to_owned()), ..redaction(15, "").0 });
        let recheck = r#"{"recheck_redaction":true}"#.to_owned();
        let other = EventRow { sender: "@bob:far.test".to_owned(), internal_metadata: recheck, ..redaction(16, "").0 };
        database.redaction("$4", other);
        let kick = json!({"membership": "leave", "reason": "secret"});
        let kick = EventRow::state(17, "m.room.member", "@bob:here.test", &kick);
        database.event(kick);
        redact(redaction(18, "$17"));
        let invited = EventRow::member(19, "@carol:here.test", "invite");
        let pdu = r#"{"content":{"membership":"invite"},"sender":"@carol:here.test","state_key":"@carol:here.test",
            "type":"m.room.member","unsigned":{"age_ts":7,"invite_room_state":[{"content":{"name":"secret"}}],"prev_content":{"a":"secret"}}}"#;
        database.event(EventRow { json: Some(pdu.to_owned()), ..invited });

        let plain = room(&database, &[ROOM]).with(3);
        let (dumped, lines) = honoured(&database, 3);
        let dumped = dumped.saying("19 events").saying("7 lines redacted");
        assert!(!dumped.stderr.contains("event $9"), "a number that is no canonical JSON is pruned like any other");
        let told: Vec<&str> =
            lines.iter().filter(|(_, line)| line.to_string().contains("secret")).map(|(id, _)| id.as_str()).collect();
        assert_eq!(told, ["$3", "$4"], "{shape:?}");
        assert_eq!(lines.len(), 19);

        let line = &lines["$1"];
        assert_eq!((&line["content"], &line["synapse"]["redacted"]), (&json!({}), &json!(true)));
        let because = &line["unsigned"]["redacted_because"];
        assert_eq!(because["content"]["reason"], "spam");
        let said = ["event_id", "redacts", "sender", "type", "room_id"].map(|key| because[key].as_str().unwrap());
        assert_eq!(said, ["$10", "$1", "@alice:here.test", "m.room.redaction", ROOM]);
        assert_eq!(because["origin_server_ts"], NOON + 10_000);
        assert_eq!(lines["$5"]["unsigned"]["redacted_because"]["event_id"], "$10", "an edit of it");
        assert_eq!(lines["$6"]["content"], json!({}), "an edit of what is not here");
        assert_eq!(lines["$2"]["unsigned"]["redacted_because"]["content"], json!({}), "its reason is redacted");
        assert_eq!(lines["$8"]["synapse"].get("unparsed"), None);
        assert_eq!((&lines["$9"]["content"], &lines["$9"]["sender"]), (&json!({}), &json!("@alice:here.test")));
        assert_eq!(
            (&lines["$17"]["content"], &lines["$17"]["state_key"]),
            (&json!({"membership": "leave"}), &json!("@bob:here.test"))
        );
        assert_eq!(lines["$19"]["unsigned"], json!({"age_ts": 7}));

        // All else is as it is in an archive.
        let changed = ["$1", "$2", "$5", "$6", "$8", "$9", "$11", "$17", "$19"];
        for (plain, honoured) in plain.stdout.lines().zip(dumped.stdout.lines()) {
            let id = &ids(plain)[0];
            assert_eq!(plain == honoured, !changed.contains(&id.as_str()), "{id}");
        }
        // The state is as discreet as the timeline.
        let state = room(&database, &[ROOM, "--honour-redactions", "--state", "--since", "2027-01-01"]).with(0).stdout;
        assert_eq!(state.lines().count(), 2);
        assert!(!state.contains("secret"), "{state}");
    }
}

#[test]
fn an_edit_is_redacted_with_what_it_edits() {
    let database = cluster().database("edits", Shape::V1_163);
    database.user("@alice:here.test");
    database.room(ROOM, "10");
    let (bob, mod_) = ("@bob:far.test", "@mod:far.test");
    let from = |sender: &str, row: EventRow| EventRow { sender: sender.to_owned(), ..row };
    let edit = |id: i64, of: &str, text: &str| {
        let content = json!({"body": text, "m.relates_to": {"rel_type": "m.replace", "event_id": of}});
        EventRow { content: content.to_string(), ..EventRow::at(id) }
    };
    database.event(EventRow::message(1, "secret"));
    database.event(edit(2, "$1", "secret"));
    database.event(edit(3, "$2", "secret edit of an edit"));
    database.event(from(bob, edit(4, "$1", "secret quoted by another")));
    database.redaction("$1", redaction(5, "").0);
    // not in effect on what it names, whoever edits that
    let recheck = r#"{"recheck_redaction":true}"#.to_owned();
    database.event(EventRow::message(6, "open"));
    database.event(from(bob, edit(7, "$6", "open, says another")));
    database.redaction("$6", EventRow { internal_metadata: recheck.clone(), ..from(mod_, redaction(8, "").0) });
    // of what is not there the sender is that of its edit
    database.event(from(bob, edit(9, "$nowhere", "secret edit of nothing here")));
    database.redaction("$nowhere", EventRow { internal_metadata: recheck, ..from(mod_, redaction(10, "").0) });
    // what a ban redacts, by whomever it is edited
    database.event(from("@eve:far.test", EventRow::message(11, "secret")));
    database.event(edit(12, "$11", "secret of somebody banned"));
    database.event(EventRow::state(13, "m.room.member", "@eve:far.test", &json!({"membership": "ban"})));
    database.ban_redacts("@eve:far.test", "$13", None);
    let lines = honoured(&database, 0).1;
    let left: Vec<&str> =
        lines.iter().filter(|(_, line)| line["synapse"].get("redacted").is_none()).map(|(id, _)| &**id).collect();
    assert_eq!(left, ["$10", "$13", "$5", "$6", "$7", "$8"]);
    assert!(!lines.values().any(|line| line.to_string().contains("secret")));

    // and a part of the dump that has only edits
    let since = ["--honour-redactions", "--since", "2026-11-22T12:00:03Z", "--until", "2026-11-22T12:00:04Z"];
    let dumped = room(&database, &[&[ROOM][..], &since].concat()).with(0).stdout;
    assert!(dumped.contains("\"$3\"") && !dumped.contains("secret"), "{dumped}");
}

#[test]
fn a_document_shows_redacted_state_only_when_it_is_asked_to() {
    let database = server();
    database.event(EventRow::state(20, "m.room.topic", "", &json!({"topic": "secret"})));
    let named = json!({"membership": "join", "displayname": "secret"});
    let bob = "@bob:far.test";
    database.event(EventRow { sender: bob.to_owned(), ..EventRow::state(21, "m.room.member", bob, &named) });
    database.event(EventRow::state(22, "m.room.member", bob, &json!({"membership": "ban"})));
    database.execute("update current_state_events set event_id = '$21' where event_id = '$22'");
    database.redaction("$20", redaction(23, "").0);
    database.ban_redacts(bob, "$22", None);
    let document = |more: &[&str]| {
        let options = [&[ROOM, "--format", "markdown", "--state"], more].concat();
        room(&database, &options).with(0).stdout
    };
    let hidden = document(&[]);
    assert!(!hidden.contains("secret"), "{hidden}");
    assert!(hidden.contains("| `m.room.topic` |  | `{}` *redacted* |"), "{hidden}");
    assert!(hidden.contains(r#"| `@bob:far.test` | `{"membership":"join"}` *redacted* |"#), "{hidden}");
    let shown = document(&["--show-redacted"]);
    assert!(shown.contains(r#"`{"topic":"secret"}` *redacted* |"#), "{shown}");
}

#[test]
fn what_a_ban_redacts_is_left_out_where_it_can_be_told() {
    let (database, archive) = (cluster().database("bans", Shape::V1_163), TestArchive::new());
    database.user("@alice:here.test");
    database.room(ROOM, "10");
    let from = |sender: &str, row: EventRow| EventRow { sender: sender.to_owned(), ..row };
    let bob = "@bob:far.test";
    let banned = json!({"membership": "ban", "reason": "spam"});
    database.event(from(bob, EventRow::message(1, "secret")));
    database.event(EventRow::state(2, "m.room.member", bob, &banned));
    database.event(from(bob, EventRow::message(3, "welcome back")));
    // who redacts is banned in turn
    database.event(EventRow::state(4, "m.room.member", "@mod:far.test", &banned));
    database.event(from("@mod:far.test", EventRow::state(5, "m.room.member", "@eve:far.test", &banned)));
    database.event(from("@eve:far.test", EventRow::message(6, "secret")));
    database.ban_redacts(bob, "$2", Some(3));
    database.ban_redacts("@mod:far.test", "$4", None);
    database.ban_redacts("@eve:far.test", "$5", None);

    let (dumped, lines) = honoured(&database, 0);
    assert!(!dumped.saying("3 lines redacted").stdout.contains("secret"));
    let because = |id: &str| lines[id]["unsigned"]["redacted_because"].clone();
    let ban = json!({"content": banned, "event_id": "$2", "origin_server_ts": NOON + 2000, "room_id": ROOM,
        "sender": "@alice:here.test", "state_key": bob, "type": "m.room.member"});
    assert_eq!((because("$1"), because("$3")), (ban, Value::Null));
    assert_eq!((&because("$6")["event_id"], &because("$6")["content"]), (&json!("$5"), &json!({"membership": "ban"})));
    let document = room(&database, &[ROOM, "--format", "markdown"]).with(0).stdout;
    assert!(document.contains("[redacted by @alice:here.test at 12:00: spam]") && !document.contains("secret"));

    let role = format!("reader_of_{}", database.query_one_text("select current_database()"));
    database.execute(&format!(
        "create role {role} login; grant select on all tables in schema public to {role};
         revoke select on room_ban_redactions from {role}"
    ));
    let dsn = database.dsn().replace("user=postgres", &format!("user={role}"));
    let room = |more: &[&str]| run(&[&["room", "--database", &dsn, ROOM], more].concat());
    let grant = format!("GRANT SELECT ON room_ban_redactions TO {role};");
    assert_eq!(room(&["--honour-redactions"]).with(1).saying(&grant).stdout, "");
    let document = room(&["--format", "markdown"]).with(0).saying("will be shown").saying(&grant);
    assert_eq!(document.stdout.matches("secret").count(), 2);
    let export = |more: &[&str]| {
        let archive = text(archive.path());
        run(&[&["export", "--archive", archive, "--database", &dsn], more].concat()).with(0)
    };
    export(&[]).saying(&grant);
    let day = || std::fs::read_to_string(archive.path().join("rooms/room@here.test/2026-11-22.md")).unwrap();
    assert!(day().contains("secret"));
    database.execute(&grant);
    assert!(!export(&[]).stderr.contains("GRANT"));
    assert!(!day().contains("secret"));
    database.execute(&format!("drop owned by {role}; drop role {role}"));
}

#[test]
fn an_event_with_several_rows_is_dumped_once() {
    let database = server();
    let columns = "topological_ordering, event_id, type, room_id, processed, outlier, depth, origin_server_ts, received_ts, sender";
    let second = |event_id: &str, id: i64| {
        let sql = format!(
            "insert into events ({columns}, stream_ordering) select {columns}, {id} from events where event_id = '{event_id}'"
        );
        database.with_broken_indexes("events", &sql);
    };
    second("$1", 10);
    second("$-1", 11);
    let sql = "insert into event_json select event_id, room_id, internal_metadata, replace(json, 'hello', 'a'), format_version \
                 from event_json where event_id in ('$1', '$2')";
    database.with_broken_indexes("event_json", sql);
    let dumped = room(&database, &[ROOM]);
    assert_eq!(ids(&dumped.stdout), ["$-2", "$-1", "$1", "$2", "$3"]);
    assert_eq!(dumped.stdout.matches(r#""body":"a""#).count(), 2, "{}", dumped.stdout);
    let said = dumped.with(3).saying("event $-1 has several rows").saying("event $2 has several rows").stderr;
    assert_eq!(said.matches("several rows").count(), 3, "{said}");
    let document = room(&database, &[ROOM, "--format", "markdown"]);
    assert_eq!(document.stdout.matches("hello").count(), 3, "{}", document.stdout);
    document.with(3).saying("event $-1 has several rows");
    room(&database, &[ROOM, "--state"]).with(3);
    let archive = TestArchive::new();
    export(&database, archive.path(), &[])
        .with(3)
        .saying("several rows")
        .saying("done, but some events have several rows");
    assert_eq!(archive.lines().len(), 5);
    export(&database, archive.path(), &[]).with(0);
}

#[test]
fn what_erased_users_said_is_left_out_of_a_dump_that_is_handed_on() {
    let database = server();
    let gone = |row: EventRow| EventRow { sender: "@gone:here.test".to_owned(), ..row };
    database.event(gone(EventRow::message(10, "personal")));
    let topic = json!({"topic": "personal topic"});
    database.event(gone(EventRow::state(11, "m.room.topic", "", &topic)));
    database.event(gone(EventRow {
        json: Some(r#"{"content":{"body":"personal \ud800"}}"#.to_owned()),
        ..EventRow::at(12)
    }));
    database.event(EventRow::message(13, "hello"));
    database
        .redaction("$13", gone(EventRow { content: r#"{"reason":"personal reason"}"#.to_owned(), ..EventRow::at(14) }));
    assert!(honoured(&database, 3).0.stdout.contains("personal"));
    database.execute("insert into erased_users values ('@gone:here.test'), ('@other:here.test')");
    let (dumped, lines) = honoured(&database, 3);
    assert!(!dumped.stdout.contains("personal"), "{}", dumped.stdout);
    assert_eq!(lines.len(), 10, "none is missing");
    assert_eq!((&lines["$10"]["content"], &lines["$10"]["synapse"]["redacted"]), (&json!({}), &json!(true)));
    assert_eq!(lines["$1"]["content"]["body"], "hello");
    let dumped = dumped.saying("10 events").saying("1 line redacted, 4 of erased users");
    drop(dumped);

    let role = format!("erased_{}", database.query_one_text("select current_database()"));
    database.psql(&include_str!("../../sql/reader_role.sql").replace("synapse_export", &role));
    let dsn = database.dsn().replace("user=postgres", &format!("user={role}"));
    let dump = |more: &[&str]| run(&[&["room", ROOM, "--database", &dsn, "--honour-redactions"], more].concat());
    assert!(!dump(&[]).with(3).stdout.contains("personal"));
    // as it was granted before
    database.execute(&format!(
        "revoke select on erased_users from {role}; revoke select (user_id) on erased_users from {role}"
    ));
    let refused =
        dump(&[]).with(1).saying(&format!("GRANT SELECT ON erased_users TO {role};")).saying("--ignore-erased");
    assert_eq!(refused.stdout, "");
    assert!(dump(&["--ignore-erased"]).with(3).saying("what erased users said stays").stdout.contains("personal"));
    // nothing else needs it
    run(&["room", ROOM, "--database", &dsn]).with(3);
    run(&["room", ROOM, "--database", &dsn, "--ignore-erased"]).with(2);
    database.execute(&format!("drop owned by {role}; drop role {role}"));
}
