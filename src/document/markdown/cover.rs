//! The cover of a document about a whole room, as markdown.

use std::fmt::Write as _;
use std::ops::Range;

use super::super::page::Cover;
use super::super::time::Zone;
use super::page::{GENERATOR, front, times};
use super::text::{code_cell, excerpt, inline, inline_name};

/// What a document about a whole room begins with.
pub(crate) fn cover(of: &Cover<'_>) -> String {
    let Cover { title, zone, .. } = of;
    let mut cover = format!("---\n{}timezone: {zone}\ngenerator: {GENERATOR}\n---\n\n", front(of.room_id, title));
    let _ = write!(cover, "# {}\n\n| | |\n|---|---|\n| room | {} |\n", inline(&title.name), code_cell(of.room_id));
    let aliases: Vec<String> = title.aliases.iter().map(|alias| inline_name(alias)).collect();
    let found = match (of.span, of.events) {
        (Some((first, last)), _) => format!("{} to {}", at(first, *zone), at(last, *zone)),
        (None, 0) if of.period.is_some() => "nothing: there are no events of this period".to_owned(),
        (None, 0) => "nothing: the room has no events".to_owned(),
        (None, _) => "only events without a date".to_owned(),
    };
    let made = format!(
        "{}, {}by {GENERATOR}",
        at(of.made, *zone),
        of.server.map_or_else(String::new, |name| format!("from {}, ", inline(name)))
    );
    let rows = [
        ("addresses", aliases.join(", ")),
        ("version", of.version.as_deref().map(|version| excerpt(version, 32)).unwrap_or_default()),
        ("period asked for", of.period.as_ref().map_or_else(|| "all".to_owned(), |period| asked(period, *zone))),
        ("found", found),
        ("took part", people(of)),
        ("events", counts(of)),
        ("left out", left_out(of)),
        ("made", made),
    ];
    for (name, value) in rows.into_iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(cover, "| {name} | {value} |");
    }
    cover.push('\n');
    cover.push_str(&times(*zone));
    cover
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

fn people(of: &Cover<'_>) -> String {
    let named = of.people.iter().map(|(name, user_id)| {
        if name == user_id { code_cell(user_id) } else { format!("{} {}", inline(name), code_cell(user_id)) }
    });
    let mut all: Vec<String> = named.collect();
    all.extend((of.more_people > 0).then(|| format!("{} more", of.more_people)));
    all.join(", ")
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

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
