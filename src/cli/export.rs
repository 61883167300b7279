//! `synapse-export export`: brings an archive up to date, and then its transcripts.
//!
//! What was asked for is made one with what is remembered here, and then done, one thing after the other; how anything is read and
//! written is not known here.

mod follow;
mod selection;

use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::ArgMatches;
use clap::parser::ValueSource;
use tokio::sync::watch;
use tracing::{info, warn};

use super::database::DatabaseArgs;
use super::decrypt;
use super::keys::KeyArgs;
use super::lag::{self, InitialCopy, duration};
use super::media::{self, MediaArgs};
use super::remembered::{HIDE_ERASED, Holding, SELECTION, SHOW_REDACTED, Sayers, TIMEZONE};
use super::render::NOT_BOTH;
use super::report::{self, Terminal, counted};
use super::signals::{Now, first, interrupt, is_stopped, watch_signals};
use super::{ArchiveArgs, Outcome, ReadersArgs, WrongUsage, metrics, shell};
use crate::archive::{Archive, Figures, Opening, Selection, Turn};
use crate::config::Config;
use crate::document::time::Zone;
use crate::export;
use crate::source::{self, Database};
use crate::views;
use selection::{SelectedRooms, room_or_file, select};

/// How many transcripts an export looks for, which somebody may have deleted; beyond it others each time, since a look for a
/// million would take longer than the night's export. `render` looks for all.
const LOOKED_FOR: usize = 5_000;
/// How many transcripts that an older version has rendered are made anew after each run.
const RENDERED_ANEW: usize = 2_000;

/// Bring an archive up to date: read what is new in the database, and what has appeared late
#[derive(clap::Args)]
#[allow(
    clippy::struct_excessive_bools,
    clippy::doc_markdown,
    reason = "each is an option, and its words are for people"
)]
pub(super) struct Args {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    archive: ArchiveArgs,
    #[command(flatten)]
    readers: ReadersArgs,
    /// Export only this room: an id (!…), a local alias (#…), or @FILE with one on each line, and comments after "# ".
    /// Remembered for the runs to come, in place of what was selected before; a room added later is caught up from its
    /// beginning
    #[arg(long, value_name = "ROOM", value_parser = room_or_file)]
    room: Vec<String>,
    /// Do not export this room; as --room
    #[arg(long, value_name = "ROOM", value_parser = room_or_file)]
    exclude_room: Vec<String>,
    /// Forget the rooms selected in earlier runs, and export all
    #[arg(long, conflicts_with_all = ["room", "exclude_room"])]
    all_rooms: bool,
    /// Render no transcripts: they wait for the next export without this, or for `synapse-export render`
    #[arg(long)]
    no_markdown: bool,
    /// Leave the index of `search` as it is: it waits for the next export without this, or for `synapse-export search --update`
    #[arg(long)]
    no_search: bool,
    /// Show in transcripts what redacted messages said, visibly marked. Remembered for the runs to come
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    show_redacted: Option<bool>,
    /// Hide in transcripts what users said whom the server has erased, as what is redacted; lines keep it. Remembered for the runs to
    /// come; not with --show-redacted
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    hide_erased: Option<bool>,
    /// Show in transcripts times of this zone, an IANA name like Europe/Berlin; days stay those of UTC. Remembered for the runs to come
    #[arg(long, value_name = "ZONE")]
    timezone: Option<Zone>,
    /// With what --hide-erased has remembered: render transcripts also where it may not be read whom the server has erased
    #[arg(long)]
    ignore_erased: bool,
    /// End with status 75 when the database is a replica or a logical subscriber that is further behind than this, or cannot
    /// tell: 30s, 5m, 1h
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    max_lag: Option<Duration>,
    #[command(flatten)]
    initial_copy: InitialCopy,
    /// Decrypt what can be, by the keys that the options below name, and keep what it says in the archive's `decrypted.sqlite`: transcripts,
    /// `search` and `show` tell it; lines stay as they are. Where the keys are is remembered for the runs to come, never a key; with
    /// `=false`, nothing is decrypted any more (what was stays, until `keys forget --plaintext`)
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    decrypt: Option<bool>,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    media: MediaArgs,
    /// Copy no files from now on; those that are there stay
    #[arg(long, conflicts_with = "media_store")]
    no_media: bool,
    /// Look through all of `event_json` for rows that its index does not show, as after a change of the database's collation, which
    /// doctor tells of: slowly, and a run that is stopped is gone on with by the next one with this option
    #[arg(long)]
    look_for_missing: bool,
    /// Do not end: go on reading what is new, until a signal ends it, and let other commands in that write to the archive
    #[arg(long, conflicts_with = "look_for_missing")]
    follow: bool,
    /// With --follow, how often it is asked whether something is new: 5s, 1m
    #[arg(long, value_name = "DURATION", value_parser = some_duration, default_value = "5s")]
    interval: Duration,
    /// With --follow, how often at the most transcripts, the index of search and all else are brought up to date that is made of lines
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "1m")]
    render_every: Duration,
    /// Write what it has come to into this file, in Prometheus' text format, for the textfile collector of node_exporter: FILE.prom
    #[arg(long, value_name = "FILE")]
    metrics_file: Option<PathBuf>,
    /// Have sh run this when the export fails or something is off, and with --follow also when it begins to wait for something that fails; it
    /// finds SYNAPSE_EXPORT_STATUS, SYNAPSE_EXPORT_MESSAGE and SYNAPSE_EXPORT_ARCHIVE in its environment
    #[arg(long, value_name = "COMMAND")]
    on_failure: Option<String>,
    /// Have sh run this at the end, while nothing else may write to the archive, as to copy it: rsync, or a snapshot of its file system. It
    /// finds SYNAPSE_EXPORT_ARCHIVE and SYNAPSE_EXPORT_CATALOG, the directories, in its environment; that it fails is a failure of the export
    #[arg(long, value_name = "COMMAND", conflicts_with = "follow")]
    hold_while: Option<String>,
    /// Export to each archive of the configuration file, one after the other, whether one fails or not
    #[arg(long, conflicts_with_all = ["follow", "archive"])]
    all_archives: bool,
    /// Who says what is remembered of them
    #[arg(skip)]
    says: Sayers,
}

