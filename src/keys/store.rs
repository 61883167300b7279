//! A bridge's crypto store in a file of SQLite's, or that of a client of matrix-nio; it is opened to be read only, and read row by row.
//!
//! Facts: tables of matrix-nio 0.25 and 0.26, `nio/store/models.py`. What it has imported it does not tell from what devices have sent it,
//! so it vouches for nothing.

use std::path::{Path, PathBuf};

use megolm_keys::pickle::PickleKeys;
use rusqlite::{Connection, OpenFlags, Row};
use serde_json::json;

use super::bridge::{hand_out, held};
use super::sources::{Source, SourceSessions, TakeSession};
use super::{Error, SourceSecrets, Sources};
use crate::event::RoomId;
use crate::source::{BridgeSession, RoomSessions};

/// The sessions of some ids, an array of JSON, up to how they came.
const SESSIONS: &str = "
    with recursive account (id) as (
        select min(account_id) from crypto_megolm_inbound_session
        union all
        select (select min(account_id) from crypto_megolm_inbound_session where account_id > id) from account where id is not null)
    select coalesce(session_id, ''), sender_key, coalesce(room_id, ''), cast(session as blob), withheld_code,";
/// Where they are: an index begins with the account, of which there are few.
const FROM_STORE: &str = "
      from json_each(?1) asked
     cross join account
     cross join crypto_megolm_inbound_session on account_id = account.id and session_id = asked.value";

/// All sessions of a store of matrix-nio, as those of a bridge.
const ALL_OF_NIO: &str =
    "select session_id, sender_key, room_id, cast(session as blob), null, true from megolminboundsessions";

/// A file, and what opens its pickles.
pub(super) struct BridgeStore {
    path: PathBuf,
    connection: Connection,
    statements: Statements,
    keys: PickleKeys,
}

/// What a store is asked, by whose tables it has.
struct Statements {
    /// What it is called.
    name: &'static str,
    /// The sessions of some ids.
    sessions: String,
    all: String,
    /// How many there are of each room, and how many are withheld.
    rooms: &'static str,
}

impl Statements {
    fn of_bridge(has_source: bool) -> Statements {
        let by_chains = "coalesce(cast(forwarding_chains as text), '') not in ('', '[]', 'null')";
        // empty in rows from before there was this column
        let by_source =
            format!("case coalesce(key_source, '') when '' then {by_chains} else key_source <> 'direct' end");
        let forwarded = if has_source { &*by_source } else { by_chains };
        Statements {
            name: "bridge store",
            sessions: format!("{SESSIONS} {forwarded} {FROM_STORE}"),
            all: format!(
                "select coalesce(session_id, ''), sender_key, coalesce(room_id, ''), cast(session as blob), withheld_code, {forwarded} from crypto_megolm_inbound_session"
            ),
            rooms: "select room_id, count(session), count(*) - count(session) from crypto_megolm_inbound_session
                     where room_id <> '' group by room_id order by room_id",
        }
    }

    fn of_nio() -> Statements {
        Statements {
            name: "matrix-nio store",
            sessions: format!("{ALL_OF_NIO} where session_id in (select value from json_each(?1))"),
            all: ALL_OF_NIO.to_owned(),
            rooms: "select room_id, count(*), 0 from megolminboundsessions group by room_id order by room_id",
        }
    }
}

impl BridgeStore {
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.statements.name, self.path.display())
    }

    pub(super) fn look_up(&mut self, room: RoomId<'_>, ids: &[&str]) -> Result<SourceSessions, Error> {
        let read = |connection: &Connection| -> rusqlite::Result<Vec<BridgeSession>> {
            let mut statement = connection.prepare_cached(&self.statements.sessions)?;
            statement.query_map([json!(ids).to_string()], session)?.collect()
        };
        let rows = read(&self.connection).map_err(Error::sqlite(self.name()))?;
        Ok(rows.into_iter().map(|row| held(row, &room, &mut self.keys)).collect())
    }

    /// Hands out all of its sessions, each with its room.
    pub(super) fn each(&mut self, take: TakeSession<'_>) -> Result<(), Error> {
        let (name, mut failed) = (self.name(), None);
        let mut read = || -> rusqlite::Result<()> {
            let mut statement = self.connection.prepare(&self.statements.all)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                if let Err(error) = hand_out(session(row)?, &mut self.keys, take) {
                    failed = Some(error);
                    break;
                }
            }
            Ok(())
        };
        read().map_err(Error::sqlite(name))?;
        failed.map_or(Ok(()), Err)
    }

    pub(super) fn rooms(&self) -> Result<Vec<RoomSessions>, Error> {
        let read = || -> rusqlite::Result<Vec<RoomSessions>> {
            let room = |row: &Row<'_>| {
                let (sessions, withheld) = (row.get::<_, i64>(1)?.unsigned_abs(), row.get::<_, i64>(2)?.unsigned_abs());
                Ok(RoomSessions { room_id: row.get(0)?, sessions, withheld, first_index: None })
            };
            self.connection.prepare(self.statements.rooms)?.query_map([], room)?.collect()
        };
        read().map_err(Error::sqlite(self.name()))
    }
}

