//! The index of words of what could be decrypted: as the catalog's own, but each event comes into it with its plaintext. It may have
//! what is redacted: who searches compares every hit with the catalog.

use rusqlite::params;

use super::super::full_text::{BLOCK, words_of};
use super::super::{Error, Interrupt};
use super::Decrypted;
use crate::search::words;

/// How many events are taken in one transaction.
const AT_ONCE: i64 = 10_000;

impl Decrypted {
    /// Whether it has an index of this version.
    pub(super) fn is_searched(&self) -> Result<bool, Error> {
        let sql = "select exists (select 1 from search_state where version = ?1)";
        Ok(self.connection.prepare_cached(sql)?.query_row([words::VERSION], |row| row.get(0))?)
    }

    /// Takes an event into the index.
    pub(super) fn index(
        &self,
        event: i64,
        body: Option<String>,
        has: Option<String>,
        is_edit: bool,
    ) -> Result<(), Error> {
        if body.is_some() {
            self.connection.prepare_cached("delete from search where rowid = ?1")?.execute([event])?;
            let [body, has] = words_of(body, has, is_edit);
            let sql = "insert into search (rowid, body, has) values (?1, ?2, ?3)";
            self.connection.prepare_cached(sql)?.execute(params![event, body, has])?;
        }
        Ok(())
    }

    /// Makes the index, if there is none of this version, or takes it away.
    pub(in crate::archive) fn set_search(&mut self, on: bool, interrupt: &Interrupt) -> Result<(), Error> {
        if self.is_searched()? == on {
            return Ok(());
        }
        self.in_one(|this| {
            Ok(this
                .connection
                .execute_batch("delete from search_state; insert into search (search) values ('delete-all')")?)
        })?;
        if !on {
            return self.leave_no_trace();
        }
        let mut last = 0;
        loop {
            let end: Option<i64> = self.connection.query_row(
                "select max(event) from (select event from plaintext where event > ?1 order by event limit ?2)",
                [last, AT_ONCE],
                |row| row.get(0),
            )?;
            let Some(end) = end else { break };
            self.in_one(|this| this.index_all(last, end))?;
            last = end;
            interrupt.check()?;
        }
        self.in_one(|this| {
            let sql = "insert into search_state (version) values (?1)";
            Ok(this.connection.execute(sql, [words::VERSION]).map(drop)?)
        })
    }

    fn index_all(&self, after: i64, to: i64) -> Result<(), Error> {
        let sql = "select event, body, has, edit from plaintext where event > ?1 and event <= ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([after, to])?;
        while let Some(row) = rows.next()? {
            self.index(row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)?;
        }
        Ok(())
    }

    /// The blocks of the index, with the time of the newest that each has; none: there is no index.
    pub(in crate::archive) fn search_blocks(&self) -> Result<Option<Vec<(i64, i64)>>, Error> {
        if !self.is_searched()? {
            return Ok(None);
        }
        let mut statement = self.connection.prepare_cached("select block, newest from search_block")?;
        let blocks = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Some(blocks.collect::<Result<_, _>>()?))
    }

    /// What the index has of an expression in a block.
    pub(in crate::archive) fn search(&self, expression: &str, block: i64) -> Result<Vec<String>, Error> {
        let sql = "select event_id from search cross join event on event.event = search.rowid
                    where search match ?1 and search.rowid between ?2 and ?3 and reason is null";
        let first = block << BLOCK;
        let mut statement = self.connection.prepare_cached(sql)?;
        let values = params![expression, first, first + (1 << BLOCK) - 1];
        Ok(statement.query_map(values, |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// In which blocks the index has an expression, if it has not more than `most`.
    pub(in crate::archive) fn blocks_with(&self, expression: &str, most: i64) -> Result<Option<Vec<i64>>, Error> {
        let mut statement =
            self.connection.prepare_cached("select rowid from search where search match ?1 order by rowid limit ?2")?;
        let mut rows = statement.query(params![expression, most + 1])?;
        let (mut blocks, mut count) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let block = row.get::<_, i64>(0)? >> BLOCK;
            if blocks.last() != Some(&block) {
                blocks.push(block);
            }
            count += 1;
        }
        Ok((count <= most).then_some(blocks))
    }
}
