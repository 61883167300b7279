//! Opens an archive to write to it: takes its lock, finds or makes its catalog, and undoes what a writer before left unfinished.
//!
//! Reads nothing of a server, and adds no line: afterwards the archive is as its last commit left it.

use std::io;
use std::path::Path;

use rustix::fs::OFlags;
use tracing::warn;

use super::error::told;
use super::lock::{Lock, Turn};
use super::place::CatalogLocation;
use super::step::{Hook, Steps};
use super::{Archive, Catalog, Counts, Error, Interrupt, RebuildProgress, SecondLines, Selection};
use super::{anew, durable, indexes, inside, lines, ours};

/// Where earlier versions wrote down which rooms an archive is of.
pub(super) const SELECTION: &str = ".selection.json";
/// How many files [`Archive::open`] compares with the catalog; beyond it a different part each time.
pub(super) const CHECKED_AT_OPEN: i64 = 5_000;

/// How an archive is opened.
#[derive(Default)]
pub struct Opening<'a> {
    /// Called at every step of writing.
    pub hook: Option<Hook>,
    /// What takes long, then and later, but for the commit of a batch, ends early once this is told to stop.
    pub interrupt: Interrupt,
    /// Also where another user owns the directory or may write to it.
    pub shared: bool,
    /// The directory that the catalog is in, or is to be in, which is remembered; none: as remembered, else in the archive.
    pub catalog: Option<&'a Path>,
    /// Makes the catalog anew, though there may be one.
    pub anew: bool,
    /// What becomes of it when another writes to the archive.
    pub turn: Turn,
    /// Called when this process is the one that writes to it, before what may take long.
    pub locked: Option<&'a dyn Fn()>,
    /// Hears how far the making of a catalog is.
    pub told: Option<&'a mut RebuildProgress<'a>>,
}

impl Archive {
    /// Opens an archive, makes it if there is none, undoes a batch that was not finished, and makes the indexes that are missing
    /// if that was begun. If the catalog is gone, it is made anew from the files. `hook` is called at every step of writing.
    /// Refuses a directory that has other things, or that another user owns or may write to.
    pub fn open(directory: &Path, hook: Option<Hook>) -> Result<Archive, Error> {
        Archive::open_as(directory, Opening { hook, ..Opening::default() })
    }

    /// Opens it as [`Archive::open`] does, in another way.
    pub fn open_as(directory: &Path, opening: Opening<'_>) -> Result<Archive, Error> {
        let Opening { mut hook, interrupt, shared, catalog, anew, turn, locked, told } = opening;
        ours::check_content(directory)?;
        durable::make_archive(directory)?;
        if !shared {
            ours::check_owner(directory)?;
        }
        let mut lock = Lock::take_in_turn(directory, turn, &interrupt)?;
        if let Some(locked) = locked {
            locked();
        }
        let mut place = CatalogLocation::find(directory, catalog)?;
        anew::complete(&place)?;
        if anew {
            place.allow_new();
        }
        place.prepare()?;
        if !shared && place.directory() != directory {
            ours::check_owner(&place.directory())?;
        }
        let is_there =
            inside::length(&place.directory(), "catalog.sqlite").map_err(Error::io("look at", &place.file()))?;
        let old =
            if !anew && is_there.is_some_and(|bytes| bytes > 0) { Catalog::open_before(&place.file())? } else { None };
        let is_before = old.is_some();
        if let Some((old, version)) = old {
            lock = Archive::leave_state(directory, &place, old, version, &interrupt, lock)?;
        }
        let mut lost = 0;
        let make = || {
            let mut steps = Steps { hook: hook.as_mut(), directory, held: lock.held() };
            let untold: &mut RebuildProgress<'_> = &mut |_, _| {};
            anew::make(directory, &place, &interrupt, &mut steps, told.unwrap_or(untold))
        };
        let is_lost = is_there.is_none_or(|bytes| bytes == 0) && anew::can_be_made(directory)?;
        let mut is_new = false;
        let opened = if anew || is_lost || is_before { None } else { Some(open_or_make(&place)?) };
        let mut catalog = match opened {
            Some((catalog, false)) => catalog,
            Some((mut catalog, true)) if !anew::can_be_made(directory)? => {
                place.may_be_new()?;
                catalog.set_up(|writing| writing.select(&selected(directory)?))?;
                durable::sync(directory)?;
                catalog
            }
            opened => {
                if !anew && !is_before {
                    place.may_be_new()?;
                }
                drop(opened);
                is_new = true;
                lost = make()?;
                open_or_make(&place)?.0
            }
        };
        catalog.guard = Some(lock.held());
        catalog.lines = Some(lines::LineReader::of(directory));
        place.settle(&mut catalog)?;
        anew::sweep(&place.directory())?;
        catalog.set_journal()?;
        let (indexed, readers) = (catalog.is_indexed()?, catalog.readers()?);
        let mut archive = Archive {
            directory: directory.to_owned(),
            catalog,
            hook,
            interrupt,
            readers,
            indexed,
            second_lines: SecondLines::default(),
            once: false,
            damaged: None,
            lost,
            lock,
        };
        archive.open_decrypted()?;
        archive.recover()?;
        archive.settle_chain(is_new)?;
        archive.go_on_giving()?;
        check_files(directory, &archive.catalog, CHECKED_AT_OPEN)?;
        if indexes::are_begun(&archive.catalog.connection)? {
            archive.index()?;
            // of a run before
            archive.second_lines.counts = Counts::default();
        }
        let indexed = archive.indexed;
        archive.catalog.let_state_follow(directory, indexed)?;
        archive.complete_folding()?;
        archive.mend_chain()?;
        Ok(archive)
    }

