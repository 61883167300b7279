//! What all hits of a query have in common, by which lines are told apart before anything of them is read. Narrows only as far as no hit is
//! lost.

use std::fmt::Write as _;
use std::ops::Range;

use super::super::super::super::erased::redacted_by;
use super::super::Test;
use crate::search::query::{Is, Phrase, Query};
use crate::search::said;

/// What all hits have in common.
#[derive(Default)]
pub(super) struct Common<'q> {
    pub(super) senders: Option<&'q [i64]>,
    pub(super) rooms: Option<&'q [i64]>,
    pub(super) at: Option<Range<i64>>,
    pub(super) phrases: Vec<&'q Phrase>,
    pub(super) is_redacted: bool,
}

impl<'q> Common<'q> {
    pub(super) fn of(query: &'q Query<Test>) -> Common<'q> {
        let mut common = Common::default();
        for part in query.parts() {
            match part {
                Query::Words(phrase) => common.phrases.push(phrase),
                Query::Is(Test::From(users)) => common.senders = Some(users),
                Query::Is(Test::In(rooms)) => common.rooms = Some(rooms),
                Query::Is(Test::At(range)) => {
                    let known = common.at.take().unwrap_or(i64::MIN..i64::MAX);
                    common.at = Some(known.start.max(range.start)..known.end.min(range.end));
                }
                Query::Is(Test::Is(Is::Redacted)) => common.is_redacted = true,
                _ => {}
            }
        }
        common
    }
}

/// Which lines may be hits by what `line` has of them, in SQL.
pub(super) fn which(common: &Common<'_>, with_encrypted: bool, with_redacted: bool) -> String {
    let encrypted = if with_encrypted { ", 'm.room.encrypted'" } else { "" };
    let mut which = format!(
        "line.type in (select type from type where name in ({}{encrypted})) and not line.rejected and not line.soft_failed",
        said::TYPES
    );
    if !with_redacted {
        which += concat!(" and ", redacted_by!(), " is null");
    }
    if let Some(senders) = common.senders {
        let senders: Vec<String> = senders.iter().map(i64::to_string).collect();
        let _ = write!(which, " and line.sender in ({})", senders.join(", "));
    }
    if let Some(Range { start, end }) = &common.at {
        // of an edit the time of what it edits counts
        let _ = write!(
            which,
            " and (line.origin_server_ts >= {start} and line.origin_server_ts < {end}
                   or exists (select 1 from relation r where r.line = line.line
                                 and r.rel_type = (select type from type where name = 'm.replace')))"
        );
    }
    which
}
