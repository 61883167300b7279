//! What policies will erase next, in numbers, without erasing or remembering anything.
//!
//! Goes through the catalog's lines for as long as it may, since no index has what policies ask for; on a large archive it so counts
//! only a part, and says which.

use std::time::{Duration, Instant};

use rusqlite::params;

use super::super::{Catalog, Error};
use super::request::Erasure;
use super::selecting::{left, moving};

/// How many lines are looked at together.
const AT_ONCE: i64 = 50_000;

/// What policies would erase by now.
pub struct Foreseen {
    /// Of each, in order.
    pub policies: Vec<Policy>,
    /// How many lines were looked at, if not all.
    pub looked_at: Option<u64>,
}

/// What a policy would erase by now, but for what repeats it: edits, quotes, copies.
pub struct Policy {
    /// Its number.
    pub number: i64,
    /// Events that are to go.
    pub events: u64,
    /// Events that would go, were their rooms not on hold.
    pub held: u64,
}

impl Catalog {
    /// Counts what the policies among lasting erasures would erase at a time (milliseconds since the epoch), for about as long as it may
    /// take.
    pub fn foresee_erasing(&self, lasting: &[Erasure], now: i64, within: Duration) -> Result<Foreseen, Error> {
        let begun = Instant::now();
        let mut counting = Vec::new();
        for Erasure { number, request, .. } in lasting {
            let Some((which, time)) = moving(&request.what, now).filter(|_| request.what.moves()) else { continue };
            let sql = format!(
                "select count(*), count(*) filter (where line.file in
                            (select file from file join room using (room) join hold using (room_id)))
                   from line where line.line > ?1 and line.line <= ?3 and ({which}) and {}",
                left(request.whole)
            );
            let policy = Policy { number: *number, events: 0, held: 0 };
            counting.push((self.connection.prepare(&sql)?, time, policy));
        }
        let sql = "select coalesce(max(line), 0) from line";
        let last: i64 = if counting.is_empty() { 0 } else { self.connection.query_row(sql, [], |row| row.get(0))? };
        let mut after = 0;
        while after < last && (after == 0 || begun.elapsed() < within) {
            let through = after.saturating_add(AT_ONCE);
            for (statement, time, policy) in &mut counting {
                let (all, held) = statement.query_row(params![after, *time, through], |row| {
                    Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, i64>(1)?.unsigned_abs()))
                })?;
                policy.events += all - held;
                policy.held += held;
            }
            after = through;
        }
        let looked_at = (after < last).then_some(after.unsigned_abs());
        Ok(Foreseen { policies: counting.into_iter().map(|(_, _, policy)| policy).collect(), looked_at })
    }
}
