//! What was said and happened, as blocks, and blocks as markdown.
//!
//! Pure: text in, text out; no file, no database, no clock. Nothing remote gets into markdown but through [`markdown`].

pub mod html;
pub mod markdown;
pub mod message;
pub mod text;
