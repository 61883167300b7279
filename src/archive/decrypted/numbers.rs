//! What became of the encrypted events of an archive: all of them in numbers, and one in words. Tells no word of what they say.

use std::collections::BTreeMap;

use rusqlite::OptionalExtension as _;

use super::super::Error;
use super::Decrypted;

/// What became of encrypted events.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct DecryptedNumbers {
    /// How many there are.
    pub encrypted: u64,
    /// How many can be read.
    pub readable: u64,
    /// How many of these by a session that nobody vouches for.
    pub not_authenticated: u64,
    /// How many cannot, by why.
    pub refused: BTreeMap<String, u64>,
}

/// How an event was encrypted, and whether it can be read.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct EncryptionDetails {
    /// Why it cannot be read, a word and the words for it; none: it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
    pub(crate) session_id: Option<String>,
    /// The message's place in the session.
    pub(crate) index: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) authenticated: Option<bool>,
    /// The application service whose session it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bridge: Option<String>,
    /// Null where it can be read, and no device with its session's key is known; else not there: as lines of a dump have it.
    #[serde(rename = "owner", skip_serializing_if = "Option::is_none")]
    pub(crate) unknown_owner: Option<()>,
}

impl std::fmt::Display for DecryptedNumbers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let events = if self.encrypted == 1 { "event" } else { "events" };
        write!(f, "{} encrypted {events}, {} readable", self.encrypted, self.readable)?;
        if self.not_authenticated > 0 {
            write!(f, " ({} by sessions that are not authenticated)", self.not_authenticated)?;
        }
        self.refused.iter().try_for_each(|(reason, events)| write!(f, ", {events} {}", reason.replace('_', " ")))
    }
}

impl Decrypted {
    /// All in numbers, by indexes alone: no text is read for them.
    pub(in crate::archive) fn numbers(&self) -> Result<DecryptedNumbers, Error> {
        let mut numbers = DecryptedNumbers::default();
        let count = |row: &rusqlite::Row<'_>, at| row.get::<_, i64>(at).map(i64::unsigned_abs);
        let mut statement = self.connection.prepare("select reason, count(*) from event group by reason")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (reason, events): (Option<String>, _) = (row.get(0)?, count(row, 1)?);
            numbers.encrypted += events;
            match reason {
                None => numbers.readable += events,
                Some(reason) => drop(numbers.refused.insert(reason, events)),
            }
        }
        let sql = "select count(*) from event indexed by event_unvouched where unvouched and reason is null";
        numbers.not_authenticated = self.connection.query_row(sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs();
        Ok(numbers)
    }

    /// What is known of how an event was encrypted; none: it was not looked at.
    pub(in crate::archive) fn encryption(&self, event_id: &str) -> Result<Option<EncryptionDetails>, Error> {
        let sql = "select reason, coalesce(detail, (select 'a replay of ' || case when other.erased > 1 then 'an event that was erased'
                                                                              else other.event_id end
                                                      from first cross join event other on other.event = first.event
                                                     where first.session = event.session and first.message = event.message
                                                       and event.reason = 'replay'), replace(reason, '_', ' ')),
                          session_id, message, source.name, authenticated, bridge,
                          exists (select 1 from owner where owner.session = event.session)
                     from event left join session using (session) left join plaintext using (event)
                     left join source using (source)
                    where event_id = ?1";
        let found = self.connection.prepare_cached(sql)?.query_row([event_id], |row| {
            let reason: Option<String> = row.get(0)?;
            let is_readable = reason.is_none();
            Ok(EncryptionDetails {
                reason,
                detail: row.get(1)?,
                session_id: row.get(2)?,
                index: row.get(3)?,
                source: row.get::<_, Option<String>>(4)?.filter(|_| is_readable),
                authenticated: row.get::<_, Option<bool>>(5)?.filter(|_| is_readable),
                bridge: row.get(6)?,
                unknown_owner: (is_readable && !row.get::<_, bool>(7)?).then_some(()),
            })
        });
        Ok(found.optional()?)
    }
}

/// What a source, or none, has to do with a room's events.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct DecryptedOfRoom {
    /// The source that opens them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Why they cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The room.
    pub room_id: String,
    /// How many sessions.
    pub sessions: u64,
    /// How many events.
    pub events: u64,
    /// The lowest place of such an event in its session.
    pub first_index: Option<u64>,
}

impl Decrypted {
    /// What each source opens of each room, and what cannot be read of it; one after the other.
    pub(in crate::archive) fn each_room(&self, take: &mut dyn FnMut(DecryptedOfRoom)) -> Result<(), Error> {
        let sql = "select name, reason, room_id, count(distinct session), count(*), min(message)
                     from event join room using (room) left join plaintext on plaintext.event = event.event and reason is null
                     left join source using (source)
                    group by source, reason, room order by name is null, name, reason, room_id";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            take(DecryptedOfRoom {
                source: row.get(0)?,
                reason: row.get(1)?,
                room_id: row.get(2)?,
                sessions: row.get::<_, i64>(3)?.unsigned_abs(),
                events: row.get::<_, i64>(4)?.unsigned_abs(),
                first_index: row.get::<_, Option<i64>>(5)?.map(i64::unsigned_abs),
            });
        }
        Ok(())
    }
}
