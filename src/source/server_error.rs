//! What PostgreSQL, or what stands in its place, said when it refused: as far as it may be shown, whether it passes, what helps.
//!
//! Never shows what may quote a row, nor what a terminal would take for a command.

use std::error::Error;
use std::{fmt, io};

use tokio_postgres::error::SqlState;

use super::pooler::PoolerRefusal;

/// An error of PostgreSQL's, or of the way to it, with its causes, on one line that shows a terminal nothing of what may be hidden
/// in it, without what it may quote of rows: PostgreSQL puts values into its DETAIL and
/// CONTEXT and, where it cannot read one, into the message itself.
pub struct ServerError(pub(super) tokio_postgres::Error);

const CHECK_THE_PASSWORD: &str =
    "check the password: --password-file, PGPASSWORD or ~/.pgpass; set it with: psql -c '\\password synapse_export'";

/// What helps where no server is reached.
pub const CHECK_THE_WAY: &str = "check host, port, sslmode and certificates, and that PostgreSQL listens there and lets this machine in (listen_addresses, pg_hba.conf, firewalls)";

/// Of the states whose messages quote values (PostgreSQL manual, "PostgreSQL Error Codes": data exception).
const DATA_EXCEPTION: &str = "22";

impl From<tokio_postgres::Error> for ServerError {
    fn from(error: tokio_postgres::Error) -> ServerError {
        ServerError(error)
    }
}

impl ServerError {
    /// PostgreSQL's code for it, whoever said it; none: it did not come from there.
    #[must_use]
    pub fn code(&self) -> Option<&SqlState> {
        self.pooler().and_then(PoolerRefusal::code).or_else(|| self.0.code())
    }

    /// What helps against it, if it does not pass by itself.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self.pooler() {
            Some(PoolerRefusal::Mode) => {
                return "a pooler in the mode statement gives each statement another connection, so that nothing can be read as one: connect to PostgreSQL itself, or have a database with pool_mode = transaction or session in pgbouncer.ini";
            }
            Some(PoolerRefusal::Parameter) => {
                return "leave it out of the connection string (options, PGOPTIONS), and set for the role what it asks for: ALTER ROLE ... SET; or connect to PostgreSQL itself";
            }
            Some(PoolerRefusal::Encryption) => return "the pooler wants encryption: set sslmode=require or better",
            Some(PoolerRefusal::Login | PoolerRefusal::Database) | None => {}
        }
        match self.code() {
            // the server asks for one, and there is none
            None if self.to_string().ends_with("password missing") => CHECK_THE_PASSWORD,
            None => CHECK_THE_WAY,
            Some(code) if *code == SqlState::INVALID_PASSWORD => CHECK_THE_PASSWORD,
            Some(code) if *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
                "check that the role exists (sql/reader_role.sql makes one), and that pg_hba.conf has a line that lets it in from here"
            }
            Some(code) if *code == SqlState::UNDEFINED_DATABASE => {
                "check the database's name: it stands in Synapse's homeserver.yaml, and --synapse-config takes it from there"
            }
            Some(_) => "see what PostgreSQL's own log says about it",
        }
    }

    /// Whether the same may work later, see [`passes`].
    pub(super) fn passes(&self, is_right: bool) -> bool {
        passes(&self.0, is_right)
    }

    /// What a pooler means by it.
    #[must_use]
    pub fn pooler(&self) -> Option<PoolerRefusal> {
        PoolerRefusal::of(&self.0)
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(said) = self.0.as_db_error() else {
            let first: &(dyn Error + 'static) = &self.0;
            let causes = std::iter::successors(Some(first), |error| (**error).source());
            return f.write_str(&on_one_line(&causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")));
        };
        let code = on_one_line(said.code().code());
        if code.starts_with(DATA_EXCEPTION) {
            return write!(f, "{}: a value cannot be read (SQLSTATE {code})", said.severity());
        }
        write!(f, "{}: {}", on_one_line(said.severity()), on_one_line(said.message()))?;
        said.hint().map_or(Ok(()), |hint| write!(f, " ({})", on_one_line(hint)))
    }
}

impl fmt::Debug for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServerError").field(&self.to_string()).finish()
    }
}

// its causes are in its text
impl Error for ServerError {}

/// How much is shown of one thing that a server said, in characters.
const SHOWN: usize = 1_000;

/// What a server said, as a line may show it: it may be anything, up to a line that looks like one of ours.
fn on_one_line(said: &str) -> String {
    let mut shown = String::new();
    for c in said.chars().take(SHOWN) {
        match c {
            '"' | '\'' | '\\' => shown.push(c),
            c => shown.extend(c.escape_debug()),
        }
    }
    if said.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// Whether the same may work later: the server is starting or stopping, has no connection to spare, has lost the
/// connection, or had to cancel the statement for something more important. `is_right`: the address is no mistake, so that
/// one that leads nowhere now may lead there later.
pub(super) fn passes(error: &tokio_postgres::Error, is_right: bool) -> bool {
    if let Some(code) = error.code() {
        if PoolerRefusal::of(error).is_some() {
            return false;
        }
        return code.code().starts_with("08") || TRANSIENT.contains(&code.code());
    }
    // invalid data: the server says what no PostgreSQL says, or more than is taken in
    let of_the_way = |kind| {
        !matches!(kind, io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidData)
            && (is_right || is_of_the_way(kind))
    };
    error.is_closed() || io_error(error).is_some_and(of_the_way)
}

/// The states that pass (PostgreSQL manual, "PostgreSQL Error Codes"), beside the whole class of connection errors.
const TRANSIENT: [&str; 10] = [
    "40001", // also a conflict with recovery, in a statement or between two of them
    "40P01", // deadlock
    "57P01", // shut down, or ended by an administrator
    "57P02", // crashed
    "57P03", // starting up, or stopping
    "57P05", // idle_session_timeout
    "25P03", // idle_in_transaction_session_timeout
    "25P04", // transaction_timeout
    "53300", // no connection to spare
    "55P03", // lock_timeout
];

/// What the operating system said, if it is the cause.
fn io_error(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    let own = error.downcast_ref().map(io::Error::kind);
    own.or_else(|| io_error(error.source()?))
}

fn is_of_the_way(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as K;
    matches!(
        kind,
        K::ConnectionRefused
            | K::ConnectionReset
            | K::ConnectionAborted
            | K::BrokenPipe
            | K::UnexpectedEof
            | K::TimedOut
            | K::HostUnreachable
            | K::NetworkUnreachable
            | K::NetworkDown
    )
}
