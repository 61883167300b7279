//! A database by itself: the lines of a room, or of a person, with the views `event` and `message`, and the files that these name.
//! Reads the archive and no server, and writes to no file but the one that it is given.

use std::fs::File;
use std::io;
use std::path::Path;

use rusqlite::limits::Limit;
use rusqlite::{Connection, params};

use super::media::{self, HandedFile};
use super::{Given, Handed, writing};
use crate::archive::Error;
use crate::archive::reading::outward::{self, OutwardLine};
use crate::archive::reading::{Reader, rooms, title};
use crate::event::Event;

/// Its tables and views.
const SCHEMA: &str = include_str!("room.sql");
/// Its tables of files, where they are asked for.
const MEDIA: &str = include_str!("room_media.sql");
/// What finds its rows, made when they are there.
const INDEXES: &str = "create index line_time on line (room_id, origin_server_ts);
                       create index line_relates_to on line (relates_to) where relates_to is not null;
                       create index line_sender on line (sender, origin_server_ts);
                       create index line_type on line (type)";

/// Writes a database to a file that is empty, with the files that events name if it is to be `with_media`. `told` hears how many lines
/// are in it.
pub fn database(given: &Given<'_>, with_media: bool, file: &Path, told: &mut dyn FnMut(u64)) -> Result<Handed, Error> {
    given.during(|| {
        let connection = open(file).map_err(writing)?;
        let begun = connection.unchecked_transaction().map_err(writing)?;
        begun.execute_batch(SCHEMA).map_err(writing)?;
        if with_media {
            begun.execute_batch(MEDIA).map_err(writing)?;
        }
        let handed = fill(given, with_media, &begun, told)?;
        about(given, &begun, &handed)?;
        begun.execute_batch(INDEXES).map_err(writing)?;
        given.goes_on()?;
        begun.commit().map_err(writing)?;
        connection.close().map_err(|(_, error)| writing(error))?;
        Ok(handed)
    })
}

/// A file that nobody knows before it is whole needs no journal.
fn open(file: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(file)?;
    connection.pragma_update(None, "journal_mode", "off")?;
    connection.pragma_update(None, "synchronous", "off")?;
    connection.pragma_update(None, "cache_size", -4 * 1024)?;
    Ok(connection)
}

fn fill(given: &Given<'_>, with_media: bool, to: &Connection, told: &mut dyn FnMut(u64)) -> Result<Handed, Error> {
    let reader = given.catalog.reader();
    let (asked, mut handed) = (given.lines(), Handed::default());
    let mut lost = 0;
    for room_id in &given.rooms {
        let (_, version, _) = rooms::kept(&reader, room_id)?;
        to.execute(
            "insert into room (room_id, name, version) values (?1, ?2, ?3)",
            params![room_id, title::now(&reader, room_id)?.name, version],
        )
        .map_err(writing)?;
        for day in given.days(room_id.borrowed())? {
            given.goes_on()?;
            handed.unread += outward::each_line_of_day(&reader, room_id, &day, &asked, &mut |line| {
                handed.events += 1;
                add(to, room_id, &day, line).map_err(writing)?;
                if with_media { add_media(given, &reader, &line.event, to, &mut lost) } else { Ok(()) }
            })?;
            handed.days += 1;
            told(handed.events);
        }
    }
    let messages = to.query_row("select count(*) from message", [], |row| row.get::<_, i64>(0)).map_err(writing)?;
    handed.messages = messages.unsigned_abs();
    handed.lost = lost;
    Ok(handed)
}

fn add(to: &Connection, room_id: &str, day: &str, line: &OutwardLine) -> rusqlite::Result<()> {
    let OutwardLine { event, redacted_by, decrypted, soft_failed, rejected, is_withheld } = line;
    let said = event.said.as_deref().filter(|_| !is_withheld);
    let has = event.has.as_deref().filter(|_| !is_withheld);
    let encrypted = decrypted.map_or(0, |authenticated| 1 + i64::from(authenticated));
    let sql = "insert into line (event_id, room_id, stream_ordering, topological_ordering, type, state_key, sender, origin_server_ts,
                                 received_ts, day, body, has, relates_to, rel_type, edits, replies_to, redacts, redacted_by, withheld, encrypted,
                                 censored, soft_failed, rejected, outlier, damaged, json)
               values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26)";
    to.prepare_cached(sql)?.execute(params![
        event.event_id,
        room_id,
        event.stream_ordering,
        event.topological_ordering,
        event.kind.as_deref(),
        event.state_key,
        event.sender,
        event.origin_server_ts,
        event.received_ts,
        day,
        said,
        has,
        event.relates_to,
        event.rel_type.as_deref(),
        event.is_edit,
        event.replies_to,
        event.redacts,
        redacted_by,
        is_withheld,
        encrypted,
        event.censored,
        soft_failed,
        rejected,
        event.outlier,
        event.damage.is_some(),
        event.line,
    ])?;
    Ok(())
}

