//! Erases the lines that are to be erased, file by file: first their tombstones, then the lines, with the catalog.
//!
//! What is left to be done is in the catalog, and is done again from where it was cut off. Decides nothing of which lines these are.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{OptionalExtension as _, params};

use super::super::replace::remove_pages;
use super::super::rewrite::LineChange;
use super::super::stale::Stale;
use super::super::writing::{Writing, signed};
use super::super::{Archive, Catalog, Error, Step, durable};
use super::selecting::{number, of_number};
use super::taking::{LineToErase, Taken, open, taken};
use super::{ERASING, digest};
use crate::event::{Erased, EventId};

/// How many files are written anew together, and about how many lines of them are erased then.
const FILES: usize = 64;
const LINES: u64 = 20_000;
/// How many lines get their tombstones in one transaction.
const AT_ONCE: usize = 1_000;

/// How much of how many lines was erased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buried {
    /// Whole ones.
    pub whole: u64,
    /// Pruned, as a redaction does.
    pub pruned: u64,
    /// Of others: without what they quote.
    pub cut: u64,
    /// Of others: without what their server had copied into them.
    pub copies: u64,
    /// Files of lines.
    pub files: u64,
}

impl Buried {
    pub(super) fn count(&mut self, how: Erased) {
        *match how {
            Erased::Whole => &mut self.whole,
            Erased::Pruned => &mut self.pruned,
            Erased::Cut => &mut self.cut,
            Erased::Copies => &mut self.copies,
        } += 1;
    }

    /// All lines.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.whole + self.pruned + self.cut + self.copies
    }
}

impl std::ops::AddAssign for Buried {
    fn add_assign(&mut self, other: Buried) {
        self.whole += other.whole;
        self.pruned += other.pruned;
        self.cut += other.cut;
        self.copies += other.copies;
        self.files += other.files;
    }
}

impl Archive {
    /// Erases the lines that are to be erased. `told` hears how many files of lines are done, and of how many; it ends the work early
    /// by returning false.
    pub fn erase_selected(&mut self, told: &mut dyn FnMut(u64, u64) -> bool) -> Result<Buried, Error> {
        // which files they name has to be known to tell which of these nobody names any more
        self.name_media(&mut |_, _| ())?;
        let sql = "select count(distinct file) from to_erase";
        let all: i64 = self.catalog.connection.query_row(sql, [], |row| row.get(0))?;
        let (mut buried, mut done) = (Buried::default(), 0);
        loop {
            let files = self.catalog.next_to_erase()?;
            if files.is_empty() {
                self.release_media()?;
                let writing = self.catalog.write()?;
                writing.are_done()?;
                writing.commit()?;
                return Ok(buried);
            }
            if !told(done, all.unsigned_abs()) {
                return Err(Error::Stopped);
            }
            self.interrupt.check()?;
            self.steps().at(Step::Erase)?;
            let left = self.bury_lines(&files, &mut buried)?;
            if !left.is_empty() {
                self.rewrite_without(&left)?;
            }
            done += files.len() as u64;
        }
    }

    /// Sets the tombstones of the lines of files that are to be erased, and says what is stale once they are; those of which there is
    /// nothing to take are let be. The files of which something is taken.
    fn bury_lines(&mut self, files: &[i64], buried: &mut Buried) -> Result<Vec<i64>, Error> {
        let (mut left, mut opened) = (Vec::new(), None);
        let (mut files, mut last) = (files.iter().copied().peekable(), 0);
        while files.peek().is_some() {
            let Archive { directory, catalog, .. } = self;
            let writing = catalog.write()?;
            let (mut stale, mut count, mut fresh) = (Stale::default(), 0, BTreeMap::new());
            let mut plaintexts = Vec::new();
            while let Some(&file) = files.peek().filter(|_| count < AT_ONCE) {
                let Some(place) = LineToErase::next(&writing.0, file, last)? else {
                    (last, _) = (0, files.next());
                    continue;
                };
                last = place.line;
                let text = open(&mut opened, directory, &place.path)?.read(place.start, place.length)?;
                let Some(Taken { old, how, .. }) = taken(&writing.0, &place.path, place.line, &text, place.how)? else {
                    writing.needs_nothing(file, place.line)?;
                    continue;
                };
                if how != place.how {
                    let sql = "update to_erase set how = ?3 where file = ?1 and line = ?2";
                    writing.0.prepare_cached(sql)?.execute(params![file, place.line, number(how)])?;
                }
                buried.count(how);
                writing.bury(old.id(), how, Some(&text), place.erasure)?;
                // where every day is stale already there is nothing to look for
                let is_fresh = match fresh.get(&old.room_id) {
                    Some(is_fresh) => *is_fresh,
                    None => *fresh.entry(old.room_id.clone()).or_insert(writing.has_fresh_day(&old.room_id)?),
                };
                if how >= Erased::Pruned && is_fresh {
                    stale.redacted(old.room(), old.id(), &writing)?;
                }
                if how >= Erased::Pruned {
                    plaintexts.push((old.event_id, how));
                }
                if left.last() != Some(&file) {
                    left.push(file);
                    buried.files += 1;
                }
                count += 1;
            }
            stale.mark(&writing)?;
            if count > 0 {
                writing.set(ERASING, true)?;
            }
            writing.commit()?;
            self.erase_plaintexts(&plaintexts)?;
        }
        Ok(left)
    }

