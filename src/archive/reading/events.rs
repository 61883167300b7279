//! Events as the catalog has them, what other events say of them, and which redactions are in effect. Decides nothing of how
//! they are shown.

use std::ops::ControlFlow;

use rusqlite::{Row, params};
use serde_json::json;

use super::super::Error;
use super::super::catalog::key;
use super::super::erased::redacted_by;
use super::super::layout::DayName;
use super::Reader;
use crate::event::{EventId, Object, RoomId};

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
    pub(crate) encrypted: Option<SessionTrust>,
}

/// How what an event says was encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionTrust {
    /// Whether its session is vouched for.
    pub(crate) authenticated: bool,
}

/// What is taken of an event, in SQL that is put together once: most of it is asked several times for each event of a day.
macro_rules! columns {
    () => {
        concat!("line.event_id, line.type, line.state_key, line.sender, line.origin_server_ts, line.topological_ordering, day, line.start,
         line.length, relation.relates_to, relation.rel_type, relation.replies_to, relation.redacts, ", redacted_by!(), ", line.censored"
        )
    };
}
pub(super) use columns;

/// Events that clients saw.
macro_rules! accepted {
    () => {
        "not rejected and not soft_failed"
    };
}
pub(super) use accepted;

/// The events that relate to one, with its id as ?1, and are of the room ?2.
macro_rules! related {
    () => {
        concat!(
            "relation indexed by relation_relates_to cross join line using (line) cross join file using (file)
              where relates_to_key = ",
            key!("?1"),
            " and relates_to = ?1 and file.room = ?2"
        )
    };
}

/// They do so in the way ?3, and are not redacted.
macro_rules! in_effect {
    () => {
        concat!("rel_type = (select type from type where name = ?3) and ", redacted_by!(), " is null and ", accepted!())
    };
}

/// These events, in an order.
macro_rules! related_in_effect {
    ($order:literal) => {
        concat!("select ", columns!(), " from ", related!(), " and ", in_effect!(), " order by ", $order)
    };
}

impl CatalogEvent {
    /// An event of a room from [`columns`], with its content.
    pub(super) fn read(reader: &Reader<'_>, room: RoomId<'_>, row: &Row<'_>) -> Result<CatalogEvent, Error> {
        CatalogEvent::of_day(reader, room, row.get::<_, DayName>(6)?.0, row)
    }

    /// The same of one whose day is known.
    pub(super) fn of_day(
        reader: &Reader<'_>,
        room: RoomId<'_>,
        day: String,
        row: &Row<'_>,
    ) -> Result<CatalogEvent, Error> {
        let event = CatalogEvent::without_content(reader, day, row)?;
        let content = reader.content(event.id(), (room, &event.day), (row.get(7)?, row.get(8)?))?;
        CatalogEvent { content, ..event }.decrypted(reader)
    }

    /// The same event with what it says, if that is known and to be told.
    pub(crate) fn decrypted(mut self, reader: &Reader<'_>) -> Result<CatalogEvent, Error> {
        let Some(plaintexts) = reader.plaintexts.filter(|_| self.kind() == "m.room.encrypted") else { return Ok(self) };
        if let Some(plaintext) = plaintexts.get(&self.event_id)? {
            self.encrypted = Some(SessionTrust { authenticated: plaintext.authenticated });
            (self.kind, self.content) = (Some(plaintext.kind), Some(plaintext.content));
        }
        Ok(self)
    }

    /// The same, and its line is not read.
    pub(super) fn without_content(reader: &Reader<'_>, day: String, row: &Row<'_>) -> Result<CatalogEvent, Error> {
        let (numbers, connection) = (&reader.numbers, reader.connection);
        Ok(CatalogEvent {
            event_id: row.get(0)?,
            kind: numbers.type_name(connection, row.get(1)?)?,
            state_key: row.get(2)?,
            sender: numbers.user_id(connection, row.get(3)?)?,
            at: row.get(4)?,
            depth: row.get(5)?,
            day,
            content: None,
            relates_to: row.get(9)?,
            rel_type: numbers.type_name(connection, row.get(10)?)?,
            replies_to: row.get(11)?,
            redacts: row.get(12)?,
            redacted_by: row.get(13)?,
            censored: row.get(14)?,
            encrypted: None,
        })
    }

    pub(crate) fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or_default()
    }

    pub(crate) fn content(&self) -> &str {
        self.content.as_deref().unwrap_or_default()
    }

    /// Whether the server had taken away all that it said.
    pub(crate) fn is_pruned(&self) -> bool {
        self.censored && self.content() == "{}"
    }

    /// Whether it says to replace another event.
    pub(crate) fn is_edit(&self) -> bool {
        self.replaces() && self.kind() != "m.room.encrypted"
    }

    /// Its id.
    pub(crate) fn id(&self) -> EventId<'_> {
        EventId::of(&self.event_id)
    }

    /// The same, be it readable or not.
    pub(super) fn replaces(&self) -> bool {
        self.rel_type.as_deref() == Some("m.replace") && self.state_key.is_none()
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

/// The events of a room's day, or of no day, that are of some types and not redacted, each after what it follows in the room.
pub(crate) fn each_of_kinds(
    reader: &Reader<'_>,
    room: RoomId<'_>,
    day: &str,
    kinds: &[&str],
    take: &mut dyn FnMut(CatalogEvent) -> Result<(), Error>,
) -> Result<(), Error> {
    let sql = concat!(
        "select ",
        columns!(),
        " from file cross join line indexed by line_file on line.file = file.file
           left join relation on relation.line = line.line
          where file.room = ?1 and day = ?2
            and line.type in (select type from type where name in (select value from json_each(?3)))
            and ",
        redacted_by!(),
        " is null and ",
        accepted!(),
        " order by line.topological_ordering, line.origin_server_ts, line.event_id"
    );
    let mut statement = reader.connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![reader.room(&room)?, day, json!(kinds).to_string()])?;
    while let Some(row) = rows.next()? {
        take(CatalogEvent::of_day(reader, room, day.to_owned(), row)?)?;
    }
    Ok(())
}

