//! A run of `export`, as the catalog remembers it, from its begin to its end. Judges nothing: how a run ended is said by who ran it.

use std::{fmt, iter};

use rusqlite::types::{ToSql, ToSqlOutput};

use super::commit::EVERY_FILE;
use super::{Archive, Counts, Error, SecondLines, Selection, Step};
use crate::stream::{Position, Stream};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunOutcome {
    /// It has not: it goes on, or was killed.
    Running,
    /// Finished.
    Done,
    /// Finished, but something is off: rows that are damaged, unplaced, waited for or gone, or several of one event.
    Damaged,
    /// Told to stop; the next run goes on.
    Stopped,
    /// With an error.
    Failed,
    /// No run: the catalog was made anew from the files.
    Rebuilt,
}

impl RunOutcome {
    const ALL: [RunOutcome; 6] = [
        RunOutcome::Running,
        RunOutcome::Done,
        RunOutcome::Damaged,
        RunOutcome::Stopped,
        RunOutcome::Failed,
        RunOutcome::Rebuilt,
    ];

    /// The one that stands in the table `run` so.
    pub(super) fn of(text: &str) -> Result<RunOutcome, Error> {
        let found = RunOutcome::ALL.into_iter().find(|outcome| outcome.as_str() == text);
        found.ok_or_else(|| Error::altered("the outcome of a run", text))
    }

    /// As it stands in the table `run`, in `--json` and in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RunOutcome::Running => "running",
            RunOutcome::Done => "done",
            RunOutcome::Damaged => "damaged",
            RunOutcome::Stopped => "stopped",
            RunOutcome::Failed => "failed",
            RunOutcome::Rebuilt => "rebuilt",
        }
    }
}

impl fmt::Display for RunOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl ToSql for RunOutcome {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

/// The last run.
#[derive(Clone, Debug)]
pub struct LastRun {
    /// Its number.
    pub run: i64,
    /// RFC 3339, UTC.
    pub started: String,
    /// RFC 3339, UTC; none if it was killed.
    pub finished: Option<String>,
    /// How it ended.
    pub outcome: RunOutcome,
    /// Why it failed.
    pub error: Option<String>,
}

impl Archive {
    /// Begins a run and remembers what it is to export. The first one reads up to `heads` without looking anything up; one
    /// that goes on with it must read the same, else indexes are needed at once.
    pub fn begin_run(&mut self, selection: &Selection, heads: &[(Stream, Option<Position>)]) -> Result<i64, Error> {
        self.begin_or_resume_run(None, selection, heads)
    }

    /// The same, as a part of a run that there is already, if the catalog still knows that one.
    pub fn begin_or_resume_run(
        &mut self,
        resumed: Option<i64>,
        selection: &Selection,
        heads: &[(Stream, Option<Position>)],
    ) -> Result<i64, Error> {
        let is_first = !self.indexed && self.catalog.last_run()?.is_none();
        if !self.indexed && !is_first && self.catalog.selection()? != *selection {
            self.index()?;
        }
        if !self.indexed {
            self.steps().at(Step::Intend)?;
        }
        let is_other = self.catalog.selection()? != *selection;
        let writing = self.catalog.write()?;
        let run = match resumed {
            Some(run) if writing.resume_run(run)? => run,
            _ => writing.begin_run()?,
        };
        if is_other {
            writing.select(selection)?;
        }
        writing.pass_by(selection)?;
        if is_first {
            writing.begin_first_export(heads)?;
        }
        if !self.indexed {
            writing.intend(iter::once((EVERY_FILE, 0)))?;
        }
        writing.commit()?;
        Ok(run)
    }

    /// What [`Archive::index`] has taken out since this was last asked.
    pub fn second_lines(&mut self) -> SecondLines {
        std::mem::take(&mut self.second_lines)
    }

    /// The first export is done, the de-outliered events it left for last among them.
    pub fn end_first_export(&mut self) -> Result<(), Error> {
        let writing = self.catalog.write()?;
        writing.end_first_export()?;
        writing.commit()
    }

    /// Adds to what a run counts beside the events of its batches.
    pub fn count(&mut self, run: i64, counts: &Counts) -> Result<(), Error> {
        let writing = self.catalog.write()?;
        writing.count(run, counts, 1)?;
        writing.commit()
    }

    /// Ends a run that wrote to so many files. `error` must not quote any content.
    pub fn end_run(&mut self, run: i64, outcome: RunOutcome, error: Option<&str>, files: u64) -> Result<(), Error> {
        let writing = self.catalog.write()?;
        writing.end_run(run, outcome, error, files)?;
        writing.count_waiting(run)?;
        if error.is_none() {
            writing.clear_intent()?;
        }
        writing.commit()?;
        self.catalog.sync_state()
    }
}
