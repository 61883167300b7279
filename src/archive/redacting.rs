//! Which redactions are in effect on what is archived: those of events that redact, and those of bans.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension as _, ToSql, params};
use serde_json::json;

use super::stale::Stale;
use super::writing::Writing;
use super::{Archive, Error};
use crate::document::message::display_name;
use crate::event::{BanRedaction, Damage, Event, Object};

/// The redaction of `target` that is in effect: one that is not rejected, in the same room and, where Synapse could not check
/// it when it came, of the same server; the earliest of several. Else the ban that redacts it.
pub(super) fn redaction(sender: &str, stream_ordering: &str) -> String {
    format!(
        "coalesce((
            select r.event_id from event r indexed by event_redacts
             where r.redacts = target.event_id and r.type = 'm.room.redaction' and not r.rejected
               and r.room_id = target.room_id
               and (coalesce(r.recheck, 0) = 0
                    or substr(r.sender, instr(r.sender, ':') + 1) = substr({sender}, instr({sender}, ':') + 1))
             order by r.origin_server_ts, r.event_id limit 1), (
            select b.event_id from ban_redaction b
             where b.room_id = target.room_id and b.user_id = {sender}
               and (b.until is null or {stream_ordering} < b.until)))"
    )
}

const REDACTABLE: &str = "type is not 'm.room.create'";

impl Archive {
    /// Takes in bans that redact. One that is not archived yet waits for a later run.
    pub fn redact_banned(&mut self, bans: &[BanRedaction]) -> Result<(), Error> {
        let writing = self.catalog.write()?;
        let mut changed: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for ban in bans {
            if writing.ban(ban)? {
                changed.entry(&ban.room_id).or_default().push(&ban.user_id);
            }
        }
        let mut stale = Stale::default();
        for (room_id, users) in changed {
            writing.redact_users(room_id, &users, &mut stale)?;
        }
        stale.mark(&writing)?;
        writing.commit()
    }
}