impl Args {
    /// With who says what is remembered of them.
    pub(super) fn said_by(mut self, matches: &ArgMatches) -> Args {
        if let Some(matches) = matches.subcommand_matches("export") {
            self.says = Sayers::of(matches);
            let source = matches.value_source("decrypt");
            if self.decrypt == Some(false) && source == Some(ValueSource::CommandLine) {
                // those of the file, as who names some here as well is told
                let is_given =
                    KeyArgs::ids().iter().any(|id| matches.value_source(id) == Some(ValueSource::CommandLine));
                if !is_given {
                    self.keys = KeyArgs::default();
                }
            }
        }
        self
    }

    /// Whether it is about all archives that are configured.
    pub(super) fn is_for_all(&self) -> bool {
        self.all_archives
    }

    /// Tells the user's own command that the export has failed.
    pub(super) fn failed(&self, status: u8, message: &str) {
        if let Some(command) = self.on_failure.as_ref().filter(|_| !self.all_archives) {
            shell::tell_of_failure(command, &self.archive.directory().to_string_lossy(), status, message);
        }
    }
}

pub(super) fn run(args: &Rc<Args>) -> Result<Outcome> {
    decrypt::makes_sense(args.decrypt, &args.keys)?;
    let named = SelectedRooms::of(args)?;
    let config = args.database.config()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        if args.follow { follow::run(Rc::clone(args), config, named).await } else { once(args, &config, &named).await }
    })
}

