//! Dates as people write them: `2026-11-22`, `2026-11`, `2026`, `today`, `yesterday`, `7d`. Knows no clock: what time it is, and in
//! which zone, the caller says.

use std::ops::Range;

use chrono::{DateTime, Days, Months, NaiveDate, TimeZone};

use crate::document::time::start_of;

/// How to write one.
pub const FORMS: &str = "2026-11-22, 2026-11, 2026, today, yesterday, or how long ago: 7d, 2w, 3m, 1y (12h)";

/// The time that a date is, in milliseconds since the epoch; none: it is no date. Of what is so many hours ago it is the moment.
#[must_use]
pub fn range<Z: TimeZone>(text: &str, now: &DateTime<Z>) -> Option<Range<i64>> {
    let today = now.date_naive();
    let text = text.to_lowercase();
    let day = |first: NaiveDate| Some((first, first.succ_opt()?));
    let (first, end) = match &*text {
        "today" => day(today)?,
        "yesterday" => day(today.pred_opt()?)?,
        _ => match ago(&text, now) {
            Some(Ago::Moment(moment)) => return Some(moment..moment.saturating_add(1)),
            Some(Ago::Day(date)) => day(date)?,
            None => written(&text)?,
        },
    };
    let zone = now.timezone();
    Some(start_of(&zone, first)..start_of(&zone, end))
}

/// Days that are written as numbers.
fn written(text: &str) -> Option<(NaiveDate, NaiveDate)> {
    let parts: Vec<&str> = text.split(['-', '/', '.']).collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    let is_number = parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    let fits = lengths.first() == Some(&4) && lengths[1..].iter().all(|length| (1..=2).contains(length));
    if !is_number || !fits {
        return None;
    }
    let number = |at: usize| parts.get(at).and_then(|part| part.parse::<u32>().ok());
    let year: i32 = parts[0].parse().ok()?;
    match (number(1), number(2), parts.len()) {
        (None, None, 1) => Some((NaiveDate::from_ymd_opt(year, 1, 1)?, NaiveDate::from_ymd_opt(year + 1, 1, 1)?)),
        (Some(month), None, 2) => {
            let first = NaiveDate::from_ymd_opt(year, month, 1)?;
            Some((first, first.checked_add_months(Months::new(1))?))
        }
        (Some(month), Some(day), 3) => {
            let date = NaiveDate::from_ymd_opt(year, month, day)?;
            Some((date, date.succ_opt()?))
        }
        _ => None,
    }
}

enum Ago {
    Moment(i64),
    Day(NaiveDate),
}

/// So many hours, days, weeks, months or years ago.
fn ago<Z: TimeZone>(text: &str, now: &DateTime<Z>) -> Option<Ago> {
    let unit = text.chars().next_back()?;
    let digits = text.strip_suffix(unit)?;
    if digits.is_empty() || digits.len() > 5 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u32 = digits.parse().ok()?;
    let today = now.date_naive();
    let day = match unit {
        'h' => return Some(Ago::Moment(now.timestamp_millis() - i64::from(number) * 3_600_000)),
        'd' => today.checked_sub_days(Days::new(number.into())),
        'w' => today.checked_sub_days(Days::new(u64::from(number) * 7)),
        'm' => today.checked_sub_months(Months::new(number)),
        'y' => today.checked_sub_months(Months::new(number.checked_mul(12)?)),
        _ => None,
    };
    day.map(Ago::Day)
}

#[cfg(test)]
mod tests {
    use chrono::{FixedOffset, Utc};

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, &str)>) {
        let now: DateTime<Utc> = "2026-11-22T15:30:00Z".parse().unwrap();
        let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap().timestamp_millis();
        let expected = expected.map(|(first, end)| time(first)..time(end));
        assert_eq!(range(text, &now), expected, "{text}");
    }

    #[test]
    fn dates_are_read_as_people_write_them() {
        let day = ("2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z");
        for text in ["2026-11-22", "2026/11/22", "2026.11.22", "today", "Today", "0d"] {
            check(text, Some(day));
        }
        check("yesterday", Some(("2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z")));
        check("7d", Some(("2026-11-15T00:00:00Z", "2026-11-16T00:00:00Z")));
        check("2w", Some(("2026-11-08T00:00:00Z", "2026-11-09T00:00:00Z")));
        check("1m", Some(("2026-10-22T00:00:00Z", "2026-10-23T00:00:00Z")));
        check("1y", Some(("2025-11-22T00:00:00Z", "2025-11-23T00:00:00Z")));
        check("2026-02", Some(("2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z")));
        check("2025", Some(("2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z")));
        check("3h", Some(("2026-11-22T12:30:00Z", "2026-11-22T12:30:00.001Z")));
        for text in [
            "",
            "d",
            "22.11.2026",
            "2026-13-01",
            "2026-02-30",
            "26-11-22",
            "tomorrow",
            "7x",
            "-1d",
            "999999d",
            "20261122",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn a_day_is_one_of_the_zone() {
        let now: DateTime<FixedOffset> = "2026-11-22T00:30:00+01:00".parse().unwrap();
        let today = range("today", &now).unwrap();
        assert_eq!(today.start, "2026-11-21T23:00:00Z".parse::<DateTime<Utc>>().unwrap().timestamp_millis());
    }
}
