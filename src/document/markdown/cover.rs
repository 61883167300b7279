//! The cover of a document about a whole room, as markdown.

use std::fmt::Write as _;

use super::super::page::{Cover, rows_of_cover};
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

fn people(of: &Cover<'_>) -> String {
    let named = of.people.iter().map(|(name, user_id)| {
        if name == user_id { code_cell(user_id) } else { format!("{} {}", inline(name), code_cell(user_id)) }
    });
    let mut all: Vec<String> = named.collect();
    all.extend((of.more_people > 0).then(|| format!("{} more", of.more_people)));
    all.join(", ")
}
