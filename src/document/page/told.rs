//! What a cover tells, in plain words. Escapes nothing.

use std::fmt::Write as _;
use std::ops::Range;

use super::super::text::{counted, shortened};
use super::super::time::Zone;
use super::{Cover, MadeOf, PersonCover};

/// What a cover tells beside the room, as text: what it is called, and what it is; `took part` is for those who name people.
pub(in crate::document) fn rows_of_cover(of: &Cover<'_>, generator: &str) -> Vec<(&'static str, String)> {
    let found = match (of.span, of.events) {
        (Some((first, last)), _) => format!("{} to {}", at(first, of.zone), at(last, of.zone)),
        (None, 0) if of.period.is_some() => "nothing: there are no events of this period".to_owned(),
        (None, 0) => "nothing: the room has no events".to_owned(),
        (None, _) => "only events without a date".to_owned(),
    };
    let took_part = if of.people.is_empty() { String::new() } else { "people".to_owned() };
    let rows = [
        ("addresses", of.title.aliases.join(", ")),
        ("version", of.version.as_deref().map(|version| shortened(version, 32)).unwrap_or_default()),
        ("period asked for", of.period.as_ref().map_or_else(|| "all".to_owned(), |period| asked(period, of.zone))),
        ("found", found),
        ("took part", took_part),
        ("events", counts(of)),
        ("left out", left_out(of.redacted, of.shows_redacted, of.unseen)),
        ("made", made(of.made, of.made_of, of.zone, generator)),
    ];
    let rows = rows.into_iter().chain(sources(of.made_of));
    rows.filter(|(_, value)| !value.is_empty()).collect()
}

/// The same of the cover of all that one person has sent.
pub(in crate::document) fn rows_of_person(of: &PersonCover<'_>, generator: &str) -> Vec<(&'static str, String)> {
    let mut events = format!("{}, of them {}", of.events, counted(of.tally.messages, "message"));
    if of.tally.encrypted > 0 {
        let _ = write!(events, ", {} encrypted", of.tally.encrypted);
    }
    if of.redacted > 0 && of.shows_redacted {
        let _ = write!(events, ", {} redacted, whose text is shown where it is there", of.redacted);
    }
    let left_out = match left_out(of.redacted, of.shows_redacted, of.unseen).as_str() {
        "nothing" => "what others said".to_owned(),
        others => format!("{others}, what others said"),
    };
    let rows = [
        ("called", of.names.iter().map(|name| shortened(name, 80)).collect::<Vec<_>>().join(", ")),
        ("period asked for", of.period.as_ref().map_or_else(|| "all".to_owned(), |period| asked(period, of.zone))),
        ("rooms", of.rooms.to_string()),
        ("events", events),
        ("left out", left_out),
        ("made", made(of.made, of.made_of, of.zone, generator)),
    ];
    let rows = rows.into_iter().chain(sources(of.made_of));
    rows.filter(|(_, value)| !value.is_empty()).collect()
}

fn made(time: i64, of: &MadeOf, zone: Zone, generator: &str) -> String {
    let from = match (&of.server, &of.archived_until) {
        (Some(server), Some(_)) => format!("from an archive of {server}, "),
        (None, Some(_)) => "from an archive, ".to_owned(),
        (Some(server), None) => format!("from {server}, "),
        (None, None) => String::new(),
    };
    format!("{}, {from}by {generator}", at(time, zone))
}

/// How complete that is, what it is made of, and what that proves.
fn sources(of: &MadeOf) -> [(&'static str, String); 3] {
    let mut complete = match of.archived_until.as_deref() {
        None => String::new(),
        Some("") => "no export of this archive has come to its end".to_owned(),
        Some(time) => format!("all that the server had when the last export began, {time}"),
    };
    if of.gaps > 0 {
        let _ = write!(complete, "; {} of its streams in which events may still appear", counted(of.gaps, "gap"));
    }
    if of.waiting > 0 {
        let _ = write!(complete, "; {} that are not whole yet", counted(of.waiting, "event"));
    }
    let lines = match of.files {
        0 => String::new(),
        files => format!(
            "{} in {}, {} bytes, SHA-256 of the files one after the other {}",
            counted(of.lines, "line"),
            counted(files, "file"),
            of.bytes,
            of.sha256
        ),
    };
    let verdicts = of.verdicts.as_ref().map(|verdicts| {
        let parts = verdicts.iter().map(|(verdict, number)| format!("{number} {}", verdict.replace('_', " ")));
        let parts: Vec<String> = parts.collect();
        if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
    });
    [("complete", complete), ("made of", lines), ("verified", verdicts.unwrap_or_default())]
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

fn left_out(redacted: u64, shows_redacted: bool, unseen: u64) -> String {
    let mut parts = Vec::new();
    parts.extend(
        (redacted > 0 && !shows_redacted).then(|| format!("what {} said", counted(redacted, "redacted event"))),
    );
    parts.extend((unseen > 0).then(|| format!("{} that clients did not see", counted(unseen, "event"))));
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}
