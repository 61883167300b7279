//! The chain of an archive, `chain.jsonl`: what each commit has added to which file of lines, as hashes, each commit with the hash of
//! the one before. Who changes, drops or adds a line later without it has to make it anew from there on, which shows in the state, and
//! in every seal (see `verify`).
//!
//! A commit is lines of the form `["rooms/<room>/<day>.jsonl", from, to, lines, "<hash>"]`, a file's bytes `from` … `to` and the SHA-256
//! of the SHA-256 of each line there, without its newline, and last an object with `kind`, `at` and `before`: the SHA-256 of the whole
//! commit before, from its first byte to its last newline. Kinds: `begun` (from here on: nothing that the chain said before
//! is compared any more; `earlier`: bytes of lines that were there by then), `appended`, `rewritten` (the files were written anew, and what is here takes the place of all that
//! the chain said of them before), `found` (lines that were there, and in no commit), `folded` (what several `appended` ones had: see
//! `folding`), `sealed` (a seal knows the chain up to here: what is before is never folded).
//!
//! It is on the disk before the catalog moves, and what is behind the catalog's commit is cut off. Never says what a line says.

mod folding;
mod walking;

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, params};
use rustix::fs::OFlags;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use tracing::warn;

use super::writing::{Writing, signed};
use super::{Archive, Catalog, Error, Readers, durable, inside};
use crate::event::hex::digits as hex;
pub(super) use folding::{FROM as FOLD_FROM, walk_known};
use walking::last_whole;
pub(super) use walking::{ChainPart, CommittedBytes, FileSpan, walk};

/// The file's name in the archive's directory.
pub(super) const NAME: &str = "chain.jsonl";
/// How much is gathered before it is written.
const WRITE_BYTES: usize = 256 * 1024;

/// The hash of a line, given without its newline.
#[must_use]
pub(crate) fn hash_of_line(line: &[u8]) -> [u8; 32] {
    Sha256::digest(line).into()
}

/// The hash over the hashes of lines, one after the other.
#[derive(Clone, Default)]
pub(super) struct Hashes {
    hash: Sha256,
    lines: u64,
    bytes: u64,
}

impl Hashes {
    /// Takes in a line, given without its newline.
    pub(super) fn add(&mut self, line: &[u8]) {
        self.add_hash(&hash_of_line(line), line.len() as u64 + 1);
    }

    /// Takes in a line by its hash, and how many bytes it has with its newline.
    pub(super) fn add_hash(&mut self, line: &[u8; 32], bytes: u64) {
        self.hash.update(line);
        self.lines += 1;
        self.bytes += bytes;
    }

    /// How many lines, and bytes with their newlines.
    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    /// How many bytes they have, newlines too.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The hash, hexadecimal.
    pub(super) fn hex(&self) -> String {
        hex(&self.hash.clone().finalize())
    }
}

/// How far the chain goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChainHead {
    /// How many bytes of the file.
    pub(crate) bytes: u64,
    /// The hash of its last commit, hexadecimal; empty: there is none.
    pub(crate) hash: String,
}

impl ChainHead {
    /// Before the first commit.
    pub(super) fn none() -> ChainHead {
        ChainHead { bytes: 0, hash: String::new() }
    }
}

/// The chain, to have a commit added to it.
pub(super) struct Chain {
    path: PathBuf,
    file: File,
    head: ChainHead,
    commit: Sha256,
    gathered: Vec<u8>,
    bytes: u64,
    is_any: bool,
    is_begun: bool,
}

impl Chain {
    /// Opens it as the catalog knows it, and cuts off what is behind that; one that is shorter is begun anew behind its last whole
    /// commit, and one that the catalog does not know is begun.
    pub(super) fn open(archive: &Path, catalog: &Connection, readers: Readers) -> Result<Chain, Error> {
        let path = archive.join(NAME);
        folding::put_in_place(archive, catalog)?;
        let known = head(catalog)?;
        let length = inside::length(archive, NAME).map_err(Error::io("look at", &path))?;
        let opened = match length {
            Some(_) => inside::open(archive, NAME, OFlags::WRONLY | OFlags::APPEND),
            None => inside::create(archive, NAME, OFlags::WRONLY | OFlags::APPEND, readers),
        };
        let file = opened.map_err(Error::io("open", &path))?;
        if length.is_none() {
            durable::sync(archive)?;
        }
        let length = length.unwrap_or(0);
        let (head, begins) = match known {
            None => (ChainHead::none(), true),
            Some(known) if known.bytes <= length => (known, false),
            // of what is lost as a whole it says at least what it does not follow
            Some(known) => match last_whole(archive)? {
                whole if whole.bytes > 0 => (whole, true),
                none => (ChainHead { hash: known.hash, ..none }, true),
            },
        };
        file.set_len(head.bytes).map_err(Error::io("truncate", &path))?;
        let mut chain = Chain::behind(path, file, head);
        if begins {
            chain.begin(catalog)?;
        }
        Ok(chain)
    }