/// Brings an archive up to date, and ends.
async fn once(args: &Args, config: &Config, named: &SelectedRooms) -> Result<Outcome> {
    let began = Instant::now();
    let (stop, signalled) = watch::channel(false);
    let now = Now::is("stopping before anything is read");
    let signal = watch_signals(stop, now.clone())?;
    let mut report = Terminal::new(args.look_for_missing);
    let goes_on = || signal.borrow().is_none();
    // one that follows lets in who wants a copy
    let turn = if args.hold_while.is_some() { Turn::Asks } else { Turn::Refused };
    let opening = Opening { interrupt: interrupt(&signal), turn, ..Opening::default() };
    let prepared = tokio::select! {
        prepared = prepare(args, config, named, opening) => match (prepared, *signal.borrow()) {
            (Err(error), Some(number)) if is_stopped(&error) => return Ok(Outcome::Signalled(number)),
            (prepared, _) => prepared?,
        },
        Some(number) = first(signal.clone()) => return Ok(Outcome::Signalled(number)),
    };
    now.becomes("finishing the batch");
    let (database, mut archive, selection) = prepared;
    // what was cut off: before anything is made of it
    let erased = tokio::task::block_in_place(|| super::erase::lines_left(&mut archive, &goes_on));
    let is_refused = match (erased, *signal.borrow()) {
        (Err(error), Some(number)) if is_stopped(&error) => return Ok(Outcome::Signalled(number)),
        (erased, _) => erased?,
    };
    let stopping = signalled.clone();
    let (mut archive, summary) =
        Box::pin(export::export(database.clone(), archive, &selection, signalled, &mut report)).await;
    report.end(summary.as_ref().ok());
    let number = *signal.borrow();
    let stopped = matches!(summary, Err(export::Error::Stopped));
    if let Some(number) = number.filter(|_| stopped) {
        database.close().await;
        return Ok(Outcome::Signalled(number));
    }
    let summary = match summary {
        Ok(summary) => summary,
        Err(error) => {
            database.close().await;
            return Err(error.into());
        }
    };
    let mut is_decrypted = true;
    if !summary.stopped {
        now.becomes("finishing what is being decrypted");
        is_decrypted = decrypt::run(&database, &mut archive, &stopping).await?;
    }
    let mut is_copied = true;
    if !summary.stopped && goes_on() {
        now.becomes("finishing the files at hand");
        is_copied = media::run_in(&database, &mut archive, &stopping).await?;
    }
    let mut told = metrics::RunMetrics::default();
    if args.metrics_file.is_some() && !summary.stopped {
        (told.lag, told.next_loss) = (metrics::lag(&database).await, crate::doctor::next_loss(&database).await);
    }
    database.close().await;
    let mut is_made = true;
    if !summary.stopped {
        let may_render = args.no_markdown || knows_erased(args, &database, &archive)?;
        let made = tokio::task::block_in_place(|| make(args, &mut archive, may_render, true, &goes_on, &now));
        match (made, *signal.borrow()) {
            (Err(error), Some(number)) if is_stopped(&error) => return Ok(Outcome::Signalled(number)),
            (made, _) => is_made = made? && may_render,
        }
        told.took = began.elapsed();
        is_made &= tell(args, &archive, None, &told);
    }
    if let Some(command) = args.hold_while.as_ref().filter(|_| !summary.stopped && goes_on()) {
        now.becomes("telling the command of --hold-while to end");
        shell::hold_while(command, &mut archive, &signal).await?;
    }
    let is_off = summary.is_off() || archive.lost() > 0 || !is_decrypted || !is_copied || !is_made || is_refused;
    Ok(match *signal.borrow() {
        Some(number) => Outcome::Signalled(number),
        _ if is_off => Outcome::Damaged,
        _ => Outcome::Done,
    })
}

/// Writes the file of metrics, if there is to be one, of these figures or of those that hold now. False: that has failed, and is told.
fn tell(args: &Args, archive: &Archive, figures: Option<&Figures>, told: &metrics::RunMetrics) -> bool {
    let Some(path) = &args.metrics_file else { return true };
    let figures = figures.map_or_else(|| archive.catalog().figures(), |figures| Ok(figures.clone()));
    let written = figures
        .map_err(anyhow::Error::from)
        .and_then(|figures| metrics::write(path, &args.archive.directory().to_string_lossy(), &figures, told));
    if let Err(error) = &written {
        warn!("{error:#}");
    }
    written.is_ok()
}

/// Brings up to date what is made of the lines: transcripts, if they may be rendered, the index of search, outputs. When it is `whole`,
/// with transcripts that are lost or old, and with what is to be erased. False: something has failed, and is told.
fn make(
    args: &Args,
    archive: &mut Archive,
    may_render: bool,
    whole: bool,
    goes_on: &dyn Fn() -> bool,
    now: &Now,
) -> Result<bool> {
    if !args.no_markdown && may_render {
        now.becomes("finishing the transcripts at hand");
        if whole {
            views::mark_missing(archive, Some(LOOKED_FOR))?;
            let old = views::mark_old(archive, Some(RENDERED_ANEW))?;
            if old > 0 {
                info!(days = old, "{} that an older version rendered", counted(old as u64, "room-day"));
            }
        }
        super::render::stale(archive, goes_on)?;
    }
    if !args.no_search && goes_on() {
        now.becomes("finishing what is at hand of the index of search");
        super::search::update(archive, true, goes_on)?;
    }
    let mut any_failed = false;
    if whole && goes_on() {
        now.becomes("stopping: the next export goes on with what is to be erased");
        any_failed = super::erase::complete(archive, true, goes_on)?.is_refused;
    }
    if goes_on() {
        now.becomes("finishing the outputs at hand");
        any_failed |= super::outputs::feed_on_export(archive, goes_on)?;
    }
    Ok(!any_failed)
}

