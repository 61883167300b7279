//! What the encrypted events of an archive say, for who reads it: out of `decrypted.sqlite`, or beside an archive that is there for one
//! document alone.

mod sealed;

use super::Error;
use super::decrypted::Decrypted;
pub use sealed::SealedPlaintexts;

/// What an encrypted event says.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct Plaintext {
    /// Its type.
    pub kind: String,
    /// Its content, JSON.
    pub content: String,
    /// Whether its session is vouched for.
    pub authenticated: bool,
    /// What of it is searched, where that is kept.
    #[serde(default)]
    pub body: Option<String>,
    /// What else it has to be searched for.
    #[serde(default)]
    pub has: Option<String>,
}

/// What encrypted events say, wherever that is.
pub enum Plaintexts {
    /// For one document.
    Sealed(SealedPlaintexts),
    /// In the archive.
    Kept(Decrypted),
}

impl Plaintexts {
    /// What an event says, if that is known.
    pub fn get(&self, event_id: &str) -> Result<Option<Plaintext>, Error> {
        match self {
            Plaintexts::Sealed(sealed) => sealed.get(event_id),
            Plaintexts::Kept(decrypted) => decrypted.get(event_id).map_err(Error::of_decrypted),
        }
    }

    /// The file of the archive, if it is that.
    pub(super) fn kept(&self) -> Option<&Decrypted> {
        match self {
            Plaintexts::Kept(decrypted) => Some(decrypted),
            Plaintexts::Sealed(_) => None,
        }
    }

    /// The same, to write.
    pub(super) fn kept_mut(&mut self) -> Option<&mut Decrypted> {
        match self {
            Plaintexts::Kept(decrypted) => Some(decrypted),
            Plaintexts::Sealed(_) => None,
        }
    }
}
