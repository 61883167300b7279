//! A row to a line, and back.

use serde_json::Value;
use std::borrow::Cow;
use synapse_export::event::{Damage, Day, Event, EventId, MAX_DEPTH, OwnedEventId, Redaction, RoomId, Stored, UserId};

use super::Fields;
use super::json::{self, Members};

/// An ordinary row with this PDU.
pub(super) fn stored(json: &str) -> Stored<'_> {
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
        room_version: Some("11"),
        outlier: false,
        rejected: false,
        internal_metadata: None,
        json: Some(json),
        redacts: None,
        recheck: None,
    }
}

/// The PDU's text; then what the columns say.
pub(super) fn check(data: &[u8]) {
    let mut fields = Fields::of(data);
    let text = fields.text_or("");
    let kind = fields.text_or("m.room.message");
    let (event_id, room_id) = (fields.text_or("$e"), fields.text_or("!r:x"));
    let internal_metadata = fields.text();
    let (sender, state_key, room_version, redacts) = (fields.text(), fields.text(), fields.text(), fields.text());
    let numbers = [(); 4].map(|()| fields.number());
    let plain = stored(&text);
    let stored = Stored {
        event_id: EventId::of(&event_id),
        room_id: RoomId::of(&room_id),
        kind: &kind,
        sender: sender.as_deref().map(UserId::of),
        state_key: state_key.as_deref(),
        stream_ordering: numbers[0].unwrap_or(plain.stream_ordering),
        topological_ordering: numbers[1].unwrap_or(plain.topological_ordering),
        origin_server_ts: numbers[2].or(plain.origin_server_ts),
        received_ts: numbers[3].or(plain.received_ts),
        room_version: room_version.as_deref(),
        outlier: numbers[0].is_some_and(|number| number % 2 == 1),
        rejected: numbers[1].is_some_and(|number| number % 2 == 1),
        internal_metadata: internal_metadata.as_deref(),
        json: plain.json.filter(|text| *text != "missing"),
        redacts: redacts.as_deref().map(EventId::of),
        recheck: numbers[3].map(|number| number % 2 == 0),
    };
    let event = Event::from_stored(&stored);
    check_line(&event, &stored);
    check_reading_back(&event, redacts.is_some());
    check_honoured(&event);
    check_any_line(&text, &kind);
}

fn check_line(event: &Event, stored: &Stored<'_>) {
    let line = &event.line;
    assert!(!line.contains(['\n', '\r']), "{line}");
    // moving a member below `synapse` makes it one level deeper
    let value = json::read(line, MAX_DEPTH + 1).unwrap_or_else(|| panic!("not every parser reads {line}"));
    assert_eq!(value["event_id"], stored.event_id.as_str(), "{line}");
    assert_eq!(value["room_id"], stored.room_id.as_str(), "{line}");
    let about = &value["synapse"];
    assert_eq!(about["stream_ordering"], stored.stream_ordering, "{line}");
    assert_eq!(about["topological_ordering"], stored.topological_ordering, "{line}");
    assert_eq!(about["received_ts"], Value::from(stored.received_ts), "{line}");
    assert_eq!(about["room_version"], Value::from(stored.room_version), "{line}");
    for (name, holds) in [
        ("censored", event.censored),
        ("soft_failed", event.soft_failed),
        ("rejected", stored.rejected),
        ("outlier", stored.outlier),
    ] {
        assert_eq!(about.get(name), holds.then_some(&Value::Bool(true)), "{name} in {line}");
    }
    let text = stored.json.unwrap_or_default();
    let pdu = json::read(text, MAX_DEPTH).filter(Value::is_object);
    match (&event.damage, pdu) {
        (None, Some(_)) => check_pdu_in(line, text, stored),
        (Some(Damage::Missing), None) if stored.json.is_none() => assert!(about["unparsed"].is_null(), "{line}"),
        (Some(Damage::Unparsable(_)), None) if stored.json.is_some() => assert_eq!(about["unparsed"], text, "{line}"),
        (damage, _) => panic!("{damage:?} of {text}"),
    }
}

