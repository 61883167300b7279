//! Everything that knows PostgreSQL or Synapse's tables.
//!
//! [`Database`] is the only type that reaches the database, and has no way to write: its methods are the statements in
//! `sql/`, each in a read-only transaction of its own. Knows no archive.

mod queries;
mod redactions;
mod rooms;
mod rows;
mod schema;
mod session;
mod tls;

use std::collections::BTreeSet;

use crate::config::Config;
use crate::stream::{Position, Stream};
pub use rooms::{Kind, Matches, Room};
pub use rows::{Row, Rows};
pub use schema::Schema;
use session::Session;

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
}
