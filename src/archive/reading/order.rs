//! The order in which a day is told. Decides nothing of what is told of an event.
//!
//! Events go by their times. But clocks differ: what the server received about when it was sent never stands before what the
//! room's own order, by topological ordering and then by stream, puts first. And nothing stands before an event that it names.

use std::collections::{HashMap, HashSet};
use std::ops::{ControlFlow, Range};

use rusqlite::{OptionalExtension as _, Rows, params};

use super::super::Error;
use super::super::catalog::key;
use super::Reader;
use super::events::{ACCEPTED, CatalogEvent, columns};
use crate::document::time;

/// Whether an event was received within a quarter of an hour of when it was sent.
const LIVE: &str = "coalesce(received_ts - origin_server_ts between -900000 and 900000, 0)";
/// How many events wait at once for those that they name.
const MOST: usize = 100_000;

/// What is read of a day.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Read<'a> {
    /// All of each event that clients saw.
    Lines,
    /// Nothing of the lines, and one event whether clients saw it or not.
    With(&'a str),
}

/// The events of a room's day, or of no day, in order.
pub(crate) fn each_of_day(
    reader: &Reader<'_>,
    room_id: &str,
    day: &str,
    between: &Range<i64>,
    take: &mut dyn FnMut(CatalogEvent) -> Result<(), Error>,
) -> Result<(), Error> {
    each(reader, room_id, day, between, Read::Lines, &mut |_, event| take(event).map(ControlFlow::Continue)).map(drop)
}

/// The same with the numbers of their lines, until it is enough.
pub(super) fn each(
    reader: &Reader<'_>,
    room_id: &str,
    day: &str,
    between: &Range<i64>,
    read: Read<'_>,
    take: Take<'_>,
) -> Result<ControlFlow<()>, Error> {
    let range = time::range(day);
    let between = range.start.max(between.start)..range.end.min(between.end);
    let (content, with) = match read {
        Read::Lines => (columns!("content(path, start, length)"), None),
        Read::With(event_id) => (columns!("null"), Some(event_id)),
    };
    let parameters = params![room_id, day, between.start, between.end, with];
    let of = |is_live: bool| reader.connection.prepare_cached(&sql(content, is_live));
    let (mut live, mut others) = (of(true)?, of(false)?);
    let mut live = Sorted::new(live.query(parameters)?, true)?;
    let mut others = Sorted::new(others.query(parameters)?, false)?;
    let mut told =
        Told { reader, room_id, day, between, content, last: None, last_live: None, waiting: Waiting::default(), take };
    loop {
        let is_live = match (&live.next, &others.next) {
            (None, None) => return told.rest(),
            (Some(live), Some(other)) => live.place < other.place,
            (live, _) => live.is_some(),
        };
        let Some(Next { place, line, event }) = (if is_live { live.take()? } else { others.take()? }) else { continue };
        if is_live {
            told.last_live = Some(place.1.clone());
        }
        told.last = Some(place);
        if told.come(line, event)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
}

/// What is live of a day in the room's own order, or what is not, by time.
fn sql(content: &str, is_live: bool) -> String {
    let order = if is_live { "" } else { "origin_server_ts, " };
    // sorted by number, so that nothing is looked up for what is passed over; a damaged line that was read back has a day, that of
    // its file, but no time
    format!(
        "with ordered as materialized (
             select line from line
              where file = (select file from file where room = (select room from room where room_id = ?1) and day = ?2)
                and ({ACCEPTED} or event_id = ?5) and ?3 <= ?4
                and (origin_server_ts is null or ?2 = 'undated' or origin_server_ts >= ?3 and origin_server_ts < ?4)
                and {LIVE} = {}
              order by {order}topological_ordering, stream_ordering, event_id)
         select {content}, line, stream_ordering from ordered cross join event using (line)",
        u8::from(is_live)
    )
}

/// A part of a day, in order.
struct Sorted<'s> {
    rows: Rows<'s>,
    is_live: bool,
    /// The latest time of what was live so far: nothing behind it stands before it.
    latest: Option<i64>,
    next: Option<Next>,
}

/// An event and its place in the day.
struct Next {
    place: Place,
    line: i64,
    event: CatalogEvent,
}

/// By time, and where that is the same, or is held up, in the room's own order.
type Place = (Option<i64>, Own);

