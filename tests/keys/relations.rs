//! What relates encrypted events to others counts as everywhere, if it stands outside of what is encrypted; what a plaintext claims to be
//! besides a type and a content does not count.

use serde_json::{Value, json};
use vodozemac::megolm::{GroupSession, SessionConfig};

use super::Lab;
use super::archive::Archive;
use super::backup::Backup;
use crate::support::story::{EventRow, ROOM};
use crate::support::{Shape, cluster};

const ALICE: &str = "@alice:here.test";

/// A room whose messages one session encrypts, and the options that open it.
struct Room {
    lab: Lab,
    session: GroupSession,
    options: Vec<String>,
    stored: i64,
}

impl Room {
    fn new(hint: &str) -> Room {
        let synapse = cluster().database(hint, Shape::V1_163);
        synapse.execute(include_str!("../../testdata/schema/keys.sql"));
        synapse.user(ALICE);
        synapse.room(ROOM, "10");
        let (backup, session) = (Backup::new(&synapse, ALICE), GroupSession::new(SessionConfig::version_1()));
        synapse.execute(&format!(
            "insert into e2e_room_keys (user_id, room_id, session_id, version, first_message_index, forwarded_count, is_verified, session_data)
             values ('{ALICE}', '{ROOM}', '{}', 1, 0, 0, false, '{}')",
            session.session_id(),
            backup.session_data(&session)
        ));
        let bridge = cluster().database(&format!("{hint}_none"), Shape::V1_163);
        let lab = Lab { synapse, bridge, files: tempfile::tempdir().unwrap(), secrets: json!({}) };
        let key = lab.file("recovery", &backup.recovery_key());
        let options = ["--decrypt", "--backup-user", ALICE, "--recovery-key-file", &key].map(str::to_owned).to_vec();
        Room { lab, session, options, stored: 0 }
    }

    fn next(&mut self) -> EventRow {
        self.stored += 1;
        EventRow::at(self.stored)
    }

    /// Stores an event that says this type and content, with what relates it outside; its id.
    fn say(&mut self, kind: &str, content: &Value, relation: Option<Value>) -> String {
        self.store(&json!({ "type": kind, "room_id": ROOM, "content": content }), relation)
    }

    /// Stores an event with a plaintext.
    fn store(&mut self, plaintext: &Value, relation: Option<Value>) -> String {
        let row = self.next();
        let mut content = json!({
            "algorithm": "m.megolm.v1.aes-sha2", "session_id": self.session.session_id(),
            "ciphertext": self.session.encrypt(plaintext.to_string()).to_base64(),
        });
        if let Some(relation) = relation {
            content["m.relates_to"] = relation;
        }
        let event_id = row.event_id.clone();
        let kind = "m.room.encrypted".to_owned();
        self.lab.synapse.event(EventRow { event_type: kind, content: content.to_string(), ..row });
        event_id
    }

    /// The room as a document, by itself and in an archive, which are the same but for how they begin and end.
    #[track_caller]
    fn told(&self) -> [String; 2] {
        let options: Vec<&str> = self.options.iter().map(String::as_str).collect();
        let document = self.lab.run(&[&["room", ROOM, "--format", "markdown"], &*options].concat());
        assert_eq!(document.code, Some(0), "{document:#?}");
        let archive = Archive::new(&self.lab, "archive");
        archive.export(&options);
        [document.stdout, archive.transcript(&ROOM.replace(':', "@"))]
    }

    #[track_caller]
    fn tells(&self, parts: &[&str]) {
        for text in self.told() {
            for part in parts {
                assert!(text.contains(part), "{part}: {text}");
            }
        }
    }
}

fn text(body: &str) -> Value {
    json!({ "msgtype": "m.text", "body": body })
}

fn to(kind: &str, event_id: &str) -> Option<Value> {
    Some(json!({ "rel_type": kind, "event_id": event_id }))
}

#[test]
fn edits_replies_and_threads_that_are_related_outside_count() {
    let mut room = Room::new("outside");
    let first = room.say("m.room.message", &text("frist words"), None);
    let edit = json!({ "msgtype": "m.text", "body": "* first words", "m.new_content": text("first words") });
    room.say("m.room.message", &edit, to("m.replace", &first));
    room.say("m.room.message", &text("an answer"), Some(json!({ "m.in_reply_to": { "event_id": first } })));
    let root = room.say("m.room.message", &text("what begins a thread"), None);
    room.say("m.room.message", &text("within it"), to("m.thread", &root));
    room.tells(&[
        "first words",
        "edited",
        "> [",
        "an answer",
        "[in thread: what begins a thread]",
        "[thread: 1 reply]",
    ]);
    for told in room.told() {
        assert!(!told.contains("* first words") && told.matches("an answer").count() == 1, "{told}");
    }
}

