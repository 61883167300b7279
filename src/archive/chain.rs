//! The chain of an archive, `chain.jsonl`: what each commit has added to which file of lines, as hashes, each commit with the hash of
//! the one before. Who changes, drops or adds a line later without it has to make it anew from there on, which shows in the state, and
//! in every seal (see `verify`).
//!
//! A commit is lines of the form `["rooms/<room>/<day>.jsonl", from, to, lines, "<hash>"]`, a file's bytes `from` … `to` and the SHA-256
//! of the SHA-256 of each line there, without its newline, and last an object with `kind`, `at` and `before`: the SHA-256 of the whole
//! commit before, from its first byte to its last newline. Kinds: `begun` (from here on: nothing that the chain said before
//! is compared any more; `earlier`: bytes of lines that were there by then), `appended`, `rewritten` (the files were written anew, and what is here takes the place of all that
//! the chain said of them before), `found` (lines that were there, and in no commit).
//!
//! It is on the disk before the catalog moves, and what is behind the catalog's commit is cut off. Never says what a line says.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, params};
use rustix::fs::OFlags;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tracing::warn;

use super::writing::{Writing, signed};
use super::{Archive, Catalog, Error, Readers, durable, inside};
use crate::event::hex::digits as hex;

/// The file's name in the archive's directory.
pub(super) const NAME: &str = "chain.jsonl";
/// How much is gathered before it is written.
const WRITE_BYTES: usize = 256 * 1024;
/// The longest line of it that is read, in bytes: a path and four numbers.
const LONGEST: u64 = 64 * 1024;

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
pub(crate) struct Head {
    /// How many bytes of the file.
    pub(crate) bytes: u64,
    /// The hash of its last commit, hexadecimal; empty: there is none.
    pub(crate) hash: String,
}

impl Head {
    /// Before the first commit.
    pub(super) fn none() -> Head {
        Head { bytes: 0, hash: String::new() }
    }
}

/// The chain, to have a commit added to it.
pub(super) struct Chain {
    path: PathBuf,
    file: File,
    head: Head,
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
            None => (Head::none(), true),
            Some(known) if known.bytes <= length => (known, false),
            // of what is lost as a whole it says at least what it does not follow
            Some(known) => match last_whole(archive)? {
                whole if whole.bytes > 0 => (whole, true),
                none => (Head { hash: known.hash, ..none }, true),
            },
        };
        file.set_len(head.bytes).map_err(Error::io("truncate", &path))?;
        let (bytes, commit) = (head.bytes, Sha256::new());
        let mut chain = Chain { path, file, head, commit, gathered: Vec::new(), bytes, is_any: false, is_begun: false };
        if begins {
            chain.begin(catalog)?;
        }
        Ok(chain)
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
        let mut last = json!({"kind": kind, "at": at, "before": self.head.hash});
        if let Some(earlier) = earlier {
            last["earlier"] = earlier.into();
        }
        self.push(&last)?;
        self.head = Head { bytes: self.bytes, hash: hex(&std::mem::take(&mut self.commit).finalize()) };
        Ok(())
    }

    /// Ends a commit, and returns when it is on the disk; how far the chain goes, none if nothing was added
    /// and it was not begun.
    pub(super) fn end(mut self, kind: &str) -> Result<Option<Head>, Error> {
        if self.is_any {
            self.close(kind, None)?;
        } else if !self.is_begun {
            return Ok(None);
        }
        self.finish().map(Some)
    }

    /// Returns when all of it is on the disk.
    fn finish(mut self) -> Result<Head, Error> {
        self.write()?;
        self.file.sync_data().map_err(Error::io("sync", &self.path))?;
        Ok(self.head)
    }
}

impl Writing<'_> {
    /// Remembers how far the chain goes.
    pub(super) fn chain_is(&self, head: &Head) -> Result<(), Error> {
        let sql = "replace into chain (name, bytes, head) values (?1, ?2, ?3)";
        self.0.prepare_cached(sql)?.execute(params![NAME, signed(head.bytes), head.hash])?;
        Ok(())
    }
}

/// How far the chain goes as the catalog knows it; none: there is no chain yet.
fn head(catalog: &Connection) -> Result<Option<Head>, Error> {
    let found = catalog.query_row("select bytes, head from chain where name = ?1", [NAME], |row| {
        Ok(Head { bytes: row.get::<_, i64>(0)?.unsigned_abs(), hash: row.get(1)? })
    });
    Ok(found.optional()?)
}

