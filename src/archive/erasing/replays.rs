//! Events that repeat an encrypted one which is to be erased word for word, under another id: who has its key reads it there too.
//!
//! One way only: the first of those that clients see, in the order of the stream, is the original, and whoever repeats it cannot have it
//! erased with his own. Where events are decrypted, it is that of the session's owner, whenever it came: his own server may have sent a
//! replay first. The catalog knows no ciphertext, so the lines of rooms that have such an event are read. Changes none.

use std::path::Path;

use rusqlite::params;

use super::super::decrypted::Decrypted;
use super::super::lines::{self, FileLine, WholeFile};
use super::super::writing::{Writing, signed};
use super::super::{Error, layout};
use super::digest;
use crate::event::{Object, content_of_line, id_and_content};

impl Writing<'_> {
    /// Adds the lines behind one that is to be erased which repeat its ciphertext, in its room, as much of them as of it.
    pub(super) fn select_replays(&self, archive: &Path, erasure: i64) -> Result<(), Error> {
        self.0.execute_batch(
            "drop table if exists temp.ciphertext;
             create temp table ciphertext (room integer, digest text, how integer, unseen integer, strange integer, position integer,
                                           primary key (room, digest, how)) without rowid;
             drop table if exists temp.replay; create temp table replay (start integer primary key, digest text, strange integer)",
        )?;
        let decrypted = Decrypted::open_to_read(archive)?;
        let strangeness =
            |event_id: &str| decrypted.as_ref().map_or(Ok(1), |decrypted| decrypted.strangeness(event_id));
        let encrypted = "line.type = (select type from type where name = 'm.room.encrypted')";
        let sql = format!(
            "select file.room, 'rooms/' || directory || '/' || day || '.jsonl', start, length, how,
                    rejected or soft_failed, stream_ordering, event_id
               from to_erase join line on line.line = to_erase.line join file on file.file = to_erase.file join room using (room)
              where how >= 3 and {encrypted} order by to_erase.file, start"
        );
        let mut erased = self.0.prepare(&sql)?;
        let mut erased = erased.query([])?;
        // the first of those of which as much is erased takes all that the others would
        let sql =
            "insert into ciphertext (room, digest, how, unseen, strange, position) values (?1, ?2, ?3, ?4, ?5, ?6)
                       on conflict (room, digest, how) do update
                      set unseen = excluded.unseen, strange = excluded.strange, position = excluded.position
                    where (excluded.unseen, excluded.strange, excluded.position)
                        < (ciphertext.unseen, ciphertext.strange, ciphertext.position)";
        let mut add = self.0.prepare(sql)?;
        while let Some(row) = erased.next()? {
            let (path, start, length): (String, i64, i64) = (row.get(1)?, row.get(2)?, row.get(3)?);
            let line = lines::read(archive, &path, start.unsigned_abs(), length.unsigned_abs())?;
            if let Some(digest) = ciphertext(&line) {
                let (room, how): (i64, i64) = (row.get(0)?, row.get(4)?);
                let strange = strangeness(&row.get::<_, String>(7)?)?;
                add.execute(params![room, digest, how, row.get::<_, bool>(5)?, strange, row.get::<_, i64>(6)?])?;
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
                &strangeness,
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
        strangeness: &dyn Fn(&str) -> Result<i64, Error>,
    ) -> Result<(), Error> {
        if layout::parts(path).is_none() {
            return Err(Error::altered("a file of lines", path));
        }
        let sql = "select exists (select 1 from ciphertext where room = ?1 and digest = ?2)";
        let mut known = self.0.prepare_cached(sql)?;
        let mut lines = WholeFile::open(archive, path)?;
        while let Some(FileLine { start, text, .. }) = lines.next()? {
            if signed(start) >= bytes {
                break;
            }
            let Some(text) = text.filter(|text| text.contains("ciphertext")) else { continue };
            let Some(digest) = ciphertext(text) else { continue };
            if known.query_row(params![room, digest], |row| row.get(0))? {
                let strange = id_and_content(text).map_or(Ok(1), |(event_id, _)| strangeness(&event_id))?;
                let sql = "insert or replace into replay (start, digest, strange) values (?1, ?2, ?3)";
                self.0.prepare_cached(sql)?.execute(params![signed(start), digest, strange])?;
            }
        }
        let sql = "insert into to_erase (file, line, how, erasure, looked)
                   select file, line, max(ciphertext.how), ?2, 1
                     from line indexed by line_file cross join replay using (start)
                    cross join ciphertext on ciphertext.room = ?3 and ciphertext.digest = replay.digest
                    where file = ?1 and (rejected or soft_failed, replay.strange, stream_ordering) > (unseen, ciphertext.strange, position)
                    group by file, line
                       on conflict (file, line) do update set how = max(how, excluded.how)";
        self.0.prepare_cached(sql)?.execute([file, erasure, room])?;
        self.0.prepare_cached("delete from replay")?.execute([])?;
        Ok(())
    }
}

/// What tells the ciphertext of a line's event from others.
fn ciphertext(line: &str) -> Option<String> {
    Object::of(content_of_line(line)?).text("ciphertext").map(|text| digest(&text))
}
