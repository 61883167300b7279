//! `room --decrypt`: every event says what its sender sent, or why it cannot be read.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{ALICE, BOB, Lab, ROOMS, options, truth};

/// The reasons that the truth of the sample has, as lines name them.
pub(super) fn reason(truth: &str) -> &'static str {
    match truth {
        truth if truth.starts_with("replay of ") => "replay",
        "bad signature or MAC" | "damaged" => "damaged",
        "unknown algorithm" | "Olm" => "unknown_algorithm",
        "no session" => "no_session",
        "another room's" => "session_of_another_room",
        other => panic!("{other}"),
    }
}

/// Holds lines against the truth; returns how many could be read.
#[track_caller]
fn check(lines: &BTreeMap<String, Value>, is_whole: bool) -> usize {
    let mut readable = 0;
    for (event_id, truth) in truth() {
        let (line, label) = (&lines[&event_id], &truth["label"]);
        let why = &line["synapse"]["undecryptable"];
        if !why.is_null() {
            assert_eq!(line["type"], "m.room.encrypted", "{label}");
            if let Some(expected) = truth["undecryptable"].as_str().filter(|_| is_whole) {
                assert_eq!(why["reason"], reason(expected), "{label}: {why}");
                if let Some(of) = expected.strip_prefix("replay of ") {
                    assert_eq!(why["detail"], format!("a replay of {of}"), "{label}");
                }
            }
            assert!(!is_whole || truth.get("content").is_none(), "{label}: {why}");
            continue;
        }
        readable += 1;
        assert_eq!((&line["type"], &line["content"]), (&truth["type"], &truth["content"]), "{label}");
        let about = &line["synapse"]["encrypted"];
        assert_eq!((&about["type"], &about["index"]), (&json!("m.room.encrypted"), &truth["index"]), "{label}");
        assert_eq!(about["session_id"], truth["session_id"], "{label}");
        assert_eq!(about["content"]["session_id"], truth["session_id"], "{label}");
        // what the bridge's device encrypted for others
        let is_of_bridge = truth["owner"] != truth["sender"];
        assert_eq!(about.get("bridge").is_some(), is_of_bridge, "{label}: {about}");
        assert!(about.get("owner").is_none(), "{label}: {about}");
    }
    readable
}

#[test]
fn all_sources_together_read_all_that_can_be_read() {
    let lab = Lab::new("all_sources");
    let all = [lab.backup("alice", ALICE), lab.backup("bob", BOB), lab.key_file("alice"), lab.bridge()];
    let lines = lab.decrypted(&options(&all));
    assert_eq!(check(&lines, true), 83);
    let said: Vec<&Value> = lines.values().filter(|line| line["synapse"].get("encrypted").is_some()).collect();
    let authenticated = said.iter().filter(|line| line["synapse"]["encrypted"]["authenticated"] == true).count();
    assert!((1..83).contains(&authenticated), "{authenticated}");
}

#[test]
fn each_source_reads_what_it_can() {
    let lab = Lab::new("each_source");
    let expected = |name: &str| {
        let read = |truth: &Value| {
            let source = &truth["sources"][name];
            truth.get("content").is_some() && source.is_object() && source.get("error").is_none()
        };
        truth().values().filter(|truth| read(truth)).count()
    };
    for (name, sources) in [
        ("backup:alice", lab.backup("alice", ALICE)),
        ("backup:bob", lab.backup("bob", BOB)),
        ("keyfile:alice", lab.key_file("alice")),
        ("keyfile:bob", lab.key_file("bob")),
    ] {
        let lines = lab.decrypted(&options(&[sources]));
        assert_eq!(check(&lines, false), expected(name), "{name}");
    }
}

#[test]
fn a_dump_without_keys_is_as_it_was_and_nothing_is_decrypted_by_chance() {
    let lab = Lab::new("without_keys");
    let plain = lab.run(&["room", ROOMS[0]]);
    assert_eq!(plain.code, Some(0), "{plain:#?}");
    assert!(!plain.stdout.contains("undecryptable") && plain.stdout.contains("m.room.encrypted"));
    for arguments in [
        &["room", ROOMS[0], "--decrypt"][..],
        &["room", ROOMS[0], "--decrypt", "--backup-user", ALICE],
        &["room", ROOMS[0], "--decrypt", "--key-file", "/nowhere"],
        &["room", ROOMS[0], "--bridge-store", "/nowhere"],
    ] {
        let ended = lab.run(arguments);
        assert_eq!((ended.code, &*ended.stdout), (Some(2), ""), "{ended:#?}");
    }
}

