//! A Synapse server as far as an archive can tell: what its transactions leave in the database, in whatever order they
//! commit.

#![allow(unreachable_pub, reason = "a test binary exports nothing")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::json;

use super::event::{Draft, Event, HOUR, Kind, Place, ROOMS, Row, Target, USERS, event_id};
use super::support::{Database, Shape, cluster};

/// 2026-11-22, an hour and a half before midnight in UTC.
const EVENING: i64 = 1_795_386_600_000;
/// More ids than a page has.
const FLOOD: i64 = 5_001;

/// What a writer has begun for one room; its ids are given already.
struct Transaction {
    room: usize,
    begun: i64,
    changes: Vec<Change>,
}

enum Change {
    Store { event: usize, id: i64, outlier: bool },
    DeOutlier { event: usize, id: i64 },
}

/// An event that redacts what a user sent: below an id, if there is one.
#[derive(Clone, Copy)]
pub struct Ban {
    pub event: usize,
    pub until: Option<i64>,
}

/// Synapse, with a writer for each room.
pub struct Server<'a> {
    database: &'a Database,
    shape: Shape,
    now: i64,
    /// The ids given last, and how many that is of the negative ones.
    live: i64,
    backfill: i64,
    /// All there ever were.
    pub events: Vec<Event>,
    in_flight: Vec<Transaction>,
    /// The bans that redact, by room and user.
    pub bans: BTreeMap<(usize, &'static str), Ban>,
    /// What the database has not been told yet: nobody looks before an export does.
    sql: String,
    /// Something was purged, pruned or judged anew, so that the database does not hold what it did.
    pub has_forgotten: bool,
}

/// A database for [`Server::start`].
pub fn database(shape: Shape) -> Database {
    let database = cluster().database("simulation", shape);
    database.user(USERS[0]);
    for room in ROOMS {
        if let Some(version) = room.version {
            database.room(room.id, version);
        }
    }
    database
}

impl<'a> Server<'a> {
    /// A server without events.
    pub fn start(database: &'a Database, shape: Shape) -> Self {
        let others = match shape {
            Shape::V1_60 | Shape::Empty => "",
            Shape::V1_90 => ", un_partial_stated_event_stream",
            Shape::V1_163 => ", un_partial_stated_event_stream, room_ban_redactions",
        };
        let sql = format!("truncate events, event_json, ex_outlier_stream, rejections, redactions{others};");
        let (events, in_flight, bans) = (Vec::new(), Vec::new(), BTreeMap::new());
        Server {
            database,
            shape,
            now: EVENING,
            live: 0,
            backfill: 0,
            events,
            in_flight,
            bans,
            sql,
            has_forgotten: false,
        }
    }

    /// Lets the database have all that is committed.
    pub fn flush(&mut self) {
        self.database.execute(&std::mem::take(&mut self.sql));
    }

    /// Time goes by, but no transaction lives longer than a day.
    pub fn wait(&mut self, milliseconds: i64) {
        self.now += milliseconds;
        let oldest = self.now - 24 * HOUR;
        while let Some(which) = self.in_flight.iter().position(|transaction| transaction.begun < oldest) {
            self.commit(which, false);
        }
    }

    /// Stores events in a room, or in another one if its writer is busy.
    pub fn store(&mut self, room: usize, drafts: &[Draft], backfill: bool, outlier: bool, commits: bool) {
        let idle = |room: &usize| self.in_flight.iter().all(|transaction| transaction.room != *room);
        let room = (room..ROOMS.len()).chain(0..room).find(idle).unwrap_or(room);
        self.settle(room);
        let mut changes = Vec::new();
        for &draft in drafts {
            let event = self.event(room, draft, outlier);
            changes.push(Change::Store { event, id: self.next_id(backfill), outlier });
        }
        self.begin(room, changes, commits);
    }

