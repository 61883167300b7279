//! The power levels of rooms that were joined over federation, which are outliers there: an archive that has passed them by, as
//! those of earlier versions have, gets them once. What comes later comes with the names.

use std::collections::BTreeSet;

use super::later::Later;
use super::{Error, Export, unless_stopped};

/// How many rooms are asked for together.
const AT_ONCE: u32 = 500;
/// How many power levels before the current ones are looked for, one after the other.
const MOST_BEFORE: usize = 10_000;

impl Export<'_, Later> {
    /// Reads the power levels of all rooms, unless that is done, or they may not be read.
    pub(super) async fn power_levels(&mut self) -> Result<(), Error> {
        let is_done = self.archive().await?.catalog().has_power_levels()?;
        if is_done || self.database.schema().suffices_for_power_levels().is_err() {
            return Ok(());
        }
        // also of rooms that are left out by now: this is done once
        let database = self.database.clone().without(&BTreeSet::new());
        let mut after = String::new();
        loop {
            let rooms = self.archive().await?.catalog().rooms_behind(&after, AT_ONCE)?;
            let Some(last) = rooms.last() else { break };
            after.clone_from(last);
            let ids = unless_stopped(&mut self.stop, database.power_levels(&rooms)).await?;
            let Some(mut ids) = ids else { return Ok(()) };
            let mut asked = BTreeSet::new();
            for _ in 0..MOST_BEFORE {
                // several may have been allowed by the same; in the first versions of rooms also by each other
                ids.retain(|id| asked.insert(id.clone()));
                if ids.is_empty() {
                    break;
                }
                let found = unless_stopped(&mut self.stop, database.power_levels_before(&mut ids)).await?;
                let Some(found) = found else { return Ok(()) };
                for outlier in found {
                    self.batch.push_state(outlier);
                }
                if self.is_full() {
                    self.commit().await?;
                }
            }
            self.commit().await?;
        }
        Ok(self.archive().await?.power_levels_are_read()?)
    }
}
