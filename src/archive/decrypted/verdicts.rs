//! What became of encrypted events, and what follows from it for others that use the same message of a session. The same by any path:
//! of those that could be opened, that clients see, and whose sender the session is, the first in the order of the stream counts, and the
//! others are its replays.

use std::collections::{BTreeMap, BTreeSet};

use megolm_keys::{Owner, Refusal};
use rusqlite::{OptionalExtension as _, params};

use super::super::Error;
use super::super::full_text::BLOCK;
use super::Decrypted;
use crate::event::{EventId, RoomId, UserId};

/// What was found out about an event.
pub(crate) struct Judgement<'a> {
    pub(crate) event: EventId<'a>,
    pub(crate) room: RoomId<'a>,
    /// Its `stream_ordering`.
    pub(crate) position: i64,
    pub(crate) sender: Option<UserId<'a>>,
    /// Milliseconds since the epoch.
    pub(crate) at: Option<i64>,
    /// Whether clients see it.
    pub(crate) is_accepted: bool,
    /// Whether its line has lost what it said for good: the session that it used is known from before, or never.
    pub(crate) is_erased: bool,
    /// The session that it names, and the message's place in it.
    pub(crate) session: Option<(&'a str, u32)>,
    pub(crate) opened: Result<DecryptedContent, Refusal>,
}

/// What an event says.
pub(crate) struct DecryptedContent {
    pub(crate) kind: String,
    /// JSON.
    pub(crate) content: String,
    /// What of it is searched.
    pub(crate) body: Option<String>,
    pub(crate) has: Option<String>,
    /// It says what is to take another's place.
    pub(crate) is_edit: bool,
    /// Where its session is from.
    pub(crate) source: String,
    pub(crate) is_authenticated: bool,
    /// Whose its session is.
    pub(crate) owners: Vec<Owner>,
}

/// What is to be judged anew.
#[derive(Default)]
struct Affected {
    /// Events by the message that they use: a session and a place in it.
    uses: BTreeMap<(i64, i64), BTreeSet<i64>>,
    /// Sessions whose owners are others.
    sessions: BTreeSet<i64>,
}

/// What is known of an event.
struct Known {
    unvouched: bool,
    opened: bool,
    has_plaintext: bool,
}

/// In `erased`, of an event of which nothing is left but a hash: its sender was the owner of its session, as far as that was known, or he
/// was not.
pub(super) const WHOLE: i64 = 2;
pub(super) const WHOLE_REPLAY: i64 = 3;
/// Whether an event's sender is the owner of its session, as far as that is known, in SQL.
pub(super) const FITS: &str = "(event.erased = 2 or event.erased <> 3 and (
        exists (select 1 from session where session.session = event.session and bridge is not null)
     or exists (select 1 from owner where owner.session = event.session and user_id = event.sender)
     or not exists (select 1 from owner where owner.session = event.session)))";

/// What an event that was opened is by its place among those that use its message, in SQL.
const REASON: &str = "case when event.erased then 'erased' when (select first.event from first where first.session = event.session and first.message = event.message) <> event.event
          then 'replay'
          when not {fits} and not exists (select 1 from first where first.session = event.session and first.message = event.message)
          then 'session_of_another_user'
          when exists (select 1 from plaintext where plaintext.event = event.event) then null else 'forgotten' end";

impl Decrypted {
    /// Whether an event is known, and as what its line is now: at this position, and seen by clients or not.
    pub(in crate::archive) fn knows(&self, event_id: &str, position: i64, is_accepted: bool) -> Result<bool, Error> {
        let sql = "select exists (select 1 from event where event_id = ?1 and position = ?2 and accepted = ?3)";
        Ok(self
            .connection
            .prepare_cached(sql)?
            .query_row(params![event_id, position, is_accepted], |row| row.get(0))?)
    }

    /// How well an event's sender is known to be who encrypted it: 0, the session is his; 1, that is not known; 2, it is somebody else's.
    pub(in crate::archive) fn strangeness(&self, event_id: &str) -> Result<i64, Error> {
        let sql = format!(
            "select case when not opened then 1 when not {FITS} then 2
                         when exists (select 1 from owner where owner.session = event.session)
                           or exists (select 1 from session where session.session = event.session and bridge is not null) then 0
                         else 1 end
               from event where event_id = ?1"
        );
        let found = self.connection.prepare_cached(&sql)?.query_row([event_id], |row| row.get(0)).optional()?;
        Ok(found.unwrap_or(1))
    }

