//! The room that a user means by what he calls it.

use anyhow::{Result, bail};

use crate::cli::report::shown;
use crate::source::{self, Database, ListedRoom, Matches};

/// The id of the one room that a user means.
pub(in crate::cli) async fn find(database: &Database, name: &str) -> Result<String> {
    let exact = match database.room_id(name).await {
        Err(source::Error::UnknownAlias(_)) if database.knows_names() => None,
        Err(source::Error::UnknownRoom(_)) if !name.starts_with('!') => None,
        other => Some(other?),
    };
    if let Some(room_id) = exact {
        return Ok(room_id);
    }
    let Matches { mut rooms, count } = database.rooms_called(name).await?;
    if count > 1 {
        let mut lines = vec![format!(
            "{count} rooms are called {}; name one by its id (`synapse-export rooms --name …` tells them apart):",
            shown(name)
        )];
        lines.extend(rooms.iter().map(candidate));
        if count > rooms.len() {
            lines.push(format!("and {} more", count - rooms.len()));
        }
        bail!(lines.join("\n  "));
    }
    match rooms.pop() {
        Some(room) => Ok(room.room_id),
        None => bail!(
            "no room is called {}, or has that in its name or an alias; `synapse-export rooms` lists them all",
            asked_for(name)
        ),
    }
}

/// What was asked for, unless it looks like a connection string that stands in a room's place.
fn asked_for(name: &str) -> String {
    let is_secret = name.contains("://") || name.contains('=') && name.to_lowercase().contains("password");
    if is_secret { "what stands in its place".to_owned() } else { shown(name) }
}

/// A room without its name, which may be those of its members, and has no place in a log.
fn candidate(room: &ListedRoom) -> String {
    let mut columns = vec![shown(&room.room_id)];
    columns.extend(room.alias.as_deref().map(shown));
    columns.push(match room.members.unwrap_or_default() {
        1 => "1 member".to_owned(),
        members => format!("{members} members"),
    });
    columns.join("  ")
}
