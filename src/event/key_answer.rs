//! What a server's key API answers: the public keys with which it signs, and those with which it has signed. Fetches nothing, and does
//! not look at who has signed the answer.

use serde_json::Value;

use super::VerifyKey;

/// The public keys of a server, as its key API tells them (server-server specification, "Retrieving server keys").
pub(crate) struct KeyAnswer {
    /// Whose they are.
    pub(crate) server_name: String,
    /// Until when the current ones are said to be valid, milliseconds since the epoch.
    pub(crate) valid_until: Option<i64>,
    /// By id: the current ones, which have no end, and the old ones with theirs.
    pub(crate) keys: Vec<(String, VerifyKey)>,
}

impl KeyAnswer {
    /// Reads an answer.
    ///
    /// # Errors
    /// What it lacks.
    pub(crate) fn read(text: &[u8]) -> Result<KeyAnswer, &'static str> {
        let answer: Value = serde_json::from_slice(text).map_err(|_| "it is no JSON")?;
        let server = answer.get("server_name").and_then(Value::as_str).ok_or("it has no server_name")?;
        let mut known = Vec::new();
        for (which, has_end) in [("verify_keys", false), ("old_verify_keys", true)] {
            let Some(keys) = answer.get(which).and_then(Value::as_object) else { continue };
            for (id, key) in keys.iter().filter(|(id, _)| id.starts_with("ed25519:")) {
                let until = key.get("expired_ts").and_then(Value::as_i64).filter(|_| has_end);
                let key = key.get("key").and_then(Value::as_str).and_then(|text| VerifyKey::from_base64(text, until));
                known.push((id.clone(), key.ok_or("one of its keys is none")?));
            }
        }
        if known.is_empty() {
            return Err("it has no keys");
        }
        let valid_until = answer.get("valid_until_ts").and_then(Value::as_i64);
        Ok(KeyAnswer { server_name: server.to_owned(), valid_until, keys: known })
    }
}
