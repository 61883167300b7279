//! Which files the lines name, and what encrypted events say that can be read. Looks at each line once, and again at what has changed.

use rusqlite::params;

use super::super::lines::{self, Open};
use super::super::writing::Writing;
use super::super::{Archive, Catalog, Error};
use super::has_tables;
use crate::archive::catalog::key;
use crate::event;
use crate::event::media::{NamedFile, named};

/// How many lines are looked through at once.
const LINES: u32 = 5_000;

/// A line that is looked at, and where it is.
pub(super) struct LineToRead {
    pub(super) line: i64,
    event_id: String,
    kind: Option<String>,
    path: String,
    start: u64,
    length: u64,
}

/// What is asked of a line. Of reactions those whose key is a picture; types that name no file are passed by.
pub(super) const PLACE: &str = "select line.line, line.event_id, type.name, 'rooms/' || room.directory || '/' || file.day || '.jsonl', start, length
     from line cross join file using (file) cross join room using (room) left join type on type.type = line.type
    where not line.erased and not line.damaged
      and coalesce(type.name, '') not in ('m.room.redaction', 'm.room.power_levels', 'm.room.create', 'm.room.name', 'm.room.topic',
            'm.room.canonical_alias', 'm.room.aliases', 'm.room.join_rules', 'm.room.history_visibility', 'm.room.guest_access',
            'm.room.encryption', 'm.room.tombstone', 'm.room.server_acl', 'm.space.child', 'm.space.parent')
      and (type.name is not 'm.reaction' or exists (select 1 from said where said.line = line.line and body glob 'mxc://*'))";

impl Archive {
    /// Looks through the lines that are new, or have changed, for the files that they name. `told` hears how many are done, and of
    /// how many.
    pub(crate) fn name_media(&mut self, told: &mut dyn FnMut(u64, u64)) -> Result<(), Error> {
        if !has_tables(&self.catalog.connection)? {
            return Ok(());
        }
        let sql = "select coalesce((select max(line) from line), 0)";
        let last: i64 = self.catalog.connection.query_row(sql, [], |row| row.get(0))?;
        loop {
            self.interrupt.check()?;
            let sql = format!("{PLACE} and line.line in (select line from media_again order by line limit ?1)");
            let up_to = "select max(line) from (select line from media_again order by line limit ?1)";
            let up_to: Option<i64> = self.catalog.connection.query_row(up_to, [LINES], |row| row.get(0))?;
            let Some(up_to) = up_to else { break };
            let places = self.catalog.media_places(&sql, params![LINES])?;
            self.name_lines(places, "delete from media_again where line <= ?1", up_to)?;
        }
        let begin: i64 = self.catalog.connection.query_row("select line from media_told", [], |row| row.get(0))?;
        let mut at = begin;
        while at < last {
            self.interrupt.check()?;
            told((at - begin).unsigned_abs(), (last - begin).unsigned_abs());
            let end = (at + i64::from(LINES)).min(last);
            let sql = format!("{PLACE} and line.line > ?1 and line.line <= ?2");
            let places = self.catalog.media_places(&sql, params![at, end])?;
            self.name_lines(places, "update media_told set line = ?1", end)?;
            at = end;
        }
        Ok(())
    }

    /// Takes in what some lines name, and remembers that they were looked at.
    fn name_lines(&mut self, mut places: Vec<LineToRead>, done: &str, up_to: i64) -> Result<(), Error> {
        places.sort_unstable_by(|one, other| (&one.path, one.start).cmp(&(&other.path, other.start)));
        let mut open: Option<(String, Open)> = None;
        let mut found: Vec<(i64, Vec<NamedFile<'static>>)> = Vec::new();
        for place in places {
            let line = place.line;
            let Some((kind, content)) = self.content(place, &mut open)? else { continue };
            let names: Vec<NamedFile<'static>> =
                named(&kind, &content).into_iter().map(NamedFile::into_owned).collect();
            if !names.is_empty() {
                found.push((line, names));
            }
        }
        let writing = self.catalog.write()?;
        for (line, names) in &found {
            names.iter().try_for_each(|named| writing.name_media(*line, named))?;
        }
        writing.0.prepare_cached(done)?.execute([up_to])?;
        writing.commit()
    }
}

impl Archive {
    /// The type and the content of a line, or of what it says that is encrypted; none: it cannot be read. `open`: the file that was read
    /// last.
    pub(super) fn content(
        &self,
        place: LineToRead,
        open: &mut Option<(String, Open)>,
    ) -> Result<Option<(String, String)>, Error> {
        let LineToRead { event_id, kind, path, start, length, .. } = place;
        if kind.as_deref() == Some("m.room.encrypted") {
            let plaintext = self.catalog.plaintexts.as_ref().map(|plaintexts| plaintexts.get(&event_id)).transpose()?;
            return Ok(plaintext.flatten().map(|plaintext| (plaintext.kind, plaintext.content)));
        }
        if length > lines::LONGEST {
            return Ok(None);
        }
        let file = match open.take() {
            Some((opened, file)) if opened == path => open.insert((opened, file)),
            _ => open.insert((path.clone(), Open::new(&self.directory, &path)?)),
        };
        let text = file.1.read(start, length)?;
        let content = event::id_and_content(&text).filter(|(own, _)| *own == event_id);
        Ok(content.and_then(|(_, content)| Some((kind.unwrap_or_default(), content?.to_owned()))))
    }
}

impl Catalog {
    pub(super) fn media_places(&self, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<LineToRead>, Error> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let places = statement.query_map(values, |row| {
            Ok(LineToRead {
                line: row.get(0)?,
                event_id: row.get(1)?,
                kind: row.get(2)?,
                path: row.get(3)?,
                start: row.get::<_, i64>(4)?.unsigned_abs(),
                length: row.get::<_, i64>(5)?.unsigned_abs(),
            })
        })?;
        Ok(places.collect::<Result<_, _>>()?)
    }
}

impl Writing<'_> {
    /// A line names a file.
    fn name_media(&self, line: i64, named: &NamedFile<'_>) -> Result<(), Error> {
        let NamedFile { mxc, mimetype, sealed, is_avatar, .. } = named;
        let sql = "insert or ignore into media (mxc, lacks) values (?1, 'wanted')";
        self.0.prepare_cached(sql)?.execute([mxc])?;
        let sql = "insert into media_name (mxc, line, avatar, mimetype, sealed) values (?1, ?2, ?3, ?4, ?5)
                   on conflict (mxc, line) do update set avatar = min(avatar, excluded.avatar),
                          mimetype = coalesce(mimetype, excluded.mimetype), sealed = max(sealed, excluded.sealed)";
        self.0.prepare_cached(sql)?.execute(params![mxc, line, is_avatar, mimetype, sealed.is_some()])?;
        Ok(())
    }

    /// What an event names is to be looked for again, as it can be read by now.
    pub(in crate::archive) fn is_named_anew(&self, event_id: &str) -> Result<(), Error> {
        if has_tables(&self.0)? {
            let sql = concat!(
                "insert or ignore into media_again (line) select line from line where id_key = ",
                key!("?1"),
                " and event_id = ?1 and line <= (select line from media_told)"
            );
            self.0.prepare_cached(sql)?.execute([event_id])?;
        }
        Ok(())
    }
}