impl<'s> Sorted<'s> {
    fn new(rows: Rows<'s>, is_live: bool) -> Result<Sorted<'s>, Error> {
        let mut sorted = Sorted { rows, is_live, latest: None, next: None };
        sorted.take()?;
        Ok(sorted)
    }

    /// Takes the next event out.
    fn take(&mut self) -> Result<Option<Next>, Error> {
        let next = match self.rows.next()? {
            None => None,
            Some(row) => {
                let (line, event) = (row.get(14)?, CatalogEvent::read(row)?);
                let own = Own { depth: event.depth, stream: row.get(15)?, event_id: event.event_id.clone() };
                self.latest = if self.is_live { self.latest.max(event.at) } else { event.at };
                Some(Next { place: (self.latest, own), line, event })
            }
        };
        Ok(std::mem::replace(&mut self.next, next))
    }
}

/// Takes an event and the number of its line.
pub(super) type Take<'t> = &'t mut dyn FnMut(i64, CatalogEvent) -> Result<ControlFlow<()>, Error>;

/// A place in the room's own order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Own {
    depth: i64,
    stream: i64,
    event_id: String,
}

/// How far a day is told.
struct Told<'r, 't> {
    reader: &'r Reader<'r>,
    room_id: &'r str,
    day: &'r str,
    between: Range<i64>,
    content: &'static str,
    /// The last event that has come, with its place by time, and the last one that is live.
    last: Option<Place>,
    last_live: Option<Own>,
    waiting: Waiting,
    take: Take<'t>,
}

/// Events that wait for one that they name.
#[derive(Default)]
struct Waiting {
    /// By what they wait for, in order: the numbers of their lines.
    lines: HashMap<String, Vec<i64>>,
    event_ids: HashSet<String>,
}

impl Told<'_, '_> {
    /// Tells an event whose turn it is, and what has waited for it, or lets it wait.
    fn come(&mut self, line: i64, event: CatalogEvent) -> Result<ControlFlow<()>, Error> {
        let mut next = vec![(line, event)];
        while let Some((line, event)) = next.pop() {
            if let Some(awaited) = self.awaited(&event)? {
                self.waiting.event_ids.insert(event.event_id);
                self.waiting.lines.entry(awaited).or_default().push(line);
                continue;
            }
            self.waiting.event_ids.remove(&event.event_id);
            let lines = self.waiting.lines.remove(&event.event_id).unwrap_or_default();
            if (self.take)(line, event)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            for line in lines.into_iter().rev() {
                next.push((line, self.read(line)?));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// What an event names that is still to be told.
    fn awaited(&self, event: &CatalogEvent) -> Result<Option<String>, Error> {
        if self.waiting.event_ids.len() >= MOST {
            return Ok(None);
        }
        for named in [&event.relates_to, &event.replies_to, &event.redacts].into_iter().flatten() {
            if *named != event.event_id && (self.waiting.event_ids.contains(named) || self.is_to_come(named)?) {
                return Ok(Some(named.clone()));
            }
        }
        Ok(None)
    }

    /// Whether an event is of this day, and its turn has not come.
    fn is_to_come(&self, event_id: &str) -> Result<bool, Error> {
        let sql = format!(
            "select origin_server_ts, topological_ordering, stream_ordering, {LIVE} from event
              where id_key = {} and event_id = ?1 and +room_id = ?2 and +day = ?3 and {ACCEPTED}
                and (origin_server_ts is null or day = 'undated' or origin_server_ts >= ?4 and origin_server_ts < ?5)",
            key!("?1")
        );
        let mut look = self.reader.connection.prepare_cached(&sql)?;
        let parameters = params![event_id, self.room_id, self.day, self.between.start, self.between.end];
        let found = look.query_row(parameters, |row| {
            let own = Own { depth: row.get(1)?, stream: row.get(2)?, event_id: event_id.to_owned() };
            Ok((row.get::<_, Option<i64>>(0)?, own, row.get::<_, bool>(3)?))
        });
        Ok(match found.optional()? {
            None => false,
            Some((_, own, true)) => Some(own) > self.last_live,
            Some((at, own, false)) => Some((at, own)) > self.last,
        })
    }

    fn read(&self, line: i64) -> Result<CatalogEvent, Error> {
        let sql = format!("select {} from event where line = ?1", self.content);
        Ok(self.reader.connection.prepare_cached(&sql)?.query_row([line], CatalogEvent::read)?)
    }

    /// Tells what waits in vain, as where events name one another in turn.
    fn rest(&mut self) -> Result<ControlFlow<()>, Error> {
        let mut rest = Vec::new();
        for line in std::mem::take(&mut self.waiting).lines.into_values().flatten() {
            rest.push((self.read(line)?.event_id, line));
        }
        rest.sort_unstable();
        for (_, line) in rest {
            let event = self.read(line)?;
            if (self.take)(line, event)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}
