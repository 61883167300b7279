//! Which lines are to be erased: those that are asked for, what repeats them, and how much of each. Changes no line.
//!
//! All of it is one transaction, so that a dry run is one which is not committed. Nothing of it is kept in memory but numbers.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::{ToSql, params};

use super::super::catalog::key;
use super::super::stale_views::Transcripts;
use super::super::writing::Writing;
use super::super::{Archive, Error};
use super::burying::Buried;
use super::request::{Erasure, Request, What};
use super::taking::LineToErase;
use super::{ERASING, digest};
use crate::event::{Erased, OwnedEventId};

/// How many lines are looked at together for what repeats them.
const AT_ONCE: i64 = 500;

/// What was found to be erased.
#[derive(Debug, Default)]
pub struct Selected {
    /// There is nothing.
    pub is_nothing: bool,
    /// How much of how many lines, as far as they were looked at: of a dry run.
    pub lines: Buried,
    /// Names that only outliers gave, which have no line.
    pub names: u64,
    /// How many rooms the lines are of.
    pub rooms: u64,
    /// How many lines, as they are of rooms on hold, were left out.
    pub held: u64,
    /// Of a user: how many events of others name him by his id.
    pub named_by_others: u64,
    /// Of what is from before a time: how many state events stay.
    pub state: u64,
}

impl Archive {
    /// Finds what is asked for, and remembers that it is to be erased; unless it is a `dry` run, which remembers nothing.
    ///
    /// # Errors
    /// When something of it is in a room on hold: nothing is remembered then.
    pub fn select_to_erase(&mut self, request: &Request, now: i64, dry: bool) -> Result<Selected, Error> {
        self.check_indexed()?;
        let catalog = self.catalog.connection.get_interrupt_handle();
        self.interrupt.clone().during(vec![catalog], || {
            let Archive { directory, catalog, .. } = self;
            let held = catalog.held_rooms()?;
            let writing = catalog.write()?;
            let number = writing.ask(request)?;
            let mut selected = writing.select_to_erase(directory, number, request, now)?;
            let rooms = writing.held_lines()?;
            let rooms: Vec<String> = match &request.what {
                What::Room(room_id) if held.contains(room_id) => vec![room_id.to_string()],
                _ => rooms,
            };
            if !rooms.is_empty() {
                return Err(Error::OnHold(rooms));
            }
            selected.is_nothing = selected.names == 0 && writing.nothing_to_erase()?;
            selected.rooms = writing.rooms_to_erase()?;
            if let What::Sender(user_id) = &request.what {
                selected.named_by_others = writing.named_by_others(user_id)?;
            }
            if let What::Before(age) = request.what {
                selected.state = writing.state_before(age.before(now))?;
            }
            if dry {
                selected.lines = writing.weigh(directory)?;
                return Ok(selected);
            }
            if selected.is_nothing && !request.lasts {
                return Ok(selected);
            }
            if selected.names > 0 {
                writing.set(ERASING, true)?;
            }
            writing.is_selected(number)?;
            writing.are_done()?;
            writing.commit()?;
            Ok(selected)
        })
    }

    /// Finds what is to be erased by what lasts and moves on with time, and by what was asked for and cut off. Of rooms on hold nothing.
    pub fn select_again(&mut self, now: i64, policies: bool) -> Result<Selected, Error> {
        self.check_indexed()?;
        let mut erasures = self.catalog.erasures_to_do()?;
        if policies {
            let known: BTreeSet<i64> = erasures.iter().map(|erasure| erasure.number).collect();
            let lasting = self.catalog.lasting_erasures()?;
            erasures.extend(lasting.into_iter().filter(|it| it.request.what.moves() && !known.contains(&it.number)));
        }
        let mut all = Selected::default();
        let catalog = self.catalog.connection.get_interrupt_handle();
        self.interrupt.clone().during(vec![catalog], || {
            for Erasure { number, request, .. } in &erasures {
                let writing = self.catalog.write()?;
                let selected = writing.select_to_erase(&self.directory, *number, request, now)?;
                let held = writing.leave_held()?;
                if selected.names > 0 {
                    writing.set(ERASING, true)?;
                }
                writing.is_selected(*number)?;
                writing.are_done()?;
                writing.commit()?;
                all.held += held;
                all.names += selected.names;
            }
            Ok(all)
        })
    }

    fn check_indexed(&self) -> Result<(), Error> {
        if self.indexed { Ok(()) } else { Err(Error::NotIndexed(self.directory.clone())) }
    }
}