/// Adds what an event names, each file once.
fn add_media(
    given: &Given<'_>,
    reader: &Reader<'_>,
    event: &Event,
    to: &Connection,
    lost: &mut u64,
) -> Result<(), Error> {
    for HandedFile { mxc, path, .. } in media::of(reader, event)? {
        let sql = "insert or ignore into event_media (event_id, mxc, path) values (?1, ?2, ?3)";
        to.prepare_cached(sql).and_then(|mut it| it.execute(params![event.event_id, mxc, path])).map_err(writing)?;
        let sql = "insert or ignore into media (path) values (?1)";
        let is_new = to.prepare_cached(sql).and_then(|mut it| it.execute([&path])).map_err(writing)? > 0;
        if is_new {
            let row = to.last_insert_rowid();
            copy(given, reader, (row, &path), to, lost)?;
        }
    }
    Ok(())
}

/// Copies a file piece by piece into its row, unless it is longer than SQLite holds in one.
fn copy(
    given: &Given<'_>,
    reader: &Reader<'_>,
    (row, path): (i64, &str),
    to: &Connection,
    lost: &mut u64,
) -> Result<(), Error> {
    match media::open(given, reader, path, lost)? {
        Some(mut file) => fill_row(row, &mut file, to),
        None => Ok(()),
    }
}

fn fill_row(row: i64, file: &mut File, to: &Connection) -> Result<(), Error> {
    let bytes = file.metadata().map_err(Error::Transcript)?.len();
    let bytes = i64::try_from(bytes).map_err(writing)?;
    // of what SQLite holds in a row, with its other columns
    let most = i64::from(to.limit(Limit::SQLITE_LIMIT_LENGTH).map_err(writing)?) - 1024;
    let sql = "update media set bytes = ?2, content = iif(?2 <= ?3, zeroblob(?2), null) where rowid = ?1";
    to.prepare_cached(sql).and_then(|mut it| it.execute([row, bytes, most])).map_err(writing)?;
    if bytes <= most {
        let mut content = to.blob_open("main", "media", "content", row, false).map_err(writing)?;
        io::copy(file, &mut content).map_err(Error::Transcript)?;
        content.close().map_err(writing)?;
    }
    Ok(())
}

/// Says what the database is.
fn about(given: &Given<'_>, to: &Connection, handed: &Handed) -> Result<(), Error> {
    for (name, value) in super::zip::about(given, handed) {
        let value = match value {
            serde_json::Value::String(text) => Some(text),
            serde_json::Value::Null => None,
            other => Some(other.to_string()),
        };
        to.execute("insert into about (name, value) values (?1, ?2)", params![name, value]).map_err(writing)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn what_is_longer_than_a_row_holds_is_told_and_costs_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let connection = open(&place.path().join("x.sqlite")).unwrap();
        connection.execute_batch(MEDIA).unwrap();
        // as a gigabyte is to what SQLite is built with
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, 100_000).unwrap();
        for (row, length) in [(1, 98_976), (2, 98_977), (3, 200_000), (4, 0)] {
            connection.execute("insert into media (path) values (?1)", [row.to_string()]).unwrap();
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&vec![7; length]).unwrap();
            io::Seek::rewind(&mut file).unwrap();
            fill_row(row, &mut file, &connection).unwrap();
        }
        let mut statement = connection.prepare("select bytes, length(content) from media order by rowid").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?))).unwrap();
        let rows: Vec<_> = rows.map(Result::unwrap).collect();
        assert_eq!(rows, [(98_976, Some(98_976)), (98_977, None), (200_000, None), (0, Some(0))]);
    }
}
