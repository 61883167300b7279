//! A database by itself: the lines of a room, or of a person, with the views `event` and `message`.

use std::path::Path;

use rusqlite::{Connection, params};

use super::{Given, Handed, writing};
use crate::archive::Error;
use crate::archive::reading::outward::{self, OutwardLine};
use crate::archive::reading::{rooms, title};

/// Its tables and views.
const SCHEMA: &str = include_str!("room.sql");
/// What finds its rows, made when they are there.
const INDEXES: &str = "create index line_time on line (room_id, origin_server_ts);
                       create index line_relates_to on line (relates_to) where relates_to is not null;
                       create index line_sender on line (sender, origin_server_ts);
                       create index line_type on line (type)";

/// Writes a database to a file that is empty. `told` hears how many lines are in it.
pub fn database(given: &Given<'_>, file: &Path, told: &mut dyn FnMut(u64)) -> Result<Handed, Error> {
    given.during(|| {
        let connection = open(file).map_err(writing)?;
        let begun = connection.unchecked_transaction().map_err(writing)?;
        begun.execute_batch(SCHEMA).map_err(writing)?;
        let handed = fill(given, &begun, told)?;
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
    connection.pragma_update(None, "cache_size", -16 * 1024)?;
    Ok(connection)
}

fn fill(given: &Given<'_>, to: &Connection, told: &mut dyn FnMut(u64)) -> Result<Handed, Error> {
    let reader = given.catalog.reader();
    let (asked, mut handed) = (given.lines(), Handed::default());
    for room_id in &given.rooms {
        let (_, version, _) = rooms::kept(&reader, room_id)?;
        to.execute(
            "insert into room (room_id, name, version) values (?1, ?2, ?3)",
            params![room_id, title::now(&reader, room_id)?.name, version],
        )
        .map_err(writing)?;
        for day in given.days(room_id)? {
            given.goes_on()?;
            handed.unread += outward::each_line_of_day(&reader, room_id, &day, &asked, &mut |line| {
                handed.events += 1;
                add(to, room_id, &day, line).map_err(writing)
            })?;
            handed.days += 1;
            told(handed.events);
        }
    }
    let messages = to.query_row("select count(*) from message", [], |row| row.get::<_, i64>(0)).map_err(writing)?;
    handed.messages = messages.unsigned_abs();
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
