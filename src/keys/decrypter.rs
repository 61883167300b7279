//! What the encrypted events of a room say: each is decrypted by the best session that any source has, and refused where clients
//! refuse it.
//!
//! A room is looked through once before: which event used a message first is told by the whole of it. Sessions are looked up for as many
//! events as are handed over at once, and kept, opened, as long as there is room.

use std::collections::{BTreeMap, BTreeSet};

use megolm_keys::{Encrypted, Fit, Refusal};

use super::opener::{Opener, Readable, SealedEvent, parsed};
use super::uses::{FirstUse, Uses};
use super::{Error, Sources};
use crate::event::{Event, OwnedEventId, OwnedRoomId, RoomId};
use crate::source::Database;

/// How many events are looked at together of those that claim one message.
const AT_ONCE: usize = 50;

/// Decrypts the events of a room.
pub struct Decrypter {
    database: Database,
    opener: Opener,
    room: OwnedRoomId,
    uses: Uses,
    read: ReadCounts,
}

/// What became of the encrypted events, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ReadCounts {
    /// How many there were.
    pub encrypted: u64,
    /// How many could be read.
    pub readable: u64,
    /// How many of these by a session that nobody vouches for.
    pub not_authenticated: u64,
    /// How many could not be read, by why.
    pub refused: BTreeMap<&'static str, u64>,
    /// How many were read by the sessions of each source.
    pub by_source: BTreeMap<String, u64>,
}

/// What comes of an event.
pub enum Decryption {
    /// It is not encrypted.
    Clear,
    /// It can be read.
    Readable(Box<Readable>),
    /// It cannot be read.
    Refused(Refusal),
}

impl Decrypter {
    /// For a room, with all that is to be asked for sessions.
    pub fn new(database: &Database, sources: Sources, room: RoomId<'_>) -> Result<Decrypter, Error> {
        Ok(Decrypter {
            database: database.clone(),
            opener: Opener::new(database, sources),
            room: room.owned(),
            uses: Uses::new()?,
            read: ReadCounts::default(),
        })
    }

    /// The sources again, when the room is done.
    #[must_use]
    pub fn into_sources(self) -> Sources {
        self.opener.into_sources()
    }

    /// What became of the events so far.
    #[must_use]
    pub fn numbers(&self) -> &ReadCounts {
        &self.read
    }

    /// Looks the whole room through: who used which message.
    pub async fn look_through(&mut self) -> Result<(), Error> {
        let mut rows = self.database.room(&self.room, None, None, false);
        loop {
            let chunk = rows.recv().await.ok_or(crate::source::Error::BrokeOff)??;
            if chunk.is_empty() {
                break;
            }
            for event in chunk.into_iter().filter_map(crate::source::Row::event) {
                if let Some(Ok(encrypted)) = parsed(&event).filter(|_| event.is_accepted()) {
                    let (id, index) = (&encrypted.session_id, encrypted.index());
                    self.uses.note(id, index, event.stream_ordering, event.id(), event.sender())?;
                }
            }
        }
        self.opener.ask_owners(&self.uses.senders()?).await
    }

    /// What events say, each in its place.
    pub async fn decrypt(&mut self, events: &[&Event]) -> Result<Vec<Decryption>, Error> {
        let parsed: Vec<_> = events.iter().map(|event| parsed(event)).collect();
        let asked = parsed.iter().flatten().flatten().map(|encrypted| &*encrypted.session_id);
        let asked: BTreeSet<&str> = asked.collect();
        self.opener.make_room();
        self.opener.look_up(self.room.borrowed(), &asked).await?;
        let (mut verdicts, mut sealed, mut places) = (Vec::with_capacity(events.len()), Vec::new(), Vec::new());
        for (event, parsed) in events.iter().zip(parsed) {
            verdicts.push(match parsed {
                None => Decryption::Clear,
                Some(Err(refusal)) => Decryption::Refused(refusal),
                Some(Ok(encrypted)) => {
                    places.push(verdicts.len());
                    sealed.push(SealedEvent { event, encrypted });
                    Decryption::Clear
                }
            });
        }
        let opened = self.opener.open_all(&sealed, &|_, readable| Ok(readable));
        for ((place, SealedEvent { event, encrypted }), opened) in places.into_iter().zip(&sealed).zip(opened) {
            verdicts[place] = match opened {
                Ok(readable) => self.judged(event, encrypted, readable).await?,
                Err(refusal) => Decryption::Refused(refusal),
            };
        }
        for verdict in &verdicts {
            self.read.count(verdict);
        }
        Ok(verdicts)
    }

    /// Holds what an event says against the rules.
    async fn judged(
        &mut self,
        event: &Event,
        encrypted: &Encrypted<'_>,
        readable: Readable,
    ) -> Result<Decryption, Error> {
        let first = self.first_use(encrypted).await?;
        Ok(match first {
            Some(first) if first != event.event_id => Decryption::Refused(Refusal::Replay(first.to_string())),
            _ if readable.fit == Fit::Other => Decryption::Refused(Refusal::OtherSender),
            _ => Decryption::Readable(readable.into()),
        })
    }

    /// The event that used a message first: of those that can be read, and whose sender the session is, the first in the order of the
    /// stream. What others write into a room to be taken for it is looked at once for each message.
    async fn first_use(&mut self, encrypted: &Encrypted<'_>) -> Result<Option<OwnedEventId>, Error> {
        let (session_id, index) = (encrypted.session_id.to_string(), encrypted.index());
        if let FirstUse::Known(first) = self.uses.first(&session_id, index)? {
            return Ok(first);
        }
        let candidates = self.uses.of(&session_id, index)?;
        if candidates.len() < 2 {
            return Ok(candidates.into_iter().next());
        }
        let mut first = None;
        for ids in candidates.chunks(AT_ONCE) {
            let ids: Vec<&str> = ids.iter().map(OwnedEventId::as_str).collect();
            let events = self.database.events_by_id(&ids).await?;
            let in_order = ids.iter().filter_map(|id| events.iter().find(|event| event.event_id == *id));
            for event in in_order {
                let Some(Ok(encrypted)) = parsed(event) else { continue };
                let opened = self.opener.open(event, &encrypted);
                if opened.is_ok_and(|readable| readable.fit != Fit::Other) {
                    first = Some(event.event_id.clone());
                    break;
                }
            }
            if first.is_some() {
                break;
            }
        }
        self.uses.found(&session_id, index, first.as_ref().map(OwnedEventId::borrowed))?;
        Ok(first)
    }
}

impl ReadCounts {
    fn count(&mut self, verdict: &Decryption) {
        match verdict {
            Decryption::Clear => return,
            Decryption::Readable(readable) => {
                self.readable += 1;
                self.not_authenticated += u64::from(!readable.is_authenticated());
                *self.by_source.entry(readable.source().to_owned()).or_default() += 1;
            }
            Decryption::Refused(refusal) => *self.refused.entry(refusal.code()).or_default() += 1,
        }
        self.encrypted += 1;
    }
}
