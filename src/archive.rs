//! The directory of an archive: JSONL, one file per room and day, and the catalog that indexes them.
//!
//! One writer at a time. A batch of events is durable or absent: [`Archive::commit`] records which files it appends to,
//! appends, syncs, then moves the catalog in one transaction; [`Archive::open`] undoes what was cut off in between. The
//! catalog's unique event ids decide what is new, so no event has two lines. Knows no database but its own.

mod batch;
mod catalog;
mod error;
mod jsonl;
pub mod layout;
mod look;
mod rebuild;
mod stale;
mod transcripts;
mod writing;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

pub use batch::{Advance, Batch, Committed, Counts};
pub use catalog::{Catalog, LastRun, Selection, VERSION as CATALOG_VERSION};
pub use error::Error;
pub use look::{Look, look};
pub use transcripts::{Rendered, Transcripts};

use crate::event::Day;
use crate::stream::{Position, Stream};
use batch::Taken;
use jsonl::Appending;
use stale::Stale;

/// How many files [`Archive::open`] compares with the catalog; beyond it a different part each time.
const CHECKED_AT_OPEN: i64 = 5_000;

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
    /// Before the catalog's indexes are made.
    Index,
    /// Before an unfinished batch is undone.
    Recover,
}

/// Called at every [`Step`].
pub type Hook = Box<dyn FnMut(Step) -> io::Result<()> + Send>;

/// An archive, open to be written to by this process alone.
pub struct Archive {
    directory: PathBuf,
    catalog: Catalog,
    hook: Option<Hook>,
    /// Without indexes, during the first export, nothing can be looked up.
    indexed: bool,
    _lock: File,
}

