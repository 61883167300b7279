//! One page: a statement is run once, and its rows go on their way in chunks; and then the next.
//!
//! Keeps in memory a chunk and no page. Where a page breaks off, be it that it failed or took long, the next one goes on.

use tokio::time::{Instant, timeout_at};
use tokio_postgres::types::ToSql;

use super::reader::{PageReader, StatementParameters};
use super::row::{Holder, PageKey, Row, row};
use crate::event::OwnedEventId;
use crate::source::error::Error;
use crate::source::statements::{Statement, StoredColumns};

/// How many rows one page asks for.
pub(super) const PAGE_ROWS: i64 = 10_000;
/// A chunk goes on its way once it has this many rows or bytes, so that a page of the largest events is never in memory
/// whole.
const CHUNK_ROWS: usize = 500;
const CHUNK_BYTES: usize = 512 * 1024;

/// What may follow a page.
enum WhatFollows {
    More,
    Last,
}

/// The place where a page broke off, at which there may be more than these events.
#[derive(Default)]
struct BrokenOff {
    place: PageKey,
    events: Vec<OwnedEventId>,
}

/// Rows to be handed on together.
#[derive(Default)]
struct Chunk {
    rows: Vec<Row>,
    bytes: usize,
    /// How many come before those that stand where the last one does, and where the one before these stands.
    before: (usize, PageKey),
    /// Where the last one stands; of none, the one before.
    place: PageKey,
}

impl Chunk {
    fn after(place: PageKey) -> Chunk {
        Chunk { place, ..Chunk::default() }
    }

    /// Takes in a row. An event stands at a place once, whatever rows of it the database has there.
    fn push(&mut self, (place, row): (PageKey, Row)) {
        if self.rows.is_empty() || !self.place.is_beside(&place) {
            self.before = (self.rows.len(), std::mem::replace(&mut self.place, place));
        }
        let same = self.rows[self.before.0..].iter_mut().find(|same| same.event_id() == row.event_id());
        if let Some(same) = same {
            return same.unite(row);
        }
        self.bytes += match &row.holder {
            Holder::Event(event) | Holder::OutlierState(event) => event.size(),
            Holder::Other(event_id) => event_id.len(),
        };
        self.rows.push(row);
    }

    /// Leaves out the rows of the last place, which may have others; unless there is no other place.
    fn without_last(&mut self) {
        let (before, place) = std::mem::take(&mut self.before);
        if before > 0 {
            self.rows.truncate(before);
            self.place = place;
        }
    }

    /// The last place, and which events were found there.
    fn break_off(&self, broke_off: &mut BrokenOff) {
        if !broke_off.place.is_beside(&self.place) {
            *broke_off = BrokenOff { place: self.place.clone(), events: Vec::new() };
        }
        broke_off.events.extend(self.rows.iter().skip(self.before.0).map(|row| row.event_id().owned()));
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= CHUNK_ROWS || self.bytes >= CHUNK_BYTES
    }
}

impl PageReader {
    /// Runs a statement over `stored.sql` page by page until there are no more rows, and hands them on. `parameters` says
    /// how it is run after a row.
    pub(super) async fn read(
        &self,
        statement: &Statement,
        mut after: PageKey,
        parameters: impl Fn(PageKey) -> StatementParameters,
    ) -> Result<(), Error> {
        let mut retry = self.database.session.retry();
        let mut broke_off = BrokenOff::default();
        loop {
            let before = after.clone();
            match self.page(statement, &parameters(after.clone()), &mut after, &mut broke_off).await {
                Ok(WhatFollows::Last) => return Ok(()),
                Ok(WhatFollows::More) => retry.got_further(),
                Err(error) => {
                    if after != before {
                        retry.got_further();
                    }
                    retry.wait(error).await?;
                }
            }
        }
    }

    /// Runs a statement once and hands its rows on; the next one is to begin after `last`. At the place where the one before
    /// `broke_off`, only what is new there.
    async fn page(
        &self,
        statement: &Statement,
        parameters: &StatementParameters,
        last: &mut PageKey,
        broke_off: &mut BrokenOff,
    ) -> Result<WhatFollows, Error> {
        let session = &self.database.session;
        let failed = Error::query(statement.name);
        let (server_name, excluded): (&str, &[String]) = (&self.database.server_name, &self.database.excluded);
        let mut all: Vec<&(dyn ToSql + Sync)> = vec![&server_name, &excluded];
        all.extend(parameters.iter().map(|parameter| -> &(dyn ToSql + Sync) { &**parameter }));
        let mut answer = session.answer(statement, &all).await?;
        let deadline = Instant::now() + session.page_time();
        let mut chunk = Chunk::after(last.clone());
        let (mut count, mut columns) = (0, None);
        loop {
            match answer.next().await {
                Ok(Some(stored)) => {
                    count += 1;
                    let columns: &StoredColumns = columns.get_or_insert_with(|| StoredColumns::of(&stored));
                    let row = row(&columns.read(&stored).map_err(failed)?, &self.lookups, server_name);
                    if broke_off.events.iter().any(|event| event.borrowed() == row.1.event_id())
                        && broke_off.place.is_beside(&row.0)
                    {
                        chunk.place = row.0;
                        continue;
                    }
                    // never between rows of one place: the next page begins behind it
                    if chunk.is_full() && !chunk.place.is_beside(&row.0) {
                        let in_time =
                            Instant::now() < deadline && timeout_at(deadline, self.rows.reserve()).await.is_ok();
                        if !in_time {
                            drop(answer);
                            self.hand_on(&mut chunk, last).await;
                            return Ok(WhatFollows::More);
                        }
                        self.hand_on(&mut chunk, last).await;
                    }
                    chunk.push(row);
                }
                Ok(None) => break,
                Err(error) => {
                    drop(answer);
                    if !chunk.rows.is_empty() {
                        chunk.break_off(broke_off);
                        let before = chunk.before.1.clone();
                        self.hand_on(&mut chunk, last).await;
                        *last = before;
                    }
                    return Err(error);
                }
            }
        }
        // before the receiver is waited for once more
        let ended = answer.end().await;
        let is_last = count < PAGE_ROWS;
        if !is_last {
            chunk.without_last();
        }
        self.hand_on(&mut chunk, last).await;
        ended.map(|()| if is_last { WhatFollows::Last } else { WhatFollows::More })
    }

    async fn hand_on(&self, chunk: &mut Chunk, last: &mut PageKey) {
        let next = Chunk::after(chunk.place.clone());
        let Chunk { rows, place, .. } = std::mem::replace(chunk, next);
        let Some(row) = rows.last() else { return };
        let event = row.event_id().owned();
        // who does not listen any more ends the reading as a whole
        if self.rows.send(Ok(rows)).await.is_ok() {
            self.database.session.has_read(place.id, &event);
            *last = place;
        }
    }
}
