//! All sources that the user has named, asked one after the other for the sessions that events need. Which session opens what is for
//! `opener`.

use std::collections::BTreeMap;

use megolm_keys::{Refusal, Session, Sessions, Unusable};

use super::Error;
use super::backup::Backup;
use super::bridge::Bridge;
use super::files::KeyFiles;
use super::store::BridgeStore;
use crate::event::RoomId;
use crate::source::RoomSessions;

/// What a source has of a session.
pub(super) enum HeldSession {
    Session(Box<Session>),
    /// Its sender, or the bridge itself, withholds it: the code.
    Withheld(String),
    /// It is there, and cannot be used.
    Unusable(Unusable),
    /// It is another room's.
    OtherRoom,
}

/// Takes a room and a session of it, or why that cannot be used; it may fail.
pub type TakeSession<'t> = &'t mut dyn FnMut(&str, Result<Session, Unusable>) -> Result<(), Error>;

/// How many sessions are read at once where all are.
pub(super) const AT_ONCE: i64 = 1_000;

/// What a source has, by session ids.
pub(super) type SourceSessions = Vec<(String, HeldSession)>;

/// Where sessions are looked up.
pub(super) enum Source {
    Backup(Backup),
    Bridge(Bridge),
    Store(BridgeStore),
    Files(KeyFiles),
}

impl Source {
    fn name(&self) -> String {
        match self {
            Source::Backup(backup) => backup.name(),
            Source::Bridge(bridge) => bridge.name().to_owned(),
            Source::Store(store) => store.name(),
            Source::Files(file) => file.name(),
        }
    }

    /// What is another text once it has other sessions; none: that cannot be told.
    fn etag(&self) -> Option<&str> {
        match self {
            Source::Backup(backup) => Some(backup.etag()),
            Source::Files(file) => Some(file.etag()),
            Source::Bridge(_) | Source::Store(_) => None,
        }
    }

    async fn look_up(&mut self, room: RoomId<'_>, ids: &[&str]) -> Result<SourceSessions, Error> {
        match self {
            Source::Backup(backup) => backup.look_up(room, ids).await,
            Source::Bridge(bridge) => bridge.look_up(room, ids).await,
            Source::Store(store) => store.look_up(room, ids),
            Source::Files(file) => Ok(file.look_up(room, ids)),
        }
    }

    async fn each(&mut self, take: TakeSession<'_>) -> Result<(), Error> {
        match self {
            Source::Backup(backup) => backup.each(take).await,
            Source::Bridge(bridge) => bridge.each(take).await,
            Source::Store(store) => store.each(take),
            Source::Files(file) => file.each(take),
        }
    }

    async fn rooms(&mut self) -> Result<Vec<RoomSessions>, Error> {
        match self {
            Source::Backup(backup) => backup.rooms().await,
            Source::Bridge(bridge) => bridge.rooms().await,
            Source::Store(store) => store.rooms(),
            Source::Files(file) => Ok(file.rooms()),
        }
    }
}

/// All sources.
#[derive(Default)]
pub struct Sources {
    all: Vec<NamedSource>,
    /// One that fails is left out from then on, and what it has is looked up another time.
    is_patient: bool,
}

/// What is told of a source.
pub(crate) struct AboutSource<'a> {
    pub(crate) name: &'a str,
    /// What is another text once it has changed; none: that cannot be told.
    pub(crate) etag: Option<&'a str>,
    /// It may vouch for sessions.
    pub(crate) vouches: bool,
}

/// A source among others.
struct NamedSource {
    source: Source,
    /// It is asked.
    is_asked: bool,
    /// Why it is left out.
    failed: Option<Error>,
}

/// What there is of a session in all sources, and why there is no more.
pub(super) struct KnownSession {
    pub(super) sessions: Sessions,
    pub(super) refusal: Refusal,
}

impl Sources {
    pub(super) fn add(&mut self, source: Source) {
        self.all.push(NamedSource { source, is_asked: true, failed: None });
    }

    /// The same, of which one that fails later is left out and named, and does not end everything.
    #[must_use]
    pub fn patient(self) -> Sources {
        Sources { is_patient: true, ..self }
    }

    /// How the sources are called, by their numbers.
    pub(super) fn names(&self) -> Vec<String> {
        self.all.iter().map(|named| named.source.name()).collect()
    }

