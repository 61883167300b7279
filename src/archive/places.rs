//! On which page of a document of many its events are, while that is written: beside memory, in a file without a name that SQLite
//! keeps. Gone with the process.

use rusqlite::{Connection, OptionalExtension as _};

use super::Error;

/// The pages of anchors.
pub(crate) struct Places(Connection);

impl Places {
    pub(crate) fn new() -> Result<Places, Error> {
        // a database without a name is a temporary one on the disk, as soon as it is too large for its cache
        let connection = Connection::open("")?;
        connection.execute_batch(
            "pragma journal_mode = off; pragma synchronous = off; pragma cache_size = -1024;
             create table place (anchor text primary key, page integer not null) without rowid;
             create index place_page on place (page);
             begin",
        )?;
        Ok(Places(connection))
    }

    pub(crate) fn add(&self, anchor: &str, page: usize) -> Result<(), Error> {
        let sql = "insert or ignore into place (anchor, page) values (?1, ?2)";
        self.0.prepare_cached(sql)?.execute((anchor, super::writing::signed(page as u64)))?;
        Ok(())
    }

    /// The number of the page that has an anchor.
    pub(crate) fn page(&self, anchor: &str) -> Result<Option<usize>, Error> {
        let sql = "select page from place where anchor = ?1";
        let page: Option<i64> = self.0.prepare_cached(sql)?.query_row([anchor], |row| row.get(0)).optional()?;
        Ok(page.and_then(|page| usize::try_from(page).ok()))
    }

    /// Gives each anchor of a page.
    pub(crate) fn each_of(&self, page: usize, tell: &mut dyn FnMut(&str) -> Result<(), Error>) -> Result<(), Error> {
        let mut statement = self.0.prepare_cached("select anchor from place where page = ?1 order by anchor")?;
        let mut rows = statement.query([super::writing::signed(page as u64)])?;
        while let Some(row) = rows.next()? {
            let anchor: String = row.get(0)?;
            tell(&anchor)?;
        }
        Ok(())
    }
}
