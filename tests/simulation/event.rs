//! The events of the simulation: as somebody sends them, as the database has them, and as lines of an archive.

#![allow(unreachable_pub, reason = "a test binary exports nothing")]

use serde_json::{Value, json};

/// Milliseconds.
pub const HOUR: i64 = 3_600_000;
const YEAR_10000: i64 = 253_402_300_800_000;

/// A room, the name of its directory in an archive, and its version.
pub struct Room {
    pub id: &'static str,
    directory: &'static str,
    pub version: Option<&'static str>,
}

pub const ROOMS: [Room; 4] = [
    Room { id: "!old:here.test", directory: "old@here.test", version: Some("1") },
    Room { id: "!ten:there.test", directory: "ten@there.test", version: Some("10") },
    Room { id: "!new:here.test", directory: "new@here.test", version: Some("11") },
    Room { id: "!unknown:here.test", directory: "unknown@here.test", version: None },
];

/// The first two are local.
pub const USERS: [&str; 4] = ["@ann:here.test", "@bob:here.test", "@eve:there.test", "@joe:away.test:8448"];

/// An event as somebody sends it.
#[derive(Clone, Copy, Debug)]
pub struct Draft {
    pub kind: Kind,
    pub user: usize,
    pub sent: Sent,
    pub rejected: bool,
    pub soft_failed: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Message,
    /// So long that the source sends it on alone.
    LongMessage,
    Topic,
    Create,
    /// `recheck`: Synapse could not tell whether the sender may redact the target, unless both are of one server.
    Redaction {
        target: Target,
        recheck: bool,
    },
}

#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// One of those that the room has.
    InRoom(usize),
    /// One of any room, there already, to come or never to come.
    Number(usize),
}

/// When an event was sent, by its sender.
#[derive(Clone, Copy, Debug)]
pub enum Sent {
    /// So many hours from now.
    Hours(i64),
    /// `origin_server_ts`, if it has any.
    At(Option<i64>),
}

