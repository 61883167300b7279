//! One event with its line: found by its id or by its place in a transcript, and what stands beside it on its day. Says what is
//! wrong with a line that is not as the catalog has it. Decides nothing of how anything is shown.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::Path;

use rusqlite::Row;

use super::super::catalog::key;
use super::super::layout::DayName;

use super::super::erased::redacted_by;
use super::super::error::told;
use super::super::{Error, lines};
use super::Reader;
use super::events::{CatalogEvent, columns, of_line};
use super::order::{self, ReadOfDay};
use crate::document::line::Anchor;
use crate::event::{Object, RoomId, content_of_line};

/// How many events are told of that have the same place.
const AMBIGUOUS: usize = 20;

/// An event, whatever clients see of it, and where its line is.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the line")]
pub(crate) struct LocatedEvent {
    /// Its content is what its line says, once that is read.
    pub(crate) event: CatalogEvent,
    pub(crate) room_id: String,
    /// Its file, below the archive.
    pub(crate) path: String,
    /// Where in the file the line begins, in bytes.
    pub(crate) start: u64,
    /// In bytes, without its newline.
    pub(crate) length: u64,
    pub(crate) soft_failed: bool,
    pub(crate) rejected: bool,
    pub(crate) outlier: bool,
    /// The line holds no PDU.
    pub(crate) damaged: bool,
}

impl LocatedEvent {
    fn read(reader: &Reader<'_>, row: &Row<'_>) -> Result<LocatedEvent, Error> {
        Ok(LocatedEvent {
            event: CatalogEvent::without_content(reader, row.get::<_, DayName>(6)?.0, row)?,
            start: row.get::<_, i64>(7)?.unsigned_abs(),
            length: row.get::<_, i64>(8)?.unsigned_abs(),
            room_id: row.get(15)?,
            path: row.get(16)?,
            soft_failed: row.get(17)?,
            rejected: row.get(18)?,
            outlier: row.get(19)?,
            damaged: row.get(20)?,
        })
    }

    /// Whether clients see it.
    pub(crate) fn is_accepted(&self) -> bool {
        !self.soft_failed && !self.rejected
    }

    /// Reads its line, and of that its content; `Err`: what is wrong with it.
    pub(crate) fn read_line(&mut self, archive: &Path) -> Result<String, String> {
        if self.length > lines::LONGEST {
            return Err("it is longer than any line can be".to_owned());
        }
        let line = lines::read(archive, &self.path, self.start, self.length).map_err(|error| told(&error))?;
        if !(line.starts_with('{') && line.ends_with('}')) || line.contains('\n') {
            return Err("there is no line where the catalog says that it is".to_owned());
        }
        match Object::of(&line).text("event_id") {
            Some(event_id) if event_id == self.event.event_id => {
                self.event.content = content_of_line(&line).map(str::to_owned);
                Ok(line)
            }
            _ => Err("the line where the catalog says that it is is of another event".to_owned()),
        }
    }
}

/// The ids of the events that a text names: an event's id, also without its `$`; its anchor in a transcript, `#` before it or not;
/// or that behind the transcript's path, without which an anchor is found only if the id is a hash.
pub(crate) fn ids(reader: &Reader<'_>, text: &str) -> Result<Vec<String>, Error> {
    for id in [text.to_owned(), format!("${text}")] {
        if is_archived(reader, &id)? {
            return Ok(vec![id]);
        }
    }
    let (path, anchor) = text.rsplit_once('#').unwrap_or(("", text));
    let by_hash = "select event_id from line where id_key = substr(?1, 1, 8) and substr(event_id, 2, 12) = ?1";
    let mut found = at(reader, by_hash, &[anchor], anchor)?;
    if let Some((room, day)) = room_day(path).filter(|_| found.is_empty()) {
        let of_day = "select event_id from line
                       where file in (select file from file join room using (room) where directory = ?1 and day = ?2)";
        found = at(reader, of_day, &[room, day], anchor)?;
    }
    Ok(found)
}

