//! The directory of an archive: JSONL, one file per room and day, and the catalog that indexes them.
//!
//! One writer at a time. A batch of events is durable or absent: [`Archive::commit`] records which files it appends to,
//! appends, syncs, then moves the catalog in one transaction; [`Archive::open`] undoes what was cut off in between. The
//! catalog's unique event ids decide what is new, so no event has two lines. Knows no database but its own.

mod catalog;
mod jsonl;
pub mod layout;
mod rebuild;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

pub use catalog::{Catalog, LastRun, Selection, VERSION as CATALOG_VERSION};

use crate::event::{Damage, Event};
use crate::stream::{Gaps, Position, Stream, Watermark};
use jsonl::Appending;

/// A batch is committed once its events take this many bytes: enough that few files are opened twice, and little enough
/// for a small computer.
const BATCH_BYTES: usize = 16 * 1024 * 1024;
/// How many files [`Archive::open`] compares with the catalog; beyond it a different part each time.
const CHECKED_AT_OPEN: i64 = 5_000;

/// Why an archive cannot be opened or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The catalog.
    #[error("the archive's catalog.sqlite cannot be used")]
    Catalog(#[source] rusqlite::Error),
    /// The catalog's own text is damaged.
    #[error(
        "the archive's catalog.sqlite is damaged. Restore it from a backup of the archive, or delete it: the next export makes it anew from the files that are there, reads the server again and adds what is missing"
    )]
    Damaged(#[source] rusqlite::Error),
    /// Another program's database.
    #[error("the archive's catalog.sqlite is not a catalog of synapse-export")]
    Foreign,
    /// A catalog of a newer version.
    #[error(
        "the archive's catalog has version {0}, this synapse-export knows version {CATALOG_VERSION}: use a newer one"
    )]
    Newer(i64),
    /// No catalog to look at.
    #[error("{} is no archive: it has no catalog.sqlite", .0.display())]
    NoArchive(PathBuf),
    /// Somebody else writes to the archive.
    #[error("another synapse-export ({}) is writing to {}", holder, archive.display())]
    Locked {
        /// `process 4711`, as far as it is known.
        holder: String,
        /// The archive.
        archive: PathBuf,
    },
    /// A file is not as the catalog knows it.
    #[error(
        "{} {found}, but the catalog knows {committed} bytes of it. Restore it from a backup of the archive. If there is none, delete catalog.sqlite: the next export makes it anew from the files that are there, reads the server again and adds what is missing",
        path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// `is missing`, or its length.
        found: String,
        /// Its length by the catalog, bytes.
        committed: u64,
    },
    /// A line from which the catalog cannot be made anew.
    #[error("line {line} of {} cannot be read back: {why}. Repair it or take it out, then try again", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// What is wrong, without its text.
        why: String,
    },
}

impl From<rusqlite::Error> for Error {
    fn from(source: rusqlite::Error) -> Error {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match source.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => Error::Damaged(source),
            _ => Error::Catalog(source),
        }
    }
}

impl Error {
    fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Io { doing, path: path.to_owned(), source }
    }
}

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

/// How far one stream of one scope has come with a batch.
#[derive(Clone, Debug)]
pub struct Advance {
    /// A room id, or an empty text for the server.
    pub scope: String,
    /// Which stream.
    pub stream: Stream,
    /// The new watermark, if it moves.
    pub watermark: Option<Watermark>,
    /// The new gaps, if they change.
    pub gaps: Option<Gaps>,
}

/// Events and the progress that they are: durable together.
#[derive(Default)]
pub struct Batch {
    events: Vec<(Event, bool)>,
    bytes: usize,
    advances: Vec<Advance>,
    caught_up: Vec<String>,
}

impl Batch {
    /// Adds an event; `late`: it was found in a gap.
    pub fn push(&mut self, event: Event, late: bool) {
        self.bytes += event.size();
        self.events.push((event, late));
    }

