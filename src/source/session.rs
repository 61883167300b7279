//! A read-only session: the only code that runs SQL, and it runs nothing but reads.
//!
//! One of the four layers that keep the database as it is is here: every transaction is `READ ONLY`. The types above are the
//! second (no statement but those in `sql/`), the role is the third, and what follows is the fourth.
//!
//! What a server sends is bounded, as it may be none: see [`bounded`].
//!
//! Nothing of ours outlives a transaction on the server: settings are local to it, statements have no name, and a connection
//! on which anything went wrong is not used again. A pooler may give what we used to somebody else next, who wants to write; and
//! may give us what somebody else has set up: see `sql/opening.sql`. A statement whose answer nobody waits for any more is
//! cancelled, behind a pooler by closing the connection: a request to cancel may come to somebody else's statement there.

mod bounded;
mod endpoint;
mod failover;
mod options;
mod process;
mod retry;
mod servers;
mod shared;
mod typed;

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_postgres::Object;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, RowStream};
use tokio_util::task::TaskTracker;
use tracing::debug;

use super::error::Error;
use super::heads::Heads;
use super::statements::{OPENING, Statement, TypedStatement};
use crate::config::Config;
use bounded::Bounding;
use endpoint::Begun;
use retry::Retry;
use servers::Servers;
use typed::{ROW, typed_raw};

/// How long the cancelling of a statement may take.
const CANCELLING: Duration = Duration::from_secs(5);
/// How long a page may keep its transaction open, if it has brought a row: long transactions hold back a primary's vacuum
/// and a replica's replay.
const PAGE: Duration = Duration::from_secs(10);

/// How much is kept of an answer of few rows, in bytes, each row with what it takes beside its values; the longest have a pair
/// of ids for each of 20,000 rooms, or five state events as large as events may be for each of 200, which is half of it.
const ANSWER: usize = 128 << 20;

/// How long a second connection is waited for that tells a pooler's mode.
const SECOND: Duration = Duration::from_secs(2);

/// What stands between here and PostgreSQL.
#[derive(Clone, Debug)]
pub struct Pooler {
    /// Whether there is one; none when that cannot be told.
    pub is_there: Option<bool>,
    /// Whether it is seen to give out a connection for a transaction only. Otherwise it may all the same.
    pub by_transaction: bool,
    /// The settings that the connection string's `options` asks for and that do not hold.
    pub lost_options: Vec<String>,
}

/// A few connections to the database.
#[derive(Clone)]
pub(super) struct Session {
    servers: Servers,
    /// The database as errors name it.
    target: Arc<str>,
    retry_for: Duration,
    /// What reads pages, and what cancels statements.
    tasks: TaskTracker,
}

impl Session {
    pub(super) fn new(config: &Config) -> Result<Session, Error> {
        Ok(Session {
            servers: Servers::new(config)?,
            target: target(config).into(),
            retry_for: config.retry_for,
            tasks: TaskTracker::new(),
        })
    }

