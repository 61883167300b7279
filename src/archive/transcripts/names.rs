//! What a room and its members were called at a time, by the membership and state events of the room.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Range;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::Error;
use crate::event::Object;
use crate::transcript::markdown::inline;

/// How many names are remembered before they are looked up again.
const REMEMBERED: usize = 5_000;
/// How many members a room without a name is called by.
const HEROES: usize = 5;
/// How many are counted.
const COUNTED: usize = 100;

/// The names in one room, for the transcript of one day.
pub(super) struct Names<'c> {
    connection: &'c Connection,
    room_id: &'c str,
    /// The day, in milliseconds since the epoch.
    day: Range<i64>,
    remembered: &'c mut Remembered,
    /// Whether another member has the name of a user on the day.
    shared: HashMap<(String, String), bool>,
}

/// Names in a room that were looked up, for the days to come.
#[derive(Default)]
pub(super) struct Remembered {
    room_id: String,
    known: HashMap<String, Named>,
    /// Whether nobody else in the room was ever given the name of a user.
    sole: HashMap<(String, String), bool>,
    /// By event and length: what was said, as it is quoted.
    in_short: HashMap<(String, usize), String>,
}

/// The name of a user, and from when until when.
struct Named {
    time: Range<i64>,
    name: Option<String>,
}

impl<'c> Names<'c> {
    pub(super) fn new(
        connection: &'c Connection,
        room_id: &'c str,
        day: Range<i64>,
        remembered: &'c mut Remembered,
    ) -> Self {
        if remembered.room_id != room_id {
            *remembered = Remembered { room_id: room_id.to_owned(), ..Remembered::default() };
        }
        Names { connection, room_id, day, remembered, shared: HashMap::new() }
    }

    /// A user as markdown: the display name then in force, with the user id where another member has the same name on this
    /// day, or where the name itself looks like one; without a name the user id.
    pub(super) fn shown(&mut self, user_id: Option<&str>, at: Option<i64>) -> Result<String, Error> {
        let Some(user_id) = user_id else { return Ok("somebody".to_owned()) };
        let Some(name) = self.in_force(user_id, at.unwrap_or(i64::MAX))? else { return Ok(inline(user_id)) };
        if (name.contains('@') && name.contains(':')) || self.is_shared(user_id, &name)? {
            return Ok(format!("{} ({})", inline(&name), inline(user_id)));
        }
        Ok(inline(&name))
    }

    /// What an event says on part of a line, if it was told lately.
    pub(super) fn in_short(&self, key: &(String, usize)) -> Option<String> {
        self.remembered.in_short.get(key).cloned()
    }

    pub(super) fn remember_in_short(&mut self, key: (String, usize), text: String) {
        remember(&mut self.remembered.in_short, key, text);
    }

