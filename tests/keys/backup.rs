//! A key backup that a test writes: of a user, with sessions that the test has made.

use serde_json::json;
use vodozemac::Curve25519PublicKey;
use vodozemac::megolm::{GroupSession, InboundGroupSession, SessionConfig};
use vodozemac::pk_encryption::{PkDecryption, PkEncryption};

use crate::support::Database;

/// A backup, and its key.
pub(super) struct Backup {
    key: PkDecryption,
    encryption: PkEncryption,
}

impl Backup {
    /// Makes the first version of a user's backup.
    pub(super) fn new(synapse: &Database, user_id: &str) -> Backup {
        let key = PkDecryption::new();
        let public = key.public_key().to_bytes();
        synapse.execute(&format!(
            "insert into e2e_room_keys_versions (user_id, version, algorithm, auth_data, etag)
             values ('{user_id}', 1, 'm.megolm_backup.v1.curve25519-aes-sha2', '{{\"public_key\":\"{}\"}}', 1)",
            vodozemac::base64_encode(public)
        ));
        Backup { key, encryption: PkEncryption::from_key(Curve25519PublicKey::from_bytes(public)) }
    }

    /// What `session_data` is of a session as it is now.
    pub(super) fn session_data(&self, session: &GroupSession) -> String {
        let inbound = InboundGroupSession::new(&session.session_key(), SessionConfig::version_1());
        let plain = json!({
            "algorithm": "m.megolm.v1.aes-sha2", "sender_key": "x".repeat(43), "sender_claimed_keys": { "ed25519": "y".repeat(43) },
            "forwarding_curve25519_key_chain": [], "session_key": inbound.export_at_first_known_index().to_base64(),
        });
        let message = self.encryption.encrypt(plain.to_string().as_bytes()).unwrap();
        let base64 = |bytes: &[u8]| vodozemac::base64_encode(bytes);
        let data = json!({
            "ciphertext": base64(&message.ciphertext), "mac": base64(&message.mac), "ephemeral": message.ephemeral_key.to_base64(),
        });
        data.to_string()
    }

    /// Its recovery key as people write it down: two bytes, the key, and a byte that makes all of them together nothing.
    pub(super) fn recovery_key(&self) -> String {
        let mut bytes = vec![0x8b, 0x01];
        bytes.extend(self.key.secret_key().to_bytes().as_ref());
        bytes.push(bytes.iter().fold(0, |sum, byte| sum ^ byte));
        bs58::encode(bytes).into_string()
    }
}
