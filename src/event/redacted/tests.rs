use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Honoured, Redaction};
use crate::event::{Event, EventId, RoomId, Stored, UserId};

fn event(kind: &str, room_version: Option<&str>, pdu: &str) -> Event {
    Event::from_stored(&Stored {
        event_id: EventId::of("$e"),
        room_id: RoomId::of("!r:x"),
        kind,
        sender: Some(UserId::of("@a:x")),
        state_key: None,
        stream_ordering: 1,
        topological_ordering: 1,
        origin_server_ts: Some(7),
        received_ts: None,
        room_version,
        outlier: false,
        rejected: false,
        internal_metadata: None,
        json: Some(pdu),
        redacts: None,
        recheck: None,
    })
}

fn because() -> Event {
    event("m.room.redaction", Some("10"), r#"{"type":"m.room.redaction","content":{"reason":"spam"}}"#)
}

/// What is left of a redacted event, and whether more was left out than its redaction asks for.
fn redacted(event: &Event) -> (Value, bool) {
    let because = because();
    let Honoured { line, warning } = event.honouring(Some(Redaction { event: &because, redacted: false }));
    assert!(!line.contains("secret") && !line.contains('\n'), "{line}");
    let line: Value = serde_json::from_str(&line).unwrap_or_default();
    assert_eq!(line["unsigned"]["redacted_because"]["content"], json!({"reason": "spam"}));
    assert_eq!((&line["event_id"], &line["room_id"]), (&json!("$e"), &json!("!r:x")));
    assert_eq!(line["synapse"]["redacted"], true);
    (line, warning.is_some())
}

fn left(kind: &str, room_version: Option<&str>, content: &Value) -> Value {
    let pdu = json!({"type": kind, "content": content, "origin": "x", "hashes": {}, "extra": "secret"});
    let (line, warned) = redacted(&event(kind, room_version, &pdu.to_string()));
    let is_known = room_version.is_some_and(|version| version.parse::<u8>().is_ok());
    assert!(warned != is_known && line.get("extra").is_none() && line.get("hashes").is_some());
    assert_eq!(line.get("origin").is_some(), room_version == Some("1") || room_version == Some("10"), "{line}");
    line["content"].clone()
}

#[test]
fn each_room_version_spares_what_its_rules_say() {
    let aliases = json!({"aliases": ["#a:x"], "more": "secret"});
    assert_eq!(left("m.room.aliases", Some("1"), &aliases), json!({"aliases": ["#a:x"]}));
    assert_eq!(left("m.room.aliases", Some("10"), &aliases), json!({}));
    let rules = json!({"join_rule": "restricted", "allow": [], "more": "secret"});
    assert_eq!(left("m.room.join_rules", Some("1"), &rules), json!({"join_rule": "restricted"}));
    assert_eq!(left("m.room.join_rules", Some("10"), &rules), json!({"join_rule": "restricted", "allow": []}));
    let levels = json!({"invite": 50, "users": {"@a:x": 100}, "more": "secret"});
    assert_eq!(left("m.room.power_levels", Some("10"), &levels), json!({"users": {"@a:x": 100}}));
    assert_eq!(left("m.room.power_levels", Some("11"), &levels), json!({"invite": 50, "users": {"@a:x": 100}}));
    let redacts = json!({"redacts": "$t", "reason": "secret"});
    assert_eq!(left("m.room.redaction", Some("10"), &redacts), json!({}));
    assert_eq!(left("m.room.redaction", Some("12"), &redacts), json!({"redacts": "$t"}));
    // Of a version that is not known nothing is spared that any version prunes.
    for unknown in [None, Some("org.example.99"), Some("")] {
        assert_eq!(left("m.room.aliases", unknown, &aliases), json!({}));
        assert_eq!(left("m.room.join_rules", unknown, &rules), json!({"join_rule": "restricted"}));
        assert_eq!(left("m.room.redaction", unknown, &redacts), json!({}));
    }
}

#[test]
fn what_cannot_be_pruned_by_the_rules_is_left_out_whole() {
    let deep = format!(r#"{{"type":"t","content":{{"a":{}"secret"{}}}}}"#, "[".repeat(500), "]".repeat(500));
    let pdus = [
        r#"{"type":"t","content":{"body":"secret","n":1e400}}"#,
        r#"{"type":"t","content":{"body":"secret \ud800"}}"#,
        r#"{"type":"t","content":"secret"}"#,
        r#"{"type":"t","content":["secret"]}"#,
        r#"{"type":"t","content":{},"content":{"body":"secret"}}"#,
        r#"{"type":"t","content":{"body":1,"body":"secret"}}"#,
        r#"{"type":"m.room.member","content":{"membership":"secret"}}"#,
        r#"{"type":{"t":"secret"},"content":{}}"#,
        r#"{"content":{"body":"secret"}}"#,
        r#"{"type":"t","type":"secret","content":{}}"#,
        r#""secret""#,
        "secret",
        deep.as_str(),
    ];
    for pdu in pdus {
        let (line, warned) = redacted(&event("t", Some("10"), pdu));
        assert!(warned, "{pdu}");
        let expected = json!({"content": {}, "origin_server_ts": 7, "sender": "@a:x", "type": "t"});
        let Value::Object(mut line) = line else { panic!("{pdu}") };
        for key in ["event_id", "room_id", "synapse", "unsigned"] {
            assert!(line.remove(key).is_some());
        }
        assert_eq!(Value::Object(line), expected, "{pdu}");
    }
    // What a PDU claims to be, and what it calls `synapse`, is not spared either.
    let pdu = r#"{"type":"t","content":{},"synapse":"secret","event_id":"$secret","room_id":["secret"]}"#;
    assert!(!redacted(&event("t", Some("1"), pdu)).1);
}

#[test]
fn what_is_not_redacted_keeps_its_line_but_for_copies_of_other_events() {
    let honoured = |pdu: &str| {
        let event = event("t", Some("10"), pdu);
        let Honoured { line, warning } = event.honouring(None);
        let same = line == event.line;
        assert_eq!(same, matches!(line, Cow::Borrowed(_)));
        (same, line.contains("secret"), warning.is_some())
    };
    let (same, told, warned) = (true, true, true);
    assert_eq!(honoured(r#"{"type":"t","content":{"body":"secret","n":1.5}}"#), (same, told, !warned));
    assert_eq!(honoured(r#"{"unsigned":{"age_ts":1,"prev_sender":"secret"}}"#), (same, told, !warned));
    assert_eq!(honoured(r#"{"unsigned":{},"content":{"body":"secret"}}"#), (same, told, !warned));
    for unsigned in [
        r#"{"prev_content":{"topic":"secret"}}"#,
        r#"{"age":1,"m.relations":{"m.replace":{"content":"secret"}}}"#,
        r#"{"invite_room_state":[{"content":"secret"}],"age_ts":1}"#,
        r#"["secret"]"#,
        r#""secret""#,
    ] {
        let pdu = format!(r#"{{"unsigned":{unsigned},"content":{{"body":"kept"}}}}"#);
        assert_eq!(honoured(&pdu), (!same, !told, !warned), "{unsigned}");
        let twice = format!(r#"{{"unsigned":{unsigned},"unsigned":{unsigned}}}"#);
        assert_eq!(honoured(&twice), (!same, !told, !warned), "{unsigned}");
    }
    let kept = event("t", None, r#"{"a":1,"unsigned":{"age":1,"prev_content":{},"age_ts":2},"z":2}"#);
    assert!(kept.honouring(None).line.ends_with(r#""a":1,"unsigned":{"age":1,"age_ts":2},"z":2}"#));

    // Text that does not parse is kept unless it may quote.
    assert_eq!(honoured(r#"{"content":{"body":"secret \ud800"}}"#), (same, told, !warned));
    let edit = r#"{"content":{"body":"secret \ud800","m.relates_to":{"rel_type":"m.replace"}}}"#;
    assert_eq!(honoured(edit), (!same, !told, warned));
    assert_eq!(honoured(r#"nonsense "prev_content":{"topic":"secret"}"#), (!same, !told, warned));
}

/// What Synapse leaves of events, as `tests/redaction/judge.py` wrote it down.
#[test]
fn each_version_prunes_as_synapse_does() {
    let (mut judged, mut kinds, mut versions) = (0, BTreeSet::new(), BTreeSet::new());
    for line in include_str!("../../../testdata/redaction.jsonl").lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let kind = case["event"]["type"].as_str().unwrap();
        kinds.insert(kind.to_owned());
        for group in case["left"].as_array().unwrap() {
            for version in group[0].as_array().unwrap() {
                let version = version.as_str().unwrap();
                let (line, warned) = redacted(&event(kind, Some(version), &case["event"].to_string()));
                let Value::Object(mut line) = line else { panic!("{line}") };
                line.retain(|key, _| !["event_id", "room_id", "synapse", "unsigned"].contains(&key.as_str()));
                assert!(!warned && Value::Object(line.clone()) == group[1], "{version}: {line:?}\n{}", group[1]);
                versions.insert(version.to_owned());
                judged += 1;
            }
        }
    }
    assert!(judged > 3000 && kinds.len() >= 34, "{judged} events of {} types", kinds.len());
    assert_eq!(versions.len(), 18, "{versions:?}");
}

#[test]
fn a_room_version_that_is_not_known_is_told() {
    let pdu =
        r#"{"type":"m.room.member","content":{"membership":"join","third_party_invite":"secret"},"origin":"secret"}"#;
    for (version, is_known) in
        [(Some("12"), true), (Some("org.matrix.msc4242.12"), true), (Some("org.example.99"), false), (None, false)]
    {
        let (line, warned) = redacted(&event("m.room.member", version, pdu));
        assert_eq!((&line["content"], warned), (&json!({"membership": "join"}), !is_known), "{version:?}");
    }
}

#[test]
fn a_number_that_is_no_canonical_json_costs_no_more_than_the_content() {
    let pdu =
        r#"{"type":"t","content":{"body":"secret","n":1.5,"m":9007199254740992},"hashes":{"sha256":"h"},"depth":3}"#;
    let (line, warned) = redacted(&event("t", Some("5"), pdu));
    assert_eq!((&line["content"], &line["hashes"], warned), (&json!({}), &json!({"sha256": "h"}), false));
}
