//! Which of several texts of one event is its own, where a database has more than one, under an index that let it.
//!
//! Says nothing where a room's version is not known, or a text cannot be read: then what is less pruned is better.

use std::cmp::{Ordering, Reverse};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use ruma_common::RoomVersionId;
use ruma_common::room_version_rules::EventIdFormatVersion;
use sha2::{Digest as _, Sha256};

use super::pdu::{canonical, content_hash_holds, has_float};
use super::{Event, Object, Redaction, object};

impl Event {
    /// How its text compares with that of another row of the same event: the greater one is the event's. That is the one whose
    /// content hash and id both hold, else one that can be read, else one that is not pruned, else the bytewise smaller.
    #[must_use]
    pub fn compare_text(&self, other: &Event) -> Ordering {
        let (own, theirs) = (self.own_text(), other.own_text());
        if own == theirs {
            return Reverse(self.hex).cmp(&Reverse(other.hex));
        }
        let rank = |event: &Event, text: &str| {
            let holds = content_hash_holds(text) == Some(true) && event.id_holds(text) == Some(true);
            (holds, event.damage.is_none(), !event.censored)
        };
        rank(self, &own).cmp(&rank(other, &theirs)).then_with(|| theirs.cmp(&own))
    }

    /// Takes in another row of the same event: the better one stays.
    pub fn unite(&mut self, other: Event) {
        if self.compare_text(&other).then_with(|| other.line.cmp(&self.line)).is_lt() {
            *self = other;
        }
        self.duplicate = true;
    }

    /// The PDU's text, as far as the line has it: what follows our keys.
    fn own_text(&self) -> String {
        let ours = object::members(&self.line).into_iter().find(|(key, _)| key == "synapse");
        let Some((_, ours)) = ours.filter(|_| self.damage.is_none()) else { return self.line.clone() };
        let end = ours.get().as_ptr() as usize + ours.get().len() - self.line.as_ptr() as usize;
        let members = self.line[end..].trim_start_matches([',', ' ', '\t']);
        format!("{{{members}")
    }

    /// Whether the event's id is that of this text of its PDU (Matrix server-server specification, "Event IDs" of room versions);
    /// none if that cannot be told.
    fn id_holds(&self, text: &str) -> Option<bool> {
        let version = RoomVersionId::try_from(self.room_version.as_deref()?).ok()?;
        let pdu = Object::of(text);
        let encoding = match version.rules()?.event_id_format {
            // the id is a part of the PDU
            EventIdFormatVersion::V1 => return Some(&*pdu.text("event_id")? == self.event_id.as_str()),
            EventIdFormatVersion::V2 => STANDARD_NO_PAD,
            EventIdFormatVersion::V3 => URL_SAFE_NO_PAD,
            _ => return None,
        };
        let honoured = self.honouring(Some(Redaction { event: self, redacted: true }));
        if honoured.warning.is_some() {
            return None;
        }
        let serde_json::Value::Object(mut pruned) = serde_json::from_str(&honoured.line).ok()? else { return None };
        for key in ["synapse", "event_id", "unsigned", "signatures", "age_ts"] {
            pruned.remove(key);
        }
        if pdu.get("room_id").is_none() {
            pruned.remove("room_id");
        }
        let pruned = serde_json::Value::Object(pruned);
        let id = || format!("${}", encoding.encode(Sha256::digest(canonical(&pruned))));
        (!has_float(&pruned)).then(|| self.event_id == *id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::stored;
    use crate::event::{EventId, RoomId, Stored};

    /// The rows of a table in a real server's dump.
    fn rows<'a>(dump: &'a str, table: &str) -> impl Iterator<Item = Vec<String>> + 'a {
        let begin = format!("copy {table} (");
        let rows = dump.lines().skip_while(move |line| !line.starts_with(&begin)).skip(1);
        let unescaped = |field: &str| field.replace(r"\\", "\\");
        rows.take_while(|line| *line != r"\.").map(move |line| line.split('\t').map(unescaped).collect())
    }

