//! Which redactions of events are in effect.

use std::collections::BTreeMap;

use super::known::Known;
use super::{Database, Error, queries};
use crate::event::Event;

impl Database {
    /// The redactions in effect of some events, by the ids of the events that they leave nothing of: of those that they name,
    /// and of the edits of those. Of several the earliest, as everywhere.
    pub async fn redactions<'a>(
        &self,
        events: impl IntoIterator<Item = &'a Event>,
    ) -> Result<BTreeMap<String, Event>, Error> {
        let mut named = BTreeMap::<&str, Vec<&Event>>::new();
        for event in events {
            for event_id in event.redacted_with() {
                named.entry(event_id).or_default().push(event);
            }
        }
        let mut found = BTreeMap::<String, Event>::new();
        if named.is_empty() {
            return Ok(found);
        }
        let statement = self.schema.adapt(queries::redacted_by());
        let failed = Error::query(statement.name);
        let ids: Vec<&str> = named.keys().copied().collect();
        let (server_name, excluded): (&str, &[String]) = (&self.server_name, &self.excluded);
        for row in self.session.query(&statement, &[&server_name, &excluded, &ids]).await? {
            let (_, row) = queries::row(&row, &Known::default()).map_err(failed)?;
            let Some(redaction) = row.event() else { continue };
            let targets = redaction.redacts.as_deref().and_then(|target| named.get(target));
            for event in targets.into_iter().flatten().filter(|event| event.is_redacted_by(&redaction)) {
                let earlier = |other: &Event| redaction.precedes(other);
                if found.get(&event.event_id).is_none_or(earlier) {
                    found.insert(event.event_id.clone(), Event::clone(&redaction));
                }
            }
        }
        Ok(found)
    }
}
