//! What was said and happened, as blocks, and blocks as markdown and as HTML.
//!
//! Pure: text in, text out; no file, no database, no clock. A document is never held as a whole: its blocks are written one
//! by one. They hold plain text; nothing remote gets into markdown but through [`markdown`], and into HTML but through [`html`].

pub(crate) mod address;
pub(crate) mod beacon;
pub mod block;
pub(crate) mod call;
pub(crate) mod fold;
pub mod formatted;
pub mod html;
pub mod line;
pub mod markdown;
pub mod media;
pub mod message;
pub mod page;
pub(crate) mod poll;
pub(crate) mod powers;
pub(crate) mod reaction;
pub mod text;
pub mod time;
pub(crate) mod visible;
