//! What changes in a catalog, in transactions. Touches no line, and decides nothing of what is to be.

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::catalog::{Selection, key};
use super::state::StateFile;
use super::{Advance, Counts, Error, RunOutcome, layout};
use crate::document::message::display_name;
use crate::document::text::looks;
use crate::event::{Event, EventId, NAMING_TYPES, Object, RoomId};
use crate::stream::{Position, Stream};

/// A transaction that writes to the catalog.
pub(super) struct Writing<'a>(pub(super) Transaction<'a>, Option<&'a mut StateFile>);

impl<'a> Writing<'a> {
    /// `state` follows it.
    pub(super) fn begin(connection: &'a mut Connection, state: Option<&'a mut StateFile>) -> Result<Self, Error> {
        Ok(Writing(connection.transaction_with_behavior(TransactionBehavior::Immediate)?, state))
    }

    /// Makes the tables of an empty catalog.
    pub(super) fn make_tables(&self, application_id: i64, version: i64) -> Result<(), Error> {
        self.0.execute_batch(include_str!("catalog.sql"))?;
        self.0.pragma_update(None, "application_id", application_id)?;
        self.0.pragma_update(None, "user_version", version)?;
        Ok(())
    }

    pub(super) fn commit(self) -> Result<(), Error> {
        let Writing(transaction, state) = self;
        match state {
            Some(state) => state.commit(transaction),
            None => Ok(transaction.commit()?),
        }
    }

    /// Commits what was written so far, and begins another transaction.
    pub(super) fn commit_and_go_on(&self) -> Result<(), Error> {
        Ok(self.0.execute_batch("commit; begin immediate")?)
    }

