//! Takes away what events say, so that nothing of it is left in the file. That their messages were used stays known.

use rusqlite::params;

use super::super::erasing::digest;
use super::super::full_text::BLOCK;
use super::super::{Error, Interrupt};
use super::Decrypted;
use super::verdicts::{FITS, WHOLE, WHOLE_REPLAY};
use crate::event::{Erased, OwnedEventId};

/// How many plaintexts are taken away in one transaction.
const AT_ONCE: i64 = 5_000;

impl Decrypted {
    /// Takes away what all events say; a key may open them again.
    pub(in crate::archive) fn forget_all(&mut self, interrupt: &Interrupt) -> Result<(), Error> {
        loop {
            let events = {
                let mut statement =
                    self.connection.prepare_cached("select event from plaintext order by event limit ?1")?;
                statement.query_map([AT_ONCE], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?
            };
            if events.is_empty() {
                break;
            }
            self.in_one(|this| events.iter().try_for_each(|event| this.take_away(*event)))?;
            interrupt.check()?;
        }
        // what was deleted is in the index until its segments are one
        self.in_one(|this| {
            Ok(this.connection.execute_batch(
                "delete from search_block; update source set looked = null, vouched = null; insert into search (search) values ('delete-all')",
            )?)
        })?;
        self.leave_no_trace()
    }

    /// Takes away for good what some events say, and of those that go whole who sent them and their ids too: what is left of these is a
    /// hash, and which message of which session it was, by which replays are told. How many of them had said something.
    pub(in crate::archive) fn erase(&mut self, events: &[(OwnedEventId, Erased)]) -> Result<u64, Error> {
        let erased = self.in_one(|this| {
            let mut erased = 0;
            for (event_id, how) in events {
                let sql = "update event set erased = 1 where event_id = ?1 returning event, opened";
                let mut statement = this.connection.prepare_cached(sql)?;
                let mut rows = statement.query([event_id])?;
                let Some(row) = rows.next()? else { continue };
                let (event, opened): (i64, bool) = (row.get(0)?, row.get(1)?);
                drop(rows);
                this.take_away(event)?;
                if !opened {
                    this.was_never_read(event)?;
                }
                if *how == Erased::Whole {
                    this.leave_a_hash(event, event_id)?;
                }
                erased += u64::from(opened);
            }
            this.connection.execute("insert into search (search) values ('optimize')", [])?;
            Ok(erased)
        })?;
        self.leave_no_trace()?;
        Ok(erased)
    }

    /// Leaves a hash in place of an event's id, and in place of its sender whether the session was his, as far as is known.
    fn leave_a_hash(&self, event: i64, event_id: &str) -> Result<(), Error> {
        let sql = format!(
            "update event set erased = case when {FITS} then {WHOLE} else {WHOLE_REPLAY} end, event_id = ?2, sender = null, detail = null
              where event = ?1"
        );
        self.connection.prepare_cached(&sql)?.execute(params![event, digest(event_id)])?;
        Ok(())
    }

    fn take_away(&self, event: i64) -> Result<(), Error> {
        self.connection.prepare_cached("delete from plaintext where event = ?1")?.execute([event])?;
        self.connection.prepare_cached("delete from search where rowid = ?1")?.execute([event])?;
        let sql = "delete from search_block where block = ?1 and not exists (
                       select 1 from plaintext where event between ?2 and ?3)";
        let first = event >> BLOCK << BLOCK;
        let values = params![event >> BLOCK, first, first + (1 << BLOCK) - 1];
        self.connection.prepare_cached(sql)?.execute(values)?;
        self.connection
            .prepare_cached("update event set unvouched = 0 where event = ?1 and unvouched")?
            .execute([event])?;
        self.say("event = ?1", params![event])
    }

    /// Leaves nothing in the file of what was deleted.
    pub(super) fn leave_no_trace(&mut self) -> Result<(), Error> {
        self.guard.as_ref().map_or(Ok(()), |held| held.check())?;
        // a step is a page
        let mut statement = self.connection.prepare("pragma incremental_vacuum")?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
        Ok(())
    }
}
