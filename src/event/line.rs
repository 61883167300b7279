//! How an event becomes its line, and is read back from it.
//!
//! Loses nothing of a PDU's text, and believes nothing that the PDU says under the name of one of our own keys.

use std::borrow::Cow;
use std::fmt::Write as _;

use memchr::memchr2;
use serde_json::value::RawValue;

use super::word::word;
use super::{Damage, Day, Erased, Event, EventId, Pdu, RoomId, Unparsable, UserId, object};

impl Event {
    /// Makes the line: the PDU's own text, with our keys put in front of it.
    pub(super) fn splice(&mut self, pdu: &Pdu<'_>) {
        // a PDU that contradicts us, or brings a `synapse` key, would hide ours from parsers that take the last of two
        // equal keys: its members are moved under ours, all others stay as they are
        let contradicts = |own: &Option<Cow<'_, str>>, ours: &str| own.as_deref().is_some_and(|own| own != ours);
        let (event_id, room_id) =
            (contradicts(&pdu.event_id, &self.event_id), contradicts(&pdu.room_id, &self.room_id));
        if event_id || room_id || pdu.synapse.is_some() || pdu.repeats || pdu.odd_id {
            return self.rewrite(pdu.text);
        }
        let mut line = self.open(pdu.text.len(), pdu.event_id.is_none(), pdu.room_id.is_none());
        line.push('}');
        if !pdu.is_empty {
            line.push(',');
        }
        let members = &pdu.text[1..];
        if memchr2(b'\n', b'\r', members.as_bytes()).is_some() {
            // a valid JSON text has them only between tokens
            line.extend(members.chars().map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c }));
        } else {
            line.push_str(members);
        }
        let shift = line.len() - pdu.text.len();
        self.content = pdu.content_span().map(|span| span.start + shift..span.end + shift);
        self.line = line;
    }

    /// Makes the line member by member, for the rare PDU that cannot be spliced.
    fn rewrite(&mut self, text: &str) {
        let mut kept = String::new();
        let mut content = None;
        let mut line = self.open(text.len(), true, true);
        for (key, value) in object::members(text) {
            let ours = match &*key {
                "synapse" => Some("shadowed"),
                "event_id" => (!is_text(value, &self.event_id)).then_some("pdu_event_id"),
                "room_id" => (!is_text(value, &self.room_id)).then_some("pdu_room_id"),
                _ => {
                    kept.push(',');
                    push_member(&mut kept, &key, value.get());
                    if key == "content" {
                        content = Some(kept.len() - value.get().len()..kept.len());
                    }
                    None
                }
            };
            if let Some(name) = ours {
                line.push(',');
                push_member(&mut line, name, value.get());
            }
        }
        line.push('}');
        self.content = content.map(|span| span.start + line.len()..span.end + line.len());
        line.push_str(&kept);
        line.push('}');
        self.line = line.replace(['\n', '\r'], " ");
    }

    pub(super) fn damaged_line(&self, text: Option<&str>) -> String {
        let mut line = self.open(text.map_or(0, str::len), true, true);
        line.push(',');
        match text {
            Some(text) => push_text(&mut line, "unparsed", text),
            None => push_member(&mut line, "unparsed", "null"),
        }
        line.push_str("}}");
        line
    }

    /// `{"event_id":…,"room_id":…,"synapse":{…`, with the `synapse` object left open.
    pub(super) fn open(&self, length: usize, event_id: bool, room_id: bool) -> String {
        let mut line = String::with_capacity(length + 320);
        line.push('{');
        if event_id {
            push_text(&mut line, "event_id", &self.event_id);
            line.push(',');
        }
        if room_id {
            push_text(&mut line, "room_id", &self.room_id);
            line.push(',');
        }
        let _ = write!(
            line,
            r#""synapse":{{"stream_ordering":{},"topological_ordering":{},"received_ts":"#,
            self.stream_ordering, self.topological_ordering
        );
        match self.received_ts {
            Some(ts) => drop(write!(line, "{ts}")),
            None => line.push_str("null"),
        }
        line.push(',');
        match &self.room_version {
            Some(version) => push_text(&mut line, "room_version", version),
            None => push_member(&mut line, "room_version", "null"),
        }
        for (name, holds) in [
            ("censored", self.censored),
            ("soft_failed", self.soft_failed),
            ("rejected", self.rejected),
            ("outlier", self.outlier),
            ("hex", self.hex),
        ] {
            if holds {
                line.push(',');
                push_member(&mut line, name, "true");
            }
        }
        if let Some(erased) = self.erased {
            line.push(',');
            push_text(&mut line, "erased", erased.name());
        }
        line
    }

    /// Reads an event back from its line and the day of its file.
    pub fn from_line(line: &str, day: &str) -> Result<Event, Unparsable> {
        let pdu = Pdu::of_line(line)?;
        let about: SynapseObject<'_> = pdu
            .synapse
            .and_then(|about| serde_json::from_str(about).ok())
            .ok_or(Unparsable::new("it has no `synapse` object"))?;
        let (Some(event_id), Some(room_id)) = (&pdu.event_id, &pdu.room_id) else {
            return Err(Unparsable::new("it has no event_id or room_id"));
        };
        let mut event = Event {
            event_id: EventId::of(event_id).owned(),
            room_id: RoomId::of(room_id).owned(),
            kind: pdu.kind.as_deref().map(word),
            sender: pdu.sender.as_deref().map(|sender| UserId::of(sender).owned()),
            state_key: None,
            stream_ordering: about.stream_ordering,
            topological_ordering: about.topological_ordering,
            origin_server_ts: pdu.origin_server_ts,
            received_ts: about.received_ts,
            day: Day::named(day),
            room_version: about.room_version.as_deref().map(word),
            censored: about.censored,
            soft_failed: about.soft_failed,
            rejected: about.rejected,
            outlier: about.outlier,
            hex: about.hex,
            erased: about.erased.as_deref().and_then(Erased::named),
            duplicate: false,
            damage: about.unparsed.map(|text| match serde_json::from_str::<String>(text.get()) {
                Ok(text) => Damage::Unparsable(Pdu::parse(&text).err().unwrap_or(Unparsable::new("it is damaged"))),
                Err(_) => Damage::Missing,
            }),
            relates_to: None,
            rel_type: None,
            replies_to: None,
            said: None,
            has: None,
            is_edit: false,
            redacts: None,
            recheck: None,
            is_beyond_line: false,
            sticky_until: None,
            line: line.to_owned(),
            content: pdu.content_span(),
        };
        event.take(&pdu);
        Ok(event)
    }
}