impl Catalog {
    /// How far the archive's chain goes; none: there is none yet.
    pub(crate) fn chain_head(&self) -> Result<Option<Head>, Error> {
        head(&self.connection)
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
        let known = self.catalog.chain_head()?;
        let from = known.clone().unwrap_or_else(Head::none);
        let mut head = from.clone();
        let walked = walk(&self.directory, &from, None, |commit| {
            if let Part::End { head: next, .. } = commit {
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
        writing.chain_is(&Head { bytes: i64::MAX.unsigned_abs(), ..known })?;
        writing.commit()?;
        let writing = self.catalog.write()?;
        if let Some(head) = Chain::open(&self.directory, &writing.0, self.readers)?.end("begun")? {
            writing.chain_is(&head)?;
        }
        writing.commit()?;
        self.catalog.sync_state()
    }
}

/// How far the chain's whole commits go that are linked to one another from its beginning.
fn last_whole(archive: &Path) -> Result<Head, Error> {
    let mut last = Head::none();
    let walked = walk(archive, &Head::none(), None, |part| {
        if let Part::End { head, .. } = part {
            last = head;
        }
        Ok(())
    });
    match walked {
        Ok(()) | Err(Error::Chain { .. }) => Ok(last),
        Err(error) => Err(error),
    }
}

/// A part of the chain.
pub(super) enum Part<'a> {
    /// Bytes of a file.
    Extent(Extent<'a>),
    /// The end of a commit, whether it says that another one is before it, and where it leaves the chain.
    End { kind: &'a str, follows: bool, head: Head },
}

/// Bytes of a file of lines, as the chain has them.
pub(super) struct Extent<'a> {
    pub(super) path: &'a str,
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) lines: u64,
    pub(super) hash: &'a str,
}

/// Goes through the chain from a commit on, up to a byte or its end, and makes sure that each commit is linked to the one before.
/// A commit that does not end, or is not linked, is an error, also that it has no such length.
pub(super) fn walk(
    archive: &Path,
    from: &Head,
    to: Option<u64>,
    mut part: impl FnMut(Part<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let path = archive.join(NAME);
    let failed = || Error::io("read", &path);
    let broken = |at: u64, why: &str| Error::Chain { at, why: why.to_owned() };
    let mut file = inside::read(archive, NAME).map_err(failed())?;
    let length = file.seek(SeekFrom::End(0)).map_err(failed())?;
    if to.is_some_and(|to| to > length) || from.bytes > length {
        return Err(broken(length, "it is shorter than the catalog says"));
    }
    file.seek(SeekFrom::Start(from.bytes)).map_err(failed())?;
    let mut reader = BufReader::with_capacity(WRITE_BYTES, file.take(to.unwrap_or(length) - from.bytes));
    let (mut line, mut at, mut before, mut commit) = (Vec::new(), from.bytes, from.hash.clone(), Sha256::new());
    let mut is_open = false;
    loop {
        line.clear();
        (&mut reader).take(LONGEST).read_until(b'\n', &mut line).map_err(failed())?;
        if line.is_empty() {
            return if is_open { Err(broken(at, "its last commit does not end")) } else { Ok(()) };
        }
        let value = line.ends_with(b"\n").then(|| serde_json::from_slice::<Value>(&line).ok()).flatten();
        commit.update(&line);
        let start = at;
        at += line.len() as u64;
        match value {
            Some(Value::Array(items)) => {
                let number = |nth: usize| items.get(nth).and_then(Value::as_u64);
                let text = |nth: usize| items.get(nth).and_then(Value::as_str);
                let (Some(path), Some(from), Some(to), Some(lines), Some(hash)) =
                    (text(0), number(1), number(2), number(3), text(4))
                else {
                    return Err(broken(start, "a line of it says nothing of a file"));
                };
                is_open = true;
                part(Part::Extent(Extent { path, from, to, lines, hash }))?;
            }
            Some(Value::Object(last)) => {
                let text = |key: &str| last.get(key).and_then(Value::as_str).unwrap_or_default();
                // the first one may name what was lost before it
                let is_first = before.is_empty() && text("kind") == "begun";
                if text("before") != before && !is_first {
                    return Err(broken(start, "a commit is not linked to the one before"));
                }
                let follows = !text("before").is_empty();
                before = hex(&std::mem::take(&mut commit).finalize());
                is_open = false;
                part(Part::End { kind: text("kind"), follows, head: Head { bytes: at, hash: before.clone() } })?;
            }
            _ => return Err(broken(start, "a line of it cannot be read")),
        }
    }
}
