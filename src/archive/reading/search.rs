//! Finds what a query asks for: in the index as far as that is, in the lines behind it, or in the lines of a room. Every hit is
//! compared with the catalog before it counts, so that an index that lags shows nothing that it must not. Shows nothing.

mod candidates;
mod check;
pub(crate) mod names;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use candidates::Candidates;
use check::Checker;
pub(crate) use check::{Hit, HitOrder};

use super::super::Error;
use super::Reader;
use crate::search::query::{Has, Is, Query};

/// A condition as the catalog knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    /// One of these users sent it, by their numbers.
    From(Vec<i64>),
    /// It is in one of these rooms, by their numbers.
    In(Vec<i64>),
    /// Its time, milliseconds since the epoch, is one of these.
    At(Range<i64>),
    Has(Has),
    Is(Is),
    /// It mentions one of these users, or everybody.
    Mentions(Vec<String>),
}

/// What else is to be found, and how.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SearchOptions {
    /// Also what edits have replaced.
    pub(crate) edits: bool,
    /// Also what redacted events said.
    pub(crate) show_redacted: bool,
    /// Words are parts of words, for which no index helps.
    pub(crate) substring: bool,
}

/// A search in an archive.
pub(crate) struct Search<'r> {
    reader: &'r Reader<'r>,
    query: &'r Query<Test>,
    options: SearchOptions,
}

impl<'r> Search<'r> {
    /// How many lines behind the index are read.
    pub(crate) const BEHIND: u64 = candidates::BEHIND.unsigned_abs();

    pub(crate) fn new(reader: &'r Reader<'r>, query: &'r Query<Test>, options: SearchOptions) -> Search<'r> {
        Search { reader, query, options }
    }

    /// At most `most` hits, the newest first; `after`: those that come after one in this order.
    pub(crate) fn newest(&self, most: usize, after: Option<&HitOrder>) -> Result<Vec<Hit>, Error> {
        let mut checker = Checker::new(self.reader, self.query, self.options);
        let mut newest: BinaryHeap<Reverse<HitOrder>> = BinaryHeap::new();
        let mut candidates = Candidates::find(self.reader, self.query, self.options)?;
        // what is new enough to count, if the heap is full
        let least = |newest: &BinaryHeap<Reverse<HitOrder>>| {
            newest.peek().filter(|_| newest.len() >= most).map(|Reverse(key)| key.at)
        };
        while let Some(span) = candidates.next_span() {
            if most == 0 || least(&newest).is_some_and(|least| span.newest < least) {
                break;
            }
            for candidate in candidates.of(&span)? {
                if candidate.at.zip(least(&newest)).is_some_and(|(at, least)| at < least) {
                    break;
                }
                let Some(key) = checker.check(candidate.line, candidate.is_matched)? else { continue };
                if after.is_some_and(|after| key >= *after) {
                    continue;
                }
                newest.push(Reverse(key));
                if newest.len() > most {
                    newest.pop();
                }
            }
        }
        newest.into_sorted_vec().into_iter().map(|Reverse(key)| checker.hit(&key)).collect()
    }

    /// How many hits there are.
    pub(crate) fn count(&self) -> Result<u64, Error> {
        let mut checker = Checker::new(self.reader, self.query, self.options);
        let mut candidates = Candidates::find(self.reader, self.query, self.options)?;
        let mut count = 0;
        while let Some(span) = candidates.next_span() {
            for candidate in candidates.of(&span)? {
                count += u64::from(checker.check(candidate.line, candidate.is_matched)?.is_some());
            }
        }
        Ok(count)
    }

    /// The place in the order of hits of an event that was one; none: it is not archived.
    pub(crate) fn key_of(&self, event_id: &str) -> Result<Option<HitOrder>, Error> {
        Checker::new(self.reader, self.query, self.options).key_of(event_id)
    }
}
