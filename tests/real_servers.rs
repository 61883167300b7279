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
        let mut rows = catalog.prepare("select event_id, path, start, length from event where not damaged").unwrap();
        let mut rows = rows.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let (event_id, path): (String, String) = (row.get(0).unwrap(), row.get(1).unwrap());
            let [start, length] = [2, 3].map(|at| usize::try_from(row.get::<_, i64>(at).unwrap()).unwrap());
            let file = std::fs::read_to_string(archive.path().join(path)).unwrap();
            assert_eq!(file[start..start + length], lines[&event_id].text, "{event_id}");
            assert_eq!(&file[start + length..=start + length], "\n", "{event_id}");
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

/// `synapse-export`, as a user runs it.
fn command(arguments: &[&str], database: &Database) -> String {
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_synapse-export"));
    let output = command.env_clear().args(arguments).args(["--database", &database.dsn()]).output().expect("it runs");
    assert!(matches!(output.status.code(), Some(0 | 3)), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it speaks UTF-8")
}

#[test]
fn the_list_of_rooms_is_that_of_the_api() {
    let (database, archive) = (server("1.113.0", Shape::V1_90), TestArchive::new());
    archive.export(&database);
    let listed: Vec<Value> = command(&["rooms", "--json"], &database).lines().map(json).collect();
    let mut listed: BTreeMap<String, Value> =
        listed.into_iter().map(|room| (room["room_id"].as_str().unwrap().to_owned(), room)).collect();
    let mut times = BTreeMap::<String, Vec<i64>>::new();
    let mut rooms = Vec::new();
    for truth in truth() {
        match truth["kind"].as_str().unwrap() {
            "room" => rooms.push(truth),
            "event" => {
                let event = &truth["event"];
                let room_id = event["room_id"].as_str().unwrap().to_owned();
                times.entry(room_id).or_default().push(event["origin_server_ts"].as_i64().unwrap());
            }
            _ => {}
        }
    }
    assert!(rooms.len() > 25);
    for truth in rooms {
        let room_id = truth["room_id"].as_str().unwrap();
        let room = listed.remove(room_id).unwrap_or_else(|| panic!("{room_id} is not listed"));
        let told = &truth["listed"];
        let label = truth["label"].as_str().unwrap();
        // Synapse's list has no name with a NUL, none for a room that everyone has left, takes a name with a state key
        // for the room's, and keeps one that was redacted.
        match (label, told["name"].as_str()) {
            ("version 10", Some("Version 10 room")) => {
                assert_eq!(room["name"], "Alice and Bob | `pipe` *star* _under_ <b>tag</b>");
            }
            ("custom", Some("keyed")) => assert_eq!(room["name"], "Custom types"),
            ("NUL name", _) => assert_eq!(room["name"], "nul\0name"),
            (label, None) if label.starts_with("abandoned") => assert_eq!(room["name"], "Abandoned"),
            (_, Some(name)) => assert_eq!(room["name"], name),
            (_, None) => assert!(!room["name"].as_str().unwrap().is_empty(), "{label}"),
        }
        assert_eq!(room["alias"], told["canonical_alias"], "{label}");
        assert_eq!(room["members"], told["joined_members"], "{label}");
        assert_eq!(room["version"], truth["version"], "{label}");
        assert_eq!(room["encrypted"], !told["encryption"].is_null(), "{label}");
        assert_eq!(room["type"] == "space", told["room_type"] == "m.space", "{label}");
        assert_eq!(room["type"] == "dm", label.starts_with("dm"), "{label}");
        assert_eq!(room["abandoned"], told["joined_local_members"] == 0, "{label}");
        assert_eq!(room["forgotten"], label.contains("forgot"), "{label}");
        let events = archive.one(&format!("select count(*) from event where room_id = '{room_id}' and not outlier"));
        assert_eq!(room["events"].to_string(), events, "{label}");
        for key in ["first_activity", "last_activity"] {
            assert!(times[room_id].contains(&room[key].as_i64().unwrap()), "{key} of {label}");
        }
    }
    assert!(listed.is_empty(), "the API knows no {listed:?}");
}

#[test]
fn a_dump_that_honours_redactions_says_what_the_api_says() {
    let database = server("1.113.0", Shape::V1_90);
    let (mut events, mut rooms) = (BTreeMap::new(), Vec::new());
    for truth in truth() {
        match truth["kind"].as_str().unwrap() {
            "room" => rooms.push(truth["room_id"].as_str().unwrap().to_owned()),
            "event" => {
                let event = truth["event"].clone();
                events.insert(event["event_id"].as_str().unwrap().to_owned(), event);
            }
            _ => {}
        }
    }
    let (mut compared, mut redacted, mut edits) = (0, 0, 0);
    for room_id in &rooms {
        let dumped = command(&["room", room_id, "--honour-redactions"], &database);
        let plain = command(&["room", room_id], &database);
        assert_eq!(dumped.lines().count(), plain.lines().count());
        for line in dumped.lines().map(json) {
            let Some(event) = events.get(line["event_id"].as_str().unwrap()) else { continue };
            let by = &event["unsigned"]["redacted_by"];
            if line["synapse"].get("unparsed").is_some() {
                assert!(by.is_null(), "{line}");
                continue;
            }
            compared += 1;
            let because = &line["unsigned"]["redacted_because"];
            if by.is_null() && !because.is_null() {
                // The API still shows the edits of a redacted event; a dump to hand on does not.
                assert_eq!(event["content"]["m.relates_to"]["rel_type"], "m.replace", "{event}");
                assert_eq!(line["content"], serde_json::json!({}));
                edits += 1;
                continue;
            }
            assert_eq!(because["event_id"], *by, "{line}");
            assert_eq!(content(&line), content_of(&event["content"], &line), "{line}");
            redacted += usize::from(!by.is_null());
        }
    }
    assert!(compared > 700 && redacted > 50 && edits > 0, "{compared} {redacted} {edits}");
}