/// The event that a line is of, with its PDU's `content` as its text, where it has a PDU; none where the line is none.
pub(crate) fn id_and_content(line: &str) -> Option<(Cow<'_, str>, Option<&str>)> {
    let pdu = Pdu::of_line(line).ok()?;
    let content = pdu.content_span().and_then(|span| line.get(span));
    Some((pdu.event_id?, content))
}

/// The PDU's `content` in a line, as its text; none where the line has no PDU.
#[must_use]
pub fn content_of_line(line: &str) -> Option<&str> {
    line.get(Pdu::of_line(line).ok()?.content_span()?)
}

/// The `synapse` object of a line, read back.
#[derive(serde::Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "they are the keys of the line")]
struct SynapseObject<'a> {
    stream_ordering: i64,
    topological_ordering: i64,
    received_ts: Option<i64>,
    room_version: Option<String>,
    #[serde(default)]
    censored: bool,
    #[serde(default)]
    soft_failed: bool,
    #[serde(default)]
    rejected: bool,
    #[serde(default)]
    outlier: bool,
    #[serde(default)]
    hex: bool,
    #[serde(default)]
    erased: Option<String>,
    /// A text, or `null`: there was none.
    #[serde(borrow, default, deserialize_with = "raw")]
    unparsed: Option<&'a RawValue>,
}

fn raw<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    serde::Deserialize::deserialize(deserializer).map(Some)
}

pub(super) fn push_member(line: &mut String, key: &str, value: &str) {
    push_quoted(line, key);
    line.push(':');
    line.push_str(value);
}

fn push_text(line: &mut String, key: &str, text: &str) {
    push_quoted(line, key);
    line.push(':');
    push_quoted(line, text);
}

fn push_quoted(line: &mut String, text: &str) {
    if text.bytes().any(|byte| byte < b' ' || matches!(byte, b'"' | b'\\')) {
        line.push_str(&quote(text));
    } else {
        line.push('"');
        line.push_str(text);
        line.push('"');
    }
}

/// A text as a JSON string.
pub(super) fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn is_text(value: &RawValue, text: &str) -> bool {
    serde_json::from_str::<String>(value.get()).is_ok_and(|own| own == text)
}
