//! The public keys with which servers sign their events, as Synapse has fetched them from others. Its own are not among them, and no
//! private key is ever read.

use super::database::Database;
use super::error::{Error, Problem};
use super::schema::{Needed, Schema};
use super::statements;

/// What has the keys of other servers.
const SERVER_KEYS: Needed = ("server_signature_keys", &["server_name", "key_id", "verify_key", "ts_valid_until_ms"]);

/// A public key of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerKey {
    /// Whose.
    pub server_name: String,
    /// `ed25519:…`.
    pub key_id: String,
    /// Its bytes.
    pub verify_key: Vec<u8>,
    /// Until when events may be signed with it, milliseconds since the epoch; none: not known.
    pub valid_until: Option<i64>,
}

impl Schema {
    /// Whether servers' keys can be read.
    pub fn suffices_for_server_keys(&self) -> Result<(), Problem> {
        self.check(&[SERVER_KEYS])
    }
}

impl Database {
    /// The keys of some servers, as far as they are known and may be read.
    pub async fn server_keys(&self, server_names: &[String]) -> Result<Vec<ServerKey>, Error> {
        if server_names.is_empty() || self.schema.suffices_for_server_keys().is_err() {
            return Ok(Vec::new());
        }
        let rows = self.all(&statements::SERVER_KEYS, &[&server_names]).await?;
        let key = |row: statements::ServerKeysRow| {
            Some(ServerKey {
                server_name: row.server_name?,
                key_id: row.key_id?,
                verify_key: row.verify_key?,
                valid_until: row.ts_valid_until_ms,
            })
        };
        Ok(rows.into_iter().filter_map(key).collect())
    }
}
