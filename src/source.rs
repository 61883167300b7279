//! Everything that knows PostgreSQL or Synapse's tables.
//!
//! [`Database`] is the only type that reaches the database, and has no way to write: its methods are the statements in
//! `sql/`, each in a read-only transaction of its own. Knows no archive.

mod checkup;
mod known;
mod missing;
mod pooler;
mod queries;
mod redactions;
mod refusal;
mod rejudged;
mod rooms;
mod rows;
mod schema;
mod session;
mod standing;
mod tls;

use std::collections::BTreeSet;

use tokio_postgres::error::SqlState;

use crate::config::Config;
use crate::stream::{Position, Stream};
pub use checkup::{Collation, Index, Login, PendingRedactions, Sampled, Sizes};
pub use pooler::PoolerRefusal;
pub use redactions::Bans;
pub use refusal::Refusal;
pub use rooms::{Kind, Matches, Room};
pub use rows::{Found, Row, Rows};
pub use schema::{Problem, Schema};
pub use session::Pooler;
use session::Session;
pub use standing::Standing;

/// Why the database could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The certificates asked for cannot be used.
    #[error("cannot set up TLS: {0}")]
    Tls(String),
    /// No connection.
    #[error("cannot connect to the database ({target})")]
    Connect {
        /// Which one: hosts, ports, name, user, and what those before the last host said.
        target: String,
        /// One of the hosts may be there again later.
        transient: bool,
        /// What the system or PostgreSQL said of the last.
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
        source: Refusal,
    },
    /// The server is there, or something in between, and says nothing.
    #[error("no answer from the database for {seconds} s ({statement})")]
    Silent {
        /// The statement's file in `sql/`.
        statement: &'static str,
        /// How long it was waited for.
        seconds: u64,
    },
    /// It sends what no PostgreSQL sends.
    #[error(
        "refused what the database's server sends: {0}; is it PostgreSQL, with nobody in between? See sslmode=verify-full"
    )]
    Excess(&'static str),
    /// What fails for a while only went on failing.
    #[error("gave up after {attempts} attempts in {seconds} s without getting further{}", source.remedy())]
    GaveUp {
        /// How often it was tried.
        attempts: u32,
        /// For how long.
        seconds: u64,
        /// What the last attempt met.
        #[source]
        source: Box<Error>,
    },
    /// This is no database of Synapse's, or the role may not read it.
    #[error(transparent)]
    Schema(#[from] Problem),
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
    /// What comes of the error of a statement.
    fn query(statement: &'static str) -> impl Fn(tokio_postgres::Error) -> Error + Copy {
        move |source| Error::Query { statement, source: Refusal(source) }
    }

    /// Whether the same may work later: the server is away, starting or stopping, or a replica that had to cancel the
    /// statement.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Error::Query { source, .. } => session::passes(&source.0, true),
            Error::Connect { transient, .. } => *transient,
            Error::Silent { .. } | Error::GaveUp { .. } => true,
            _ => false,
        }
    }

    /// What helps when it does not pass.
    fn remedy(&self) -> &'static str {
        let Error::Query { source, .. } = self else { return "" };
        match source.code().map(SqlState::code) {
            Some("40001") => {
                "; on a replica, set hot_standby_feedback = on or raise max_standby_streaming_delay, or export from another replica"
            }
            Some("55P03") => "; something holds an exclusive lock on Synapse's tables, as an upgrade of Synapse does",
            _ => "",
        }
    }
}

/// The newest ids of the server, and its clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heads {
    live: Option<i64>,
    backfill: Option<i64>,
    /// `received_ts` of the newest event, milliseconds since the epoch.
    pub received_ts: Option<i64>,
    /// How far the server's write-ahead log goes, in bytes; none where that cannot be told.
    wal: Option<i64>,
}

impl Heads {
    /// Reads a row of `heads.sql`.
    fn from_row(row: &tokio_postgres::Row) -> Result<Heads, tokio_postgres::Error> {
        Ok(Heads { live: row.try_get(0)?, backfill: row.try_get(1)?, received_ts: row.try_get(2)?, wal: None })
    }

