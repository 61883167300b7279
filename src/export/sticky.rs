//! Sticky events that Synapse soft-failed: it may let them through until they expire, and tells of it nowhere.
//!
//! Asks for them by their ids until no transaction can change them any more; finds no other soft-failed events.

use std::collections::BTreeSet;

use super::later::Later;
use super::{Error, Export, unless_stopped};
use crate::stream::GAP_LIFETIME;

/// How many of them are looked at together.
const AT_ONCE: u32 = 1_000;

impl Export<'_, Later> {
    /// Looks again at sticky events that were archived as soft-failed, until they have expired: Synapse judges them anew when
    /// the state of their room changes, and tells of it nowhere else.
    pub(super) async fn sticky(&mut self) -> Result<(), Error> {
        // the archive may have events of rooms that are left out by now
        let database = self.database.clone().without(&BTreeSet::new());
        let mut after = String::new();
        loop {
            let ids = self.archive().await?.catalog().sticky(&after, AT_ONCE)?;
            let Some(last) = ids.last() else { break };
            after.clone_from(last);
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let Some(events) = unless_stopped(&mut self.stop, database.events_by_id(&ids)).await? else {
                return Ok(());
            };
            for event in events.into_iter().filter(|event| !event.soft_failed) {
                self.batch.push(Box::new(event), false);
            }
            self.commit().await?;
        }
        // what was decided before it expired may be committed later, but by no transaction that lives longer than any does
        if let Some(now) = self.heads.received_ts.filter(|_| !after.is_empty()) {
            self.archive().await?.unstick(now.saturating_sub(GAP_LIFETIME))?;
        }
        Ok(())
    }
}
