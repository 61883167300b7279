//! Everything that knows PostgreSQL or Synapse's tables.
//!
//! [`Database`] is the only type that reaches the database, and has no way to write: its methods are the statements in
//! `sql/`, each in a read-only transaction of its own. Knows no archive.

mod queries;
mod schema;
mod session;
mod tls;

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::sync::mpsc;

use crate::config::Config;
use crate::event::Event;
use crate::stream::{Position, Stream};
use queries::Direction;
pub use schema::Schema;
use session::Session;

/// How many rows one page asks for.
const PAGE_ROWS: i64 = 5_000;
/// A chunk goes on its way once it has this many rows or bytes, so that a page of the largest events is never in memory
/// whole.
const CHUNK_ROWS: usize = 500;
const CHUNK_BYTES: usize = 512 * 1024;
/// How many chunks are fetched ahead, so that the database works on while a batch is committed.
const CHUNKS_AHEAD: usize = 24;

/// Why the database could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The certificates asked for cannot be used.
    #[error("cannot set up TLS: {0}")]
    Tls(String),
    /// No connection.
    #[error("cannot connect to the database ({target})")]
    Connect {
        /// Which one: host, port, name, user.
        target: String,
        /// What the system or PostgreSQL said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A statement failed.
    #[error("cannot read from the database ({statement})")]
    Query {
        /// The statement's file in `sql/`.
        statement: &'static str,
        /// What PostgreSQL said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// This is no database of Synapse's, or the role may not read it.
    #[error(transparent)]
    Schema(#[from] schema::Problem),
    /// The rows ended before they were said to: what reads them has died.
    #[error("reading from the database broke off")]
    BrokeOff,
    /// An alias no room has.
    #[error("no room has the alias {0}")]
    UnknownAlias(String),
    /// A room the server does not have.
    #[error("the server has no room {0}")]
    UnknownRoom(String),
}

impl Error {
    /// Whether the same may work later: the server is starting, stopping, or a replica that had to cancel the statement.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        use tokio_postgres::error::SqlState as S;
        let source = match self {
            Error::Query { source, .. } => Some(source),
            Error::Connect { source, .. } => source.downcast_ref(),
            _ => None,
        };
        source.and_then(tokio_postgres::Error::code).is_some_and(|code| {
            [
                S::T_R_SERIALIZATION_FAILURE,
                S::T_R_DEADLOCK_DETECTED,
                S::ADMIN_SHUTDOWN,
                S::CRASH_SHUTDOWN,
                S::CANNOT_CONNECT_NOW,
            ]
            .contains(code)
        })
    }
}

/// The newest ids of the server, and its clock.
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    live: Option<i64>,
    backfill: Option<i64>,
    /// `received_ts` of the newest event, milliseconds since the epoch.
    pub received_ts: Option<i64>,
}

impl Heads {
    /// The same clock, with other newest positions, in the order of [`Stream::ALL`].
    #[must_use]
    pub fn at(&self, heads: [Option<Position>; 2]) -> Heads {
        let [live, backfill] = heads;
        let id = |stream: Stream, head: Option<Position>| head.map(|head| stream.id(head));
        Heads { live: id(Stream::Live, live), backfill: id(Stream::Backfill, backfill), ..*self }
    }

    /// The newest position of a stream, none while it is empty.
    #[must_use]
    pub fn of(&self, stream: Stream) -> Option<Position> {
        let id = match stream {
            Stream::Live => self.live,
            Stream::Backfill => self.backfill,
        };
        id.map(Stream::locate).and_then(|(own, position)| (own == stream).then_some(position))
    }
}

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
    /// The event, where it belongs to the archive.
    pub event: Option<Event>,
}

/// Rows on their way, in chunks, until an error or an empty chunk, which says that there are no more.
pub type Rows = mpsc::Receiver<Result<Vec<Row>, Error>>;

/// What is read: the whole server or one room.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// All rooms, by position.
    Server,
    /// One room, at the cost of that room.
    Room(String),
}

