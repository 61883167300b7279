//! The power levels that rooms have and had: the current ones, and those before them, by what each was allowed by.
//!
//! For an archive that has passed them by. Where the current state of a room is gone, so is the way to them.

use std::collections::BTreeSet;

use crate::event::{Event, Object};
use crate::source::database::Database;
use crate::source::error::{Error, Problem};
use crate::source::schema::CURRENT_STATE;
use crate::source::statements;

/// How many events are asked for together.
const AT_ONCE: usize = 1_000;

impl Database {
    /// The ids of the current power levels of some rooms.
    pub async fn power_levels(&self, rooms: &[String]) -> Result<BTreeSet<String>, Error> {
        Ok(self.all(&statements::POWER_LEVELS, &[&rooms]).await?.into_iter().collect())
    }

    /// Those of some power levels that have no line in an archive, and takes the ids away for those of the ones before them.
    pub async fn power_levels_before(&self, ids: &mut BTreeSet<String>) -> Result<Vec<Event>, Error> {
        let mut outliers = Vec::new();
        let asked = std::mem::take(ids);
        let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
        for some in asked.chunks(AT_ONCE) {
            for event in self.events_by_id(some).await? {
                if event.kind.as_deref() == Some("m.room.power_levels") && !event.rejected {
                    ids.extend(allowed_by(&event));
                    outliers.extend(event.is_state_of_outliers().then_some(event));
                }
            }
        }
        Ok(outliers)
    }
}

impl crate::source::Schema {
    /// Whether the power levels of rooms can be found.
    pub fn suffices_for_power_levels(&self) -> Result<(), Problem> {
        self.check(&[CURRENT_STATE])
    }
}

/// The ids of the events that allowed one; in the first two versions of rooms they stand with their hashes.
fn allowed_by(event: &Event) -> Vec<String> {
    let items = Object::of(&event.line).items("auth_events");
    let ids = items.into_iter().filter_map(|item| {
        let (text, pair) = (
            serde_json::from_str(item.get()),
            serde_json::from_str::<(String, &serde_json::value::RawValue)>(item.get()),
        );
        text.or(pair.map(|(id, _)| id)).ok()
    });
    ids.collect()
}
