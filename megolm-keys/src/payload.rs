//! What an event says once it is decrypted: its type and its content, if they are for the room that it is in. Takes nothing else of it: no
//! sender, no `state_key`, no `redacts`.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::Refusal;

/// What was encrypted.
pub struct Payload {
    /// The event's type.
    pub kind: String,
    /// Its content, a JSON object as its sender wrote it, without line breaks.
    pub content: Zeroizing<String>,
}

#[derive(Deserialize)]
struct Plaintext<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow)]
    room_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    content: &'a RawValue,
}

impl Payload {
    /// Reads a plaintext. What else stands in it, as a `state_key` or a `redacts`, says nothing.
    pub fn parse(plaintext: &[u8], room_id: &str) -> Result<Payload, Refusal> {
        let damaged = Refusal::Damaged("what was encrypted is no event");
        let text = std::str::from_utf8(plaintext).map_err(|_| damaged.clone())?;
        let plaintext: Plaintext<'_> = serde_json::from_str(text).map_err(|_| damaged.clone())?;
        if plaintext.room_id.as_deref() != Some(room_id) {
            return Err(Refusal::Damaged("what was encrypted is for another room"));
        }
        let content = plaintext.content.get();
        if !content.starts_with('{') {
            return Err(damaged);
        }
        // a valid JSON text has them only between tokens
        let content = content.chars().map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c }).collect();
        Ok(Payload { kind: plaintext.r#type.into_owned(), content: Zeroizing::new(content) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: &str = "!room:a.example";

    fn refused(plaintext: &[u8]) -> Refusal {
        Payload::parse(plaintext, ROOM).map(|payload| payload.kind).unwrap_err()
    }

    #[test]
    fn a_plaintext_says_its_type_and_content_and_nothing_else() {
        let text = r#"{"content":{"body": "a\nb",
            "more":[1.0, 1e400]},"type":"m.room.message","room_id":"!room:a.example","state_key":"","redacts":"$x"}"#;
        let payload = Payload::parse(text.as_bytes(), ROOM).unwrap();
        assert_eq!(payload.kind, "m.room.message");
        assert_eq!(*payload.content, r#"{"body": "a\nb",             "more":[1.0, 1e400]}"#);
    }

    #[test]
    fn a_plaintext_is_for_its_room_alone() {
        let other = br#"{"content":{},"type":"m.room.message","room_id":"!other:a.example"}"#;
        assert_eq!(refused(other), Refusal::Damaged("what was encrypted is for another room"));
        assert_eq!(
            refused(br#"{"content":{},"type":"m.room.message"}"#),
            Refusal::Damaged("what was encrypted is for another room")
        );
    }

    #[test]
    fn what_is_no_event_is_damaged() {
        for text in
            ["", "{}", "[]", "null", r#"{"type":"a","content":[],"room_id":"!room:a.example"}"#, r#"{"type":1}"#]
        {
            assert_eq!(refused(text.as_bytes()), Refusal::Damaged("what was encrypted is no event"), "{text}");
        }
        assert_eq!(refused(b"\xff"), Refusal::Damaged("what was encrypted is no event"));
    }
}
