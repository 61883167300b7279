//! A read-only session: the only code that runs SQL, and it runs nothing but reads.
//!
//! Two of the four layers that keep the database as it is are here: every transaction is `READ ONLY`, and so is the
//! session by default. The types above are a third (no statement but those in `sql/`), the role is the fourth.

use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod};
use tokio_postgres::types::ToSql;
use tokio_postgres::{RowStream, Transaction};

use super::queries::Statement;
use super::{Error, tls};
use crate::config::Config;

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
    pool: Pool,
    /// The database as errors name it.
    target: String,
}

impl Session {
    pub(super) fn new(config: &Config) -> Result<Session, Error> {
        let mut postgres = config.postgres.clone();
        postgres.application_name(concat!("synapse-export ", env!("CARGO_PKG_VERSION")));
        postgres.keepalives_idle(Duration::from_secs(60));
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(postgres, tls::connector(config)?, recycling);
        let settings = Hook::async_fn(|client: &mut deadpool_postgres::ClientWrapper, _| {
            Box::pin(async move { client.batch_execute(SETTINGS).await.map_err(HookError::Backend) })
        });
        let pool =
            Pool::builder(manager).max_size(2).post_create(settings).build().map_err(|e| Error::Tls(e.to_string()))?;
        Ok(Session { pool, target: target(&config.postgres) })
    }

    pub(super) async fn client(&self) -> Result<Client, Error> {
        let failed = |e: PoolError| -> Box<dyn std::error::Error + Send + Sync> {
            match e {
                PoolError::Backend(e) => Box::new(e),
                e => Box::new(e),
            }
        };
        let client = self.pool.get().await;
        Ok(Client(client.map_err(|e| Error::Connect { target: self.target.clone(), source: failed(e) })?))
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

/// Says which database this is, without the password.
fn target(postgres: &tokio_postgres::Config) -> String {
    let hosts: Vec<String> = postgres
        .get_hosts()
        .iter()
        .map(|host| match host {
            tokio_postgres::config::Host::Tcp(name) => name.clone(),
            tokio_postgres::config::Host::Unix(path) => path.display().to_string(),
        })
        .chain(postgres.get_hostaddrs().iter().map(ToString::to_string))
        .collect();
    let ports: Vec<String> = postgres.get_ports().iter().map(ToString::to_string).collect();
    let or = |text: Option<&str>, other: &str| text.unwrap_or(other).to_owned();
    format!(
        "host {}, port {}, database {}, user {}",
        hosts.join(","),
        if ports.is_empty() { "5432".to_owned() } else { ports.join(",") },
        or(postgres.get_dbname().or(postgres.get_user()), "of the user's name"),
        or(postgres.get_user(), "of this account")
    )
}
