//! What something that is handed on is made of: which days, which lines, how far the archive was then, what its lines prove. Decides
//! nothing of what of them is shown.

use std::ops::Range;

use rusqlite::{OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};

use super::super::lines::WholeFile;
use super::super::{Error, layout};
use super::{Reader, rooms};
use crate::document::page::MadeOf;
use crate::document::time;
use crate::event::hex::digits;
use crate::event::{OwnedRoomId, RoomId, UserId, Verdict};

/// The days of a room that have something of a period, and of a sender where there is one, in order.
pub(crate) fn days(
    reader: &Reader<'_>,
    room: RoomId<'_>,
    period: Option<&Range<i64>>,
    sender: Option<UserId<'_>>,
) -> Result<Vec<String>, Error> {
    let is_asked = |day: &String| {
        let range = time::range(day);
        period.is_none_or(|period| range.start < period.end && range.end > period.start)
    };
    let days = rooms::days_of(reader, &room)?.into_iter().filter(is_asked);
    let Some(sender) = sender else { return Ok(days.collect()) };
    let sql = "select exists (select 1 from file cross join line indexed by line_file on line.file = file.file
                               where file.room = ?1 and day = ?2 and sender = (select user from user where user_id = ?3))";
    let mut any = reader.connection.prepare_cached(sql)?;
    let room = reader.room(&room)?;
    let mut found = Vec::new();
    for day in days {
        if any.query_row(params![room, day, sender], |row| row.get(0))? {
            found.push(day);
        }
    }
    Ok(found)
}

/// The rooms in which somebody has sent something, by name, each with its directory.
pub(crate) fn rooms_of(reader: &Reader<'_>, sender: UserId<'_>) -> Result<Vec<OwnedRoomId>, Error> {
    let sql = "select room_id from room
                where has_lines and room in (select file.room from line join file using (file)
                                              where sender = (select user from user where user_id = ?1))
                order by coalesce(name, room_id) collate nocase, room_id";
    let mut statement = reader.connection.prepare_cached(sql)?;
    Ok(statement.query_map([sender], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// What the lines of some days of a room are, and what they prove if that is to be `judged`, added to what others are. The hash is that
/// of their files one after the other: the undated last, as a shell's `*.jsonl` has them.
pub(crate) struct Provenance {
    of: MadeOf,
    hash: Sha256,
    verdicts: [u64; Verdict::ALL.len()],
    judges: bool,
}

impl Provenance {
    pub(crate) fn new(judges: bool) -> Provenance {
        Provenance { of: MadeOf::default(), hash: Sha256::new(), verdicts: [0; Verdict::ALL.len()], judges }
    }

    /// Adds the lines of days of a room, which come in their order.
    pub(crate) fn add(&mut self, reader: &Reader<'_>, room_id: &str, days: &[String]) -> Result<(), Error> {
        let Some(lines) = reader.lines else { return Ok(()) };
        let archive = lines.archive();
        let sql = "select bytes, directory from file join room using (room) where file.room = ?1 and day = ?2";
        let room = reader.room(room_id)?;
        for day in days {
            let (bytes, directory): (i64, String) = reader
                .connection
                .prepare_cached(sql)?
                .query_row(params![room, day], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let (bytes, directory) = (bytes.unsigned_abs(), layout::checked_directory(room_id, &directory)?);
            let path = format!("rooms/{directory}/{day}.jsonl");
            let mut file = WholeFile::open(&archive, &path)?;
            while let Some(line) = file.next()? {
                let end = line.start + line.bytes.len() as u64 + 1;
                // what an export is adding just now is of the next one
                if end > bytes {
                    break;
                }
                self.hash.update(line.bytes);
                self.hash.update(b"\n");
                self.of.lines += 1;
                self.of.bytes += line.bytes.len() as u64 + 1;
                if let Some(text) = line.text.filter(|_| self.judges) {
                    self.judge(reader, text, day)?;
                }
            }
            self.of.files += 1;
        }
        Ok(())
    }

    fn judge(&mut self, reader: &Reader<'_>, line: &str, day: &str) -> Result<(), Error> {
        let verdict = reader.proof(line, day)?.map_or(Verdict::NotDecided, |(verdict, _)| verdict);
        if let Some(at) = Verdict::ALL.iter().position(|one| *one == verdict) {
            self.verdicts[at] += 1;
        }
        Ok(())
    }

    /// All of it; of an archive that is kept also how far it was.
    pub(crate) fn end(self, reader: &Reader<'_>, is_archive: bool) -> Result<MadeOf, Error> {
        let Provenance { mut of, hash, verdicts, judges } = self;
        of.sha256 = digits(&hash.finalize());
        if judges {
            let numbers = Verdict::ALL.iter().zip(verdicts).filter(|(_, number)| *number > 0);
            of.verdicts = Some(numbers.map(|(verdict, number)| (verdict.name(), number)).collect());
        }
        let connection = reader.connection;
        of.server = connection.query_row("select name from server", [], |row| row.get(0)).optional()?;
        if is_archive {
            let sql = "select max(started) from run where outcome in ('done', 'damaged')";
            let until: Option<String> = connection.query_row(sql, [], |row| row.get(0))?;
            of.archived_until = Some(until.unwrap_or_default());
            let sql = "select (select count(*) from gap), (select count(*) from waiting)";
            (of.gaps, of.waiting) = connection.query_row(sql, [], |row| {
                Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, i64>(1)?.unsigned_abs()))
            })?;
        }
        Ok(of)
    }
}
