//! Where hits may be: lines that the index gives, those behind it, or those of rooms; in spans, so that who wants the newest looks at
//! no more than these. Gives too much rather than too little, and opens no line.

mod common;
mod needles;

use std::collections::BTreeMap;

use rusqlite::{Row, params};

use super::super::super::Error;
use super::super::super::catalog::key;
use super::super::super::decrypted::Decrypted;
use super::super::super::erased::redacted_by;
use super::super::super::full_text::{self, BLOCK, EDITS_REDACTED};
use super::super::super::layout::DayName;
use super::super::Reader;
use super::{SearchOptions, Test};
use crate::document::time;
use crate::search::fts::{self, Expression};
use crate::search::query::{Is, Operand, Query};
use crate::search::words;
use common::{Common, which};
use needles::Needles;

/// How many hits the index is asked for as a whole; of words that more lines have it is asked span by span.
const MANY: i64 = 5_000;
/// Rooms of so many events are read rather than all lines with such words.
const SMALL: i64 = 50_000;
/// How many lines behind the index are read.
pub(super) const BEHIND: i64 = 500_000;

/// Lines that are looked at together.
pub(super) struct CandidateStretch {
    /// No hit in it is newer; milliseconds since the epoch.
    pub(super) newest: i64,
    lines: CandidateLines,
}

enum CandidateLines {
    /// From one to another, in the index.
    Indexed(i64, i64),
    /// The same, and the index has told which.
    Known(i64, i64, Vec<i64>),
    /// From one to another, in the catalog.
    Between(i64, i64),
    /// Of a file.
    File(i64),
    /// Of a block of the index of what was encrypted.
    Decrypted(i64),
}

/// A line to look at.
pub(super) struct Candidate {
    pub(super) line: i64,
    /// When it is from, as far as that was looked up; milliseconds since the epoch.
    pub(super) at: Option<i64>,
    /// The index has found the words in it.
    pub(super) is_matched: bool,
}

/// The lines that may be hits, span by span, those first that may be the newest.
#[allow(clippy::struct_excessive_bools, reason = "each is told by the query")]
pub(super) struct Candidates<'r> {
    reader: &'r Reader<'r>,
    spans: std::vec::IntoIter<CandidateStretch>,
    expression: Option<Expression>,
    is_matched: bool,
    /// What of `line` is to be looked at, in SQL.
    which: String,
    /// The same, and what is encrypted.
    which_encrypted: String,
    /// What is encrypted may be a hit, be it that it can be read or that it is not asked for words.
    with_encrypted: bool,
    /// What of that is a hit, the index of it tells.
    is_decrypted_indexed: bool,
    with_redacted: bool,
    only_redacted: bool,
    needles: Needles,
}

