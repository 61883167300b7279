//! Whether a database is still the one that was archived: a server that was restored from a backup, or that failed over to a
//! replica that was behind, gives ids to new events that others had, and no watermark finds these.

use std::fmt;

use super::Error;
use crate::archive::Catalog;
use crate::source::Database;
use crate::stream::{Gaps, Position, Scope, Stream, Watermark};

/// How many events are looked at where the one at the watermark is gone.
const EVENTS: u32 = 1_000;

/// An id that another event has than when it was archived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reused {
    /// Which stream.
    pub stream: Stream,
    /// Where.
    pub position: Position,
    /// The event that had it, if that is known.
    pub archived: Option<String>,
    /// The event that has it now.
    pub found: String,
}

impl fmt::Display for Reused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reused { stream, position, archived, found } = self;
        let found = found.escape_debug();
        match archived {
            Some(archived) => write!(
                f,
                "the event at {stream} position {position} is not the one that was archived there: it was {}, now it is {found}",
                archived.escape_debug()
            ),
            None => write!(f, "the event {found} has {stream} position {position}, and came after that was archived"),
        }
    }
}

/// Looks at the event at the watermark of a stream of a scope. That it is gone is fine, purges do that, as long as the archive has those
/// below.
pub(crate) async fn reused(
    catalog: &Catalog,
    database: &Database,
    scope: &Scope,
    stream: Stream,
    watermark: &Watermark,
) -> Result<Option<Reused>, Error> {
    let Some((position, archived)) = watermark.anchor.clone() else { return Ok(None) };
    let mut found = database.events_at(stream, position).await?;
    if found.contains(&archived) {
        return Ok(None);
    }
    if let Some(found) = found.pop() {
        return Ok(Some(Reused { stream, position, archived: Some(archived), found }));
    }
    if stream == Stream::Backfill || !catalog.is_indexed()? {
        return Ok(None);
    }
    let (gaps, left_out) = (catalog.gaps(scope, stream)?, catalog.left_out()?);
    let backfill = catalog.watermark(scope, Stream::Backfill)?;
    let backfill = complete(backfill.as_ref(), &catalog.gaps(scope, Stream::Backfill)?);
    let since = [complete(Some(watermark), &gaps), backfill];
    for (position, found, room) in database.newest_below(watermark.position, since, EVENTS).await? {
        let is_of_scope = match scope {
            Scope::Server => !left_out.contains(room.as_str()),
            Scope::Room(own) => room == *own,
        };
        let is_known = || {
            let event = found.borrowed();
            Ok::<_, Error>(catalog.has_event(event)? || catalog.is_waiting(event)? || catalog.has_tombstone(event)?)
        };
        if is_of_scope && !gaps.has(position) && !is_known()? {
            return Ok(Some(Reused { stream, position, archived: None, found: found.to_string() }));
        }
    }
    Ok(None)
}

/// Up to which position of a stream nothing is missing.
fn complete(watermark: Option<&Watermark>, gaps: &Gaps) -> Position {
    let first = gaps.iter().next().map(|gap| Position(gap.first.0.saturating_sub(1)));
    first.or(watermark.map(|watermark| watermark.position)).unwrap_or(Position(0))
}
