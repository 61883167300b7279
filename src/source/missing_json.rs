//! Rows of `event_json` that no index shows, as after a change of the collation that it is ordered by: found by their places.
//!
//! Reads the table from its first page to its last, some at a time, and is for whoever has been told that an index is damaged.

use super::database::Database;
use super::error::Error;
use super::statements;
use crate::event::Event;

impl Database {
    /// How many pages `event_json` has.
    pub async fn json_pages(&self) -> Result<i64, Error> {
        Ok(self.one(&statements::JSON_PAGES, &[]).await?.unwrap_or(0))
    }

    /// Looks through so many pages of `event_json` for rows of some events, and reads these.
    pub async fn look_for(&self, first: i64, pages: i64, ids: &[&str]) -> Result<Vec<Event>, Error> {
        let found = self.all(&statements::JSON_PLACES, &[&first, &pages, &ids]).await?;
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let (ids, places): (Vec<&str>, Vec<&str>) = found.iter().map(|row| (&*row.event_id, &*row.place)).unzip();
        self.events_of(statements::BY_PLACE, &[&ids, &places]).await
    }
}
