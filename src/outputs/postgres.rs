//! The output in another PostgreSQL: tables of its own in a schema of its own, `synapse_archive`.
//!
//! A part, a day as a rule, is made in one transaction, in which also stands that it is made, and of what: so that it is there once,
//! whatever was cut off, and an archive or a database that was restored from a backup is told by that. What is new is copied straight
//! into its month; of what was there before the difference is written. Writes to no database that has Synapse's tables, and reads none
//! of those of others.

mod connection;
mod copy;
mod jsonb;
mod tables;

use std::sync::mpsc::Receiver;

use sha2::{Digest as _, Sha256};
use tokio_postgres::error::SqlState;

use super::rows::{self, Group as _, OutputTable, Piece, SCHEMA as COLUMNS, day};
use super::{Destination, Environment, Error, MadeFiles};
use crate::archive::{self, Archive, Interrupt, Output, OutputFile};
use crate::event::hex::digits as hex;
use crate::source::ServerError;
use connection::{OutputConnection, WRITING};
use copy::{CopyData, HEADER, TRAILER, columns, month};
use tables::SchemaState;

/// The schema.
pub(super) const SCHEMA: &str = "synapse_archive";
/// How many parts are compared at once.
const COMPARED: usize = 10_000;
/// After how many new rows PostgreSQL is to look anew at what there is, which no autovacuum does for all partitions together.
const ANALYZED: u64 = 100_000;

/// A database that is to be fed.
pub(super) struct PostgresOutput<'a> {
    output: &'a Output,
    connection: OutputConnection,
    /// Rows that were written straight.
    new: u64,
}

/// Makes sure that an address leads to a database that may become, or is, an output's.
pub(super) fn check(output: &Output, address: &str, interrupt: &Interrupt, env: Environment<'_>) -> Result<(), Error> {
    PostgresOutput::connect(output, address, interrupt, env)?.finds_itself(false).map(drop)
}

/// What helps against what PostgreSQL says.
pub(super) fn hint(error: &ServerError) -> &'static str {
    const PASSWORD: &str = "check the password, which is in ~/.pgpass, or in a service of pg_service.conf";
    match error.code() {
        None if error.to_string().ends_with("password missing") => PASSWORD,
        Some(code) if *code == SqlState::INVALID_PASSWORD => PASSWORD,
        Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => {
            "sql/output_role.sql makes a role that may do what is needed, and the schema, which must be that role's"
        }
        Some(code) if *code == SqlState::UNDEFINED_DATABASE => "make it: createdb archive",
        Some(code) if *code == SqlState::LOCK_NOT_AVAILABLE => "others hold the tables; the next run goes on from here",
        None => crate::source::CHECK_THE_WAY,
        Some(_) => "see what PostgreSQL's own log says about it; the next run goes on from here",
    }
}

/// What became of a part.
enum Became {
    /// It is there, with rows or without.
    Made(Option<OutputFile>),
    /// Some of its events are there already, of another day.
    Elsewhere,
}

