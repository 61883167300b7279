//! Events that Synapse judged by a part of their room's state, and judges anew when it has all of it: it rejects archived ones, or
//! accepts them again. It tells of them in a stream of their own, which each run follows.

use std::collections::{BTreeMap, BTreeSet};

use super::first::First;
use super::later::Later;
use super::{Error, Export, unless_stopped};

/// How many of the events that Synapse has judged anew, or may have, are looked at together.
const AT_ONCE: u32 = 1_000;
/// How many ids of new judgements are looked at again, as some may have been taken by transactions that had not committed.
const UNCOMMITTED: i64 = 1_000;

impl Export<'_, First> {
    /// Says from where on it is to be followed which events Synapse judges anew: what is read from now on is as it has been
    /// judged by now.
    pub(super) async fn follow_un_partial_stated(&mut self) -> Result<(), Error> {
        if self.archive().await?.catalog().rejudged()?.is_none()
            && let Some(head) = unless_stopped(&mut self.stop, self.database.un_partial_stated_head()).await?
        {
            self.archive().await?.rejudged_up_to(head)?;
        }
        Ok(())
    }
}

impl Export<'_, Later> {
    /// Looks again at archived events that Synapse has rejected since, or accepted again.
    pub(super) async fn un_partial_stated(&mut self) -> Result<(), Error> {
        let head = unless_stopped(&mut self.stop, self.database.un_partial_stated_head()).await?;
        let Some(head) = head else { return Ok(()) };
        let followed = self.archive().await?.catalog().rejudged()?;
        let mut after = followed.unwrap_or(0).saturating_sub(UNCOMMITTED).max(0);
        // the archive may have events of rooms that are left out by now
        let database = self.database.clone().without(&BTreeSet::new());
        while after < head {
            let rejudged = unless_stopped(&mut self.stop, database.un_partial_stated(after, AT_ONCE)).await?;
            let Some(rejudged) = rejudged else { return Ok(()) };
            let Some(&(last, _)) = rejudged.last() else { break };
            // a page that is full may have ended between two of one id, which an index that should be unique let in
            let is_full = rejudged.len() == AT_ONCE as usize && last - 1 > after;
            after = if is_full { last - 1 } else { last };
            let archive = self.archive().await?;
            let mut archived = BTreeMap::new();
            for (_, event_id) in &rejudged {
                if let Some(rejected) = archive.catalog().is_rejected(event_id.borrowed())? {
                    archived.insert(event_id.as_str(), rejected);
                }
            }
            let ids: Vec<&str> = archived.keys().copied().collect();
            let events = unless_stopped(&mut self.stop, database.events_by_id(&ids)).await?;
            let Some(events) = events else { return Ok(()) };
            for event in events {
                if archived.get(event.event_id.as_str()) != Some(&event.rejected) {
                    self.batch.push(Box::new(event), false);
                }
            }
            self.commit().await?;
        }
        if followed != Some(head) {
            self.archive().await?.rejudged_up_to(head)?;
        }
        Ok(())
    }
}
