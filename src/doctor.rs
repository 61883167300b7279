//! Is everything all right? Checks of a database and an archive → findings, each with what to do about it.
//!
//! Asks only what a large server answers at once: catalogs, small tables, the start of an index; counts no events. What may
//! not be looked at is a finding too, and so is what is not answered in time. Changes nothing, says nothing to a terminal, and
//! quotes no content.

mod archive;
mod connection;
mod loss;
mod size;
mod synapse;
mod unique;

use std::path::Path;
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount};
use tokio::time::{Instant, timeout, timeout_at};

use crate::config::Config;
use crate::source::{self, Database};
pub use size::Estimate;

/// How long one question may take; all are answered at once where nothing is in the way.
const EACH: Duration = Duration::from_secs(10);
/// How long all may take together, beside what the archive's disk takes, and the cancelling of the last.
const ALL: Duration = Duration::from_secs(50);

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
    fn new(severity: Severity, check: &'static str, what: impl Into<String>) -> Finding {
        Finding { check, severity, what: what.into(), remedy: None }
    }

    fn fine(check: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(Severity::Fine, check, what)
    }

    fn warning(check: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(Severity::Warning, check, what)
    }

    fn error(check: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(Severity::Error, check, what)
    }

    fn unknown(check: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(Severity::Unknown, check, what)
    }

    fn remedy(mut self, remedy: impl Into<String>) -> Finding {
        self.remedy = Some(remedy.into());
        self
    }
}

/// All that was found.
#[derive(Clone, Debug)]
pub struct Examined {
    /// The worst first; within a severity in the order in which the checks depend on each other.
    pub findings: Vec<Finding>,
    /// What a full export takes; none if that cannot be told.
    pub estimate: Option<Estimate>,
}

impl Examined {
    /// The worst of all.
    #[must_use]
    pub fn worst(&self) -> Severity {
        self.findings.iter().map(|finding| finding.severity).min().unwrap_or(Severity::Fine)
    }
}

/// Makes every check that can be made. Without an archive, those of one are left out.
/// `catalog` is the directory of its catalog, if that was named.
pub async fn examine(config: &Config, directory: Option<&Path>, catalog: Option<&Path>) -> Examined {
    examine_within(ALL, config, directory, catalog).await
}

async fn examine_within(all: Duration, config: &Config, directory: Option<&Path>, catalog: Option<&Path>) -> Examined {
    let mut archive = archive::ArchiveState::of(directory, catalog);
    let mut findings = Vec::new();
    let mut estimate = None;
    let deadline = Instant::now() + all;
    // what does not pass soon is told, not waited for
    let config = config.clone().connecting_within(EACH).retrying_for(config.retry_for.min(EACH / 2));
    match timeout_at(deadline, Database::inspect(&config)).await {
        Err(_) => findings.push(Finding { severity: Severity::Error, ..silent("connection", all) }),
        Ok(Err(error)) => findings.push(connection::unreachable(&error)),
        Ok(Ok(database)) => {
            let asking = async {
                let login = connection::check(&database, &mut findings).await;
                if synapse::check(&database, &mut findings).await {
                    archive.compare(&database).await;
                    unique::check(&database, &mut findings).await;
                    loss::check(&database, login.as_ref(), &archive, &mut findings).await;
                    estimate = size::estimate(&database, &mut findings).await;
                }
            };
            if timeout_at(deadline, asking).await.is_err() {
                findings.push(silent("the other checks", all));
            }
            database.close().await;
        }
    }
    archive.report(&mut findings);
    size::room_for(estimate, &archive, &mut findings);
    findings.sort_by_key(|finding| finding.severity);
    Examined { findings, estimate }
}

/// What was asked for, or a finding that says why it is not known.
async fn known<T>(
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
fn silent(check: &'static str, limit: Duration) -> Finding {
    let what = format!("no answer within {} s", limit.as_secs());
    Finding::warning(check, what).remedy("see whether the server is overloaded, or locks are held (select pid, wait_event, query from pg_stat_activity), as by an upgrade of Synapse; exports wait for that too")
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Names for a sentence: the first few, and how many more.
fn named<T: AsRef<str>>(names: &[T]) -> String {
    let first: Vec<&str> = names.iter().take(5).map(AsRef::as_ref).collect();
    match names.len() {
        0..=5 => first.join(", "),
        all => format!("{} and {} more", first.join(", "), all - 5),
    }
}

fn n(count: u64) -> String {
    HumanCount(count).to_string()
}

fn bytes(bytes: u64) -> String {
    HumanBytes(bytes).to_string()
}

/// A span of time in the largest unit that leaves two of it, rounded down.
fn span(milliseconds: i64) -> String {
    let seconds = milliseconds.max(0) / 1000;
    let units = [("days", 24 * 60 * 60), ("hours", 60 * 60), ("minutes", 60), ("seconds", 1)];
    let (unit, length) = units.into_iter().find(|(_, length)| seconds >= 2 * length).unwrap_or(units[3]);
    format!("{} {unit}", seconds / length)
}

fn day(ts: i64) -> String {
    chrono::DateTime::from_timestamp_millis(ts)
        .map_or_else(|| "a day out of range".to_owned(), |time| time.format("%Y-%m-%d %H:%M UTC").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_never_answers_is_a_finding() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = silent.local_addr().unwrap().port();
        let config = Config::new(Some(&format!("host=127.0.0.1 port={port} user=u")), |_| None).unwrap();
        let began = Instant::now();
        let examined = examine_within(Duration::from_secs(1), &config, None, None).await;
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        let worst = &examined.findings[0];
        assert_eq!(
            (worst.severity, worst.check, &*worst.what),
            (Severity::Error, "connection", "no answer within 1 s")
        );
        assert!(worst.remedy.is_some());
    }
}
