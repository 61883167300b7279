//! One event of an archive, shown: as a transcript does, as its line, as JSON; and what is not shown.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use rusqlite::Connection;
use serde_json::{Value, json};
use synapse_export::archive::Archive;

use crate::support::Database;
use crate::support::archive::TestArchive;
use crate::support::story::{EventRow, NOON, ROOM};
use crate::{Ended, contents, export, run, server, text};

const LINES: &str = "rooms/room@here.test/2026-11-22.jsonl";
/// An id that is a hash, which begins with what looks like an option.
const HASH: &str = "$-qZ3456789_abcdefghijklmnopqrstuvwxyzABCDEF";
const ANCHOR: &str = "-qZ3456789_a";

fn show(archive: &Path, event: &str, more: &[&str]) -> Ended {
    run(&[&["show", event, "--archive", text(archive)], more].concat())
}

#[track_caller]
fn json(archive: &Path, event: &str, more: &[&str]) -> Value {
    let ended = show(archive, event, &[&["--json"], more].concat()).with(0);
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

fn about(kind: &str, id: i64, content: &Value) -> EventRow {
    EventRow { event_type: kind.to_owned(), content: content.to_string(), ..EventRow::at(id) }
}

fn edit(id: i64, of: &str, body: &str) -> EventRow {
    let new = json!({ "msgtype": "m.text", "body": body });
    let content = json!({
        "msgtype": "m.text", "body": format!("* {body}"), "m.new_content": new,
        "m.relates_to": { "rel_type": "m.replace", "event_id": of },
    });
    about("m.room.message", id, &content)
}

fn reaction(id: i64, to: &str, key: &str) -> EventRow {
    let relation = json!({ "rel_type": "m.annotation", "event_id": to, "key": key });
    about("m.reaction", id, &json!({ "m.relates_to": relation }))
}

/// An archive of the messages `said 10` to `said 16`, of which the one in the middle has a hash for an id, an edit and a reaction.
fn told() -> (Database, TestArchive) {
    let (database, archive) = (server(), TestArchive::new());
    for id in (10..17).filter(|id| *id != 13) {
        database.event(EventRow::message(id, &format!("said {id}")));
    }
    database.event(EventRow { event_id: HASH.to_owned(), ..EventRow::message(13, "said at first") });
    database.event(edit(20, HASH, "said in the end"));
    database.event(reaction(21, HASH, "👍"));
    export(&database, archive.path(), &[]).with(0);
    (database, archive)
}

/// Every file but those that SQLite makes beside a catalog while that is open.
fn lasting(archive: &TestArchive) -> BTreeMap<String, Vec<u8>> {
    contents(archive.path()).into_iter().filter(|(path, _)| !path.starts_with("catalog.sqlite-")).collect()
}

#[test]
fn an_event_is_shown_as_transcripts_show_it() {
    let (_database, archive) = told();
    let before = lasting(&archive);
    let shown = show(archive.path(), HASH, &[]).with(0);
    let transcript = format!("- transcript: `rooms/room@here.test/2026-11-22.md#{ANCHOR}`\n");
    for part in [&*transcript, &format!("`{LINES}`, "), "edits: `$20` 2026-11-22 12:00", "reactions: 👍 `$21`"] {
        assert!(shown.stdout.contains(part), "{part}: {shown:#?}");
    }
    let parts: Vec<&str> = shown.stdout.split("\n## ").collect();
    assert_eq!(
        parts.iter().map(|part| part.lines().next().unwrap()).collect::<Vec<_>>()[1..],
        ["Before", "Event", "After"]
    );
    let [_, before_it, itself, after_it] = *parts else { panic!("{shown:#?}") };
    assert!(itself.contains("said in the end *(edited 12:00)*") && itself.contains("said at first"), "{itself}");
    assert!(itself.contains(&format!("<a id=\"{ANCHOR}\"></a>")) && itself.contains("👍 @alice:here.test"), "{itself}");
    let said = |part: &str| (9..18).filter(|id| part.contains(&format!("said {id}"))).collect::<Vec<_>>();
    assert_eq!((said(before_it), said(itself), said(after_it)), (vec![10, 11, 12], vec![], vec![14, 15, 16]));
    // the transcript says the same of it
    let whole = archive.transcripts()["rooms/room@here.test/2026-11-22.md"].clone();
    let (_, own) = itself.split_once("said in the end").unwrap();
    assert!(whole.contains(own), "{own}\n\n{whole}");

    let little = show(archive.path(), HASH, &["--context", "1"]).with(0);
    assert_eq!(said(&little.stdout), [12, 14]);
    assert_eq!(said(&show(archive.path(), HASH, &["--context=0"]).with(0).stdout), [0_i64; 0]);
    assert!(lasting(&archive) == before, "it changes nothing");
}

#[test]
fn ids_and_anchors_are_taken_as_they_are_copied() {
    let (_database, archive) = told();
    let line = show(archive.path(), HASH, &["--raw"]).with(0).stdout;
    let address = format!("/somewhere/rooms/room@here.test/2026-11-22.md#{ANCHOR}");
    for text in [&HASH[1..], ANCHOR, &format!("#{ANCHOR}"), &address] {
        assert_eq!(show(archive.path(), text, &["--raw"]).with(0).stdout, line, "{text}");
        let turned = run(&["show", "--raw", "--archive", crate::text(archive.path()), text]);
        assert_eq!(turned.with(0).stdout, line, "{text}");
    }
    // what an index finds is the beginning alone
    show(archive.path(), "-qZ34567XXXX", &[]).with(1).saying("has no event -qZ34567XXXX");
    show(archive.path(), &format!("{}X", &HASH[..43]), &[]).with(1).saying("has no event");
}

#[test]
fn an_anchor_of_an_id_that_names_a_server_is_found_in_its_transcript() {
    let (database, archive) = (server(), TestArchive::new());
    database.event(EventRow { event_id: "$old:here.test".to_owned(), ..EventRow::message(10, "an old room") });
    export(&database, archive.path(), &[]).with(0);
    let id = "$old:here.test";
    let anchor = json(archive.path(), id, &[])["anchor"].as_str().unwrap().to_owned();
    show(archive.path(), &anchor, &[]).with(1).saying("needs the transcript's path before it");
    let address = format!("rooms/room@here.test/2026-11-22.md#{anchor}");
    for text in [&*address, "old:here.test"] {
        assert_eq!(json(archive.path(), text, &[])["event_id"], id, "{text}");
    }
    show(archive.path(), &address.replace("22.md", "21.md"), &[]).with(1);
}

#[test]
fn events_of_one_anchor_are_listed() {
    let (database, archive) = (server(), TestArchive::new());
    for (id, last) in [(10, "E"), (11, "F")] {
        let event_id = format!("{}{last}", &HASH[..43]);
        database.event(EventRow { event_id, ..EventRow::at(id) });
    }
    export(&database, archive.path(), &[]).with(0);
    let ended = show(archive.path(), ANCHOR, &[]).with(1).saying("several events have the anchor");
    ended.saying(HASH).saying(&format!("{}E", &HASH[..43]));
}

#[test]
fn a_line_is_written_as_it_is() {
    let (database, archive) = (server(), TestArchive::new());
    let control = '\u{9b}';
    database.event(EventRow::message(10, &format!("a {control}2J b")));
    export(&database, archive.path(), &[]).with(0);
    let line = archive.lines()["$10"].text.clone();
    assert_eq!(show(archive.path(), "$10", &["--raw"]).with(0).stdout, format!("{line}\n"));
    let about = json(archive.path(), "$10", &[]);
    assert_eq!(about["line"], serde_json::from_str::<Value>(&line).unwrap());
    let file = fs::read_to_string(archive.path().join(about["path"].as_str().unwrap())).unwrap();
    let at = |key: &str| usize::try_from(about[key].as_u64().unwrap()).unwrap();
    assert_eq!(file[at("start")..at("start") + at("length")], line);
    for more in ["--raw", "--json", ""] {
        let program = env!("CARGO_BIN_EXE_synapse-export");
        let command = format!("'{program}' show '$10' --archive '{}' {more}", text(archive.path()));
        let terminal = Command::new("script")
            .args(["--quiet", "--return", "--command", &command, "/dev/null"])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let shown = String::from_utf8(terminal.stdout).unwrap();
        assert!(shown.contains("2J b") && !shown.contains(control), "{more}: {shown}");
    }
}

#[test]
fn json_has_what_there_is_about_an_event() {
    let (database, archive) = told();
    let about = json(archive.path(), ANCHOR, &[]);
    assert_eq!(
        about["edits"],
        json!([{ "event_id": "$20", "sender": "@alice:here.test", "origin_server_ts": NOON + 20_000 }])
    );
    assert_eq!(about["reactions"][0]["key"], "👍");
    // as it was sent, whatever transcripts call it
    database.event(reaction(22, HASH, "mxc://here.test/parrot"));
    export(&database, archive.path(), &[]).with(0);
    assert_eq!(json(archive.path(), ANCHOR, &[])["reactions"][1]["key"], "mxc://here.test/parrot");
    assert!(show(archive.path(), ANCHOR, &[]).with(0).stdout.contains("a custom emoji"));
    assert_eq!(about["more"], json!({ "edits": false, "reactions": false }));
    assert_eq!((&about["room_id"], &about["day"], &about["path"]), (&json!(ROOM), &json!("2026-11-22"), &json!(LINES)));
    assert_eq!((&about["redacted_by"], &about["redaction"]), (&Value::Null, &Value::Null));
    assert_eq!(about["transcript"], format!("rooms/room@here.test/2026-11-22.md#{ANCHOR}"));
    let edit = json(archive.path(), "$20", &[]);
    assert_eq!(
        edit["relations"],
        json!({ "relates_to": HASH, "rel_type": "m.replace", "replies_to": null, "redacts": null })
    );
    // it is told with what it edits
    assert_eq!(edit["transcript"], about["transcript"]);
    let (program, path) = (["show", "$20", "--json", "--raw"], text(archive.path()));
    run(&[&program[..], &["--archive", path]].concat()).with(2);
    drop(database);
}

#[test]
fn what_is_told_with_another_event_is_shown_there() {
    let (database, archive) = told();
    database.redaction("$11", EventRow { content: json!({ "reason": "not nice" }).to_string(), ..EventRow::at(30) });
    export(&database, archive.path(), &[]).with(0);
    for (event, with, said) in [("$20", HASH, "said in the end"), ("$21", HASH, "👍"), ("$30", "$11", "not nice")] {
        let shown = show(archive.path(), event, &["--context", "0"]).with(0).stdout;
        assert!(shown.contains(&format!(", with `{with}`")) && shown.contains(said), "{shown}");
    }
}

#[test]
fn what_is_redacted_is_not_shown_unless_asked_for() {
    let (database, archive) = (server(), TestArchive::new());
    database.event(EventRow::message(10, "the secret"));
    database.event(edit(11, "$10", "the secret again"));
    let reply = json!({
        "msgtype": "m.text", "body": "> <@alice:here.test> the secret\n\nwell",
        "m.relates_to": { "m.in_reply_to": { "event_id": "$10" } },
    });
    database.event(about("m.room.message", 12, &reply));
    let row = EventRow { content: json!({ "reason": "not nice" }).to_string(), ..EventRow::at(13) };
    database.redaction("$10", row);
    database.event(EventRow::message(14, "after it"));
    database.event(EventRow::state(15, "m.room.topic", "", &json!({ "topic": "the secret" })));
    let replaced = json!({ "replaces_state": "$15", "prev_content": { "topic": "the secret" } });
    let pdu = json!({
        "type": "m.room.topic", "state_key": "", "sender": "@alice:here.test", "content": { "topic": "another" },
        "origin_server_ts": NOON + 16_000, "unsigned": replaced,
    });
    let row = EventRow::state(16, "m.room.topic", "", &json!({}));
    database.event(EventRow { json: Some(pdu.to_string()), ..row });
    database.redaction("$15", EventRow::at(17));
    export(&database, archive.path(), &[]).with(0);
    for (event, why) in [("$10", "it is redacted"), ("$11", "what it edits is redacted"), ("$12", "what it quotes is")]
    {
        let raw = show(archive.path(), event, &["--raw"]).with(0);
        assert_eq!(raw.stdout, "");
        raw.saying(why).saying("--show-redacted");
        let about = json(archive.path(), event, &[]);
        assert!(about["line"].is_null() && about["withheld"].as_str().unwrap().contains(why), "{about}");
        assert!(!about.to_string().contains("secret"), "{about}");
        let shown = show(archive.path(), event, &[]).with(0);
        assert!(!shown.stdout.contains("secret"), "{shown:#?}");
        for more in [&["--raw"][..], &["--json"]] {
            let shown = show(archive.path(), event, &[&["--show-redacted"], more].concat()).with(0);
            assert!(shown.stdout.contains("secret"), "{shown:#?}");
        }
    }
    let shown = show(archive.path(), "$10", &[]).with(0).stdout;
    assert!(shown.contains("redacted by @alice:here.test") && shown.contains("not nice"), "{shown}");
    let shown = show(archive.path(), "$10", &["--show-redacted"]).with(0).stdout;
    assert!(shown.contains("redacted original") && shown.contains("the secret"), "{shown}");
    let about = json(archive.path(), "$10", &[]);
    assert_eq!((&about["redacted_by"], &about["redaction"]["reason"]), (&json!("$13"), &json!("not nice")));
    // nor beside it
    assert!(!show(archive.path(), "$14", &[]).with(0).stdout.contains("secret"));
}

#[test]
fn what_clients_do_not_see_is_shown_and_said() {
    let (database, archive) = (server(), TestArchive::new());
    let soft = r#"{"soft_failed": true}"#.to_owned();
    database.event(EventRow { internal_metadata: soft, ..EventRow::message(10, "came too late") });
    database.event(EventRow { rejected: Some("auth_error".to_owned()), ..EventRow::message(11, "against the rules") });
    export(&database, archive.path(), &[]).with(0);
    for (event, flag, said) in [("$10", "soft_failed", "came too late"), ("$11", "rejected", "against the rules")] {
        let shown = show(archive.path(), event, &[]).with(0).stdout;
        assert!(shown.contains("clients do not see it") && shown.contains(said), "{shown}");
        let about = json(archive.path(), event, &[]);
        assert!(about["flags"][flag] == true && about["transcript"].is_null(), "{about}");
    }
}

#[test]
fn a_line_that_cannot_be_read_is_said_in_words() {
    let (_database, archive) = told();
    let lines = archive.path().join(LINES);
    let whole = fs::read_to_string(&lines).unwrap();
    let check = |said: &str| {
        show(archive.path(), HASH, &[]).with(3).saying("cannot be read").saying(said);
        let raw = show(archive.path(), HASH, &["--raw"]).with(3).saying(said);
        assert_eq!(raw.stdout, "");
        let about: Value = serde_json::from_str(&show(archive.path(), HASH, &["--json"]).with(3).stdout).unwrap();
        assert!(about["line"].is_null() && about["damage"].as_str().unwrap().contains(said), "{about}");
    };
    fs::write(&lines, whole.replace(&HASH[1..], &HASH[1..].to_uppercase())).unwrap();
    check("is of another event");
    fs::write(&lines, whole.replacen("{\"event_id\"", " {\"event_id\"", 1)).unwrap();
    check("there is no line");
    fs::write(&lines, &whole[..20]).unwrap();
    check("cannot read rooms/room@here.test");
    fs::remove_file(&lines).unwrap();
    check("cannot open ");
    // nothing is read through a link
    let outside = archive.path().with_file_name("outside");
    fs::write(&outside, whole).unwrap();
    std::os::unix::fs::symlink(outside, &lines).unwrap();
    check("symbolic link");
}

#[test]
fn an_event_that_the_server_has_damaged_is_shown_as_such() {
    let (database, archive) = (server(), TestArchive::new());
    database.event(EventRow { json: Some("no JSON".to_owned()), ..EventRow::at(10) });
    database.event(EventRow { json: Some("no JSON, m.replace".to_owned()), ..EventRow::at(11) });
    export(&database, archive.path(), &[]).with(3);
    let shown = show(archive.path(), "$10", &[]).with(0).stdout;
    assert!(shown.contains("damaged: its line holds no event"), "{shown}");
    assert!(json(archive.path(), "$10", &[])["flags"]["damaged"] == true);
    assert!(show(archive.path(), "$10", &["--raw"]).with(0).stdout.contains("no JSON"));
    // it may be an edit of what is redacted
    assert_eq!(show(archive.path(), "$11", &["--raw"]).with(0).saying("cannot be told").stdout, "");
    assert!(show(archive.path(), "$11", &["--raw", "--show-redacted"]).with(0).stdout.contains("m.replace"));
}

#[test]
fn nothing_found_is_a_failure() {
    let (_database, archive) = told();
    show(archive.path(), "$nothing", &[]).with(1).saying("the archive has no event $nothing");
    show(archive.path(), "\u{1b}]0;x", &[]).with(1).saying("no event \\u{1b}]0;x");
    let nowhere = archive.path().with_file_name("nowhere");
    show(&nowhere, "$10", &[]).with(1).saying("is no archive");
    assert!(!nowhere.exists());
}

#[test]
fn an_event_is_shown_beside_an_export() {
    let (_database, archive) = told();
    let writer = Archive::open(archive.path(), None).unwrap();
    assert!(show(archive.path(), ANCHOR, &[]).with(0).stdout.contains("said in the end"));
    drop(writer);
}

#[test]
fn nothing_is_shown_before_a_first_export_is_done() {
    let (_database, archive) = told();
    let catalog = Connection::open(archive.path().join("catalog.sqlite")).unwrap();
    catalog.execute_batch("drop index line_id; drop index line_file; drop index membership_alike").unwrap();
    show(archive.path(), ANCHOR, &[]).with(75).saying("first export");
}

#[test]
fn what_is_told_with_others_is_not_counted_nor_looked_at_without_end() {
    let (database, archive) = (server(), TestArchive::new());
    database.event(EventRow::message(10, "before it"));
    for id in 11..71 {
        database.event(reaction(id, "$10", "👍"));
    }
    database.event(EventRow::message(100, "after it"));
    export(&database, archive.path(), &[]).with(0);
    let is_told = || show(archive.path(), "$100", &["--context", "1"]).with(0).stdout.contains("before it");
    assert!(is_told());
    for id in 101..161 {
        let late = Some(NOON + 86_400_000);
        database.event(EventRow { ts: Some(NOON + 99_000), received_ts: late, ..reaction(id, "$10", "👍") });
    }
    export(&database, archive.path(), &[]).with(0);
    assert!(!is_told());
}
