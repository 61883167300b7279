//! What the event of a line proves of itself, with the keys and tombstones of the archive.

use super::super::Error;
use super::super::erasing::tombstone;
use super::super::server_keys::server_key;
use super::Reader;
use crate::event::{Erased, Event, Key, Proof, Verdict, Why};

impl Reader<'_> {
    /// Judges the event of a line; none: the line cannot be read.
    pub(crate) fn proof(&self, line: &str, day: &str) -> Result<Option<(Verdict, Option<Why>)>, Error> {
        let Ok(event) = Event::from_line(line, day) else { return Ok(None) };
        let mut key = |server: &str, id: &str| server_key(self.connection, server, id);
        judge(&event, &mut key, &|event_id| tombstone(self.connection, event_id)).map(Some)
    }
}

/// Judges the event of a line, with the keys of servers and with tombstones.
pub(in crate::archive) fn judge(
    event: &Event,
    key: &mut impl FnMut(&str, &str) -> Result<Option<Key>, Error>,
    tombstone: &impl Fn(&str) -> Result<Option<Erased>, Error>,
) -> Result<(Verdict, Option<Why>), Error> {
    let (verdict, why) = match Proof::of(&event.line) {
        Ok(proof) => proof.judge(key)?,
        Err(why) => (Verdict::NotDecided, Some(why)),
    };
    // what a line says of itself counts as far as its tombstone says so too, and never for who it is from
    let is_of_content = matches!(why, None | Some(Why::Content | Why::PrunedSince | Why::NoKey(..) | Why::Expired(..)));
    let is_cut = event.erased.is_some_and(|erased| erased >= Erased::Cut);
    if is_cut && is_of_content && tombstone(&event.event_id)? >= event.erased {
        return Ok((Verdict::Erased, None));
    }
    Ok((verdict, why))
}
