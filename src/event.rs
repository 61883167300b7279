//! An event: as Synapse's rows hold it, and as a line of the archive.
//!
//! Pure: text in, text out. Never alters a PDU, never drops what does not parse, knows no table and no file.

mod decrypted;
mod erased;
mod having;
pub(crate) mod hex;
mod ids;
mod key_answer;
mod line;
pub mod media;
pub(crate) mod object;
mod pdu;
mod proof;
mod redacted;
mod rival;
mod scan;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use chrono::{DateTime, NaiveDate};
use serde_json::value::RawValue;

pub use decrypted::Plain;
pub use erased::Erased;
pub use ids::{EventId, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId};
pub(crate) use key_answer::KeyAnswer;
pub use object::Object;
pub(crate) use object::members;
pub use pdu::{MAX_DEPTH, Pdu, Unparsable};
pub use proof::{Key, Proof, Signature, Verdict, Why};
pub use redacted::{BanRedaction, Honoured, Redaction};

use crate::stream::Stream;

/// The types of state events from which rooms and members have their names, and what else an index of rooms tells; and who may do
/// what.
pub const NAMING_TYPES: [&str; 7] = [
    "m.room.member",
    "m.room.name",
    "m.room.canonical_alias",
    "m.room.topic",
    "m.room.create",
    "m.room.encryption",
    "m.room.power_levels",
];

/// A word of Matrix's vocabulary, or a stranger's.
pub type Word = Cow<'static, str>;

/// The words that most events use, which need no memory of their own; the frequent ones first.
const WORDS: [&str; 22] = [
    "m.room.message",
    "10",
    "m.room.encrypted",
    "m.reaction",
    "m.room.member",
    "m.annotation",
    "m.in_reply_to",
    "m.replace",
    "m.thread",
    "m.room.redaction",
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
    "7",
    "8",
    "9",
    "11",
    "12",
    "m.sticker",
];

fn word(text: &str) -> Word {
    WORDS.into_iter().find(|word| *word == text).map_or_else(|| Cow::Owned(text.to_owned()), Cow::Borrowed)
}

/// The UTC day of an event's `origin_server_ts`, or none when that is missing or outside 1970 … 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(Option<NaiveDate>);

impl Day {
    /// The day of a time in milliseconds since the epoch. The sender chooses that time.
    #[must_use]
    pub fn of(origin_server_ts: Option<i64>) -> Day {
        const YEAR_10000: i64 = 253_402_300_800_000;
        Day(origin_server_ts
            .filter(|ts| (0..YEAR_10000).contains(ts))
            .and_then(DateTime::from_timestamp_millis)
            .map(|time| time.date_naive()))
    }

    /// Whether a text is how a day is written.
    #[must_use]
    pub fn is_name(text: &str) -> bool {
        // each day that comes out of a catalog is asked for: those of four digits without parsing and writing them
        match text.as_bytes() {
            [year @ .., b'-', _, _, b'-', _, _] if year.len() == 4 && year.iter().all(u8::is_ascii_digit) => {
                let number = |at: std::ops::Range<usize>| {
                    text.get(at).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?.parse::<u32>().ok()
                };
                let date = || {
                    let year = i32::try_from(number(0..4)?).ok()?;
                    chrono::NaiveDate::from_ymd_opt(year, number(5..7)?, number(8..10)?)
                };
                date().is_some()
            }
            _ => Day(text.parse().ok()).to_string() == text,
        }
    }
}

impl fmt::Display for Day {
    /// `2026-11-22`, or `undated`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(date) => date.fmt(f),
            None => f.write_str("undated"),
        }
    }
}

