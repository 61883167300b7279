//! Which redactions are in effect on what is archived: those of events that redact, and those of bans. Changes no line.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension as _, ToSql, params};
use serde_json::json;

use super::catalog::key;
use super::stale::Stale;
use super::writing::Writing;
use super::{Archive, Error};
use crate::event::{BanRedaction, Damage, Event, EventId, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId};

/// The redaction of `target` that is in effect: one that is not rejected, in the same room and, where Synapse could not check
/// it when it came, of the same server; the earliest of several. Else the ban that redacts it. `room`: its room's number.
fn redaction(room: &str, sender: &str, stream_ordering: &str) -> String {
    let key = key!("target.event_id");
    format!(
        "coalesce((
            select line.event_id from relation r indexed by relation_redacts cross join line on line.line = r.line
             where r.redacts_key = {key} and r.redacts = target.event_id and not line.rejected
               and line.type = (select type from type where name = 'm.room.redaction')
               and (select file.room from file where file.file = line.file) = {room}
               and (coalesce(r.recheck, 0) = 0
                    or (select substr(user_id, instr(user_id, ':') + 1) from user where user.user = line.sender)
                       = substr({sender}, instr({sender}, ':') + 1))
             order by line.origin_server_ts, line.event_id limit 1), (
            select b.event_id from ban_redaction b
             where b.room_id = (select room_id from room where room.room = {room}) and b.user_id = {sender}
               and (b.until is null or {stream_ordering} < b.until)))"
    )
}

/// The same of an event that is archived, which `target` is the line of.
fn redaction_of_line() -> String {
    redaction(
        "(select file.room from file where file.file = target.file)",
        "(select user_id from user where user.user = target.sender)",
        "target.stream_ordering",
    )
}

/// Whether the line `target` has another redaction than that which is in effect.
pub(super) fn redacted_otherwise() -> String {
    format!("target.{REDACTABLE} and target.redacted_by is not {}", redaction_of_line())
}

/// Whether an archived event can be redacted.
const REDACTABLE: &str = "type is not (select type from type where name = 'm.room.create')";

impl Archive {
    /// Takes in bans that redact. One that is not archived yet waits for a later run.
    pub fn redact_banned(&mut self, bans: &[BanRedaction]) -> Result<(), Error> {
        let writing = self.catalog.write()?;
        let mut changed: BTreeMap<RoomId<'_>, Vec<UserId<'_>>> = BTreeMap::new();
        for ban in bans {
            if writing.ban(ban)? {
                changed.entry(ban.room_id.borrowed()).or_default().push(ban.user_id.borrowed());
            }
        }
        let mut stale = Stale::default();
        for (room, users) in changed {
            writing.redact_users(room, &users, &mut stale)?;
        }
        stale.mark(&writing)?;
        writing.commit()
    }
}

