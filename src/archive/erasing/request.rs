//! What is asked to be erased, what lasts of that, and which rooms are on hold. Erases nothing.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;
use rusqlite::params;
use serde_json::json;

use super::super::verifying::ErasedBy;
use super::super::writing::Writing;
use super::super::{Archive, Catalog, Error};
use crate::event::{OwnedEventId, OwnedRoomId, OwnedUserId, RoomId};

const DAY: i64 = 86_400_000;

/// A time before which: a day, or so many days ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// The beginning of a day, UTC.
    Day(NaiveDate),
    /// So many days before it is asked.
    Days(u32),
}

impl Age {
    /// The time, when it is asked at one; both in milliseconds since the epoch.
    #[must_use]
    pub fn before(self, now: i64) -> i64 {
        match self {
            Age::Day(day) => day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis(),
            Age::Days(days) => now.saturating_sub(i64::from(days) * DAY),
        }
    }
}

impl FromStr for Age {
    type Err = String;

    fn from_str(text: &str) -> Result<Age, String> {
        let days = || text.strip_suffix('d')?.parse().ok().map(Age::Days);
        let day = || text.parse().ok().map(Age::Day);
        days().or_else(day).ok_or_else(|| "a date like 2026-11-22, or a number of days like 90d".to_owned())
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Age::Day(day) => day.fmt(f),
            Age::Days(days) => write!(f, "{days}d"),
        }
    }
}

/// Which events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// These.
    Events(Vec<OwnedEventId>),
    /// A user's.
    Sender(OwnedUserId),
    /// A room's.
    Room(OwnedRoomId),
    /// Those that are no state, and were sent or received before.
    Before(Age),
    /// What has been redacted since before, by when the redaction was received.
    Redacted(Age),
    /// Those of users whom the server has erased.
    Users,
    /// Those that tombstones of elsewhere name.
    Again,
}

impl What {
    /// What the catalog calls it, and which.
    pub(super) fn columns(&self) -> (&'static str, String) {
        match self {
            What::Events(ids) => ("event", json!(ids).to_string()),
            What::Sender(user_id) => ("sender", user_id.to_string()),
            What::Room(room_id) => ("room", room_id.to_string()),
            What::Before(age) => ("before", age.to_string()),
            What::Redacted(age) => ("redacted", age.to_string()),
            What::Users => ("erased", String::new()),
            What::Again => ("again", String::new()),
        }
    }

    pub(super) fn of(what: &str, which: String) -> Result<What, Error> {
        let altered = || Error::altered("something erased as", what);
        let age = || which.parse::<Age>().map_err(|_| altered());
        Ok(match what {
            "event" => What::Events(serde_json::from_str(&which).unwrap_or_default()),
            "sender" => What::Sender(OwnedUserId::of(which)),
            "room" => What::Room(OwnedRoomId::of(which)),
            "before" => What::Before(age()?),
            "redacted" => What::Redacted(age()?),
            "erased" => What::Users,
            "again" => What::Again,
            _ => return Err(altered()),
        })
    }

    /// Whether what it names is more with each day, so that what is archived already has to be looked at again and again.
    #[must_use]
    pub fn moves(&self) -> bool {
        matches!(self, What::Before(Age::Days(_)) | What::Redacted(_) | What::Users)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // which they were is forgotten once they are erased
            What::Events(ids) if ids.is_empty() => f.write_str("events named by id"),
            What::Events(ids) => write!(f, "{} named by id", ids.len()),
            What::Sender(user_id) => write!(f, "what {} sent", user_id.escape_debug()),
            What::Room(room_id) => write!(f, "what is in {}", room_id.escape_debug()),
            What::Before(Age::Day(day)) => write!(f, "what is from before {day}"),
            What::Before(Age::Days(days)) => write!(f, "what is older than {days} days"),
            What::Redacted(Age::Day(day)) => write!(f, "originals of what was redacted before {day}"),
            What::Redacted(Age::Days(days)) => write!(f, "originals of what was redacted more than {days} days ago"),
            What::Users => write!(f, "what users sent whom the server has erased"),
            What::Again => write!(f, "what was erased elsewhere"),
        }
    }
}

/// What somebody asks for.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which events.
    pub what: What,
    /// They go whole; else they are pruned.
    pub whole: bool,
    /// It also holds for what comes later.
    pub lasts: bool,
    /// Why.
    pub reason: Option<String>,
}

/// What was asked for, as the archive remembers it.
#[derive(Clone, Debug)]
pub struct Erasure {
    /// Its number.
    pub number: i64,
    /// What.
    pub request: Request,
    /// When, RFC 3339.
    pub at: String,
}

/// A room of which nothing is erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Its id.
    pub room_id: OwnedRoomId,
    /// Since when, RFC 3339.
    pub at: String,
    /// Why.
    pub reason: Option<String>,
}

impl Catalog {
    /// What was asked for and lasts, in order.
    pub fn lasting_erasures(&self) -> Result<Vec<Erasure>, Error> {
        self.erasures("lasts")
    }

    /// What was asked for and may not have been selected as a whole.
    pub(super) fn erasures_to_do(&self) -> Result<Vec<Erasure>, Error> {
        self.erasures("done = 0")
    }

    /// What was asked for at all and has left tombstones, the newest first, `most` at most.
    pub(in crate::archive) fn erased_by(&self, most: i64) -> Result<Vec<ErasedBy>, Error> {
        let sql = "select erasure, count(*) from tombstone group by erasure order by erasure desc limit ?1";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([most])?;
        let mut erased = Vec::new();
        while let Some(row) = rows.next()? {
            let (number, tombstones): (i64, i64) = (row.get(0)?, row.get(1)?);
            let asked = self.erasures(&format!("erasure = {number}"))?.pop();
            erased.extend(asked.map(|erasure| ErasedBy { erasure, tombstones: tombstones.unsigned_abs() }));
        }
        Ok(erased)
    }