impl<'a> PostgresOutput<'a> {
    pub(super) fn connect(
        output: &'a Output,
        address: &str,
        interrupt: &Interrupt,
        env: Environment<'_>,
    ) -> Result<PostgresOutput<'a>, Error> {
        Ok(PostgresOutput { output, connection: OutputConnection::open(output, address, interrupt, env)?, new: 0 })
    }

    /// Says what the database has, part by part.
    fn compare(&self, archive: &mut Archive) -> Result<(), Error> {
        let mut last = String::new();
        archive.compare_output(&self.output.name, &mut || {
            let sql = format!(
                "select part, rows, bytes, sha256 from synapse_archive.part where part > {} order by part limit {COMPARED}",
                literal(&last)
            );
            let rows = self.connection.rows("look into", &sql)?;
            let parts = rows.into_iter().filter_map(|row| {
                let [Some(path), Some(rows), Some(bytes), Some(sha256)] = <[_; 4]>::try_from(row).ok()? else { return None };
                Some(OutputFile { path, rows: rows.parse().ok()?, bytes: bytes.parse().ok()?, sha256 })
            });
            let parts: Vec<OutputFile> = parts.collect();
            if let Some(part) = parts.last() {
                last.clone_from(&part.path);
            }
            Ok(parts)
        })
    }

    /// Makes parts, and says which of them have events that are of another part until now. `again`: nothing is written straight.
    fn parts(
        &mut self,
        archive: &Archive,
        parts: &[String],
        again: bool,
        made: &mut MadeFiles,
        told: &mut dyn FnMut(),
    ) -> Result<Vec<String>, Error> {
        rows::read(archive, self.output, parts, |pieces| {
            let mut elsewhere = Vec::new();
            while let Ok(Piece::Part(part)) = pieces.recv() {
                match self.part(&part, pieces, again)? {
                    Became::Made(file) => {
                        made.files.extend(file.map(|file| (part, file)));
                        told();
                    }
                    Became::Elsewhere => elsewhere.push(part),
                }
            }
            Ok(elsewhere)
        })
    }

    fn part(&mut self, part: &str, pieces: &Receiver<Piece<CopyData>>, again: bool) -> Result<Became, Error> {
        let (table, id) = (OutputTable::of(part), literal(part));
        let relation = self.relation(part)?;
        self.connection.run(WRITING, "begin")?;
        let known = format!("select sha256 from synapse_archive.part where part = {id}");
        let known = self.connection.rows(WRITING, &known)?.into_iter().flatten().next().flatten();
        let columns = columns(table).join(", ");
        let is_straight = known.is_none() && !again;
        let to = if is_straight {
            format!("synapse_archive.{relation}")
        } else {
            let staged = format!("create temp table staged (like synapse_archive.{}) on commit drop", name(table));
            self.connection.run(WRITING, &staged)?;
            "pg_temp.staged".to_owned()
        };
        let Some(file) = self.copy(part, &to, &columns, pieces)? else {
            self.connection.run(WRITING, "rollback")?;
            return Ok(Became::Elsewhere);
        };
        if known.as_ref() == Some(&file.sha256) {
            self.connection.run(WRITING, "rollback")?;
            return Ok(Became::Made(Some(file)));
        }
        if is_straight {
            self.new += file.rows;
        } else {
            self.merge(table, part, &relation)?;
        }
        let OutputFile { rows, bytes, sha256, .. } = &file;
        let kept = if *rows == 0 {
            format!("delete from synapse_archive.part where part = {id}")
        } else {
            format!(
                "insert into synapse_archive.part (part, rows, bytes, sha256) values ({id}, {rows}, {bytes}, {})
                 on conflict (part) do update set rows = excluded.rows, bytes = excluded.bytes, sha256 = excluded.sha256",
                literal(sha256)
            )
        };
        self.connection.run(WRITING, &kept)?;
        self.connection.run(WRITING, "commit")?;
        Ok(Became::Made(Some(file).filter(|file| file.rows > 0)))
    }

    /// Copies a part's rows as they come; none: some are there already.
    fn copy(
        &self,
        part: &str,
        to: &str,
        columns: &str,
        pieces: &Receiver<Piece<CopyData>>,
    ) -> Result<Option<OutputFile>, Error> {
        let mut file = OutputFile { path: part.to_owned(), rows: 0, bytes: 0, sha256: String::new() };
        let mut hash = Sha256::new();
        let mut copying = self.connection.copy(&format!("copy {to} ({columns}) from stdin (format binary)"))?;
        self.connection.send(&mut copying, HEADER.to_vec())?;
        loop {
            match pieces.recv() {
                Ok(Piece::Rows(rows)) => {
                    file.rows += rows.count() as u64;
                    file.bytes += rows.bytes.len() as u64;
                    hash.update(&rows.bytes);
                    self.connection.send(&mut copying, rows.bytes)?;
                }
                Ok(Piece::End) => break,
                // who reads says why
                _ => return Err(archive::Error::Transcript(std::io::ErrorKind::BrokenPipe.into()).into()),
            }
        }
        self.connection.send(&mut copying, TRAILER.to_vec())?;
        file.sha256 = hex(&hash.finalize());
        Ok(self.connection.finish(copying)?.then_some(file))
    }

    /// Writes the difference between what is staged and what was there.
    fn merge(&self, table: OutputTable, part: &str, relation: &str) -> Result<(), Error> {
        let (key, of_part) = match (table, day(part)) {
            (OutputTable::Events, Some(day)) => {
                (&["event_id", "month"][..], format!("month = {} and day = {}", literal(month(part)), literal(day)))
            }
            (OutputTable::Events, None) => (&["event_id", "month"][..], format!("month = {}", literal(month(part)))),
            (OutputTable::Rooms, _) => (&["room_id"][..], "true".to_owned()),
            (OutputTable::Members, _) => (&["room_id", "user_id"][..], "true".to_owned()),
        };
        let (name, columns) = (name(table), columns(table));
        let all = columns.join(", ");
        let same_key: Vec<String> = key.iter().map(|key| format!("there.{key} = staged.{key}")).collect();
        let (same_key, key) = (same_key.join(" and "), key.join(", "));
        let listed = |of: &str| columns.iter().map(|column| format!("{of}.{column}")).collect::<Vec<_>>().join(", ");
        let set = columns.iter().map(|column| format!("{column} = excluded.{column}")).collect::<Vec<_>>().join(", ");
        let month = if table == OutputTable::Events {
            format!(" and there.month = {}", literal(month(part)))
        } else {
            String::new()
        };
        self.connection.run(WRITING, "analyze pg_temp.staged")?;
        let gone = self.connection.change(
            WRITING,
            &format!(
                "delete from synapse_archive.{name} there where {of_part}
                    and not exists (select from pg_temp.staged staged where {same_key})"
            ),
        )?;
        // rows that say the same stay as they are
        let written = self.connection.change(
            WRITING,
            &format!(
                "insert into synapse_archive.{name} ({all})
                 select {} from pg_temp.staged staged left join synapse_archive.{name} there on {same_key}{month}
                  where row({}) is distinct from row({})
                     on conflict ({key}) do update set {set}",
                listed("staged"),
                listed("there"),
                listed("staged")
            ),
        )?;
        if gone + written > 0 {
            let sql = format!(
                "insert into synapse_archive.to_vacuum (name) values ({}) on conflict do nothing",
                literal(relation)
            );
            self.connection.run(WRITING, &sql)?;
        }
        Ok(())
    }
}

