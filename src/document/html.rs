//! HTML: pages that open with a double click, and that can be read and printed without a script.
//!
//! [`writer`] takes blocks, `page` what stands around them, by templates that escape; [`body`] takes senders' own HTML apart and writes it
//! anew. A page loads nothing and runs nothing but its own style and script, which its policy names by their hashes.

pub mod body;
mod message;
mod page;
mod picture;
mod spans;
mod text;
mod writer;

pub use message::message;
pub(crate) use page::{
    CalendarDay, INDEX_BEGIN, cover, day_head, end, page_file, part_head, people_end, people_head, person_cover,
    person_line, room_head, room_heading, room_month, rooms_end, rooms_head, rooms_line, section_head, section_line,
    sections_head, state_end, state_head, state_line,
};
pub use text::escaped;
pub(crate) use writer::Html;
