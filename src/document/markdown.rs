//! Markdown, for `CommonMark` 0.31 with GitHub's extensions, and for reading as it is.
//!
//! [`writer`] takes blocks, `page` what stands around them; both escape through `text` all that is not ours.

mod cover;
mod live;
mod message;
mod page;
pub(crate) mod text;
mod writer;

pub(crate) use cover::{cover, person_cover, room_heading};
pub use message::{blocks, emote, in_short, message};
pub(crate) use page::{
    ENCRYPTED_HEAD, INDEX_BEGIN, day_head, day_line, event_head, index_head, index_line, part_head, people_end,
    people_head, person_line, room_head, section_end, section_head, section_line, sections_head,
};
pub use text::{block, code_block, code_cell, code_span, excerpt, inline, link, yaml};
pub(crate) use writer::Markdown;
#[cfg(test)]
pub(crate) use writer::line;

/// Whether markdown of ours begins with a paragraph, so that the time can stand before it.
pub(in crate::document) fn begins_as_paragraph(markdown: &str) -> bool {
    let line = markdown.lines().next().unwrap_or_default();
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_item = ["- ", "* ", "+ "].iter().any(|marker| line.starts_with(marker))
        || (number.len() < line.len() && (number.starts_with(". ") || number.starts_with(") ")));
    let is_rule = line.len() >= 3 && line.bytes().all(|byte| b"*-_ ".contains(&byte));
    let is_link = ["<http", "<mailto"].iter().any(|begin| line.starts_with(begin));
    let is_other = [">", "#", "|", "```", "~~~", "<", "    "].iter().any(|begin| line.starts_with(begin));
    !(line.is_empty() || is_item || is_rule || is_other && !is_link)
}
