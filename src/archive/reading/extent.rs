//! What a room has of a period, counted: events, who sent them, what clients do not see of them. Reads no line.

use std::ops::Range;

use rusqlite::params;

use super::super::Error;
use super::Reader;
use super::events::accepted;
use crate::event::{RoomId, UserId};

const ACCEPTED: &str = accepted!();

/// What there is of a room in a period.
#[derive(Debug, Default)]
pub(crate) struct Extent {
    /// Events that clients saw.
    pub(crate) events: u64,
    /// Of these: redacted, or pruned by the server.
    pub(crate) redacted: u64,
    /// Of these: damaged.
    pub(crate) damaged: u64,
    /// Others, which they did not: soft-failed or rejected.
    pub(crate) unseen: u64,
    /// The times of the first and the last, in milliseconds since the epoch, of those that have a day.
    pub(crate) span: Option<(i64, i64)>,
    /// The first of those who sent them, who sent the most first.
    pub(crate) senders: Vec<String>,
    /// How many senders there are.
    pub(crate) all_senders: u64,
}

/// Counts what a room has of a period; none: of all times, and with what has no day. With a `sender`, only what
/// that one has sent.
pub(crate) fn extent(
    reader: &Reader<'_>,
    room: RoomId<'_>,
    period: Option<&Range<i64>>,
    sender: Option<UserId<'_>>,
    most_senders: u32,
) -> Result<Extent, Error> {
    let within =
        "room_id = ?1 and (?2 is null or day <> 'undated' and origin_server_ts >= ?2 and origin_server_ts < ?3)
                  and (?4 is null or sender = ?4)";
    let (start, end) = period.map(|period| (period.start, period.end)).unzip();
    let sql = format!(
        "select count(*) filter (where {ACCEPTED}),
                count(*) filter (where {ACCEPTED} and (redacted_by is not null or censored)),
                count(*) filter (where {ACCEPTED} and damaged), count(*) filter (where not ({ACCEPTED})),
                min(origin_server_ts) filter (where {ACCEPTED} and day <> 'undated'),
                max(origin_server_ts) filter (where {ACCEPTED} and day <> 'undated'),
                count(distinct sender) filter (where {ACCEPTED})
           from event where {within}"
    );
    let mut extent = reader.connection.query_row(&sql, params![room, start, end, sender], |row| {
        let count = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
        let (first, last): (Option<i64>, Option<i64>) = (row.get(4)?, row.get(5)?);
        Ok(Extent {
            events: count(0)?,
            redacted: count(1)?,
            damaged: count(2)?,
            unseen: count(3)?,
            span: first.zip(last),
            senders: Vec::new(),
            all_senders: count(6)?,
        })
    })?;
    let sql = format!(
        "select sender from event where {within} and {ACCEPTED} and sender is not null
          group by sender order by count(*) desc, sender limit ?5"
    );
    let mut statement = reader.connection.prepare(&sql)?;
    let senders = statement.query_map(params![room, start, end, sender, most_senders], |row| row.get(0))?;
    extent.senders = senders.collect::<Result<_, _>>()?;
    Ok(extent)
}