impl Scope {
    /// The room's id, or an empty text for the server.
    #[must_use]
    pub fn room_id(&self) -> &str {
        match self {
            Scope::Server => "",
            Scope::Room(room_id) => room_id,
        }
    }
}

/// A Synapse database, read-only.
#[derive(Clone)]
pub struct Database {
    session: Session,
    schema: std::sync::Arc<Schema>,
    server_name: std::sync::Arc<str>,
    excluded: std::sync::Arc<[String]>,
}

impl Database {
    /// Connects, and finds out which of Synapse's columns are there.
    pub async fn connect(config: &Config) -> Result<Database, Error> {
        let session = Session::new(config)?;
        let schema = Schema::detect(&session).await?;
        let names = match schema.server_name() {
            Some(statement) => session.query(&statement, &[]).await?,
            None => Vec::new(),
        };
        let server_name: Option<String> = names.first().and_then(|row| row.try_get(0).ok());
        Ok(Database {
            session,
            schema: schema.into(),
            server_name: server_name.unwrap_or_default().into(),
            excluded: [].into(),
        })
    }

    /// The same database without these rooms: their ids are read, their events are not.
    #[must_use]
    pub fn without(self, rooms: &BTreeSet<String>) -> Database {
        Database { excluded: rooms.iter().cloned().collect(), ..self }
    }

