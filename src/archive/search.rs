//! Which events are without their PDU, and how far these have been looked for where no index shows them. Asks no database.

use rusqlite::{OptionalExtension as _, params};

use super::{Archive, Error};

/// How many are looked for together.
const SOUGHT: i64 = 100_000;

impl Archive {
    /// Goes on with a search, or begins one for the events that are without their PDU: their ids, and the page that is next; none
    /// if there are none.
    pub fn begin_search(&mut self) -> Result<Option<(Vec<String>, i64)>, Error> {
        let writing = self.catalog.write()?;
        let page = writing.0.query_row("select page from searched", [], |row| row.get(0)).optional()?;
        if page.is_none() {
            let sql = "insert into sought (event_id)
                       select event_id from waiting union select event_id from line where damaged limit ?1";
            if writing.0.execute(sql, [SOUGHT])? == 0 {
                return Ok(None);
            }
            writing.0.execute("insert into searched (page) values (0)", [])?;
        }
        writing.commit()?;
        let mut ids = self.catalog.connection.prepare("select event_id from sought")?;
        let ids = ids.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(Some((ids, page.unwrap_or(0))))
    }

    /// Remembers that the pages before this one have been looked at.
    pub fn searched_up_to(&mut self, page: i64) -> Result<(), Error> {
        Ok(self.catalog.connection.execute("update searched set page = ?1", params![page]).map(drop)?)
    }

    /// The search is over; what was not found is not there.
    pub fn end_search(&mut self) -> Result<(), Error> {
        let writing = self.catalog.write()?;
        writing.0.execute_batch("delete from sought; delete from searched")?;
        writing.commit()
    }
}
