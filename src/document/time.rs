//! Times as a transcript shows them, in UTC.

use std::ops::Range;

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveTime, Utc};

const YEAR_10000: i64 = 253_402_300_800_000;

/// The time of an event, if it is one that has a day.
fn time(at: Option<i64>) -> Option<DateTime<Utc>> {
    at.filter(|at| (0..YEAR_10000).contains(at)).and_then(DateTime::from_timestamp_millis)
}

/// `09:14`; `--:--` for a time that has no day.
pub(super) fn clock(at: Option<i64>) -> String {
    time(at).map_or_else(|| "--:--".to_owned(), |time| time.format("%H:%M").to_string())
}

/// `2026-11-20 09:14`; `--:--` for a time that has no day.
pub(super) fn day_and_clock(at: Option<i64>) -> String {
    time(at).map_or_else(|| clock(at), |time| time.format("%Y-%m-%d %H:%M").to_string())
}

/// `42 s`, `7 min`, `1 h 12 min` of milliseconds; what is left of the last unit is left out.
pub(crate) fn span(milliseconds: i64) -> String {
    let seconds = milliseconds / 1000;
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// `Sunday, 22 November 2026` of `2026-11-22`; what is no date stays as it is.
pub(crate) fn long(day: &str) -> String {
    date(day).map_or_else(|| day.to_owned(), |date| date.format("%A, %-d %B %Y").to_string())
}

/// `20 November` of `2026-11-20`, with the year if it is not that of the day it is seen from.
pub(crate) fn short(day: &str, from: &str) -> String {
    let format = if day.get(..4) == from.get(..4) { "%-d %B" } else { "%-d %B %Y" };
    date(day).map_or_else(|| day.to_owned(), |date| date.format(format).to_string())
}

/// The milliseconds since the epoch that a day has; for `undated` the end of time, when everything is known.
pub(crate) fn range(day: &str) -> Range<i64> {
    date(day).map_or(i64::MAX..i64::MAX, |date| {
        let start = date.and_time(NaiveTime::MIN).and_utc().timestamp_millis();
        start..start + 24 * 60 * 60 * 1000
    })
}

pub(crate) fn date(day: &str) -> Option<NaiveDate> {
    day.parse().ok()
}

/// Year and month of a day; none of what is no date.
pub(crate) fn month(day: &str) -> Option<(i32, u32)> {
    date(day).map(|date| (date.year(), date.month()))
}
