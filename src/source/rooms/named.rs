//! Finding a room by what a person calls it.
//!
//! Names are for whoever may set them, and several rooms may have one: it hands out all that may be meant, and chooses none.

use super::listed::ListedRoom;
use crate::source::database::Database;
use crate::source::error::Error;
use crate::source::schema;

/// How many rooms that a name may mean are handed out.
const CANDIDATES: usize = 10;

/// The rooms that a name may mean: the first of them, by id and counted, if they are several.
#[derive(Debug, Default)]
pub struct Matches {
    /// Some of them.
    pub rooms: Vec<ListedRoom>,
    /// How many there are.
    pub count: usize,
}

impl Matches {
    fn add(&mut self, room: &ListedRoom) {
        self.count += 1;
        if self.rooms.len() < CANDIDATES {
            self.rooms.push(room.clone());
        }
    }
}

impl Database {
    /// The rooms that have a name or an alias or, if there is none, those that have it in any case as a part of theirs. It
    /// reads the names of all rooms.
    pub async fn rooms_called(&self, name: &str) -> Result<Matches, Error> {
        let part = name.to_lowercase();
        let (mut exact, mut partly) = (Matches::default(), Matches::default());
        let mut after = String::new();
        loop {
            let rooms = self.rooms(&after).await?;
            let Some(last) = rooms.last() else { break };
            after.clone_from(&last.room_id);
            for room in &rooms {
                let names = || [&room.name].into_iter().chain(&room.alias).chain(&room.local_aliases);
                if names().any(|own| own == name) {
                    exact.add(room);
                } else if names().any(|own| own.to_lowercase().contains(&part)) {
                    partly.add(room);
                }
            }
        }
        let mut found = if exact.count > 0 { exact } else { partly };
        if found.count > 1 {
            self.count(&mut found.rooms).await?;
        }
        Ok(found)
    }

    /// Whether rooms can be found by their names.
    #[must_use]
    pub fn knows_names(&self) -> bool {
        self.schema.check(&schema::ROOMS).is_ok()
    }
}
