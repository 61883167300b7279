//! What is erased from an archive is nowhere in it any more, however it ends and whatever comes later.

mod support;

#[path = "erase/crash.rs"]
mod crash;
#[path = "erase/elsewhere.rs"]
mod elsewhere;
#[path = "erase/lasting.rs"]
mod lasting;
#[path = "erase/nowhere.rs"]
mod nowhere;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;
use support::archive::TestArchive;
use support::ended::{Ended, command, ended};
use support::story::{EventRow, ROOM};
use support::{Database, Shape, cluster};

/// Whose words are erased.
const MALLORY: &str = "@mallory:here.test";
/// What he said and what he was called, in whatever place.
const SECRETS: [&str; 12] = [
    "secretword",
    "secretedit",
    "secretkey",
    "secrettopic",
    "secretunsigned",
    "secretunparsed",
    "secretshadowed",
    "secretreason",
    "Zanzibar",
    "Quokka",
    "secretpoll",
    "secretlink",
];
/// What others said.
const OTHERS: [&str; 4] = ["alicereply", "aliceanswer", "alicetopic", "hello"];

fn run(arguments: &[&str]) -> Ended {
    ended(command().args(arguments))
}

fn path(archive: &TestArchive) -> &str {
    archive.path().to_str().expect("UTF-8")
}

fn export(database: &Database, archive: &TestArchive, more: &[&str]) -> Ended {
    run(&[&["export", "--database", &database.dsn(), "--archive", path(archive)], more].concat())
}

fn erase(archive: &TestArchive, more: &[&str]) -> Ended {
    run(&[&["erase", "--archive", path(archive)], more].concat())
}

/// In which files and names below a directory something stands.
fn places(directory: &Path, what: &str) -> BTreeSet<String> {
    let mut places = BTreeSet::new();
    let mut directories = vec![directory.to_owned()];
    let has = |bytes: &[u8]| {
        let lower = bytes.to_ascii_lowercase();
        lower.windows(what.len()).any(|part| part == what.to_ascii_lowercase().as_bytes())
    };
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).expect("a directory can be listed") {
            let path = entry.expect("a directory can be listed").path();
            let mut found = has(path.file_name().expect("it is an entry").as_encoded_bytes());
            if path.is_symlink() {
                found |= has(std::fs::read_link(&path).expect("a link can be read").as_os_str().as_encoded_bytes());
            } else if path.is_dir() {
                directories.push(path.clone());
            } else {
                let bytes = std::fs::read(&path).expect("a file can be read");
                found |= has(&bytes);
                // what is compressed cannot be seen otherwise
                if path.extension().is_some_and(|extension| extension == "zst") {
                    found |= has(&zstd::decode_all(&*bytes).expect("it is zstd"));
                }
            }
            if found {
                places.insert(path.display().to_string());
            }
        }
    }
    places
}

#[track_caller]
fn nowhere(archive: &TestArchive, secrets: &[&str]) {
    for secret in secrets {
        let found = places(archive.path(), secret);
        assert!(found.is_empty(), "{secret} is in {found:?}");
    }
}

#[track_caller]
fn somewhere(archive: &TestArchive, texts: &[&str]) {
    for text in texts {
        assert!(!places(archive.path(), text).is_empty(), "{text} is nowhere");
    }
}

fn by(user_id: &str, row: EventRow) -> EventRow {
    EventRow { sender: user_id.to_owned(), ..row }
}

fn kind(event_type: &str, content: &serde_json::Value, row: EventRow) -> EventRow {
    EventRow { event_type: event_type.to_owned(), content: content.to_string(), ..row }
}

