//! A user's key backup in Synapse's database: all versions that something given opens. Keeps no session: each is handed out as it is
//! opened.

use std::sync::Arc;

use megolm_keys::backup::{BackupKey, Version};
use megolm_keys::secret_storage::{BACKUP, Secret, SecretStorage};
use tracing::info;

use super::sources::{AT_ONCE, HeldSession, Source, SourceSessions, TakeSession};
use super::{Error, SourceSecrets, Sources};
use crate::event::{OwnedUserId, RoomId, UserId};
use crate::source::{Database, RoomSessions};

/// A version of a backup, and its key.
pub(super) struct Backup {
    database: Database,
    user: OwnedUserId,
    version: i64,
    etag: String,
    key: Arc<BackupKey>,
}

impl Backup {
    pub(super) fn name(&self) -> String {
        format!("key backup of {}, version {}", self.user, self.version)
    }

    pub(super) fn etag(&self) -> &str {
        &self.etag
    }

    pub(super) async fn look_up(&self, room: RoomId<'_>, ids: &[&str]) -> Result<SourceSessions, Error> {
        let rows = self.database.backup_sessions(self.user.borrowed(), self.version, room, ids).await?;
        let opened = rows.into_iter().map(|(id, data)| {
            let held = self
                .key
                .open(&data, &id)
                .map_or_else(HeldSession::Unusable, |session| HeldSession::Session(session.into()));
            (id, held)
        });
        Ok(opened.collect())
    }

    /// Hands out all of its sessions, each with its room.
    pub(super) async fn each(&self, take: TakeSession<'_>) -> Result<(), Error> {
        let (mut room, mut id) = (RoomId::of("").owned(), String::new());
        loop {
            let rows =
                self.database.backup_page(self.user.borrowed(), self.version, (room.borrowed(), &id), AT_ONCE).await?;
            let Some((last_room, last_id, _)) = rows.last() else { return Ok(()) };
            (room, id) = (last_room.clone(), last_id.clone());
            for (room_id, session_id, data) in rows {
                take(&room_id, self.key.open(&data, &session_id))?;
            }
        }
    }

    pub(super) async fn rooms(&self) -> Result<Vec<RoomSessions>, Error> {
        Ok(self.database.backup_rooms(self.user.borrowed(), self.version).await?)
    }
}

impl Sources {
    /// Adds the versions of a user's key backup that something given opens; at least one has to be.
    pub async fn add_backup(
        &mut self,
        database: &Database,
        user: UserId<'_>,
        given: &SourceSecrets,
    ) -> Result<(), Error> {
        let versions = database.backup_versions(user).await?;
        if versions.is_empty() {
            return Err(Error::NoBackup(user.to_string()));
        }
        let known: Vec<(i64, Version)> = versions
            .iter()
            .filter_map(|it| Some((it.version, Version::parse(&it.algorithm, &it.auth_data)?)))
            .collect();
        let mut keys = as_they_are(given);
        let mut found = opened(&known, &keys);
        if found.is_empty() {
            keys.extend(from_storage(database, user, given).await?);
            for secret in &given.secrets {
                if let Secret::Passphrase(passphrase) = secret {
                    keys.extend(known.iter().filter_map(|(_, version)| version.key_of(passphrase).map(Arc::new)));
                }
            }
            found = opened(&known, &keys);
        }
        if found.is_empty() {
            return Err(Error::Locked(format!("the key backup of {user} ({} versions)", versions.len())));
        }
        let closed = versions.len() - found.len();
        if closed > 0 {
            info!(
                user_id = user.as_str(),
                closed,
                "of the key backup of {user}, {closed} of {} versions have another key",
                versions.len()
            );
        }
        for (version, key) in found {
            let etag = versions.iter().find(|it| it.version == version).map(|it| it.etag.clone());
            let (database, user) = (database.clone(), user.owned());
            let backup = Backup { database, user, version, etag: etag.unwrap_or_default(), key };
            self.add(Source::Backup(backup));
        }
        Ok(())
    }
}

/// The recovery keys, each as if it were a backup's.
fn as_they_are(given: &SourceSecrets) -> Vec<Arc<BackupKey>> {
    let keys = given.secrets.iter().filter_map(|secret| match secret {
        Secret::Key(key) => Some(Arc::new(BackupKey::new(key))),
        Secret::Passphrase(_) => None,
    });
    keys.collect()
}

/// The keys of backups that are in secret storage, and that something given opens.
async fn from_storage(
    database: &Database,
    user: UserId<'_>,
    given: &SourceSecrets,
) -> Result<Vec<Arc<BackupKey>>, Error> {
    let mut read = SecretStorage::default();
    let storage = if let Some(storage) = &given.secret_storage {
        storage
    } else {
        for (kind, content) in database.secret_storage(user).await? {
            read.insert(kind, content);
        }
        &read
    };
    let secrets = given.secrets.iter().flat_map(|secret| storage.secrets(BACKUP, secret));
    Ok(secrets.filter_map(|secret| BackupKey::from_secret(&secret).map(Arc::new)).collect())
}

/// Which versions keys open.
fn opened(versions: &[(i64, Version)], keys: &[Arc<BackupKey>]) -> Vec<(i64, Arc<BackupKey>)> {
    let fitting = versions.iter().filter_map(|(number, version)| {
        let key = keys.iter().find(|key| version.is_opened_by(key))?;
        Some((*number, Arc::clone(key)))
    });
    fitting.collect()
}
