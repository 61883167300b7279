//! Lines that were archived without their PDU, which has turned up: the only ones, beside what is erased, that ever change.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _};

use rusqlite::{OptionalExtension as _, params};

use super::commit::follow;
use super::rewrite::Change;
use super::stale::Stale;
use super::writing::Writing;
use super::{Archive, Batch, Catalog, Counts, Error, catalog, inside, layout};
use crate::event::{Damage, Event};

impl Archive {
    /// Puts whole events of a batch in the place of lines that say that their PDU is missing; how many.
    pub(super) fn mend(&mut self, run: i64, batch: &Batch) -> Result<u64, Error> {
        let mut by_file: BTreeMap<String, BTreeMap<&str, &Event>> = BTreeMap::new();
        let damaged = match self.damaged {
            Some(damaged) => damaged,
            None => *self.damaged.insert(self.catalog.damaged()? > 0),
        };
        if damaged {
            for (event, _) in &batch.events {
                if event.damage != Some(Damage::Missing)
                    && let Some(day) = self.catalog.day_of_damaged(&event.event_id)?
                {
                    let path = format!("rooms/{}/{day}.jsonl", layout::room_directory(&event.room_id));
                    by_file.entry(path).or_default().insert(&event.event_id, event);
                }
            }
        }
        for (path, events) in &mut by_file {
            let missing = self.missing_in(path)?;
            events.retain(|event_id, _| missing.contains(*event_id));
        }
        by_file.retain(|_, events| !events.is_empty());
        if by_file.is_empty() {
            return Ok(0);
        }
        let change = |path: &str, line: &str| {
            let found = missing(line).and_then(|event_id| by_file.get(path)?.get(&*event_id).copied());
            Ok(found.map_or(Change::Keep, |event| Change::Replace(event.line.clone())))
        };
        self.rewrite(&by_file.keys().cloned().collect(), change, |writing| {
            let events: Vec<&Event> = by_file.values().flat_map(BTreeMap::values).copied().collect();
            let mended = events.iter().filter(|event| event.damage.is_none()).count() as u64;
            writing.mend(&events)?;
            writing.count(run, &Counts { mended, ..Counts::default() }, 1)?;
            Ok(mended)
        })
    }

    /// The events of a file whose lines say that their PDU is missing.
    fn missing_in(&self, path: &str) -> Result<BTreeSet<String>, Error> {
        let committed = catalog::length(&self.catalog.connection, path)?.unwrap_or(0);
        let file = inside::read(&self.directory, path);
        let path = self.directory.join(path);
        let file = file.map_err(Error::io("open", &path))?;
        let mut found = BTreeSet::new();
        let mut reader = BufReader::new(file.take(committed));
        let mut text = Vec::new();
        while reader.read_until(b'\n', &mut text).map_err(Error::io("read", &path))? > 0 {
            found.extend(std::str::from_utf8(&text).ok().and_then(|line| missing(line.trim_end_matches('\n'))));
            text.clear();
        }
        Ok(found)
    }
}

/// The event whose PDU a line says is missing; none: it has one, or a text in its place.
fn missing(line: &str) -> Option<String> {
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

    /// The day of an archived event, if it is damaged.
    fn day_of_damaged(&self, event_id: &str) -> Result<Option<String>, Error> {
        let sql = "select day from event where event_id = ?1 and damaged";
        Ok(self.connection.prepare_cached(sql)?.query_row([event_id], |row| row.get(0)).optional()?)
    }
}

impl Writing<'_> {
    /// Takes in what is known by now of events that were damaged, but for the day of their files.
    fn mend(&self, events: &[&Event]) -> Result<(), Error> {
        let mut stale = Stale::default();
        for event in events {
            let sql = "update event set stream_ordering = ?2, topological_ordering = ?3, type = ?4, state_key = ?5, sender = ?6,
                              origin_server_ts = ?7, received_ts = ?8, content = ?9, relates_to = ?10, rel_type = ?11,
                              replies_to = ?12, redacts = ?13, recheck = ?14, censored = ?15, soft_failed = ?16, rejected = ?17,
                              outlier = ?18, damaged = ?19
                        where event_id = ?1";
            self.0.prepare_cached(sql)?.execute(params![
                event.event_id,
                event.stream_ordering,
                event.topological_ordering,
                event.kind,
                event.state_key,
                event.sender,
                event.origin_server_ts,
                event.received_ts,
                event.content(),
                event.relates_to,
                event.rel_type,
                event.replies_to,
                event.redacts,
                event.recheck,
                event.censored,
                event.soft_failed,
                event.rejected,
                event.outlier,
                event.damage.is_some(),
            ])?;
            if event.is_beyond_line {
                self.beyond_line(&event.event_id)?;
            }
            self.room(event)?;
            self.stick(event)?;
            self.forget_name(event, event.origin_server_ts)?;
            if event.is_accepted() {
                self.add_name(event, true)?;
            }
        }
        let outliers = follow(events.iter().map(|event| (*event, true)).collect(), &mut stale, self)?;
        for (room_id, event_ids) in outliers {
            self.redact_outliers(room_id, &event_ids, &mut stale)?;
        }
        stale.mark(self)
    }
}
