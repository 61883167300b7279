//! What Synapse stores of encryption keys: key backups, the secret storage that has their keys, devices.
//!
//! Hands out what is stored, and opens nothing.

use super::database::Database;
use super::error::Error;
use super::schema::Needed;
use super::statements;
use crate::event::{OwnedRoomId, RoomId, UserId};

/// What key backups need.
const BACKUPS: [Needed; 2] = [
    ("e2e_room_keys", &["user_id", "version", "room_id", "session_id", "first_message_index", "session_data"]),
    ("e2e_room_keys_versions", &["user_id", "version", "algorithm", "auth_data", "etag"]),
];
/// What secret storage needs.
const SECRET_STORAGE: Needed = ("account_data", &["user_id", "account_data_type", "content"]);
/// What tells whose a session is.
const DEVICES: [Needed; 3] = [
    ("e2e_device_keys_json", &["user_id", "key_json"]),
    ("device_lists_remote_cache", &["user_id", "content"]),
    ("users", &["appservice_id"]),
];

/// A version of a user's key backup.
#[derive(Clone, Debug)]
pub struct BackupVersion {
    /// Its number.
    pub version: i64,
    /// How its entries are encrypted.
    pub algorithm: String,
    /// What it says of itself, JSON.
    pub auth_data: String,
    /// What is another text once it has other sessions, but for those of rooms that were purged.
    pub etag: String,
}

/// A device of a user's.
#[derive(Clone, Debug)]
pub struct Device {
    /// Whose.
    pub user_id: String,
    /// The application service that its user is of.
    pub appservice_id: Option<String>,
    /// Its keys, JSON.
    pub keys: String,
}

/// How many sessions of a room there are, wherever sessions are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct RoomSessions {
    /// The room.
    pub room_id: String,
    /// How many there are.
    pub sessions: u64,
    /// How many are known to be withheld.
    pub withheld: u64,
    /// The lowest first index of any, where that is known without opening them.
    pub first_index: Option<u64>,
}

impl Database {
    /// The versions of a user's key backup.
    pub async fn backup_versions(&self, user: UserId<'_>) -> Result<Vec<BackupVersion>, Error> {
        self.schema.check(&BACKUPS)?;
        let rows = self.all(&statements::BACKUP_VERSIONS, &[&user.as_str()]).await?;
        let version = |row: statements::BackupVersionsRow| BackupVersion {
            version: row.version,
            algorithm: row.algorithm,
            auth_data: row.auth_data,
            etag: row.etag.unwrap_or_default(),
        };
        Ok(rows.into_iter().map(version).collect())
    }

    /// Sessions of a room in a version of a user's key backup: id, and what is encrypted.
    pub async fn backup_sessions(
        &self,
        user: UserId<'_>,
        version: i64,
        room: RoomId<'_>,
        ids: &[&str],
    ) -> Result<Vec<(String, String)>, Error> {
        let rows = self.all(&statements::BACKUP_SESSIONS, &[&user.as_str(), &version, &room.as_str(), &ids]).await?;
        Ok(rows.into_iter().map(|row| (row.session_id, row.session_data)).collect())
    }

    /// At most `most` sessions of a version of a user's key backup, behind that of a room: room, id, and what is encrypted.
    pub async fn backup_page(
        &self,
        user: UserId<'_>,
        version: i64,
        (room, session_id): (RoomId<'_>, &str),
        most: i64,
    ) -> Result<Vec<(OwnedRoomId, String, String)>, Error> {
        let rows =
            self.all(&statements::BACKUP_PAGE, &[&user.as_str(), &version, &room.as_str(), &session_id, &most]).await?;
        Ok(rows.into_iter().map(|row| (row.room_id, row.session_id, row.session_data)).collect())
    }

    /// How many sessions of which rooms a version of a user's key backup has.
    pub async fn backup_rooms(&self, user: UserId<'_>, version: i64) -> Result<Vec<RoomSessions>, Error> {
        let rows = self.all(&statements::BACKUP_ROOMS, &[&user.as_str(), &version]).await?;
        let room = |row: statements::BackupRoomsRow| RoomSessions {
            room_id: row.room_id,
            sessions: row.sessions.try_into().unwrap_or(0),
            withheld: 0,
            first_index: row.first_index.and_then(|index| index.try_into().ok()),
        };
        Ok(rows.into_iter().map(room).collect())
    }

    /// A user's account data that is about his secret storage: type, content.
    pub async fn secret_storage(&self, user: UserId<'_>) -> Result<Vec<(String, String)>, Error> {
        self.schema.check(&[SECRET_STORAGE])?;
        let rows = self.all(&statements::SECRET_STORAGE, &[&user.as_str()]).await?;
        Ok(rows.into_iter().map(|row| (row.kind, row.content)).collect())
    }

    /// Whether it can be told whose a session is.
    #[must_use]
    pub fn knows_devices(&self) -> bool {
        self.schema.check(&DEVICES).is_ok()
    }

    /// The devices of users, none where they may not be read.
    pub async fn devices(&self, user_ids: &[&str]) -> Result<Vec<Device>, Error> {
        if !self.knows_devices() {
            return Ok(Vec::new());
        }
        Ok(self.all(&statements::DEVICES, &[&user_ids]).await?.into_iter().map(device).collect())
    }

    /// The devices of application services, by which bridges encrypt for others.
    pub async fn appservice_devices(&self) -> Result<Vec<Device>, Error> {
        if !self.knows_devices() {
            return Ok(Vec::new());
        }
        Ok(self.all(&statements::APPSERVICE_DEVICES, &[]).await?.into_iter().map(device).collect())
    }
}

fn device(row: statements::DevicesRow) -> Device {
    Device { user_id: row.user_id, appservice_id: row.appservice_id, keys: row.key_json }
}