/// Adds lines to those that are to be erased: `line` and `file` are the tables.
fn adding(how: &str, from: &str) -> String {
    format!(
        "insert into to_erase (file, line, how, erasure, looked)
         select line.file, line.line, {how}, ?1, 0 from {from}
             on conflict (file, line) do update set looked = case when excluded.how > how then 0 else looked end,
                                                    how = max(how, excluded.how)"
    )
}

/// As in the catalog.
pub(super) fn number(how: Erased) -> i64 {
    match how {
        Erased::Copies => 1,
        Erased::Cut => 2,
        Erased::Pruned => 3,
        Erased::Whole => 4,
    }
}

pub(super) fn of_number(number: i64) -> Erased {
    match number {
        ..=1 => Erased::Copies,
        2 => Erased::Cut,
        3 => Erased::Pruned,
        4.. => Erased::Whole,
    }
}

/// When an event is from: the earlier of when it was sent, as its sender says, and when it was received.
const TIME: &str =
    "min(coalesce(line.origin_server_ts, line.received_ts), coalesce(line.received_ts, line.origin_server_ts))";

/// Which lines are left to be erased: what is pruned already may go whole yet.
pub(super) fn left(whole: bool) -> &'static str {
    if whole { "true" } else { "not line.erased" }
}

/// Which lines are meant where that depends on the time, and the time, `?2`, when it is asked at one; both in milliseconds since the
/// epoch.
pub(super) fn moving(what: &What, now: i64) -> Option<(String, i64)> {
    match what {
        What::Before(age) => Some((format!("{TIME} < ?2 and state_key is null"), age.before(now))),
        What::Redacted(age) => {
            let key = key!("line.redacted_by");
            let which = format!(
                "line.redacted_by is not null and not line.censored and not line.erased
                 and coalesce((select coalesce(by.received_ts, by.origin_server_ts) from line by indexed by line_id
                                where by.id_key = {key} and by.event_id = line.redacted_by),
                              line.received_ts, line.origin_server_ts) < ?2"
            );
            Some((which, age.before(now)))
        }
        What::Users => {
            let which = "line.sender in (select user from user join erased using (user_id)) and ?2 is not null";
            Some((which.to_owned(), now))
        }
        What::Events(_) | What::Sender(_) | What::Room(_) | What::Again => None,
    }
}

