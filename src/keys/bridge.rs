//! A bridge's crypto store in PostgreSQL. Reads it over a read-only connection, and opens none of its pickles without what was given
//! for them.

use megolm_keys::Vouched;
use megolm_keys::pickle::PickleKeys;

use super::sources::{AT_ONCE, HeldSession, Source, SourceSessions, TakeSession};
use super::{Error, SourceSecrets, Sources};
use crate::config::Config;
use crate::event::RoomId;
use crate::source::{BridgeDatabase, BridgeSession, RoomSessions};

/// A bridge's database, and what opens its pickles.
pub(super) struct Bridge {
    database: BridgeDatabase,
    name: String,
    keys: PickleKeys,
}

impl Bridge {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) async fn look_up(&mut self, room: RoomId<'_>, ids: &[&str]) -> Result<SourceSessions, Error> {
        let rows = self.database.sessions(ids).await.map_err(|source| self.failed(source))?;
        Ok(rows.into_iter().map(|row| held(row, &room, &mut self.keys)).collect())
    }

    /// Hands out all of its sessions, each with its room.
    pub(super) async fn each(&mut self, take: TakeSession<'_>) -> Result<(), Error> {
        for account in self.database.accounts().to_vec() {
            let mut id = String::new();
            loop {
                let rows = self.database.page(&account, &id, AT_ONCE).await.map_err(|source| self.failed(source))?;
                let Some(last) = rows.last() else { break };
                id.clone_from(&last.session_id);
                rows.into_iter().try_for_each(|row| hand_out(row, &mut self.keys, take))?;
            }
        }
        Ok(())
    }

    pub(super) async fn rooms(&self) -> Result<Vec<RoomSessions>, Error> {
        let mut all = Vec::<RoomSessions>::new();
        for account in self.database.accounts() {
            let rooms = self.database.rooms(account).await.map_err(|source| self.failed(source))?;
            for room in rooms {
                match all.iter_mut().find(|known| known.room_id == room.room_id) {
                    Some(known) => {
                        known.sessions += room.sessions;
                        known.withheld += room.withheld;
                    }
                    None => all.push(room),
                }
            }
        }
        Ok(all)
    }

    fn failed(&self, source: crate::source::Error) -> Error {
        Error::Bridge { name: self.name.clone(), source }
    }
}

/// Hands out the session of a row, if there is one.
pub(super) fn hand_out(row: BridgeSession, keys: &mut PickleKeys, take: TakeSession<'_>) -> Result<(), Error> {
    let room_id = row.room_id.clone();
    match held(row, &room_id, keys).1 {
        HeldSession::Session(session) => take(&room_id, Ok(*session)),
        HeldSession::Unusable(unusable) => take(&room_id, Err(unusable)),
        HeldSession::Withheld(_) | HeldSession::OtherRoom => Ok(()),
    }
}

/// What a row of a bridge's store says.
pub(super) fn held(row: BridgeSession, room_id: &str, keys: &mut PickleKeys) -> (String, HeldSession) {
    let BridgeSession { session_id, sender_key, room_id: own, pickle, withheld_code, forwarded } = row;
    if own != room_id {
        return (session_id, HeldSession::OtherRoom);
    }
    let vouched = if forwarded { Vouched::Forwarder } else { Vouched::Device };
    let held = match pickle {
        None => HeldSession::Withheld(withheld_code.unwrap_or_default()),
        Some(pickle) => keys
            .open(&pickle, &session_id, sender_key.as_deref(), vouched)
            .map_or_else(HeldSession::Unusable, |session| HeldSession::Session(session.into())),
    };
    (session_id, held)
}

impl Sources {
    /// Adds the database of a bridge; `name` says which, without a password.
    pub async fn add_bridge(&mut self, config: &Config, name: String, given: &SourceSecrets) -> Result<(), Error> {
        let database = BridgeDatabase::connect(config).await;
        let database = database.map_err(|source| Error::Bridge { name: name.clone(), source })?;
        let keys = PickleKeys::new(given.pickle_keys.iter().cloned());
        self.add(Source::Bridge(Bridge { database, name, keys }));
        Ok(())
    }
}
