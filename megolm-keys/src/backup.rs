//! A server's key backup (`m.megolm_backup.v1.curve25519-aes-sha2`): entries that anybody with its public key, which its server
//! has, can write, and its private key opens.
//!
//! All implementations compute an entry's MAC over an empty text, so decryption proves nothing: what is checked is that a session
//! has the id of its place, which is the key that its messages are signed with.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use vodozemac::Curve25519SecretKey;
use vodozemac::pk_encryption::{Message, PkDecryption};
use zeroize::Zeroizing;

use crate::exported::Exported;
use crate::secret_storage::{Passphrase, derived};
use crate::{Session, Unusable};

/// The algorithm of the backups that are known.
pub const ALGORITHM: &str = "m.megolm_backup.v1.curve25519-aes-sha2";

/// What a version of a backup says of itself: its `auth_data`.
#[derive(Deserialize)]
pub struct Version {
    public_key: String,
    #[serde(default)]
    private_key_salt: Option<String>,
    #[serde(default)]
    private_key_iterations: Option<u32>,
}

impl Version {
    /// Reads `auth_data`; none if it is not that of a backup of this algorithm.
    #[must_use]
    pub fn parse(algorithm: &str, auth_data: &str) -> Option<Version> {
        if algorithm != ALGORITHM {
            return None;
        }
        serde_json::from_str(auth_data).ok()
    }

    /// Whether a key opens its entries.
    #[must_use]
    pub fn is_opened_by(&self, key: &BackupKey) -> bool {
        crate::base64_text::key(&self.public_key).is_some_and(|own| *own == key.0.public_key().to_bytes())
    }

    /// The key that a passphrase stands for, in a backup from before secret storage; none if it has no such key.
    #[must_use]
    pub fn key_of(&self, passphrase: &Passphrase) -> Option<BackupKey> {
        let (salt, rounds) = (self.private_key_salt.as_deref()?, self.private_key_iterations?);
        Some(BackupKey::new(&*derived(passphrase, salt, rounds)?))
    }
}

/// The key of a backup.
pub struct BackupKey(PkDecryption);

impl BackupKey {
    /// That of 32 bytes.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> BackupKey {
        BackupKey(PkDecryption::from_key(Curve25519SecretKey::from_slice(key)))
    }

    /// That which stands in secret storage as base64; none if nothing like it does.
    #[must_use]
    pub fn from_secret(secret: &str) -> Option<BackupKey> {
        crate::base64_text::key(secret).map(|key| BackupKey::new(&key))
    }

    /// Opens an entry: the `session_data` of a session.
    pub fn open(&self, session_data: &str, session_id: &str) -> Result<Session, Unusable> {
        let data: Data<'_> = serde_json::from_str(session_data).map_err(|_| Unusable::Damaged)?;
        let part = |text: &str| text.trim_end_matches('=').to_owned();
        let message = Message::from_base64(&part(&data.ciphertext), &part(&data.mac), &part(&data.ephemeral));
        let plain = self.0.decrypt(&message.map_err(|_| Unusable::Damaged)?).map_err(|_| Unusable::Damaged)?;
        let plain = Zeroizing::new(plain);
        let text = std::str::from_utf8(&plain).map_err(|_| Unusable::Damaged)?;
        Exported::parse(text)?.session(session_id)
    }
}

impl fmt::Debug for BackupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BackupKey")
    }
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    ciphertext: Cow<'a, str>,
    #[serde(borrow)]
    mac: Cow<'a, str>,
    #[serde(borrow)]
    ephemeral: Cow<'a, str>,
}