    /// Asks from now on only some.
    pub(crate) fn ask_only(&mut self, is_asked: &mut dyn FnMut(AboutSource<'_>) -> bool) {
        for NamedSource { source, is_asked: asked, .. } in &mut self.all {
            let vouches = matches!(source, Source::Bridge(_) | Source::Store(_));
            *asked = is_asked(AboutSource { name: &source.name(), etag: source.etag(), vouches });
        }
    }

    /// Asks all from now on, and says which ones it asked before.
    pub(crate) fn ask_all(&mut self) -> Vec<bool> {
        self.all.iter_mut().map(|named| std::mem::replace(&mut named.is_asked, true)).collect()
    }

    /// Asks again those that it asked before.
    pub(crate) fn ask_again(&mut self, before: &[bool]) {
        for (named, is_asked) in self.all.iter_mut().zip(before) {
            named.is_asked = *is_asked;
        }
    }

    /// Those that are asked, by their names, with what says whether they have changed.
    pub(crate) fn asked(&self) -> impl Iterator<Item = (String, Option<String>)> {
        let asked = self.all.iter().filter(|named| named.is_asked && named.failed.is_none());
        asked.map(|named| (named.source.name(), named.source.etag().map(str::to_owned)))
    }

    /// Which have failed, and why.
    pub fn failed(&self) -> impl Iterator<Item = (String, &Error)> {
        self.all.iter().filter_map(|named| Some((named.source.name(), named.failed.as_ref()?)))
    }

    /// Hands out all sessions of all sources, each with its room; `take` may fail.
    pub async fn each(&mut self, take: TakeSession<'_>) -> Result<(), Error> {
        for NamedSource { source, .. } in &mut self.all {
            source.each(take).await?;
        }
        Ok(())
    }

    /// What each source has, by its name.
    pub async fn rooms(&mut self) -> Result<Vec<(String, Vec<RoomSessions>)>, Error> {
        let mut all = Vec::new();
        for NamedSource { source, .. } in &mut self.all {
            let rooms = source.rooms().await?;
            all.push((source.name(), rooms));
        }
        Ok(all)
    }

    /// Looks up sessions of a room; each that was asked for is answered.
    pub(super) async fn look_up(
        &mut self,
        room: RoomId<'_>,
        ids: &[&str],
    ) -> Result<BTreeMap<String, KnownSession>, Error> {
        let nothing = || KnownSession { sessions: Sessions::default(), refusal: Refusal::NoSession };
        let mut known: BTreeMap<String, KnownSession> = ids.iter().map(|id| ((*id).to_owned(), nothing())).collect();
        // what is no id stands nowhere, and not all that a stranger writes can be asked for
        let ids: Vec<&str> = ids.iter().copied().filter(|id| is_session_id(id)).collect();
        if ids.is_empty() {
            return Ok(known);
        }
        for (number, named) in self.all.iter_mut().enumerate() {
            if !named.is_asked || named.failed.is_some() {
                continue;
            }
            let found = match named.source.look_up(room, &ids).await {
                Err(error) if self.is_patient => {
                    named.failed = Some(error);
                    continue;
                }
                found => found?,
            };
            for (id, held) in found {
                let Some(known) = known.get_mut(&id) else { continue };
                match held {
                    HeldSession::Session(session) => known.sessions.add(session.of_source(number)),
                    HeldSession::Withheld(code) => known.refuse(Refusal::withheld(&code)),
                    HeldSession::Unusable(Unusable::Locked) => known.refuse(Refusal::Locked),
                    HeldSession::Unusable(_) => known.refuse(Refusal::SessionDamaged),
                    HeldSession::OtherRoom => known.refuse(Refusal::OtherRoom),
                }
            }
        }
        Ok(known)
    }
}

impl KnownSession {
    /// Takes in a reason, of several the one that says most: what is there and locked, then what is withheld.
    fn refuse(&mut self, refusal: Refusal) {
        fn rank(refusal: &Refusal) -> u8 {
            match refusal {
                Refusal::Locked | Refusal::SessionDamaged => 3,
                Refusal::Withheld(_) => 2,
                Refusal::OtherRoom => 1,
                _ => 0,
            }
        }
        if rank(&refusal) > rank(&self.refusal) {
            self.refusal = refusal;
        }
    }
}

/// Whether a text can be a session's id: an Ed25519 key in base64 without padding.
pub(super) fn is_session_id(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}