/// The line has each member of the PDU as it is written; the whole PDU as it is, unless it contradicts the columns.
fn check_pdu_in(line: &str, text: &str, stored: &Stored<'_>) {
    let members = |text| serde_json::from_str::<Members<'_>>(text).expect("it is an object");
    let on_a_line = |text: &str| text.replace(['\n', '\r'], " ");
    let (found, pdu) = (members(line), members(text));
    let about = members(found["synapse"].get());
    for (key, value) in &pdu {
        let is = |column: &str| serde_json::from_str::<String>(value.get()).is_ok_and(|own| own == column);
        let found = match key.as_str() {
            "event_id" if is(&stored.event_id) => continue,
            "room_id" if is(&stored.room_id) => continue,
            "event_id" => about.get("pdu_event_id"),
            "room_id" => about.get("pdu_room_id"),
            "synapse" => about.get("shadowed"),
            key => found.get(key),
        };
        assert_eq!(found.map(|value| value.get()), Some(&*on_a_line(value.get())), "{key} of {text} in {line}");
    }
    let known = ["event_id", "room_id", "synapse"];
    // serde refuses what it finds twice
    if !known.iter().any(|key| pdu.contains_key(*key)) && serde_json::from_str::<Once>(text).is_ok() {
        let text = on_a_line(text.trim_matches([' ', '\t', '\n', '\r']));
        assert!(line.ends_with(&text[1..]), "{text} is not in {line}");
    }
}

#[derive(serde::Deserialize)]
struct Once {
    #[serde(rename = "content")]
    _content: Option<serde::de::IgnoredAny>,
}

fn check_reading_back(event: &Event, redacts_by_column: bool) {
    let line = &event.line;
    let again = match Event::from_line(line, &event.day.to_string()) {
        Ok(again) => again,
        Err(why) => panic!("{why}: {line}"),
    };
    assert_eq!(again.line, *line);
    assert_eq!((&again.event_id, &again.room_id), (&event.event_id, &event.room_id), "{line}");
    assert_eq!((again.day, again.damage.clone()), (event.day, event.damage.clone()), "{line}");
    assert_eq!(again.content(), event.content(), "{line}");
    let numbers = |event: &Event| (event.stream_ordering, event.topological_ordering, event.received_ts);
    assert_eq!(numbers(&again), numbers(event), "{line}");
    let flags = |event: &Event| [event.censored, event.soft_failed, event.rejected, event.outlier];
    assert_eq!(flags(&again), flags(event), "{line}");
    let texts = |event: &Event| {
        let Event { room_version, relates_to, rel_type, replies_to, .. } = event.clone();
        let text = |id: Option<OwnedEventId>| id.map(|id| id.to_string());
        [room_version.map(Cow::into_owned), text(relates_to), rel_type.map(Cow::into_owned), text(replies_to)]
    };
    assert_eq!(texts(&again), texts(event), "{line}");
    // what a PDU does not say, only the columns know
    if again.state_key.is_some() {
        assert_eq!(again.state_key, event.state_key, "{line}");
    }
    if !redacts_by_column && again.kind == event.kind {
        assert_eq!(again.redacts, event.redacts, "{line}");
    }
}

/// What a dump leaves of it.
fn check_honoured(event: &Event) {
    for redaction in [None, Some(Redaction { event, redacted: false }), Some(Redaction { event, redacted: true })] {
        let line = event.honouring(redaction).line;
        assert!(!line.contains(['\n', '\r']), "{line}");
        // the redaction is two levels down
        let value = json::read(&line, MAX_DEPTH + 3).unwrap_or_else(|| panic!("not every parser reads {line}"));
        assert_eq!(
            (&value["event_id"], &value["room_id"]),
            (&event.event_id.as_str().into(), &event.room_id.as_str().into()),
            "{line}"
        );
        assert!(redaction.is_none() || value["synapse"]["redacted"] == true, "{line}");
    }
}

/// A line as somebody's editor left it.
fn check_any_line(line: &str, day: &str) {
    if let Ok(event) = Event::from_line(line, day) {
        assert_eq!(event.line, line);
        if event.content().is_some() {
            assert!(line.contains(event.content().unwrap_or_default()));
        }
        let _ = (event.stream(), event.is_timeline_of("x"), event.is_state_of_outliers(), event.size());
    }
    let _ = Day::of(line.parse().ok()).to_string();
}
