//! What a pooler says when it turns away or gives up: PgBouncer has one code for nearly everything (08P01), so that its words
//! must tell.

use tokio_postgres::error::SqlState;

/// Why a pooler, and not PostgreSQL, refuses for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolerRefusal {
    /// Who logs in, or the password.
    Login,
    /// It has no such database.
    Database,
    /// A parameter that it does not pass on.
    Parameter,
    /// Each statement may meet another connection: no transactions.
    Mode,
    /// It wants encryption.
    Encryption,
}

/// The words of PgBouncer (1.18), in lower case, and of PostgreSQL where it passes them on.
const SAID: [(&str, PoolerRefusal); 13] = [
    ("statement pooling mode", PoolerRefusal::Mode),
    ("unsupported startup parameter", PoolerRefusal::Parameter),
    ("no such database", PoolerRefusal::Database),
    ("no such user", PoolerRefusal::Login),
    ("authentication failed", PoolerRefusal::Login),
    ("authentication method", PoolerRefusal::Login),
    ("password type", PoolerRefusal::Login),
    ("empty password", PoolerRefusal::Login),
    ("login rejected", PoolerRefusal::Login),
    ("role \"", PoolerRefusal::Login),
    ("user \"", PoolerRefusal::Login),
    ("ssl required", PoolerRefusal::Encryption),
    ("does not exist", PoolerRefusal::Database),
];

impl PoolerRefusal {
    /// What an error of PostgreSQL's protocol stands for; none: it is another error, or one that passes.
    pub(super) fn of(error: &tokio_postgres::Error) -> Option<PoolerRefusal> {
        let said = error.as_db_error().filter(|said| *said.code() == SqlState::PROTOCOL_VIOLATION)?;
        Self::said(said.message())
    }

    fn said(message: &str) -> Option<PoolerRefusal> {
        let message = message.to_lowercase();
        SAID.iter().find(|(part, _)| message.contains(part)).map(|(_, refusal)| *refusal)
    }

    /// The code that PostgreSQL has for it; none: it knows no such thing.
    pub(super) fn code(self) -> Option<&'static SqlState> {
        static PASSWORD: SqlState = SqlState::INVALID_PASSWORD;
        static DATABASE: SqlState = SqlState::UNDEFINED_DATABASE;
        static ENCRYPTION: SqlState = SqlState::INVALID_AUTHORIZATION_SPECIFICATION;
        match self {
            PoolerRefusal::Login => Some(&PASSWORD),
            PoolerRefusal::Database => Some(&DATABASE),
            PoolerRefusal::Encryption => Some(&ENCRYPTION),
            PoolerRefusal::Parameter | PoolerRefusal::Mode => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_from_what_passes() {
        use PoolerRefusal as R;
        for (message, refusal) in [
            ("password authentication failed", Some(R::Login)),
            ("SASL authentication failed", Some(R::Login)),
            ("no such user: alice", Some(R::Login)),
            ("server login failed: FATAL password authentication failed for user \"a\"", Some(R::Login)),
            ("no such database: synapse", Some(R::Database)),
            ("database \"synapse\" does not exist", Some(R::Database)),
            ("unsupported startup parameter: options", Some(R::Parameter)),
            ("transaction blocks not allowed in statement pooling mode", Some(R::Mode)),
            ("SSL required", Some(R::Encryption)),
            ("query_wait_timeout", None),
            ("no more connections allowed (max_client_conn)", None),
            ("server conn crashed?", None),
            ("server login has been failing, try again later (server_login_retry)", None),
            ("client_login_timeout (server down)", None),
            ("pgbouncer cannot connect to server", None),
            ("server_lifetime", None),
            ("database \"synapse\" is disabled", None),
        ] {
            assert_eq!(R::said(message), refusal, "{message}");
        }
    }
}
