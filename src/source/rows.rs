//! Events on their way from the database, page by page.
//!
//! Each page is a transaction of its own. Rows are handed on in chunks over a bounded channel, so that memory stays flat
//! and the server waits for a slow reader.

use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::sync::mpsc;
use tokio_postgres::types::ToSql;

use super::queries::{self, Direction, Statement};
use super::{Database, Error, Scope, schema};
use crate::event::Event;
use crate::stream::{Position, Stream};

/// How many rows one page asks for.
const PAGE_ROWS: i64 = 5_000;
/// A chunk goes on its way once it has this many rows or bytes, so that a page of the largest events is never in memory
/// whole.
const CHUNK_ROWS: usize = 500;
const CHUNK_BYTES: usize = 512 * 1024;
/// How many chunks are fetched ahead, so that the database works on while a batch is committed.
const CHUNKS_AHEAD: usize = 24;

/// One id of a stream.
#[derive(Debug)]
pub struct Row {
    /// Where in its stream.
    pub position: Position,
    /// The event that has the id.
    pub event_id: String,
    /// Its id is that of its de-outliering.
    pub deoutliered: bool,
    /// When the server received it; none for a de-outliered event, whose time is that of its first coming.
    pub received_ts: Option<i64>,
    /// The event, where it has a line in the archive.
    pub event: Option<Event>,
    /// An outlier that has none, but tells how the room or a member is named.
    pub outlier_state: Option<Event>,
}

/// Rows on their way, in chunks, until an error or an empty chunk, which says that there are no more.
pub type Rows = mpsc::Receiver<Result<Vec<Row>, Error>>;

impl Database {
    /// Reads a stretch of a stream upward, `after` (exclusive) to `through`.
    #[must_use]
    pub fn pages(&self, scope: &Scope, stream: Stream, after: Option<Position>, through: Position) -> Rows {
        let (reader, rows) = self.reader();
        let scope = scope.clone();
        let direction = match stream {
            Stream::Live => Direction::Upward,
            Stream::Backfill => Direction::Downward,
        };
        tokio::spawn(async move {
            let statement = match &scope {
                Scope::Server => reader.adapt(queries::page(direction)),
                Scope::Room(_) => reader.adapt(queries::room_page(direction)),
            };
            let (mut after, through) = (stream.after(after), stream.id(through));
            loop {
                let sent = match &scope {
                    Scope::Server => reader.send(&statement, &[&after, &through, &PAGE_ROWS]).await,
                    Scope::Room(id) => reader.send(&statement, &[&after, &through, &PAGE_ROWS, id]).await,
                };
                match sent {
                    Some(Sent { count: PAGE_ROWS, last }) => after = last.id,
                    sent => return reader.end(sent).await,
                }
            }
        });
        rows
    }

    /// Reads one room in its own order, which is by `topological_ordering`; of its events those whose `origin_server_ts`
    /// is from `since` on and before `until`, in milliseconds since the epoch.
    #[must_use]
    pub fn room(&self, room_id: &str, since: Option<i64>, until: Option<i64>) -> Rows {
        let (reader, rows) = self.reader();
        let room_id = room_id.to_owned();
        tokio::spawn(async move {
            let statement = reader.adapt(queries::room_order());
            let mut after = Place { topological_ordering: i64::MIN, id: i64::MIN, state: None };
            loop {
                let Place { topological_ordering, id, .. } = &after;
                match reader.send(&statement, &[&room_id, topological_ordering, id, &PAGE_ROWS, &since, &until]).await {
                    Some(Sent { count: PAGE_ROWS, last }) => after = last,
                    sent => return reader.end(sent).await,
                }
            }
        });
        rows
    }

    /// Reads the state of a room, outliers too: the current one or, when no local user is left in the room and so there is
    /// none, the newest event of each type and state key.
    pub async fn room_state(&self, room_id: &str) -> Result<Rows, Error> {
        self.schema.check(&[schema::CURRENT_STATE])?;
        let has_state = self.session.query(&queries::HAS_STATE, &[&room_id]).await?;
        let has_state: bool = has_state.first().and_then(|row| row.try_get(0).ok()).unwrap_or_default();
        let (reader, rows) = self.reader();
        let room_id = room_id.to_owned();
        tokio::spawn(async move {
            if !has_state {
                let sent = reader.send(&reader.adapt(queries::room_past_state()), &[&room_id]).await;
                return reader.end(sent).await;
            }
            let statement = reader.adapt(queries::room_state());
            let mut after = (String::new(), String::new());
            loop {
                let sent = reader.send(&statement, &[&room_id, &after.0, &after.1, &PAGE_ROWS]).await;
                match sent {
                    Some(Sent { count: PAGE_ROWS, last: Place { state: Some(last), .. } }) => after = last,
                    sent => return reader.end(sent).await,
                }
            }
        });
        Ok(rows)
    }

