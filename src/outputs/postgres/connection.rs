//! A connection that writes, to a PostgreSQL that is not Synapse's: see [`OutputConnection::open`]. A type of its own, so that what reads
//! Synapse's database still has no way to write. Statements have no name and settings are local to a transaction, for poolers.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::SinkExt as _;
use libpq_config::{Parameters, Server, Tls};
use tokio::runtime::Runtime;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, CopyInSink, NoTls, SimpleQueryMessage};

use super::Environment;
use crate::archive::{Interrupt, Output};
use crate::config::Config;
use crate::outputs::Error;
use crate::source::{ServerError, tls_connector};

/// How often it is seen whether to stop.
const EVERY: Duration = Duration::from_millis(100);
/// Variables that say which database is Synapse's, and how to log in there.
const OF_SYNAPSE: [&str; 9] = [
    "PGHOST",
    "PGHOSTADDR",
    "PGPORT",
    "PGDATABASE",
    "PGUSER",
    "PGPASSWORD",
    "PGSERVICE",
    "PGOPTIONS",
    "PGTARGETSESSIONATTRS",
];

/// What the database is, in one row: a standby or not, its encoding, whether it has Synapse's tables.
const WHICH: &str = "select pg_is_in_recovery(), current_setting('server_encoding'), exists (
    select from pg_class events join pg_class json on json.relnamespace = events.relnamespace and json.relname = 'event_json'
     where events.relname = 'events' and events.relkind in ('r', 'p') and json.relkind in ('r', 'p'))";

/// A connection to an output's database.
pub(super) struct OutputConnection {
    client: Client,
    interrupt: Interrupt,
    name: String,
    /// Last, as it runs the connection.
    runtime: Runtime,
}

/// A copy on its way.
pub(super) struct CopyIn(std::pin::Pin<Box<CopyInSink<Bytes>>>);

/// A row of an answer, as texts.
pub(super) type TextRow = Vec<Option<String>>;

impl OutputConnection {
    /// Connects to the first server of an address that can be written to, and makes sure that its database is not Synapse's.
    pub(super) fn open(
        output: &Output,
        address: &str,
        interrupt: &Interrupt,
        env: Environment<'_>,
    ) -> Result<OutputConnection, Error> {
        let config = config(&output.name, address, env)?;
        let mut failed = Error::Standby(output.name.clone());
        for server in &config.connection.servers {
            for mode in server.modes {
                match OutputConnection::to(&output.name, server, *mode, &config.connection.tls, interrupt) {
                    Ok(connection) if connection.can_be_written_to()? => return Ok(connection),
                    Ok(_) => {}
                    Err(Error::Archive(stopped)) => return Err(stopped.into()),
                    Err(error) => failed = error,
                }
            }
        }
        Err(failed)
    }