/// An event, also before and after it is in the database.
pub struct Event {
    pub id: String,
    pub room: usize,
    pub draft: Draft,
    pub sender: &'static str,
    pub sent: Option<i64>,
    pub redacts: Option<String>,
    pub pdu: String,
    pub place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a transaction that has not ended.
    InFlight,
    Stored(Row),
    /// Rolled back or purged.
    Gone,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Row {
    pub stream_ordering: i64,
    pub received_ts: i64,
    pub outlier: bool,
}

impl Row {
    pub fn depth(self) -> i64 {
        1_000_000 + self.stream_ordering
    }
}

/// The ids of events in the order in which they are made, which is not that of the ids.
pub fn event_id(number: usize) -> String {
    format!("$event_{:02}_{number}", number * 37 % 100)
}

impl Event {
    /// The event that is made of a draft, the `number`th of all.
    pub fn of(draft: Draft, number: usize, room: usize, redacts: Option<String>, now: i64) -> Self {
        let sent = match draft.sent {
            Sent::Hours(hours) => Some(now + hours * HOUR),
            Sent::At(ts) => ts,
        };
        let (id, sender) = (event_id(number), USERS[draft.user]);
        let mut event = Event { id, room, draft, sender, sent, redacts, pdu: String::new(), place: Place::InFlight };
        let body =
            if matches!(draft.kind, Kind::LongMessage) { "long ".repeat(110_000) } else { r"caf\u00e9".to_owned() };
        // what a parser would write otherwise
        event.write_pdu(&format!(r#""body":"{body}","n":{number}.50,"size":100000000000000000000"#));
        event
    }

    /// Gives it these members as its content; some redactions also have their target there.
    pub fn write_pdu(&mut self, content: &str) {
        let (id, kind, sender, room) = (&self.id, self.kind(), self.sender, &ROOMS[self.room]);
        let mut keys = vec![format!(r#""content":{{{content}}},"depth":1"#)];
        if self.has_own_id() {
            keys.push(format!(r#""event_id":"{id}""#));
        }
        if self.draft.soft_failed {
            // an hour, as it is no longer than that
            keys.push(r#""msc4354_sticky":{"duration_ms":100000000}"#.to_owned());
        }
        keys.extend(self.sent.map(|ts| format!(r#""origin_server_ts":{ts}"#)));
        match &self.redacts {
            Some(target) if room.version == Some("11") => keys[0] = format!(r#""content":{{"redacts":"{target}"}}"#),
            Some(target) => keys.push(format!(r#""redacts":"{target}""#)),
            None => {}
        }
        keys.push(format!(r#""room_id":"{}","sender":"{sender}""#, room.id));
        if self.is_state() {
            keys.push(r#""state_key":"""#.to_owned());
        }
        self.pdu = format!(r#"{{{},"type":"{kind}"}}"#, keys.join(","));
    }

    pub fn kind(&self) -> &'static str {
        match self.draft.kind {
            Kind::Message | Kind::LongMessage => "m.room.message",
            Kind::Topic => "m.room.topic",
            Kind::Create => "m.room.create",
            Kind::Redaction { .. } => "m.room.redaction",
        }
    }

    pub fn is_state(&self) -> bool {
        matches!(self.draft.kind, Kind::Topic | Kind::Create)
    }

    pub fn is_create(&self) -> bool {
        matches!(self.draft.kind, Kind::Create)
    }

    pub fn is_local(&self) -> bool {
        USERS[..2].contains(&self.sender)
    }

    /// Whether it is a redaction that holds only within its sender's server; none if it is no redaction.
    pub fn recheck(&self) -> Option<bool> {
        if let Kind::Redaction { recheck, .. } = self.draft.kind { Some(recheck) } else { None }
    }

    /// The row in `events`.
    pub fn row(&self) -> Option<Row> {
        if let Place::Stored(row) = self.place { Some(row) } else { None }
    }

    /// Whether it belongs to a room's history by what the database says now.
    pub fn is_timeline(&self) -> bool {
        let is_survivor = !self.is_state() && !self.draft.rejected && self.is_local();
        self.row().is_some_and(|row| !row.outlier || is_survivor)
    }

    /// Whether the PDU names its event id.
    fn has_own_id(&self) -> bool {
        ROOMS[self.room].version == Some("1")
    }

    /// The file of its line.
    pub fn path(&self) -> String {
        let dated =
            self.sent.filter(|ts| (0..YEAR_10000).contains(ts)).and_then(chrono::DateTime::from_timestamp_millis);
        let day = dated.map_or("undated".to_owned(), |time| time.format("%Y-%m-%d").to_string());
        format!("rooms/{}/{day}.jsonl", ROOMS[self.room].directory)
    }

    /// Whether this is its line: the archive's own keys, then the PDU's text as the database has it now.
    pub fn has_line(&self, line: &str) -> bool {
        let Some(row) = self.row() else { return false };
        let mut synapse = json!({
            "stream_ordering": row.stream_ordering, "topological_ordering": row.depth(),
            "received_ts": row.received_ts, "room_version": ROOMS[self.room].version,
        });
        let flags =
            [("soft_failed", self.draft.soft_failed), ("rejected", self.draft.rejected), ("outlier", row.outlier)];
        for (flag, _) in flags.into_iter().filter(|(_, holds)| *holds) {
            synapse[flag] = true.into();
        }
        let mut keys = json!({ "synapse": synapse });
        if !self.has_own_id() {
            keys["event_id"] = self.id.as_str().into();
        }
        let ours = line.strip_suffix(&self.pdu[1..]).and_then(|ours| ours.strip_suffix(','));
        ours.is_some_and(|ours| serde_json::from_str::<Value>(&format!("{ours}}}")).is_ok_and(|ours| ours == keys))
    }
}
