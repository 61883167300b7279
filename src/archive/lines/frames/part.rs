//! A part of a compressed file as its bytes are: frames, and the table of them, which says where each is and what part is before it.
//!
//! Tells what is whole from what is not; decompresses nothing, so that what a frame says is not known here.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use sha2::{Digest as _, Sha256};
use zstd::zstd_safe::{compress_bound, find_frame_compressed_size};

use super::{GATHERED, LONGEST};

/// How many frames a part has at most.
pub(super) const FRAMES: usize = 1024;

/// What a skippable frame of ours begins with, and any.
const SKIPPABLE: u32 = 0x184D_2A5A;
const ANY_SKIPPABLE: u32 = 0x184D_2A50;
/// What a zstd frame begins with.
const ZSTD: u32 = 0xFD2F_B528;
/// The bytes before what a skippable frame says.
const HEADER: u64 = 8;
/// The bytes of a frame in a table, and of what follows them.
const ROW: u64 = 8;
const TRAILER: usize = 64;
/// The last bytes of a table.
const MAGIC: [u8; 8] = *b"syxlines";

/// A part of a file, as the end of its table says. Positions are in the file, `from` and `to` in what it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    /// Where its table ends, and where its first frame begins, as the part before it ends there.
    pub(super) end: u64,
    pub(super) start: u64,
    /// The first one is 1.
    pub(super) number: u64,
    /// Where the part ends whose number is this one's without its lowest set bit; 0: there is none.
    pub(super) back: u64,
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) frames: u64,
}

impl Part {
    fn table(&self) -> u64 {
        self.frames * ROW + TRAILER as u64
    }

    /// Its table as a skippable frame; `rows`: of each frame how long it is, and how much it says.
    pub(super) fn write(&self, rows: &[[u32; 2]], out: &mut Vec<u8>) {
        let begin = out.len();
        out.extend(SKIPPABLE.to_le_bytes());
        out.extend(u32::try_from(self.table()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend(rows.iter().flatten().flat_map(|number| number.to_le_bytes()));
        let numbers = [self.number, self.start, self.back, self.from, self.to, self.frames];
        out.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        let check = Sha256::digest(&out[begin..]);
        out.extend(&check[..8]);
        out.extend(MAGIC);
    }

    /// The part whose table ends at a position; none: no table does.
    pub(super) fn at(file: &File, end: u64) -> io::Result<Option<Part>> {
        let mut trailer = [0; TRAILER];
        let Some(start) = end.checked_sub(TRAILER as u64 + HEADER) else { return Ok(None) };
        file.read_exact_at(&mut trailer, start + HEADER)?;
        let number = |nth: usize| u64::from_le_bytes(eight(&trailer[nth * 8..]));
        let part = Part {
            end,
            number: number(0),
            start: number(1),
            back: number(2),
            from: number(3),
            to: number(4),
            frames: number(5),
        };
        let fits = part.frames <= FRAMES as u64
            && part.start.checked_add(part.table() + HEADER).is_some_and(|least| least <= end)
            && (part.back == 0 || part.back <= part.start)
            && part.from <= part.to;
        Ok((trailer[56..] == MAGIC && fits).then_some(part))
    }

    /// Its frames; none: it is no table of ours, or damaged.
    pub(super) fn read(&self, file: &File) -> io::Result<Option<Vec<Frame>>> {
        let size = HEADER + self.table();
        let mut table = vec![0; usize::try_from(size).unwrap_or_default()];
        file.read_exact_at(&mut table, self.end - size)?;
        let (said, rest) = table.split_at(table.len() - 16);
        let is_ours = u32_of(said) == SKIPPABLE && Sha256::digest(said)[..8] == rest[..8];
        let (mut at, mut from, mut frames) = (self.start, self.from, Vec::with_capacity(table.len() / 8));
        let rows = &said[8..said.len() - 48];
        for row in rows.chunks_exact(8) {
            let (size, length) = (u32_of(row), u32_of(&row[4..]));
            frames.push(Frame { at, size, from, length });
            at += u64::from(size);
            from += u64::from(length);
        }
        let is_whole = at + size == self.end && from == self.to;
        let is_bounded = frames.iter().all(|frame| frame.length as usize <= LONGEST && frame.size as usize <= bound());
        Ok((is_ours && is_whole && is_bounded).then_some(frames))
    }
}

/// A frame: where it is in the file, and what of all that the file says it has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) at: u64,
    pub(super) size: u32,
    pub(super) from: u64,
    pub(super) length: u32,
}

/// The last part of a file that is whole, as all before it is.
pub(super) fn last_whole(file: &File, bytes: u64) -> io::Result<Option<Part>> {
    let (mut last, mut at, mut begin) = (None, 0, Vec::new());
    while at + HEADER <= bytes {
        let mut header = [0; 8];
        file.read_exact_at(&mut header, at)?;
        let magic = u32_of(&header);
        let size = if magic & !0xF == ANY_SKIPPABLE {
            HEADER + u64::from(u32_of(&header[4..]))
        } else if magic == ZSTD {
            let mut size = None;
            // few are as long as they can be
            for most in [compress_bound(GATHERED), bound()] {
                let length = usize::try_from(bytes - at).unwrap_or(usize::MAX).min(most);
                begin.resize(length, 0);
                file.read_exact_at(&mut begin, at)?;
                size = find_frame_compressed_size(&begin).ok();
                if size.is_some() {
                    break;
                }
            }
            let Some(size) = size else { break };
            size as u64
        } else {
            break;
        };
        at += size;
        if at > bytes {
            break;
        }
        if magic == SKIPPABLE
            && let Some(part) = Part::at(file, at)?
        {
            if part.read(file)?.is_none() {
                break;
            }
            last = Some(part);
        }
    }
    Ok(last)
}

/// The longest frame, in bytes.
fn bound() -> usize {
    compress_bound(LONGEST)
}

fn eight(bytes: &[u8]) -> [u8; 8] {
    bytes.first_chunk().copied().unwrap_or_default()
}

fn u32_of(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes.first_chunk().copied().unwrap_or_default())
}
