//! Lets the catalog forget what is taken out of lines, in the transaction in which their files are written anew. Reads the lines as they
//! were, and changes none.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::params;

use super::super::adding::Relating;
use super::super::stale::Stale;
use super::super::writing::Writing;
use super::super::{Counts, Error, layout};
use super::selecting::of_number;
use super::taking::{Taken, open, taken};
use crate::event::{Erased, Event, RoomId};

impl Writing<'_> {
    /// Takes out of the catalog what is taken out of the lines of `temp.erasing`.
    pub(super) fn forget_what_is_erased(&self, archive: &Path, emptied: &[String]) -> Result<(), Error> {
        let (mut counts, mut opened) = (BTreeMap::<i64, Counts>::new(), None);
        let mut erasing =
            self.0.prepare("select path, start, length, line, file, how from erasing order by path, start")?;
        let mut erasing = erasing.query([])?;
        while let Some(row) = erasing.next()? {
            let (path, line): (String, i64) = (row.get(0)?, row.get(3)?);
            let (start, length) = (row.get::<_, i64>(1)?.unsigned_abs(), row.get::<_, i64>(2)?.unsigned_abs());
            let text = open(&mut opened, archive, &path)?.read(start, length)?;
            let Some(Taken { old, new, .. }) = taken(&self.0, &path, line, &text, of_number(row.get(5)?))? else {
                continue;
            };
            self.forget_words(line)?;
            match new {
                None => {
                    let run = self.forget_line(line, &old)?;
                    counts.entry(run).or_default().add(&Event::from_line(&text, "").unwrap_or(old), false);
                }
                Some(new) => self.line_is_erased(line, &old, &new)?,
            }
            self.needs_nothing(row.get(4)?, line)?;
        }
        for (run, counts) in &counts {
            self.count(*run, counts, -1)?;
        }
        let mut stale = Stale::default();
        for path in emptied {
            let Some((directory, day)) = layout::parts(path) else { continue };
            let sql = "select room_id from room where directory = ?1";
            let room_id: String = self.0.prepare_cached(sql)?.query_row([directory], |row| row.get(0))?;
            stale.neighbours(RoomId::of(&room_id), day, self)?;
            self.room_is_stale(&room_id)?;
            let sql = "update room set has_lines = 0, dirty = 0, name = null, aliases = null, type = null, messages = 0, alike = null,
                                       by_name = null, link = null
                        where directory = ?1 and not exists (select 1 from file where file.room = room.room)";
            if self.0.prepare_cached(sql)?.execute([directory])? > 0 {
                // the list of rooms is made with the last of them
                let sql = "update room set dirty = 1 where room_id = (select min(room_id) from room where has_lines)";
                self.0.execute(sql, [])?;
            }
        }
        stale.mark(self)
    }

    /// Forgets an event whose line is gone; the run that had archived it.
    fn forget_line(&self, line: i64, old: &Event) -> Result<i64, Error> {
        self.forget_name(old, old.origin_server_ts)?;
        for (table, key) in [("beyond_line", "event_id"), ("sticky", "event_id")] {
            self.0.prepare_cached(&format!("delete from {table} where {key} = ?1"))?.execute([&old.event_id])?;
        }
        for table in ["relation", "said"] {
            self.0.prepare_cached(&format!("delete from {table} where line = ?1"))?.execute([line])?;
        }
        let sql = "delete from line where line = ?1 returning run";
        Ok(self.0.prepare_cached(sql)?.query_row([line], |row| row.get(0))?)
    }

    /// Takes in what is left of an event.
    fn line_is_erased(&self, line: i64, old: &Event, new: &Event) -> Result<(), Error> {
        if new.erased == Some(Erased::Copies) {
            return Ok(());
        }
        self.0.prepare_cached("delete from said where line = ?1")?.execute([line])?;
        Relating::new(self)?.say(line, new)?;
        if new.erased == Some(Erased::Cut) {
            return Ok(());
        }
        let rel_type = new.rel_type.as_deref().map(|name| self.type_of(name)).transpose()?;
        let sql = "update relation set relates_to = ?2, rel_type = ?3, replies_to = ?4 where line = ?1";
        self.0.prepare_cached(sql)?.execute(params![line, new.relates_to, rel_type, new.replies_to])?;
        let sql =
            "delete from relation where line = ?1 and relates_to is null and rel_type is null and replies_to is null
                      and redacts is null and recheck is null";
        self.0.prepare_cached(sql)?.execute([line])?;
        self.0
            .prepare_cached("update line set erased = ?2 where line = ?1")?
            .execute(params![line, new.is_erased()])?;
        if new.is_beyond_line {
            self.beyond_line(old.id())?;
        }
        self.0.prepare_cached("delete from sticky where event_id = ?1")?.execute([&old.event_id])?;
        self.forget_name(old, old.origin_server_ts)?;
        if old.is_accepted() && self.add_name(new, true)? {
            self.redact(old.id())?;
        }
        Ok(())
    }
}
