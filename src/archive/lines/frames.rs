//! What a compressed file of lines is made of: zstd frames of whole lines, which any program that knows zstd reads one behind the
//! other, and tables of them, by which one byte is found without all that is before it.
//!
//! A file is parts, each of at most [`FRAMES`] frames with their table behind them in a skippable frame; what is appended is a part of its
//! own, so that nothing that is there is ever written again. A table names the part before it, and one farther back, so that
//! any is found in few steps, however many there are. What is behind the last whole table was cut off, and does not count. Knows no
//! path and no line's content.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _};
use std::os::unix::fs::FileExt as _;

use sha2::{Digest as _, Sha256};
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{compress_bound, find_frame_compressed_size};

/// Lines are gathered for a frame up to so many bytes: smaller ones are read faster, larger ones are smaller by little.
const GATHERED: usize = 128 * 1024;
/// The most that a frame says, in bytes: of a line that is longer there are several. It is a power of two.
const LONGEST: usize = 1 << LONGEST_LOG;
const LONGEST_LOG: u32 = 20;
/// How many frames a part has at most.
const FRAMES: usize = 1024;
/// The level of zstd: higher ones take three times as long for lines that are smaller by a fiftieth.
const LEVEL: i32 = 3;

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
/// How many decompressed frames are held.
const HELD: usize = 4;

/// A part of a file, as the end of its table says. Positions are in the file, `from` and `to` in what it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    /// Where its table ends, and where its first frame begins, as the part before it ends there.
    end: u64,
    start: u64,
    /// The first one is 1.
    number: u64,
    /// Where the part ends whose number is this one's without its lowest set bit; 0: there is none.
    back: u64,
    from: u64,
    to: u64,
    frames: u64,
}

impl Part {
    fn table(&self) -> u64 {
        self.frames * ROW + TRAILER as u64
    }

