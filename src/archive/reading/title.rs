//! What a room was called at a time, by its state events and its members.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

use rusqlite::{CachedStatement, OptionalExtension as _, Row, params};

use super::super::Error;
use super::Reader;
use super::names::{Remembered, is_erased};
use crate::document::page::Title;
use crate::document::text::listed;
use crate::event::Object;

/// How many members a room without a name is called by.
const HEROES: usize = 5;
/// How many are counted.
const COUNTED: usize = 100;

/// What a room is called now.
pub(crate) fn now(reader: &Reader<'_>, room_id: &str) -> Result<Title, Error> {
    let (name, aliases) = given(&mut |kind| state(reader, room_id, kind))?;
    let name = match name {
        Some(name) => name,
        None => members(reader, room_id, i64::MAX)?.name.unwrap_or_else(|| room_id.to_owned()),
    };
    Ok(Title { name, aliases })
}

/// What a room is called before `end`, in milliseconds since the epoch.
pub(crate) fn before(
    reader: &Reader<'_>,
    room_id: &str,
    end: i64,
    remembered: &mut Remembered,
) -> Result<Title, Error> {
    let states = &mut remembered.states;
    let (name, aliases) = given(&mut |kind| states.before(reader, room_id, kind, end))?;
    let name = match name {
        Some(name) => name,
        None => states.members(reader, room_id, end)?.unwrap_or_else(|| room_id.to_owned()),
    };
    Ok(Title { name, aliases })
}

/// The name that a room's state gives, if it does, and its aliases.
fn given(
    state: &mut dyn FnMut(&'static str) -> Result<Option<String>, Error>,
) -> Result<(Option<String>, Vec<String>), Error> {
    let mut aliases: Vec<String> = Vec::new();
    if let Some(content) = state("m.room.canonical_alias")? {
        let content = Object::of(&content);
        let all = content.text("alias").into_iter().chain(content.texts("alt_aliases"));
        let mut known = HashSet::new();
        for alias in all.filter(|alias| alias.starts_with('#')) {
            if known.insert(alias.to_string()) {
                aliases.push(alias.into_owned());
            }
        }
    }
    // unless the newest takes the name away or is redacted
    let name = state("m.room.name")?;
    let name = name.as_deref().and_then(|content| Object::of(content).text("name"));
    let name = name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    Ok((name.or_else(|| aliases.first().cloned()), aliases))
}

/// The content of a room's newest state event of a type with an empty state key; none if it is redacted.
pub(crate) fn state(reader: &Reader<'_>, room_id: &str, kind: &str) -> Result<Option<String>, Error> {
    let sql = "select content from room_state where room = (select room from room where room_id = ?1) and type = ?2
                order by topological_ordering desc, origin_server_ts desc, event_id desc limit 1";
    let found = reader.connection.prepare_cached(sql)?.query_row([room_id, kind], |row| row.get(0));
    Ok(found.optional()?.flatten())
}

/// What a room was called, for the days to come.
#[derive(Default)]
pub(super) struct States {
    /// By type: since when which state event of a room was the newest, as (depth, time, event id).
    newest: HashMap<&'static str, Vec<(i64, i64, String)>>,
    /// What its members called it last, and before which times that is so.
    members: Option<(RangeInclusive<i64>, Option<String>)>,
}

impl States {
    /// As [`members`], which stays the same until one of them changes.
    fn members(&mut self, reader: &Reader<'_>, room_id: &str, end: i64) -> Result<Option<String>, Error> {
        if let Some((_, name)) = self.members.as_ref().filter(|(ends, _)| ends.contains(&end)) {
            return Ok(name.clone());
        }
        let Called { name, until } = members(reader, room_id, end)?;
        self.members = Some((end..=until, name.clone()));
        Ok(name)
    }

    /// As [`state`], of those before `end`.
    fn before(
        &mut self,
        reader: &Reader<'_>,
        room_id: &str,
        kind: &'static str,
        end: i64,
    ) -> Result<Option<String>, Error> {
        let newest = match self.newest.entry(kind) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(newest(reader, room_id, kind)?),
        };
        let before = newest.partition_point(|(_, at, _)| *at < end);
        let Some((depth, at, event_id)) = before.checked_sub(1).map(|last| &newest[last]) else { return Ok(None) };
        let sql = "select content from room_state where room = (select room from room where room_id = ?1) and type = ?2 and topological_ordering = ?3
                      and origin_server_ts = ?4 and event_id = ?5";
        Ok(reader
            .connection
            .prepare_cached(sql)?
            .query_row(params![room_id, kind, depth, at, event_id], |row| row.get(0))?)
    }
}

