//! `synapse-export render`: makes transcripts that are not up to date, from the archive alone.
//!
//! Asks no database.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use indicatif::HumanCount;
use tracing::info;

use super::meant::meant;
use super::remembered::{Holding, SHOW_REDACTED, Says, TIMEZONE};
use super::report::{Bar, counted, shown};
use super::signals::{Now, interrupt, watch_signals};
use super::{ArchiveArgs, Outcome, ReadersArgs, WrongUsage};
use crate::archive::reading::rooms;
use crate::archive::{self, Archive, Catalog, Transcripts};
use crate::document::time::Zone;
use crate::views;

/// Render transcripts that are not up to date, or all of them anew; from the archive alone, without the database
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    archive: ArchiveArgs,
    #[command(flatten)]
    readers: ReadersArgs,
    /// Render every transcript anew
    #[arg(long, conflicts_with_all = ["room", "day"])]
    all: bool,
    /// Render those of this room anew: its id (!…), an alias (#…), its name, or a part of one of them that no other room of the
    /// archive has
    #[arg(long, value_name = "ROOM", conflicts_with = "day")]
    room: Option<String>,
    /// Render those of this day anew: YYYY-MM-DD, or `undated`
    #[arg(long, value_name = "DAY", value_parser = day)]
    day: Option<String>,
    /// Show what redacted messages said, visibly marked. Remembered for the runs to come
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    show_redacted: Option<bool>,
    /// Also keep pages for browsers beside transcripts: index.html, a calendar for each room, and the days. Remembered for the runs to come,
    /// of `export` too; with --html=false they are removed
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    html: Option<bool>,
    /// Show times of this zone, an IANA name like Europe/Berlin; days stay those of UTC. Remembered for the runs to come
    #[arg(long, value_name = "ZONE")]
    timezone: Option<Zone>,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let (stop, _stopped) = tokio::sync::watch::channel(false);
    let signal = watch_signals(stop, Now::is("stopping"))?;
    // as a look only: no archive is made where there is none
    args.archive.find()?;
    let mut archive = match (args.archive.open(interrupt(&signal)), *signal.borrow()) {
        (Err(archive::Error::Stopped), Some(number)) => return Ok(Outcome::Signalled(number)),
        (archive, _) => archive?,
    };
    match (args.readers.apply(Says::Option, &mut archive), *signal.borrow()) {
        (Err(archive::Error::Stopped), Some(number)) => return Ok(Outcome::Signalled(number)),
        (applied, _) => applied?,
    }
    if let Some(show) = args.show_redacted {
        if show && archive.catalog().hides_erased()? {
            return Err(WrongUsage(NOT_BOTH.to_owned()).into());
        }
        let last = archive.catalog().shows_redacted()?;
        Holding::of(archive.catalog(), SHOW_REDACTED, Some(show), Says::Option, last)?.remember(&mut archive)?;
        archive.show_redacted(show)?;
    }
    if let Some(keep) = args.html {
        views::keep_html(&mut archive, keep)?;
    }
    if let Some(zone) = args.timezone {
        let last = archive.catalog().zone()?;
        Holding::of(archive.catalog(), TIMEZONE, Some(zone), Says::Option, last)?.remember(&mut archive)?;
        archive.set_zone(zone)?;
    }
    let which = match (&args.room, &args.day) {
        (Some(room), _) => Some(Transcripts::Room(find(archive.catalog(), room)?)),
        (_, Some(day)) => Some(Transcripts::Day(day.clone())),
        _ => args.all.then_some(Transcripts::All),
    };
    if let Some(which) = which
        && archive.mark(&which)? == 0
        && which != Transcripts::All
    {
        bail!("the archive has no such room-day: {}", shown(args.day.as_deref().unwrap_or_default()));
    }
    views::mark_missing(&mut archive, None)?;
    views::mark_old(&mut archive, None)?;
    stale(&mut archive, &|| signal.borrow().is_none())?;
    let number = *signal.borrow();
    Ok(number.map_or(Outcome::Done, Outcome::Signalled))
}

/// Why an archive does not both show what was redacted and hide what erased users said.
pub(super) const NOT_BOTH: &str = "--show-redacted and --hide-erased exclude each other, also where one of them is remembered: --show-redacted=false or export --hide-erased=false takes it back";

/// The id of the one room of the archive that a user means.
pub(super) fn find(catalog: &Catalog, name: &str) -> Result<String> {
    match called(catalog, name)? {
        Some(room_id) => Ok(room_id),
        None => bail!("the archive has nothing of a room {}: index.md lists those that it has", shown(name)),
    }
}

/// The same; none: it has no such room.
pub(super) fn called(catalog: &Catalog, name: &str) -> Result<Option<String>> {
    let candidate = |(room_id, name): &(String, String), with_name: bool| {
        let name = if with_name { format!("  \"{}\"", shown(name)) } else { String::new() };
        format!("{}{name}", shown(room_id))
    };
    let found = rooms::called(&catalog.reader(), name)?;
    Ok(meant(name, found, "index.md tells them apart", candidate)?.map(|(room_id, _)| room_id))
}

/// Renders what is stale, and tells how it goes.
pub(super) fn stale(archive: &mut Archive, goes_on: &dyn Fn() -> bool) -> Result<()> {
    let began = Instant::now();
    let mut bar = Bar::new();
    let rendered = views::render(archive, &mut |done, all| {
        let text = || format!("transcripts: {} of {}", HumanCount(done), counted(all, "room-day"));
        bar.show_of(done, all, text, |part, line| info!(part, days = done, "{line}"));
        goes_on()
    });
    bar.end();
    let rendered = rendered?;
    if rendered.no_links {
        info!("the archive's file system has no symbolic links, so there is no by-name/");
    }
    let took = began.elapsed();
    if rendered.days > 0 || took > Duration::from_secs(5) {
        info!(
            days = rendered.days,
            rooms = rendered.rooms,
            seconds = took.as_secs_f64(),
            "rendered {} of {}, {:.1} s",
            counted(rendered.days, "room-day"),
            counted(rendered.rooms, "room"),
            took.as_secs_f64()
        );
    }
    Ok(())
}

fn day(text: &str) -> Result<String, String> {
    match text.parse::<chrono::NaiveDate>() {
        Ok(date) => Ok(date.to_string()),
        Err(_) if text == "undated" => Ok(text.to_owned()),
        Err(_) => Err("a date like 2026-11-22, or `undated`".to_owned()),
    }
}
