//! An archive against itself, its chain and the proofs of its events: every file of lines, read once, over all cores.
//!
//! Reads beside whoever writes, and writes nothing but, at the end and if the archive is free, what has been found: verdicts, and
//! lines that were in no commit of the chain. Mends nothing. Memory does not grow with the archive: what has to be in another order
//! is in a temporary database.

mod erased;
mod file;
mod index;
mod matching;
mod row;
mod scratch;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

use rusqlite::params;

use super::chain::ChainHead;
use super::{Archive, Catalog, Error, Interrupt, layout, lines};
use crate::event::{Verdict, VerifyKey};
pub(crate) use erased::{ErasedBy, Tombstones};
use file::Checking;
pub(crate) use matching::{Compared, Matching, RoomDifferences};
use scratch::Scratch;

/// How many findings of a kind are named.
const NAMED: u64 = 20;
/// How many keys that are not known are named.
const KEYS_NAMED: usize = 100;
/// Levels of JSON are levels of calls.
const STACK: usize = 16 * 1024 * 1024;

/// Keys that are given for this run, by server and key id.
pub(crate) type GivenKeys = BTreeMap<(String, String), VerifyKey>;

/// What is to be verified, and how.
#[derive(Default)]
pub(crate) struct VerifyRequest {
    /// Only this room.
    pub(crate) room_id: Option<String>,
    /// Only days from this one on, `2026-11-22`.
    pub(crate) since: Option<String>,
    /// Only the lines' hashes and places: neither what they say nor how they are signed.
    pub(crate) quick: bool,
    /// Keys beside those of the archive.
    pub(crate) keys: GivenKeys,
    /// How many threads; none: as many as there are cores.
    pub(crate) threads: Option<usize>,
}

/// What is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Off {
    /// The chain itself.
    Chain,
    /// The catalog's own structure.
    Catalog,
    /// A file that the catalog does not know, or that is gone or shorter than it says.
    File,
    /// A line that cannot be read.
    Unreadable,
    /// A line in a file that is not its room's or day's.
    Elsewhere,
    /// A line without a row in the catalog, or a row without its line.
    Row,
    /// Lines that are not those that the chain has.
    Hash,
    /// An event whose verdict is that something is off.
    Event,
    /// An event that was erased, and is back.
    Erased,
    /// A transcript, page or index that is rendered, and does not say what its events do.
    View,
    /// Words of lines that are not in the index of search as they should be.
    Search,
    /// An event of the server's that should be archived, and is not.
    Missing,
}

impl Off {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Off::Chain => "chain",
            Off::Catalog => "catalog",
            Off::File => "file",
            Off::Unreadable => "unreadable",
            Off::Elsewhere => "elsewhere",
            Off::Row => "row",
            Off::Hash => "hash",
            Off::Event => "event",
            Off::Erased => "erased",
            Off::View => "view",
            Off::Search => "search",
            Off::Missing => "missing",
        }
    }
}

impl fmt::Display for Off {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What was found of some files: numbers, and the first of what is off.
#[derive(Default)]
pub(crate) struct Verified {
    pub(crate) files: u64,
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
    /// Lines that no commit of the chain has.
    pub(crate) unchained: u64,
    /// By verdict, in the order of [`Verdict::ALL`].
    pub(crate) verdicts: [u64; Verdict::ALL.len()],
    /// How many of each kind.
    pub(crate) off: BTreeMap<Off, u64>,
    /// The first of each kind, in words.
    pub(crate) named: Vec<(Off, String)>,
    /// Keys that are not known, or had expired, and for how many events: server, key id.
    pub(crate) keys: BTreeMap<(String, String), u64>,
    /// How often the chain was begun anew, without what was before.
    pub(crate) begun: u64,
    /// How far the chain goes that was compared.
    pub(crate) head: Option<ChainHead>,
    /// Whether a seal's place in the chain was found there.
    pub(crate) is_sealed: Option<bool>,
    /// Files that were written anew since the seal.
    pub(crate) rewritten: Vec<Rewritten>,
    /// What was erased here.
    pub(crate) tombstones: Tombstones,
    /// How many transcripts were compared.
    pub(crate) transcripts: u64,
}

/// A file that was written anew since a seal.
#[derive(Debug)]
pub(crate) struct Rewritten {
    pub(crate) path: String,
    /// Lines that it had then, and has no more.
    pub(crate) gone: u64,
    /// Lines of which something is erased by now.
    pub(crate) erased: u64,
}

impl Verified {
    /// Notes what is off.
    pub(crate) fn off(&mut self, off: Off, what: impl FnOnce() -> String) {
        let count = self.off.entry(off).or_default();
        *count += 1;
        if *count <= NAMED {
            self.named.push((off, what()));
        }
    }

