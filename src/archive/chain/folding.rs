//! Folds commits of the chain: what many have added to the same files, a few lines each, becomes one, so that the chain grows with the
//! files that are added to and not with how often that happens. Only what no seal knows is folded (see [`Archive::seal_chain`]), and only
//! lines that are those that the chain has; what is not, or cannot be read, stays as it is, to be found.
//!
//! The new end of the chain is written beside it and synced. Then the catalog moves in one transaction, which also says where the new end
//! begins, and the state with it; then it is put in place. What was cut off before the catalog moved is undone, what was cut off later
//! is completed. Never folds what an earlier version wrote, which may be sealed, nor what a first export did: the first commit after it
//! leaves all that is there.

mod joining;

use std::io::{self, Seek as _, SeekFrom};
use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, params};
use rustix::fs::OFlags;
use serde_json::{Map, Value};

use super::super::writing::signed;
use super::super::{Archive, Catalog, Error, Step, durable, inside};
use super::walking::{end_of, walk_both};
use super::{Chain, Extent, Head, NAME, Part, head, place, walk};
use joining::{Joining, Span};

/// From how many bytes on that the chain has grown by it is folded.
pub(in crate::archive) const FROM: u64 = 8 * 1024 * 1024;
/// The same before a seal, after which they never are.
pub(super) const FROM_BEFORE_A_SEAL: u64 = 64 * 1024;
/// By what name the catalog knows up to where nothing is folded any more.
const FOLDED: &str = "folded";
/// By what name it knows where a new end begins that is to be put in place.
const FOLDING: &str = "folding";
/// The new end, in the archive's directory.
const NEW: &str = ".chain.new";
/// From how many bytes of lines on it is not worth the while to read them again.
const SMALL: u64 = 16 * 1024;

impl Archive {
    /// Folds what the chain has got since it was last folded or sealed, if these are so many bytes, and half of its lines can go.
    pub(in crate::archive) fn fold_chain(&mut self, from: u64) -> Result<(), Error> {
        let Some(head) = self.catalog.chain_head()? else { return Ok(()) };
        let folded = place(&self.catalog.connection, FOLDED)?;
        let Some(start) = folded.filter(|folded| folded.bytes <= head.bytes) else { return self.folded_up_to(&head) };
        if head.bytes - start.bytes < from {
            return Ok(());
        }
        let start = take_tail(&self.catalog, &self.directory, start, &head)?;
        match start {
            Some(start) if is_worth_it(&self.catalog)? => self.fold_tail(&start),
            // also where it is broken, for `verify` to find
            _ => self.folded_up_to(&head),
        }
    }

    /// Leaves the chain as it is by now.
    fn folded_up_to(&mut self, head: &Head) -> Result<(), Error> {
        let writing = self.catalog.write()?;
        writing.remember_head(FOLDED, head)?;
        writing.commit()
    }

    /// Folds what `take_tail` has taken from a place in the chain on.
    fn fold_tail(&mut self, start: &Head) -> Result<(), Error> {
        self.steps().at(Step::Rewrite)?;
        durable::remove(&self.directory, NEW)?;
        let path = self.directory.join(NEW);
        let made = inside::create(&self.directory, NEW, OFlags::WRONLY | OFlags::APPEND, self.readers);
        let mut chain = Chain::behind(path.clone(), made.map_err(Error::io("make", &path))?, start.clone());
        write_folded(&self.catalog, &self.directory, &mut chain)?;
        let new = chain.finish()?;
        durable::sync(&self.directory)?;
        self.steps().at(Step::Record)?;
        let writing = self.catalog.write()?;
        writing.chain_is(&new)?;
        writing.remember_head(FOLDED, &new)?;
        writing.remember_head(FOLDING, start)?;
        writing.commit()?;
        self.steps().at(Step::Recorded)?;
        // else a catalog made anew would look for what was there before
        self.catalog.sync_state()?;
        self.complete_folding()
    }

