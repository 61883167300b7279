//! Opens encrypted events by the sessions that sources have: what each says by itself, and with which message of which session. What
//! other events say of that, as a replay, is not known here.
//!
//! Sessions are looked up by the ids that events name, opened once, and kept as long as there is room; each goes forward only, as the
//! events of one are opened in the order of their messages. Threads share the sessions between them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use megolm_keys::{Encrypted, Fit, Owner, Payload, Refusal};
use serde_json::{Map, Value, json};

use super::owners::Owners;
use super::sources::KnownSession;
use super::{Error, Sources};
use crate::event::{Event, OwnedRoomId, OwnedUserId, Plain, RoomId};
use crate::source::Database;

/// How many sessions are kept open, each with less than a kilobyte.
const KEPT: usize = 10_000;
/// For fewer events threads cost more than they spare.
const WORTH_THREADS: usize = 200;
/// The most threads.
const THREADS: usize = 8;

/// Opens events.
pub(crate) struct Opener {
    database: Database,
    sources: Sources,
    /// By room and session.
    known: HashMap<(OwnedRoomId, String), KnownSession>,
    owners: Owners,
}

/// What an event says.
pub struct Readable {
    payload: Payload,
    session_id: String,
    index: u32,
    source: String,
    authenticated: bool,
    pub(super) fit: Fit,
    owners: Vec<Owner>,
}

impl Readable {
    /// Whether its session is vouched for.
    #[must_use]
    pub fn is_authenticated(&self) -> bool {
        self.authenticated
    }

    /// Where its session is from.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// Whose its session is, as far as that is known: more than one where others claim its key.
    pub(crate) fn owners(&self) -> &[Owner] {
        &self.owners
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

/// What is opened: an event, and how it says that it is encrypted.
pub(crate) struct SealedEvent<'e> {
    pub(crate) event: &'e Event,
    pub(crate) encrypted: Encrypted<'e>,
}

/// The events of one session.
struct Together<'w, 'e> {
    known: &'w mut KnownSession,
    /// With their places among all.
    sealed: Vec<(usize, &'w SealedEvent<'e>)>,
}

impl Opener {
    pub(crate) fn new(database: &Database, sources: Sources) -> Opener {
        Opener { database: database.clone(), sources, known: HashMap::new(), owners: Owners::default() }
    }

    pub(crate) fn sources(&mut self) -> &mut Sources {
        &mut self.sources
    }

    pub(crate) fn into_sources(self) -> Sources {
        self.sources
    }

    /// Learns the devices of users, of whose events sessions may be.
    pub(crate) async fn ask_owners(&mut self, users: &[OwnedUserId]) -> Result<(), Error> {
        self.owners.ask(&self.database, users).await
    }

    /// Forgets the sessions, so that they are looked up again.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
    }

    /// Looks up the sessions of a room that are not known.
    pub(crate) async fn look_up(&mut self, room: RoomId<'_>, ids: &BTreeSet<&str>) -> Result<(), Error> {
        let key = |id: &str| (room.owned(), id.to_owned());
        let new: Vec<&str> = ids.iter().copied().filter(|id| !self.known.contains_key(&key(id))).collect();
        if !new.is_empty() {
            let found = self.sources.look_up(room, &new).await?;
            self.known.extend(found.into_iter().map(|(id, known)| (key(&id), known)));
        }
        Ok(())
    }

    /// Makes room for the sessions of other events.
    pub(crate) fn make_room(&mut self) {
        if self.known.len() > KEPT {
            self.known.clear();
        }
    }

    /// Whether a source has anything of a session, be it that it is withheld.
    pub(crate) fn has(&self, room: RoomId<'_>, session_id: &str) -> bool {
        let known = self.known.get(&(room.owned(), session_id.to_owned()));
        known.is_some_and(|known| !known.sessions.is_empty() || known.refusal != Refusal::NoSession)
    }

