//! What makes parts of an output stale: new lines, those that have changed, and what the output itself has otherwise. Writes no output.

use rusqlite::params;

use super::super::catalog::key;
use super::super::writing::{Writing, signed};
use super::super::{Archive, Catalog, Error, OutputFile};
use super::{Output, TABLES};

/// The events that a statement is about: new lines, those that have changed, and those that redactions among them name.
macro_rules! news {
    () => {
        "news (line) as (select line from line where line > ?1 union all select line from output_changed)"
    };
}

/// The files of these, of edits of them, edits of those too, and of what they edit.
const STALE_FILES: [&str; 3] = [
    concat!("with ", news!(), " insert or ignore into temp.told select file from news cross join line using (line)"),
    concat!(
        "with ",
        news!(),
        " insert or ignore into temp.told
          select target.file from news cross join relation r on r.line = news.line
           cross join line target indexed by line_id on target.id_key = r.relates_to_key and target.event_id = r.relates_to
           where r.rel_type = (select type from type where name = 'm.replace')"
    ),
    concat!(
        "with recursive ",
        news!(),
        ", named (id) as (
            select event_id from news cross join line using (line)
            union
            select redacts from news cross join relation r on r.line = news.line where redacts is not null
            union
            select line.event_id from named
             cross join relation r indexed by relation_relates_to on relates_to_key = ",
        key!("named.id"),
        " and relates_to = named.id
             cross join line on line.line = r.line
             where rel_type = (select type from type where name = 'm.replace'))
         insert or ignore into temp.told
         select line.file from named
          cross join relation r indexed by relation_relates_to on relates_to_key = ",
        key!("named.id"),
        " and relates_to = named.id
          cross join line on line.line = r.line
          where rel_type = (select type from type where name = 'm.replace')"
    ),
];

impl Catalog {
    /// Whether something has changed that the outputs have not been told yet; none before they are told anything.
    pub fn has_news_for_outputs(&self) -> Result<bool, Error> {
        Ok(self.has_output_tables()? && self.has_news()?)
    }

    /// The same, once there are tables of outputs.
    fn has_news(&self) -> Result<bool, Error> {
        let sql = "select coalesce((select max(line) from line), 0) > (select line from output_told)
                       or exists (select 1 from output_changed) or exists (select 1 from output_changed_part)";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }
}

impl Archive {
    /// Lets the outputs know what has changed since they were told last: which of their parts are stale. False: the first export has yet
    /// to be done, before which nothing can be told.
    pub fn tell_outputs(&mut self) -> Result<bool, Error> {
        if !self.indexed {
            return Ok(false);
        }
        let outputs = self.catalog.outputs()?;
        let has_tables = self.catalog.has_output_tables()?;
        if has_tables && !self.catalog.has_news()? {
            return Ok(true);
        }
        let writing = self.catalog.write()?;
        if has_tables {
            writing.tell(&outputs)?;
        } else {
            writing.0.execute_batch(TABLES)?;
            writing.0.execute("insert into output_told (line) select coalesce(max(line), 0) from line", [])?;
            outputs.iter().try_for_each(|output| writing.all_is_stale(&output.name))?;
        }
        writing.commit()?;
        Ok(true)
    }

    /// Says that parts of an output are stale that it has otherwise than the archive knows of it: `next` gives what it has, by part,
    /// some at a time and in order, until there is no more.
    pub(crate) fn compare_output<E: From<Error>>(
        &mut self,
        name: &str,
        next: &mut dyn FnMut() -> Result<Vec<OutputFile>, E>,
    ) -> Result<(), E> {
        let writing = self.catalog.write().map_err(E::from)?;
        let failed = |error: rusqlite::Error| E::from(error.into());
        let tables = "create temp table if not exists has (part text primary key, rows integer, sha256 text) strict, without rowid;
                      delete from temp.has";
        writing.0.execute_batch(tables).map_err(failed)?;
        loop {
            let some = next()?;
            if some.is_empty() {
                break;
            }
            for OutputFile { path, rows, sha256, .. } in some {
                let sql = "insert or replace into temp.has (part, rows, sha256) values (?1, ?2, ?3)";
                let mut insert = writing.0.prepare_cached(sql).map_err(failed)?;
                insert.execute(params![path, signed(rows), sha256]).map_err(failed)?;
            }
        }
        let sql = "insert or ignore into output_stale (output, part)
                   select ?1, part from temp.has
                    where not exists (select 1 from output_file file where output = ?1 and path = has.part and file.part = has.part
                                         and file.rows = has.rows and file.sha256 = has.sha256)
                   union
                   select ?1, part from output_file file
                    where output = ?1 and not exists (select 1 from temp.has where has.part = file.part)";
        writing.0.execute(sql, [name]).map_err(failed)?;
        writing.0.execute_batch("delete from temp.has").map_err(failed)?;
        writing.commit().map_err(E::from)
    }
}

impl Writing<'_> {
    /// Lets the outputs know, when they are told, that what an event says is something else, though its line is not.
    pub(in crate::archive) fn outputs_change(&self, event_id: &str) -> Result<(), Error> {
        let has_tables = "select exists (select 1 from sqlite_schema where name = 'output_told')";
        if self.0.prepare_cached(has_tables)?.query_row([], |row| row.get::<_, bool>(0))? {
            let sql = concat!(
                "insert or ignore into output_changed (line) select line from line where id_key = ",
                key!("?1"),
                " and event_id = ?1"
            );
            self.0.prepare_cached(sql)?.execute([event_id])?;
        }
        Ok(())
    }

    /// Says which parts are stale by what is new and what has changed.
    fn tell(&self, outputs: &[Output]) -> Result<(), Error> {
        self.0
            .execute_batch("create temp table if not exists told (file integer primary key); delete from temp.told")?;
        let told: i64 = self.0.query_row("select line from output_told", [], |row| row.get(0))?;
        for sql in STALE_FILES {
            self.0.execute(sql, [told])?;
        }
        for Output { name, .. } in outputs {
            let sql = "insert or ignore into output_stale (output, part)
                       select ?1, day from temp.told cross join file using (file)
                       union select ?1, part from output_changed_part";
            self.0.execute(sql, [name])?;
        }
        self.0.execute_batch(
            "delete from output_changed; delete from output_changed_part; delete from temp.told;
             update output_told set line = (select coalesce(max(line), 0) from line)",
        )?;
        Ok(())
    }
}
