//! What stands around blocks, as markdown: heads of documents, indexes of days and of rooms. Looks nothing up.

use std::fmt::Write as _;

use super::super::page::{ContextPart, DayHead, DayLine, EventHead, Person, RoomFacts, RoomLine, Title};
use super::super::time::{self, Zone};
use super::text::{code_cell, excerpt, inline, inline_name, yaml};
use super::writer::{line, room_link};

pub(super) const GENERATOR: &str = concat!("synapse-export ", env!("CARGO_PKG_VERSION"));

/// How the index of rooms begins, by which it is told where nothing else tells.
pub(crate) const INDEX_BEGIN: &str = "# Rooms\n\n| room";

/// What stands above the rooms of an index.
pub(crate) fn index_head() -> String {
    format!("{INDEX_BEGIN}{COLUMNS}")
}

/// The columns of an index behind `| room`.
const COLUMNS: &str = " | address | messages | first day | last day | |\n|---|---|--:|---|---|---|\n";

/// What stands above the sections of an index that is not on one page.
pub(crate) fn sections_head() -> String {
    format!("{INDEX_BEGIN}s from | rooms |\n|---|--:|\n")
}

/// A section, by what its first room is called, and the file of its first part without its ending.
pub(crate) fn section_line(name: &str, stem: &str, rooms: u64) -> String {
    format!("| [{}]({stem}.md) | {rooms} |\n", excerpt(name, 120))
}

/// What stands above the rooms of a part of a section, whose number begins with 1.
pub(crate) fn section_head(name: &str, part: u64) -> String {
    let part = if part > 1 { format!(", part {part}") } else { String::new() };
    format!("# Rooms from {} on{part}\n\n[all rooms](../index.md)\n\n| room{COLUMNS}", excerpt(name, 120))
}

/// What stands below them where there are more of them in another file, by its name without its ending.
pub(crate) fn section_end(next: &str) -> String {
    format!("\n[more of them]({next}.md)\n")
}

/// A room in the index, by its directory; `up` is the way to that of the archive.
pub(crate) fn index_line(room: &RoomLine, directory: &str, up: &str) -> String {
    let apart = if room.shares_name { format!(" {}", code_cell(&room.room_id)) } else { String::new() };
    let alias = room.alias.as_deref().map(inline_name).unwrap_or_default();
    let kinds = [(room.is_space, "space"), (room.is_encrypted, "encrypted")];
    let kinds: Vec<&str> = kinds.into_iter().filter(|(holds, _)| *holds).map(|(_, name)| name).collect();
    format!(
        "| [{}]({up}rooms/{}/index.md){apart} | {alias} | {} | {} | {} | {} |\n",
        excerpt(&room.name, 120),
        directory.replace('%', "%25"),
        room.messages,
        room.first_day.as_deref().unwrap_or_default(),
        room.last_day.as_deref().unwrap_or_default(),
        kinds.join(", ")
    )
}

/// What stands above the days of a room's index.
pub(crate) fn room_head(about: &RoomFacts) -> String {
    let mut head = format!("# {}\n\n[all rooms](../../index.md)\n\n", inline(&about.name));
    if let Some(topic) = &about.topic {
        let _ = write!(head, "{}\n\n", excerpt(topic, 1_000));
    }
    let _ = write!(head, "| | |\n|---|---|\n| room | {} |\n", code_cell(&about.id));
    let aliases: Vec<String> = about.aliases.iter().map(|alias| inline_name(alias)).collect();
    let version = about.version.as_deref().map(|version| excerpt(version, 32));
    let kind = about.kind.as_deref().map(|kind| if kind == "m.space" { "space".to_owned() } else { excerpt(kind, 40) });
    let creator = about.creator.as_deref().map(inline_name);
    let encryption = about.encryption.as_deref().map(|algorithm| excerpt(algorithm, 40));
    let aliases = (!aliases.is_empty()).then(|| aliases.join(", "));
    let predecessor = about.predecessor.as_ref().map(|room| room_link(room, true));
    let successors: Vec<String> = about.successors.iter().map(|room| room_link(room, true)).collect();
    for (name, value) in [
        ("addresses", aliases),
        ("version", version),
        ("type", kind),
        ("encryption", encryption),
        ("creator", creator),
        ("came from", predecessor),
        ("goes on in", (!successors.is_empty()).then(|| successors.join(", "))),
    ] {
        if let Some(value) = value {
            let _ = writeln!(head, "| {name} | {value} |");
        }
    }
    head
}

