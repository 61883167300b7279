//! What a view tells the catalog under the writer's lock: what is rendered, what is gone, which links there are. All of it or
//! nothing, once it is committed; touches no file.

use rusqlite::params;

use super::borrowed::Borrowed;
use super::reading::Reader;
use super::stale_views::StaleDay;
use super::writing::{Writing, signed};
use super::{Error, catalog, layout};
use crate::document::text::looks;

/// What the catalog keeps of the views, to be changed under the writer's lock; dropped, it leaves everything as it was.
pub(crate) struct ViewState<'a>(pub(super) Writing<'a>);

impl ViewState<'_> {
    /// What the archive is with these changes.
    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader::new(&self.0.0, None)
    }

    pub(crate) fn commit(self) -> Result<(), Error> {
        self.0.commit()
    }

    /// A room-day is rendered, has so many messages, and borrows these names.
    pub(crate) fn day_is_rendered(&self, day: &StaleDay, messages: u64, borrowed: &Borrowed) -> Result<(), Error> {
        let sql = "update file set messages = ?2 where file = ?1";
        self.0.0.prepare_cached(sql)?.execute(params![day.number, signed(messages)])?;
        let sql = "delete from stale where view = 'markdown' and file = ?1";
        self.0.0.prepare_cached(sql)?.execute([day.number])?;
        self.0.borrow_names(day.number, borrowed)?;
        self.0.room_is_stale(&day.room_id)
    }

    /// A room's index is rendered.
    pub(crate) fn room_is_rendered(&self, room: &RenderedRoom) -> Result<(), Error> {
        let sql =
            "update room set name = ?2, aliases = ?3, type = ?4, encrypted = ?5, by_name = ?6, alike = ?7, dirty = 0, messages =
               (select coalesce(sum(messages), 0) from file where file.room = room.room) where room_id = ?1";
        self.0.0.prepare_cached(sql)?.execute(params![
            room.room_id,
            room.name,
            room.aliases,
            room.kind,
            room.is_encrypted,
            room.by_name,
            looks(&room.name),
        ])?;
        Ok(())
    }

    /// The transcript of a room-day is gone, by its file of lines.
    pub(crate) fn day_is_gone(&self, path: &str) -> Result<(), Error> {
        let file = catalog::file(&self.0.0, path)?;
        file.map_or(Ok(()), |file| self.0.file_is_stale(file.number))
    }

    /// The index or the link of a room is gone, by its directory.
    pub(crate) fn room_is_gone(&self, room: &str) -> Result<(), Error> {
        let sql = "update room set dirty = 1, link = null where directory = ?1";
        self.0.0.prepare_cached(sql)?.execute([room])?;
        Ok(())
    }

    /// The list of rooms, or a file of it, is gone; it is made with the last of the rooms.
    pub(crate) fn list_is_gone(&self) -> Result<(), Error> {
        self.0
            .0
            .execute("update room set dirty = 1 where room_id = (select min(room_id) from room where has_lines)", [])?;
        self.sections_are_gone()
    }

    /// A room is to get another link.
    pub(crate) fn unlink(&self, room_id: &str) -> Result<(), Error> {
        self.0.0.prepare_cached("update room set link = null where room_id = ?1")?.execute([room_id])?;
        Ok(())
    }

    /// The rooms that share a name are to get other links.
    pub(crate) fn unlink_all(&self, by_name: &str) -> Result<(), Error> {
        let sql = "update room set link = null where by_name = ?1 collate nocase and link is not null";
        self.0.0.prepare_cached(sql)?.execute([by_name])?;
        Ok(())
    }

    /// At most `most` rooms behind `last` that have a name and no link.
    pub(crate) fn unlinked(&self, last: &str, most: i64) -> Result<Vec<UnlinkedRoom>, Error> {
        let sql = "select room_id, directory, by_name,
                      exists (select 1 from room other
                               where other.by_name = room.by_name collate nocase and other.room_id <> room.room_id)
                 from room where by_name is not null and link is null and room_id > ?1 order by room_id limit ?2";
        let mut statement = self.0.0.prepare_cached(sql)?;
        let rows = statement.query_map(params![last, most], |row| {
            Ok(UnlinkedRoom {
                room_id: row.get(0)?,
                directory: row.get(1)?,
                by_name: row.get(2)?,
                is_shared: row.get(3)?,
            })
        })?;
        let rooms = rows.collect::<Result<Vec<_>, _>>()?;
        rooms.iter().try_for_each(|room| layout::checked_directory(&room.room_id, &room.directory).map(drop))?;
        Ok(rooms)
    }

    /// A room has a link of this name.
    pub(crate) fn room_is_linked(&self, room_id: &str, link: &str) -> Result<(), Error> {
        let sql = "update room set link = ?2 where room_id = ?1";
        self.0.0.prepare_cached(sql)?.execute(params![room_id, link])?;
        Ok(())
    }

    /// Rooms without a link are to stay so.
    pub(crate) fn links_cannot_be(&self) -> Result<(), Error> {
        self.0.0.execute("update room set link = '' where by_name is not null and link is null", [])?;
        Ok(())
    }

    /// Whether a link is the one to a room, by its directory.
    pub(crate) fn is_link_to(&self, room: &str, link: &str) -> Result<bool, Error> {
        let sql = "select exists (select 1 from room where directory = ?1 and link = ?2)";
        Ok(self.0.0.prepare_cached(sql)?.query_row([room, link], |row| row.get::<_, bool>(0))?)
    }
}

/// A room whose index was rendered.
pub(crate) struct RenderedRoom {
    pub(crate) room_id: String,
    /// Below `rooms/`.
    pub(crate) directory: String,
    pub(crate) name: String,
    /// A JSON array.
    pub(crate) aliases: String,
    pub(crate) kind: Option<String>,
    pub(crate) is_encrypted: bool,
    /// What it is called in `by-name/`.
    pub(crate) by_name: String,
}

/// A room that has a name and no link.
pub(crate) struct UnlinkedRoom {
    pub(crate) room_id: String,
    /// Below `rooms/`.
    pub(crate) directory: String,
    pub(crate) by_name: String,
    /// Others have the same name.
    pub(crate) is_shared: bool,
}