    /// Puts a new end of the chain in place that the catalog knows, and removes one that it does not know.
    pub(in crate::archive) fn complete_folding(&mut self) -> Result<(), Error> {
        let path = self.directory.join(NEW);
        let is_there = || inside::length(&self.directory, NEW).map_err(Error::io("look at", &path));
        if place(&self.catalog.connection, FOLDING)?.is_none() {
            if is_there()?.is_none() {
                return Ok(());
            }
        } else {
            self.steps().at(Step::Replace)?;
            put_in_place(&self.directory, &self.catalog.connection)?;
        }
        // also if it knows of none: a commit that failed may be in its log, and come to life unless another one takes its place
        let folded = place(&self.catalog.connection, FOLDED)?;
        let writing = self.catalog.write()?;
        writing.0.execute("delete from chain where name = ?1", [FOLDING])?;
        if let Some(folded) = folded {
            writing.remember_head(FOLDED, &folded)?;
        }
        writing.commit()?;
        self.catalog.sync_state()?;
        self.steps().at(Step::Replace)?;
        durable::remove(&self.directory, NEW)
    }
}

/// Puts a new end of the chain in place, as long as the chain ends with it as the catalog says. Can be done again.
pub(super) fn put_in_place(archive: &Path, catalog: &Connection) -> Result<(), Error> {
    let Some(start) = place(catalog, FOLDING)? else { return Ok(()) };
    let path = archive.join(NAME);
    let length = |name: &str| inside::length(archive, name).map_err(Error::io("look at", &archive.join(name)));
    if length(NEW)?.is_none() || length(NAME)?.is_none_or(|length| length < start.bytes) {
        return Ok(());
    }
    match end_of(archive, NEW, &start) {
        Ok(end) if Some(&end) == head(catalog)?.as_ref() => {}
        // the chain has gone on since, or a state that lags speaks of another one
        Ok(_) | Err(Error::Chain { .. }) => return Ok(()),
        Err(error) => return Err(error),
    }
    let put = || -> io::Result<()> {
        let (mut new, mut old) = (inside::read(archive, NEW)?, inside::open(archive, NAME, OFlags::WRONLY)?);
        old.set_len(start.bytes)?;
        old.seek(SeekFrom::End(0))?;
        io::copy(&mut new, &mut old)?;
        old.sync_all()
    };
    put().map_err(Error::io("write", &path))
}

