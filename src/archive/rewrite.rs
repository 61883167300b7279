//! Files of lines written anew, where a line changes or is taken out. No other code changes a line once it is there.
//!
//! The new text is written beside the file and synced; then the catalog moves in one transaction, which also says that the
//! new file is to take the old one's place; then it does. What was cut off before the catalog moved is undone, what was cut
//! off later is completed: at no moment is a file anything but the old text or the new one.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::Path;

use rusqlite::{CachedStatement, params};

use super::chain::{Chain, Hashes};
use super::lines::{self, Anew, FileLine, Form, WholeFile};
use super::writing::{Writing, signed};
use super::{Archive, Catalog, Error, Readers, Step, Steps, catalog, durable, inside, layout};

/// What becomes of a line.
pub(super) enum LineChange {
    /// It stays as it is.
    Keep,
    /// This takes its place, without its newline.
    Replace(String),
    /// It is taken out.
    Drop,
}

/// A file to be written anew.
struct Rewrite {
    /// Below the archive.
    path: String,
    /// The name of the new file, beside the old one.
    new: String,
    /// The new file's length, once the catalog knows it as the file's; none: it is not written yet.
    bytes: Option<u64>,
}

impl Rewrite {
    /// A name for the new file that nobody can have taken, and that tells its form.
    fn of(path: &str, form: Form) -> Rewrite {
        let chance = || RandomState::new().build_hasher().finish();
        let name = form.of(&format!(".{:016x}{:016x}", chance(), chance()));
        Rewrite { path: path.to_owned(), new: format!("{name}.new"), bytes: None }
    }

    fn form(&self) -> Form {
        Form::named(self.new.trim_end_matches(".new")).1
    }

    /// The new file's path below the archive.
    fn new_path(&self) -> String {
        format!("{}/{}", inside::split(&self.path).0, self.new)
    }

    /// Refuses what no rewrite of ours has put into the catalog.
    fn check(&self) -> Result<(), Error> {
        if layout::parts(&self.path).is_none() {
            return Err(Error::altered("a file of lines", &self.path));
        }
        let chance = self.new.strip_prefix('.').and_then(|name| name.strip_suffix(".new"));
        let chance = chance.map(|name| Form::named(name).0);
        let is_ours =
            chance.is_some_and(|chance| chance.len() == 32 && chance.bytes().all(|it| it.is_ascii_hexdigit()));
        if is_ours { Ok(()) } else { Err(Error::altered("a file that takes another's place", &self.new)) }
    }
}

