//! Which events Synapse has judged anew.

use super::{Database, Error, queries, schema};

impl Database {
    /// How far it goes what [`Database::rejudged`] tells; 0 where it tells nothing, or may not be read.
    pub async fn rejudged_head(&self) -> Result<i64, Error> {
        if self.schema.check(&[schema::REJUDGED]).is_err() {
            return Ok(0);
        }
        Ok(self.one(&queries::REJUDGED_HEAD, &[], |row| row.try_get(0)).await?.flatten().unwrap_or(0))
    }

    /// Events that Synapse first judged by a part of their room's state, as it does after a faster join, and has rejected, or
    /// accepted again, when it had all of it: the next ones after an id of its `un_partial_stated_event_stream`, with their ids
    /// there.
    pub async fn rejudged(&self, after: i64, limit: u32) -> Result<Vec<(i64, String)>, Error> {
        let limit = i64::from(limit);
        self.all(&queries::REJUDGED, &[&after, &limit], |row| Ok((row.try_get(0)?, row.try_get(1)?))).await
    }
}
