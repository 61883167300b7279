//! Folds commits of the chain: what many have added to the same files, a few lines each, becomes one, so that the chain grows with the
//! files that are added to and not with how often that happens. Only what no seal knows is folded (see [`Archive::seal_chain`]), and only
//! lines that are those that the chain has; what is not, or cannot be read, stays as it is, to be found.
//!
//! The new end of the chain is written beside it and synced. Then the catalog moves in one transaction, which also says where the new end
//! begins, and the state with it; then it is put in place. What was cut off before the catalog moved is undone, what was cut off later
//! is completed. Never folds what an earlier version wrote, which may be sealed, nor what a first export did: the first commit after it
//! leaves all that is there.

mod joining;
mod tail;
#[cfg(test)]
mod tests;

use std::io::{self, Seek as _, SeekFrom};
use std::path::Path;

use rusqlite::Connection;
use rustix::fs::OFlags;

use super::super::{Archive, Catalog, Error, Step, durable, inside};
use super::walking::{end_of, walk_both};
use super::{Chain, ChainHead, ChainPart, NAME, head, place, walk};
use tail::{is_worth_it, take_tail, write_folded};

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
    fn folded_up_to(&mut self, head: &ChainHead) -> Result<(), Error> {
        let writing = self.catalog.write()?;
        writing.remember_head(FOLDED, head)?;
        writing.commit()
    }

    /// Folds what `take_tail` has taken from a place in the chain on.
    fn fold_tail(&mut self, start: &ChainHead) -> Result<(), Error> {
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
    part: impl FnMut(ChainPart<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let new = inside::length(archive, NEW).map_err(Error::io("look at", &archive.join(NEW)))?;
    match (place(&catalog.connection, FOLDING)?, new) {
        (Some(start), Some(new)) if to <= start.bytes + new => walk_both(archive, start.bytes, NEW, to, part),
        _ => walk(archive, &ChainHead::none(), Some(to), part),
    }
}

impl Catalog {
    /// What becomes another when the chain is folded: a walk through it that saw it change was none.
    pub(in crate::archive) fn foldings(&self) -> Result<[Option<ChainHead>; 2], Error> {
        Ok([place(&self.connection, FOLDED)?, place(&self.connection, FOLDING)?])
    }
}