    /// Keeps what was found out, and what follows; `now` is milliseconds since the epoch.
    pub(in crate::archive) fn keep(&self, judged: &[Judgement<'_>], now: i64) -> Result<(), Error> {
        let mut affected = Affected::default();
        let mut new = Vec::new();
        for one in judged {
            self.keep_one(one, now, &mut affected, &mut new)?;
        }
        self.judge(affected)?;
        // one after the other: before most other statements FTS5 writes out what it has gathered
        if self.is_searched()? {
            for (event, saying) in new {
                self.index(event, saying.body.clone(), saying.has.clone(), saying.is_edit)?;
            }
        }
        Ok(())
    }

    /// Keeps what was found out about one event; what it says, if that was not known, is added to what is `new`.
    fn keep_one<'j>(
        &self,
        judged: &'j Judgement<'_>,
        now: i64,
        affected: &mut Affected,
        new: &mut Vec<(i64, &'j DecryptedContent)>,
    ) -> Result<(), Error> {
        let room = self.room(judged.room)?;
        let session = match judged.session {
            Some((session_id, _)) => Some(self.session(room, session_id)?),
            None => None,
        };
        let message = judged.session.map(|(_, message)| message);
        let known = self.known(judged.event)?;
        let sql =
            "insert into event (event_id, room, position, sender, session, message, accepted, opened, erased, reason)
                   values (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, 'no_session')
                   on conflict (event_id) do update
                      set position = excluded.position, sender = excluded.sender,
                          session = case when excluded.erased then session else excluded.session end,
                          message = case when excluded.erased then message else excluded.message end,
                          accepted = excluded.accepted, erased = max(erased, excluded.erased)
                   returning event, session, message";
        let values = params![
            judged.event,
            room,
            judged.position,
            judged.sender,
            session,
            message,
            judged.is_accepted,
            judged.is_erased
        ];
        let (event, used, message): (i64, Option<i64>, Option<i64>) = self
            .connection
            .prepare_cached(sql)?
            .query_row(values, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        if let Some(of) = used.zip(message) {
            affected.uses.entry(of).or_default().insert(event);
        }
        match &judged.opened {
            Ok(saying) => {
                let is_vouched_for = known.as_ref().is_some_and(|known| known.unvouched && saying.is_authenticated);
                if is_vouched_for || !known.as_ref().is_some_and(|known| known.has_plaintext) {
                    self.put(event, saying, judged.at, now)?;
                    new.push((event, saying));
                }
                if is_vouched_for {
                    let sql = "insert or ignore into changed (event) values (?1)";
                    self.connection.prepare_cached(sql)?.execute([event])?;
                }
                if let Some(session) = session
                    && self.owned_by(session, &saying.owners)?
                {
                    affected.sessions.insert(session);
                }
                self.connection
                    .prepare_cached("update event set opened = 1 where event = ?1 and not opened")?
                    .execute([event])?;
            }
            // a key that is lost takes nothing away
            Err(_) if known.as_ref().is_some_and(|known| known.opened) => {}
            Err(_) if judged.is_erased => self.was_never_read(event)?,
            Err(refusal) => {
                let sql = "update event set reason = ?2, detail = ?3 where event = ?1 and (reason is not ?2 or detail is not ?3)";
                let values = params![event, refusal.code(), refusal.to_string()];
                self.connection.prepare_cached(sql)?.execute(values)?;
            }
        }
        Ok(())
    }

    /// Says of an event that was not opened before it was erased that it is erased.
    pub(super) fn was_never_read(&self, event: i64) -> Result<(), Error> {
        let sql = "update event set reason = 'erased', detail = null where event = ?1";
        self.connection.prepare_cached(sql)?.execute([event])?;
        Ok(())
    }

    fn known(&self, event: EventId<'_>) -> Result<Option<Known>, Error> {
        let sql = "select unvouched, opened, erased or exists (select 1 from plaintext where plaintext.event = event.event) from event where event_id = ?1";
        let known = self.connection.prepare_cached(sql)?.query_row([event], |row| {
            Ok(Known { unvouched: row.get(0)?, opened: row.get(1)?, has_plaintext: row.get(2)? })
        });
        Ok(known.optional()?)
    }

    fn put(&self, event: i64, saying: &DecryptedContent, at: Option<i64>, now: i64) -> Result<(), Error> {
        let DecryptedContent { kind, content, body, has, is_edit, source, is_authenticated, .. } = saying;
        let source = self.source(source)?;
        let sql =
            "insert or replace into plaintext (event, type, content, body, has, edit, source, authenticated, decrypted)
                   values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let values = params![event, kind, content, body, has, is_edit, source, is_authenticated, now];
        self.connection.prepare_cached(sql)?.execute(values)?;
        let sql = "update event set unvouched = not ?2 where event = ?1 and unvouched is not not ?2";
        self.connection.prepare_cached(sql)?.execute(params![event, is_authenticated])?;
        let sql = "insert into search_block (block, newest) values (?1, ?2)
                   on conflict (block) do update set newest = max(newest, excluded.newest)";
        self.connection.prepare_cached(sql)?.execute(params![event >> BLOCK, at.unwrap_or(i64::MAX)])?;
        Ok(())
    }

    /// Remembers whose a session is; whether that is news.
    fn owned_by(&self, session: i64, owners: &[Owner]) -> Result<bool, Error> {
        let mut news = 0;
        for owner in owners {
            let sql = "insert or ignore into owner (session, user_id) values (?1, ?2)";
            news += self.connection.prepare_cached(sql)?.execute(params![session, owner.user_id])?;
            if let Some(service) = &owner.appservice {
                let sql = "update session set bridge = ?2 where session = ?1 and bridge is null";
                news += self.connection.prepare_cached(sql)?.execute(params![session, service])?;
            }
        }
        Ok(news > 0)
    }

    pub(super) fn room(&self, room: RoomId<'_>) -> Result<i64, Error> {
        self.number("select room from room where room_id = ?1", "insert into room (room_id) values (?1)", params![room])
    }

    fn session(&self, room: i64, session_id: &str) -> Result<i64, Error> {
        let find = "select session from session where room = ?1 and session_id = ?2";
        self.number(find, "insert into session (room, session_id) values (?1, ?2)", params![room, session_id])
    }

    pub(super) fn source(&self, name: &str) -> Result<i64, Error> {
        self.number("select source from source where name = ?1", "insert into source (name) values (?1)", params![name])
    }

    fn number(&self, find: &str, add: &str, values: &[&dyn rusqlite::ToSql]) -> Result<i64, Error> {
        if let Some(number) = self.connection.prepare_cached(find)?.query_row(values, |row| row.get(0)).optional()? {
            return Ok(number);
        }
        self.connection.prepare_cached(add)?.execute(values)?;
        Ok(self.connection.last_insert_rowid())
    }

    /// Judges the uses of messages. What is to be done for one event does not grow with how often its message was used.
    fn judge(&self, affected: Affected) -> Result<(), Error> {
        for ((session, message), events) in &affected.uses {
            if !affected.sessions.contains(session) {
                self.judge_uses(*session, *message, events)?;
            }
        }
        for session in affected.sessions {
            let sql = "select distinct message from event where session = ?1";
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query([session])?;
            while let Some(row) = rows.next()? {
                self.judge_all_uses(session, row.get(0)?)?;
            }
        }
        Ok(())
    }

    /// Judges some of the events that use a message, and others as far as these change what they are.
    fn judge_uses(&self, session: i64, message: i64, events: &BTreeSet<i64>) -> Result<(), Error> {
        let old = self.first(session, message)?;
        if old.as_ref().is_some_and(|(_, _, event)| events.contains(event)) {
            return self.judge_all_uses(session, message);
        }
        let mut first = old.clone();
        for event in events {
            let sql =
                format!("select position, event_id from event where event = ?1 and opened and accepted and {FITS}");
            let place = self
                .connection
                .prepare_cached(&sql)?
                .query_row([event], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, *event)));
            if let Some(place) = place.optional()?
                && first.as_ref().is_none_or(|first| place < *first)
            {
                first = Some(place);
            }
        }
        if first != old {
            self.set_first(session, message, first.as_ref().map(|(_, _, event)| *event))?;
            match old {
                None => self.say("session = ?1 and message = ?2", params![session, message])?,
                Some((_, _, old)) => self.say("event = ?1", params![old])?,
            }
        }
        events.iter().try_for_each(|event| self.say("event = ?1", params![event]))
    }