impl Destination for PostgresOutput<'_> {
    fn begin(&mut self, archive: &mut Archive, had: bool, anew: bool) -> Result<(), Error> {
        match self.finds_itself(had)? {
            SchemaState::Own => {}
            SchemaState::Nothing => self.make_tables(false)?,
            SchemaState::Old => self.make_tables(true)?,
        }
        if anew {
            self.connection.run(WRITING, "update synapse_archive.part set sha256 = ''")?;
        }
        self.compare(archive)
    }

    fn make(&mut self, archive: &Archive, parts: &[String], told: &mut dyn FnMut(u64)) -> Result<MadeFiles, Error> {
        let (mut made, mut done) = (MadeFiles::default(), 0);
        let mut told = || {
            done += 1;
            told(done);
        };
        let elsewhere = self.parts(archive, parts, false, &mut made, &mut told)?;
        if !elsewhere.is_empty() {
            self.parts(archive, &elsewhere, true, &mut made, &mut told)?;
        }
        Ok(made)
    }

    fn end(&mut self, _archive: &Archive) -> Result<u64, Error> {
        if self.new >= ANALYZED {
            self.connection.run(WRITING, "analyze synapse_archive.event")?;
        }
        Ok(0)
    }

    fn clean(&mut self) -> Result<bool, Error> {
        self.vacuum()
    }
}

fn name(table: OutputTable) -> &'static str {
    match table {
        OutputTable::Events => "event",
        OutputTable::Rooms => "room",
        OutputTable::Members => "member",
    }
}

/// A text in SQL.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
