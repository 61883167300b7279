//! The public keys with which servers sign their events, as Synapse has fetched them from others: those it checks with, and of its
//! store of servers' answers those that are not among these. Its own are in neither, and no private key is ever read. Whether a server
//! has signed its answer is not asked: Synapse has, before it stored it.

use super::database::Database;
use super::error::{Error, Problem};
use super::schema::{Needed, Schema};
use super::statements;
use crate::event::KeyAnswer;

/// What has the keys of other servers.
const SERVER_KEYS: Needed = ("server_signature_keys", &["server_name", "key_id", "verify_key", "ts_valid_until_ms"]);
/// What has their answers. A role of an earlier version may not read it, and then does without.
const ANSWERS: Needed = ("server_keys_json", &["server_name", "key_id", "from_server", "key_json"]);
/// Of how many servers answers are read at once: of each 100 at most, of 64 KiB at most.
const SERVERS: usize = 100;

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
        let mut keys: Vec<ServerKey> = rows.into_iter().filter_map(key).collect();
        if self.schema.check(&[ANSWERS]).is_ok() {
            for servers in server_names.chunks(SERVERS) {
                let rows = self.all(&statements::SERVER_KEY_ANSWERS, &[&servers]).await?;
                keys.extend(rows.into_iter().filter_map(answered));
            }
        }
        Ok(keys)
    }
}

/// The key that an answer is stored for.
fn answered(row: statements::ServerKeyAnswersRow) -> Option<ServerKey> {
    let answer = KeyAnswer::read(&row.key_json).ok().filter(|answer| answer.server_name == row.server_name)?;
    let (_, key) = answer.keys.into_iter().find(|(id, _)| *id == row.key_id)?;
    Some(ServerKey {
        server_name: row.server_name,
        key_id: row.key_id,
        verify_key: key.bytes().to_vec(),
        valid_until: key.valid_until().or(answer.valid_until),
    })
}
