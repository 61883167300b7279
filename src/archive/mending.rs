//! Lines that were archived without their PDU, which has turned up: the only ones, beside what is erased, that ever change. Mends no
//! line that has a PDU.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension as _, params};

use super::adding::Relating;
use super::catalog::key;
use super::commit::follow;
use super::rewrite::LineChange;
use super::stale::Stale;
use super::writing::Writing;
use super::{Archive, Batch, Catalog, Counts, Error, lines};
use crate::event::{Damage, Event, EventId, OwnedEventId};

impl Archive {
    /// Puts whole events of a batch in the place of lines that say that their PDU is missing; how many.
    pub(super) fn mend(&mut self, run: i64, batch: &Batch) -> Result<u64, Error> {
        let mut by_file: BTreeMap<String, BTreeMap<EventId<'_>, &Event>> = BTreeMap::new();
        let damaged = match self.damaged {
            Some(damaged) => damaged,
            None => *self.damaged.insert(self.catalog.damaged()? > 0),
        };
        if damaged {
            for (event, _) in &batch.events {
                if event.damage != Some(Damage::Missing)
                    && let Some((path, start, length)) = self.catalog.damaged_line(event.id())?
                    && missing(&lines::read(&self.directory, &path, start, length)?).as_ref() == Some(&event.event_id)
                {
                    by_file.entry(path).or_default().insert(event.id(), event);
                }
            }
        }
        if by_file.is_empty() {
            return Ok(0);
        }
        let change = |_: &Catalog, path: &str, _, line: &str| {
            let found = missing(line).and_then(|event| by_file.get(path)?.get(&event.borrowed()).copied());
            Ok(found.map_or(LineChange::Keep, |event| LineChange::Replace(event.line.clone())))
        };
        self.rewrite(&by_file.keys().cloned().collect(), change, |writing| {
            let events: Vec<&Event> = by_file.values().flat_map(BTreeMap::values).copied().collect();
            let mended = events.iter().filter(|event| event.damage.is_none()).count() as u64;
            writing.mend(&events)?;
            writing.count(run, &Counts { mended, ..Counts::default() }, 1)?;
            Ok(mended)
        })
    }
}

/// The event whose PDU a line says is missing; none: it has one, or a text in its place.
fn missing(line: &str) -> Option<OwnedEventId> {
    // what a member of the room wrote may look like it
    let event = line.contains(r#""unparsed":null"#).then(|| Event::from_line(line, "").ok())??;
    (event.damage == Some(Damage::Missing)).then_some(event.event_id)
}

impl Catalog {
    /// How many archived events have no PDU, or one that cannot be read.
    pub fn damaged(&self) -> Result<u64, Error> {
        let sql = "select max(0, coalesce(sum(damaged - mended), 0)) from run";
        Ok(self.connection.query_row(sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs())
    }

    /// Where the line of an archived event is, if it is damaged: its file, where it begins there, and its length in bytes.
    fn damaged_line(&self, event: EventId<'_>) -> Result<Option<(String, u64, u64)>, Error> {
        let sql = concat!(
            "select path, start, length from event where id_key = ",
            key!("?1"),
            " and event_id = ?1 and damaged"
        );
        let found = self.connection.prepare_cached(sql)?.query_row([event], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs(), row.get::<_, i64>(2)?.unsigned_abs()))
        });
        Ok(found.optional()?)
    }
}

impl Writing<'_> {
    /// Takes in what is known by now of events that were damaged, but for the day of their files.
    fn mend(&self, events: &[&Event]) -> Result<(), Error> {
        let mut stale = Stale::default();
        for event in events {
            let Some(line) = self.line_of(event.id())? else { continue };
            let kind = event.kind.as_deref().map(|kind| self.type_of(kind)).transpose()?;
            let sender = event.sender.as_deref().map(|sender| self.user(sender)).transpose()?;
            let sql = "update line set stream_ordering = ?2, topological_ordering = ?3, type = ?4, state_key = ?5, sender = ?6,
                              origin_server_ts = ?7, received_ts = ?8, censored = ?9, soft_failed = ?10, rejected = ?11,
                              outlier = ?12, damaged = ?13, erased = ?14
                        where line = ?1";
            self.0.prepare_cached(sql)?.execute(params![
                line,
                event.stream_ordering,
                event.topological_ordering,
                kind,
                event.state_key,
                sender,
                event.origin_server_ts,
                event.received_ts,
                event.censored,
                event.soft_failed,
                event.rejected,
                event.outlier,
                event.damage.is_some(),
                event.is_erased(),
            ])?;
            self.0.prepare_cached("delete from relation where line = ?1")?.execute([line])?;
            self.0.prepare_cached("delete from said where line = ?1")?.execute([line])?;
            let rel_type = event.rel_type.as_deref().map(|name| self.type_of(name)).transpose()?;
            Relating::new(self)?.relate(line, event, rel_type)?;
            if event.is_beyond_line {
                self.beyond_line(event.id())?;
            }
            self.room(event)?;
            self.stick(event)?;
            self.forget_name(event, event.origin_server_ts)?;
            if event.is_accepted() {
                self.add_name(event, true)?;
            }
        }
        let outliers = follow(events.iter().map(|event| (*event, true)).collect(), &mut stale, self)?;
        for (room, events) in outliers {
            self.redact_outliers(room, &events, &mut stale)?;
        }
        stale.mark(self)
    }
}
