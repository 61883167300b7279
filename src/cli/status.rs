//! `synapse-export status`: one screen that says how far an archive is, how large, what grows, and what a person should do.
//!
//! Of the archive alone; changes nothing, reads no line's content. What is off is found by [`crate::doctor`].

use std::io::Write;

use anyhow::Result;
use chrono::{Days, Utc};
use indicatif::{HumanBytes, HumanCount};
use serde_json::{Value, json};

use super::log::{harmless, visible};
use super::output::DataOutput;
use super::report::{counted, shown};
use super::{ArchiveArgs, Outcome};
use crate::archive::{Catalog, DecryptedNumbers, GroupedBy, SearchStanding, SharesOf, look};
use crate::doctor::{self, Finding, Severity};
use crate::stream::{Scope, Stream};

/// Show on one screen how an archive is: how far and how large, which rooms grow, what is pending, and what to do; from the archive alone
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    archive: ArchiveArgs,
    /// As JSON, for scripts
    #[arg(long)]
    json: bool,
}

/// How many rooms that grow are named.
const ROOMS: u32 = 5;
/// Over how many days they are looked at.
const PERIODS: [(&str, u64); 3] = [("day", 1), ("week", 7), ("month", 30)];

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let catalog = args.archive.look()?;
    // what is wrong with that is among what is to be done
    let encrypted = Catalog::decrypted_numbers_in(&args.archive.archive).ok().flatten();
    let status = status(args, &catalog, encrypted.as_ref())?;
    let findings = doctor::of_archive(&args.archive.archive, args.archive.catalog.directory.as_deref());
    let to_do: Vec<&Finding> =
        findings.iter().filter(|it| matches!(it.severity, Severity::Error | Severity::Warning)).collect();
    let mut out = DataOutput::stdout();
    if args.json {
        let to_do: Vec<Value> = to_do
            .iter()
            .map(|it| json!({ "check": it.check, "kind": it.severity.name(), "what": it.what, "remedy": it.remedy }))
            .collect();
        let mut status = status;
        status["to_do"] = to_do.into();
        writeln!(out, "{}", harmless(&format!("{status:#}")))?;
    } else {
        write(&mut out, &status, encrypted.as_ref())?;
        writeln!(out)?;
        if to_do.is_empty() {
            writeln!(out, "nothing to do")?;
        }
        for finding in to_do {
            let kind = if finding.severity == Severity::Error { "ERROR" } else { "WARNING" };
            writeln!(out, "{kind} {}: {}", finding.check, visible(&finding.what))?;
            if let Some(remedy) = &finding.remedy {
                writeln!(out, "  → {}", visible(remedy))?;
            }
        }
    }
    out.finish()?;
    Ok(Outcome::Done)
}

/// What is shown, as JSON has it.
fn status(args: &Args, catalog: &Catalog, encrypted: Option<&DecryptedNumbers>) -> Result<Value> {
    let whole = catalog.whole()?;
    let looked = look(&args.archive.archive)?;
    let mut streams = Vec::new();
    let (mut gaps, mut missing, mut selected) = (0, 0, 0);
    for scope in catalog.scopes()? {
        selected += u64::from(scope != Scope::Server);
        for stream in Stream::ALL {
            let found = catalog.gaps(&scope, stream)?;
            gaps += found.iter().len() as u64;
            missing += found.iter().map(|gap| gap.last.0 - gap.first.0 + 1).sum::<u64>();
            if scope == Scope::Server {
                let position = catalog.watermark(&scope, stream)?.map(|watermark| watermark.position.0);
                let moved = catalog.watermark_moved(&scope, stream)?.map(|(at, _)| at);
                streams.push(json!({ "stream": stream.name(), "position": position, "at": moved }));
            }
        }
    }
    let today = Utc::now().date_naive();
    let mut grown = json!({});
    for (period, days) in PERIODS {
        let since = today.checked_sub_days(Days::new(days - 1)).map(|day| day.to_string());
        let of = SharesOf { since, until: Some(today.to_string()), ..SharesOf::default() };
        let (mut rooms, mut events, mut bytes) = (Vec::new(), 0, 0);
        catalog.shares(GroupedBy::Room, &of, ROOMS, &mut |share| {
            rooms
                .push(json!({ "room_id": share.of, "name": share.name, "events": share.events, "bytes": share.bytes }));
            Ok(())
        })?;
        // no more than there are days
        catalog.shares(GroupedBy::Day, &of, u32::MAX, &mut |share| {
            events += share.events;
            bytes += share.bytes;
            Ok(())
        })?;
        grown[period] = json!({ "since": of.since, "events": events, "bytes": bytes, "rooms": rooms });
    }
    let search = match catalog.search_standing()? {
        SearchStanding::Off => None,
        SearchStanding::Whole => Some(0),
        SearchStanding::Behind { lines, .. } => Some(lines),
    };
    let run = catalog.last_run()?;
    let decrypted_bytes = Catalog::decrypted_bytes_in(&args.archive.archive);
    Ok(json!({
        "archive": args.archive.archive,
        "server": catalog.server()?,
        "rooms": whole.rooms, "events": whole.events, "files": whole.files,
        "first_day": whole.first_day, "last_day": whole.last_day,
        "bytes": { "lines": whole.bytes, "catalog": catalog.bytes(), "decrypted": decrypted_bytes, "free": looked.free_bytes },
        "encrypted": encrypted,
        "held_by": looked.held_by,
        "last_run": run.map(|run| json!({
            "run": run.run, "started": run.started, "finished": run.finished, "outcome": run.outcome.as_str(), "error": run.error,
        })),
        "first_export": catalog.first_export()?.is_some(),
        "streams": streams,
        "selected_rooms": selected,
        "gaps": gaps, "missing": missing,
        "grown": grown,
        "pending": { "transcripts": catalog.stale_transcripts()?, "search": search, "waiting": catalog.waiting_count()? },
        "damaged": catalog.damaged()?,
    }))
}

