//! A row of a page: which id of a stream it is, what has that id, and where the row stands among others.
//!
//! Pure. Decides what of a row an archive takes; whether it is new there is for the archive.

use crate::event::{Event, EventId, OwnedEventId, Stored};
use crate::source::lookups::Lookups;
use crate::source::statements::StoredRow;
use crate::stream::{Position, Stream};

/// One id of a stream.
#[derive(Debug)]
pub struct Row {
    /// Where in its stream.
    pub position: Position,
    /// Its id is that of its de-outliering.
    pub deoutliered: bool,
    /// When the server received it; none for a de-outliered event, whose time is that of its first coming.
    pub received_ts: Option<i64>,
    /// The event that has the id.
    pub holder: Holder,
}

/// What an id stands for.
#[derive(Debug)]
pub enum Holder {
    /// An event that has a line in the archive.
    Event(Box<Event>),
    /// An outlier that has none, but tells how the room or a member is named.
    OutlierState(Box<Event>),
    /// Nothing that an archive takes; its event id.
    Other(OwnedEventId),
}

impl Row {
    /// The id of the event.
    #[must_use]
    pub fn event_id(&self) -> EventId<'_> {
        match &self.holder {
            Holder::Event(event) | Holder::OutlierState(event) => event.id(),
            Holder::Other(event_id) => event_id.borrowed(),
        }
    }

    /// Takes in another row of the same event: the better text stays.
    pub(super) fn unite(&mut self, other: Row) {
        match (&mut self.holder, other.holder) {
            (Holder::Event(own) | Holder::OutlierState(own), Holder::Event(other) | Holder::OutlierState(other)) => {
                // what comes of a second row in `ex_outlier_stream` is no second row of the event
                if !self.deoutliered || own.line != other.line {
                    own.unite(*other);
                }
            }
            (own @ Holder::Other(_), other) => *own = other,
            (_, Holder::Other(_)) => {}
        }
    }

    /// The event, where it has a line in the archive.
    #[must_use]
    pub fn event(self) -> Option<Box<Event>> {
        match self.holder {
            Holder::Event(event) => Some(event),
            Holder::OutlierState(_) | Holder::Other(_) => None,
        }
    }
}

/// Where a row stands: in its stream, in its room, and by type and state key if it was asked for as state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PageKey {
    pub(super) id: i64,
    pub(super) topological_ordering: i64,
    pub(super) state: Option<(String, String)>,
}

impl PageKey {
    pub(super) fn at(id: i64) -> PageKey {
        PageKey { id, ..PageKey::default() }
    }

    /// Whether two rows stand at the same place, which a key that is unique leaves to one.
    pub(super) fn is_beside(&self, other: &PageKey) -> bool {
        self.state == other.state && (self.state.is_some() || self.id == other.id)
    }
}

/// Where a row of `stored.sql` stands, and what an export makes of it. A row without an id or a room is nothing that an archive
/// can take; `unplaced.sql` tells of those.
pub(in crate::source) fn row(stored: &StoredRow, lookups: &Lookups, server_name: &str) -> (PageKey, Row) {
    let id = stored.id.unwrap_or_default();
    let event_id = stored.event_id.unwrap_or(EventId::of(""));
    let topological_ordering = stored.topological_ordering.unwrap_or_default();
    // without a stream ordering: a de-outliered event that was purged since
    let event = match (stored.stream_ordering, stored.room_id) {
        (Some(stream_ordering), Some(room_id)) if stored.wanted == Some(true) && !event_id.is_empty() => {
            Some(Box::new(Event::from_stored(&Stored {
                event_id,
                room_id,
                kind: stored.kind.unwrap_or_default(),
                sender: stored.sender,
                state_key: stored.state_key,
                stream_ordering,
                topological_ordering,
                origin_server_ts: stored.origin_server_ts,
                received_ts: stored.received_ts,
                room_version: lookups.version(room_id).or(stored.room_version),
                outlier: stored.outlier == Some(true),
                rejected: lookups.is_rejected(event_id) || stored.rejected == Some(true),
                internal_metadata: stored.internal_metadata,
                json: stored.json,
                redacts: stored.redacts,
                recheck: stored.recheck,
            })))
        }
        _ => None,
    };
    let is_asked_for = stored.deoutliered.is_none();
    let is_timeline =
        |event: &Event| stored.timeline == Some(true) && (is_asked_for || event.is_timeline_of(server_name));
    let holder = match event {
        Some(event) if is_timeline(&event) => Holder::Event(event),
        Some(event) if event.is_state_of_outliers() => Holder::OutlierState(event),
        _ => Holder::Other(event_id.owned()),
    };
    let (_, position) = Stream::locate(id);
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let state = is_asked_for.then(|| (text(stored.kind), text(stored.state_key)));
    let deoutliered = stored.deoutliered == Some(true);
    let received_ts = stored.received_ts.filter(|_| !deoutliered);
    (PageKey { id, topological_ordering, state }, Row { position, deoutliered, received_ts, holder })
}
