//! The only type that reaches the database: it has no way to write, and its methods are the statements in `sql/`, each in a
//! read-only transaction of its own.
//!
//! Here are connecting and the questions of a row or few; what is read in pages and what a module of its own knows is there.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;

use super::error::Error;
use super::heads::Heads;
use super::schema::Schema;
use super::session::{Pooler, Session};
use super::statements::{self, TypedStatement};
use crate::config::Config;
use crate::event::{OwnedEventId, OwnedRoomId};
use crate::stream::{Position, Stream};

/// A Synapse database, read-only.
#[derive(Clone)]
pub struct Database {
    pub(super) session: Session,
    pub(super) schema: Arc<Schema>,
    pub(super) server_name: Arc<str>,
    pub(super) excluded: Arc<[String]>,
    /// How many there may be.
    pub(super) connections: usize,
    /// Rows of `event_json` are looked for where no index shows them.
    looks_for_missing: bool,
}

impl Database {
    /// Connects, and makes sure that the database can be exported.
    pub async fn connect(config: &Config) -> Result<Database, Error> {
        let database = Database::inspect(config).await?;
        database.schema.suffices_to_export()?;
        Ok(database)
    }

    /// Connects to a database that perhaps cannot be exported, and finds out which of Synapse's columns are there.
    pub async fn inspect(config: &Config) -> Result<Database, Error> {
        let session = Session::new(config)?;
        let schema = Schema::detect(&session).await?;
        let mut database = Database {
            session,
            schema: schema.into(),
            server_name: "".into(),
            excluded: [].into(),
            connections: config.connections,
            looks_for_missing: false,
        };
        if let Some(query) = database.schema.server_name()
            && let Some(Some(server_name)) = database.one(&query, &[]).await?
        {
            database.server_name = server_name.into();
        }
        Ok(database)
    }

    /// Waits until no statement of ours runs on the server any more; those whose rows nobody waits for are cancelled.
    pub async fn close(&self) {
        self.session.close().await;
    }

    /// The same database without these rooms: their ids are read, their events are not.
    #[must_use]
    pub fn without(self, rooms: &BTreeSet<OwnedRoomId>) -> Database {
        Database { excluded: rooms.iter().map(ToString::to_string).collect(), ..self }
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
        let heads = self.newest().await?;
        self.with_log_position(heads).await
    }

    /// The same, if there are other newest ids than these, which a server must have that is asked now.
    pub async fn heads_unless(&self, known: &Heads) -> Result<Option<Heads>, Error> {
        let heads = self.newest().await?;
        if heads.have_the_ids_of(known) { Ok(None) } else { self.with_log_position(heads).await.map(Some) }
    }

    async fn newest(&self) -> Result<Heads, Error> {
        Ok(self.one(&statements::HEADS, &[]).await?.map(Heads::from).unwrap_or_default())
    }

    async fn with_log_position(&self, mut heads: Heads) -> Result<Heads, Error> {
        // before the next statement, so that another server that answers it has these ids
        self.session.began_at(Some(heads));
        heads.wal = told(self.one(&statements::LOG_POSITION, &[]).await)?.flatten();
        self.session.began_at(Some(heads));
        Ok(heads)
    }

    /// The first row of a statement's answer.
    pub(super) async fn one<T>(
        &self,
        query: &TypedStatement<T>,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<T>, Error> {
        let rows = self.session.query(&query.statement, parameters).await?;
        let first = rows.first().map(|row| query.read(row)).transpose();
        first.map_err(Error::query(query.statement.name))
    }

    /// All rows of a statement's answer.
    pub(super) async fn all<T>(
        &self,
        query: &TypedStatement<T>,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<T>, Error> {
        self.session.all(query, parameters).await
    }

    /// The answer of a statement that always gives one row.
    pub(super) async fn only<T>(
        &self,
        query: &TypedStatement<T>,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<T, Error> {
        self.one(query, parameters).await?.ok_or(Error::BrokeOff)
    }

    /// What stands between here and PostgreSQL.
    pub async fn pooler(&self) -> Result<Pooler, Error> {
        self.session.pooler().await
    }

    /// The event that has a position now; where an index that should be unique let in several, all of them.
    pub async fn events_at(&self, stream: Stream, position: Position) -> Result<Vec<String>, Error> {
        let events = self.all(&statements::ANCHOR, &[&stream.id(position)]).await?;
        Ok(events.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// The events that have these stream orderings, with them.
    pub async fn events_with(&self, ids: &[i64]) -> Result<Vec<(i64, OwnedEventId)>, Error> {
        let events = self.all(&statements::PLACES, &[&ids]).await?;
        Ok(events.into_iter().map(|row| (row.id, row.event_id)).collect())
    }

    /// The newest events of the live stream at a position or below it, without outliers and what has ceased to be one `since`
    /// these positions of both streams, in the order of [`Stream::ALL`].
    pub async fn newest_below(
        &self,
        position: Position,
        since: [Position; 2],
        limit: u32,
    ) -> Result<Vec<(Position, OwnedEventId, OwnedRoomId)>, Error> {
        let [live, backfill] = since;
        let parameters: [&(dyn ToSql + Sync); 4] =
            [&Stream::Live.id(position), &Stream::Live.id(live), &Stream::Backfill.id(backfill), &i64::from(limit)];
        let events = self.all(&statements::NEWEST_BELOW, &parameters).await?;
        Ok(events.into_iter().map(|row| (Stream::locate(row.id).1, row.event_id, row.room_id)).collect())
    }

    /// Events of these rooms, or of all if there are none, that have no place in the stream, and so are in no page, or no id or no
    /// room, at most so many: with the column that is null. Synapse makes none, but its table lets `stream_ordering`
    /// be null.
    pub async fn unplaced(
        &self,
        rooms: &[String],
        limit: u32,
    ) -> Result<Vec<(String, OwnedEventId, OwnedRoomId)>, Error> {
        let (excluded, limit): (&[String], _) = (&self.excluded, i64::from(limit));
        let parameters: [&(dyn ToSql + Sync); 3] = [&rooms, &excluded, &limit];
        let events = self.all(&statements::UNPLACED, &parameters).await?;
        Ok(events.into_iter().map(|row| (row.lacks, row.event_id, row.room_id)).collect())
    }

    /// The id of a room named by its id or a local alias.
    pub async fn room_id(&self, name: &str) -> Result<String, Error> {
        if name.starts_with('#') {
            let room_id = self.one(&statements::ALIAS, &[&name]).await?.flatten();
            return room_id.ok_or_else(|| Error::UnknownAlias(name.to_owned()));
        }
        match self.one(&statements::ROOM, &[&name]).await? {
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
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<String>, Error> {
        let named = statements::named(name, self.schema.columns(), knowing);
        let Some(mut statement) = named else { return Ok(None) };
        statement.sql = format!("explain {}", statement.sql).into();
        let rows = self.session.query(&statement, parameters).await?;
        Ok(Some(rows.iter().filter_map(|row| row.try_get(0).ok()).collect::<Vec<&str>>().join("\n")))
    }
}

/// What a server told, none if it is one without the functions asked for, as Amazon Aurora is.
pub(super) fn told<T>(answer: Result<Option<T>, Error>) -> Result<Option<T>, Error> {
    match answer {
        Err(Error::Query { source, .. }) if source.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED) => Ok(None),
        answer => answer,
    }
}
