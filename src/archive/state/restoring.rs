//! Brings what the state holds into a catalog that is made anew from the lines. What lines say that the state does not know yet
//! counts; where there is less than the state knows, what was read is to be read again.

use std::collections::BTreeSet;
use std::io::BufReader;
use std::path::Path;

use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::{Map, Value};
use tracing::warn;

use super::super::erasing::digest;
use super::super::opening::selected;
use super::super::writing::Writing;
use super::super::{Error, inside, layout};
use super::kinds::{self, KINDS};
use super::{ALL_REFUSED, FORMAT, NAME, record};
use crate::event::{Erased, Event, Word};

/// How many files of which lines are lost are named.
const NAMED: usize = 20;

/// The state while a catalog is made anew, kept in its temporary tables.
#[allow(clippy::struct_excessive_bools, reason = "each is something that need not be looked up")]
pub(in crate::archive) struct Restoring {
    /// There is none: the archive is new, or of an earlier version.
    is_none: bool,
    /// It was left by a catalog of a version before, which has all events that are rejected or soft-failed, and no others.
    has_all_refused: bool,
    /// Something is known of events beyond their lines.
    any_event: bool,
    /// Something is erased.
    any_tombstone: bool,
    /// A file of lines, and how long it was.
    file: Option<(String, u64)>,
}

