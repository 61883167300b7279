//! The order in which a day is told. Decides nothing of what is told of an event.
//!
//! Events go by their times. But clocks differ: what the server received about when it was sent never stands before what the
//! room's own order, by topological ordering and then by stream, puts first. And nothing stands before an event that it names.

use std::collections::{HashMap, HashSet};
use std::ops::{ControlFlow, Range};

use rusqlite::{OptionalExtension as _, Row, Rows, params};

use super::super::Error;
use super::super::catalog::key;
use super::super::erased::redacted_by;
use super::Reader;
use super::events::{CatalogEvent, accepted, columns, of_line};
use crate::document::time;
use crate::event::RoomId;

/// Whether an event was received within a quarter of an hour of when it was sent.
macro_rules! live {
    () => {
        "coalesce(received_ts - origin_server_ts between -900000 and 900000, 0)"
    };
}
/// How many events wait at once for those that they name.
const MOST: usize = 100_000;

/// What is read of a day.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadOfDay<'a> {
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
    each(reader, room_id, day, between, ReadOfDay::Lines, &mut |_, event| take(event).map(ControlFlow::Continue))
        .map(drop)
}

/// The same with the numbers of their lines, until it is enough.
pub(super) fn each(
    reader: &Reader<'_>,
    room_id: &str,
    day: &str,
    between: &Range<i64>,
    read: ReadOfDay<'_>,
    take: TakeEvent<'_>,
) -> Result<ControlFlow<()>, Error> {
    let range = time::range(day);
    let between = range.start.max(between.start)..range.end.min(between.end);
    let with = match read {
        ReadOfDay::Lines => None,
        ReadOfDay::With(event_id) => Some(event_id),
    };
    let parameters = params![reader.room(room_id)?, day, between.start, between.end, with];
    let (mut live, mut others) = (reader.connection.prepare_cached(LIVE)?, reader.connection.prepare_cached(OTHERS)?);
    let of = DayRequest { reader, room_id, day, read };
    let mut live = Sorted::new(of, live.query(parameters)?, true)?;
    let mut others = Sorted::new(of, others.query(parameters)?, false)?;
    let mut told = DayProgress { of, between, last: None, last_live: None, waiting: Waiting::default(), take };
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

/// A part of a day: sorted by number, so that nothing is looked up for what is passed over. A damaged line that was read back has a
/// day, that of its file, but no time.
macro_rules! part {
    ($is_live:literal, $first:literal) => {
        concat!(
            "with ordered as materialized (
                 select line from line
                  where file = (select file from file where room = ?1 and day = ?2)
                    and (",
            accepted!(),
            " or event_id = ?5) and ?3 <= ?4
                    and (origin_server_ts is null or ?2 = 'undated' or origin_server_ts >= ?3 and origin_server_ts < ?4)
                    and ",
            live!(),
            " = ",
            $is_live,
            " order by ",
            $first,
            "topological_ordering, stream_ordering, event_id)
             select ",
            columns!(),
            ", line.line, line.stream_ordering from ordered cross join line using (line) cross join file using (file)
               left join relation on relation.line = line.line"
        )
    };
}

/// What is live of a day, in the room's own order.
const LIVE: &str = part!(1, "");
/// What is not, by time.
const OTHERS: &str = part!(0, "origin_server_ts, ");

/// What is read, and of which day.
#[derive(Clone, Copy)]
struct DayRequest<'r> {
    reader: &'r Reader<'r>,
    room_id: &'r str,
    day: &'r str,
    read: ReadOfDay<'r>,
}

impl DayRequest<'_> {
    fn event(self, row: &Row<'_>) -> Result<CatalogEvent, Error> {
        match self.read {
            ReadOfDay::Lines => CatalogEvent::of_day(self.reader, RoomId::of(self.room_id), self.day.to_owned(), row),
            ReadOfDay::With(_) => CatalogEvent::without_content(self.reader, self.day.to_owned(), row),
        }
    }
}

/// A part of a day, in order.
struct Sorted<'s> {
    of: DayRequest<'s>,
    rows: Rows<'s>,
    is_live: bool,
    /// The latest time of what was live so far: nothing behind it stands before it.
    latest: Option<i64>,
    next: Option<Next>,
}

/// An event and its place in the day.
struct Next {
    place: SortKey,
    line: i64,
    event: CatalogEvent,
}

/// By time, and where that is the same, or is held up, in the room's own order.
type SortKey = (Option<i64>, Own);

impl<'s> Sorted<'s> {
    fn new(of: DayRequest<'s>, rows: Rows<'s>, is_live: bool) -> Result<Sorted<'s>, Error> {
        let mut sorted = Sorted { of, rows, is_live, latest: None, next: None };
        sorted.take()?;
        Ok(sorted)
    }

    /// Takes the next event out.
    fn take(&mut self) -> Result<Option<Next>, Error> {
        let next = match self.rows.next()? {
            None => None,
            Some(row) => {
                let (line, event) = (row.get(15)?, self.of.event(row)?);
                let own = Own { depth: event.depth, stream: row.get(16)?, event_id: event.event_id.clone() };
                self.latest = if self.is_live { self.latest.max(event.at) } else { event.at };
                Some(Next { place: (self.latest, own), line, event })
            }
        };
        Ok(std::mem::replace(&mut self.next, next))
    }
}

/// Takes an event and the number of its line.
pub(super) type TakeEvent<'t> = &'t mut dyn FnMut(i64, CatalogEvent) -> Result<ControlFlow<()>, Error>;

/// A place in the room's own order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Own {
    depth: i64,
    stream: i64,
    event_id: String,
}

/// How far a day is told.
struct DayProgress<'r, 't> {
    of: DayRequest<'r>,
    between: Range<i64>,
    /// The last event that has come, with its place by time, and the last one that is live.
    last: Option<SortKey>,
    last_live: Option<Own>,
    waiting: Waiting,
    take: TakeEvent<'t>,
}

/// Events that wait for one that they name.
#[derive(Default)]
struct Waiting {
    /// By what they wait for, in order: the numbers of their lines.
    lines: HashMap<String, Vec<i64>>,
    event_ids: HashSet<String>,
}

impl DayProgress<'_, '_> {
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
        let sql = concat!(
            "select origin_server_ts, topological_ordering, stream_ordering, ",
            live!(),
            " from line indexed by line_id cross join file using (file)
              where id_key = ",
            key!("?1"),
            "   and event_id = ?1 and file.room = ?2 and day = ?3 and ",
            accepted!(),
            "   and (origin_server_ts is null or day = 'undated' or origin_server_ts >= ?4 and origin_server_ts < ?5)"
        );
        let DayRequest { reader, room_id, day, .. } = self.of;
        let mut look = reader.connection.prepare_cached(sql)?;
        let parameters = params![event_id, reader.room(room_id)?, day, self.between.start, self.between.end];
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
        of_line(self.of.reader, line, |row| self.of.event(row))
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