impl Writing<'_> {
    /// Whether some redaction names this event, or a ban its sender.
    pub(super) fn is_redacted(&self, event: &Event) -> Result<bool, Error> {
        let sql = "select exists (select 1 from event where redacts = ?1)
                       or exists (select 1 from ban_redaction where room_id = ?2 and user_id = ?3)";
        let parameters = params![event.event_id, event.room_id, event.sender];
        Ok(self.0.prepare_cached(sql)?.query_row(parameters, |row| row.get(0))?)
    }

    /// The stream ordering that an archived event had.
    pub(super) fn stream_ordering(&self, event_id: &str) -> Result<Option<i64>, Error> {
        let mut statement = self.0.prepare_cached("select stream_ordering from event where event_id = ?1")?;
        Ok(statement.query_row([event_id], |row| row.get(0)).optional()?)
    }

    /// Completes an event that is known from its line alone, or from a damaged one, with what the database's columns say of
    /// it, and with whether it is rejected or soft-failed by now. True: that is new.
    pub(super) fn complete(&self, event: &Event) -> Result<bool, Error> {
        let Event { event_id, kind, state_key, sender, origin_server_ts, recheck, redacts, rejected, .. } = event;
        // where there is no PDU, nothing says it either
        let soft_failed = (event.damage != Some(Damage::Missing)).then_some(event.soft_failed);
        let sql = "select origin_server_ts from event
                    where event_id = ?1 and ((type, state_key, sender, origin_server_ts, rejected, soft_failed)
                                                 is not (?2, ?3, ?4, ?5, ?7, coalesce(?8, soft_failed))
                                             or recheck is null and ?6 is not null)";
        let parameters = params![event_id, kind, state_key, sender, origin_server_ts, recheck, rejected, soft_failed];
        let known = self.0.prepare_cached(sql)?.query_row(parameters, |row| row.get(0)).optional()?;
        let Some(since) = known else { return Ok(false) };
        let sql = "update event set type = ?2, state_key = ?3, sender = ?4, origin_server_ts = ?5,
                          recheck = coalesce(recheck, ?6), redacts = coalesce(?7, redacts), rejected = ?8,
                          soft_failed = coalesce(?9, soft_failed)
                    where event_id = ?1";
        let parameters =
            params![event_id, kind, state_key, sender, origin_server_ts, recheck, redacts, rejected, soft_failed];
        self.0.prepare_cached(sql)?.execute(parameters)?;
        if soft_failed == Some(false) {
            self.0.prepare_cached("delete from sticky where event_id = ?1")?.execute([event_id])?;
        }
        self.forget_name(event, since)?;
        if event.is_accepted() {
            self.add_name(event, true)?;
        }
        Ok(true)
    }

    /// Sets which redaction of an event is in effect, and forgets the name that it gave to a member or the room, or remembers
    /// it again. False: there is no such event to be redacted.
    pub(super) fn redact(&self, event_id: &str) -> Result<bool, Error> {
        let sql = format!(
            "update event as target set redacted_by = {} where event_id = ?1 and {REDACTABLE}
             returning redacted_by is not null, state_key is not null, case when state_key is not null then content end",
            redaction("target.sender", "target.stream_ordering")
        );
        let found = self.0.prepare_cached(&sql)?.query_row([event_id], |row| {
            Ok((row.get::<_, bool>(0)?, row.get::<_, bool>(1)?, row.get::<_, Option<String>>(2)?))
        });
        let Some((is_redacted, is_state, content)) = found.optional()? else { return Ok(false) };
        if is_state {
            let content = content.filter(|_| !is_redacted);
            let name = content.as_deref().and_then(|content| display_name(&Object::of(content)));
            let by_key = "(room_id, user_id, origin_server_ts, topological_ordering) =
                (select room_id, state_key, coalesce(origin_server_ts, 0), topological_ordering from event where event_id = ?1)";
            let sql = format!("update membership set displayname = ?2 where {by_key} and event_id = ?1");
            self.0.prepare_cached(&sql)?.execute(params![event_id, name])?;
            let by_key = "(room_id, type, topological_ordering, origin_server_ts) =
                (select room_id, type, topological_ordering, coalesce(origin_server_ts, 0) from event where event_id = ?1)";
            let sql = format!("update room_state set content = ?2 where {by_key} and event_id = ?1");
            self.0.prepare_cached(&sql)?.execute(params![event_id, content])?;
        }
        Ok(true)
    }

    /// Sets which redactions are in effect after a first export, which told what it could.
    pub(super) fn redact_all(&self) -> Result<(), Error> {
        // a page that stays as it is need not be written
        let redaction = redaction("target.sender", "target.stream_ordering");
        let sql = format!(
            "update event as target set redacted_by = {redaction}
              where event_id in (select redacts from event where redacts is not null) and {REDACTABLE}
                and redacted_by is not {redaction}"
        );
        self.0.execute(&sql, [])?;
        self.0.execute_batch(
            "create temp table redacted as
                    select target.event_id from event r indexed by event_redacts
                      join event target indexed by event_id on target.event_id = r.redacts
                     where r.redacts is not null and target.redacted_by is not null and target.state_key is not null;
             update membership set displayname = null where event_id in (select event_id from redacted);
             update room_state set content = null where event_id in (select event_id from redacted);
             drop table redacted;",
        )?;
        let named = "event_id in (select redacts from event where redacts is not null)";
        self.forget_outliers([named; 2], &[], &mut Stale::default())
    }

    /// Forgets the names that outliers of a room gave, of those with these ids that are redacted.
    pub(super) fn redact_outliers(&self, room_id: &str, event_ids: &[&str], stale: &mut Stale) -> Result<(), Error> {
        let named = "room_id = ?1 and event_id in (select value from json_each(?2))";
        self.forget_outliers([named; 2], &[&room_id, &json!(event_ids).to_string()], stale)
    }

    /// Records a ban that redacts, if it is archived, or an outlier, in place of the one before. True: that is new.
    fn ban(&self, ban: &BanRedaction) -> Result<bool, Error> {
        let sql = "insert into ban_redaction (room_id, user_id, event_id, until) select ?1, ?2, ?3, ?4
                    where exists (select 1 from event where event_id = ?3 and room_id = ?1 and not rejected)
                       or exists (select 1 from membership where room_id = ?1 and user_id = ?2 and event_id = ?3)
                   on conflict (room_id, user_id) do update set event_id = excluded.event_id, until = excluded.until
                    where (event_id, until) is not (excluded.event_id, excluded.until)";
        let parameters = params![ban.room_id, ban.user_id, ban.event_id, ban.until];
        let is_new = self.0.prepare_cached(sql)?.execute(parameters)? == 1;
        // one that cannot redact ends the one before all the same
        let sql = "delete from ban_redaction where room_id = ?1 and user_id = ?2
                      and exists (select 1 from event where event_id = ?3 and (rejected or room_id <> ?1))";
        let ends = self.0.prepare_cached(sql)?.execute([&ban.room_id, &ban.user_id, &ban.event_id])? == 1;
        Ok(is_new || ends)
    }

    /// Sets which redactions are in effect on what some users sent to a room.
    fn redact_users(&self, room_id: &str, users: &[&str], stale: &mut Stale) -> Result<(), Error> {
        let users = json!(users).to_string();
        self.0.execute_batch("create temp table if not exists changed (event_id text not null)")?;
        let sql = format!(
            "insert into changed select event_id from event as target indexed by event_room
              where room_id = ?1 and sender in (select value from json_each(?2)) and {REDACTABLE}
                and redacted_by is not {}",
            redaction("target.sender", "target.stream_ordering")
        );
        self.0.prepare_cached(&sql)?.execute([room_id, &users])?;
        let mut changed = self.0.prepare_cached("select event_id from changed")?;
        let mut rows = changed.query([])?;
        while let Some(row) = rows.next()? {
            let event_id: String = row.get(0)?;
            self.redact(&event_id)?;
            stale.redacted(room_id, &event_id, self)?;
        }
        self.0.execute("delete from changed", [])?;
        let sent = ["user_id", "sender"]
            .map(|sender| format!("room_id = ?1 and {sender} in (select value from json_each(?2))"));
        self.forget_outliers(sent.each_ref().map(String::as_str), &[&room_id, &users], stale)
    }

    /// Forgets names that outliers gave, which have no line: of the members and of the rooms that these conditions select,
    /// those that are redacted.
    fn forget_outliers(&self, which: [&str; 2], parameters: &[&dyn ToSql], stale: &mut Stale) -> Result<(), Error> {
        let [members, rooms] = which;
        let outlier = "not exists (select 1 from event where event.event_id = target.event_id)";
        // who invited, kicked or banned is not known; and what is an outlier is from before any ban's end
        let sender = "case when target.membership in ('join', 'knock') then target.user_id end";
        let of_members = format!(
            "update membership as target set displayname = null
              where {members} and displayname is not null and {outlier} and {} is not null
             returning room_id, 'm.room.member', user_id, origin_server_ts",
            redaction(sender, "-1")
        );
        let of_rooms = format!(
            "update room_state as target set content = null
              where {rooms} and content is not null and {REDACTABLE} and {outlier} and {} is not null
             returning room_id, type, '', origin_server_ts",
            redaction("target.sender", "-1")
        );
        for sql in [of_members, of_rooms] {
            let mut statement = self.0.prepare_cached(&sql)?;
            let mut rows = statement.query(parameters)?;
            while let Some(row) = rows.next()? {
                let (room_id, kind, state_key): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
                stale.name(&room_id, Some(&kind), Some(&state_key), row.get(3)?);
                self.room_is_stale(&room_id)?;
            }
        }
        Ok(())
    }
}
