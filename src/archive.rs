//! The directory of an archive: JSONL, one file per room and day, and the catalog that indexes them.
//!
//! One writer at a time. A batch of events is durable or absent: it is recorded which files it appends to, they are appended
//! to and synced, then the catalog moves in one transaction (see [`Archive::commit`]); [`Archive::open`] undoes what was cut
//! off in between. The catalog's unique event ids decide what is new, so no event has two lines; before they can, in a first
//! export, second ones are taken out at its end. A line once written is changed in one way only, a file as a whole and with
//! the catalog's consent (`rewrite`). A file may be compressed (`compacting`), of which only `lines` knows. What is read to be shown is read through `reading`, and what was rendered of it is kept by
//! `view_state`; how anything is shown is none of this module's business. What no line says is in the catalog, and follows in the
//! `state`, from which it is made `anew` if it is lost. Knows no database but its own.

mod adding;
mod anew;
mod batch;
mod before;
mod borrowed;
mod catalog;
mod chain;
mod commit;
mod compacting;
mod decrypted;
mod decrypting;
pub(crate) mod durable;
mod erased;
mod erasing;
mod error;
mod figures;
mod full_text;
pub(crate) mod hashed;
mod ids;
mod indexes;
pub(crate) mod inside;
mod interrupt;
pub mod layout;
mod lines;
mod linked;
mod lock;
mod look;
pub(crate) mod media;
mod mending;
mod network;
mod ours;
pub(crate) mod outputs;
mod place;
pub(crate) mod places;
mod plaintexts;
mod readers;
pub(crate) mod reading;
mod rebuild;
mod redacting;
pub(crate) mod replace;
mod rewrite;
mod run;
mod schema;
mod search;
mod second_lines;
pub(crate) mod sections;
mod server_keys;
mod setting;
mod shares;
mod stale;
mod stale_views;
mod state;
pub(crate) mod verifying;
mod view_state;
mod waiting;
#[cfg(test)]
mod work;
mod writing;

use std::io;
use std::iter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use anew::Told;
pub use batch::{Advance, Batch, Committed, Counts};
pub(crate) use borrowed::Borrowed;
pub use catalog::{Catalog, Selection, VERSION as CATALOG_VERSION};
pub(crate) use chain::Head as ChainHead;
pub use compacting::Compacted;
pub(crate) use decrypted::{Encryption, Judged, Lacking, Saying};
pub use decrypted::{Numbers as DecryptedNumbers, OfRoom as DecryptedOfRoom};
pub(crate) use decrypting::{Encrypted, Page};
pub(crate) use erased::ERASED;
pub(crate) use erasing::ERASED_HERE;
pub use erasing::{
    Age, Buried, Erasure, Foreseen, Hold, Policy, Request, Selected, TakenRequest, What, leave_request,
    requests as erase_requests,
};
pub use error::Error;
pub use figures::Figures;
pub use full_text::Standing as SearchStanding;
pub use interrupt::Interrupt;
pub use lock::{Turn, is_wanted};
pub use look::{Look, look};
pub use media::{LackingMedia, Lacks, MediaAsked, MediaNumbers};
pub use ours::foreign_owner;
pub(crate) use outputs::OutputFile;
pub use outputs::{Output, OutputStanding, To};
pub use plaintexts::{Plaintext, Plaintexts, Sealed};
pub use readers::Readers;
pub use run::{LastRun, RunOutcome};
pub use second_lines::SecondLines;
pub use shares::{By, Of, Share, Whole};
pub use stale_views::Transcripts;
pub(crate) use stale_views::{HtmlPages, StaleDay};
pub(crate) use view_state::{RenderedRoom, UnlinkedRoom, ViewState};
#[cfg(test)]
pub(crate) use work::count_steps;

use rustix::fs::OFlags;
use tracing::warn;

use crate::stream::{Position, Stream};
use commit::EVERY_FILE;
use lock::{Held, Lock};
use place::Place;

/// Where earlier versions wrote down which rooms an archive is of.
const SELECTION: &str = ".selection.json";
/// How many files [`Archive::open`] compares with the catalog; beyond it a different part each time.
const CHECKED_AT_OPEN: i64 = 5_000;

/// How long an archive that is held open waits for those who look, to empty its log.
const WAITS_TO_REST: Duration = Duration::from_millis(100);

