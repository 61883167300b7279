//! Which of Synapse's tables and columns are there: found in PostgreSQL's catalogs, never concluded from a version number,
//! since deltas and background updates add and fill columns in mid-version.

use std::collections::BTreeMap;

use super::error::{Error, Problem};
use super::session::Session;
use super::statements::{self, Columns, TypedStatement};

/// A table, and columns of it.
pub(super) type Needed = (&'static str, &'static [&'static str]);

/// The columns no export can do without.
const NEEDED: [Needed; 6] = [
    (
        "events",
        &[
            "stream_ordering",
            "topological_ordering",
            "event_id",
            "type",
            "room_id",
            "outlier",
            "origin_server_ts",
            "received_ts",
            "sender",
        ],
    ),
    ("event_json", &["event_id", "internal_metadata", "json"]),
    ("ex_outlier_stream", &["event_stream_ordering", "event_id"]),
    ("rejections", &["event_id"]),
    ("redactions", &["event_id", "redacts"]),
    ("rooms", &["room_id", "room_version"]),
];

/// What only the current state of rooms needs.
pub(super) const CURRENT_STATE: Needed =
    ("current_state_events", &["event_id", "room_id", "type", "state_key", "membership"]);
/// What tells which bans redact: Synapse has had it since 1.136.
pub(super) const BAN_REDACTIONS: Needed =
    ("room_ban_redactions", &["room_id", "user_id", "redacting_event_id", "redact_end_ordering"]);
/// What tells which events Synapse has rejected, or accepted again, after they had come; older ones have no such table.
pub(super) const UN_PARTIAL_STATED: Needed =
    ("un_partial_stated_event_stream", &["stream_id", "event_id", "rejection_status_changed"]);
/// Whom the server has erased: what they said is hidden from who comes later.
pub(super) const ERASED: Needed = ("erased_users", &["user_id"]);
/// What only a list of rooms needs.
pub(super) const ROOMS: [Needed; 5] = [
    CURRENT_STATE,
    ("room_memberships", &["event_id", "room_id", "user_id", "membership", "display_name", "forgotten"]),
    ("local_current_membership", &["event_id", "room_id", "membership"]),
    ("room_aliases", &["room_id", "room_alias"]),
    ("events", &["state_key"]),
];

/// The tables that an export reads, where they are there.
pub(super) fn tables_read() -> impl Iterator<Item = &'static str> {
    NEEDED.iter().chain([&BAN_REDACTIONS, &UN_PARTIAL_STATED]).map(|(table, _)| *table)
}

/// What was found: table → column → (type, readable).
#[derive(Debug, Default)]
pub struct Schema {
    role: String,
    columns: BTreeMap<String, BTreeMap<String, (String, bool)>>,
}

impl Schema {
    pub(super) async fn detect(session: &Session) -> Result<Schema, Error> {
        let mut schema = Schema::default();
        for row in session.query(&statements::COLUMNS.statement, &[]).await? {
            let row = statements::COLUMNS.read(&row).map_err(unexpected)?;
            let columns = schema.columns.entry(row.table_name).or_default();
            columns.insert(row.column_name, (row.type_name, row.readable));
        }
        let role = session.query(&statements::ROLE.statement, &[]).await?;
        let role = role.first().map(|row| statements::ROLE.read(row)).transpose().map_err(unexpected)?;
        schema.role = role.unwrap_or_default();
        Ok(schema)
    }

    /// Whether an export can read what it needs.
    pub fn suffices_to_export(&self) -> Result<(), Problem> {
        self.check(&NEEDED)
    }

    /// Whether rooms can be listed, and their state be shown.
    pub fn suffices_to_list_rooms(&self) -> Result<(), Problem> {
        self.check(&ROOMS)
    }

    /// Whether the bans that redact can be read, where there can be any.
    pub fn suffices_for_bans(&self) -> Result<(), Problem> {
        self.check_if_there(BAN_REDACTIONS)
    }

    /// Whether it can be read which events Synapse has judged anew, where there can be any.
    pub fn suffices_for_un_partial_stated(&self) -> Result<(), Problem> {
        self.check_if_there(UN_PARTIAL_STATED)
    }

    /// Whether it can be read whom the server has erased, where it can erase.
    pub fn suffices_for_erased(&self) -> Result<(), Problem> {
        self.check_if_there(ERASED)
    }

    fn check_if_there(&self, table: Needed) -> Result<(), Problem> {
        if self.has(table.0) { self.check(&[table]) } else { Ok(()) }
    }

    /// Whether a table is there.
    #[must_use]
    pub fn has(&self, table: &str) -> bool {
        self.columns.contains_key(table)
    }

    /// The statement by which a table's owner lets this role read columns of it.
    #[must_use]
    pub fn grant(&self, table: &str, columns: &[&str]) -> String {
        format!("GRANT SELECT ({}) ON {table} TO {};", columns.join(", "), self.role)
    }

    /// Whether these columns are there and may be read.
    pub(super) fn check(&self, needed: &[Needed]) -> Result<(), Problem> {
        let role = self.role.clone();
        let lacks = |table: &str, column: &str| !self.columns.get(table).is_some_and(|c| c.contains_key(column));
        let missing: Vec<String> = needed
            .iter()
            .flat_map(|(table, columns)| match self.columns.get(*table) {
                None => vec![format!("table {table}")],
                Some(_) => columns
                    .iter()
                    .filter(|column| lacks(table, column))
                    .map(|column| format!("column {table}.{column}"))
                    .collect(),
            })
            .collect();
        if !missing.is_empty() {
            return Err(Problem::Missing(missing.join(", "), role));
        }
        let unreadable: Vec<&str> = needed
            .iter()
            .filter(|(table, columns)| columns.iter().any(|column| !self.can_read(table, column)))
            .map(|(table, _)| *table)
            .collect();
        if unreadable.is_empty() { Ok(()) } else { Err(Problem::Unreadable { tables: unreadable.join(", "), role }) }
    }

    /// Whether a column is there and this role may read it.
    #[must_use]
    pub fn can_read(&self, table: &str, column: &str) -> bool {
        self.columns.get(table).and_then(|columns| columns.get(column)).is_some_and(|(_, readable)| *readable)
    }

    /// Which of the columns are there that some versions lack.
    pub(super) fn columns(&self) -> Columns {
        Columns {
            state_key: self.can_read("events", "state_key"),
            rejection_reason: self.can_read("events", "rejection_reason"),
            recheck: self.can_read("redactions", "recheck"),
        }
    }

    /// The statement that tells the server's name: from `users` where it may be read.
    pub(super) fn server_name(&self) -> Option<TypedStatement<Option<String>>> {
        if self.can_read("users", "name") {
            Some(statements::SERVER_NAME)
        } else {
            self.can_read("local_current_membership", "user_id").then_some(statements::SERVER_NAME_BY_MEMBERSHIP)
        }
    }
}

/// Makes an error of a value that is not of the type Synapse gives it.
#[allow(clippy::needless_pass_by_value, reason = "it is made for map_err")]
fn unexpected(error: tokio_postgres::Error) -> Error {
    Error::Schema(Problem::Unexpected(error.to_string()))
}
