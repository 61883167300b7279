//! Names that transcripts borrow: of somebody who says something before being given a name, and of a room before it has any. Which
//! days are stale when such a name becomes another one. Decides nothing of what anybody is called.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::params;
use serde_json::json;

use super::Error;
use super::reading::{Reader, names, title};
use super::writing::Writing;
use crate::event::{OwnedUserId, RoomId, UserId};

/// How many a day tells apart.
const MOST: usize = 200;
/// Stands for anybody.
const ANYBODY: &str = "*";

/// The names that a day borrows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Borrowed {
    /// By user id: the name as it looks; empty: none.
    members: BTreeMap<String, String>,
    room: Option<TitleSource>,
}

/// What a room is called by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TitleSource {
    State,
    Members,
}

impl Borrowed {
    /// Takes in that a user is called so.
    pub(crate) fn member(&mut self, user_id: &str, alike: &str) {
        if self.members.contains_key(user_id) {
            return;
        }
        // a sender may be no text at all, which stands for the room
        let is_told = self.members.len() < MOST && !user_id.is_empty();
        let (user_id, alike) = if is_told { (user_id, alike) } else { (ANYBODY, "") };
        self.members.insert(user_id.to_owned(), alike.to_owned());
    }

    /// Takes in that the room is called so.
    pub(crate) fn room(&mut self, by: TitleSource) {
        self.room = Some(by);
    }
}

/// What has changed of the names that a user is given in a room.
#[derive(Default)]
pub(super) struct Renamed {
    /// The times since which the name may be another, in milliseconds since the epoch.
    pub(super) first: i64,
    pub(super) last: i64,
    /// The lowest place in the room's own order.
    pub(super) depth: i64,
    /// The names, as they look, that nothing in the catalog may tell of any more.
    pub(super) names: BTreeSet<String>,
}

impl Writing<'_> {
    /// Remembers which names a file's transcript borrows.
    pub(super) fn borrow_names(&self, file: i64, borrowed: &Borrowed) -> Result<(), Error> {
        self.0.prepare_cached("delete from borrowed where file = ?1")?.execute([file])?;
        let sql =
            "insert into borrowed (file, room, user_id, alike) select file, room, ?2, ?3 from file where file = ?1";
        let mut insert = self.0.prepare_cached(sql)?;
        for (user_id, alike) in &borrowed.members {
            insert.execute(params![file, user_id, alike])?;
        }
        if let Some(by) = borrowed.room {
            insert.execute(params![file, "", if matches!(by, TitleSource::Members) { "members" } else { "" }])?;
        }
        Ok(())
    }

    /// Marks the days that borrow a name which may be another: of these users, and of the room if something that names it has
    /// come or gone, `title` at the first.
    pub(super) fn mark_borrowers(
        &self,
        room: RoomId<'_>,
        users: &BTreeMap<OwnedUserId, Renamed>,
        title: Option<title::TitlePlace>,
    ) -> Result<(), Error> {
        let any = "select exists (select 1 from borrowed where room = (select room from room where room_id = ?1))";
        if !self.0.prepare_cached(any)?.query_row([room], |row| row.get::<_, bool>(0))? {
            return Ok(());
        }
        let reader = Reader::new(&self.0, None);
        let (mut called, mut names) = (BTreeSet::new(), BTreeSet::new());
        for (user, renamed) in users {
            names.extend(renamed.names.iter().cloned());
            let user = user.borrowed();
            self.names_between(room, user, renamed, &mut names)?;
            if self.borrows(room, user)? && names::is_first(&reader, room, user, renamed.first, renamed.depth)? {
                called.insert(user.as_str().to_owned());
            }
        }
        if !users.is_empty() {
            called.insert(ANYBODY.to_owned());
            self.mark_files(&borrowers("user_id = '' and alike = 'members'"), [room])?;
        }
        let is_title = match title {
            Some(changed) => title::first(&reader, &room)?.is_none_or(|(first, _)| changed <= first),
            None => false,
        };
        if is_title {
            self.mark_files(&borrowers("user_id = ''"), [room])?;
        }
        let by_user = borrowers("user_id in (select value from json_each(?2))");
        self.mark_files(&by_user, params![room, json!(called).to_string()])?;
        names.remove("");
        let by_name = borrowers("alike in (select value from json_each(?2)) and user_id <> ''");
        self.mark_files(&by_name, params![room, json!(names).to_string()])
    }

    /// Whether some transcript borrows a name of a user.
    fn borrows(&self, room: RoomId<'_>, user: UserId<'_>) -> Result<bool, Error> {
        let sql = "select exists (select 1 from borrowed
                    where room = (select room from room where room_id = ?1) and user_id = ?2)";
        Ok(self.0.prepare_cached(sql)?.query_row(params![room, user], |row| row.get(0))?)
    }

    /// The names, as they look, that a user has, or had before they were redacted, in the time of a change.
    fn names_between(
        &self,
        room: RoomId<'_>,
        user: UserId<'_>,
        renamed: &Renamed,
        names: &mut BTreeSet<String>,
    ) -> Result<(), Error> {
        let sql = "select distinct coalesce(looks, given) from membership
                    where room = (select room from room where room_id = ?1) and user_id = ?2
                      and origin_server_ts between ?3 and ?4 and given is not null";
        let mut statement = self.0.prepare_cached(sql)?;
        let found = statement.query_map(params![room, user, renamed.first, renamed.last], |row| row.get(0))?;
        for name in found {
            names.insert(name?);
        }
        Ok(())
    }
}

fn borrowers(which: &str) -> String {
    format!("select file from borrowed where room = (select room from room where room_id = ?1) and {which}")
}