/// The events of a query that have this anchor.
fn at(reader: &Reader<'_>, sql: &str, parameters: &[&str], anchor: &str) -> Result<Vec<String>, Error> {
    let mut statement = reader.connection.prepare_cached(sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(parameters))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let id: String = row.get(0)?;
        if Anchor::of(&id).as_str() == anchor {
            found.push(id);
            if found.len() == AMBIGUOUS {
                break;
            }
        }
    }
    Ok(found)
}

/// The directory of a room and the day that a transcript's path ends with.
fn room_day(path: &str) -> Option<(&str, &str)> {
    let (rooms, day) = path.strip_suffix(".md").or_else(|| path.strip_suffix(".html"))?.rsplit_once('/')?;
    Some((rooms.rsplit('/').next()?, day))
}

fn is_archived(reader: &Reader<'_>, event_id: &str) -> Result<bool, Error> {
    let sql = concat!("select exists (select 1 from line where id_key = ", key!("?1"), " and event_id = ?1)");
    Ok(reader.connection.prepare_cached(sql)?.query_row([event_id], |row| row.get(0))?)
}

/// An event by its id; its content is not read.
pub(crate) fn find(reader: &Reader<'_>, event_id: &str) -> Result<Option<LocatedEvent>, Error> {
    let sql = concat!(
        "select ",
        columns!(),
        ", room_id, 'rooms/' || room.directory || '/' || day || '.jsonl', soft_failed, rejected, outlier, damaged
           from line indexed by line_id
           cross join file using (file)
           cross join room on room.room = file.room
           left join relation on relation.line = line.line
          where id_key = ",
        key!("?1"),
        " and event_id = ?1 limit 1"
    );
    let mut statement = reader.connection.prepare_cached(sql)?;
    let mut rows = statement.query([event_id])?;
    rows.next()?.map(|row| LocatedEvent::read(reader, row)).transpose()
}

/// Where one looks from an event.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Side {
    Before,
    After,
}

/// An event beside another, of which the line is not read.
pub(crate) struct RelatedEvent {
    line: i64,
    pub(crate) kind: String,
    pub(crate) is_edit: bool,
}

/// At most `most` events of a day before or after one of them, in the order of transcripts, the nearest first.
pub(crate) fn beside(
    reader: &Reader<'_>,
    room_id: &str,
    of: &CatalogEvent,
    side: Side,
    most: usize,
) -> Result<Vec<RelatedEvent>, Error> {
    let (mut found, mut is_there) = (VecDeque::new(), false);
    let ever = i64::MIN..i64::MAX;
    let read = ReadOfDay::With(&of.event_id);
    let _ = order::each(reader, room_id, &of.day, &ever, read, &mut |line, event| {
        if event.event_id == of.event_id {
            is_there = true;
        } else if is_there == matches!(side, Side::After) {
            let is_edit = event.replaces();
            found.push_back(RelatedEvent { line, kind: event.kind.unwrap_or_default(), is_edit });
        }
        let is_full = found.len() >= most;
        Ok(match side {
            Side::Before if is_there => ControlFlow::Break(()),
            Side::After if is_full => ControlFlow::Break(()),
            _ => {
                if found.len() > most {
                    found.pop_front();
                }
                ControlFlow::Continue(())
            }
        })
    })?;
    let nearest_first: Vec<RelatedEvent> = match side {
        Side::Before => found.into_iter().rev().collect(),
        Side::After => found.into(),
    };
    Ok(nearest_first)
}

/// Reads an event that stands beside another one in a room.
pub(crate) fn read(reader: &Reader<'_>, room_id: &str, beside: &RelatedEvent) -> Result<CatalogEvent, Error> {
    of_line(reader, beside.line, |row| CatalogEvent::read(reader, RoomId::of(room_id), row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transcript_is_named_by_what_its_path_ends_with() {
        for (path, expected) in [
            ("rooms/a@b/2026-11-22.md", Some(("a@b", "2026-11-22"))),
            ("/archive/rooms/a@b/undated.md", Some(("a@b", "undated"))),
            ("a@b/2026-11-22.md", Some(("a@b", "2026-11-22"))),
            ("a@b/2026-11-22.html", Some(("a@b", "2026-11-22"))),
            ("2026-11-22.md", None),
            ("rooms/a@b/2026-11-22.jsonl", None),
            ("", None),
        ] {
            assert_eq!(room_day(path), expected, "{path}");
        }
    }
}
