//! What PostgreSQL said, as far as it may be shown.

use std::error::Error;
use std::fmt::{self, Write as _};

use tokio_postgres::error::SqlState;

use super::PoolerRefusal;

/// An error of PostgreSQL's, or of the way to it, without what it may quote of rows: PostgreSQL puts values into its DETAIL and
/// CONTEXT and, where it cannot read one, into the message itself.
pub struct Refusal(pub(super) tokio_postgres::Error);

/// Of the states whose messages quote values (PostgreSQL manual, "PostgreSQL Error Codes": data exception).
const DATA_EXCEPTION: &str = "22";

impl Refusal {
    /// PostgreSQL's code for it, whoever said it; none: it did not come from there.
    #[must_use]
    pub fn code(&self) -> Option<&SqlState> {
        self.pooler().and_then(PoolerRefusal::code).or_else(|| self.0.code())
    }

    /// What a pooler means by it.
    #[must_use]
    pub fn pooler(&self) -> Option<PoolerRefusal> {
        PoolerRefusal::of(&self.0)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(said) = self.0.as_db_error() else { return self.0.fmt(f) };
        let code = said.code().code();
        if code.starts_with(DATA_EXCEPTION) {
            return write!(f, "{}: a value cannot be read (SQLSTATE {code})", said.severity());
        }
        write!(f, "{}: {}", OneLine(said.severity()), OneLine(said.message()))?;
        said.hint().map_or(Ok(()), |hint| write!(f, " ({})", OneLine(hint)))
    }
}

/// What a server says, which must not begin a line of its own, nor tell a terminal what to do.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .chars()
            .try_for_each(|c| if c.is_control() { write!(f, "{}", c.escape_debug()) } else { f.write_char(c) })
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Refusal").field(&self.to_string()).finish()
    }
}

impl Error for Refusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // PostgreSQL's own words would be its only cause
        if self.0.as_db_error().is_some() { None } else { self.0.source() }
    }
}
