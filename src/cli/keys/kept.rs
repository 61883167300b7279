//! `keys list` and `keys forget`: what an archive keeps of keys, which is where they are and no key, and of what they have opened. Asks
//! no source.

use std::io::Write as _;

use anyhow::Result;
use serde_json::{Value, json};
use tracing::info;

use super::super::output::DataOutput;
use super::super::remembered::{DECRYPT, Holding, Says};
use super::super::report::{counted, shown};
use super::super::signals::{Now, interrupt, watch_signals};
use super::super::{ArchiveArgs, Outcome, outputs, render};
use crate::archive::{self, DecryptedOfRoom};
use crate::views;

#[derive(clap::Args)]
pub(in crate::cli) struct List {
    #[command(flatten)]
    archive: ArchiveArgs,
    /// As JSON, for scripts
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(in crate::cli) struct Forget {
    #[command(flatten)]
    archive: ArchiveArgs,
    /// Also take away what was decrypted: out of decrypted.sqlite, the index of search and the transcripts, which are rendered anew. Where the
    /// keys are still there, a later `export --decrypt` decrypts it again
    #[arg(long)]
    plaintext: bool,
}

pub(super) fn list(args: &List) -> Result<Outcome> {
    let catalog = args.archive.look()?.with_decrypted(&args.archive.archive)?;
    let with: Option<Value> = catalog.decrypts_with()?.and_then(|json| serde_json::from_str(&json).ok());
    let numbers = catalog.decrypted_numbers()?;
    let mut rooms = Vec::new();
    catalog.each_decrypted_room(&mut |room| rooms.push(room))?;
    let mut out = DataOutput::stdout();
    if args.json {
        writeln!(out, "{}", json!({ "decrypts_with": with, "numbers": numbers, "rooms": rooms }))?;
        out.flush()?;
        return Ok(Outcome::Done);
    }
    match &with {
        None => writeln!(out, "nothing is decrypted (export --decrypt)")?,
        Some(with) => {
            for (option, named) in with.as_object().into_iter().flatten() {
                let named: Vec<&str> = match named {
                    Value::Array(named) => named.iter().filter_map(Value::as_str).collect(),
                    named => named.as_str().into_iter().collect(),
                };
                for named in named {
                    writeln!(out, "--{} {}", option.replace('_', "-"), shown(named))?;
                }
            }
        }
    }
    if let Some(numbers) = numbers {
        writeln!(out, "{numbers}")?;
    }
    let mut last = None;
    for DecryptedOfRoom { source, reason, room_id, sessions, events, first_index } in rooms {
        let head = match (source, reason) {
            (Some(source), _) => source,
            (None, reason) => format!("not read: {}", reason.unwrap_or_default().replace('_', " ")),
        };
        if last.as_ref() != Some(&head) {
            writeln!(out, "{}", shown(&head))?;
            last = Some(head);
        }
        let index = first_index.map_or_else(String::new, |index| format!(", from index {index}"));
        let (events, sessions) = (counted(events, "event"), counted(sessions, "session"));
        writeln!(out, "  {}  {events} of {sessions}{index}", shown(&room_id))?;
    }
    out.flush()?;
    Ok(Outcome::Done)
}

pub(super) fn forget(args: &Forget) -> Result<Outcome> {
    let (stop, _stopped) = tokio::sync::watch::channel(false);
    let signal = watch_signals(stop, Now::is("stopping"))?;
    args.archive.find()?;
    let mut archive = match (args.archive.open(interrupt(&signal)), *signal.borrow()) {
        (Err(archive::Error::Stopped), Some(number)) => return Ok(Outcome::Signalled(number)),
        (archive, _) => archive?,
    };
    let last = archive.catalog().decrypts_with()?;
    let is_any = last.is_some();
    let with = Holding::of(archive.catalog(), DECRYPT, Some(None), Says::Option, last)?;
    with.remember(&mut archive)?;
    archive.decrypt_with(None)?;
    if is_any {
        info!("what the archive is decrypted with is forgotten");
    }
    let mut is_left = false;
    if args.plaintext {
        archive.outputs_are_pending(|output| output.with_decrypted)?;
        match (archive.forget_plaintexts(), *signal.borrow()) {
            (Err(archive::Error::Stopped), Some(number)) => return Ok(Outcome::Signalled(number)),
            (forgotten, _) => drop(forgotten?),
        }
        if views::has_transcripts(archive.catalog(), archive.directory())? {
            render::stale(&mut archive, &|| signal.borrow().is_none())?;
        }
        let numbers = archive.catalog().decrypted_numbers()?.unwrap_or_default();
        info!(readable = numbers.readable, "{numbers}");
        is_left = outputs::confirm(&mut archive, &|| signal.borrow().is_none())?;
    }
    let number = *signal.borrow();
    Ok(number.map_or(if is_left { Outcome::Damaged } else { Outcome::Done }, Outcome::Signalled))
}