/// A point in the commit of a batch; tests make it fail there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Before the intent is recorded.
    Intend,
    /// Before a file is appended to.
    Append,
    /// When half of a file's new lines are written.
    HalfAppended,
    /// Before the files are synced.
    Sync,
    /// Before the catalog moves.
    Record,
    /// After it has moved.
    Recorded,
    /// Before one of the catalog's indexes is made.
    Index,
    /// Before an unfinished batch is undone, or a file that was written anew takes its place at last.
    Recover,
    /// Before files of lines are written anew.
    Rewrite,
    /// Before a file that was written anew takes the old one's place, and before one goes of which there is another form.
    Replace,
    /// Before lines get their tombstones, and between what leaves no trace of them.
    Erase,
}

/// Called at every [`Step`].
pub type Hook = Box<dyn FnMut(Step) -> io::Result<()> + Send>;

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
    pub told: Option<&'a mut Told<'a>>,
}

/// An archive, open to be written to by this process alone.
pub struct Archive {
    directory: PathBuf,
    catalog: Catalog,
    hook: Option<Hook>,
    interrupt: Interrupt,
    /// Who may read what is made.
    readers: Readers,
    /// Without indexes, during the first export, nothing can be looked up.
    indexed: bool,
    second_lines: SecondLines,
    /// No other export comes, for which something could wait.
    once: bool,
    /// Whether it has damaged lines; none: not looked yet.
    damaged: Option<bool>,
    lost: u64,
    lock: Lock,
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
        let mut place = Place::find(directory, catalog)?;
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
            let untold: &mut Told<'_> = &mut |_, _| {};
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
        catalog.lines = Some(lines::Lines::of(directory));
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
        if Place::find(directory, opening.catalog)?.length()?.is_some_and(|bytes| bytes > 0) {
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

    /// Of how many files of lines less was there than had been archived, when the catalog was made anew on opening.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// The same archive, into which is exported but once: events without their PDU do not wait for it, and are damaged at once.
    #[must_use]
    pub fn for_once(self) -> Archive {
        Archive { once: true, ..self }
    }

    /// Lets what is read of it be what encrypted events say.
    pub fn read_with(&mut self, plaintexts: Plaintexts) {
        self.catalog.plaintexts = Some(plaintexts);
    }

    /// Whether the catalog can tell what is archived already.
    #[must_use]
    pub fn is_indexed(&self) -> bool {
        self.indexed
    }

    /// The archive's catalog.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Makes sure that the archive is that of a server, or belongs to none yet.
    pub fn belong_to(&mut self, server: &str) -> Result<(), Error> {
        match self.catalog.server()? {
            Some(own) if own != server => Err(Error::OtherServer { own, found: server.to_owned() }),
            Some(_) => Ok(()),
            None => {
                let writing = self.catalog.write()?;
                writing.0.execute("insert into server (name) values (?1)", [server])?;
                writing.commit()
            }
        }
    }

    /// Says up to which id of Synapse's `un_partial_stated_event_stream` its new judgements are followed.
    pub fn rejudged_up_to(&mut self, position: i64) -> Result<(), Error> {
        let writing = self.catalog.write()?;
        writing.0.execute("delete from rejudged", [])?;
        writing.0.execute("insert into rejudged (position) values (?1)", [position])?;
        writing.commit()
    }

    /// Forgets the sticky events that had expired at a time, milliseconds since the epoch: they stay soft-failed.
    pub fn unstick(&mut self, time: i64) -> Result<(), Error> {
        let writing = self.catalog.write()?;
        writing.0.execute("delete from sticky where until < ?1", [time])?;
        writing.commit()
    }

    /// Begins a run and remembers what it is to export. The first one reads up to `heads` without looking anything up; one
    /// that goes on with it must read the same, else indexes are needed at once.
    pub fn begin_run(&mut self, selection: &Selection, heads: &[(Stream, Option<Position>)]) -> Result<i64, Error> {
        self.begin_or_resume_run(None, selection, heads)
    }

    /// The same, as a part of a run that there is already, if the catalog still knows that one.
    pub fn begin_or_resume_run(
        &mut self,
        resumed: Option<i64>,
        selection: &Selection,
        heads: &[(Stream, Option<Position>)],
    ) -> Result<i64, Error> {
        let is_first = !self.indexed && self.catalog.last_run()?.is_none();
        if !self.indexed && !is_first && self.catalog.selection()? != *selection {
            self.index()?;
        }
        if !self.indexed {
            self.steps().at(Step::Intend)?;
        }
        let is_other = self.catalog.selection()? != *selection;
        let writing = self.catalog.write()?;
        let run = match resumed {
            Some(run) if writing.resume_run(run)? => run,
            _ => writing.begin_run()?,
        };
        if is_other {
            writing.select(selection)?;
        }
        writing.pass_by(selection)?;
        if is_first {
            writing.begin_first_export(heads)?;
        }
        if !self.indexed {
            writing.intend(iter::once((EVERY_FILE, 0)))?;
        }
        writing.commit()?;
        Ok(run)
    }

    /// What [`Archive::index`] has taken out since this was last asked.
    pub fn second_lines(&mut self) -> SecondLines {
        std::mem::take(&mut self.second_lines)
    }

    /// The first export is done, the de-outliered events it left for last among them.
    pub fn end_first_export(&mut self) -> Result<(), Error> {
        let writing = self.catalog.write()?;
        writing.end_first_export()?;
        writing.commit()
    }

    /// Adds to what a run counts beside the events of its batches.
    pub fn count(&mut self, run: i64, counts: &Counts) -> Result<(), Error> {
        let writing = self.catalog.write()?;
        writing.count(run, counts, 1)?;
        writing.commit()
    }

    /// Ends a run that wrote to so many files. `error` must not quote any content.
    pub fn end_run(&mut self, run: i64, outcome: RunOutcome, error: Option<&str>, files: u64) -> Result<(), Error> {
        let writing = self.catalog.write()?;
        writing.end_run(run, outcome, error, files)?;
        writing.count_waiting(run)?;
        if error.is_none() {
            writing.clear_intent()?;
        }
        writing.commit()?;
        self.catalog.sync_state()
    }

    /// Forgets how far streams are archived, so that the next export reads them again; what is archived stays.
    pub fn reset(&mut self, streams: &[Stream]) -> Result<(), Error> {
        self.index()?;
        let writing = self.catalog.write()?;
        for stream in streams {
            writing.reset(*stream)?;
        }
        writing.commit()
    }

    /// Empties the catalog's write-ahead log, when there is time for it: for who copies the archive, and so that the log does not stay
    /// as long as it once was. False: somebody who looks kept it from that.
    pub fn rest(&mut self) -> Result<bool, Error> {
        self.check_lock()?;
        self.catalog.empty_log(WAITS_TO_REST)
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Who may read what is made in it.
    pub(crate) fn readers(&self) -> Readers {
        self.readers
    }

    /// What ends long work early.
    pub(crate) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// Makes sure that no other writer has taken over.
    pub(crate) fn check_lock(&self) -> Result<(), Error> {
        self.lock.held().check()
    }

    fn steps(&mut self) -> Steps<'_> {
        Steps { hook: self.hook.as_mut(), directory: &self.directory, held: self.lock.held() }
    }
}

/// Where it is made sure that the lock is still held, and tests make a commit fail.
struct Steps<'a> {
    hook: Option<&'a mut Hook>,
    directory: &'a Path,
    held: Arc<Held>,
}

