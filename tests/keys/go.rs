//! The crypto stores of bridges in Go: their table in the versions that there were, with sessions as goolm pickles them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Lab, sample};
use crate::support::story::EventRow;
use crate::support::{Database, Shape, cluster};

const ROOM: &str = "!bridged:here.test";

/// What versions of the store have added to the table, as far as it has something to do with sessions.
const VERSIONS: [(u32, &str); 6] = [
    (
        8,
        "create table crypto_megolm_inbound_session (
             account_id text, session_id char(43), sender_key char(43) not null, signing_key char(43), room_id text not null,
             session bytea, forwarding_chains bytea, withheld_code text, withheld_reason text,
             primary key (account_id, session_id))",
    ),
    (
        10,
        "alter table crypto_megolm_inbound_session add column ratchet_safety jsonb;
         alter table crypto_megolm_inbound_session add column received_at timestamp;
         alter table crypto_megolm_inbound_session add column max_age bigint;
         alter table crypto_megolm_inbound_session add column max_messages integer;
         alter table crypto_megolm_inbound_session add column is_scheduled boolean not null default false",
    ),
    (14, "alter table crypto_megolm_inbound_session add column key_backup_version text not null default ''"),
    (19, "alter table crypto_megolm_inbound_session add column key_source text not null default ''"),
    (21, "alter table crypto_megolm_inbound_session add column shared_history boolean"),
    (23, "alter table crypto_megolm_inbound_session add column source_user text not null default ''"),
];

/// Of each session what it is, and what it says of messages 0, 1 and 2: whether it is vouched for, or the reason why it cannot be read.
type Said = BTreeMap<String, Vec<Value>>;

