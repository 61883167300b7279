//! The chain as it is read, commit after commit. Makes sure that each is linked to the one before, and of nothing else.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::super::{Error, inside};
use super::{ChainHead, NAME, WRITE_BYTES, hex};

/// The longest line of it that is read, in bytes: a path and four numbers.
const LONGEST: u64 = 64 * 1024;

/// How far the chain's whole commits go that are linked to one another from its beginning.
pub(super) fn last_whole(archive: &Path) -> Result<ChainHead, Error> {
    let mut last = ChainHead::none();
    let walked = walk(archive, &ChainHead::none(), None, |part| {
        if let ChainPart::End { head, .. } = part {
            last = head;
        }
        Ok(())
    });
    match walked {
        Ok(()) | Err(Error::Chain { .. }) => Ok(last),
        Err(error) => Err(error),
    }
}

/// A part of the chain.
pub(in crate::archive) enum ChainPart<'a> {
    /// Bytes of a file.
    Extent(CommittedBytes<'a>),
    /// The end of a commit, all that it says of itself, whether it says that another one is before it, and where it leaves the chain.
    End { kind: &'a str, said: &'a Map<String, Value>, follows: bool, head: ChainHead },
}

/// Bytes of a file of lines, as the chain has them.
pub(in crate::archive) struct CommittedBytes<'a> {
    pub(in crate::archive) path: &'a str,
    pub(in crate::archive) from: u64,
    pub(in crate::archive) to: u64,
    pub(in crate::archive) lines: u64,
    pub(in crate::archive) hash: &'a str,
}

/// Bytes of one file of lines, as a commit of the chain has them.
#[derive(Clone, Debug)]
pub(in crate::archive) struct FileSpan {
    pub(in crate::archive) from: u64,
    pub(in crate::archive) to: u64,
    pub(in crate::archive) lines: u64,
    pub(in crate::archive) hash: String,
}

impl FileSpan {
    /// Reads it from four columns of a row, of which `at` is the first.
    pub(in crate::archive) fn read(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<FileSpan> {
        let number = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
        Ok(FileSpan { from: number(at)?, to: number(at + 1)?, lines: number(at + 2)?, hash: row.get(at + 3)? })
    }
}

/// Goes through the chain from a commit on, up to a byte or its end, and makes sure that each commit is linked to the one before.
/// A commit that does not end, or is not linked, is an error, also that it has no such length.
pub(in crate::archive) fn walk(
    archive: &Path,
    from: &ChainHead,
    to: Option<u64>,
    part: impl FnMut(ChainPart<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let failed = |error| Error::io("read", &archive.join(NAME))(error);
    let (mut file, length) = opened(archive, NAME).map_err(failed)?;
    if to.is_some_and(|to| to > length) || from.bytes > length {
        return Err(broken(length, "it is shorter than the catalog says"));
    }
    file.seek(SeekFrom::Start(from.bytes)).map_err(failed)?;
    let known = file.take(to.unwrap_or(length).saturating_sub(from.bytes));
    walk_in(BufReader::with_capacity(WRITE_BYTES, known), from, failed, part)
}

/// Goes through the whole chain up to a byte, as [`walk`] does, while `new` is to take the place of what it has behind `kept` bytes.
pub(super) fn walk_both(
    archive: &Path,
    kept: u64,
    new: &str,
    to: u64,
    part: impl FnMut(ChainPart<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let failed = |error| Error::io("read", &archive.join(NAME))(error);
    let (old, length) = opened(archive, NAME).map_err(failed)?;
    let (new, more) = opened(archive, new).map_err(failed)?;
    if kept > length || to > kept + more {
        return Err(broken(length, "it is shorter than the catalog says"));
    }
    let known = old.take(kept).chain(new).take(to);
    walk_in(BufReader::with_capacity(WRITE_BYTES, known), &ChainHead::none(), failed, part)
}

/// Where commits lead that a file of its own has, behind one.
pub(super) fn end_of(archive: &Path, name: &str, from: &ChainHead) -> Result<ChainHead, Error> {
    let failed = |error| Error::io("read", &archive.join(name))(error);
    let (file, _) = opened(archive, name).map_err(failed)?;
    let mut last = from.clone();
    walk_in(BufReader::with_capacity(WRITE_BYTES, file), from, failed, |part| {
        if let ChainPart::End { head, .. } = part {
            last = head;
        }
        Ok(())
    })?;
    Ok(last)
}

fn opened(archive: &Path, name: &str) -> io::Result<(File, u64)> {
    let mut file = inside::read(archive, name)?;
    let length = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    Ok((file, length))
}

fn broken(at: u64, why: &str) -> Error {
    Error::Chain { at, why: why.to_owned() }
}

fn walk_in(
    mut reader: impl BufRead,
    from: &ChainHead,
    failed: impl Fn(io::Error) -> Error,
    mut part: impl FnMut(ChainPart<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let (mut line, mut at, mut before, mut commit) = (Vec::new(), from.bytes, from.hash.clone(), Sha256::new());
    let mut is_open = false;
    loop {
        line.clear();
        (&mut reader).take(LONGEST).read_until(b'\n', &mut line).map_err(&failed)?;
        if line.is_empty() {
            return if is_open { Err(broken(at, "its last commit does not end")) } else { Ok(()) };
        }
        let value = line.ends_with(b"\n").then(|| serde_json::from_slice::<Value>(&line).ok()).flatten();
        commit.update(&line);
        let start = at;
        at += line.len() as u64;
        match value {
            Some(Value::Array(items)) => {
                let number = |nth: usize| items.get(nth).and_then(Value::as_u64);
                let text = |nth: usize| items.get(nth).and_then(Value::as_str);
                let (Some(path), Some(from), Some(to), Some(lines), Some(hash)) =
                    (text(0), number(1), number(2), number(3), text(4))
                else {
                    return Err(broken(start, "a line of it says nothing of a file"));
                };
                is_open = true;
                part(ChainPart::Extent(CommittedBytes { path, from, to, lines, hash }))?;
            }
            Some(Value::Object(last)) => {
                let text = |key: &str| last.get(key).and_then(Value::as_str).unwrap_or_default();
                // the first one may name what was lost before it
                let is_first = before.is_empty() && text("kind") == "begun";
                if text("before") != before && !is_first {
                    return Err(broken(start, "a commit is not linked to the one before"));
                }
                let follows = !text("before").is_empty();
                before = hex(&std::mem::take(&mut commit).finalize());
                is_open = false;
                let head = ChainHead { bytes: at, hash: before.clone() };
                part(ChainPart::End { kind: text("kind"), said: &last, follows, head })?;
            }
            _ => return Err(broken(start, "a line of it cannot be read")),
        }
    }
}
