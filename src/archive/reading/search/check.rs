//! Whether a line is a hit: by what the catalog knows of it now, of what it edits and of what edits it. Reads no line.

use std::collections::HashMap;

use rusqlite::{OptionalExtension as _, Row, params};

use super::super::super::catalog::key;
use super::super::super::erased::redacted_by;
use super::super::super::full_text::searched;
use super::super::super::layout::DayName;
use super::super::super::{Error, layout};
use super::super::Reader;
use super::super::events::SessionTrust;
use super::{SearchOptions, Test};
use crate::document::message::is_message;
use crate::document::poll;
use crate::event::Object;
use crate::search::matching::CutText;
use crate::search::query::{Has, Is, Operand, Query};

/// Where a hit stands in the order of hits, of which the greatest is the newest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HitOrder {
    /// Milliseconds since the epoch.
    pub(crate) at: i64,
    /// The event that says it: of what is edited, the edit.
    pub(crate) said_by: String,
    line: i64,
}

/// A message that was found.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    pub(crate) key: HitOrder,
    pub(crate) event_id: String,
    pub(crate) room_id: String,
    pub(crate) sender: Option<String>,
    /// Milliseconds since the epoch.
    pub(crate) at: Option<i64>,
    pub(crate) kind: String,
    /// The day of its transcript.
    pub(crate) day: String,
    /// The room's directory below `rooms/`.
    pub(crate) directory: String,
    /// What it says; none: nothing that can be read.
    pub(crate) body: Option<String>,
    /// The edit that says so.
    pub(crate) edited_by: Option<String>,
    /// An edit has replaced it.
    pub(crate) is_earlier: bool,
    pub(crate) is_redacted: bool,
    /// It was encrypted, and can be read.
    pub(crate) encrypted: Option<SessionTrust>,
}

/// A line, as the catalog has it.
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the line")]
struct CheckedLine {
    line: i64,
    event_id: String,
    room: i64,
    kind: Option<String>,
    state_key: Option<String>,
    sender: Option<i64>,
    at: Option<i64>,
    is_redacted: bool,
    is_accepted: bool,
    body: Option<String>,
    has: Option<String>,
    /// It is stored as an encrypted event.
    is_encrypted: bool,
    /// That, and it can be read.
    encrypted: Option<SessionTrust>,
    /// It says something to be read, or what is to take another's place.
    says: bool,
    is_edit: bool,
    is_threaded: bool,
    relates_to: Option<String>,
    is_reply: bool,
    day: String,
}

const COLUMNS: &str = concat!(
    "line.line, line.event_id, file.room, type.name, line.state_key, line.sender, line.origin_server_ts, ",
    redacted_by!(),
    " is not null, not line.rejected and not line.soft_failed, said.body, said.has,
    rel.name is 'm.replace' and line.state_key is null, rel.name is 'm.thread',
    relation.relates_to, relation.replies_to is not null, file.day, said.line is not null
  from line cross join file on file.file = line.file
  left join type on type.type = line.type
  left join said on said.line = line.line
  left join relation on relation.line = line.line
  left join type rel on rel.type = relation.rel_type"
);

impl CheckedLine {
    fn read(row: &Row<'_>) -> rusqlite::Result<CheckedLine> {
        let kind: Option<String> = row.get(3)?;
        let is_encrypted = kind.as_deref() == Some("m.room.encrypted");
        Ok(CheckedLine {
            is_encrypted,
            encrypted: None,
            says: row.get(16)?,
            line: row.get(0)?,
            event_id: row.get(1)?,
            room: row.get(2)?,
            kind,
            state_key: row.get(4)?,
            sender: row.get(5)?,
            at: row.get(6)?,
            is_redacted: row.get(7)?,
            is_accepted: row.get(8)?,
            body: row.get(9)?,
            has: row.get(10)?,
            is_edit: row.get(11)?,
            is_threaded: row.get(12)?,
            relates_to: row.get(13)?,
            is_reply: row.get(14)?,
            day: row.get::<_, DayName>(15)?.0,
        })
    }

