//! Files of lines, `rooms/<room>/<day>.jsonl`, or compressed `.jsonl.zst`: no other code opens one, to append to it, to read a line or all
//! of them, or to write it anew. Decides nothing of what a line says, and knows no catalog.

mod appending;
mod committed;
mod content;
mod form;
mod frames;
mod whole;

use std::io;

pub(super) use appending::Appending;
pub(super) use committed::{check, for_each, truncate};
pub(super) use content::{LineReader, Open, read};
pub(super) use form::{Form, beginning, day_of, form, put, reform, remove, settle};
pub(super) use whole::{Anew, FileLine, LONGEST, WholeFile};

/// How much is gathered before it is written, bytes.
const WRITE_BYTES: usize = 64 * 1024;

/// Gathers a line, given without its newline, as a file has it which `frames` writes compressed, if it is.
fn push(frames: &mut Option<frames::FrameWriter>, line: &[u8], gathered: &mut Vec<u8>) -> io::Result<()> {
    if let Some(frames) = frames {
        return frames.push(line, gathered);
    }
    gathered.extend_from_slice(line);
    gathered.push(b'\n');
    Ok(())
}
