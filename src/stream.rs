//! The two streams in which Synapse numbers events, and how far along them an export has come.
//!
//! Pure: no database, no file, no clock. The only code that knows that backfilled events have negative ids; everything
//! else counts positions, which grow in both streams.

use std::collections::BTreeMap;
use std::fmt;

use crate::ids::{OwnedRoomId, RoomId};

/// A gap whose neighbours are older than this, by the database's own clock, is dead: no transaction lives that long.
/// Milliseconds.
pub const GAP_LIFETIME: i64 = 24 * 60 * 60 * 1000;

/// The most ranges that [`Gaps`] remembers; beyond it the closest ones are joined.
pub const MAX_GAPS: usize = 10_000;

/// One of the two sequences from which Synapse takes `stream_ordering`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// New events: ids from `events_stream_seq`, growing.
    Live,
    /// Backfilled history: ids from `events_backfill_stream_seq`, stored negated, growing downward.
    Backfill,
}

/// How far along a stream: the magnitude of a stream id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

/// What a watermark and its gaps are of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// The whole server: all rooms, by position.
    Server,
    /// One room, by its id, at the cost of that room.
    Room(OwnedRoomId),
}

impl Scope {
    /// The room's id; none for the server.
    #[must_use]
    pub fn room(&self) -> Option<RoomId<'_>> {
        match self {
            Scope::Server => None,
            Scope::Room(room) => Some(room.borrowed()),
        }
    }

    /// How an archive's catalog writes it: the room's id, or an empty text for the server.
    #[must_use]
    pub fn key(&self) -> &str {
        self.room().map_or("", RoomId::as_str)
    }

    /// The scope that a catalog writes so.
    #[must_use]
    pub fn of_key(key: &str) -> Scope {
        if key.is_empty() { Scope::Server } else { Scope::Room(RoomId::of(key).owned()) }
    }
}

impl Stream {
    /// Both streams, in the order in which they are exported.
    pub const ALL: [Stream; 2] = [Stream::Live, Stream::Backfill];

    /// The stream's name in the catalog and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Stream::Live => "live",
            Stream::Backfill => "backfill",
        }
    }

    /// The stream that an id belongs to, and its position there.
    #[must_use]
    pub const fn locate(id: i64) -> (Stream, Position) {
        (if id < 0 { Stream::Backfill } else { Stream::Live }, Position(id.unsigned_abs()))
    }

    /// The id of a position.
    #[must_use]
    pub const fn id(self, position: Position) -> i64 {
        match self {
            Stream::Live => 0i64.saturating_add_unsigned(position.0),
            Stream::Backfill => 0i64.saturating_sub_unsigned(position.0),
        }
    }

    /// The id after which a stream goes on from `watermark`; without one, the id before its first.
    #[must_use]
    pub const fn after(self, watermark: Option<Position>) -> i64 {
        match (watermark, self) {
            (Some(position), _) => self.id(position),
            (None, Stream::Live) => -1,
            (None, Stream::Backfill) => 0,
        }
    }

    /// The lowest and the highest id of a range of positions.
    #[must_use]
    pub fn ids(self, first: Position, last: Position) -> (i64, i64) {
        let (a, b) = (self.id(first), self.id(last));
        (a.min(b), a.max(b))
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Position {
    const fn next(self) -> Position {
        Position(self.0.saturating_add(1))
    }

    const fn previous(self) -> Position {
        Position(self.0.saturating_sub(1))
    }
}

/// Up to where everything visible of a stream is archived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watermark {
    /// The position reached.
    pub position: Position,
    /// The newest position that was seen taken, and the event that had it. Should another event have it one day, the
    /// server was restored from a backup or has failed over, and gives old ids to new events.
    pub anchor: Option<(Position, String)>,
}

/// A range of ids below the watermark that were not visible and may still appear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The first missing position.
    pub first: Position,
    /// The last missing position.
    pub last: Position,
    /// The younger neighbour's `received_ts`: milliseconds since the epoch.
    pub clock: i64,
}

/// The gaps of one stream, at most [`MAX_GAPS`] of them, apart from each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// first → (last, clock)
    ranges: BTreeMap<Position, (Position, i64)>,
}

impl FromIterator<Gap> for Gaps {
    fn from_iter<T: IntoIterator<Item = Gap>>(gaps: T) -> Self {
        Gaps { ranges: gaps.into_iter().map(|g| (g.first, (g.last, g.clock))).collect() }
    }
}

