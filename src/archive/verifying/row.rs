//! A row of the catalog against the line that it is of: all that it has of it, and what follows from other lines. Reads no file.

use super::super::redacting::redacted_otherwise;
use crate::event::{Event, OwnedEventId, OwnedUserId};
use crate::search::said;

/// Where the lines of a file are, in their order, with nothing of what they say.
pub(super) const PLACES: &str = "select start, length, event_id from line where file = ?1 order by start";

/// The same, with all that the catalog has of them.
pub(super) fn all() -> String {
    let is_redacted_otherwise = redacted_otherwise();
    format!(
        "select start, length, event_id, stream_ordering, topological_ordering, type.name, state_key, user.user_id, origin_server_ts,
                received_ts, censored, soft_failed, rejected, outlier, damaged, erased, relates_to, rel.name, replies_to, redacts,
                said.line is not null, body, has, event_id in (select event_id from beyond_line), {is_redacted_otherwise}
           from line target left join type using (type) left join user on user.user = target.sender
           left join relation on relation.line = target.line left join type rel on rel.type = relation.rel_type
           left join said on said.line = target.line
          where file = ?1 order by start"
    )
}

/// What the catalog has of an event: where its line is, and, if that is asked for, what it says of it.
pub(super) struct CatalogRow {
    pub(super) start: u64,
    pub(super) length: u64,
    pub(super) event_id: OwnedEventId,
    /// Another redaction than that which it names is in effect, or none.
    pub(super) is_redacted_otherwise: bool,
    /// It knows more than its line says.
    pub(super) is_beyond_line: bool,
    about: Option<SaidOfEvent>,
}

/// What it says of it.
#[allow(clippy::struct_excessive_bools, reason = "each is a column of the catalog")]
struct SaidOfEvent {
    stream_ordering: i64,
    topological_ordering: i64,
    kind: Option<String>,
    state_key: Option<String>,
    sender: Option<OwnedUserId>,
    origin_server_ts: Option<i64>,
    received_ts: Option<i64>,
    censored: bool,
    soft_failed: bool,
    rejected: bool,
    outlier: bool,
    damaged: bool,
    erased: bool,
    relates_to: Option<OwnedEventId>,
    rel_type: Option<String>,
    replies_to: Option<OwnedEventId>,
    redacts: Option<OwnedEventId>,
    /// What it says to be read and searched, and what else there is in it; none: it has no such row.
    said: Option<(Option<String>, Option<String>)>,
}

impl CatalogRow {
    /// Reads what [`PLACES`] or [`all`] asks for.
    pub(super) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<CatalogRow> {
        let place = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
        let (start, length, event_id) = (place(0)?, place(1)?, row.get(2)?);
        if row.as_ref().column_count() == 3 {
            return Ok(CatalogRow {
                start,
                length,
                event_id,
                is_redacted_otherwise: false,
                is_beyond_line: false,
                about: None,
            });
        }
        let about = SaidOfEvent {
            stream_ordering: row.get(3)?,
            topological_ordering: row.get(4)?,
            kind: row.get(5)?,
            state_key: row.get(6)?,
            sender: row.get(7)?,
            origin_server_ts: row.get(8)?,
            received_ts: row.get(9)?,
            censored: row.get(10)?,
            soft_failed: row.get(11)?,
            rejected: row.get(12)?,
            outlier: row.get(13)?,
            damaged: row.get(14)?,
            erased: row.get(15)?,
            relates_to: row.get(16)?,
            rel_type: row.get(17)?,
            replies_to: row.get(18)?,
            redacts: row.get(19)?,
            said: if row.get(20)? { Some((row.get(21)?, row.get(22)?)) } else { None },
        };
        let (is_beyond_line, is_redacted_otherwise) = (row.get(23)?, row.get(24)?);
        Ok(CatalogRow { start, length, event_id, is_redacted_otherwise, is_beyond_line, about: Some(about) })
    }

    /// What of it is not as its line says.
    pub(super) fn differs(&self, event: &Event) -> Option<&'static str> {
        if self.event_id != event.event_id {
            return Some("event");
        }
        let about = self.about.as_ref()?;
        // the database's columns may have said more, or something else
        let may_differ = self.is_beyond_line || event.damage.is_some();
        [
            ("stream_ordering", about.stream_ordering != event.stream_ordering),
            ("topological_ordering", about.topological_ordering != event.topological_ordering),
            ("type", !may_differ && about.kind.as_deref() != event.kind.as_deref()),
            ("state_key", !may_differ && about.state_key != event.state_key),
            ("sender", !may_differ && about.sender != event.sender),
            ("origin_server_ts", !may_differ && about.origin_server_ts != event.origin_server_ts),
            ("received_ts", about.received_ts != event.received_ts),
            ("censored", about.censored != event.censored),
            ("soft_failed", !may_differ && about.soft_failed != event.soft_failed),
            ("rejected", !may_differ && about.rejected != event.rejected),
            ("outlier", about.outlier != event.outlier),
            ("damaged", about.damaged != event.damage.is_some()),
            ("state of erasure", about.erased != event.is_erased()),
            ("relation", about.relates(event)),
            ("redacts", !may_differ && about.redacts != event.redacts),
            ("text", !may_differ && about.says(event)),
        ]
        .into_iter()
        .find_map(|(what, differs)| differs.then_some(what))
    }
}

impl SaidOfEvent {
    /// Whether it relates to another event than the line says, or otherwise.
    fn relates(&self, event: &Event) -> bool {
        self.relates_to != event.relates_to
            || self.rel_type.as_deref() != event.rel_type.as_deref()
            || self.replies_to != event.replies_to
    }

    /// Whether it says another thing than the line does.
    fn says(&self, event: &Event) -> bool {
        let text = said::text(event);
        let is_any = text.is_some() || event.is_edit;
        let said = is_any.then(|| (text.as_deref(), said::has(event, text.as_deref())));
        self.said.as_ref().map(|(body, has)| (body.as_deref(), has.clone())) != said
    }
}
