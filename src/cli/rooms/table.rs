//! Rooms as a table that fits its terminal.
//!
//! All that is shown may be set by anybody: it is on one line, and harmless to a terminal. Ids are never cut.

use std::io::Write;

use console::{Alignment, Term, measure_text_width, pad_str, truncate_str};
use indicatif::HumanCount;

use crate::cli::report::shown;
use crate::event::Day;
use crate::source::ListedRoom;

/// The widest name or alias, wherever it is shown.
const WIDEST: usize = 60;
/// Between two columns.
const GAP: usize = 2;

struct TableColumn {
    title: &'static str,
    alignment: Alignment,
    text: fn(&ListedRoom) -> String,
    /// How wide it has to be to be of use; wider texts are cut if need be.
    least: Option<usize>,
    /// On a narrow terminal the highest is left out first; none stays.
    spared: Option<u8>,
}

const COLUMNS: [TableColumn; 10] = [
    TableColumn { title: "NAME", alignment: Alignment::Left, text: name, least: Some(16), spared: None },
    TableColumn { title: "ALIAS", alignment: Alignment::Left, text: alias, least: Some(12), spared: Some(7) },
    TableColumn {
        title: "TYPE",
        alignment: Alignment::Left,
        text: |room| room.kind.name().to_owned(),
        least: None,
        spared: Some(3),
    },
    TableColumn { title: "VERSION", alignment: Alignment::Left, text: version, least: None, spared: Some(5) },
    TableColumn {
        title: "MEMBERS",
        alignment: Alignment::Right,
        text: |room| count(room.members),
        least: None,
        spared: Some(2),
    },
    TableColumn {
        title: "EVENTS",
        alignment: Alignment::Right,
        text: |room| count(room.events),
        least: None,
        spared: Some(1),
    },
    TableColumn {
        title: "FIRST",
        alignment: Alignment::Left,
        text: |room| day(room.first_activity),
        least: None,
        spared: Some(6),
    },
    TableColumn {
        title: "LAST",
        alignment: Alignment::Left,
        text: |room| day(room.last_activity),
        least: None,
        spared: None,
    },
    TableColumn { title: "NOTES", alignment: Alignment::Left, text: notes, least: None, spared: Some(4) },
    TableColumn {
        title: "ID",
        alignment: Alignment::Left,
        text: |room| cell(&room.room_id),
        least: Some(48),
        spared: None,
    },
];

/// How wide the table may be: as wide as the terminal, or as `COLUMNS` says; none where there is no terminal.
pub(super) fn width(terminal: &Term) -> Option<usize> {
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    said.or_else(|| terminal.is_term().then(|| terminal.size_checked()).flatten().map(|(_, columns)| columns.into()))
}

/// Writes the table. Ids are never cut: they are last, and one that is too long runs over.
pub(super) fn write(out: &mut impl Write, rooms: &[ListedRoom], width: Option<usize>) -> std::io::Result<()> {
    let mut columns: Vec<(&TableColumn, usize)> = COLUMNS.iter().map(|column| (column, column.widest(rooms))).collect();
    if let Some(width) = width {
        fit(&mut columns, width);
    }
    let last = columns.len().saturating_sub(1);
    let mut line = |cell: &dyn Fn(&TableColumn) -> String| {
        let mut line = String::new();
        for (at, (column, width)) in columns.iter().enumerate() {
            let text = cell(column);
            if at == last {
                line.push_str(&text);
            } else {
                // a wide character that has no place leaves one column empty
                let cut = truncate_str(&text, *width, "…");
                line.push_str(&pad_str(&cut, *width, column.alignment, None));
                line.push_str(&" ".repeat(GAP));
            }
        }
        writeln!(out, "{line}")
    };
    line(&|column| column.title.to_owned())?;
    rooms.iter().try_for_each(|room| line(&|column| (column.text)(room)))
}

impl TableColumn {
    fn widest(&self, rooms: &[ListedRoom]) -> usize {
        let widest = rooms.iter().map(|room| measure_text_width(&(self.text)(room))).max().unwrap_or_default();
        let most = if self.title == "ID" { self.least.unwrap_or(WIDEST) } else { WIDEST };
        widest.min(most).max(self.title.len())
    }
}

/// Makes columns narrower, and leaves some out, until they fit.
fn fit(columns: &mut Vec<(&TableColumn, usize)>, width: usize) {
    loop {
        let mut narrowed = columns.clone();
        for title in ["ALIAS", "NAME"] {
            let excess = total(&narrowed).saturating_sub(width);
            for (column, own) in narrowed.iter_mut().filter(|(column, _)| column.title == title) {
                let least = column.least.unwrap_or(*own).min(*own);
                *own = own.saturating_sub(excess).max(least);
            }
        }
        let spared = columns.iter().enumerate().max_by_key(|(_, (column, _))| column.spared);
        match spared {
            Some((at, (column, _))) if column.spared.is_some() && total(&narrowed) > width => drop(columns.remove(at)),
            _ => {
                *columns = narrowed;
                return;
            }
        }
    }
}

fn total(columns: &[(&TableColumn, usize)]) -> usize {
    columns.iter().map(|(_, width)| width).sum::<usize>() + GAP * columns.len().saturating_sub(1)
}

/// Text from the network as a cell has it: on one line, and harmless to a terminal.
fn cell(text: &str) -> String {
    shown(text).replace("\\'", "'").replace("\\\"", "\"")
}

fn name(room: &ListedRoom) -> String {
    let name = cell(&room.name);
    if room.left_out { format!("(left out) {name}") } else { name }
}

fn alias(room: &ListedRoom) -> String {
    room.alias.as_deref().map_or(String::new(), cell)
}

fn version(room: &ListedRoom) -> String {
    room.version.as_deref().map_or(String::new(), |version| cell(version).chars().take(32).collect())
}

fn count(count: Option<u64>) -> String {
    count.map_or(String::new(), |count| HumanCount(count).to_string())
}

fn day(ts: Option<i64>) -> String {
    ts.map_or(String::new(), |ts| Day::of(Some(ts)).to_string())
}

fn notes(room: &ListedRoom) -> String {
    let left = match (room.abandoned, room.forgotten) {
        (_, true) => "forgotten",
        (true, false) => "abandoned",
        _ => "",
    };
    let notes = [if room.encrypted { "encrypted" } else { "" }, left];
    let notes: Vec<&str> = notes.into_iter().filter(|note| !note.is_empty()).collect();
    notes.join(", ")
}