    fn to(
        name: &str,
        server: &Server,
        mode: SslMode,
        tls: &Tls,
        interrupt: &Interrupt,
    ) -> Result<OutputConnection, Error> {
        let name = name.to_owned();
        let problem = |problem: String| Error::Connection { name: name.clone(), problem };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| problem(error.to_string()))?;
        let mut postgres = server.postgres.clone();
        postgres.ssl_mode(mode);
        let connecting = async {
            // its error is also that of whoever asks
            if mode == SslMode::Disable {
                let (client, connection) = postgres.connect(NoTls).await?;
                tokio::spawn(async { drop(connection.await) });
                Ok(client)
            } else {
                let tls = tls_connector(tls).map_err(|error| ConnectFailure::Tls(error.to_string()))?;
                let (client, connection) = postgres.connect(tls).await?;
                tokio::spawn(async { drop(connection.await) });
                Ok(client)
            }
        };
        let client = match interrupted(&runtime, interrupt, connecting)? {
            Ok(client) => client,
            Err(ConnectFailure::Tls(said)) => return Err(problem(said)),
            Err(ConnectFailure::Server(error)) => {
                return Err(Error::Server { name, doing: "reach", source: ServerError::from(error) });
            }
        };
        Ok(OutputConnection { client, interrupt: interrupt.clone(), name, runtime })
    }

    /// False: it is a standby.
    fn can_be_written_to(&self) -> Result<bool, Error> {
        let rows = self.rows("look into", WHICH)?;
        let row: Vec<&str> = rows.iter().flatten().map(|value| value.as_deref().unwrap_or_default()).collect();
        match &row[..] {
            [_, _, "t"] => Err(Error::Synapse(self.name.clone())),
            ["t", ..] => Ok(false),
            [_, "UTF8", _] => Ok(true),
            [_, encoding, _] => Err(Error::Encoding { name: self.name.clone(), encoding: (*encoding).to_owned() }),
            _ => Ok(false),
        }
    }

    /// Runs statements.
    pub(super) fn run(&self, doing: &'static str, sql: &str) -> Result<(), Error> {
        self.wait(doing, self.client.batch_execute(sql))
    }

    /// The rows of an answer.
    pub(super) fn rows(&self, doing: &'static str, sql: &str) -> Result<Vec<TextRow>, Error> {
        let answer = self.wait(doing, self.client.simple_query(sql))?;
        let rows = answer.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect()),
            _ => None,
        });
        Ok(rows.collect())
    }

    /// How many rows a statement has changed.
    pub(super) fn change(&self, doing: &'static str, sql: &str) -> Result<u64, Error> {
        let answer = self.wait(doing, self.client.simple_query(sql))?;
        let counts = answer.iter().filter_map(|message| match message {
            SimpleQueryMessage::CommandComplete(count) => Some(*count),
            _ => None,
        });
        Ok(counts.sum())
    }

    /// Begins a copy.
    pub(super) fn copy(&self, sql: &str) -> Result<CopyIn, Error> {
        Ok(CopyIn(Box::pin(self.wait(WRITING, self.client.copy_in(sql))?)))
    }

    /// Goes on with it.
    pub(super) fn send(&self, copying: &mut CopyIn, bytes: Vec<u8>) -> Result<(), Error> {
        self.wait(WRITING, copying.0.send(Bytes::from(bytes)))
    }

    /// Ends it. False: it has a row that is there already.
    pub(super) fn finish(&self, mut copying: CopyIn) -> Result<bool, Error> {
        match self.wait(WRITING, copying.0.as_mut().finish()) {
            Err(Error::Server { source, .. }) if source.code() == Some(&SqlState::UNIQUE_VIOLATION) => Ok(false),
            done => done.map(|_| true),
        }
    }

    fn wait<T>(
        &self,
        doing: &'static str,
        asked: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Error> {
        let name = || self.name.clone();
        interrupted(&self.runtime, &self.interrupt, asked)?.map_err(|error| Error::Server {
            name: name(),
            doing,
            source: ServerError::from(error),
        })
    }
}

/// What writing is called.
pub(super) const WRITING: &str = "write to";

enum ConnectFailure {
    Tls(String),
    Server(tokio_postgres::Error),
}

impl From<tokio_postgres::Error> for ConnectFailure {
    fn from(error: tokio_postgres::Error) -> ConnectFailure {
        ConnectFailure::Server(error)
    }
}

/// Waits for something, unless it is told to stop.
fn interrupted<T>(
    runtime: &Runtime,
    interrupt: &Interrupt,
    work: impl Future<Output = T>,
) -> Result<T, crate::archive::Error> {
    runtime.block_on(async {
        let mut work = pin!(work);
        loop {
            match tokio::time::timeout(EVERY, &mut work).await {
                Ok(done) => return Ok(done),
                Err(_) => interrupt.check()?,
            }
        }
    })
}

/// Reads an address, by the rules of `--database`; what it leaves out no variable says that speaks of Synapse's database.
fn config(name: &str, address: &str, env: Environment<'_>) -> Result<Config, Error> {
    let failed = |source| Error::Address { name: name.to_owned(), source };
    let own = Parameters::from_connection_string(address).map_err(|error| failed(error.into()))?;
    if own.holds_password() {
        return Err(Error::Password(name.to_owned()));
    }
    if own.get("dbname").is_none() && own.get("service").is_none() {
        return Err(Error::Vague(name.to_owned()));
    }
    let config = Config::new(Some(address), |variable| env(variable).filter(|_| !OF_SYNAPSE.contains(&variable)));
    let config = config.map_err(failed)?;
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    Ok(config)
}
