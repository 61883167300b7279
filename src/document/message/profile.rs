//! Whom a message is sent for: a bridge or a bot says under a name of its own what others have written (MSC4144). The name is shown
//! beside who has sent it, never in place of that.

use std::borrow::Cow;

use html5gum::{DefaultEmitter, Token, Tokenizer};
use serde_json::value::RawValue;

use super::super::text::shortened;
use crate::event::Object;
use crate::event::object::{members, text};

/// The keys of a profile, before and after it became a part of the specification.
const KEYS: [&str; 2] = ["m.per_message_profile", "com.beeper.per_message_profile"];
/// The attribute of what stands in a text for those who know no profiles.
const FALLBACK: &[u8] = b"data-mx-profile-fallback";
/// Characters.
const LONGEST: usize = 80;

pub(super) fn is_key(key: &str) -> bool {
    KEYS.contains(&key)
}

/// The name under which the content of an event is said, if it is another than its sender's.
pub(crate) fn said_as(content: &str) -> Option<String> {
    if !content.contains("per_message_profile") {
        return None;
    }
    let content = Object::of(content);
    let profile = KEYS.iter().find_map(|key| content.object(key))?;
    Some(shortened(&profile.text("displayname")?, LONGEST)).filter(|name| !name.is_empty())
}

/// The name that texts begin with for those who know no profiles, if the profile says so.
pub(super) fn fallback(profile: &RawValue) -> Option<Cow<'_, str>> {
    let (mut name, mut has_fallback) = (None, false);
    for (key, value) in members(profile.get()) {
        match &*key {
            "displayname" => name = text(value),
            "has_fallback" => has_fallback = value.get() == "true",
            _ => {}
        }
    }
    name.filter(|_| has_fallback)
}

/// A text without the name before it.
pub(super) fn without_name<'a>(body: Cow<'a, str>, name: &str) -> Cow<'a, str> {
    match body.strip_prefix(name).and_then(|rest| rest.strip_prefix(": ")) {
        Some(rest) => Cow::Owned(rest.to_owned()),
        None => body,
    }
}

/// HTML without the elements that have the name in them.
pub(super) fn without_fallback(html: &str) -> String {
    let (mut out, mut kept_from) = (String::with_capacity(html.len()), 0);
    // the name of the element that is left out, and how many of that name are open
    let mut left_out: Option<(Vec<u8>, usize)> = None;
    for Ok(token) in Tokenizer::new_with_emitter(html, DefaultEmitter::<usize>::new_with_span()) {
        match (token, &mut left_out) {
            (Token::StartTag(tag), Some((name, depth))) => *depth += usize::from(*tag.name == **name),
            (Token::StartTag(tag), None) if !tag.self_closing && tag.attributes.contains_key(FALLBACK) => {
                out.push_str(html.get(kept_from..tag.span.start).unwrap_or_default());
                kept_from = html.len();
                left_out = Some((tag.name.to_vec(), 1));
            }
            (Token::EndTag(tag), Some((name, depth))) => {
                *depth -= usize::from(*tag.name == **name);
                if *depth == 0 {
                    kept_from = tag.span.end;
                    left_out = None;
                }
            }
            _ => {}
        }
    }
    out.push_str(html.get(kept_from..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_before_a_text_is_left_out() {
        for (html, rest) in [
            ("<strong data-mx-profile-fallback>Dana: </strong>4711 ü", "4711 ü"),
            ("<p>ü<b data-mx-profile-fallback>Da<b>n</b>a</b>: a</p>", "<p>ü: a</p>"),
            ("<b data-mx-profile-fallback>never closed", ""),
            ("<b>Dana: </b>a", "<b>Dana: </b>a"),
            ("a<b data-mx-profile-fallback>1</b>b<i data-mx-profile-fallback>2</i>c", "abc"),
        ] {
            assert_eq!(without_fallback(html), rest, "{html}");
        }
        assert_eq!(without_name("Dana: 4711".into(), "Dana"), "4711");
        assert_eq!(without_name("Dana 4711".into(), "Dana"), "Dana 4711");
        assert_eq!(
            said_as(r#"{"com.beeper.per_message_profile":{"displayname":" Da na "}}"#).as_deref(),
            Some("Da na")
        );
        assert_eq!(said_as(r#"{"m.per_message_profile":{"displayname":" "}}"#), None);
    }
}
