//! What PostgreSQL said, as far as it may be shown.

use std::error::Error;
use std::fmt;

use tokio_postgres::error::SqlState;

use super::PoolerRefusal;

/// An error of PostgreSQL's, or of the way to it, with its causes, on one line that shows a terminal nothing of what may be hidden
/// in it, without what it may quote of rows: PostgreSQL puts values into its DETAIL and
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

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Refusal").field(&self.to_string()).finish()
    }
}

// its causes are in its text
impl Error for Refusal {}

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