    /// Writes files anew without what has a tombstone, and lets the catalog follow.
    fn rewrite_without(&mut self, files: &[i64]) -> Result<(), Error> {
        let connection = &self.catalog.connection;
        connection.execute_batch(
            "drop table if exists temp.erasing;
             create temp table erasing (path text, start integer, length integer, line integer, file integer, how integer,
                                        primary key (path, start)) without rowid",
        )?;
        let (mut paths, mut emptied) = (BTreeSet::new(), Vec::new());
        for file in files {
            connection.prepare_cached(
                "insert into erasing
                 select 'rooms/' || directory || '/' || day || '.jsonl', start, length, line.line, file.file, how
                   from to_erase join line on line.line = to_erase.line join file on file.file = to_erase.file join room using (room)
                  where to_erase.file = ?1",
            )?
            .execute([file])?;
            let sql = "select path, count(*) filter (where how = 4) = (select events from file where file.file = erasing.file)
                         from erasing where file = ?1";
            let (path, is_emptied): (String, bool) =
                connection.prepare_cached(sql)?.query_row([file], |row| Ok((row.get(0)?, row.get(1)?)))?;
            if is_emptied {
                emptied.push(path.clone());
            }
            paths.insert(path);
        }
        let directory = self.directory.clone();
        // first, so that none is left of a day that is not there any more
        for path in &emptied {
            let stem = path.trim_end_matches(".jsonl");
            durable::remove(&directory, &format!("{stem}.md"))?;
            remove_pages(&directory, stem, 0)?;
        }
        let change = |catalog: &Catalog, path: &str, start: u64, text: &str| {
            let sql = "select line, how from erasing where path = ?1 and start = ?2";
            let found = catalog
                .connection
                .prepare_cached(sql)?
                .query_row(params![path, signed(start)], |row| Ok((row.get::<_, i64>(0)?, of_number(row.get(1)?))));
            let Some((line, how)) = found.optional()? else { return Ok(LineChange::Keep) };
            Ok(match taken(&catalog.connection, path, line, text, how)? {
                None => LineChange::Keep,
                Some(Taken { new: None, .. }) => LineChange::Drop,
                Some(Taken { new: Some(new), .. }) => LineChange::Replace(new.line),
            })
        };
        self.rewrite(&paths, change, |writing| writing.forget_what_is_erased(&directory, &emptied))?;
        self.catalog.connection.execute_batch("drop table temp.erasing")?;
        Ok(())
    }
}

impl Catalog {
    /// The next files that have lines which are to be erased.
    fn next_to_erase(&self) -> Result<Vec<i64>, Error> {
        let mut statement =
            self.connection.prepare_cached("select file, count(*) from to_erase group by file order by file")?;
        let mut rows = statement.query([])?;
        let (mut files, mut lines) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            if files.len() >= FILES || lines >= LINES {
                break;
            }
            files.push(row.get(0)?);
            lines += row.get::<_, i64>(1)?.unsigned_abs();
        }
        Ok(files)
    }
}

impl Writing<'_> {
    /// Sets the tombstone of an event, unless it has one that says as much. `line`: as it was, if there was one.
    pub(super) fn bury(&self, event: EventId<'_>, how: Erased, line: Option<&str>, erasure: i64) -> Result<(), Error> {
        self.set_tombstone(&digest(&event), how, line.map(digest).as_deref(), erasure)
    }

    /// The same, where the id and the line are known by their SHA-256 alone.
    pub(super) fn set_tombstone(&self, id: &str, how: Erased, line: Option<&str>, erasure: i64) -> Result<(), Error> {
        let sql = "insert into tombstone (id, kind, line, erasure) values (?1, ?2, ?3, ?4)
                   on conflict (id) do update set kind = excluded.kind, line = coalesce(excluded.line, line), erasure = excluded.erasure
                    where ?5 > case kind when 'copies' then 1 when 'cut' then 2 when 'pruned' then 3 else 4 end";
        self.0.prepare_cached(sql)?.execute(params![id, how, line, erasure, number(how)])?;
        Ok(())
    }

    /// A line of a file is to be erased.
    pub(in crate::archive) fn is_to_be_erased(
        &self,
        file: i64,
        line: i64,
        how: Erased,
        erasure: i64,
    ) -> Result<(), Error> {
        let sql = "insert or replace into to_erase (file, line, how, erasure, looked) values (?1, ?2, ?3, ?4, 1)";
        self.0.prepare_cached(sql)?.execute(params![file, line, number(how), erasure])?;
        Ok(())
    }

    pub(super) fn needs_nothing(&self, file: i64, line: i64) -> Result<(), Error> {
        self.0.prepare_cached("delete from to_erase where file = ?1 and line = ?2")?.execute([file, line])?;
        Ok(())
    }
}
