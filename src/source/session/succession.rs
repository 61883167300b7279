//! Which server may take over when a connection is lost in the middle of a run: a standby that was asked next, one that
//! was promoted, the same one after a crash.
//!
//! An export reads up to the newest ids that it found when it began, takes an id that is missing among old ones for one
//! that will never come, and an id that it has passed for read (see [`crate::stream`]). On the server where it began that is
//! sound. Another server may lack ids for other reasons:
//!
//! - **It is behind**: a standby that has not replayed yet what the first had. The watermark would pass ids that are merely
//!   not there yet. Those with young neighbours would become gaps, and later runs would find them; but the others would be
//!   given up, since how young is measured by the clock of the first server, and this one may be days behind it. So a server
//!   may take over only when it has replayed the write-ahead log as far as the first had it when the run began. What may still
//!   be missing below the newest ids of then is what commits late, within [`crate::stream::GAP_LIFETIME`], as on any one server.
//!   Where the log's position cannot be read, it must have ids as new as the first had.
//! - **It has another past**: it was promoted before the last transactions had come to it, or lost them in a crash, and gives
//!   their ids to new events, which then stand below what this run has read. Ids are given in order: so if the last event
//!   that was read still has its id there, no id below it was given anew. If another event has it, the server is turned
//!   away. That the event is gone is fine, as it is at the beginning of a run: purges do that.
//!
//! A run that *begins* on a server which is behind the one of the run before needs none of this: it reads up to that server's
//! own newest ids, with that server's own clock, and moves no watermark beyond.

use deadpool_postgres::{ClientWrapper, HookError};
use tokio_postgres::error::SqlState;

use super::super::queries::{ANCHOR, HEADS, LOG_POSITION};
use super::{Heads, bounded};
use crate::stream::Stream;

/// Why a server is turned away for now.
pub(super) const BEHIND: &str = "it is behind the server that this run began with";
/// Why a server is turned away for good.
pub(super) const OTHER_PAST: &str = "it has another past than the server that this run began with: ids that were read there belong to other events here. Find out which of the two is right; the next export checks again";

/// What a server must have to take over.
#[derive(Clone, Default)]
pub(super) struct Succession {
    heads: Option<Heads>,
    read: Option<(i64, String)>,
}

impl Succession {
    /// The newest ids of the run that begins now; none until they are known.
    pub(super) fn began_at(&mut self, heads: Option<Heads>) {
        *self = Succession { heads, read: None };
    }

    /// An event that was read, and its id. That which is furthest along its stream is kept.
    pub(super) fn has_read(&mut self, id: i64, event_id: &str) {
        let is_further = |before: i64| {
            let ((stream, position), (of, at)) = (Stream::locate(before), Stream::locate(id));
            stream != of || position < at
        };
        if self.read.as_ref().is_none_or(|(before, _)| is_further(*before)) {
            self.read = Some((id, event_id.to_owned()));
        }
    }

    /// Turns away a server that may not take over.
    pub(super) async fn admit(&self, client: &ClientWrapper) -> Result<(), HookError> {
        let Some(first) = &self.heads else { return Ok(()) };
        // what it has, it has from here on: a standby goes forward only
        let rows = bounded::rows(client, &HEADS.sql, &[]).await?.map_err(HookError::Backend)?;
        let mut here = rows.first().map(Heads::from_row).transpose().map_err(HookError::Backend)?.unwrap_or_default();
        here.wal = match bounded::rows(client, &LOG_POSITION.sql, &[]).await? {
            Ok(rows) => rows.first().and_then(|row| row.try_get(0).ok()),
            Err(error) if error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED) => None,
            Err(error) => return Err(HookError::Backend(error)),
        };
        if !here.reach(first) {
            return Err(HookError::message(BEHIND));
        }
        let Some((id, event_id)) = &self.read else { return Ok(()) };
        let rows = bounded::rows(client, &ANCHOR.sql, &[id]).await?.map_err(HookError::Backend)?;
        let here = rows.iter().map(|row| row.try_get::<_, &str>(0));
        if here.into_iter().any(|here| here.is_ok_and(|here| here != event_id)) {
            return Err(HookError::message(OTHER_PAST));
        }
        Ok(())
    }
}