/// Goes through the chain as [`walk`] does, up to a byte, though a new end of it may not be in place yet.
pub(in crate::archive) fn walk_known(
    archive: &Path,
    catalog: &Catalog,
    to: u64,
    part: impl FnMut(Part<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let new = inside::length(archive, NEW).map_err(Error::io("look at", &archive.join(NEW)))?;
    match (place(&catalog.connection, FOLDING)?, new) {
        (Some(start), Some(new)) if to <= start.bytes + new => walk_both(archive, start.bytes, NEW, to, part),
        _ => walk(archive, &Head::none(), Some(to), part),
    }
}

impl Catalog {
    /// What becomes another when the chain is folded: a walk through it that saw it change was none.
    pub(in crate::archive) fn foldings(&self) -> Result<[Option<Head>; 2], Error> {
        Ok([place(&self.connection, FOLDED)?, place(&self.connection, FOLDING)?])
    }
}

/// Takes the end of the chain into temporary tables, from a place on, or from the last one that a seal knows: which one that is. None:
/// it is not as it should be. A commit is in a run with others if it may be folded with them.
fn take_tail(catalog: &Catalog, archive: &Path, mut start: Head, head: &Head) -> Result<Option<Head>, Error> {
    let connection = &catalog.connection;
    connection.execute_batch(
        "drop table if exists temp.tail_commit;
         drop table if exists temp.tail;
         create temp table tail_commit (number integer primary key, run integer not null, kind text not null, said text not null);
         create temp table tail (number integer not null, path text not null, first integer not null, next integer not null,
                                 lines integer not null, hash text not null);
         create index temp.tail_number on tail (number)",
    )?;
    let taking = connection.unchecked_transaction()?;
    let mut extent = taking.prepare("insert into temp.tail values (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let mut commit = taking.prepare("insert into temp.tail_commit values (?1, ?2, ?3, ?4)")?;
    let (mut number, mut run, mut last, mut last_head) = (0_i64, 0_i64, false, start.clone());
    let from = start.clone();
    let walked = walk(archive, &from, Some(head.bytes), |part| {
        match part {
            Part::Extent(Extent { path, from, to, lines, hash }) => {
                extent.execute(params![number, path, signed(from), signed(to), signed(lines), hash])?;
            }
            Part::End { kind, said, head, .. } => {
                if kind == "sealed" || kind == "begun" {
                    taking.execute_batch("delete from temp.tail; delete from temp.tail_commit")?;
                    start = head.clone();
                } else {
                    let is_folded = kind == "appended" || kind == "folded";
                    run += i64::from(!(is_folded && last));
                    last = is_folded;
                    let said = serde_json::to_string(said).unwrap_or_default();
                    commit.execute(params![number, run, kind, said])?;
                }
                number += 1;
                last_head = head;
            }
        }
        Ok(())
    });
    drop((extent, commit));
    taking.commit()?;
    match walked {
        Ok(()) => Ok((last_head == *head).then_some(start)),
        Err(Error::Chain { .. }) => Ok(None),
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether half of the lines that were taken can go.
fn is_worth_it(catalog: &Catalog) -> Result<bool, Error> {
    let sql = "with extent as (
                   select next - first as length, first = lag(next) over file as follows, lag(next - first) over file as before
                     from temp.tail join temp.tail_commit using (number) where kind in ('appended', 'folded')
                   window file as (partition by run, path order by first, number))
               select (select count(*) from temp.tail) + (select count(*) from temp.tail_commit),
                      (select count(*) from extent where follows and length < ?1 and before < ?1)
                      + (select count(*) - count(distinct run) from temp.tail_commit)";
    let (all, fewer): (i64, i64) =
        catalog.connection.query_row(sql, [signed(SMALL)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(fewer > 0 && fewer * 2 >= all)
}

/// Adds to a chain what was taken, folded.
fn write_folded(catalog: &Catalog, archive: &Path, chain: &mut Chain) -> Result<(), Error> {
    let connection = &catalog.connection;
    connection.execute_batch(
        "drop table if exists temp.tail_rewritten;
         create temp table tail_rewritten (path text primary key, number integer not null) without rowid;
         insert into temp.tail_rewritten
         select path, max(number) from temp.tail join temp.tail_commit using (number) where kind = 'rewritten' group by path",
    )?;
    let mut runs = connection.prepare("select run, count(*) from temp.tail_commit group by run order by run")?;
    let mut runs = runs.query([])?;
    while let Some(row) = runs.next()? {
        let (run, commits): (i64, i64) = (row.get(0)?, row.get(1)?);
        let sql = "select path, first, next, lines, hash, number from temp.tail join temp.tail_commit using (number) where run = ?1";
        if commits == 1 {
            let mut extents = connection.prepare(&format!("{sql} order by tail.rowid"))?;
            let mut extents = extents.query([run])?;
            while let Some(row) = extents.next()? {
                let path: String = row.get(0)?;
                Span::read(row)?.add(&path, chain)?;
            }
        } else {
            let mut extents = connection.prepare(&format!("{sql} order by path, first, number"))?;
            let mut extents = extents.query([run])?;
            let mut joining = Joining::new(archive, chain);
            while let Some(row) = extents.next()? {
                let path: String = row.get(0)?;
                if path != joining.path {
                    joining.end()?;
                    let rewritten = last_rewrite(connection, &path)?;
                    joining.begin(path, rewritten);
                }
                let number: i64 = row.get(5)?;
                joining.take(Span::read(row)?, number)?;
            }
            joining.end()?;
        }
        chain.close_as(said(connection, run, commits)?)?;
    }
    Ok(())
}

/// The last commit that was taken and has a file written anew; less than any: none.
fn last_rewrite(connection: &Connection, path: &str) -> Result<i64, Error> {
    let sql = "select number from temp.tail_rewritten where path = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([path], |row| row.get(0)).optional()?.unwrap_or(-1))
}

/// What a run of commits says of itself: when it ended, and if it is folded, when it began and of how many it is made.
fn said(connection: &Connection, run: i64, commits: i64) -> Result<Map<String, Value>, Error> {
    let sql =
        "select min(number), max(number), sum(coalesce(said ->> 'commits', 1)) from temp.tail_commit where run = ?1";
    let (first, last, all): (i64, i64, i64) =
        connection.query_row(sql, [run], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let of = |number: i64| -> Result<Map<String, Value>, Error> {
        let sql = "select said from temp.tail_commit where number = ?1";
        let text: String = connection.query_row(sql, [number], |row| row.get(0))?;
        Ok(serde_json::from_str(&text).unwrap_or_default())
    };
    let (first, mut said) = (of(first)?, of(last)?);
    if commits > 1 {
        let since = first.get("since").or_else(|| first.get("at")).cloned().unwrap_or_default();
        said.extend(
            [("kind", "folded".into()), ("since", since), ("commits", all.into())]
                .map(|(key, value)| (key.to_owned(), value)),
        );
    }
    Ok(said)
}

#[cfg(test)]
mod tests;
