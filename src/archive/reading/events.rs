//! Events as the catalog has them, what other events say of them, and which redactions are in effect. Decides nothing of how
//! they are shown.

use std::collections::{HashMap, HashSet};
use std::ops::{ControlFlow, Range};

use rusqlite::{OptionalExtension as _, Params, Row, params};

use super::super::Error;
use super::super::catalog::key;
use super::super::layout::DayName;
use super::{REMEMBERED, Reader};
use crate::document::time;
use crate::event::Object;

/// How many edits of edits are looked behind.
pub(crate) const DEEPEST: usize = 16;

/// An event of a room, as the catalog has it.
#[derive(Clone, Debug)]
pub(crate) struct CatalogEvent {
    pub(crate) event_id: String,
    /// None: a damaged line, known only from the file.
    pub(crate) kind: Option<String>,
    pub(crate) state_key: Option<String>,
    pub(crate) sender: Option<String>,
    /// Milliseconds since the epoch.
    pub(crate) at: Option<i64>,
    pub(crate) depth: i64,
    pub(crate) day: String,
    /// JSON; none: the PDU is damaged.
    pub(crate) content: Option<String>,
    pub(crate) relates_to: Option<String>,
    pub(crate) rel_type: Option<String>,
    pub(crate) replies_to: Option<String>,
    pub(crate) redacts: Option<String>,
    pub(crate) redacted_by: Option<String>,
    pub(crate) censored: bool,
    /// It was encrypted, and this is what it says.
    pub(crate) encrypted: Option<Encrypted>,
}

/// How what an event says was encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Encrypted {
    /// Whether its session is vouched for.
    pub(crate) authenticated: bool,
}

/// The columns of the view `event` that are taken, with where `content` is from.
macro_rules! columns {
    ($content:literal) => {
        concat!(
            "event_id, type, state_key, sender, origin_server_ts, topological_ordering, day, ",
            $content,
            ", relates_to, rel_type, replies_to, redacts, redacted_by, censored"
        )
    };
}
pub(super) use columns;
/// The same, `content` from the line.
pub(super) const COLUMNS: &str = columns!("content(path, start, length)");
/// The same, with where the line is in place of what it says.
const PLACED: &str = columns!("path, start, length");

/// Reads the lines of events, given in order as [`PLACED`], and only of those that are taken.
fn in_order(events: &str) -> String {
    format!("with ordered as materialized ({events}) select {COLUMNS} from ordered")
}

/// Events that clients saw.
pub(super) const ACCEPTED: &str = "not rejected and not soft_failed";

impl CatalogEvent {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<CatalogEvent> {
        Ok(CatalogEvent {
            event_id: row.get(0)?,
            kind: row.get(1)?,
            state_key: row.get(2)?,
            sender: row.get(3)?,
            at: row.get(4)?,
            depth: row.get(5)?,
            day: row.get::<_, DayName>(6)?.0,
            content: row.get(7)?,
            relates_to: row.get(8)?,
            rel_type: row.get(9)?,
            replies_to: row.get(10)?,
            redacts: row.get(11)?,
            redacted_by: row.get(12)?,
            censored: row.get(13)?,
            encrypted: None,
        })
    }

    /// The same event with what it says, if that is known and to be told.
    fn decrypted(mut self, reader: &Reader<'_>) -> Result<CatalogEvent, Error> {
        let Some(plaintexts) = reader.plaintexts.filter(|_| self.kind() == "m.room.encrypted") else { return Ok(self) };
        if let Some(plaintext) = plaintexts.get(&self.event_id)? {
            self.encrypted = Some(Encrypted { authenticated: plaintext.authenticated });
            (self.kind, self.content) = (Some(plaintext.kind), Some(plaintext.content));
        }
        Ok(self)
    }

