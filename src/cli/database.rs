//! Which database: the options that all commands that read one share. Connects to none.

use std::path::PathBuf;
use std::time::Duration;

use super::lag::duration;
use crate::config::{Config, DatabaseFlags, Error};

/// Which database.
#[derive(clap::Args)]
pub(super) struct DatabaseArgs {
    /// The database: a postgres:// URL or key=value string; what it leaves out comes from the PG* variables. Best a
    /// replica, with the role of `sql/reader_role.sql`. Other users can see a password here: use ~/.pgpass
    #[arg(long, value_name = "URL", env = "SYNAPSE_EXPORT_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// A file whose first line is the database's password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Take what is said nowhere else from Synapse's homeserver.yaml, or a directory of such files; can be repeated
    #[arg(long, value_name = "FILE")]
    synapse_config: Vec<PathBuf>,
    /// How long to try again, without getting further, when the connection is lost or a replica cancels: 30s, 5m, 1h
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "2m")]
    retry_for: Duration,
    /// How many connections may be open at a time, 2 to 16; events are read over all of them, each with up to 20 MB of memory
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(2..=16), default_value = "2")]
    connections: u8,
}

impl DatabaseArgs {
    /// Synapse's own configuration.
    pub(super) fn synapse_config(&self) -> &[PathBuf] {
        &self.synapse_config
    }

    /// Where the database is; the user is told what is odd about it.
    pub(super) fn config(&self) -> Result<Config, Error> {
        let flags = DatabaseFlags {
            database: self.database.as_deref(),
            password_file: self.password_file.as_deref(),
            synapse_config: &self.synapse_config,
        };
        let config = Config::read(flags, |name| std::env::var(name).ok())?.retrying_for(self.retry_for);
        let config = config.with_connections(self.connections.into());
        for warning in config.warnings() {
            tracing::warn!("{warning}");
        }
        Ok(config)
    }
}
