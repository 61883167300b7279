//! Where the database is: a URL or key=value string as every PostgreSQL tool takes it, completed by libpq's variables.
//!
//! Pure: the environment is handed in. Never keeps a password where `Debug` would show it.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::config::SslMode;

/// How a connection is protected, with libpq's meaning (PostgreSQL manual, "SSL Mode Descriptions").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// Encrypted or not, whoever answers: `disable`, `prefer`, `require`.
    Nothing,
    /// The server's certificate comes from a trusted CA: `verify-ca`, and `require` with a root certificate.
    Authority,
    /// So it does, and it names the host: `verify-full`.
    Host,
}

/// Everything needed to connect.
#[derive(Clone)]
pub struct Config {
    /// What tokio-postgres knows of it.
    pub postgres: tokio_postgres::Config,
    /// What of the server's certificate is checked.
    pub verify: Verify,
    /// `sslrootcert`: a file of trusted CAs instead of the system's.
    pub root_certificate: Option<PathBuf>,
}

/// Why there is no usable [`Config`]; never quotes the string, which may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing says where the database is.
    #[error(
        "no database is named: give --database (or SYNAPSE_EXPORT_DATABASE) a postgres:// URL or a key=value string, or set PGHOST or PGDATABASE"
    )]
    None,
    /// The connection string is not one.
    #[error("the database's connection string is malformed: {0}")]
    Malformed(String),
    /// An `sslmode` that cannot be had.
    #[error("sslmode '{0}' is not supported: use disable, prefer, require, verify-ca or verify-full")]
    SslMode(String),
}

/// The keys that are ours to interpret, since tokio-postgres would refuse them or do less than asked.
const OURS: [&str; 2] = ["sslmode", "sslrootcert"];

impl Config {
    /// Completes a connection string with what the environment's `PG*` variables say where it is silent.
    pub fn new(database: Option<&str>, env: impl Fn(&str) -> Option<String>) -> Result<Config, Error> {
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        if database.is_none() && ["PGHOST", "PGHOSTADDR", "PGDATABASE"].iter().all(|name| env(name).is_none()) {
            return Err(Error::None);
        }
        let (rest, ours) = split(database.unwrap_or_default())?;
        // the parser's own message names the key at fault, never a value but that of a mistyped option
        let mut postgres: tokio_postgres::Config = rest.parse().map_err(|e: tokio_postgres::Error| {
            Error::Malformed(std::error::Error::source(&e).map_or_else(|| e.to_string(), ToString::to_string))
        })?;
        complete(&mut postgres, &env)?;
        let ours = |key: &str, variable: &str| {
            ours.iter().rfind(|(k, _)| k == key).map(|(_, value)| value.clone()).or_else(|| env(variable))
        };
        let root_certificate = ours("sslrootcert", "PGSSLROOTCERT").map(PathBuf::from);
        let mode = ours("sslmode", "PGSSLMODE").unwrap_or_else(|| "prefer".to_owned());
        let (ssl_mode, verify) = match mode.as_str() {
            "disable" => (SslMode::Disable, Verify::Nothing),
            "prefer" => (SslMode::Prefer, Verify::Nothing),
            "require" if root_certificate.is_some() => (SslMode::Require, Verify::Authority),
            "require" => (SslMode::Require, Verify::Nothing),
            "verify-ca" => (SslMode::Require, Verify::Authority),
            "verify-full" => (SslMode::Require, Verify::Host),
            _ => return Err(Error::SslMode(mode)),
        };
        postgres.ssl_mode(ssl_mode);
        Ok(Config { postgres, verify, root_certificate })
    }
}

/// Fills in what the string leaves out: from the environment, else as libpq does.
fn complete(postgres: &mut tokio_postgres::Config, env: &impl Fn(&str) -> Option<String>) -> Result<(), Error> {
    if postgres.get_hosts().is_empty() && postgres.get_hostaddrs().is_empty() {
        match env("PGHOST").or_else(|| env("PGHOSTADDR")) {
            Some(hosts) => {
                for host in hosts.split(',') {
                    postgres.host(host);
                }
            }
            None => {
                postgres.host("/var/run/postgresql");
            }
        }
    }
    if postgres.get_ports().is_empty()
        && let Some(ports) = env("PGPORT")
    {
        for port in ports.split(',') {
            postgres.port(port.parse().map_err(|_| Error::Malformed("PGPORT is no port number".to_owned()))?);
        }
    }
    if postgres.get_user().is_none()
        && let Some(user) = env("PGUSER").or_else(|| env("USER")).or_else(|| env("LOGNAME"))
    {
        postgres.user(user);
    }
    if postgres.get_password().is_none()
        && let Some(password) = env("PGPASSWORD")
    {
        postgres.password(password);
    }
    if postgres.get_dbname().is_none()
        && let Some(name) = env("PGDATABASE")
    {
        postgres.dbname(name);
    }
    if postgres.get_connect_timeout().is_none() {
        let seconds = env("PGCONNECT_TIMEOUT").and_then(|seconds| seconds.parse().ok()).filter(|&s| s > 0);
        postgres.connect_timeout(Duration::from_secs(seconds.unwrap_or(30)));
    }
    Ok(())
}

