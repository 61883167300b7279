//! What was said, as markdown.
//!
//! Pure: text in, text out; no file, no database, no clock. Nothing remote gets into the result but through [`markdown`].

pub mod html;
pub mod markdown;
pub mod message;
