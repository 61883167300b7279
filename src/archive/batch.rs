//! What is made durable at once, and what became of it. Writes nothing.

use crate::event::{Damage, Event, EventId, OwnedEventId, OwnedRoomId, RoomId};
use crate::stream::{Gaps, Scope, Stream, Watermark};

/// An event, and whether it was found in a gap.
pub(super) type BatchEvent = (Box<Event>, bool);

/// How far one stream of one scope has come with a batch.
#[derive(Clone, Debug)]
pub struct Advance {
    /// What it is of.
    pub scope: Scope,
    /// Which stream.
    pub stream: Stream,
    /// The new watermark, if it moves.
    pub watermark: Option<Watermark>,
    /// The new gaps, if they change.
    pub gaps: Option<Gaps>,
}

/// Events and the progress that they are: durable together.
#[derive(Default)]
pub struct Batch {
    pub(super) events: Vec<BatchEvent>,
    /// Events without a row in `event_json`.
    pub(super) missing: Vec<BatchEvent>,
    /// Events that wait for one, and are gone.
    pub(super) gone: Vec<OwnedEventId>,
    pub(super) states: Vec<Event>,
    bytes: usize,
    pub(super) advances: Vec<Advance>,
    pub(super) caught_up: Vec<OwnedRoomId>,
}

impl Batch {
    /// Adds an event; `late`: it was found in a gap. One that has no row in `event_json` waits for it.
    pub fn push(&mut self, event: Box<Event>, late: bool) {
        self.bytes += event.size();
        let is_missing = event.damage == Some(Damage::Missing);
        if is_missing { &mut self.missing } else { &mut self.events }.push((event, late));
    }

    /// The same batch, in which no event waits for its PDU.
    pub(super) fn without_waiting(mut self) -> Batch {
        self.events.append(&mut self.missing);
        self
    }

    /// Says that an event which waits for its PDU is in the database no more.
    pub fn gone(&mut self, event: EventId<'_>) {
        self.gone.push(event.owned());
    }

    /// Adds an outlier that has no line but tells how a room or a member is named; one without its PDU tells nothing.
    pub fn push_state(&mut self, state: Event) {
        if state.damage != Some(Damage::Missing) {
            self.bytes += state.size();
            self.states.push(state);
        }
    }

    /// Says how far a stream has come with the events added so far.
    pub fn advance(&mut self, advance: Advance) {
        match self.advances.iter_mut().find(|a| (&a.scope, a.stream) == (&advance.scope, advance.stream)) {
            Some(known) => {
                known.watermark = advance.watermark.or(known.watermark.take());
                known.gaps = advance.gaps.or(known.gaps.take());
            }
            None => self.advances.push(advance),
        }
    }

    /// Says that the server's watermark covers this room again.
    pub fn caught_up(&mut self, room: RoomId<'_>) {
        self.caught_up.push(room.owned());
    }

    /// About how much memory its events take, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether there is nothing to commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let has_events = !(self.events.is_empty() && self.missing.is_empty() && self.states.is_empty());
        !has_events && self.gone.is_empty() && self.advances.is_empty() && self.caught_up.is_empty()
    }
}

/// What was archived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// New events of the live stream.
    pub live: u64,
    /// New events of the backfill stream.
    pub backfill: u64,
    /// Of these: found in a gap.
    pub late: u64,
    /// Of these: soft-failed.
    pub soft_failed: u64,
    /// Of these: rejected.
    pub rejected: u64,
    /// Of these: left behind by a purge.
    pub survivors: u64,
    /// Of these: pruned by Synapse before they were archived.
    pub censored: u64,
    /// Of these: without a readable PDU.
    pub damaged: u64,
    /// Of these: of rooms whose version is not known.
    pub versionless: u64,
    /// Read again, and archived before.
    pub known: u64,
    /// Not archived, as the database has no place in a stream for them.
    pub unplaced: u64,
    /// Events, new or not, of which the database has more than one row.
    pub duplicates: u64,
    /// Of these: archived without their PDU, which has taken its place.
    pub mended: u64,
    /// Events that waited for their PDU for a day, and are in the database no more.
    pub gone: u64,
}

impl Counts {
    /// All new events.
    #[must_use]
    pub fn new_events(&self) -> u64 {
        self.live + self.backfill
    }

    /// Whether something is off with what was read, which was named.
    #[must_use]
    pub fn are_off(&self) -> bool {
        self.damaged + self.unplaced + self.duplicates + self.gone > 0
    }

    /// Those of one event.
    pub(super) fn of(event: &Event) -> Counts {
        let mut counts = Counts::default();
        counts.add(event, false);
        counts
    }

    pub(super) fn add(&mut self, event: &Event, late: bool) {
        match event.stream() {
            Stream::Live => self.live += 1,
            Stream::Backfill => self.backfill += 1,
        }
        self.late += u64::from(late);
        self.soft_failed += u64::from(event.soft_failed);
        self.rejected += u64::from(event.rejected);
        self.survivors += u64::from(event.outlier);
        self.censored += u64::from(event.censored);
        self.damaged += u64::from(event.damage.is_some());
        self.versionless += u64::from(event.room_version.is_none());
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.live += other.live;
        self.backfill += other.backfill;
        self.late += other.late;
        self.soft_failed += other.soft_failed;
        self.rejected += other.rejected;
        self.survivors += other.survivors;
        self.censored += other.censored;
        self.damaged += other.damaged;
        self.versionless += other.versionless;
        self.known += other.known;
        self.unplaced += other.unplaced;
        self.duplicates += other.duplicates;
        self.mended += other.mended;
        self.gone += other.gone;
    }
}

impl std::ops::SubAssign for Counts {
    fn sub_assign(&mut self, other: Counts) {
        self.live -= other.live;
        self.backfill -= other.backfill;
        self.late -= other.late;
        self.soft_failed -= other.soft_failed;
        self.rejected -= other.rejected;
        self.survivors -= other.survivors;
        self.censored -= other.censored;
        self.damaged -= other.damaged;
        self.versionless -= other.versionless;
        self.known -= other.known;
        self.unplaced -= other.unplaced;
        self.duplicates -= other.duplicates;
        self.mended -= other.mended;
        self.gone -= other.gone;
    }
}

/// What a commit did.
#[derive(Debug, Default)]
pub struct Committed {
    /// In numbers.
    pub counts: Counts,
    /// Files that its run had not written to before.
    pub files: u64,
    /// The new events whose line holds no PDU, and why.
    pub damaged: Vec<(OwnedEventId, OwnedRoomId, Damage)>,
    /// The events of which the database has more than one row.
    pub duplicates: Vec<(OwnedEventId, OwnedRoomId)>,
    /// The events that were archived before with another stream ordering, which is named: if that is theirs still, they are
    /// duplicates too.
    pub elsewhere: Vec<(OwnedEventId, OwnedRoomId, i64)>,
    /// Events that waited for their PDU for a day, and are in the database no more.
    pub gone: Vec<(OwnedEventId, OwnedRoomId)>,
}

impl std::ops::AddAssign for Committed {
    fn add_assign(&mut self, other: Committed) {
        self.counts += other.counts;
        self.files += other.files;
        self.damaged.extend(other.damaged);
        self.duplicates.extend(other.duplicates);
        self.elsewhere.extend(other.elsewhere);
        self.gone.extend(other.gone);
    }
}

impl Committed {
    pub(super) fn add(&mut self, event: &Event, late: bool) {
        self.counts.add(event, late);
        if let Some(damage) = &event.damage {
            self.damaged.push((event.id().owned(), event.room().owned(), damage.clone()));
        }
    }
}