impl Restoring {
    /// Reads the state of an archive, up to where it was cut off.
    pub(in crate::archive) fn read(archive: &Path, catalog: &Connection) -> Result<Restoring, Error> {
        for kind in KINDS {
            kind.keep(catalog)?;
        }
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY | FunctionFlags::SQLITE_DETERMINISTIC;
        catalog.create_scalar_function("room_directory", 1, flags, |of| {
            Ok(layout::room_directory(of.get_raw(0).as_str()?))
        })?;
        catalog.create_scalar_function("looks", 1, flags, |of| {
            Ok(of.get_raw(0).as_str_or_null()?.map(crate::document::text::looks))
        })?;
        let path = archive.join(NAME);
        let open = || inside::read(archive, NAME).map(BufReader::new);
        let failed = || Error::io("read", &path);
        let mut restoring =
            Restoring { is_none: true, has_all_refused: false, any_event: false, any_tombstone: false, file: None };
        let whole = match open() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(restoring),
            opened => opened.and_then(record::whole).map_err(failed())?,
        };
        let mut reader = open().map_err(failed())?;
        let (mut at, mut line) = (0, Vec::new());
        loop {
            record::read(&mut reader, &mut line).map_err(failed())?;
            if line.is_empty() {
                break;
            }
            let Some(object) = record::object(&line) else {
                at += line.len() as u64;
                continue;
            };
            if at == 0 {
                match object.get("format").and_then(Value::as_u64) {
                    Some(format) if format > FORMAT => return Err(Error::NewerState(format)),
                    format => restoring.is_none = format.is_none(),
                }
                restoring.has_all_refused = object.contains_key(ALL_REFUSED);
            }
            // what is promised stands for itself, also behind what was damaged
            keep(catalog, &object, at >= whole)?;
            at += line.len() as u64;
        }
        if whole < at {
            warn!("{} is damaged or was cut off: of its {at} bytes the first {whole} count", path.display());
        }
        let sql = "select exists (select 1 from temp.kept_event)";
        restoring.any_event = catalog.query_row(sql, [], |row| row.get(0))?;
        let sql = "select exists (select 1 from temp.kept_tombstone)";
        restoring.any_tombstone = catalog.query_row(sql, [], |row| row.get(0))?;
        Ok(restoring)
    }

    /// How much of an event is erased for good, and by which erasure, where its line has more than that.
    pub(in crate::archive) fn erased(
        &self,
        event: &Event,
        catalog: &Connection,
    ) -> Result<Option<(Erased, i64)>, Error> {
        if !self.any_tombstone {
            return Ok(None);
        }
        let mut statement = catalog.prepare_cached("select kind, erasure from temp.kept_tombstone where id = ?1")?;
        let found = statement.query_row([digest(&event.event_id)], |row| Ok((row.get::<_, Erased>(0)?, row.get(1)?)));
        Ok(found.optional()?.filter(|(how, _)| event.erased < Some(*how)))
    }

    /// Whether it knows of a run.
    pub(in crate::archive) fn has_runs(catalog: &Connection) -> Result<bool, Error> {
        Ok(catalog.query_row("select exists (select 1 from temp.kept_run)", [], |row| row.get(0))?)
    }

    /// Brings back the runs, before that which makes the catalog.
    pub(in crate::archive) fn runs(catalog: &Connection) -> Result<(), Error> {
        kinds::named("run").map_or(Ok(()), |runs| runs.restore(catalog))
    }

    /// Completes an event of a line, which begins at a byte of the file of a day, with what is known beyond it.
    pub(in crate::archive) fn complete(
        &mut self,
        event: &mut Event,
        day: &str,
        at: u64,
        catalog: &Connection,
    ) -> Result<(), Error> {
        let is_redaction = event.kind.as_deref() == Some("m.room.redaction");
        if is_redaction || event.sticky_until.is_some() {
            let is_known = at < self.known(&event.room_id, day, catalog)?;
            if is_known {
                // it is known which are still watched, and which hold only within a server
                event.sticky_until = None;
                event.recheck = is_redaction.then_some(false);
            } else {
                event.is_beyond_line = is_redaction;
            }
        }
        let was_refused = event.rejected || event.soft_failed;
        let accepted = was_refused && self.has_all_refused && at < self.known(&event.room_id, day, catalog)?;
        if accepted {
            (event.rejected, event.soft_failed, event.is_beyond_line) = (false, false, true);
        }
        if !self.any_event {
            return Ok(());
        }
        let sql = "select type, state_key, sender, origin_server_ts, redacts, recheck, rejected, soft_failed
                     from temp.kept_event where event_id = ?1";
        let mut statement = catalog.prepare_cached(sql)?;
        let mut rows = statement.query([&event.event_id])?;
        let Some(row) = rows.next()? else { return Ok(()) };
        let text = |at| row.get::<_, Option<String>>(at);
        event.kind = text(0)?.map(Word::Owned).or(event.kind.take());
        event.state_key = text(1)?.or(event.state_key.take());
        event.sender = row.get::<_, Option<_>>(2)?.or(event.sender.take());
        event.origin_server_ts = row.get::<_, Option<i64>>(3)?.or(event.origin_server_ts);
        event.redacts = row.get::<_, Option<_>>(4)?.or(event.redacts.take());
        event.recheck = row.get(5)?;
        event.rejected = row.get::<_, Option<bool>>(6)?.unwrap_or(event.rejected);
        event.soft_failed = row.get::<_, Option<bool>>(7)?.unwrap_or(event.soft_failed);
        Ok(())
    }

    /// How long a file of lines was.
    fn known(&mut self, room_id: &str, day: &str, catalog: &Connection) -> Result<u64, Error> {
        let path = format!("{room_id} {day}");
        if let Some((known, bytes)) = &self.file
            && *known == path
        {
            return Ok(*bytes);
        }
        let sql = "select bytes from temp.kept_file where room_id = ?1 and day = ?2";
        let found = catalog.prepare_cached(sql)?.query_row([room_id, day], |row| row.get::<_, i64>(0)).optional()?;
        let bytes = found.unwrap_or(0).unsigned_abs();
        self.file = Some((path, bytes));
        Ok(bytes)
    }

    /// Brings all else into the catalog, which has taken in the lines as a part of `run`. How many room-days have fewer lines
    /// than was known: of these rooms, and the server, everything is to be read again.
    pub(in crate::archive) fn finish(
        &self,
        archive: &Path,
        writing: &Writing<'_>,
        run: Option<i64>,
    ) -> Result<u64, Error> {
        for kind in KINDS.iter().filter(|kind| kind.name != "run") {
            kind.restore(&writing.0)?;
        }
        // the catalog itself is not as it is to be read
        writing.0.execute(
            "replace into setting (name, value)
             select 'group_readable_begun', 1 from setting where name = 'group_readable' and value",
            [],
        )?;
        if self.is_none {
            writing.select(&selected(archive)?)?;
        }
        let lost = writing.find_lost(run)?;
        if let Some(run) = run {
            writing.count_without_kept(run)?;
        }
        KINDS.iter().try_for_each(|kind| kind.drop_kept(&writing.0))?;
        Ok(lost)
    }
}

