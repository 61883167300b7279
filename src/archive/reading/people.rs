//! Which Matrix id each name is that people have in a room: of what was told, and of all its members. Never more than a part that
//! is bounded.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension as _, params};

use super::super::Error;
use super::Reader;
use crate::document::page::Person;
use crate::document::text::looks;

/// How many names are told.
pub(crate) const MOST: usize = 1_000;

/// Who was called what.
#[derive(Debug, Default)]
pub(crate) struct People {
    named: BTreeSet<Person>,
    /// There are others.
    pub(crate) more: bool,
}

impl People {
    pub(super) fn add(&mut self, name: &str, user_id: &str) {
        let person = Person { name: name.to_owned(), user_id: user_id.to_owned() };
        if self.named.len() < MOST {
            self.named.insert(person);
        } else {
            self.more |= !self.named.contains(&person);
        }
    }

    /// By name.
    pub(crate) fn named(&self) -> impl Iterator<Item = &Person> {
        self.named.iter()
    }
}

/// The names that members of a room have or had, in order; names of one that look the same once. True: there are others.
pub(crate) fn each(
    reader: &Reader<'_>,
    room_id: &str,
    take: &mut dyn FnMut(&Person) -> Result<(), Error>,
) -> Result<bool, Error> {
    // from one to the next, so that it does not matter how often somebody says a name
    let sql = "select displayname, user_id from membership indexed by membership_alike
                where room = ?1 and alike is not null and (alike, user_id) > (?2, ?3)
                order by alike, user_id limit 1";
    let room = reader.room(room_id)?;
    let mut next = reader.connection.prepare_cached(sql)?;
    let mut last = (String::new(), String::new());
    for _ in 0..MOST {
        let found =
            next.query_row(params![room, last.0, last.1], |row| Ok(Person { name: row.get(0)?, user_id: row.get(1)? }));
        let Some(person) = found.optional()? else { return Ok(false) };
        take(&person)?;
        last = (looks(&person.name), person.user_id);
    }
    Ok(next.exists(params![room, last.0, last.1])?)
}
