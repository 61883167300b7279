//! What the catalog's small numbers stand for, remembered so that no statement has to join for them: rooms, types, users. Knows
//! nothing of events.

use std::cell::RefCell;
use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _};

use super::super::{Error, layout};
use super::REMEMBERED;
use crate::event::RoomId;

/// Numbers that were looked up lately.
#[derive(Default)]
pub(super) struct NumberCache {
    /// The room that was asked for last.
    room: RefCell<Option<RoomNumber>>,
    types: Texts,
    users: Texts,
}

/// A room by its id.
#[derive(Clone)]
struct RoomNumber {
    id: String,
    /// None: the catalog does not know it.
    number: Option<i64>,
    /// Below `rooms/`.
    directory: String,
}

/// Texts by their numbers.
type Texts = RefCell<HashMap<i64, String>>;

impl NumberCache {
    /// The number of a room; null in SQL, and so equal to none, where the catalog does not know the room.
    pub(super) fn room(&self, connection: &Connection, room_id: &str) -> Result<Option<i64>, Error> {
        self.of_room(connection, room_id, |room| room.number)
    }

    /// The path below the archive of a room's file of lines.
    pub(super) fn path(&self, connection: &Connection, room: RoomId<'_>, day: &str) -> Result<String, Error> {
        self.of_room(connection, &room, |room| format!("rooms/{}/{day}.jsonl", room.directory))
    }

    fn of_room<T>(
        &self,
        connection: &Connection,
        room_id: &str,
        take: impl FnOnce(&RoomNumber) -> T,
    ) -> Result<T, Error> {
        let mut last = self.room.borrow_mut();
        if let Some(room) = last.as_ref().filter(|room| room.id == room_id) {
            return Ok(take(room));
        }
        let sql = "select room from room where room_id = ?1";
        let number = connection.prepare_cached(sql)?.query_row([room_id], |row| row.get(0)).optional()?;
        let room = RoomNumber { id: room_id.to_owned(), number, directory: layout::room_directory(room_id) };
        Ok(take(last.insert(room)))
    }

    /// The name of a type of events or relations.
    pub(super) fn type_name(&self, connection: &Connection, number: Option<i64>) -> Result<Option<String>, Error> {
        text(&self.types, connection, "select name from type where type = ?1", number)
    }

    /// A user's id.
    pub(super) fn user_id(&self, connection: &Connection, number: Option<i64>) -> Result<Option<String>, Error> {
        text(&self.users, connection, "select user_id from user where user = ?1", number)
    }
}

fn text(known: &Texts, connection: &Connection, sql: &str, number: Option<i64>) -> Result<Option<String>, Error> {
    let Some(number) = number else { return Ok(None) };
    let mut known = known.borrow_mut();
    if let Some(text) = known.get(&number) {
        return Ok(Some(text.clone()));
    }
    let found: Option<String> = connection.prepare_cached(sql)?.query_row([number], |row| row.get(0)).optional()?;
    if let Some(text) = &found {
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(number, text.clone());
    }
    Ok(found)
}
