//! Is everything all right? Checks of a database and an archive → findings, each with what to do about it.
//!
//! Asks only what a large server answers at once: catalogs, small tables, the start of an index; counts no events. What may
//! not be looked at is a finding too, and so is what is not answered in time. Changes nothing, says nothing to a terminal, and
//! quotes no content.

mod archive;
mod connection;
mod erasing;
mod finding;
mod loss;
mod size;
mod synapse;
mod unique;
mod watermark;

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::config::Config;
use crate::source::Database;
use finding::{EACH, silent};
pub use finding::{Finding, Severity};
pub(crate) use loss::next as next_loss;
pub use size::Estimate;

/// How long all may take together, beside what the archive's disk takes, and the cancelling of the last.
const ALL: Duration = Duration::from_secs(50);

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

/// Makes those checks of an archive that need no database, the worst first. `catalog` as above.
#[must_use]
pub fn of_archive(directory: &Path, catalog: Option<&Path>) -> Vec<Finding> {
    let mut findings = Vec::new();
    archive::ArchiveState::of(Some(directory), catalog).report(&mut findings);
    findings.sort_by_key(|finding| finding.severity);
    findings
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