impl Gaps {
    /// The gaps, in order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Gap> {
        self.ranges.iter().map(|(&first, &(last, clock))| Gap { first, last, clock })
    }

    /// Whether nothing is missing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether a position is missing.
    #[must_use]
    pub fn has(&self, position: Position) -> bool {
        self.ranges.range(..=position).next_back().is_some_and(|(_, &(last, _))| position <= last)
    }

    /// Remembers a range that no other gap touches.
    pub fn add(&mut self, gap: Gap) {
        self.ranges.insert(gap.first, (gap.last, gap.clock));
        if self.ranges.len() > MAX_GAPS {
            self.join_closest(MAX_GAPS / 2);
        }
    }

    /// Takes out a position that has turned up. True: it was missing.
    pub fn fill(&mut self, position: Position) -> bool {
        let Some((&first, &(last, clock))) = self.ranges.range(..=position).next_back() else { return false };
        if position > last {
            return false;
        }
        self.ranges.remove(&first);
        if first < position {
            self.ranges.insert(first, (position.previous(), clock));
        }
        if position < last {
            self.add(Gap { first: position.next(), last, clock });
        }
        true
    }

    /// Drops the gaps that are dead when the database's newest event is of `newest` (milliseconds since the epoch).
    pub fn expire(&mut self, newest: Option<i64>) {
        if let Some(newest) = newest {
            self.ranges.retain(|_, &mut (_, clock)| is_young(clock, newest));
        }
    }

    /// Joins neighbours, closest first, until `keep` ranges are left. What lies between them is then probed too: it costs
    /// reading it again, never an event.
    fn join_closest(&mut self, keep: usize) {
        let gaps: Vec<Gap> = self.iter().collect();
        let distance = |i: usize| gaps[i].first.0 - gaps[i - 1].last.0;
        let mut order: Vec<usize> = (1..gaps.len()).collect();
        order.sort_by_key(|&i| distance(i));
        let mut joined = vec![false; gaps.len()];
        for &i in order.iter().take(gaps.len().saturating_sub(keep)) {
            joined[i] = true;
        }
        let mut merged: Vec<Gap> = Vec::with_capacity(keep);
        for (gap, joined) in gaps.into_iter().zip(joined) {
            match merged.last_mut() {
                Some(before) if joined => {
                    before.last = gap.last;
                    before.clock = before.clock.max(gap.clock);
                }
                _ => merged.push(gap),
            }
        }
        *self = merged.into_iter().collect();
    }
}

fn is_young(clock: i64, newest: i64) -> bool {
    clock >= newest.saturating_sub(GAP_LIFETIME)
}

/// Walks up a stream and notes in [`Gaps`] what is missing between the rows it is shown.
#[derive(Debug)]
pub struct Walk {
    at: Option<Position>,
    /// `received_ts` of the last row that had one.
    below: i64,
    newest: Option<i64>,
    /// Ranges whose upper neighbour's time is not known yet.
    waiting: Vec<(Position, Position)>,
}

impl Walk {
    /// Starts above `watermark`; `newest` is the `received_ts` of the database's newest event, which is its clock.
    #[must_use]
    pub fn new(watermark: Option<Position>, newest: Option<i64>) -> Self {
        // nothing is known of the row at the watermark: take it as young; below the first row there is none
        let below = if watermark.is_some() { i64::MAX } else { i64::MIN };
        Walk { at: watermark, below, newest, waiting: Vec::new() }
    }

    /// Steps to the next row of the stream. A de-outliered row's `received_ts` is that of its first coming, so it must be
    /// shown with none: the time of the rows around it counts.
    pub fn step(&mut self, position: Position, received_ts: Option<i64>, gaps: &mut Gaps) {
        if let Some(missing) = self.missing_before(position) {
            self.waiting.push(missing);
        }
        self.at = Some(self.at.map_or(position, |at| at.max(position)));
        if let Some(received_ts) = received_ts {
            self.settle(received_ts, gaps);
            self.below = received_ts;
        }
    }

    /// Ends the walk, or a stretch of it, at `end`: what is missing up to there counts as young.
    pub fn rest(&mut self, end: Position, gaps: &mut Gaps) {
        if let Some(missing) = self.missing_before(end.next()) {
            self.waiting.push(missing);
            self.at = Some(end);
        }
        self.settle(i64::MAX, gaps);
    }

    fn missing_before(&self, position: Position) -> Option<(Position, Position)> {
        let first = self.at.map_or(Position(1), Position::next);
        (first < position).then(|| (first, position.previous()))
    }

