//! What became of encrypted events, and what follows from it for others that use the same message of a session. The same by any path:
//! of those that could be opened, that clients see, and whose sender the session is, the first in the order of the stream counts, and the
//! others are its replays.

use std::collections::BTreeSet;

use megolm_keys::{Owner, Refusal};
use rusqlite::{OptionalExtension as _, params};

use super::super::Error;
use super::super::full_text::BLOCK;
use super::Decrypted;

/// What was found out about an event.
pub(crate) struct Judged<'a> {
    pub(crate) event_id: &'a str,
    pub(crate) room_id: &'a str,
    /// Its `stream_ordering`.
    pub(crate) position: i64,
    pub(crate) sender: Option<&'a str>,
    /// Milliseconds since the epoch.
    pub(crate) at: Option<i64>,
    /// Whether clients see it.
    pub(crate) is_accepted: bool,
    /// The session that it names, and the message's place in it.
    pub(crate) session: Option<(&'a str, u32)>,
    pub(crate) opened: Result<Saying, Refusal>,
}

/// What an event says.
pub(crate) struct Saying {
    pub(crate) kind: String,
    /// JSON.
    pub(crate) content: String,
    /// What of it is searched.
    pub(crate) body: Option<String>,
    pub(crate) has: Option<String>,
    /// Where its session is from.
    pub(crate) source: String,
    pub(crate) is_authenticated: bool,
    /// Whose its session is.
    pub(crate) owners: Vec<Owner>,
}

/// Messages of sessions whose uses are to be judged anew, and sessions of which all are.
#[derive(Default)]
struct Affected {
    messages: BTreeSet<(i64, i64)>,
    sessions: BTreeSet<i64>,
}

/// What is known of an event.
struct Known {
    event: i64,
    opened: bool,
    has_plaintext: bool,
}

/// A use of a message.
struct Use {
    event: i64,
    event_id: String,
    fits: bool,
    accepted: bool,
    reason: Option<String>,
    has_plaintext: bool,
}

impl Decrypted {
    /// Whether an event is known, and as what its line is now: at this position, and seen by clients or not.
    pub(in crate::archive) fn knows(&self, event_id: &str, position: i64, is_accepted: bool) -> Result<bool, Error> {
        let sql = "select exists (select 1 from event where event_id = ?1 and position = ?2 and accepted = ?3)";
        Ok(self.connection.prepare_cached(sql)?.query_row(params![event_id, position, is_accepted], |row| row.get(0))?)
    }