    /// Makes an outlier part of its room's history.
    pub fn de_outlier(&mut self, which: usize, backfill: bool, commits: bool) {
        let is_outlier = |event: &Event| event.row().is_some_and(|row| row.outlier);
        let Some(event) = self.pick(which, is_outlier) else { return };
        let room = self.events[event].room;
        self.settle(room);
        if is_outlier(&self.events[event]) {
            let change = Change::DeOutlier { event, id: self.next_id(backfill) };
            self.begin(room, vec![change], commits);
        }
    }

    /// Stores an event as history that was rolled back or purged.
    pub fn bring_back(&mut self, which: usize, commits: bool) {
        let Some(event) = self.pick(which, |event| event.place == Place::Gone) else { return };
        let room = self.events[event].room;
        self.settle(room);
        self.events[event].place = Place::InFlight;
        let change = Change::Store { event, id: self.next_id(true), outlier: false };
        self.begin(room, vec![change], commits);
    }

    /// Commits a transaction. If it is `retried`, its rows are of now.
    pub fn commit(&mut self, which: usize, retried: bool) {
        let Some(transaction) = self.end(which) else { return };
        let received_ts = if retried { self.now } else { transaction.begun };
        for change in transaction.changes {
            match change {
                Change::Store { event, id: stream_ordering, outlier } => {
                    self.insert(event, Row { stream_ordering, received_ts, outlier });
                }
                Change::DeOutlier { event, id } => {
                    let Event { id: event_id, place, .. } = &mut self.events[event];
                    if let Place::Stored(row) = place {
                        row.outlier = false;
                    }
                    let _ = write!(
                        self.sql,
                        "update events set outlier = false where event_id = '{event_id}';
                         insert into ex_outlier_stream (event_stream_ordering, event_id, state_group)
                         values ({id}, '{event_id}', 1);"
                    );
                }
            }
        }
    }

    /// Commits what is in flight.
    pub fn commit_all(&mut self) {
        while !self.in_flight.is_empty() {
            self.commit(0, false);
        }
    }

    /// Rolls a transaction back; its ids are lost.
    pub fn roll_back(&mut self, which: usize) {
        for change in self.end(which).map(|transaction| transaction.changes).unwrap_or_default() {
            if let Change::Store { event, .. } = change {
                self.events[event].place = Place::Gone;
            }
        }
    }

    /// Purges a room up to one of its events. State stays behind as outliers, and so do local events, unless they are to
    /// go too.
    pub fn purge(&mut self, room: usize, which: usize, local_too: bool) {
        self.settle(room);
        let last = self.pick(which, |event| event.room == room && event.row().is_some());
        let Some(last) = last.and_then(|last| self.events[last].row()) else { return };
        for event in self.events.iter_mut().filter(|event| event.room == room) {
            let Some(row) = event.row().filter(|row| row.depth() <= last.depth()) else { continue };
            let id = &event.id;
            if event.is_state() || (event.is_local() && !local_too) {
                event.place = Place::Stored(Row { outlier: true, ..row });
                let _ = write!(self.sql, "update events set outlier = true where event_id = '{id}';");
            } else {
                event.place = Place::Gone;
                for table in ["events", "event_json", "rejections", "redactions"] {
                    let _ = write!(self.sql, "delete from {table} where event_id = '{id}';");
                }
            }
        }
        self.has_forgotten = true;
    }

    /// Prunes an event that some redaction names.
    pub fn censor(&mut self, which: usize) {
        let redacted: BTreeSet<String> = self.events.iter().filter_map(|event| event.redacts.clone()).collect();
        let event =
            self.pick(which, |event| event.row().is_some() && event.redacts.is_none() && redacted.contains(&event.id));
        if let Some(event) = event {
            let event = &mut self.events[event];
            event.write_pdu("");
            let Event { id, pdu, .. } = event;
            let _ = write!(self.sql, "update event_json set json = '{pdu}' where event_id = '{id}';");
            self.has_forgotten = true;
        }
    }

