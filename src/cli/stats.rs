//! `synapse-export stats`: how many events and bytes rooms, senders, days or types have; from the catalog.
//!
//! Changes nothing, and reads no line.

use std::io::Write as _;

use anyhow::Result;
use indicatif::{HumanBytes, HumanCount};
use serde_json::json;

use super::log::harmless;
use super::output::DataOutput;
use super::report::shown;
use super::{ArchiveArgs, Outcome, render};
use crate::archive::{self, SharesOf};

/// Count an archive's events, and the bytes of their lines, by room, sender, day or type: the most first, of days the newest; from the
/// catalog alone
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    archive: ArchiveArgs,
    /// What to count by
    #[arg(long, value_enum)]
    by: By,
    /// Only this room: its id, an alias, its name, or a part of one of them that no other room of the archive has
    #[arg(long, value_name = "ROOM")]
    room: Option<String>,
    /// Only days from this one on: YYYY-MM-DD, in UTC; what has no day is left out then
    #[arg(long, value_name = "DAY", value_parser = day)]
    since: Option<String>,
    /// Only days up to this one
    #[arg(long, value_name = "DAY", value_parser = day)]
    until: Option<String>,
    /// How many rows; 0: all
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: u32,
    /// A JSON object on each line
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum By {
    Room,
    Sender,
    Day,
    Type,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let catalog = args.archive.look()?;
    let room_id = args.room.as_deref().map(|name| render::find(&catalog, name)).transpose()?;
    let of = SharesOf { room_id, since: args.since.clone(), until: args.until.clone() };
    let by = match args.by {
        By::Room => archive::GroupedBy::Room,
        By::Sender => archive::GroupedBy::Sender,
        By::Day => archive::GroupedBy::Day,
        By::Type => archive::GroupedBy::Type,
    };
    let most = if args.limit == 0 { u32::MAX } else { args.limit };
    let mut out = DataOutput::stdout();
    let mut any = false;
    catalog.shares(by, &of, most, &mut |share| {
        any = true;
        if args.json {
            let mut line = json!({
                "events": share.events, "bytes": share.bytes, "first_day": share.first_day, "last_day": share.last_day,
            });
            let of = match by {
                archive::GroupedBy::Room => "room_id",
                archive::GroupedBy::Sender => "sender",
                archive::GroupedBy::Day => "day",
                archive::GroupedBy::Type => "type",
            };
            line[of] = share.of.into();
            if by == archive::GroupedBy::Room {
                line["name"] = share.name.into();
            }
            return writeln!(out, "{}", harmless(&line.to_string())).map_err(archive::Error::Transcript);
        }
        let of = share.of.as_deref().map_or_else(|| "unknown".to_owned(), shown);
        let name = share.name.as_deref().map_or_else(String::new, |name| format!("  {}", shown(name)));
        let days = match (&share.first_day, &share.last_day, by) {
            (
                Some(first),
                Some(last),
                archive::GroupedBy::Room | archive::GroupedBy::Sender | archive::GroupedBy::Type,
            ) => {
                format!("  {} {}", shown(first), shown(last))
            }
            _ => String::new(),
        };
        writeln!(
            out,
            "{:>13} {:>11}{days}  {of}{name}",
            HumanCount(share.events).to_string(),
            HumanBytes(share.bytes).to_string()
        )
        .map_err(archive::Error::Transcript)
    })?;
    out.finish()?;
    Ok(if any { Outcome::Done } else { Outcome::Nothing })
}

fn day(text: &str) -> Result<String, String> {
    text.parse::<chrono::NaiveDate>().map(|date| date.to_string()).map_err(|_| "a date like 2026-11-22".to_owned())
}