    /// Whether a server has everything that another one had: by their write-ahead logs, which a purge does not shorten, or
    /// where these cannot be read, by the newest ids of both streams.
    fn reach(&self, other: &Heads) -> bool {
        if let (Some(own), Some(other)) = (self.wal, other.wal) {
            return other <= own;
        }
        // no id is above every id, as there is none that none is below
        other.live <= self.live && other.backfill.is_none_or(|other| self.backfill.is_some_and(|own| own <= other))
    }

    /// The same clock, with the newest positions no higher than these, in the order of [`Stream::ALL`]. They may be from
    /// another server, which this one is behind: what it does not have yet must not count as read.
    #[must_use]
    pub fn at(&self, heads: [Option<Position>; 2]) -> Heads {
        let [live, backfill] = heads;
        let id = |stream: Stream, head: Option<Position>| Some(stream.id(self.of(stream)?.min(head?)));
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
    /// How many there may be.
    connections: usize,
    /// Rows of `event_json` are looked for where no index shows them.
    looks_for_missing: bool,
}

impl Database {
    /// Connects, and makes sure that the database can be exported.
    pub async fn connect(config: &Config) -> Result<Database, Error> {
        let database = Database::look(config).await?;
        database.schema.suffices_to_export()?;
        Ok(database)
    }

    /// Connects to a database that perhaps cannot be exported, and finds out which of Synapse's columns are there.
    pub async fn look(config: &Config) -> Result<Database, Error> {
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
            connections: config.connections,
            looks_for_missing: false,
        })
    }

    /// Waits until no statement of ours runs on the server any more; those whose rows nobody waits for are cancelled.
    pub async fn close(&self) {
        self.session.close().await;
    }

    /// The same database without these rooms: their ids are read, their events are not.
    #[must_use]
    pub fn without(self, rooms: &BTreeSet<String>) -> Database {
        Database { excluded: rooms.iter().cloned().collect(), ..self }
    }

    /// The same database, in which an export looks for rows of `event_json` that no index shows.
    #[must_use]
    pub fn looking_for_missing(self, look: bool) -> Database {
        Database { looks_for_missing: look, ..self }
    }

    /// Whether an export looks for rows of `event_json` that no index shows.
    #[must_use]
    pub fn looks_for_missing(&self) -> bool {
        self.looks_for_missing
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

    /// The newest ids of both streams, and the server's clock: where a run begins. Should the connection be lost, only a
    /// server that has these ids takes over.
    pub async fn heads(&self) -> Result<Heads, Error> {
        // a run before this one asks for nothing any more
        self.session.began_at(None);
        let mut heads = self.one(&queries::HEADS, &[], Heads::from_row).await?.unwrap_or_default();
        // before the next statement, so that another server that answers it has these ids
        self.session.began_at(Some(heads));
        heads.wal = told(self.one(&queries::LOG_POSITION, &[], |row| row.try_get(0)).await)?.flatten();
        self.session.began_at(Some(heads));
        Ok(heads)
    }

    /// The first row of a statement's answer.
    async fn one<T>(
        &self,
        statement: &queries::Statement,
        parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
        read: impl FnOnce(&tokio_postgres::Row) -> Result<T, tokio_postgres::Error>,
    ) -> Result<Option<T>, Error> {
        let rows = self.session.query(statement, parameters).await?;
        rows.first().map(read).transpose().map_err(Error::query(statement.name))
    }

    /// What stands between here and PostgreSQL.
    pub async fn pooler(&self) -> Result<Pooler, Error> {
        self.session.pooler().await
    }

    /// The event that has a position now; where an index that should be unique let in several, all of them.
    pub async fn events_at(&self, stream: Stream, position: Position) -> Result<Vec<String>, Error> {
        let id = |row: &tokio_postgres::Row| Ok(row.try_get::<_, Option<String>>(0)?.unwrap_or_default());
        self.all(&queries::ANCHOR, &[&stream.id(position)], id).await
    }

    /// The events that have these stream orderings, with them.
    pub async fn events_with(&self, ids: &[i64]) -> Result<Vec<(i64, String)>, Error> {
        self.all(&queries::PLACES, &[&ids], |row| Ok((row.try_get(0)?, row.try_get(1)?))).await
    }

    /// The newest events of the live stream at a position or below it, without outliers and what has ceased to be one `since`
    /// these positions of both streams, in the order of [`Stream::ALL`]: position, event id, room id.
    pub async fn newest_below(
        &self,
        position: Position,
        since: [Position; 2],
        limit: u32,
    ) -> Result<Vec<(Position, String, String)>, Error> {
        let [live, backfill] = since;
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&Stream::Live.id(position), &Stream::Live.id(live), &Stream::Backfill.id(backfill), &i64::from(limit)];
        let read = |row: &tokio_postgres::Row| {
            let (_, position) = Stream::locate(row.try_get(0)?);
            Ok((position, row.try_get(1)?, row.try_get(2)?))
        };
        self.all(&queries::NEWEST_BELOW, &parameters, read).await
    }

    /// Events of these rooms, or of all if there are none, that have no place in the stream, and so are in no page, or no id or no
    /// room, at most so many: the column that is null, event id, room id. Synapse makes none, but its table lets `stream_ordering`
    /// be null.
    pub async fn unplaced(&self, rooms: &[String], limit: u32) -> Result<Vec<(String, String, String)>, Error> {
        let (excluded, limit): (&[String], _) = (&self.excluded, i64::from(limit));
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&rooms, &excluded, &limit];
        self.all(&queries::UNPLACED, &parameters, |row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).await
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

    /// PostgreSQL's plan for a statement of `sql/`, in a session like all others; `knowing` rejections and versions, or
    /// looking them up. For tests.
    #[doc(hidden)]
    pub async fn explain(
        &self,
        name: &str,
        knowing: bool,
        parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
    ) -> Result<Option<String>, Error> {
        let Some(statement) = queries::named(name) else { return Ok(None) };
        let known =
            known::Known { rejections: knowing.then(Default::default), versions: knowing.then(Default::default) };
        let mut statement = self.schema.adapt(queries::knowing(&known, statement));
        statement.sql = format!("explain {}", statement.sql).into();
        let rows = self.session.query(&statement, parameters).await?;
        Ok(Some(rows.iter().filter_map(|row| row.try_get(0).ok()).collect::<Vec<&str>>().join("\n")))
    }
}

