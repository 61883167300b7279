//! What became of the encrypted events of an archive, in numbers.

use std::collections::BTreeMap;

use rusqlite::OptionalExtension as _;

use super::super::Error;
use super::Decrypted;

/// What became of encrypted events.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Numbers {
    /// How many there are.
    pub encrypted: u64,
    /// How many can be read.
    pub readable: u64,
    /// How many of these by a session that nobody vouches for.
    pub not_authenticated: u64,
    /// How many cannot, by why.
    pub refused: BTreeMap<String, u64>,
    /// How many of the readable ones by the sessions of each source.
    pub by_source: BTreeMap<String, u64>,
}

impl Decrypted {
    /// All in numbers.
    pub(in crate::archive) fn numbers(&self) -> Result<Numbers, Error> {
        let mut numbers = Numbers::default();
        let count = |row: &rusqlite::Row<'_>, at| row.get::<_, i64>(at).map(i64::unsigned_abs);
        let mut statement = self.connection.prepare("select reason, count(*) from event group by reason")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (reason, events): (Option<String>, _) = (row.get(0)?, count(row, 1)?);
            numbers.encrypted += events;
            match reason {
                None => numbers.readable += events,
                Some(reason) => drop(numbers.refused.insert(reason, events)),
            }
        }
        let sql = "select name, count(*), sum(not authenticated)
                     from plaintext cross join event using (event) cross join source using (source)
                    where reason is null group by source";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            numbers.by_source.insert(row.get(0)?, count(row, 1)?);
            numbers.not_authenticated += count(row, 2)?;
        }
        Ok(numbers)
    }

    /// Why an event cannot be read, a word and the words for it; none: it can, or is not known.
    pub(in crate::archive) fn why(&self, event_id: &str) -> Result<Option<(String, String)>, Error> {
        let sql = "select reason, coalesce(detail, (select 'a replay of ' || other.event_id
                                                      from first cross join event other on other.event = first.event
                                                     where first.session = event.session and first.message = event.message
                                                       and reason = 'replay'), '')
                     from event where event_id = ?1 and reason is not null";
        Ok(self.connection.prepare_cached(sql)?.query_row([event_id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
    }
}
