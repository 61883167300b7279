//! Megolm sessions from where they are kept, and the events that they open.
//!
//! Where source and cryptography meet: sessions are looked up in key backups, bridges' stores and key files ([`Sources`]), by the
//! ids that events name; [`Decrypter`] decides what each event says, or why it cannot be read. What keys open them is given by the
//! user, kept in memory alone, and in no error and no log. Writes nothing but, in a temporary file without a name, which event used
//! which message first.

mod backup;
mod bridge;
mod bridge_config;
mod decrypter;
mod error;
mod files;
mod given;
mod opener;
mod owners;
mod sources;
mod store;
mod uses;

pub use bridge_config::BridgeConfig;
pub use decrypter::{Decrypter, Decryption, ReadCounts};
pub use error::Error;
pub use given::{SourceSecrets, read_passphrase, read_recovery_key, read_secret_storage};
pub use opener::Readable;
pub(crate) use opener::{Opener, SealedEvent, parsed};
pub use sources::{Sources, TakeSession};