    /// The same with what it says, if it was encrypted and that is known.
    fn decrypted(mut self, reader: &Reader<'_>) -> Result<CheckedLine, Error> {
        let replaces = std::mem::take(&mut self.is_edit);
        self.is_edit = replaces && !self.is_encrypted;
        let Some(plaintexts) = reader.plaintexts.filter(|_| self.is_encrypted) else { return Ok(self) };
        if let Some(plaintext) = plaintexts.get(&self.event_id)? {
            self.is_edit = replaces;
            self.says = plaintext.body.is_some() || Object::of(&plaintext.content).object("m.new_content").is_some();
            self.encrypted = Some(SessionTrust { authenticated: plaintext.authenticated });
            (self.kind, self.body, self.has) = (Some(plaintext.kind), plaintext.body, plaintext.has);
        }
        Ok(self)
    }

    /// Whether an edit of it could be one of who sent it: one in clear of what is encrypted could be of whoever has the server.
    fn is_edited_by(&self, edit: &CheckedLine) -> bool {
        edit.sender == self.sender && edit.kind == self.kind && (edit.is_encrypted || !self.is_encrypted)
    }

    fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or_default()
    }

    /// Whether it is of a kind that is searched.
    fn is_searched(&self) -> bool {
        match self.kind() {
            "m.room.topic" | "m.room.name" => self.state_key.as_deref() == Some(""),
            kind => {
                (is_message(kind) || poll::is_start(kind) || kind == "m.room.encrypted") && self.state_key.is_none()
            }
        }
    }
}

/// How many messages are remembered by their newest edits.
const EDITED: usize = 100_000;

/// Looks at lines one by one.
pub(super) struct Checker<'r> {
    reader: &'r Reader<'r>,
    query: &'r Query<Test>,
    options: SearchOptions,
    wants_redacted: bool,
    /// The query asks what is said, and not only how and when.
    asks_for_content: bool,
    /// By the lines of messages: the newest valid edit, if there is one.
    edits: HashMap<i64, Option<i64>>,
}

/// A line that says something, and what it says it of.
struct FoundLine {
    said: CheckedLine,
    /// What it edits.
    edited: Option<CheckedLine>,
    is_earlier: bool,
    is_edited: bool,
}

impl FoundLine {
    fn message(&self) -> &CheckedLine {
        self.edited.as_ref().unwrap_or(&self.said)
    }

    fn key(&self) -> HitOrder {
        // an edit that claims to be older than what it edits does not move it
        let at = self.message().at.unwrap_or(i64::MIN).min(self.said.at.unwrap_or(i64::MIN));
        HitOrder { at, said_by: self.said.event_id.clone(), line: self.said.line }
    }
}