    pub(crate) fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or_default()
    }

    pub(crate) fn content(&self) -> &str {
        self.content.as_deref().unwrap_or_default()
    }

    /// Whether it says to replace another event.
    pub(crate) fn is_edit(&self) -> bool {
        self.rel_type.as_deref() == Some("m.replace") && self.state_key.is_none() && self.kind() != "m.room.encrypted"
    }

    /// Whether the message may begin with what it answers, for clients that know no replies. Of an edit that says what it edits.
    pub(crate) fn is_reply(&self) -> bool {
        self.replies_to.is_some() || self.rel_type.as_deref() == Some("m.thread")
    }

    /// What an edit puts in the place of its target's content, as JSON.
    pub(crate) fn new_content(&self) -> Option<&str> {
        let new = Object::of(self.content()).get("m.new_content")?.get();
        new.starts_with('{').then_some(new)
    }

    /// Why this edit does not change its target ("Validity of replacement events" in the client-server specification).
    pub(crate) fn flaw(&self, target: &CatalogEvent) -> Option<&'static str> {
        if self.sender != target.sender {
            Some("of somebody else’s message")
        } else if self.kind != target.kind {
            Some("of another type")
        } else if self.encrypted.is_none() && target.encrypted.is_some() {
            // whoever has the server could have made it
            Some("in clear of an encrypted message")
        } else if target.state_key.is_some() {
            Some("of a state event")
        } else if target.is_edit() {
            Some("of an edit")
        } else if self.new_content().is_none() {
            Some("without new content")
        } else {
            None
        }
    }
}

/// The events of a room's day, or of no day, in the order of their times.
pub(crate) fn each_of_day(
    reader: &Reader<'_>,
    room_id: &str,
    day: &str,
    between: &Range<i64>,
    take: &mut dyn FnMut(CatalogEvent) -> Result<(), Error>,
) -> Result<(), Error> {
    let range = time::range(day);
    let (start, end) = (range.start.max(between.start), range.end.min(between.end));
    // a damaged line that was read back has a day, that of its file, but no time
    let sql = in_order(&format!(
        "select {PLACED} from event
          where room_id = ?1 and day = ?2 and {ACCEPTED} and ?3 <= ?4
            and (origin_server_ts is null or day = 'undated' or origin_server_ts >= ?3 and origin_server_ts < ?4)
          order by origin_server_ts, topological_ordering, event_id"
    ));
    let mut statement = reader.connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![room_id, day, start, end])?;
    while let Some(row) = rows.next()? {
        take(CatalogEvent::read(row)?.decrypted(reader)?)?;
    }
    Ok(())
}

/// An event of this room that clients saw.
pub(crate) fn event(reader: &Reader<'_>, room_id: &str, event_id: &str) -> Result<Option<CatalogEvent>, Error> {
    let key = key!("?1");
    let sql =
        format!("select {COLUMNS} from event where id_key = {key} and event_id = ?1 and +room_id = ?2 and {ACCEPTED}");
    let found =
        reader.connection.prepare_cached(&sql)?.query_row([event_id, room_id], CatalogEvent::read).optional()?;
    found.map(|event| event.decrypted(reader)).transpose()
}

/// Whether an event is redacted, or what it edits: an edit may say again what was redacted. So is an edit behind more edits
/// than are looked at.
pub(crate) fn is_redacted(
    reader: &Reader<'_>,
    room_id: &str,
    event: &CatalogEvent,
    redactors: &mut Redactors,
) -> Result<bool, Error> {
    if event.redacted_by.is_some() {
        return Ok(true);
    }
    let is_edit = event.rel_type.as_deref() == Some("m.replace") && event.state_key.is_none();
    let mut edited = event.relates_to.clone().filter(|_| is_edit);
    let mut sender = event.sender.clone();
    let sql = concat!(
        "select redacted_by is not null, sender, case when rel_type = 'm.replace' and state_key is null then relates_to end
           from event where id_key = ",
        key!("?1"),
        " and event_id = ?1 and +room_id = ?2"
    );
    let mut look = reader.connection.prepare_cached(sql)?;
    for _ in 0..DEEPEST {
        let Some(id) = edited else { return Ok(false) };
        let found = look.query_row([&*id, room_id], |row| {
            Ok((row.get::<_, bool>(0)?, row.get::<_, Option<String>>(1)?, row.get::<_, Option<String>>(2)?))
        });
        match found.optional()? {
            Some((true, ..)) => return Ok(true),
            Some((false, by, of)) => (sender, edited) = (by, of),
            // not archived, and as if whoever edits it had sent it
            None => return redactors.redact(reader, room_id, &id, sender.as_deref()),
        }
    }
    Ok(true)
}

