//! Which rooms an export is of, as the command line and the files that it names say: ids and aliases, which become ids here.
//!
//! Never guesses: a name that is neither is a mistake, and so is a file that names none.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use tracing::warn;

use super::super::{WrongUsage, report};
use super::Args;
use crate::archive::{Archive, Selection};
use crate::event::OwnedRoomId;
use crate::source::{self, Database};

/// The rooms that the arguments name, by id or alias.
pub(super) struct SelectedRooms {
    include: BTreeSet<String>,
    exclude: BTreeSet<String>,
}

impl SelectedRooms {
    pub(super) fn of(args: &Args) -> Result<SelectedRooms, WrongUsage> {
        Ok(SelectedRooms { include: names(&args.room)?, exclude: names(&args.exclude_room)? })
    }
}

/// What to export, if the arguments or the configuration file say it.
pub(super) async fn select(
    args: &Args,
    named: &SelectedRooms,
    database: &Database,
    archive: &Archive,
) -> Result<Option<Selection>> {
    if args.all_rooms {
        return Ok(Some(Selection::default()));
    }
    if args.room.is_empty() && args.exclude_room.is_empty() {
        return Ok(None);
    }
    let mut selection = Selection::default();
    for name in &named.include {
        let room_id = match database.room_id(name).await {
            Err(source::Error::UnknownRoom(id)) if archive.catalog().has_room(&id)? => id,
            other => other?,
        };
        selection.include.insert(OwnedRoomId::of(room_id));
    }
    for name in &named.exclude {
        let room_id = match database.room_id(name).await {
            Err(source::Error::UnknownRoom(id)) => {
                warn!(
                    room_id = id,
                    "the server has no room {} to leave out; it will be, should it come",
                    report::shown(&id)
                );
                id
            }
            other => other?,
        };
        selection.exclude.insert(OwnedRoomId::of(room_id));
    }
    if !selection.include.is_empty() && selection.include.is_subset(&selection.exclude) {
        bail!("every room given with --room is left out by --exclude-room");
    }
    Ok(Some(selection))
}

pub(super) fn room_or_file(name: &str) -> Result<String, String> {
    let may_be = name.starts_with(['!', '#', '@']);
    may_be.then(|| name.to_owned()).ok_or_else(|| "a room is an id (!…), an alias (#…:server), or @FILE".to_owned())
}

/// The rooms named on the command line, those in files among them.
fn names(given: &[String]) -> Result<BTreeSet<String>, WrongUsage> {
    let mut names = BTreeSet::new();
    for name in given {
        if let Some(path) = name.strip_prefix('@') {
            names.append(&mut names_in(path)?);
        } else {
            names.insert(name.clone());
        }
    }
    Ok(names)
}

/// The rooms that a file names. One that names none is a mistake: to take it at its word would select every room.
fn names_in(path: &str) -> Result<BTreeSet<String>, WrongUsage> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| WrongUsage(format!("cannot read the list of rooms {path}: {error}")))?;
    // an alias begins with `#` too, but has no space there
    let is_comment = |line: &str| line.strip_prefix('#').is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    let mut names = BTreeSet::new();
    for (line, name) in (1..).zip(text.lines().map(str::trim)) {
        if name.is_empty() || is_comment(name) {
            continue;
        }
        if !name.starts_with(['!', '#']) {
            // not quoted: it may be a file with secrets, named by mistake
            return Err(WrongUsage(format!(
                "line {line} of {path} is neither a room id (!…) nor an alias (#…:server)"
            )));
        }
        names.insert(name.to_owned());
    }
    if names.is_empty() {
        return Err(WrongUsage(format!(
            "{path} names no room: write one on each line, or leave the option out to keep to the rooms selected before (--all-rooms forgets them)"
        )));
    }
    Ok(names)
}