    /// Makes an archive's catalog anew from its files and its state, and opens it. The old one serves until then: what it knows
    /// and the state does not, as when another version has written it, is taken over, unless it cannot be used.
    pub fn rebuild(directory: &Path, opening: Opening<'_>) -> Result<Archive, Error> {
        if !anew::can_be_made(directory)? {
            Catalog::find_in(directory, opening.catalog)?;
        }
        if CatalogLocation::find(directory, opening.catalog)?.length()?.is_some_and(|bytes| bytes > 0) {
            let Opening { ref interrupt, shared, catalog, turn, .. } = opening;
            let old = Opening { interrupt: interrupt.clone(), shared, catalog, turn, ..Opening::default() };
            match Archive::open_as(directory, old) {
                Err(error) if error.is_of_catalog() => {
                    warn!("the catalog that is there does not count: {}", told(&error));
                }
                opened => drop(opened?),
            }
        }
        Archive::open_as(directory, Opening { anew: true, ..opening })
    }
}

/// What rooms an archive of an earlier version is of, which has no state yet.
pub(super) fn selected(directory: &Path) -> Result<Selection, Error> {
    let path = directory.join(SELECTION);
    match inside::read(directory, SELECTION).and_then(io::read_to_string) {
        Ok(text) => serde_json::from_str(&text).map_err(|error| Error::io("read", &path)(error.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Selection::default()),
        Err(error) => Err(Error::io("read", &path)(error)),
    }
}

/// Opens a catalog; true: it has just been made.
fn open_or_make(place: &CatalogLocation) -> Result<(Catalog, bool), Error> {
    let path = place.file();
    // made by us, so that it is never readable by others; SQLite gives its -wal and -shm the same mode
    inside::open(&place.directory(), "catalog.sqlite", OFlags::RDWR | OFlags::CREATE)
        .map_err(Error::io("open", &path))?;
    Catalog::open(&path)
}

/// Compares files with the catalog: all of them in a small archive, in a large one a part that is another each time, since
/// looking at a million files would take longer than a night's export.
pub(super) fn check_files(directory: &Path, catalog: &Catalog, most: i64) -> Result<(), Error> {
    let files = catalog.some_files(most)?;
    files.iter().try_for_each(|(path, committed)| lines::check(directory, path, Some(*committed)))
}