    /// Lets one of a room's events redact what a user sent there. Older servers do not know that.
    pub fn ban(&mut self, room: usize, which: usize, user: usize, until: Option<i64>) {
        let event = self.pick(which, |event| event.room == room && event.row().is_some());
        let Some(event) = event.filter(|_| self.shape == Shape::V1_163) else { return };
        let (user_id, id) = (USERS[user], &self.events[event].id);
        let end = until.map_or("null".to_owned(), |until| until.to_string());
        let _ = write!(
            self.sql,
            "insert into room_ban_redactions values ('{}', '{user_id}', '{id}', {end})
             on conflict (room_id, user_id) do update set redacting_event_id = '{id}', redact_end_ordering = {end};",
            ROOMS[room].id
        );
        self.bans.insert((room, user_id), Ban { event, until });
    }

    /// Rejects an event that was accepted, or the reverse. Synapse tells of it in a stream, which older ones do not have; a
    /// redaction that it accepts so late gets no row in `redactions`.
    pub fn rejudge(&mut self, which: usize) {
        let event = self.pick(which, |event| {
            event.row().is_some_and(|row| !row.outlier) && (event.redacts.is_none() || !event.draft.rejected)
        });
        let Some(event) = event.filter(|_| self.shape != Shape::V1_60) else { return };
        let Event { id, draft, .. } = &mut self.events[event];
        draft.rejected = !draft.rejected;
        let (judgement, reason) = if draft.rejected {
            (format!("insert into rejections values ('{id}', 'auth_error', '')"), "'auth_error'")
        } else {
            (format!("delete from rejections where event_id = '{id}'"), "null")
        };
        let _ = write!(
            self.sql,
            "{judgement};
             update events set rejection_reason = {reason} where event_id = '{id}';
             insert into un_partial_stated_event_stream
             select coalesce(max(stream_id), 0) + 1, 'master', '{id}', true from un_partial_stated_event_stream;"
        );
        self.has_forgotten = true;
    }

    /// Accepts a soft-failed event that has not expired, which nothing tells of.
    pub fn accept(&mut self, which: usize) {
        let now = self.now;
        let event = self.pick(which, |event| {
            let expires = |row: Row| event.sent.unwrap_or(i64::MAX).min(row.received_ts).saturating_add(HOUR);
            event.draft.soft_failed && event.row().is_some_and(|row| !row.outlier && now < expires(row))
        });
        let Some(event) = event else { return };
        let Event { id, draft, .. } = &mut self.events[event];
        draft.soft_failed = false;
        let _ = write!(
            self.sql,
            "update event_json set internal_metadata = jsonb_set(internal_metadata::jsonb, '{{soft_failed}}', 'false')::text
              where event_id = '{id}';"
        );
        self.has_forgotten = true;
    }

