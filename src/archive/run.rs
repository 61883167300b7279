//! A run of `export`, as the catalog remembers it. Judges nothing: how a run ended is said by who ran it.

use std::fmt;

use rusqlite::types::{ToSql, ToSqlOutput};

use super::Error;

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