impl Writing<'_> {
    fn select_to_erase(&self, archive: &Path, erasure: i64, request: &Request, now: i64) -> Result<Selected, Error> {
        let how = number(if request.whole { Erased::Whole } else { Erased::Pruned }).to_string();
        let left = left(request.whole);
        let add = |from: &str, which: &dyn ToSql| -> Result<(), Error> {
            self.0.execute(&adding(&how, &format!("{from} and {left}")), params![erasure, which])?;
            Ok(())
        };
        let mut names = 0;
        match &request.what {
            What::Events(ids) => {
                let ids = serde_json::json!(ids).to_string();
                let key = key!("value");
                add(
                    &format!(
                        "json_each(?2) cross join line indexed by line_id on id_key = {key} and event_id = value where true"
                    ),
                    &ids,
                )?;
                names +=
                    self.forget_outliers_of(erasure, ["event_id in (select value from json_each(?1))"; 2], &ids)?;
            }
            What::Sender(user_id) => {
                add("line where sender = (select user from user where user_id = ?2)", user_id)?;
                let own = "user_id = ?1 and membership in ('join', 'knock')";
                names += self.forget_outliers_of(erasure, [own, "sender = ?1"], user_id)?;
            }
            What::Room(room_id) => {
                add(
                    "file cross join line indexed by line_file on line.file = file.file
                      where room = (select room from room where room_id = ?2)",
                    room_id,
                )?;
                let own = "room = (select room from room where room_id = ?1)";
                names += self.forget_outliers_of(erasure, [own, own], room_id)?;
            }
            What::Before(_) | What::Redacted(_) | What::Users => {
                if let Some((which, time)) = moving(&request.what, now) {
                    add(&format!("line where {which}"), &time)?;
                }
            }
            What::Again => self.select_with_tombstone(erasure)?,
        }
        self.select_repeats(erasure)?;
        self.select_replays(archive, erasure)?;
        Ok(Selected { names, ..Selected::default() })
    }

    /// Lines of events that have a tombstone.
    fn select_with_tombstone(&self, erasure: i64) -> Result<(), Error> {
        let mut lines = self.0.prepare("select file, line, event_id from line")?;
        let mut lines = lines.query([])?;
        let mut known = self.0.prepare("select kind from tombstone where id = ?1")?;
        let sql = "insert into to_erase (file, line, how, erasure, looked) values (?1, ?2, ?3, ?4, 1)
                       on conflict (file, line) do update set how = max(how, excluded.how)";
        let mut add = self.0.prepare(sql)?;
        while let Some(line) = lines.next()? {
            let event_id: String = line.get(2)?;
            let mut kinds = known.query([digest(&event_id)])?;
            if let Some(kind) = kinds.next()? {
                let how = number(kind.get(0)?);
                add.execute(params![line.get::<_, i64>(0)?, line.get::<_, i64>(1)?, how, erasure])?;
            }
        }
        Ok(())
    }

    /// Adds what repeats the lines that are to be erased: their edits by their senders, quotes in answers and in edits of these,
    /// copies beside state events of the same rooms, in what they refer to, and in what they redact.
    fn select_repeats(&self, erasure: i64) -> Result<(), Error> {
        self.0.execute_batch(
            "drop table if exists temp.looked; drop table if exists temp.with_state;
             create temp table looked (line integer primary key, how integer not null);
             create temp table with_state (room integer primary key)",
        )?;
        let from = "looked cross join line t on t.line = looked.line cross join file g on g.file = t.file";
        let here = "cross join file f on f.file = line.file";
        let by_relation = "cross join relation r indexed by relation_relates_to on r.relates_to_key = t.id_key and r.relates_to = t.event_id
                           cross join line on line.line = r.line";
        let edits = adding(
            "max(looked.how, 2)",
            &format!(
                "{from} {by_relation} {here}
                  where looked.how >= 2 and f.room = g.room and r.rel_type = (select type from type where name = 'm.replace')
                    and line.sender is t.sender and line.state_key is null"
            ),
        );
        let answers = adding(
            "2",
            &format!(
                "{from} {by_relation} {here} where looked.how >= 3 and f.room = g.room and r.replies_to is r.relates_to"
            ),
        );
        let answers_in_threads = adding(
            "2",
            &format!(
                "{from} cross join relation r indexed by relation_replies_to on r.replies_to_key = t.id_key and r.replies_to = t.event_id
                  cross join line on line.line = r.line {here}
                  where looked.how >= 3 and f.room = g.room and r.replies_to is not null and r.replies_to is not r.relates_to"
            ),
        );
        let referred = |column: &str| {
            let key = match column {
                "relates_to" => key!("own.relates_to"),
                _ => key!("own.redacts"),
            };
            adding(
                "1",
                &format!(
                    "{from} cross join relation own on own.line = t.line
                      cross join line indexed by line_id on line.id_key = {key} and line.event_id = own.{column} {here}
                      where looked.how >= 3 and f.room = g.room and own.{column} is not null"
                ),
            )
        };
        let state = adding(
            "1",
            "temp.with_state cross join file on file.room = with_state.room
              cross join line indexed by line_file on line.file = file.file
              where line.state_key is not null and with_state.room in (select room from temp.new_state)",
        );
        self.0.execute_batch(
            "drop table if exists temp.new_state; create temp table new_state (room integer primary key)",
        )?;
        loop {
            self.0.execute("delete from looked", [])?;
            let sql = "insert into looked (line, how) select line, how from to_erase indexed by to_erase_looked where not looked limit ?1";
            if self.0.execute(sql, [AT_ONCE])? == 0 {
                break;
            }
            self.0.execute(
                "update to_erase set looked = 1 where (file, line) in (select line.file, line.line from looked join line using (line))",
                [],
            )?;
            for sql in [&edits, &answers, &answers_in_threads, &referred("relates_to"), &referred("redacts")] {
                self.0.prepare_cached(sql)?.execute([erasure])?;
            }
            self.0.execute("delete from new_state", [])?;
            let sql = "insert or ignore into new_state
                       select g.room from looked cross join line t on t.line = looked.line cross join file g on g.file = t.file
                        where looked.how >= 3 and t.state_key is not null and g.room not in (select room from with_state)";
            if self.0.execute(sql, [])? > 0 {
                self.0.execute("insert into with_state select room from new_state", [])?;
                // whoever is called otherwise may be so on any day: said once, and not for each of his names
                self.mark_files("select file from file where room in (select room from new_state)", [])?;
                self.0.execute(
                    "update room set dirty = 1 where has_lines and room in (select room from new_state)",
                    [],
                )?;
                self.0.prepare_cached(&state)?.execute([erasure])?;
            }
        }
        Ok(())
    }

    /// Takes back names that outliers gave, of members and of rooms, as these conditions say; each gets a tombstone. How many.
    fn forget_outliers_of(&self, erasure: i64, which: [&str; 2], of: &str) -> Result<u64, Error> {
        let [members, rooms] = which;
        let not_held = "room not in (select room from room join hold using (room_id))";
        self.0.execute_batch(
            "drop table if exists temp.outlier; create temp table outlier (event_id text primary key, room integer)",
        )?;
        let keys = [key!("membership.event_id"), key!("room_state.event_id")];
        for ((table, which), key) in [("membership", members), ("room_state", rooms)].into_iter().zip(keys) {
            let sql = format!(
                "insert or ignore into outlier select event_id, room from {table} where {which} and {not_held}
                    and not exists (select 1 from line where id_key = {key} and line.event_id = {table}.event_id)"
            );
            self.0.execute(&sql, [of])?;
        }
        let mut outliers = self.0.prepare("select event_id from outlier")?;
        let mut outliers = outliers.query([])?;
        let mut count = 0;
        while let Some(row) = outliers.next()? {
            self.bury(row.get::<_, OwnedEventId>(0)?.borrowed(), Erased::Pruned, None, erasure)?;
            count += 1;
        }
        let mut rooms = self.0.prepare("select distinct room_id from outlier join room using (room)")?;
        let rooms = rooms.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
        for table in ["membership", "room_state"] {
            let sql = format!("delete from {table} where (room, event_id) in (select room, event_id from outlier)");
            self.0.execute(&sql, [])?;
        }
        for room_id in rooms {
            self.mark(&Transcripts::Room(room_id.clone()))?;
            self.room_is_stale(&room_id)?;
        }
        self.0.execute_batch("drop table temp.outlier")?;
        Ok(count)
    }

    /// The rooms on hold that have lines which are to be erased.
    fn held_lines(&self) -> Result<Vec<String>, Error> {
        let sql = "select distinct room_id from to_erase join file using (file) join room using (room) join hold using (room_id)";
        let mut statement = self.0.prepare(sql)?;
        Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// Lets lines of rooms on hold be; how many.
    fn leave_held(&self) -> Result<u64, Error> {
        let sql = "delete from to_erase
                    where file in (select file from file join room using (room) join hold using (room_id))";
        Ok(self.0.execute(sql, [])? as u64)
    }

    fn nothing_to_erase(&self) -> Result<bool, Error> {
        Ok(!self.0.query_row("select exists (select 1 from to_erase)", [], |row| row.get::<_, bool>(0))?)
    }

    fn rooms_to_erase(&self) -> Result<u64, Error> {
        let sql = "select count(distinct room) from to_erase join file using (file) where how >= 3";
        Ok(self.0.query_row(sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs())
    }

    /// How many events of others name a user by his id, as their state key or as mentioned.
    fn named_by_others(&self, user_id: &str) -> Result<u64, Error> {
        let sql = "select count(*) from line left join said using (line)
                    where (state_key = ?1 or instr(' ' || coalesce(has, '') || ' ', ' ' || ?1 || ' '))
                      and sender is not (select user from user where user_id = ?1)";
        Ok(self.0.query_row(sql, [user_id], |row| row.get::<_, i64>(0))?.unsigned_abs())
    }

    /// How many state events are from before a time.
    fn state_before(&self, time: i64) -> Result<u64, Error> {
        let sql = format!("select count(*) from line where {TIME} < ?1 and state_key is not null");
        Ok(self.0.query_row(&sql, [time], |row| row.get::<_, i64>(0))?.unsigned_abs())
    }

    /// How much would be taken of the lines that are to be erased.
    fn weigh(&self, archive: &Path) -> Result<Buried, Error> {
        let mut buried = Buried::default();
        let mut files = self.0.prepare("select distinct file from to_erase")?;
        let mut files = files.query([])?;
        while let Some(row) = files.next()? {
            let (file, mut last, mut changed) = (row.get::<_, i64>(0)?, 0, false);
            while let Some(place) = LineToErase::next(&self.0, file, last)? {
                last = place.line;
                if let Some(how) = place.how_much(&self.0, archive)? {
                    buried.count(how);
                    changed = true;
                }
            }
            buried.files += u64::from(changed);
        }
        Ok(buried)
    }
}