impl<'r> Candidates<'r> {
    pub(super) fn find(
        reader: &'r Reader<'r>,
        query: &Query<Test>,
        options: SearchOptions,
    ) -> Result<Candidates<'r>, Error> {
        let common = Common::of(query);
        let mut wants_redacted = options.show_redacted;
        query.each_part(true, &mut |part, _| wants_redacted |= matches!(part, Operand::Is(Test::Is(Is::Redacted))));
        let indexed = full_text::indexed(reader.connection)?.filter(|line| *line > 0);
        let expression =
            if options.substring || indexed.is_none() { None } else { fts::expression(query, &index_words) };
        let decrypted = reader.decrypted();
        let blocks = decrypted.map_or(Ok(None), Decrypted::search_blocks).map_err(Error::of_decrypted)?;
        // what is not indexed is read
        let expression = expression.filter(|_| !common.is_redacted && (decrypted.is_none() || blocks.is_some()));
        let mut candidates = Candidates {
            reader,
            spans: Vec::new().into_iter(),
            is_matched: words_are_exact(query),
            which: which(&common, false, wants_redacted),
            which_encrypted: which(&common, true, wants_redacted),
            with_encrypted: !query.has_words() || reader.decrypts(),
            is_decrypted_indexed: expression.is_some() && blocks.is_some(),
            with_redacted: wants_redacted,
            only_redacted: common.is_redacted,
            needles: Needles::of(&common.phrases, options),
            expression,
        };
        let mut spans = candidates.all_spans(&common, indexed.unwrap_or(0), &blocks.unwrap_or_default())?;
        if let Some(range) = &common.at {
            spans.retain(|(span, oldest)| span.newest >= range.start && *oldest < range.end);
        }
        spans.sort_by_key(|(span, _)| std::cmp::Reverse(span.newest));
        candidates.spans = spans.into_iter().map(|(span, _)| span).collect::<Vec<_>>().into_iter();
        Ok(candidates)
    }

    /// The next span; no hit in it or behind it is newer than it says.
    pub(super) fn next_span(&mut self) -> Option<CandidateStretch> {
        self.spans.next()
    }

    /// The lines of a span that may be hits: those first of which the time is not known, then the newest.
    pub(super) fn of(&self, span: &CandidateStretch) -> Result<Vec<Candidate>, Error> {
        let mut found = match &span.lines {
            CandidateLines::Between(first, last) => {
                let with_encrypted = self.with_encrypted && !self.is_decrypted_indexed;
                self.scan("line.line between ?1 and ?2", [*first, *last], with_encrypted)?
            }
            CandidateLines::File(file) => self.scan("line.file = ?1 and ?2 = 0", [*file, 0], self.with_encrypted)?,
            CandidateLines::Decrypted(block) => self.ask_decrypted(*block)?,
            CandidateLines::Known(first, last, lines) => {
                let known = lines.iter().map(|line| Candidate { line: *line, at: None, is_matched: self.is_matched });
                known.chain(self.redacted(*first, *last)?).collect()
            }
            CandidateLines::Indexed(first, last) => {
                let mut found = self.ask(*first, *last)?;
                found.extend(self.redacted(*first, *last)?);
                found
            }
        };
        // an index that lags may still have what is redacted
        found.sort_by_key(|candidate| candidate.line);
        found.dedup_by_key(|candidate| candidate.line);
        found.sort_by_key(|candidate| (candidate.at.is_some(), std::cmp::Reverse(candidate.at)));
        Ok(found)
    }

    /// Every span with the time of the oldest that it may have.
    fn all_spans(
        &self,
        common: &Common<'_>,
        indexed: i64,
        decrypted: &[(i64, i64)],
    ) -> Result<Vec<(CandidateStretch, i64)>, Error> {
        let files = common.rooms.map(|rooms| self.files(rooms)).transpose()?;
        let Some(expression) = &self.expression else {
            return match files {
                Some((files, _)) => Ok(files),
                None => self.lines(0, indexed),
            };
        };
        let known = self.known(expression)?;
        match (known, files) {
            (None, Some((files, events))) if events <= SMALL => return Ok(files),
            (Some(known), _) if !self.with_redacted => {
                let blocks = self.blocks(indexed)?;
                let mut spans = Vec::new();
                for (block, lines) in known {
                    let (oldest, newest) = blocks.get(&block).copied().unwrap_or((i64::MIN, i64::MAX));
                    let (first, last) = ends(block, indexed);
                    spans.push((CandidateStretch { newest, lines: CandidateLines::Known(first, last, lines) }, oldest));
                }
                spans.extend(self.lines(indexed, indexed)?);
                spans.extend(self.of_decrypted(expression, decrypted)?);
                return Ok(spans);
            }
            _ => {}
        }
        let mut spans = Vec::new();
        for (block, (oldest, newest)) in self.blocks(indexed)? {
            let (first, last) = ends(block, indexed);
            spans.push((CandidateStretch { newest, lines: CandidateLines::Indexed(first, last) }, oldest));
        }
        spans.extend(self.lines(indexed, indexed)?);
        spans.extend(self.of_decrypted(expression, decrypted)?);
        Ok(spans)
    }

    /// The blocks of the index of what was encrypted in which hits may be.
    fn of_decrypted(
        &self,
        expression: &Expression,
        blocks: &[(i64, i64)],
    ) -> Result<Vec<(CandidateStretch, i64)>, Error> {
        let Some(decrypted) = self.reader.decrypted().filter(|_| !blocks.is_empty()) else { return Ok(Vec::new()) };
        let known = decrypted.blocks_with(&expression.text, MANY).map_err(Error::of_decrypted)?;
        let may_be = |block: i64| known.as_ref().is_none_or(|known| known.binary_search(&block).is_ok());
        let blocks = blocks.iter().filter(|(block, _)| may_be(*block));
        // there may be edits of what is older
        Ok(blocks
            .map(|&(block, newest)| (CandidateStretch { newest, lines: CandidateLines::Decrypted(block) }, i64::MIN))
            .collect())
    }

    /// Asks the index of what was encrypted about a block.
    fn ask_decrypted(&self, block: i64) -> Result<Vec<Candidate>, Error> {
        let (Some(decrypted), Some(expression)) = (self.reader.decrypted(), &self.expression) else {
            return Ok(Vec::new());
        };
        let sql = format!(
            "select line.line, line.origin_server_ts from line where line.id_key = {} and line.event_id = ?1 and {}",
            key!("?1"),
            self.which_encrypted
        );
        let mut statement = self.reader.connection.prepare_cached(&sql)?;
        let mut found = Vec::new();
        for event_id in decrypted.search(&expression.text, block).map_err(Error::of_decrypted)? {
            let mut rows = statement.query([event_id])?;
            while let Some(row) = rows.next()? {
                found.push(self.candidate(row, true)?);
            }
        }
        Ok(found)
    }

    /// The lines behind one, in the catalog; of those behind the index a bounded number.
    fn lines(&self, from: i64, indexed: i64) -> Result<Vec<(CandidateStretch, i64)>, Error> {
        let last = "select coalesce(max(line), 0) from line";
        let last: i64 = self.reader.connection.query_row(last, [], |row| row.get(0))?;
        let mut spans = Vec::new();
        if from < indexed {
            for (block, (oldest, newest)) in self.blocks(indexed)? {
                let (first, last) = ends(block, indexed);
                spans.push((CandidateStretch { newest, lines: CandidateLines::Between(first, last) }, oldest));
            }
        }
        let from = indexed.max(if self.expression.is_some() { last - BEHIND } else { 0 });
        let sql = format!(
            "select line >> {BLOCK}, min(line), max(line), min(origin_server_ts), max(origin_server_ts) from line
              where line > ?1 group by 1"
        );
        let mut statement = self.reader.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([from])?;
        while let Some(row) = rows.next()? {
            let (first, last) = (row.get(1)?, row.get(2)?);
            // there may be edits of what is older
            let newest = row.get::<_, Option<i64>>(4)?.unwrap_or(i64::MIN);
            spans.push((CandidateStretch { newest, lines: CandidateLines::Between(first, last) }, i64::MIN));
        }
        Ok(spans)
    }

    /// When the lines of each block of the index are from: the oldest and the newest.
    fn blocks(&self, indexed: i64) -> Result<BTreeMap<i64, (i64, i64)>, Error> {
        let sql = "select block, oldest, newest from search_block where block <= ?1";
        let mut statement = self.reader.connection.prepare_cached(sql)?;
        let blocks = statement.query_map([indexed >> BLOCK], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
        Ok(blocks.collect::<Result<_, _>>()?)
    }

    /// The files of rooms, and how many events they have.
    #[allow(clippy::type_complexity, reason = "used once")]
    fn files(&self, rooms: &[i64]) -> Result<(Vec<(CandidateStretch, i64)>, i64), Error> {
        let sql = "select file, day, events from file where room = ?1";
        let mut statement = self.reader.connection.prepare_cached(sql)?;
        let (mut files, mut events) = (Vec::new(), 0);
        for room in rooms {
            let mut rows = statement.query([room])?;
            while let Some(row) = rows.next()? {
                let range = time::range(&row.get::<_, DayName>(1)?.0);
                events += row.get::<_, i64>(2)?;
                // there may be edits of what is older
                files.push((
                    CandidateStretch { newest: range.end.saturating_sub(1), lines: CandidateLines::File(row.get(0)?) },
                    i64::MIN,
                ));
            }
        }
        Ok((files, events))
    }

    /// Asks the index for all that it has, by block; none: that is too much.
    fn known(&self, expression: &Expression) -> Result<Option<BTreeMap<i64, Vec<i64>>>, Error> {
        let sql = "select rowid from search where search match ?1 order by rowid desc limit ?2";
        let mut statement = self.reader.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![expression.text, MANY + 1])?;
        let (mut blocks, mut count): (BTreeMap<i64, Vec<i64>>, i64) = (BTreeMap::new(), 0);
        while let Some(row) = rows.next()? {
            let line: i64 = row.get(0)?;
            blocks.entry(line >> BLOCK).or_default().push(line);
            count += 1;
        }
        Ok((count <= MANY).then_some(blocks))
    }

    /// Asks the index about lines from one to another.
    fn ask(&self, first: i64, last: i64) -> Result<Vec<Candidate>, Error> {
        let Some(expression) = &self.expression else { return Ok(Vec::new()) };
        let sql = format!(
            "select line.line, line.origin_server_ts from search cross join line on line.line = search.rowid
              where search match ?1 and search.rowid between ?2 and ?3 and {}",
            self.which
        );
        let mut statement = self.reader.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![expression.text, first, last], |row| self.candidate(row, true))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn candidate(&self, row: &Row<'_>, is_indexed: bool) -> rusqlite::Result<Candidate> {
        Ok(Candidate { line: row.get(0)?, at: row.get(1)?, is_matched: is_indexed && self.is_matched })
    }

    /// Lines of what is redacted from one to another, if they may be hits: the index has none.
    fn redacted(&self, first: i64, last: i64) -> Result<Vec<Candidate>, Error> {
        if !self.with_redacted {
            return Ok(Vec::new());
        }
        let with_encrypted = self.with_encrypted && !self.is_decrypted_indexed;
        self.scan(&format!("line.line between ?1 and ?2 and {}", says_redacted()), [first, last], with_encrypted)
    }

    /// Reads lines in the catalog, and gives those that have the words that all hits have.
    fn scan(&self, between: &str, ends: [i64; 2], with_encrypted: bool) -> Result<Vec<Candidate>, Error> {
        let (body, only) = (
            if self.needles.is_empty() { "null" } else { "(select body from said where said.line = line.line)" },
            if self.only_redacted { &*says_redacted() } else { "true" },
        );
        let sql = format!(
            "select line.line, line.origin_server_ts, {body},
                    case when line.type = (select type from type where name = 'm.room.encrypted') then line.event_id end
               from line where {between} and {only} and {}",
            if with_encrypted { &self.which_encrypted } else { &self.which }
        );
        let mut statement = self.reader.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(ends)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let is_in_clear = || Ok::<_, Error>(row.get_ref(2)?.as_str().is_ok_and(|body| self.needles.are_in(body)));
            let is_in_encrypted = || match (row.get::<_, Option<String>>(3)?, self.reader.plaintexts) {
                (Some(event_id), Some(plaintexts)) => {
                    let body = plaintexts.get(&event_id)?.and_then(|plaintext| plaintext.body);
                    Ok::<_, Error>(body.is_some_and(|body| self.needles.are_in(&body)))
                }
                _ => Ok(false),
            };
            if self.needles.is_empty() || is_in_clear()? || is_in_encrypted()? {
                found.push(self.candidate(row, false)?);
            }
        }
        Ok(found)
    }
}

/// The lines of a block of the index.
fn ends(block: i64, indexed: i64) -> (i64, i64) {
    let first = block << BLOCK;
    (first, (first + (1 << BLOCK) - 1).min(indexed))
}

/// Whether what a line says is redacted, as it is itself or what it edits.
fn says_redacted() -> String {
    format!("({} is not null or {EDITS_REDACTED})", redacted_by!())
}

/// What a condition has in the index's column `has`.
fn index_words(test: &Test) -> Option<Vec<String>> {
    match test {
        Test::Has(has) => has.is_told_by_itself().then(|| vec![has.name().to_owned()]),
        Test::Mentions(users) => Some(users.iter().map(|user| words::of(user).join(" ")).collect()),
        _ => None,
    }
}

/// Whether what the index finds need not be looked through for words again: it knows all of every part that has some.
fn words_are_exact(query: &Query<Test>) -> bool {
    let is_exact = |part: &Query<Test>| fts::expression(part, &index_words).is_some_and(|found| found.is_exact);
    query.parts().iter().filter(|part| part.has_words()).all(|part| match part {
        Query::Not(inner) => is_exact(inner),
        part => is_exact(part),
    })
}
