//! What the encrypted events of a room say: each is decrypted by the best session that any source has, and refused where clients
//! refuse it.
//!
//! A room is looked through once before: which event used a message first is told by the whole of it. Sessions are looked up for as many
//! events as are handed over at once, and kept, opened, as long as there is room.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use megolm_keys::{Encrypted, Fit, Payload, Refusal};
use serde_json::{Map, Value, json};

use super::owners::Owners;
use super::sources::Known;
use super::uses::{First, Uses};
use super::{Error, Sources};
use crate::event::{Event, Plain};
use crate::source::Database;

/// How many sessions are kept open, each with less than a kilobyte.
const KEPT: usize = 10_000;
/// How many events are looked at together of those that claim one message.
const AT_ONCE: usize = 50;

/// Decrypts the events of a room.
pub struct Decrypter {
    database: Database,
    sources: Sources,
    room_id: String,
    known: HashMap<String, Known>,
    owners: Owners,
    uses: Uses,
    read: Read,
}

/// What became of the encrypted events, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Read {
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
pub enum Verdict {
    /// It is not encrypted.
    Clear,
    /// It can be read.
    Readable(Box<Readable>),
    /// It cannot be read.
    Refused(Refusal),
}

/// What an event says.
pub struct Readable {
    payload: Payload,
    session_id: String,
    index: u32,
    source: String,
    authenticated: bool,
    fit: Fit,
}

impl Readable {
    /// Whether its session is vouched for.
    #[must_use]
    pub fn is_authenticated(&self) -> bool {
        self.authenticated
    }

    /// The event with what it says in its place; why not, if that is nothing that every parser reads.
    pub fn put_into(&self, event: &Event) -> Result<Event, Refusal> {
        let mut about = Map::new();
        about.insert("session_id".to_owned(), json!(self.session_id));
        about.insert("index".to_owned(), json!(self.index));
        about.insert("source".to_owned(), json!(self.source));
        about.insert("authenticated".to_owned(), Value::Bool(self.authenticated));
        match &self.fit {
            Fit::Bridge(service) => drop(about.insert("bridge".to_owned(), json!(service))),
            Fit::Unknown => drop(about.insert("owner".to_owned(), Value::Null)),
            Fit::Own | Fit::Other => {}
        }
        let plain = Plain { kind: &self.payload.kind, content: &self.payload.content, about: &about };
        event.decrypted(plain).map_err(|_| Refusal::Damaged("what was encrypted is nothing that every parser reads"))
    }
}

impl Decrypter {
    /// For a room, with all that is to be asked for sessions.
    pub fn new(database: &Database, sources: Sources, room_id: &str) -> Result<Decrypter, Error> {
        Ok(Decrypter {
            database: database.clone(),
            sources,
            room_id: room_id.to_owned(),
            known: HashMap::new(),
            owners: Owners::default(),
            uses: Uses::new()?,
            read: Read::default(),
        })
    }

    /// The sources again, when the room is done.
    #[must_use]
    pub fn into_sources(self) -> Sources {
        self.sources
    }

    /// What became of the events so far.
    #[must_use]
    pub fn numbers(&self) -> &Read {
        &self.read
    }

    /// Looks the whole room through: who used which message.
    pub async fn look_through(&mut self) -> Result<(), Error> {
        let mut rows = self.database.room(&self.room_id, None, None, false);
        loop {
            let chunk = rows.recv().await.ok_or(crate::source::Error::BrokeOff)??;
            if chunk.is_empty() {
                break;
            }
            for event in chunk.into_iter().filter_map(crate::source::Row::event) {
                if let Some(Ok(encrypted)) = parsed(&event).filter(|_| event.is_accepted()) {
                    let (id, index) = (&encrypted.session_id, encrypted.index());
                    self.uses.note(id, index, event.stream_ordering, &event.event_id, event.sender.as_deref())?;
                }
            }
        }
        self.owners.ask(&self.database, &self.uses.senders()?).await
    }