    /// Stores so many remote outliers that a page of ids holds nothing else.
    pub fn flood(&mut self, room: usize, backfill: bool) {
        self.settle(room);
        let (room, now) = (ROOMS[room].id, self.now);
        let (last, sign) = if backfill { (&mut self.backfill, "-") } else { (&mut self.live, "") };
        let _ = write!(
            self.sql,
            "insert into events (topological_ordering, event_id, type, room_id, processed, outlier, received_ts, sender,
                                 stream_ordering)
             select 1, '$flood{sign}' || n, 'm.room.message', '{room}', true, true, {now}, '{}', {sign}n
               from generate_series({last} + 1, {last} + {FLOOD}) n;",
            USERS[2]
        );
        *last += FLOOD;
    }

    /// The redaction in effect of an event, among those that are `known` and not rejected: whether each must be of its target's
    /// server.
    pub fn redaction_of(&self, target: &Event, known: impl Fn(&Event) -> Option<bool>) -> Option<&str> {
        let server = |event: &Event| event.sender.split_once(':').unwrap_or_default().1;
        let effective = self.events.iter().filter(|redaction| {
            redaction.redacts.as_ref() == Some(&target.id)
                && redaction.room == target.room
                && !target.is_create()
                && known(redaction).is_some_and(|same| !same || server(redaction) == server(target))
        });
        effective.min_by_key(|redaction| (redaction.sent, &redaction.id)).map(|redaction| redaction.id.as_str())
    }

    /// One writer per room: what it has begun ends before anything else happens there.
    fn settle(&mut self, room: usize) {
        if let Some(which) = self.in_flight.iter().position(|transaction| transaction.room == room) {
            self.commit(which, false);
        }
    }

    fn begin(&mut self, room: usize, changes: Vec<Change>, commits: bool) {
        self.in_flight.push(Transaction { room, begun: self.now, changes });
        if commits {
            self.commit(self.in_flight.len() - 1, false);
        }
    }

    fn end(&mut self, which: usize) -> Option<Transaction> {
        let which = which.checked_rem(self.in_flight.len())?;
        Some(self.in_flight.remove(which))
    }

    fn pick(&self, which: usize, of: impl Fn(&Event) -> bool) -> Option<usize> {
        let events: Vec<usize> = (0..self.events.len()).filter(|&event| of(&self.events[event])).collect();
        events.get(which.checked_rem(events.len())?).copied()
    }

    fn next_id(&mut self, backfill: bool) -> i64 {
        let last = if backfill { &mut self.backfill } else { &mut self.live };
        *last += 1;
        if backfill { -*last } else { *last }
    }

    fn event(&mut self, room: usize, draft: Draft, outlier: bool) -> usize {
        let number = self.events.len();
        let redacts = match draft.kind {
            Kind::Redaction { target: Target::Number(target), .. } => Some(event_id(target)),
            Kind::Redaction { target: Target::InRoom(which), .. } => {
                let target = self.pick(which, |event| event.room == room);
                Some(event_id(target.unwrap_or(number + 1)))
            }
            _ => None,
        };
        let is_state = matches!(draft.kind, Kind::Topic | Kind::Create);
        // only a purge leaves local events behind that are outliers and no state
        let user = if outlier && !is_state { 2 + draft.user % 2 } else { draft.user };
        self.events.push(Event::of(Draft { user, ..draft }, number, room, redacts, self.now));
        number
    }

    fn insert(&mut self, event: usize, row: Row) {
        let event = &mut self.events[event];
        event.place = Place::Stored(row);
        let (depth, Row { stream_ordering, received_ts, outlier }) = (row.depth(), row);
        let Event { id, sender, pdu, .. } = &*event;
        let (kind, room, rejected, recheck) =
            (event.kind(), ROOMS[event.room].id, event.draft.rejected, event.recheck().unwrap_or(false));
        let ts = event.sent.map_or("null".to_owned(), |ts| ts.to_string());
        let state_key = if event.is_state() { "''" } else { "null" };
        let reason = if rejected && self.shape != Shape::V1_60 { "'auth_error'" } else { "null" };
        let metadata = json!({ "soft_failed": event.draft.soft_failed, "recheck_redaction": recheck });
        let _ = write!(
            self.sql,
            "insert into events (stream_ordering, topological_ordering, event_id, type, room_id, processed, outlier,
                                 origin_server_ts, received_ts, sender, state_key, rejection_reason)
             values ({stream_ordering}, {depth}, '{id}', '{kind}', '{room}', true, {outlier},
                     {ts}, {received_ts}, '{sender}', {state_key}, {reason});
             insert into event_json (event_id, room_id, internal_metadata, json)
             values ('{id}', '{room}', '{metadata}', '{pdu}');"
        );
        if rejected {
            let _ = write!(self.sql, "insert into rejections values ('{id}', 'auth_error', '');");
        } else if let Some(target) = &event.redacts {
            let _ = write!(self.sql, "insert into redactions (event_id, redacts) values ('{id}', '{target}');");
            if self.shape == Shape::V1_163 {
                let _ = write!(self.sql, "update redactions set recheck = {recheck} where event_id = '{id}';");
            }
        }
    }
}