/// Splits [`OURS`] off a connection string.
fn split(database: &str) -> Result<(String, Vec<(String, String)>), Error> {
    if database.starts_with("postgres://") || database.starts_with("postgresql://") {
        let Some((base, query)) = database.split_once('?') else { return Ok((database.to_owned(), Vec::new())) };
        let (ours, rest): (Vec<_>, Vec<_>) =
            query.split('&').partition(|pair| OURS.contains(&pair.split('=').next().unwrap_or_default()));
        let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        let ours =
            ours.iter().filter_map(|pair| pair.split_once('=')).map(|(key, value)| (key.to_owned(), decode(value)));
        let question = if rest.is_empty() { "" } else { "?" };
        return Ok((format!("{base}{question}{}", rest.join("&")), ours.collect()));
    }
    let mut rest = String::new();
    let mut ours = Vec::new();
    for (key, value) in key_values(database)? {
        if OURS.contains(&key.as_str()) {
            ours.push((key, value));
        } else {
            let _ = write!(rest, "{key}='{}' ", value.replace('\\', r"\\").replace('\'', r"\'"));
        }
    }
    Ok((rest, ours))
}

/// Reads `key = value 'quoted \' value'` pairs (PostgreSQL manual, "Keyword/Value Connection Strings").
fn key_values(text: &str) -> Result<Vec<(String, String)>, Error> {
    let mut pairs = Vec::new();
    let mut chars = text.trim().chars().peekable();
    while chars.peek().is_some() {
        let mut key = String::new();
        while let Some(c) = chars.next_if(|c| *c != '=' && !c.is_whitespace()) {
            key.push(c);
        }
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if key.is_empty() || chars.next() != Some('=') {
            return Err(Error::Malformed("it is neither a postgres:// URL nor key=value pairs".to_owned()));
        }
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        let quoted = chars.next_if_eq(&'\'').is_some();
        let mut value = String::new();
        loop {
            match chars.next() {
                Some('\\') => value.extend(chars.next()),
                Some('\'') if quoted => break,
                Some(c) if !quoted && c.is_whitespace() => break,
                Some(c) => value.push(c),
                None if quoted => return Err(Error::Malformed(format!("the value of '{key}' has no closing quote"))),
                None => break,
            }
        }
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        pairs.push((key, value));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_postgres::config::Host;

    fn config(database: &str, env: &[(&str, &str)]) -> Result<Config, Error> {
        let database = (!database.is_empty()).then_some(database);
        Config::new(database, |name| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn urls_and_key_values_say_the_same() {
        for database in [
            "postgres://reader:s%20'cret@db.example.org:5433/synapse?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem",
            r"host=db.example.org port = 5433 user=reader password='s \'cret' dbname=synapse sslmode=verify-full sslrootcert=/etc/ca.pem",
        ] {
            let config = config(database, &[("PGPORT", "1"), ("PGUSER", "other"), ("PGSSLMODE", "disable")]).unwrap();
            assert_eq!(config.postgres.get_hosts(), [Host::Tcp("db.example.org".into())]);
            assert_eq!(config.postgres.get_ports(), [5433]);
            assert_eq!(config.postgres.get_user(), Some("reader"));
            assert_eq!(config.postgres.get_password(), Some(&b"s 'cret"[..]));
            assert_eq!(config.postgres.get_dbname(), Some("synapse"));
            assert_eq!((config.postgres.get_ssl_mode(), config.verify), (SslMode::Require, Verify::Host));
            assert_eq!(config.root_certificate, Some("/etc/ca.pem".into()));
        }
    }

    #[test]
    fn the_environment_fills_what_is_left_out() {
        let env =
            [("PGHOST", "/run/pg"), ("PGPORT", "6000"), ("PGUSER", "u"), ("PGDATABASE", "d"), ("PGPASSWORD", "p")];
        let config = config("", &env).unwrap();
        assert_eq!(config.postgres.get_hosts(), [Host::Unix("/run/pg".into())]);
        assert_eq!(config.postgres.get_ports(), [6000]);
        assert_eq!((config.postgres.get_user(), config.postgres.get_dbname()), (Some("u"), Some("d")));
        assert_eq!(config.postgres.get_password(), Some(&b"p"[..]));
        assert_eq!((config.postgres.get_ssl_mode(), config.verify), (SslMode::Prefer, Verify::Nothing));
    }

    #[test]
    fn bad_strings_are_refused_without_quoting_them() {
        for database in
            ["nonsense secret", "host=a password='secret", "postgres://u:secret@h:port/d", "host=h sslmode=allow"]
        {
            let error = config(database, &[]).err().unwrap();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        assert!(matches!(config("", &[]), Err(Error::None)));
    }
}
