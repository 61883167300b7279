//! Second lines of an event, which a first export writes where the database has more than one row of it: it looks nothing up
//! while it reads. They are taken out before the catalog's indexes are made; no later export writes any.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::Row;

use super::rewrite::LineChange;
use super::writing::Writing;
use super::{Archive, Counts, Error, layout, lines};
use crate::event::{Event, OwnedEventId, OwnedRoomId};

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
    /// The first of them.
    pub named: Vec<(OwnedEventId, OwnedRoomId)>,
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
            let change = |_: &super::Catalog, path: &str, start, _: &str| {
                Ok(if lines[path].contains(&start) { LineChange::Drop } else { LineChange::Keep })
            };
            let directory = self.directory.clone();
            self.rewrite(&paths, change, |writing| {
                paths.iter().try_for_each(|path| writing.forget_second_lines(&directory, path, run, &mut taken))
            })?;
        }
        self.catalog.connection.execute_batch("drop table temp.copy")?;
        Ok(taken)
    }
}

impl super::Catalog {
    /// The lines to be taken out of the next files: by path, where they begin.
    fn next_second_lines(&self) -> Result<BTreeMap<String, BTreeSet<u64>>, Error> {
        let (mut found, mut count) = (BTreeMap::<String, BTreeSet<u64>>::new(), 0);
        let sql = "select path, start from copy where not stays order by path, start";
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
            found.entry(path).or_default().insert(row.get::<_, i64>(1)?.unsigned_abs());
        }
        Ok(found)
    }
}

impl Writing<'_> {
    /// Whether some event has several lines.
    pub(super) fn has_second_lines(&self) -> Result<bool, Error> {
        let sql = format!("select exists (select 1 from line one where {SECOND})");
        Ok(self.0.query_row(&sql, [], |row| row.get(0))?)
    }

    /// Finds the lines of events that have several, and says which stay; then sees to it that rooms and members have the names
    /// that these give.
    fn find_second_lines(&self, archive: &Path) -> Result<(), Error> {
        self.0.execute_batch(&format!(
            "drop table if exists temp.copy;
             create temp table copy (
                 line integer primary key, event_id text not null, path text not null, day text not null, start integer not null,
                 length integer not null, run integer not null, stays integer not null);
             insert into copy select line, event_id, path, day, start, length, run, 0 from event
              where line in (select line from line one where {SECOND});
             create index temp.copy_path on copy (path, start);
             create index temp.copy_event on copy (event_id, line);",
        ))?;
        let names = "event_id in (select event_id from copy)";
        self.0.execute(&format!("delete from first_membership where {names}"), [])?;
        self.0.execute(&format!("delete from room_state where {names}"), [])?;
        let mut copies = self.0.prepare("select line, path, start, length, day from copy order by event_id, line")?;
        let mut copies = copies.query([])?;
        let mut best: Option<(i64, Event)> = None;
        while let Some(row) = copies.next()? {
            let (line, event) = (row.get(0)?, copy(archive, row)?);
            match &mut best {
                Some((own, best)) if best.event_id == event.event_id => {
                    if best.compare_text(&event).is_lt() {
                        (*own, *best) = (line, event);
                    }
                }
                _ => {
                    let before = best.replace((line, event));
                    before.map_or(Ok(()), |(line, event)| self.stays(line, &event))?;
                }
            }
        }
        best.map_or(Ok(()), |(line, event)| self.stays(line, &event))
    }

    fn stays(&self, line: i64, event: &Event) -> Result<(), Error> {
        self.0.prepare_cached("update copy set stays = 1 where line = ?1")?.execute([line])?;
        if event.is_accepted() {
            self.add_name(event, false)?;
        }
        Ok(())
    }

    /// Takes the events of lines that are taken out of a file out of the catalog.
    fn forget_second_lines(&self, archive: &Path, path: &str, run: i64, taken: &mut SecondLines) -> Result<(), Error> {
        let mut counts = BTreeMap::<i64, Counts>::new();
        let mut found = Counts::default();
        let sql = "select line, path, start, length, day, run from copy where path = ?1 and not stays order by line";
        let mut copies = self.0.prepare_cached(sql)?;
        let mut copies = copies.query([path])?;
        while let Some(row) = copies.next()? {
            let event = copy(archive, row)?;
            counts.entry(row.get(5)?).or_default().add(&event, false);
            if self.duplicate(event.id(), run)? {
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
        for table in ["line", "relation", "said"] {
            let sql =
                format!("delete from {table} where line in (select line from copy where path = ?1 and not stays)");
            self.0.prepare_cached(&sql)?.execute([path])?;
        }
        self.0.prepare_cached("delete from copy where path = ?1 and not stays")?.execute([path])?;
        let room = layout::parts(path).map_or("", |(room, _)| room);
        let sql = "update room set has_lines = 0, dirty = 0
                    where directory = ?1 and not exists (select 1 from file where file.room = room.room)";
        self.0.prepare_cached(sql)?.execute([room])?;
        Ok(())
    }
}

/// Whether the event of the line `one` has another one.
const SECOND: &str = "id_key in (select id_key from line group by id_key having count(*) > 1)
    and exists (select 1 from line other indexed by line_id
                 where other.id_key = one.id_key and other.event_id = one.event_id and other.line <> one.line)";

/// The event of a row of `copy`: line, path, start, length, day.
fn copy(archive: &Path, row: &Row<'_>) -> Result<Event, Error> {
    let (path, day): (String, String) = (row.get(1)?, row.get(4)?);
    let (start, length): (i64, i64) = (row.get(2)?, row.get(3)?);
    let text = lines::read(archive, &path, start.unsigned_abs(), length.unsigned_abs())?;
    let broken = |why| Error::Line { path: archive.join(&path), line: 0, why: format!("{why}") };
    Event::from_line(&text, &day).map_err(broken)
}
