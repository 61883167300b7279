//! What comes to an archive that has erased something: it stays erased, what repeats it too, and what was asked for may last.
//!
//! Pruned before it is written. Of an event that is archived already only its own tombstone counts.

use std::collections::BTreeSet;

use rusqlite::OptionalExtension as _;

use super::super::writing::Writing;
use super::super::{Archive, Batch, Error};
use super::digest;
use super::request::{Erasure, What};
use crate::event::{Erased, Event, EventId, OwnedEventId, OwnedRoomId, OwnedUserId, UserId};

/// By what something is judged that comes.
struct Judge<'w> {
    writing: &'w Writing<'w>,
    lasting: Vec<Erasure>,
    held: BTreeSet<OwnedRoomId>,
    /// Milliseconds since the epoch.
    now: i64,
}

impl Archive {
    /// Takes out of a batch what is erased.
    pub(in crate::archive) fn erase_arriving(&mut self, batch: &mut Batch) -> Result<(), Error> {
        let lasting = self.catalog.lasting_erasures()?;
        let sql = "select exists (select 1 from tombstone)";
        if lasting.is_empty() && !self.catalog.connection.query_row(sql, [], |row| row.get::<_, bool>(0))? {
            return Ok(());
        }
        let held = self.catalog.held_rooms()?;
        let writing = self.catalog.write()?;
        let judge = Judge { writing: &writing, lasting, held, now: chrono::Utc::now().timestamp_millis() };
        for events in [&mut batch.events, &mut batch.missing] {
            let mut failed = None;
            events.retain_mut(|(event, _)| {
                judge.take(event).unwrap_or_else(|error| {
                    failed.get_or_insert(error);
                    true
                })
            });
            failed.map_or(Ok(()), Err)?;
        }
        let mut failed = None;
        batch.states.retain(|state| {
            judge.keeps_state(state).unwrap_or_else(|error| {
                failed.get_or_insert(error);
                true
            })
        });
        failed.map_or(Ok(()), Err)?;
        writing.commit()
    }
}

impl Judge<'_> {
    /// Takes of an event what is erased of it; false: all.
    fn take(&self, event: &mut Event) -> Result<bool, Error> {
        let Some((how, erasure)) = self.of(event)? else { return Ok(true) };
        // what a redaction takes from others it takes all the same, unless it was gone whole before
        let is_redaction = event.kind.as_deref() == Some("m.room.redaction");
        let was_whole = || Ok::<_, Error>(self.tombstone(event.id())?.is_some_and(|(how, _)| how == Erased::Whole));
        let how = if is_redaction && !was_whole()? { how.min(Erased::Pruned) } else { how };
        if how == Erased::Whole {
            self.writing.bury(event.id(), how, Some(&event.line), erasure)?;
            self.writing.wait_no_longer(event.id())?;
            return Ok(false);
        }
        if let Some(left) = event.erase(how) {
            self.writing.bury(event.id(), how, Some(&event.line), erasure)?;
            *event = left;
        }
        Ok(true)
    }

    /// Whether an outlier may give a name.
    fn keeps_state(&self, state: &Event) -> Result<bool, Error> {
        let erased = match self.tombstone(state.id())? {
            Some((how, _)) => how >= Erased::Pruned,
            None => match self.lasting(state) {
                Some((_, erasure)) => {
                    self.writing.bury(state.id(), Erased::Pruned, None, erasure)?;
                    true
                }
                None => false,
            },
        };
        Ok(!erased)
    }

    fn of(&self, event: &Event) -> Result<Option<(Erased, i64)>, Error> {
        let own = self.tombstone(event.id())?;
        if own.is_some_and(|(how, _)| how == Erased::Whole) || self.writing.has_event(event.id())? {
            return Ok(own);
        }
        let mut all = vec![own, self.lasting(event)];
        if let Some(target) = event.edits() {
            all.push(self.tombstone(target)?.filter(|(how, _)| *how >= Erased::Cut));
            // an edit by somebody else is none
            if all.last().is_some_and(Option::is_some) && !self.may_edit(event, target)? {
                all.pop();
            }
        }
        if let Some(target) = event.replies_to.as_ref().map(OwnedEventId::borrowed) {
            let quoted = self.tombstone(target)?.filter(|(how, _)| *how >= Erased::Pruned);
            all.push(quoted.map(|(_, erasure)| (Erased::Cut, erasure)));
        }
        if event.state_key.is_some()
            && let Some(before) = event.replaces_state()
        {
            let copied = self.tombstone(EventId::of(&before))?.filter(|(how, _)| *how >= Erased::Pruned);
            all.push(copied.map(|(_, erasure)| (Erased::Copies, erasure)));
        }
        Ok(all.into_iter().flatten().max_by_key(|(how, _)| *how))
    }

    fn tombstone(&self, event: EventId<'_>) -> Result<Option<(Erased, i64)>, Error> {
        let mut statement = self.writing.0.prepare_cached("select kind, erasure from tombstone where id = ?1")?;
        Ok(statement.query_row([digest(&event)], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
    }

    /// Whether an event may edit another: not one of somebody else, if that is known.
    fn may_edit(&self, event: &Event, target: EventId<'_>) -> Result<bool, Error> {
        let sql = concat!(
            "select user_id from line left join user on user.user = line.sender where id_key = ",
            super::super::catalog::key!("?1"),
            " and event_id = ?1"
        );
        let sender =
            self.writing.0.prepare_cached(sql)?.query_row([target], |row| row.get::<_, Option<OwnedUserId>>(0));
        Ok(sender.optional()?.is_none_or(|sender| sender == event.sender))
    }

    /// What lasts and means an event; the most of it.
    fn lasting(&self, event: &Event) -> Option<(Erased, i64)> {
        if self.held.contains(&event.room_id) {
            return None;
        }
        let means = |erasure: &&Erasure| match &erasure.request.what {
            What::Sender(user_id) => event.sender.as_ref() == Some(user_id),
            What::Room(room_id) => event.room_id == *room_id,
            What::Before(age) => {
                let time = [event.origin_server_ts, event.received_ts].into_iter().flatten().min();
                event.state_key.is_none() && time.is_some_and(|time| time < age.before(self.now))
            }
            What::Users => {
                event.sender.as_ref().is_some_and(|sender| self.is_erased(sender.borrowed()).unwrap_or(false))
            }
            What::Events(_) | What::Redacted(_) | What::Again => false,
        };
        let how = |erasure: &Erasure| if erasure.request.whole { Erased::Whole } else { Erased::Pruned };
        self.lasting.iter().filter(means).map(|erasure| (how(erasure), erasure.number)).max_by_key(|(how, _)| *how)
    }

    fn is_erased(&self, user: UserId<'_>) -> Result<bool, Error> {
        let sql = "select exists (select 1 from erased where user_id = ?1)";
        Ok(self.writing.0.prepare_cached(sql)?.query_row([user], |row| row.get(0))?)
    }
}
