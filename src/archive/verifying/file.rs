//! One file of lines, read from its beginning to its end: each line against its place in the catalog, its room and day, the chain, and
//! its own proof.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, params};

use super::super::chain::{FileSpan, Hashes, hash_of_line};
use super::super::lines::{FileLine, WholeFile};
use super::super::reading::proof::judge;
use super::super::{Catalog, Error, Interrupt, layout};
use super::row::{self, CatalogRow};
use super::scratch::{self, spans};
use super::{KEYS_NAMED, Off, Verified, VerifyRequest, path_of};
use crate::event::{Day, Erased, Event, EventId, Verdict, VerifyKey, Why};

/// How many keys are remembered.
const KEYS: usize = 5_000;

/// A thread's part of a verification.
pub(super) struct Checking<'a> {
    archive: &'a Path,
    catalog: Catalog,
    chain: Connection,
    asked: &'a VerifyRequest,
    interrupt: &'a Interrupt,
    keys: BTreeMap<(String, String), Option<VerifyKey>>,
    /// What is asked for the rows of a file.
    rows: String,
    /// Whether anything has a tombstone.
    has_tombstones: bool,
}

/// What was found of a file.
pub(super) struct Checked {
    pub(super) number: i64,
    pub(super) path: String,
    /// How many of its bytes were read.
    pub(super) bytes: u64,
    /// The hash over the hashes of its lines, hexadecimal.
    pub(super) digest: String,
    /// What no commit of the chain has.
    pub(super) unchained: Vec<FileSpan>,
    pub(super) verified: Verified,
}

impl<'a> Checking<'a> {
    pub(super) fn new(
        archive: &'a Path,
        directory: Option<&Path>,
        chain: &Path,
        asked: &'a VerifyRequest,
        interrupt: &'a Interrupt,
    ) -> Result<Checking<'a>, Error> {
        let catalog = Catalog::open_to_search(archive, directory)?;
        let (chain, keys, rows) = (scratch::open(chain)?, BTreeMap::new(), row::all());
        let has_tombstones = catalog.tombstones()? > 0;
        Ok(Checking { archive, catalog, chain, asked, interrupt, keys, rows, has_tombstones })
    }

    /// The number of the next file behind one, of a room or all; none: there is no other.
    pub(super) fn next(&self, last: i64, room: Option<i64>, asked: &VerifyRequest) -> Result<Option<i64>, Error> {
        let sql =
            "select min(file) from (select file from file where file > ?1 and room = coalesce(?2, room) and day >= ?3
                    order by file limit 1)";
        let mut statement = self.catalog.connection.prepare_cached(sql)?;
        let since = asked.since.as_deref().unwrap_or_default();
        Ok(statement.query_row(params![last, room, since], |row| row.get(0))?)
    }

    /// Whether nobody is just writing what a file has beyond so many bytes.
    fn is_left_behind(&self, number: i64, bytes: u64) -> Result<bool, Error> {
        let sql = "select bytes from file where file = ?1";
        let now: i64 = self.catalog.connection.query_row(sql, [number], |row| row.get(0))?;
        Ok(now.unsigned_abs() == bytes && !self.catalog.is_unfinished()?)
    }

    /// Verifies a file by its number; none: it is gone by now.
    #[allow(clippy::too_many_lines, reason = "each step of a file is told of by itself")]
    pub(super) fn file(&mut self, number: i64) -> Result<Option<Checked>, Error> {
        let sql = "select directory, day, bytes, events from file join room using (room) where file = ?1";
        let reading = self.catalog.connection.unchecked_transaction()?;
        let found = reading.prepare_cached(sql)?.query_row([number], |row| {
            let number = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, number(2)?, number(3)?))
        });
        let (room, day, bytes, events) = match found {
            Err(rusqlite::Error::QueryReturnedNoRows) => return Ok(None),
            found => found?,
        };
        let path = path_of(&room, &day);
        let mut statement = reading.prepare_cached(if self.asked.quick { row::PLACES } else { &self.rows })?;
        let mut rows = statement.query_map([number], CatalogRow::read)?;
        let mut verified = Verified { files: 1, ..Verified::default() };
        let checked = |bytes, digest: String, unchained, verified| {
            Ok(Some(Checked { number, path: path.clone(), bytes, digest, unchained, verified }))
        };
        let mut lines = match WholeFile::open(self.archive, &path) {
            Ok(lines) => lines,
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                verified.off(Off::File, || format!("{path} is gone: it had {events} lines"));
                return checked(0, String::new(), Vec::new(), verified);
            }
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::InvalidData => {
                verified.off(Off::File, || format!("{path} {source}"));
                return checked(0, String::new(), Vec::new(), verified);
            }
            Err(error) => return Err(error),
        };
        let (mut all, mut following) = (Hashes::default(), ChainFollower::new(&path, spans(&self.chain, &path)?));
        let mut row = rows.next().transpose()?;
        let mut is_longer = false;
        while let Some(FileLine { start, text, is_cut_off, bytes: own }) = next(&mut lines, &mut verified)? {
            if start >= bytes {
                is_longer = true;
                break;
            }
            if verified.lines.is_multiple_of(1024) {
                self.interrupt.check()?;
            }
            let nth = verified.lines + 1;
            if is_cut_off {
                verified.off(Off::File, || format!("{path} ends in the middle of line {nth}"));
            }
            verified.lines += 1;
            let (hash, length) = (hash_of_line(own), own.len() as u64 + 1);
            all.add_hash(&hash, length);
            following.line(start, &hash, length, &mut verified);
            while let Some(lacking) = row.as_ref().filter(|row| row.start < start) {
                verified.off(Off::Row, || {
                    format!("the event {} has no line at byte {} of {path}", lacking.event_id, lacking.start)
                });
                row = rows.next().transpose()?;
            }
            let here = row.as_ref().filter(|row| row.start == start);
            if here.is_none_or(|row| row.length != own.len() as u64) {
                verified.off(Off::Row, || format!("line {nth} of {path} is none that the catalog knows"));
            }
            if !self.asked.quick {
                let judged = JudgedLine { path: &path, day: &day, nth, known: here };
                let mut key =
                    |server: &str, id: &str| remembered(&mut self.keys, self.asked, &self.catalog, server, id);
                let tombstone = |event: EventId<'_>| {
                    if self.has_tombstones { self.catalog.tombstone(event) } else { Ok(None) }
                };
                judged.line(text, &mut verified, &mut key, &tombstone)?;
            }
            if here.is_some() {
                row = rows.next().transpose()?;
            }
        }
        while let Some(lacking) = row {
            verified.off(Off::Row, || {
                format!("the event {} has no line at byte {} of {path}", lacking.event_id, lacking.start)
            });
            row = rows.next().transpose()?;
        }
        if all.bytes() < bytes {
            let found = all.bytes();
            verified.off(Off::File, || format!("{path} has {found} bytes, and the catalog says {bytes}"));
        }
        if verified.lines != events {
            let found = verified.lines;
            verified.off(Off::Row, || format!("{path} has {found} lines, and the catalog says {events}"));
        }
        verified.bytes = all.bytes();
        let unchained = following.end(&mut verified);
        drop(rows);
        drop(statement);
        drop(reading);
        if is_longer && self.is_left_behind(number, bytes)? {
            verified.off(Off::File, || format!("{path} is longer than the {bytes} bytes that the catalog says"));
        }
        verified.unchained = unchained.iter().map(|span| span.lines).sum();
        checked(all.bytes(), all.hex(), unchained, verified)
    }
}

