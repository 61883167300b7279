//! `synapse-export watermark`: shows how far an archive has read the server, or lets it read anew.
//!
//! Asks no database. A reset loses nothing that is archived.

use std::io::{IsTerminal as _, Write as _};

use anyhow::Result;
use serde_json::json;
use tracing::{error, info};

use super::output::DataOutput;
use super::{ArchiveArgs, Outcome, log, report};
use crate::archive::Interrupt;
use crate::stream::{Scope, Stream};

/// Show or reset how far the export has come
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Show, for each stream, the position up to which everything is archived
    Show(Show),
    /// Let the next export read everything again: it adds what the archive lacks, and changes of what it has
    /// only lines that were archived without their event
    Reset(Reset),
}

#[derive(clap::Args)]
pub(super) struct Show {
    #[command(flatten)]
    archive: ArchiveArgs,
    /// As JSON, for scripts
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(super) struct Reset {
    #[command(flatten)]
    archive: ArchiveArgs,
    /// Only this stream: live or backfill
    #[arg(long, value_parser = report::stream)]
    stream: Option<Stream>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(command: &Command) -> Result<Outcome> {
    match command {
        Command::Show(args) => show(args),
        Command::Reset(args) => reset(args),
    }
}

fn show(args: &Show) -> Result<Outcome> {
    let catalog = args.archive.look()?;
    let mut scopes = catalog.scopes()?;
    if scopes.is_empty() {
        scopes.insert(Scope::Server);
    }
    let mut found = Vec::new();
    for scope in &scopes {
        for stream in Stream::ALL {
            let watermark = catalog.watermark(scope, stream)?;
            let gaps = catalog.gaps(scope, stream)?;
            let moved = catalog.watermark_moved(scope, stream)?;
            let (at, run) = moved.unzip();
            found.push(json!({
                "room_id": scope.room(),
                "stream": stream.name(),
                "position": watermark.as_ref().map(|w| w.position.0),
                "event_id": watermark.as_ref().and_then(|w| w.anchor.as_ref()).map(|(_, event_id)| event_id),
                "at": at,
                "run": run,
                "gaps": gaps.iter().len(),
                "missing": gaps.iter().map(|gap| gap.last.0 - gap.first.0 + 1).sum::<u64>(),
            }));
        }
    }
    let waiting = catalog.waiting_count()?;
    let run = catalog.last_run()?;
    let mut out = DataOutput::stdout();
    if args.json {
        let run = run.map(
            |run| json!({ "run": run.run, "started": run.started, "finished": run.finished, "outcome": run.outcome.as_str() }),
        );
        let json = format!("{:#}", json!({ "watermarks": found, "waiting": waiting, "last_run": run }));
        writeln!(out, "{}", log::harmless(&json))?;
        return Ok(Outcome::Done);
    }
    for watermark in &found {
        let text = |key: &str| watermark[key].as_str().map_or_else(|| "–".to_owned(), report::shown);
        if let Some(room_id) = watermark["room_id"].as_str() {
            write!(out, "{} ", report::shown(room_id))?;
        }
        match watermark["position"].as_u64() {
            None => {
                let stream = Stream::ALL.into_iter().find(|stream| watermark["stream"] == stream.name());
                match stream.map_or(Ok(0), |stream| catalog.events_of(stream))? {
                    0 => writeln!(out, "{:<9} nothing archived yet", text("stream"))?,
                    events => {
                        let events = report::counted(events, "event");
                        writeln!(out, "{:<9} to be read again, {events} archived", text("stream"))?;
                    }
                }
            }
            Some(position) => writeln!(
                out,
                "{:<9} position {position}, event {}, moved {}, open gaps: {} ({})",
                text("stream"),
                text("event_id"),
                text("at"),
                watermark["gaps"],
                report::counted(watermark["missing"].as_u64().unwrap_or_default(), "id"),
            )?,
        }
    }
    if waiting > 0 {
        writeln!(out, "without a row in event_json yet: {}", report::counted(waiting, "event"))?;
    }
    match run {
        Some(run) => writeln!(
            out,
            "last run: number {}, {}, begun {}, ended {}",
            run.run,
            run.outcome,
            log::visible(&run.started),
            log::visible(run.finished.as_deref().unwrap_or("not yet, or it was killed"))
        )?,
        None => writeln!(out, "last run: none")?,
    }
    Ok(Outcome::Done)
}

fn reset(args: &Reset) -> Result<Outcome> {
    // an archive that is not there must not be made
    args.archive.find()?;
    let streams = args.stream.map_or(Stream::ALL.to_vec(), |stream| vec![stream]);
    let names = args.stream.map_or("both streams".to_owned(), |stream| format!("the {stream} stream"));
    if !args.yes {
        if !std::io::stdin().is_terminal() || !log::is_for_people() {
            error!(exit = 2, "nobody to ask; give --yes");
            return Ok(Outcome::Refused);
        }
        let mut out = std::io::stderr();
        write!(out, "The next export will read {names} from the beginning. Nothing archived is lost. Reset? [y/N] ")?;
        out.flush()?;
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        if !matches!(answer.trim(), "y" | "Y" | "yes") {
            info!("left as it was");
            return Ok(Outcome::Refused);
        }
    }
    args.archive.open(Interrupt::default())?.reset(&streams)?;
    info!("reset: the next export reads {names} again and adds what the archive lacks");
    Ok(Outcome::Done)
}