/// Connects, opens the archive, and finds out what to export.
async fn prepare(
    args: &Args,
    config: &Config,
    named: &SelectedRooms,
    opening: Opening<'_>,
) -> Result<(Database, Archive, Selection)> {
    // first, so that a wrong database makes no archive
    let database = Database::connect(config).await?.looking_for_missing(args.look_for_missing);
    let standing = database.standing().await?;
    lag::check(standing, args.max_lag)?;
    args.initial_copy.check(&database).await?;
    decrypt::check(args.decrypt, &args.keys, &args.archive, &database).await?;
    let mut archive = args.archive.open_as(opening)?;
    super::rebuild::warn_of_loss(&archive);
    args.readers.apply(args.says.readers, &mut archive)?;
    decrypt::hold(args.decrypt, &args.keys, args.says.decrypt, &mut archive)?;
    media::hold(&args.media, args.no_media, args.says.media, &mut archive)?;
    // at once: a wish to hide holds also when this run fails
    set_shown(args, &database, &mut archive)?;
    let asked = select(args, named, &database, &archive).await?;
    let last = archive.catalog().selection()?;
    let selection = Holding::of(archive.catalog(), SELECTION, asked, args.says.rooms, last)?;
    selection.remember(&mut archive)?;
    let selection = selection.value;
    report::begin(&database, standing, &archive, &selection)?;
    Ok((database, archive, selection))
}

/// Remembers what transcripts show and hide, as the two are in the end: one that is given may make room for the other.
fn set_shown(args: &Args, database: &Database, archive: &mut Archive) -> Result<()> {
    let catalog = archive.catalog();
    let says = args.says;
    let show = Holding::of(catalog, SHOW_REDACTED, args.show_redacted, says.show_redacted, catalog.shows_redacted()?)?;
    let hide = Holding::of(catalog, HIDE_ERASED, args.hide_erased, says.hide_erased, catalog.hides_erased()?)?;
    let zone = Holding::of(catalog, TIMEZONE, args.timezone, says.timezone, catalog.zone()?)?;
    if show.value && hide.value {
        return Err(WrongUsage(NOT_BOTH.to_owned()).into());
    }
    if args.hide_erased == Some(true) && !args.ignore_erased {
        database.schema().suffices_for_erased().map_err(source::Error::Schema).context(
            "what erased users said cannot be hidden (--ignore-erased goes on, with those that are known by now)",
        )?;
    }
    show.remember(archive)?;
    hide.remember(archive)?;
    zone.remember(archive)?;
    archive.set_zone(zone.value)?;
    let (show, hide) = (show.value, hide.value);
    // what hides first, so that nothing shows more in between
    if show {
        archive.hide_erased(hide)?;
        return Ok(archive.show_redacted(show)?);
    }
    archive.show_redacted(show)?;
    Ok(archive.hide_erased(hide)?)
}

/// Whether transcripts may be rendered: not where what erased users said is hidden and it cannot be read who they are, unless it is
/// wanted so.
fn knows_erased(args: &Args, database: &Database, archive: &Archive) -> Result<bool> {
    let Err(problem) = database.schema().suffices_for_erased() else { return Ok(true) };
    if !archive.catalog().hides_erased()? {
        return Ok(true);
    }
    let problem = report::advised(&problem);
    if args.ignore_erased {
        warn!("users whom the server has erased since it could be read are not hidden: {problem}");
    } else {
        warn!(
            "transcripts are not rendered, as it cannot be told whom they hide (--ignore-erased renders them): {problem}"
        );
    }
    Ok(args.ignore_erased)
}

fn some_duration(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|it| if it.is_zero() { Err("more than no time".to_owned()) } else { Ok(it) })
}
