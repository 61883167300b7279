//! What is left of an event once its redaction is honoured, which no archive does: for a dump that is handed on.
//!
//! Whatever cannot be read with certainty is left out rather than shown.

use std::borrow::Cow;

use rules::Rules;
use serde_json::{Map, Value, json};

use super::line::{push_member, quote};
use super::{Event, EventId, OwnedEventId, OwnedRoomId, OwnedUserId, object};

pub(super) mod rules;

/// The keys of `unsigned` that quote nobody.
const HARMLESS: [&str; 4] = ["age", "age_ts", "prev_sender", "replaces_state"];
/// What a text that does not parse may have in it if it quotes others: an edit, the content before a change of state, the
/// state of a room that somebody was invited to, or aggregated relations.
const QUOTES: [&str; 4] = ["m.replace", "prev_content", "_room_state", "m.relations"];

/// A redaction in effect.
#[derive(Clone, Copy, Debug)]
pub struct Redaction<'a> {
    /// The redaction, or the ban that redacts.
    pub event: &'a Event,
    /// Whether it is redacted itself.
    pub redacted: bool,
}

/// A ban or kick that redacts all that a user has sent to a room, without redactions: a row of Synapse's
/// `room_ban_redactions` (MSC4293, since 1.136).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanRedaction {
    /// Where.
    pub room_id: OwnedRoomId,
    /// Whose events.
    pub user_id: OwnedUserId,
    /// The ban or kick.
    pub event_id: OwnedEventId,
    /// The stream ordering of the event that let the user in again: only events below it are redacted; none: all.
    pub until: Option<i64>,
}

/// A line of a dump that honours redactions.
#[derive(Debug, PartialEq, Eq)]
pub struct Honoured<'a> {
    /// The line, without its newline: the event's own unless something had to be left out.
    pub line: Cow<'a, str>,
    /// Why more was left out than a redaction asks for.
    pub warning: Option<&'static str>,
}

impl Event {
    /// Whether a redaction that names this event is in effect: as Synapse has it, it is not rejected, is in the same room and, where Synapse could not check it when it came, of the same server. Nothing redacts
    /// a room's creation.
    #[must_use]
    pub fn is_redacted_by(&self, redaction: &Event) -> bool {
        fn server(event: &Event) -> Option<&str> {
            event.sender.as_deref()?.split_once(':').map(|(_, server)| server)
        }
        self.kind.as_deref() != Some("m.room.create")
            && redaction.kind.as_deref() == Some("m.room.redaction")
            && !redaction.rejected
            && redaction.room_id == self.room_id
            && (redaction.recheck != Some(true) || server(self).is_some_and(|own| Some(own) == server(redaction)))
    }

    /// Whether a ban redacts this event, as Synapse has it.
    #[must_use]
    pub fn is_redacted_by_ban(&self, ban: &BanRedaction) -> bool {
        self.kind.as_deref() != Some("m.room.create")
            && self.room_id == ban.room_id
            && self.sender.as_ref() == Some(&ban.user_id)
            && ban.until.is_none_or(|until| self.stream_ordering < until)
    }

    /// Whether this redaction comes before another one, by their senders' clocks.
    #[must_use]
    pub fn precedes(&self, other: &Event) -> bool {
        (self.origin_server_ts, &self.event_id) < (other.origin_server_ts, &other.event_id)
    }