    /// Keeps what was found out, and what follows; `now` is milliseconds since the epoch.
    pub(in crate::archive) fn keep(&self, judged: &[Judged<'_>], now: i64) -> Result<(), Error> {
        let is_searched = self.is_searched()?;
        let mut affected = Affected::default();
        for one in judged {
            self.keep_one(one, now, is_searched, &mut affected)?;
        }
        self.judge(affected)
    }

    fn keep_one(
        &self,
        judged: &Judged<'_>,
        now: i64,
        is_searched: bool,
        affected: &mut Affected,
    ) -> Result<(), Error> {
        let room = self.room(judged.room_id)?;
        let session = match judged.session {
            Some((session_id, _)) => Some(self.session(room, session_id)?),
            None => None,
        };
        let message = judged.session.map(|(_, message)| message);
        let known = self.known(judged.event_id)?;
        let sql = "insert into event (event_id, room, position, sender, session, message, accepted, opened)
                   values (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0)
                   on conflict (event_id) do update
                      set position = excluded.position, sender = excluded.sender, session = excluded.session,
                          message = excluded.message, accepted = excluded.accepted
                   returning event";
        let values = params![
            judged.event_id,
            room,
            judged.position,
            judged.sender,
            session,
            message,
            judged.is_accepted
        ];
        let event: i64 = self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?;
        affected.messages.extend(session.zip(message.map(i64::from)));
        match &judged.opened {
            Ok(saying) => {
                if !known.as_ref().is_some_and(|known| known.has_plaintext) {
                    self.put(event, saying, judged.at, now, is_searched)?;
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
            Err(refusal) => {
                let sql = "update event set reason = ?2, detail = ?3 where event = ?1 and (reason is not ?2 or detail is not ?3)";
                let values = params![event, refusal.code(), refusal.to_string()];
                self.connection.prepare_cached(sql)?.execute(values)?;
            }
        }
        Ok(())
    }

    fn known(&self, event_id: &str) -> Result<Option<Known>, Error> {
        let sql = "select event, opened, exists (select 1 from plaintext where plaintext.event = event.event) from event where event_id = ?1";
        let known = self.connection.prepare_cached(sql)?.query_row([event_id], |row| {
            Ok(Known { event: row.get(0)?, opened: row.get(1)?, has_plaintext: row.get(2)? })
        });
        Ok(known.optional()?)
    }

    fn put(&self, event: i64, saying: &Saying, at: Option<i64>, now: i64, is_searched: bool) -> Result<(), Error> {
        let Saying { kind, content, body, has, source, is_authenticated, .. } = saying;
        let source = self.source(source)?;
        let sql = "insert or replace into plaintext (event, type, content, body, has, source, authenticated, decrypted)
                   values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let values = params![event, kind, content, body, has, source, is_authenticated, now];
        self.connection.prepare_cached(sql)?.execute(values)?;
        let sql = "insert into search_block (block, newest) values (?1, ?2)
                   on conflict (block) do update set newest = max(newest, excluded.newest)";
        self.connection.prepare_cached(sql)?.execute(params![event >> BLOCK, at.unwrap_or(i64::MAX)])?;
        if is_searched { self.index(event, body.as_deref(), has.as_deref()) } else { Ok(()) }
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

    pub(super) fn room(&self, room_id: &str) -> Result<i64, Error> {
        self.number(
            "select room from room where room_id = ?1",
            "insert into room (room_id) values (?1)",
            params![room_id],
        )
    }

    fn session(&self, room: i64, session_id: &str) -> Result<i64, Error> {
        let find = "select session from session where room = ?1 and session_id = ?2";
        self.number(find, "insert into session (room, session_id) values (?1, ?2)", params![room, session_id])
    }

    pub(super) fn source(&self, name: &str) -> Result<i64, Error> {
        self.number(
            "select source from source where name = ?1",
            "insert into source (name) values (?1)",
            params![name],
        )
    }

    fn number(&self, find: &str, add: &str, values: &[&dyn rusqlite::ToSql]) -> Result<i64, Error> {
        if let Some(number) = self.connection.prepare_cached(find)?.query_row(values, |row| row.get(0)).optional()? {
            return Ok(number);
        }
        self.connection.prepare_cached(add)?.execute(values)?;
        Ok(self.connection.last_insert_rowid())
    }

    /// Judges the uses of messages.
    fn judge(&self, affected: Affected) -> Result<(), Error> {
        let Affected { mut messages, sessions } = affected;
        for session in sessions {
            let sql = "select distinct message from event where session = ?1";
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query([session])?;
            while let Some(row) = rows.next()? {
                messages.insert((session, row.get(0)?));
            }
        }
        messages.into_iter().try_for_each(|(session, message)| self.judge_uses(session, message))
    }

    /// Says of all events that use a message which of them can be read.
    fn judge_uses(&self, session: i64, message: i64) -> Result<(), Error> {
        let sql = "select event, event_id, reason, accepted,
                          session.bridge is not null or exists (select 1 from owner where owner.session = ?1 and user_id = sender)
                              or not exists (select 1 from owner where owner.session = ?1),
                          exists (select 1 from plaintext where plaintext.event = event.event)
                     from event cross join session using (session)
                    where event.session = ?1 and message = ?2 and opened
                    order by position, event_id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let uses = statement.query_map(params![session, message], |row| {
            Ok(Use {
                event: row.get(0)?,
                event_id: row.get(1)?,
                reason: row.get(2)?,
                accepted: row.get(3)?,
                fits: row.get(4)?,
                has_plaintext: row.get(5)?,
            })
        })?;
        // what a stranger sends again and again is told one by one
        let (mut first, mut verdicts): (Option<String>, Vec<(Use, Option<Refusal>)>) = (None, Vec::new());
        for one in uses {
            let one = one?;
            let verdict = match &first {
                Some(first) => Some(Refusal::Replay(first.clone())),
                None if one.fits && one.accepted => {
                    first = Some(one.event_id.clone());
                    None
                }
                None if one.fits => None,
                None => Some(Refusal::OtherSender),
            };
            verdicts.push((one, verdict));
        }
        // one that comes before the first, and does not count, is a replay all the same
        if let Some(first) = &first {
            for (one, verdict) in &mut verdicts {
                if one.event_id != *first {
                    *verdict = Some(Refusal::Replay(first.clone()));
                }
            }
        }
        for (one, verdict) in verdicts {
            let (reason, detail) = match verdict {
                Some(refusal) => (Some(refusal.code()), Some(refusal.to_string())),
                None if one.has_plaintext => (None, None),
                None => (Some("forgotten"), Some("it could be read, and what it said was taken away".to_owned())),
            };
            if one.reason.as_deref() == reason && reason != Some("replay") && one.has_plaintext == reason.is_none() {
                continue;
            }
            let sql = "update event set reason = ?2, detail = ?3 where event = ?1 and (reason is not ?2 or detail is not ?3)";
            self.connection.prepare_cached(sql)?.execute(params![one.event, reason, detail])?;
            self.connection.prepare_cached("insert or ignore into changed (event) values (?1)")?.execute([one.event])?;
        }
        Ok(())
    }
}
