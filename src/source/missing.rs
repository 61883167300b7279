//! Rows of `event_json` that no index shows, as after a change of the collation that it is ordered by: found by their places.

use super::{Database, Error, queries};
use crate::event::Event;

impl Database {
    /// How many pages `event_json` has.
    pub async fn json_pages(&self) -> Result<i64, Error> {
        Ok(self.one(&queries::JSON_PAGES, &[], |row| row.try_get(0)).await?.unwrap_or(0))
    }

    /// Looks through so many pages of `event_json` for rows of some events, and reads these.
    pub async fn look_for(&self, first: i64, pages: i64, ids: &[&str]) -> Result<Vec<Event>, Error> {
        let place = |row: &tokio_postgres::Row| Ok((row.try_get(0)?, row.try_get(1)?));
        let found: Vec<(String, String)> = self.all(&queries::JSON_PLACES, &[&first, &pages, &ids], place).await?;
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let (ids, places): (Vec<&str>, Vec<&str>) = found.iter().map(|(id, place)| (&**id, &**place)).unzip();
        self.events_of(queries::by_place(), &[&ids, &places]).await
    }
}
