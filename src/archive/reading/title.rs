//! What a room was called at a time, by its state events and its members. Never by what was said later, unless nothing earlier gives a
//! name, and reads no line.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

use rusqlite::{OptionalExtension as _, Row, params};

use super::super::{Error, borrowed};
use super::names::{Remembered, is_erased};
use super::{REMEMBERED, Reader};
use crate::document::page::Title;
use crate::document::text::{listed, looks};
use crate::event::Object;

/// How many members a room without a name is called by.
const HEROES: usize = 5;
/// How many of the first states are asked for a name.
const FIRST: i64 = 20;
/// How many are counted.
const COUNTED: usize = 100;

/// What a room is called now.
pub(crate) fn now(reader: &Reader<'_>, room_id: &str) -> Result<Title, Error> {
    let (name, aliases) = given(&mut |kind| state(reader, room_id, kind))?;
    let name = match name {
        Some(name) => name,
        None => RoomMembers::default().called(reader, room_id, i64::MAX)?.name.unwrap_or_else(|| room_id.to_owned()),
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
    let Remembered { states, borrowed, .. } = remembered;
    let (name, aliases) = given(&mut |kind| states.before(reader, room_id, kind, end))?;
    let name = match name {
        Some(name) => Some(name),
        None => states.members(reader, room_id, end)?,
    };
    // whose name is taken away has none
    let is_named = ["m.room.name", "m.room.canonical_alias"].into_iter().any(|kind| states.any_before(kind, end));
    if name.is_some() || is_named {
        return Ok(Title { name: name.unwrap_or_else(|| room_id.to_owned()), aliases });
    }
    // what is brought in late is dated before the room was made
    let (name, by) = states.first(reader, room_id)?;
    borrowed.room(by);
    Ok(Title { name: name.unwrap_or_else(|| room_id.to_owned()), aliases })
}

/// The place of what may name a room: names (0) before addresses (1), and then by depth.
pub(in crate::archive) type TitlePlace = (usize, i64);

/// The first name that the room's own order gives it, or the first address if there is no name, and its place.
pub(in crate::archive) fn first(reader: &Reader<'_>, room_id: &str) -> Result<Option<(TitlePlace, String)>, Error> {
    for (rank, (kind, key)) in [("m.room.name", "name"), ("m.room.canonical_alias", "alias")].into_iter().enumerate() {
        let sql = "select topological_ordering, content from room_state
                    where room = ?1 and type = ?2 and content is not null
                    order by topological_ordering, origin_server_ts, event_id limit ?3";
        let mut statement = reader.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![reader.room(room_id)?, kind, FIRST])?;
        while let Some(row) = rows.next()? {
            let (depth, content): (i64, String) = (row.get(0)?, row.get(1)?);
            let name = Object::of(&content).text(key).map(|name| name.trim().to_owned());
            if let Some(name) = name.filter(|name| !looks(name).is_empty()) {
                return Ok(Some(((rank, depth), name)));
            }
        }
    }
    Ok(None)
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
    let name = name.map(|name| name.trim().to_owned()).filter(|name| !looks(name).is_empty());
    Ok((name.or_else(|| aliases.first().cloned()), aliases))
}

/// The content of a room's newest state event of a type with an empty state key; none if it is redacted.
pub(crate) fn state(reader: &Reader<'_>, room_id: &str, kind: &str) -> Result<Option<String>, Error> {
    let sql = "select content from room_state where room = ?1 and type = ?2
                order by topological_ordering desc, origin_server_ts desc, event_id desc limit 1";
    let found =
        reader.connection.prepare_cached(sql)?.query_row(params![reader.room(room_id)?, kind], |row| row.get(0));
    Ok(found.optional()?.flatten())
}

/// What a room was called, for the days to come.
#[derive(Default)]
pub(super) struct States {
    newest: HashMap<&'static str, Newest>,
    /// What its members called it last, and before which times that is so.
    called: Option<(RangeInclusive<i64>, Option<String>)>,
    members: RoomMembers,
    /// What it is called by where nothing has named it yet.
    first: Option<(Option<String>, borrowed::TitleSource)>,
}