    /// The display name that a user has at a time: that of the last join or invitation until then.
    fn in_force(&mut self, user_id: &str, at: i64) -> Result<Option<String>, Error> {
        let known = &mut self.remembered.known;
        if let Some(known) = known.get(user_id).filter(|known| known.time.contains(&at)) {
            return Ok(known.name.clone());
        }
        let sql = "select origin_server_ts, displayname from membership
                    where room_id = ?1 and user_id = ?2 and origin_server_ts <= ?3 and membership in ('join', 'invite', 'knock')
                    order by origin_server_ts desc, topological_ordering desc, event_id desc limit 1";
        let found = self.connection.prepare_cached(sql)?.query_row(params![self.room_id, user_id, at], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Option<String>>(1)?))
        });
        let (from, name) = found.optional()?.unwrap_or((i64::MIN, None));
        let sql = "select min(origin_server_ts) from membership
                    where room_id = ?1 and user_id = ?2 and origin_server_ts > ?3 and membership in ('join', 'invite', 'knock')";
        let next: Option<i64> =
            self.connection.prepare_cached(sql)?.query_row(params![self.room_id, user_id, at], |row| row.get(0))?;
        let time = from..next.unwrap_or(i64::MAX);
        remember(known, user_id.to_owned(), Named { time, name: name.clone() });
        Ok(name)
    }

    /// Whether another member has this name at some time of the day.
    fn is_shared(&mut self, user_id: &str, name: &str) -> Result<bool, Error> {
        let key = (user_id.to_owned(), name.to_owned());
        if self.is_sole(&key)? {
            return Ok(false);
        }
        if let Some(&known) = self.shared.get(&key) {
            return Ok(known);
        }
        let on_the_day = "membership in ('join', 'invite') and origin_server_ts < ?5 and not exists (
            select 1 from membership later
             where later.room_id = m.room_id and later.user_id = m.user_id
               and later.origin_server_ts > m.origin_server_ts and later.origin_server_ts <= ?4)";
        let sql = format!("select {}", given_to_another(on_the_day));
        let parameters = params![self.room_id, name, user_id, self.day.start, self.day.end];
        let shared = self.connection.prepare_cached(&sql)?.query_row(parameters, |row| row.get(0))?;
        remember(&mut self.shared, key, shared);
        Ok(shared)
    }

    /// Whether nobody else in the room was ever given the name of a user, as it is with most names.
    fn is_sole(&mut self, key: &(String, String)) -> Result<bool, Error> {
        if let Some(&known) = self.remembered.sole.get(key) {
            return Ok(known);
        }
        let sql = format!("select not ({})", given_to_another("true"));
        let (user_id, name) = key;
        let parameters = params![self.room_id, name, user_id];
        let sole = self.connection.prepare_cached(&sql)?.query_row(parameters, |row| row.get(0))?;
        remember(&mut self.remembered.sole, key.clone(), sole);
        Ok(sole)
    }

    /// What a user was in the room before an event, and by what name.
    pub(super) fn before(
        &self,
        user_id: &str,
        at: Option<i64>,
        depth: i64,
        event_id: &str,
    ) -> Result<Option<(String, Option<String>)>, Error> {
        let sql = "select membership, displayname from membership
                    where room_id = ?1 and user_id = ?2
                      and (origin_server_ts, topological_ordering, event_id) < (?3, ?4, ?5)
                    order by origin_server_ts desc, topological_ordering desc, event_id desc limit 1";
        let found = self
            .connection
            .prepare_cached(sql)?
            .query_row(params![self.room_id, user_id, at.unwrap_or(0), depth, event_id], |row| {
                Ok((row.get(0)?, row.get(1)?))
            });
        Ok(found.optional()?)
    }
}

/// Whether somebody in a room (?1) was given a name (?2) who is not a user (?3), where a condition holds for the membership `m`:
/// those before and those after the user in the index, so that nothing is passed over, however often it says its name.
fn given_to_another(condition: &str) -> String {
    let other = |user_id: &str| {
        format!(
            "exists (select 1 from membership m indexed by membership_displayname
              where room_id = ?1 and displayname = ?2 and {user_id} and {condition})"
        )
    };
    format!("{} or {}", other("user_id < ?3"), other("user_id > ?3"))
}

/// Remembers what was looked up, until there is too much of it.
fn remember<K: Eq + Hash, V>(known: &mut HashMap<K, V>, key: K, value: V) {
    if known.len() >= REMEMBERED {
        known.clear();
    }
    known.insert(key, value);
}

/// What a room is at a time.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Title {
    /// Its `m.room.name`, else its canonical alias, else what its members are called, else its id.
    pub(super) name: String,
    /// The canonical alias first.
    pub(super) aliases: Vec<String>,
}

