//! What the event of a line proves of itself, with the keys and tombstones of the archive, and how those of a room, or of a day of it, stood
//! when they were last verified.

use std::fmt;

use rusqlite::params;

use super::super::Error;
use super::super::erasing::tombstone;
use super::super::server_keys::server_key;
use super::Reader;
use crate::event::{Erased, Event, EventId, Proof, Verdict, VerifyKey, Why};

impl Reader<'_> {
    /// Judges the event of a line; none: the line cannot be read.
    pub(crate) fn proof(&self, line: &str, day: &str) -> Result<Option<(Verdict, Option<Why>)>, Error> {
        let Ok(event) = Event::from_line(line, day) else { return Ok(None) };
        let mut key = |server: &str, id: &str| server_key(self.connection, server, id);
        judge(&event, &mut key, &|event| tombstone(self.connection, event)).map(Some)
    }
}

/// How events stood against their own proof when their lines were last verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProofCounts {
    /// How many of the days were, and have changed in nothing since.
    pub(crate) days: u64,
    /// How many days there are.
    pub(crate) of: u64,
    /// When the first of them was, RFC 3339.
    pub(crate) at: String,
    /// By verdict, in the order of [`Verdict::ALL`].
    pub(crate) verdicts: [u64; Verdict::ALL.len()],
}

impl fmt::Display for ProofCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut begin, ProofCounts { days, of, at, verdicts }) = ("", self);
        for (verdict, count) in Verdict::ALL.iter().zip(verdicts).filter(|(_, count)| **count > 0) {
            write!(f, "{begin}{count} {}", verdict.name().replace('_', " "))?;
            begin = ", ";
        }
        let since = if of > days { " or later" } else { "" };
        write!(f, "; verified {at}{since}")?;
        if of > days { write!(f, ", {days} of {of} days") } else { Ok(()) }
    }
}

impl Reader<'_> {
    /// How the events of a room stood, or of a day of it; none: no day of it was verified as it is.
    pub(crate) fn judged(&self, room_id: &str, day: Option<&str>) -> Result<Option<ProofCounts>, Error> {
        let sums = Verdict::ALL.map(|verdict| format!("coalesce(sum({}), 0)", verdict.name())).join(", ");
        let sql = format!(
            "select count(judged.file), count(*), min(at), {sums}
               from file join room using (room) left join judged on judged.file = file.file and judged.bytes = file.bytes
              where room_id = ?1 and (?2 is null or day = ?2)"
        );
        let judged = self.connection.prepare_cached(&sql)?.query_row(params![room_id, day], |row| {
            let count = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
            let mut verdicts = [0; Verdict::ALL.len()];
            for (nth, verdict) in verdicts.iter_mut().enumerate() {
                *verdict = count(3 + nth)?;
            }
            let at: Option<String> = row.get(2)?;
            Ok(at.map(|at| count(0).and_then(|days| Ok(ProofCounts { days, of: count(1)?, at, verdicts }))))
        })?;
        Ok(judged.transpose()?)
    }
}

/// Judges the event of a line, with the keys of servers and with tombstones.
pub(in crate::archive) fn judge(
    event: &Event,
    key: &mut impl FnMut(&str, &str) -> Result<Option<VerifyKey>, Error>,
    tombstone: &impl Fn(EventId<'_>) -> Result<Option<Erased>, Error>,
) -> Result<(Verdict, Option<Why>), Error> {
    let (verdict, why) = match Proof::of(&event.line) {
        Ok(proof) => proof.judge(key)?,
        Err(why) => (Verdict::NotDecided, Some(why)),
    };
    // what a line says of itself counts as far as its tombstone says so too, and never for who it is from
    let is_of_content = matches!(why, None | Some(Why::Content | Why::PrunedSince | Why::NoKey(..) | Why::Expired(..)));
    let is_cut = event.erased.is_some_and(|erased| erased >= Erased::Cut);
    if is_cut && is_of_content && tombstone(event.id())? >= event.erased {
        return Ok((Verdict::Erased, None));
    }
    Ok((verdict, why))
}