    /// Says how far a stream has come with the events added so far.
    pub fn advance(&mut self, advance: Advance) {
        match self.advances.iter_mut().find(|a| (&a.scope, a.stream) == (&advance.scope, advance.stream)) {
            Some(known) => {
                known.watermark = advance.watermark.or(known.watermark.take());
                known.gaps = advance.gaps.or(known.gaps.take());
            }
            None => self.advances.push(advance),
        }
    }

    /// Says that the server's watermark covers this room again.
    pub fn caught_up(&mut self, room_id: &str) {
        self.caught_up.push(room_id.to_owned());
    }

    /// Whether it is time to commit.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.bytes >= BATCH_BYTES
    }

    /// Whether there is nothing to commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.advances.is_empty() && self.caught_up.is_empty()
    }
}

/// What was archived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// New events of the live stream.
    pub live: u64,
    /// New events of the backfill stream.
    pub backfill: u64,
    /// Of these: found in a gap.
    pub late: u64,
    /// Of these: soft-failed.
    pub soft_failed: u64,
    /// Of these: rejected.
    pub rejected: u64,
    /// Of these: left behind by a purge.
    pub survivors: u64,
    /// Of these: pruned by Synapse before they were archived.
    pub censored: u64,
    /// Of these: without a readable PDU.
    pub damaged: u64,
    /// Of these: of rooms whose version is not known.
    pub versionless: u64,
    /// Read again, and archived before.
    pub known: u64,
}

impl Counts {
    /// All new events.
    #[must_use]
    pub fn new_events(&self) -> u64 {
        self.live + self.backfill
    }

    fn add(&mut self, event: &Event, late: bool) {
        match event.stream() {
            Stream::Live => self.live += 1,
            Stream::Backfill => self.backfill += 1,
        }
        self.late += u64::from(late);
        self.soft_failed += u64::from(event.soft_failed);
        self.rejected += u64::from(event.rejected);
        self.survivors += u64::from(event.outlier);
        self.censored += u64::from(event.censored);
        self.damaged += u64::from(event.damage.is_some());
        self.versionless += u64::from(event.room_version.is_none());
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.live += other.live;
        self.backfill += other.backfill;
        self.late += other.late;
        self.soft_failed += other.soft_failed;
        self.rejected += other.rejected;
        self.survivors += other.survivors;
        self.censored += other.censored;
        self.damaged += other.damaged;
        self.versionless += other.versionless;
        self.known += other.known;
    }
}

/// What a commit did.
#[derive(Debug, Default)]
pub struct Committed {
    /// In numbers.
    pub counts: Counts,
    /// The new events whose line holds no PDU: event id, room id, why.
    pub damaged: Vec<(String, String, Damage)>,
}

