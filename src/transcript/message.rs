//! shim
#![allow(missing_docs)]
use super::markdown;
use crate::event::Object;
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    Plain,
    Emote,
    Notice,
    Noise,
}
pub struct Body {
    pub markdown: String,
    pub manner: Manner,
}
#[must_use]
pub fn body(_kind: &str, content: &str, _is_reply: bool) -> Body {
    let c = Object::of(content);
    Body { markdown: markdown::block(&c.text("body").unwrap_or_default()), manner: Manner::Plain }
}
#[must_use]
pub fn excerpt(_kind: &str, content: &str, _is_reply: bool, chars: usize) -> String {
    let c = Object::of(content);
    markdown::excerpt(&c.text("body").unwrap_or_default(), chars)
}