    /// Reads what has appeared in ranges of missing positions, in no order, and what was de-outliered in other ranges,
    /// which pages may not have shown.
    #[must_use]
    pub fn probe(
        &self,
        scope: &Scope,
        stream: Stream,
        missing: impl Iterator<Item = (Position, Position)>,
        deoutliered: impl Iterator<Item = (Position, Position)>,
    ) -> Rows {
        let (reader, rows) = self.reader();
        let scope = scope.clone();
        let ids = |(first, last)| stream.ids(first, last);
        let (low, high): (Vec<i64>, Vec<i64>) = missing.map(ids).unzip();
        let (ex_low, ex_high): (Vec<i64>, Vec<i64>) = deoutliered.map(ids).unzip();
        tokio::spawn(async move {
            let sent = match &scope {
                Scope::Server => {
                    let statement = reader.adapt(queries::probe());
                    reader.send(&statement, &[&low, &high, &ex_low, &ex_high]).await
                }
                Scope::Room(id) => {
                    let statement = reader.adapt(queries::room_probe());
                    reader.send(&statement, &[&low, &high, &ex_low, &ex_high, id]).await
                }
            };
            reader.end(sent).await;
        });
        rows
    }

    fn reader(&self) -> (Reader, Rows) {
        let (rows, receiver) = mpsc::channel(CHUNKS_AHEAD);
        (Reader { database: self.clone(), rows }, receiver)
    }
}

/// Where a row stands: in its stream, in its room, and by type and state key if it was asked for as state.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) id: i64,
    pub(super) topological_ordering: i64,
    pub(super) state: Option<(String, String)>,
}

/// What a statement brought.
#[derive(Default)]
struct Sent {
    count: i64,
    last: Place,
}

/// Reads for a receiver of rows.
struct Reader {
    database: Database,
    rows: mpsc::Sender<Result<Vec<Row>, Error>>,
}

impl Reader {
    fn adapt(&self, statement: Statement) -> Statement {
        self.database.schema.adapt(statement)
    }

    /// Says that there are no more rows, unless the last statement failed.
    async fn end(&self, sent: Option<Sent>) {
        if sent.is_some() {
            let _ = self.rows.send(Ok(Vec::new())).await;
        }
    }

    /// Runs a statement over `stored.sql` and sends its rows on. None: it failed, and the error was sent, or nobody listens
    /// any more.
    async fn send(&self, statement: &Statement, parameters: &[&(dyn ToSql + Sync)]) -> Option<Sent> {
        match self.try_send(statement, parameters).await {
            Ok(sent) => sent,
            Err(error) => {
                let _ = self.rows.send(Err(error)).await;
                None
            }
        }
    }

    async fn try_send(&self, statement: &Statement, parameters: &[&(dyn ToSql + Sync)]) -> Result<Option<Sent>, Error> {
        let failed = |source| Error::Query { statement: statement.name, source };
        let (server_name, excluded): (&str, &[String]) = (&self.database.server_name, &self.database.excluded);
        let mut all: Vec<&(dyn ToSql + Sync)> = vec![&server_name, &excluded];
        all.extend_from_slice(parameters);
        let mut client = self.database.session.client().await?;
        let transaction = client.begin(statement.name).await?;
        let mut stream = std::pin::pin!(transaction.stream(statement, &all).await?.map_err(failed));
        let (mut sent, mut chunk, mut bytes) = (Sent::default(), Vec::new(), 0);
        while let Some(row) = stream.next().await {
            let (place, row) = queries::row(&row?).map_err(failed)?;
            sent = Sent { count: sent.count + 1, last: place };
            bytes += row.event.as_ref().or(row.outlier_state.as_ref()).map_or(0, Event::size);
            chunk.push(row);
            if chunk.len() >= CHUNK_ROWS || bytes >= CHUNK_BYTES {
                bytes = 0;
                if self.rows.send(Ok(std::mem::take(&mut chunk))).await.is_err() {
                    return Ok(None);
                }
            }
        }
        if !chunk.is_empty() && self.rows.send(Ok(chunk)).await.is_err() {
            return Ok(None);
        }
        transaction.end().await?;
        Ok(Some(sent))
    }
}
