//! A catalog of a version before this one: what it knows and no line says goes into the archive's state, from which and from the
//! lines a new one is made. The old one is left as it is, for its place to be taken last.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tracing::info;

use super::lock::Lock;
use super::place::CatalogLocation;
use super::{Archive, Catalog, Error, Interrupt, Readers, SecondLines};

/// What brings one of version 7 to version 8.
const TO_VERSION_8: &str = include_str!("catalog_upgrade.sql");
/// What one of version 9 lacks.
const OF_VERSION_9: &str = include_str!("catalog_upgrade_9.sql");
/// How many lines of an archive are about taken in in a second: 100,000 in 10,110 files took 1.4 s of CPU.
const LINES_A_SECOND: u64 = 60_000;
/// What a catalog of this version about takes of a disk, bytes an event: 368 of 200,000, 398 of 29,881 in
/// 17,996 files.
const BYTES_AN_EVENT: u64 = 400;

impl Archive {
    /// Undoes what was not finished, and writes the state from a catalog of a version before. Gives the lock back.
    pub(super) fn leave_state(
        directory: &Path,
        place: &CatalogLocation,
        mut old: Catalog,
        version: i64,
        interrupt: &Interrupt,
        lock: Lock,
    ) -> Result<Lock, Error> {
        old.guard = Some(lock.held());
        check(&old.connection)?;
        if version < 8 {
            let upgrade = old.connection.unchecked_transaction()?;
            upgrade.execute_batch(TO_VERSION_8)?;
            upgrade.pragma_update(None, "user_version", 8)?;
            upgrade.commit()?;
        }
        if version == 9 {
            let upgrade = old.connection.unchecked_transaction()?;
            upgrade.execute_batch(OF_VERSION_9)?;
            upgrade.commit()?;
        }
        place.check(&old)?;
        let mut old = Archive {
            directory: directory.to_owned(),
            catalog: old,
            hook: None,
            interrupt: interrupt.clone(),
            indexed: true,
            second_lines: SecondLines::default(),
            once: false,
            damaged: None,
            lost: 0,
            readers: Readers::Owner,
            lock,
        };
        old.recover()?;
        let Archive { catalog, lock, .. } = old;
        tell(&catalog.connection, version)?;
        catalog.leave_state(directory)?;
        Ok(lock)
    }
}

/// Says how long it takes, and how much of the disk.
fn tell(old: &Connection, version: i64) -> Result<(), Error> {
    let sql = "select coalesce(sum(events), 0), count(*) from file";
    let (events, files): (i64, i64) = old.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let events = events.unsigned_abs();
    if events == 0 {
        return Ok(());
    }
    let (minutes, megabytes) = (events / LINES_A_SECOND / 60 + 1, events * BYTES_AN_EVENT / 1_000_000 + 1);
    info!(
        events,
        files,
        version,
        "the catalog of version {version} is made anew from the lines, once: {events} events in {files} room-days, about {minutes} min, \
         and {megabytes} MB of the disk beside the old one, which goes last; what is cut off is gone on with"
    );
    Ok(())
}

/// Refuses one that has more than tables, indexes and the views `event` and `message`: who hands over an archive may have put something else
/// there.
fn check(old: &Connection) -> Result<(), Error> {
    old.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    let sql = "select type, name from sqlite_schema
                where type not in ('table', 'index') and (type, name) not in (values ('view', 'event'), ('view', 'message'))
                   or type = 'table' and sql like 'create virtual%'";
    let mut statement = old.prepare(sql)?;
    let mut others = statement.query([])?;
    match others.next()? {
        Some(row) => {
            let (kind, name): (String, String) = (row.get(0)?, row.get(1)?);
            Err(Error::altered(&format!("the {kind}"), &name))
        }
        None => Ok(()),
    }
}
