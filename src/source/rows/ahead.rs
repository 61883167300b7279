//! Reading ahead: what is to be read falls into stretches, several of which are read at a time, each over a connection of its
//! own, and handed on in their order. So the distance of the database is not waited for, and its work is done in parallel.

use std::collections::VecDeque;
use std::sync::Arc;

use super::page::PAGE_ROWS;
use super::reader::{CHUNKS_AHEAD, PageReader, Rows, StatementParameters};
use super::row::PageKey;
use crate::source::error::Error;
use crate::source::statements::{self, Statement};
use crate::stream::Stream;

/// How many rows a stretch has at the most where ids say so: a page that asks for more is its only one.
const STRETCH_ROWS: i64 = PAGE_ROWS - 1;
/// Ids that nobody has are passed in ever longer stretches, up to this many.
const LONGEST: i64 = 100 * STRETCH_ROWS;

/// A part of what is to be read that can be read by itself.
pub(super) struct Stretch {
    first: PageKey,
    /// How its statement is run after a row.
    parameters: Box<dyn Fn(PageKey) -> StatementParameters + Send + Sync>,
}

/// Says where the next stretch is.
pub(super) trait Plan: Send {
    /// The next stretch, none at the end; `found` is how many rows the last one had that was read.
    fn next(
        &mut self,
        reader: &PageReader,
        found: Option<i64>,
    ) -> impl Future<Output = Result<Option<Stretch>, Error>> + Send;
}

impl PageReader {
    /// Reads stretches, `at_once` of them at a time, and hands their rows on in order.
    pub(super) async fn read_ahead(
        &self,
        statement: Statement,
        at_once: usize,
        mut plan: impl Plan,
    ) -> Result<(), Error> {
        let statement = Arc::new(statement);
        let (mut under_way, mut found) = (VecDeque::new(), None);
        loop {
            while under_way.len() < at_once
                && let Some(stretch) = plan.next(self, found).await?
            {
                under_way.push_back(self.begin(Arc::clone(&statement), stretch));
            }
            let Some(mut rows) = under_way.pop_front() else { return Ok(()) };
            let mut count = 0;
            loop {
                let chunk = rows.recv().await.ok_or(Error::BrokeOff)??;
                if chunk.is_empty() {
                    break;
                }
                count += i64::try_from(chunk.len()).unwrap_or(i64::MAX);
                if self.rows.send(Ok(chunk)).await.is_err() {
                    // nobody listens any more
                    return Ok(());
                }
            }
            found = Some(count);
        }
    }

    fn begin(&self, statement: Arc<Statement>, stretch: Stretch) -> Rows {
        let (reader, rows) = PageReader::new(&self.database, CHUNKS_AHEAD);
        let reader = PageReader { lookups: Arc::clone(&self.lookups), ..reader };
        reader.start(|reader| async move { reader.read(&statement, stretch.first, stretch.parameters).await });
        rows
    }
}

/// Stretches of ids.
pub(super) struct Ids {
    stream: Stream,
    after: i64,
    through: i64,
    length: i64,
}

impl Ids {
    /// Ids of a stream `after` one (exclusive) and `through` another.
    pub(super) fn new(stream: Stream, after: i64, through: i64) -> Ids {
        Ids { stream, after, through, length: STRETCH_ROWS }
    }

    fn step(&mut self, found: Option<i64>) -> Option<(i64, i64)> {
        self.length = match found {
            Some(found) if found < STRETCH_ROWS / 2 => LONGEST.min(self.length * 2),
            _ => STRETCH_ROWS,
        };
        let after = self.after;
        self.after = match self.stream {
            Stream::Live => after.saturating_add(self.length).min(self.through),
            Stream::Backfill => after.saturating_sub(self.length).max(self.through),
        };
        (self.after != after).then_some((after, self.after))
    }
}

impl Plan for Ids {
    async fn next(&mut self, _: &PageReader, found: Option<i64>) -> Result<Option<Stretch>, Error> {
        Ok(self.step(found).map(|(after, through)| Stretch {
            first: PageKey::at(after),
            parameters: Box::new(move |after| vec![Box::new(after.id), Box::new(through), Box::new(PAGE_ROWS)]),
        }))
    }
}

/// Stretches of a room, in its own order.
pub(super) struct RoomStretches {
    room_id: String,
    since: Option<i64>,
    until: Option<i64>,
    /// Where the next one begins; none at the end.
    after: Option<PageKey>,
}

impl RoomStretches {
    pub(super) fn new(room_id: &str, since: Option<i64>, until: Option<i64>) -> RoomStretches {
        let first = PageKey { topological_ordering: i64::MIN, ..PageKey::at(i64::MIN) };
        RoomStretches { room_id: room_id.to_owned(), since, until, after: Some(first) }
    }
}

impl Plan for RoomStretches {
    async fn next(&mut self, reader: &PageReader, _: Option<i64>) -> Result<Option<Stretch>, Error> {
        let Some(first) = self.after.take() else { return Ok(None) };
        let (room_id, since, until) = (self.room_id.clone(), self.since, self.until);
        let asked: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&self.room_id, &first.topological_ordering, &first.id, &STRETCH_ROWS];
        let end = reader.database.one(&statements::ROOM_STRETCH, &asked).await?;
        let end = end.map(|row| PageKey { topological_ordering: row.topological_ordering, ..PageKey::at(row.id) });
        self.after.clone_from(&end);
        let end = end.map_or((i64::MAX, i64::MAX), |end| (end.topological_ordering, end.id));
        let parameters = move |after: PageKey| -> StatementParameters {
            vec![
                Box::new(room_id.clone()),
                Box::new(after.topological_ordering),
                Box::new(after.id),
                Box::new(PAGE_ROWS),
                Box::new(since),
                Box::new(until),
                Box::new(end.0),
                Box::new(end.1),
            ]
        };
        Ok(Some(Stretch { first, parameters: Box::new(parameters) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_of_ids_leave_none_out_and_grow_where_there_are_no_events() {
        for (stream, through) in [(Stream::Live, 3_000_000), (Stream::Backfill, -3_000_000)] {
            let mut ids = Ids::new(stream, 0, through);
            let (mut at, mut steps) = (0, 0);
            while let Some((after, end)) = ids.step(Some(0).filter(|_| steps > 3)) {
                assert_eq!(after, at);
                assert!((1..=LONGEST).contains(&(end - after).abs()), "{after} to {end}");
                (at, steps) = (end, steps + 1);
            }
            assert_eq!(at, through);
            assert!(steps < 20, "{steps} steps over ids that nobody has");
            assert_eq!(ids.step(None), None);
        }
    }
}
