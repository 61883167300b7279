//! What a check finds, how bad that is and what to do about it; and how what was asked for becomes one.
//!
//! Numbers, sizes and times are as people read them; content is never quoted.

use std::time::Duration;

use indicatif::{HumanBytes, HumanCount};
use tokio::time::timeout;

use crate::source;

/// How long one question may take; all are answered at once where nothing is in the way.
pub(super) const EACH: Duration = Duration::from_secs(10);
/// How bad it is; the worst comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It has to be put right, or nothing is exported.
    Error,
    /// It should be put right.
    Warning,
    /// It could not be found out.
    Unknown,
    /// As it should be.
    Fine,
}

impl Severity {
    /// As in the JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Unknown => "unknown",
            Severity::Fine => "fine",
        }
    }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which check.
    pub check: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What was found.
    pub what: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Finding {
    pub(super) fn new(severity: Severity, check: &'static str, what: impl Into<String>) -> Finding {
        Finding { check, severity, what: what.into(), remedy: None }
    }

    pub(super) fn fine(check: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(Severity::Fine, check, what)
    }

    pub(super) fn warning(check: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(Severity::Warning, check, what)
    }

    pub(super) fn error(check: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(Severity::Error, check, what)
    }

    pub(super) fn unknown(check: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(Severity::Unknown, check, what)
    }

    pub(super) fn remedy(mut self, remedy: impl Into<String>) -> Finding {
        self.remedy = Some(remedy.into());
        self
    }
}

/// What was asked for, or a finding that says why it is not known.
pub(super) async fn answered<T>(
    check: &'static str,
    answer: impl Future<Output = Result<T, source::Error>>,
    findings: &mut Vec<Finding>,
) -> Option<T> {
    match timeout(EACH, answer).await {
        Ok(Ok(answer)) => return Some(answer),
        Ok(Err(error)) => findings.push(Finding::unknown(check, chain(&error))),
        Err(_) => findings.push(silent(check, EACH)),
    }
    None
}

/// The database did not answer in time.
pub(super) fn silent(check: &'static str, limit: Duration) -> Finding {
    let what = format!("no answer within {} s", limit.as_secs());
    Finding::warning(check, what).remedy("see whether the server is overloaded, or locks are held (select pid, wait_event, query from pg_stat_activity), as by an upgrade of Synapse; exports wait for that too")
}

/// An error with its causes.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Names for a sentence: the first few, and how many more.
pub(super) fn named<T: AsRef<str>>(names: &[T]) -> String {
    let first: Vec<&str> = names.iter().take(5).map(AsRef::as_ref).collect();
    match names.len() {
        0..=5 => first.join(", "),
        all => format!("{} and {} more", first.join(", "), all - 5),
    }
}

pub(super) fn n(count: u64) -> String {
    HumanCount(count).to_string()
}

/// So many of them: `1 event`, `2,000 events`.
pub(super) fn counted(count: u64, what: &str) -> String {
    format!("{} {what}{}", n(count), if count == 1 { "" } else { "s" })
}

pub(super) fn bytes(bytes: u64) -> String {
    HumanBytes(bytes).to_string()
}

/// A span of time in the largest unit that leaves two of it, rounded down.
pub(super) fn span(milliseconds: i64) -> String {
    let seconds = milliseconds.max(0) / 1000;
    let units = [("days", 24 * 60 * 60), ("hours", 60 * 60), ("minutes", 60), ("seconds", 1)];
    let (unit, length) = units.into_iter().find(|(_, length)| seconds >= 2 * length).unwrap_or(units[3]);
    format!("{} {unit}", seconds / length)
}

pub(super) fn day(ts: i64) -> String {
    chrono::DateTime::from_timestamp_millis(ts)
        .map_or_else(|| "a day out of range".to_owned(), |time| time.format("%Y-%m-%d %H:%M UTC").to_string())
}
