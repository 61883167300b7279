//! A session as clients export it: an object in a key file, and in an entry of a key backup.

use std::borrow::Cow;

use serde::Deserialize;
use vodozemac::megolm::{ExportedSessionKey, InboundGroupSession, SessionConfig};
use zeroize::Zeroize as _;

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

impl Drop for Exported<'_> {
    fn drop(&mut self) {
        if let Cow::Owned(key) = &mut self.session_key {
            key.zeroize();
        }
    }
}
