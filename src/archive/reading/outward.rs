//! What leaves the house: the events of a room-day as others are given them, the newest valid edit applied, and without what is withheld;
//! members as they are now. What is withheld is decided here and in [`redactions`](super::redactions), for every output. Knows no format.

mod lines;

use rusqlite::{Row, params};

use super::super::Error;
use super::super::catalog::key;
use super::super::erased::redacted_by;
use super::Reader;
use super::events::{CatalogEvent, SessionTrust, accepted, newest_edit};
use super::redactions::{Redactors, is_redacted};
use crate::document::message::without_quote;
use crate::event::{EventId, RoomId, Verdict, members};
pub(crate) use lines::{LineSelection, OutwardLine, each_line_of_day};

/// What is not withheld, though it is as a rule.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option")]
pub(crate) struct Including {
    /// What redacted events say, and edits of them, and what replies quote.
    pub(crate) redacted: bool,
    /// Events that the server rejected or soft-failed.
    pub(crate) rejected: bool,
    /// What encrypted events say.
    pub(crate) decrypted: bool,
    /// What each event proves of itself, which is found out anew each time.
    pub(crate) verdicts: bool,
}

/// An event as others are given it.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the line")]
pub(crate) struct Outward {
    /// Its content is null where that is withheld.
    pub(crate) event: CatalogEvent,
    /// The text, of what was edited the new one.
    pub(crate) body: Option<String>,
    /// The edit that the body is of.
    pub(crate) edited_by: Option<String>,
    pub(crate) received_ts: Option<i64>,
    pub(crate) stream_ordering: i64,
    pub(crate) soft_failed: bool,
    pub(crate) rejected: bool,
    pub(crate) outlier: bool,
    pub(crate) damaged: bool,
    pub(crate) verdict: Option<Verdict>,
}

