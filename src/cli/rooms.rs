//! `synapse-export rooms`: lists the rooms that the server knows, for people or as JSON.
//!
//! Asks the database alone: of an archive it looks only at what its exports take, where that is asked for.

mod table;

use std::cmp::Ordering;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;
use tokio::sync::watch;
use tracing::{error, info};

use super::Outcome;
use super::database::DatabaseArgs;
use super::log::harmless;
use super::output::DataOutput;
use super::report::{self, Counter};
use super::signals::{Now, first, watch_signals};
use crate::archive::{Catalog, Selection};
use crate::source::{Database, ListedRoom, RoomKind};

/// List the rooms that the server knows: names, aliases, kinds, sizes, and when something last happened in them
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option")]
pub(super) struct Args {
    #[command(flatten)]
    database: DatabaseArgs,
    /// What comes first: names by alphabet, the most events or members, the latest activity as the server
    /// received it, or ids by alphabet
    #[arg(long, value_name = "BY", default_value = "name")]
    sort: RoomSort,
    /// The other way round
    #[arg(long, short)]
    reverse: bool,
    /// Only rooms with this in their name or an alias, in upper or lower case
    #[arg(long, value_name = "PART")]
    name: Option<String>,
    /// Only these: room, space or dm (direct chats)
    #[arg(long = "type", value_name = "TYPE", value_parser = kind)]
    kind: Option<RoomKind>,
    /// Only rooms in which no local user is left
    #[arg(long)]
    abandoned: bool,
    /// Only encrypted rooms
    #[arg(long)]
    encrypted: bool,
    /// Only those that the exports of --archive take, as --room and --exclude-room have selected them; with those that are left out by
    /// their ids, which are marked
    #[arg(long, requires = "archive")]
    selected: bool,
    /// The archive for --selected; nothing is written to it
    #[arg(long, value_name = "DIR", env = "SYNAPSE_EXPORT_ARCHIVE")]
    archive: Option<PathBuf>,
    /// Only the first so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Do not count events and members, which takes longest where there are many
    #[arg(long)]
    no_counts: bool,
    /// A JSON object on each line, with all there is to know
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
A room without a name is listed by its alias, or after its members as clients do, or by its id. A direct chat (dm) is a room \
of at most two people whose invitation said so, or of two people without a name and an alias. A room is abandoned when no \
local user is joined, and forgotten when they all have forgotten it too. Days are those of the first and last event, in UTC.

The table leaves out columns that a narrow terminal has no place for. It is kept in memory until it is sorted, with about half a \
kilobyte for each room; --json --sort id is not.";

/// How many rooms are counted between two reports of progress.
const COUNTED: usize = 50;

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum RoomSort {
    Name,
    Events,
    Members,
    Activity,
    Id,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    if args.no_counts && args.sorts_by_count() {
        error!(exit = 2, "--sort events and --sort members need the counts that --no-counts leaves out");
        return Ok(Outcome::Refused);
    }
    let selection = match &args.archive {
        Some(archive) if args.selected => Some(Catalog::open_to_read(archive)?.selection()?),
        _ => None,
    };
    let config = args.database.config()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let (stop, _stopped) = watch::channel(false);
        let signal = watch_signals(stop, Now::is("stopping"))?;
        let stopped = |number, what: &str| {
            info!("stopped{what}");
            Ok(Outcome::Signalled(number))
        };
        let database = tokio::select! {
            database = Database::connect(&config) => database?,
            Some(number) = first(signal.clone()) => return stopped(number, " while connecting: nothing was listed"),
        };
        let ended = tokio::select! {
            listed = list(args, selection.as_ref(), &database) => listed.map(|()| Outcome::Done),
            Some(number) = first(signal) => stopped(number, ": the list is not whole"),
        };
        database.close().await;
        ended
    })
}

async fn list(args: &Args, selection: Option<&Selection>, database: &Database) -> Result<()> {
    // in the order in which they are read, rooms need not wait for each other
    if args.json && args.sort == RoomSort::Id && !args.reverse {
        return write_as_read(args, selection, database).await;
    }
    let rooms = sorted(args, selection, database).await?;
    if rooms.is_empty() {
        info!("there are no such rooms");
    }
    if let Some(selection) = selection {
        info!("exports take {}", report::selected(selection));
    }
    let mut out = DataOutput::stdout();
    if args.json {
        write_json(&mut out, &rooms)?;
    } else {
        table::write(&mut out, &rooms, table::width(&console::Term::stdout()))?;
    }
    Ok(out.flush()?)
}

