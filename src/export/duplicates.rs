//! Events of which a database has more than one row, under an index that let it.
//!
//! Names and counts them; which of the rows is the line is decided where they are archived.

use std::collections::BTreeSet;

use super::{Error, Export, Pass};
use crate::event::{OwnedEventId, OwnedRoomId};

/// How many places are looked at together.
const PLACES: usize = 1_000;

impl<P: Pass> Export<'_, P> {
    pub(super) fn duplicates(&mut self, events: &[(OwnedEventId, OwnedRoomId)]) {
        for (event, room) in events {
            self.report.duplicate(event.borrowed(), room.borrowed());
        }
    }

    /// Takes in what the making of indexes has taken out of the files.
    pub(super) async fn second_lines(&mut self) -> Result<(), Error> {
        let taken = self.archive().await?.second_lines();
        self.counts -= taken.counts;
        self.counts.duplicates += taken.events;
        self.duplicates(&taken.named);
        Ok(())
    }

    /// Of events that were met with another stream ordering than they were archived with, those that have that still: it is no
    /// other place that a purge and a backfill gave them, but a second row.
    pub(super) async fn still_elsewhere(
        &mut self,
        events: Vec<(OwnedEventId, OwnedRoomId, i64)>,
    ) -> Result<Vec<(OwnedEventId, OwnedRoomId)>, Error> {
        let mut duplicates = Vec::new();
        for events in events.chunks(PLACES) {
            let ids: Vec<i64> = events.iter().map(|(_, _, id)| *id).collect();
            // also when it is told to stop: nobody meets them again
            let there: BTreeSet<(i64, OwnedEventId)> = self.database.events_with(&ids).await?.into_iter().collect();
            for (event, room, id) in events {
                if there.contains(&(*id, event.clone())) {
                    duplicates.push((event.clone(), room.clone()));
                }
            }
        }
        Ok(duplicates)
    }
}
