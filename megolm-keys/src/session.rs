//! A Megolm session, and several of one id. Reads none from a source, and shows nothing of its key.

use std::fmt;

use vodozemac::megolm::{DecryptionError, ExportedSessionKey, InboundGroupSession, SessionConfig};
use zeroize::Zeroizing;

use crate::{Encrypted, Payload, Refusal};

/// Who says that a session is its sender's. The weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Vouched {
    /// A key backup or a file, which anybody may have written, as its server.
    Nobody,
    /// Another device has forwarded it.
    Forwarder,
    /// Its own device sent it, over a channel that is encrypted from end to end.
    Device,
}

impl Vouched {
    /// Whether its sender is certain.
    #[must_use]
    pub fn is_authenticated(self) -> bool {
        self == Vouched::Device
    }
}

/// Why what a source holds is no usable session; quotes nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It is no session.
    #[error("damaged")]
    Damaged,
    /// It is encrypted under another key, or damaged: they cannot be told apart.
    #[error("encrypted under another key, or damaged")]
    Locked,
    /// It is another one than its place says.
    #[error("another session than its id says")]
    OtherId,
    /// It is of an algorithm that is no Megolm.
    #[error("of an unknown algorithm")]
    Algorithm,
}

/// A session that decrypts.
pub struct Session {
    inner: InboundGroupSession,
    sender_key: Option<[u8; 32]>,
    vouched: Vouched,
    source: usize,
}

impl Session {
    /// Takes a session if it is the one that is meant: the id is its signing key, which all it opens is signed with.
    pub(crate) fn new(
        inner: InboundGroupSession,
        session_id: &str,
        sender_key: Option<&str>,
        vouched: Vouched,
    ) -> Result<Session, Unusable> {
        if inner.session_id() != session_id.trim_end().trim_end_matches('=') {
            return Err(Unusable::OtherId);
        }
        let sender_key = sender_key.and_then(crate::base64_text::key).map(|key| *key);
        Ok(Session { inner, sender_key, vouched, source: 0 })
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> String {
        self.inner.session_id()
    }

    /// The first index of which it opens the message.
    #[must_use]
    pub fn first_index(&self) -> u32 {
        self.inner.first_known_index()
    }

    /// The Curve25519 key of the device that made it, as its source says.
    #[must_use]
    pub fn sender_key(&self) -> Option<[u8; 32]> {
        self.sender_key
    }

    /// Who vouches for it.
    #[must_use]
    pub fn vouched(&self) -> Vouched {
        self.vouched
    }

    /// The same, as it is from a source that is known by a number.
    #[must_use]
    pub fn of_source(self, source: usize) -> Session {
        Session { source, ..self }
    }

    /// The source of what it knows first.
    #[must_use]
    pub fn source(&self) -> usize {
        self.source
    }

    /// What it knows from the first index on, as clients export it.
    pub(crate) fn exported(&self) -> ExportedSessionKey {
        self.inner.export_at_first_known_index()
    }

    /// The same in few bytes, to be kept.
    #[must_use]
    pub fn keep(&self) -> Kept {
        let bytes = Zeroizing::new(self.inner.export_at_first_known_index().to_bytes());
        Kept { exported: Zeroizing::new(bytes.as_slice().into()), sender_key: self.sender_key, vouched: self.vouched }
    }

    /// Unites it with another one, if that is the same at another index.
    fn unite(&mut self, other: &mut Session) -> bool {
        let Some(merged) = self.inner.merge(&mut other.inner) else { return false };
        if other.first_index() < self.first_index() {
            self.source = other.source;
        }
        self.inner = merged;
        if other.vouched > self.vouched {
            self.vouched = other.vouched;
            self.sender_key = other.sender_key.or(self.sender_key);
        }
        self.sender_key = self.sender_key.or(other.sender_key);
        true
    }

    /// Decrypts a message, which is checked to be signed with the session's key.
    fn decrypt(&mut self, encrypted: &Encrypted<'_>) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        match self.inner.decrypt(&encrypted.message) {
            Ok(message) => Ok(Zeroizing::new(message.plaintext)),
            Err(DecryptionError::UnknownMessageIndex(first, index)) => Err(Refusal::StartsLater { first, index }),
            Err(DecryptionError::Signature(_)) => Err(Refusal::Damaged("its signature is not its session's")),
            Err(_) => Err(Refusal::Damaged("its ciphertext does not fit its session")),
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("first_index", &self.first_index())
            .field("vouched", &self.vouched)
            .finish_non_exhaustive()
    }
}

/// A session as it is kept where there are many.
pub struct Kept {
    exported: Zeroizing<Box<[u8]>>,
    sender_key: Option<[u8; 32]>,
    vouched: Vouched,
}

impl Kept {
    /// The session.
    pub fn open(&self) -> Result<Session, Unusable> {
        let exported = ExportedSessionKey::from_bytes(&self.exported).map_err(|_| Unusable::Damaged)?;
        let inner = InboundGroupSession::import(&exported, SessionConfig::version_1());
        Ok(Session { inner, sender_key: self.sender_key, vouched: self.vouched, source: 0 })
    }
}

/// What there is of one session, from several sources: those that are the same are united, so that the one that begins first is
/// used; what claims the same id and is not the same stands beside it.
#[derive(Debug, Default)]
pub struct Sessions(Vec<Session>);

/// How many stand beside each other: who writes into a source could put one there that opens nothing.
const BESIDE: usize = 4;

impl Sessions {
    /// Adds one.
    pub fn add(&mut self, mut session: Session) {
        let is_known = self.0.iter_mut().any(|known| known.unite(&mut session));
        if !is_known && self.0.len() < BESIDE {
            self.0.push(session);
            self.0.sort_by_key(|session| std::cmp::Reverse(session.vouched));
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, the one that is vouched for best first.
    pub fn iter(&self) -> impl Iterator<Item = &Session> {
        self.0.iter()
    }

    /// Decrypts an event, and says which of them did.
    pub fn decrypt(&mut self, encrypted: &Encrypted<'_>, room_id: &str) -> Result<(Payload, &Session), Refusal> {
        let mut refusal = Refusal::NoSession;
        for session in &mut self.0 {
            match session.decrypt(encrypted) {
                Ok(plaintext) => return Ok((Payload::parse(&plaintext, room_id)?, session)),
                // what is wrong with the event itself is wrong with all of them
                Err(Refusal::StartsLater { first, index }) if matches!(refusal, Refusal::NoSession) => {
                    refusal = Refusal::StartsLater { first, index };
                }
                Err(Refusal::StartsLater { .. }) => {}
                Err(other) => refusal = other,
            }
        }
        Err(refusal)
    }
}
