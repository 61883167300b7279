//! An archive in figures, for who watches over it: how far it is, how large, what its last run met.
//!
//! Asks the catalog alone, and nothing that takes longer than a look at each file and each stale view.

use rusqlite::OptionalExtension as _;

use super::{Catalog, Error};
use crate::stream::Stream;

/// An archive in figures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// How far each stream is archived, in the order of [`Stream::ALL`]; of several scopes the furthest.
    pub watermarks: [Option<u64>; 2],
    /// `received_ts` of the newest events, milliseconds since the epoch.
    pub newest: Option<i64>,
    /// What the last run has archived, and of that what came late.
    pub new_events: u64,
    /// Of these what came after its neighbours.
    pub late: u64,
    /// Events of the last run whose line holds no PDU.
    pub damaged: u64,
    /// Events of which the last run met several rows.
    pub duplicates: u64,
    /// Ranges of ids that may still appear.
    pub gaps: u64,
    /// Transcripts that are not as the lines are.
    pub stale: u64,
    /// The lines, in bytes.
    pub bytes: u64,
    /// The catalog, in bytes.
    pub catalog_bytes: u64,
    /// Encrypted events that cannot be read; none: nothing is decrypted.
    pub undecryptable: Option<u64>,
    /// Files that events name and that are not there; none: no files are copied.
    pub missing_media: Option<u64>,
}

impl Catalog {
    /// The archive in figures.
    pub fn figures(&self) -> Result<Figures, Error> {
        let number =
            |sql: &str| Ok::<_, Error>(self.connection.query_row(sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs());
        let watermark = |stream: Stream| -> Result<Option<u64>, Error> {
            let sql = "select max(position) from watermark where stream = ?1";
            let found: Option<i64> = self.connection.query_row(sql, [stream.name()], |row| row.get(0))?;
            Ok(found.map(i64::unsigned_abs))
        };
        let last = "select live + backfill, late, damaged, duplicates from run order by run desc limit 1";
        let last = self.connection.query_row(last, [], |row| {
            Ok([row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?, row.get(3)?].map(i64::unsigned_abs))
        });
        let [new_events, late, damaged, duplicates] = last.optional()?.unwrap_or_default();
        // some of the last that came: one may have a time of its own
        let newest = "select max(received_ts) from (select received_ts from line order by line desc limit 100)";
        let numbers = self.decrypted_numbers()?;
        Ok(Figures {
            watermarks: [watermark(Stream::Live)?, watermark(Stream::Backfill)?],
            newest: self.connection.query_row(newest, [], |row| row.get(0))?,
            new_events,
            late,
            damaged,
            duplicates,
            gaps: number("select count(*) from gap")?,
            stale: number("select count(*) from stale where view = 'markdown'")?,
            bytes: number("select coalesce(sum(bytes), 0) from file")?,
            catalog_bytes: number("select page_count * page_size from pragma_page_count(), pragma_page_size()")?,
            missing_media: self
                .media_numbers()?
                .map(|numbers| numbers.lacking_of_asked().map(|(_, count)| count).sum()),
            undecryptable: numbers.map(|numbers| numbers.encrypted.saturating_sub(numbers.readable)),
        })
    }
}