impl Steps<'_> {
    fn at(&mut self, step: Step) -> Result<(), Error> {
        self.hook.as_mut().map_or(Ok(()), |hook| hook(step)).map_err(Error::io("write to", self.directory))?;
        match step {
            Step::Recorded => Ok(()),
            Step::Append | Step::HalfAppended => self.held.check_now_and_then(),
            _ => self.held.check(),
        }
    }
}

/// What rooms an archive of an earlier version is of, which has no state yet.
fn selected(directory: &Path) -> Result<Selection, Error> {
    let path = directory.join(SELECTION);
    match inside::read(directory, SELECTION).and_then(io::read_to_string) {
        Ok(text) => serde_json::from_str(&text).map_err(|error| Error::io("read", &path)(error.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Selection::default()),
        Err(error) => Err(Error::io("read", &path)(error)),
    }
}

/// Opens a catalog; true: it has just been made.
fn open_or_make(place: &Place) -> Result<(Catalog, bool), Error> {
    let path = place.file();
    // made by us, so that it is never readable by others; SQLite gives its -wal and -shm the same mode
    inside::open(&place.directory(), "catalog.sqlite", OFlags::RDWR | OFlags::CREATE)
        .map_err(Error::io("open", &path))?;
    Catalog::open(&path)
}

/// An error with its causes.
fn told(error: &Error) -> String {
    let causes = iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Compares files with the catalog: all of them in a small archive, in a large one a part that is another each time, since
/// looking at a million files would take longer than a night's export.
fn check_files(directory: &Path, catalog: &Catalog, most: i64) -> Result<(), Error> {
    let files = catalog.some_files(most)?;
    files.iter().try_for_each(|(path, committed)| lines::check(directory, path, Some(*committed)))
}
