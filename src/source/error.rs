//! Why a database could not be read, whether the same may work later, and what helps.
//!
//! Says what was asked and what PostgreSQL answered; never quotes a row, a password or a statement's parameters.

use tokio_postgres::error::SqlState;

use super::server_error::ServerError;

/// Why the database could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The certificates asked for cannot be used.
    #[error("cannot set up TLS: {0}")]
    Tls(String),
    /// No connection.
    #[error("cannot connect to the database ({target})")]
    Connect {
        /// Which one: hosts, ports, name, user, and what those before the last host said.
        target: String,
        /// One of the hosts may be there again later.
        transient: bool,
        /// What the system or PostgreSQL said of the last.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A statement failed.
    #[error("cannot read from the database ({statement})")]
    Query {
        /// The statement's file in `sql/`.
        statement: &'static str,
        /// What PostgreSQL said.
        #[source]
        source: ServerError,
    },
    /// The server is there, or something in between, and says nothing.
    #[error("no answer from the database for {seconds} s ({statement})")]
    Silent {
        /// The statement's file in `sql/`.
        statement: &'static str,
        /// How long it was waited for.
        seconds: u64,
    },
    /// It sends what no PostgreSQL sends.
    #[error("refused what the database's server sends: {0}")]
    Excess(&'static str),
    /// What fails for a while only went on failing.
    #[error("gave up after {attempts} attempts in {seconds} s without getting further")]
    GaveUp {
        /// How often it was tried.
        attempts: u32,
        /// For how long.
        seconds: u64,
        /// What the last attempt met.
        #[source]
        source: Box<Error>,
    },
    /// This is no database of Synapse's, or the role may not read it.
    #[error(transparent)]
    Schema(#[from] Problem),
    /// The rows ended before they were said to: what reads them has died.
    #[error("reading from the database broke off")]
    BrokeOff,
    /// An alias no room has.
    #[error("no room has the alias {0}")]
    UnknownAlias(String),
    /// A room the server does not have.
    #[error("the server has no room {0}")]
    UnknownRoom(String),
}

impl Error {
    /// What comes of the error of a statement.
    pub(super) fn query(statement: &'static str) -> impl Fn(tokio_postgres::Error) -> Error + Copy {
        move |source| Error::Query { statement, source: ServerError(source) }
    }

    /// Whether the same may work later: the server is away, starting or stopping, or a replica that had to cancel the
    /// statement.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Error::Query { source, .. } => source.passes(true),
            Error::Connect { transient, .. } => *transient,
            Error::Silent { .. } | Error::GaveUp { .. } => true,
            _ => false,
        }
    }

    /// What helps, where there is more to say than the error says.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Connect { transient: false, source, .. } => source.downcast_ref::<ServerError>()?.hint(),
            Error::Excess(_) => "is it PostgreSQL, with nobody in between? See sslmode=verify-full",
            Error::GaveUp { source, .. } => source.hint_when_it_lasts()?,
            Error::UnknownAlias(_) | Error::UnknownRoom(_) => "`synapse-export rooms` lists them",
            Error::Schema(problem) => return problem.hint(),
            _ => return None,
        };
        Some(hint.to_owned())
    }

    /// What helps when it should pass, and does not.
    fn hint_when_it_lasts(&self) -> Option<&'static str> {
        let Error::Query { source, .. } = self else { return None };
        match source.code().map(SqlState::code) {
            Some("40001") => Some(
                "on a replica, set hot_standby_feedback = on or raise max_standby_streaming_delay, or export from another replica",
            ),
            Some("55P03") => {
                Some("something holds an exclusive lock on Synapse's tables, as an upgrade of Synapse does")
            }
            _ => None,
        }
    }
}

/// Why a database cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// Tables or columns are not there, with commas; and the role, quoted as SQL needs it.
    #[error("this is no Synapse database that can be exported: it has no {0}")]
    Missing(String, String),
    /// It is there, but not for this role.
    #[error("the role {role} may not read {tables}")]
    Unreadable {
        /// The tables, with commas.
        tables: String,
        /// The role, quoted as SQL needs it.
        role: String,
    },
    /// A bridge's database that is none, or whose store the role may not read.
    #[error(
        "this is no database of a bridge that encrypts: it has no crypto_megolm_inbound_session that the role may read"
    )]
    NoBridge,
    /// `stream_ordering` is no integer, or the like.
    #[error("the database answered with other types than Synapse's: {0}")]
    Unexpected(String),
}

impl Problem {
    /// What helps, as far as it can be told.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Problem::Missing(_, role) => Some(format!(
                "check the database's name, and that the role may use its schema (GRANT USAGE ON SCHEMA public TO {role})"
            )),
            Problem::Unreadable { tables, .. }
                if tables.contains("e2e_room_keys") || tables.contains("account_data") =>
            {
                Some("run sql/reader_role_keys.sql, which grants what keys need beside sql/reader_role.sql".to_owned())
            }
            Problem::Unreadable { tables, .. } if tables.contains("media") => Some(
                "run sql/reader_role_media.sql, which grants what media need beside sql/reader_role.sql".to_owned(),
            ),
            Problem::Unreadable { tables, role } => Some(format!(
                "run sql/reader_role.sql, which grants all that is needed; or, as the tables' owner, on the primary, run: GRANT SELECT ON {tables} TO {role};"
            )),
            Problem::NoBridge => {
                Some("check the database's name; sql/reader_role_bridge.sql makes a role that may read it".to_owned())
            }
            Problem::Unexpected(_) => None,
        }
    }
}
