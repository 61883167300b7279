//! Finding a room by what a person calls it, among all that the server has. Chooses none where there are several.

use super::listed::ListedRoom;
use crate::event::{OwnedRoomId, UserId};
use crate::naming::{Called, Matches};
use crate::source::database::Database;
use crate::source::error::Error;
use crate::source::{schema, statements};

impl Database {
    /// The rooms that a text may mean; counted, if they are several. It reads the names of all rooms.
    pub async fn rooms_called(&self, text: &str) -> Result<Matches<ListedRoom>, Error> {
        let (mut found, mut after) = (Matches::default(), String::new());
        loop {
            let rooms = self.rooms(&after).await?;
            let Some(last) = rooms.last() else { break };
            after.clone_from(&last.room_id);
            for room in &rooms {
                let aliases = room.alias.iter().chain(&room.local_aliases).map(String::as_str).collect();
                let called = Called { room_id: &room.room_id, name: Some(&room.name), aliases };
                found.add(text, &called, || room.clone());
            }
        }
        if found.count > 1 {
            self.count(&mut found.rooms).await?;
        }
        Ok(found)
    }

    /// The rooms that somebody was ever a member of, or was asked into.
    pub async fn rooms_of_member(&self, user: UserId<'_>) -> Result<Vec<OwnedRoomId>, Error> {
        self.schema.check(&schema::ROOMS)?;
        self.all(&statements::ROOMS_OF_MEMBER, &[&user.as_str()]).await
    }

    /// Whether rooms can be found by their names.
    #[must_use]
    pub fn knows_names(&self) -> bool {
        self.schema.check(&schema::ROOMS).is_ok()
    }
}
