//! Writes lines as frames, and behind at most so many of them their table: a new file, or one more part behind the last.
//!
//! Only ever appends, and that to a buffer: what is in it is durable when its caller has made it so.

use std::io;

use zstd::bulk::Compressor;
use zstd::zstd_safe::compress_bound;

use super::part::{FRAMES, Part};
use super::{GATHERED, LONGEST};

/// The level of zstd: higher ones take three times as long for lines that are smaller by a fiftieth.
const LEVEL: i32 = 3;

/// Writes lines as frames and their tables, into a buffer which is its caller's to write out.
pub(in crate::archive::lines) struct FrameWriter {
    compressor: Compressor<'static>,
    /// The parts that lead back from the last one, by number and where they end; it last.
    chain: Vec<(u64, u64)>,
    /// Where the part that is being written begins, and where the next frame does.
    start: u64,
    at: u64,
    from: u64,
    to: u64,
    rows: Vec<[u32; 2]>,
    gathered: Vec<u8>,
    compressed: Vec<u8>,
}

impl FrameWriter {
    /// Begins a file.
    pub(in crate::archive::lines) fn new() -> io::Result<FrameWriter> {
        FrameWriter::behind(Part::default(), Vec::new())
    }

    pub(super) fn behind(last: Part, chain: Vec<(u64, u64)>) -> io::Result<FrameWriter> {
        let mut compressor = Compressor::new(LEVEL)?;
        compressor.include_checksum(true)?;
        Ok(FrameWriter {
            compressor,
            chain,
            start: last.end,
            at: last.end,
            from: last.to,
            to: last.to,
            rows: Vec::new(),
            gathered: Vec::new(),
            compressed: Vec::new(),
        })
    }

    /// Takes a line, given without its newline.
    pub(in crate::archive::lines) fn push(&mut self, line: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        if self.gathered.len() + line.len() >= GATHERED {
            self.frame(out)?;
        }
        self.gathered.extend_from_slice(line);
        self.gathered.push(b'\n');
        Ok(())
    }

    /// Writes what is gathered as a frame.
    pub(in crate::archive::lines) fn frame(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        let mut gathered = std::mem::take(&mut self.gathered);
        for said in gathered.chunks(LONGEST) {
            self.compressed.clear();
            self.compressed.reserve(compress_bound(said.len()));
            self.compressor.compress_to_buffer(said, &mut self.compressed)?;
            out.extend_from_slice(&self.compressed);
            let row = [self.compressed.len(), said.len()].map(|number| u32::try_from(number).unwrap_or(u32::MAX));
            self.rows.push(row);
            self.at += u64::from(row[0]);
            self.to += u64::from(row[1]);
            if self.rows.len() >= FRAMES {
                self.table(out);
            }
        }
        gathered.clear();
        self.gathered = gathered;
        Ok(())
    }

    /// Ends the part.
    fn table(&mut self, out: &mut Vec<u8>) {
        let number = self.chain.last().map_or(0, |(number, _)| *number) + 1;
        let back = number & (number - 1);
        while self.chain.last().is_some_and(|(number, _)| *number > back) {
            self.chain.pop();
        }
        let part = Part {
            end: 0,
            start: self.start,
            number,
            back: self.chain.last().map_or(0, |(_, end)| *end),
            from: self.from,
            to: self.to,
            frames: self.rows.len() as u64,
        };
        let begin = out.len();
        part.write(&self.rows, out);
        self.at += (out.len() - begin) as u64;
        self.chain.push((number, self.at));
        (self.start, self.from) = (self.at, self.to);
        self.rows.clear();
    }

    /// Ends the last part.
    pub(in crate::archive::lines) fn end(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.frame(out)?;
        if !self.rows.is_empty() {
            self.table(out);
        }
        Ok(())
    }
}
