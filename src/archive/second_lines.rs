//! Second lines of an event, which a first export writes where the database has more than one row of it: it looks nothing up
//! while it reads. They are taken out before the catalog's indexes are made; no later export writes any.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use rusqlite::params;

use super::rewrite::Change;
use super::writing::{Writing, signed};
use super::{Archive, Counts, Error, inside, layout};
use crate::event::Event;

/// How many files are written anew together, and about how many lines are taken out of them.
const FILES: usize = 64;
const LINES: usize = 100_000;
/// How many events are remembered by name, to be told of.
const NAMED: usize = 100;

/// What was taken out.
#[derive(Debug, Default)]
pub struct SecondLines {
    /// What these lines had been counted as by the last run.
    pub counts: Counts,
    /// How many events have lost some.
    pub events: u64,
    /// The first of them: event id, room id.
    pub named: Vec<(String, String)>,
}

impl Archive {
    /// Leaves every event one line: that of the better text, or between equal ones the one that was written first. It goes file
    /// by file, so that one that is cut off is gone on with.
    pub(super) fn take_out_second_lines(&mut self) -> Result<SecondLines, Error> {
        let run = self.catalog.last_run()?.map_or(0, |run| run.run);
        let writing = self.catalog.write()?;
        writing.find_second_lines(&self.directory)?;
        writing.commit()?;
        let mut taken = SecondLines::default();
        loop {
            let lines = self.catalog.next_second_lines()?;
            if lines.is_empty() {
                break;
            }
            let paths: BTreeSet<String> = lines.keys().cloned().collect();
            let (mut file, mut line) = (String::new(), 0);
            let change = |path: &str, _: &str| {
                if file != path {
                    (file, line) = (path.to_owned(), 0);
                }
                line += 1;
                Ok(if lines[path].binary_search(&line).is_ok() { Change::Drop } else { Change::Keep })
            };
            self.rewrite(&paths, change, |writing| {
                paths.iter().try_for_each(|path| writing.forget_second_lines(path, run, &mut taken))
            })?;
        }
        self.catalog.connection.execute_batch("drop table temp.copy")?;
        Ok(taken)
    }
}

impl super::Catalog {
    /// The lines to be taken out of the next files: by path, counted from 1, in order.
    fn next_second_lines(&self) -> Result<BTreeMap<String, Vec<i64>>, Error> {
        let (mut found, mut count) = (BTreeMap::<String, Vec<i64>>::new(), 0);
        let sql = "select path, line from copy where not stays order by path, line";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let path: String = row.get(0)?;
            if layout::parts(&path).is_none() {
                return Err(Error::altered("a file of lines", &path));
            }
            if (found.len() >= FILES || count >= LINES) && !found.contains_key(&path) {
                break;
            }
            count += 1;
            found.entry(path).or_default().push(row.get(1)?);
        }
        Ok(found)
    }
}

