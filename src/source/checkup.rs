//! What a look at the database's health needs: answers from PostgreSQL's catalogs, from small tables and from the start of an
//! index, so that they take no longer on a large server. Says what is there, not whether that is good.

use std::collections::BTreeMap;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::queries::{self, Statement};
use super::{Database, Error};

/// Who we are to PostgreSQL.
#[derive(Clone, Debug)]
pub struct Login {
    /// Of PostgreSQL, as it says it.
    pub server_version: String,
    /// The server's clock, milliseconds since the epoch.
    pub now: i64,
    /// The role may do anything.
    pub is_superuser: bool,
    /// The connection is a Unix socket.
    pub is_local: bool,
    /// Both ends of the connection say that it stays on this machine: neither a tunnel nor a pooler takes it elsewhere.
    pub is_loopback: bool,
    /// The connection's protocol and cipher.
    pub tls: Option<(String, String)>,
}

/// By what a database orders text.
#[derive(Clone, Debug)]
pub struct Collation {
    /// As `en_US.utf8`.
    pub name: String,
    /// Its version when the database was made, or when it was last said that its indexes are built anew; none: PostgreSQL does not
    /// say, or it has none.
    pub recorded: Option<String>,
    /// Its version now.
    pub actual: Option<String>,
}

/// An index.
#[derive(Clone, Debug)]
pub struct Index {
    /// Its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// PostgreSQL can use it.
    pub is_valid: bool,
    /// It has only some of the table's rows.
    pub is_partial: bool,
    /// What it is ordered by.
    pub columns: Vec<String>,
}

/// How large tables are, as far as PostgreSQL's statistics say it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sizes {
    /// Rows of `events`; none: they were never counted.
    pub events: Option<u64>,
    /// The part of them that are outliers, 0 to 1.
    pub outliers: Option<f64>,
    /// Bytes of `event_json`, without its indexes.
    pub json_bytes: u64,
    /// Rows of `redactions`; none: they were never counted.
    pub redactions: Option<u64>,
}

/// Redactions whose targets Synapse has yet to prune.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PendingRedactions {
    /// How many, as far as they were counted.
    pub count: u64,
    /// When the server received the first, milliseconds since the epoch.
    pub first: Option<i64>,
}

/// Some of all redactions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sampled {
    /// How many were looked at.
    pub seen: u64,
    /// Of these: Synapse has been there, and has pruned the target if the redaction was valid.
    pub censored: u64,
    /// When the server received the last of those, milliseconds since the epoch.
    pub last: Option<i64>,
}

impl Database {
    /// Who we are to PostgreSQL.
    pub async fn login(&self) -> Result<Login, Error> {
        let login = self.only(&queries::LOGIN, &[], |row| {
            let is_tls: bool = row.try_get(4)?;
            let text = |at| Ok(row.try_get::<_, Option<String>>(at)?.unwrap_or_default());
            Ok(Login {
                server_version: row.try_get(0)?,
                now: row.try_get(1)?,
                is_superuser: row.try_get(2)?,
                is_local: row.try_get(3)?,
                is_loopback: row.try_get(7)?,
                tls: if is_tls { Some((text(5)?, text(6)?)) } else { None },
            })
        });
        let login = login.await?;
        Ok(Login { is_loopback: login.is_loopback && self.session.is_loopback(), ..login })
    }

    /// The tables of Synapse's schema that this role could write to.
    pub async fn writable(&self) -> Result<Vec<String>, Error> {
        self.all(&queries::WRITABLE, &[], |row| row.try_get(0)).await
    }

    /// Settings of PostgreSQL by name, in its units; those it does not have or show are left out.
    pub async fn settings(&self, names: &[&str]) -> Result<BTreeMap<String, String>, Error> {
        let rows = self.all(&queries::SETTINGS, &[&names], |row| Ok((row.try_get(0)?, row.try_get(1)?))).await?;
        Ok(rows.into_iter().collect())
    }

    /// By what the database orders text.
    pub async fn collation(&self) -> Result<Collation, Error> {
        let read = |row: &Row| Ok((row.try_get(0)?, row.try_get::<_, bool>(1)?, row.try_get(2)?));
        let (name, told, recorded) = self.only(&queries::COLLATION, &[], read).await?;
        let actual = if told { self.only(&queries::COLLATION_NOW, &[], |row| row.try_get(0)).await? } else { None };
        Ok(Collation { name, recorded, actual })
    }

