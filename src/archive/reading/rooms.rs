//! Rooms and their days, as the catalog has them.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension as _, Row, params};

use super::super::{Error, layout};
use super::Reader;
use crate::document::page::{DayLine, RoomLine};

/// The days of a room, the oldest first, `undated` last.
pub(crate) fn days_of(reader: &Reader<'_>, room_id: &str) -> Result<BTreeSet<String>, Error> {
    let mut statement = reader.connection.prepare_cached(
        "select path from file
          where path between 'rooms/' || (select directory from room where room_id = ?1) || '/'
                         and 'rooms/' || (select directory from room where room_id = ?1) || '/~'",
    )?;
    let paths = statement.query_map([room_id], |row| row.get::<_, String>(0))?;
    paths.map(|path| Ok(layout::checked_day(room_id, &path?)?.to_owned())).collect()
}

/// The days of a room before and after one, by its file of lines.
pub(crate) fn neighbours(
    reader: &Reader<'_>,
    room_id: &str,
    path: &str,
) -> Result<(Option<String>, Option<String>), Error> {
    let room = &path[..=path.rfind('/').unwrap_or(0)];
    let neighbour = |sql: &str| -> Result<Option<String>, Error> {
        let found: Option<String> = reader.connection.prepare_cached(sql)?.query_row([path, room], |row| row.get(0))?;
        found.map(|path| layout::checked_day(room_id, &path).map(str::to_owned)).transpose()
    };
    let previous = neighbour("select max(path) from file where path < ?1 and path > ?2")?;
    let next = neighbour("select min(path) from file where path > ?1 and path < ?2 || '~'")?;
    Ok((previous, next))
}

/// Who made a room.
pub(crate) fn creator(reader: &Reader<'_>, room_id: &str) -> Result<Option<String>, Error> {
    let sql = "select sender from room_state where room_id = ?1 and type = 'm.room.create'
                order by topological_ordering limit 1";
    let creator: Option<Option<String>> =
        reader.connection.prepare_cached(sql)?.query_row([room_id], |row| row.get(0)).optional()?;
    Ok(creator.flatten())
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

/// The days of a room, by its directory, the newest first, `undated` last.
pub(crate) fn each_day(
    reader: &Reader<'_>,
    room_id: &str,
    room: &str,
    take: &mut dyn FnMut(DayLine<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let sql = "select path, events, messages from file where path > ?1 and path < ?1 || '~'
                order by path like '%/undated.jsonl', path desc";
    let mut statement = reader.connection.prepare_cached(sql)?;
    let mut rows = statement.query([format!("rooms/{room}/")])?;
    while let Some(row) = rows.next()? {
        let (path, events, messages): (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        take(DayLine { day: layout::checked_day(room_id, &path)?, messages, events })?;
    }
    Ok(())
}

/// All rooms, by name.
pub(crate) fn each_room(reader: &Reader<'_>, take: &mut dyn FnMut(RoomLine) -> Result<(), Error>) -> Result<(), Error> {
    let sql = "select coalesce(name, room_id), aliases, type, encrypted, messages, room_id,
                      (select min(path) from file where path > 'rooms/' || directory || '/' and path < 'rooms/' || directory || '/u'),
                      (select max(path) from file where path > 'rooms/' || directory || '/' and path < 'rooms/' || directory || '/u')
                 from room order by name collate nocase, room_id";
    let mut statement = reader.connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        take(line_of(row)?)?;
    }
    Ok(())
}

fn line_of(row: &Row<'_>) -> rusqlite::Result<RoomLine> {
    let (name, aliases, kind): (String, Option<String>, Option<String>) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let (is_encrypted, messages, room_id): (bool, i64, String) = (row.get(3)?, row.get(4)?, row.get(5)?);
    let day = |path: Option<String>| path.and_then(|path| Some(layout::parts(&path)?.1.to_owned()));
    let (first_day, last_day) = (day(row.get(6)?), day(row.get(7)?));
    let aliases: Vec<String> = aliases.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
    let (alias, is_space) = (aliases.into_iter().next(), kind.as_deref() == Some("m.space"));
    Ok(RoomLine { room_id, name, alias, messages, first_day, last_day, is_space, is_encrypted })
}

/// At most `most` room-days that are rendered, whose files of lines lie behind `start` and before `end`, by these, in order.
pub(crate) fn rendered_days(
    reader: &Reader<'_>,
    start: &str,
    end: &str,
    most: usize,
    take: &mut dyn FnMut(String) -> Result<(), Error>,
) -> Result<(), Error> {
    let sql = "select path from file where path > ?1 and path <= ?2 and not dirty order by path limit ?3";
    let mut statement = reader.connection.prepare_cached(sql)?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut paths = statement.query_map(params![start, end, most], |row| row.get::<_, String>(0))?;
    paths.try_for_each(|path| take(path?))
}

/// The link to a room, by its directory; none if there is none, or none can be made.
pub(crate) fn link_to(reader: &Reader<'_>, room: &str) -> Result<Option<String>, Error> {
    let sql = "select link from room where directory = ?1";
    let link = reader.connection.prepare_cached(sql)?.query_row([room], |row| row.get::<_, Option<String>>(0));
    Ok(link.optional()?.flatten().filter(|link| !link.is_empty()))
}

/// Whether the index of any room is rendered.
pub(crate) fn any_is_rendered(reader: &Reader<'_>) -> Result<bool, Error> {
    let sql = "select exists (select 1 from room where not dirty)";
    Ok(reader.connection.query_row(sql, [], |row| row.get::<_, bool>(0))?)
}
