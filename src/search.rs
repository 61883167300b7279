//! Full-text search without an archive: how texts are cut into words, what a query says, where it hits a text, and what of that is
//! shown. Pure: knows no catalog, no clock and no terminal.

pub mod dates;
pub mod fts;
pub mod matching;
pub mod parser;
pub mod query;
pub mod said;
pub mod snippet;
pub mod words;
