//! Events on their way from the database, page by page.
//!
//! Each page is a transaction of its own. Rows are handed on in chunks over a bounded channel, so that memory stays flat.
//!
//! All pages are in the order of a key, and each begins after the last row that was handed on: so a page can break off at
//! any row, when its statement fails or when its transaction gets long, be it that the server is slow or the receiver, and the
//! next one goes on from there. No row is handed on twice, and none is left out. Where an index that should be unique has let in
//! others, rows have one key: they are handed on together, and those of one event are one.

mod ahead;
mod named;
mod page;
mod reader;
mod row;

use ahead::{Ids, RoomStretches};
use page::PAGE_ROWS;
use reader::{CHUNKS_AHEAD, CHUNKS_WAITING, PageReader, StatementParameters};
use row::PageKey;

use super::database::Database;
use super::error::Error;
use super::lookups::Lookups;
use super::{schema, statements};
use crate::stream::{Position, Scope, Stream};
pub use reader::Rows;
pub use row::{Holder, Row};

/// From this many ids on it pays to look up once what would be looked up for each row.
const MANY_IDS: u64 = 100_000;
/// How many rows one statement looks at that looks for missing ids: of a range of them no more than a page, however long it is.
const ROWS_AT_ONCE: i64 = 100_000;

impl Database {
    /// Reads a stretch of a stream upward, `after` (exclusive) to `through`.
    #[must_use]
    pub fn pages(&self, scope: &Scope, stream: Stream, after: Option<Position>, through: Position) -> Rows {
        let (page, room_page) = match stream {
            Stream::Live => (statements::PAGE_LIVE, statements::ROOM_PAGE_LIVE),
            Stream::Backfill => (statements::PAGE_BACKFILL, statements::ROOM_PAGE_BACKFILL),
        };
        let (first, through) = (stream.after(after), stream.id(through));
        match scope {
            Scope::Server => {
                let (reader, rows) = PageReader::new(self, CHUNKS_WAITING);
                let (at_once, plan) = (self.connections, Ids::new(stream, first, through));
                reader.start(move |mut reader| async move {
                    if first.abs_diff(through) >= MANY_IDS {
                        let (rejections, versions) =
                            (reader.database.rejections().await?, reader.database.versions().await?);
                        reader.lookups = Lookups { rejections, versions }.into();
                    }
                    let statement = reader.statement(page);
                    reader.read_ahead(statement, at_once, plan).await
                });
                rows
            }
            Scope::Room(room_id) => {
                let (reader, rows) = PageReader::new(self, CHUNKS_AHEAD);
                let statement = reader.statement(room_page);
                let room_id = room_id.to_string();
                reader.start(|reader| async move {
                    let parameters = |after: PageKey| -> StatementParameters {
                        vec![Box::new(after.id), Box::new(through), Box::new(PAGE_ROWS), Box::new(room_id.clone())]
                    };
                    reader.read(&statement, PageKey::at(first), parameters).await
                });
                rows
            }
        }
    }

    /// Reads one room in its own order, which is by `topological_ordering`; of its events those whose `origin_server_ts`
    /// is from `since` on and before `until`, in milliseconds since the epoch. With `asking`, a connection is left for
    /// questions meanwhile.
    #[must_use]
    pub fn room(&self, room_id: &str, since: Option<i64>, until: Option<i64>, asking: bool) -> Rows {
        let (reader, rows) = PageReader::new(self, CHUNKS_WAITING);
        let at_once = self.connections - usize::from(asking);
        let plan = RoomStretches::new(room_id, since, until);
        reader.start(move |mut reader| async move {
            reader.lookups = Lookups { rejections: reader.database.rejections().await?, versions: None }.into();
            let statement = reader.statement(statements::ROOM_ORDER);
            reader.read_ahead(statement, at_once, plan).await
        });
        rows
    }

    /// Reads the state of a room, outliers too: the current one or, when no local user is left in the room and so there is
    /// none, the newest event of each type and state key.
    pub async fn room_state(&self, room_id: &str) -> Result<Rows, Error> {
        self.schema.check(&[schema::CURRENT_STATE])?;
        let has_state = self.only(&statements::HAS_STATE, &[&room_id]).await?;
        let (reader, rows) = PageReader::new(self, CHUNKS_AHEAD);
        let room_id = room_id.to_owned();
        let statement = reader.statement(if has_state { statements::ROOM_STATE } else { statements::ROOM_PAST_STATE });
        reader.start(|reader| async move {
            let parameters = |after: PageKey| -> StatementParameters {
                let (kind, key) = after.state.unwrap_or_default();
                vec![Box::new(room_id.clone()), Box::new(kind), Box::new(key), Box::new(PAGE_ROWS)]
            };
            reader.read(&statement, PageKey::default(), parameters).await
        });
        Ok(rows)
    }

