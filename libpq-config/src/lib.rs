//! Where a PostgreSQL database is: connection strings, `PG*` variables, service files and password files, with libpq's
//! meaning (PostgreSQL manual, "Database Connection Control Functions"), for use with tokio-postgres.
//!
//! [`Parameters`] are read from one place each, put over each other by the caller in the order it wants, and completed
//! into a [`Connection`]. The environment is handed in as a function; files are read, hosts are not looked up. Never
//! connects, never keeps a password where `Debug` or an error would show it, and takes no parameter that promises what it
//! does not do.

mod connection_string;
mod error;
mod parameters;
mod password_file;
mod server;
mod service;
#[cfg(test)]
mod tests;
mod tls;

use std::path::PathBuf;

pub use error::Error;
pub use parameters::Parameters;
pub use password_file::open_to_others;
pub use server::{Defaults, Server, SessionAttributes};
pub use tls::{Identity, Roots, Tls, Verify};

/// Everything that the parameters say about connecting.
#[derive(Clone)]
pub struct Connection {
    /// The servers, in the order to be tried; at least one.
    pub servers: Vec<Server>,
    /// Which of them will do.
    pub session: SessionAttributes,
    /// How connections over a network are protected.
    pub tls: Tls,
}

impl Connection {
    /// Completes parameters with the password file that they or `HOME` name, the certificates in `~/.postgresql`, and
    /// libpq's defaults. Beside it comes the warning that a password file is not used, if there is one to give.
    pub fn new(
        parameters: &Parameters,
        defaults: &Defaults,
        env: &impl Fn(&str) -> Option<String>,
    ) -> Result<(Connection, Option<String>), Error> {
        let tls = Tls::new(parameters, env)?;
        let (passwords, warning) = match passwords(parameters, env) {
            Ok(passwords) => (passwords, None),
            Err(warning) => (None, Some(warning)),
        };
        let servers = server::servers(parameters, defaults, passwords.as_deref(), &tls)?;
        Ok((Connection { servers, session: server::session(parameters)?, tls }, warning))
    }
}

/// What `passfile` or `~/.pgpass` holds, if it is needed.
fn passwords(parameters: &Parameters, env: &impl Fn(&str) -> Option<String>) -> Result<Option<String>, String> {
    if parameters.get("password").is_some() {
        return Ok(None);
    }
    let path = parameters.get("passfile").map(PathBuf::from);
    let path = path.or_else(|| env("HOME").map(|home| PathBuf::from(home).join(".pgpass")));
    path.map_or(Ok(None), |path| password_file::read(&path))
}
