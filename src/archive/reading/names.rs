//! What the members of a room were called at a time, and what picture they had, by the membership events of the room. Remembers what it
//! has looked up, a bounded part of it.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::ops::Range;

use rusqlite::{OptionalExtension as _, params};

use super::super::Error;
use super::super::borrowed::Borrowed;
use super::people::People;
use super::powers::Powers;
use super::redactions::Redactors;
use super::rooms::linked;
use super::title::States;
use super::{REMEMBERED, Reader, events};
use crate::document::line::{Name, RoomLink};
use crate::document::message::FileLink;
use crate::document::text::looks;
use crate::event::media::named;
use crate::event::{EventId, RoomId, UserId};

/// The names in one room, for the transcript of one day.
pub(crate) struct MemberNames<'c> {
    pub(super) reader: &'c Reader<'c>,
    pub(super) room_id: &'c str,
    /// The day, in milliseconds since the epoch.
    day: Range<i64>,
    pub(super) remembered: &'c mut Remembered,
    /// By name, as it looks, the first and the last of those who have it at some time of the day, in the order of their ids.
    bearers: HashMap<String, [Option<String>; 2]>,
}

/// Names in a room that were looked up, for the days to come.
#[derive(Default)]
pub(crate) struct Remembered {
    room_id: String,
    /// By user: the names, by the times since when.
    known: HashMap<String, BTreeMap<i64, NameUntil>>,
    /// How many names these are.
    names: usize,
    /// By membership event: the file of the picture that it names, if the archive has it.
    avatars: HashMap<String, Option<FileLink>>,
    /// Whether nobody else in the room was ever given the name of a user, as it looks.
    sole: HashMap<(String, String), bool>,
    /// The names that the day borrows.
    pub(crate) borrowed: Borrowed,
    /// Who is called what in what was told, if that is to be known.
    pub(crate) people: Option<People>,
    /// Whether what a user said is hidden.
    erased: HashMap<String, bool>,
    /// What redacts events that are not archived.
    redactors: Redactors,
    /// What the room was called.
    pub(super) states: States,
    /// Its power levels.
    pub(super) powers: Powers,
}

/// The name of a user, until when; none: for good.
struct NameUntil {
    until: Option<i64>,
    name: Option<String>,
    /// By which event; none: by one that is redacted.
    event_id: Option<String>,
    /// It was given later, by time.
    is_borrowed: bool,
}

impl<'c> MemberNames<'c> {
    pub(crate) fn new(
        reader: &'c Reader<'c>,
        room_id: &'c str,
        day: Range<i64>,
        remembered: &'c mut Remembered,
    ) -> Self {
        if remembered.room_id != room_id {
            let people = remembered.people.take();
            *remembered = Remembered { room_id: room_id.to_owned(), people, ..Remembered::default() };
        }
        MemberNames { reader, room_id, day, remembered, bearers: HashMap::new() }
    }

    /// A user, by the display name then in force, with the user id where another member has the same name on this day, or
    /// where the name itself looks like one; without a name the user id.
    pub(crate) fn shown(&mut self, user_id: Option<&str>, at: Option<i64>) -> Result<Name, Error> {
        let Some(user_id) = user_id else { return Ok(Name::new("somebody", None)) };
        if self.is_erased(user_id)? {
            return Ok(Name::new(user_id, None));
        }
        let (name, is_borrowed) = self.in_force(user_id, at.unwrap_or(i64::MAX))?;
        let alike = name.as_deref().map(looks);
        if is_borrowed {
            self.remembered.borrowed.member(user_id, alike.as_deref().unwrap_or_default());
        }
        let (Some(name), Some(alike)) = (name, alike) else { return Ok(Name::new(user_id, None)) };
        if let Some(people) = &mut self.remembered.people {
            people.add(&name, user_id);
        }
        let is_ambiguous = name.contains('@') && name.contains(':') || self.is_shared(user_id, alike, is_borrowed)?;
        Ok(Name::new(&name, is_ambiguous.then_some(user_id)))
    }

    /// The file of the picture that a user has at a time, by the last join or invitation until then; none: the archive does not have it,
    /// or there was none.
    pub(crate) fn avatar(&mut self, user_id: &str, at: Option<i64>) -> Result<Option<FileLink>, Error> {
        if !self.reader.has_media()? || self.is_erased(user_id)? {
            return Ok(None);
        }
        let at = at.unwrap_or(i64::MAX);
        self.in_force(user_id, at)?;
        let known = self.remembered.known.get(user_id).and_then(|names| names.range(..=at).next_back());
        let Some(event_id) = known.and_then(|(_, known)| known.event_id.as_deref()) else { return Ok(None) };
        if let Some(known) = self.remembered.avatars.get(event_id) {
            return Ok(known.clone());
        }
        let event = events::event(self.reader, RoomId::of(self.room_id), EventId::of(event_id))?;
        let avatar = event.as_ref().and_then(|event| named(event.kind(), event.content()).pop());
        let found = avatar.map_or(Ok(None), |avatar| self.reader.media(&avatar.mxc, None))?;
        let event_id = event_id.to_owned();
        remember(&mut self.remembered.avatars, event_id, found.clone());
        Ok(found)
    }

