//! What the server forgets: originals of redacted events, and what retention and purges delete.
//!
//! Says how much time the next export has; what is gone already it cannot tell.

use super::archive;
use super::finding::{Finding, answered, day, n, span};
use super::synapse::hidden;
use crate::source::{Database, Index, Login, PendingRedactions, Sampled, Sizes};

/// How many redactions that Synapse has not acted on are counted.
const PENDING: u64 = 10_000;
/// How many redactions are looked at for what became of them.
const SAMPLED: u64 = 2_000;
/// How many of the oldest events are looked at for survivors of a purge, and how many policies and tasks.
const SURVIVORS: i64 = 10_000;
const FEW: i64 = 1_000;
/// What is read of them.
const COLUMNS: [&str; 3] = ["event_id", "have_censored", "received_ts"];
/// Synapse's default of `redaction_retention_period`, milliseconds.
const DEFAULT: i64 = 7 * 24 * 60 * 60 * 1000;
/// Synapse prunes every five minutes, and not all at once.
const SLACK: i64 = 60 * 60 * 1000;

pub(super) async fn check(
    database: &Database,
    login: Option<&Login>,
    archive: &archive::ArchiveState,
    findings: &mut Vec<Finding>,
) {
    redactions(database, login, archive, findings).await;
    purges(database, findings).await;
}

async fn redactions(
    database: &Database,
    login: Option<&Login>,
    archive: &archive::ArchiveState,
    findings: &mut Vec<Finding>,
) {
    let check = "redactions";
    let schema = database.schema();
    let columns = COLUMNS;
    if columns.iter().any(|column| !schema.can_read("redactions", column)) {
        findings.push(hidden(check, schema, "redactions", &columns));
        return;
    }
    let Some(indexes) = answered(check, database.indexes(&["redactions"]), findings).await else { return };
    if !indexes.iter().any(is_of_pending) {
        let what = "there is no valid index redactions_have_censored_ts, without which they cannot be counted";
        findings.push(Finding::unknown(check, what).remedy(
            "Synapse makes it in the background, and prunes nothing before; if it is not valid, run: REINDEX INDEX CONCURRENTLY redactions_have_censored_ts;",
        ));
        return;
    }
    let most = |most: u64| i64::try_from(most + 1).unwrap_or(i64::MAX);
    // where there is no answer to one, there is none to the others
    let Some(pending) = answered(check, database.pending_redactions(i64::MIN, most(PENDING)), findings).await else {
        return;
    };
    let sampled = answered(check, database.sampled_redactions(most(SAMPLED)), findings).await;
    let sizes = answered(check, database.sizes(), findings).await;
    let since_last_run = match archive.last_complete {
        Some(began) => answered(check, database.pending_redactions(began, 1), findings).await,
        None => Some(pending),
    };
    let (Some(login), Some(sampled), Some(Sizes { redactions: rows, .. })) = (login, sampled, sizes) else {
        return;
    };
    let unarchived = since_last_run.filter(|_| archive.is_asked_for());
    findings.push(Redactions { now: login.now, rows, pending, sampled, unarchived }.finding());
}

/// When Synapse prunes the next original of a redacted event, as far as that can be told; milliseconds since the epoch.
pub(crate) async fn next(database: &Database) -> Option<i64> {
    let schema = database.schema();
    if COLUMNS.iter().any(|column| !schema.can_read("redactions", column)) {
        return None;
    }
    let indexes = database.indexes(&["redactions"]).await.ok()?;
    if !indexes.iter().any(is_of_pending) {
        return None;
    }
    let pending = database.pending_redactions(i64::MIN, 1).await.ok()?;
    let first = pending.first?;
    let sampled = database.sampled_redactions(i64::try_from(SAMPLED + 1).unwrap_or(i64::MAX)).await.ok()?;
    let now = database.login().await.ok()?.now;
    let known = Redactions { now, rows: None, pending, sampled, unarchived: None };
    known.likely_period().map(|period| first + period)
}

/// Whether it is the index without which redactions that are pending cannot be found.
fn is_of_pending(index: &Index) -> bool {
    index.is_valid && index.is_partial && index.columns == ["received_ts"]
}

/// What is known of the server's redactions.
struct Redactions {
    now: i64,
    /// All, as of the table's statistics.
    rows: Option<u64>,
    pending: PendingRedactions,
    sampled: Sampled,
    /// Those that came since the archive was last complete; none without an archive.
    unarchived: Option<PendingRedactions>,
}

