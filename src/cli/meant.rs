//! Which room a person means, and what is said where that may be several. Chooses none.

use std::io::IsTerminal as _;

use anyhow::{Result, bail};

use super::report::shown;
use crate::naming::Matches;
use crate::source::{self, Database, ListedRoom};

/// The id of the one room that a user means.
pub(super) async fn find(database: &Database, name: &str) -> Result<String> {
    let unknown = match database.room_id(name).await {
        Err(error @ (source::Error::UnknownAlias(_) | source::Error::UnknownRoom(_))) => error,
        other => return Ok(other?),
    };
    let is_id = name.starts_with('!');
    if !database.knows_names() && (is_id || name.starts_with('#')) {
        return Err(unknown.into());
    }
    let found = database.rooms_called(name).await?;
    if found.count == 0 && is_id {
        return Err(unknown.into());
    }
    let room = meant(name, found, "`synapse-export rooms --name …` tells them apart", candidate)?;
    match room {
        Some(room) => Ok(room.room_id),
        None => bail!(
            "no room is called {}, or has that in its name or an alias; `synapse-export rooms` lists them all",
            asked_for(name)
        ),
    }
}

/// The one room that is meant, if there is one; with several it says which, and what `helps`.
pub(super) fn meant<T>(
    name: &str,
    found: Matches<T>,
    helps: &str,
    candidate: fn(&T, bool) -> String,
) -> Result<Option<T>> {
    let Matches { mut rooms, count, .. } = found;
    if count > 1 {
        let mut lines = vec![format!("{count} rooms are called {}; name one by its id ({helps}):", shown(name))];
        // they may be those of members: for somebody who looks, and for no log
        let with_names = std::io::stderr().is_terminal();
        lines.extend(rooms.iter().map(|room| candidate(room, with_names)));
        if count > rooms.len() {
            lines.push(format!("and {} more", count - rooms.len()));
        }
        bail!(lines.join("\n  "));
    }
    Ok(rooms.pop())
}

/// What was asked for, unless it looks like a connection string that stands in a room's place.
fn asked_for(name: &str) -> String {
    let is_secret = name.contains("://") || name.contains('=') && name.to_lowercase().contains("password");
    if is_secret { "what stands in its place".to_owned() } else { shown(name) }
}

/// A room among others, its name with it or not.
fn candidate(room: &ListedRoom, with_name: bool) -> String {
    let mut columns = vec![shown(&room.room_id)];
    columns.extend(with_name.then(|| format!("\"{}\"", shown(&room.name))));
    columns.extend(room.alias.as_deref().map(shown));
    columns.push(match room.members.unwrap_or_default() {
        1 => "1 member".to_owned(),
        members => format!("{members} members"),
    });
    columns.join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::RoomKind;

    #[test]
    fn who_looks_is_told_names_and_a_log_is_not() {
        let room = ListedRoom {
            room_id: "!a:x".to_owned(),
            name: "Alice and \u{1b}Bob".to_owned(),
            alias: Some("#a:x".to_owned()),
            local_aliases: Vec::new(),
            version: None,
            kind: RoomKind::Room,
            members: Some(2),
            events: None,
            first_activity: None,
            last_activity: None,
            last_received: None,
            encrypted: false,
            abandoned: false,
            forgotten: false,
            left_out: false,
        };
        assert_eq!(candidate(&room, false), "!a:x  #a:x  2 members");
        assert_eq!(candidate(&room, true), r#"!a:x  "Alice and \u{1b}Bob"  #a:x  2 members"#);
    }
}
