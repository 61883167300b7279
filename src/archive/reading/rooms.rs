//! Rooms and their days, as the catalog has them. Knows nothing of how lists of them look.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension as _, Row, params};

use super::super::layout::DayName;
use super::super::{Error, catalog, layout};
use super::Reader;
use crate::document::line::RoomLink;
use crate::document::page::{DayLine, RoomLine};
use crate::naming::{Called, Matches};

/// The days of a room, the oldest first, `undated` last.
pub(crate) fn days_of(reader: &Reader<'_>, room_id: &str) -> Result<BTreeSet<String>, Error> {
    let sql = "select day from file where room = ?1";
    let mut statement = reader.connection.prepare_cached(sql)?;
    let days = statement.query_map([reader.room(room_id)?], |row| row.get::<_, DayName>(0))?;
    days.map(|day| Ok(day?.0)).collect()
}

/// The days of a room before and after one.
pub(crate) fn neighbours(
    reader: &Reader<'_>,
    room_id: &str,
    day: &str,
) -> Result<(Option<String>, Option<String>), Error> {
    let sql = "select (select max(day) from file where room = ?1 and day < ?2),
                      (select min(day) from file where room = ?1 and day > ?2)";
    let mut statement = reader.connection.prepare_cached(sql)?;
    Ok(statement.query_row(params![reader.room(room_id)?, day], |row| Ok((day_of(row, 0)?, day_of(row, 1)?)))?)
}

/// Who made a room.
pub(crate) fn creator(reader: &Reader<'_>, room_id: &str) -> Result<Option<String>, Error> {
    let sql = "select sender from room_state where room = ?1 and type = 'm.room.create'
                order by topological_ordering limit 1";
    let creator: Option<Option<String>> =
        reader.connection.prepare_cached(sql)?.query_row([reader.room(room_id)?], |row| row.get(0)).optional()?;
    Ok(creator.flatten())
}

/// How many rooms may go on from one.
const NEXT: i64 = 5;

/// The room that one came from, as its creation says.
pub(crate) fn predecessor(reader: &Reader<'_>, room_id: &str) -> Result<Option<String>, Error> {
    let sql = "select other from room_state where room = (select room from room where room_id = ?1) and type = 'm.room.create'
                order by topological_ordering limit 1";
    Ok(reader.connection.prepare_cached(sql)?.query_row([room_id], |row| row.get(0)).optional()?.flatten())
}

/// The room that one goes on in, as its tombstone says; where that is redacted, those that say that they came from it. None
/// unless it has one.
pub(crate) fn successors(reader: &Reader<'_>, room_id: &str) -> Result<Vec<String>, Error> {
    let sql = "select other from room_state where room = (select room from room where room_id = ?1) and type = 'm.room.tombstone'
                order by topological_ordering desc, origin_server_ts desc, event_id desc limit 1";
    let tombstone: Option<Option<String>> =
        reader.connection.prepare_cached(sql)?.query_row([room_id], |row| row.get(0)).optional()?;
    match tombstone {
        None => Ok(Vec::new()),
        Some(Some(next)) => Ok(vec![next]),
        Some(None) => {
            let sql = "select distinct room_id from room_state join room using (room)
                        where other = ?1 and room_state.type = 'm.room.create' order by room_id limit ?2";
            let mut statement = reader.connection.prepare_cached(sql)?;
            Ok(statement.query_map(params![room_id, NEXT], |row| row.get(0))?.collect::<Result<_, _>>()?)
        }
    }
}

/// A room as what links to it needs it: its directory below `rooms/` is known if the archive has it.
pub(crate) fn linked(reader: &Reader<'_>, room_id: &str) -> Result<RoomLink, Error> {
    let sql = "select exists (select 1 from room where room_id = ?1 and has_lines)";
    let is_there = reader.connection.prepare_cached(sql)?.query_row([room_id], |row| row.get::<_, bool>(0))?;
    Ok(RoomLink { room_id: room_id.to_owned(), directory: is_there.then(|| layout::room_directory(room_id)) })
}

