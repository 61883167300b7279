//! The list of rooms where it takes several pages: its sections, and the rooms of each. Says nothing of what is stale.

use rusqlite::{OptionalExtension as _, Row};

use super::super::Error;
use super::super::sections::{ListPlace, Section};
use super::Reader;
use super::rooms::{LINE, line_of};
use crate::document::page::RoomLine;

/// Whether the list of rooms has sections.
pub(crate) fn are_kept(reader: &Reader<'_>) -> Result<bool, Error> {
    let sql = "select exists (select 1 from sqlite_schema where name = 'room_section')";
    Ok(reader.connection.query_row(sql, [], |row| row.get(0))?)
}

/// Whether some section is not as its rooms are.
pub(crate) fn any_is_stale(reader: &Reader<'_>) -> Result<bool, Error> {
    let sql = "select exists (select 1 from room_section where stale)";
    Ok(are_kept(reader)? && reader.connection.query_row(sql, [], |row| row.get::<_, bool>(0))?)
}

/// Whether there are more rooms than so many.
pub(crate) fn are_more(reader: &Reader<'_>, rooms: u32) -> Result<bool, Error> {
    let sql = "select 1 from room where has_lines limit 1 offset ?1";
    Ok(reader.connection.query_row(sql, [rooms], |_| Ok(())).optional()?.is_some())
}

/// The sections in their order, and what the first room of each is called; there have to be some.
pub(crate) fn each(
    reader: &Reader<'_>,
    take: &mut dyn FnMut(&Section, &str) -> Result<(), Error>,
) -> Result<(), Error> {
    let sql = "select s.by_name, s.room_id, s.rooms, s.parts,
                      coalesce(room.name, (select name from room where has_lines and by_name is not null
                                            order by by_name collate nocase, room_id limit 1), '')
                 from room_section s left join room on room.room_id = s.room_id order by s.by_name, s.room_id";
    let mut statement = reader.connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let from = ListPlace { by_name: row.get(0)?, room_id: row.get(1)? };
        let (rooms, parts): (i64, i64) = (row.get(2)?, row.get(3)?);
        let name: String = row.get(4)?;
        take(&Section { from, rooms: rooms.unsigned_abs(), parts: parts.unsigned_abs() }, &name)?;
    }
    Ok(())
}

/// The rooms between two places in the list, or from the first one on, in its order, with their places.
pub(crate) fn each_room(
    reader: &Reader<'_>,
    from: &ListPlace,
    until: Option<&ListPlace>,
    take: &mut dyn FnMut(ListPlace, RoomLine) -> Result<(), Error>,
) -> Result<(), Error> {
    // in two, since SQLite finds no pair by an index whose order is told by `collate`
    for which in [
        "by_name collate nocase = ?1 and room_id >= ?2 order by room_id",
        "by_name collate nocase > ?1 and ?2 is not null order by by_name collate nocase, room_id",
    ] {
        let sql = format!(
            "select {LINE}, by_name,
                    ?3 is not null and (by_name collate nocase > ?3 or by_name collate nocase = ?3 and room_id >= ?4)
               from room where has_lines and {which}"
        );
        let mut statement = reader.connection.prepare_cached(&sql)?;
        let end = until.map(|until| (&until.by_name, &until.room_id)).unzip();
        let mut rows = statement.query((&from.by_name, &from.room_id, end.0, end.1))?;
        while let Some(row) = rows.next()? {
            if row.get(10)? {
                return Ok(());
            }
            let room = line_of(row)?;
            take(place(row, &room)?, room)?;
        }
    }
    Ok(())
}

fn place(row: &Row<'_>, room: &RoomLine) -> rusqlite::Result<ListPlace> {
    Ok(ListPlace { by_name: row.get(9)?, room_id: room.room_id.clone() })
}