    /// Another room, as it is named in this one.
    pub(crate) fn room(&self, room_id: &str) -> Result<RoomLink, Error> {
        linked(self.reader, room_id)
    }

    /// What redacts events that are not archived.
    pub(crate) fn redactors(&mut self) -> &mut Redactors {
        &mut self.remembered.redactors
    }

    /// Whether what a user said is hidden, and with that the name.
    fn is_erased(&mut self, user_id: &str) -> Result<bool, Error> {
        if let Some(&known) = self.remembered.erased.get(user_id) {
            return Ok(known);
        }
        let erased = is_erased(self.reader, user_id)?;
        remember(&mut self.remembered.erased, user_id.to_owned(), erased);
        Ok(erased)
    }

    /// The display name that a user has at a time: that of the last join or invitation until then, else the first one that the
    /// room's own order has, since what is brought in late is dated before it. True: it is that one.
    fn in_force(&mut self, user_id: &str, at: i64) -> Result<(Option<String>, bool), Error> {
        let known = self.remembered.known.get(user_id).and_then(|names| names.range(..=at).next_back());
        if let Some((_, known)) = known.filter(|(_, known)| known.until.is_none_or(|until| at < until)) {
            return Ok((known.name.clone(), known.is_borrowed));
        }
        let sql = "select origin_server_ts, displayname, case when not redacted then event_id end from membership
                    where room = ?1 and user_id = ?2 and origin_server_ts <= ?3 and membership in ('join', 'invite', 'knock')
                    order by origin_server_ts desc, topological_ordering desc, event_id desc limit 1";
        let found =
            self.reader.connection.prepare_cached(sql)?.query_row(params![self.room_number()?, user_id, at], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, Option<String>>(1)?, row.get::<_, Option<String>>(2)?))
            });
        let found = found.optional()?;
        let is_borrowed = found.is_none();
        let (from, name, event_id) = if let Some(found) = found {
            found
        } else {
            let first = first(self.reader, RoomId::of(self.room_id), UserId::of(user_id))?;
            (i64::MIN, first.map(|(_, name)| name), None)
        };
        let sql = "select min(origin_server_ts) from membership
                    where room = ?1 and user_id = ?2 and origin_server_ts > ?3 and membership in ('join', 'invite', 'knock')";
        let until: Option<i64> = self
            .reader
            .connection
            .prepare_cached(sql)?
            .query_row(params![self.room_number()?, user_id, at], |row| row.get(0))?;
        let Remembered { known, names, .. } = &mut *self.remembered;
        if *names >= REMEMBERED {
            known.clear();
            *names = 0;
        }
        *names += 1;
        let named = NameUntil { until, name: name.clone(), event_id, is_borrowed };
        known.entry(user_id.to_owned()).or_default().insert(from, named);
        Ok((name, is_borrowed))
    }

    fn room_number(&self) -> Result<Option<i64>, Error> {
        self.reader.room(self.room_id)
    }

    /// Whether another member has a name that looks like this at some time of the day; if it is borrowed, at any time.
    fn is_shared(&mut self, user_id: &str, alike: String, is_borrowed: bool) -> Result<bool, Error> {
        let key = (user_id.to_owned(), alike);
        if self.is_sole(&key)? {
            return Ok(false);
        }
        if is_borrowed {
            return Ok(true);
        }
        let name = &*key.1;
        let is_other = |bearer: &Option<String>| bearer.as_deref().is_some_and(|bearer| bearer != user_id);
        if let Some(bearers) = self.bearers.get(name) {
            return Ok(bearers.iter().any(is_other));
        }
        let bearers = [self.bearer(name, "")?, self.bearer(name, "desc")?];
        let is_shared = bearers.iter().any(is_other);
        remember(&mut self.bearers, name.to_owned(), bearers);
        Ok(is_shared)
    }

    /// The first in an order of those who have a name at some time of the day.
    fn bearer(&self, name: &str, order: &str) -> Result<Option<String>, Error> {
        let sql = format!(
            "select user_id from membership m indexed by membership_alike
              where room = ?1 and alike = ?2 and membership in ('join', 'invite') and origin_server_ts < ?4
                and not exists (select 1 from membership later
                                 where later.room = m.room and later.user_id = m.user_id
                                   and later.origin_server_ts > m.origin_server_ts and later.origin_server_ts <= ?3)
              order by user_id {order} limit 1"
        );
        let parameters = params![self.room_number()?, name, self.day.start, self.day.end];
        Ok(self.reader.connection.prepare_cached(&sql)?.query_row(parameters, |row| row.get(0)).optional()?)
    }

    /// Whether nobody else in the room was ever given the name of a user, as it is with most names.
    fn is_sole(&mut self, key: &(String, String)) -> Result<bool, Error> {
        if let Some(&known) = self.remembered.sole.get(key) {
            return Ok(known);
        }
        // those before and those after the user in the index, so that nothing is passed over, however often it says its name
        let given = |user_id: &str| {
            format!(
                "exists (select 1 from membership indexed by membership_alike
                  where room = ?1 and alike = ?2 and {user_id})"
            )
        };
        let sql = format!("select not ({} or {})", given("user_id < ?3"), given("user_id > ?3"));
        let (user_id, name) = key;
        let parameters = params![self.room_number()?, name, user_id];
        let sole = self.reader.connection.prepare_cached(&sql)?.query_row(parameters, |row| row.get(0))?;
        remember(&mut self.remembered.sole, key.clone(), sole);
        Ok(sole)
    }

    /// What a user was in the room before an event, and by what name.
    pub(crate) fn before(
        &self,
        user: UserId<'_>,
        at: Option<i64>,
        depth: i64,
        event: EventId<'_>,
    ) -> Result<Option<(String, Option<String>)>, Error> {
        let sql = "select membership, displayname from membership
                    where room = ?1 and user_id = ?2
                      and (origin_server_ts, topological_ordering, event_id) < (?3, ?4, ?5)
                    order by origin_server_ts desc, topological_ordering desc, event_id desc limit 1";
        let found = self
            .reader
            .connection
            .prepare_cached(sql)?
            .query_row(params![self.room_number()?, user, at.unwrap_or(0), depth, event], |row| {
                Ok((row.get(0)?, row.get(1)?))
            });
        Ok(found.optional()?)
    }
}

