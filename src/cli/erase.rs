//! `synapse-export erase`: takes events out of an archive for good, from the archive alone.
//!
//! Asks no database, and does nothing without `--yes` but to say what it would do.

mod completing;
mod told;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use chrono::Utc;
use clap::ArgGroup;
use tracing::{info, warn};

use super::report::{counted, shown};
use super::signals::{Now, interrupt, watch_signals};
use super::{ArchiveArgs, Outcome, WrongUsage, outputs};
use crate::archive::{self, Age, Archive, Catalog, Request, What, leave_request};
use crate::event::{OwnedEventId, OwnedRoomId, OwnedUserId, RoomId};
pub(super) use completing::{complete, lines_left};
use told::{list, tell};

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
leaves nothing of it but the hash of its id. Out of reach are backups and other copies of the archive, what others wrote themselves, and the server.

Exit status: 0 erased, or, without --yes, said what would be · 1 failed, or a room of it is on hold, or the archive has nothing of it · \
2 usage · 3 erased here, but an output still has it (doctor: pending) · 75 somebody reads the catalog, or another run holds the archive, \
which then carries it out: erase --go-on completes it";

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
    let erased = open(args, request.as_ref(), interrupt(&signal)).and_then(|mut archive| {
        let goes_on = || signal.borrow().is_none();
        let erases = args.go_on || !args.is_dry() && (request.is_some() || args.again.is_some());
        let done = erase(args, request, &mut archive, &goes_on)?;
        let is_left = erases && outputs::confirm(&mut archive, &goes_on)?;
        Ok(if is_left { Outcome::Damaged } else { done })
    });
    match (erased, *signal.borrow()) {
        (Err(error), Some(number)) if super::signals::is_stopped(&error) => Ok(Outcome::Signalled(number)),
        (erased, _) => erased,
    }
}

/// Opens the archive; where another process holds it, that one is asked to erase what was to be.
fn open(args: &Args, request: Option<&Request>, interrupt: archive::Interrupt) -> Result<Archive> {
    match (args.archive.open(interrupt), request) {
        (Err(locked @ archive::Error::Locked { .. }), Some(request)) if !args.is_dry() && args.tombstones.is_none() => {
            ask(args, request)?;
            Err(locked.into())
        }
        (archive, _) => Ok(archive?),
    }
}

fn erase(args: &Args, request: Option<Request>, archive: &mut Archive, goes_on: &dyn Fn() -> bool) -> Result<Outcome> {
    if let Some(path) = &args.tombstones
        && !args.is_dry()
    {
        archive.keep_tombstones_in(path)?;
    }
    if let Some(room) = &args.hold {
        let room_id = room_id(archive.catalog(), room)?;
        if !archive.catalog().has_room(&room_id)? {
            bail!("the archive has no room {}", shown(&room_id));
        }
        archive.hold(RoomId::of(&room_id), args.reason.as_deref())?;
        archive.copy_tombstones(true)?;
        info!(room_id, "{} is on hold: nothing of it is erased", shown(&room_id));
        return Ok(Outcome::Done);
    }
    if let Some(room) = &args.release {
        let room_id = room_id(archive.catalog(), room)?;
        if !archive.release(RoomId::of(&room_id))? {
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
        info!("{}", if done.buried.is_some() { "completed" } else { "nothing was left to be erased" });
        return Ok(done.outcome());
    };
    let request = by_id(request, archive.catalog())?;
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
    if args.is_dry() {
        tell(&request, &selected, true)?;
        return Ok(Outcome::Done);
    }
    let done = complete(archive, false, goes_on)?;
    selected.lines = done.buried.unwrap_or(selected.lines);
    tell(&request, &selected, false)?;
    Ok(done.outcome())
}

/// Asks whoever holds the archive to erase something.
fn ask(args: &Args, request: &Request) -> Result<()> {
    let (directory, own) = (&*args.archive.archive, args.archive.catalog.directory.as_deref());
    let catalog = Catalog::open_to_show(directory, own)?;
    let request = by_id(request.clone(), &catalog)?;
    if let What::Room(room_id) = &request.what
        && catalog.holds()?.iter().any(|hold| hold.room_id == *room_id)
    {
        return Err(archive::Error::OnHold(vec![room_id.to_string()]).into());
    }
    leave_request(directory, &request)?;
    warn!(
        "asked for, and not erased yet: {}. Who holds the archive carries it out when its export is done, or else the next export, or `synapse-export erase --go-on`",
        request.what
    );
    Ok(())
}

/// What is asked for, with a room by its id.
fn by_id(request: Request, catalog: &Catalog) -> Result<Request> {
    Ok(match request.what {
        What::Room(room) => Request { what: What::Room(OwnedRoomId::of(room_id(catalog, &room)?)), ..request },
        _ => request,
    })
}

/// Applies the tombstones of a file.
fn again(args: &Args, archive: &mut Archive, path: &Path, goes_on: &dyn Fn() -> bool) -> Result<Outcome> {
    if args.is_dry() {
        bail!("--again applies what was decided before: give --yes");
    }
    let tombstones = archive.take_tombstones(path)?;
    let done = complete(archive, false, goes_on)?;
    let buried = done.buried.unwrap_or_default();
    info!(
        tombstones,
        lines = buried.lines(),
        "{} taken in, {} of the archive erased by them",
        counted(tombstones, "tombstone"),
        counted(buried.lines(), "line")
    );
    Ok(done.outcome())
}

impl Args {
    fn is_dry(&self) -> bool {
        self.dry_run || !self.yes
    }

    /// What is asked to be erased, if it is.
    fn request(&self) -> Result<Option<Request>> {
        let what = if !self.event.is_empty() {
            What::Events(self.event.iter().cloned().map(OwnedEventId::of).collect())
        } else if let Some(user_id) = &self.sender {
            What::Sender(OwnedUserId::of(user_id.clone()))
        } else if let Some(room) = &self.room {
            What::Room(OwnedRoomId::of(room.clone()))
        } else if let Some(age) = self.before {
            if age.before(0) > Utc::now().timestamp_millis() {
                let what = "--before is in the future: all that is still to come would be erased with it";
                return Err(WrongUsage(what.to_owned()).into());
            }
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
fn room_id(catalog: &Catalog, room: &str) -> Result<String> {
    if room.starts_with('!') {
        return Ok(room.to_owned());
    }
    let found = catalog.rooms_of_alias(room)?;
    match &found[..] {
        [room_id] => Ok(room_id.clone()),
        [] => bail!("no room of the archive has the alias {}: name it by its id, which index.md has", shown(room)),
        _ => bail!("several rooms of the archive have had the alias {}: name one by its id", shown(room)),
    }
}
