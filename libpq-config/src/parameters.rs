//! libpq's connection parameters: their names, their environment variables, and which we read.
//!
//! A parameter that would promise something we do not do is refused, never passed over.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::{Error, connection_string, service};

/// A parameter of libpq (PostgreSQL manual, "Parameter Key Words").
struct Keyword {
    name: &'static str,
    /// Its environment variable, if any.
    variable: &'static str,
    /// None: we read it. Else the values that ask for nothing but what we do anyway; all others are refused.
    harmless: Option<&'static [&'static str]>,
}

const fn read(name: &'static str, variable: &'static str) -> Keyword {
    Keyword { name, variable, harmless: None }
}

const fn only(name: &'static str, variable: &'static str, harmless: &'static [&'static str]) -> Keyword {
    Keyword { name, variable, harmless: Some(harmless) }
}

const KEYWORDS: &[Keyword] = &[
    read("host", "PGHOST"),
    read("hostaddr", "PGHOSTADDR"),
    read("port", "PGPORT"),
    read("dbname", "PGDATABASE"),
    read("user", "PGUSER"),
    read("password", "PGPASSWORD"),
    read("passfile", "PGPASSFILE"),
    read("service", "PGSERVICE"),
    read("options", "PGOPTIONS"),
    read("application_name", "PGAPPNAME"),
    read("fallback_application_name", ""),
    read("connect_timeout", "PGCONNECT_TIMEOUT"),
    read("keepalives", ""),
    read("keepalives_idle", ""),
    read("keepalives_interval", ""),
    read("keepalives_count", ""),
    read("tcp_user_timeout", ""),
    read("target_session_attrs", "PGTARGETSESSIONATTRS"),
    read("channel_binding", "PGCHANNELBINDING"),
    read("sslmode", "PGSSLMODE"),
    read("sslrootcert", "PGSSLROOTCERT"),
    read("sslcert", "PGSSLCERT"),
    read("sslkey", "PGSSLKEY"),
    read("sslpassword", ""),
    only("sslnegotiation", "PGSSLNEGOTIATION", &["postgres"]),
    only("sslsni", "PGSSLSNI", &["1"]),
    only("sslcertmode", "PGSSLCERTMODE", &["allow"]),
    // libpq has ignored it since PostgreSQL 14
    only("sslcompression", "PGSSLCOMPRESSION", &["0", "1"]),
    only("sslcrl", "PGSSLCRL", &[]),
    only("sslcrldir", "PGSSLCRLDIR", &[]),
    only("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", &["TLSv1.2"]),
    only("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION", &[]),
    only("requiressl", "PGREQUIRESSL", &["0"]),
    only("requirepeer", "PGREQUIREPEER", &[]),
    only("require_auth", "PGREQUIREAUTH", &[]),
    // "prefer" is libpq's default, and goes on without GSSAPI where there is none
    only("gssencmode", "PGGSSENCMODE", &["disable", "prefer"]),
    only("gssdelegation", "PGGSSDELEGATION", &["0"]),
    only("krbsrvname", "PGKRBSRVNAME", &["postgres"]),
    only("gsslib", "PGGSSLIB", &[]),
    only("client_encoding", "PGCLIENTENCODING", &["UTF8", "utf8", "UTF-8", "utf-8", "auto"]),
    only("load_balance_hosts", "PGLOADBALANCEHOSTS", &["disable"]),
    only("replication", "", &["0", "false", "off", "no"]),
];

/// Parameters by name, from one place or from several, the more important first.
#[derive(Default)]
pub struct Parameters(BTreeMap<&'static str, String>);

impl Parameters {
    /// What a connection string says: a `postgres://` URL or `key=value` pairs.
    pub fn from_connection_string(text: &str) -> Result<Parameters, Error> {
        connection_string::parse(text)
    }

    /// What a service of `pg_service.conf` stands for, and the file it is from: `PGSERVICEFILE` or `~/.pg_service.conf`, else
    /// the system's.
    pub fn from_service(name: &str, env: &impl Fn(&str) -> Option<String>) -> Result<(Parameters, PathBuf), Error> {
        service::read(name, env)
    }

    /// Takes a parameter as a user wrote it; `place` is how an error names where that was.
    pub fn insert(&mut self, name: &str, value: String, place: &str) -> Result<(), Error> {
        let keyword = KEYWORDS.iter().find(|keyword| keyword.name == name);
        let unknown = || Error::Unknown { key: name.escape_debug().to_string(), place: place.to_owned() };
        let keyword = keyword.ok_or_else(unknown)?;
        match keyword.harmless {
            None => {
                self.0.insert(keyword.name, value);
                Ok(())
            }
            Some(harmless) if value.is_empty() || harmless.contains(&value.as_str()) => Ok(()),
            Some(harmless) => Err(Error::Unsupported { key: keyword.name, place: place.to_owned(), harmless }),
        }
    }

    /// What the environment's `PG*` variables say.
    pub fn from_environment(env: &impl Fn(&str) -> Option<String>) -> Result<Parameters, Error> {
        let mut parameters = Parameters::default();
        for keyword in KEYWORDS.iter().filter(|keyword| !keyword.variable.is_empty()) {
            if let Some(value) = env(keyword.variable) {
                parameters.insert(keyword.name, value, keyword.variable)?;
            }
        }
        Ok(parameters)
    }

    /// Adds what `other` says where these are silent.
    pub fn fill(&mut self, other: Parameters) {
        for (name, value) in other.0 {
            self.0.entry(name).or_insert(value);
        }
    }

    /// Takes out what is said of these.
    pub fn remove(&mut self, names: &[&str]) {
        self.0.retain(|name, _| !names.contains(name));
    }

    /// Whether something is said, be it that the default holds.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Whether a password is among them.
    #[must_use]
    pub fn holds_password(&self) -> bool {
        self.has("password") || self.has("sslpassword")
    }

    /// A parameter's value; an empty one stands for the default.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A parameter that is a whole number, of 32 bits as in libpq.
    pub(crate) fn number(&self, name: &'static str) -> Result<Option<i32>, Error> {
        let expected = "a number from -2147483648 to 2147483647";
        let number = |value: &str| value.trim().parse().map_err(|_| Error::Value { key: name, expected });
        self.get(name).map(number).transpose()
    }

    /// A parameter that is one of a few words.
    pub(crate) fn choice<T: Copy>(
        &self,
        name: &'static str,
        choices: &[(&str, T)],
        expected: &'static str,
    ) -> Result<Option<T>, Error> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let found = choices.iter().find(|(word, _)| *word == value);
        found.map(|(_, choice)| Some(*choice)).ok_or(Error::Value { key: name, expected })
    }
}
