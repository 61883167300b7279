//! What is asked of Synapse's media tables. Lengths are in bytes; a hash is the SHA-256 of what is stored, in hexadecimal digits. Knows no
//! file of a store.

use tokio_postgres::Row;

use super::statement::{Statement, TypedStatement};

queries! {
    LOCAL_MEDIA("media/local") {
        LocalMediaRow {
            media_id: String,
            media_type: Option<String>,
            media_length: Option<i64>,
            quarantined: bool,
            preview: bool,
            sha256: Option<String>,
        }
    }
    REMOTE_MEDIA("media/remote") {
        RemoteMediaRow {
            media_origin: String,
            media_id: String,
            media_type: Option<String>,
            media_length: Option<i64>,
            filesystem_id: Option<String>,
            quarantined: bool,
            sha256: Option<String>,
        }
    }
}

/// The hash of a file, which older versions have not.
pub(in crate::source) fn sha256(is_there: bool) -> &'static str {
    if is_there { "m.sha256" } else { "null::text" }
}
