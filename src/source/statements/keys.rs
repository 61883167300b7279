//! What is asked for keys: of Synapse's tables of key backups, account data and devices, and of a bridge's own table of sessions. Opens
//! none of what they give: keys are for [`crate::keys`].

use tokio_postgres::Row;

use super::statement::{Statement, TypedStatement};
use crate::event::OwnedRoomId;

queries! {
    BACKUP_VERSIONS("keys/backup_versions") { BackupVersionsRow { version: i64, algorithm: String, auth_data: String, etag: Option<String> } }
    BACKUP_SESSIONS("keys/backup_sessions") { BackupSessionsRow { session_id: String, session_data: String } }
    BACKUP_PAGE("keys/backup_page") { BackupPageRow { room_id: OwnedRoomId, session_id: String, session_data: String } }
    BACKUP_ROOMS("keys/backup_rooms") { BackupRoomsRow { room_id: String, sessions: i64, first_index: Option<i64> } }
    SECRET_STORAGE("keys/secret_storage") { SecretStorageRow { kind: String, content: String } }
    DEVICES("keys/devices") { DevicesRow { user_id: String, appservice_id: Option<String>, key_json: String } }
    APPSERVICE_DEVICES("keys/appservice_devices") { DevicesRow }
    BRIDGE_COLUMNS("keys/bridge_columns") { column_name: String }
    BRIDGE_ACCOUNTS("keys/bridge_accounts") { account_id: String }
    BRIDGE_SESSIONS("keys/bridge_sessions") {
        BridgeSessionsRow {
            session_id: String,
            sender_key: Option<String>,
            room_id: String,
            session: Option<Vec<u8>>,
            withheld_code: Option<String>,
            forwarded: Option<bool>,
        }
    }
    BRIDGE_PAGE("keys/bridge_page") { BridgeSessionsRow }
    BRIDGE_ROOMS("keys/bridge_rooms") { BridgeRoomsRow { room_id: String, sessions: i64, withheld: i64 } }
}

/// By who forwarded it, which is text or bytes: an empty list, as each of the programs writes it, is nobody.
macro_rules! by_chains {
    () => {
        "coalesce(nullif(s.forwarding_chains::text, '') not in ('[]', 'null', '\\x', '\\x5b5d', '\\x6e756c6c'), false)"
    };
}

/// How a bridge's table says that a session was forwarded or imported: by a column of its own since version 19 of the store, which is empty
/// in rows from before.
pub(in crate::source) fn forwarded(has_source: bool) -> &'static str {
    if has_source {
        concat!("case coalesce(s.key_source, '') when '' then ", by_chains!(), " else s.key_source <> 'direct' end")
    } else {
        by_chains!()
    }
}
