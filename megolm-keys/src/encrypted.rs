//! What an `m.room.encrypted` event says in clear: with which session it is encrypted, and at which index. Decrypts nothing, and believes
//! none of it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use vodozemac::megolm::MegolmMessage;

use crate::Refusal;

/// The algorithm of encrypted rooms.
pub const MEGOLM: &str = "m.megolm.v1.aes-sha2";
/// Longer than any event's content; what is longer is not looked at.
const LONGEST: usize = 1 << 20;

/// The content of an event that Megolm has encrypted. All of it is what its sender says.
#[derive(Debug)]
pub struct Encrypted<'a> {
    /// The session that it names.
    pub session_id: Cow<'a, str>,
    /// What relates it to another event, which stands outside of what is encrypted; a JSON object.
    pub relates_to: Option<&'a str>,
    pub(crate) message: MegolmMessage,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow, default)]
    algorithm: Option<&'a RawValue>,
    #[serde(borrow, default)]
    ciphertext: Option<&'a RawValue>,
    #[serde(borrow, default)]
    session_id: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "m.relates_to")]
    relates_to: Option<&'a RawValue>,
}

/// A JSON string, borrowed unless something in it is escaped.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn text(value: Option<&RawValue>) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(value?.get()).ok().map(|text| text.0)
}

impl<'a> Encrypted<'a> {
    /// Reads an event's `content`.
    pub fn parse(content: &'a str) -> Result<Encrypted<'a>, Refusal> {
        if content.len() > LONGEST {
            return Err(Refusal::Damaged("its content is too long"));
        }
        let content: Content<'a> =
            serde_json::from_str(content).map_err(|_| Refusal::Damaged("its content is no sound JSON object"))?;
        let algorithm = text(content.algorithm).unwrap_or_default();
        if algorithm != MEGOLM {
            let is_nothing = content.algorithm.is_none() && content.ciphertext.is_none();
            return Err(if is_nothing { Refusal::Damaged("no ciphertext") } else { Refusal::algorithm(&algorithm) });
        }
        let ciphertext = text(content.ciphertext).ok_or(Refusal::Damaged("no ciphertext"))?;
        let session_id = text(content.session_id).ok_or(Refusal::Damaged("it names no session"))?;
        let message = MegolmMessage::from_base64(ciphertext.trim_end_matches('='))
            .map_err(|_| Refusal::Damaged("its ciphertext is no Megolm message"))?;
        let relates_to = content.relates_to.map(RawValue::get).filter(|value| value.starts_with('{'));
        Ok(Encrypted { session_id, relates_to, message })
    }

    /// The message's place in its session, as it says.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.message.message_index()
    }
}