    /// A file, to have commits added to it behind one.
    fn behind(path: PathBuf, file: File, head: ChainHead) -> Chain {
        let (bytes, commit) = (head.bytes, Sha256::new());
        Chain { path, file, head, commit, gathered: Vec::new(), bytes, is_any: false, is_begun: false }
    }

    /// Begins, and says so, and how many bytes of lines there are of which it knows nothing.
    fn begin(&mut self, catalog: &Connection) -> Result<(), Error> {
        let sql = "select coalesce(sum(bytes), 0) from file";
        let earlier: i64 = catalog.query_row(sql, [], |row| row.get(0))?;
        if earlier > 0 {
            warn!(
                bytes = earlier,
                "the archive's chain of hashes begins now: what was archived before is in no commit of it until synapse-export verify has read it"
            );
        }
        self.is_begun = true;
        self.close("begun", Some(earlier))
    }

    /// Adds the lines of a file from a byte on.
    pub(super) fn add(&mut self, path: &str, from: u64, hashes: &Hashes) -> Result<(), Error> {
        self.add_extent(path, from, from + hashes.bytes(), hashes.lines(), &hashes.hex())
    }

    /// Adds some bytes of a file by the hash over their lines.
    pub(super) fn add_extent(&mut self, path: &str, from: u64, to: u64, lines: u64, hash: &str) -> Result<(), Error> {
        self.is_any = true;
        self.push(&json!([path, from, to, lines, hash]))
    }

    fn push(&mut self, line: &Value) -> Result<(), Error> {
        let start = self.gathered.len();
        let failed = Error::io("append to", &self.path);
        writeln!(self.gathered, "{line}").map_err(failed)?;
        self.commit.update(&self.gathered[start..]);
        self.bytes += (self.gathered.len() - start) as u64;
        if self.gathered.len() >= WRITE_BYTES { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), Error> {
        self.file.write_all(&self.gathered).map_err(Error::io("append to", &self.path))?;
        self.gathered.clear();
        Ok(())
    }

    fn close(&mut self, kind: &str, earlier: Option<i64>) -> Result<(), Error> {
        let at = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let of = [("kind", kind.into()), ("at", at.into())]
            .into_iter()
            .chain(earlier.map(|bytes| ("earlier", bytes.into())));
        self.close_as(of.map(|(key, value)| (key.to_owned(), value)).collect())
    }

    /// Ends a commit with what it says of itself, and of the one before.
    fn close_as(&mut self, mut last: Map<String, Value>) -> Result<(), Error> {
        last.insert("before".to_owned(), self.head.hash.clone().into());
        self.push(&last.into())?;
        self.head = ChainHead { bytes: self.bytes, hash: hex(&std::mem::take(&mut self.commit).finalize()) };
        Ok(())
    }

    /// Ends a commit, and returns when it is on the disk; how far the chain goes, none if nothing was added
    /// and it was not begun.
    pub(super) fn end(mut self, kind: &str) -> Result<Option<ChainHead>, Error> {
        if self.is_any {
            self.close(kind, None)?;
        } else if !self.is_begun {
            return Ok(None);
        }
        self.finish().map(Some)
    }

    /// Returns when all of it is on the disk.
    fn finish(mut self) -> Result<ChainHead, Error> {
        self.write()?;
        self.file.sync_data().map_err(Error::io("sync", &self.path))?;
        Ok(self.head)
    }
}

impl Writing<'_> {
    /// Remembers how far the chain goes.
    pub(super) fn chain_is(&self, head: &ChainHead) -> Result<(), Error> {
        self.remember_head(NAME, head)
    }

