//! How far behind a replica may be, and whether a logical subscriber's tables are whole.
//!
//! Refuses with the status that says to try again later; waits for nothing.

use std::time::Duration;

use indicatif::HumanDuration;

use crate::source::{Database, Standing};

/// A replica is too far behind to be exported.
#[derive(Debug, thiserror::Error)]
#[error(
    "the database is {}, and --max-lag allows {}",
    shown(*.standing), HumanDuration(*.allowed)
)]
pub(super) struct Lagging {
    standing: Standing,
    allowed: Duration,
}

impl Lagging {
    /// What helps.
    pub(super) const HINT: &str = "try again later, or export from another one";
}

/// Refuses a replica or a logical subscriber that is further behind than allowed, or does not know.
pub(super) fn check(standing: Standing, allowed: Option<Duration>) -> Result<(), Lagging> {
    match (standing.behind(), allowed) {
        (Some(behind), Some(allowed)) if behind.is_none_or(|behind| behind > allowed) => {
            Err(Lagging { standing, allowed })
        }
        _ => Ok(()),
    }
}

/// A database as the user is told of it.
pub(super) fn shown(standing: Standing) -> String {
    let (what, behind) = match standing {
        Standing::Primary => return "the primary".to_owned(),
        Standing::Replica(Some(Duration::ZERO)) => return "a replica that has all it has been sent".to_owned(),
        Standing::Replica(behind) => ("a replica", behind),
        Standing::Subscriber(behind) => ("a logical subscriber", behind),
    };
    match behind {
        None => format!("{what} that cannot tell how far behind it is"),
        Some(behind) if behind < Duration::from_secs(60) => format!("{what}, {} s behind", behind.as_secs().max(1)),
        Some(behind) => format!("{what}, {} behind", HumanDuration(behind)),
    }
}

/// Tables of a logical subscriber are not there yet.
#[derive(Debug, thiserror::Error)]
#[error(
    "this is a logical subscriber that has yet to copy {}: events would seem damaged, be missed, or be shown though they are redacted",
    .0.join(", ")
)]
pub(super) struct StillCopying(Vec<String>);

impl StillCopying {
    /// What helps.
    pub(super) const HINT: &str = "try again when that is done (select srrelid::regclass, srsubstate from pg_subscription_rel: r is ready), or go on all the same with --during-initial-copy";
}

/// What to do while a logical subscriber has yet to copy tables.
#[derive(clap::Args)]
pub(super) struct InitialCopy {
    /// Go on also while a logical subscriber has yet to copy tables, which else ends with status 75: events may be without
    /// their JSON, which an export waits for, for a day only; and what has rejected or redacted them may not be known yet
    #[arg(long)]
    during_initial_copy: bool,
}

impl InitialCopy {
    /// Refuses a logical subscriber in its initial copy, unless that is wanted.
    pub(super) async fn check(&self, database: &Database) -> anyhow::Result<()> {
        let copying = if self.during_initial_copy { None } else { database.copying().await? };
        copying.filter(|tables| !tables.is_empty()).map_or(Ok(()), |tables| Err(StillCopying(tables).into()))
    }
}

/// Reads a number and its unit: s, m, h or d.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let expected = || "a number with its unit, like 30s, 5m, 1h or 2d".to_owned();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).ok_or_else(expected)?);
    let unit: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err(expected()),
    };
    let number: u64 = number.parse().map_err(|_| expected())?;
    number.checked_mul(unit).map(Duration::from_secs).ok_or_else(expected)
}