/// The next line of a file; where it cannot be read, that is off, and there is no other.
fn next<'w>(lines: &'w mut WholeFile<'_>, verified: &mut Verified) -> Result<Option<FileLine<'w>>, Error> {
    match lines.next() {
        Err(error @ Error::Line { .. }) => {
            verified.off(Off::Unreadable, || error.to_string());
            Ok(None)
        }
        next => next,
    }
}

/// A key of a server: one that was given, or that the archive has.
fn remembered(
    keys: &mut BTreeMap<(String, String), Option<VerifyKey>>,
    asked: &VerifyRequest,
    catalog: &Catalog,
    server: &str,
    id: &str,
) -> Result<Option<VerifyKey>, Error> {
    let named = (server.to_owned(), id.to_owned());
    if let Some(key) = keys.get(&named) {
        return Ok(key.clone());
    }
    let key = match asked.keys.get(&named) {
        Some(key) => Some(key.clone()),
        None => catalog.server_key(server, id)?,
    };
    if keys.len() >= KEYS {
        keys.clear();
    }
    keys.insert(named, key.clone());
    Ok(key)
}

/// A line that is judged.
struct JudgedLine<'l> {
    path: &'l str,
    day: &'l str,
    nth: u64,
    /// What the catalog has there.
    known: Option<&'l CatalogRow>,
}

