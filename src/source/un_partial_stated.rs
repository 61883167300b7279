//! Events that Synapse has judged anew when it had all of their room's state (`un_partial_stated_event_stream`).
//!
//! Tells which they are; what they are judged to be is read with the events.

use super::database::Database;
use super::error::Error;
use super::{schema, statements};
use crate::event::OwnedEventId;

impl Database {
    /// How far it goes what [`Database::un_partial_stated`] tells; 0 where it tells nothing, or may not be read.
    pub async fn un_partial_stated_head(&self) -> Result<i64, Error> {
        if self.schema.check(&[schema::UN_PARTIAL_STATED]).is_err() {
            return Ok(0);
        }
        Ok(self.one(&statements::UN_PARTIAL_STATED_HEAD, &[]).await?.flatten().unwrap_or(0))
    }

    /// Events that Synapse first judged by a part of their room's state, as it does after a faster join, and has rejected, or
    /// accepted again, when it had all of it: the next ones after an id of its `un_partial_stated_event_stream`, with their ids
    /// there.
    pub async fn un_partial_stated(&self, after: i64, limit: u32) -> Result<Vec<(i64, OwnedEventId)>, Error> {
        let limit = i64::from(limit);
        let events = self.all(&statements::UN_PARTIAL_STATED, &[&after, &limit]).await?;
        Ok(events.into_iter().map(|row| (row.stream_id, row.event_id)).collect())
    }
}