    /// Judges all events that use a message.
    fn judge_all_uses(&self, session: i64, message: i64) -> Result<(), Error> {
        let sql = format!(
            "select event from event where session = ?1 and message = ?2 and opened and accepted and {FITS}
              order by position, event_id limit 1"
        );
        let first = self.connection.prepare_cached(&sql)?.query_row([session, message], |row| row.get(0)).optional()?;
        self.set_first(session, message, first)?;
        self.say("session = ?1 and message = ?2", params![session, message])
    }

    /// Which event counts of those that use a message: its place in the stream, its id, its number.
    fn first(&self, session: i64, message: i64) -> Result<Option<(i64, String, i64)>, Error> {
        let sql = "select position, event_id, event from first cross join event using (event)
                    where first.session = ?1 and first.message = ?2";
        let first = self
            .connection
            .prepare_cached(sql)?
            .query_row([session, message], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        Ok(first.optional()?)
    }

    fn set_first(&self, session: i64, message: i64, event: Option<i64>) -> Result<(), Error> {
        let delete = "delete from first where session = ?1 and message = ?2";
        match event {
            None => self.connection.prepare_cached(delete)?.execute([session, message])?,
            Some(event) => {
                let sql = "replace into first (session, message, event) values (?1, ?2, ?3)";
                self.connection.prepare_cached(sql)?.execute([session, message, event])?
            }
        };
        Ok(())
    }

    /// Says of events that were opened what they are, and notes those that are something else than before.
    pub(super) fn say(&self, which: &str, values: &[&dyn rusqlite::ToSql]) -> Result<(), Error> {
        let reason = REASON.replace("{fits}", FITS);
        let is_other = format!("{which} and opened and reason is not {reason}");
        let sql = format!("insert or ignore into changed (event) select event from event where {is_other}");
        if self.connection.prepare_cached(&sql)?.execute(values)? > 0 {
            let sql = format!("update event set reason = {reason}, detail = null where {is_other}");
            self.connection.prepare_cached(&sql)?.execute(values)?;
        }
        Ok(())
    }
}