    /// The event that this one edits, if it is an edit: with that it is redacted.
    #[must_use]
    pub fn edits(&self) -> Option<EventId<'_>> {
        let is_edit = self.rel_type.as_deref() == Some("m.replace") && self.state_key.is_none();
        self.relates_to.as_ref().filter(|_| is_edit).map(OwnedEventId::borrowed)
    }

    /// The line of a dump that honours redactions. A redacted event is pruned by its room version's rules, gets
    /// `unsigned.redacted_because`, and `redacted` among the `synapse` keys; what others quote of it in `unsigned` is taken
    /// out.
    #[must_use]
    pub fn honouring(&self, redaction: Option<Redaction<'_>>) -> Honoured<'_> {
        if let Some(redaction) = redaction {
            let pruned = self.pruned();
            let warning = match &pruned {
                None => {
                    Some("it is redacted, and its text cannot be read with certainty: all of its content is left out")
                }
                Some(_) if self.rules().is_none() => {
                    Some("it is redacted, and its room's version is not known: all that any version prunes is left out")
                }
                Some(_) => None,
            };
            let line = self.redacted_line(&pruned.unwrap_or_else(|| self.bones()), Some(redaction));
            return Honoured { line: line.into(), warning };
        }
        if self.damage.is_some() && QUOTES.iter().any(|quote| self.line.contains(quote)) {
            let warning = Some("whether its text quotes what is redacted cannot be told: it is left out");
            return Honoured { line: self.redacted_line(&self.bones(), None).into(), warning };
        }
        Honoured { line: self.without_quotes(), warning: None }
    }

    /// The line of a dump that honours that the server has erased its sender: pruned like that of a redacted event. Who made a room
    /// has made it all the same.
    #[must_use]
    pub fn honouring_erasure(&self) -> Honoured<'_> {
        if self.kind.as_deref() == Some("m.room.create") {
            return self.honouring(None);
        }
        let pruned = self.pruned();
        let warning = pruned.is_none().then_some(
            "its sender is erased, and its text cannot be read with certainty: all of its content is left out",
        );
        Honoured { line: self.redacted_line(&pruned.unwrap_or_else(|| self.bones()), None).into(), warning }
    }

    /// The PDU pruned by the rules of its room's version; none if it is no sound JSON of the stored type.
    pub(super) fn pruned(&self) -> Option<Map<String, Value>> {
        if self.damage.is_some() {
            return None;
        }
        let mut object = Map::new();
        for (key, value) in object::members(&self.line) {
            if key == "synapse" {
                continue;
            }
            let value = distinct(value.get())?;
            if object.insert(key.into_owned(), value).is_some() {
                return None;
            }
        }
        let kind = object.get("type")?.as_str()?.to_owned();
        let sound = Some(kind.as_str()) == self.kind.as_deref()
            && matches!(object.get("content"), Some(Value::Object(_)) | None);
        if !sound {
            return None;
        }
        self.rules().unwrap_or_else(Rules::strictest).prune(&mut object, &kind);
        Some(object)
    }

    /// What the database says of the event beside its PDU.
    pub(super) fn bones(&self) -> Map<String, Value> {
        let values = [
            ("content", Some(json!({}))),
            ("origin_server_ts", self.origin_server_ts.map(|ts| json!(ts))),
            ("sender", self.sender.as_deref().map(|sender| json!(sender))),
            ("state_key", self.state_key.as_deref().map(|key| json!(key))),
            ("type", self.kind.as_deref().map(|kind| json!(kind))),
        ];
        let values = values.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
        values.collect()
    }

    fn redacted_line(&self, pdu: &Map<String, Value>, redaction: Option<Redaction<'_>>) -> String {
        let mut line = self.open(1024, true, true);
        line.push_str(r#","redacted":true}"#);
        for (key, value) in pdu {
            line.push(',');
            push_member(&mut line, key, &value.to_string());
        }
        if let Some(redaction) = redaction {
            line.push_str(r#","unsigned":{"redacted_because":"#);
            line.push_str(&redaction.as_clients_see_it());
            line.push('}');
        }
        line.push('}');
        line
    }

    /// The line without what a server put into `unsigned` that repeats other events.
    pub(super) fn without_quotes(&self) -> Cow<'_, str> {
        let mut line = Cow::Borrowed(self.line.as_str());
        // from the last to the first, so that the places of the others stay
        for (key, value) in object::members(&self.line).into_iter().rev() {
            let text = value.get();
            let members = object::members(text);
            if key != "unsigned" || text == "{}" {
                continue;
            }
            if members.iter().all(|(key, _)| HARMLESS.contains(&&**key)) && !members.is_empty() {
                continue;
            }
            let mut kept = String::from("{");
            for (key, value) in members.iter().filter(|(key, _)| HARMLESS.contains(&&**key)) {
                if kept.len() > 1 {
                    kept.push(',');
                }
                push_member(&mut kept, key, value.get());
            }
            kept.push('}');
            let start = text.as_ptr() as usize - self.line.as_ptr() as usize;
            line.to_mut().replace_range(start..start + text.len(), &kept);
        }
        line
    }

    /// The rules of the room's version, if it is known.
    fn rules(&self) -> Option<Rules> {
        Rules::of(self.room_version.as_deref()?)
    }
}

impl Redaction<'_> {
    /// The redaction in the format of the client-server API.
    fn as_clients_see_it(&self) -> String {
        let event = self.event;
        let kind = event.kind.as_deref().unwrap_or_default();
        let content = if self.redacted {
            let mut content = match event.content().and_then(distinct) {
                Some(Value::Object(content)) => content,
                _ => Map::new(),
            };
            event.rules().unwrap_or_else(Rules::strictest).prune_content(&mut content, kind);
            Value::Object(content).to_string()
        } else {
            event.content().unwrap_or("{}").to_owned()
        };
        let text = |text: Option<&str>| text.map_or("null".to_owned(), quote);
        let of_what = match &event.state_key {
            Some(state_key) => ("state_key", quote(state_key)),
            None => ("redacts", text(event.redacts.as_deref())),
        };
        let mut object = String::from("{");
        for (key, value) in [
            ("content", content),
            ("event_id", quote(&event.event_id)),
            ("origin_server_ts", event.origin_server_ts.map_or("null".to_owned(), |ts| ts.to_string())),
            ("room_id", quote(&event.room_id)),
            ("sender", text(event.sender.as_deref())),
            ("type", quote(kind)),
            of_what,
        ] {
            if object.len() > 1 {
                object.push(',');
            }
            push_member(&mut object, key, &value);
        }
        object.push('}');
        object
    }
}

/// A text as JSON; none if it is not, or if it says something twice.
fn distinct(text: &str) -> Option<Value> {
    let mut keys: Vec<_> = object::members(text).into_iter().map(|(key, _)| key).collect();
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    (keys.len() == count).then(|| serde_json::from_str(text).ok()).flatten()
}

#[cfg(test)]
mod tests;