#[test]
fn reactions_and_polls_that_are_related_outside_count() {
    let mut room = Room::new("polls");
    let message = room.say("m.room.message", &text("how nice"), None);
    let relation = json!({ "rel_type": "m.annotation", "event_id": message, "key": "🎉" });
    room.say("m.reaction", &json!({}), Some(relation));
    let poll = json!({
        "m.text": [{ "body": "Where? 1. here 2. there" }],
        "org.matrix.msc3381.poll.start": {
            "question": { "org.matrix.msc1767.text": "Where?" }, "kind": "org.matrix.msc3381.poll.disclosed", "max_selections": 1,
            "answers": [{ "id": "a", "org.matrix.msc1767.text": "over here" }, { "id": "b", "org.matrix.msc1767.text": "over there" }],
        },
    });
    let poll = room.say("org.matrix.msc3381.poll.start", &poll, None);
    let vote = json!({ "org.matrix.msc3381.poll.response": { "answers": ["b"] } });
    room.say("org.matrix.msc3381.poll.response", &vote, to("m.reference", &poll));
    room.say("org.matrix.msc3381.poll.end", &json!({ "org.matrix.msc3381.poll.end": {} }), to("m.reference", &poll));
    room.tells(&["🎉", "**Poll** · **Where?** · closed", "| over here | 0 | |", "| **over there** | **1** |"]);
}

#[test]
fn a_relation_that_is_encrypted_alone_is_told_with_its_event_and_changes_no_other() {
    let mut room = Room::new("inside");
    let first = room.say("m.room.message", &text("frist words"), None);
    let edit = json!({
        "msgtype": "m.text", "body": "* first words", "m.new_content": text("first words"),
        "m.relates_to": { "rel_type": "m.replace", "event_id": first },
    });
    room.say("m.room.message", &edit, None);
    // of two, the one outside counts
    let other = room.say("m.room.message", &text("other words"), None);
    let edit = json!({
        "msgtype": "m.text", "body": "* better words", "m.new_content": text("better words"),
        "m.relates_to": { "rel_type": "m.replace", "event_id": first },
    });
    room.say("m.room.message", &edit, to("m.replace", &other));
    for told in room.told() {
        let line =
            |part: &str| told.lines().find(|line| line.contains(part)).unwrap_or_else(|| panic!("{part}: {told}"));
        assert!(!line("frist words").contains("edited"), "{told}");
        line("first words");
        assert!(line("better words").contains("edited"), "{told}");
    }
}

#[test]
fn what_is_in_clear_edits_nothing_that_was_encrypted() {
    let mut room = Room::new("clear_edit");
    let first = room.say("m.room.message", &text("as it was meant"), None);
    let content = json!({
        "msgtype": "m.text", "body": "* forged", "m.new_content": text("forged"),
        "m.relates_to": { "rel_type": "m.replace", "event_id": first },
    });
    let row = room.next();
    room.lab.synapse.event(EventRow { content: content.to_string(), ..row });
    room.tells(&["as it was meant", "in clear of an encrypted message"]);
    let archive = Archive::new(&room.lab, "archive");
    let shown = archive.run("show", &["--json", &first]);
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(shown["encrypted"]["content"]["body"], "as it was meant", "{shown}");
}

#[test]
fn what_a_plaintext_claims_to_be_has_no_effect_but_as_a_message() {
    let mut room = Room::new("claims");
    let first = room.say("m.room.message", &text("it stays"), None);
    let claim = |kind: &str, content: Value, more: (&str, Value)| {
        let mut plaintext = json!({ "type": kind, "room_id": ROOM, "content": content });
        plaintext[more.0] = more.1;
        plaintext
    };
    room.store(&claim("m.room.redaction", json!({ "redacts": first }), ("redacts", first.clone().into())), None);
    room.store(&claim("m.room.name", json!({ "name": "A forged name" }), ("state_key", "".into())), None);
    let member = json!({ "membership": "join", "displayname": "Somebody else" });
    room.store(&claim("m.room.member", member, ("state_key", ALICE.into())), None);
    room.store(&claim("m.room.message", text("with a state key"), ("state_key", "".into())), None);
    room.store(&claim("m.room.message", text("from me"), ("sender", "@bob:here.test".into())), None);
    room.tells(&["it stays", "with a state key", "from me"]);
    let archive = Archive::new(&room.lab, "archive");
    let (index, texts) = (archive.transcripts()[std::path::Path::new("index.md")].clone(), room.told());
    assert!(!index.contains("A forged name"), "{index}");
    assert!(
        texts.iter().all(|text| !text.contains("# A forged name") && !text.contains("**Somebody else**")),
        "{texts:?}"
    );
    // its sender is who sent it
    assert!(texts.iter().all(|text| !text.contains("bob")), "{texts:?}");
    let catalog = rusqlite::Connection::open(archive.directory.join("catalog.sqlite")).unwrap();
    let state = "select count(*) from line where state_key is not null or redacted_by is not null";
    assert_eq!(catalog.query_row(state, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
    let options: Vec<&str> = room.options.iter().map(String::as_str).collect();
    let lines = room.lab.run(&[&["room", ROOM], &*options].concat());
    for line in lines.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        assert!(line.get("state_key").is_none() && line.get("redacts").is_none(), "{line}");
        assert_eq!(line["sender"], ALICE, "{line}");
    }
}