/// The state events of a type that were the newest ones when they came, the oldest first.
pub(super) fn newest(reader: &Reader<'_>, room_id: &str, kind: &str) -> Result<Vec<(i64, i64, String)>, Error> {
    let sql = "select topological_ordering, origin_server_ts, event_id from room_state where room = (select room from room where room_id = ?1) and type = ?2
                order by origin_server_ts, topological_ordering, event_id";
    let mut statement = reader.connection.prepare_cached(sql)?;
    let mut newest: Vec<(i64, i64, String)> = Vec::new();
    for state in statement.query_map([room_id, kind], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))? {
        let state = state?;
        if newest.last().is_none_or(|last| *last < state) {
            newest.push(state);
        }
    }
    Ok(newest)
}

/// What a room is called by its members.
struct Called {
    /// None: it has none.
    name: Option<String>,
    /// The last time before which it is so too, in milliseconds since the epoch.
    until: i64,
}

/// What a room is called by its members before `end`, as clients do it: the first ones, in the order of their user ids.
fn members(reader: &Reader<'_>, room_id: &str, end: i64) -> Result<Called, Error> {
    // of those in the room, and of those who were: the first names, and how many
    let (mut present, mut past) = (Heroes::default(), Heroes::default());
    let sql =
        "select min(user_id) from membership where room = (select room from room where room_id = ?1) and user_id > ?2";
    let mut next = reader.connection.prepare_cached(sql)?;
    // how often somebody said a name does not matter
    let last = "select membership, displayname from membership where room = (select room from room where room_id = ?1) and user_id = ?2 and origin_server_ts < ?3";
    let newest = "order by origin_server_ts desc, topological_ordering desc, event_id desc limit 1";
    let mut last_of = reader.connection.prepare_cached(&format!("{last} {newest}"))?;
    // who leaves keeps the name
    let gives_name = "(displayname is not null or membership in ('join', 'invite', 'knock'))";
    let mut name_of = reader.connection.prepare_cached(&format!("{last} and {gives_name} {newest}"))?;
    // when one of those that were looked at changes
    let change = "select min(origin_server_ts) from membership where room = (select room from room where room_id = ?1) and user_id = ?2 and origin_server_ts >= ?3";
    let mut change = reader.connection.prepare_cached(change)?;
    let mut until = i64::MAX;
    let mut user_id = String::new();
    let mut users = 0;
    while let Some(user) = next.query_row([room_id, &user_id], |row| row.get::<_, Option<String>>(0))? {
        user_id = user;
        let look = |statement: &mut CachedStatement<'_>| {
            let read = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?));
            statement.query_row(params![room_id, user_id, end], read).optional()
        };
        let changed = change.query_row(params![room_id, user_id, end], |row| row.get::<_, Option<i64>>(0))?;
        until = until.min(changed.unwrap_or(i64::MAX));
        let Some((membership, given)) = look(&mut last_of)? else { continue };
        let is_present = matches!(&*membership, "join" | "invite" | "knock");
        let name = match given {
            None if !is_present => look(&mut name_of)?.and_then(|(_, name)| name),
            given => given,
        };
        let name = if is_erased(reader, &user_id)? { None } else { name };
        let heroes = if is_present { &mut present } else { &mut past };
        heroes.add(name.unwrap_or_else(|| user_id.clone()));
        users += 1;
        if users >= COUNTED && !present.names.is_empty() {
            return Ok(Called { name: Some(format!("{} and others", present.names.join(", "))), until });
        }
    }
    let name = match (present.text(), past.text()) {
        (Some(names), _) => Some(names),
        (None, Some(names)) => Some(format!("Empty room (was {names})")),
        (None, None) => None,
    };
    Ok(Called { name, until })
}

#[derive(Default)]
struct Heroes {
    names: Vec<String>,
    more: u64,
}

impl Heroes {
    fn add(&mut self, name: String) {
        if self.names.len() < HEROES {
            self.names.push(name);
        } else {
            self.more += 1;
        }
    }

    fn text(&self) -> Option<String> {
        (!self.names.is_empty()).then(|| listed(&self.names, self.more))
    }
}
