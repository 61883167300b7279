//! Joins what commits have added to a file, one after the other, once its lines are those that the chain has. What is not is given on as it
//! was; nothing is ever left out.

use std::path::Path;

use super::super::super::{Error, lines};
use super::super::{Chain, FileSpan, Hashes};
use super::tail::SMALL;

/// How many bytes of lines are read at once.
const PIECE: u64 = 1024 * 1024;

impl FileSpan {
    fn length(&self) -> u64 {
        self.to.saturating_sub(self.from)
    }

    pub(super) fn add(&self, path: &str, chain: &mut Chain) -> Result<(), Error> {
        chain.add_extent(path, self.from, self.to, self.lines, &self.hash)
    }

    /// Adds the hashes of its lines to others; false: `text` is not what it has.
    fn join(&self, text: &str, hashes: &mut Hashes) -> bool {
        let Some(lines) = text.strip_suffix('\n') else { return false };
        let mut own = Hashes::default();
        for line in lines.split('\n') {
            own.add(line.as_bytes());
            hashes.add(line.as_bytes());
        }
        own.lines() == self.lines && own.hex() == self.hash
    }
}

/// Joins what commits have of a file, as far as one goes on where the other ends.
pub(super) struct Joining<'a> {
    archive: &'a Path,
    chain: &'a mut Chain,
    pub(super) path: String,
    file: Option<lines::Open>,
    /// The last commit that has it written anew.
    rewritten: i64,
    /// Where what is joined begins, and the hashes of its lines.
    joined: Option<(u64, Hashes)>,
    /// What is to be joined next.
    piece: Vec<FileSpan>,
}

impl<'a> Joining<'a> {
    pub(super) fn new(archive: &'a Path, chain: &'a mut Chain) -> Joining<'a> {
        Joining { archive, chain, path: String::new(), file: None, rewritten: -1, joined: None, piece: Vec::new() }
    }

    pub(super) fn begin(&mut self, path: String, rewritten: i64) {
        self.file = lines::Open::new(self.archive, &path).ok();
        (self.path, self.rewritten) = (path, rewritten);
    }

    /// Takes what a commit has by its number.
    pub(super) fn take(&mut self, span: FileSpan, number: i64) -> Result<(), Error> {
        if span.length() >= SMALL || number < self.rewritten {
            self.end()?;
            // what was written anew since is not there to be compared
            return span.add(&self.path, self.chain);
        }
        let last = self.piece.last().map(|last| last.to);
        let last = last.or(self.joined.as_ref().map(|(from, hashes)| from + hashes.bytes()));
        if last != Some(span.from) {
            self.end()?;
        }
        let from = self.piece.first().map_or(span.from, |first| first.from);
        let is_full = span.to.saturating_sub(from) >= PIECE;
        self.piece.push(span);
        if is_full { self.join() } else { Ok(()) }
    }

    /// Joins the piece to what is joined, if its lines are those that the chain has.
    fn join(&mut self) -> Result<(), Error> {
        let piece = std::mem::take(&mut self.piece);
        let (Some(first), Some(last)) = (piece.first(), piece.last()) else { return Ok(()) };
        if piece.len() > 1 || self.joined.is_some() {
            let text =
                self.file.as_ref().and_then(|file| file.read(first.from, last.to.saturating_sub(first.from)).ok());
            let mut joined = self.joined.clone().unwrap_or((first.from, Hashes::default()));
            let is_so = text.is_some_and(|text| {
                let at = |byte: u64| {
                    byte.checked_sub(first.from).and_then(|at| usize::try_from(at).ok()).unwrap_or(usize::MAX)
                };
                let part = |span: &FileSpan| text.get(at(span.from)..at(span.to));
                piece.iter().all(|span| part(span).is_some_and(|part| span.join(part, &mut joined.1)))
            });
            if is_so {
                self.joined = Some(joined);
                return Ok(());
            }
        }
        self.add_joined()?;
        piece.iter().try_for_each(|span| span.add(&self.path, self.chain))
    }

    fn add_joined(&mut self) -> Result<(), Error> {
        self.joined.take().map_or(Ok(()), |(from, hashes)| self.chain.add(&self.path, from, &hashes))
    }

    /// Nothing goes on where what was taken ends.
    pub(super) fn end(&mut self) -> Result<(), Error> {
        self.join()?;
        self.add_joined()
    }
}