    fn add(&mut self, other: Verified) {
        self.files += other.files;
        self.lines += other.lines;
        self.bytes += other.bytes;
        self.unchained += other.unchained;
        for (own, more) in self.verdicts.iter_mut().zip(other.verdicts) {
            *own += more;
        }
        for (off, what) in other.named {
            if self.named.iter().filter(|(own, _)| *own == off).count() < usize::try_from(NAMED).unwrap_or_default() {
                self.named.push((off, what));
            }
        }
        for (off, more) in other.off {
            *self.off.entry(off).or_default() += more;
        }
        for (key, more) in other.keys {
            if self.keys.len() < KEYS_NAMED || self.keys.contains_key(&key) {
                *self.keys.entry(key).or_default() += more;
            }
        }
    }

    /// How many events have a verdict.
    pub(crate) fn verdict(&self, verdict: Verdict) -> u64 {
        Verdict::ALL.iter().zip(self.verdicts).find(|(own, _)| **own == verdict).map_or(0, |(_, count)| count)
    }
}

/// What was found, and has yet to be remembered.
pub(crate) struct VerifyOutcome {
    pub(crate) verified: Verified,
    scratch: Scratch,
    quick: bool,
}

/// Verifies an archive, which may be written to meanwhile. `sealed`: how far the chain went that a seal knows. `told` hears how many
/// bytes of lines are done, and of how many.
pub(crate) fn verify(
    archive: &Path,
    directory: Option<&Path>,
    asked: &VerifyRequest,
    sealed: Option<&ChainHead>,
    interrupt: &Interrupt,
    told: &mut dyn FnMut(u64, u64),
) -> Result<VerifyOutcome, Error> {
    let catalog = Catalog::open_to_search(archive, directory)?;
    let scratch = Scratch::make()?;
    let mut verified = Verified::default();
    loop {
        let foldings = catalog.foldings()?;
        scratch.take_chain(archive, &catalog, asked, sealed, &mut verified)?;
        if catalog.foldings()? == foldings {
            break;
        }
        // it was folded while it was read
        interrupt.check()?;
        verified = Verified::default();
    }
    let is_whole = asked.room_id.is_none() && asked.since.is_none();
    if is_whole {
        check_structure(&catalog, asked.quick, &mut verified)?;
        check_strangers(archive, &catalog, &mut verified)?;
        erased::check_promised(archive, &catalog, &mut verified)?;
        if !asked.quick {
            index::check(&catalog, interrupt, &mut verified)?;
        }
    }
    verified.tombstones = Tombstones::of(&catalog)?;
    let (room, all) = selected(&catalog, asked)?;
    let threads = asked.threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from)).max(1);
    let (results, found) = mpsc::sync_channel(threads * 4);
    let (last, scratch_path) = (&Mutex::new(0), scratch.path());
    thread::scope(|scope| -> Result<(), Error> {
        for _ in 0..threads {
            let (results, failed) = (results.clone(), results.clone());
            let work = move || -> Result<(), Error> {
                let mut checking = Checking::new(archive, directory, scratch_path, asked, interrupt)?;
                loop {
                    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                    let Some(file) = checking.next(*last, room, asked)? else { return Ok(()) };
                    *last = file;
                    drop(last);
                    interrupt.check()?;
                    if let Some(checked) = checking.file(file)?
                        && results.send(Ok(checked)).is_err()
                    {
                        return Ok(());
                    }
                }
            };
            let spawned = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, move || {
                if let Err(error) = work() {
                    let _ = failed.send(Err(error));
                }
            });
            spawned.map_err(Error::io("start a thread for", archive))?;
        }
        drop(results);
        let mut done = 0;
        for checked in found {
            let checked = checked?;
            done += checked.bytes;
            scratch.take(&checked)?;
            verified.add(checked.verified);
            told(done, all.max(done));
        }
        Ok(())
    })?;
    scratch.settle()?;
    Ok(VerifyOutcome { verified, scratch, quick: asked.quick })
}

