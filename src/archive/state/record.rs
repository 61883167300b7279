//! The lines of the state's file: a JSON object each, with a checksum in front, so that an end that was torn off, or that never
//! reached the disk, is told. Knows how they are written and read, no catalog and not what they mean.

use std::fmt::Write as _;
use std::io::{self, BufRead, Read as _};

use rusqlite::types::Value as Cell;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// What a line begins with; then come [`DIGITS`] digits.
const BEGIN: &str = "{\"check\":\"";
/// What stands between the digits and the rest of the object.
const BETWEEN: &str = "\",";
/// How many hexadecimal digits of the SHA-256 of the rest are kept.
const DIGITS: usize = 12;
/// The longest line that is read, in bytes.
const LONGEST: u64 = 256 * 1024 * 1024;

/// The object that ends what one commit appends: without it nothing of that counts.
pub(super) const END: &str = "end";

/// Adds an object as a line.
pub(super) fn push(lines: &mut Vec<u8>, object: &Map<String, Value>) -> io::Result<()> {
    let text = serde_json::to_string(object)?;
    lines.extend_from_slice(BEGIN.as_bytes());
    lines.extend_from_slice(digits(&text).as_bytes());
    lines.extend_from_slice(BETWEEN.as_bytes());
    lines.extend_from_slice(&text.as_bytes()[1..]);
    lines.push(b'\n');
    Ok(())
}

/// Adds the line that says that all before it counts.
pub(super) fn push_end(lines: &mut Vec<u8>) -> io::Result<()> {
    push(lines, &Map::from_iter([(END.to_owned(), Value::Bool(true))]))
}

/// The object of a line with its end; none: it is not as it was written.
pub(super) fn object(line: &[u8]) -> Option<Map<String, Value>> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?.strip_prefix(BEGIN)?;
    let (check, rest) = line.split_at_checked(DIGITS)?;
    let text = format!("{{{}", rest.strip_prefix(BETWEEN)?);
    (digits(&text) == check).then(|| serde_json::from_str(&text).ok())?
}

/// Reads the next line with its end, or what there is of one; nothing at the end.
pub(super) fn read(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<()> {
    line.clear();
    reader.take(LONGEST).read_until(b'\n', line).map(drop)
}

/// Up to which byte everything is as it was written, and ends what one commit appended.
pub(super) fn whole(mut reader: impl BufRead) -> io::Result<u64> {
    let (mut whole, mut at, mut line) = (0, 0, Vec::new());
    loop {
        read(&mut reader, &mut line)?;
        let Some(object) = object(&line) else { return Ok(whole) };
        at += line.len() as u64;
        if object.contains_key(END) {
            whole = at;
        }
    }
}

/// A value of a catalog's row as JSON.
pub(super) fn json(cell: Cell) -> Value {
    match cell {
        Cell::Integer(number) => number.into(),
        Cell::Text(text) => text.into(),
        // no table of ours has others
        Cell::Null | Cell::Real(_) | Cell::Blob(_) => Value::Null,
    }
}

/// A value of a line as one of a catalog's row.
pub(super) fn cell(value: Option<&Value>) -> Cell {
    match value {
        Some(Value::Number(number)) => number.as_i64().map_or(Cell::Null, Cell::Integer),
        Some(Value::String(text)) => Cell::Text(text.clone()),
        _ => Cell::Null,
    }
}

fn digits(text: &str) -> String {
    let mut digits = String::with_capacity(DIGITS);
    for byte in &Sha256::digest(text)[..DIGITS / 2] {
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lines(objects: &[Value]) -> Vec<u8> {
        let mut lines = Vec::new();
        for object in objects {
            push(&mut lines, object.as_object().unwrap()).unwrap();
        }
        lines
    }

    #[test]
    fn what_is_written_is_read_back_and_is_json() {
        let written = json!({ "set": "membership", "displayname": "é\n\u{0}\"", "n": -3, "none": null });
        let line = lines(std::slice::from_ref(&written));
        assert_eq!(object(&line).map(Value::Object), Some(written));
        let plain: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!((plain["set"].as_str(), plain["n"].as_i64()), (Some("membership"), Some(-3)));
    }

    #[test]
    fn only_whole_commits_count() {
        let end = json!({ END: true });
        let commit = lines(&[json!({ "set": "server", "name": "x" }), end.clone()]);
        let two = [&commit[..], &commit].concat();
        assert_eq!(whole(&two[..]).unwrap(), two.len() as u64);
        // torn off anywhere
        for length in commit.len()..two.len() {
            assert_eq!(whole(&two[..length]).unwrap(), commit.len() as u64, "{length}");
        }
        // zeros, or anything else, in place of any byte
        for at in commit.len()..two.len() {
            for byte in [0, two[at] ^ 1] {
                let mut spoiled = two.clone();
                spoiled[at] = byte;
                assert_eq!(whole(&spoiled[..]).unwrap(), commit.len() as u64, "{at}");
            }
        }
        assert_eq!(whole(&lines(&[end])[..3]).unwrap(), 0);
        assert_eq!(whole(&[][..]).unwrap(), 0);
    }
}
