//! Times as a transcript shows them, in a time zone, and days, which are those of UTC wherever they name files. Never asks the clock.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use chrono::{DateTime, Datelike as _, FixedOffset, NaiveDate, NaiveTime, Offset as _, TimeZone};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

const YEAR_10000: i64 = 253_402_300_800_000;

/// A time zone, by its IANA name; what is known of zones is compiled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(Tz);

impl Default for Zone {
    fn default() -> Zone {
        Zone(Tz::UTC)
    }
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(name: &str) -> Result<Zone, String> {
        name.parse().map(Zone).map_err(|_| "an IANA name like Europe/Berlin or UTC".to_owned())
    }
}

impl TryFrom<String> for Zone {
    type Error = String;

    fn try_from(name: String) -> Result<Zone, String> {
        name.parse()
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> String {
        zone.to_string()
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl Zone {
    /// Whether it is UTC, whose days are those of documents.
    pub(crate) fn is_utc(self) -> bool {
        self.0 == Tz::UTC
    }

    /// The time of an event there, if it is one that has a day.
    fn time(self, at: Option<i64>) -> Option<DateTime<Tz>> {
        let time = at.filter(|at| (0..YEAR_10000).contains(at)).and_then(DateTime::from_timestamp_millis);
        time.map(|time| time.with_timezone(&self.0))
    }

    /// A time as it is there.
    pub(crate) fn local(self, time: DateTime<chrono::Utc>) -> DateTime<Tz> {
        time.with_timezone(&self.0)
    }

    /// The date and the offset at a time, if it is one that has a day.
    pub(crate) fn date(self, at: Option<i64>) -> Option<LocalDate> {
        self.time(at).map(|time| LocalDate { date: time.date_naive(), offset: time.offset().fix() })
    }

    /// When a date begins there, in milliseconds since the epoch: where the clock is set forward at midnight, an hour later.
    pub(crate) fn start_of(self, date: NaiveDate) -> i64 {
        start_of(&self.0, date)
    }

    /// `09:14`; `--:--` for a time that has no day.
    pub(super) fn clock(self, at: Option<i64>) -> String {
        self.time(at).map_or_else(|| "--:--".to_owned(), |time| time.format("%H:%M").to_string())
    }

    /// `2026-11-20 09:14`; `--:--` for a time that has no day.
    pub(super) fn day_and_clock(self, at: Option<i64>) -> String {
        self.time(at).map_or_else(|| self.clock(at), |time| time.format("%Y-%m-%d %H:%M").to_string())
    }
}

/// A date somewhere, and by how much clocks there differ from UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalDate {
    date: NaiveDate,
    offset: FixedOffset,
}

impl LocalDate {
    /// Whether it is a day, `2026-11-22`.
    pub(crate) fn is_of(self, day: &str) -> bool {
        date(day) == Some(self.date)
    }

    /// Whether another time is of the same date.
    pub(crate) fn is_same_date(self, other: LocalDate) -> bool {
        self.date == other.date
    }

    /// `2026-11-22`.
    pub(crate) fn day(self) -> String {
        self.date.to_string()
    }

    /// `UTC+01:00`.
    pub(crate) fn offset(self) -> String {
        format!("UTC{}", self.offset)
    }
}

/// When a date begins in a zone, in milliseconds since the epoch: where the clock is set forward at midnight, an hour later.
pub(crate) fn start_of(zone: &impl TimeZone, date: NaiveDate) -> i64 {
    let mut hours = (0..24).filter_map(|hour| date.and_hms_opt(hour, 0, 0));
    let first = hours.find_map(|time| zone.from_local_datetime(&time).earliest());
    // a zone may have passed over a date
    first.map_or_else(|| date.and_time(NaiveTime::MIN).and_utc().timestamp_millis(), |time| time.timestamp_millis())
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

#[cfg(test)]
mod tests {
    use super::*;

    const SUMMER_ENDS: i64 = 1_792_890_000_000; // 2026-10-25 01:00 UTC

    #[test]
    fn times_are_those_of_a_zone() {
        let berlin: Zone = "Europe/Berlin".parse().unwrap();
        assert_eq!(
            (berlin.to_string(), berlin.is_utc(), Zone::default().is_utc()),
            ("Europe/Berlin".to_owned(), false, true)
        );
        assert!("Berlin".parse::<Zone>().is_err());
        assert_eq!(berlin.clock(Some(SUMMER_ENDS - 1)), "02:59");
        assert_eq!(berlin.clock(Some(SUMMER_ENDS)), "02:00");
        assert_eq!(berlin.day_and_clock(Some(SUMMER_ENDS)), "2026-10-25 02:00");
        assert_eq!((berlin.clock(Some(-1)), berlin.day_and_clock(None)), ("--:--".to_owned(), "--:--".to_owned()));
        let at = |at| berlin.date(Some(at)).unwrap();
        let (before, after) = (at(SUMMER_ENDS - 1), at(SUMMER_ENDS));
        assert_eq!((before.offset(), after.offset()), ("UTC+02:00".to_owned(), "UTC+01:00".to_owned()));
        assert!(before.is_same_date(after) && before != after && after.is_of("2026-10-25"));
        assert!(at(SUMMER_ENDS - 4 * 3_600_000).is_of("2026-10-24"));
    }

    #[test]
    fn a_date_begins_when_it_does_there() {
        let start = |zone: &str, day: &str| zone.parse::<Zone>().unwrap().start_of(date(day).unwrap());
        assert_eq!(start("UTC", "1970-01-02"), 86_400_000);
        assert_eq!(start("Europe/Berlin", "1970-01-02"), 82_800_000);
        // no midnight there: the clock goes from 23:59 to 1:00
        assert_eq!(start("America/Sao_Paulo", "2018-11-04"), 1_541_300_400_000);
    }
}
