//! Which server may take over in the middle of a run: when a connection is lost, a standby that was asked next, one that was
//! promoted, the same one after a crash; behind a balancing pooler any server at any transaction. So each transaction asks.
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

use futures_util::future::join;
use tokio_postgres::Client;

use super::typed::typed;
use crate::source::heads::Heads;
use crate::source::statements::{ANCHOR, HEADS, LOG_POSITION};
use crate::stream::Stream;

/// Why a server is turned away for now.
pub(super) const BEHIND: &str = "it is behind the server that this run began with";
/// Why a server is turned away for good.
pub(super) const OTHER_PAST: &str = "it has another past than the server that this run began with: ids that were read there belong to other events here. Find out which of the two is right; the next export checks again";

/// What a server must have to take over.
#[derive(Clone, Default)]
pub(super) struct Failover {
    heads: Option<Heads>,
    read: Option<(i64, String)>,
}

impl Failover {
    /// The newest ids of the run that begins now; none until they are known.
    pub(super) fn began_at(&mut self, heads: Option<Heads>) {
        *self = Failover { heads, read: None };
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

    /// Asks a server for what tells whether it may take over: how far its log goes (`by_log`), or else its newest ids. None
    /// when each server may. What it has, it has from here on: a standby goes forward only.
    pub(super) async fn ask(
        &self,
        client: &Client,
        by_log: bool,
    ) -> Result<Option<ServerProgress>, tokio_postgres::Error> {
        let Some(first) = &self.heads else { return Ok(None) };
        let by_log = by_log && first.wal.is_some();
        let question = if by_log { LOG_POSITION.statement } else { HEADS.statement };
        let position = typed(client, &question, &[]);
        let anchor = async {
            let Some((id, _)) = &self.read else { return Ok(Vec::new()) };
            typed(client, &ANCHOR.statement, &[id]).await
        };
        let (position, anchor) = join(position, anchor).await;
        let position = position?;
        let heads = match position.first() {
            Some(row) if by_log => LOG_POSITION.read(row)?.map(Heads::of_log),
            row => Some(row.map(|row| HEADS.read(row)).transpose()?.map(Heads::from).unwrap_or_default()),
        };
        let events = anchor?.iter().map(|row| Ok(ANCHOR.read(row)?.unwrap_or_default())).collect::<Result<_, _>>()?;
        Ok(Some(ServerProgress { heads, events }))
    }

    /// Why a server that told this is turned away, if it is.
    pub(super) fn turns_away(&self, here: &ServerProgress) -> Option<&'static str> {
        let (Some(first), Some(heads)) = (&self.heads, &here.heads) else { return None };
        if !heads.reach(first) {
            return Some(BEHIND);
        }
        let (_, event_id) = self.read.as_ref()?;
        // under a broken index an id may belong to several
        (!here.events.is_empty() && !here.events.contains(event_id)).then_some(OTHER_PAST)
    }
}

/// What a server tells of itself.
pub(super) struct ServerProgress {
    /// How far it has come; none: its log tells nothing.
    pub(super) heads: Option<Heads>,
    /// Who has the id of the last event that was read.
    events: Vec<String>,
}
