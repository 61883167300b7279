use super::*;
use proptest::prelude::*;

const PDU: &str = r#"{"type":"m.room.message","room_id":"!r:x","sender":"@a:x","content":{"body":"hi","msgtype":"m.text"},"origin_server_ts":1795348800000}"#;

/// An ordinary row with this PDU.
pub(crate) fn stored(json: Option<&str>) -> Stored<'_> {
    Stored {
        event_id: EventId::of("$e"),
        room_id: RoomId::of("!r:x"),
        kind: "m.room.message",
        sender: Some(UserId::of("@a:x")),
        state_key: None,
        stream_ordering: 7,
        topological_ordering: 3,
        origin_server_ts: Some(1_795_348_800_000),
        received_ts: Some(5),
        room_version: Some("10"),
        outlier: false,
        rejected: false,
        internal_metadata: None,
        json,
        redacts: None,
        recheck: None,
    }
}

fn event(json: &str) -> Event {
    Event::from_stored(&stored(Some(json)))
}

const ABOUT: &str = r#""synapse":{"stream_ordering":7,"topological_ordering":3,"received_ts":5,"room_version":"10""#;

#[test]
fn a_line_is_the_pdus_own_text_behind_our_keys() {
    assert_eq!(event(PDU).line, format!(r#"{{"event_id":"$e",{ABOUT}}},{}"#, &PDU[1..]));
    assert_eq!(event("{}").line, format!(r#"{{"event_id":"$e","room_id":"!r:x",{ABOUT}}}}}"#));
    let own = r#"{"event_id":"$e","room_id":"!r:x","x":1}"#;
    assert_eq!(event(own).line, format!("{{{ABOUT}}},{}", &own[1..]));
    assert_eq!(
        event(" { \"a\" :\r\n 1 }\n").line,
        format!(r#"{{"event_id":"$e","room_id":"!r:x",{ABOUT}}}, "a" :   1 }}"#)
    );
}

#[test]
fn flags_are_there_when_they_hold() {
    let metadata = r#"{"soft_failed":true,"token_id":7,"redacted":true,"recheck_redaction":null,"txn_id":"secret"}"#;
    let stored = Stored {
        rejected: true,
        outlier: true,
        internal_metadata: Some(metadata),
        received_ts: None,
        room_version: None,
        ..stored(Some("{}"))
    };
    let line = Event::from_stored(&stored).line;
    assert!(
        line.contains(
            r#""received_ts":null,"room_version":null,"censored":true,"soft_failed":true,"rejected":true,"outlier":true}"#
        ),
        "{line}"
    );
    assert!(!line.contains("secret"));
}

#[test]
fn no_key_of_the_pdu_hides_ours() {
    let line = event(r#"{"a":1,"synapse":{"stream_ordering":9},"event_id":"$fake","room_id":"!r:x","z":[1.50]}"#).line;
    let about = format!(r#"{ABOUT},"shadowed":{{"stream_ordering":9}},"pdu_event_id":"$fake"}}"#);
    assert_eq!(line, format!(r#"{{"event_id":"$e","room_id":"!r:x",{about},"a":1,"z":[1.50]}}"#));
    for hostile in [
        r#"{"syn\u0061pse":0}"#,
        r#"{"event_id":"$e","event_id":"$fake"}"#,
        r#"{"event_id":7}"#,
        r#"{"room_id":null}"#,
        r#"{"room_id":"!r:x","room_id":{}}"#,
    ] {
        let line: serde_json::Value = serde_json::from_str(&event(hostile).line).unwrap();
        assert_eq!((&line["event_id"], &line["room_id"]), (&"$e".into(), &"!r:x".into()), "{hostile}");
        assert_eq!(line["synapse"]["stream_ordering"], 7, "{hostile}");
    }
}

#[test]
fn what_is_no_readable_object_is_kept_as_text() {
    let deep = format!("{}1{}", "{\"a\":[".repeat(2_500), "]}".repeat(2_500));
    for text in [
        "",
        "nonsense",
        "[1]",
        "{}\u{c}",
        "\"text\"",
        r#"{"a":NaN}"#,
        r#"{"a":1"#,
        r#"{"a":1}{"b":2}"#,
        r#"{"a":1e400}"#,
        r#"{"a":[-1E+999]}"#,
        r#"{"a":"\ud83d"}"#,
        r#"{"a":"\udc00\ud83d"}"#,
        r#"{"a":{"\ud83dx":1}}"#,
        r#"{"content":{"body":"\ud83d"}}"#,
        &deep,
    ] {
        let event = event(text);
        assert!(matches!(event.damage, Some(Damage::Unparsable(_))), "{text}");
        let line: serde_json::Value = serde_json::from_str(&event.line).unwrap();
        assert_eq!(line["synapse"]["unparsed"], text);
        assert_eq!(line["event_id"], "$e");
    }
    let missing = Event::from_stored(&stored(None));
    assert_eq!(missing.damage, Some(Damage::Missing));
    assert!(missing.line.ends_with(r#","unparsed":null}}"#), "{}", missing.line);
}

#[test]
fn a_pdu_stored_as_hexadecimal_digits_is_decoded_and_flagged() {
    let hex = |text: &str| text.bytes().fold(String::from("\\x"), |hex, byte| format!("{hex}{byte:02x}"));
    let plain = event(PDU);
    let decoded = event(&hex(PDU));
    assert_eq!((decoded.damage.as_ref(), decoded.hex, plain.hex), (None, true, false));
    assert_eq!(decoded.line, plain.line.replacen("\"10\"}", "\"10\",\"hex\":true}", 1));
    assert_eq!(decoded.content(), plain.content());
    let metadata = hex(r#"{"soft_failed":true}"#);
    let stored = Stored { internal_metadata: Some(&metadata), ..stored(Some(PDU)) };
    assert!(Event::from_stored(&stored).soft_failed);
    // what is no PDU when it is decoded is kept as it is
    for text in [hex("nonsense"), hex("[1]"), hex("{\"a\":1") + "zz", r"\xff".to_owned()] {
        let line: serde_json::Value = serde_json::from_str(&event(&text).line).unwrap();
        assert_eq!((&line["synapse"]["unparsed"], &line["synapse"]["hex"]), (&text.into(), &serde_json::Value::Null));
    }
}

#[test]
fn what_a_half_upgraded_row_lacks_is_taken_from_its_pdu() {
    let row = Stored { sender: None, kind: "", ..stored(Some(PDU)) };
    let event = Event::from_stored(&row);
    assert_eq!((event.sender.as_deref(), event.kind.as_deref()), (Some("@a:x"), Some("m.room.message")));
    assert_eq!(event.line, Event::from_stored(&stored(Some(PDU))).line);
    let event = Event::from_stored(&Stored { sender: None, ..stored(Some("{}")) });
    assert_eq!(event.sender, None);
}

#[test]
fn what_is_odd_but_readable_stays_as_it_is() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(MAX_DEPTH - 1), "]".repeat(MAX_DEPTH - 1));
    for text in [
        r#"{"a":"\ud83d\ude00\\ud83d \u0000"}"#,
        r#"{"a":1.5e300,"b":-0.0,"c":123456789012345678901234567890,"d":"1e999"}"#,
        r#"{"content":"no object","state_key":7}"#,
        r#"{"content":{"body":{},"m.relates_to":[]}}"#,
        r#"{"a":"]]]]\"}}}"}"#,
        &deep,
    ] {
        let event = event(text);
        assert_eq!(event.damage, None, "{text}");
        assert!(event.line.ends_with(&text[1..]), "{text}");
    }
}

#[test]
fn the_content_is_a_part_of_the_line() {
    assert_eq!(event(PDU).content(), Some(r#"{"body":"hi","msgtype":"m.text"}"#));
    assert_eq!(event(r#"{"content" : {"a":[1.50]} ,"synapse":7,"x":"content"}"#).content(), Some(r#"{"a":[1.50]}"#));
    assert_eq!(event("{\n\"content\":\n{}}").content(), Some("{}"));
    assert_eq!(event("{}").content(), None);
    assert_eq!(event("nonsense").content(), None);
}

#[test]
fn what_is_no_name_of_a_day_is_told() {
    for name in ["2026-11-22", "1970-01-01", "2024-02-29", "9999-12-31", "0000-01-01", "undated"] {
        assert!(Day::is_name(name), "{name}");
    }
    for text in [
        "",
        "2026",
        "2026-13-01",
        "2026-00-01",
        "2026-02-29",
        "2026-11-31",
        "2026-11-00",
        "2026-1-1",
        "2026-11-2",
        "2026-11-+2",
        "2026-11-2é",
        "2026-11-22 ",
        " 2026-11-22",
        "+026-11-22",
        "２026-11-22",
        "2026/11/22",
        "Undated",
    ] {
        assert!(!Day::is_name(text), "{text}");
    }
}

#[test]
fn days_are_utc_and_absurd_times_have_none() {
    for (ts, day) in [
        (Some(0), "1970-01-01"),
        (Some(1_795_391_999_999), "2026-11-22"),
        (Some(1_795_392_000_000), "2026-11-23"),
        (Some(253_402_300_799_999), "9999-12-31"),
        (Some(253_402_300_800_000), "undated"),
        (Some(-1), "undated"),
        (Some(i64::MAX), "undated"),
        (None, "undated"),
    ] {
        assert_eq!(Day::of(ts).to_string(), day);
    }
}

#[test]
fn relations_come_from_the_json() {
    let related = |content: &str| {
        let event = event(&format!(r#"{{"content":{content}}}"#));
        (event.relates_to, event.rel_type.map(Cow::into_owned))
    };
    let some = |a: &str, b: &str| (Some(EventId::of(a).owned()), Some(b.to_owned()));
    assert_eq!(related(r#"{"m.relates_to":{"rel_type":"m.replace","event_id":"$t"}}"#), some("$t", "m.replace"));
    assert_eq!(related(r#"{"m.relates_to":{"m.in_reply_to":{"event_id":"$t"}}}"#), some("$t", "m.in_reply_to"));
    let thread = r#"{"m.relates_to":{"m.in_reply_to":{"event_id":"$t"},"event_id":"$r","rel_type":"m.thread"}}"#;
    assert_eq!(related(thread), some("$r", "m.thread"));
    assert_eq!(related(r#"{"m.relates_to":{"event_id":"$t"}}"#), (None, None));
    assert_eq!(related(r#"{"m.relates_to":7}"#), (None, None));
}

#[test]
fn a_redactions_target_is_where_its_room_version_has_it() {
    let redacts = |room_version, json| {
        Event::from_stored(&Stored { kind: "m.room.redaction", room_version, ..stored(Some(json)) }).redacts
    };
    let both = r#"{"redacts":"$top","content":{"redacts":"$in"}}"#;
    for (version, target) in [(Some("1"), "$top"), (Some("10"), "$top"), (Some("11"), "$in"), (Some("12"), "$in")] {
        assert_eq!(redacts(version, both).as_deref(), Some(target));
    }
    assert_eq!(redacts(Some("org.example.odd"), r#"{"content":{"redacts":"$in"}}"#).as_deref(), Some("$in"));
    assert_eq!(redacts(Some("10"), r#"{"content":{"redacts":"$in"}}"#), None);
    let known = Stored { kind: "m.room.redaction", redacts: Some(EventId::of("$db")), ..stored(Some("{}")) };
    assert_eq!(Event::from_stored(&known).redacts.as_deref(), Some("$db"));
}

#[test]
fn a_redaction_is_checked_again_unless_the_server_has_done_so() {
    let recheck = |metadata, recheck| {
        let stored =
            Stored { kind: "m.room.redaction", internal_metadata: Some(metadata), recheck, ..stored(Some("{}")) };
        Event::from_stored(&stored).recheck
    };
    assert_eq!(recheck(r#"{"recheck_redaction":true}"#, None), Some(true));
    assert_eq!(recheck(r#"{"recheck_redaction":true}"#, Some(false)), Some(false));
    assert_eq!(recheck("{}", Some(true)), Some(false));
    assert_eq!(event(PDU).recheck, None);
}

#[test]
fn a_pdu_is_pruned_when_its_hash_says_so() {
    // a message of a real server, whole and as the censor job leaves it
    let whole = r#"{"auth_events":[],"prev_events":[],"type":"m.room.create","room_id":"!uYwzImgeLLztoIXzfE:lab.test","sender":"@alice:lab.test","content":{"room_version":"3","creator":"@alice:lab.test"},"depth":1,"state_key":"","origin":"lab.test","origin_server_ts":1795349189438,"hashes":{"sha256":"+svSo24CO47GqVjtsSBe0FV2LYiFASiEF3wWeo7qcCg"},"signatures":{"lab.test":{}},"unsigned":{"age_ts":1795349189438}}"#;
    let pruned = whole.replace(r#"{"room_version":"3","creator":"@alice:lab.test"}"#, "{}");
    let censored = |json: &str| Event::from_stored(&Stored { kind: "m.room.create", ..stored(Some(json)) }).censored;
    assert!(!censored(whole));
    assert!(censored(&pruned));
    assert!(!censored(&pruned.replace("sha256", "none")));
}

#[test]
fn a_line_reads_back_as_the_event_it_was() {
    let redaction = Stored { kind: "m.room.redaction", redacts: None, ..stored(None) };
    for (stored, text) in [
        (stored(None), Some(PDU)),
        (stored(None), Some("nonsense")),
        (stored(None), Some(r"\x7b2274797065223a226d2e726f6f6d2e6d657373616765222c2273656e646572223a2240613a78227d")),
        (stored(None), None),
        (
            Stored { state_key: Some(""), ..stored(None) },
            Some(r#"{"type":"m.room.message","sender":"@a:x","state_key":"","origin_server_ts":1795348800000}"#),
        ),
        (
            redaction,
            Some(
                r#"{"type":"m.room.redaction","sender":"@a:x","redacts":"$t","origin_server_ts":1795348800000,"content":{}}"#,
            ),
        ),
    ] {
        let before = Event::from_stored(&Stored { json: text, ..stored });
        let after = Event::from_line(&before.line, "2026-11-22").unwrap();
        let damaged = before.damage.is_some();
        let known = Event {
            kind: before.kind.clone().filter(|_| !damaged),
            sender: before.sender.clone().filter(|_| !damaged),
            origin_server_ts: before.origin_server_ts.filter(|_| !damaged && !before.hex),
            recheck: None,
            is_beyond_line: false,
            ..before
        };
        assert_eq!(after, known);
    }
    for line in
        ["", "{}", r#"{"synapse":{}}"#, r#"{"event_id":"$e","synapse":{"stream_ordering":1,"topological_ordering":1}}"#]
    {
        assert!(Event::from_line(line, "2026-11-22").is_err(), "{line}");
    }
}

#[test]
fn the_deepest_pdu_reads_back_though_its_own_key_moves_down() {
    let levels = MAX_DEPTH - 1;
    let before = event(&format!("{{\"synapse\":{}{}}}", "[".repeat(levels), "]".repeat(levels)));
    assert_eq!(before.damage, None);
    assert_eq!(Event::from_line(&before.line, "2026-11-22").map(|after| after.line), Ok(before.line));
}

/// JSON texts, whole and mangled.
fn texts() -> impl Strategy<Value = String> {
    let key = prop_oneof![Just("content"), Just("synapse"), Just("event_id"), Just("room_id"), Just("body"), Just("x")];
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| format!("{n:e}")),
        ".{0,8}".prop_map(|s| line::quote(&s)),
        r#""(\\u[dD][89a-fA-F][0-9a-f]{2}|\\n|x){0,4}""#,
    ];
    let value = leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((key.clone(), inner), 0..5).prop_map(|members| {
                let members: Vec<String> = members.iter().map(|(k, v)| format!("\"{k}\" :{v}")).collect();
                format!("{{{}}}", members.join(", "))
            }),
        ]
    });
    (value, any::<prop::sample::Index>(), "[\\x00-\\x7f]{0,2}", prop::bool::weighted(0.3)).prop_map(
        |(text, at, noise, mangle)| {
            let at = (0..=at.index(text.len() + 1)).rfind(|&at| text.is_char_boundary(at)).unwrap_or(0);
            if mangle { format!("{}{noise}{}", &text[..at], &text[at..]) } else { text }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Against `serde_json`'s own tree, which refuses all that we call unparsable, but for its limit on depth.
    #[test]
    fn every_text_is_one_readable_line_that_loses_nothing(text in texts()) {
        let event = event(&text);
        prop_assert!(!event.line.contains(['\n', '\r']));
        let line: serde_json::Value = serde_json::from_str(&event.line).unwrap();
        prop_assert_eq!(&line["event_id"], "$e");
        prop_assert_eq!(&line["room_id"], "!r:x");
        prop_assert_eq!(&line["synapse"]["stream_ordering"], 7);
        let tree = serde_json::from_str::<serde_json::Value>(&text).ok().filter(serde_json::Value::is_object);
        prop_assert_eq!(event.damage.is_none(), tree.is_some());
        match tree {
            None => prop_assert_eq!(&line["synapse"]["unparsed"], &serde_json::Value::from(text.as_str())),
            Some(tree) => for (key, value) in tree.as_object().unwrap() {
                if !["synapse", "event_id", "room_id"].contains(&key.as_str()) {
                    prop_assert_eq!(&line[key], value);
                }
            }
        }
        prop_assert_eq!(Event::from_line(&event.line, "2026-11-22").map(|e| e.line), Ok(event.line));
    }
}
