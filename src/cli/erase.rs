//! `synapse-export erase`: takes events out of an archive for good, from the archive alone.
//!
//! Asks no database, and does nothing without `--yes` but to say what it would do.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use chrono::Utc;
use clap::ArgGroup;
use indicatif::HumanCount;
use tracing::{info, warn};

use super::output::Output;
use super::report::{Bar, counted, shown};
use super::signals::{Now, interrupt, watch_signals};
use super::{ArchiveArgs, Outcome, WrongUsage};
use crate::archive::{self, Age, Archive, Buried, Request, Selected, What};
use crate::views;

/// Erase events from an archive for good: their lines are pruned as a redaction does, in the files, the catalog, the index of search and the transcripts,
/// and no later export brings them back. Without --yes it says only what it would do
#[derive(clap::Args)]
#[command(
    group(ArgGroup::new("which").required(true).args([
        "event", "sender", "room", "before", "redacted_before", "erased_users", "again", "go_on", "list", "hold", "release", "end"
    ])),
    after_help = AFTER_HELP
)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option")]
pub(super) struct Args {
    #[command(flatten)]
    archive: ArchiveArgs,
    /// These events
    #[arg(long, value_name = "ID", num_args = 1.., value_parser = event)]
    event: Vec<String>,
    /// All that this user sent, and what he was called; what he sends later is pruned before it is written
    #[arg(long, value_name = "USER", value_parser = user)]
    sender: Option<String>,
    /// All of this room, an id (!…) or an exact alias (#…); what comes later too
    #[arg(long, value_name = "ROOM", value_parser = room)]
    room: Option<String>,
    /// What was sent or received before, but for state events: a day, or a number of days like 730d; what comes later too
    #[arg(long, value_name = "DATE")]
    before: Option<Age>,
    /// What the archive still has of redacted events, if the redaction was received before: a number of days like 90d, or a day
    #[arg(long, value_name = "DURATION")]
    redacted_before: Option<Age>,
    /// All that users sent whom the server has erased, as `export --hide-erased` gets to know them
    #[arg(long)]
    erased_users: bool,
    /// What this file names, which --tombstones has kept: of an archive that was restored from a backup
    #[arg(long, value_name = "FILE")]
    again: Option<PathBuf>,
    /// Complete what was cut off, or kept by a reader, before
    #[arg(long)]
    go_on: bool,
    /// Show what lasts, and which rooms are on hold
    #[arg(long)]
    list: bool,
    /// Erase nothing of this room from now on, whatever else says so: an id (!…) or an exact alias (#…)
    #[arg(long, value_name = "ROOM", value_parser = room)]
    hold: Option<String>,
    /// End a hold
    #[arg(long, value_name = "ROOM", value_parser = room)]
    release: Option<String>,
    /// Let something that lasts end, by its number in --list; what is erased stays erased
    #[arg(long, value_name = "NUMBER")]
    end: Option<i64>,
    /// Take the events out whole, not only what they say
    #[arg(long)]
    whole: bool,
    /// What comes later is archived as it is
    #[arg(long, conflicts_with = "policy")]
    once: bool,
    /// Do it again with each export, as time goes on: for --redacted-before, --erased-users, and --before with a number of days
    #[arg(long)]
    policy: bool,
    /// Why, for the record; it stays in the archive
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Say only what would be erased
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Do it
    #[arg(long)]
    yes: bool,
    /// Keep a copy of what is erased, by hashes of ids, in this file outside the archive. Remembered for the runs to come
    #[arg(long, value_name = "FILE")]
    tombstones: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
What is pruned keeps its skeleton: ids, times, sender, and `hashes`, by which a guess at a short text can be confirmed. --whole \
leaves nothing of it but the hash of its id. Out of reach are backups and other copies of the archive, what others wrote themselves, and the server.";

fn event(text: &str) -> Result<String, String> {
    if text.starts_with('$') {
        Ok(text.to_owned())
    } else {
        Err("an event's id begins with $ (in single quotes)".to_owned())
    }
}

fn user(text: &str) -> Result<String, String> {
    let is_user = text.starts_with('@') && text.contains(':');
    if is_user { Ok(text.to_owned()) } else { Err("a user is an id like @name:server".to_owned()) }
}

fn room(text: &str) -> Result<String, String> {
    if text.starts_with(['!', '#']) {
        Ok(text.to_owned())
    } else {
        Err("a room is an id (!…) or an exact alias (#…:server)".to_owned())
    }
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let request = args.request()?;
    args.archive.find()?;
    if args.list {
        return list(args);
    }
    let (stop, _stopped) = tokio::sync::watch::channel(false);
    let signal = watch_signals(stop, Now::is("stopping: `erase --go-on`, or an export, goes on from there"))?;
    let erased = args.archive.open(interrupt(&signal)).map_err(anyhow::Error::from).and_then(|mut archive| {
        let goes_on = || signal.borrow().is_none();
        let erases = args.go_on || !args.is_dry() && (request.is_some() || args.again.is_some());
        let done = erase(args, request, &mut archive, &goes_on)?;
        let is_left = erases && super::outputs::confirm(&mut archive, &goes_on)?;
        Ok(if is_left { Outcome::Damaged } else { done })
    });
    match (erased, *signal.borrow()) {
        (Err(error), Some(number)) if super::signals::is_stopped(&error) => Ok(Outcome::Signalled(number)),
        (erased, _) => erased,
    }
}

fn erase(args: &Args, request: Option<Request>, archive: &mut Archive, goes_on: &dyn Fn() -> bool) -> Result<Outcome> {
    if let Some(path) = &args.tombstones
        && !args.is_dry()
    {
        archive.keep_tombstones_in(path)?;
    }
    if let Some(room) = &args.hold {
        let room_id = room_id(archive, room)?;
        if !archive.catalog().has_room(&room_id)? {
            bail!("the archive has no room {}", shown(&room_id));
        }
        archive.hold(&room_id, args.reason.as_deref())?;
        archive.copy_tombstones(true)?;
        info!(room_id, "{} is on hold: nothing of it is erased", shown(&room_id));
        return Ok(Outcome::Done);
    }
    if let Some(room) = &args.release {
        let room_id = room_id(archive, room)?;
        if !archive.release(&room_id)? {
            bail!("{} is not on hold", shown(&room_id));
        }
        archive.copy_tombstones(true)?;
        info!(
            room_id,
            "{} is on hold no more; what was to be erased meanwhile has to be asked for again",
            shown(&room_id)
        );
        return Ok(Outcome::Done);
    }
    if let Some(number) = args.end {
        if !archive.end_erasure(number)? {
            bail!("nothing that lasts has the number {number}: --list shows what does");
        }
        archive.copy_tombstones(true)?;
        info!("number {number} lasts no more; what is erased stays erased");
        return Ok(Outcome::Done);
    }
    if let Some(path) = &args.again {
        return again(args, archive, path, goes_on);
    }
    let Some(request) = request else {
        let done = complete(archive, false, goes_on)?;
        info!("{}", if done.is_some() { "completed" } else { "nothing was left to be erased" });
        return Ok(Outcome::Done);
    };
    let request = match request.what {
        What::Room(room) => Request { what: What::Room(room_id(archive, &room)?), ..request },
        _ => request,
    };
    if request.what == What::Users && !archive.catalog().hides_erased()? {
        bail!("whom the server has erased is not known: `synapse-export export --hide-erased` gets to know it");
    }
    let mut selected = archive.select_to_erase(&request, Utc::now().timestamp_millis(), args.is_dry())?;
    if selected.is_nothing {
        warn!("the archive has nothing of this: {}", request.what);
        if args.is_dry() || !request.lasts {
            return Ok(Outcome::Nothing);
        }
    }
    if !args.is_dry()
        && let Some(done) = complete(archive, false, goes_on)?
    {
        selected.lines = done;
    }
    tell(&request, &selected, args.is_dry())?;
    Ok(Outcome::Done)
}

/// Applies the tombstones of a file.
fn again(args: &Args, archive: &mut Archive, path: &Path, goes_on: &dyn Fn() -> bool) -> Result<Outcome> {
    if args.is_dry() {
        bail!("--again applies what was decided before: give --yes");
    }
    let tombstones = archive.take_tombstones(path)?;
    let buried = complete(archive, false, goes_on)?.unwrap_or_default();
    info!(
        tombstones,
        lines = buried.lines(),
        "{} taken in, {} of the archive erased by them",
        counted(tombstones, "tombstone"),
        counted(buried.lines(), "line")
    );
    Ok(Outcome::Done)
}

impl Args {
    fn is_dry(&self) -> bool {
        self.dry_run || !self.yes
    }