fn write(out: &mut impl Write, status: &Value, encrypted: Option<&DecryptedNumbers>) -> std::io::Result<()> {
    let number = |pointer: &str| status.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
    let text = |pointer: &str| status.pointer(pointer).and_then(Value::as_str).map(shown);
    let size = |pointer: &str| HumanBytes(number(pointer)).to_string();
    let or_none = |pointer: &str| text(pointer).unwrap_or_else(|| "–".to_owned());

    let server = text("/server").map_or_else(String::new, |server| format!(" of {server}"));
    writeln!(
        out,
        "{}: {}{server} in {}",
        or_none("/archive"),
        counted(number("/events"), "event"),
        counted(number("/rooms"), "room")
    )?;
    writeln!(out, "days      {} to {}", or_none("/first_day"), or_none("/last_day"))?;
    let free = status.pointer("/bytes/free").and_then(Value::as_u64).map(|free| format!(", free {}", HumanBytes(free)));
    let files = counted(number("/files"), "file");
    let decrypted = status.pointer("/bytes/decrypted").and_then(Value::as_u64);
    let decrypted = decrypted.map_or_else(String::new, |bytes| format!(", decrypted {}", HumanBytes(bytes)));
    writeln!(
        out,
        "size      lines {} in {files}, catalog {}{decrypted}{}",
        size("/bytes/lines"),
        size("/bytes/catalog"),
        free.unwrap_or_default()
    )?;
    if let Some(numbers) = encrypted {
        writeln!(out, "decrypted {numbers}")?;
    }
    match status.pointer("/last_run/run") {
        None => writeln!(out, "last run  none")?,
        Some(run) => {
            let ended = text("/last_run/finished").unwrap_or_else(|| "not yet, or it was killed".to_owned());
            writeln!(
                out,
                "last run  number {run}, {}, begun {}, ended {ended}",
                or_none("/last_run/outcome"),
                or_none("/last_run/started")
            )?;
        }
    }
    if let Some(holder) = text("/held_by") {
        writeln!(out, "now       {holder} is writing to it")?;
    }
    if status["first_export"] == true {
        writeln!(out, "          the first export has not read everything yet")?;
    }
    for stream in status["streams"].as_array().into_iter().flatten() {
        let name = stream["stream"].as_str().unwrap_or_default();
        match stream["position"].as_u64() {
            Some(position) => writeln!(
                out,
                "{name:<9} up to position {position}, since {}",
                stream["at"].as_str().map_or_else(String::new, shown)
            )?,
            None => writeln!(out, "{name:<9} nothing yet, or to be read again")?,
        }
    }
    if number("/selected_rooms") > 0 {
        let rooms = counted(number("/selected_rooms"), "room");
        writeln!(out, "selected  {rooms}, each with streams of its own: synapse-export watermark show")?;
    }
    writeln!(out, "gaps      {}, of {}", number("/gaps"), counted(number("/missing"), "id"))?;
    let search = match status.pointer("/pending/search").and_then(Value::as_u64) {
        None => ", no index of search".to_owned(),
        Some(0) => String::new(),
        Some(lines) => format!(", the index of search: {}", counted(lines, "line")),
    };
    let waiting = match number("/pending/waiting") {
        0 => String::new(),
        waiting => format!(", without a row in event_json: {}", counted(waiting, "event")),
    };
    writeln!(out, "pending   {}{search}{waiting}", counted(number("/pending/transcripts"), "transcript"))?;
    writeln!(out)?;
    for (period, _) in PERIODS {
        let grown = &status["grown"][period];
        let (events, bytes) =
            (grown["events"].as_u64().unwrap_or_default(), grown["bytes"].as_u64().unwrap_or_default());
        writeln!(out, "{period:<9} {}, {}", counted(events, "event"), HumanBytes(bytes))?;
        for room in grown["rooms"].as_array().into_iter().flatten() {
            let name = room["name"].as_str().or(room["room_id"].as_str()).map(shown).unwrap_or_default();
            let (events, bytes) =
                (room["events"].as_u64().unwrap_or_default(), room["bytes"].as_u64().unwrap_or_default());
            writeln!(out, "  {:>9} {:>11}  {name}", HumanCount(events).to_string(), HumanBytes(bytes).to_string())?;
        }
    }
    Ok(())
}
