//! Puts in order what a first export, or a new catalog, has added without looking anything up: makes the indexes, and sets what
//! could not be known without them. Never looks at a file.
//!
//! Each step is a transaction of its own and does nothing when it is done already, so that who is stopped or killed between two
//! goes on with the next. From the first index on nothing is added until all are there: then the archive is indexed.

use std::time::Instant;

use rusqlite::Connection;
use tracing::debug;

use super::stale_views::MARK;
use super::writing::Writing;
use super::{Archive, Catalog, Error, Interrupt, Step, Steps};

/// Says by being there that the indexes are being made.
const FIRST: &str = "line_id";
/// Says by being there that they are all made.
const LAST: &str = "membership_alike";
/// Moves to its place, in order, what a first export has added to `membership`.
const TAKE_FIRST_MEMBERSHIP: &str = "
    insert or ignore into membership (room, user_id, origin_server_ts, topological_ordering, event_id, membership, given, looks)
    select * from first_membership order by room, user_id, origin_server_ts, topological_ordering, event_id;
    delete from first_membership;";

/// The statements of `indexes.sql`.
pub(super) fn statements() -> impl Iterator<Item = &'static str> {
    include_str!("indexes.sql").split_inclusive(';').filter(|statement| statement.contains("create"))
}

/// The name of the index that a statement makes.
fn name(statement: &str) -> &str {
    let rest = statement.split_once("if not exists ").map_or("", |(_, rest)| rest);
    rest.split(' ').next().unwrap_or_default()
}

/// Whether nothing is missing to look an event up.
pub(super) fn are_made(catalog: &Connection) -> Result<bool, Error> {
    has(catalog, LAST)
}

/// Whether some are there and others may be missing.
pub(super) fn are_begun(catalog: &Connection) -> Result<bool, Error> {
    Ok(has(catalog, FIRST)? && !has(catalog, LAST)?)
}

fn has(catalog: &Connection, index: &str) -> Result<bool, Error> {
    let sql = "select exists (select 1 from sqlite_schema where type = 'index' and name = ?1)";
    Ok(catalog.query_row(sql, [index], |row| row.get(0))?)
}

impl Archive {
    /// Makes the catalog's indexes, if they are not there yet, and before that, where events have several lines, leaves each one; ends early, with [`Error::Stopped`], when it is told to.
    pub fn index(&mut self) -> Result<(), Error> {
        if self.indexed {
            return Ok(());
        }
        let began = Instant::now();
        let catalog = self.catalog.connection.get_interrupt_handle();
        self.interrupt.clone().during(vec![catalog], || {
            for statement in statements().take(2) {
                self.step(|writing| Ok(writing.0.execute_batch(statement)?))?;
            }
            if self.catalog.write()?.has_second_lines()? {
                self.second_lines = self.take_out_second_lines()?;
            }
            let Archive { directory, catalog, hook, interrupt, lock, .. } = self;
            let mut steps = Steps { hook: hook.as_mut(), directory, held: lock.held() };
            put_in_order(catalog, interrupt, &mut steps)
        })?;
        self.catalog.set_journal()?;
        self.indexed = true;
        debug!(seconds = began.elapsed().as_secs_f64(), "indexes");
        self.catalog.let_state_follow(&self.directory, true)
    }

    fn step(&mut self, work: impl FnOnce(&Writing<'_>) -> Result<(), Error>) -> Result<(), Error> {
        let Archive { directory, catalog, hook, interrupt, lock, .. } = self;
        step(catalog, interrupt, &mut Steps { hook: hook.as_mut(), directory, held: lock.held() }, work)
    }
}

/// Does what is to be done once every event has one line.
pub(super) fn put_in_order(catalog: &mut Catalog, interrupt: &Interrupt, steps: &mut Steps<'_>) -> Result<(), Error> {
    step(catalog, interrupt, steps, |writing| Ok(writing.0.execute_batch(TAKE_FIRST_MEMBERSHIP)?))?;
    let mut missing = Vec::new();
    for statement in statements() {
        if !has(&catalog.connection, name(statement))? {
            missing.push(statement);
        }
    }
    let mut missing = missing.into_iter().peekable();
    while let Some(statement) = missing.next() {
        step(catalog, interrupt, steps, |writing| {
            writing.0.execute_batch(statement)?;
            if missing.peek().is_none() {
                writing.redact_all()?;
                writing.0.execute_batch(MARK)?;
                writing.clear_intent()?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn step(
    catalog: &mut Catalog,
    interrupt: &Interrupt,
    steps: &mut Steps<'_>,
    work: impl FnOnce(&Writing<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    steps.at(Step::Index)?;
    interrupt.check()?;
    let writing = catalog.write()?;
    work(&writing)?;
    writing.commit()
}

impl Writing<'_> {
    /// Whether what [`Writing::begin_to_index`] makes is there.
    pub(super) fn is_begun_to_index(&self) -> Result<bool, Error> {
        has(&self.0, FIRST)
    }

    /// Makes the index that finds an event by its id. The others are for [`Archive::index`].
    pub(super) fn begin_to_index(&self) -> Result<(), Error> {
        statements().take(1).try_for_each(|statement| Ok(self.0.execute_batch(statement)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_index_are_those_that_tell() {
        let statements: Vec<&str> = statements().collect();
        let makes = |at: usize, name: &str| statements[at].contains(&format!(" index if not exists {name} on "));
        assert!(statements.len() > 1 && makes(0, FIRST) && makes(statements.len() - 1, LAST), "{statements:?}");
    }
}
