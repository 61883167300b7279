//! What a compressed file of lines is made of: zstd frames of whole lines, which any program that knows zstd reads one behind the
//! other, and tables of them, by which one byte is found without all that is before it.
//!
//! A file is parts, each of some frames with their table behind them in a skippable frame; what is appended is a part of its
//! own, so that nothing that is there is ever written again. A table names the part before it, and one farther back, so that
//! any is found in few steps, however many there are. What is behind the last whole table was cut off, and does not count. Here they are
//! read; how they are written is that of `writing`. Knows no path and no line's content.

mod part;
#[cfg(test)]
mod tests;
mod writing;

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _};
use std::os::unix::fs::FileExt as _;

use zstd::bulk::Decompressor;

use part::{Frame, Part, last_whole};
pub(super) use writing::FrameWriter;

/// Lines are gathered for a frame up to so many bytes: smaller ones are read faster, larger ones are smaller by little.
const GATHERED: usize = 128 * 1024;
/// The most that a frame says, in bytes: of a line that is longer there are several. It is a power of two.
const LONGEST: usize = 1 << LONGEST_LOG;
const LONGEST_LOG: u32 = 20;
/// How many decompressed frames are held.
const HELD: usize = 4;

/// A compressed file of lines, to be read.
pub(super) struct Frames {
    file: File,
    last: Part,
    is_cut_off: bool,
    /// The part that was looked into last.
    here: Option<(Part, Vec<Frame>)>,
    /// What some frames say, by where that begins; the last one last.
    held: Vec<(u64, Vec<u8>)>,
    decompressor: Option<Decompressor<'static>>,
}

impl Frames {
    /// Looks for the last part of a file that has so many bytes.
    pub(super) fn of(file: File, bytes: u64) -> io::Result<Frames> {
        let mut last = Part::at(&file, bytes)?;
        if let Some(part) = &last
            && part.read(&file)?.is_none()
        {
            last = None;
        }
        let is_cut_off = last.is_none();
        let last = match last {
            Some(part) => part,
            None => last_whole(&file, bytes)?.ok_or_else(|| damaged("it has no table of its frames"))?,
        };
        Ok(Frames { file, last, is_cut_off, here: None, held: Vec::new(), decompressor: None })
    }

    /// How many bytes of lines it has.
    pub(super) fn length(&self) -> u64 {
        self.last.to
    }

    /// Something is behind its last whole part.
    pub(super) fn is_cut_off(&self) -> bool {
        self.is_cut_off
    }

    /// Where its last whole part ends.
    pub(super) fn end(&self) -> u64 {
        self.last.end
    }

    /// Takes away what is behind a part's end.
    pub(super) fn cut(&self, end: u64) -> io::Result<()> {
        self.file.set_len(end)?;
        self.file.sync_all()
    }

    /// Whether what was appended to it takes far more frames than it needs.
    pub(super) fn is_ragged(&self) -> bool {
        self.last.number > self.last.to / GATHERED as u64 * 2 + 8
    }

    /// Where the part ends with which it had so many bytes of lines; none: there was none.
    pub(super) fn end_at(&self, length: u64) -> io::Result<Option<u64>> {
        let Some(last) = length.checked_sub(1).filter(|_| length <= self.last.to) else { return Ok(None) };
        let part = self.part(last)?;
        Ok((part.to == length).then_some(part.end))
    }

    /// The part that has a byte of lines.
    fn part(&self, byte: u64) -> io::Result<Part> {
        let mut part = self.last;
        while byte < part.from {
            let mut next = None;
            if part.back > 0 {
                next = Some(self.part_at(&part, part.back)?).filter(|back| byte < back.to);
            }
            part = match next {
                Some(next) => next,
                None => self.part_at(&part, part.start)?,
            };
        }
        if byte < part.to { Ok(part) } else { Err(damaged("a table of its frames is none")) }
    }

    /// A part before another one.
    fn part_at(&self, behind: &Part, end: u64) -> io::Result<Part> {
        let part = Part::at(&self.file, end)?.filter(|part| part.end < behind.end && part.to <= behind.from);
        part.ok_or_else(|| damaged("a table of its frames is not where it should be"))
    }

    /// The frame that has a byte of lines.
    fn frame(&mut self, byte: u64) -> io::Result<Frame> {
        if !self.here.as_ref().is_some_and(|(part, _)| (part.from..part.to).contains(&byte)) {
            let part = self.part(byte)?;
            let frames = part.read(&self.file)?.ok_or_else(|| damaged("a table of its frames is damaged"))?;
            self.here = Some((part, frames));
        }
        let frames = self.here.as_ref().map_or(&[][..], |(_, frames)| frames);
        let behind = frames.partition_point(|frame| frame.from <= byte);
        frames.get(behind.wrapping_sub(1)).copied().ok_or_else(|| damaged("a table of its frames is damaged"))
    }

    /// What a frame says.
    fn say(&mut self, frame: Frame) -> io::Result<&[u8]> {
        let known = self.held.iter().rposition(|(from, _)| *from == frame.from);
        let said = if let Some(known) = known {
            self.held.remove(known)
        } else {
            let mut compressed = vec![0; frame.size as usize];
            self.file.read_exact_at(&mut compressed, frame.at)?;
            let decompressor = match &mut self.decompressor {
                Some(decompressor) => decompressor,
                None => self.decompressor.insert(Decompressor::new()?),
            };
            let mut said = Vec::with_capacity(frame.length as usize);
            decompressor.decompress_to_buffer(&compressed, &mut said)?;
            if said.len() != frame.length as usize {
                return Err(damaged("a frame says less than its table"));
            }
            if self.held.len() >= HELD {
                self.held.remove(0);
            }
            (frame.from, said)
        };
        self.held.push(said);
        Ok(self.held.last().map_or(&[], |(_, said)| said))
    }

    /// Reads so many bytes of lines from `start` on.
    pub(super) fn read(&mut self, start: u64, length: u64) -> io::Result<Vec<u8>> {
        let end = start.checked_add(length).filter(|end| *end <= self.last.to).ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut read = Vec::new();
        let mut at = start;
        while at < end {
            let frame = self.frame(at)?;
            let said = self.say(frame)?;
            let within = usize::try_from(at - frame.from).unwrap_or(usize::MAX);
            let rest = said.get(within..).filter(|rest| !rest.is_empty());
            let rest = rest.ok_or_else(|| damaged("a table of its frames is damaged"))?;
            let taken = rest.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
            read.extend_from_slice(&rest[..taken]);
            at += taken as u64;
        }
        Ok(read)
    }

    /// All that it says, one byte after the other.
    pub(super) fn read_all(mut self) -> io::Result<impl Read + Send> {
        self.file.rewind()?;
        let mut all = zstd::Decoder::with_buffer(BufReader::new(self.file.take(self.last.end)))?;
        // what a frame of others may ask for is no more than ours do
        all.window_log_max(LONGEST_LOG)?;
        Ok(all)
    }

    /// The file, as it was opened.
    pub(super) fn into_file(self) -> File {
        self.file
    }

    /// What writes a part behind the last one.
    pub(super) fn append(&self) -> io::Result<FrameWriter> {
        let (mut chain, mut part) = (Vec::new(), self.last);
        loop {
            chain.push((part.number, part.end));
            if part.back == 0 {
                break;
            }
            part = self.part_at(&part, part.back)?;
        }
        chain.reverse();
        FrameWriter::behind(self.last, chain)
    }
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("cannot be read: {what}, as if it was damaged, or compressed by another program"),
    )
}