/// A row as the database holds it: `events` with its `event_json`, `rejections`, `rooms` and `redactions`.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a> {
    /// `events.event_id`: the authority, since most PDUs do not carry theirs.
    pub event_id: &'a str,
    /// `events.room_id`.
    pub room_id: &'a str,
    /// `events.type`; empty: the row has none.
    pub kind: &'a str,
    /// `events.sender`, which old rows may lack.
    pub sender: Option<&'a str>,
    /// `events.state_key`, which old rows of state events may lack.
    pub state_key: Option<&'a str>,
    /// `events.stream_ordering`: that of the event, also where it is read through `ex_outlier_stream`.
    pub stream_ordering: i64,
    /// `events.topological_ordering`.
    pub topological_ordering: i64,
    /// Milliseconds since the epoch, by the sender.
    pub origin_server_ts: Option<i64>,
    /// Milliseconds since the epoch, by this server.
    pub received_ts: Option<i64>,
    /// `rooms.room_version`.
    pub room_version: Option<&'a str>,
    /// `events.outlier`.
    pub outlier: bool,
    /// A row in `rejections`, or `events.rejection_reason`.
    pub rejected: bool,
    /// `event_json.internal_metadata`, of which only a few flags are taken: it holds private ids.
    pub internal_metadata: Option<&'a str>,
    /// `event_json.json`: the PDU; none when the row is missing.
    pub json: Option<&'a str>,
    /// `redactions.redacts`, when the event is a redaction.
    pub redacts: Option<&'a str>,
    /// `redactions.recheck`, which only newer Synapse has: false where it has found the redaction to be allowed.
    pub recheck: Option<bool>,
}

/// Why a line is not the stored PDU but says what was found in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The event has no `event_json` row.
    Missing,
    /// The text is no JSON object that every parser reads.
    Unparsable(Unparsable),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Missing => f.write_str("it has no row in event_json"),
            Damage::Unparsable(why) => write!(f, "its PDU is kept as text: {why}"),
        }
    }
}

/// An event as the archive takes it: its line, and what the catalog knows of it.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a key of the line and a column of the catalog")]
pub struct Event {
    /// The archive's only key.
    pub event_id: String,
    /// The room it belongs to.
    pub room_id: String,
    /// The event type; unknown only when it is read back from a damaged line.
    pub kind: Option<Word>,
    /// The sender's user id.
    pub sender: Option<String>,
    /// Present when it is a state event.
    pub state_key: Option<String>,
    /// Synapse's id in the stream.
    pub stream_ordering: i64,
    /// Synapse's depth in the room: a hint, since senders can forge it.
    pub topological_ordering: i64,
    /// Milliseconds since the epoch.
    pub origin_server_ts: Option<i64>,
    /// Milliseconds since the epoch.
    pub received_ts: Option<i64>,
    /// The day of its file.
    pub day: Day,
    /// The room's version.
    pub room_version: Option<Word>,
    /// Synapse had already pruned the PDU.
    pub censored: bool,
    /// Accepted but hidden from clients.
    pub soft_failed: bool,
    /// Refused by the room's auth rules.
    pub rejected: bool,
    /// A purge survivor.
    pub outlier: bool,
    /// The database has the PDU's bytes in hexadecimal digits; the line has the PDU.
    pub hex: bool,
    /// What of it this archive has erased.
    pub erased: Option<Erased>,
    /// The database had more than one row of it, of which this is one; a line does not tell.
    pub duplicate: bool,
    /// Set when the line is not the PDU.
    pub damage: Option<Damage>,
    /// The event that `content.m.relates_to` points to.
    pub relates_to: Option<String>,
    /// How it relates: `rel_type`, or `m.in_reply_to`.
    pub rel_type: Option<Word>,
    /// The event that this one answers, within a thread too.
    pub replies_to: Option<String>,
    /// What it says to be read and searched: its body, of an edit the new one, of a reaction its key; of a reply without the
    /// quote before it.
    pub said: Option<String>,
    /// What else a message has to be searched for: `image`, `video`, `file` or `audio`, and whom it mentions; of an edit what is new.
    pub has: Option<String>,
    /// It says what is to take another event's place, be there something to be read or not.
    pub is_edit: bool,
    /// The event that this redaction redacts.
    pub redacts: Option<String>,
    /// Whether this redaction holds only if its sender's server is that of its target; unknown in a line read back.
    pub recheck: Option<bool>,
    /// What the database says of it is more than its line, or something else; a line does not tell.
    pub is_beyond_line: bool,
    /// When it ceases to be sticky (MSC4354), milliseconds since the epoch; none: it never was. Until then Synapse may find
    /// that it need not be soft-failed.
    pub sticky_until: Option<i64>,
    /// The line, without its newline.
    pub line: String,
    /// Where in the line the PDU's `content` is.
    content: Option<Range<usize>>,
}

