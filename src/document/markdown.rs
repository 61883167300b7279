//! Markdown, for `CommonMark` 0.31 with GitHub's extensions, and for reading as it is: the one form of documents so far.
//!
//! [`writer`] takes blocks, `page` what stands around them; both escape through `text` all that is not ours.

mod message;
mod page;
pub(crate) mod text;
mod writer;

pub use message::{blocks, emote, in_short, message};
pub(crate) use page::{
    ENCRYPTED_HEAD, INDEX_BEGIN, day_head, day_line, document_head, event_head, index_head, index_line, part_head,
    room_head,
};
pub use text::{block, code_block, code_cell, code_span, excerpt, inline, link, size, yaml};
pub(crate) use writer::Markdown;
