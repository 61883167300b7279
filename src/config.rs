//! Where the database is: what flags, `PG*` variables, `~/.pgpass`, `pg_service.conf` and Synapse's own configuration say,
//! with libpq's meaning.
//!
//! The environment is handed in; the files it and the flags name are read. Never keeps a password where `Debug` or an
//! error would show it.

mod connection_string;
mod homeserver;
mod parameters;
mod password_file;
mod server;
mod service;
#[cfg(test)]
mod tests;
mod tls;

use std::path::{Path, PathBuf};
use std::time::Duration;

use parameters::Parameters;
pub(crate) use server::{Server, SessionAttributes};
pub(crate) use tls::{Identity, Roots, Tls, Verify};

/// What the command line says about the database.
#[derive(Clone, Copy, Default)]
pub struct Flags<'a> {
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
    pub(crate) servers: Vec<Server>,
    pub(crate) session: SessionAttributes,
    pub(crate) tls: Tls,
    pub(crate) retry_for: Duration,
    pub(crate) connections: usize,
    warnings: Vec<String>,
}

/// How long what fails for a while only is tried again without getting further, unless told otherwise.
pub const RETRY_FOR: Duration = Duration::from_secs(120);

/// How many connections there are at the most, unless told otherwise.
pub const CONNECTIONS: usize = 2;

/// Why there is no usable [`Config`]; names what is at fault and never quotes a value, which may be a password.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing says where the database is.
    #[error(
        "no database is named: give --database (or SYNAPSE_EXPORT_DATABASE) a postgres:// URL or a key=value string, or --synapse-config Synapse's homeserver.yaml, or set PGHOST, PGDATABASE or PGSERVICE"
    )]
    None,
    /// The connection string is not one.
    #[error("the database's connection string is malformed: {0}")]
    Malformed(String),
    /// A key that libpq does not know either.
    #[error("unknown connection parameter '{key}' in {place}: correct or remove it")]
    Unknown {
        /// The key.
        key: String,
        /// Where it was found.
        place: String,
    },
    /// A parameter of libpq's that is not implemented.
    #[error("the connection parameter '{key}' ({place}) is not supported{}: remove it", only(harmless))]
    Unsupported {
        /// The key.
        key: &'static str,
        /// Where it was found.
        place: String,
        /// The values that may stand.
        harmless: &'static [&'static str],
    },
    /// A value that cannot be.
    #[error("the connection parameter '{key}' must be {expected}")]
    Value {
        /// The key.
        key: &'static str,
        /// What it could be.
        expected: &'static str,
    },
    /// Lists that do not match.
    #[error("'{0}' must have one value, or as many as there are hosts")]
    Count(&'static str),
    /// Nothing to check certificates against.
    #[error(
        "sslmode verify-ca and verify-full need trusted certificates: give sslrootcert a file (or put it at ~/.postgresql/root.crt), or sslrootcert=system for the system's"
    )]
    NoRoots,
    /// All the world's CAs, and any host.
    #[error("sslrootcert=system needs sslmode=verify-full: anybody can have a certificate of a public authority")]
    WeakMode,
    /// A file that cannot be used.
    #[error("cannot use {} ({key}): {problem}", path.display())]
    File {
        /// Which option or variable names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// No password: what stands there may be the password itself, and is not quoted.
    #[error("cannot use the file that --password-file names: {0}")]
    PasswordFile(String),
    /// Synapse's configuration does not say where its database is.
    #[error("cannot take the database from --synapse-config: {0}")]
    Homeserver(String),
    /// A small server.
    #[error(
        "Synapse's database is SQLite according to --synapse-config, and synapse-export reads PostgreSQL: move it with Synapse's synapse_port_db first"
    )]
    Sqlite,
}

fn only(harmless: &[&str]) -> String {
    if harmless.is_empty() { String::new() } else { format!(" but as {}", harmless.join(" or ")) }
}

impl Config {
    /// Completes a connection string with what the environment says where it is silent.
    pub fn new(database: Option<&str>, env: impl Fn(&str) -> Option<String>) -> Result<Config, Error> {
        Config::read(Flags { database, ..Flags::default() }, env)
    }

    /// Takes each parameter from the first that has it: flags, a service, the environment, Synapse's configuration,
    /// libpq's defaults.
    pub fn read(flags: Flags, env: impl Fn(&str) -> Option<String>) -> Result<Config, Error> {
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        let mut warnings = Vec::new();
        let mut parameters = flags.database.map(connection_string::parse).transpose()?.unwrap_or_default();
        if let Some(path) = flags.password_file {
            let password = read_password(path)?;
            warnings.extend(password_file::open_to_others(path));
            parameters.insert("password", password, "--password-file")?;
        }
        let environment = Parameters::from_environment(&env)?;
        if let Some(name) = parameters.get("service").or(environment.get("service")) {
            let (service, path) = service::read(name, &env)?;
            if service.holds_password() {
                warnings.extend(password_file::open_to_others(&path));
            }
            parameters.fill(service);
        }
        parameters.fill(environment);
        if !flags.synapse_config.is_empty() {
            let (mut synapse, with_password) = homeserver::read(flags.synapse_config)?;
            warnings.extend(with_password.iter().filter_map(|path| password_file::open_to_others(path)));
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
        let tls = Tls::new(&parameters, &env)?;
        let password_file = password_file_text(&parameters, &env, &mut warnings);
        let servers = server::servers(&parameters, password_file.as_deref(), &tls)?;
        Ok(Config {
            servers,
            session: server::session(&parameters)?,
            tls,
            retry_for: RETRY_FOR,
            connections: CONNECTIONS,
            warnings,
        })
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
        for server in &mut self.servers {
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

/// What `passfile` or `~/.pgpass` holds, if it is needed.
fn password_file_text(
    parameters: &Parameters,
    env: &impl Fn(&str) -> Option<String>,
    warnings: &mut Vec<String>,
) -> Option<String> {
    if parameters.get("password").is_some() {
        return None;
    }
    let path = parameters.get("passfile").map(PathBuf::from);
    let path = path.or_else(|| env("HOME").map(|home| PathBuf::from(home).join(".pgpass")))?;
    password_file::read(&path).unwrap_or_else(|warning| {
        warnings.push(warning);
        None
    })
}

/// The first line of a file that holds nothing but a password.
fn read_password(path: &Path) -> Result<String, Error> {
    let unusable = Error::PasswordFile;
    let text = std::fs::read_to_string(path).map_err(|e| unusable(e.to_string()))?;
    let password = text.lines().next().unwrap_or_default();
    if password.is_empty() { Err(unusable("its first line is empty".to_owned())) } else { Ok(password.to_owned()) }
}
