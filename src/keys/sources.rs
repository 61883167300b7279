//! All sources that the user has named, asked one after the other for the sessions that events need.

use std::collections::BTreeMap;

use megolm_keys::{Refusal, Session, Sessions, Unusable};

use super::Error;
use super::backup::Backup;
use super::bridge::Bridge;
use super::files::KeyFiles;
use super::store::BridgeStore;

/// What a source has of a session.
pub(super) enum Held {
    Session(Box<Session>),
    /// Its sender, or the bridge itself, withholds it: the code.
    Withheld(String),
    /// It is there, and cannot be used.
    Unusable(Unusable),
    /// It is another room's.
    OtherRoom,
}

/// What a source has, by session ids.
pub(super) type Found = Vec<(String, Held)>;

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

    async fn look_up(&mut self, room_id: &str, ids: &[&str]) -> Result<Found, Error> {
        match self {
            Source::Backup(backup) => backup.look_up(room_id, ids).await,
            Source::Bridge(bridge) => bridge.look_up(room_id, ids).await,
            Source::Store(store) => store.look_up(room_id, ids),
            Source::Files(file) => Ok(file.look_up(room_id, ids)),
        }
    }

    async fn rooms(&mut self) -> Result<Vec<SourceRoom>, Error> {
        match self {
            Source::Backup(backup) => backup.rooms().await,
            Source::Bridge(bridge) => bridge.rooms().await,
            Source::Store(store) => store.rooms(),
            Source::Files(file) => Ok(file.rooms()),
        }
    }
}

/// What a source has of a room.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct SourceRoom {
    /// The room.
    pub room_id: String,
    /// How many sessions.
    pub sessions: u64,
    /// How many that are known to be withheld.
    pub withheld: u64,
    /// The lowest first index of them, where that is known without opening them.
    pub first_index: Option<u64>,
}

/// All sources.
#[derive(Default)]
pub struct Sources(Vec<Source>);

/// What there is of a session in all sources, and why there is no more.
pub(super) struct Known {
    pub(super) sessions: Sessions,
    pub(super) refusal: Refusal,
}

impl Sources {
    pub(super) fn add(&mut self, source: Source) {
        self.0.push(source);
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How a source is called.
    #[must_use]
    pub fn name(&self, source: usize) -> String {
        self.0.get(source).map(Source::name).unwrap_or_default()
    }

    /// What each source has, by its name.
    pub async fn rooms(&mut self) -> Result<Vec<(String, Vec<SourceRoom>)>, Error> {
        let mut all = Vec::new();
        for source in &mut self.0 {
            let rooms = source.rooms().await?;
            all.push((source.name(), rooms));
        }
        Ok(all)
    }

    /// Looks up sessions of a room; each that was asked for is answered.
    pub(super) async fn look_up(&mut self, room_id: &str, ids: &[&str]) -> Result<BTreeMap<String, Known>, Error> {
        let nothing = || Known { sessions: Sessions::default(), refusal: Refusal::NoSession };
        let mut known: BTreeMap<String, Known> = ids.iter().map(|id| ((*id).to_owned(), nothing())).collect();
        // what is no id stands nowhere, and not all that a stranger writes can be asked for
        let ids: Vec<&str> = ids.iter().copied().filter(|id| is_session_id(id)).collect();
        if ids.is_empty() {
            return Ok(known);
        }
        for (number, source) in self.0.iter_mut().enumerate() {
            for (id, held) in source.look_up(room_id, &ids).await? {
                let Some(known) = known.get_mut(&id) else { continue };
                match held {
                    Held::Session(session) => known.sessions.add(session.of_source(number)),
                    Held::Withheld(code) => known.refuse(Refusal::withheld(&code)),
                    Held::Unusable(Unusable::Locked) => known.refuse(Refusal::Locked),
                    Held::Unusable(_) => known.refuse(Refusal::SessionDamaged),
                    Held::OtherRoom => known.refuse(Refusal::OtherRoom),
                }
            }
        }
        Ok(known)
    }
}

impl Known {
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
fn is_session_id(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}
