//! Which rooms the server has: what they are called, what they are, who is in them, and when something happened.
//!
//! Says what clients would say of a room, from its current state or, when no local user is left in it and so there is none,
//! from the newest of its events. Never reads Synapse's statistics, which can be off, stale or emptied, nor what users keep
//! in private.

mod about;
mod listed;
mod named;
mod powers;

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tracing::warn;

use super::database::Database;
use super::error::Error;
use super::redactions::Bans;
use super::schema;
use super::statements::{self, PeopleRow, RoomsRow, StateRow, TypedStatement};
use about::{Described, NamedMember, SomeMembers};
pub use listed::{ListedRoom, RoomKind};

/// How many rooms are read at a time.
const PAGE_ROOMS: i64 = 200;
/// How many members a room without a name is named after.
const NAMESAKES: i64 = 5;
/// The types of the state events that say what is listed.
const TYPES: [&str; 4] = ["m.room.create", "m.room.name", "m.room.canonical_alias", "m.room.encryption"];
/// Those of them that say what a room is called.
const NAMES: [&str; 2] = ["m.room.name", "m.room.canonical_alias"];
/// What is left of such an event, as far as it is looked at, when it is redacted.
const REDACTED: &str = r#"{"state_key": "", "content": {}}"#;

/// A row of `rooms.sql`.
struct Incomplete {
    room: ListedRoom,
    has_state: bool,
    /// How many people were ever in it or invited; three stands for more.
    people: i64,
}

impl Incomplete {
    /// Adds what the state and the members say, and whether somebody was invited to a direct chat.
    fn complete(&mut self, about: Described, people: &SomeMembers, direct: bool) {
        let room = &mut self.room;
        let unnamed = about.is_nameless() && !about.was_named && room.local_aliases.is_empty();
        room.kind = if about.space {
            RoomKind::Space
        } else if direct || (self.people == 2 && unnamed) {
            RoomKind::Direct
        } else {
            RoomKind::Room
        };
        room.encrypted = about.encrypted;
        room.version = room.version.take().or(about.version);
        room.alias = about.canonical_alias.or_else(|| room.local_aliases.first().cloned());
        let name = about.name.or_else(|| room.alias.clone()).or_else(|| people.call());
        room.name = name.unwrap_or_else(|| room.room_id.clone());
        if !self.has_state {
            room.members = Some(people.joined.unsigned_abs());
        }
    }
}

fn ids<'a>(found: &[&'a Incomplete]) -> Vec<&'a str> {
    found.iter().map(|found| found.room.room_id.as_str()).collect()
}

impl Database {
    /// The next rooms, by id: those whose ids come after `after`. No more are left when there is none. Not counted.
    pub async fn rooms(&self, after: &str) -> Result<Vec<ListedRoom>, Error> {
        self.schema.check(&schema::ROOMS)?;
        let rows = self.all(&statements::ROOMS, &[&after, &PAGE_ROOMS]).await?;
        let mut found: Vec<Incomplete> = rows.into_iter().map(Incomplete::from).collect();
        let (with, without): (Vec<&Incomplete>, Vec<&Incomplete>) = found.iter().partition(|found| found.has_state);
        let (with, without) = (ids(&with), ids(&without));
        let mut about = self.about(&statements::ROOMS_STATE, &with).await?;
        about.extend(self.past(&without).await?);
        let nameless: Vec<&str> =
            with.into_iter().filter(|id| about.get(*id).is_none_or(Described::is_nameless)).collect();
        let mut people = self.people(&statements::ROOMS_PEOPLE, &nameless).await?;
        people.extend(self.people(&statements::ROOMS_PAST_PEOPLE, &without).await?);
        for found in &mut found {
            found.people = people.get(&found.room.room_id).map_or(found.people, |people| people.all);
        }
        let few: Vec<&Incomplete> = found.iter().filter(|found| (1..=2).contains(&found.people)).collect();
        let direct = self.direct(&ids(&few)).await?;
        for found in &mut found {
            let about = about.remove(&found.room.room_id).unwrap_or_default();
            let people = people.remove(&found.room.room_id).unwrap_or_default();
            found.complete(about, &people, direct.contains(&found.room.room_id));
        }
        Ok(found.into_iter().map(|found| found.room).collect())
    }

