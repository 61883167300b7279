//! Events whose PDU was not there when they were met: each run asks for them again.
//!
//! How long they wait before they count as damaged is the archive's to say.

use std::collections::BTreeSet;

use super::later::Later;
use super::{Error, Export, WAITING_NAMED, unless_stopped};
use crate::event::{EventId, OwnedEventId};

/// How many are asked for together.
const AT_ONCE: u32 = 1_000;

impl Export<'_, Later> {
    /// How many events wait for their PDU; names the first, if that is wanted.
    pub(super) async fn count_waiting(&mut self, names: bool) -> Result<u64, Error> {
        self.settle().await?;
        let archive = self.writer.archive();
        let most = if names { WAITING_NAMED } else { 0 };
        for (event, room) in archive.catalog().waiting(EventId::of(""), most)? {
            self.report.waiting(event.borrowed(), room.borrowed());
        }
        Ok(archive.catalog().waiting_count()?)
    }

    /// Asks for the events that wait for their PDU.
    pub(super) async fn waiting(&mut self) -> Result<(), Error> {
        let mut after = OwnedEventId::of(String::new());
        loop {
            let waiting = self.archive().await?.catalog().waiting(after.borrowed(), AT_ONCE)?;
            let Some((last, _)) = waiting.last() else { return Ok(()) };
            after.clone_from(last);
            let ids: Vec<&str> = waiting.iter().map(|(event, _)| event.as_str()).collect();
            let events = unless_stopped(&mut self.stop, self.database.events_by_id(&ids)).await?;
            let Some(events) = events else { return Ok(()) };
            let mut gone: BTreeSet<&str> = ids.into_iter().collect();
            for event in events {
                gone.remove(event.event_id.as_str());
                self.batch.push(Box::new(event), true);
                if self.is_full() {
                    self.commit().await?;
                }
            }
            for event_id in gone {
                self.batch.gone(EventId::of(event_id));
            }
            self.commit().await?;
        }
    }
}
