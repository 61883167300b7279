//! The tables of an output in PostgreSQL: whose they are, which there are, what was taken from them. Touches no schema but the one that
//! is named, and none that is somebody else's.

use chrono::{Datelike as _, Utc};

use super::connection::WRITING;
use super::copy::month;
use super::{COLUMNS, PostgresOutput, literal, name};
use crate::outputs::Error;
use crate::outputs::rows::{OutputTable, day};

/// The tables.
const TABLES: &str = include_str!("schema.sql");
/// The first month of which there can be events, and so a partition of its own.
const FIRST_MONTH: &str = "2014-01";

/// Whose the schema is.
pub(super) enum SchemaState {
    Nothing,
    Own,
    /// Its own, with other columns than there are to be.
    Old,
}

impl PostgresOutput<'_> {
    pub(super) fn finds_itself(&self, had: bool) -> Result<SchemaState, Error> {
        let name = || self.output.name.clone();
        let exists = "select to_regclass('synapse_archive.output') is not null, exists (
                select from pg_class join pg_namespace on pg_namespace.oid = relnamespace where nspname = 'synapse_archive')";
        let exists = self.connection.rows("look into", exists)?;
        let exists: Vec<bool> = exists.iter().flatten().map(|value| value.as_deref() == Some("t")).collect();
        match exists[..] {
            [true, _] => {
                let whose = self.connection.rows("look into", "select id, columns from synapse_archive.output")?;
                let [whose] = &whose[..] else { return Err(Error::NotOurSchema(name())) };
                match &whose[..] {
                    [Some(id), _] if *id != self.output.id => Err(Error::NotOurSchema(name())),
                    [Some(_), Some(columns)] if columns == COLUMNS => Ok(SchemaState::Own),
                    _ => Ok(SchemaState::Old),
                }
            }
            [_, true] => Err(Error::NotOurSchema(name())),
            _ if had => Err(Error::NoSchema(name())),
            _ => Ok(SchemaState::Nothing),
        }
    }

    /// Makes the tables, in place of those with other columns.
    pub(super) fn make_tables(&self, are_there: bool) -> Result<(), Error> {
        let has_schema = "select to_regnamespace('synapse_archive') is not null";
        let has_schema =
            self.connection.rows("look into", has_schema)?.iter().flatten().any(|it| it.as_deref() == Some("t"));
        let first = match (has_schema, are_there) {
            (false, _) => "create schema synapse_archive;",
            (true, false) => "",
            (true, true) => {
                "drop view synapse_archive.message;
                 drop table synapse_archive.output, synapse_archive.part, synapse_archive.to_vacuum, synapse_archive.event,
                            synapse_archive.room, synapse_archive.member;"
            }
        };
        let id = literal(&self.output.id);
        let sql = format!(
            "begin; {first} {TABLES} insert into synapse_archive.output (id, columns) values ({id}, {}); commit",
            literal(COLUMNS)
        );
        self.connection.run("make tables in", &sql)
    }

    /// The table that the rows of a part stand in, which is made if it is not there.
    pub(super) fn relation(&self, part: &str) -> Result<String, Error> {
        let (table, month) = (OutputTable::of(part), month(part));
        match table {
            OutputTable::Events if day(part).is_none() => return Ok("event_undated".to_owned()),
            OutputTable::Events => {}
            table => return Ok(name(table).to_owned()),
        }
        let now = Utc::now();
        if month < FIRST_MONTH || *month > *format!("{:04}-{:02}", now.year(), now.month()) {
            return Ok("event_other".to_owned());
        }
        let relation = format!("event_{}", month.replace('-', "_"));
        let exists = format!("select to_regclass('synapse_archive.{relation}') is not null");
        if !self.connection.rows(WRITING, &exists)?.iter().flatten().any(|it| it.as_deref() == Some("t")) {
            let month = literal(month);
            // readers are let through for as long as may be: who waits for them bars the way of others
            let sql = format!(
                "begin; set local lock_timeout = '30s';
                 create table synapse_archive.{relation} (like synapse_archive.event including defaults);
                 with moved as (delete from synapse_archive.event_other where month = {month} returning *)
                 insert into synapse_archive.{relation} select * from moved;
                 insert into synapse_archive.to_vacuum (name) values ('event_other') on conflict do nothing;
                 alter table synapse_archive.event attach partition synapse_archive.{relation} for values in ({month});
                 commit"
            );
            self.connection.run("make tables in", &sql)?;
        }
        Ok(relation)
    }

    /// Vacuums the tables from which something was taken; false: of one somebody still sees what was taken.
    pub(super) fn vacuum(&self) -> Result<bool, Error> {
        // what this session has counted so far is told before VACUUM counts anew
        const TELL: &str = "do $$ begin
                if to_regproc('pg_stat_force_next_flush') is null then perform pg_sleep(1.5); else perform pg_stat_force_next_flush(); end if;
            end $$";
        let tables =
            "select name from synapse_archive.to_vacuum where to_regclass('synapse_archive.' || name) is not null";
        let mut is_clean = true;
        for table in self.connection.rows("look into", tables)?.into_iter().flatten().flatten() {
            let quoted = literal(&table);
            self.connection.run("vacuum tables of", TELL)?;
            let vacuum = format!("vacuum synapse_archive.\"{}\"", table.replace('"', "\"\""));
            self.connection.run("vacuum tables of", &vacuum)?;
            self.connection.run("vacuum tables of", TELL)?;
            // what somebody may still see is counted as dead, and stays
            let held = format!(
                "select coalesce(sum(pg_stat_get_dead_tuples(oid)), 0)::text <> '0' from (
                     select oid from pg_class where oid = to_regclass('synapse_archive.' || {quoted})
                     union all select reltoastrelid from pg_class where oid = to_regclass('synapse_archive.' || {quoted})) of"
            );
            let is_held =
                self.connection.rows("look into", &held)?.iter().flatten().any(|it| it.as_deref() != Some("f"));
            if is_held {
                is_clean = false;
            } else {
                self.connection
                    .run(WRITING, &format!("delete from synapse_archive.to_vacuum where name = {quoted}"))?;
            }
        }
        Ok(is_clean)
    }
}
