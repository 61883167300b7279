//! What is asked of a server and its tables as a whole: who answers, how far it is, how it stands, whether it is well.
//!
//! Times are in milliseconds since the epoch, spans in milliseconds, sizes in bytes.

use tokio_postgres::Row;

use super::statement::{Statement, TypedStatement};

queries! {
    OPENING("opening") { OpeningRow { process: i32, standby: bool, read_only: bool, statement_timeout: i64 } }
    OPTION("option") { holds: bool }
    COLUMNS("columns") { ColumnsRow { table_name: String, column_name: String, type_name: String, readable: bool } }
    ROLE("role") { role: String }
    SERVER_NAME("server_name") { server_name: Option<String> }
    SERVER_NAME_BY_MEMBERSHIP("server_name_by_membership") { server_name: Option<String> }
    HEADS("heads") { HeadsRow { live: Option<i64>, backfill: Option<i64>, received_ts: Option<i64> } }
    LOG_POSITION("log_position") { position: Option<i64> }
    STANDING("standing") { StandingRow { replica: bool, behind: Option<i64> } }
    SUBSCRIBED("subscribed") { SubscribedRow { name: String, copying: bool, behind: Option<i64> } }
    LOGIN("login") {
        LoginRow {
            server_version: String,
            now: i64,
            superuser: bool,
            local: bool,
            loopback: bool,
            tls: bool,
            version: Option<String>,
            cipher: Option<String>,
        }
    }
    WRITABLE("writable") { table_name: String }
    SETTINGS("settings") { SettingsRow { name: String, setting: String } }
    COLLATION("collation") { CollationRow { name: String, told: bool, version: Option<String> } }
    COLLATION_NOW("collation_now") { version: Option<String> }
    DUPLICATES("duplicates") { DuplicatesRow { key: String, keys: i64 } }
    DUPLICATES_OF_STATE("duplicates_of_state") { DuplicatesRow }
    INDEXES("indexes") {
        IndexesRow { table_name: String, index_name: String, valid: bool, partial: bool, columns: Vec<String> }
    }
    SERVER_KEYS("server_keys") {
        ServerKeysRow {
            server_name: Option<String>,
            key_id: Option<String>,
            verify_key: Option<Vec<u8>>,
            ts_valid_until_ms: Option<i64>,
        }
    }
    SERVER_KEY_ANSWERS("server_key_answers") { ServerKeyAnswersRow { server_name: String, key_id: String, key_json: Vec<u8> } }
    SCHEMA_VERSION("schema_version") { version: i32 }
    BACKGROUND_UPDATES("background_updates") { update_name: String }
    SIZES("sizes") { SizesRow { table_name: String, rows: Option<i64>, bytes: i64, outliers: Option<f64> } }
    REDACTIONS_PENDING("redactions_pending") { RedactionsPendingRow { pending: i64, first: Option<i64> } }
    REDACTIONS_CENSORED("redactions_censored") { RedactionsCensoredRow { seen: i64, censored: i64, last: Option<i64> } }
    SURVIVORS("survivors") { survivors: i64 }
    RETENTION("retention") { RetentionRow { policies: i64, shortest: Option<i64> } }
    PURGE_TASKS("purge_tasks") { PurgeTasksRow { purges: i64, last: Option<i64> } }
    JSON_PAGES("json_pages") { pages: i64 }
}