async fn write_as_read(args: &Args, selection: Option<&Selection>, database: &Database) -> Result<()> {
    let mut out = DataOutput::stdout();
    let mut counter = Counter::new("rooms read", out.is_terminal());
    let (mut left, mut read) = (args.limit.unwrap_or(usize::MAX), 0);
    let mut after = String::new();
    while left > 0 {
        let mut rooms = database.rooms(&after).await?;
        let Some(last) = rooms.last() else { break };
        after.clone_from(&last.room_id);
        read += rooms.len() as u64;
        rooms.retain_mut(|room| is_selected(room, selection) && args.wants(room));
        rooms.truncate(left);
        left -= rooms.len();
        for rooms in rooms.chunks_mut(COUNTED) {
            if !args.no_counts {
                database.count(rooms).await?;
            }
            write_json(&mut out, rooms)?;
            out.flush()?;
        }
        counter.at(read);
    }
    counter.end();
    Ok(())
}

/// The rooms to list, as many as are wanted.
async fn sorted(args: &Args, selection: Option<&Selection>, database: &Database) -> Result<Vec<ListedRoom>> {
    let mut counter = Counter::new("rooms read", false);
    let (mut rooms, mut read) = (Vec::new(), 0);
    let mut after = String::new();
    loop {
        let mut page = database.rooms(&after).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.room_id);
        read += page.len() as u64;
        page.retain_mut(|room| is_selected(room, selection) && args.wants(room));
        if args.sorts_by_count() {
            for rooms in page.chunks_mut(COUNTED) {
                database.count(rooms).await?;
            }
        }
        rooms.append(&mut page);
        if let Some(limit) = args.limit {
            args.sort(&mut rooms);
            rooms.truncate(limit);
        }
        counter.at(read);
    }
    counter.end();
    args.sort(&mut rooms);
    if !args.no_counts && !args.sorts_by_count() {
        let mut counter = Counter::new("rooms counted", false);
        let mut done = 0;
        for rooms in rooms.chunks_mut(COUNTED) {
            database.count(rooms).await?;
            done += rooms.len() as u64;
            counter.at(done);
        }
        counter.end();
    }
    Ok(rooms)
}

impl Args {
    fn wants(&self, room: &ListedRoom) -> bool {
        let part = self.name.as_deref().map(str::to_lowercase);
        let named = part.is_none_or(|part| {
            let mut names = [&room.name].into_iter().chain(&room.alias).chain(&room.local_aliases);
            names.any(|name| name.to_lowercase().contains(&part))
        });
        named
            && self.kind.is_none_or(|kind| room.kind == kind)
            && (room.abandoned || !self.abandoned)
            && (room.encrypted || !self.encrypted)
    }

    fn sorts_by_count(&self) -> bool {
        matches!(self.sort, RoomSort::Events | RoomSort::Members)
    }

    fn sort(&self, rooms: &mut [ListedRoom]) {
        let by_name = |a: &ListedRoom, b: &ListedRoom| a.name.to_lowercase().cmp(&b.name.to_lowercase());
        let by = |a: &ListedRoom, b: &ListedRoom| {
            // by the server's clock: when something was sent is what its sender says
            let last = |room: &ListedRoom| room.last_received.or(room.last_activity);
            let first = match self.sort {
                RoomSort::Id => Ordering::Equal,
                RoomSort::Name => by_name(a, b),
                RoomSort::Events => b.events.cmp(&a.events).then_with(|| by_name(a, b)),
                RoomSort::Members => b.members.cmp(&a.members).then_with(|| by_name(a, b)),
                RoomSort::Activity => last(b).cmp(&last(a)).then_with(|| by_name(a, b)),
            };
            first.then_with(|| a.room_id.cmp(&b.room_id))
        };
        rooms.sort_by(|a, b| if self.reverse { by(b, a) } else { by(a, b) });
    }
}

/// Whether a selection names a room, or takes it; with a mark if it leaves it out.
fn is_selected(room: &mut ListedRoom, selection: Option<&Selection>) -> bool {
    let Some(Selection { include, exclude }) = selection else { return true };
    room.left_out = exclude.contains(room.room_id.as_str());
    room.left_out || include.is_empty() || include.contains(room.room_id.as_str())
}

fn write_json(out: &mut impl Write, rooms: &[ListedRoom]) -> std::io::Result<()> {
    for room in rooms {
        let line = json!({
            "room_id": room.room_id,
            "name": room.name,
            "alias": room.alias,
            "local_aliases": room.local_aliases,
            "version": room.version,
            "type": room.kind.name(),
            "members": room.members,
            "events": room.events,
            "first_activity": room.first_activity,
            "last_activity": room.last_activity,
            "last_received": room.last_received,
            "encrypted": room.encrypted,
            "abandoned": room.abandoned,
            "forgotten": room.forgotten,
            "left_out": room.left_out,
        });
        writeln!(out, "{}", harmless(&line.to_string()))?;
    }
    Ok(())
}

fn kind(name: &str) -> Result<RoomKind, String> {
    let kinds = [RoomKind::Room, RoomKind::Space, RoomKind::Direct];
    kinds.into_iter().find(|kind| kind.name() == name).ok_or_else(|| "room, space or dm".to_owned())
}
