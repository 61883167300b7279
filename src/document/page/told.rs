//! What a cover tells, in plain words.

use std::fmt::Write as _;
use std::ops::Range;

use super::super::text::{counted, shortened};
use super::super::time::Zone;
use super::Cover;

/// What a cover tells beside the room, as text: what it is called, and what it is; `took part` is for those who name people.
pub(in crate::document) fn rows_of_cover(of: &Cover<'_>, generator: &str) -> Vec<(&'static str, String)> {
    let found = match (of.span, of.events) {
        (Some((first, last)), _) => format!("{} to {}", at(first, of.zone), at(last, of.zone)),
        (None, 0) if of.period.is_some() => "nothing: there are no events of this period".to_owned(),
        (None, 0) => "nothing: the room has no events".to_owned(),
        (None, _) => "only events without a date".to_owned(),
    };
    let made = format!(
        "{}, {}by {generator}",
        at(of.made, of.zone),
        of.server.map_or_else(String::new, |name| format!("from {name}, "))
    );
    let took_part = if of.people.is_empty() { String::new() } else { "people".to_owned() };
    let rows = [
        ("addresses", of.title.aliases.join(", ")),
        ("version", of.version.as_deref().map(|version| shortened(version, 32)).unwrap_or_default()),
        ("period asked for", of.period.as_ref().map_or_else(|| "all".to_owned(), |period| asked(period, of.zone))),
        ("found", found),
        ("took part", took_part),
        ("events", counts(of)),
        ("left out", left_out(of)),
        ("proofs", of.proofs.clone().unwrap_or_default()),
        ("made", made),
    ];
    rows.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

fn at(time: i64, zone: Zone) -> String {
    format!("{} {zone}", zone.day_and_clock(Some(time)))
}

fn asked(period: &Range<i64>, zone: Zone) -> String {
    match (period.start, period.end) {
        (start, i64::MAX) => format!("since {}", at(start, zone)),
        (i64::MIN, end) => format!("before {}", at(end, zone)),
        (start, end) => format!("since {}, before {}", at(start, zone), at(end, zone)),
    }
}

fn counts(of: &Cover<'_>) -> String {
    let mut counts = format!("{}, of them {}", of.events, counted(of.tally.messages, "message"));
    if of.tally.encrypted > 0 {
        let _ = write!(counts, ", {} encrypted", of.tally.encrypted);
    }
    if of.damaged > 0 {
        let _ = write!(counts, ", {} damaged", of.damaged);
    }
    if of.redacted > 0 && of.shows_redacted {
        let _ = write!(counts, ", {} redacted, whose text is shown where it is there", of.redacted);
    }
    counts
}

fn left_out(of: &Cover<'_>) -> String {
    let mut parts = Vec::new();
    parts.extend(
        (of.redacted > 0 && !of.shows_redacted)
            .then(|| format!("what {} said", counted(of.redacted, "redacted event"))),
    );
    parts.extend((of.unseen > 0).then(|| format!("{} that clients did not see", counted(of.unseen, "event"))));
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}