impl Archive {
    /// Writes files of lines anew: `change` says of each line, given the catalog, its file and where it begins there, what becomes of it. The catalog follows in one
    /// transaction, with what `record` changes in it besides: what it says of the events whose lines change. A file without
    /// any line left is removed.
    ///
    /// Between batches only: every one of the files has its committed length.
    pub(super) fn rewrite<T>(
        &mut self,
        paths: &BTreeSet<String>,
        mut change: impl FnMut(&Catalog, &str, u64, &str) -> Result<LineChange, Error>,
        record: impl FnOnce(&Writing<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let Archive { directory, catalog, hook, lock, readers, .. } = self;
        let mut step = Steps { hook: hook.as_mut(), directory, held: lock.held() };
        step.at(Step::Rewrite)?;
        let mut rewrites = Vec::new();
        for path in paths {
            // only one that counts, else the other one might count once lines are taken out of this one
            lines::settle(directory, path)?;
            rewrites.push(Rewrite::of(path, lines::form(directory, path)?));
        }
        let writing = catalog.write()?;
        let mut lengths = Vec::new();
        for rewrite in &rewrites {
            let length = catalog::length(&writing.0, &rewrite.path)?;
            lines::check(directory, &rewrite.path, length)?;
            lengths.push(length.unwrap_or(0));
            writing.begin_rewrite(rewrite)?;
        }
        writing.commit()?;
        let mut hashes = Vec::new();
        catalog.begin_shifts()?;
        for (rewrite, length) in rewrites.iter_mut().zip(lengths) {
            step.at(Step::Append)?;
            let mut shift = Shift::of(catalog, &rewrite.path)?;
            let mut change = |start, line: &str| change(catalog, &rewrite.path, start, line);
            let new = write_anew(directory, *readers, rewrite, length, &mut change, &mut shift)?;
            rewrite.bytes = Some(new.bytes());
            hashes.push(new);
        }
        step.at(Step::Sync)?;
        sync_directories(directory, &rewrites)?;
        let writing = catalog.write()?;
        for rewrite in &rewrites {
            writing.rewritten(rewrite)?;
        }
        let mut chain = Chain::open(directory, &writing.0, *readers)?;
        for (rewrite, hashes) in rewrites.iter().zip(&hashes) {
            chain.add(&rewrite.path, 0, hashes)?;
        }
        if let Some(head) = chain.end("rewritten")? {
            writing.chain_is(&head)?;
        }
        let recorded = record(&writing)?;
        step.at(Step::Record)?;
        writing.commit()?;
        step.at(Step::Recorded)?;
        self.replace(&rewrites)?;
        Ok(recorded)
    }

    /// Completes a rewrite that the catalog knows to be done, and undoes one that was cut off before.
    pub(super) fn recover_rewrite(&mut self) -> Result<(), Error> {
        let rewrites = self.catalog.rewrites()?;
        if rewrites.is_empty() {
            return Ok(());
        }
        self.steps().at(Step::Recover)?;
        let (done, begun): (Vec<_>, Vec<_>) = rewrites.into_iter().partition(|rewrite| rewrite.bytes.is_some());
        if !begun.is_empty() {
            // a commit that failed may be in the catalog's log and come to life at the next start, when the new files are
            // gone, unless another one takes its place
            let writing = self.catalog.write()?;
            for rewrite in &begun {
                writing.end_rewrite(rewrite)?;
                writing.begin_rewrite(rewrite)?;
            }
            writing.commit()?;
            for rewrite in &begun {
                durable::remove(&self.directory, &rewrite.new_path())?;
            }
        }
        self.replace(&done)?;
        let writing = self.catalog.write()?;
        begun.iter().try_for_each(|rewrite| writing.end_rewrite(rewrite))?;
        writing.commit()
    }

    /// Lets new files take the old ones' places, as far as they have not.
    fn replace(&mut self, rewrites: &[Rewrite]) -> Result<(), Error> {
        if rewrites.is_empty() {
            return Ok(());
        }
        for rewrite in rewrites {
            self.steps().at(Step::Replace)?;
            let (path, new) = (&rewrite.path, rewrite.new_path());
            if rewrite.bytes == Some(0) {
                lines::remove(&self.directory, path)?;
                durable::remove(&self.directory, &new)?;
                continue;
            }
            lines::put(&self.directory, &new, path, rewrite.form())?;
            lines::check(&self.directory, &rewrite.path, rewrite.bytes)?;
        }
        sync_directories(&self.directory, rewrites)?;
        let writing = self.catalog.write()?;
        rewrites.iter().try_for_each(|rewrite| writing.end_rewrite(rewrite))?;
        writing.commit()
    }
}

impl Catalog {
    /// The files that are being written anew.
    fn rewrites(&self) -> Result<Vec<Rewrite>, Error> {
        let mut statement = self.connection.prepare("select path, new, bytes from rewrite")?;
        let rows = statement.query_map([], |row| {
            let bytes = row.get::<_, Option<i64>>(2)?.map(i64::unsigned_abs);
            Ok(Rewrite { path: row.get(0)?, new: row.get(1)?, bytes })
        })?;
        let rewrites: Vec<Rewrite> = rows.collect::<Result<_, _>>()?;
        rewrites.iter().try_for_each(Rewrite::check)?;
        Ok(rewrites)
    }
}

impl Writing<'_> {
    fn begin_rewrite(&self, rewrite: &Rewrite) -> Result<(), Error> {
        let sql = "insert into rewrite (path, new) values (?1, ?2)";
        self.0.prepare_cached(sql)?.execute([&rewrite.path, &rewrite.new])?;
        Ok(())
    }

