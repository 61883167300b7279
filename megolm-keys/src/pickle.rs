//! Sessions as libolm has pickled them, in the stores of mautrix' bridges and of others that share their tables, and of matrix-nio up to
//! 0.25; and as vodozemac pickles them, in those of matrix-nio from 0.26 on.

use sha2::{Digest as _, Sha256};
use vodozemac::megolm::{InboundGroupSession, InboundGroupSessionPickle};
use zeroize::Zeroizing;

use crate::{Session, Unusable, Vouched};

/// The pickle keys that are written in the programs themselves, which is why they protect nothing: mautrix-python and older
/// bridges in Go, those for `WhatsApp` and its likes, for Google Messages, for iMessage, for `GroupMe`; maubot; matrix-nio.
pub const KNOWN_KEYS: [&str; 7] = [
    "mautrix.bridge.e2ee",
    "maunium.net/go/mautrix-whatsapp",
    "go.mau.fi/mautrix-gmessages",
    "go.mau.fi/mautrix-imessage",
    "github.com/beeper/groupme",
    "mau.crypto",
    "DEFAULT_KEY",
];

/// The longest pickle that is looked at; libolm's have 416 bytes.
const LONGEST: usize = 16 * 1024;

/// The keys that are tried, the one that opened the last pickle first.
#[derive(Default)]
pub struct PickleKeys(Vec<Zeroizing<Vec<u8>>>);

impl PickleKeys {
    /// Those that are given, and those that are known after them.
    pub fn new(given: impl IntoIterator<Item = Zeroizing<Vec<u8>>>) -> PickleKeys {
        let known = KNOWN_KEYS.iter().map(|key| Zeroizing::new(key.as_bytes().to_vec()));
        PickleKeys(given.into_iter().chain(known).collect())
    }

    /// Opens the pickle of a session.
    pub fn open(
        &mut self,
        pickle: &[u8],
        session_id: &str,
        sender_key: Option<&str>,
        vouched: Vouched,
    ) -> Result<Session, Unusable> {
        let text = std::str::from_utf8(pickle).map_err(|_| Unusable::Damaged)?;
        let text = text.trim().trim_end_matches('=');
        if text.is_empty() || text.len() > LONGEST {
            return Err(Unusable::Damaged);
        }
        let opened =
            self.0.iter().enumerate().find_map(|(place, key)| unpickled(text, key).map(|session| (place, session)));
        let (place, inner) = opened.ok_or(Unusable::Locked)?;
        self.0[..=place].rotate_right(1);
        Session::new(inner, session_id, sender_key, vouched)
    }
}

/// A session as libolm has pickled it, or as matrix-nio has it done by vodozemac: under the key's hash.
fn unpickled(text: &str, key: &[u8]) -> Option<InboundGroupSession> {
    if let Ok(session) = InboundGroupSession::from_libolm_pickle(text, key) {
        return Some(session);
    }
    let key = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(key)));
    InboundGroupSessionPickle::from_encrypted(text, &key).ok().map(InboundGroupSession::from)
}

impl std::fmt::Debug for PickleKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PickleKeys({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use vodozemac::megolm::{GroupSession, SessionConfig};

    use super::*;

    #[test]
    fn what_matrix_nio_pickles_opens_under_its_keys_hash_alone() {
        let session = InboundGroupSession::new(
            &GroupSession::new(SessionConfig::version_1()).session_key(),
            SessionConfig::version_1(),
        );
        let id = session.session_id();
        let pickled = |key: &str| {
            let key: [u8; 32] = Sha256::digest(key.as_bytes()).into();
            session.pickle().encrypt(&key)
        };
        let open = |pickle: String, given: &[&str]| {
            let given = given.iter().map(|key| Zeroizing::new(key.as_bytes().to_vec()));
            PickleKeys::new(given).open(pickle.as_bytes(), &id, None, Vouched::Nobody).map(|session| session.id())
        };
        assert_eq!(open(pickled("DEFAULT_KEY"), &[]).as_ref(), Ok(&id));
        assert_eq!(open(pickled("own"), &["another", "own"]).as_ref(), Ok(&id));
        assert_eq!(open(pickled("own"), &["another"]), Err(Unusable::Locked));
    }
}