    /// Records which files a batch is about to append to, and their lengths.
    pub(super) fn intend<'p>(&self, files: impl Iterator<Item = (&'p str, u64)>) -> Result<(), Error> {
        let mut statement = self.0.prepare_cached("insert into intent (path, bytes) values (?1, ?2)")?;
        for (path, bytes) in files {
            statement.execute(params![path, signed(bytes)])?;
        }
        Ok(())
    }

    /// Forgets the intent: its batch is either committed or undone.
    pub(super) fn clear_intent(&self) -> Result<(), Error> {
        self.0.prepare_cached("delete from intent")?.execute([])?;
        Ok(())
    }

    /// The number of a user, who has one from now on.
    pub(super) fn user(&self, user_id: &str) -> Result<i64, Error> {
        self.number(user_id, "select user from user where user_id = ?1", "insert into user (user_id) values (?1)")
    }

    /// The number of a type of events or relations, which has one from now on.
    pub(super) fn type_of(&self, name: &str) -> Result<i64, Error> {
        self.number(name, "select type from type where name = ?1", "insert into type (name) values (?1)")
    }

    /// The number of a room, which has one from now on, be there lines of it or not.
    pub(super) fn room_of(&self, room_id: &str) -> Result<i64, Error> {
        let sql = "select room from room where room_id = ?1";
        if let Some(room) = self.0.prepare_cached(sql)?.query_row([room_id], |row| row.get(0)).optional()? {
            return Ok(room);
        }
        let sql = "insert into room (room_id, directory, has_lines, dirty) values (?1, ?2, 0, 0)";
        self.0.prepare_cached(sql)?.execute([room_id, &layout::room_directory(room_id)])?;
        Ok(self.0.last_insert_rowid())
    }

    fn number(&self, text: &str, find: &str, add: &str) -> Result<i64, Error> {
        if let Some(number) = self.0.prepare_cached(find)?.query_row([text], |row| row.get(0)).optional()? {
            return Ok(number);
        }
        self.0.prepare_cached(add)?.execute([text])?;
        Ok(self.0.last_insert_rowid())
    }

    /// Whether an event is archived.
    pub(super) fn has_event(&self, event: EventId<'_>) -> Result<bool, Error> {
        Ok(self.line_of(event)?.is_some())
    }

    /// The number of an archived event's line.
    pub(super) fn line_of(&self, event: EventId<'_>) -> Result<Option<i64>, Error> {
        let sql = concat!("select line from line where id_key = ", key!("?1"), " and event_id = ?1");
        Ok(self.0.prepare_cached(sql)?.query_row([event], |row| row.get(0)).optional()?)
    }

    /// Adds what a state event says of the names of a member or the room, if it does. True: the archive is `indexed`, so that
    /// it can tell, and it is new.
    pub(super) fn add_name(&self, event: &Event, indexed: bool) -> Result<bool, Error> {
        let (Some(kind), Some(state_key)) = (event.kind.as_deref(), event.state_key.as_deref()) else {
            return Ok(false);
        };
        let (at, depth) = (event.origin_server_ts.unwrap_or(0), event.topological_ordering);
        let content = event.content();
        let added = if kind == "m.room.member" {
            let member = content.map(Object::of).unwrap_or_default();
            let Some(membership) = member.text("membership") else { return Ok(false) };
            let table = if indexed { "membership" } else { "first_membership" };
            let sql = format!(
                "insert or ignore into {table} (room, user_id, origin_server_ts, topological_ordering, event_id, membership,
                 given, looks) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
            );
            let (room, name) = (self.room_of(&event.room_id)?, display_name(&member));
            let looks = name.as_deref().map(looks).filter(|looks| name.as_ref() != Some(looks));
            let values = params![room, state_key, at, depth, event.event_id, membership, name, looks];
            self.0.prepare_cached(&sql)?.execute(values)?
        } else if (NAMING_TYPES.contains(&kind) || kind == "m.room.tombstone") && state_key.is_empty() {
            let sql = "insert or ignore into room_state (room, type, origin_server_ts, topological_ordering, event_id, sender,
                       given) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            let room = self.room_of(&event.room_id)?;
            let values = params![room, kind, at, depth, event.event_id, event.sender, content];
            let added = self.0.prepare_cached(sql)?.execute(values)?;
            if kind == "m.room.create" {
                self.predecessor_is_stale(event)?;
            }
            added
        } else {
            0
        };
        Ok(indexed && added == 1)
    }

    /// Forgets the name that an event gave, which clients do not see after all; `since` a time in milliseconds since the
    /// epoch, or an unknown one. True: it had given one.
    pub(super) fn forget_name(&self, event: &Event, since: Option<i64>) -> Result<bool, Error> {
        let Some(state_key) = &event.state_key else { return Ok(false) };
        let since = since.unwrap_or(0);
        // by the keys: one member may have given many
        let sql = "delete from membership where room = (select room from room where room_id = ?1)
                      and user_id = ?2 and origin_server_ts = ?3 and event_id = ?4";
        let Event { event_id, room_id, kind, topological_ordering, .. } = event;
        let member = self.0.prepare_cached(sql)?.execute(params![room_id, state_key, since, event_id])?;
        let sql = "delete from room_state where room = (select room from room where room_id = ?1) and type = ?2
                      and topological_ordering = ?3 and event_id = ?4";
        if kind.as_deref() == Some("m.room.create") {
            self.predecessor_is_stale(event)?;
        }
        let room = self.0.prepare_cached(sql)?.execute(params![room_id, kind, topological_ordering, event_id])?;
        Ok(member + room > 0)
    }

    /// Forgets all events, to begin anew.
    pub(super) fn empty(&self) -> Result<(), Error> {
        Ok(self.0.execute_batch(
            "delete from line; delete from relation; delete from said; delete from room; delete from file; delete from stale; delete from borrowed;
             delete from first_membership; delete from membership; delete from room_state; delete from sticky;
             delete from run; delete from beyond_line; delete from to_erase;",
        )?)
    }

    /// Remembers that more, or something else, is known of an event than its line says.
    pub(super) fn beyond_line(&self, event: EventId<'_>) -> Result<(), Error> {
        self.0.prepare_cached("insert or ignore into beyond_line (event_id) values (?1)")?.execute([event])?;
        Ok(())
    }

    /// Remembers a soft-failed event that may be accepted yet, if it is one.
    pub(super) fn stick(&self, event: &Event) -> Result<(), Error> {
        if let Some(until) = event.sticky_until.filter(|_| event.soft_failed) {
            let sql = "insert or ignore into sticky (event_id, until) values (?1, ?2)";
            self.0.prepare_cached(sql)?.execute(params![event.event_id, until])?;
        }
        Ok(())
    }

    /// Begins the first export, which goes up to these positions.
    pub(super) fn begin_first_export(&self, heads: &[(Stream, Option<Position>)]) -> Result<(), Error> {
        for (stream, head) in heads {
            let head = signed(head.map_or(0, |head| head.0));
            self.0.execute("insert into first_export (stream, head) values (?1, ?2)", params![stream.name(), head])?;
        }
        // they come with all else
        self.set(super::setting::POWER_LEVELS, true)
    }

    /// The first export is done.
    pub(super) fn end_first_export(&self) -> Result<(), Error> {
        self.0.execute("delete from first_export", [])?;
        Ok(())
    }

    /// Records that a room has lines, and its version once that is known; its number.
    pub(super) fn room(&self, event: &Event) -> Result<i64, Error> {
        let room = self.room_of(&event.room_id)?;
        let is_new = "select not has_lines from room where room = ?1";
        if self.0.prepare_cached(is_new)?.query_row([room], |row| row.get::<_, bool>(0))? {
            self.mark_linked(&event.room_id)?;
        }
        let sql = "update room set dirty = max(dirty, not has_lines), has_lines = 1, version = coalesce(version, ?2)
                    where room = ?1 and (not has_lines or version is null and ?2 is not null)";
        self.0.prepare_cached(sql)?.execute(params![room, event.room_version])?;
        Ok(room)
    }

    /// The index of a room is not as the catalog says any more.
    pub(super) fn room_is_stale(&self, room_id: &str) -> Result<(), Error> {
        self.0.prepare_cached("update room set dirty = 1 where room_id = ?1 and has_lines")?.execute([room_id])?;
        Ok(())
    }

    /// No view of a file is as the events say any more.
    pub(super) fn file_is_stale(&self, file: i64) -> Result<(), Error> {
        self.0.prepare_cached("insert or ignore into stale (view, file) values ('markdown', ?1)")?.execute([file])?;
        Ok(())
    }

    /// Moves a watermark and replaces its gaps.
    pub(super) fn advance(&self, advance: &Advance, run: i64) -> Result<(), Error> {
        let Advance { scope, stream, watermark, gaps } = advance;
        if let Some(watermark) = watermark {
            let sql = "replace into watermark (room_id, stream, position, anchor, event_id, at, run)
                       values (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            let (anchor, event_id) = watermark.anchor.as_ref().map(|(p, id)| (signed(p.0), id)).unzip();
            self.0.prepare_cached(sql)?.execute(params![
                scope.key(),
                stream.name(),
                signed(watermark.position.0),
                anchor,
                event_id,
                now(),
                run
            ])?;
        }
        if let Some(gaps) = gaps {
            let delete = "delete from gap where room_id = ?1 and stream = ?2";
            self.0.prepare_cached(delete)?.execute(params![scope.key(), stream.name()])?;
            let sql = "insert into gap (room_id, stream, first, last, clock) values (?1, ?2, ?3, ?4, ?5)";
            let mut statement = self.0.prepare_cached(sql)?;
            for gap in gaps.iter() {
                let (first, last) = (signed(gap.first.0), signed(gap.last.0));
                statement.execute(params![scope.key(), stream.name(), first, last, gap.clock])?;
            }
        }
        Ok(())
    }

    /// Forgets how far a stream is archived, in every scope.
    pub(super) fn reset(&self, stream: Stream) -> Result<(), Error> {
        self.0.execute("delete from watermark where stream = ?1", [stream.name()])?;
        self.0.execute("delete from gap where stream = ?1", [stream.name()])?;
        Ok(())
    }

    /// Remembers what to export.
    pub(super) fn select(&self, selection: &Selection) -> Result<(), Error> {
        self.0.execute("delete from selection", [])?;
        for (mode, rooms) in [("include", &selection.include), ("exclude", &selection.exclude)] {
            for room_id in rooms {
                self.0.execute("insert or ignore into selection (room_id, mode) values (?1, ?2)", [room_id, mode])?;
            }
        }
        Ok(())
    }

    /// Remembers which rooms the server's watermark passes by.
    pub(super) fn pass_by(&self, selection: &Selection) -> Result<(), Error> {
        for room_id in selection.exclude.iter().filter(|_| selection.include.is_empty()) {
            self.0.execute("insert or ignore into left_out (room_id) values (?1)", [room_id])?;
        }
        Ok(())
    }

    /// The server's watermark covers this room again: its own is needed no more.
    pub(super) fn caught_up(&self, room: RoomId<'_>) -> Result<(), Error> {
        self.0.execute("delete from left_out where room_id = ?1", [room])?;
        self.0.execute("delete from watermark where room_id = ?1", [room])?;
        self.0.execute("delete from gap where room_id = ?1", [room])?;
        Ok(())
    }

    /// Begins a run; runs that never ended were killed.
    pub(super) fn begin_run(&self) -> Result<i64, Error> {
        let sql = "insert into run (version, started, outcome) values (?1, ?2, 'running')";
        self.0.execute(sql, params![env!("CARGO_PKG_VERSION"), now()])?;
        Ok(self.0.last_insert_rowid())
    }

    /// Goes on with a run that had ended; false: there is none such.
    pub(super) fn resume_run(&self, run: i64) -> Result<bool, Error> {
        let sql = "update run set finished = null, outcome = 'running', error = null where run = ?1";
        Ok(self.0.execute(sql, [run])? == 1)
    }

    /// Adds to the counts of a run, or takes from them: `sign` is 1 or -1.
    pub(super) fn count(&self, run: i64, counts: &Counts, sign: i64) -> Result<(), Error> {
        let sql = "update run set live = live + ?12 * ?2, backfill = backfill + ?12 * ?3, late = late + ?12 * ?4,
                   soft_failed = soft_failed + ?12 * ?5, rejected = rejected + ?12 * ?6, survivors = survivors + ?12 * ?7,
                   censored = censored + ?12 * ?8, damaged = damaged + ?12 * ?9, versionless = versionless + ?12 * ?10,
                   known = known + ?12 * ?11, unplaced = unplaced + ?12 * ?13, duplicates = duplicates + ?12 * ?14,
                   mended = mended + ?12 * ?15, gone = gone + ?12 * ?16
                   where run = ?1";
        self.0.prepare_cached(sql)?.execute(params![
            run,
            signed(counts.live),
            signed(counts.backfill),
            signed(counts.late),
            signed(counts.soft_failed),
            signed(counts.rejected),
            signed(counts.survivors),
            signed(counts.censored),
            signed(counts.damaged),
            signed(counts.versionless),
            signed(counts.known),
            sign,
            signed(counts.unplaced),
            signed(counts.duplicates),
            signed(counts.mended),
            signed(counts.gone),
        ])?;
        Ok(())
    }

    /// Remembers that the server had several rows of an event when a run read it. True: this run did not know.
    pub(super) fn duplicate(&self, event: EventId<'_>, run: i64) -> Result<bool, Error> {
        let sql = "insert into duplicate (event_id, run) values (?1, ?2)
                   on conflict (event_id) do update set run = excluded.run where run <> excluded.run";
        Ok(self.0.prepare_cached(sql)?.execute(params![event, run])? == 1)
    }

    /// Ends a run.
    pub(super) fn end_run(&self, run: i64, outcome: RunOutcome, error: Option<&str>, files: u64) -> Result<(), Error> {
        let sql = "update run set finished = ?2, outcome = ?3, error = ?4, files = ?5 where run = ?1";
        self.0.execute(sql, params![run, now(), outcome, error, signed(files)])?;
        Ok(())
    }
}

/// SQLite's integers are signed; no length and no position comes near the difference.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
