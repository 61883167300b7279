//! Which events are redacted, as far as their own rows do not say it: by what they edit, and such as are not archived. Decides
//! nothing of how that is shown.

use std::collections::{HashMap, HashSet};

use rusqlite::{OptionalExtension as _, params};

use super::super::Error;
use super::super::catalog::key;
use super::super::erased::redacted_by;
use super::events::{CatalogEvent, DEEPEST, event};
use super::{REMEMBERED, Reader};
use crate::event::{EventId, RoomId};

/// Whether an event is redacted, or what it edits: an edit may say again what was redacted. So is an edit behind more edits
/// than are looked at.
pub(crate) fn is_redacted(
    reader: &Reader<'_>,
    room: RoomId<'_>,
    event: &CatalogEvent,
    redactors: &mut Redactors,
) -> Result<bool, Error> {
    if event.redacted_by.is_some() {
        return Ok(true);
    }
    let is_edit = event.replaces();
    let mut edited = event.relates_to.clone().filter(|_| is_edit);
    let mut sender = event.sender.clone();
    let sql = concat!(
        "select ",
        redacted_by!(),
        " is not null, user_id, case when state_key is null then relates_to end
           from line indexed by line_id
           cross join file using (file)
           left join user on user.user = line.sender
           left join relation on relation.line = line.line and rel_type = (select type from type where name = 'm.replace')
          where id_key = ",
        key!("?1"),
        " and event_id = ?1 and file.room = ?2"
    );
    let number = reader.room(&room)?;
    let mut look = reader.connection.prepare_cached(sql)?;
    for _ in 0..DEEPEST {
        let Some(id) = edited else { return Ok(false) };
        let found = look.query_row(params![id, number], |row| {
            Ok((row.get::<_, bool>(0)?, row.get::<_, Option<String>>(1)?, row.get::<_, Option<String>>(2)?))
        });
        match found.optional()? {
            Some((true, ..)) => return Ok(true),
            Some((false, by, of)) => (sender, edited) = (by, of),
            // not archived, and as if whoever edits it had sent it
            None => return redactors.redact(reader, room, EventId::of(&id), sender.as_deref()),
        }
    }
    Ok(true)
}

/// Whether an event that others name is redacted, be it archived or not.
pub(crate) fn is_id_redacted(
    reader: &Reader<'_>,
    room: RoomId<'_>,
    id: EventId<'_>,
    redactors: &mut Redactors,
) -> Result<bool, Error> {
    match event(reader, room, id)? {
        Some(event) => is_redacted(reader, room, &event, redactors),
        None => redactors.redact(reader, room, id, None),
    }
}

/// Which servers redact events that are not archived, since many may edit what was redacted by many; none: any server.
#[derive(Default)]
pub(crate) struct Redactors(HashMap<String, HashSet<Option<String>>>);

impl Redactors {
    /// Whether an event of a sender is redacted, as `redaction` tells it of those that are archived.
    fn redact(
        &mut self,
        reader: &Reader<'_>,
        room: RoomId<'_>,
        id: EventId<'_>,
        sender: Option<&str>,
    ) -> Result<bool, Error> {
        if !self.0.contains_key(&*id) {
            let sql = concat!(
                "select distinct case when coalesce(recheck, 0) <> 0 then substr(user_id, instr(user_id, ':') + 1) end
                   from relation indexed by relation_redacts
                   cross join line using (line)
                   cross join file using (file)
                   left join user on user.user = line.sender
                  where redacts_key = ",
                key!("?1"),
                " and redacts = ?1 and file.room = ?2 and not rejected
                    and line.type = (select type from type where name = 'm.room.redaction')
                    and (coalesce(recheck, 0) = 0 or user_id is not null)"
            );
            let mut servers = reader.connection.prepare_cached(sql)?;
            let servers =
                servers.query_map(params![&*id, reader.room(&room)?], |row| row.get(0))?.collect::<Result<_, _>>()?;
            if self.0.len() >= REMEMBERED {
                self.0.clear();
            }
            self.0.insert(id.as_str().to_owned(), servers);
        }
        let servers = &self.0[&*id];
        let server = sender.map(|sender| sender.split_once(':').map_or(sender, |(_, server)| server).to_owned());
        if servers.contains(&None) || server.is_some() && servers.contains(&server) {
            return Ok(true);
        }
        let sql = "select exists (select 1 from ban_redaction where room_id = ?1 and user_id = ?2 and until is null)";
        Ok(reader.connection.prepare_cached(sql)?.query_row(params![&*room, sender], |row| row.get(0))?)
    }
}
