//! Markdown, for `CommonMark` 0.31 with GitHub's extensions, and for reading as it is.

mod message;
pub(crate) mod text;

pub use message::{blocks, emote, in_short, message};
pub use text::{block, code_block, code_cell, code_span, excerpt, inline, link, size, yaml};