/// The state events of a type.
struct Newest {
    /// Since when which one was the newest, as (depth, time, event id).
    events: Vec<(i64, i64, String)>,
    /// The content of one of them, the last that was asked for.
    content: Option<(usize, Option<String>)>,
}

impl States {
    /// What a room is called by its members before `end`, which stays the same until one of them changes.
    fn members(&mut self, reader: &Reader<'_>, room_id: &str, end: i64) -> Result<Option<String>, Error> {
        if let Some((_, name)) = self.called.as_ref().filter(|(ends, _)| ends.contains(&end)) {
            return Ok(name.clone());
        }
        let CalledUntil { name, until } = self.members.called(reader, room_id, end)?;
        self.called = Some((end..=until, name.clone()));
        Ok(name)
    }

    /// Whether there is a state of a type before `end`, which was asked for already.
    fn any_before(&self, kind: &str, end: i64) -> bool {
        self.newest.get(kind).and_then(|newest| newest.events.first()).is_some_and(|(_, at, _)| *at < end)
    }

    /// What a room is called before it is named: as its own order names it first, else by its members as they are now.
    fn first(&mut self, reader: &Reader<'_>, room_id: &str) -> Result<(Option<String>, borrowed::TitleSource), Error> {
        if let Some(known) = &self.first {
            return Ok(known.clone());
        }
        let found = match first(reader, room_id)? {
            Some((_, name)) => (Some(name), borrowed::TitleSource::State),
            None => (self.members(reader, room_id, i64::MAX)?, borrowed::TitleSource::Members),
        };
        Ok(self.first.insert(found).clone())
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
            Entry::Vacant(unknown) => unknown.insert(Newest { events: newest(reader, room_id, kind)?, content: None }),
        };
        let before = newest.events.partition_point(|(_, at, _)| *at < end);
        let Some(last) = before.checked_sub(1) else { return Ok(None) };
        if let Some((_, content)) = newest.content.as_ref().filter(|(known, _)| *known == last) {
            return Ok(content.clone());
        }
        let (depth, at, event_id) = &newest.events[last];
        let sql = "select content from room_state where room = ?1 and type = ?2 and topological_ordering = ?3
                      and origin_server_ts = ?4 and event_id = ?5";
        let values = params![reader.room(room_id)?, kind, depth, at, event_id];
        let content = reader.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?;
        Ok(newest.content.insert((last, content)).1.clone())
    }
}