impl Committed {
    fn add(&mut self, event: &Event, late: bool) {
        self.counts.add(event, late);
        if let Some(damage) = &event.damage {
            self.damaged.push((event.event_id.clone(), event.room_id.clone(), damage.clone()));
        }
    }
}

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
        jsonl::make_directory(directory)?;
        let lock = lock(directory)?;
        let path = directory.join("catalog.sqlite");
        // made by us, so that it is never readable by others; SQLite gives its -wal and -shm the same mode
        OpenOptions::new().append(true).create(true).mode(0o600).open(&path).map_err(Error::io("open", &path))?;
        let (mut catalog, new) = Catalog::open(&path)?;
        if new {
            catalog.set_up(|writing| rebuild::rebuild(directory, writing))?;
            jsonl::sync(directory)?;
        }
        let indexed = catalog.is_indexed()?;
        let mut archive = Archive { directory: directory.to_owned(), catalog, hook, indexed, _lock: lock };
        archive.recover()?;
        archive.check_some_files()?;
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
        let mut files: BTreeMap<String, Vec<&(Event, bool)>> = BTreeMap::new();
        for event in &batch.events {
            files.entry(layout::day_file(&event.0.room_id, event.0.day)).or_default().push(event);
        }
        let lengths = self.intend(files.keys())?;
        let mut step = Steps { hook: self.hook.as_mut(), directory: &self.directory };
        let mut appending = Appending::new(&self.directory, files.len())?;
        let mut committed = Committed::default();
        // events whose effective redaction may have changed
        let mut redacted = BTreeSet::new();
        let writing = self.catalog.write()?;
        for ((path, events), &length) in files.iter().zip(&lengths) {
            let mut lines = Vec::new();
            for (event, late) in events {
                if writing.add(event, run)? {
                    lines.push(event.line.as_str());
                    committed.add(event, *late);
                    if self.indexed {
                        redacted.extend(event.redacts.as_deref());
                        if writing.is_redacted(&event.event_id)? {
                            redacted.insert(&event.event_id);
                        }
                    }
                } else {
                    committed.counts.known += 1;
                    if event.recheck.is_some() && writing.complete_redaction(event)? {
                        redacted.extend(event.redacts.as_deref());
                    }
                }
            }
            if !lines.is_empty() {
                writing.room(&events[0].0)?;
                appending.append(path, length, &lines, &mut step)?;
                let bytes: usize = lines.iter().map(|line| line.len() + 1).sum();
                writing.file(path, length.unwrap_or(0) + bytes as u64, lines.len() as u64, run)?;
            }
        }
        step.at(Step::Sync)?;
        appending.sync()?;
        for event_id in redacted {
            writing.redact(event_id)?;
        }
        for advance in &batch.advances {
            writing.advance(advance, run)?;
        }
        for room_id in &batch.caught_up {
            writing.caught_up(room_id)?;
        }
        writing.count(run, &committed.counts)?;
        writing.clear_intent()?;
        step.at(Step::Record)?;
        writing.commit()?;
        step.at(Step::Recorded)?;
        Ok(committed)
    }

    /// Records which files a batch may append to, after a look at each: their committed lengths, none for a new file.
    fn intend<'p>(&mut self, paths: impl Iterator<Item = &'p String> + Clone) -> Result<Vec<Option<u64>>, Error> {
        let mut lengths = Vec::new();
        for path in paths.clone() {
            let committed = self.catalog.length(path)?;
            jsonl::check(&self.directory, path, committed)?;
            lengths.push(committed);
        }
        if !lengths.is_empty() {
            Steps { hook: self.hook.as_mut(), directory: &self.directory }.at(Step::Intend)?;
            let writing = self.catalog.write()?;
            writing.intend(paths.map(String::as_str).zip(lengths.iter().map(|length| length.unwrap_or(0))))?;
            writing.commit()?;
        }
        Ok(lengths)
    }

    /// Undoes a batch that was not finished: its files get back the lengths they had before it.
    pub fn recover(&mut self) -> Result<(), Error> {
        let intent = self.catalog.intent()?;
        if intent.is_empty() {
            return Ok(());
        }
        Steps { hook: self.hook.as_mut(), directory: &self.directory }.at(Step::Recover)?;
        for (path, length) in &intent {
            jsonl::truncate(&self.directory, path, *length)?;
        }
        let writing = self.catalog.write()?;
        writing.clear_intent()?;
        writing.commit()
    }

    /// Compares files with the catalog: all of them in a small archive, in a large one a part that is another each time,
    /// since looking at a million files would take longer than a night's export.
    fn check_some_files(&self) -> Result<(), Error> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let letter = |n: u32| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[(n % 52) as usize]);
        let start = format!("rooms/{}{}", letter(now.subsec_micros()), letter(now.subsec_micros() / 52));
        for (path, committed) in self.catalog.files(&start, CHECKED_AT_OPEN)? {
            jsonl::check(&self.directory, &path, Some(committed))?;
        }
        Ok(())
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
            let mut pid = String::new();
            let known = file.read_to_string(&mut pid).is_ok() && pid.trim().parse::<u32>().is_ok();
            let holder = if known { format!("process {}", pid.trim()) } else { "its process is not known".to_owned() };
            return Err(Error::Locked { holder, archive: directory.to_owned() });
        }
        Err(TryLockError::Error(source)) => return Err(Error::io("lock", &path)(source)),
    }
    file.set_len(0).map_err(Error::io("write to", &path))?;
    writeln!(file, "{}", std::process::id()).map_err(Error::io("write to", &path))?;
    Ok(file)
}