impl Writing<'_> {
    /// Finds the lines of events that have several, and says which stay; then sees to it that rooms and members have the names
    /// that these give.
    fn find_second_lines(&self, archive: &Path) -> Result<(), Error> {
        self.0.execute_batch(
            "drop table if exists temp.copy;
             create temp table copy (
                 row integer primary key, event_id text not null, room_id text not null, path text not null,
                 day text not null, run integer not null, line integer, text text, stays integer not null);
             insert into copy (row, event_id, room_id, path, day, run, stays)
             select event.rowid, event_id, event.room_id, 'rooms/' || directory || '/' || day || '.jsonl', day, run, 0
               from event join room using (room_id)
              where event_id in (select event_id from event group by event_id having count(*) > 1);
             create index temp.copy_path on copy (path, event_id, row);
             create index temp.copy_event on copy (event_id, row);",
        )?;
        let files: Vec<(String, String)> = {
            let mut files = self.0.prepare("select distinct path, day from copy order by path")?;
            files.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?
        };
        files.iter().try_for_each(|(path, day)| self.read_copies(archive, path, day))?;

        let names = "event_id in (select event_id from copy)";
        self.0.execute(&format!("delete from first_membership where {names}"), [])?;
        self.0.execute(&format!("delete from room_state where {names}"), [])?;
        let mut copies = self.0.prepare("select row, text, day from copy order by event_id, row")?;
        let mut copies = copies.query([])?;
        let mut best: Option<(i64, Event)> = None;
        while let Some(row) = copies.next()? {
            let (row, text, day): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let event = Event::from_line(&text, &day).map_err(|_| rusqlite::Error::InvalidQuery)?;
            match &mut best {
                Some((own, best)) if best.event_id == event.event_id => {
                    if best.compare_text(&event).is_lt() {
                        (*own, *best) = (row, event);
                    }
                }
                _ => {
                    let before = best.replace((row, event));
                    before.map_or(Ok(()), |(row, event)| self.stays(row, &event))?;
                }
            }
        }
        best.map_or(Ok(()), |(row, event)| self.stays(row, &event))
    }

    /// Takes in the lines of a file that have others. Those of one event are in the order of their rows in the catalog.
    fn read_copies(&self, archive: &Path, path: &str, day: &str) -> Result<(), Error> {
        let full_path = archive.join(path);
        let file = inside::read(archive, path).map_err(Error::io("open", &full_path))?;
        let mut take = self.0.prepare_cached(
            "update copy set line = ?3, text = ?4
              where row = (select min(row) from copy where path = ?1 and event_id = ?2 and line is null)",
        )?;
        for (line, text) in (1_u64..).zip(BufReader::new(file).lines()) {
            let text = text.map_err(Error::io("read", &full_path))?;
            let broken = |why| Error::Line { path: full_path.clone(), line, why: format!("{why}") };
            let event = Event::from_line(&text, day).map_err(broken)?;
            take.execute(params![path, event.event_id, signed(line), text])?;
        }
        Ok(())
    }

    fn stays(&self, row: i64, event: &Event) -> Result<(), Error> {
        self.0.prepare_cached("update copy set stays = 1 where row = ?1")?.execute([row])?;
        if event.is_accepted() {
            self.add_name(event, false)?;
        }
        Ok(())
    }

    /// Takes the events of lines that are taken out of a file out of the catalog.
    fn forget_second_lines(&self, path: &str, run: i64, taken: &mut SecondLines) -> Result<(), Error> {
        let mut counts = BTreeMap::<i64, Counts>::new();
        let mut found = Counts::default();
        let sql = "select event_id, room_id, run, text, day from copy where path = ?1 and not stays order by row";
        let mut copies = self.0.prepare_cached(sql)?;
        let mut copies = copies.query([path])?;
        while let Some(row) = copies.next()? {
            let (text, day): (String, String) = (row.get(3)?, row.get(4)?);
            let event = Event::from_line(&text, &day).map_err(|_| rusqlite::Error::InvalidQuery)?;
            counts.entry(row.get(2)?).or_default().add(&event, false);
            if self.duplicate(&event.event_id, run)? {
                found.duplicates += 1;
                if taken.named.len() < NAMED {
                    taken.named.push((event.event_id, event.room_id));
                }
            }
        }
        for (of, counts) in &counts {
            self.count(*of, counts, -1)?;
            if *of == run {
                taken.counts += *counts;
            }
        }
        taken.events += found.duplicates;
        self.count(run, &found, 1)?;
        let room = "select room_id from copy where path = ?1 limit 1";
        let room: String = self.0.prepare_cached(room)?.query_row([path], |row| row.get(0))?;
        let sql = "delete from event where rowid in (select row from copy where path = ?1 and not stays)";
        self.0.prepare_cached(sql)?.execute([path])?;
        self.0.prepare_cached("delete from copy where path = ?1 and not stays")?.execute([path])?;
        let sql = "delete from room where room_id = ?1 and not exists (
                       select 1 from file
                        where path between 'rooms/' || room.directory || '/' and 'rooms/' || room.directory || '0')";
        self.0.prepare_cached(sql)?.execute([room])?;
        Ok(())
    }
}
