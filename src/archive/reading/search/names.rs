//! Whom and which room a name in a query means: an id, a name, or a part of one, as long as it is one alone. Chooses none of several.

use std::collections::BTreeSet;

use rusqlite::OptionalExtension as _;

use super::super::super::Error;
use super::super::Reader;
use super::super::title;
use crate::search::words::folded;

/// How many are told of that have the same name.
const TOLD: usize = 10;

/// What a name means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Meaning<T> {
    One(T),
    Nobody,
    /// The first of several; there may be others.
    Several(Vec<T>, bool),
}

impl<T> Meaning<T> {
    fn of(mut found: Vec<T>) -> Meaning<T> {
        if found.len() > 1 {
            let more = found.len() > TOLD;
            found.truncate(TOLD);
            return Meaning::Several(found, more);
        }
        found.pop().map_or(Meaning::Nobody, Meaning::One)
    }
}

/// The user whom a name means: an id, what is before the server in one, a display name that somebody ever had, or a part of
/// these.
pub(crate) fn user(reader: &Reader<'_>, name: &str) -> Result<Meaning<String>, Error> {
    let name = name.trim();
    if name.starts_with('@') && name.contains(':') {
        let sql = "select exists (select 1 from user where user_id = ?1) or exists (select 1 from membership where user_id = ?1)";
        let is_known = reader.connection.query_row(sql, [name], |row| row.get::<_, bool>(0))?;
        return Ok(if is_known { Meaning::One(name.to_owned()) } else { Meaning::Nobody });
    }
    let bare = name.strip_prefix('@').unwrap_or(name);
    let local =
        "select user_id from user where user_id >= '@' || ?1 || ':' and user_id < '@' || ?1 || ';' order by user_id";
    let mut statement = reader.connection.prepare_cached(local)?;
    let local: Vec<String> = statement.query_map([bare.to_lowercase()], |row| row.get(0))?.collect::<Result<_, _>>()?;
    if !local.is_empty() {
        return Ok(Meaning::of(local));
    }
    let bare = folded(bare);
    let (mut whole, mut part) = (BTreeSet::new(), BTreeSet::new());
    let mut take = |user_id: String, name: &str| {
        let name = folded(name);
        if name == bare {
            whole.insert(user_id);
        } else if name.contains(&bare) {
            part.insert(user_id);
        }
    };
    let mut users = reader.connection.prepare_cached("select user_id from user")?;
    let mut rows = users.query([])?;
    while let Some(row) = rows.next()? {
        let user_id: String = row.get(0)?;
        let local = user_id.split(':').next().unwrap_or_default().trim_start_matches('@').to_owned();
        take(user_id, &local);
    }
    let mut names = reader
        .connection
        .prepare_cached("select distinct user_id, displayname from membership where displayname is not null")?;
    let mut rows = names.query([])?;
    while let Some(row) = rows.next()? {
        take(row.get(0)?, &row.get::<_, String>(1)?);
    }
    let found = if whole.is_empty() { part } else { whole };
    Ok(Meaning::of(found.into_iter().collect()))
}

/// The number of a user, if anything is archived that they sent.
pub(crate) fn number_of(reader: &Reader<'_>, user_id: &str) -> Result<Option<i64>, Error> {
    let sql = "select user from user where user_id = ?1";
    Ok(reader.connection.prepare_cached(sql)?.query_row([user_id], |row| row.get(0)).optional()?)
}

/// A room of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ArchivedRoom {
    pub(crate) number: i64,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) aliases: Vec<String>,
}

/// The room that a name means: an id, an alias, a name, or a part of these.
pub(crate) fn room(reader: &Reader<'_>, name: &str) -> Result<Meaning<ArchivedRoom>, Error> {
    let name = name.trim();
    let folded_name = folded(name);
    let (mut exact, mut whole, mut part) = (Vec::new(), Vec::new(), Vec::new());
    let sql = "select room, room_id, name, aliases from room where has_lines order by room_id";
    let mut statement = reader.connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let room_id: String = row.get(1)?;
        let (known, aliases): (Option<String>, Option<String>) = (row.get(2)?, row.get(3)?);
        let aliases: Vec<String> = aliases.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
        let (called, aliases) = if let Some(known) = known {
            (known, aliases)
        } else {
            // its index was never rendered
            let title = title::now(reader, &room_id)?;
            (title.name, title.aliases)
        };
        let room = ArchivedRoom { number: row.get(0)?, id: room_id, name: called, aliases };
        let is_alias = |alias: &String| alias == name || alias.trim_start_matches('#').split(':').next() == Some(name);
        if room.id == name || room.aliases.iter().any(|alias| alias == name) {
            exact.push(room);
        } else if folded(&room.name) == folded_name || room.aliases.iter().any(is_alias) {
            whole.push(room);
        } else if folded(&room.name).contains(&folded_name)
            || room.aliases.iter().any(|alias| folded(alias).contains(&folded_name))
        {
            part.push(room);
        }
    }
    let found = [exact, whole, part].into_iter().find(|found| !found.is_empty()).unwrap_or_default();
    Ok(Meaning::of(found))
}