#[test]
fn what_is_redacted_is_left_out_of_a_dump_to_hand_on_though_it_could_be_read() {
    let lab = Lab::new("redacted");
    let all = [lab.backup("alice", ALICE), lab.bridge(), vec!["--honour-redactions".to_owned()]];
    let lines = lab.decrypted(&options(&all));
    let redacted: Vec<_> = truth().into_values().filter(|truth| truth.get("redacted").is_some()).collect();
    assert!(!redacted.is_empty());
    for truth in redacted {
        let line = &lines[truth["event_id"].as_str().unwrap()];
        assert!(line["unsigned"].get("redacted_because").is_some(), "{line}");
        assert!(line["synapse"].get("encrypted").is_none() && line["content"].get("body").is_none(), "{line}");
    }
}

#[test]
fn a_replay_is_the_later_one_in_the_stream_whatever_its_depth() {
    let lab = Lab::new("replays");
    // a server of a member's puts what it replays before all else in the room's own order
    let replays: Vec<String> = truth()
        .values()
        .filter(|truth| truth["undecryptable"].as_str().is_some_and(|why| why.starts_with("replay")))
        .map(|truth| truth["event_id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(replays.len(), 4);
    for event_id in &replays {
        lab.synapse.execute(&format!("update events set topological_ordering = 1 where event_id = '{event_id}'"));
    }
    let all = [lab.backup("alice", ALICE), lab.backup("bob", BOB), lab.bridge()];
    assert_eq!(check(&lab.decrypted(&options(&all)), true), 83);
    // and where it has come first, as what is backfilled has, it is the first, if the session may be its sender's
    lab.synapse.execute(&format!(
        "update events set stream_ordering = -stream_ordering where event_id in ('{}')",
        replays.join("', '")
    ));
    let lines = lab.decrypted(&options(&all));
    let refused: Vec<&Value> = replays.iter().map(|id| &lines[id]["synapse"]["undecryptable"]["reason"]).collect();
    let still = refused.iter().filter(|reason| **reason == "replay").count();
    // Bob cannot have sent what Alice's device encrypted
    assert_eq!(still, 1, "{refused:?}");
    let replayed = lines.values().filter(|line| line["synapse"]["undecryptable"]["reason"] == "replay").count();
    assert_eq!(replayed, 4);
}

#[test]
fn a_session_is_its_owners() {
    let lab = Lab::new("owners");
    let all = [lab.backup("alice", ALICE), lab.bridge()];
    // what Alice's device has encrypted, as if Bob had sent it and she had not
    let truth = truth();
    let (event_id, _) = truth
        .iter()
        .find(|(_, it)| {
            it.get("content").is_some()
                && it["owner"] == ALICE
                && it["sender"] == ALICE
                && !truth.values().any(|other| {
                    other["undecryptable"].as_str().is_some_and(|why| why.ends_with(it["event_id"].as_str().unwrap()))
                })
        })
        .unwrap();
    let sender = format!("update events set sender = '{BOB}' where event_id = '{event_id}'");
    lab.synapse.execute(&sender);
    let lines = lab.decrypted(&options(&all));
    assert_eq!(lines[event_id]["synapse"]["undecryptable"]["reason"], "session_of_another_user");
    // without her device nobody can tell
    lab.synapse.execute(&format!("delete from e2e_device_keys_json where user_id = '{ALICE}'"));
    let lines = lab.decrypted(&options(&all));
    assert_eq!(lines[event_id]["synapse"]["encrypted"]["owner"], Value::Null);
    assert!(lines[event_id]["synapse"]["encrypted"].get("owner").is_some());
}

#[test]
fn what_strangers_write_into_an_event_stops_nothing() {
    let lab = Lab::new("strangers");
    let (event_id, _) = truth().into_iter().find(|(_, it)| it.get("content").is_some()).unwrap();
    for content in [
        r#"{"algorithm":"m.megolm.v1.aes-sha2","session_id":"\u0000","ciphertext":"AwgAEg"}"#,
        r#"{"algorithm":"m.megolm.v1.aes-sha2","session_id":"' or 1","ciphertext":""}"#,
        r#"{"algorithm":["m.megolm.v1.aes-sha2"],"ciphertext":{}}"#,
        r#"{"algorithm":"\u001b[2J","ciphertext":{}}"#,
        "{}",
        "[]",
    ] {
        let json = format!(r#"{{"type":"m.room.encrypted","content":{content}}}"#);
        lab.synapse.execute(&format!(
            "update event_json set json = '{}' where event_id = '{event_id}'",
            json.replace('\'', "''")
        ));
        let lines = lab.decrypted(&options(&[lab.bridge()]));
        assert!(lines[&event_id]["synapse"].get("encrypted").is_none(), "{}", lines[&event_id]);
    }
}
