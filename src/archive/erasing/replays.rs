//! Events that repeat an encrypted one which is to be erased word for word, under another id: who has its key reads it there too.
//!
//! The catalog knows no ciphertext, so the lines of rooms that have such an event are read. Changes none.

use std::path::Path;

use rusqlite::{OptionalExtension as _, params};

use super::super::lines::{self, Line, Whole};
use super::super::writing::{Writing, signed};
use super::super::{Error, layout};
use super::digest;
use crate::event::{Object, content_of_line};

impl Writing<'_> {
    /// Adds the lines that repeat the ciphertext of one that is to be erased, in its room, as much of them as of it.
    pub(super) fn select_replays(&self, archive: &Path, erasure: i64) -> Result<(), Error> {
        self.0.execute_batch(
            "drop table if exists temp.ciphertext;
             create temp table ciphertext (room integer, digest text, how integer, primary key (room, digest)) without rowid;
             drop table if exists temp.replay; create temp table replay (start integer primary key, how integer)",
        )?;
        let encrypted = "line.type = (select type from type where name = 'm.room.encrypted')";
        let sql = format!(
            "select file.room, 'rooms/' || directory || '/' || day || '.jsonl', start, length, how
               from to_erase join line on line.line = to_erase.line join file on file.file = to_erase.file join room using (room)
              where how >= 3 and {encrypted} order by to_erase.file, start"
        );
        let mut erased = self.0.prepare(&sql)?;
        let mut erased = erased.query([])?;
        let sql = "insert into ciphertext (room, digest, how) values (?1, ?2, ?3)
                       on conflict (room, digest) do update set how = max(how, excluded.how)";
        let mut add = self.0.prepare(sql)?;
        while let Some(row) = erased.next()? {
            let (path, start, length): (String, i64, i64) = (row.get(1)?, row.get(2)?, row.get(3)?);
            let line = lines::read(archive, &path, start.unsigned_abs(), length.unsigned_abs())?;
            if let Some(digest) = ciphertext(&line) {
                add.execute(params![row.get::<_, i64>(0)?, digest, row.get::<_, i64>(4)?])?;
            }
        }
        let sql = format!(
            "select file.file, file.room, 'rooms/' || directory || '/' || day || '.jsonl', bytes from file join room using (room)
              where room in (select room from ciphertext) and exists (select 1 from line where line.file = file.file and {encrypted})"
        );
        let mut files = self.0.prepare(&sql)?;
        let mut files = files.query([])?;
        while let Some(row) = files.next()? {
            self.select_replays_in(
                archive,
                (row.get(0)?, row.get(1)?),
                &row.get::<_, String>(2)?,
                row.get(3)?,
                erasure,
            )?;
        }
        Ok(())
    }

    fn select_replays_in(
        &self,
        archive: &Path,
        (file, room): (i64, i64),
        path: &str,
        bytes: i64,
        erasure: i64,
    ) -> Result<(), Error> {
        if layout::parts(path).is_none() {
            return Err(Error::altered("a file of lines", path));
        }
        let mut known = self.0.prepare_cached("select how from ciphertext where room = ?1 and digest = ?2")?;
        let mut lines = Whole::open(archive, path)?;
        while let Some(Line { start, text, .. }) = lines.next()? {
            if signed(start) >= bytes {
                break;
            }
            let Some(digest) = text.filter(|text| text.contains("ciphertext")).and_then(ciphertext) else { continue };
            let how: Option<i64> = known.query_row(params![room, digest], |row| row.get(0)).optional()?;
            if let Some(how) = how {
                let sql = "insert or replace into replay (start, how) values (?1, ?2)";
                self.0.prepare_cached(sql)?.execute(params![signed(start), how])?;
            }
        }
        let sql = "insert into to_erase (file, line, how, erasure, looked)
                   select file, line, replay.how, ?2, 1 from line indexed by line_file cross join replay using (start) where file = ?1
                       on conflict (file, line) do update set how = max(how, excluded.how)";
        self.0.prepare_cached(sql)?.execute([file, erasure])?;
        self.0.prepare_cached("delete from replay")?.execute([])?;
        Ok(())
    }
}

/// What tells the ciphertext of a line's event from others.
fn ciphertext(line: &str) -> Option<String> {
    Object::of(content_of_line(line)?).text("ciphertext").map(|text| digest(&text))
}