/// The catalog's structure, as SQLite checks it.
fn check_structure(catalog: &Catalog, quick: bool, verified: &mut Verified) -> Result<(), Error> {
    let check = if quick { "pragma quick_check(20)" } else { "pragma integrity_check(20)" };
    let mut statement = catalog.connection.prepare(check)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let what: String = row.get(0)?;
        if what != "ok" {
            verified.off(Off::Catalog, || format!("catalog.sqlite: {what}"));
        }
    }
    let sql = "select event_id from line group by id_key, event_id having count(*) > 1 limit 20";
    let mut statement = catalog.connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let event_id: String = row.get(0)?;
        verified.off(Off::Row, || format!("the catalog has the event {event_id} more than once"));
    }
    Ok(())
}

/// Files of lines that the catalog does not know.
fn check_strangers(archive: &Path, catalog: &Catalog, verified: &mut Verified) -> Result<(), Error> {
    lines::for_each(archive, |path, _| {
        if super::catalog::length(&catalog.connection, path)?.is_none() {
            verified.off(Off::File, || format!("{path} is in no catalog: no export has made it"));
        }
        Ok(())
    })
}

/// The number of the room that is to be verified, if it is one, and how many bytes of lines there are.
fn selected(catalog: &Catalog, asked: &VerifyRequest) -> Result<(Option<i64>, u64), Error> {
    let room = match &asked.room_id {
        None => None,
        Some(room_id) => {
            let sql = "select room from room where room_id = ?1";
            Some(catalog.connection.query_row(sql, [room_id], |row| row.get::<_, i64>(0))?)
        }
    };
    let since = asked.since.clone().unwrap_or_default();
    let sql = "select coalesce(sum(bytes), 0) from file where room = coalesce(?1, room) and day >= ?2";
    let bytes: i64 = catalog.connection.query_row(sql, params![room, since], |row| row.get(0))?;
    Ok((room, bytes.unsigned_abs()))
}

impl Archive {
    /// Remembers what was found: verdicts by file, keys that were given, and what was in no commit of the chain; how far that goes
    /// now. Nothing of the last when the archive has been written to since.
    pub(crate) fn remember(&mut self, found: &VerifyOutcome, keys: &GivenKeys) -> Result<Option<ChainHead>, Error> {
        let keys: Vec<_> = keys.iter().map(|(named, key)| (named, key.bytes(), key.valid_until())).collect();
        self.add_server_keys(keys.iter().map(|((server, id), key, until)| (&**server, &**id, key.as_slice(), *until)))?;
        if !found.quick {
            found.scratch.put_verdicts(&mut self.catalog)?;
        }
        if self.catalog.chain_head()? != found.verified.head {
            return self.catalog.chain_head();
        }
        let Archive { directory, catalog, readers, .. } = self;
        let writing = catalog.write()?;
        let mut chain = super::chain::Chain::open(directory, &writing.0, *readers)?;
        found.scratch.each_unchained(|path, from, to, lines, hash| chain.add_extent(path, from, to, lines, hash))?;
        if let Some(head) = chain.end("found")? {
            writing.chain_is(&head)?;
        }
        writing.commit()?;
        self.catalog.sync_state()?;
        self.catalog.chain_head()
    }
}

/// The path of a file by its room and day.
fn path_of(room: &str, day: &str) -> String {
    format!("rooms/{room}/{day}.jsonl")
}

/// Whether a file is one of a room's, and of a day from another one on.
fn is_selected(path: &str, asked: &VerifyRequest) -> bool {
    let Some((room, day)) = layout::parts(path) else { return false };
    asked.room_id.as_deref().is_none_or(|room_id| layout::room_directory(room_id) == room)
        && asked.since.as_deref().is_none_or(|since| day >= since)
}
