//! A time as somebody names it: a date, which begins when it does in a time zone, or a time with its own. Never asks the clock.

use std::str::FromStr;

use chrono::{DateTime, NaiveDate};

use crate::document::time::Zone;

/// A time that somebody names.
#[derive(Clone, Copy)]
pub(super) enum Moment {
    /// The beginning of a date.
    Date(NaiveDate),
    /// Milliseconds since the epoch.
    At(i64),
}

impl Moment {
    /// Milliseconds since the epoch.
    pub(super) fn within(self, zone: Zone) -> i64 {
        match self {
            Moment::At(at) => at,
            Moment::Date(date) => zone.start_of(date),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Moment, String> {
        if let Ok(date) = text.parse() {
            return Ok(Moment::Date(date));
        }
        let time = DateTime::parse_from_rfc3339(text);
        time.map(|time| Moment::At(time.timestamp_millis()))
            .map_err(|_| "a date like 2026-11-22 or a time like 2026-11-22T09:30:00Z".to_owned())
    }
}