    /// The new file is written, with the changes that `temp.shift` has.
    fn rewritten(&self, rewrite: &Rewrite) -> Result<(), Error> {
        let Some(file) = catalog::file(&self.0, &rewrite.path)?.map(|file| file.number) else { return Ok(()) };
        let bytes = signed(rewrite.bytes.unwrap_or(0));
        let sql = "update rewrite set bytes = ?2 where path = ?1";
        self.0.prepare_cached(sql)?.execute(params![rewrite.path, bytes])?;
        let sql = "update line set length = coalesce((select shift.length from shift where path = ?2 and shift.start = line.start), length),
                                   start = start + (select by from shift where path = ?2 and shift.start <= line.start
                                                     order by shift.start desc limit 1)
                    where file = ?1 and start >= (select min(start) from shift where path = ?2)";
        self.0.prepare_cached(sql)?.execute(params![file, rewrite.path])?;
        let sql =
            "update file set bytes = ?2, events = events - (select count(*) from shift where path = ?3 and is_dropped)
                    where file = ?1";
        self.0.prepare_cached(sql)?.execute(params![file, bytes, rewrite.path])?;
        if bytes == 0 {
            self.0.prepare_cached("delete from file where file = ?1")?.execute([file])?;
            self.0.prepare_cached("delete from stale where file = ?1")?.execute([file])?;
            self.0.prepare_cached("delete from borrowed where file = ?1")?.execute([file])?;
        } else {
            self.file_is_stale(file)?;
        }
        Ok(())
    }

    fn end_rewrite(&self, rewrite: &Rewrite) -> Result<(), Error> {
        self.0.prepare_cached("delete from rewrite where path = ?1")?.execute([&rewrite.path])?;
        Ok(())
    }
}

/// A line that has changed.
struct Changed {
    /// Where it began, and how long it was without its newline; bytes.
    start: u64,
    length: u64,
    /// How long it is; none: it was taken out.
    new: Option<u64>,
}

impl Catalog {
    /// How much farther up or down each changed line of a file and those behind it begin, in a temporary table of this connection.
    fn begin_shifts(&self) -> Result<(), Error> {
        Ok(self.connection.execute_batch(
            "drop table if exists temp.shift;
             create temp table shift (
                 path text not null, start integer not null, length integer, by integer not null, is_dropped integer not null,
                 primary key (path, start)) without rowid",
        )?)
    }
}

/// Notes of a file what has changed, in the order of its lines.
struct Shift<'c> {
    change: CachedStatement<'c>,
    behind: CachedStatement<'c>,
    path: &'c str,
    by: i64,
}

impl<'c> Shift<'c> {
    fn of(catalog: &'c Catalog, path: &'c str) -> Result<Shift<'c>, Error> {
        let sql = "insert into shift (path, start, length, by, is_dropped) values (?1, ?2, ?3, ?4, ?5)
                   on conflict (path, start) do update set length = excluded.length, is_dropped = excluded.is_dropped";
        let change = catalog.connection.prepare_cached(sql)?;
        let sql = "insert into shift (path, start, length, by, is_dropped) values (?1, ?2, null, ?3, 0)";
        Ok(Shift { change, behind: catalog.connection.prepare_cached(sql)?, path, by: 0 })
    }

    fn note(&mut self, Changed { start, length, new }: Changed) -> Result<(), Error> {
        let own = new.map(signed);
        self.change.execute(params![self.path, signed(start), own, self.by, own.is_none()])?;
        self.by += own.map_or(0, |length| length + 1) - signed(length) - 1;
        self.behind.execute(params![self.path, signed(start + length) + 1, self.by])?;
        Ok(())
    }
}

/// Writes a file's lines to the new one and syncs it; the hashes of its lines.
fn write_anew(
    archive: &Path,
    readers: Readers,
    rewrite: &Rewrite,
    length: u64,
    change: &mut impl FnMut(u64, &str) -> Result<LineChange, Error>,
    shift: &mut Shift<'_>,
) -> Result<Hashes, Error> {
    let mut old = WholeFile::open(archive, &rewrite.path)?;
    let mut new = Anew::make(archive, &rewrite.new_path(), rewrite.form(), readers)?;
    while let Some(FileLine { start, text, .. }) = old.next()? {
        if start >= length {
            break;
        }
        let Some(own) = text else { return Err(old.broken(&"it is not UTF-8")) };
        let length = own.len() as u64;
        match change(start, own)? {
            LineChange::Keep => new.append(own)?,
            LineChange::Replace(line) => {
                shift.note(Changed { start, length, new: Some(line.len() as u64) })?;
                new.append(&line)?;
            }
            LineChange::Drop => shift.note(Changed { start, length, new: None })?,
        }
    }
    new.sync()
}

/// Syncs the directories of files.
fn sync_directories(archive: &Path, rewrites: &[Rewrite]) -> Result<(), Error> {
    let directories: BTreeSet<&str> = rewrites.iter().map(|rewrite| inside::split(&rewrite.path).0).collect();
    directories.iter().try_for_each(|directory| durable::sync(&archive.join(directory)))
}

#[cfg(test)]
mod tests;
