//! Erasing: whether something is to be erased yet, and what the next export will erase. Erases nothing.

use std::path::Path;
use std::time::Duration;

use super::archive::quoted;
use super::finding::{Finding, counted, day, n, named};
use crate::archive::{Catalog, Error, Policy, What, erase_requests};

/// For how long what policies will erase is counted.
const COUNTING: Duration = Duration::from_secs(3);

/// Whether something is to be erased yet, and what the next export will erase.
pub(super) fn erasing(directory: &Path, catalog: &Catalog, held: Option<&str>) -> Result<Vec<Finding>, Error> {
    let (check, now) = ("erased", chrono::Utc::now().timestamp_millis());
    let mut findings = Vec::new();
    if catalog.is_erasing()? && held.is_none() {
        let what =
            "what is erased may still be in files of the archive: a run was cut off, or somebody read the catalog";
        findings.push(
            Finding::warning(check, what)
                .remedy("run synapse-export erase --go-on, or an export, when nobody reads the catalog"),
        );
    }
    for output in catalog.pending_outputs()? {
        let what = format!("pending: {} may still have what is erased", output.name.escape_debug());
        let remedy = format!("run synapse-export output run {}", quoted(Path::new(&output.name)));
        findings.push(Finding::warning(check, what).remedy(remedy));
    }
    let requests = erase_requests(directory)?.len() as u64;
    if requests > 0 {
        let wait = if requests == 1 { "waits" } else { "wait" };
        let what = counted(requests, "request") + &format!(" to erase something {wait} for whoever holds the archive");
        findings
            .push(Finding::warning(check, what).remedy("synapse-export erase --go-on, or an export, carries that out"));
    }
    let (mut lasting, erasures) = (Vec::new(), catalog.lasting_erasures()?);
    let foreseen = catalog.foresee_erasing(&erasures, now, COUNTING)?;
    for erasure in &erasures {
        let what = &erasure.request.what;
        let policy = foreseen.policies.iter().find(|policy| policy.number == erasure.number);
        lasting.push(match policy {
            Some(policy) => will_erase(what, policy, now, foreseen.looked_at),
            None => format!("{what}: what comes is pruned before it is written"),
        });
    }
    lasting.extend(catalog.holds()?.iter().map(|hold| format!("{} is on hold", hold.room_id.escape_debug())));
    let tombstones = catalog.tombstones()?;
    if !lasting.is_empty() || tombstones > 0 {
        let lasting = if lasting.is_empty() { "nothing more is to be".to_owned() } else { named(&lasting) };
        findings.push(Finding::fine(check, format!("{} by now; {lasting}", counted(tombstones, "event"))));
    }
    Ok(findings)
}

/// What a policy will erase with the next export, as far as it was counted.
fn will_erase(what: &What, policy: &Policy, now: i64, looked_at: Option<u64>) -> String {
    let from = match what {
        What::Before(age) => format!(" from before {}", day(age.before(now))),
        What::Redacted(age) => format!(" redacted before {}", day(age.before(now))),
        _ => String::new(),
    };
    let held = match policy.held {
        0 => String::new(),
        held => format!("; of rooms on hold {} more stay", n(held)),
    };
    let part = looked_at.map_or_else(String::new, |lines| {
        format!("; counted in the first {} lines alone, as that takes long here", n(lines))
    });
    let least = if looked_at.is_some() { "at least " } else { "" };
    format!(
        "{what}: the next export erases {least}{}{from}, with what repeats them{held}{part}",
        counted(policy.events, "event")
    )
}
