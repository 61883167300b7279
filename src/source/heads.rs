//! How far a server is: the newest ids of both streams, its clock, and how far its write-ahead log goes.
//!
//! Pure: compares what servers have told, asks none.

use super::statements::HeadsRow;
use crate::stream::{Position, Stream};

/// The newest ids of the server, and its clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heads {
    live: Option<i64>,
    backfill: Option<i64>,
    /// `received_ts` of the newest event, milliseconds since the epoch.
    pub received_ts: Option<i64>,
    /// How far the server's write-ahead log goes, in bytes; none where that cannot be told.
    pub(super) wal: Option<i64>,
}

impl From<HeadsRow> for Heads {
    fn from(row: HeadsRow) -> Heads {
        Heads { live: row.live, backfill: row.backfill, received_ts: row.received_ts, wal: None }
    }
}

impl Heads {
    /// What is known of a server by its write-ahead log alone.
    pub(super) fn of_log(wal: i64) -> Heads {
        Heads { wal: Some(wal), ..Heads::default() }
    }

    /// Whether the newest ids of both streams are the same.
    pub(super) fn have_the_ids_of(&self, other: &Heads) -> bool {
        (self.live, self.backfill) == (other.live, other.backfill)
    }

    /// Whether a server has everything that another one had: by their write-ahead logs, which a purge does not shorten, or
    /// where these cannot be read, by the newest ids of both streams.
    pub(super) fn reach(&self, other: &Heads) -> bool {
        if let (Some(own), Some(other)) = (self.wal, other.wal) {
            return other <= own;
        }
        // no id is above every id, as there is none that none is below
        other.live <= self.live && other.backfill.is_none_or(|other| self.backfill.is_some_and(|own| own <= other))
    }

    /// The same clock, with the newest positions no higher than these, in the order of [`Stream::ALL`]. They may be from
    /// another server, which this one is behind: what it does not have yet must not count as read.
    #[must_use]
    pub fn at(&self, heads: [Option<Position>; 2]) -> Heads {
        let [live, backfill] = heads;
        let id = |stream: Stream, head: Option<Position>| Some(stream.id(self.of(stream)?.min(head?)));
        Heads { live: id(Stream::Live, live), backfill: id(Stream::Backfill, backfill), ..*self }
    }

    /// The newest position of a stream, none while it is empty.
    #[must_use]
    pub fn of(&self, stream: Stream) -> Option<Position> {
        let id = match stream {
            Stream::Live => self.live,
            Stream::Backfill => self.backfill,
        };
        id.map(Stream::locate).and_then(|(own, position)| (own == stream).then_some(position))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(live: Option<i64>, backfill: Option<i64>) -> Heads {
        Heads { live, backfill, received_ts: None, wal: None }
    }

    #[test]
    fn a_server_takes_over_when_both_its_streams_have_come_as_far() {
        let first = heads(Some(10), Some(-5));
        for (here, may) in [
            (heads(Some(10), Some(-5)), true),
            (heads(Some(11), Some(-6)), true),
            (heads(Some(9), Some(-6)), false),
            (heads(Some(11), Some(-4)), false),
            (heads(Some(11), None), false),
            (heads(None, Some(-5)), false),
        ] {
            assert_eq!(here.reach(&first), may, "{here:?}");
        }
        let purged = Heads { wal: Some(1_001), ..heads(None, None) };
        assert!(purged.reach(&Heads { wal: Some(1_000), ..first }));
        assert!(!Heads { wal: Some(999), ..first }.reach(&Heads { wal: Some(1_000), ..first }));
        assert!(heads(None, None).reach(&heads(None, None)));
        assert!(heads(Some(1), Some(-1)).reach(&heads(None, None)));
    }

    #[test]
    fn no_head_is_above_what_the_server_has() {
        let here = heads(Some(10), Some(-5));
        let at = |live, backfill| {
            let heads = here.at([live, backfill].map(|position: Option<u64>| position.map(Position)));
            Stream::ALL.map(|stream| heads.of(stream).map(|head| head.0))
        };
        assert_eq!(at(Some(7), Some(2)), [Some(7), Some(2)]);
        assert_eq!(at(Some(12), Some(8)), [Some(10), Some(5)]);
        assert_eq!(at(None, Some(8)), [None, Some(5)]);
    }
}