/// The state events of a type that were the newest ones when they came, the oldest first.
pub(super) fn newest(reader: &Reader<'_>, room_id: &str, kind: &str) -> Result<Vec<(i64, i64, String)>, Error> {
    let sql = "select topological_ordering, origin_server_ts, event_id from room_state where room = ?1 and type = ?2
                order by origin_server_ts, topological_ordering, event_id";
    let mut statement = reader.connection.prepare_cached(sql)?;
    let mut newest: Vec<(i64, i64, String)> = Vec::new();
    for state in
        statement.query_map(params![reader.room(room_id)?, kind], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
    {
        let state = state?;
        if newest.last().is_none_or(|last| *last < state) {
            newest.push(state);
        }
    }
    Ok(newest)
}

/// What a room is called by its members.
struct CalledUntil {
    /// None: it has none.
    name: Option<String>,
    /// The last time before which it is so too, in milliseconds since the epoch.
    until: i64,
}

/// The members of a room in the order of their ids, as far as they were looked up.
#[derive(Default)]
struct RoomMembers {
    known: Vec<MemberSpell>,
    /// There are no others.
    is_all: bool,
}

/// A member at a time.
struct MemberSpell {
    user_id: String,
    /// Before which times it is so, in milliseconds since the epoch.
    ends: RangeInclusive<i64>,
    /// Whether they are in the room, and what they are called; none: they were not there yet.
    was: Option<(bool, String)>,
}

impl RoomMembers {
    /// What a room is called by its members before `end`, as clients do it: the first ones, in the order of their user ids.
    fn called(&mut self, reader: &Reader<'_>, room_id: &str, end: i64) -> Result<CalledUntil, Error> {
        // of those in the room, and of those who were: the first names, and how many
        let (mut present, mut past) = (Heroes::default(), Heroes::default());
        let room = reader.room(room_id)?;
        let next = "select min(user_id) from membership where room = ?1 and user_id > ?2";
        let mut next = reader.connection.prepare_cached(next)?;
        let mut until = i64::MAX;
        let mut users = 0;
        // one behind those that are remembered
        let mut beyond: Option<MemberSpell> = None;
        for at in 0.. {
            let member = match self.known.get_mut(at) {
                Some(member) => {
                    if !member.ends.contains(&end) {
                        *member = MemberSpell::look(reader, room, std::mem::take(&mut member.user_id), end)?;
                    }
                    &*member
                }
                None if self.is_all => break,
                None => {
                    let last = beyond.as_ref().or(self.known.last()).map_or("", |member| &*member.user_id);
                    let Some(user_id) = next.query_row(params![room, last], |row| row.get::<_, Option<String>>(0))?
                    else {
                        self.is_all = beyond.is_none();
                        break;
                    };
                    let member = MemberSpell::look(reader, room, user_id, end)?;
                    if at < REMEMBERED {
                        self.known.push(member);
                        &self.known[at]
                    } else {
                        beyond.insert(member)
                    }
                }
            };
            until = until.min(*member.ends.end());
            let Some((is_present, name)) = &member.was else { continue };
            let heroes = if *is_present { &mut present } else { &mut past };
            heroes.add(name);
            users += 1;
            if users >= COUNTED && !present.names.is_empty() {
                return Ok(CalledUntil { name: Some(format!("{} and others", present.names.join(", "))), until });
            }
        }
        let name = match (present.text(), past.text()) {
            (Some(names), _) => Some(names),
            (None, Some(names)) => Some(format!("Empty room (was {names})")),
            (None, None) => None,
        };
        Ok(CalledUntil { name, until })
    }
}

impl MemberSpell {
    /// Looks up what a user was in a room before `end`.
    fn look(reader: &Reader<'_>, room: Option<i64>, user_id: String, end: i64) -> Result<MemberSpell, Error> {
        // when that changes
        let change = "select min(origin_server_ts) from membership
                       where room = ?1 and user_id = ?2 and origin_server_ts >= ?3";
        let mut change = reader.connection.prepare_cached(change)?;
        let change: Option<i64> = change.query_row(params![room, user_id, end], |row| row.get(0))?;
        let change = change.unwrap_or(i64::MAX);
        // how often somebody said a name does not matter
        let last = "select membership, displayname, origin_server_ts from membership
                     where room = ?1 and user_id = ?2 and origin_server_ts < ?3";
        let newest = "order by origin_server_ts desc, topological_ordering desc, event_id desc limit 1";
        let look = |sql: &str| {
            let read =
                |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?, row.get::<_, i64>(2)?));
            reader.connection.prepare_cached(sql)?.query_row(params![room, user_id, end], read).optional()
        };
        let Some((membership, given, at)) = look(&format!("{last} {newest}"))? else {
            return Ok(MemberSpell { user_id, ends: i64::MIN..=change, was: None });
        };
        let is_present = matches!(&*membership, "join" | "invite" | "knock");
        let name = match given {
            // who leaves keeps the name
            None if !is_present => {
                let gives_name = "(displayname is not null or membership in ('join', 'invite', 'knock'))";
                look(&format!("{last} and {gives_name} {newest}"))?.and_then(|(_, name, _)| name)
            }
            given => given,
        };
        let name = if is_erased(reader, &user_id)? { None } else { name };
        let was = Some((is_present, name.unwrap_or_else(|| user_id.clone())));
        Ok(MemberSpell { user_id, ends: at.saturating_add(1)..=change, was })
    }
}

#[derive(Default)]
struct Heroes {
    names: Vec<String>,
    more: u64,
}

impl Heroes {
    fn add(&mut self, name: &str) {
        if self.names.len() < HEROES {
            self.names.push(name.to_owned());
        } else {
            self.more += 1;
        }
    }

    fn text(&self) -> Option<String> {
        (!self.names.is_empty()).then(|| listed(&self.names, self.more))
    }
}
