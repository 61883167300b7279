//! What an archive's encrypted events say: after their lines are committed, a page of them at a time. What it is stopped at, the next
//! run goes on with.
//!
//! New events first, by all sources. Then what could not be read before is looked up again: in sources of which something may have changed, and
//! in each at least weekly, since nothing tells that a room's keys were purged from a backup and came again. So is, weekly, whether a bridge
//! vouches for what others have opened.

use std::collections::{BTreeMap, BTreeSet};

use megolm_keys::Refusal;
use tokio::task::block_in_place;

use super::{Error, Stop};
use crate::archive::{Archive, DecryptedContent, EncryptedEvent, EncryptedPage, Judgement, Lacking};
use crate::event::{Erased, Event, OwnedUserId, RoomId};
use crate::keys::{Opener, Readable, SealedEvent, Sources, parsed};
use crate::search::said;
use crate::source::Database;

/// How many sessions are looked up again together.
const SESSIONS: u32 = 1_000;
/// How many of a session's events are read together.
const EVENTS: u32 = 200;
/// After how long a source is looked through again in which nothing says to have changed; milliseconds.
const A_WEEK: i64 = 7 * 24 * 60 * 60 * 1_000;

/// Decrypts what an archive has, by the keys that sources have; hands the sources back, some of which may have failed. `told` hears how
/// many events were looked at.
pub async fn decrypt(
    database: &Database,
    archive: &mut Archive,
    sources: Sources,
    stop: &Stop,
    told: &mut dyn FnMut(u64),
) -> Result<Sources, Error> {
    let mut decrypting = Decrypting { archive, opener: Opener::new(database, sources.patient()), done: 0, told };
    block_in_place(|| decrypting.archive.begin_decrypting())?;
    while !*stop.borrow() {
        let Some(page) = block_in_place(|| decrypting.archive.next_encrypted())? else { break };
        decrypting.opener.make_room();
        decrypting.page(&page).await?;
    }
    for lacking in [Lacking::Text, Lacking::Voucher] {
        if !*stop.borrow() {
            decrypting.later_keys(lacking, stop).await?;
        }
    }
    Ok(decrypting.opener.into_sources())
}

struct Decrypting<'a> {
    archive: &'a mut Archive,
    opener: Opener,
    done: u64,
    told: &'a mut dyn FnMut(u64),
}

