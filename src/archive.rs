//! The directory of an archive: JSONL, one file per room and day, and the catalog that indexes them.
//!
//! One writer at a time. A batch of events is durable or absent: it is recorded which files it appends to, they are appended
//! to and synced, then the catalog moves in one transaction (see [`Archive::commit`]); [`Archive::open`] undoes what was cut
//! off in between. The catalog's unique event ids decide what is new, so no event has two lines. Knows no database but its own.

mod batch;
mod catalog;
mod commit;
mod error;
mod jsonl;
pub mod layout;
mod look;
mod rebuild;
mod redacting;
mod stale;
mod transcripts;
#[cfg(test)]
mod work;
mod writing;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::iter;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

pub use batch::{Advance, Batch, Committed, Counts};
pub use catalog::{Catalog, LastRun, Selection, VERSION as CATALOG_VERSION};
pub use error::Error;
pub use look::{Look, look};
pub use transcripts::{Rendered, Transcripts};

use crate::stream::{Position, Stream};
use commit::EVERY_FILE;

/// Where it is written down which rooms an archive is of.
const SELECTION: &str = ".selection.json";
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
        let path = directory.join("catalog.sqlite");
        jsonl::make_archive(directory)?;
        let lock = lock(directory)?;
        // made by us, so that it is never readable by others; SQLite gives its -wal and -shm the same mode
        OpenOptions::new().append(true).create(true).mode(0o600).open(&path).map_err(Error::io("open", &path))?;
        let (mut catalog, new) = Catalog::open(&path)?;
        if new {
            catalog.set_up(|writing| {
                writing.select(&selected(directory)?)?;
                rebuild::rebuild(directory, writing)
            })?;
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

    /// Begins a run and remembers what it is to export. The first one reads up to `heads` without looking anything up; one
    /// that goes on with it must read the same, else indexes are needed at once.
    pub fn begin_run(&mut self, selection: &Selection, heads: &[(Stream, Option<Position>)]) -> Result<i64, Error> {
        let is_first = !self.indexed && self.catalog.last_run()?.is_none();
        if !self.indexed && !is_first && self.catalog.selection()? != *selection {
            self.index()?;
        }
        if !self.indexed {
            self.steps().at(Step::Intend)?;
        }
        select(&self.directory, selection)?;
        let writing = self.catalog.write()?;
        let run = writing.begin_run()?;
        writing.select(selection)?;
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

    /// Makes the catalog's indexes, if they are not there yet.
    pub fn index(&mut self) -> Result<(), Error> {
        if !self.indexed {
            self.steps().at(Step::Index)?;
            let writing = self.catalog.write()?;
            writing.index()?;
            writing.clear_intent()?;
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

    /// Ends a run that wrote to so many files. `error` must not quote any content.
    pub fn end_run(&mut self, run: i64, outcome: &str, error: Option<&str>, files: u64) -> Result<(), Error> {
        let writing = self.catalog.write()?;
        writing.end_run(run, outcome, error, files)?;
        if error.is_none() {
            writing.clear_intent()?;
        }
        writing.commit()
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

    fn steps(&mut self) -> Steps<'_> {
        Steps { hook: self.hook.as_mut(), directory: &self.directory }
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

/// What rooms an archive is of, for when the catalog has to be made anew: only the file tells it then.
fn selected(directory: &Path) -> Result<Selection, Error> {
    let path = directory.join(SELECTION);
    match fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).map_err(|error| Error::io("read", &path)(error.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Selection::default()),
        Err(error) => Err(Error::io("read", &path)(error)),
    }
}

/// Writes down what rooms an archive is of, unless that are all.
fn select(directory: &Path, selection: &Selection) -> Result<(), Error> {
    let path = directory.join(SELECTION);
    if *selection == Selection::default() {
        return if path.exists() { jsonl::remove(&path) } else { Ok(()) };
    }
    if selected(directory).is_ok_and(|selected| selected == *selection) {
        return Ok(());
    }
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        serde_json::to_writer(&mut file, selection)?;
        file.as_file().sync_all()?;
        file.persist(&path)?;
        Ok(())
    };
    write().map_err(Error::io("write", &path))?;
    jsonl::sync(directory)
}

/// Whether a directory is no archive yet and has other things in it.
pub fn has_other_things(directory: &Path) -> Result<bool, Error> {
    let is_ours = ["catalog.sqlite", "rooms", "index.md"].iter().any(|name| directory.join(name).exists());
    let is_other = |name: &String| !name.starts_with('.') && name != "lost+found";
    Ok(!is_ours && jsonl::names(directory)?.iter().any(is_other))
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
