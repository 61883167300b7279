//! An event with what it says decrypted in the place of what is stored, for a dump.
//!
//! What is stored stays beside it, under `synapse.encrypted`. What a plaintext says of being state or a redaction is not taken: it
//! has a type and a content, and nothing else.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::line::{push_member, quote};
use super::{Event, Object, Unparsable, object};

/// What an event says, and what there is to know of how that was encrypted.
#[derive(Clone, Copy, Debug)]
pub struct Plain<'a> {
    /// Its type.
    pub kind: &'a str,
    /// Its content, a JSON object on one line.
    pub content: &'a str,
    /// What stands beside the stored type and content.
    pub about: &'a Map<String, Value>,
}

impl Event {
    /// The same event with `type` and `content` decrypted.
    pub fn decrypted(&self, plain: Plain<'_>) -> Result<Event, Unparsable> {
        let stored = self.content().unwrap_or("{}");
        let content = with_relation(plain.content, stored);
        let mut beside = String::from("{");
        push_member(&mut beside, "type", &quote(self.kind.as_deref().unwrap_or_default()));
        beside.push(',');
        push_member(&mut beside, "content", stored);
        for (key, value) in plain.about {
            beside.push(',');
            push_member(&mut beside, key, &value.to_string());
        }
        beside.push('}');
        let line = self.line_with(("encrypted", &beside), Some((plain.kind, &content)));
        let mut event = Event::from_line(&line, &self.day.to_string())?;
        if event.content().is_none() {
            return Err(Unparsable::new("it has no content"));
        }
        event.duplicate = self.duplicate;
        Ok(event)
    }

    /// The same event with why it could not be decrypted, a word and the words for it, under `synapse.undecryptable`.
    #[must_use]
    pub fn undecryptable(&self, reason: &str, detail: &str) -> Event {
        let why = serde_json::json!({ "reason": reason, "detail": detail }).to_string();
        let line = self.line_with(("undecryptable", &why), None);
        let event = Event::from_line(&line, &self.day.to_string());
        event.map_or_else(|_| self.clone(), |event| Event { duplicate: self.duplicate, ..event })
    }

    /// The line with a member added to its `synapse` object, and perhaps another type and content.
    fn line_with(&self, (name, value): (&str, &str), said: Option<(&str, &str)>) -> String {
        let mut line =
            String::with_capacity(self.line.len() + value.len() + said.map_or(0, |(_, content)| content.len()) + 64);
        line.push('{');
        for (key, stored) in object::members(&self.line) {
            if line.len() > 1 {
                line.push(',');
            }
            match (&*key, said) {
                ("synapse", _) => {
                    // ours, and never empty
                    let mut own = stored.get()[..stored.get().len() - 1].to_owned();
                    own.push(',');
                    push_member(&mut own, name, value);
                    own.push('}');
                    push_member(&mut line, &key, &own);
                }
                ("type", Some((kind, _))) => push_member(&mut line, &key, &quote(kind)),
                ("content", Some((_, content))) => push_member(&mut line, &key, content),
                _ => push_member(&mut line, &key, stored.get()),
            }
        }
        line.push('}');
        line
    }
}

/// A decrypted content with what relates it to others, which stands outside of what is encrypted where clients put it.
fn with_relation<'a>(content: &'a str, stored: &str) -> Cow<'a, str> {
    let Some(outside) = Object::of(stored).get("m.relates_to").filter(|value| value.get().starts_with('{')) else {
        return Cow::Borrowed(content);
    };
    let mut with = String::from("{");
    push_member(&mut with, "m.relates_to", outside.get());
    for (key, value) in object::members(content) {
        if key != "m.relates_to" {
            with.push(',');
            push_member(&mut with, &key, value.get());
        }
    }
    with.push('}');
    Cow::Owned(with)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Stored, tests::stored};

    fn encrypted(content: &str) -> Event {
        let json = format!(
            r#"{{"type":"m.room.encrypted","room_id":"!r:x","sender":"@a:x","content":{content},"hashes":{{}}}}"#
        );
        Event::from_stored(&Stored { kind: "m.room.encrypted", ..stored(Some(&json)) })
    }

    fn about() -> Map<String, Value> {
        serde_json::json!({ "index": 3, "source": "a \"file\"" }).as_object().unwrap().clone()
    }

    #[test]
    fn what_it_says_stands_at_the_top_and_what_is_stored_beside_it() {
        let event = encrypted(r#"{"ciphertext":"AwgB"}"#);
        let plain = Plain { kind: "m.room.message", content: r#"{"body":"hi","msgtype":"m.text"}"#, about: &about() };
        let decrypted = event.decrypted(plain).unwrap();
        let line: Value = serde_json::from_str(&decrypted.line).unwrap();
        assert_eq!((&line["type"], &line["content"]["body"]), (&"m.room.message".into(), &"hi".into()));
        assert_eq!(line["synapse"]["encrypted"]["type"], "m.room.encrypted");
        assert_eq!(line["synapse"]["encrypted"]["content"]["ciphertext"], "AwgB");
        assert_eq!(line["synapse"]["encrypted"]["index"], 3);
        assert_eq!(line["synapse"]["stream_ordering"], 7);
        assert_eq!((&line["sender"], &line["hashes"]), (&"@a:x".into(), &serde_json::json!({})));
        assert_eq!((decrypted.kind.as_deref(), decrypted.said.as_deref()), (Some("m.room.message"), Some("hi")));
    }

    #[test]
    fn a_relation_that_stands_outside_is_what_counts() {
        let event = encrypted(r#"{"ciphertext":"AwgB","m.relates_to":{"rel_type":"m.thread","event_id":"$outside"}}"#);
        for content in
            [r#"{"body":"hi"}"#, r#"{"body":"hi","m.relates_to":{"rel_type":"m.replace","event_id":"$inside"}}"#]
        {
            let decrypted = event.decrypted(Plain { kind: "m.room.message", content, about: &about() }).unwrap();
            assert_eq!(
                (decrypted.relates_to.as_deref(), decrypted.rel_type.as_deref()),
                (Some("$outside"), Some("m.thread"))
            );
        }
        let event = encrypted(r#"{"ciphertext":"AwgB"}"#);
        let content = r#"{"m.relates_to":{"rel_type":"m.replace","event_id":"$inside"}}"#;
        let decrypted = event.decrypted(Plain { kind: "m.room.message", content, about: &about() }).unwrap();
        assert_eq!(decrypted.relates_to.as_deref(), Some("$inside"));
    }

    #[test]
    fn what_every_parser_cannot_read_is_refused() {
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(2_000), "]".repeat(2_000));
        let event = encrypted("{}");
        assert!(event.decrypted(Plain { kind: "m.room.message", content: &deep, about: &about() }).is_err());
    }

    #[test]
    fn why_it_could_not_be_decrypted_stands_in_the_line() {
        let line = encrypted(r#"{"ciphertext":"AwgB"}"#).undecryptable("no_session", "no session").line;
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["type"], "m.room.encrypted");
        assert_eq!(line["synapse"]["undecryptable"]["reason"], "no_session");
    }
}