    /// Runs a statement that gives few rows, in a transaction of its own, and again when it fails for a while only.
    pub(super) async fn query(
        &self,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Error> {
        let mut retry = self.retry();
        loop {
            match self.try_query(statement, parameters).await {
                Err(error) => retry.wait(error).await?,
                Ok(rows) => {
                    retry.got_further();
                    return Ok(rows);
                }
            }
        }
    }

    /// All rows of such a statement's answer.
    pub(super) async fn all<T>(
        &self,
        query: &TypedStatement<T>,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<T>, Error> {
        let rows = self.query(&query.statement, parameters).await?;
        let rows: Result<Vec<T>, tokio_postgres::Error> = rows.iter().map(|row| query.read(row)).collect();
        rows.map_err(Error::query(query.statement.name))
    }

    async fn try_query(&self, statement: &Statement, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        let mut answer = self.answer(statement, parameters).await?;
        let mut rows = Vec::new();
        let mut bytes = 0;
        while let Some(row) = answer.next().await? {
            bytes += row.raw_size_bytes() + ROW;
            if bytes > ANSWER {
                return Err(Error::Excess("it sends more rows than a question of a few has"));
            }
            rows.push(row);
        }
        answer.end().await?;
        Ok(rows)
    }

    /// Runs a statement in a read-only transaction of its own. The rows are handed out as they arrive: a slow reader slows
    /// the server down, and the server's `statement_timeout` goes on meanwhile.
    pub(super) async fn answer(
        &self,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Answer, Error> {
        let began = Instant::now();
        let opened = self.servers.begin(&self.target).await?;
        let mut answer = Answer {
            session: self.clone(),
            is_pooled: opened.is_pooled(),
            bounding: Some(opened.bounding),
            client: Some(opened.client),
            rows: None,
            statement: statement.name,
            began,
            count: 0,
        };
        answer.ask(statement, parameters).await?;
        Ok(answer)
    }

    /// Bears with failures that pass.
    pub(super) fn retry(&self) -> Retry<'_> {
        Retry::new(&self.servers, self.retry_for)
    }

    /// What stands between here and PostgreSQL. Of a pooler's mode it shows in two connections: where one process answers both in
    /// turn, while both are open, connections are given out for a transaction only.
    pub(super) async fn pooler(&self) -> Result<Pooler, Error> {
        let first = self.servers.begin(&self.target).await?;
        let (is_pooled, named, process) = (first.is_pooled(), first.named, first.process);
        let first = self.committed(first).await?;
        let by_transaction = if is_pooled {
            let second =
                tokio::time::timeout(SECOND, async { self.committed(self.servers.begin(&self.target).await?).await });
            matches!(second.await, Ok(Ok((_, other))) if other == process)
        } else {
            false
        };
        drop(first);
        Ok(Pooler { is_there: named.map(|_| is_pooled), by_transaction, lost_options: self.servers.lost_options() })
    }

    /// Ends a transaction in which nothing was asked; its connection, and the process that answered.
    async fn committed(&self, begun: Begun) -> Result<(Object, i32), Error> {
        let ended = tokio::time::timeout(self.servers.silence(), begun.client.batch_execute("commit")).await;
        match ended {
            Ok(Ok(())) => Ok((begun.client, begun.process)),
            Ok(Err(error)) => {
                drop(Object::take(begun.client));
                Err(Error::query(OPENING.statement.name)(error))
            }
            Err(_) => {
                drop(Object::take(begun.client));
                Err(Error::Silent { statement: OPENING.statement.name, seconds: self.servers.silence().as_secs() })
            }
        }
    }

    /// How long a page may keep its transaction open: never so long that the server's `statement_timeout`, which goes on
    /// while the receiver of the rows is busy, could mistake a slow receiver for a slow statement.
    pub(super) fn page_time(&self) -> Duration {
        PAGE.min(self.servers.statement_timeout() / 2)
    }

    /// Whether the address that was connected to last leads nowhere but to this machine.
    pub(super) fn is_loopback(&self) -> bool {
        self.servers.is_loopback()
    }

    /// Only a server that has what these heads tell of may take over from here on; without any, each may.
    pub(super) fn began_at(&self, heads: Option<Heads>) {
        self.servers.failover().began_at(heads);
    }

    /// The last event that was read, and its id.
    pub(super) fn has_read(&self, id: i64, event_id: &str) {
        self.servers.failover().has_read(id, event_id);
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Waits until all that was spawned is done.
    pub(super) async fn close(&self) {
        self.tasks.close();
        // a reader ends when nobody listens, and a cancelling when its time is up
        let _ = tokio::time::timeout(CANCELLING * 2, self.tasks.wait()).await;
    }
}

/// The answer to a statement, in a transaction of its own. Dropped before its end, the statement is cancelled.
pub(super) struct Answer {
    session: Session,
    client: Option<Object>,
    bounding: Option<Bounding>,
    is_pooled: bool,
    rows: Option<Pin<Box<RowStream>>>,
    statement: &'static str,
    began: Instant,
    /// How many rows have come.
    count: u64,
}

impl Answer {
    async fn ask(&mut self, statement: &Statement, parameters: &[&(dyn ToSql + Sync)]) -> Result<(), Error> {
        let Some(client) = &self.client else { return Ok(()) };
        let asked = self.in_time(typed_raw(client, statement, parameters)).await;
        self.rows = Some(Box::pin(self.passed(asked)?));
        Ok(())
    }

    /// The next row, none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Row>, Error> {
        let Some(mut rows) = self.rows.take() else { return Ok(None) };
        // most rows have arrived already, and need no timer
        let row = match rows.next().now_or_never() {
            Some(row) => row.transpose().map_err(Error::query(self.statement)),
            None => self.in_time(rows.next().map(Option::transpose)).await,
        };
        self.rows = Some(rows);
        self.count += u64::from(matches!(row, Ok(Some(_))));
        self.passed(row)
    }

    /// Ends the transaction.
    pub(super) async fn end(mut self) -> Result<(), Error> {
        let Some(client) = &self.client else { return Ok(()) };
        let ended = self.in_time(client.batch_execute("commit")).await;
        self.passed(ended)?;
        self.client.take();
        self.tell("statement");
        Ok(())
    }

    /// Waits no longer than a server that is there can take.
    async fn in_time<T>(&self, answer: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Error> {
        let limit = self.session.servers.silence();
        match tokio::time::timeout(limit, answer).await {
            Ok(answer) => answer.map_err(Error::query(self.statement)),
            Err(_) => Err(Error::Silent { statement: self.statement, seconds: limit.as_secs() }),
        }
    }

    /// Gives up the connection of a statement that has failed: there is nothing to cancel.
    fn passed<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        if matches!(result, Err(Error::Query { .. })) {
            drop(self.client.take().map(Object::take));
            self.tell("statement failed");
        }
        result
    }

    fn tell(&self, what: &str) {
        let seconds = self.began.elapsed().as_secs_f64();
        debug!(statement = self.statement, rows = self.count, seconds, "{what}");
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let (Some(client), Some(bounding)) = (self.client.take(), self.bounding.take()) else { return };
        self.tell("statement broken off");
        if self.is_pooled {
            drop(Object::take(client));
            return;
        }
        let token = client.cancel_token();
        self.session.tasks.spawn(async move {
            // with the same encryption; should it fail, the statement's own timeout remains
            let _ = tokio::time::timeout(CANCELLING, token.cancel_query(bounding)).await;
            // only now is there room for another connection; this one is closed, as the cancelling may yet come to it
            drop(Object::take(client));
        });
    }
}

/// Says which database this is, and who asks for it.
fn target(config: &Config) -> String {
    let postgres = config.connection.servers.first().map(|server| &server.postgres);
    let named = |name: Option<&str>| name.unwrap_or_default().to_owned();
    format!(
        "database {}, user {}",
        named(postgres.and_then(tokio_postgres::Config::get_dbname)),
        named(postgres.and_then(tokio_postgres::Config::get_user))
    )
}