    fn settle(&mut self, above: i64, gaps: &mut Gaps) {
        let newest = self.newest.unwrap_or(i64::MAX);
        let clock = self.below.max(above).min(newest);
        for (first, last) in self.waiting.drain(..) {
            if self.newest.is_none() || is_young(clock, newest) {
                gaps.add(Gap { first, last, clock });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;
    const OLD: i64 = NOW - GAP_LIFETIME - 1;

    fn walked(watermark: Option<u64>, rows: &[(u64, Option<i64>)], end: u64) -> Vec<(u64, u64)> {
        let (mut walk, mut gaps) = (Walk::new(watermark.map(Position), Some(NOW)), Gaps::default());
        for &(position, received_ts) in rows {
            walk.step(Position(position), received_ts, &mut gaps);
        }
        walk.rest(Position(end), &mut gaps);
        gaps.iter().map(|g| (g.first.0, g.last.0)).collect()
    }

    #[test]
    fn positions_grow_in_both_streams() {
        for id in [0, 1, -1, 77, -77, i64::MAX, i64::MIN] {
            let (stream, position) = Stream::locate(id);
            assert_eq!(stream.id(position), id);
        }
        assert_eq!(Stream::Live.after(None), -1);
        assert_eq!(Stream::Backfill.after(None), 0);
        assert_eq!(Stream::Backfill.ids(Position(3), Position(9)), (-9, -3));
    }

    #[test]
    fn missing_ids_with_a_young_neighbour_are_remembered() {
        assert_eq!(
            walked(None, &[(2, Some(OLD)), (4, Some(OLD)), (6, Some(NOW)), (9, Some(NOW))], 9),
            [(5, 5), (7, 8)]
        );
        assert_eq!(walked(None, &[(3, Some(NOW))], 3), [(1, 2)]);
        assert_eq!(walked(None, &[(3, Some(OLD))], 3), []);
    }

    #[test]
    fn above_a_watermark_the_row_below_counts_as_young() {
        assert_eq!(walked(Some(5), &[(8, Some(OLD)), (10, Some(OLD))], 10), [(6, 7)]);
    }

    #[test]
    fn a_de_outliered_row_takes_the_time_of_the_rows_around_it() {
        assert_eq!(walked(None, &[(1, Some(OLD)), (3, None), (5, Some(NOW))], 5), [(2, 2), (4, 4)]);
        assert_eq!(walked(None, &[(1, Some(OLD)), (3, None), (5, Some(OLD))], 5), []);
        assert_eq!(walked(None, &[(1, Some(OLD)), (3, None)], 3), [(2, 2)]);
    }

    #[test]
    fn ids_above_the_last_row_are_missing_too() {
        assert_eq!(walked(None, &[(1, Some(OLD))], 4), [(2, 4)]);
        assert_eq!(walked(Some(4), &[], 4), []);
        assert_eq!(walked(None, &[], 0), []);
    }

    #[test]
    fn what_turns_up_leaves_the_gap_and_what_is_old_is_dropped() {
        let mut gaps: Gaps = [
            Gap { first: Position(2), last: Position(5), clock: NOW },
            Gap { first: Position(8), last: Position(8), clock: OLD },
        ]
        .into_iter()
        .collect();
        for position in [1, 3, 5, 6, 9] {
            gaps.fill(Position(position));
        }
        gaps.expire(None);
        assert_eq!(gaps.iter().map(|g| (g.first.0, g.last.0)).collect::<Vec<_>>(), [(2, 2), (4, 4), (8, 8)]);
        gaps.expire(Some(NOW));
        assert_eq!(gaps.iter().map(|g| (g.first.0, g.last.0)).collect::<Vec<_>>(), [(2, 2), (4, 4)]);
    }

    #[test]
    fn millions_of_holes_stay_few_ranges_and_none_is_forgotten() {
        let (mut walk, mut gaps) = (Walk::new(None, Some(NOW)), Gaps::default());
        let present: Vec<u64> = (1..100_000).map(|i| i * 7 + (i % 3)).collect();
        for &position in &present {
            walk.step(Position(position), Some(NOW), &mut gaps);
        }
        assert!(gaps.iter().len() <= MAX_GAPS);
        let mut covered = gaps.iter().flat_map(|g| g.first.0..=g.last.0).peekable();
        let present: std::collections::HashSet<u64> = present.into_iter().collect();
        for position in (1..99_999 * 7).filter(|p| !present.contains(p)) {
            while covered.next_if(|&c| c < position).is_some() {}
            assert_eq!(covered.peek(), Some(&position));
        }
    }
}