    /// Opens an event by the sessions that are known.
    pub(super) fn open(&mut self, event: &Event, encrypted: &Encrypted<'_>) -> Result<Readable, Refusal> {
        let known = self.known.get_mut(&(event.room_id.clone(), encrypted.session_id.to_string()));
        opened(known.ok_or(Refusal::NoSession)?, &self.sources.names(), &self.owners, event, encrypted)
    }

    /// Opens events by the sessions that are known, with several threads where there are many; `tell` is what is made of each.
    pub(crate) fn open_all<T: Send>(
        &mut self,
        sealed: &[SealedEvent<'_>],
        tell: &(dyn Fn(&Event, Readable) -> Result<T, Refusal> + Sync),
    ) -> Vec<Result<T, Refusal>> {
        let mut by_session: BTreeMap<(RoomId<'_>, &str), Vec<(usize, &SealedEvent<'_>)>> = BTreeMap::new();
        for (at, one) in sealed.iter().enumerate() {
            by_session.entry((one.event.room(), &one.encrypted.session_id)).or_default().push((at, one));
        }
        let mut all: Vec<Option<Result<T, Refusal>>> = sealed.iter().map(|_| None).collect();
        let Opener { sources, known, owners, .. } = self;
        let mut together = Vec::with_capacity(by_session.len());
        for (key, known) in known {
            let Some(mut sealed) = by_session.remove(&(key.0.borrowed(), &*key.1)) else { continue };
            // forward, and never from the start again
            sealed.sort_by_key(|(_, one)| one.encrypted.index());
            together.push(Mutex::new(Together { known, sealed }));
        }
        // the long ones first
        together.sort_by_key(|one| std::cmp::Reverse(one.lock().unwrap_or_else(PoisonError::into_inner).sealed.len()));
        let (next, together) = (AtomicUsize::new(0), &together);
        let (names, owners) = (&sources.names(), &*owners);
        let work = || {
            let mut done = Vec::new();
            while let Some(one) = together.get(next.fetch_add(1, Ordering::Relaxed)) {
                let mut one = one.lock().unwrap_or_else(PoisonError::into_inner);
                let Together { known, sealed } = &mut *one;
                for (at, sealed) in sealed.iter() {
                    let opened = opened(known, names, owners, sealed.event, &sealed.encrypted);
                    done.push((*at, opened.and_then(|readable| tell(sealed.event, readable))));
                }
            }
            done
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS);
        let threads = if sealed.len() < WORTH_THREADS { 1 } else { cores.min(together.len()).max(1) };
        let done = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut done = work();
            for other in others {
                done.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            }
            done
        });
        for (at, opened) in done {
            all[at] = Some(opened);
        }
        all.into_iter().map(|opened| opened.unwrap_or(Err(Refusal::NoSession))).collect()
    }
}

/// Opens an event by what there is of its session.
fn opened(
    known: &mut KnownSession,
    sources: &[String],
    owners: &Owners,
    event: &Event,
    encrypted: &Encrypted<'_>,
) -> Result<Readable, Refusal> {
    if known.sessions.is_empty() {
        return Err(known.refusal.clone());
    }
    let (payload, session) = known.sessions.decrypt(encrypted, &event.room_id)?;
    Ok(Readable {
        payload,
        session_id: encrypted.session_id.to_string(),
        index: encrypted.index(),
        source: sources.get(session.source()).cloned().unwrap_or_default(),
        authenticated: session.vouched().is_authenticated(),
        fit: owners.fit(session.sender_key(), event.sender()),
        owners: owners.of(session.sender_key()).cloned().collect(),
    })
}

/// What an event says of how it is encrypted; none: it is not, or nothing is left of it.
pub(crate) fn parsed(event: &Event) -> Option<Result<Encrypted<'_>, Refusal>> {
    if event.kind.as_deref() != Some("m.room.encrypted") || event.damage.is_some() || event.censored {
        return None;
    }
    if event.state_key.is_some() {
        return Some(Err(Refusal::State));
    }
    Some(Encrypted::parse(event.content()?))
}