/// A room's directory below `rooms/`, its version, and what it was called in `by-name/`.
pub(crate) fn kept(reader: &Reader<'_>, room_id: &str) -> Result<(String, Option<String>, Option<String>), Error> {
    let sql = "select directory, version, by_name from room where room_id = ?1";
    let (directory, version, by_name): (String, Option<String>, Option<String>) = reader
        .connection
        .prepare_cached(sql)?
        .query_row([room_id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok((layout::checked_directory(room_id, &directory)?, version, by_name))
}

/// The days of a room, the newest first, `undated` last.
pub(crate) fn each_day(
    reader: &Reader<'_>,
    room_id: &str,
    take: &mut dyn FnMut(DayLine<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let sql = "select day, events, messages from file where room = ?1
                order by day = 'undated', day desc";
    let mut statement = reader.connection.prepare_cached(sql)?;
    let mut rows = statement.query([reader.room(room_id)?])?;
    while let Some(row) = rows.next()? {
        let (day, events, messages): (DayName, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        take(DayLine { day: &day.0, messages, events })?;
    }
    Ok(())
}

/// Whether there are pages in HTML beside transcripts.
pub(crate) fn has_pages(reader: &Reader<'_>) -> Result<bool, Error> {
    let sql = "select exists (select 1 from setting where name = 'html' and value)";
    Ok(reader.connection.query_row(sql, [], |row| row.get(0))?)
}

/// What the list of rooms tells of one: the columns that [`line_of`] reads.
pub(super) const LINE: &str = "coalesce(name, room_id), aliases, type, encrypted, messages, room_id,
    (select min(day) from file where file.room = room.room and day < 'u'),
    (select max(day) from file where file.room = room.room and day < 'u'),
    exists (select 1 from room other
             where other.alike = room.alike and other.room_id <> room.room_id and other.has_lines)";

/// All rooms, by name.
pub(crate) fn each_room(reader: &Reader<'_>, take: &mut dyn FnMut(RoomLine) -> Result<(), Error>) -> Result<(), Error> {
    let sql = format!("select {LINE} from room where has_lines order by name collate nocase, room_id");
    let mut statement = reader.connection.prepare_cached(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        take(line_of(row)?)?;
    }
    Ok(())
}

fn day_of(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<String>> {
    Ok(row.get::<_, Option<DayName>>(at)?.map(|day| day.0))
}

pub(super) fn line_of(row: &Row<'_>) -> rusqlite::Result<RoomLine> {
    let (name, aliases, kind): (String, Option<String>, Option<String>) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let (is_encrypted, messages, room_id): (bool, i64, String) = (row.get(3)?, row.get(4)?, row.get(5)?);
    let (first_day, last_day) = (day_of(row, 6)?, day_of(row, 7)?);
    let aliases: Vec<String> = aliases.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
    let (alias, is_space) = (aliases.into_iter().next(), kind.as_deref() == Some("m.space"));
    let shares_name = row.get(8)?;
    Ok(RoomLine { room_id, name, shares_name, alias, messages, first_day, last_day, is_space, is_encrypted })
}

/// A room-day that is rendered.
pub(crate) struct RenderedDay {
    /// The number of its file of lines.
    pub(crate) number: i64,
    /// The room's directory below `rooms/`.
    pub(crate) room: String,
    pub(crate) day: String,
}

/// At most `most` room-days that are rendered, whose files of lines have the lowest numbers from `start` on and before `end`, room by
/// room.
pub(crate) fn rendered_days(
    reader: &Reader<'_>,
    start: i64,
    end: i64,
    most: usize,
    take: &mut dyn FnMut(RenderedDay) -> Result<(), Error>,
) -> Result<(), Error> {
    let sql = "select file, room_id, directory, day
                 from (select file, room, day from file
                        where file >= ?1 and file < ?2
                          and not exists (select 1 from stale where view = 'markdown' and stale.file = file.file)
                        order by file limit ?3)
                 join room using (room) order by room, day";
    let mut statement = reader.connection.prepare_cached(sql)?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![start, end, most])?;
    while let Some(row) = rows.next()? {
        let (room_id, directory): (String, String) = (row.get(1)?, row.get(2)?);
        let room = layout::checked_directory(&room_id, &directory)?;
        take(RenderedDay { number: row.get(0)?, room, day: row.get::<_, DayName>(3)?.0 })?;
    }
    Ok(())
}

/// The rooms that a text may mean, by id and name; what a room is called is known once it is rendered.
pub(crate) fn called(reader: &Reader<'_>, text: &str) -> Result<Matches<(String, String)>, Error> {
    let mut found = Matches::default();
    let sql = "select room_id, coalesce(name, room_id), aliases from room where has_lines order by room_id";
    let mut statement = reader.connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (room_id, name, aliases): (String, String, Option<String>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let aliases: Vec<String> = aliases.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
        let aliases = aliases.iter().map(String::as_str).collect();
        let called = Called { room_id: &room_id, name: Some(&name), aliases };
        found.add(text, &called, || (room_id.clone(), name.clone()));
    }
    Ok(found)
}

/// The number of a file of lines, another each time.
pub(crate) fn anywhere(reader: &Reader<'_>) -> Result<i64, Error> {
    catalog::anywhere(reader.connection)
}

/// The link to a room, by its directory; none if there is none, or none can be made.
pub(crate) fn link_to(reader: &Reader<'_>, room: &str) -> Result<Option<String>, Error> {
    let sql = "select link from room where directory = ?1";
    let link = reader.connection.prepare_cached(sql)?.query_row([room], |row| row.get::<_, Option<String>>(0));
    Ok(link.optional()?.flatten().filter(|link| !link.is_empty()))
}

/// Whether the index of any room is rendered.
pub(crate) fn any_is_rendered(reader: &Reader<'_>) -> Result<bool, Error> {
    let sql = "select exists (select 1 from room where has_lines and not dirty)";
    Ok(reader.connection.query_row(sql, [], |row| row.get::<_, bool>(0))?)
}