impl Redactions {
    fn finding(&self) -> Finding {
        let check = "redactions";
        let what = [self.gone(), self.left(), self.period()].join("; ");
        let first = self.unarchived.and_then(|unarchived| unarchived.first);
        match self.likely_period().zip(first) {
            // one day of seven
            Some((period, first)) if self.now > first + period / 7 * 6 => Finding::warning(
                check,
                format!(
                    "{what}; originals redacted since the archive was last complete are pruned from {} on",
                    day(first + period)
                ),
            )
            .remedy("run an export now, and more often from now on than originals are kept"),
            _ => Finding::fine(check, what),
        }
    }

    fn gone(&self) -> String {
        let Sampled { seen, censored, .. } = self.sampled;
        let gone = if seen <= SAMPLED {
            n(censored)
        } else if let Some(rows) = self.rows.filter(|_| self.pending.count <= PENDING) {
            format!("about {}", n(rows.saturating_sub(self.pending.count)))
        } else {
            format!("{} of {} looked at", n(censored), n(seen))
        };
        format!("originals that are gone, but for those of redactions without effect: {gone}")
    }

    fn left(&self) -> String {
        let PendingRedactions { count, first } = self.pending;
        match first {
            Some(first) if count > PENDING => {
                format!("still there: more than {}, the first redacted {}", n(PENDING), day(first))
            }
            Some(first) => format!("still there: {}, the first redacted {}", n(count), day(first)),
            None => "none is waiting to be pruned".to_owned(),
        }
    }

    /// What follows for `redaction_retention_period`: longer than what the oldest original has outlived, and no longer than
    /// what the youngest of those looked at has not.
    fn period(&self) -> String {
        let next = |period: i64| match self.pending.first {
            Some(first) => format!("; the next goes by {}", day(first + period)),
            None => String::new(),
        };
        match (self.outlived(), self.not_outlived()) {
            (Some(longer), Some(shorter)) if longer > shorter + SLACK => {
                "Synapse is late with pruning, or redaction_retention_period was made longer since".to_owned()
            }
            (Some(longer), None) if longer > DEFAULT + SLACK => {
                format!("nothing is pruned even after {}: redaction_retention_period is longer, or null", span(longer))
            }
            (Some(longer), Some(shorter)) if longer > DEFAULT + SLACK => {
                let (longer, shorter, next) = (span(longer), span(shorter), next(shorter));
                format!("redaction_retention_period is between {longer} and {shorter}{next}")
            }
            (_, Some(shorter)) if shorter < DEFAULT => {
                format!("redaction_retention_period is {} or less{}", span(shorter), next(shorter))
            }
            _ => {
                let next = match self.pending.first {
                    Some(first) => format!("the next goes {}", day(first + DEFAULT)),
                    None => "the next goes that long after it is redacted".to_owned(),
                };
                format!("if redaction_retention_period is {}, as it is by default, {next}", span(DEFAULT))
            }
        }
    }

    /// How long originals are kept, as far as one has to fear; none: longer than by default, or for ever.
    fn likely_period(&self) -> Option<i64> {
        let shorter = self.not_outlived();
        if self.outlived().is_some_and(|longer| longer > DEFAULT + SLACK) {
            shorter
        } else {
            Some(shorter.map_or(DEFAULT, |shorter| shorter.min(DEFAULT)))
        }
    }

    fn outlived(&self) -> Option<i64> {
        self.pending.first.map(|first| self.now.saturating_sub(first).max(0))
    }

    fn not_outlived(&self) -> Option<i64> {
        self.sampled.last.map(|last| self.now.saturating_sub(last).max(0))
    }
}

