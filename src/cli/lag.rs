//! How far behind a replica may be.

use std::time::Duration;

use indicatif::HumanDuration;

use crate::source::Standing;

/// A replica is too far behind to be exported.
#[derive(Debug, thiserror::Error)]
#[error(
    "the database is {}, and --max-lag allows {}: try again later, or export from another one",
    shown(*.behind), HumanDuration(*.allowed)
)]
pub(super) struct Lagging {
    behind: Option<Duration>,
    allowed: Duration,
}

/// Refuses a replica that is further behind than allowed, or does not know.
pub(super) fn check(standing: Standing, allowed: Option<Duration>) -> Result<(), Lagging> {
    match (standing, allowed) {
        (Standing::Replica(behind), Some(allowed)) if behind.is_none_or(|behind| behind > allowed) => {
            Err(Lagging { behind, allowed })
        }
        _ => Ok(()),
    }
}

/// A replica as the user is told of it.
pub(super) fn shown(behind: Option<Duration>) -> String {
    match behind {
        None => "a replica that cannot tell how far behind it is".to_owned(),
        Some(Duration::ZERO) => "a replica that has all it has been sent".to_owned(),
        Some(behind) if behind < Duration::from_secs(60) => format!("a replica, {} s behind", behind.as_secs().max(1)),
        Some(behind) => format!("a replica, {} behind", HumanDuration(behind)),
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
