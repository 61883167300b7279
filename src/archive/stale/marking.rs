//! Marks files whose transcripts are stale, by what the catalog knows of their events. Renders nothing, and reads no line.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension as _, Params, params};
use serde_json::json;

use super::super::Error;
use super::super::catalog::key;
use super::super::writing::Writing;
use super::NamedTarget;
use crate::event::{Day, EventId, OwnedEventId, RoomId, UserId};

/// The files with events that name some of a room, or an edit of these.
const REFERRERS: &str = concat!(
    "with recursive named (id) as (
        select value from json_each(?1)
        union
        select line.event_id from named
         cross join relation indexed by relation_relates_to on relates_to_key = ",
    key!("named.id"),
    "       and relates_to = named.id
         cross join line on line.line = relation.line cross join file on file.file = line.file
         where rel_type = (select type from type where name = 'm.replace')
           and room = (select room from room where room_id = ?2)),
     referrer (line) as (
        select line from named cross join relation indexed by relation_relates_to on relates_to_key = ",
    key!("named.id"),
    "       and relates_to = named.id
        union
        select line from named cross join relation indexed by relation_replies_to on replies_to_key = ",
    key!("named.id"),
    "       and replies_to = named.id and replies_to is not relates_to
        union
        select line from named cross join relation indexed by relation_redacts on redacts_key = ",
    key!("named.id"),
    "       and redacts = named.id)
     select distinct file.file from referrer
      cross join line on line.line = referrer.line cross join file on file.file = line.file
      where room = (select room from room where room_id = ?2)"
);

/// The days of two times; those of a time outside 1970 … 9999 are named `undated`, which sorts behind every day.
fn days(since: i64, until: i64) -> (String, String) {
    let day = |time: i64| Day::of(Some(time)).to_string();
    (day(since.max(0)), day(until))
}

