//! Megolm sessions out of where their users keep them, and what they open, by the rules of Matrix clients.
//!
//! Sessions come from a homeserver's key backup ([`backup`], unlocked by hand or by [`secret_storage`]), from the files that clients
//! export ([`key_file`]) and from the libolm pickles of bridges' stores ([`pickle`]). What a session opens is an event's
//! [`payload`]; why it opens none is a [`Refusal`].
//!
//! Pure but for the readers that are handed in: it connects to nothing, and logs nothing. The cryptography is vodozemac's and the
//! `RustCrypto` project's. Keys are overwritten in memory once they are not needed, as far as those libraries do that; no error and no
//! `Debug` shows one.

pub mod backup;
mod base64_text;
mod encrypted;
mod exported;
pub mod key_file;
mod owner;
pub mod payload;
pub mod pickle;
pub mod recovery_key;
mod refusal;
pub mod secret_storage;
mod session;

pub use encrypted::{Encrypted, MEGOLM};
pub use owner::{Fit, Owner};
pub use payload::Payload;
pub use refusal::Refusal;

/// A Curve25519 key, as it is written in base64.
#[must_use]
pub fn curve25519(text: &str) -> Option<[u8; 32]> {
    base64_text::key(text).map(|key| *key)
}

pub use session::{Kept, Session, Sessions, Unusable, Vouched};