fn sessions() -> Vec<Value> {
    let text = std::fs::read_to_string(sample("goolm.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The columns that all versions have, as the bridge fills them; a session of `own key` is another account's.
fn row(session: &Value) -> [Option<&str>; 6] {
    let text = |name: &str| session[name].as_str();
    let account = if text("what") == Some("own key") { "" } else { "signal" };
    let (pickle, chains, withheld) = match text("what").unwrap() {
        "forward" => (text("pickle"), Some("relay,other"), None),
        "redacted" => (None, None, Some("com.beeper.redacted")),
        _ => (text("pickle"), Some(""), None),
    };
    [Some(account), text("session_id"), Some(ROOM), pickle, chains, withheld]
}

fn lab(hint: &str) -> Lab {
    let synapse = cluster().database(hint, Shape::V1_163);
    synapse.execute(include_str!("../../testdata/schema/keys.sql"));
    synapse.room(ROOM, "10");
    let mut position = 0;
    for session in sessions() {
        for message in session["messages"].as_array().unwrap() {
            position += 1;
            let content = json!({ "algorithm": "m.megolm.v1.aes-sha2", "session_id": session["session_id"], "ciphertext": message });
            let row = EventRow::at(position);
            synapse.event(EventRow {
                event_type: "m.room.encrypted".to_owned(),
                room_id: ROOM.to_owned(),
                content: content.to_string(),
                ..row
            });
        }
    }
    let bridge = cluster().database(&format!("{hint}_bridge"), Shape::V1_163);
    Lab { synapse, bridge, files: tempfile::tempdir().unwrap(), secrets: json!({}) }
}

#[track_caller]
fn said(lab: &Lab, sources: &[&str]) -> Said {
    let key = lab.file("pickle", "the pickle key of a bridge's configuration");
    let ended = lab.run(&[&["room", ROOM, "--decrypt", "--pickle-key-file", &key], sources].concat());
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let mut said = Said::new();
    let sessions = sessions();
    for line in ended.stdout.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let about = &line["synapse"];
        let stored = about.get("encrypted").map_or(&line["content"], |about| &about["content"]);
        let session = sessions.iter().find(|session| session["session_id"] == stored["session_id"]).unwrap();
        let what = session["what"].as_str().unwrap();
        let of_session = said.entry(what.to_owned()).or_default();
        if about.get("encrypted").is_some() {
            let body = format!("{what}, message {} of session", of_session.len());
            assert!(line["content"]["body"].as_str().unwrap().starts_with(&body), "{line}");
        }
        let why = || about["undecryptable"]["reason"].clone();
        of_session.push(about.get("encrypted").map_or_else(why, |about| about["authenticated"].clone()));
    }
    said
}

/// What is to come of it; before version 19 nothing tells of an import.
fn expected(version: u32) -> Said {
    let tells = |is_vouched_for: bool| vec![json!(is_vouched_for); 3];
    let late = "session_starts_later";
    let all = [
        ("direct", tells(true)),
        ("own key", tells(true)),
        ("unknown", tells(true)),
        ("import", tells(version < 19)),
        ("backup", tells(version < 19)),
        ("forward", tells(false)),
        ("starts later", vec![json!(late), json!(late), json!(true)]),
        ("redacted", vec![json!("withheld"); 3]),
    ];
    all.into_iter().map(|(what, said)| (what.to_owned(), said)).collect()
}

fn fill(bridge: &Database) {
    for session in sessions() {
        let values = row(&session).map(|value| value.map_or("null".to_owned(), |value| format!("'{value}'")));
        let [account, id, room, pickle, chains, withheld] = &values;
        bridge.execute(&format!(
            "insert into crypto_megolm_inbound_session (account_id, session_id, sender_key, room_id, session, forwarding_chains, withheld_code)
             values ({account}, {id}, '{}', {room}, {pickle}, {chains}, {withheld})",
            "k".repeat(43)
        ));
    }
}

/// How the bridge writes where a session is from, since it does.
const SOURCES: [(&str, &str); 5] = [
    ("direct", "direct"),
    ("own key", "direct"),
    ("starts later", "direct"),
    ("import", "import"),
    ("backup", "backup"),
];

#[test]
fn every_version_of_the_table_is_read_as_it_is_brought_up_to_date() {
    let lab = lab("in_go_versions");
    let dsn = lab.bridge.dsn();
    for (version, sql) in VERSIONS {
        lab.bridge.execute(sql);
        if version == 8 {
            fill(&lab.bridge);
        }
        if version == 19 {
            // rows from before say no source; what was forwarded is known all the same
            assert_eq!(said(&lab, &["--bridge-database", &dsn]), expected(10));
            for (what, source) in SOURCES {
                let id = sessions().into_iter().find(|session| session["what"] == what).unwrap();
                let id = id["session_id"].as_str().unwrap();
                let sql = format!(
                    "update crypto_megolm_inbound_session set key_source = '{source}' where session_id = '{id}'"
                );
                lab.bridge.execute(&sql);
            }
        }
        if matches!(version, 8 | 10 | 19 | 23) {
            assert_eq!(said(&lab, &["--bridge-database", &dsn]), expected(version), "{version}");
        }
    }
}

#[test]
fn the_newest_table_is_read_in_a_file_too() {
    let lab = lab("in_go_file");
    let path = lab.path("bridge.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    for (_, sql) in VERSIONS {
        connection.execute_batch(sql).unwrap();
    }
    for session in sessions() {
        // the driver stores a text as a text, and bytes as bytes
        let sql = "insert into crypto_megolm_inbound_session (account_id, session_id, room_id, session, forwarding_chains, withheld_code, sender_key, key_source)
                   values (?1, ?2, ?3, cast(?4 as blob), ?5, ?6, 'k', ?7)";
        let source = SOURCES.iter().find(|(what, _)| session["what"] == *what).map_or("", |(_, source)| source);
        let values = row(&session).into_iter().chain([Some(source)]);
        connection.execute(sql, rusqlite::params_from_iter(values)).unwrap();
    }
    drop(connection);
    assert_eq!(said(&lab, &["--bridge-store", &path]), expected(23));
}
