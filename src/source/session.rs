//! A read-only session: the only code that runs SQL, and it runs nothing but reads.
//!
//! Two of the four layers that keep the database as it is are here: every transaction is `READ ONLY`, and so is the
//! session by default. The types above are a third (no statement but those in `sql/`), the role is the fourth.
//!
//! Nothing of ours stays behind on the server: a statement whose answer nobody waits for any more is cancelled, and a
//! connection on which anything went wrong is not used again.

mod bounded;
mod patience;
mod servers;
mod succession;

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_postgres::Object;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio_postgres::RowStream;
use tokio_postgres::types::ToSql;
use tokio_util::task::TaskTracker;
use tracing::debug;

use super::queries::Statement;
use super::{Error, Heads, Refusal, tls};
use crate::config::Config;
use bounded::Size;
use patience::Patience;
pub(super) use patience::passes;
use servers::Servers;

/// What every session of ours is set to, and the time that a statement may take, in milliseconds. Pages are read by index,
/// in order and without JIT or parallel workers, whatever the statistics say: the plans are then the same on a small, a
/// huge and a never analysed database. Settings that this version of PostgreSQL lacks are left out. A timeout that the
/// role, the database, the server or the connection string's `options` have set already stays as it is.
///
/// A page takes a fraction of a second, so these timeouts end what has gone wrong, before it holds up a vacuum or a
/// replica's replay for long.
const SETTINGS: &str = "
    select set_config(name, value, false)
      from (values ('default_transaction_read_only', 'on'),
                   ('statement_timeout', '300000'),
                   ('lock_timeout', '30000'),
                   ('idle_in_transaction_session_timeout', '60000'),
                   ('jit', 'off'),
                   ('max_parallel_workers_per_gather', '0'),
                   ('plan_cache_mode', 'force_custom_plan'),
                   ('enable_seqscan', 'off'),
                   ('enable_bitmapscan', 'off'),
                   ('enable_hashjoin', 'off'),
                   ('enable_mergejoin', 'off')) wanted (name, value)
      join pg_settings using (name)
     where setting = '0' or name not in ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout');
    select setting from pg_settings where name = 'statement_timeout'";

/// A standby knows no `SERIALIZABLE`, which a role or a database may have made the default.
const BEGIN: &str = "begin isolation level read committed read only";

/// How long the cancelling of a statement may take.
const CANCELLING: Duration = Duration::from_secs(5);
/// How long a page may keep its transaction open, if it has brought a row: long transactions hold back a primary's vacuum
/// and a replica's replay.
const PAGE: Duration = Duration::from_secs(10);

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
    ) -> Result<Vec<tokio_postgres::Row>, Error> {
        let mut patience = self.patience();
        loop {
            match self.try_query(statement, parameters).await {
                Err(error) => patience.wait(error).await?,
                rows => return rows,
            }
        }
    }

    async fn try_query(
        &self,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<tokio_postgres::Row>, Error> {
        let mut answer = self.answer(statement, parameters).await?;
        let mut rows = Vec::new();
        let mut size = Size::within(bounded::ANSWER);
        while let Some(row) = answer.next().await? {
            if !size.admits(&row) {
                return Err(Error::Endless { statement: statement.name });
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
        let client = self.servers.client(&self.target).await?;
        let mut answer = Answer {
            session: self.clone(),
            client: Some(client),
            rows: None,
            statement: statement.name,
            began: Instant::now(),
            count: 0,
        };
        answer.begin(&statement.sql, parameters).await?;
        Ok(answer)
    }

    /// Whether the server is reached at an address of this machine's own; it may yet be another program that goes on from there.
    pub(super) fn is_loopback(&self) -> bool {
        self.servers.is_loopback()
    }

    /// Bears with failures that pass.
    pub(super) fn patience(&self) -> Patience<'_> {
        Patience::new(self)
    }

    /// How long a page may keep its transaction open: never so long that the server's `statement_timeout`, which goes on
    /// while the receiver of the rows is busy, could mistake a slow receiver for a slow statement.
    pub(super) fn page_time(&self) -> Duration {
        PAGE.min(self.servers.statement_timeout() / 2)
    }

    /// Only a server that has what these heads tell of may take over from here on; without any, each may.
    pub(super) fn began_at(&self, heads: Option<Heads>) {
        self.servers.succession().began_at(heads);
    }

    /// The last event that was read, and its id.
    pub(super) fn has_read(&self, id: i64, event_id: &str) {
        self.servers.succession().has_read(id, event_id);
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

/// The answer to a statement. Dropped before its end, the statement is cancelled.
pub(super) struct Answer {
    session: Session,
    client: Option<Object>,
    rows: Option<Pin<Box<RowStream>>>,
    statement: &'static str,
    began: Instant,
    /// How many rows have come.
    count: u64,
}

impl Answer {
    async fn begin(&mut self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<(), Error> {
        let Some(client) = &self.client else { return Ok(()) };
        // past the pool's own wrapper, whose statement cache would keep every statement prepared
        let client: &tokio_postgres::Client = client;
        let begun = async {
            client.batch_execute(BEGIN).await?;
            client.query_raw(sql, parameters.iter().copied()).await
        };
        let begun = self.in_time(begun).await;
        self.rows = Some(Box::pin(self.passed(begun)?));
        Ok(())
    }

    /// The next row, none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<tokio_postgres::Row>, Error> {
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
        let Some(client) = self.client.take() else { return };
        self.tell("statement broken off");
        let cancelling = self.session.servers.cancelling(&client);
        self.session.tasks.spawn(async move {
            let _ = tokio::time::timeout(CANCELLING, cancelling).await;
            // only now is there room for another connection; this one is closed, as the cancelling may yet come to it
            drop(Object::take(client));
        });
    }
}

/// Says which database this is, and who asks for it.
fn target(config: &Config) -> String {
    let postgres = config.servers.first().map(|server| &server.postgres);
    let named = |name: Option<&str>| name.unwrap_or_default().to_owned();
    format!(
        "database {}, user {}",
        named(postgres.and_then(tokio_postgres::Config::get_dbname)),
        named(postgres.and_then(tokio_postgres::Config::get_user))
    )
}
