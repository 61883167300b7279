use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{BufRead as _, BufReader};

use flate2::read::GzDecoder;
use serde_json::Value;

use super::*;
use crate::event::tests::stored;
use crate::event::{Event, EventId, RoomId, Stored};

/// Events that Synapse has made and signed, by `tests/proof/signed.py`, and servers' keys.
fn signed() -> (BTreeMap<(String, String), VerifyKey>, Vec<Value>) {
    let path = std::env::var("SIGNED_EVENTS")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/signed.jsonl.gz").to_owned());
    let lines = BufReader::new(GzDecoder::new(std::fs::File::open(path).unwrap())).lines();
    let mut lines = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let keys = lines.next().unwrap()["keys"].clone();
    let of_server = |(server, keys): (&String, &Value)| {
        let server = server.clone();
        let keys = keys.as_object().unwrap().clone();
        keys.into_iter()
            .map(move |(id, key)| ((server.clone(), id), VerifyKey::from_base64(key.as_str().unwrap(), None).unwrap()))
    };
    (keys.as_object().unwrap().iter().flat_map(of_server).collect(), lines.collect())
}

fn line(event: &Value, json: &str) -> String {
    let text = |key: &str| event[key].as_str().unwrap();
    let stored = Stored {
        event_id: EventId::of(text("event_id")),
        room_id: RoomId::of(text("room_id")),
        kind: text("type"),
        room_version: Some(text("version")),
        ..stored(Some(json))
    };
    Event::from_stored(&stored).line
}

fn judged(line: &str, key: impl Fn(&str, &str) -> Option<VerifyKey>) -> (Verdict, Option<Why>) {
    match Proof::of(line) {
        Err(why) => (Verdict::NotDecided, Some(why)),
        Ok(proof) => proof.judge(|server, id| Ok::<_, Infallible>(key(server, id))).unwrap(),
    }
}

#[test]
fn what_synapse_has_signed_is_authentic_or_redacted_in_every_room_version() {
    let (keys, events) = signed();
    let known = |server: &str, id: &str| keys.get(&(server.to_owned(), id.to_owned())).cloned();
    let mut seen: BTreeMap<String, BTreeMap<&str, u32>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for event in &events {
        let line = line(event, event["json"].as_str().unwrap());
        let (verdict, why) = judged(&line, known);
        *seen.entry(event["version"].as_str().unwrap().to_owned()).or_default().entry(verdict.name()).or_default() += 1;
        let expected = event["verdict"].as_str().unwrap();
        let is_undecided = verdict == Verdict::NotDecided && expected == "redacted";
        if verdict.name() != expected && !is_undecided {
            wrong.push(format!("{verdict:?} {why:?} {expected} {line}"));
        }
    }
    println!("{seen:?}");
    assert!(wrong.is_empty(), "{} wrong, such as {}", wrong.len(), wrong[0]);
    assert!(seen.len() >= 15, "{seen:?}");
}

