//! Rows in PostgreSQL's binary format of `COPY` (PostgreSQL manual, "COPY", "Binary Format"): other formats read a backslash in a text
//! as the beginning of something else. A content that `jsonb` cannot hold, or alters, stands as it was sent in `content_text`, and what a text
//! is that PostgreSQL cannot hold, or no index, in `exact`. Knows no connection.

use chrono::NaiveDate;

use crate::outputs::rows::{Group, OutputTable, Value, day};

use super::jsonb::{Becomes, becomes};

/// What a copy begins with: a signature, no flags, no extension.
pub(super) const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// And ends with.
pub(super) const TRAILER: &[u8] = &(-1i16).to_be_bytes();
/// How many bytes are sent at once.
const BYTES: usize = 1024 * 1024;
/// What senders choose, and stands in an index.
const INDEXED: [&str; 2] = ["sender", "relates_to"];
/// How long such a text may be, in bytes: PostgreSQL's indexes take 2,704 (manual, "B-Tree Indexes"), and so no event has a longer id.
const LONGEST: usize = 2_000;
/// 2000-01-01, from which PostgreSQL counts, in seconds since the epoch.
const YEAR_2000: i64 = 946_684_800;
/// The month of events that are of no certain day.
pub(super) const UNDATED: &str = "undated";

/// Rows of a part.
#[derive(Debug)]
pub(super) struct CopyData {
    table: OutputTable,
    /// What each row of the part begins with.
    head: Vec<u8>,
    pub(super) bytes: Vec<u8>,
    count: usize,
}

/// The month of a part, as the column has it.
pub(super) fn month(part: &str) -> &str {
    day(part).and_then(|day| day.get(..7)).unwrap_or(UNDATED)
}

/// The columns of a table, in the order in which they stand in a row.
pub(super) fn columns(table: OutputTable) -> Vec<&'static str> {
    match table {
        OutputTable::Events => [&["month", "day"], table.columns(), &["content_text", "exact"]].concat(),
        OutputTable::Rooms | OutputTable::Members => [table.columns(), &["exact"]].concat(),
    }
}

impl Group for CopyData {
    fn of(part: &str) -> CopyData {
        let table = OutputTable::of(part);
        let mut head = Vec::new();
        let count = i16::try_from(columns(table).len()).unwrap_or(i16::MAX);
        head.extend(count.to_be_bytes());
        if table == OutputTable::Events {
            push(&mut head, Some(month(part).as_bytes()));
            push(&mut head, day(part).and_then(days).map(i32::to_be_bytes).as_ref().map(|it| &it[..]));
        }
        CopyData { table, head, bytes: Vec::with_capacity(BYTES + BYTES / 4), count: 0 }
    }

    fn add(&mut self, row: &[Value<'_>]) {
        self.bytes.extend_from_slice(&self.head);
        let (mut exact, mut content_text) = (String::new(), None);
        for (value, column) in row.iter().zip(self.table.columns()) {
            match value {
                Value::Text(Some(text)) if text.len() > LONGEST && INDEXED.contains(column) => {
                    push(&mut self.bytes, None);
                    be_exact(&mut exact, column, &serde_json::Value::from(*text).to_string());
                }
                Value::Text(Some(text)) if text.contains('\0') => {
                    push(&mut self.bytes, Some(text.replace('\0', "\u{fffd}").as_bytes()));
                    be_exact(&mut exact, column, &serde_json::Value::from(*text).to_string());
                }
                Value::Text(text) => push(&mut self.bytes, text.map(str::as_bytes)),
                Value::Json(None) => push(&mut self.bytes, None),
                Value::Json(Some(json)) => {
                    let becomes = becomes(json);
                    if becomes == Becomes::Nothing {
                        push(&mut self.bytes, None);
                    } else {
                        // the version of the format, and the text
                        push_length(&mut self.bytes, json.len() + 1);
                        self.bytes.push(1);
                        self.bytes.extend_from_slice(json.as_bytes());
                    }
                    content_text = Some(json.as_bytes()).filter(|_| becomes != Becomes::Itself);
                }
                Value::Number(number) => push(&mut self.bytes, number.map(i64::to_be_bytes).as_ref().map(|it| &it[..])),
                Value::Time(at) => {
                    let at = at.map(|at| (at - YEAR_2000 * 1000) * 1000).map(i64::to_be_bytes);
                    push(&mut self.bytes, at.as_ref().map(|it| &it[..]));
                }
                Value::Flag(flag) => push(&mut self.bytes, Some(&[u8::from(*flag)])),
            }
        }
        if self.table == OutputTable::Events {
            push(&mut self.bytes, content_text);
        }
        if !exact.is_empty() {
            exact.push('}');
        }
        push(&mut self.bytes, Some(exact.as_bytes()).filter(|exact| !exact.is_empty()));
        self.count += 1;
    }

    fn count(&self) -> usize {
        self.count
    }

    fn is_full(&self) -> bool {
        self.bytes.len() >= BYTES
    }
}

/// How many days one is after 2000-01-01.
fn days(day: &str) -> Option<i32> {
    let first = NaiveDate::from_ymd_opt(2000, 1, 1)?;
    i32::try_from(day.parse::<NaiveDate>().ok()?.signed_duration_since(first).num_days()).ok()
}

/// Adds to the object of what columns say exactly.
fn be_exact(exact: &mut String, column: &str, json: &str) {
    exact.push(if exact.is_empty() { '{' } else { ',' });
    exact.push('"');
    exact.push_str(column);
    exact.push_str("\":");
    exact.push_str(json);
}

fn push_length(bytes: &mut Vec<u8>, length: usize) {
    bytes.extend(i32::try_from(length).unwrap_or(i32::MAX).to_be_bytes());
}

/// Adds a field; none: null.
fn push(bytes: &mut Vec<u8>, field: Option<&[u8]>) {
    match field {
        Some(field) => {
            push_length(bytes, field.len());
            bytes.extend_from_slice(field);
        }
        None => bytes.extend((-1i32).to_be_bytes()),
    }
}