    /// Reads what has appeared in ranges of missing positions, events that were de-outliered there among it; upward by id.
    #[must_use]
    pub fn probe(&self, scope: &Scope, stream: Stream, missing: impl Iterator<Item = (Position, Position)>) -> Rows {
        let (reader, rows) = PageReader::new(self, CHUNKS_AHEAD);
        let missing = disjoint(missing.map(|(first, last)| stream.ids(first, last)));
        let room = scope.room().map(|room| room.to_string());
        let statement = reader.statement(if room.is_some() { statements::ROOM_PROBE } else { statements::PROBE });
        reader.start(|reader| async move {
            let mut after = i64::MIN;
            while let Some(through) = reach(&missing, after) {
                let parameters = |after: PageKey| -> StatementParameters {
                    let (low, high) = between(&missing, after.id, through);
                    let mut parameters: StatementParameters = vec![Box::new(low), Box::new(high), Box::new(PAGE_ROWS)];
                    if let Some(room_id) = &room {
                        parameters.push(Box::new(room_id.clone()));
                    }
                    parameters
                };
                reader.read(&statement, PageKey::at(after), parameters).await?;
                after = through;
            }
            Ok(())
        });
        rows
    }

    /// Reads the events of these rooms, or of all if there are none, that were de-outliered at positions `after` one (exclusive)
    /// to `through`; upward by id. What was de-outliered in other rooms comes as [`Holder::Other`].
    #[must_use]
    pub fn deoutliered(&self, rooms: Vec<String>, stream: Stream, after: Option<Position>, through: Position) -> Rows {
        let (reader, read) = PageReader::new(self, CHUNKS_AHEAD);
        let (low, high) = match stream {
            Stream::Live => (stream.after(after), stream.id(through)),
            Stream::Backfill => (stream.id(through) - 1, stream.after(after) - 1),
        };
        let statement = reader.statement(statements::DEOUTLIERED);
        reader.start(move |reader| async move {
            let parameters = |after: PageKey| -> StatementParameters {
                vec![Box::new(after.id), Box::new(high), Box::new(PAGE_ROWS), Box::new(rooms.clone())]
            };
            reader.read(&statement, PageKey::at(low), parameters).await
        });
        read
    }
}

/// Ranges of ids in order, those that overlap joined.
fn disjoint(ranges: impl Iterator<Item = (i64, i64)>) -> Vec<(i64, i64)> {
    let mut ranges: Vec<(i64, i64)> = ranges.collect();
    ranges.sort_unstable();
    ranges.dedup_by(|next, before| {
        let overlap = next.0 <= before.1;
        if overlap {
            before.1 = before.1.max(next.1);
        }
        overlap
    });
    ranges
}

/// Up to which id a statement may look that begins after another one, which is none of the ranges or their end; none when there is
/// nothing to look for.
fn reach(ranges: &[(i64, i64)], after: i64) -> Option<i64> {
    let mut left = ROWS_AT_ONCE;
    let within = |(low, high): &&(i64, i64)| {
        left -= (high - low + 1).min(PAGE_ROWS);
        left >= 0
    };
    ranges.iter().filter(|(low, _)| *low > after).take_while(within).last().map(|(_, high)| *high)
}

/// The lowest and the highest ids of ranges, as far as they are between two ids (exclusive, inclusive).
fn between(ranges: &[(i64, i64)], after: i64, through: i64) -> (Vec<i64>, Vec<i64>) {
    let within = |(low, high): &(i64, i64)| ((*low).max(after.saturating_add(1)), (*high).min(through));
    ranges.iter().map(within).filter(|(low, high)| low <= high).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_looked_at_a_bounded_number_of_rows_at_a_time_and_none_is_left_out() {
        let short = (0..50_000).map(|i| (20 + 10 * i, 25 + 10 * i));
        let long = (1..50).map(|i| (i * 1_000_000, i * 1_000_000 + 999_000));
        let ranges = disjoint(short.chain(long).chain([(5, 9), (-7, -3), (8, 12), (12, 12)]).rev());
        assert_eq!(ranges[..3], [(-7, -3), (5, 12), (20, 25)]);
        let (mut after, mut seen, mut statements) = (i64::MIN, Vec::new(), 0);
        while let Some(through) = reach(&ranges, after) {
            let (low, high) = between(&ranges, after, through);
            let rows: i64 = low.iter().zip(&high).map(|(low, high)| (high - low + 1).min(PAGE_ROWS)).sum();
            assert!((1..=ROWS_AT_ONCE).contains(&rows), "{rows} rows after {after}");
            seen.extend(low.into_iter().zip(high));
            after = through;
            statements += 1;
        }
        assert_eq!(seen, ranges);
        // 300,000 ids one by one, and of each of the long ranges a page
        assert!(statements <= 4 + 6, "{statements} statements");
        assert_eq!(reach(&[], 0), None);
    }
}
