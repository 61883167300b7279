//! Events that are in the database without their PDU: they wait a day for it, from the run that first met them, since it may be
//! on its way, as to a logical subscriber. Then they are archived as they are, damaged.

use rusqlite::{OptionalExtension as _, params};

use super::catalog::key;
use super::writing::Writing;
use super::{Batch, Catalog, Error};
use crate::event::{Event, EventId, OwnedEventId, OwnedRoomId};

/// Whether what waits has waited for a day when the run ?2 begins.
const OVERDUE: &str = "datetime(waiting.since, '+1 day') <= (select datetime(started) from run where run = ?2)";

/// Whether what waits is of a room that is exported.
const SELECTED: &str = "room_id not in (select room_id from selection where mode = 'exclude')
    and (room_id in (select room_id from selection where mode = 'include')
         or not exists (select 1 from selection where mode = 'include'))";

impl Catalog {
    /// The next events of exported rooms that wait for their PDU, after one of them, in order.
    pub fn waiting(&self, after: EventId<'_>, most: u32) -> Result<Vec<(OwnedEventId, OwnedRoomId)>, Error> {
        let sql = format!(
            "select event_id, room_id from waiting where event_id > ?1 and {SELECTED} order by event_id limit ?2"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![after, most], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many events of exported rooms wait for their PDU.
    pub fn waiting_count(&self) -> Result<u64, Error> {
        let sql = format!("select count(*) from waiting where {SELECTED}");
        Ok(self.connection.query_row(&sql, [], |row| row.get::<_, i64>(0))?.unsigned_abs())
    }

    /// Whether an event waits for its PDU.
    pub fn is_waiting(&self, event: EventId<'_>) -> Result<bool, Error> {
        let mut statement =
            self.connection.prepare_cached("select exists (select 1 from waiting where event_id = ?1)")?;
        Ok(statement.query_row([event], |row| row.get(0))?)
    }

    /// Lets those events of a batch wait no longer that have waited for a day, or are archived already.
    pub(super) fn give_up(&self, batch: &mut Batch, run: i64) -> Result<(), Error> {
        let key = key!("?1");
        let sql = format!(
            "select exists (select 1 from line where id_key = {key} and event_id = ?1)
                 or exists (select 1 from waiting where event_id = ?1 and {OVERDUE})"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        for taken in std::mem::take(&mut batch.missing) {
            let is_over = statement.query_row(params![taken.0.event_id, run], |row| row.get(0))?;
            if is_over { &mut batch.events } else { &mut batch.missing }.push(taken);
        }
        Ok(())
    }
}

impl Writing<'_> {
    /// Lets an event wait for its PDU, from this run on unless it does already.
    pub(super) fn wait_for(&self, event: &Event, run: i64) -> Result<(), Error> {
        let sql =
            "insert or ignore into waiting (event_id, room_id, since) select ?1, ?2, started from run where run = ?3";
        self.0.prepare_cached(sql)?.execute(params![event.event_id, event.room_id, run])?;
        Ok(())
    }

    /// Whether some event waits for its PDU.
    pub(super) fn is_any_waiting(&self) -> Result<bool, Error> {
        Ok(self.0.prepare_cached("select exists (select 1 from waiting)")?.query_row([], |row| row.get(0))?)
    }

    /// An event that is archived waits no longer.
    pub(super) fn wait_no_longer(&self, event: EventId<'_>) -> Result<(), Error> {
        self.0.prepare_cached("delete from waiting where event_id = ?1")?.execute([event])?;
        Ok(())
    }

    /// Forgets an event that the database does not have any more, once it has waited for a day; its room.
    pub(super) fn forget_gone(&self, event: EventId<'_>, run: i64) -> Result<Option<OwnedRoomId>, Error> {
        let sql = format!("delete from waiting where event_id = ?1 and {OVERDUE} returning room_id");
        Ok(self.0.prepare_cached(&sql)?.query_row(params![event, run], |row| row.get(0)).optional()?)
    }

    /// Records how many events wait at the end of a run.
    pub(super) fn count_waiting(&self, run: i64) -> Result<(), Error> {
        let sql = format!("update run set waiting = (select count(*) from waiting where {SELECTED}) where run = ?1");
        self.0.execute(&sql, [run])?;
        Ok(())
    }
}
