//! Events that are asked for by their ids, or by the places of their rows.
//!
//! For few at a time, which come in one answer: a page of many is for [`super::page`].

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use tokio_postgres::types::ToSql;

use super::row::row;
use crate::event::{Event, OwnedEventId};
use crate::source::database::Database;
use crate::source::error::Error;
use crate::source::lookups::Lookups;
use crate::source::statements::{self, LookedUp, StoredColumns, StoredPage};

impl Database {
    /// Events by their ids, as far as the server has them.
    pub async fn events_by_id(&self, ids: &[&str]) -> Result<Vec<Event>, Error> {
        self.events_of(statements::BY_ID, &[&ids]).await
    }

    /// Events by a statement over `stored.sql` that asks for what these parameters say.
    pub(in crate::source) async fn events_of(
        &self,
        page: StoredPage,
        asked: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Event>, Error> {
        let statement = page.statement(self.schema.columns(), LookedUp::default());
        let failed = Error::query(statement.name);
        let (server_name, excluded): (&str, &[String]) = (&self.server_name, &self.excluded);
        let all: [&(dyn ToSql + Sync); 2] = [&server_name, &excluded];
        let rows = self.session.query(&statement, &[&all[..], asked].concat()).await?;
        let mut events = BTreeMap::<OwnedEventId, Event>::new();
        let Some(columns) = rows.first().map(StoredColumns::of) else { return Ok(Vec::new()) };
        for stored in &rows {
            let stored = columns.read(stored).map_err(failed)?;
            let (_, row) = row(&stored, &Lookups::default(), server_name);
            let Some(event) = row.event() else { continue };
            match events.entry(event.event_id.clone()) {
                Entry::Vacant(place) => drop(place.insert(*event)),
                Entry::Occupied(mut same) => same.get_mut().unite(*event),
            }
        }
        Ok(events.into_values().collect())
    }
}