impl Event {
    /// Makes the archive's event of a stored row.
    #[must_use]
    pub fn from_stored(stored: &Stored<'_>) -> Event {
        let flags = Flags::of(stored.internal_metadata);
        let decoded = stored.json.and_then(hex::decoded);
        let decoded = decoded.as_deref().and_then(|text| Pdu::parse(text).ok());
        let hex = decoded.is_some();
        let parse = |text| Pdu::parse(text).map_err(Damage::Unparsable);
        let parsed = decoded.map_or_else(|| stored.json.map_or(Err(Damage::Missing), parse), Ok);
        let mut event = Event {
            event_id: stored.event_id.to_owned(),
            room_id: stored.room_id.to_owned(),
            kind: Some(word(stored.kind)),
            sender: stored.sender.map(str::to_owned),
            state_key: stored.state_key.map(str::to_owned),
            stream_ordering: stored.stream_ordering,
            topological_ordering: stored.topological_ordering,
            origin_server_ts: stored.origin_server_ts,
            received_ts: stored.received_ts,
            day: Day::of(stored.origin_server_ts),
            room_version: stored.room_version.map(word),
            censored: flags.redacted == Some(true) || parsed.as_ref().is_ok_and(|pdu| pdu.is_pruned(stored.kind)),
            soft_failed: flags.soft_failed == Some(true),
            rejected: stored.rejected,
            outlier: stored.outlier,
            hex,
            erased: None,
            duplicate: false,
            damage: None,
            relates_to: None,
            rel_type: None,
            replies_to: None,
            said: None,
            has: None,
            is_edit: false,
            redacts: stored.redacts.map(str::to_owned),
            recheck: (stored.kind == "m.room.redaction")
                .then_some(flags.recheck_redaction == Some(true) && stored.recheck.unwrap_or(true)),
            is_beyond_line: false,
            sticky_until: None,
            line: String::new(),
            content: None,
        };
        match parsed {
            Ok(pdu) => {
                event.take(&pdu);
                event.is_beyond_line = event.says_more_than(&pdu);
                event.splice(&pdu);
            }
            Err(damage) => {
                event.damage = Some(damage);
                event.is_beyond_line = true;
                event.line = event.damaged_line(stored.json);
            }
        }
        event
    }

    /// Reads an event back from its line and the day of its file.
    pub fn from_line(line: &str, day: &str) -> Result<Event, Unparsable> {
        let pdu = Pdu::of_line(line)?;
        let about: About<'_> = pdu
            .synapse
            .and_then(|about| serde_json::from_str(about).ok())
            .ok_or(Unparsable::new("it has no `synapse` object"))?;
        let (Some(event_id), Some(room_id)) = (&pdu.event_id, &pdu.room_id) else {
            return Err(Unparsable::new("it has no event_id or room_id"));
        };
        let mut event = Event {
            event_id: event_id.to_string(),
            room_id: room_id.to_string(),
            kind: pdu.kind.as_deref().map(word),
            sender: pdu.sender.as_deref().map(str::to_owned),
            state_key: None,
            stream_ordering: about.stream_ordering,
            topological_ordering: about.topological_ordering,
            origin_server_ts: pdu.origin_server_ts,
            received_ts: about.received_ts,
            day: Day(day.parse().ok()),
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

    /// Whether this is a row of the room's timeline: a row that is no outlier, or one that a purge left behind, since non-state
    /// outliers of a server's own users can be nothing else.
    #[must_use]
    pub fn is_timeline_of(&self, server_name: &str) -> bool {
        let is_local = || {
            let server = self.sender.as_deref().and_then(|sender| sender.split_once(':')).map(|(_, server)| server);
            !server_name.is_empty() && server == Some(server_name)
        };
        !self.outlier || (self.state_key.is_none() && !self.rejected && is_local())
    }

    /// Whether clients may have seen it.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        !self.rejected && !self.soft_failed
    }

    /// Whether this is an outlier that tells how a room or a member is named: what the server fetched when it joined the
    /// room, and all that it has of what was said there before about that.
    #[must_use]
    pub fn is_state_of_outliers(&self) -> bool {
        let is_naming = self.kind.as_deref().is_some_and(|kind| NAMING_TYPES.contains(&kind));
        self.outlier && !self.rejected && self.state_key.is_some() && is_naming
    }

    /// About how much memory it takes, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.line.len() + self.said.as_ref().map_or(0, String::len)
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> EventId<'_> {
        EventId::of(&self.event_id)
    }