    /// What is asked to be erased, if it is.
    fn request(&self) -> Result<Option<Request>> {
        let what = if !self.event.is_empty() {
            What::Events(self.event.clone())
        } else if let Some(user_id) = &self.sender {
            What::Sender(user_id.clone())
        } else if let Some(room) = &self.room {
            What::Room(room.clone())
        } else if let Some(age) = self.before {
            What::Before(age)
        } else if let Some(age) = self.redacted_before {
            What::Redacted(age)
        } else if self.erased_users {
            What::Users
        } else {
            let more = self.whole || self.once || self.policy;
            return if more {
                Err(WrongUsage("--whole, --once and --policy say how to erase events, and none are named".to_owned())
                    .into())
            } else {
                Ok(None)
            };
        };
        let lasts = match &what {
            What::Events(_) => false,
            what if what.moves() => self.policy,
            _ => !self.once,
        };
        if self.policy && !what.moves() {
            return Err(WrongUsage(
                "--policy is for what moves on with time: --redacted-before, --erased-users, and --before with a number of days".to_owned(),
            )
            .into());
        }
        Ok(Some(Request { what, whole: self.whole, lasts, reason: self.reason.clone() }))
    }
}

/// The id of a room that is named by it, or exactly by an alias.
fn room_id(archive: &Archive, room: &str) -> Result<String> {
    if room.starts_with('!') {
        return Ok(room.to_owned());
    }
    let found = archive.catalog().rooms_of_alias(room)?;
    match &found[..] {
        [room_id] => Ok(room_id.clone()),
        [] => bail!("no room of the archive has the alias {}: name it by its id, which index.md has", shown(room)),
        _ => bail!("several rooms of the archive have had the alias {}: name one by its id", shown(room)),
    }
}

/// Completes what is to be erased: the lines, what is made of them, and every trace; with what policies say, if they are to be carried
/// out. None: there was nothing to be done.
pub(super) fn complete(archive: &mut Archive, policies: bool, goes_on: &dyn Fn() -> bool) -> Result<Option<Buried>> {
    if !archive.is_indexed() {
        return Ok(None);
    }
    let held = archive.select_again(Utc::now().timestamp_millis(), policies)?.held;
    if held > 0 {
        warn!(held, "{} of rooms on hold left as they are", counted(held, "event"));
    }
    if !archive.catalog().is_erasing()? {
        archive.copy_tombstones(false)?;
        return Ok(None);
    }
    let buried = lines(archive, goes_on)?;
    if !archive.catalog().is_erasing()? {
        // of all that was looked at there was nothing to take
        archive.copy_tombstones(true)?;
        return Ok(Some(buried));
    }
    if views::has_transcripts(archive.catalog(), archive.directory())? {
        super::render::stale(archive, goes_on)?;
    }
    views::forget_rooms(archive)?;
    super::search::update(archive, true, goes_on)?;
    if !goes_on() {
        return Err(archive::Error::Stopped.into());
    }
    archive.outputs_are_pending(|_| true)?;
    archive.copy_tombstones(true)?;
    archive.leave_no_trace()?;
    Ok(Some(buried))
}

/// Erases the lines that a run before has left to be erased.
pub(super) fn lines_left(archive: &mut Archive, goes_on: &dyn Fn() -> bool) -> Result<()> {
    if archive.is_indexed() && archive.catalog().is_erasing()? {
        archive.select_again(Utc::now().timestamp_millis(), false)?;
        lines(archive, goes_on)?;
    }
    Ok(())
}

/// Erases the lines that are to be erased, and tells how it goes.
fn lines(archive: &mut Archive, goes_on: &dyn Fn() -> bool) -> Result<Buried> {
    let mut bar = Bar::new();
    let buried = archive.erase_selected(&mut |done, all| {
        #[allow(clippy::cast_precision_loss, reason = "it is shown as a percentage")]
        let part = done as f64 / all.max(1) as f64;
        let text = || format!("erasing: {} of {}", HumanCount(done), counted(all, "room-day"));
        bar.show(part, text, |line| info!(part, days = done, "{line}"));
        goes_on()
    });
    bar.end();
    let buried = buried?;
    if buried.lines() > 0 {
        info!(
            lines = buried.lines(),
            files = buried.files,
            "erased: {} in {}",
            counted(buried.lines(), "line"),
            counted(buried.files, "file")
        );
    }
    Ok(buried)
}

/// Says in numbers what was erased, or would be, and what is not.
fn tell(request: &Request, selected: &Selected, dry: bool) -> Result<()> {
    let mut out = Output::stdout();
    writeln!(out, "{} {}", if dry { "would be erased:" } else { "erased:" }, request.what)?;
    let Buried { whole, pruned, cut, copies, files } = selected.lines;
    for (count, what) in [
        (whole, "events, their lines as a whole"),
        (pruned, "events, what they say (their skeletons stay, with the sender's id)"),
        (cut, "answers of others, what they quote"),
        (copies, "events of others, what their server had copied into them"),
        (selected.names, "names that are in no line"),
        (files, "files of lines, written anew"),
        (selected.rooms, "rooms"),
    ] {
        writeln!(out, "{:>12}  {what}", HumanCount(count).to_string())?;
    }
    writeln!(out, "stays:")?;
    if let What::Sender(_) = request.what {
        writeln!(
            out,
            "{:>12}  events of others that name him by his id",
            HumanCount(selected.named_by_others).to_string()
        )?;
    }
    if let What::Before(_) = request.what {
        writeln!(out, "{:>12}  state events from before that", HumanCount(selected.state).to_string())?;
    }
    writeln!(
        out,
        "              what others wrote themselves, and what lies elsewhere: backups, copies, dumps, the server"
    )?;
    if dry {
        writeln!(out, "nothing is changed yet: give --yes")?;
    } else if request.lasts {
        writeln!(out, "it lasts for what comes later (--list, --end)")?;
    }
    out.finish()
}

fn list(args: &Args) -> Result<Outcome> {
    let catalog = args.archive.look()?;
    let mut out = Output::stdout();
    let why = |reason: &Option<String>| reason.as_ref().map_or_else(String::new, |it| format!(", {}", shown(it)));
    for erasure in catalog.lasting_erasures()? {
        let how = if erasure.request.whole { "whole" } else { "pruned" };
        let (what, reason) = (&erasure.request.what, why(&erasure.request.reason));
        writeln!(out, "{:>4}  {what}: {how}, since {}{reason}", erasure.number, erasure.at)?;
    }
    for hold in catalog.holds()? {
        writeln!(out, "hold  {}, since {}{}", shown(&hold.room_id), hold.at, why(&hold.reason))?;
    }
    writeln!(out, "{} in the archive", counted(catalog.tombstones()?, "tombstone"))?;
    out.finish()?;
    Ok(Outcome::Done)
}
