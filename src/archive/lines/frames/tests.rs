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
        let mut writer = if nth == 0 { FrameWriter::new() } else { opened(path).append() }.unwrap();
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
                    assert_eq!((frames.length(), frames.end()), (third * whole as u64, ends[whole - 1]), "{length}");
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
