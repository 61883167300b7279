//! A read-only session: the only code that runs SQL, and it runs nothing but reads.
//!
//! Two of the four layers that keep the database as it is are here: every transaction is `READ ONLY`, and so is the
//! session by default. The types above are a third (no statement but those in `sql/`), the role is the fourth.

mod servers;

use deadpool_postgres::Object;
use tokio_postgres::types::ToSql;
use tokio_postgres::{RowStream, Transaction};

use super::queries::Statement;
use super::{Error, tls};
use crate::config::Config;
use servers::Servers;

/// What every session of ours is set to. Pages are read by index, in order and without JIT or parallel workers, whatever
/// the statistics say: the plans are then the same on a small, a huge and a never analysed database. Settings that this
/// version of PostgreSQL lacks are left out.
const SETTINGS: &str = "
    select set_config(name, value, false)
      from (values ('default_transaction_read_only', 'on'),
                   ('idle_in_transaction_session_timeout', '300000'),
                   ('jit', 'off'),
                   ('max_parallel_workers_per_gather', '0'),
                   ('plan_cache_mode', 'force_custom_plan'),
                   ('enable_seqscan', 'off'),
                   ('enable_bitmapscan', 'off'),
                   ('enable_hashjoin', 'off'),
                   ('enable_mergejoin', 'off')) wanted (name, value)
      join pg_settings using (name)";

/// A few connections to the database.
#[derive(Clone)]
pub(super) struct Session {
    servers: Servers,
    /// The database as errors name it.
    target: String,
}

impl Session {
    pub(super) fn new(config: &Config) -> Result<Session, Error> {
        Ok(Session { servers: Servers::new(config)?, target: target(config) })
    }

    pub(super) async fn client(&self) -> Result<Client, Error> {
        Ok(Client(self.servers.client(&self.target).await?))
    }

    /// Runs a statement that gives few rows, in a transaction of its own.
    pub(super) async fn query(
        &self,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<tokio_postgres::Row>, Error> {
        let mut client = self.client().await?;
        let transaction = client.begin(statement.name).await?;
        let rows = transaction.0.query(&*statement.sql, parameters).await;
        let rows = rows.map_err(|source| Error::Query { statement: statement.name, source })?;
        transaction.end().await?;
        Ok(rows)
    }
}

/// A connection from the pool.
pub(super) struct Client(Object);

impl Client {
    /// Begins a read-only transaction.
    pub(super) async fn begin(&mut self, statement: &'static str) -> Result<ReadTransaction<'_>, Error> {
        // past the pool's own wrapper, whose statement cache would keep every statement prepared
        let client: &mut tokio_postgres::Client = &mut self.0;
        let transaction = client.build_transaction().read_only(true).start().await;
        Ok(ReadTransaction(transaction.map_err(|source| Error::Query { statement, source })?, statement))
    }
}

/// A read-only transaction.
pub(super) struct ReadTransaction<'a>(Transaction<'a>, &'static str);

impl ReadTransaction<'_> {
    /// Runs a statement and hands out its rows as they arrive; a slow reader slows the server down.
    pub(super) async fn stream(
        &self,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<RowStream, Error> {
        let rows = self.0.query_raw(&*statement.sql, parameters.iter().copied()).await;
        rows.map_err(|source| Error::Query { statement: statement.name, source })
    }

    pub(super) async fn end(self) -> Result<(), Error> {
        self.0.commit().await.map_err(|source| Error::Query { statement: self.1, source })
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
