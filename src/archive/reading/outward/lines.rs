//! The lines of a room-day as others are given them: pruned where they are withheld, and with nothing that they repeat of others. What is
//! withheld is decided as for the events.

use std::ops::Range;

use rusqlite::params;
use serde_json::json;

use super::super::super::Error;
use super::super::super::erased::redacted_by;
use super::super::Reader;
use super::super::events::{CatalogEvent, accepted, columns};
use super::super::redactions::{Redactors, is_redacted};
use super::Including;
use crate::event::{Event, Plain, RoomId, UserId};

/// Which lines, and what of them.
#[derive(Clone, Debug)]
pub(crate) struct LineSelection<'a> {
    pub(crate) with: Including,
    /// Only events of this time, in milliseconds since the epoch; none: all, and those that have none.
    pub(crate) period: Option<Range<i64>>,
    /// Only what this user has sent.
    pub(crate) sender: Option<UserId<'a>>,
    /// As they are stored: nothing decrypted, and nothing taken out that `with` does not name.
    pub(crate) as_stored: bool,
}

/// A line as others are given it.
#[derive(Clone, Debug)]
pub(crate) struct OutwardLine {
    /// What the line says, and the line.
    pub(crate) event: Event,
    /// The redaction or ban in effect, or why else it is redacted.
    pub(crate) redacted_by: Option<String>,
    /// It was encrypted, and this is what it says; whether its session is vouched for.
    pub(crate) decrypted: Option<bool>,
    pub(crate) soft_failed: bool,
    pub(crate) rejected: bool,
    /// It is pruned: it is redacted, or what it edits is.
    pub(crate) is_withheld: bool,
}

const OF_DAY: &str = concat!(
    "with ordered as materialized (
         select line.line from file cross join line indexed by line_file on line.file = file.file
          where file.room = ?1 and day = ?2 and (?3 or ",
    accepted!(),
    ") and (?4 is null or sender = (select user from user where user_id = ?4))
           and (?5 is null or origin_server_ts >= ?5 and origin_server_ts < ?6)
          order by origin_server_ts, topological_ordering, stream_ordering, event_id)
     select ",
    columns!(),
    ", line.soft_failed, line.rejected
     from ordered cross join line using (line) cross join file on file.file = line.file
     left join relation on relation.line = line.line"
);

/// The lines of a room's day, or of no day, by their times; how many cannot be read, which is told.
pub(crate) fn each_line_of_day(
    reader: &Reader<'_>,
    room_id: &str,
    day: &str,
    asked: &LineSelection<'_>,
    take: &mut dyn FnMut(&OutwardLine) -> Result<(), Error>,
) -> Result<u64, Error> {
    let (mut redactors, mut unread) = (Redactors::default(), 0);
    let (start, end) = asked.period.as_ref().map(|period| (period.start, period.end)).unzip();
    let mut statement = reader.connection.prepare_cached(OF_DAY)?;
    let mut rows =
        statement.query(params![reader.room(room_id)?, day, asked.with.rejected, asked.sender, start, end])?;
    while let Some(row) = rows.next()? {
        let event = CatalogEvent::without_content(reader, day.to_owned(), row)?;
        let line = reader.line(event.id(), (RoomId::of(room_id), day), (row.get(7)?, row.get(8)?))?;
        let Some(stored) = line.and_then(|line| Event::from_line(&line, day).ok()) else {
            unread += 1;
            continue;
        };
        let is_withheld = !asked.with.redacted && is_redacted(reader, RoomId::of(room_id), &event, &mut redactors)?;
        let (event, decrypted) = given(reader, &event, stored, is_withheld, asked)?;
        take(&OutwardLine {
            event,
            redacted_by: row.get(13)?,
            decrypted,
            soft_failed: row.get(15)?,
            rejected: row.get(16)?,
            is_withheld,
        })?;
    }
    Ok(unread)
}

/// What others are given of a stored event, and whether that was encrypted.
fn given(
    reader: &Reader<'_>,
    of: &CatalogEvent,
    stored: Event,
    is_withheld: bool,
    asked: &LineSelection<'_>,
) -> Result<(Event, Option<bool>), Error> {
    if is_withheld {
        return Ok((stored.with_line(&stored.honouring_erasure().line), None));
    }
    let (mut event, mut decrypted) = (stored, None);
    if let Some(plaintexts) = reader.plaintexts.filter(|_| !asked.as_stored && of.kind() == "m.room.encrypted")
        && let Some(plaintext) = plaintexts.get(&of.event_id)?
    {
        let about = json!({ "authenticated": plaintext.authenticated }).as_object().cloned().unwrap_or_default();
        let plain = Plain { kind: &plaintext.kind, content: &plaintext.content, about: &about };
        // what no parser reads stays as it is stored
        if let Ok(said) = event.decrypted(plain) {
            (event, decrypted) = (said, Some(plaintext.authenticated));
        }
    }
    if !asked.with.redacted || asked.sender.is_some() {
        event = event.with_line(&event.without_others());
    }
    Ok((event, decrypted))
}
