//! Outputs as the catalog keeps them: what each is, which of its parts are not as the archive is, which files it has.
//!
//! What an output is, is a setting, and so promised in the state. How far it is lies in tables of its own, which are there only while there
//! is an output: triggers note the lines that change, and [`Archive::tell_outputs`] says which parts that makes stale. A catalog that is
//! made anew has none of it, and every part is stale again. Writes no output, and knows of no format.

mod pending;
mod telling;

use std::path::PathBuf;

use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::writing::{Writing, signed};
use super::{Archive, Catalog, Error};

/// The tables and triggers.
pub(super) const TABLES: &str = include_str!("outputs.sql");
/// What the names of settings begin with that say what an output is.
const SETTING: &str = "output ";
/// The parts that are no days.
pub(crate) const ROOMS: &str = "rooms";
/// As [`ROOMS`].
pub(crate) const MEMBERS: &str = "members";

/// What an output is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option")]
pub struct Output {
    /// Its name.
    #[serde(skip)]
    pub name: String,
    /// What tells it from every other, as its directory says whose it is.
    pub id: String,
    /// Where it is.
    #[serde(flatten)]
    pub to: To,
    /// With what redacted events say.
    #[serde(default)]
    pub with_redacted: bool,
    /// Whatever the archive knows of whom the server has erased.
    #[serde(default)]
    pub with_erased: bool,
    /// With events that the server rejected or soft-failed.
    #[serde(default)]
    pub with_rejected: bool,
    /// With what encrypted events say, as far as the archive knows it.
    #[serde(default)]
    pub with_decrypted: bool,
    /// With what each event proves of itself.
    #[serde(default)]
    pub with_verdicts: bool,
    /// It is fed at the end of each export.
    #[serde(default)]
    pub on_export: bool,
}

/// Where an output is, and so what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum To {
    /// A directory of Parquet files.
    #[serde(rename = "parquet")]
    Parquet(PathBuf),
    /// A PostgreSQL database: a connection string without a password.
    #[serde(rename = "postgres")]
    Postgres(String),
}

/// A file of an output, or a part of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutputFile {
    /// Below the output's directory; of a database the part.
    pub(crate) path: String,
    pub(crate) rows: u64,
    /// Its length; of a database what was sent.
    pub(crate) bytes: u64,
    /// Of what it says, in hexadecimal digits.
    pub(crate) sha256: String,
}

/// How far an output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputStanding {
    /// How many of its parts are known not to be as the archive is; none: it was never fed, or the catalog was made anew since.
    pub stale: Option<u64>,
    /// Its files.
    pub files: u64,
    /// Their rows.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Catalog {
    /// The outputs, by name.
    pub fn outputs(&self) -> Result<Vec<Output>, Error> {
        let sql = "select substr(name, ?1), value from setting where name glob ?2 order by name";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![signed(SETTING.len() as u64 + 1), format!("{SETTING}*")])?;
        let mut outputs = Vec::new();
        while let Some(row) = rows.next()? {
            let (name, value): (String, String) = (row.get(0)?, row.get(1)?);
            let output: Output = serde_json::from_str(&value).map_err(|_| Error::altered("the output", &name))?;
            outputs.push(Output { name, ..output });
        }
        Ok(outputs)
    }

    /// How far an output is.
    pub fn output_standing(&self, name: &str) -> Result<OutputStanding, Error> {
        if !self.has_output_tables()? {
            return Ok(OutputStanding { stale: None, files: 0, rows: 0, bytes: 0 });
        }
        let sql = "select (select count(*) from output_stale where output = ?1), count(*), coalesce(sum(rows), 0),
                            coalesce(sum(bytes), 0)
                     from output_file where output = ?1";
        let number = |row: &rusqlite::Row<'_>, at| row.get::<_, i64>(at).map(i64::unsigned_abs);
        Ok(self.connection.query_row(sql, [name], |row| {
            Ok(OutputStanding {
                stale: Some(number(row, 0)?),
                files: number(row, 1)?,
                rows: number(row, 2)?,
                bytes: number(row, 3)?,
            })
        })?)
    }

    /// At most `most` parts of an output that are stale, in order; none of them before there are indexes.
    pub(crate) fn stale_parts(&self, name: &str, most: usize) -> Result<Vec<String>, Error> {
        let sql = "select part from output_stale where output = ?1 order by part limit ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![name, signed(most as u64)], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The files of an output, by path.
    pub(crate) fn each_output_file(
        &self,
        name: &str,
        take: &mut dyn FnMut(OutputFile) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let sql = "select path, rows, bytes, sha256 from output_file where output = ?1 order by path";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([name])?;
        while let Some(row) = rows.next()? {
            let [lines, bytes] = [row.get::<_, i64>(1)?, row.get(2)?].map(i64::unsigned_abs);
            take(OutputFile { path: row.get(0)?, rows: lines, bytes, sha256: row.get(3)? })?;
        }
        Ok(())
    }

    /// Whether an output has a file of a part.
    pub(crate) fn has_output_file(&self, name: &str, path: &str) -> Result<bool, Error> {
        let sql = "select exists (select 1 from output_file where output = ?1 and path = ?2)";
        Ok(self.connection.prepare_cached(sql)?.query_row([name, path], |row| row.get(0))?)
    }

    fn has_output_tables(&self) -> Result<bool, Error> {
        let sql = "select exists (select 1 from sqlite_schema where name = 'output_told')";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }
}

