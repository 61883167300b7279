//! What a reaction says, and which of them say the same. Counts none, and knows nothing of who has sent them.

use std::borrow::Cow;

use super::text::shortened;
use crate::event::Object;
use crate::event::media::is_mxc;

/// Characters.
const LONGEST: usize = 40;

/// The key of a reaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReactionKey {
    /// The same of those that look the same: an emoji with its variation selector or without it.
    pub(crate) same: String,
    /// As it is shown; none: a custom emoji whose name is not given.
    pub(crate) shown: Option<String>,
}

impl ReactionKey {
    /// The key that the content of a reaction has.
    pub(crate) fn of(content: &str) -> Option<ReactionKey> {
        let content = Object::of(content);
        let relation = content.object("m.relates_to")?;
        let key = relation.given("key")?;
        if key.starts_with("mxc://") {
            return Some(ReactionKey { shown: shortcode(&content), same: key.into_owned() });
        }
        let plain = shortened(&key.replace(['\u{fe0e}', '\u{fe0f}'], ""), LONGEST);
        let shown = shortened(&key, LONGEST);
        Some(ReactionKey { same: if plain.is_empty() { shown.clone() } else { plain }, shown: Some(shown) })
    }

    /// The key as it was sent, whatever it is shown as.
    pub(crate) fn sent(content: &str) -> Option<Cow<'_, str>> {
        Object::of(content).object("m.relates_to")?.text("key")
    }

    /// The address of the picture that it is.
    pub(crate) fn picture(&self) -> Option<&str> {
        Some(&*self.same).filter(|same| is_mxc(same))
    }

    /// As it is shown on a line of its own.
    pub(crate) fn text(self) -> Cow<'static, str> {
        self.shown.map_or(Cow::Borrowed(CUSTOM), Cow::Owned)
    }
}

/// A custom emoji whose name is not given.
pub(crate) const CUSTOM: &str = "a custom emoji";

/// The name of a custom emoji (MSC4027): `:party-parrot:`.
fn shortcode(content: &Object<'_>) -> Option<String> {
    let keys = ["shortcode", "com.beeper.reaction.shortcode"];
    let mut codes =
        keys.iter().filter_map(|key| content.text(key)).map(|code| code.trim().trim_matches(':').to_owned());
    codes.find(|code| !code.is_empty()).map(|code| format!(":{}:", shortened(&code, LONGEST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_look_the_same_are_the_same() {
        let key = |key: &str, more: &str| ReactionKey::of(&format!(r#"{{"m.relates_to":{{"key":"{key}"}}{more}}}"#));
        let same = |text: &str| key(text, "").unwrap().same;
        assert_eq!(same("👍"), same("👍\u{fe0f}"));
        assert_ne!(same("👍"), same("👍🏽"));
        assert_eq!(key("❤\u{fe0f}", "").unwrap().shown.as_deref(), Some("❤\u{fe0f}"));
        assert_eq!(key(" ", ""), None);
        assert_eq!(ReactionKey::sent(r#"{"m.relates_to":{"key":" \u2764\ufe0f"}}"#).as_deref(), Some(" ❤\u{fe0f}"));
        let (picture, code) = ("mxc://a.b/c", r#","com.beeper.reaction.shortcode":":parrot:""#);
        assert_eq!(key(picture, code).unwrap().shown.as_deref(), Some(":parrot:"));
        assert_eq!(key(picture, code).unwrap().picture(), Some(picture));
        assert_eq!(key("mxc://a b/c", "").unwrap().picture(), None);
        assert_eq!(key(picture, r#","shortcode":"a"#), None);
        assert_eq!(key(picture, r#","shortcode":"a b"}"#.trim_end_matches('}')).unwrap().text(), ":a b:");
        assert_eq!(key(picture, r#","shortcode":"::""#).unwrap().text(), CUSTOM);
    }
}