#[test]
fn what_somebody_has_changed_is_never_authentic() {
    let (keys, events) = signed();
    let known = |server: &str, id: &str| keys.get(&(server.to_owned(), id.to_owned())).cloned();
    let mut seen: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    let deeds =
        ["content", "depth", "sender", "signature", "no signature", "hash", "no hash", "new key", "room", "pruned"];
    for event in &events {
        let own: Value = serde_json::from_str(event["json"].as_str().unwrap()).unwrap();
        let server = own["signatures"].as_object().unwrap().keys().next().unwrap().clone();
        for what in deeds {
            let mut pdu = own.clone();
            match what {
                "content" => pdu["content"]["body"] = "something else".into(),
                "depth" => pdu["depth"] = 12345.into(),
                "sender" => pdu["sender"] = format!("@mallory:{server}").into(),
                "signature" => {
                    let signature = pdu["signatures"][&server].as_object_mut().unwrap().values_mut().next().unwrap();
                    let other = signature.as_str().unwrap();
                    let first = if other.starts_with('A') { 'B' } else { 'A' };
                    *signature = format!("{first}{}", &other[1..]).into();
                }
                "no signature" => pdu["signatures"] = serde_json::json!({}),
                "hash" => pdu["hashes"]["sha256"] = "+svSo24CO47GqVjtsSBe0FV2LYiFASiEF3wWeo7qcCg".into(),
                "no hash" => drop(pdu.as_object_mut().unwrap().remove("hashes")),
                "new key" => pdu["a_new_key"] = 1.into(),
                // of the experimental version in which pruning leaves relations not every pruned one is known as that
                "pruned"
                    if own["type"] == "m.room.message"
                        && event["version"] != "org.matrix.msc3389.10"
                        && !own.to_string().contains("prev_state\"") =>
                {
                    pdu["content"] = serde_json::json!({});
                }
                "pruned" => continue,
                _ => pdu["room_id"] = "!elsewhere:here.test".into(),
            }
            if pdu == own {
                continue;
            }
            // as the line was made, and then changed
            let made = line(event, &own.to_string());
            let mut line = line(event, &pdu.to_string());
            if !made.contains("\"censored\":true") {
                line = line.replacen(",\"censored\":true", "", 1);
            }
            let (verdict, why) = judged(&line, known);
            *seen.entry((what, verdict.name())).or_default() += 1;
            assert!(
                verdict.is_off() || verdict == Verdict::NotDecided && matches!(why, Some(Why::Undecided(_))),
                "{what}: {verdict:?} {line}"
            );
        }
    }
    println!("{seen:?}");
    for what in deeds {
        let off: u32 =
            seen.iter().filter(|((of, verdict), _)| *of == what && *verdict != "not_decided").map(|(_, n)| n).sum();
        let all: u32 = seen.iter().filter(|((of, _), _)| *of == what).map(|(_, n)| n).sum();
        assert!(off * 10 > all * 9, "{what}: {seen:?}");
    }
}

#[test]
fn without_a_key_and_with_an_expired_one_it_is_said_which() {
    let (keys, events) = signed();
    let known = |server: &str, id: &str| keys.get(&(server.to_owned(), id.to_owned())).cloned();
    let event = events.iter().find(|event| event["version"] == "10" && event["type"] == "m.room.message").unwrap();
    let line = line(event, event["json"].as_str().unwrap());
    let (verdict, why) = judged(&line, |_, _| None);
    assert!(matches!((verdict, &why), (Verdict::NoKey, Some(Why::NoKey(..)))), "{why:?}");
    let expired = |server: &str, id: &str| VerifyKey::new(&known(server, id)?.bytes(), Some(1_600_000_000_000));
    let (verdict, why) = judged(&line, expired);
    assert!(matches!((verdict, &why), (Verdict::NoKey, Some(Why::Expired(..)))), "{why:?}");
    let other = |_: &str, _: &str| VerifyKey::new(&keys.values().last().unwrap().bytes(), None);
    let others = |server: &str, id: &str| {
        other(server, id).filter(|key| Some(key.bytes()) != known(server, id).map(|key| key.bytes()))
    };
    assert_ne!(judged(&line, others).0, Verdict::Authentic);
}

#[test]
fn what_cannot_be_computed_is_not_decided() {
    let deep = format!(r#"{{"type":"t","content":{}1{}}}"#, "[".repeat(898), "]".repeat(898));
    for (json, version) in
        [("nonsense", "10"), ("{}", "10"), ("{}", "of nobody"), (r#"{"type":"t","content":{}}"#, "10"), (&*deep, "10")]
    {
        let stored = Stored { room_version: Some(version), ..stored(Some(json)) };
        let (verdict, why) = judged(&Event::from_stored(&stored).line, |_, _| None);
        assert!(verdict == Verdict::NotDecided, "{json}: {verdict:?} {why:?}");
    }
    assert_eq!(judged("{", |_, _| None).0, Verdict::NotDecided);
}
