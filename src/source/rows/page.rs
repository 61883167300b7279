//! One page: a statement is run once, and its rows go on their way in chunks.

use tokio::time::{Instant, timeout_at};
use tokio_postgres::types::ToSql;

use super::{Found, PAGE_ROWS, Parameters, Place, Reader, Row};
use crate::source::Error;
use crate::source::queries::{self, Statement};

/// A chunk goes on its way once it has this many rows or bytes, so that a page of the largest events is never in memory
/// whole.
const CHUNK_ROWS: usize = 500;
const CHUNK_BYTES: usize = 512 * 1024;

/// What may follow a page.
pub(super) enum Page {
    More,
    Last,
}

/// Rows to be handed on together.
#[derive(Default)]
struct Chunk {
    rows: Vec<Row>,
    bytes: usize,
    /// Where the last one stands.
    place: Place,
}

impl Chunk {
    fn push(&mut self, (place, row): (Place, Row)) {
        self.bytes += match &row.found {
            Found::Event(event) | Found::OutlierState(event) => event.size(),
            Found::Other(event_id) => event_id.len(),
        };
        self.place = place;
        self.rows.push(row);
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= CHUNK_ROWS || self.bytes >= CHUNK_BYTES
    }
}

impl Reader {
    /// Runs a statement once and hands its rows on; `last` is where the last one stands that was.
    pub(super) async fn page(
        &self,
        statement: &Statement,
        parameters: &Parameters,
        last: &mut Place,
    ) -> Result<Page, Error> {
        let session = &self.database.session;
        let failed = Error::query(statement.name);
        let (server_name, excluded): (&str, &[String]) = (&self.database.server_name, &self.database.excluded);
        let mut all: Vec<&(dyn ToSql + Sync)> = vec![&server_name, &excluded];
        all.extend(parameters.iter().map(|parameter| -> &(dyn ToSql + Sync) { &**parameter }));
        let mut answer = session.answer(statement, &all).await?;
        let deadline = Instant::now() + session.page_time();
        let mut chunk = Chunk::default();
        let mut count = 0;
        loop {
            match answer.next().await {
                Ok(Some(row)) => {
                    count += 1;
                    chunk.push(queries::row(&row, &self.known).map_err(failed)?);
                }
                Ok(None) => break,
                Err(error) => {
                    drop(answer);
                    self.hand_on(&mut chunk, last).await;
                    return Err(error);
                }
            }
            if chunk.is_full() {
                let in_time = Instant::now() < deadline && timeout_at(deadline, self.rows.reserve()).await.is_ok();
                if !in_time {
                    drop(answer);
                    self.hand_on(&mut chunk, last).await;
                    return Ok(Page::More);
                }
                self.hand_on(&mut chunk, last).await;
            }
        }
        // before the receiver is waited for once more
        let ended = answer.end().await;
        self.hand_on(&mut chunk, last).await;
        ended.map(|()| if count == PAGE_ROWS { Page::More } else { Page::Last })
    }

    async fn hand_on(&self, chunk: &mut Chunk, last: &mut Place) {
        let Chunk { rows, place, .. } = std::mem::take(chunk);
        let Some(row) = rows.last() else { return };
        let event_id = row.event_id().to_owned();
        // who does not listen any more ends the reading as a whole
        if self.rows.send(Ok(rows)).await.is_ok() {
            self.database.session.has_read(place.id, &event_id);
            *last = place;
        }
    }
}