/// The rooms that have a day, in the order of their ids.
pub(crate) fn rooms_of_day(reader: &Reader<'_>, day: &str) -> Result<Vec<String>, Error> {
    let sql = "select room_id from file join room using (room) where day = ?1 order by room_id";
    let mut statement = reader.connection.prepare_cached(sql)?;
    Ok(statement.query_map([day], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// Takes the id of a room and its version.
pub(crate) type TakeRoom<'t> = &'t mut dyn FnMut(&str, Option<String>) -> Result<(), Error>;

/// Every room, in the order of the ids, with its version as far as the server says it.
pub(crate) fn each_room(reader: &Reader<'_>, take: TakeRoom<'_>) -> Result<(), Error> {
    let mut statement =
        reader.connection.prepare("select room_id, version from room where has_lines order by room_id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let room_id: String = row.get(0)?;
        take(&room_id, row.get(1)?)?;
    }
    Ok(())
}

/// A room-day, sorted by number, so that nothing else is sorted.
const OF_DAY: &str = concat!(
    "with ordered as materialized (
         select line.line from file cross join line indexed by line_file on line.file = file.file
          where file.room = ?1 and day = ?2 and (?3 or ",
    accepted!(),
    ") order by origin_server_ts, topological_ordering, stream_ordering, event_id)
     select line.event_id, line.type, line.state_key, line.sender, line.origin_server_ts, line.topological_ordering,
            line.start, line.length, relation.relates_to, relation.rel_type, relation.replies_to, relation.redacts, ",
    redacted_by!(),
    ", line.censored, said.body, line.received_ts, line.stream_ordering, line.soft_failed, line.rejected, line.outlier, line.damaged,
     exists (select 1 from relation edit indexed by relation_relates_to
              where edit.relates_to_key = line.id_key and edit.relates_to = line.event_id
                and edit.rel_type = (select type from type where name = 'm.replace'))
     from ordered cross join line using (line)
     left join relation on relation.line = line.line
     left join said on said.line = line.line"
);

/// The events of a room's day, or of no day, by their times.
pub(crate) fn each_of_day(
    reader: &Reader<'_>,
    room: RoomId<'_>,
    day: &str,
    with: Including,
    take: &mut dyn FnMut(&Outward) -> Result<(), Error>,
) -> Result<(), Error> {
    let stored = reader.as_stored();
    let (reader, mut redactors) = (if with.decrypted { reader } else { &stored }, Redactors::default());
    let mut statement = reader.connection.prepare_cached(OF_DAY)?;
    let mut rows = statement.query(params![reader.room(&room)?, day, with.rejected])?;
    while let Some(row) = rows.next()? {
        let (mut outward, is_edited) = read(reader, room, day, row)?;
        if with.verdicts {
            outward.verdict = judged(reader, room, day, row)?;
        }
        let may_be = outward.event.redacted_by.is_some() || outward.event.replaces();
        let is_hidden = may_be && !with.redacted && is_redacted(reader, room, &outward.event, &mut redactors)?;
        if is_hidden {
            (outward.event.content, outward.body) = (None, None);
        } else {
            if with.decrypted {
                outward.decrypt(reader)?;
            }
            if is_edited {
                outward.apply_edit(reader, room)?;
            }
            if !with.redacted {
                outward.cut_quotes();
            }
        }
        take(&outward)?;
    }
    Ok(())
}

/// An event as its line has it; whether something says to be an edit of it.
fn read(reader: &Reader<'_>, room: RoomId<'_>, day: &str, row: &Row<'_>) -> Result<(Outward, bool), Error> {
    let (numbers, connection) = (&reader.numbers, reader.connection);
    let event_id: String = row.get(0)?;
    let content = reader.content(EventId::of(&event_id), (room, day), (row.get(6)?, row.get(7)?))?;
    let event = CatalogEvent {
        event_id,
        kind: numbers.type_name(connection, row.get(1)?)?,
        state_key: row.get(2)?,
        sender: numbers.user_id(connection, row.get(3)?)?,
        at: row.get(4)?,
        depth: row.get(5)?,
        day: String::new(),
        content,
        relates_to: row.get(8)?,
        rel_type: numbers.type_name(connection, row.get(9)?)?,
        replies_to: row.get(10)?,
        redacts: row.get(11)?,
        redacted_by: row.get(12)?,
        censored: row.get(13)?,
        encrypted: None,
    };
    let outward = Outward {
        event,
        body: row.get(14)?,
        edited_by: None,
        received_ts: row.get(15)?,
        stream_ordering: row.get(16)?,
        soft_failed: row.get(17)?,
        rejected: row.get(18)?,
        outlier: row.get(19)?,
        damaged: row.get(20)?,
        verdict: None,
    };
    Ok((outward, row.get(21)?))
}

/// What an event proves of itself; none: its line cannot be read.
fn judged(reader: &Reader<'_>, room: RoomId<'_>, day: &str, row: &Row<'_>) -> Result<Option<Verdict>, Error> {
    let Some(lines) = reader.lines else { return Ok(None) };
    let path = reader.numbers.path(reader.connection, room, day)?;
    let [start, length] = [row.get::<_, i64>(6)?, row.get(7)?].map(i64::unsigned_abs);
    // where it cannot be, that was said when its content was to be read
    let Ok(line) = lines.read(&path, start, length) else { return Ok(None) };
    Ok(reader.proof(&line, day)?.map(|(verdict, _)| verdict))
}

impl Outward {
    /// Puts what an encrypted event says in the place of what is stored of it.
    fn decrypt(&mut self, reader: &Reader<'_>) -> Result<(), Error> {
        if self.event.kind() == "m.room.encrypted"
            && let Some(plaintexts) = reader.plaintexts
            && let Some(plaintext) = plaintexts.get(&self.event.event_id)?
        {
            self.event.encrypted = Some(SessionTrust { authenticated: plaintext.authenticated });
            (self.event.kind, self.event.content) = (Some(plaintext.kind), Some(plaintext.content));
            self.body = plaintext.body;
        }
        Ok(())
    }

    /// Puts the text of the newest valid edit in the place of its own.
    fn apply_edit(&mut self, reader: &Reader<'_>, room: RoomId<'_>) -> Result<(), Error> {
        let Some(edit) = newest_edit(reader, room, &self.event)? else { return Ok(()) };
        let sql = concat!(
            "select body from line indexed by line_id left join said on said.line = line.line
              where id_key = ",
            key!("?1"),
            " and event_id = ?1 limit 1"
        );
        let body: Option<String> = match reader.plaintexts.filter(|_| edit.encrypted.is_some()) {
            Some(plaintexts) => plaintexts.get(&edit.event_id)?.and_then(|plaintext| plaintext.body),
            None => reader.connection.prepare_cached(sql)?.query_row([&edit.event_id], |row| row.get(0))?,
        };
        // as the view `message` has it
        self.body = match self.event.replies_to {
            Some(_) => body.map(|body| without_quote(body.into()).into_owned()),
            None => body,
        };
        self.edited_by = Some(edit.event_id);
        Ok(())
    }

    /// Takes out what a reply, or an edit of one, repeats of what it answers: that may be redacted.
    fn cut_quotes(&mut self) {
        let is_edit = self.event.replaces();
        if is_edit {
            self.body = self.body.take().map(|body| without_quote(body.into()).into_owned());
        }
        if (is_edit || self.event.is_reply())
            && let Some(content) = self.event.content.take()
        {
            self.event.content = match without_quotes(&content) {
                Quotes::None => Some(content),
                Quotes::Cut(cut) => Some(cut),
                Quotes::Unknown => None,
            };
        }
    }
}

/// What is to be done with the quotes of a content.
#[derive(Debug, PartialEq, Eq)]
enum Quotes {
    None,
    /// The content without them.
    Cut(String),
    /// It cannot be read, and may have some.
    Unknown,
}

/// A content without the quotes before the answer, in itself and in what an edit puts in its place.
fn without_quotes(content: &str) -> Quotes {
    let may_have = ["> <", "> * <", "\\u"].iter().any(|word| content.contains(word));
    if !may_have && !content.to_ascii_lowercase().contains("mx-reply") {
        return Quotes::None;
    }
    let members = members(content);
    if members.is_empty() {
        return if content == "{}" { Quotes::None } else { Quotes::Unknown };
    }
    let (mut any, mut cut) = (false, String::with_capacity(content.len()));
    for (name, value) in members {
        let value = value.get();
        let new = match &*name {
            "body" => text(value).and_then(|body| {
                let body = body.strip_prefix("* ").filter(|rest| rest.starts_with("> ")).unwrap_or(&body);
                let rest = without_quote(body.into());
                (rest.len() != body.len()).then(|| json(&rest))
            }),
            "formatted_body" => text(value).and_then(|html| without_reply(&html)).map(|html| json(&html)),
            "m.new_content" if value.starts_with('{') => match without_quotes(value) {
                Quotes::None => None,
                Quotes::Cut(cut) => Some(cut),
                Quotes::Unknown => Some("{}".to_owned()),
            },
            _ => None,
        };
        any |= new.is_some();
        cut.push(if cut.is_empty() { '{' } else { ',' });
        cut.push_str(&json(&name));
        cut.push(':');
        cut.push_str(new.as_deref().unwrap_or(value));
    }
    cut.push('}');
    if any { Quotes::Cut(cut) } else { Quotes::None }
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn text(value: &str) -> Option<String> {
    serde_json::from_str(value).ok()
}

/// HTML without `<mx-reply>…</mx-reply>`, which clients that know replies pass over; all behind one that does not end. None: it has none.
fn without_reply(html: &str) -> Option<String> {
    let lower = html.to_ascii_lowercase();
    let start = lower.find("<mx-reply")?;
    let rest = lower.rfind("</mx-reply").and_then(|end| lower[end..].find('>').map(|tag| end + tag + 1));
    let rest = rest.filter(|rest| *rest > start).unwrap_or(html.len());
    Some(format!("{}{}", &html[..start], &html[rest..]))
}

/// A member of a room, or who was one, as of the newest of the events that say so.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) user_id: String,
    /// join, invite, knock, leave, ban.
    pub(crate) membership: String,
    /// None: it is redacted, or there is none.
    pub(crate) displayname: Option<String>,
    /// Milliseconds since the epoch.
    pub(crate) at: i64,
    pub(crate) event_id: String,
}

/// The members of a room, in the order of their ids, and those who were.
pub(crate) fn each_member(
    reader: &Reader<'_>,
    room_id: &str,
    with: Including,
    take: &mut dyn FnMut(&Member) -> Result<(), Error>,
) -> Result<(), Error> {
    let sql = "select user_id, membership, case when not redacted or ?2 then given end, origin_server_ts, event_id,
                      topological_ordering, exists (select 1 from erased where erased.user_id = membership.user_id)
                 from membership where room = ?1 order by user_id";
    let mut statement = reader.connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![reader.room(room_id)?, with.redacted])?;
    let mut last: Option<(Member, i64)> = None;
    while let Some(row) = rows.next()? {
        let is_erased: bool = row.get(6)?;
        let displayname: Option<String> = row.get(2)?;
        let next = Member {
            user_id: row.get(0)?,
            membership: row.get(1)?,
            displayname: displayname.filter(|_| !is_erased || with.redacted),
            at: row.get(3)?,
            event_id: row.get(4)?,
        };
        let depth: i64 = row.get(5)?;
        match &last {
            Some((member, before)) if member.user_id == next.user_id => {
                if (*before, member.at, &member.event_id) < (depth, next.at, &next.event_id) {
                    last = Some((next, depth));
                }
            }
            Some((member, _)) => {
                take(member)?;
                last = Some((next, depth));
            }
            None => last = Some((next, depth)),
        }
    }
    last.map_or(Ok(()), |(member, _)| take(&member))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reply_quotes_is_cut_out_of_its_content() {
        for (content, expected) in [
            (r#"{"body":"> <@a:x> secret\n\nwell","msgtype":"m.text"}"#, Some(r#"{"body":"well","msgtype":"m.text"}"#)),
            (r#"{"body":"\u003e <@a:x> secret\n\nwell"}"#, Some(r#"{"body":"well"}"#)),
            (r#"{"body":"> * <@a:x> secret\n> more"}"#, Some(r#"{"body":""}"#)),
            (
                r#"{"body":"* > <@a:x> secret\n\nwell","m.new_content":{"body":"> <@a:x> secret\n\nwell"},"a":1.0}"#,
                Some(r#"{"body":"well","m.new_content":{"body":"well"},"a":1.0}"#),
            ),
            (
                r#"{"body":"well","formatted_body":"<MX-Reply>secret<mx-reply>x</mx-reply></mx-reply >well"}"#,
                Some(r#"{"body":"well","formatted_body":"well"}"#),
            ),
            (r#"{"formatted_body":"well<\u006dx-reply>secret"}"#, Some(r#"{"formatted_body":"well"}"#)),
            (r#"{"body":"> what they say\n\nwell"}"#, None),
            (r#"{"body":"well > <@a:x> done","n":1e400}"#, None),
            ("{}", None),
        ] {
            let expected = expected.map_or(Quotes::None, |cut| Quotes::Cut(cut.to_owned()));
            assert_eq!(without_quotes(content), expected, "{content}");
        }
        assert_eq!(without_quotes(r#"{"body":"> <@a:x> secret","n":NaN}"#), Quotes::Unknown);
    }
}