    /// Keys that should be unique, and how many of them are there more than once, as far as `most` rows of each table tell; with
    /// `of_state`, those of what tells of rooms and members too.
    pub async fn duplicates(&self, most: i64, of_state: bool) -> Result<Vec<(String, u64)>, Error> {
        let read = |row: &Row| Ok((row.try_get(0)?, count(row, 1)?));
        let mut keys = self.all(&queries::DUPLICATES, &[&most], read).await?;
        if of_state {
            keys.extend(self.all(&queries::DUPLICATES_OF_STATE, &[&most], read).await?);
        }
        Ok(keys)
    }

    /// The indexes of some tables.
    pub async fn indexes(&self, tables: &[&str]) -> Result<Vec<Index>, Error> {
        self.all(&queries::INDEXES, &[&tables], |row| {
            Ok(Index {
                table: row.try_get(0)?,
                name: row.try_get(1)?,
                is_valid: row.try_get(2)?,
                is_partial: row.try_get(3)?,
                columns: row.try_get(4)?,
            })
        })
        .await
    }

    /// The version of Synapse's tables; none: the table is empty.
    pub async fn schema_version(&self) -> Result<Option<i32>, Error> {
        Ok(self.all(&queries::SCHEMA_VERSION, &[], |row| row.try_get(0)).await?.pop())
    }

    /// What Synapse still has to do to its tables while it runs.
    pub async fn background_updates(&self) -> Result<Vec<String>, Error> {
        self.all(&queries::BACKGROUND_UPDATES, &[], |row| row.try_get(0)).await
    }

    /// How large the tables are.
    pub async fn sizes(&self) -> Result<Sizes, Error> {
        let mut sizes = Sizes::default();
        let rows = self.all(&queries::SIZES, &[], |row| {
            let rows = row.try_get::<_, Option<i64>>(1)?.map(i64::unsigned_abs);
            Ok((row.try_get::<_, String>(0)?, rows, row.try_get::<_, i64>(2)?.unsigned_abs(), row.try_get(3)?))
        });
        for (table, rows, bytes, outliers) in rows.await? {
            match &*table {
                "events" => (sizes.events, sizes.outliers) = (rows, outliers),
                "event_json" => sizes.json_bytes = bytes,
                _ => sizes.redactions = rows,
            }
        }
        Ok(sizes)
    }

    /// The redactions received since a time (milliseconds since the epoch) whose targets Synapse has yet to prune, counted up
    /// to `most`.
    pub async fn pending_redactions(&self, since: i64, most: i64) -> Result<PendingRedactions, Error> {
        self.only(&queries::REDACTIONS_PENDING, &[&since, &most], |row| {
            Ok(PendingRedactions { count: count(row, 0)?, first: row.try_get(1)? })
        })
        .await
    }

    /// What became of the targets of `most` redactions.
    pub async fn sampled_redactions(&self, most: i64) -> Result<Sampled, Error> {
        self.only(&queries::REDACTIONS_CENSORED, &[&most], |row| {
            Ok(Sampled { seen: count(row, 0)?, censored: count(row, 1)?, last: row.try_get(2)? })
        })
        .await
    }

    /// How many of the `most` oldest live events are local messages that a purge left behind.
    pub async fn survivors(&self, most: i64) -> Result<u64, Error> {
        let server_name: &str = &self.server_name;
        self.only(&queries::SURVIVORS, &[&server_name, &most], |row| count(row, 0)).await
    }

    /// How many retention policies that delete messages were ever set, counted up to `most`, and the shortest in milliseconds.
    pub async fn retention(&self, most: i64) -> Result<(u64, Option<i64>), Error> {
        self.only(&queries::RETENTION, &[&most], |row| Ok((count(row, 0)?, row.try_get(1)?))).await
    }

    /// How many purges are among `most` of Synapse's tasks, and when it last had to do with one, milliseconds since the epoch.
    pub async fn purge_tasks(&self, most: i64) -> Result<(u64, Option<i64>), Error> {
        self.only(&queries::PURGE_TASKS, &[&most], |row| Ok((count(row, 0)?, row.try_get(1)?))).await
    }

    pub(super) async fn all<T>(
        &self,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
        read: impl Fn(&Row) -> Result<T, tokio_postgres::Error>,
    ) -> Result<Vec<T>, Error> {
        let rows = self.session.query(statement, parameters).await?;
        let read: Result<Vec<T>, tokio_postgres::Error> = rows.iter().map(read).collect();
        read.map_err(Error::query(statement.name))
    }

    /// The answer of a statement that always gives one row.
    async fn only<T>(
        &self,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
        read: impl Fn(&Row) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Error> {
        self.all(statement, parameters, read).await?.pop().ok_or(Error::BrokeOff)
    }
}

fn count(row: &Row, at: usize) -> Result<u64, tokio_postgres::Error> {
    Ok(row.try_get::<_, i64>(at)?.unsigned_abs())
}