/// A server on which Mallory has said and done many things, and others have answered.
fn server() -> Database {
    let database = cluster().database("erase", Shape::V1_163);
    database.user("@alice:here.test");
    database.user(MALLORY);
    database.room(ROOM, "10");
    database.room("!other:here.test", "10");
    let member = |id, name: &str| {
        let content = json!({ "membership": "join", "displayname": name });
        by(MALLORY, EventRow::state(id, "m.room.member", MALLORY, &content))
    };
    database.event(EventRow::member(1, "@alice:here.test", "join"));
    database.event(EventRow { json: Some(json!({
        "type": "m.room.member", "state_key": MALLORY, "sender": MALLORY, "origin_server_ts": support::story::NOON + 2000,
        "room_id": ROOM, "content": { "membership": "join", "displayname": "Zanzibar" }, "synapse": "secretshadowed",
        "unsigned": { "prev_content": { "displayname": "secretunsigned" } },
    }).to_string()), ..member(2, "Zanzibar") });
    database.event(EventRow::message(3, "hello"));
    database.event(by(MALLORY, EventRow::message(4, "secretword https://x.example/secretlink")));
    let relation = json!({ "rel_type": "m.replace", "event_id": "$4" });
    database.event(by(MALLORY, kind("m.room.message", &json!({
        "msgtype": "m.text", "body": "* secretedit", "m.new_content": { "msgtype": "m.text", "body": "secretedit" }, "m.relates_to": relation,
    }), EventRow::at(5))));
    database.event(by(
        MALLORY,
        kind(
            "m.reaction",
            &json!({
                "m.relates_to": { "rel_type": "m.annotation", "event_id": "$3", "key": "secretkey" },
            }),
            EventRow::at(6),
        ),
    ));
    database.event(by(MALLORY, EventRow::state(7, "m.room.topic", "", &json!({ "topic": "secrettopic" }))));
    // others repeat him
    database.event(kind("m.room.message", &json!({
        "msgtype": "m.text", "body": "> <@mallory:here.test> secretword\n\nalicereply", "format": "org.matrix.custom.html",
        "formatted_body": "<mx-reply><blockquote>secretword</blockquote></mx-reply>alicereply",
        "m.relates_to": { "m.in_reply_to": { "event_id": "$4" } },
    }), EventRow::at(8)));
    database.event(kind(
        "m.room.message",
        &json!({
            "msgtype": "m.text", "body": "* > <@mallory:here.test> secretword\n\naliceanswer",
            "m.new_content": { "msgtype": "m.text", "body": "> <@mallory:here.test> secretword\n\naliceanswer" },
            "m.relates_to": { "rel_type": "m.replace", "event_id": "$8" },
        }),
        EventRow::at(9),
    ));
    database.event(EventRow { json: Some(json!({
        "type": "m.room.topic", "state_key": "", "sender": "@alice:here.test", "origin_server_ts": support::story::NOON + 10_000,
        "room_id": ROOM, "content": { "topic": "alicetopic" },
        "unsigned": { "replaces_state": "$7", "prev_content": { "topic": "secrettopic" } },
    }).to_string()), ..EventRow::state(10, "m.room.topic", "", &json!({ "topic": "alicetopic" })) });
    let invite = json!({ "membership": "invite" });
    database.event(EventRow { json: Some(json!({
        "type": "m.room.member", "state_key": "@carol:there.test", "sender": "@alice:here.test", "room_id": ROOM,
        "origin_server_ts": support::story::NOON + 11_000, "content": invite,
        "unsigned": { "invite_room_state": [{ "type": "m.room.member", "sender": MALLORY, "state_key": MALLORY,
                                              "content": { "membership": "join", "displayname": "Zanzibar" } }] },
    }).to_string()), ..EventRow::state(11, "m.room.member", "@carol:there.test", &invite) });
    database.event(EventRow { json: Some("secretunparsed".to_owned()), ..by(MALLORY, EventRow::at(12)) });
    // what he has redacted stays so
    database.event(EventRow::message(13, "alicehidden"));
    database.redaction(
        "$13",
        by(MALLORY, EventRow { content: r#"{"reason":"secretreason"}"#.to_owned(), ..EventRow::at(14) }),
    );
    database.event(member(15, "Quokka"));
    database.event(by(MALLORY, kind("m.poll.start", &json!({
        "m.poll": { "question": { "m.text": [{ "body": "secretpoll" }] }, "answers": [{ "m.id": "1", "m.text": [{ "body": "secretword" }] }] },
        "m.text": [{ "body": "secretpoll" }],
    }), EventRow::at(16))));
    // an outlier of another room, which has no line there
    database.event(EventRow { outlier: true, ..member(17, "Zanzibar Outlier").within("!other:here.test") });
    database.event(EventRow::message(18, "hello").within("!other:here.test"));
    database.event(kind(
        "m.room.message",
        &json!({ "msgtype": "m.text", "body": "the next day" }),
        EventRow {
            ts: Some(support::story::NOON + 86_400_000),
            received_ts: Some(support::story::NOON + 86_400_000),
            ..EventRow::at(19)
        },
    ));
    database
}