impl Decrypting<'_> {
    /// Decrypts some events, and keeps what they say.
    async fn page(&mut self, page: &EncryptedPage) -> Result<(), Error> {
        let mut refused = Vec::new();
        let mut sealed: Vec<SealedEvent<'_>> = Vec::with_capacity(page.events.len());
        let mut of_sealed: Vec<&EncryptedEvent> = Vec::with_capacity(page.events.len());
        for one in &page.events {
            match parsed(&one.event) {
                None => {}
                Some(Err(refusal)) => refused.push(judged(one, None, Err(refusal))),
                Some(Ok(encrypted)) => {
                    sealed.push(SealedEvent { event: &one.event, encrypted });
                    of_sealed.push(one);
                }
            }
        }
        let (mut sessions, mut senders): (BTreeMap<RoomId<'_>, BTreeSet<&str>>, BTreeSet<&OwnedUserId>) =
            Default::default();
        for SealedEvent { event, encrypted } in &sealed {
            sessions.entry(event.room()).or_default().insert(&encrypted.session_id);
            senders.extend(&event.sender);
        }
        for (room, ids) in &sessions {
            self.opener.look_up(*room, ids).await?;
        }
        self.opener.ask_owners(&senders.into_iter().cloned().collect::<Vec<_>>()).await?;
        block_in_place(|| {
            let opened = self.opener.open_all(&sealed, &saying);
            let opened = of_sealed.iter().zip(&sealed).zip(opened).map(|((one, sealed), opened)| {
                judged(one, Some((&sealed.encrypted.session_id, sealed.encrypted.index())), opened)
            });
            let all: Vec<Judgement<'_>> = opened.chain(refused).collect();
            self.archive.keep_decrypted(page, &all, now())
        })?;
        self.done += page.events.len() as u64;
        (self.told)(self.done);
        Ok(())
    }

    /// Looks up again what is lacking, in the sources that may have it by now.
    async fn later_keys(&mut self, lacking: Lacking, stop: &Stop) -> Result<(), Error> {
        let (now, mut failed) = (now(), None);
        let archive = &mut *self.archive;
        self.opener.sources().ask_only(&mut |source| match archive.looked(lacking, source.name) {
            _ if lacking == Lacking::Voucher && !source.vouches => false,
            Ok(Some((at, known))) => {
                let is_other = source.etag.is_none() || known.as_deref() != source.etag;
                lacking == Lacking::Text && is_other || !(0..A_WEEK).contains(&(now - at))
            }
            Ok(None) => true,
            Err(error) => {
                failed = Some(error);
                false
            }
        });
        failed.map_or(Ok(()), Err)?;
        if self.opener.sources().asked().next().is_none() {
            return Ok(());
        }
        let mut after = 0;
        loop {
            let wanted = block_in_place(|| self.archive.wanted(lacking, after, SESSIONS))?;
            let Some(last) = wanted.last() else { break };
            after = last.session;
            let mut by_room: BTreeMap<RoomId<'_>, BTreeSet<&str>> = BTreeMap::new();
            for one in &wanted {
                by_room.entry(one.room_id.borrowed()).or_default().insert(&one.session_id);
            }
            self.opener.forget();
            for (room, ids) in &by_room {
                self.opener.look_up(*room, ids).await?;
            }
            let found: Vec<_> =
                wanted.iter().filter(|one| self.opener.has(one.room_id.borrowed(), &one.session_id)).collect();
            // what is found is opened as if all sources had been asked at once
            self.opener.forget();
            let before = self.opener.sources().ask_all();
            let mut by_room: BTreeMap<RoomId<'_>, BTreeSet<&str>> = BTreeMap::new();
            for one in &found {
                by_room.entry(one.room_id.borrowed()).or_default().insert(&one.session_id);
            }
            for (room, ids) in &by_room {
                self.opener.look_up(*room, ids).await?;
            }
            for one in found {
                let (session, mut event) = (one.session, 0);
                while let Some((page, last)) =
                    block_in_place(|| self.archive.wanted_of(lacking, session, event, EVENTS))?
                {
                    event = last;
                    self.page(&page).await?;
                    if *stop.borrow() {
                        return Ok(());
                    }
                }
            }
            self.opener.sources().ask_again(&before);
            if *stop.borrow() {
                return Ok(());
            }
        }
        let looked: Vec<_> = self.opener.sources().asked().collect();
        Ok(block_in_place(|| self.archive.have_looked(lacking, &looked, now))?)
    }
}

fn judged<'a>(
    one: &'a EncryptedEvent,
    session: Option<(&'a str, u32)>,
    opened: Result<DecryptedContent, Refusal>,
) -> Judgement<'a> {
    let event = &one.event;
    Judgement {
        event: event.id(),
        room: event.room(),
        position: event.stream_ordering,
        sender: event.sender(),
        at: event.origin_server_ts,
        is_accepted: one.is_accepted,
        is_erased: event.erased.is_some_and(|how| how >= Erased::Pruned),
        session,
        opened,
    }
}

/// What an event says, and what of that is searched.
#[allow(clippy::needless_pass_by_value, reason = "it is handed over")]
fn saying(event: &Event, readable: Readable) -> Result<DecryptedContent, Refusal> {
    let said = readable.put_into(event)?;
    let is_searched = said::is_searched(&said);
    let body = said::text(&said).filter(|_| is_searched);
    let has = said::has(&said, body.as_deref()).filter(|_| is_searched);
    let body = body.map(std::borrow::Cow::into_owned);
    Ok(DecryptedContent {
        kind: said.kind.as_deref().unwrap_or_default().to_owned(),
        content: said.content().unwrap_or("{}").to_owned(),
        body,
        has,
        is_edit: said.is_edit,
        source: readable.source().to_owned(),
        is_authenticated: readable.is_authenticated(),
        owners: readable.owners().to_vec(),
    })
}

fn now() -> i64 {
    chrono::Utc::now().timestamp_millis()
}
