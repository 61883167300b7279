//! The index of full-text search: kept in the catalog, brought up to date after what it is an index of is committed, in transactions
//! of its own. Without it, or behind it, nothing is lost but time.
//!
//! An index row is a row of `said`, its words as [`words`] cuts them, as long as clients may see the event. FTS5 takes a row out by the
//! very words that were put in, so that another [`words::VERSION`] makes the index anew. Finds nothing: see `reading::search`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension as _, params};
use tracing::debug;

use super::catalog::key;
use super::erased::redacted_by;
use super::writing::Writing;
use super::{Archive, Catalog, Error};
use crate::document::message::without_quote;
use crate::search::{said, words};

/// The tables.
pub(super) const TABLES: &str = include_str!("full_text.sql");
/// How it cuts texts into words, as [`TABLES`] says it too.
pub(super) const TOKENIZER: &str = "unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'";
/// Takes them away.
const DROP: &str = "
    drop trigger if exists search_line; drop trigger if exists search_said;
    drop table if exists search; drop table if exists search_state; drop table if exists search_block;
    drop table if exists search_left_out; drop table if exists search_changed;";
/// The setting that says that there is none to be.
const OFF: &str = "no_search";
/// How many lines are taken in one transaction.
const LINES: i64 = 32 * 1024;
/// How many changed ones.
const CHANGED: i64 = 10_000;
/// Lines whose times are kept together: 2 to the power of this.
pub(super) const BLOCK: i64 = 10;
/// How long an index that is made anew may keep an export.
const A_MINUTE: Duration = Duration::from_secs(60);

/// How far the index is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchStanding {
    /// Search is switched off for the archive.
    Off,
    /// So many lines are not in it, of so many.
    Behind {
        /// How many are not.
        lines: u64,
        /// Of how many.
        of: u64,
    },
    /// It has all there is.
    Whole,
}

impl Catalog {
    /// Whether there is to be no index.
    pub(super) fn is_search_off(&self) -> Result<bool, Error> {
        self.is_set(OFF)
    }

    /// How far the index of full-text search is.
    pub fn search_standing(&self) -> Result<SearchStanding, Error> {
        if self.is_set(OFF)? {
            return Ok(SearchStanding::Off);
        }
        let last: i64 = self.connection.query_row("select coalesce(max(line), 0) from line", [], |row| row.get(0))?;
        let indexed = indexed(&self.connection)?.unwrap_or(0).min(last);
        let changed = if indexed > 0 { changed(&self.connection)? } else { 0 };
        Ok(match last - indexed + changed {
            0 => SearchStanding::Whole,
            lines => SearchStanding::Behind { lines: lines.unsigned_abs(), of: last.unsigned_abs() },
        })
    }
}

/// Up to which line there is an index of this version; none: there is none.
pub(super) fn indexed(connection: &Connection) -> Result<Option<i64>, Error> {
    if !has_tables(connection)? {
        return Ok(None);
    }
    let sql = "select line from search_state where version = ?1";
    Ok(connection.query_row(sql, [words::VERSION], |row| row.get(0)).optional()?)
}