async fn purges(database: &Database, findings: &mut Vec<Finding>) {
    let check = "retention and purges";
    let schema = database.schema();
    let (mut seen, before) = (Vec::new(), findings.len());
    if schema.can_read("room_retention", "max_lifetime") {
        if let Some((policies @ 1.., shortest)) = answered(check, database.retention(FEW), findings).await {
            let shortest = shortest.map(|shortest| format!(", the shortest {}", span(shortest))).unwrap_or_default();
            seen.push(format!("{} retention policies were set in rooms{shortest}", up_to(policies)));
        }
    } else {
        findings.push(hidden(check, schema, "room_retention", &["max_lifetime"]));
    }
    let columns = ["id", "action", "timestamp"];
    if columns.iter().all(|column| schema.can_read("scheduled_tasks", column)) {
        if let Some((purges @ 1.., last)) = answered(check, database.purge_tasks(FEW), findings).await {
            let last = last.map(|last| format!(", the last {}", day(last))).unwrap_or_default();
            seen.push(format!("{} purges are planned, at work or over{last}", n(purges)));
        }
    } else if schema.has("scheduled_tasks") {
        let columns = ["id", "action", "\"timestamp\""];
        findings.push(hidden(check, schema, "scheduled_tasks", &columns));
    }
    if database.server_name().is_some()
        && let Some(survivors @ 1..) = answered(check, database.survivors(SURVIVORS), findings).await
    {
        seen.push(format!(
            "of the {} oldest events {} are local messages that a purge left behind",
            n(SURVIVORS.unsigned_abs()),
            n(survivors)
        ));
    }
    if !seen.is_empty() {
        findings.push(
            Finding::fine(check, seen.join("; "))
                .remedy("export more often than messages are deleted; an archive keeps them"),
        );
    } else if findings.len() == before {
        findings.push(Finding::fine(check, "no sign of either"));
    }
}

fn up_to(count: u64) -> String {
    if count < FEW.unsigned_abs() { n(count) } else { format!("{} or more", n(count)) }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Severity;
    use super::*;

    const DAY: i64 = 24 * 60 * 60 * 1000;
    const NOW: i64 = 1_795_348_800_000;

    fn pending(count: u64, days_ago: i64) -> PendingRedactions {
        PendingRedactions { count, first: (count > 0).then_some(NOW - days_ago * DAY) }
    }

    fn sampled(censored: u64, days_ago: i64) -> Sampled {
        Sampled { seen: 100, censored, last: (censored > 0).then_some(NOW - days_ago * DAY) }
    }

    fn check(pending: PendingRedactions, sampled: Sampled, severity: Severity, said: &str) {
        let redactions = |unarchived| Redactions { now: NOW, rows: Some(50_000), pending, sampled, unarchived };
        let finding = redactions(Some(pending)).finding();
        assert_eq!(finding.severity, severity, "{finding:?}");
        assert!(finding.what.contains(said), "{said}: {finding:?}");
        assert_eq!(
            redactions(None).finding().severity,
            Severity::Fine,
            "without an archive there is none to be late for"
        );
    }

    #[test]
    fn the_period_is_inferred_from_what_is_gone_and_what_is_not() {
        check(pending(0, 0), sampled(0, 0), Severity::Fine, "none is waiting");
        check(pending(3, 1), sampled(0, 0), Severity::Fine, "the next goes 2026-11-28 12:00 UTC");
        check(pending(3, 1), sampled(9, 8), Severity::Fine, "by default");
        check(pending(3, 1), sampled(9, 1), Severity::Warning, "or less; the next goes by 2026-11-22 12:00 UTC");
        check(pending(3, 1), sampled(9, 2), Severity::Fine, "is 2 days or less; the next goes by 2026-11-23 12:00 UTC");
        check(pending(0, 0), sampled(9, 2), Severity::Fine, "is 2 days or less");
        check(pending(3, 20), sampled(9, 30), Severity::Fine, "between 20 days and 30 days");
        check(pending(3, 27), sampled(9, 30), Severity::Warning, "pruned from 2026-11-25 12:00 UTC on");
        check(pending(3, 40), sampled(0, 0), Severity::Fine, "longer, or null");
        check(pending(3, 40), sampled(9, 30), Severity::Warning, "late with pruning");
    }

    #[test]
    fn originals_that_go_within_a_day_are_warned_of_unless_they_are_archived() {
        check(pending(3, 5), sampled(9, 8), Severity::Fine, "by default");
        check(pending(3, 7), sampled(9, 8), Severity::Warning, "pruned from 2026-11-22 12:00 UTC on");
        let archived = PendingRedactions { count: 1, first: Some(NOW - DAY) };
        let finding = Redactions {
            now: NOW,
            rows: None,
            pending: pending(3, 7),
            sampled: sampled(9, 8),
            unarchived: Some(archived),
        };
        assert_eq!(finding.finding().severity, Severity::Fine);
    }

    #[test]
    fn what_is_not_counted_is_said_to_be_estimated() {
        let many = Sampled { seen: SAMPLED + 1, censored: 1_500, last: Some(NOW - 8 * DAY) };
        check(pending(3, 1), many, Severity::Fine, "about 49,997");
        check(pending(PENDING + 1, 1), many, Severity::Fine, "more than 10,000");
        check(pending(PENDING + 1, 1), many, Severity::Fine, "1,500 of 2,001 looked at");
    }
}