    /// Counts the events and members of rooms.
    pub async fn count(&self, rooms: &mut [ListedRoom]) -> Result<(), Error> {
        let ids: Vec<&str> = rooms.iter().map(|room| room.room_id.as_str()).collect();
        let rows = self.rows_of(&statements::ROOMS_COUNTS, &ids, &[]).await?;
        let counts: BTreeMap<String, (i64, i64)> =
            rows.into_iter().map(|row| (row.room_id, (row.events, row.members))).collect();
        for room in rooms {
            let (events, members) = counts.get(&room.room_id).copied().unwrap_or_default();
            room.events = Some(events.unsigned_abs());
            // of a room without a current state they are known, and not counted
            room.members = room.members.or(Some(members.unsigned_abs()));
        }
        Ok(())
    }

    /// What the state of rooms says of them; nothing that is redacted, be it pruned by now or not.
    async fn about(
        &self,
        query: &TypedStatement<StateRow>,
        rooms: &[&str],
    ) -> Result<BTreeMap<String, Described>, Error> {
        let rows = self.rows_of(query, rooms, &[&&TYPES[..]]).await?;
        let names = rows.iter().filter(|row| NAMES.contains(&&*row.kind)).map(|row| &*row.event_id);
        let names = self.events_by_id(&names.collect::<Vec<_>>()).await?;
        let redacted = self.redactions(&names, &Bans::default()).await?;
        let mut all = BTreeMap::<String, Described>::new();
        for StateRow { room_id, kind, event_id, internal_metadata, json } in rows {
            let about = all.entry(room_id).or_default();
            let is_redacted = redacted.contains_key(event_id.as_str());
            about.was_named |= is_redacted;
            about.take(&kind, &internal_metadata, if is_redacted { REDACTED } else { &json });
        }
        Ok(all)
    }

    /// What abandoned rooms said of themselves.
    async fn past(&self, rooms: &[&str]) -> Result<BTreeMap<String, Described>, Error> {
        let takes_too_long = |error: &Error| matches!(error, Error::Query { source, .. } if source.code() == Some(&SqlState::QUERY_CANCELED));
        match self.about(&statements::ROOMS_PAST_STATE, rooms).await {
            // one room of too many events hides no other
            Err(error) if takes_too_long(&error) => {}
            all => return all,
        }
        let mut all = BTreeMap::new();
        for room_id in rooms {
            match self.about(&statements::ROOMS_PAST_STATE, &[room_id]).await {
                Err(error) if takes_too_long(&error) => {
                    warn!(
                        room_id,
                        "what the abandoned room {} was called takes too long to find",
                        room_id.escape_debug()
                    );
                }
                one => all.extend(one?),
            }
        }
        Ok(all)
    }

    /// Who is in rooms, or was.
    async fn people(
        &self,
        query: &TypedStatement<PeopleRow>,
        rooms: &[&str],
    ) -> Result<BTreeMap<String, SomeMembers>, Error> {
        let mut all = BTreeMap::<String, SomeMembers>::new();
        for row in self.rows_of(query, rooms, &[&NAMESAKES]).await? {
            let people = all.entry(row.room_id).or_default();
            people.some.push(NamedMember { user_id: row.user_id, name: row.display_name, present: row.present });
            (people.present, people.joined, people.all) = (row.all_present, row.joined, row.people);
        }
        Ok(all)
    }

    /// Which of these rooms were meant as direct chats by whoever invited to them.
    async fn direct(&self, rooms: &[&str]) -> Result<BTreeSet<String>, Error> {
        let invites = self.rows_of(&statements::ROOMS_INVITES, rooms, &[]).await?;
        let direct = invites.into_iter().filter(|row| about::is_direct(&row.json));
        Ok(direct.map(|row| row.room_id).collect())
    }

    /// The rows of a statement that asks for these rooms, none of them without asking.
    async fn rows_of<T>(
        &self,
        query: &TypedStatement<T>,
        rooms: &[&str],
        more: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<T>, Error> {
        if rooms.is_empty() {
            return Ok(Vec::new());
        }
        let rooms: &(dyn ToSql + Sync) = &rooms;
        self.all(query, &[&[rooms], more].concat()).await
    }
}

impl From<RoomsRow> for Incomplete {
    fn from(row: RoomsRow) -> Incomplete {
        let room = ListedRoom {
            room_id: row.room_id,
            name: String::new(),
            alias: None,
            local_aliases: row.aliases,
            version: row.room_version,
            kind: RoomKind::Room,
            members: None,
            events: None,
            first_activity: row.first_activity,
            last_activity: row.last_activity,
            last_received: row.last_received,
            encrypted: false,
            abandoned: row.abandoned,
            forgotten: row.forgotten,
            left_out: false,
        };
        Incomplete { room, has_state: row.current, people: row.people }
    }
}