impl<'r> Checker<'r> {
    pub(super) fn new(reader: &'r Reader<'r>, query: &'r Query<Test>, options: SearchOptions) -> Checker<'r> {
        let (mut wants_redacted, mut asks_for_content) = (options.show_redacted, false);
        query.each_part(true, &mut |part, _| {
            wants_redacted |= matches!(part, Operand::Is(Test::Is(Is::Redacted)));
            asks_for_content |= match part {
                Operand::Words(_) | Operand::Is(Test::Mentions(_)) => true,
                Operand::Is(Test::Has(has)) => has.is_told_by_itself(),
                Operand::Is(_) => false,
            };
        });
        Checker { reader, query, options, wants_redacted, asks_for_content, edits: HashMap::new() }
    }

    /// Whether a line is a hit, and where it stands in their order. `is_matched`: the index has found the words in it.
    pub(super) fn check(&mut self, line: i64, is_matched: bool) -> Result<Option<HitOrder>, Error> {
        let Some(found) = self.find(line)? else { return Ok(None) };
        let is_hit = self.holds(&found, is_matched)?;
        Ok(is_hit.then(|| found.key()))
    }

    /// What a hit says.
    pub(super) fn hit(&mut self, key: &HitOrder) -> Result<Hit, Error> {
        let found = self.find(key.line)?.ok_or_else(|| Error::altered("the line of", &key.said_by))?;
        let message = found.message();
        let sql =
            "select room.room_id, room.directory, (select user_id from user where user = ?2) from room where room = ?1";
        let (room_id, directory, sender): (String, String, Option<String>) = self
            .reader
            .connection
            .prepare_cached(sql)?
            .query_row(params![message.room, message.sender], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let is_redacted = message.is_redacted || found.said.is_redacted;
        let body = found.said.body.clone().filter(|_| !is_redacted || self.options.show_redacted);
        Ok(Hit {
            key: key.clone(),
            event_id: message.event_id.clone(),
            directory: layout::checked_directory(&room_id, &directory)?,
            room_id,
            sender,
            at: message.at,
            kind: message.kind().to_owned(),
            day: message.day.clone(),
            body: body.map(|body| searched(body, found.said.is_edit)),
            edited_by: found.edited.as_ref().map(|_| found.said.event_id.clone()),
            is_earlier: found.is_earlier,
            is_redacted,
            encrypted: found.said.encrypted.or(message.encrypted),
        })
    }

    /// Where an event stands in the order of hits.
    pub(super) fn key_of(&mut self, event_id: &str) -> Result<Option<HitOrder>, Error> {
        let Some(row) = self.row_of(event_id, None)? else { return Ok(None) };
        let line = match self.newest_edit(&row)? {
            Some(edit) if !row.is_edit => edit,
            _ => row.line,
        };
        let Some(said) = self.row(line)? else { return Ok(None) };
        let edited = if said.is_edit { self.edited(&said)? } else { None };
        Ok(Some(FoundLine { said, edited, is_earlier: false, is_edited: false }.key()))
    }

    /// A line that says something to be found, whatever the query asks for.
    fn find(&mut self, line: i64) -> Result<Option<FoundLine>, Error> {
        let Some(said) = self.row(line)? else { return Ok(None) };
        let is_shown =
            |row: &CheckedLine| row.is_accepted && row.is_searched() && (!row.is_redacted || self.wants_redacted);
        if !is_shown(&said) {
            return Ok(None);
        }
        let (mut is_earlier, mut edited) = (false, None);
        let newest;
        if said.is_edit {
            let Some(message) = self.edited(&said)? else { return Ok(None) };
            let is_valid = is_shown(&message)
                && !message.is_edit
                && message.state_key.is_none()
                && said.body.is_some()
                && message.is_edited_by(&said);
            if !is_valid {
                return Ok(None);
            }
            newest = self.newest_edit(&message)?;
            is_earlier = newest != Some(said.line);
            edited = Some(message);
        } else {
            newest = self.newest_edit(&said)?;
            is_earlier |= newest.is_some();
        }
        if is_earlier && !self.options.edits {
            // what a redacted edit said is found like what is redacted, and not as an earlier one
            let is_redacted_edit = said.is_edit && said.is_redacted;
            if !is_redacted_edit {
                return Ok(None);
            }
        }
        Ok(Some(FoundLine { said, edited, is_earlier, is_edited: newest.is_some() }))
    }

    fn holds(&self, found: &FoundLine, is_matched: bool) -> Result<bool, Error> {
        let (message, said) = (found.message(), &found.said);
        let is_redacted = message.is_redacted || said.is_redacted;
        // nothing of a text that must not be shown tells whether it has a word
        if is_redacted && !self.options.show_redacted && self.asks_for_content {
            return Ok(false);
        }
        let body = said.body.as_ref();
        if body.is_none() && self.query.has_words() {
            return Ok(false);
        }
        let body = body.map(|body| searched(body.clone(), said.is_edit)).unwrap_or_default();
        let mut cut = None;
        let mut part_holds = |part: Operand<'_, Test>| match part {
            Operand::Words(phrase) => {
                let text = cut.get_or_insert_with(|| {
                    if self.options.substring { CutText::whole(&body) } else { CutText::of(&body) }
                });
                Ok(text.has(phrase))
            }
            Operand::Is(test) => self.passes(test, found),
        };
        for part in self.query.parts().iter().filter(|part| !(is_matched && part.has_words())) {
            if !part.holds(&mut part_holds)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn passes(&self, test: &Test, found: &FoundLine) -> Result<bool, Error> {
        let (message, said) = (found.message(), &found.said);
        Ok(match test {
            Test::From(users) => message.sender.is_some_and(|sender| users.contains(&sender)),
            Test::In(rooms) => rooms.contains(&message.room),
            Test::At(range) => message.at.is_some_and(|at| range.contains(&at)),
            Test::Has(Has::Reaction) => self.is_related(message, "m.annotation")?,
            Test::Has(Has::Thread) => self.is_related(message, "m.thread")?,
            Test::Has(Has::Edit) | Test::Is(Is::Edited) => found.is_edited,
            Test::Has(has) => is_word(said.has.as_deref(), has.name()),
            Test::Is(Is::Reply) => message.is_reply,
            Test::Is(Is::Thread) => message.is_threaded,
            Test::Is(Is::Redacted) => message.is_redacted || said.is_redacted,
            Test::Is(Is::Encrypted) => message.is_encrypted,
            Test::Mentions(users) => users.iter().any(|user| is_word(said.has.as_deref(), user)),
        })
    }

    fn row(&self, line: i64) -> Result<Option<CheckedLine>, Error> {
        let sql = format!("select {COLUMNS} where line.line = ?1");
        let found = self.reader.connection.prepare_cached(&sql)?.query_row([line], CheckedLine::read).optional()?;
        found.map(|line| line.decrypted(self.reader)).transpose()
    }

    fn row_of(&self, event_id: &str, room: Option<i64>) -> Result<Option<CheckedLine>, Error> {
        let sql = format!(
            "select {COLUMNS} where line.id_key = {} and line.event_id = ?1 and (?2 is null or file.room = ?2)",
            key!("?1")
        );
        let found = self.reader.connection.prepare_cached(&sql)?.query_row(params![event_id, room], CheckedLine::read);
        found.optional()?.map(|line| line.decrypted(self.reader)).transpose()
    }

    /// What an edit names.
    fn edited(&self, edit: &CheckedLine) -> Result<Option<CheckedLine>, Error> {
        edit.relates_to.as_deref().map_or(Ok(None), |id| self.row_of(id, Some(edit.room)))
    }

    /// The line of the newest valid edit of a message.
    fn newest_edit(&mut self, message: &CheckedLine) -> Result<Option<i64>, Error> {
        if let Some(known) = self.edits.get(&message.line) {
            return Ok(*known);
        }
        let newest =
            if self.reader.decrypts() { self.newest_readable(message)? } else { self.newest_in_clear(message)? };
        if self.edits.len() >= EDITED {
            self.edits.clear();
        }
        self.edits.insert(message.line, newest);
        Ok(newest)
    }

    /// The same where some of them, or the message, may have been encrypted.
    fn newest_readable(&self, message: &CheckedLine) -> Result<Option<i64>, Error> {
        let sql = concat!(
            "select line.line from relation r indexed by relation_relates_to
               cross join line on line.line = r.line
               cross join file on file.file = line.file
              where r.relates_to_key = ",
            key!("?1"),
            "   and r.relates_to = ?1 and file.room = ?2 and r.rel_type = (select type from type where name = 'm.replace')
                and line.sender is ?3 and line.state_key is null and ",
            redacted_by!(),
            " is null and not line.rejected and not line.soft_failed
              order by line.origin_server_ts desc, line.event_id desc"
        );
        let mut statement = self.reader.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![message.event_id, message.room, message.sender])?;
        while let Some(row) = rows.next()? {
            let line = row.get(0)?;
            if self.row(line)?.is_some_and(|edit| edit.says && message.is_edited_by(&edit)) {
                return Ok(Some(line));
            }
        }
        Ok(None)
    }

    /// The same where all are in clear, or cannot be read.
    fn newest_in_clear(&self, message: &CheckedLine) -> Result<Option<i64>, Error> {
        let sql = concat!(
            "select line.line from relation r indexed by relation_relates_to
               cross join line on line.line = r.line
               cross join said on said.line = r.line
               cross join file on file.file = line.file
              where r.relates_to_key = ",
            key!("?1"),
            "   and r.relates_to = ?1 and file.room = ?2 and r.rel_type = (select type from type where name = 'm.replace')
                and line.sender is ?3 and line.type = (select type from line where line = ?4) and line.state_key is null
                and ",
            redacted_by!(),
            " is null and not line.rejected and not line.soft_failed
              order by line.origin_server_ts desc, line.event_id desc limit 1"
        );
        let values = params![message.event_id, message.room, message.sender, message.line];
        Ok(self.reader.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0)).optional()?)
    }

    /// Whether other events say something of a message, or of an edit of it.
    fn is_related(&self, message: &CheckedLine, rel_type: &str) -> Result<bool, Error> {
        let sql = concat!(
            "select exists (
                select 1 from relation r indexed by relation_relates_to
                 cross join line on line.line = r.line
                 cross join file on file.file = line.file
                 where r.relates_to_key = ",
            key!("?1"),
            "      and r.relates_to = ?1 and file.room = ?2 and r.rel_type = (select type from type where name = ?3)
                   and ",
            redacted_by!(),
            " is null and not line.rejected and not line.soft_failed)"
        );
        let values = params![message.event_id, message.room, rel_type];
        Ok(self.reader.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
    }
}

fn is_word(words: Option<&str>, word: &str) -> bool {
    words.is_some_and(|words| words.split(' ').any(|one| one == word))
}