impl Writing<'_> {
    pub(in crate::archive) fn mark_day(&self, room: RoomId<'_>, day: &str) -> Result<(), Error> {
        self.mark_files(
            "select file from file where room = (select room from room where room_id = ?1) and day = ?2",
            [&*room, day],
        )
    }

    /// Marks the files that a statement gives.
    pub(in crate::archive) fn mark_files(&self, sql: &str, parameters: impl Params) -> Result<(), Error> {
        let sql = format!("insert or ignore into stale (view, file) select 'markdown', file from ({sql})");
        self.0.prepare_cached(&sql)?.execute(parameters)?;
        Ok(())
    }

    /// Whether some day of a room is not marked.
    pub(in crate::archive) fn has_fresh_day(&self, room: &str) -> Result<bool, Error> {
        let sql = "select exists (select 1 from file where room = (select room from room where room_id = ?1)
                      and not exists (select 1 from stale where view = 'markdown' and stale.file = file.file))";
        Ok(self.0.prepare_cached(sql)?.query_row([room], |row| row.get(0))?)
    }

    /// Marks the days of events that name some others, or edits of these; each is looked at once.
    pub(super) fn mark_referrers(&self, room: RoomId<'_>, ids: &BTreeSet<OwnedEventId>) -> Result<(), Error> {
        if ids.is_empty() { Ok(()) } else { self.mark_files(REFERRERS, params![json!(ids).to_string(), room]) }
    }

    /// Marks the days of what some bans redact.
    pub(super) fn mark_banned(&self, room: RoomId<'_>, bans: &BTreeSet<OwnedEventId>) -> Result<(), Error> {
        let sql = "with ban (id) as materialized (
                       select event_id from ban_redaction
                        where room_id = ?1 and event_id in (select value from json_each(?2)))
                   select distinct line.file from (select 1 from ban limit 1)
                    cross join file cross join line indexed by line_file on line.file = file.file
                    where file.room = (select room from room where room_id = ?1) and redacted_by in (select id from ban)";
        if bans.is_empty() { Ok(()) } else { self.mark_files(sql, params![room, json!(bans).to_string()]) }
    }

    /// Marks the days of a room between two times.
    pub(in crate::archive) fn mark_days(&self, room: &str, since: i64, until: i64) -> Result<(), Error> {
        let (first, last) = days(since, until);
        self.mark_files(
            "select file from file
              where room = (select room from room where room_id = ?1) and (day between ?2 and ?3 or day = 'undated')",
            [room, &first, &last],
        )
    }

    /// Marks the days on which somebody's name, or the room's, may be another between two times.
    pub(super) fn mark_renamed(&self, room: &str, since: i64, until: i64) -> Result<(), Error> {
        self.mark_days(room, since, until)?;
        let (first, last) = days(since, until);
        // a name is shown beside what its bearer did to events of other days, by a ban too
        let sql = concat!(
            "with ban (id) as materialized (
                 select b.event_id from ban_redaction b
                  cross join line indexed by line_id on id_key = ",
            key!("b.event_id"),
            "        and line.event_id = b.event_id
                  where b.room_id = ?1 and line.origin_server_ts between ?2 and ?3),
             named (id) as materialized (
                 select coalesce(relates_to, redacts) from file
                  cross join line indexed by line_file on line.file = file.file
                  cross join relation on relation.line = line.line
                  where file.room = (select room from room where room_id = ?1) and (day between ?4 and ?5 or day = 'undated')
                    and line.origin_server_ts between ?2 and ?3 and coalesce(relates_to, redacts) is not null
                 union
                 select redacts from file
                  cross join line indexed by line_file on line.file = file.file
                  cross join relation on relation.line = line.line
                  where file.room = (select room from room where room_id = ?1) and (day between ?4 and ?5 or day = 'undated')
                    and line.origin_server_ts between ?2 and ?3 and relates_to is not null and redacts is not null),
             target (line, file) as materialized (
                 select line.line, file.file from named
                  cross join line indexed by line_id on id_key = ",
            key!("named.id"),
            "        and line.event_id = named.id
                  cross join file on file.file = line.file
                  where file.room = (select room from room where room_id = ?1))
             select file from target
             union
             select file.file from target cross join relation on relation.line = target.line
              cross join line indexed by line_id on id_key = ",
            key!("relates_to"),
            "    and line.event_id = relates_to
              cross join file on file.file = line.file
              where rel_type = (select type from type where name = 'm.replace')
                and file.room = (select room from room where room_id = ?1)
             union
             select line.file from (select 1 from ban limit 1)
              cross join file cross join line indexed by line_file on line.file = file.file
              where file.room = (select room from room where room_id = ?1) and redacted_by in (select id from ban)"
        );
        self.mark_files(sql, params![room, since, until, first, last])
    }

    /// Marks the days of the polls that somebody ended since a time, and of these ends: who may do that has changed; and those of
    /// later power levels, which tell what they change.
    pub(super) fn mark_empowered(&self, room: &str, since: i64) -> Result<(), Error> {
        let sql = concat!(
            "with ended (file, poll) as materialized (
                 select file.file, relates_to from file
                  cross join line indexed by line_file on line.file = file.file
                  cross join relation on relation.line = line.line
                  where file.room = (select room from room where room_id = ?1) and day >= ?2
                    and type in (select type from type where name in ('m.poll.end', 'org.matrix.msc3381.poll.end')))
             select file from ended
             union
             select file.file from ended
              cross join line indexed by line_id on id_key = ",
            key!("poll"),
            "    and line.event_id = poll
              cross join file on file.file = line.file
              where file.room = (select room from room where room_id = ?1)
             union
             select file.file from room_state
              cross join line indexed by line_id on id_key = ",
            key!("room_state.event_id"),
            "    and line.event_id = room_state.event_id
              cross join file on file.file = line.file
              where room_state.room = (select room from room where room_id = ?1) and room_state.type = 'm.room.power_levels'
                and room_state.origin_server_ts >= ?3"
        );
        self.mark_files(sql, params![room, Day::of(Some(since.max(0))).to_string(), since])
    }

    pub(super) fn target(&self, room: RoomId<'_>, id: EventId<'_>) -> Result<Option<NamedTarget>, Error> {
        let sql = concat!(
            "select day, type, state_key, origin_server_ts, topological_ordering, relates_to, rel_type, redacts
               from event where id_key = ",
            key!("?1"),
            " and event_id = ?1 and +room_id = ?2"
        );
        let found = self.0.prepare_cached(sql)?.query_row([&*id, &*room], |row| {
            Ok(NamedTarget {
                day: row.get(0)?,
                kind: row.get(1)?,
                state_key: row.get(2)?,
                origin_server_ts: row.get(3)?,
                depth: row.get(4)?,
                relates_to: row.get(5)?,
                rel_type: row.get(6)?,
                redacts: row.get(7)?,
            })
        });
        Ok(found.optional()?)
    }

    /// When a user who has a name since a time is next given one.
    pub(super) fn next_name(&self, room: RoomId<'_>, user_id: UserId<'_>, since: i64) -> Result<Option<i64>, Error> {
        let sql = "select min(origin_server_ts) from membership where room = (select room from room where room_id = ?1)
                      and user_id = ?2
                      and origin_server_ts > ?3 and membership in ('join', 'invite', 'knock')";
        Ok(self.0.prepare_cached(sql)?.query_row(params![&*room, &*user_id, since], |row| row.get(0))?)
    }
}
