//! What of a line is to be taken when it is erased: all of it, or what an event without that says. Takes nothing itself.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::{Error, layout, lines};
use super::selecting::of_number;
use crate::event::{Erased, Event, EventId, OwnedEventId, Word};

/// A line that is to be erased, and where it is.
pub(super) struct LineToErase {
    pub(super) line: i64,
    pub(super) path: String,
    pub(super) start: u64,
    pub(super) length: u64,
    pub(super) how: Erased,
    pub(super) erasure: i64,
}

/// What of a line is to be taken.
pub(super) struct Taken {
    /// The event as it was, with what the catalog knows of it beyond its line.
    pub(super) old: Event,
    /// None: the whole line.
    pub(super) new: Option<Event>,
    pub(super) how: Erased,
}

impl LineToErase {
    /// The next line of a file behind one that is to be erased.
    pub(super) fn next(catalog: &Connection, file: i64, last: i64) -> Result<Option<LineToErase>, Error> {
        let sql = "select to_erase.line, 'rooms/' || directory || '/' || day || '.jsonl', start, length, how, erasure
                     from to_erase join line on line.line = to_erase.line
                     join file on file.file = to_erase.file join room using (room)
                    where to_erase.file = ?1 and to_erase.line > ?2 order by to_erase.line limit 1";
        let mut statement = catalog.prepare_cached(sql)?;
        let found = statement.query_row([file, last], |row| {
            let bytes = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
            Ok(LineToErase {
                line: row.get(0)?,
                path: row.get(1)?,
                start: bytes(2)?,
                length: bytes(3)?,
                how: of_number(row.get(4)?),
                erasure: row.get(5)?,
            })
        });
        Ok(found.optional()?)
    }

    /// How much of it is taken in the end; none: nothing.
    pub(super) fn how_much(&self, catalog: &Connection, archive: &Path) -> Result<Option<Erased>, Error> {
        let text = lines::read(archive, &self.path, self.start, self.length)?;
        Ok(taken(catalog, &self.path, self.line, &text, self.how)?.map(|taken| taken.how))
    }
}

/// A file of lines, which is opened unless it was the last.
pub(super) fn open<'o>(
    opened: &'o mut Option<(String, lines::Open)>,
    archive: &Path,
    path: &str,
) -> Result<&'o lines::Open, Error> {
    let opened = match opened.take() {
        Some((last, file)) if last == path => opened.insert((last, file)),
        _ => opened.insert((path.to_owned(), lines::Open::new(archive, path)?)),
    };
    Ok(&opened.1)
}

/// What is to be taken of a line; none: nothing that is there.
pub(super) fn taken(
    catalog: &Connection,
    path: &str,
    line: i64,
    text: &str,
    how: Erased,
) -> Result<Option<Taken>, Error> {
    let day = layout::parts(path).map_or("", |(_, day)| day);
    let broken = |why: String| Error::Line { path: path.into(), line: 0, why };
    let mut old = Event::from_line(text, day).map_err(|why| broken(why.to_string()))?;
    let sql =
        "select event_id, type.name, state_key, user_id, origin_server_ts, redacts, recheck, rejected, soft_failed
                 from line left join type using (type) left join user on user.user = line.sender
                 left join relation using (line) where line = ?1";
    catalog.prepare_cached(sql)?.query_row([line], |row| {
        if row.get::<_, OwnedEventId>(0)? != old.event_id {
            return Ok(Err(broken("it is not that of the event which the catalog has there".to_owned())));
        }
        old.kind = row.get::<_, Option<String>>(1)?.map(Word::Owned);
        (old.state_key, old.sender, old.origin_server_ts) = (row.get(2)?, row.get(3)?, row.get(4)?);
        (old.redacts, old.recheck) = (row.get(5)?, row.get(6)?);
        (old.rejected, old.soft_failed) = (row.get(7)?, row.get(8)?);
        Ok(Ok(()))
    })??;
    let is_redaction = || old.kind.as_deref() == Some("m.room.redaction");
    let how = if how == Erased::Whole && is_redaction() && is_in_effect(catalog, line, old.id())? {
        Erased::Pruned
    } else {
        how
    };
    if how == Erased::Whole {
        return Ok(Some(Taken { old, new: None, how }));
    }
    // the line says what it says, whatever became of the event since
    let mut of_line = old.clone();
    (of_line.rejected, of_line.soft_failed) = (says(text, "rejected"), says(text, "soft_failed"));
    Ok(of_line.erase(how).map(|new| Taken { old, new: Some(new), how }))
}

/// Whether a line has one of our flags.
fn says(line: &str, flag: &str) -> bool {
    let about = crate::event::Object::of(line);
    about.object("synapse").and_then(|about| about.get(flag)).is_some_and(|value| value.get() == "true")
}

/// Whether a redaction takes effect on an event that stays.
fn is_in_effect(catalog: &Connection, line: i64, event: EventId<'_>) -> Result<bool, Error> {
    let key = super::super::catalog::key!("r.redacts");
    let sql = format!(
        "select exists (select 1 from relation r cross join line t indexed by line_id on t.id_key = {key} and t.event_id = r.redacts
                          left join to_erase on to_erase.file = t.file and to_erase.line = t.line
                         where r.line = ?1 and t.redacted_by = ?2 and coalesce(how, 0) < 4)"
    );
    Ok(catalog.prepare_cached(&sql)?.query_row(params![line, event], |row| row.get(0))?)
}