    /// This server's name, as in its users' ids; none if it has no user, and then purge survivors cannot be told.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        (!self.server_name.is_empty()).then_some(&*self.server_name)
    }

    /// What was found of Synapse's tables.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The newest ids of both streams, and the server's clock.
    pub async fn heads(&self) -> Result<Heads, Error> {
        let row = self.session.query(&queries::HEADS, &[]).await?;
        let get = || {
            let row = row.first()?;
            Some((row.try_get(0).ok()?, row.try_get(1).ok()?, row.try_get(2).ok()?))
        };
        let (live, backfill, received_ts) = get().unwrap_or_default();
        Ok(Heads { live, backfill, received_ts })
    }

    /// The event that has a position now.
    pub async fn event_at(&self, stream: Stream, position: Position) -> Result<Option<String>, Error> {
        let rows = self.session.query(&queries::ANCHOR, &[&stream.id(position)]).await?;
        Ok(rows.first().and_then(|row| row.try_get(0).ok()))
    }

    /// The id of a room named by its id or a local alias.
    pub async fn room_id(&self, name: &str) -> Result<String, Error> {
        if name.starts_with('#') {
            let rows = self.session.query(&queries::ALIAS, &[&name]).await?;
            let room_id = rows.first().and_then(|row| row.try_get(0).ok());
            return room_id.ok_or_else(|| Error::UnknownAlias(name.to_owned()));
        }
        let rows = self.session.query(&queries::ROOM, &[&name]).await?;
        match rows.first().and_then(|row| row.try_get(0).ok()) {
            Some(true) => Ok(name.to_owned()),
            _ => Err(Error::UnknownRoom(name.to_owned())),
        }
    }

    /// Reads a stretch of a stream upward, `after` (exclusive) to `through`, page by page, each in its own transaction.
    #[must_use]
    pub fn pages(&self, scope: &Scope, stream: Stream, after: Option<Position>, through: Position) -> Rows {
        let (rows, receiver) = mpsc::channel(CHUNKS_AHEAD);
        let (database, room) = (self.clone(), scope.clone());
        let direction = match stream {
            Stream::Live => Direction::Upward,
            Stream::Backfill => Direction::Downward,
        };
        tokio::spawn(async move {
            let statement = match &room {
                Scope::Server => database.schema.adapt(queries::page(direction)),
                Scope::Room(_) => database.schema.adapt(queries::room_page(direction)),
            };
            let mut after = stream.after(after);
            let through = stream.id(through);
            loop {
                let last = match &room {
                    Scope::Server => database.send(&statement, &[&after, &through, &PAGE_ROWS], &rows).await,
                    Scope::Room(id) => database.send(&statement, &[&after, &through, &PAGE_ROWS, id], &rows).await,
                };
                match last {
                    Some(Sent { count, last }) if count == PAGE_ROWS => after = last,
                    Some(_) => return drop(rows.send(Ok(Vec::new())).await),
                    None => return,
                }
            }
        });
        receiver
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
        let (rows, receiver) = mpsc::channel(CHUNKS_AHEAD);
        let (database, scope) = (self.clone(), scope.clone());
        let ids = |(first, last)| stream.ids(first, last);
        let (low, high): (Vec<i64>, Vec<i64>) = missing.map(ids).unzip();
        let (ex_low, ex_high): (Vec<i64>, Vec<i64>) = deoutliered.map(ids).unzip();
        tokio::spawn(async move {
            let sent = match &scope {
                Scope::Server => {
                    let statement = database.schema.adapt(queries::probe());
                    database.send(&statement, &[&low, &high, &ex_low, &ex_high], &rows).await
                }
                Scope::Room(id) => {
                    let statement = database.schema.adapt(queries::room_probe());
                    database.send(&statement, &[&low, &high, &ex_low, &ex_high, id], &rows).await
                }
            };
            if sent.is_some() {
                let _ = rows.send(Ok(Vec::new())).await;
            }
        });
        receiver
    }

    /// PostgreSQL's plan for a statement of `sql/`, in a session like all others; for tests.
    #[doc(hidden)]
    pub async fn explain(
        &self,
        name: &str,
        parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
    ) -> Result<Option<String>, Error> {
        let Some(statement) = queries::named(name) else { return Ok(None) };
        let mut statement = self.schema.adapt(statement);
        statement.sql = format!("explain {}", statement.sql).into();
        let rows = self.session.query(&statement, parameters).await?;
        Ok(Some(rows.iter().filter_map(|row| row.try_get(0).ok()).collect::<Vec<&str>>().join("\n")))
    }

    /// Runs one statement over `stored.sql` and sends its rows on. None: it failed, and the error was sent, or nobody
    /// listens any more.
    async fn send(
        &self,
        statement: &queries::Statement,
        parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
        rows: &mpsc::Sender<Result<Vec<Row>, Error>>,
    ) -> Option<Sent> {
        let result = self.try_send(statement, parameters, rows).await;
        match result {
            Ok(sent) => sent,
            Err(error) => {
                let _ = rows.send(Err(error)).await;
                None
            }
        }
    }

    async fn try_send(
        &self,
        statement: &queries::Statement,
        parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
        rows: &mpsc::Sender<Result<Vec<Row>, Error>>,
    ) -> Result<Option<Sent>, Error> {
        let failed = |source| Error::Query { statement: statement.name, source };
        let excluded: &[String] = &self.excluded;
        let server_name: &str = &self.server_name;
        let mut all: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> = vec![&server_name, &excluded];
        all.extend_from_slice(parameters);
        let mut client = self.session.client().await?;
        let transaction = client.begin(statement.name).await?;
        let mut stream = std::pin::pin!(transaction.stream(statement, &all).await?.map_err(failed));
        let mut sent = Sent { count: 0, last: 0 };
        let mut chunk = Vec::new();
        let mut bytes = 0;
        while let Some(row) = stream.next().await {
            let (id, row) = queries::row(&row?).map_err(failed)?;
            bytes += row.event.as_ref().map_or(0, Event::size);
            sent = Sent { count: sent.count + 1, last: id };
            chunk.push(row);
            if chunk.len() >= CHUNK_ROWS || bytes >= CHUNK_BYTES {
                bytes = 0;
                if rows.send(Ok(std::mem::take(&mut chunk))).await.is_err() {
                    return Ok(None);
                }
            }
        }
        if !chunk.is_empty() && rows.send(Ok(chunk)).await.is_err() {
            return Ok(None);
        }
        transaction.end().await?;
        Ok(Some(sent))
    }
}

/// What a statement brought.
struct Sent {
    count: i64,
    last: i64,
}
