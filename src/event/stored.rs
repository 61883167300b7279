//! How a row of the database becomes an event of the archive.
//!
//! Refuses no row: one without a PDU that can be read is an event that says so. Of `internal_metadata` nothing comes out but flags.

use super::word::word;
use super::{Damage, Day, Event, EventId, Pdu, RoomId, UserId, hex};

/// A row as the database holds it: `events` with its `event_json`, `rejections`, `rooms` and `redactions`.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a> {
    /// `events.event_id`: the authority, since most PDUs do not carry theirs.
    pub event_id: EventId<'a>,
    /// `events.room_id`.
    pub room_id: RoomId<'a>,
    /// `events.type`; empty: the row has none.
    pub kind: &'a str,
    /// `events.sender`, which old rows may lack.
    pub sender: Option<UserId<'a>>,
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
    pub redacts: Option<EventId<'a>>,
    /// `redactions.recheck`, which only newer Synapse has: false where it has found the redaction to be allowed.
    pub recheck: Option<bool>,
}

impl Event {
    /// Makes the archive's event of a stored row.
    #[must_use]
    pub fn from_stored(stored: &Stored<'_>) -> Event {
        let flags = MetadataFlags::of(stored.internal_metadata);
        let decoded = stored.json.and_then(hex::decoded);
        let decoded = decoded.as_deref().and_then(|text| Pdu::parse(text).ok());
        let hex = decoded.is_some();
        let parse = |text| Pdu::parse(text).map_err(Damage::Unparsable);
        let parsed = decoded.map_or_else(|| stored.json.map_or(Err(Damage::Missing), parse), Ok);
        let mut event = Event {
            event_id: stored.event_id.owned(),
            room_id: stored.room_id.owned(),
            kind: Some(word(stored.kind)),
            sender: stored.sender.map(UserId::owned),
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
            redacts: stored.redacts.map(EventId::owned),
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
}

/// The few flags of `internal_metadata` that concern an archive.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct MetadataFlags {
    soft_failed: Option<bool>,
    recheck_redaction: Option<bool>,
    redacted: Option<bool>,
}

/// Whether `internal_metadata` says that an event was soft-failed: accepted but hidden from clients.
#[must_use]
pub fn is_soft_failed(internal_metadata: &str) -> bool {
    MetadataFlags::of(Some(internal_metadata)).soft_failed == Some(true)
}

impl MetadataFlags {
    fn of(internal_metadata: Option<&str>) -> MetadataFlags {
        let decoded = internal_metadata.and_then(hex::decoded);
        let internal_metadata = decoded.as_deref().or(internal_metadata);
        internal_metadata
            .filter(|text| ["soft_failed", "redact"].iter().any(|flag| text.contains(flag)))
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default()
    }
}