    #[test]
    fn a_real_servers_ids_hold_for_its_texts_and_for_no_others() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/servers/1.113.0.sql.gz");
        let mut dump = String::new();
        let mut file = flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap());
        std::io::Read::read_to_string(&mut file, &mut dump).unwrap();
        let header = dump.lines().find(|line| line.starts_with("copy rooms (")).unwrap();
        let columns: Vec<&str> = header["copy rooms (".len()..].split(')').next().unwrap().split(", ").collect();
        let version = columns.iter().position(|column| *column == "room_version").unwrap();
        let versions: std::collections::BTreeMap<String, String> =
            rows(&dump, "rooms").map(|row| (row[0].clone(), row[version].clone())).collect();
        let mut seen = std::collections::BTreeMap::<&str, (u32, u32)>::new();
        for row in rows(&dump, "event_json") {
            let (event_id, room_id, json) = (&row[0], &row[1], &row[3]);
            let Some(version) = versions.get(room_id) else { continue };
            let pdu = Object::of(json);
            let kind = pdu.text("type").unwrap_or_default();
            let stored = Stored {
                event_id: EventId::of(event_id),
                room_id: RoomId::of(room_id),
                kind: &kind,
                room_version: Some(version),
                ..stored(Some(json))
            };
            let event = Event::from_stored(&stored);
            let own = event.own_text();
            assert_eq!(&own, json);
            if content_hash_holds(&own) != Some(true) {
                continue;
            }
            let (holds, all) = seen.entry(version).or_default();
            *all += 1;
            *holds += u32::from(event.id_holds(&own) == Some(true));
            let forged = json.replacen("\"depth\":", "\"depth\":9", 1);
            let forged = Event::from_stored(&Stored { json: Some(&forged), ..stored });
            assert_eq!(event.compare_text(&forged), Ordering::Greater, "{json}");
            assert_eq!(forged.compare_text(&event), Ordering::Less, "{json}");
        }
        println!("{seen:?}");
        assert!(seen.len() >= 10, "{seen:?}");
        for (version, (holds, all)) in seen {
            assert_eq!(holds, all, "of version {version}");
        }
    }

    #[test]
    fn what_says_more_is_better_and_between_equals_the_smaller() {
        let event = |json: &str| Event::from_stored(&stored(Some(json)));
        let text = |body: &str| format!(r#"{{"type":"m.room.message","content":{{"body":"{body}"}}}}"#);
        // no hash in either
        let (one, two) = (event(&text("a")), event(&text("b")));
        assert_eq!(one.compare_text(&two), Ordering::Greater);
        assert_eq!(two.compare_text(&one), Ordering::Less);
        assert_eq!(one.compare_text(&event(&text("a"))), Ordering::Equal);
        // one that can be read, before one that cannot; and one that is there before none
        assert_eq!(two.compare_text(&event("nonsense")), Ordering::Greater);
        assert_eq!(two.compare_text(&Event::from_stored(&stored(None))), Ordering::Greater);
        // not pruned, though it is the greater text
        let hash = r#""hashes":{"sha256":"+svSo24CO47GqVjtsSBe0FV2LYiFASiEF3wWeo7qcCg"}"#;
        let pruned = event(&format!(r#"{{"content":{{}},{hash}}}"#));
        assert!(pruned.censored);
        let whole = event(&format!(r#"{{"content":{{"body":"x"}},{hash}}}"#));
        assert_eq!(whole.compare_text(&pruned), Ordering::Greater);
        // the same PDU in hexadecimal digits
        let json = text("a");
        let hex = json.bytes().fold(String::from("\\x"), |hex, byte| format!("{hex}{byte:02x}"));
        assert_eq!(one.compare_text(&event(&hex)), Ordering::Greater);
        // a version that nobody knows
        let unknown = |json: &str| Event::from_stored(&Stored { room_version: Some("x"), ..stored(Some(json)) });
        assert_eq!(unknown(&text("a")).compare_text(&unknown(&text("b"))), Ordering::Greater);
    }
}