    /// What events say, each in its place.
    pub async fn decrypt(&mut self, events: &[&Event]) -> Result<Vec<Verdict>, Error> {
        let parsed: Vec<_> = events.iter().map(|event| parsed(event)).collect();
        let asked = parsed.iter().flatten().flatten().map(|encrypted| &*encrypted.session_id);
        self.look_up(&asked.collect()).await?;
        let mut verdicts = Vec::with_capacity(events.len());
        for (event, parsed) in events.iter().zip(parsed) {
            let verdict = match parsed {
                None => Verdict::Clear,
                Some(Err(refusal)) => Verdict::Refused(refusal),
                Some(Ok(encrypted)) => match self.judged(event, &encrypted).await? {
                    Ok(readable) => Verdict::Readable(readable.into()),
                    Err(refusal) => Verdict::Refused(refusal),
                },
            };
            self.read.count(&verdict);
            verdicts.push(verdict);
        }
        Ok(verdicts)
    }

    /// Looks up the sessions that are not known.
    async fn look_up(&mut self, ids: &BTreeSet<&str>) -> Result<(), Error> {
        if self.known.len() > KEPT {
            self.known.clear();
        }
        let new: Vec<&str> = ids.iter().copied().filter(|id| !self.known.contains_key(*id)).collect();
        if !new.is_empty() {
            self.known.extend(self.sources.look_up(&self.room_id, &new).await?);
        }
        Ok(())
    }

    /// Decrypts an event and holds it against the rules.
    async fn judged(&mut self, event: &Event, encrypted: &Encrypted<'_>) -> Result<Result<Readable, Refusal>, Error> {
        let readable = match self.opened(event, encrypted) {
            Ok(readable) => readable,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let first = self.first_use(encrypted).await?;
        Ok(match first {
            Some(first) if first != event.event_id => Err(Refusal::Replay(first)),
            _ if readable.fit == Fit::Other => Err(Refusal::OtherSender),
            _ => Ok(readable),
        })
    }

    /// Decrypts an event by the sessions that are known.
    fn opened(&mut self, event: &Event, encrypted: &Encrypted<'_>) -> Result<Readable, Refusal> {
        let known = self.known.get_mut(&*encrypted.session_id).ok_or(Refusal::NoSession)?;
        if known.sessions.is_empty() {
            return Err(known.refusal.clone());
        }
        let (payload, session) = known.sessions.decrypt(encrypted, &self.room_id)?;
        let fit = Fit::of(self.owners.of(session.sender_key()), event.sender.as_deref());
        Ok(Readable {
            payload,
            session_id: encrypted.session_id.to_string(),
            index: encrypted.index(),
            source: self.sources.name(session.source()),
            authenticated: session.vouched().is_authenticated(),
            fit,
        })
    }

    /// The event that used a message first: of those that can be read, and whose sender the session is, the first in the order of the
    /// stream. What others write into a room to be taken for it is looked at once for each message.
    async fn first_use(&mut self, encrypted: &Encrypted<'_>) -> Result<Option<String>, Error> {
        let (session_id, index) = (encrypted.session_id.to_string(), encrypted.index());
        if let First::Known(first) = self.uses.first(&session_id, index)? {
            return Ok(first);
        }
        let candidates = self.uses.of(&session_id, index)?;
        if candidates.len() < 2 {
            return Ok(candidates.into_iter().next());
        }
        let mut first = None;
        for ids in candidates.chunks(AT_ONCE) {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let events = self.database.events_by_id(&ids).await?;
            let in_order = ids.iter().filter_map(|id| events.iter().find(|event| event.event_id == *id));
            for event in in_order {
                let Some(Ok(encrypted)) = parsed(event) else { continue };
                let opened = self.opened(event, &encrypted);
                if opened.is_ok_and(|readable| readable.fit != Fit::Other) {
                    first = Some(event.event_id.clone());
                    break;
                }
            }
            if first.is_some() {
                break;
            }
        }
        self.uses.found(&session_id, index, first.as_deref())?;
        Ok(first)
    }
}

impl Read {
    fn count(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Clear => return,
            Verdict::Readable(readable) => {
                self.readable += 1;
                self.not_authenticated += u64::from(!readable.authenticated);
                *self.by_source.entry(readable.source.clone()).or_default() += 1;
            }
            Verdict::Refused(refusal) => *self.refused.entry(refusal.code()).or_default() += 1,
        }
        self.encrypted += 1;
    }
}

/// What an event says of how it is encrypted; none: it is not, or nothing is left of it.
fn parsed(event: &Event) -> Option<Result<Encrypted<'_>, Refusal>> {
    if event.kind.as_deref() != Some("m.room.encrypted") || event.damage.is_some() || event.censored {
        return None;
    }
    if event.state_key.is_some() {
        return Some(Err(Refusal::State));
    }
    Some(Encrypted::parse(event.content()?))
}
