//! Files of lines, `rooms/<room>/<day>.jsonl`: no other code opens one, to append to it, to read a line or all of them, or to write it
//! anew. Decides nothing of what a line says, and knows no catalog.

mod appending;
mod committed;
mod content;
mod whole;

pub(super) use appending::Appending;
pub(super) use committed::{check, for_each, truncate};
pub(super) use content::{Lines, Open, read};
pub(super) use whole::{Anew, LONGEST, Line, Whole};