fn session(row: &Row<'_>) -> rusqlite::Result<BridgeSession> {
    let trimmed = |text: String| text.trim_end().to_owned();
    Ok(BridgeSession {
        session_id: trimmed(row.get(0)?),
        sender_key: row.get::<_, Option<String>>(1)?.map(trimmed),
        room_id: row.get(2)?,
        pickle: row.get(3)?,
        withheld_code: row.get(4)?,
        forwarded: row.get(5)?,
    })
}

impl Sources {
    /// Adds a file of a bridge, or of a client of matrix-nio.
    pub fn add_store(&mut self, path: &Path, given: &SourceSecrets) -> Result<(), Error> {
        let open = || -> rusqlite::Result<(Connection, Statements)> {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(path, flags)?;
            connection.busy_timeout(std::time::Duration::from_secs(10))?;
            connection.execute_batch("pragma trusted_schema = off; pragma cell_size_check = on")?;
            let ask = |sql| connection.query_row(sql, [], |row| row.get::<_, bool>(0));
            let is_of_nio = ask(
                "select exists (select 1 from pragma_table_info('megolminboundsessions'))
                                    and not exists (select 1 from pragma_table_info('crypto_megolm_inbound_session'))",
            )?;
            let statements = if is_of_nio {
                Statements::of_nio()
            } else {
                Statements::of_bridge(ask(
                    "select exists (select 1 from pragma_table_info('crypto_megolm_inbound_session') where name = 'key_source')",
                )?)
            };
            connection.prepare_cached(&statements.sessions)?;
            Ok((connection, statements))
        };
        let (connection, statements) = open().map_err(Error::sqlite(path.display().to_string()))?;
        let keys = PickleKeys::new(given.pickle_keys.iter().cloned());
        self.add(Source::Store(BridgeStore { path: path.to_owned(), connection, statements, keys }));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_found_by_index_in_every_account() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "create table crypto_megolm_inbound_session (
                     account_id text, session_id text, sender_key text, signing_key text, room_id text, session blob,
                     forwarding_chains blob, withheld_code text, primary key (account_id, session_id));
                 insert into crypto_megolm_inbound_session (account_id, session_id, sender_key, room_id)
                 values ('', 's1', 'k', '!a:x'), ('b', 's1', 'k ', '!b:x'), ('b', 's2', 'k', '!b:x'), ('c', 's3', null, '!c:x')",
            )
            .unwrap();
        let sql = format!("{SESSIONS} 0 {FROM_STORE}");
        let mut statement = connection.prepare(&sql).unwrap();
        let rows = statement.query_map([r#"["s1","s3","none"]"#], session).unwrap();
        let mut found: Vec<(String, String)> =
            rows.map(Result::unwrap).map(|session| (session.session_id, session.room_id)).collect();
        found.sort();
        let right = [("s1", "!a:x"), ("s1", "!b:x"), ("s3", "!c:x")];
        assert_eq!(found, right.map(|(id, room)| (id.to_owned(), room.to_owned())));
        let mut plan = connection.prepare(&format!("explain query plan {sql}")).unwrap();
        let plan: Vec<String> = plan.query_map(["[]"], |row| row.get(3)).unwrap().map(Result::unwrap).collect();
        assert!(plan.iter().all(|step| !step.contains("SCAN crypto_megolm")), "{plan:#?}");
        connection
            .execute_batch("create table megolminboundsessions (sender_key text, account_id integer, fp_key text, room_id text, session blob, session_id text primary key)")
            .unwrap();
        let sql = format!("explain query plan {}", Statements::of_nio().sessions);
        let mut plan = connection.prepare(&sql).unwrap();
        let plan: Vec<String> = plan.query_map(["[]"], |row| row.get(3)).unwrap().map(Result::unwrap).collect();
        assert!(plan.iter().all(|step| !step.contains("SCAN megolm")), "{plan:#?}");
    }
}
