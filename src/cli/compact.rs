//! `synapse-export compact`: the lines of past days, compressed or plain again; from the archive alone.
//!
//! Asks no database.

use std::time::Instant;

use anyhow::Result;
use chrono::Utc;
use indicatif::{HumanBytes, HumanCount};
use tracing::info;

use super::report::{Bar, counted};
use super::signals::{Now, interrupt, watch_signals};
use super::{ArchiveArgs, Outcome};
use crate::archive::{self, Age};

/// Compress the lines of past days: a day's .jsonl becomes .jsonl.zst, which zstdcat and zstdgrep read, and every command as before. Nothing
/// else changes, and --expand brings all of them back
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    #[command(flatten)]
    archive: ArchiveArgs,
    /// Days that are older: a number of days like 90d, or a date; never today
    #[arg(long, value_name = "AGE", default_value = "90d")]
    older_than: Age,
    /// Bring every day back into a plain file
    #[arg(long, conflicts_with = "older_than")]
    expand: bool,
}

const AFTER_HELP: &str = "\
It is done once: run it again, as after each export, for the days that are past by then. What comes late for a compressed day is appended to it \
compressed. docs/compact.md says what reads such files, and how.";

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let (stop, _stopped) = tokio::sync::watch::channel(false);
    let signal = watch_signals(stop, Now::is("stopping behind this file"))?;
    // as a look only: no archive is made where there is none
    args.archive.find()?;
    let began = Instant::now();
    let mut bar = Bar::new();
    let mut told = |done, all| {
        let text = || format!("looked at {} of {}", HumanCount(done), counted(all, "room-day"));
        bar.show_of(done, all, text, |part, line| info!(part, days = done, "{line}"));
    };
    let mut reform = || {
        let mut archive = args.archive.open(interrupt(&signal))?;
        let now = Utc::now().timestamp_millis();
        if args.expand {
            archive.expand(&mut told)
        } else {
            archive.compact(args.older_than.before(now).min(now), &mut told)
        }
    };
    let reformed = reform();
    bar.end();
    let done = match (reformed, *signal.borrow()) {
        (Err(archive::Error::Stopped), Some(number)) => return Ok(Outcome::Signalled(number)),
        (reformed, _) => reformed?,
    };
    let (days, what) = (counted(done.files, "room-day"), if args.expand { "expanded" } else { "compressed" });
    let (before, after) = (HumanBytes(done.before), HumanBytes(done.after));
    info!(
        days = done.files,
        before = done.before,
        after = done.after,
        seconds = began.elapsed().as_secs_f64(),
        "{what} {days}, {before} to {after}, {:.1} s",
        began.elapsed().as_secs_f64()
    );
    Ok(Outcome::Done)
}
