//! The public keys with which servers have signed the events of an archive: kept with it, since what proves an event has to outlive
//! its server. Fetches none, and decides nothing of what they prove.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Archive, Catalog, Error};
use crate::event::VerifyKey;

/// How many users are looked at for the names of their servers at once.
const USERS: i64 = 10_000;

impl Catalog {
    /// Whether keys of any server are kept.
    pub(crate) fn has_server_keys(&self) -> Result<bool, Error> {
        Ok(self.connection.query_row("select exists (select 1 from server_key)", [], |row| row.get(0))?)
    }

    /// The servers of some users with numbers behind one, and the last of these; none: there is no other.
    pub(crate) fn servers_behind(&self, user: i64) -> Result<Option<(i64, Vec<String>)>, Error> {
        let sql = "select user, user_id from user where user > ?1 order by user limit ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([user, USERS])?;
        let (mut last, mut servers) = (None, BTreeSet::new());
        while let Some(row) = rows.next()? {
            let user_id: String = row.get(1)?;
            last = Some(row.get(0)?);
            servers.extend(user_id.split_once(':').map(|(_, server)| server.to_owned()));
        }
        Ok(last.map(|last| (last, servers.into_iter().collect())))
    }

    /// A key of a server by its id.
    pub(crate) fn server_key(&self, server_name: &str, key_id: &str) -> Result<Option<VerifyKey>, Error> {
        server_key(&self.connection, server_name, key_id)
    }

    /// Whether any key of a server is kept.
    pub(crate) fn has_keys_of(&self, server_name: &str) -> Result<bool, Error> {
        let sql = "select exists (select 1 from server_key where server_name = ?1)";
        Ok(self.connection.query_row(sql, [server_name], |row| row.get(0))?)
    }
}

/// A key of a server by its id, that a catalog has.
pub(super) fn server_key(catalog: &Connection, server_name: &str, key_id: &str) -> Result<Option<VerifyKey>, Error> {
    let sql = "select verify_key, valid_until from server_key where server_name = ?1 and key_id = ?2";
    let mut statement = catalog.prepare_cached(sql)?;
    let found = statement.query_row([server_name, key_id], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)));
    Ok(found.optional()?.and_then(|(key, valid_until)| VerifyKey::from_base64(&key, valid_until)))
}

impl Archive {
    /// Keeps keys of servers: name, key id, bytes, and until when they may sign, milliseconds since the epoch. Of one that is kept
    /// already, only how long it may sign changes: a server that takes another key in its place is not believed.
    pub(crate) fn add_server_keys<'k>(
        &mut self,
        keys: impl Iterator<Item = (&'k str, &'k str, &'k [u8], Option<i64>)>,
    ) -> Result<(), Error> {
        let writing = self.catalog.write()?;
        {
            let sql = "insert into server_key (server_name, key_id, verify_key, valid_until) values (?1, ?2, ?3, ?4)
                       on conflict do update set valid_until = excluded.valid_until
                        where verify_key = excluded.verify_key and valid_until is not excluded.valid_until
                          and valid_until is not null";
            let mut statement = writing.0.prepare_cached(sql)?;
            for (server_name, key_id, key, valid_until) in keys {
                statement.execute(params![server_name, key_id, STANDARD_NO_PAD.encode(key), valid_until])?;
            }
        }
        writing.commit()
    }
}
