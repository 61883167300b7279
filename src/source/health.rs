//! What a look at the database's health needs: answers from PostgreSQL's catalogs, from small tables and from the start of an
//! index, so that they take no longer on a large server. Says what is there, not whether that is good.

use std::collections::BTreeMap;

use super::database::Database;
use super::error::Error;
use super::statements;

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
        let row = self.only(&statements::LOGIN, &[]).await?;
        Ok(Login {
            server_version: row.server_version,
            now: row.now,
            is_superuser: row.superuser,
            is_local: row.local,
            is_loopback: row.loopback && self.session.is_loopback(),
            tls: row.tls.then(|| (row.version.unwrap_or_default(), row.cipher.unwrap_or_default())),
        })
    }

    /// The tables of Synapse's schema that this role could write to.
    pub async fn writable(&self) -> Result<Vec<String>, Error> {
        self.all(&statements::WRITABLE, &[]).await
    }

    /// Settings of PostgreSQL by name, in its units; those it does not have or show are left out.
    pub async fn settings(&self, names: &[&str]) -> Result<BTreeMap<String, String>, Error> {
        let rows = self.all(&statements::SETTINGS, &[&names]).await?;
        Ok(rows.into_iter().map(|row| (row.name, row.setting)).collect())
    }

    /// By what the database orders text.
    pub async fn collation(&self) -> Result<Collation, Error> {
        let row = self.only(&statements::COLLATION, &[]).await?;
        let actual = if row.told { self.only(&statements::COLLATION_NOW, &[]).await? } else { None };
        Ok(Collation { name: row.name, recorded: row.version, actual })
    }

    /// Keys that should be unique, and how many of them are there more than once, as far as `most` rows of each table tell; with
    /// `of_state`, those of what tells of rooms and members too.
    pub async fn duplicates(&self, most: i64, of_state: bool) -> Result<Vec<(String, u64)>, Error> {
        let mut keys = self.all(&statements::DUPLICATES, &[&most]).await?;
        if of_state {
            keys.extend(self.all(&statements::DUPLICATES_OF_STATE, &[&most]).await?);
        }
        Ok(keys.into_iter().map(|row| (row.key, row.keys.unsigned_abs())).collect())
    }

    /// The indexes of some tables.
    pub async fn indexes(&self, tables: &[&str]) -> Result<Vec<Index>, Error> {
        let indexes = self.all(&statements::INDEXES, &[&tables]).await?.into_iter().map(|row| Index {
            table: row.table_name,
            name: row.index_name,
            is_valid: row.valid,
            is_partial: row.partial,
            columns: row.columns,
        });
        Ok(indexes.collect())
    }

    /// The version of Synapse's tables; none: the table is empty.
    pub async fn schema_version(&self) -> Result<Option<i32>, Error> {
        self.one(&statements::SCHEMA_VERSION, &[]).await
    }

    /// What Synapse still has to do to its tables while it runs.
    pub async fn background_updates(&self) -> Result<Vec<String>, Error> {
        self.all(&statements::BACKGROUND_UPDATES, &[]).await
    }

    /// How large the tables are.
    pub async fn sizes(&self) -> Result<Sizes, Error> {
        let mut sizes = Sizes::default();
        for row in self.all(&statements::SIZES, &[]).await? {
            let rows = row.rows.map(i64::unsigned_abs);
            match &*row.table_name {
                "events" => (sizes.events, sizes.outliers) = (rows, row.outliers),
                "event_json" => sizes.json_bytes = row.bytes.unsigned_abs(),
                _ => sizes.redactions = rows,
            }
        }
        Ok(sizes)
    }

    /// The redactions received since a time (milliseconds since the epoch) whose targets Synapse has yet to prune, counted up
    /// to `most`.
    pub async fn pending_redactions(&self, since: i64, most: i64) -> Result<PendingRedactions, Error> {
        let row = self.only(&statements::REDACTIONS_PENDING, &[&since, &most]).await?;
        Ok(PendingRedactions { count: row.pending.unsigned_abs(), first: row.first })
    }

    /// What became of the targets of `most` redactions.
    pub async fn sampled_redactions(&self, most: i64) -> Result<Sampled, Error> {
        let row = self.only(&statements::REDACTIONS_CENSORED, &[&most]).await?;
        Ok(Sampled { seen: row.seen.unsigned_abs(), censored: row.censored.unsigned_abs(), last: row.last })
    }

    /// How many of the `most` oldest live events are local messages that a purge left behind.
    pub async fn survivors(&self, most: i64) -> Result<u64, Error> {
        let server_name: &str = &self.server_name;
        Ok(self.only(&statements::SURVIVORS, &[&server_name, &most]).await?.unsigned_abs())
    }

    /// How many retention policies that delete messages were ever set, counted up to `most`, and the shortest in milliseconds.
    pub async fn retention(&self, most: i64) -> Result<(u64, Option<i64>), Error> {
        let row = self.only(&statements::RETENTION, &[&most]).await?;
        Ok((row.policies.unsigned_abs(), row.shortest))
    }

    /// How many purges are among `most` of Synapse's tasks, and when it last had to do with one, milliseconds since the epoch.
    pub async fn purge_tasks(&self, most: i64) -> Result<(u64, Option<i64>), Error> {
        let row = self.only(&statements::PURGE_TASKS, &[&most]).await?;
        Ok((row.purges.unsigned_abs(), row.last))
    }
}
