//! A session as clients export it: an object in a key file, and in an entry of a key backup. Nobody vouches for one.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use vodozemac::megolm::{ExportedSessionKey, InboundGroupSession, SessionConfig};
use zeroize::{Zeroize as _, Zeroizing};

use crate::{MEGOLM, Session, Unusable, Vouched};

/// What is taken of one.
#[derive(Deserialize)]
pub(crate) struct Exported<'a> {
    #[serde(borrow)]
    algorithm: Cow<'a, str>,
    /// A backup has them beside it.
    #[serde(borrow, default)]
    pub(crate) room_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(crate) session_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    sender_key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    session_key: Cow<'a, str>,
}

impl<'a> Exported<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Exported<'a>, Unusable> {
        serde_json::from_str(text).map_err(|_| Unusable::Damaged)
    }

    /// The session, which has this id; nobody vouches for it.
    pub(crate) fn session(&self, session_id: &str) -> Result<Session, Unusable> {
        if self.algorithm != MEGOLM {
            return Err(Unusable::Algorithm);
        }
        let bytes = crate::base64_text::decoded(&self.session_key).ok_or(Unusable::Damaged)?;
        let exported = ExportedSessionKey::from_bytes(&bytes).map_err(|_| Unusable::Damaged)?;
        let inner = InboundGroupSession::import(&exported, SessionConfig::version_1());
        Session::new(inner, session_id, self.sender_key.as_deref(), Vouched::Nobody)
    }
}

/// An object without members: what the source does not know.
#[derive(Serialize)]
struct Empty {}

/// What is written of one.
#[derive(Serialize)]
struct Written<'a> {
    algorithm: &'a str,
    room_id: &'a str,
    session_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender_key: Option<String>,
    sender_claimed_keys: Empty,
    forwarding_curve25519_key_chain: [(); 0],
    session_key: &'a str,
}

/// A session of a room as an object of JSON's.
pub(crate) fn written(session: &Session, room_id: &str) -> Zeroizing<String> {
    let key = Zeroizing::new(session.exported().to_base64());
    let session_id = session.id();
    let sender_key = session.sender_key().map(|key| crate::base64_text::encoded(&key));
    let written = Written {
        algorithm: MEGOLM,
        room_id,
        session_id: &session_id,
        sender_key,
        sender_claimed_keys: Empty {},
        forwarding_curve25519_key_chain: [],
        session_key: &key,
    };
    Zeroizing::new(serde_json::to_string(&written).unwrap_or_default())
}

impl Drop for Exported<'_> {
    fn drop(&mut self) {
        if let Cow::Owned(key) = &mut self.session_key {
            key.zeroize();
        }
    }
}
