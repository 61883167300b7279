//! A user's secret storage (`m.secret_storage.v1.aes-hmac-sha2`, in his account data): secrets under a key that he has written
//! down or remembers as a passphrase. The key of his backup is one of them.

use std::collections::BTreeMap;
use std::fmt;

use aes::Aes256;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit as _, StreamCipher as _};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use sha2::{Sha256, Sha512};
use zeroize::Zeroizing;

use crate::base64_text::decoded;

/// How the types of account data begin in which it is.
pub const PREFIX: &str = "m.secret_storage.";
/// The type of account data that has the key of the backup.
pub const BACKUP: &str = "m.megolm_backup.v1";
const KEY: &str = "m.secret_storage.key.";
const ALGORITHM: &str = "m.secret_storage.v1.aes-hmac-sha2";
/// More rounds than anybody asks a person to wait for.
pub(crate) const MOST_ROUNDS: u32 = 10_000_000;
/// How many keys are tried: one, and those that came before it.
const MOST_KEYS: usize = 20;

/// What a user remembers.
pub type Passphrase = Zeroizing<String>;

/// What a user has of his secret storage or his backup.
pub enum Secret {
    /// What he has written down.
    Key(Zeroizing<[u8; 32]>),
    /// What he remembers.
    Passphrase(Passphrase),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Secret::Key(_) => "Key",
            Secret::Passphrase(_) => "Passphrase",
        })
    }
}

/// The parts of a user's account data that are about it: contents by type.
#[derive(Debug, Default)]
pub struct SecretStorage(BTreeMap<String, String>);

#[derive(Deserialize)]
struct Description {
    algorithm: String,
    passphrase: Option<Derivation>,
    iv: Option<String>,
    mac: Option<String>,
}

#[derive(Deserialize)]
struct Derivation {
    algorithm: String,
    iterations: u32,
    salt: String,
    bits: Option<u32>,
}

#[derive(Deserialize)]
struct Stored {
    encrypted: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct Encrypted {
    iv: String,
    ciphertext: String,
    mac: String,
}

impl SecretStorage {
    /// Adds a piece of account data.
    pub fn insert(&mut self, kind: String, content: String) {
        self.0.insert(kind, content);
    }

    /// Reads a file of it: an object of contents by type; none if it is something else.
    #[must_use]
    pub fn parse(text: &str) -> Option<SecretStorage> {
        let all: BTreeMap<String, Box<serde_json::value::RawValue>> = serde_json::from_str(text).ok()?;
        Some(SecretStorage(all.into_iter().map(|(kind, content)| (kind, content.get().to_owned())).collect()))
    }

    /// The secrets of a name that what the user has opens: of several keys, under each that fits.
    #[must_use]
    pub fn secrets(&self, name: &str, with: &Secret) -> Vec<Zeroizing<String>> {
        let Some(stored) = self.0.get(name).and_then(|text| serde_json::from_str::<Stored>(text).ok()) else {
            return Vec::new();
        };
        let mut secrets = Vec::new();
        for (id, encrypted) in stored.encrypted.into_iter().take(MOST_KEYS) {
            let description = self.0.get(&format!("{KEY}{id}"));
            let description = description.and_then(|text| serde_json::from_str::<Description>(text).ok());
            let Some(description) = description.filter(|of| of.algorithm == ALGORITHM) else { continue };
            let Some(key) = description.key(with) else { continue };
            let Ok(encrypted) = serde_json::from_value::<Encrypted>(encrypted) else { continue };
            secrets.extend(encrypted.open(&key, name));
        }
        secrets
    }
}

impl Description {
    /// The key that this describes, if it is the user's.
    fn key(&self, of: &Secret) -> Option<Zeroizing<[u8; 32]>> {
        let key = match of {
            Secret::Key(key) => key.clone(),
            Secret::Passphrase(passphrase) => {
                let derivation = self.passphrase.as_ref().filter(|way| way.algorithm == "m.pbkdf2")?;
                if derivation.bits.is_some_and(|bits| bits != 256) {
                    return None;
                }
                derived(passphrase, &derivation.salt, derivation.iterations)?
            }
        };
        // one that says nothing to check a key by is checked by what it opens
        let (Some(iv), Some(mac)) = (&self.iv, &self.mac) else { return Some(key) };
        let mut zeros = [0; 32];
        let (cipher, authenticator) = keys(&key, "");
        Ctr128BE::<Aes256>::new_from_slices(&*cipher, &decoded(iv)?).ok()?.apply_keystream(&mut zeros);
        is_mac(&authenticator, &zeros, &decoded(mac)?).then_some(key)
    }
}

impl Encrypted {
    fn open(&self, key: &[u8; 32], name: &str) -> Option<Zeroizing<String>> {
        let (cipher, authenticator) = keys(key, name);
        let mut text = decoded(&self.ciphertext)?;
        if !is_mac(&authenticator, &text, &decoded(&self.mac)?) {
            return None;
        }
        Ctr128BE::<Aes256>::new_from_slices(&*cipher, &decoded(&self.iv)?).ok()?.apply_keystream(&mut text);
        std::str::from_utf8(&text).ok().map(|text| Zeroizing::new(text.to_owned()))
    }
}

/// The keys for the cipher and for the MAC of one secret.
fn keys(key: &[u8; 32], name: &str) -> (Zeroizing<[u8; 32]>, Zeroizing<[u8; 32]>) {
    let mut both = Zeroizing::new([0; 64]);
    // 64 bytes are far from too many
    let _ = Hkdf::<Sha256>::new(Some(&[0; 32]), key).expand(name.as_bytes(), &mut *both);
    let (mut cipher, mut authenticator) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
    cipher.copy_from_slice(&both[..32]);
    authenticator.copy_from_slice(&both[32..]);
    (cipher, authenticator)
}

fn is_mac(key: &[u8; 32], text: &[u8], mac: &[u8]) -> bool {
    let Ok(mut own) = Hmac::<Sha256>::new_from_slice(key) else { return false };
    own.update(text);
    own.verify_slice(mac).is_ok()
}

/// The key that a passphrase stands for; none for more rounds than are reasonable.
pub(crate) fn derived(passphrase: &Passphrase, salt: &str, rounds: u32) -> Option<Zeroizing<[u8; 32]>> {
    if rounds == 0 || rounds > MOST_ROUNDS {
        return None;
    }
    let mut key = Zeroizing::new([0; 32]);
    pbkdf2::pbkdf2_hmac::<Sha512>(passphrase.as_bytes(), salt.as_bytes(), rounds, &mut *key);
    Some(key)
}