    /// Its table as a skippable frame; `rows`: of each frame how long it is, and how much it says.
    fn write(&self, rows: &[[u32; 2]], out: &mut Vec<u8>) {
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
    fn at(file: &File, end: u64) -> io::Result<Option<Part>> {
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
    fn read(&self, file: &File) -> io::Result<Option<Vec<Frame>>> {
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
struct Frame {
    at: u64,
    size: u32,
    from: u64,
    length: u32,
}

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
    pub(super) fn append(&self) -> io::Result<Writer> {
        let (mut chain, mut part) = (Vec::new(), self.last);
        loop {
            chain.push((part.number, part.end));
            if part.back == 0 {
                break;
            }
            part = self.part_at(&part, part.back)?;
        }
        chain.reverse();
        Writer::behind(self.last, chain)
    }
}

/// The last part of a file that is whole, as all before it is.
fn last_whole(file: &File, bytes: u64) -> io::Result<Option<Part>> {
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

/// Writes lines as frames and their tables, into a buffer which is its caller's to write out.
pub(super) struct Writer {
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

impl Writer {
    /// Begins a file.
    pub(super) fn new() -> io::Result<Writer> {
        Writer::behind(Part::default(), Vec::new())
    }

    fn behind(last: Part, chain: Vec<(u64, u64)>) -> io::Result<Writer> {
        let mut compressor = Compressor::new(LEVEL)?;
        compressor.include_checksum(true)?;
        Ok(Writer {
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
    pub(super) fn push(&mut self, line: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        if self.gathered.len() + line.len() >= GATHERED {
            self.frame(out)?;
        }
        self.gathered.extend_from_slice(line);
        self.gathered.push(b'\n');
        Ok(())
    }

    /// Writes what is gathered as a frame.
    pub(super) fn frame(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
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
    pub(super) fn end(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.frame(out)?;
        if !self.rows.is_empty() {
            self.table(out);
        }
        Ok(())
    }
}

/// The longest frame, in bytes.
fn bound() -> usize {
    compress_bound(LONGEST)
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("cannot be read: {what}, as if it was damaged, or compressed by another program"),
    )
}

fn eight(bytes: &[u8]) -> [u8; 8] {
    bytes.first_chunk().copied().unwrap_or_default()
}

fn u32_of(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes.first_chunk().copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use super::*;

    /// Lines of very different lengths, one of which takes several frames.
    fn lines(count: usize) -> Vec<Vec<u8>> {
        let mut chance: u64 = 1;
        let mut line = |nth: usize| {
            let length = match nth {
                7 => LONGEST * 2 + 5,
                nth if nth.is_multiple_of(5) => 3 * GATHERED / 2,
                nth => nth % 90 + 1,
            };
            let mut next = || {
                chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                b'a' + u8::try_from(chance >> 60).unwrap_or_default()
            };
            (0..length).map(|_| next()).collect()
        };
        (0..count).map(&mut line).collect()
    }

    /// A file of these lines, so many of them in each write.
    fn file(path: &std::path::Path, lines: &[Vec<u8>], at_once: usize) -> Vec<u8> {
        let mut file = File::options().create(true).truncate(true).write(true).read(true).open(path).unwrap();
        for (nth, lines) in lines.chunks(at_once).enumerate() {
            let mut writer = if nth == 0 { Writer::new() } else { opened(path).append() }.unwrap();
            let mut out = Vec::new();
            for line in lines {
                writer.push(line, &mut out).unwrap();
            }
            writer.end(&mut out).unwrap();
            file.write_all(&out).unwrap();
        }
        lines.iter().flat_map(|line| line.iter().chain(b"\n")).copied().collect()
    }

    fn opened(path: &std::path::Path) -> Frames {
        let file = File::options().read(true).write(true).open(path).unwrap();
        let bytes = file.metadata().unwrap().len();
        Frames::of(file, bytes).unwrap()
    }

    #[test]
    fn every_line_is_found_however_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("day.jsonl.zst");
        for at_once in [1, 3, 40] {
            let lines = lines(40);
            let all = file(&path, &lines, at_once);
            let mut frames = opened(&path);
            assert!(frames.length() == all.len() as u64 && !frames.is_cut_off());
            let mut starts: Vec<(usize, &Vec<u8>)> = Vec::new();
            let mut start = 0;
            for line in &lines {
                starts.push((start, line));
                start += line.len() + 1;
            }
            for (start, line) in starts.iter().rev().chain(&starts) {
                assert!(frames.read(*start as u64, line.len() as u64).unwrap() == **line, "{at_once} {start}");
            }
            assert!(frames.read(0, all.len() as u64).unwrap() == all);
            for (start, length) in [(0, all.len() as u64 + 1), (all.len() as u64, 1), (u64::MAX, 2), (1, u64::MAX)] {
                assert_eq!(frames.read(start, length).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
            }
            let mut read = Vec::new();
            frames.read_all().unwrap().read_to_end(&mut read).unwrap();
            assert!(read == all);
            // any program that knows zstd reads it
            assert!(zstd::decode_all(fs::File::open(&path).unwrap()).unwrap() == all);
        }
    }

    #[test]
    fn however_many_parts_there_are_few_are_looked_at() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("day.jsonl.zst");
        let lines: Vec<Vec<u8>> = (0..600).map(|nth| format!("line {nth}").into_bytes()).collect();
        let all = file(&path, &lines, 1);
        let mut frames = opened(&path);
        assert!(frames.is_ragged() && frames.last.number == 600);
        // each table names one that is at least as far back as half of those before it, or the next
        let (mut part, mut steps) = (frames.last, 0);
        while part.back > 0 {
            part = frames.part_at(&part, part.back).unwrap();
            steps += 1;
        }
        assert!((1..=10).contains(&steps), "{steps}");
        for start in 0..all.len() as u64 {
            assert_eq!(frames.read(start, 1).unwrap()[0], all[usize::try_from(start).unwrap()]);
        }
        assert_eq!(frames.end_at(all.len() as u64).unwrap(), Some(frames.end()));
        assert_eq!(frames.end_at(all.len() as u64 - 1).unwrap(), None);
        assert!(frames.end_at(7).unwrap().is_some() && frames.end_at(0).unwrap().is_none());
    }

    #[test]
    fn wherever_a_write_is_cut_off_what_was_there_before_counts() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("day.jsonl.zst");
        let lines: Vec<Vec<u8>> = (0..6).map(|nth| format!("this is line {nth}").into_bytes()).collect();
        let all = file(&path, &lines, 2);
        let (frames, bytes) = (opened(&path), fs::read(&path).unwrap());
        let third = all.len() as u64 / 3;
        let ends: Vec<u64> = (1..=3).map(|nth| frames.end_at(third * nth).unwrap().unwrap()).collect();
        for length in 0..bytes.len() {
            for torn in [bytes[..length].to_vec(), [&bytes[..length], &vec![0; bytes.len() - length]].concat()] {
                fs::write(&path, &torn).unwrap();
                let whole = ends.iter().filter(|end| **end <= length as u64).count();
                let file = File::options().read(true).write(true).open(&path).unwrap();
                match Frames::of(file, torn.len() as u64) {
                    Err(error) => {
                        assert!(whole == 0 && error.kind() == io::ErrorKind::InvalidData, "{length}: {error}");
                    }
                    Ok(frames) => {
                        assert_eq!(
                            (frames.length(), frames.end()),
                            (third * whole as u64, ends[whole - 1]),
                            "{length}"
                        );
                        assert_eq!(frames.is_cut_off(), torn.len() as u64 != ends[whole - 1]);
                        frames.cut(frames.end()).unwrap();
                        assert!(!opened(&path).is_cut_off());
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_damaged_is_an_error_and_no_harm() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("day.jsonl.zst");
        let lines: Vec<Vec<u8>> = (0..9).map(|nth| format!("this is line {nth}").into_bytes()).collect();
        let all = file(&path, &lines, 3);
        let bytes = fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            for change in [1, 0x80, 0xFF] {
                let mut damaged = bytes.clone();
                damaged[at] ^= change;
                fs::write(&path, &damaged).unwrap();
                let file = File::open(&path).unwrap();
                let Ok(mut frames) = Frames::of(file, damaged.len() as u64) else { continue };
                let length = frames.length().min(1 << 20);
                if let Ok(read) = frames.read(0, length) {
                    assert!(read == all[..read.len()], "{at}");
                }
                let mut read = Vec::new();
                if frames.read_all().and_then(|mut all| all.read_to_end(&mut read)).is_ok() {
                    assert!(read == all[..read.len()], "{at}");
                }
            }
        }
    }
}
