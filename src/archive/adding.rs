//! Adds events to the catalog, many in a row: remembers the numbers of what they name, and holds its statements ready. Looks no event
//! up, and no file of lines.

use std::collections::HashMap;
use std::hash::Hash;

use foldhash::fast::RandomState;
use rusqlite::{CachedStatement, params};

use super::Error;
use super::writing::{Writing, signed};
use crate::event::{Event, EventId, OwnedRoomId, OwnedUserId, Word};
use crate::search::said;

const LINE: &str = "
    insert into line (event_id, file, start, length, stream_ordering, topological_ordering, type, state_key, sender,
           origin_server_ts, received_ts, redacted_by, censored, soft_failed, rejected, outlier, damaged, erased, run)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)";

/// Adds events to the catalog.
pub(super) struct Adding<'w> {
    writing: &'w Writing<'w>,
    line: CachedStatement<'w>,
    relating: Relating<'w>,
    users: MetNumbers<OwnedUserId>,
    types: MetNumbers<Word>,
    /// Rooms whose version is known.
    rooms: MetNumbers<OwnedRoomId>,
    /// The number of the next new file.
    next_file: i64,
    run: i64,
    indexed: bool,
}

impl<'w> Adding<'w> {
    /// Adds as a part of `run` to a catalog that is `indexed` yet or not.
    pub(super) fn new(writing: &'w Writing<'w>, run: i64, indexed: bool) -> Result<Self, Error> {
        let next_file = writing.0.query_row("select coalesce(max(file), 0) + 1 from file", [], |row| row.get(0))?;
        let (line, relating) = (writing.0.prepare_cached(LINE)?, Relating::new(writing)?);
        let (users, types, rooms) = (MetNumbers::default(), MetNumbers::default(), MetNumbers::default());
        Ok(Adding { writing, line, relating, users, types, rooms, next_file, run, indexed })
    }

    /// The number that the next new file will have.
    pub(super) fn next_file(&self) -> i64 {
        self.next_file
    }

    /// Adds an event that the archive does not have, whose line begins at `start` in a file. `redacted_by`: a redaction that
    /// is in effect, if it is known already. The number of its line.
    pub(super) fn add(
        &mut self,
        event: &Event,
        file: i64,
        start: u64,
        redacted_by: Option<EventId<'_>>,
    ) -> Result<i64, Error> {
        let writing = self.writing;
        let kind = event.kind.as_ref().map(|kind| self.types.of(kind, |kind| writing.type_of(kind))).transpose()?;
        let sender = event.sender.as_ref().map(|user| self.users.of(user, |user| writing.user(user))).transpose()?;
        let line = self.line.insert(params![
            event.event_id,
            file,
            signed(start),
            signed(event.line.len() as u64),
            event.stream_ordering,
            event.topological_ordering,
            kind,
            event.state_key,
            sender,
            event.origin_server_ts,
            event.received_ts,
            redacted_by,
            event.censored,
            event.soft_failed,
            event.rejected,
            event.outlier,
            event.damage.is_some(),
            event.is_erased(),
            self.run,
        ])?;
        let rel_type =
            event.rel_type.as_ref().map(|name| self.types.of(name, |name| writing.type_of(name))).transpose()?;
        self.relating.relate(line, event, rel_type)?;
        writing.stick(event)?;
        if event.is_beyond_line {
            writing.beyond_line(event.id())?;
        }
        if event.is_accepted() {
            writing.add_name(event, self.indexed)?;
        }
        Ok(line)
    }

    /// Records a file of lines that is new, with the number that [`Adding::next_file`] told; `event`: one of its room.
    pub(super) fn new_file(&mut self, day: &str, bytes: u64, events: u64, event: &Event) -> Result<i64, Error> {
        let (room, file) = (self.room(event)?, self.next_file);
        let sql = "insert into file (file, room, day, bytes, events, run) values (?1, ?2, ?3, ?4, ?5, ?6)";
        let values = params![file, room, day, signed(bytes), signed(events), self.run];
        self.writing.0.prepare_cached(sql)?.execute(values)?;
        self.next_file += 1;
        Ok(file)
    }

    /// Records that a file has grown; `event`: one that is new in it.
    pub(super) fn grown_file(&mut self, file: i64, bytes: u64, new_events: u64, event: &Event) -> Result<(), Error> {
        self.room(event)?;
        let sql = "update file set bytes = ?2, events = events + ?3, run = ?4 where file = ?1";
        let values = params![file, signed(bytes), signed(new_events), self.run];
        self.writing.0.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// The number of an event's room, which has lines from now on, and its version once that is known.
    fn room(&mut self, event: &Event) -> Result<i64, Error> {
        let writing = self.writing;
        if event.room_version.is_none() {
            return writing.room(event);
        }
        self.rooms.of(&event.room_id, |_| writing.room(event))
    }
}

/// What adds what events say of others, and to be read and searched.
pub(super) struct Relating<'w> {
    relation: CachedStatement<'w>,
    said: CachedStatement<'w>,
}

impl<'w> Relating<'w> {
    pub(super) fn new(writing: &'w Writing<'_>) -> Result<Self, Error> {
        let relation = "insert into relation (line, relates_to, rel_type, replies_to, redacts, recheck)
                        values (?1, ?2, ?3, ?4, ?5, ?6)";
        let said = "insert into said (line, body, has) values (?1, ?2, ?3)";
        Ok(Relating { relation: writing.0.prepare_cached(relation)?, said: writing.0.prepare_cached(said)? })
    }

    pub(super) fn relate(&mut self, line: i64, event: &Event, rel_type: Option<i64>) -> Result<(), Error> {
        let Event { relates_to, replies_to, redacts, recheck, .. } = event;
        let names_others = relates_to.is_some() || replies_to.is_some() || redacts.is_some();
        if names_others || rel_type.is_some() || recheck.is_some() {
            self.relation.execute(params![line, relates_to, rel_type, replies_to, redacts, recheck])?;
        }
        self.say(line, event)
    }

    /// Adds what an event says to be read and searched.
    pub(super) fn say(&mut self, line: i64, event: &Event) -> Result<(), Error> {
        let text = said::text(event);
        if text.is_some() || event.is_edit {
            self.said.execute(params![line, text, said::has(event, text.as_deref())])?;
        }
        Ok(())
    }
}

/// How many numbers of a kind are remembered.
const REMEMBERED: usize = 20_000;

/// The numbers of names that were met.
struct MetNumbers<N>(HashMap<N, i64, RandomState>);

impl<N> Default for MetNumbers<N> {
    fn default() -> Self {
        MetNumbers(HashMap::default())
    }
}

impl<N: Clone + Eq + Hash> MetNumbers<N> {
    /// The number of a name, which `find` knows.
    fn of(&mut self, name: &N, find: impl FnOnce(&N) -> Result<i64, Error>) -> Result<i64, Error> {
        if let Some(number) = self.0.get(name) {
            return Ok(*number);
        }
        let number = find(name)?;
        if self.0.len() >= REMEMBERED {
            self.0.clear();
        }
        self.0.insert(name.clone(), number);
        Ok(number)
    }
}
