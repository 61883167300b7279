//! Who may end others' polls, and redact what others sent, at a time: by the power levels that were in force in the room then.
//! Knows nothing of what else they are for, and lets nobody do anything where they are not known.

use rusqlite::{OptionalExtension as _, params};

use super::super::Error;
use super::events::CatalogEvent;
use super::names::MemberNames;
use super::{Reader, rooms, title};
use crate::document::powers::level_of;
use crate::event::{Object, RoomId, UserId};

/// The power that redacts, where the power levels do not say.
const REDACTS: i64 = 50;

/// The power levels of a room, for the days to come.
#[derive(Default)]
pub(super) struct Powers {
    /// Since when which of them were the newest, as (depth, time, event id); none: not looked up yet.
    newest: Option<Vec<(i64, i64, String)>>,
}

impl MemberNames<'_> {
    /// Whether a user may redact what others sent, and so end their polls, at a time. None where the archive does not have the power
    /// levels of then, as in a room of which the server knows only a part.
    pub(crate) fn may_redact(&mut self, user_id: &str, at: Option<i64>) -> Result<Option<bool>, Error> {
        let (reader, room_id) = (self.reader, self.room_id);
        if is_creator(reader, RoomId::of(room_id), UserId::of(user_id))? {
            return Ok(Some(true));
        }
        let levels = self.remembered.powers.at(reader, room_id, at.unwrap_or(i64::MAX))?;
        Ok(levels.map(|levels| may_redact(&levels, user_id)))
    }

    /// The power levels of the room before an event, as JSON, as far as the archive has them.
    pub(crate) fn power_levels_before(&mut self, event: &CatalogEvent) -> Result<Option<String>, Error> {
        let (reader, room_id) = (self.reader, self.room_id);
        let before = (event.at.unwrap_or(0), event.depth, &*event.event_id);
        self.remembered.powers.last(reader, room_id, |since, depth, event_id| (since, depth, event_id) < before)
    }
}

impl Powers {
    /// The power levels at a time, also if they are redacted: that leaves what is asked for.
    fn at(&mut self, reader: &Reader<'_>, room_id: &str, at: i64) -> Result<Option<String>, Error> {
        self.last(reader, room_id, |since, _, _| since <= at)
    }

    /// The last of those that came first in the order of their times, depths and ids.
    fn last(
        &mut self,
        reader: &Reader<'_>,
        room_id: &str,
        comes_first: impl Fn(i64, i64, &str) -> bool,
    ) -> Result<Option<String>, Error> {
        let newest = match &mut self.newest {
            Some(newest) => newest,
            unknown => unknown.insert(title::newest(reader, room_id, "m.room.power_levels")?),
        };
        let until = newest.partition_point(|(depth, since, event_id)| comes_first(*since, *depth, event_id));
        let Some((depth, since, event_id)) = until.checked_sub(1).map(|last| &newest[last]) else { return Ok(None) };
        let sql = "select given from room_state
                    where room = ?1 and type = 'm.room.power_levels'
                      and topological_ordering = ?2 and origin_server_ts = ?3 and event_id = ?4";
        let parameters = params![reader.room(room_id)?, depth, since, event_id];
        Ok(reader.connection.prepare_cached(sql)?.query_row(parameters, |row| row.get(0)).optional()?.flatten())
    }
}

/// Whether somebody made a room of a version in which those who did may do everything (MSC4289), and stand in no power levels.
fn is_creator(reader: &Reader<'_>, room: RoomId<'_>, user: UserId<'_>) -> Result<bool, Error> {
    // only of these the id is a hash alone
    if room.contains(':') {
        return Ok(false);
    }
    if rooms::creator(reader, &room)?.as_deref() == Some(user.as_str()) {
        return Ok(true);
    }
    let others = title::state(reader, &room, "m.room.create")?;
    Ok(others.is_some_and(|content| Object::of(&content).texts("additional_creators").iter().any(|id| **id == *user)))
}

/// Whether the content of `m.room.power_levels` lets a user redact what others sent.
fn may_redact(levels: &str, user_id: &str) -> bool {
    let levels = Object::of(levels);
    let own = levels.object("users").and_then(|users| level_of(&users, user_id));
    let power = own.or_else(|| level_of(&levels, "users_default")).unwrap_or(0);
    power >= level_of(&levels, "redact").unwrap_or(REDACTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_redact_is_who_has_the_power_for_it() {
        for (levels, expected) in [
            ("{}", false),
            (r#"{"users":{"@m:x":50}}"#, true),
            (r#"{"users":{"@m:x":49}}"#, false),
            (r#"{"users":{"@m:x":"50"}}"#, true),
            (r#"{"users":{"@m:x":50.5}}"#, true),
            (r#"{"users":{"@m:x":50},"redact":51}"#, false),
            (r#"{"users":{"@other:x":100},"users_default":0,"redact":0}"#, true),
            (r#"{"users_default":" 75 "}"#, true),
            (r#"{"users":[],"redact":null}"#, false),
            ("no object", false),
        ] {
            assert_eq!(may_redact(levels, "@m:x"), expected, "{levels}");
        }
    }
}
