//! What a database is to the homeserver, primary, replica or logical subscriber, and how far behind it.
//!
//! Says what the server tells of itself; how far behind is too far is for who asks.

use std::time::Duration;

use tokio_postgres::error::SqlState;

use super::database::{Database, told};
use super::error::Error;
use super::schema;
use super::statements::{self, StandingRow, SubscribedRow};

/// What a database is to the homeserver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The homeserver writes to it.
    Primary,
    /// It follows another one, and is so far behind it; none when that cannot be told.
    Replica(Option<Duration>),
    /// Logical replication fills its tables, and is so far behind; none when that cannot be told.
    Subscriber(Option<Duration>),
}

impl Standing {
    /// How far behind the homeserver's database it is, as far as it can tell; none: it is that one.
    #[must_use]
    pub fn behind(self) -> Option<Option<Duration>> {
        match self {
            Standing::Primary => None,
            Standing::Replica(behind) | Standing::Subscriber(behind) => Some(behind),
        }
    }
}

impl Database {
    /// Whether this is a replica or a logical subscriber, and how far behind.
    pub async fn standing(&self) -> Result<Standing, Error> {
        match told(self.one(&statements::STANDING, &[]).await)? {
            Some(StandingRow { replica: false, .. }) => {
                let subscribed = self.subscribed().await?.unwrap_or_default();
                let behind = subscribed.iter().map(|table| table.behind.map(milliseconds)).collect::<Option<Vec<_>>>();
                let is_subscriber = !subscribed.is_empty();
                let slowest = behind.and_then(|behind| behind.into_iter().max());
                Ok(if is_subscriber { Standing::Subscriber(slowest) } else { Standing::Primary })
            }
            Some(StandingRow { replica: true, behind }) => Ok(Standing::Replica(behind.map(milliseconds))),
            None => Ok(Standing::Replica(None)),
        }
    }

    /// The tables which an export needs, and whose initial copy logical replication has yet to finish: rows of other tables may be
    /// there without theirs. None: the role may not see it.
    pub async fn copying(&self) -> Result<Option<Vec<String>>, Error> {
        let copying = |table: SubscribedRow| table.copying.then_some(table.name);
        Ok(self.subscribed().await?.map(|tables| tables.into_iter().filter_map(copying).collect()))
    }

    /// The tables that logical replication fills; none: the role may not see them.
    async fn subscribed(&self) -> Result<Option<Vec<SubscribedRow>>, Error> {
        let tables: Vec<&str> = schema::tables_read().collect();
        match self.all(&statements::SUBSCRIBED, &[&tables]).await {
            Err(Error::Query { source, .. }) if source.code().is_some_and(is_hidden) => Ok(None),
            answer => answer.map(Some),
        }
    }
}

/// Whether a server does not show its subscriptions, or knows none.
fn is_hidden(code: &SqlState) -> bool {
    [SqlState::INSUFFICIENT_PRIVILEGE, SqlState::UNDEFINED_TABLE, SqlState::FEATURE_NOT_SUPPORTED].contains(code)
}

fn milliseconds(milliseconds: i64) -> Duration {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default())
}