impl Archive {
    /// Opens an archive, makes it if there is none, and undoes a batch that was not finished. If the catalog is gone, it
    /// is made anew from the files. `hook` is called at every step of writing.
    pub fn open(directory: &Path, hook: Option<Hook>) -> Result<Archive, Error> {
        jsonl::make_archive(directory)?;
        let lock = lock(directory)?;
        let path = directory.join("catalog.sqlite");
        // made by us, so that it is never readable by others; SQLite gives its -wal and -shm the same mode
        OpenOptions::new().append(true).create(true).mode(0o600).open(&path).map_err(Error::io("open", &path))?;
        let (mut catalog, new) = Catalog::open(&path)?;
        if new {
            catalog.set_up(|writing| rebuild::rebuild(directory, writing))?;
            jsonl::sync(directory)?;
        }
        catalog.set_journal()?;
        let indexed = catalog.is_indexed()?;
        let mut archive = Archive { directory: directory.to_owned(), catalog, hook, indexed, _lock: lock };
        archive.recover()?;
        check_files(directory, &archive.catalog, CHECKED_AT_OPEN)?;
        Ok(archive)
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

    /// Makes a batch durable as a part of `run`.
    pub fn commit(&mut self, run: i64, batch: &Batch) -> Result<Committed, Error> {
        let mut days: BTreeMap<(&str, Day), Vec<&Taken>> = BTreeMap::new();
        for event in &batch.events {
            days.entry((&event.0.room_id, event.0.day)).or_default().push(event);
        }
        let paths: Vec<String> = days.keys().map(|(room_id, day)| layout::day_file(room_id, *day)).collect();
        let lengths = self.intend(&paths)?;
        let Archive { directory, catalog, hook, indexed, .. } = self;
        let mut step = Steps { hook: hook.as_mut(), directory };
        let mut appending = Appending::new(directory, paths.len())?;
        let mut committed = Committed::default();
        // events whose effective redaction may have changed
        let mut redacted = BTreeSet::new();
        let (mut new, mut stale) = (Vec::new(), Stale::default());
        let writing = catalog.write()?;
        thread::scope(|scope| {
            let (files, appends) = mpsc::channel::<(&str, Option<u64>, Vec<&str>)>();
            // the files are written and synced while the catalog's transaction is made ready
            let appended = scope.spawn(|| {
                let step = &mut step;
                for (path, length, lines) in appends {
                    appending.append(path, length, &lines, step)?;
                }
                step.at(Step::Sync)?;
                appending.sync()
            });
            let mut adding = writing.adding(run, *indexed)?;
            for (((_, day), events), (path, length)) in days.iter().zip(paths.iter().zip(&lengths)) {
                let (day, mut lines) = (day.to_string(), Vec::new());
                for (event, late) in events {
                    if adding.add(event, &day)? {
                        lines.push(event.line.as_str());
                        committed.add(event, *late);
                        if *indexed {
                            new.push(event);
                            redacted.extend(event.redacts.as_deref());
                            if writing.is_redacted(&event.event_id)? {
                                redacted.insert(&event.event_id);
                            }
                        }
                    } else {
                        committed.counts.known += 1;
                        if event.recheck.is_some() && writing.complete_redaction(event)? {
                            redacted.extend(event.redacts.as_deref());
                            new.push(event);
                        }
                    }
                }
                if !lines.is_empty() {
                    writing.room(&events[0].0)?;
                    let bytes: usize = lines.iter().map(|line| line.len() + 1).sum();
                    writing.file(path, length.unwrap_or(0) + bytes as u64, lines.len() as u64, run)?;
                    if length.is_none() && *indexed {
                        stale.neighbours(path, &writing)?;
                    }
                    // it may have ended with an error, which is told below
                    let _ = files.send((path, *length, lines));
                }
            }
            drop(files);
            for event_id in redacted {
                writing.redact(event_id)?;
            }
            for event in new {
                stale.add(event, &writing)?;
            }
            for state in &batch.states {
                if writing.add_name(state, *indexed)? {
                    let (kind, key) = (state.kind.as_deref(), state.state_key.as_deref());
                    stale.name(&state.room_id, kind, key, state.origin_server_ts, &writing)?;
                    writing.room_is_stale(&state.room_id)?;
                }
            }
            stale.mark(&writing)?;
            for advance in &batch.advances {
                writing.advance(advance, run)?;
            }
            for room_id in &batch.caught_up {
                writing.caught_up(room_id)?;
            }
            writing.count(run, &committed.counts)?;
            writing.clear_intent()?;
            appended.join().unwrap_or_else(|panic| resume_unwind(panic))
        })?;
        step.at(Step::Record)?;
        writing.commit()?;
        step.at(Step::Recorded)?;
        Ok(committed)
    }

    /// Records which files a batch may append to, after a look at each: their committed lengths, none for a new file.
    fn intend(&mut self, paths: &[String]) -> Result<Vec<Option<u64>>, Error> {
        let mut lengths = Vec::new();
        if paths.is_empty() {
            return Ok(lengths);
        }
        Steps { hook: self.hook.as_mut(), directory: &self.directory }.at(Step::Intend)?;
        // one transaction: to begin to read costs as much as a whole look
        let writing = self.catalog.write()?;
        for path in paths {
            let committed = catalog::length(&writing.0, path)?;
            jsonl::check(&self.directory, path, committed)?;
            lengths.push(committed);
        }
        writing.intend(paths.iter().map(String::as_str).zip(lengths.iter().map(|length| length.unwrap_or(0))))?;
        writing.commit()?;
        Ok(lengths)
    }

    /// Undoes a batch that was not finished: its files get back the lengths they had before it.
    pub fn recover(&mut self) -> Result<(), Error> {
        let intent = self.catalog.intent()?;
        if intent.is_empty() {
            return Ok(());
        }
        Steps { hook: self.hook.as_mut(), directory: &self.directory }.at(Step::Recover)?;
        // a commit that failed may be in the catalog's log and come to life at the next start, with the lines that are to be
        // taken away, unless another one takes its place
        let writing = self.catalog.write()?;
        writing.clear_intent()?;
        writing.intend(intent.iter().map(|(path, length)| (path.as_str(), *length)))?;
        writing.commit()?;
        for (path, length) in &intent {
            jsonl::truncate(&self.directory, path, *length)?;
        }
        let writing = self.catalog.write()?;
        writing.clear_intent()?;
        writing.commit()
    }

    /// Begins a run and remembers what it is to export. The first one reads up to `heads` without looking anything up; one
    /// that goes on with it must read the same, else indexes are needed at once.
    pub fn begin_run(&mut self, selection: &Selection, heads: &[(Stream, Option<Position>)]) -> Result<i64, Error> {
        let is_first = !self.indexed && self.catalog.last_run()?.is_none();
        if !self.indexed && !is_first && self.catalog.selection()? != *selection {
            self.index()?;
        }
        let writing = self.catalog.write()?;
        let run = writing.begin_run()?;
        writing.select(selection)?;
        if is_first {
            writing.begin_first_export(heads)?;
        }
        writing.commit()?;
        Ok(run)
    }

    /// Makes the catalog's indexes, if they are not there yet.
    pub fn index(&mut self) -> Result<(), Error> {
        if !self.indexed {
            Steps { hook: self.hook.as_mut(), directory: &self.directory }.at(Step::Index)?;
            let writing = self.catalog.write()?;
            writing.index()?;
            writing.commit()?;
            self.catalog.set_journal()?;
            self.indexed = true;
        }
        Ok(())
    }

    /// The first export is done, the de-outliered events it left for last among them.
    pub fn end_first_export(&mut self) -> Result<(), Error> {
        let writing = self.catalog.write()?;
        writing.end_first_export()?;
        writing.commit()
    }

    /// Ends a run; tells how many files it wrote to. `error` must not quote any content.
    pub fn end_run(&mut self, run: i64, outcome: &str, error: Option<&str>, counts: &Counts) -> Result<u64, Error> {
        let files = if counts.new_events() > 0 { self.catalog.files_of(run)? } else { 0 };
        let writing = self.catalog.write()?;
        writing.end_run(run, outcome, error, files)?;
        writing.commit()?;
        Ok(files)
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
}

/// Where tests make a commit fail.
struct Steps<'a> {
    hook: Option<&'a mut Hook>,
    directory: &'a Path,
}

impl Steps<'_> {
    fn at(&mut self, step: Step) -> Result<(), Error> {
        self.hook.as_mut().map_or(Ok(()), |hook| hook(step)).map_err(Error::io("write to", self.directory))
    }
}

/// Locks an archive for as long as the file is open.
fn lock(directory: &Path) -> Result<File, Error> {
    let path = directory.join(".lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(Error::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(Error::Locked { holder: holder(&mut file), archive: directory.to_owned() });
        }
        Err(TryLockError::Error(source)) => return Err(Error::io("lock", &path)(source)),
    }
    file.set_len(0).map_err(Error::io("write to", &path))?;
    writeln!(file, "{}", std::process::id()).map_err(Error::io("write to", &path))?;
    Ok(file)
}

/// Who has locked an archive, by what its lock file says.
fn holder(file: &mut File) -> String {
    let mut pid = String::new();
    let known = file.read_to_string(&mut pid).is_ok() && pid.trim().parse::<u32>().is_ok();
    if known { format!("process {}", pid.trim()) } else { "its process is not known".to_owned() }
}

/// Compares files with the catalog: all of them in a small archive, in a large one a part that is another each time, since
/// looking at a million files would take longer than a night's export.
fn check_files(directory: &Path, catalog: &Catalog, most: i64) -> Result<(), Error> {
    let files = catalog.some_files(most)?;
    files.iter().try_for_each(|(path, committed)| jsonl::check(directory, path, Some(*committed)))
}