/// What a server told, none if it is one without the functions asked for, as Amazon Aurora is.
fn told<T>(answer: Result<Option<T>, Error>) -> Result<Option<T>, Error> {
    match answer {
        Err(Error::Query { source, .. }) if source.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED) => Ok(None),
        answer => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(live: Option<i64>, backfill: Option<i64>) -> Heads {
        Heads { live, backfill, received_ts: None, wal: None }
    }

    #[test]
    fn a_server_takes_over_when_both_its_streams_have_come_as_far() {
        let first = heads(Some(10), Some(-5));
        for (here, may) in [
            (heads(Some(10), Some(-5)), true),
            (heads(Some(11), Some(-6)), true),
            (heads(Some(9), Some(-6)), false),
            (heads(Some(11), Some(-4)), false),
            (heads(Some(11), None), false),
            (heads(None, Some(-5)), false),
        ] {
            assert_eq!(here.reach(&first), may, "{here:?}");
        }
        let purged = Heads { wal: Some(1_001), ..heads(None, None) };
        assert!(purged.reach(&Heads { wal: Some(1_000), ..first }));
        assert!(!Heads { wal: Some(999), ..first }.reach(&Heads { wal: Some(1_000), ..first }));
        assert!(heads(None, None).reach(&heads(None, None)));
        assert!(heads(Some(1), Some(-1)).reach(&heads(None, None)));
    }

    #[test]
    fn no_head_is_above_what_the_server_has() {
        let here = heads(Some(10), Some(-5));
        let at = |live, backfill| {
            let heads = here.at([live, backfill].map(|position: Option<u64>| position.map(Position)));
            Stream::ALL.map(|stream| heads.of(stream).map(|head| head.0))
        };
        assert_eq!(at(Some(7), Some(2)), [Some(7), Some(2)]);
        assert_eq!(at(Some(12), Some(8)), [Some(10), Some(5)]);
        assert_eq!(at(None, Some(8)), [None, Some(5)]);
    }
}