impl JudgedLine<'_> {
    fn line(
        &self,
        text: Option<&str>,
        verified: &mut Verified,
        key: &mut impl FnMut(&str, &str) -> Result<Option<VerifyKey>, Error>,
        tombstone: &impl Fn(EventId<'_>) -> Result<Option<Erased>, Error>,
    ) -> Result<(), Error> {
        let JudgedLine { path, day, nth, known, .. } = *self;
        let event = match text.map(|text| Event::from_line(text, day)) {
            Some(Ok(event)) => event,
            Some(Err(why)) => {
                verified.off(Off::Unreadable, || format!("line {nth} of {path} cannot be read: {why}"));
                return Ok(());
            }
            None => {
                verified.off(Off::Unreadable, || format!("line {nth} of {path} is not UTF-8"));
                return Ok(());
            }
        };
        if let Some(what) = known.and_then(|row| row.differs(&event)) {
            verified.off(Off::Row, || format!("line {nth} of {path} is of another {what} than the catalog says"));
        }
        if known.is_some_and(|row| row.is_redacted_otherwise) {
            verified.off(Off::Row, || {
                format!(
                    "of {} (line {nth} of {path}) the catalog has another redaction than is in effect",
                    event.event_id
                )
            });
        }
        if let Some(how) = tombstone(event.id())?
            && event.erased < Some(how)
            && (how == Erased::Whole || event.erase(how).is_some())
        {
            verified.off(Off::Erased, || {
                format!("{} (line {nth} of {path}) was erased ({}), and is back", event.event_id, how.name())
            });
        }
        let is_beyond_line = known.is_some_and(|row| row.is_beyond_line);
        let is_of_day = event.damage.is_some() || is_beyond_line || Day::of(event.origin_server_ts).to_string() == day;
        if !is_of_day || layout::day_file(&event.room_id, event.day) != path {
            verified.off(Off::Elsewhere, || {
                format!("line {nth} of {path}, of {}, belongs to another file", event.event_id)
            });
        }
        let (verdict, why) = judge(&event, key, tombstone)?;
        for (own, count) in Verdict::ALL.iter().zip(&mut verified.verdicts) {
            *count += u64::from(*own == verdict);
        }
        match why {
            Some(why) if verdict.is_off() => {
                verified.off(Off::Event, || {
                    format!("{} (line {nth} of {path}) is {}: {why}", event.event_id, verdict.name())
                });
            }
            Some(Why::NoKey(server, id) | Why::Expired(server, id))
                if verified.keys.len() < KEYS_NAMED || verified.keys.contains_key(&(server.clone(), id.clone())) =>
            {
                *verified.keys.entry((server, id)).or_default() += 1;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Follows a file through what the chain says of it.
struct ChainFollower<'p> {
    path: &'p str,
    spans: std::iter::Peekable<std::vec::IntoIter<FileSpan>>,
    /// What the line before was in, and what has been read of it.
    within: Option<(FileSpan, Hashes)>,
    /// What is in nothing, and where that began.
    outside: Option<(u64, Hashes)>,
    unchained: Vec<FileSpan>,
}

impl<'p> ChainFollower<'p> {
    fn new(path: &'p str, spans: Vec<FileSpan>) -> ChainFollower<'p> {
        ChainFollower { path, spans: spans.into_iter().peekable(), within: None, outside: None, unchained: Vec::new() }
    }

    fn line(&mut self, start: u64, hash: &[u8; 32], length: u64, verified: &mut Verified) {
        if self.within.is_none() {
            while let Some(span) = self.spans.next_if(|span| span.from < start) {
                self.differs(&span, verified);
            }
            if let Some(span) = self.spans.next_if(|span| span.from == start) {
                self.leave();
                self.within = Some((span, Hashes::default()));
            }
        }
        let end = start + length;
        let Some((span, hashes)) = &mut self.within else {
            self.outside.get_or_insert_with(|| (start, Hashes::default())).1.add_hash(hash, length);
            return;
        };
        hashes.add_hash(hash, length);
        if end < span.to {
            return;
        }
        if let Some((span, hashes)) = self.within.take()
            && (end != span.to || hashes.lines() != span.lines || hashes.hex() != span.hash)
        {
            self.differs(&span, verified);
        }
    }

    fn differs(&self, span: &FileSpan, verified: &mut Verified) {
        let FileSpan { from, to, lines, .. } = span;
        verified.off(Off::Hash, || {
            format!("bytes {from} to {to} of {} are not the {lines} lines that were written there", self.path)
        });
    }

    /// What was outside ends.
    fn leave(&mut self) {
        if let Some((from, hashes)) = self.outside.take() {
            let (to, lines, hash) = (from + hashes.bytes(), hashes.lines(), hashes.hex());
            self.unchained.push(FileSpan { from, to, lines, hash });
        }
    }

    /// The file has ended; what no commit of the chain has.
    fn end(mut self, verified: &mut Verified) -> Vec<FileSpan> {
        self.leave();
        let open = self.within.take().map(|(span, _)| span);
        let rest: Vec<FileSpan> = open.into_iter().chain(self.spans.by_ref()).collect();
        for span in &rest {
            self.differs(span, verified);
        }
        self.unchained
    }
}