impl Writing<'_> {
    /// Whether some redaction names this event, or a ban its sender.
    pub(super) fn is_redacted(&self, event: &Event) -> Result<bool, Error> {
        let sql = concat!(
            "select exists (select 1 from relation indexed by relation_redacts where redacts_key = ",
            key!("?1"),
            "   and redacts = ?1)
             or exists (select 1 from ban_redaction where room_id = ?2 and user_id = ?3)"
        );
        let parameters = params![event.event_id, event.room_id, event.sender];
        Ok(self.0.prepare_cached(sql)?.query_row(parameters, |row| row.get(0))?)
    }

    /// The stream ordering that an archived event had.
    pub(super) fn stream_ordering(&self, event: EventId<'_>) -> Result<Option<i64>, Error> {
        let sql = concat!("select stream_ordering from line where id_key = ", key!("?1"), " and event_id = ?1");
        let mut statement = self.0.prepare_cached(sql)?;
        Ok(statement.query_row([event], |row| row.get(0)).optional()?)
    }

    /// Completes an event that is known from its line alone, or from a damaged one, with what the database's columns say of
    /// it, and with whether it is rejected or soft-failed by now. True: that is new.
    pub(super) fn complete(&self, event: &Event) -> Result<bool, Error> {
        let Event { event_id, kind, state_key, sender, origin_server_ts, recheck, redacts, rejected, .. } = event;
        // where there is no PDU, nothing says it either
        let soft_failed = (event.damage != Some(Damage::Missing)).then_some(event.soft_failed);
        let sql = concat!(
            "select line, origin_server_ts, (rejected, soft_failed) is not (?7, coalesce(?8, soft_failed)),
                    (type, state_key, sender, origin_server_ts) is not (?2, ?3, ?4, ?5) from event
              where id_key = ",
            key!("?1"),
            "   and event_id = ?1 and ((type, state_key, sender, origin_server_ts, rejected, soft_failed)
                                           is not (?2, ?3, ?4, ?5, ?7, coalesce(?8, soft_failed))
                                       or recheck is null and ?6 is not null)"
        );
        let parameters = params![event_id, kind, state_key, sender, origin_server_ts, recheck, rejected, soft_failed];
        let found = self.0.prepare_cached(sql)?.query_row(parameters, |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?, row.get::<_, bool>(2)? || row.get(3)?))
        });
        let Some((line, since, is_other)) = found.optional()? else { return Ok(false) };
        let kind = kind.as_deref().map(|kind| self.type_of(kind)).transpose()?;
        let sender = sender.as_deref().map(|sender| self.user(sender)).transpose()?;
        let sql = "update line set type = ?2, state_key = ?3, sender = ?4, origin_server_ts = ?5, rejected = ?6,
                          soft_failed = coalesce(?7, soft_failed)
                    where line = ?1";
        let parameters = params![line, kind, state_key, sender, origin_server_ts, rejected, soft_failed];
        self.0.prepare_cached(sql)?.execute(parameters)?;
        if recheck.is_some() || redacts.is_some() {
            let sql = "insert into relation (line, recheck, redacts) values (?1, ?2, ?3)
                       on conflict (line) do update set recheck = coalesce(recheck, excluded.recheck),
                                                        redacts = coalesce(excluded.redacts, redacts)";
            self.0.prepare_cached(sql)?.execute(params![line, recheck, redacts])?;
        }
        if soft_failed == Some(false) {
            self.0.prepare_cached("delete from sticky where event_id = ?1")?.execute([event_id])?;
        }
        if is_other || event.is_beyond_line {
            self.beyond_line(event.id())?;
        }
        self.forget_name(event, since)?;
        if event.is_accepted() {
            self.add_name(event, true)?;
        }
        Ok(true)
    }

    /// Sets which redaction of an event is in effect, and so whether the name that it gave to a member or the room counts. False:
    /// there is no such event to be redacted.
    pub(super) fn redact(&self, event: EventId<'_>) -> Result<bool, Error> {
        let sql = format!(
            "update line as target set redacted_by = {} where id_key = {} and event_id = ?1 and {REDACTABLE}
             returning redacted_by is not null, state_key, topological_ordering, coalesce(origin_server_ts, 0),
                       (select room from file where file.file = line.file), (select name from type where type.type = line.type)",
            redaction_of_line(),
            key!("?1")
        );
        let found = self.0.prepare_cached(&sql)?.query_row([event], |row| {
            let state: (Option<String>, i64, i64) = (row.get(1)?, row.get(2)?, row.get(3)?);
            Ok((row.get::<_, bool>(0)?, state, row.get::<_, i64>(4)?, row.get::<_, Option<String>>(5)?))
        });
        let Some((is_redacted, (state_key, depth, at), room, kind)) = found.optional()? else { return Ok(false) };
        if let Some(state_key) = state_key {
            let sql = "update membership set redacted = ?6 where room = ?1 and user_id = ?2
                          and origin_server_ts = ?3 and topological_ordering = ?4 and event_id = ?5";
            let values = params![room, state_key, at, depth, event, is_redacted];
            self.0.prepare_cached(sql)?.execute(values)?;
            let sql = "update room_state set redacted = ?6 where room = ?1 and type = ?2 and topological_ordering = ?3
                          and origin_server_ts = ?4 and event_id = ?5";
            let values = params![room, kind, depth, at, event, is_redacted];
            self.0.prepare_cached(sql)?.execute(values)?;
        }
        Ok(true)
    }

    /// Sets which redactions are in effect after a first export, which told what it could.
    pub(super) fn redact_all(&self) -> Result<(), Error> {
        // a page that stays as it is need not be written
        let redaction = redaction_of_line();
        let key = key!("redacts");
        let sql = format!(
            "update line as target set redacted_by = {redaction}
              where line in (select line.line from relation
                              cross join line indexed by line_id on id_key = {key} and event_id = redacts
                              where redacts is not null) and {REDACTABLE}
                and redacted_by is not {redaction}"
        );
        self.0.execute(&sql, [])?;
        self.0.execute_batch(&format!(
            "create temp table redacted as
                    select target.event_id from relation r
                     cross join line target indexed by line_id on target.id_key = {key} and target.event_id = r.redacts
                     where r.redacts is not null and target.redacted_by is not null and target.state_key is not null;
             update membership set redacted = 1 where event_id in (select event_id from redacted);
             update room_state set redacted = 1 where event_id in (select event_id from redacted);
             drop table redacted;",
        ))?;
        let named = "event_id in (select redacts from relation where redacts is not null)";
        self.forget_outliers([named; 2], &[], &mut Stale::default())?;
        self.redact_all_banned()
    }

    /// Sets what the bans redact that a catalog knows before it has indexes: one that was made anew.
    fn redact_all_banned(&self) -> Result<(), Error> {
        let mut bans = self.0.prepare("select room_id, user_id from ban_redaction")?;
        let mut bans = bans.query([])?;
        while let Some(ban) = bans.next()? {
            let (room, user): (OwnedRoomId, OwnedUserId) = (ban.get(0)?, ban.get(1)?);
            // every transcript is to be rendered anyway
            self.redact_users(room.borrowed(), &[user.borrowed()], &mut Stale::default())?;
        }
        Ok(())
    }

    /// Forgets the names that outliers of a room gave, of those with these ids that are redacted.
    pub(super) fn redact_outliers(
        &self,
        room: RoomId<'_>,
        events: &[EventId<'_>],
        stale: &mut Stale,
    ) -> Result<(), Error> {
        let named =
            "room = (select room from room where room_id = ?1) and event_id in (select value from json_each(?2))";
        self.forget_outliers([named; 2], &[&room, &json!(events).to_string()], stale)
    }

    /// Records a ban that redacts, if it is archived, or an outlier, in place of the one before. True: that is new.
    fn ban(&self, ban: &BanRedaction) -> Result<bool, Error> {
        let key = key!("?3");
        let sql = format!(
            "insert into ban_redaction (room_id, user_id, event_id, until) select ?1, ?2, ?3, ?4
                    where exists (select 1 from line join file using (file) join room using (room)
                                   where id_key = {key} and event_id = ?3 and +room_id = ?1 and not rejected)
                       or exists (select 1 from membership where room = (select room from room where room_id = ?1)
                                     and user_id = ?2 and event_id = ?3)
                   on conflict (room_id, user_id) do update set event_id = excluded.event_id, until = excluded.until
                    where (event_id, until) is not (excluded.event_id, excluded.until)"
        );
        let parameters = params![ban.room_id, ban.user_id, ban.event_id, ban.until];
        let is_new = self.0.prepare_cached(&sql)?.execute(parameters)? == 1;
        // one that cannot redact ends the one before all the same
        let sql = format!(
            "delete from ban_redaction where room_id = ?1 and user_id = ?2
                and exists (select 1 from line join file using (file) join room using (room)
                             where id_key = {key} and event_id = ?3 and (rejected or room.room_id <> ?1))"
        );
        let ends = self.0.prepare_cached(&sql)?.execute(params![ban.room_id, ban.user_id, ban.event_id])? == 1;
        Ok(is_new || ends)
    }

    /// Sets which redactions are in effect on what some users sent to a room.
    fn redact_users(&self, room: RoomId<'_>, users: &[UserId<'_>], stale: &mut Stale) -> Result<(), Error> {
        let users = json!(users).to_string();
        self.0.execute_batch("create temp table if not exists changed (event_id text not null)")?;
        let sql = format!(
            "insert into changed select event_id from file cross join line target indexed by line_file on target.file = file.file
              where file.room = (select room from room where room_id = ?1)
                and target.sender in (select user from user where user_id in (select value from json_each(?2)))
                and {REDACTABLE} and redacted_by is not {}",
            redaction_of_line()
        );
        self.0.prepare_cached(&sql)?.execute(params![room, users])?;
        let mut changed = self.0.prepare_cached("select event_id from changed")?;
        let mut rows = changed.query([])?;
        while let Some(row) = rows.next()? {
            let event: OwnedEventId = row.get(0)?;
            self.redact(event.borrowed())?;
            stale.redacted(room, event.borrowed(), self)?;
        }
        self.0.execute("delete from changed", [])?;
        let sent = ["target.user_id", "sender"].map(|sender| {
            format!(
                "room = (select room from room where room_id = ?1) and {sender} in (select value from json_each(?2))"
            )
        });
        self.forget_outliers(sent.each_ref().map(String::as_str), &[&room, &users], stale)
    }

    /// Forgets names that outliers gave, which have no line: of the members and of the rooms that these conditions select,
    /// those that are redacted.
    fn forget_outliers(&self, which: [&str; 2], parameters: &[&dyn ToSql], stale: &mut Stale) -> Result<(), Error> {
        let [members, rooms] = which;
        let key = key!("target.event_id");
        let outlier =
            format!("not exists (select 1 from line where id_key = {key} and line.event_id = target.event_id)");
        // who invited, kicked or banned is not known; and what is an outlier is from before any ban's end
        let sender = "case when target.membership in ('join', 'knock')
                           then target.user_id end";
        let of_members = format!(
            "update membership as target set redacted = 1
              where {members} and displayname is not null and {outlier} and {} is not null
             returning (select room_id from room where room.room = membership.room), 'm.room.member', user_id, origin_server_ts, topological_ordering",
            redaction("target.room", sender, "-1")
        );
        let of_rooms = format!(
            "update room_state as target set redacted = 1
              where {rooms} and content is not null and type is not 'm.room.create' and {outlier} and {} is not null
             returning (select room_id from room where room.room = room_state.room), type, '', origin_server_ts, topological_ordering",
            redaction("target.room", "target.sender", "-1")
        );
        for sql in [of_members, of_rooms] {
            let mut statement = self.0.prepare_cached(&sql)?;
            let mut rows = statement.query(parameters)?;
            while let Some(row) = rows.next()? {
                let (room_id, kind, state_key): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
                stale.name(RoomId::of(&room_id), Some(&kind), Some(&state_key), row.get(3)?, row.get(4)?);
                self.room_is_stale(&room_id)?;
            }
        }
        Ok(())
    }
}
