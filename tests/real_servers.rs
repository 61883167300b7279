//! What three real servers stored, and what the HTTP API of one of them said of it.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};

use chrono::DateTime;
use flate2::read::GzDecoder;
use serde_json::Value;

use support::archive::{TestArchive, json};
use support::{Database, Shape, cluster};

const SERVERS: [(&str, Shape); 3] = [("1.60.0", Shape::V1_60), ("1.90.0", Shape::V1_90), ("1.113.0", Shape::V1_90)];

fn server(version: &str, shape: Shape) -> Database {
    let database = cluster().database("server", shape);
    database.load_server(version);
    database
}

#[test]
fn every_row_has_one_line_with_its_pdu_in_its_rooms_and_days_file() {
    for (version, shape) in SERVERS {
        let (database, archive) = (server(version, shape), TestArchive::new());
        let counts = archive.export(&database);
        let lines = archive.lines();
        assert_eq!(counts.new_events(), lines.len() as u64);

        // None of the rows is an outlier, so each has its line.
        let rows = database.query_one_text(
            "select json_agg(json_build_object('event_id', event_id, 'room_id', e.room_id, 'id', stream_ordering, \
                    'ts', origin_server_ts, 'version', room_version, 'json', json)) \
               from events e join event_json using (event_id) left join rooms on rooms.room_id = e.room_id",
        );
        let rows: Vec<Value> = serde_json::from_str(&rows).unwrap();
        assert_eq!(lines.len(), rows.len());
        for row in rows {
            let (event_id, room_id) = (row["event_id"].as_str().unwrap(), row["room_id"].as_str().unwrap());
            let line = &lines[event_id];
            let pdu = row["json"].as_str().unwrap();
            let json = line.json();
            if let Some(text) = json["synapse"].get("unparsed") {
                assert_eq!(text, pdu);
            } else {
                assert!(line.text.ends_with(&pdu[1..]), "{version}: the PDU is altered: {}", line.text);
            }
            assert_eq!(json["event_id"], event_id);
            assert_eq!(json["room_id"], room_id);
            assert_eq!(json["synapse"]["stream_ordering"], row["id"]);
            assert_eq!(json["synapse"]["room_version"], row["version"]);
            let day = DateTime::from_timestamp_millis(row["ts"].as_i64().unwrap()).unwrap().format("%Y-%m-%d");
            let room = room_id.strip_prefix('!').unwrap().replacen(':', "@", 1);
            assert_eq!(line.path, format!("rooms/{room}/{day}.jsonl"));
        }
        // What the catalog has of a line is that line's own text.
        let catalog = archive.catalog();
        let mut rows = catalog.prepare("select event_id, content, body from event where not damaged").unwrap();
        let mut rows = rows.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let (event_id, content, body): (String, String, Option<String>) =
                (row.get(0).unwrap(), row.get(1).unwrap(), row.get(2).unwrap());
            assert!(lines[&event_id].text.contains(&format!(r#""content":{content}"#)), "{event_id}: {content}");
            assert_eq!(body.as_deref(), json(&content)["body"].as_str(), "{event_id}");
        }

        let again = archive.export(&database);
        assert_eq!(again.new_events(), 0, "{version}: a second run found something new");
        assert_eq!(archive.lines(), lines);
        archive.reset();
        let again = archive.export(&database);
        assert_eq!((again.new_events(), again.known), (0, lines.len() as u64), "{version}: after a reset");
        assert_eq!(archive.lines(), lines);
    }
}

#[test]
fn what_the_api_said_is_in_the_archive() {
    let (database, archive) = (server("1.113.0", Shape::V1_90), TestArchive::new());
    archive.export(&database);
    let lines = archive.lines();

    let (mut events, mut originals, mut unredacted) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    for truth in truth() {
        let text = |key: &str| truth[key].as_str().unwrap_or_default().to_owned();
        match truth["kind"].as_str().unwrap() {
            "event" => events.push(truth["event"].clone()),
            "original" => drop(originals.insert(text("event_id"), truth["content"].clone())),
            "unredacted" => drop(unredacted.insert(text("event_id"), truth["event"]["content"].clone())),
            _ => {}
        }
    }

    let mut redacted = BTreeSet::new();
    for event in &events {
        let event_id = event["event_id"].as_str().unwrap();
        let line = lines.get(event_id).unwrap_or_else(|| panic!("{event_id} is missing")).json();
        for key in ["room_id", "sender", "type", "state_key", "origin_server_ts"] {
            assert_eq!(line.get(key), event.get(key), "{key} of {event_id}");
        }
        let redacted_by = &event["unsigned"]["redacted_by"];
        assert_eq!(archive.redacted_by(event_id), redacted_by.as_str().unwrap_or_default(), "{event_id}");
        let expected = if redacted_by.is_null() {
            event["content"].clone()
        } else {
            redacted.insert(event_id.to_owned());
            // The API shows a redacted event without what the archive is there to keep.
            let known = unredacted.get(event_id).or_else(|| originals.get(event_id));
            known.unwrap_or_else(|| panic!("nobody knows what {event_id} said")).clone()
        };
        assert_eq!(content(&line), content_of(&expected, &line), "{event_id}");
        if redacted_by.is_null() {
            assert_eq!(target(&line), target(event), "{event_id}");
        }
    }
    assert!(redacted.len() > 50, "only {} redacted events: the truth does not say what it should", redacted.len());
    let named: BTreeSet<&str> = events.iter().map(|event| event["event_id"].as_str().unwrap()).collect();
    assert_eq!(named.len(), events.len(), "the truth names an event twice");
    for (event_id, line) in lines.iter().filter(|(event_id, _)| !named.contains(event_id.as_str())) {
        // A redaction of what the server does not know is the only event that the API never shows.
        let line = line.json();
        let target = line["redacts"].as_str().unwrap_or_else(|| panic!("the API never showed {event_id}: {line}"));
        assert!(!lines.contains_key(target), "the API never showed {event_id}: {line}");
    }
}

#[test]
fn an_event_pruned_before_it_is_archived_is_told_from_one_pruned_after() {
    let (database, archive) = (server("1.113.0", Shape::V1_90), TestArchive::new());
    archive.export(&database);
    let lines = archive.lines();
    assert_eq!(archive.one("select count(*) from event where censored"), "0");
    let redacted =
        "select event_id from event where redacted_by is not null and type = 'm.room.message' order by 1 limit 1";
    let event_id = archive.one(redacted);
    database.censor(&event_id);
    archive.reset();
    archive.export(&database);
    assert_eq!(archive.lines(), lines);

    let later = TestArchive::new();
    assert_eq!(later.export(&database).censored, 1);
    assert_eq!(later.one("select event_id from event where censored"), event_id);
    assert_eq!(later.lines()[&event_id].about()["censored"], true);
    assert_eq!(later.redacted_by(&event_id), archive.redacted_by(&event_id));
}

/// The content of an archived event but for what the API adds to or takes from that of any event: a redaction's target
/// stands at the top of the PDU or in its content, and the API shows it at both places.
fn content(line: &Value) -> Value {
    content_of(&line["content"], line)
}

fn content_of(content: &Value, line: &Value) -> Value {
    let mut content = content.clone();
    if line["type"] == "m.room.redaction"
        && let Some(content) = content.as_object_mut()
    {
        content.remove("redacts");
    }
    content
}

/// What a redaction names, at either place.
fn target(event: &Value) -> Option<&str> {
    event["redacts"].as_str().or(event["content"]["redacts"].as_str())
}

fn truth() -> impl Iterator<Item = Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/servers/truth-1.113.0.jsonl.gz");
    let file = File::open(path).expect("there is test data");
    BufReader::new(GzDecoder::new(file)).lines().map(|line| json(&line.expect("it can be unpacked")))
}
