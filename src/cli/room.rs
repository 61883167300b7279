//! `synapse-export room`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use chrono::{DateTime, NaiveDate, NaiveTime};

use super::database::DatabaseArgs;
use super::{Outcome, report, say};
use crate::source::{self, Database};

/// Dump one room as it is now, in the room's own order: the lines that an archive would have, without one
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    database: DatabaseArgs,
    /// The room's id (!…) or local alias (#…)
    room: String,
    /// Only events sent at or after this time: a date (UTC), or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<i64>,
    /// Only events sent before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<i64>,
    /// Write to this file, which must not exist yet, instead of stdout
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let config = args.database.config()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let database = Database::connect(&config).await?;
        let room_id = database.room_id(&args.room).await?;
        let mut rows = database.room(&room_id, args.since, args.until);
        let mut out: Box<dyn Write> = match &args.output {
            Some(path) => Box::new(create(path)?),
            None => Box::new(std::io::stdout().lock()),
        };
        let (mut events, mut damaged) = (0_u64, 0_u64);
        loop {
            let chunk = rows.recv().await.ok_or(source::Error::BrokeOff)??;
            if chunk.is_empty() {
                break;
            }
            let mut lines = String::new();
            for event in chunk.into_iter().filter_map(|row| row.event) {
                lines.push_str(&event.line);
                lines.push('\n');
                events += 1;
                if let Some(damage) = &event.damage {
                    damaged += 1;
                    say(&format!("warning: event {}: {damage}", report::shown(&event.event_id)));
                }
            }
            out.write_all(lines.as_bytes())?;
        }
        out.flush()?;
        say(&format!("{events} events of {}", report::shown(&room_id)));
        Ok(if damaged > 0 { Outcome::Damaged } else { Outcome::Done })
    })
}

fn create(path: &PathBuf) -> Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.with_context(|| format!("cannot create {}", path.display()))
}

/// Reads a date, which means its beginning in UTC, or a time with its zone; milliseconds since the epoch.
fn time(text: &str) -> Result<i64, String> {
    if let Ok(date) = text.parse::<NaiveDate>() {
        return Ok(date.and_time(NaiveTime::MIN).and_utc().timestamp_millis());
    }
    let time = DateTime::parse_from_rfc3339(text);
    time.map(|time| time.timestamp_millis())
        .map_err(|_| "a date like 2026-11-22 or a time like 2026-11-22T09:30:00Z".to_owned())
}
