//! The cover of a document about a whole room, as markdown. What it tells is decided in `document::page`.

use std::fmt::Write as _;

use super::super::page::{Cover, PersonCover, Title, rows_of_cover, rows_of_person};
use super::page::{GENERATOR, front, times};
use super::text::{code_cell, inline, inline_name};

/// What a document about a whole room begins with.
pub(crate) fn cover(of: &Cover<'_>) -> String {
    let Cover { title, zone, .. } = of;
    let mut cover = format!("---\n{}timezone: {zone}\ngenerator: {GENERATOR}\n---\n\n", front(of.room_id, title));
    let _ = write!(cover, "# {}\n\n| | |\n|---|---|\n| room | {} |\n", inline(&title.name), code_cell(of.room_id));
    for (name, value) in rows_of_cover(of, GENERATOR) {
        let value = match name {
            "took part" => people(of),
            "addresses" => inline_name(&value),
            _ => inline(&value),
        };
        let _ = writeln!(cover, "| {name} | {value} |");
    }
    cover.push('\n');
    cover.push_str(&times(*zone));
    cover
}

/// What all that one person has sent begins with.
pub(crate) fn person_cover(of: &PersonCover<'_>) -> String {
    let zone = of.zone;
    let mut cover = format!("---\ntimezone: {zone}\ngenerator: {GENERATOR}\n---\n\n");
    let id = code_cell(of.user_id);
    let _ = write!(cover, "# {}\n\n| | |\n|---|---|\n| person | {id} |\n", inline_name(of.user_id));
    for (name, value) in rows_of_person(of, GENERATOR) {
        let _ = writeln!(cover, "| {name} | {} |", inline(&value));
    }
    cover.push('\n');
    cover.push_str(&times(zone));
    cover
}

/// What stands above what somebody has sent to a room, in a document of several.
pub(crate) fn room_heading(title: &Title, room_id: &str) -> String {
    format!("# {}\n\n{}\n\n", inline(&title.name), code_cell(room_id))
}

fn people(of: &Cover<'_>) -> String {
    let named = of.people.iter().map(|(name, user_id)| {
        if name == user_id { code_cell(user_id) } else { format!("{} {}", inline(name), code_cell(user_id)) }
    });
    let mut all: Vec<String> = named.collect();
    all.extend((of.more_people > 0).then(|| format!("{} more", of.more_people)));
    all.join(", ")
}
