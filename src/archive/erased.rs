//! Whom the server has erased, where an archive hides what they said: the catalog's view `event` has that as redacted, and so has
//! what is made of it. Lines keep it. Knows only what an export has told.

use rusqlite::params;

use super::stale_views::Transcripts;
use super::writing::Writing;
use super::{Archive, Catalog, Error};
use crate::event::OwnedUserId;

/// What stands in the place of a redaction where it is the sender who is erased.
pub(crate) const ERASED: &str = "erased";

/// What redacts the event of a line, be it that its sender is erased, as the view `event` has it.
macro_rules! redacted_by {
    () => {
        redacted_by!("line")
    };
    ($line:literal) => {
        concat!(
            "coalesce(",
            $line,
            ".redacted_by, case when (",
            $line,
            ".erased or exists (select 1 from erased)) and ",
            $line,
            ".type is not (select type from type where name = 'm.room.create')
                           then case when ",
            $line,
            ".erased then 'archive'
                                     else (select 'erased' from user join erased using (user_id) where user.user = ",
            $line,
            ".sender) end end)"
        )
    };
}
pub(super) use redacted_by;

const HIDE_ERASED: &str = "hide_erased";

impl Catalog {
    /// Whether what erased users said is hidden.
    pub fn hides_erased(&self) -> Result<bool, Error> {
        self.is_set(HIDE_ERASED)
    }
}

impl Archive {
    /// Remembers whether what erased users said is hidden. Who they are an export has to tell.
    pub fn hide_erased(&mut self, hide: bool) -> Result<(), Error> {
        if self.catalog.hides_erased()? == hide {
            return Ok(());
        }
        let writing = self.catalog.write()?;
        writing.set(HIDE_ERASED, hide)?;
        writing.commit()?;
        if hide { Ok(()) } else { self.are_erased(&[]).and_then(|()| self.are_all_erased()) }
    }

    /// Takes in some of those whom the server has erased.
    pub(crate) fn are_erased(&mut self, users: &[OwnedUserId]) -> Result<(), Error> {
        let connection = &self.catalog.connection;
        connection
            .execute_batch("create temp table if not exists erased_now (user_id text primary key) without rowid")?;
        let mut statement = connection.prepare_cached("insert or ignore into temp.erased_now values (?1)")?;
        users.iter().try_for_each(|user_id| statement.execute([user_id]).map(drop)).map_err(Error::from)
    }

    /// Those taken in are all. The transcripts of rooms of which one is, or was, who has been erased, or is so no more, are stale.
    pub(crate) fn are_all_erased(&mut self) -> Result<(), Error> {
        let writing = self.catalog.write()?;
        let changed = "select user_id from (select user_id from temp.erased_now except select user_id from main.erased)
                       union all
                       select user_id from (select user_id from main.erased except select user_id from temp.erased_now)";
        let rooms = format!(
            "select room_id from room where has_lines and exists (
                select 1 from ({changed}) who
                 where exists (select 1 from membership where membership.room = room.room and membership.user_id = who.user_id))"
        );
        for room_id in writing.texts(&rooms)? {
            writing.mark(&Transcripts::Room(room_id))?;
        }
        for user_id in writing.texts(changed)? {
            let is_erased = "select exists (select 1 from temp.erased_now where user_id = ?1)";
            let sql = if writing.0.query_row(is_erased, [&user_id], |row| row.get(0))? {
                "insert into erased (user_id) values (?1)"
            } else {
                "delete from erased where user_id = ?1"
            };
            writing.0.prepare_cached(sql)?.execute(params![user_id])?;
            writing.is_hidden_otherwise(&user_id)?;
        }
        writing.0.execute("delete from temp.erased_now", [])?;
        writing.commit()
    }
}

impl Writing<'_> {
    /// The only column of a statement's rows.
    fn texts(&self, sql: &str) -> Result<Vec<String>, Error> {
        let mut statement = self.0.prepare(sql)?;
        Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    #[test]
    fn an_event_of_an_erased_user_is_redacted_wherever_that_is_asked() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("catalog.sql")).unwrap();
        connection
            .execute_batch(
                "insert into type (type, name) values (1, 'm.room.create'), (2, 'm.room.message');
                 insert into user (user, user_id) values (1, '@gone:x'), (2, '@here:x');
                 insert into erased (user_id) values ('@gone:x');
                 insert into room (room, room_id, directory, has_lines) values (1, '!r:x', 'r@x', 1);
                 insert into file (file, room, day, bytes, events, run) values (1, 1, 20000, 0, 0, 1)",
            )
            .unwrap();
        for (line, kind, sender, by) in [
            ("1", "1", "1", "null"),
            ("2", "2", "1", "null"),
            ("3", "2", "1", "'$by'"),
            ("4", "2", "2", "null"),
            ("5", "null", "null", "null"),
        ] {
            let sql = format!(
                "insert into line (line, event_id, file, start, length, stream_ordering, topological_ordering, type, sender, redacted_by,
                                   censored, soft_failed, rejected, outlier, damaged, erased, run)
                 values ({line}, '${line}', 1, 0, 0, {line}, 0, {kind}, {sender}, {by}, 0, 0, 0, 0, 0, 0, 1)"
            );
            connection.execute(&sql, []).unwrap();
        }
        let sql =
            concat!("select event.redacted_by, ", redacted_by!(), " from event join line using (line) order by line");
        let mut statement = connection.prepare(sql).unwrap();
        let found: Vec<[Option<String>; 2]> =
            statement.query_map([], |row| Ok([row.get(0)?, row.get(1)?])).unwrap().map(Result::unwrap).collect();
        let right = [None, Some(super::ERASED), Some("$by"), None, None];
        assert_eq!(found, right.map(|by| [by.map(str::to_owned), by.map(str::to_owned)]));
    }
}