impl Archive {
    /// Remembers an output, all of which is to be made, in place of one of that name.
    pub fn add_output(&mut self, output: &Output) -> Result<(), Error> {
        let value = serde_json::to_string(output).map_err(|_| Error::altered("the output", &output.name))?;
        let has_tables = self.catalog.has_output_tables()?;
        let writing = self.catalog.write()?;
        writing.set(&format!("{SETTING}{}", output.name), value)?;
        if has_tables {
            writing.forget_output(&output.name)?;
            writing.all_is_stale(&output.name)?;
        }
        writing.commit()
    }

    /// Forgets an output; its files stay.
    pub fn remove_output(&mut self, name: &str) -> Result<(), Error> {
        let is_last = self.catalog.outputs()?.iter().all(|output| output.name == name);
        let has_tables = self.catalog.has_output_tables()?;
        let writing = self.catalog.write()?;
        for setting in [SETTING, pending::SETTING] {
            writing.0.execute("delete from setting where name = ?1", [format!("{setting}{name}")])?;
        }
        if has_tables && is_last {
            writing.0.execute_batch(&drop_all())?;
        } else if has_tables {
            writing.forget_output(name)?;
        }
        writing.commit()
    }

    /// Says that all of an output is to be made anew.
    pub fn begin_output_anew(&mut self, name: &str) -> Result<(), Error> {
        if self.catalog.has_output_tables()? {
            let writing = self.catalog.write()?;
            writing.all_is_stale(name)?;
            writing.commit()?;
        }
        Ok(())
    }

    /// These parts of an output are as the archive is, and these are their files, each with its part.
    pub(crate) fn parts_are_made(
        &mut self,
        name: &str,
        parts: &[String],
        files: &[(String, OutputFile)],
    ) -> Result<(), Error> {
        let writing = self.catalog.write()?;
        for part in parts {
            writing
                .0
                .prepare_cached("delete from output_stale where output = ?1 and part = ?2")?
                .execute([name, part])?;
            writing
                .0
                .prepare_cached("delete from output_file where output = ?1 and part = ?2")?
                .execute([name, part])?;
        }
        let sql = "insert into output_file (output, part, path, rows, bytes, sha256) values (?1, ?2, ?3, ?4, ?5, ?6)";
        for (part, OutputFile { path, rows, bytes, sha256 }) in files {
            let values = params![name, part, path, signed(*rows), signed(*bytes), sha256];
            writing.0.prepare_cached(sql)?.execute(values)?;
        }
        writing.commit()
    }
}

impl Writing<'_> {
    fn all_is_stale(&self, name: &str) -> Result<(), Error> {
        // also the days of files that it has and the archive no more
        let sql = "insert or ignore into output_stale (output, part)
                   select ?1, day from file union select ?1, part from output_file where output = ?1
                   union select ?1, value from json_each(json_array(?2, ?3))";
        self.0.execute(sql, [name, ROOMS, MEMBERS])?;
        Ok(())
    }

    fn forget_output(&self, name: &str) -> Result<(), Error> {
        self.0.execute("delete from output_stale where output = ?1", [name])?;
        self.0.execute("delete from output_file where output = ?1", [name])?;
        Ok(())
    }
}

/// Drops what [`TABLES`] makes.
fn drop_all() -> String {
    let made = TABLES.lines().filter_map(|line| line.strip_prefix("create "));
    let mut drops: Vec<String> = made
        .map(|made| {
            let mut words = made.split(' ');
            let (kind, name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            format!("drop {kind} if exists {name};")
        })
        .collect();
    // triggers before what they write to
    drops.reverse();
    drops.concat()
}