    fn erasures(&self, which: &str) -> Result<Vec<Erasure>, Error> {
        let sql = format!(
            "select erasure, what, which, whole, lasts, at, reason from erasure where {which} order by erasure"
        );
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let mut erasures = Vec::new();
        while let Some(row) = rows.next()? {
            let (what, which): (String, String) = (row.get(1)?, row.get(2)?);
            let what = What::of(&what, which)?;
            let request = Request { what, whole: row.get(3)?, lasts: row.get(4)?, reason: row.get(6)? };
            erasures.push(Erasure { number: row.get(0)?, request, at: row.get(5)? });
        }
        Ok(erasures)
    }

    /// The rooms that have had an alias, as far as their indexes are rendered.
    pub(crate) fn rooms_of_alias(&self, alias: &str) -> Result<Vec<String>, Error> {
        let sql = "select distinct room_id from room, json_each(room.aliases) where value = ?1 limit 2";
        let mut statement = self.connection.prepare(sql)?;
        Ok(statement.query_map([alias], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// The rooms on hold.
    pub fn holds(&self) -> Result<Vec<Hold>, Error> {
        let mut statement = self.connection.prepare("select room_id, at, reason from hold order by room_id")?;
        let rows =
            statement.query_map([], |row| Ok(Hold { room_id: row.get(0)?, at: row.get(1)?, reason: row.get(2)? }))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The ids of the rooms on hold.
    pub(super) fn held_rooms(&self) -> Result<BTreeSet<OwnedRoomId>, Error> {
        Ok(self.holds()?.into_iter().map(|hold| hold.room_id).collect())
    }
}

impl Archive {
    /// Puts a room on hold: nothing of it is erased from now on.
    pub fn hold(&mut self, room: RoomId<'_>, reason: Option<&str>) -> Result<(), Error> {
        let writing = self.catalog.write()?;
        writing.0.execute(
            "replace into hold (room_id, at, reason) values (?1, ?2, ?3)",
            params![room, super::super::writing::now(), reason],
        )?;
        writing.commit()
    }

    /// Ends a hold; whether there was one.
    pub fn release(&mut self, room: RoomId<'_>) -> Result<bool, Error> {
        let writing = self.catalog.write()?;
        let ended = writing.0.execute("delete from hold where room_id = ?1", [room])?;
        writing.commit()?;
        Ok(ended > 0)
    }

    /// Lets something that lasts end, by its number: what comes later is archived as it is. What is erased stays so. Whether there was
    /// such a thing.
    pub fn end_erasure(&mut self, number: i64) -> Result<bool, Error> {
        let writing = self.catalog.write()?;
        let ended = writing.0.execute("update erasure set lasts = 0 where erasure = ?1 and lasts", [number])?;
        writing.commit()?;
        Ok(ended > 0)
    }
}

impl Writing<'_> {
    /// Remembers what is asked for; its number.
    pub(super) fn ask(&self, request: &Request) -> Result<i64, Error> {
        let (what, which) = request.what.columns();
        let sql = "select erasure from erasure where lasts and what = ?1 and which = ?2 and whole >= ?3 limit 1";
        let known: Vec<i64> = {
            let mut statement = self.0.prepare(sql)?;
            statement.query_map(params![what, which, request.whole], |row| row.get(0))?.collect::<Result<_, _>>()?
        };
        if let Some(known) = known.first() {
            self.0.execute("update erasure set done = 0 where erasure = ?1", [known])?;
            return Ok(*known);
        }
        let Request { whole, lasts, reason, .. } = request;
        self.0.execute(
            "insert into erasure (what, which, whole, lasts, done, at, reason) values (?1, ?2, ?3, ?4, 0, ?5, ?6)",
            params![what, which, whole, lasts, super::super::writing::now(), reason],
        )?;
        Ok(self.0.last_insert_rowid())
    }

    /// All lines are known that something which was asked for means.
    pub(super) fn is_selected(&self, erasure: i64) -> Result<(), Error> {
        self.0.execute("update erasure set done = 1 where erasure = ?1", [erasure])?;
        Ok(())
    }

    /// All is done, if no line is left to be erased; ids of events are needed no more then.
    pub(super) fn are_done(&self) -> Result<(), Error> {
        self.0.execute(
            "update erasure set done = 2, which = case when what = 'event' then '[]' else which end
              where done = 1 and not exists (select 1 from to_erase)",
            [],
        )?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventId, UserId};

    #[test]
    fn what_is_asked_is_remembered_as_it_was() {
        for what in [
            What::Events(["$a", "$\"b"].map(|id| EventId::of(id).owned()).to_vec()),
            What::Sender(UserId::of("@a:x").owned()),
            What::Room(RoomId::of("!a:x").owned()),
            What::Before("2026-11-22".parse().unwrap()),
            What::Before(Age::Days(7)),
            What::Redacted(Age::Days(90)),
            What::Users,
            What::Again,
        ] {
            let (name, which) = what.columns();
            assert_eq!(What::of(name, which).unwrap(), what);
        }
        assert!(What::of("all", String::new()).is_err() && "yesterday".parse::<Age>().is_err());
        assert_eq!(Age::Days(1).before(DAY), 0);
        assert_eq!("1970-01-02".parse::<Age>().unwrap().before(0), DAY);
    }
}
