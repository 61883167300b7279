//! The day of an event, which is that of its file: in UTC, whatever the zone of who reads. Never the clock's.

use std::fmt;

use chrono::{DateTime, NaiveDate};

/// The UTC day of an event's `origin_server_ts`, or none when that is missing or outside 1970 … 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(Option<NaiveDate>);

impl Day {
    /// The day of a time in milliseconds since the epoch. The sender chooses that time.
    #[must_use]
    pub fn of(origin_server_ts: Option<i64>) -> Day {
        const YEAR_10000: i64 = 253_402_300_800_000;
        Day(origin_server_ts
            .filter(|ts| (0..YEAR_10000).contains(ts))
            .and_then(DateTime::from_timestamp_millis)
            .map(|time| time.date_naive()))
    }

    /// The day that a file is named after.
    pub(super) fn named(name: &str) -> Day {
        Day(name.parse().ok())
    }

    /// Whether a text is how a day is written.
    #[must_use]
    pub fn is_name(text: &str) -> bool {
        // each day that comes out of a catalog is asked for: those of four digits without parsing and writing them
        match text.as_bytes() {
            [year @ .., b'-', _, _, b'-', _, _] if year.len() == 4 && year.iter().all(u8::is_ascii_digit) => {
                let number = |at: std::ops::Range<usize>| {
                    text.get(at).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?.parse::<u32>().ok()
                };
                let date = || {
                    let year = i32::try_from(number(0..4)?).ok()?;
                    chrono::NaiveDate::from_ymd_opt(year, number(5..7)?, number(8..10)?)
                };
                date().is_some()
            }
            _ => Day(text.parse().ok()).to_string() == text,
        }
    }
}

impl fmt::Display for Day {
    /// `2026-11-22`, or `undated`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(date) => date.fmt(f),
            None => f.write_str("undated"),
        }
    }
}
