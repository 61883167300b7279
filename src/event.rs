//! An event: as Synapse's rows hold it, and as a line of the archive.
//!
//! Pure: text in, text out. Never alters a PDU, never drops what does not parse, knows no table and no file.

mod day;
mod decrypted;
mod erased;
mod having;
pub(crate) mod hex;
mod key_answer;
mod line;
pub mod media;
pub(crate) mod object;
mod pdu;
mod proof;
mod redacted;
mod rival;
mod scan;
mod stored;
#[cfg(test)]
pub(crate) mod tests;
mod word;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

pub use crate::ids::{EventId, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId};
pub use day::Day;
pub use decrypted::Plain;
pub use erased::Erased;
pub(crate) use key_answer::KeyAnswer;
pub use line::content_of_line;
pub(crate) use line::id_and_content;
pub use object::Object;
pub(crate) use object::members;
pub use pdu::{MAX_DEPTH, Pdu, Unparsable};
pub use proof::{Proof, Signature, Verdict, VerifyKey, Why};
pub use redacted::{BanRedaction, Honoured, Redaction};
pub use stored::{Stored, is_soft_failed};
pub use word::Word;

use crate::stream::Stream;
use word::word;

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
    pub event_id: OwnedEventId,
    /// The room it belongs to.
    pub room_id: OwnedRoomId,
    /// The event type; unknown only when it is read back from a damaged line.
    pub kind: Option<Word>,
    /// The sender's user id.
    pub sender: Option<OwnedUserId>,
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
    pub relates_to: Option<OwnedEventId>,
    /// How it relates: `rel_type`, or `m.in_reply_to`.
    pub rel_type: Option<Word>,
    /// The event that this one answers, within a thread too.
    pub replies_to: Option<OwnedEventId>,
    /// What it says to be read and searched: its body, of an edit the new one, of a reaction its key; of a reply without the
    /// quote before it.
    pub said: Option<String>,
    /// What else a message has to be searched for: `image`, `video`, `file` or `audio`, and whom it mentions; of an edit what is new.
    pub has: Option<String>,
    /// It says what is to take another event's place, be there something to be read or not.
    pub is_edit: bool,
    /// The event that this redaction redacts.
    pub redacts: Option<OwnedEventId>,
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
        self.event_id.borrowed()
    }

    /// Its room's id.
    #[must_use]
    pub fn room(&self) -> RoomId<'_> {
        self.room_id.borrowed()
    }

    /// Who sent it.
    #[must_use]
    pub fn sender(&self) -> Option<UserId<'_>> {
        self.sender.as_ref().map(OwnedUserId::borrowed)
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

    fn take(&mut self, pdu: &Pdu<'_>) {
        let event = |text: &Option<Cow<'_, str>>| text.as_deref().map(|text| EventId::of(text).owned());
        if let Some(state_key) = &pdu.state_key {
            self.state_key = Some(state_key.to_string());
        }
        if self.sender.is_none() {
            self.sender = pdu.sender.as_deref().map(|sender| UserId::of(sender).owned());
        }
        if self.kind.as_deref() == Some("") {
            self.kind = pdu.kind.as_deref().map(word);
        }
        if let Some(content) = &pdu.content {
            self.relates_to = event(&content.relates_to);
            self.rel_type = content.rel_type.as_deref().map(word);
            self.replies_to = event(&content.replies_to);
            self.is_edit = content.is_edit(self.state_key.is_some());
            self.has = content.has(self.kind.as_deref().unwrap_or_default(), self.state_key.is_some());
            self.said = content.said(self.kind.as_deref().unwrap_or_default(), self.state_key.is_some());
        }
        if let Some(duration) = pdu.sticky {
            let since = [self.origin_server_ts, self.received_ts].into_iter().flatten().min();
            self.sticky_until = since.map(|since| since.saturating_add(duration));
        }
        if self.redacts.is_none() && self.kind.as_deref() == Some("m.room.redaction") {
            self.redacts = pdu.redacts(self.room_version.as_deref()).map(|redacted| EventId::of(redacted).owned());
        }
    }
}