/// Whether an event that others name is redacted, be it archived or not.
pub(crate) fn is_id_redacted(
    reader: &Reader<'_>,
    room_id: &str,
    event_id: &str,
    redactors: &mut Redactors,
) -> Result<bool, Error> {
    match event(reader, room_id, event_id)? {
        Some(event) => is_redacted(reader, room_id, &event, redactors),
        None => redactors.redact(reader, room_id, event_id, None),
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
        room_id: &str,
        event_id: &str,
        sender: Option<&str>,
    ) -> Result<bool, Error> {
        if !self.0.contains_key(event_id) {
            let sql = concat!(
                "select distinct case when coalesce(recheck, 0) <> 0 then substr(sender, instr(sender, ':') + 1) end
                   from event
                  where line in (select line from relation indexed by relation_redacts where redacts_key = ",
                key!("?1"),
                " and redacts = ?1)
                    and +room_id = ?2 and +type = 'm.room.redaction' and not rejected
                    and (coalesce(recheck, 0) = 0 or sender is not null)"
            );
            let mut servers = reader.connection.prepare_cached(sql)?;
            let servers = servers.query_map([event_id, room_id], |row| row.get(0))?.collect::<Result<_, _>>()?;
            if self.0.len() >= REMEMBERED {
                self.0.clear();
            }
            self.0.insert(event_id.to_owned(), servers);
        }
        let servers = &self.0[event_id];
        let server = sender.map(|sender| sender.split_once(':').map_or(sender, |(_, server)| server).to_owned());
        if servers.contains(&None) || server.is_some() && servers.contains(&server) {
            return Ok(true);
        }
        let sql = "select exists (select 1 from ban_redaction where room_id = ?1 and user_id = ?2 and until is null)";
        Ok(reader.connection.prepare_cached(sql)?.query_row(params![room_id, sender], |row| row.get(0))?)
    }
}

/// What else there is about an event.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a kind of relation")]
pub(crate) struct Related {
    pub(crate) edits: bool,
    pub(crate) reactions: bool,
    pub(crate) thread: bool,
    pub(crate) replies: bool,
}

impl Related {
    pub(crate) fn to(reader: &Reader<'_>, room_id: &str, event_id: &str) -> Result<Related, Error> {
        let mut related = Related::default();
        let named = concat!(
            "select exists (select 1 from relation indexed by relation_relates_to where relates_to_key = ",
            key!("?1"),
            " and relates_to = ?1)
               or exists (select 1 from relation indexed by relation_replies_to where replies_to_key = ",
            key!("?1"),
            " and replies_to = ?1 and replies_to is not relates_to)"
        );
        // as with most events
        if !reader.connection.prepare_cached(named)?.query_row([event_id], |row| row.get::<_, bool>(0))? {
            return Ok(related);
        }
        let key = key!("?1");
        let sql = format!(
            "select distinct iif(relates_to = ?1, rel_type, null), replies_to is ?1 from event
              where line in (select line from relation indexed by relation_relates_to
                              where relates_to_key = {key} and relates_to = ?1
                             union all select line from relation indexed by relation_replies_to
                              where replies_to_key = {key} and replies_to = ?1 and replies_to is not relates_to)
                and +room_id = ?2 and {ACCEPTED}"
        );
        let mut statement = reader.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([event_id, room_id])?;
        while let Some(row) = rows.next()? {
            related.replies |= row.get::<_, bool>(1)?;
            match row.get::<_, Option<String>>(0)?.as_deref() {
                Some("m.replace") => related.edits = true,
                Some("m.annotation") => related.reactions = true,
                Some("m.thread") => related.thread = true,
                Some("m.in_reply_to") => related.replies = true,
                _ => {}
            }
        }
        // what is made of an edit is told with what it edits
        related.reactions |= related.edits;
        related.thread |= related.edits;
        Ok(related)
    }

    /// Whether others point to it, so that it needs a place of its own.
    pub(crate) fn is_any(self) -> bool {
        self.edits || self.reactions || self.thread || self.replies
    }
}

/// Which of several events comes first.
#[derive(Clone, Copy)]
pub(crate) enum Order {
    Oldest,
    Newest,
}

/// The events that say something of another, as `rel_type`, as long as they are not redacted.
pub(crate) fn each_related(
    reader: &Reader<'_>,
    room_id: &str,
    to: &str,
    rel_type: &str,
    order: Order,
    take: &mut dyn FnMut(CatalogEvent) -> Result<ControlFlow<()>, Error>,
) -> Result<(), Error> {
    let order = match order {
        Order::Oldest => "origin_server_ts, event_id",
        Order::Newest => "origin_server_ts desc, event_id desc",
    };
    let key = key!("?1");
    let sql = in_order(&format!(
        "select {PLACED} from event
          where line in (select line from relation indexed by relation_relates_to
                          where relates_to_key = {key} and relates_to = ?1)
            and +room_id = ?2 and +rel_type = ?3 and {ACCEPTED} and redacted_by is null order by {order}"
    ));
    each(reader, &sql, [to, room_id, rel_type], take)
}

/// The same of an event and of its edits, the oldest first: what is said of an edit is said of what it edits.
pub(crate) fn each_related_to_any(
    reader: &Reader<'_>,
    room_id: &str,
    to: &CatalogEvent,
    rel_type: &str,
    take: &mut dyn FnMut(CatalogEvent) -> Result<(), Error>,
) -> Result<(), Error> {
    let (key, edit_key) = (key!("?1"), key!("named.id"));
    let sql = in_order(&format!(
        "with named (id) as materialized (
             select ?1 union
             select event_id from event
              where line in (select line from relation indexed by relation_relates_to
                              where relates_to_key = {key} and relates_to = ?1)
                and +room_id = ?2 and +rel_type = 'm.replace')
         select {PLACED} from event
          where line in (select line from named cross join relation indexed by relation_relates_to
                          where relates_to_key = {edit_key} and relates_to = named.id)
            and +room_id = ?2 and +rel_type = ?3 and {ACCEPTED} and redacted_by is null order by origin_server_ts, event_id"
    ));
    each(reader, &sql, [&to.event_id, room_id, rel_type], &mut |related| {
        let edit = related.relates_to.as_deref().filter(|id| *id != to.event_id);
        let edit = edit.map(|id| event(reader, room_id, id)).transpose()?;
        // an edit without effect has a place of its own
        if edit.is_none_or(|edit| edit.is_some_and(|edit| edit.is_edit() && edit.flaw(to).is_none())) {
            take(related)?;
        }
        Ok(ControlFlow::Continue(()))
    })
}

fn each(
    reader: &Reader<'_>,
    sql: &str,
    parameters: impl Params,
    take: &mut dyn FnMut(CatalogEvent) -> Result<ControlFlow<()>, Error>,
) -> Result<(), Error> {
    let mut statement = reader.connection.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    while let Some(row) = rows.next()? {
        if take(CatalogEvent::read(row)?.decrypted(reader)?)?.is_break() {
            break;
        }
    }
    Ok(())
}