pub(super) fn has_tables(connection: &Connection) -> Result<bool, Error> {
    let sql = "select exists (select 1 from sqlite_schema where name = 'search_state')";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

fn changed(connection: &Connection) -> Result<i64, Error> {
    Ok(connection.query_row("select count(*) from search_changed", [], |row| row.get(0))?)
}

/// A text as it is searched: of an edit without the quote that some clients put before it, as it may be redacted what it quotes.
pub(super) fn searched(body: String, is_edit: bool) -> String {
    if is_edit { without_quote(body.into()).into_owned() } else { body }
}

impl Archive {
    /// Switches full-text search on or off. Off, nothing of the index is left on the disk.
    pub fn set_search(&mut self, on: bool) -> Result<(), Error> {
        if self.catalog.is_set(OFF)? == on {
            let writing = self.catalog.write()?;
            writing.set(OFF, !on)?;
            writing.commit()?;
        }
        if !on {
            self.search_decrypted(false)?;
        }
        if !on && has_tables(&self.catalog.connection)? {
            let writing = self.catalog.write()?;
            writing.0.execute_batch(DROP)?;
            writing.commit()?;
            self.catalog.connection.execute_batch("vacuum")?;
            self.leave_no_log()?;
        }
        Ok(())
    }

    /// Brings the index up to date, if there is to be one. `told` hears how many lines are in it and of how many, and ends the work
    /// early by returning false. `at_most_a_minute`: an index that has to be made anew is gone on with another time.
    pub fn update_search(
        &mut self,
        at_most_a_minute: bool,
        told: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<(), Error> {
        if !self.indexed || self.catalog.is_set(OFF)? {
            return Ok(());
        }
        let began = Instant::now();
        let catalog = self.catalog.connection.get_interrupt_handle();
        let interrupt = self.interrupt.clone();
        let mut is_over = || at_most_a_minute && began.elapsed() > A_MINUTE;
        match interrupt.during(vec![catalog], || update(&mut self.catalog, &mut is_over, told)) {
            Err(Error::Stopped) => {}
            done => done?,
        }
        self.search_decrypted(true)?;
        debug!(seconds = began.elapsed().as_secs_f64(), "search");
        Ok(())
    }

    /// Empties the log or journal, which has what was on pages before.
    ///
    /// # Errors
    /// When somebody reads, who keeps something there.
    pub(super) fn leave_no_log(&mut self) -> Result<(), Error> {
        let mode: String = self.catalog.connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
        let path = |end: &str| self.catalog.connection.path().map(|path| PathBuf::from(format!("{path}-{end}")));
        let is_kept = if mode == "wal" {
            self.catalog.connection.query_row("pragma wal_checkpoint (truncate)", [], |row| row.get::<_, bool>(0))?
        } else {
            // which takes it away, unless somebody reads
            self.catalog.connection.pragma_update(None, "journal_mode", "delete")?;
            self.catalog.set_journal()?;
            path("journal").is_some_and(|journal| journal.exists())
        };
        let path = path(if mode == "wal" { "wal" } else { "journal" });
        if is_kept { Err(Error::KeptByReaders(path.unwrap_or_default())) } else { Ok(()) }
    }
}

/// Takes in what is new and what has changed.
fn update(
    catalog: &mut Catalog,
    is_over: &mut dyn FnMut() -> bool,
    told: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<(), Error> {
    let last: i64 = catalog.connection.query_row("select coalesce(max(line), 0) from line", [], |row| row.get(0))?;
    // one that was cut off, or is of another version, is gone on with another time
    let is_first = !has_tables(&catalog.connection)?;
    let mut at = match indexed(&catalog.connection)? {
        Some(at) => at,
        None if last == 0 => return Ok(()),
        None => {
            let writing = catalog.write()?;
            writing.0.execute_batch(DROP)?;
            writing.0.execute_batch(TABLES)?;
            writing.0.execute("insert into search (search, rank) values ('hashsize', ?1)", [HASH])?;
            writing.0.execute("insert into search_state (version, line) values (?1, 0)", [words::VERSION])?;
            writing.commit()?;
            0
        }
    };
    take_changed(catalog)?;
    if at == last {
        return Ok(());
    }
    while at < last {
        if !told(at.unsigned_abs(), last.unsigned_abs()) || is_over() && !is_first {
            return Ok(());
        }
        let end = (at + LINES).min(last);
        let writing = catalog.write()?;
        writing.take_into_search(at, end)?;
        writing.commit()?;
        at = end;
    }
    told(at.unsigned_abs(), last.unsigned_abs());
    take_changed(catalog)
}

/// Takes in what has changed of what was taken in before.
fn take_changed(catalog: &mut Catalog) -> Result<(), Error> {
    let mut is_changed = changed(&catalog.connection)? > 0;
    while is_changed {
        let writing = catalog.write()?;
        is_changed = writing.take_changed_into_search()?;
        writing.commit()?;
    }
    Ok(())
}

/// How much of the index is gathered before it is written, bytes.
const HASH: i64 = 8 * 1024 * 1024;

/// Whether a line is an edit of what is redacted, which it may say again.
pub(super) const EDITS_REDACTED: &str = concat!(
    "(line.state_key is null and exists (select 1 from relation edits
        cross join line edited indexed by line_id on edited.id_key = edits.relates_to_key and edited.event_id = edits.relates_to
        where edits.line = line.line and edits.rel_type = (select type from type where name = 'm.replace')
          and (select room from file where file.file = edited.file) = (select room from file where file.file = line.file) and ",
    redacted_by!("edited"),
    " is not null))"
);

/// Whether a row is to be in the index.
pub(super) fn is_searched() -> String {
    format!(
        "line.type in (select type from type where name in ({})) and {} is null and not line.rejected
         and not line.soft_failed and said.body is not null and coalesce(line.state_key, '') = '' and not {EDITS_REDACTED}",
        said::TYPES,
        redacted_by!()
    )
}

/// What is in a row, for [`words_of`]: body, what it has, whether it is an edit.
pub(super) const SAID: &str = "said.body, said.has, exists (select 1 from relation r where r.line = said.line
     and r.rel_type = (select type from type where name = 'm.replace'))";

/// What of a row is in the index.
pub(super) fn words_of(body: Option<String>, has: Option<String>, is_edit: bool) -> [String; 2] {
    let (mut body_words, mut has_words) = (String::new(), String::new());
    words::spaced(&searched(body.unwrap_or_default(), is_edit), &mut body_words);
    words::spaced(&has.unwrap_or_default(), &mut has_words);
    [body_words, has_words]
}

impl Writing<'_> {
    /// Takes the lines behind one and up to another into the index.
    fn take_into_search(&self, from: i64, to: i64) -> Result<(), Error> {
        let sql = format!(
            "select said.line, {}, {SAID} from said cross join line on line.line = said.line
              where said.line > ?1 and said.line <= ?2 order by said.line",
            is_searched()
        );
        let mut read = self.0.prepare_cached(&sql)?;
        let mut add = self.0.prepare_cached("insert into search (rowid, body, has) values (?1, ?2, ?3)")?;
        let mut leave_out = self.0.prepare_cached("insert or ignore into search_left_out (line) values (?1)")?;
        let mut rows = read.query([from, to])?;
        while let Some(row) = rows.next()? {
            let line: i64 = row.get(0)?;
            if row.get::<_, Option<bool>>(1)? == Some(true) {
                let [body, has] = words_of(row.get(2)?, row.get(3)?, row.get(4)?);
                add.execute(params![line, body, has])?;
            } else {
                leave_out.execute([line])?;
            }
        }
        // an edit may have been taken in before what it edits came, which was redacted by then
        let sql = concat!(
            "insert or ignore into search_changed (line)
             select edits.line from line cross join relation edits indexed by relation_relates_to
                 on edits.relates_to_key = line.id_key and edits.relates_to = line.event_id
              where line.line > ?1 and line.line <= ?2 and edits.line <= ?1
                and edits.rel_type = (select type from type where name = 'm.replace') and ",
            redacted_by!(),
            " is not null"
        );
        self.0.prepare_cached(sql)?.execute([from, to])?;
        // an edit is of the time of what it edits; of what is not archived yet, of any
        let key = key!("r.relates_to");
        let sql = format!(
            "insert into search_block (block, oldest, newest)
             select at >> {BLOCK}, min(oldest), max(newest)
               from (select line as at, origin_server_ts as oldest, origin_server_ts as newest from line
                      where line > ?1 and line <= ?2 and origin_server_ts is not null
                     union all
                     select r.line, coalesce((select origin_server_ts from line where id_key = {key} and event_id = r.relates_to), {min}),
                            {min}
                       from relation r
                      where r.line > ?1 and r.line <= ?2 and r.rel_type = (select type from type where name = 'm.replace'))
              group by 1
                 on conflict (block) do update set oldest = min(oldest, excluded.oldest), newest = max(newest, excluded.newest)",
            min = i64::MIN
        );
        self.0.prepare_cached(&sql)?.execute([from, to])?;
        self.0.prepare_cached("update search_state set line = ?1")?.execute([to])?;
        Ok(())
    }

    /// Takes in what has changed of lines that were looked at before, a bounded number of them; whether there may be more.
    fn take_changed_into_search(&self) -> Result<bool, Error> {
        let sql = format!(
            "select changed.line, coalesce((select {} from line join said using (line) where line.line = changed.line), 0)
               from search_changed changed order by changed.line limit ?1",
            is_searched()
        );
        let mut changed = self.0.prepare_cached(&sql)?;
        let mut rows = changed.query([CHANGED])?;
        let (mut last, mut taken) = (i64::MIN, 0);
        while let Some(row) = rows.next()? {
            last = row.get(0)?;
            taken += 1;
            match (self.is_in_search(last)?, row.get::<_, Option<bool>>(1)?.unwrap_or_default()) {
                (true, false) => self.take_out_of_search(last)?,
                (false, true) => self.put_into_search(last)?,
                _ => {}
            }
        }
        self.0.prepare_cached("delete from search_changed where line <= ?1")?.execute([last])?;
        Ok(taken == CHANGED)
    }

    /// What a user said, and edits of it, are to be looked at again, as that is hidden now, or no more.
    pub(super) fn is_hidden_otherwise(&self, user_id: &str) -> Result<(), Error> {
        if has_tables(&self.0)? {
            let sql = "with hidden (line, id_key, event_id) as materialized (
                           select line, id_key, event_id from line where sender = (select user from user where user_id = ?1))
                       insert or ignore into search_changed (line)
                       select line from (
                           select line from hidden
                           union all
                           select edits.line from hidden cross join relation edits indexed by relation_relates_to
                               on edits.relates_to_key = hidden.id_key and edits.relates_to = hidden.event_id
                            where edits.rel_type = (select type from type where name = 'm.replace'))
                        where line in (select line from said where line <= (select line from search_state))";
            self.0.prepare_cached(sql)?.execute([user_id])?;
        }
        Ok(())
    }

    /// Takes the words of a line that is to be erased out of the index, while its text is still known, by which they are found.
    pub(super) fn forget_words(&self, line: i64) -> Result<(), Error> {
        if !has_tables(&self.0)? {
            return Ok(());
        }
        if self.is_in_search(line)? {
            self.take_out_of_search(line)?;
        }
        for table in ["search_left_out", "search_changed"] {
            let sql =
                format!("delete from {table} where line = ?1 and not exists (select 1 from said where said.line = ?1)");
            self.0.prepare_cached(&sql)?.execute([line])?;
        }
        Ok(())
    }

    fn is_in_search(&self, line: i64) -> Result<bool, Error> {
        let sql = "select ?1 <= (select line from search_state) and exists (select 1 from said where line = ?1)
                      and not exists (select 1 from search_left_out where line = ?1)";
        Ok(self.0.prepare_cached(sql)?.query_row([line], |row| row.get::<_, Option<bool>>(0))?.unwrap_or_default())
    }

    fn words_of(&self, line: i64) -> Result<[String; 2], Error> {
        let sql = format!("select {SAID} from said where line = ?1");
        let found = self.0.prepare_cached(&sql)?.query_row([line], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        let (body, has, is_edit) = found?;
        Ok(words_of(body, has, is_edit))
    }

    fn take_out_of_search(&self, line: i64) -> Result<(), Error> {
        let [body, has] = self.words_of(line)?;
        let sql = "insert into search (search, rowid, body, has) values ('delete', ?1, ?2, ?3)";
        self.0.prepare_cached(sql)?.execute(params![line, body, has])?;
        self.0.prepare_cached("insert or ignore into search_left_out (line) values (?1)")?.execute([line])?;
        Ok(())
    }

    fn put_into_search(&self, line: i64) -> Result<(), Error> {
        let [body, has] = self.words_of(line)?;
        let sql = "insert into search (rowid, body, has) values (?1, ?2, ?3)";
        self.0.prepare_cached(sql)?.execute(params![line, body, has])?;
        self.0.prepare_cached("delete from search_left_out where line = ?1")?.execute([line])?;
        Ok(())
    }
}