    /// Remembers a place in the chain by a name.
    fn remember_head(&self, name: &str, head: &ChainHead) -> Result<(), Error> {
        let sql = "replace into chain (name, bytes, head) values (?1, ?2, ?3)";
        self.0.prepare_cached(sql)?.execute(params![name, signed(head.bytes), head.hash])?;
        Ok(())
    }
}

/// How far the chain goes as the catalog knows it; none: there is no chain yet.
fn head(catalog: &Connection) -> Result<Option<ChainHead>, Error> {
    place(catalog, NAME)
}

/// A place in the chain that the catalog knows by a name.
fn place(catalog: &Connection, name: &str) -> Result<Option<ChainHead>, Error> {
    let mut statement = catalog.prepare_cached("select bytes, head from chain where name = ?1")?;
    let found = statement
        .query_row([name], |row| Ok(ChainHead { bytes: row.get::<_, i64>(0)?.unsigned_abs(), hash: row.get(1)? }));
    Ok(found.optional()?)
}

impl Catalog {
    /// How far the archive's chain goes; none: there is none yet.
    pub(crate) fn chain_head(&self) -> Result<Option<ChainHead>, Error> {
        head(&self.connection)
    }
}

impl Archive {
    /// Says in the chain that a seal knows it up to there; how far it goes then, none: there is none. It is on the disk, in the state too.
    pub(crate) fn seal_chain(&mut self) -> Result<Option<ChainHead>, Error> {
        if self.catalog.chain_head()?.is_none() {
            return Ok(None);
        }
        self.fold_chain(folding::FROM_BEFORE_A_SEAL)?;
        let writing = self.catalog.write()?;
        let mut chain = Chain::open(&self.directory, &writing.0, self.readers)?;
        chain.close("sealed", None)?;
        let head = chain.finish()?;
        writing.chain_is(&head)?;
        writing.commit()?;
        self.catalog.sync_state()?;
        Ok(Some(head))
    }
}

impl Archive {
    /// Where the catalog was made anew from a state that lags behind the chain, goes on with what of it follows from there. Of a
    /// chain that no state knows, it says that it is begun anew.
    pub(super) fn settle_chain(&mut self, is_new: bool) -> Result<(), Error> {
        let path = self.directory.join(NAME);
        let is_there = inside::length(&self.directory, NAME).map_err(Error::io("look at", &path))?.is_some();
        if !is_new || !is_there {
            return Ok(());
        }
        folding::put_in_place(&self.directory, &self.catalog.connection)?;
        let known = self.catalog.chain_head()?;
        let from = known.clone().unwrap_or_else(ChainHead::none);
        let mut head = from.clone();
        let walked = walk(&self.directory, &from, None, |commit| {
            if let ChainPart::End { head: next, .. } = commit {
                head = next;
            }
            Ok(())
        });
        // what does not follow is cut off with the next commit
        if let Err(error) = walked {
            warn!("the end of {} is not taken over: {error}", path.display());
        }
        let writing = self.catalog.write()?;
        writing.chain_is(&head)?;
        if known.is_none() {
            let mut chain = Chain::open(&self.directory, &writing.0, self.readers)?;
            chain.begin(&writing.0)?;
            writing.chain_is(&chain.finish()?)?;
        }
        writing.commit()
    }

    /// Begins a chain anew that is shorter than the catalog says.
    pub(super) fn mend_chain(&mut self) -> Result<(), Error> {
        let path = self.directory.join(NAME);
        let length = inside::length(&self.directory, NAME).map_err(Error::io("look at", &path))?.unwrap_or(0);
        let Some(known) = self.catalog.chain_head()?.filter(|known| known.bytes > length) else { return Ok(()) };
        // who dies before the new end is in the catalog has to find it shorter yet, however long it has become
        let writing = self.catalog.write()?;
        writing.chain_is(&ChainHead { bytes: i64::MAX.unsigned_abs(), ..known })?;
        writing.commit()?;
        let writing = self.catalog.write()?;
        if let Some(head) = Chain::open(&self.directory, &writing.0, self.readers)?.end("begun")? {
            writing.chain_is(&head)?;
        }
        writing.commit()?;
        self.catalog.sync_state()
    }
}