    /// Its room's id.
    #[must_use]
    pub fn room(&self) -> RoomId<'_> {
        RoomId::of(&self.room_id)
    }

    /// The PDU's `content`, as its text.
    #[must_use]
    pub fn content(&self) -> Option<&str> {
        self.line.get(self.content.clone()?)
    }

    /// The stream that its `stream_ordering` belongs to.
    #[must_use]
    pub fn stream(&self) -> Stream {
        Stream::locate(self.stream_ordering).0
    }

    /// Whether it could not be read back from its line as it is.
    fn says_more_than(&self, pdu: &Pdu<'_>) -> bool {
        let redacts = || {
            let is_redaction = pdu.kind.as_deref() == Some("m.room.redaction");
            pdu.redacts(self.room_version.as_deref()).filter(|_| is_redaction)
        };
        self.recheck == Some(true)
            || self.kind.as_deref() != pdu.kind.as_deref()
            || self.sender.as_deref() != pdu.sender.as_deref()
            || self.state_key.as_deref() != pdu.state_key.as_deref()
            || self.origin_server_ts != pdu.origin_server_ts
            || self.redacts.as_deref() != redacts()
    }

    fn take(&mut self, pdu: &Pdu<'_>) {
        let owned = |text: &Option<Cow<'_, str>>| text.as_deref().map(str::to_owned);
        if let Some(state_key) = &pdu.state_key {
            self.state_key = Some(state_key.to_string());
        }
        if self.sender.is_none() {
            self.sender = owned(&pdu.sender);
        }
        if self.kind.as_deref() == Some("") {
            self.kind = pdu.kind.as_deref().map(word);
        }
        if let Some(content) = &pdu.content {
            self.relates_to = owned(&content.relates_to);
            self.rel_type = content.rel_type.as_deref().map(word);
            self.replies_to = owned(&content.replies_to);
            self.is_edit = content.is_edit(self.state_key.is_some());
            self.has = content.has(self.kind.as_deref().unwrap_or_default(), self.state_key.is_some());
            self.said = content.said(self.kind.as_deref().unwrap_or_default(), self.state_key.is_some());
        }
        if let Some(duration) = pdu.sticky {
            let since = [self.origin_server_ts, self.received_ts].into_iter().flatten().min();
            self.sticky_until = since.map(|since| since.saturating_add(duration));
        }
        if self.redacts.is_none() && self.kind.as_deref() == Some("m.room.redaction") {
            self.redacts = pdu.redacts(self.room_version.as_deref()).map(str::to_owned);
        }
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

/// The few flags of `internal_metadata` that concern an archive.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Flags {
    soft_failed: Option<bool>,
    recheck_redaction: Option<bool>,
    redacted: Option<bool>,
}

/// Whether `internal_metadata` says that an event was soft-failed: accepted but hidden from clients.
#[must_use]
pub fn is_soft_failed(internal_metadata: &str) -> bool {
    Flags::of(Some(internal_metadata)).soft_failed == Some(true)
}

impl Flags {
    fn of(internal_metadata: Option<&str>) -> Flags {
        let decoded = internal_metadata.and_then(hex::decoded);
        let internal_metadata = decoded.as_deref().or(internal_metadata);
        internal_metadata
            .filter(|text| ["soft_failed", "redact"].iter().any(|flag| text.contains(flag)))
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default()
    }
}

/// The `synapse` object of a line, read back.
#[derive(serde::Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "they are the keys of the line")]
struct About<'a> {
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

#[cfg(test)]
pub(crate) mod tests;