impl Title {
    /// What a room is called before `end`, in milliseconds since the epoch.
    pub(super) fn of(connection: &Connection, room_id: &str, end: i64) -> Result<Title, Error> {
        let mut aliases: Vec<String> = Vec::new();
        if let Some(content) = state(connection, room_id, "m.room.canonical_alias", end)? {
            let content = Object::of(&content);
            let all = content.text("alias").into_iter().chain(content.texts("alt_aliases"));
            for alias in all.filter(|alias| alias.starts_with('#')) {
                if !aliases.iter().any(|known| *known == alias) {
                    aliases.push(alias.into_owned());
                }
            }
        }
        let name = match name(connection, room_id, end)? {
            Some(name) => name,
            None => match aliases.first() {
                Some(alias) => alias.clone(),
                None => members(connection, room_id, end)?.unwrap_or_else(|| room_id.to_owned()),
            },
        };
        Ok(Title { name, aliases })
    }
}

/// The room's `m.room.name`, unless the newest takes the name away or is redacted.
fn name(connection: &Connection, room_id: &str, end: i64) -> Result<Option<String>, Error> {
    let content = state(connection, room_id, "m.room.name", end)?;
    let name = content.as_deref().and_then(|content| Object::of(content).text("name"));
    Ok(name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()))
}

/// The content of a room's newest state event of a type with an empty state key before `end`; none if it is redacted.
pub(super) fn state(connection: &Connection, room_id: &str, kind: &str, end: i64) -> Result<Option<String>, Error> {
    let sql = "select content from room_state where room_id = ?1 and type = ?2 and origin_server_ts < ?3
                order by topological_ordering desc, origin_server_ts desc, event_id desc limit 1";
    let found = connection.prepare_cached(sql)?.query_row(params![room_id, kind, end], |row| row.get(0));
    Ok(found.optional()?.flatten())
}

/// What a room is called by its members, as clients do it: the first ones, in the order of their user ids.
fn members(connection: &Connection, room_id: &str, end: i64) -> Result<Option<String>, Error> {
    let sql = "select user_id, membership, displayname from membership where room_id = ?1 and origin_server_ts < ?2
                order by user_id, origin_server_ts, topological_ordering, event_id";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![room_id, end])?;
    // of those in the room, and of those who were: the first names, and how many
    let (mut present, mut past) = (Heroes::default(), Heroes::default());
    let mut last: Option<(String, bool, String)> = None;
    let mut users = 0;
    loop {
        let row = rows.next()?;
        let user_id = row.map(|row| row.get::<_, String>(0)).transpose()?;
        if last.as_ref().is_some_and(|(last, ..)| user_id.as_ref() != Some(last))
            && let Some((_, is_present, name)) = last.take()
        {
            if is_present {
                present.add(name);
            } else {
                past.add(name);
            }
            users += 1;
            if users >= COUNTED && !present.names.is_empty() {
                return Ok(Some(format!("{} and others", present.names.join(", "))));
            }
        }
        let (Some(row), Some(user_id)) = (row, user_id) else { break };
        let membership: String = row.get(1)?;
        let given: Option<String> = row.get(2)?;
        // who leaves keeps the name
        let kept = last.take().map(|(.., name)| name);
        let is_present = matches!(&*membership, "join" | "invite" | "knock");
        let name = if is_present { given } else { given.or(kept) };
        let name = name.unwrap_or_else(|| user_id.clone());
        last = Some((user_id, is_present, name));
    }
    Ok(match (present.text(), past.text()) {
        (Some(names), _) => Some(names),
        (None, Some(names)) => Some(format!("Empty room (was {names})")),
        (None, None) => None,
    })
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

/// `Alice`, `Alice and Bob`, `Alice, Bob and 3 others`.
pub(super) fn listed(names: &[String], more: u64) -> String {
    let others = match more {
        0 => None,
        1 => Some("1 other".to_owned()),
        more => Some(format!("{more} others")),
    };
    let mut all: Vec<&str> = names.iter().map(String::as_str).collect();
    all.extend(others.as_deref());
    match all.split_last() {
        None => String::new(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
    }
}
