//! What a full export takes: events, bytes, time; and whether there is room for it.
//!
//! Estimates from PostgreSQL's statistics and what was measured once; counts nothing.

use super::archive;
use super::finding::{Finding, answered, bytes, n, span};
use crate::source::{Database, Sizes};

/// An archive is about twice as large as the table `event_json` without its indexes: half of it lines, the rest catalog and
/// transcripts; 1.8 times for two million events.
const BYTES: u64 = 2;
/// Events in a second, as measured with two million events on two cores.
const SPEED: u64 = 50_000;

/// What a full export takes, roughly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Events of the timeline, without those fetched around a join.
    pub events: u64,
    /// Of the archive.
    pub bytes: u64,
    /// Of reading and writing.
    pub seconds: u64,
}

pub(super) async fn estimate(database: &Database, findings: &mut Vec<Finding>) -> Option<Estimate> {
    let sizes = answered("full export", database.sizes(), findings).await?;
    let (finding, estimate) = from_sizes(&sizes);
    findings.push(finding);
    estimate
}

fn from_sizes(sizes: &Sizes) -> (Finding, Option<Estimate>) {
    let check = "full export";
    let Some(rows) = sizes.events else {
        let what = format!(
            "PostgreSQL has no statistics of events; the archive may take {}, twice as much as event_json",
            bytes(sizes.json_bytes * BYTES)
        );
        return (
            Finding::unknown(check, what).remedy("as the table's owner, on the primary, run: ANALYZE events;"),
            None,
        );
    };
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is an estimate"
    )]
    let events = (rows as f64 * (1.0 - sizes.outliers.unwrap_or(0.0).clamp(0.0, 1.0))) as u64;
    let estimate = Estimate { events, bytes: sizes.json_bytes.saturating_mul(BYTES), seconds: events.div_ceil(SPEED) };
    let outliers = if sizes.outliers.is_some() { "" } else { ", outliers among them," };
    let time = match estimate.seconds {
        ..60 => "less than a minute".to_owned(),
        seconds => span(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000)),
    };
    let what = format!(
        "roughly {} events{outliers} by PostgreSQL's statistics, {} as twice the table event_json, {time} at {} events a second, as two cores did",
        n(estimate.events),
        bytes(estimate.bytes),
        n(SPEED)
    );
    (Finding::fine(check, what), Some(estimate))
}

/// Checks that what is still to be archived finds room.
pub(super) fn room_for(estimate: Option<Estimate>, archive: &archive::ArchiveState, findings: &mut Vec<Finding>) {
    let check = "disk space";
    let Some(free) = archive.free_bytes() else { return };
    let Some(estimate) = estimate.filter(|_| !archive.has_selection) else {
        findings.push(Finding::fine(check, format!("{} are free", bytes(free))));
        return;
    };
    let missing = estimate.events.saturating_sub(archive.events);
    let needed = u128::from(estimate.bytes) * u128::from(missing) / u128::from(estimate.events.max(1));
    let needed = u64::try_from(needed).unwrap_or(u64::MAX);
    let what = format!("{} are free, and what is not archived yet takes roughly {}", bytes(free), bytes(needed));
    findings.push(if free < needed {
        Finding::warning(check, what).remedy("give the archive a larger disk, or export some rooms only (--room)")
    } else {
        Finding::fine(check, what)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outliers_are_left_out_where_they_are_known() {
        let sizes = Sizes { events: Some(1_000_000), outliers: Some(0.25), json_bytes: 1 << 30, redactions: None };
        let estimate = Estimate { events: 750_000, bytes: 2 << 30, seconds: 15 };
        assert_eq!(from_sizes(&sizes).1, Some(estimate));
        let (finding, estimate) = from_sizes(&Sizes { outliers: None, ..sizes });
        assert_eq!(estimate.map(|it| it.events), Some(1_000_000));
        assert!(finding.what.contains("outliers among them"), "{finding:?}");
        let (finding, estimate) = from_sizes(&Sizes { events: None, ..sizes });
        assert!(estimate.is_none() && finding.remedy.is_some_and(|remedy| remedy.contains("ANALYZE")));
    }
}
