//! Where the database is: what flags, `PG*` variables, `~/.pgpass`, `pg_service.conf` and Synapse's own configuration say, and
//! which of them comes first. What they mean is libpq's, and in the crate `libpq_config`.
//!
//! The environment is handed in; the files it and the flags name are read. Never connects, and never keeps a password where
//! `Debug` or an error would show it.

mod homeserver;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use homeserver::old_signing_keys;
use libpq_config::{Connection, Defaults, Parameters, open_to_others};

/// What the command line says about the database.
#[derive(Clone, Copy, Default)]
pub struct DatabaseFlags<'a> {
    /// A `postgres://` URL or `key=value` pairs.
    pub database: Option<&'a str>,
    /// A file whose first line is the password.
    pub password_file: Option<&'a Path>,
    /// Synapse's configuration: files, or directories of them.
    pub synapse_config: &'a [PathBuf],
}

/// Everything needed to connect.
#[derive(Clone)]
pub struct Config {
    pub(crate) connection: Connection,
    pub(crate) retry_for: Duration,
    pub(crate) connections: usize,
    warnings: Vec<String>,
}

/// How long what fails for a while only is tried again without getting further, unless told otherwise.
pub const RETRY_FOR: Duration = Duration::from_secs(120);

/// How many connections there are at the most, unless told otherwise.
pub const CONNECTIONS: usize = 2;

/// What holds where nothing is said of a connection.
const DEFAULTS: Defaults = Defaults {
    application_name: concat!("synapse-export ", env!("CARGO_PKG_VERSION")),
    connect_timeout: Duration::from_secs(30),
    // earlier than the system's two hours and more, since firewalls forget sooner: a server that is gone without a word is
    // known to be after two minutes
    keepalives_idle: Duration::from_secs(60),
    keepalives_interval: Duration::from_secs(10),
    keepalives_count: 6,
};

/// Why there is no usable [`Config`]; names what is at fault and never quotes a value, which may be a password.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing says where the database is.
    #[error("no database is named")]
    None,
    /// What is said of the connection cannot be used.
    #[error(transparent)]
    Connection(#[from] libpq_config::Error),
    /// No password: what stands there may be the password itself, and is not quoted.
    #[error("cannot use the file that --password-file names: {0}")]
    PasswordFile(String),
    /// A file of Synapse's configuration that cannot be used.
    #[error("cannot use {} (--synapse-config): {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Synapse's configuration does not say where its database is.
    #[error("cannot take the database from --synapse-config: {0}")]
    Homeserver(String),
    /// A small server.
    #[error("Synapse's database is SQLite according to --synapse-config, and synapse-export reads PostgreSQL")]
    Sqlite,
}

impl Error {
    /// What helps, where the error does not say it itself.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Error::None => Some(
                "give --database (or SYNAPSE_EXPORT_DATABASE) a postgres:// URL or a key=value string, or --synapse-config Synapse's homeserver.yaml, or set PGHOST, PGDATABASE or PGSERVICE",
            ),
            Error::Sqlite => Some("move it with Synapse's synapse_port_db first"),
            Error::Connection(error) => error.hint(),
            Error::PasswordFile(_) | Error::File { .. } | Error::Homeserver(_) => None,
        }
    }
}

impl Config {
    /// Completes a connection string with what the environment says where it is silent.
    pub fn new(database: Option<&str>, env: impl Fn(&str) -> Option<String>) -> Result<Config, Error> {
        Config::read(DatabaseFlags { database, ..DatabaseFlags::default() }, env)
    }

    /// Takes each parameter from the first that has it: flags, a service, the environment, Synapse's configuration,
    /// libpq's defaults.
    pub fn read(flags: DatabaseFlags, env: impl Fn(&str) -> Option<String>) -> Result<Config, Error> {
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        let mut warnings = Vec::new();
        let mut parameters = flags.database.map(Parameters::from_connection_string).transpose()?.unwrap_or_default();
        if let Some(path) = flags.password_file {
            let password = read_password(path)?;
            warnings.extend(open_to_others(path));
            parameters.insert("password", password, "--password-file")?;
        }
        let environment = Parameters::from_environment(&env)?;
        if let Some(name) = parameters.get("service").or(environment.get("service")) {
            let (service, path) = Parameters::from_service(name, &env)?;
            if service.holds_password() {
                warnings.extend(open_to_others(&path));
            }
            parameters.fill(service);
        }
        parameters.fill(environment);
        if !flags.synapse_config.is_empty() {
            let (mut synapse, with_password) = homeserver::read(flags.synapse_config)?;
            warnings.extend(with_password.iter().filter_map(|path| open_to_others(path)));
            // an address belongs to its host, and a password to its user
            if parameters.has("host") || parameters.has("hostaddr") {
                synapse.remove(&["host", "hostaddr"]);
            }
            if parameters.has("user") {
                synapse.remove(&["password", "passfile"]);
            }
            parameters.fill(synapse);
        } else if flags.database.is_none()
            && !["host", "hostaddr", "dbname", "service"].iter().any(|name| parameters.has(name))
        {
            return Err(Error::None);
        }
        let (connection, warning) = Connection::new(&parameters, &DEFAULTS, &env)?;
        warnings.extend(warning);
        Ok(Config { connection, retry_for: RETRY_FOR, connections: CONNECTIONS, warnings })
    }

    /// Which database it is, without user and password: host and name.
    #[must_use]
    pub fn name(&self) -> String {
        let server = self.connection.servers.first();
        let database = server.and_then(|server| server.postgres.get_dbname()).unwrap_or_default();
        let host = server.map(|server| &*server.name).unwrap_or_default();
        format!("{database} on {host}")
    }

    /// The same, giving up sooner or later than after [`RETRY_FOR`].
    #[must_use]
    pub fn retrying_for(self, retry_for: Duration) -> Config {
        Config { retry_for, ..self }
    }

    /// With so many connections at the most, two at the least: one of them may be needed for a question while another reads.
    #[must_use]
    pub fn with_connections(self, connections: usize) -> Config {
        Config { connections: connections.max(2), ..self }
    }

    /// The same, with no address tried for longer than this.
    #[must_use]
    pub fn connecting_within(mut self, limit: Duration) -> Config {
        for server in &mut self.connection.servers {
            let given = server.postgres.get_connect_timeout().copied();
            server.postgres.connect_timeout(given.map_or(limit, |given| given.min(limit)));
        }
        self
    }

    /// What the user should know before the connection is made.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// The first line of a file that holds nothing but a password.
fn read_password(path: &Path) -> Result<String, Error> {
    let unusable = Error::PasswordFile;
    let text = std::fs::read_to_string(path).map_err(|e| unusable(e.to_string()))?;
    let password = text.lines().next().unwrap_or_default();
    if password.is_empty() { Err(unusable("its first line is empty".to_owned())) } else { Ok(password.to_owned()) }
}
