//! Brings files of lines of past days into compressed form, or back. What the files say stays as it is, so neither the catalog, the state
//! nor the chain learn of it. One file at a time: who is killed leaves at most one in both forms, which count as one.

use rusqlite::params;

use super::lines::{self, Form};
use super::writing::signed;
use super::{Archive, Error, Step, Steps};
use crate::event::Day;

/// How many files are asked for at a time.
const AT_ONCE: i64 = 1_000;

/// What was brought into another form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Files of lines.
    pub files: u64,
    /// Their bytes on the disk, before.
    pub before: u64,
    /// The same, after.
    pub after: u64,
}

impl Archive {
    /// Compresses the lines of the days before that of a time, milliseconds since the epoch; never those of `undated`. `told` hears how
    /// many files were looked at, and of how many.
    pub fn compact(&mut self, before: i64, told: &mut dyn FnMut(u64, u64)) -> Result<Compacted, Error> {
        self.reform(&Day::of(Some(before)).to_string(), Form::Compressed, told)
    }

    /// Brings all lines back into plain files.
    pub fn expand(&mut self, told: &mut dyn FnMut(u64, u64)) -> Result<Compacted, Error> {
        // behind every day there is
        self.reform("~", Form::Plain, told)
    }

    fn reform(&mut self, before: &str, form: Form, told: &mut dyn FnMut(u64, u64)) -> Result<Compacted, Error> {
        let Archive { directory, catalog, hook, lock, readers, interrupt, .. } = self;
        let mut steps = Steps { hook: hook.as_mut(), directory, held: lock.held() };
        let sql = "select count(*) from file where day < ?1";
        let all: i64 = catalog.connection.query_row(sql, [before], |row| row.get(0))?;
        let (mut compacted, mut done, mut last) = (Compacted::default(), 0, 0);
        let sql = "select file, 'rooms/' || directory || '/' || day || '.jsonl', bytes from file join room using (room)
                    where file > ?1 and day < ?2 order by file limit ?3";
        loop {
            let mut statement = catalog.connection.prepare_cached(sql)?;
            let rows = statement.query_map(params![last, before, AT_ONCE], |row| {
                Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?.unsigned_abs()))
            })?;
            let files = rows.collect::<Result<Vec<_>, _>>()?;
            if files.is_empty() {
                return Ok(compacted);
            }
            for (file, path, bytes) in files {
                interrupt.check()?;
                let reformed = lines::reform(directory, &path, bytes, form, *readers, &mut || steps.at(Step::Replace))?;
                if let Some(reformed) = reformed {
                    compacted.files += 1;
                    compacted.before += reformed.before;
                    compacted.after += reformed.after;
                }
                (last, done) = (file, done + 1);
                told(done, signed(done).max(all).unsigned_abs());
            }
        }
    }
}