/// A day in a room's index, with a heading where it is of another month than the one before.
pub(crate) fn day_line(line: &DayLine<'_>, before: Option<&str>) -> String {
    let (date, mut out) = (time::date(line.day), String::new());
    if before.is_none_or(|before| time::month(before) != time::month(line.day)) {
        let heading = date.map_or_else(|| "No date".to_owned(), |date| date.format("%B %Y").to_string());
        let _ = write!(out, "\n## {heading}\n\n| day | messages | events |\n|---|--:|--:|\n");
    }
    let name = date.map_or_else(|| line.day.to_owned(), |date| date.format("%A %-d").to_string());
    let _ = writeln!(out, "| [{name}]({}.md) | {} | {} |", line.day, line.messages, line.events);
    out
}

/// What stands above the names that people have.
pub(crate) fn people_head() -> &'static str {
    "\n## People\n\n| name | Matrix id |\n|---|---|\n"
}

/// A name, and whose it is.
pub(crate) fn person_line(person: &Person) -> String {
    format!("| {} | {} |\n", inline(&person.name), code_cell(&person.user_id))
}

/// What stands below names where there are more of them.
pub(crate) fn people_end() -> &'static str {
    "\nand others\n"
}

/// What a document says of its marks, if it has what was encrypted.
pub(crate) const ENCRYPTED_HEAD: &str = "🔒: it was encrypted. 🔒?: it was, and its key comes from where anybody with the server may \
have put it: who sent it is not authenticated.\n\n";

/// What stands above a day's blocks.
pub(crate) fn day_head(of: &DayHead<'_>) -> String {
    let mut head = String::from("---\n");
    head.push_str(&front(of.room_id, &of.title));
    let day = of.day;
    let _ = write!(head, "day: {day}\ntimezone: {}\nevents: {}\nmessages: {}\n", of.zone, of.events, of.tally.messages);
    if of.tally.encrypted > 0 {
        let _ = writeln!(head, "encrypted: {}", of.tally.encrypted);
    }
    for (key, neighbour) in [("previous", &of.previous), ("next", &of.next)] {
        if let Some(neighbour) = neighbour {
            let _ = writeln!(head, "{key}: {neighbour}.md");
        }
    }
    let _ = write!(head, "generator: {GENERATOR}\n---\n\n# {} · {}\n\n", inline(&of.title.name), time::long(day));
    if let Some(previous) = &of.previous {
        let _ = write!(head, "[← {}]({previous}.md) · ", time::short(previous, day));
    }
    head.push_str("[all days](index.md)");
    if let Some(next) = &of.next {
        let _ = write!(head, " · [{} →]({next}.md)", time::short(next, day));
    }
    head.push_str("\n\n");
    head.push_str(&times(of.zone));
    head
}

/// What stands above a part of what is shown with an event.
pub(crate) fn part_head(part: ContextPart) -> &'static str {
    match part {
        ContextPart::Before => "## Before\n\n",
        ContextPart::Itself => "## Event\n\n",
        ContextPart::After => "## After\n\n",
    }
}

/// What stands above an event that is shown by itself.
pub(crate) fn event_head(of: &EventHead<'_>) -> String {
    let mut head = format!("# {} · {}\n\n", inline(&of.title.name), time::long(of.day));
    for spans in &of.lines {
        let _ = writeln!(head, "- {}", line(spans));
    }
    head.push('\n');
    head.push_str(&times(of.zone));
    head
}

/// Of what times are, where they are not of the zone that days are of.
pub(super) fn times(zone: Zone) -> String {
    if zone.is_utc() {
        String::new()
    } else {
        format!("*Times are of {}, days of UTC.*\n\n", inline(&zone.to_string()))
    }
}

/// What front matter says of a room.
pub(super) fn front(room_id: &str, title: &Title) -> String {
    let aliases: Vec<String> = title.aliases.iter().map(|alias| yaml(alias)).collect();
    format!("room: {}\nname: {}\naliases: [{}]\n", yaml(room_id), yaml(&title.name), aliases.join(", "))
}
