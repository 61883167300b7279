//! How large an archive is and what it is made of: sums over the catalog's rows. Reads no line, and keeps no more than it gives back.

use std::fs;
use std::path::PathBuf;

use rusqlite::{ToSql, params};

use super::{Catalog, Error};

/// What events are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupedBy {
    /// The room.
    Room,
    /// Who sent them.
    Sender,
    /// The UTC day of `origin_server_ts`.
    Day,
    /// The type of events.
    Type,
}

/// Which events are counted.
#[derive(Clone, Debug, Default)]
pub struct SharesOf {
    /// Only those of this room.
    pub room_id: Option<String>,
    /// Only those of this day, `YYYY-MM-DD`, and later ones.
    pub since: Option<String>,
    /// Only those of this day and earlier ones.
    pub until: Option<String>,
}

/// Events that have something in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The id of their room or sender, their day or their type; none: it is not known, as of damaged lines.
    pub of: Option<String>,
    /// What their room is called.
    pub name: Option<String>,
    /// How many there are, whatever Synapse thinks of them.
    pub events: u64,
    /// Their lines, in bytes.
    pub bytes: u64,
    /// The first of their days that is one; none: they have none.
    pub first_day: Option<String>,
    /// The last.
    pub last_day: Option<String>,
}

/// All of an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArchiveTotals {
    /// Rooms that have lines.
    pub rooms: u64,
    /// Files of lines.
    pub files: u64,
    /// Their lines.
    pub events: u64,
    /// In bytes.
    pub bytes: u64,
    /// The first day, if there is one.
    pub first_day: Option<String>,
    /// The last.
    pub last_day: Option<String>,
}

impl Catalog {
    /// How large the archive is.
    pub fn whole(&self) -> Result<ArchiveTotals, Error> {
        let sql = "select count(distinct room), count(*), coalesce(sum(events), 0), coalesce(sum(bytes), 0),
                          min(nullif(day, 'undated')), max(nullif(day, 'undated')) from file where events > 0";
        Ok(self.connection.query_row(sql, [], |row| {
            let number = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
            let (rooms, files, events, bytes) = (number(0)?, number(1)?, number(2)?, number(3)?);
            Ok(ArchiveTotals { rooms, files, events, bytes, first_day: row.get(4)?, last_day: row.get(5)? })
        })?)
    }

    /// Shows what the events that are asked for come to, at most `most` of it: the most events first, of days the newest.
    /// By sender or type it looks at each line, else at each file.
    pub fn shares(
        &self,
        by: GroupedBy,
        of: &SharesOf,
        most: u32,
        show: &mut dyn FnMut(Share) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (what, from, group, order) = match by {
            GroupedBy::Room => ("room.room_id, room.name", "file join room using (room)", "file.room", "3 desc, 1"),
            GroupedBy::Day => {
                ("file.day, null", "file join room using (room)", "file.day", "file.day = 'undated', 1 desc")
            }
            GroupedBy::Sender => ("user.user_id, null", LINES, "line.sender", "3 desc, 1"),
            GroupedBy::Type => ("type.name, null", LINES, "line.type", "3 desc, 1"),
        };
        let (events, bytes) = match by {
            GroupedBy::Room | GroupedBy::Day => ("sum(file.events)", "sum(file.bytes)"),
            GroupedBy::Sender | GroupedBy::Type => ("count(*)", "sum(line.length)"),
        };
        let sql = format!(
            "select {what}, {events}, {bytes}, min(nullif(file.day, 'undated')), max(nullif(file.day, 'undated')) from {from}
              where file.events > 0 and (?1 is null or room.room_id = ?1)
                and (?2 is null or file.day between ?2 and '9999-12-31') and (?3 is null or file.day <= ?3)
              group by {group} order by {order} limit ?4"
        );
        let mut statement = self.connection.prepare(&sql)?;
        let (room_id, since, until): (&dyn ToSql, &dyn ToSql, &dyn ToSql) = (&of.room_id, &of.since, &of.until);
        let mut rows = statement.query(params![room_id, since, until, most])?;
        while let Some(row) = rows.next()? {
            let number = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
            let (events, bytes) = (number(2)?, number(3)?);
            let (first_day, last_day) = (row.get(4)?, row.get(5)?);
            show(Share { of: row.get(0)?, name: row.get(1)?, events, bytes, first_day, last_day })?;
        }
        Ok(())
    }

    /// The bytes that the catalog has on disk, its journal among them.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let path = self.connection.path().map(PathBuf::from).unwrap_or_default();
        let length = |end: &str| {
            let mut path = path.clone().into_os_string();
            path.push(end);
            fs::symlink_metadata(path).map_or(0, |metadata| metadata.len())
        };
        ["", "-wal", "-journal"].into_iter().map(length).sum()
    }
}

/// Each line with what names it.
const LINES: &str = "file join room using (room) join line using (file) left join user on user.user = line.sender
                     left join type on type.type = line.type";