/// An event of this room that clients saw.
pub(crate) fn event(reader: &Reader<'_>, room: RoomId<'_>, id: EventId<'_>) -> Result<Option<CatalogEvent>, Error> {
    let sql = concat!(
        "select ",
        columns!(),
        " from line indexed by line_id cross join file using (file) left join relation on relation.line = line.line
          where id_key = ",
        key!("?1"),
        " and event_id = ?1 and file.room = ?2 and ",
        accepted!()
    );
    let mut statement = reader.connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![&*id, reader.room(&room)?])?;
    rows.next()?.map(|row| CatalogEvent::read(reader, room, row)).transpose()
}

/// Reads the event of a line that the catalog has.
pub(super) fn of_line(
    reader: &Reader<'_>,
    line: i64,
    read: impl FnOnce(&Row<'_>) -> Result<CatalogEvent, Error>,
) -> Result<CatalogEvent, Error> {
    let sql = concat!(
        "select ",
        columns!(),
        " from line cross join file using (file) left join relation on relation.line = line.line where line.line = ?1"
    );
    let mut statement = reader.connection.prepare_cached(sql)?;
    let mut rows = statement.query([line])?;
    read(rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?)
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
    pub(crate) fn to(reader: &Reader<'_>, room: RoomId<'_>, id: EventId<'_>) -> Result<Related, Error> {
        let mut related = Related::default();
        let sql = concat!(
            "select rel_type, replies_to is ?1 from ",
            related!(),
            " and ",
            accepted!(),
            " union all
             select null, 1
               from relation indexed by relation_replies_to cross join line using (line) cross join file using (file)
              where replies_to_key = ",
            key!("?1"),
            " and replies_to = ?1 and replies_to is not relates_to and file.room = ?2 and ",
            accepted!()
        );
        let mut statement = reader.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![&*id, reader.room(&room)?])?;
        while let Some(row) = rows.next()? {
            related.replies |= row.get::<_, bool>(1)?;
            match reader.numbers.type_name(reader.connection, row.get(0)?)?.as_deref() {
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
    room: RoomId<'_>,
    to: EventId<'_>,
    rel_type: &str,
    order: Order,
    take: &mut dyn FnMut(CatalogEvent) -> Result<ControlFlow<()>, Error>,
) -> Result<(), Error> {
    let sql = match order {
        Order::Oldest => related_in_effect!("origin_server_ts, event_id"),
        Order::Newest => related_in_effect!("origin_server_ts desc, event_id desc"),
    };
    each(reader, sql, (room, to), rel_type, take)
}

/// The edit of an event that is in effect: of the valid ones the newest.
pub(crate) fn newest_edit(
    reader: &Reader<'_>,
    room: RoomId<'_>,
    event: &CatalogEvent,
) -> Result<Option<CatalogEvent>, Error> {
    let mut newest = None;
    each_related(reader, room, event.id(), "m.replace", Order::Newest, &mut |edit| {
        if edit.flaw(event).is_some() {
            return Ok(ControlFlow::Continue(()));
        }
        newest = Some(edit);
        Ok(ControlFlow::Break(()))
    })?;
    Ok(newest)
}

/// The events that say something of another or of its edits, the oldest first: what is said of an edit is said of what it edits.
pub(crate) fn each_related_to_any(
    reader: &Reader<'_>,
    room: RoomId<'_>,
    to: &CatalogEvent,
    rel_type: &str,
    take: &mut dyn FnMut(CatalogEvent) -> Result<(), Error>,
) -> Result<(), Error> {
    let is_edited = concat!(
        "select exists (select 1 from ",
        related!(),
        " and rel_type = (select type from type where name = 'm.replace'))"
    );
    let values = params![to.event_id, reader.room(&room)?];
    if !reader.connection.prepare_cached(is_edited)?.query_row(values, |row| row.get::<_, bool>(0))? {
        return each_related(reader, room, to.id(), rel_type, Order::Oldest, &mut |related| {
            take(related)?;
            Ok(ControlFlow::Continue(()))
        });
    }
    let sql = concat!(
        "with named (id) as materialized (select ?1 union select line.event_id from ",
        related!(),
        " and rel_type = (select type from type where name = 'm.replace'))
         select ",
        columns!(),
        " from named
           cross join relation indexed by relation_relates_to on relates_to_key = ",
        key!("named.id"),
        " and relates_to = named.id
           cross join line using (line) cross join file using (file)
          where file.room = ?2 and ",
        in_effect!(),
        " order by origin_server_ts, event_id"
    );
    each(reader, sql, (room, to.id()), rel_type, &mut |related| {
        let edit = related.relates_to.as_deref().filter(|id| *id != to.event_id);
        let edit = edit.map(|id| event(reader, room, EventId::of(id))).transpose()?;
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
    (room, to): (RoomId<'_>, EventId<'_>),
    rel_type: &str,
    take: &mut dyn FnMut(CatalogEvent) -> Result<ControlFlow<()>, Error>,
) -> Result<(), Error> {
    let mut statement = reader.connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![to, reader.room(&room)?, rel_type])?;
    while let Some(row) = rows.next()? {
        if take(CatalogEvent::read(reader, room, row)?)?.is_break() {
            break;
        }
    }
    Ok(())
}