/// The first name that a room's own order gives to a user, with its depth.
fn first(reader: &Reader<'_>, room: RoomId<'_>, user: UserId<'_>) -> Result<Option<(i64, String)>, Error> {
    let sql = "select topological_ordering, displayname from membership indexed by membership_order
                where room = ?1 and user_id = ?2
                  and displayname is not null and membership in ('join', 'invite', 'knock')
                order by topological_ordering, origin_server_ts, event_id limit 1";
    let mut statement = reader.connection.prepare_cached(sql)?;
    let found = statement.query_row(params![reader.room(&room)?, user], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(found.optional()?)
}

/// Names that a user has or had in a room, in order, at most so many; none of a user whom the server has erased.
pub(crate) fn names_of(
    reader: &Reader<'_>,
    room: RoomId<'_>,
    user: UserId<'_>,
    most: usize,
) -> Result<Vec<String>, Error> {
    if is_erased(reader, &user)? {
        return Ok(Vec::new());
    }
    let sql = "select distinct displayname from membership
                where room = ?1 and user_id = ?2 and displayname is not null order by displayname limit ?3";
    let mut statement = reader.connection.prepare_cached(sql)?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let names = statement.query_map(params![reader.room(&room)?, user, most], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// Whether a change of what a user is called at a time and a depth may be one of the first name there is, by either.
pub(in crate::archive) fn is_first(
    reader: &Reader<'_>,
    room: RoomId<'_>,
    user: UserId<'_>,
    at: i64,
    depth: i64,
) -> Result<bool, Error> {
    if first(reader, room, user)?.is_none_or(|(first, _)| depth <= first) {
        return Ok(true);
    }
    let sql = "select not exists (select 1 from membership
                where room = ?1 and user_id = ?2 and origin_server_ts < ?3
                  and membership in ('join', 'invite', 'knock'))";
    let parameters = params![reader.room(&room)?, user, at];
    Ok(reader.connection.prepare_cached(sql)?.query_row(parameters, |row| row.get(0))?)
}

/// Whether what a user said is hidden, since the server has erased them.
pub(super) fn is_erased(reader: &Reader<'_>, user_id: &str) -> Result<bool, Error> {
    let sql = "select exists (select 1 from erased where user_id = ?1)";
    Ok(reader.connection.prepare_cached(sql)?.query_row([user_id], |row| row.get(0))?)
}

/// Remembers what was looked up, until there is too much of it.
pub(crate) fn remember<K: Eq + Hash, V>(known: &mut HashMap<K, V>, key: K, value: V) {
    if known.len() >= REMEMBERED {
        known.clear();
    }
    known.insert(key, value);
}
