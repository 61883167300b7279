//! Makes an archive's catalog anew from its files and its state: beside the one that is there, whose place it takes last. Who is
//! killed meanwhile leaves the old one, or none and the new one whole. Reads no server.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::OFlags;

use super::ours::CATALOG;
use super::place::CatalogLocation;
use super::{Catalog, Error, Interrupt, RunOutcome, Step, Steps, durable, indexes, inside, lines, rebuild, state};

/// Hears how many room-days are taken in, and of how many.
pub type RebuildProgress<'a> = dyn FnMut(u64, u64) + 'a;

/// The name of the new catalog until it is whole.
const NEW: &str = ".catalog.sqlite.new";
/// Its journal's.
const JOURNAL: &str = ".catalog.sqlite.new-journal";

/// Whether there is something to make a catalog of.
pub(super) fn can_be_made(archive: &Path) -> Result<bool, Error> {
    let has_state = inside::length(archive, state::NAME).map_err(Error::io("look at", &archive.join(state::NAME)))?;
    let mut any = has_state.is_some();
    lines::for_each(archive, |_, _| {
        any = true;
        Ok(())
    })?;
    Ok(any)
}

/// Completes what somebody had begun who was killed when the old catalog was gone already: the new one takes its place.
pub(super) fn complete(place: &CatalogLocation) -> Result<(), Error> {
    let directory = place.directory();
    let length = |name: &str| inside::length(&directory, name).map_err(Error::io("look at", &directory.join(name)));
    let is_there = length(CATALOG[0])?.is_some_and(|bytes| bytes > 0);
    // a journal says that it is not whole
    if is_there || length(NEW)?.is_none() || length(JOURNAL)?.is_some() {
        return Ok(());
    }
    let is_whole = Catalog::open(&directory.join(NEW)).is_ok_and(|(catalog, is_empty)| {
        !is_empty && catalog.is_indexed().unwrap_or(false) && place.check(&catalog).is_ok()
    });
    if is_whole { take_its_place(&directory) } else { Ok(()) }
}

/// Takes away what somebody has left who was killed before.
pub(super) fn sweep(directory: &Path) -> Result<(), Error> {
    for name in [NEW, JOURNAL] {
        let length = inside::length(directory, name).map_err(Error::io("look at", &directory.join(name)))?;
        if length.is_some() {
            durable::remove(directory, name)?;
        }
    }
    Ok(())
}

/// Makes the catalog of an archive, in its place, and lets it take that of the one that is there. How many files of lines have
/// less than the state says. What was cut off before is gone on with.
pub(super) fn make(
    archive: &Path,
    place: &CatalogLocation,
    interrupt: &Interrupt,
    steps: &mut Steps<'_>,
    told: &mut RebuildProgress<'_>,
) -> Result<u64, Error> {
    let directory = &place.directory();
    let made = fill(archive, place, interrupt, steps, told).and_then(|lost| steps.at(Step::Replace).map(|()| lost));
    // what was only cut off the next one goes on with, or takes away
    let is_cut_off = |error: &Error| match error {
        Error::Io { source, .. } => source.kind() != io::ErrorKind::StorageFull,
        error => matches!(error, Error::Stopped),
    };
    let lost = made.inspect_err(|error| {
        if !is_cut_off(error) {
            drop(sweep(directory));
        }
    })?;
    take_its_place(directory)?;
    Ok(lost)
}

/// Makes the new catalog, until nothing is left to do but to use it.
fn fill(
    archive: &Path,
    place: &CatalogLocation,
    interrupt: &Interrupt,
    steps: &mut Steps<'_>,
    told: &mut RebuildProgress<'_>,
) -> Result<u64, Error> {
    let directory = &place.directory();
    let path = directory.join(NEW);
    let snapshot = state::snapshot(archive)?.unwrap_or_default();
    let begun = begun(archive, place, &snapshot).unwrap_or_default();
    let mut catalog = if let Some(begun) = begun {
        begun
    } else {
        sweep(directory)?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        inside::open(directory, NEW, flags).map_err(Error::io("make", &path))?;
        let (mut catalog, _) = Catalog::open(&path)?;
        catalog.guard = Some(Arc::clone(&steps.held));
        catalog.set_up(|writing| {
            if let Some(id) = place.id() {
                writing.0.execute("insert into archive (id) values (?1)", [id])?;
            }
            writing.restores(&snapshot)
        })?;
        catalog
    };
    catalog.guard = Some(Arc::clone(&steps.held));
    interrupt.during(vec![catalog.connection.get_interrupt_handle()], || {
        let is_filled = catalog.last_run()?.is_some_and(|run| run.outcome == RunOutcome::Rebuilt);
        let mut lost = 0;
        if !is_filled {
            let mut writing = catalog.write()?;
            lost = rebuild::rebuild(archive, &mut writing, interrupt, told)?;
            writing.commit()?;
        }
        if catalog.last_run()?.is_some() {
            indexes::put_in_order(&mut catalog, interrupt, steps)?;
        }
        Ok(lost)
    })
}

/// A new catalog that was cut off while it was made, if the files that it has are as they were, and so is the state.
fn begun(archive: &Path, place: &CatalogLocation, snapshot: &str) -> Result<Option<Catalog>, Error> {
    let directory = place.directory();
    let path = directory.join(NEW);
    if inside::length(&directory, NEW).map_err(Error::io("look at", &path))?.is_none_or(|bytes| bytes == 0) {
        return Ok(None);
    }
    let (catalog, is_empty) = Catalog::open(&path)?;
    if is_empty || catalog.restored()?.as_deref() != Some(snapshot) {
        return Ok(None);
    }
    place.check(&catalog)?;
    catalog.each_file(|path, bytes| lines::check(archive, path, Some(bytes)))?;
    Ok(Some(catalog))
}

/// The old catalog goes first, then its journals, which are none of the new one's. Should that be all that can be done, the next
/// run completes it.
fn take_its_place(directory: &Path) -> Result<(), Error> {
    for name in CATALOG {
        match inside::remove(directory, name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &directory.join(name))(error));
            }
            _ => {}
        }
    }
    let gone = durable::sync(directory);
    let renamed = inside::rename(directory, NEW, CATALOG[0]);
    renamed.map_err(Error::io("replace", &directory.join(CATALOG[0])))?;
    gone.and_then(|()| durable::sync(directory))
}
