//! Key files that clients have exported: their sessions are kept in memory, in few bytes each. Never written anywhere.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use megolm_keys::Kept;
use megolm_keys::key_file::{self, KeyFile};
use tracing::warn;

use super::sources::{HeldSession, Source, SourceSessions, TakeSession};
use super::{Error, SourceSecrets, Sources};
use crate::event::RoomId;
use crate::source::RoomSessions;

/// A file's sessions.
pub(super) struct KeyFiles {
    path: PathBuf,
    /// How long it was, and when it was changed.
    etag: String,
    rooms: Vec<RoomSessions>,
    /// By their ids; the room by its place.
    sessions: HashMap<String, Vec<(usize, Kept)>>,
}

impl KeyFiles {
    pub(super) fn name(&self) -> String {
        format!("key file {}", self.path.display())
    }

    pub(super) fn etag(&self) -> &str {
        &self.etag
    }

    pub(super) fn look_up(&self, asked: RoomId<'_>, ids: &[&str]) -> SourceSessions {
        let mut found = SourceSessions::new();
        for id in ids {
            for (room, kept) in self.sessions.get(*id).into_iter().flatten() {
                let held = if self.rooms[*room].room_id == asked.as_str() {
                    kept.open().map_or_else(HeldSession::Unusable, |session| HeldSession::Session(session.into()))
                } else {
                    HeldSession::OtherRoom
                };
                found.push(((*id).to_owned(), held));
            }
        }
        found
    }

    /// Hands out all of its sessions, each with its room.
    pub(super) fn each(&self, take: TakeSession<'_>) -> Result<(), Error> {
        let mut all = self.sessions.values().flatten();
        all.try_for_each(|(room, kept)| take(&self.rooms[*room].room_id, kept.open()))
    }

    pub(super) fn rooms(&self) -> Vec<RoomSessions> {
        let mut rooms = self.rooms.clone();
        rooms.sort_by(|one, other| one.room_id.cmp(&other.room_id));
        rooms
    }
}

impl Sources {
    /// Adds a key file, which one of the passphrases that are given opens.
    pub fn add_key_file(&mut self, path: &Path, given: &SourceSecrets) -> Result<(), Error> {
        let open = || File::open(path).map_err(|error| Error::file(path, error));
        let is_plain = key_file::is_plain(open()?).map_err(|error| Error::file(path, error))?;
        let mut opened = if is_plain { Some(KeyFile::plain(open()?)) } else { None };
        for passphrase in given.passphrases.iter().filter(|_| !is_plain) {
            match KeyFile::open(open()?, passphrase) {
                Ok(file) => {
                    opened = Some(file);
                    break;
                }
                Err(key_file::Error::Passphrase) => {}
                Err(error) => return Err(Error::file(path, error)),
            }
        }
        let file = opened
            .ok_or_else(|| Error::file(path, "no passphrase that was given opens it (--key-file-passphrase-file)"))?;
        let metadata = std::fs::metadata(path).map_err(|error| Error::file(path, error))?;
        let mut files = KeyFiles {
            path: path.to_owned(),
            etag: format!("{} {}.{:09}", metadata.len(), metadata.mtime(), metadata.mtime_nsec()),
            rooms: Vec::new(),
            sessions: HashMap::new(),
        };
        let (mut places, mut unusable) = (HashMap::<String, usize>::new(), 0_u64);
        file.each(&mut |room_id, session| {
            let Ok(session) = session else {
                unusable += 1;
                return;
            };
            let place = *places.entry(room_id.to_owned()).or_insert_with(|| {
                files.rooms.push(RoomSessions { room_id: room_id.to_owned(), ..RoomSessions::default() });
                files.rooms.len() - 1
            });
            let room = &mut files.rooms[place];
            room.sessions += 1;
            let index = u64::from(session.first_index());
            room.first_index = Some(room.first_index.map_or(index, |first| first.min(index)));
            files.sessions.entry(session.id()).or_default().push((place, session.keep()));
        })
        .map_err(|error| Error::file(path, error))?;
        if unusable > 0 {
            warn!(unusable, "in the key file {}, {unusable} entries are no sessions that can be used", path.display());
        }
        self.add(Source::Files(files));
        Ok(())
    }
}