/// Keeps what a record says. `promises`: only if it is of what is promised.
fn keep(catalog: &Connection, object: &Map<String, Value>, promises: bool) -> Result<(), Error> {
    let kind = |what| object.get(what).and_then(Value::as_str).and_then(kinds::named);
    let cells =
        |columns: &mut dyn Iterator<Item = &str>| columns.map(|column| record::cell(object.get(column))).collect();
    if let Some(kind) = kind("set").filter(|kind| kind.is_promise || !promises) {
        let record: Vec<_> = cells(&mut kind.columns());
        kind.set(catalog, &record)?;
    } else if let Some(kind) = kind("forget").filter(|kind| kind.is_promise || !promises) {
        let keys: Vec<_> = cells(&mut kind.keys.iter().copied());
        kind.forget(catalog, &keys)?;
    }
    Ok(())
}

impl Writing<'_> {
    /// Finds the room-days that have less than the state says, names them, and forgets how far their rooms and the server were
    /// read.
    fn find_lost(&self, run: Option<i64>) -> Result<u64, Error> {
        let sql = "select kept.room_id, kept.day, kept.events, coalesce(file.events, 0)
                     from temp.kept_file kept
                     left join room using (room_id)
                     left join file on file.room = room.room and file.day = kept.day
                    where coalesce(file.bytes, 0) < kept.bytes or coalesce(file.events, 0) < kept.events
                    order by kept.room_id, kept.day";
        let mut statement = self.0.prepare(sql)?;
        let mut rows = statement.query([])?;
        let (mut lost, mut rooms) = (0, BTreeSet::from([String::new()]));
        while let Some(row) = rows.next()? {
            let (room_id, day): (String, String) = (row.get(0)?, row.get(1)?);
            let (known, found): (i64, i64) = (row.get(2)?, row.get(3)?);
            lost += 1;
            if lost <= NAMED {
                let path = format!("rooms/{}/{day}.jsonl", layout::room_directory(&room_id));
                warn!(
                    room_id,
                    day,
                    "{path} has {found} events, and had {known}: the next export reads everything again (what is to be gone for good, `synapse-export erase` takes out)"
                );
            }
            rooms.insert(room_id);
        }
        if lost == 0 {
            return Ok(0);
        }
        if lost > NAMED {
            warn!("{} more files of lines have less than they had", lost - NAMED);
        }
        for room_id in &rooms {
            self.0.prepare_cached("delete from watermark where room_id = ?1")?.execute([room_id])?;
            self.0.prepare_cached("delete from gap where room_id = ?1")?.execute([room_id])?;
        }
        let lost = lost as u64;
        if let Some(run) = run {
            let why = format!("{lost} files of lines had less than they had when they were archived");
            self.0.execute("update run set error = ?2 where run = ?1", params![run, why])?;
        }
        Ok(lost)
    }

    /// What runs before have counted is not counted once more.
    fn count_without_kept(&self, run: i64) -> Result<(), Error> {
        let count =
            |column: &str| format!("{column} = {column} - (select coalesce(sum({column}), 0) from temp.kept_run)");
        let columns =
            ["live", "backfill", "soft_failed", "rejected", "survivors", "censored", "versionless"].map(count);
        let sql = format!(
            "update run set {}, damaged = damaged - (select coalesce(sum(damaged - mended), 0) from temp.kept_run)
              where run = ?1",
            columns.join(", ")
        );
        self.0.execute(&sql, [run])?;
        Ok(())
    }
}
