//! `synapse-export keys`: what sources of keys there are, what they open, and what an archive keeps of that.
//!
//! Shows numbers, ids and names of sources; never a key, never what an event says.

mod args;
mod import;
mod kept;

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::Result;
use serde_json::json;
use tokio::sync::watch;
use tracing::info;

pub(super) use args::KeyArgs;

use super::Outcome;
use super::database::DatabaseArgs;
use super::log::harmless;
use super::meant::find;
use super::output::DataOutput;
use super::report::{Counter, counted, shown};
use super::signals::{Now, first, watch_signals};
use crate::archive::DecryptedNumbers;
use crate::config::Config;
use crate::event::{Event, RoomId};
use crate::keys::{Decrypter, ReadCounts, Sources};
use crate::source::{self, Database, Row};

/// Look at the keys of encrypted rooms, and at what was decrypted
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Open the sources of keys that are named, and tell what they have: how many sessions of which rooms; of rooms that are named, how many
    /// events they open, and why not the others
    Check(Check),
    /// Copy the sessions of all sources that are named into one file, encrypted under a passphrase: the only command that stores keys. What it makes
    /// is a key file, for `--key-file`
    Import(import::Import),
    /// Tell what an archive is decrypted with, how many events of which rooms each source opens, and what cannot be read; from the archive alone
    List(kept::List),
    /// Forget what an archive is decrypted with, and if it is said so, what was decrypted; from the archive alone
    Forget(kept::Forget),
}

#[derive(clap::Args)]
pub(super) struct Check {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    keys: KeyArgs,
    /// Rooms whose events are tried: ids, aliases, names, or parts of one
    rooms: Vec<String>,
    /// As JSON, for scripts
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &Command) -> Result<Outcome> {
    let args = match command {
        Command::Check(args) => args,
        Command::Import(args) => return import::run(args),
        Command::List(args) => return kept::list(args),
        Command::Forget(args) => return kept::forget(args),
    };
    args.keys.check()?;
    with_sources(&args.database.config()?, &args.keys, async |database, sources| {
        check(args, database, sources).await.map(|()| Outcome::Done)
    })
}

/// Does something with all sources of keys, until a signal ends it.
fn with_sources(
    config: &Config,
    keys: &KeyArgs,
    work: impl AsyncFnOnce(&Database, Sources) -> Result<Outcome>,
) -> Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let (stop, _stopped) = watch::channel(false);
        let signal = watch_signals(stop, Now::is("stopping"))?;
        let database = tokio::select! {
            database = Database::connect(config) => database?,
            Some(number) = first(signal.clone()) => return Ok(Outcome::Signalled(number)),
        };
        let ended = tokio::select! {
            ended = async { work(&database, keys.open(&database).await?).await } => ended,
            Some(number) = first(signal) => Ok(Outcome::Signalled(number)),
        };
        database.close().await;
        ended
    })
}

async fn check(args: &Check, database: &Database, mut sources: Sources) -> Result<()> {
    let mut out = DataOutput::stdout();
    let all = sources.rooms().await?;
    for (name, rooms) in &all {
        if args.json {
            writeln!(out, "{}", harmless(&json!({ "source": name, "rooms": rooms }).to_string()))?;
            continue;
        }
        let sessions = rooms.iter().map(|room| room.sessions).sum();
        writeln!(out, "{}: {} of {}", shown(name), counted(sessions, "session"), counted(rooms.len() as u64, "room"))?;
        for room in rooms {
            let mut line = format!("  {}  {}", shown(&room.room_id), counted(room.sessions, "session"));
            if let Some(index) = room.first_index.filter(|index| *index > 0) {
                let _ = write!(line, ", none from before index {index}");
            }
            if room.withheld > 0 {
                let _ = write!(line, ", {} withheld", room.withheld);
            }
            writeln!(out, "{line}")?;
        }
    }
    for name in &args.rooms {
        let room_id = find(database, name).await?;
        let read;
        (read, sources) = try_room(database, sources, &room_id, out.is_terminal()).await?;
        if args.json {
            writeln!(out, "{}", harmless(&json!({ "room_id": room_id, "read": read }).to_string()))?;
        } else {
            writeln!(out, "{}: {}", shown(&room_id), told(&read))?;
        }
    }
    Ok(out.flush()?)
}

/// Decrypts all of a room, to count what can be read.
async fn try_room(database: &Database, sources: Sources, room_id: &str, quiet: bool) -> Result<(ReadCounts, Sources)> {
    let mut decrypter = Decrypter::new(database, sources, RoomId::of(room_id))?;
    decrypter.look_through().await?;
    let mut counter = Counter::new("events tried", quiet);
    let mut rows = database.room(room_id, None, None, true);
    let mut count = 0;
    loop {
        let chunk = rows.recv().await.ok_or(source::Error::BrokeOff)??;
        if chunk.is_empty() {
            break;
        }
        let events: Vec<Box<Event>> = chunk.into_iter().filter_map(Row::event).collect();
        let events: Vec<&Event> = events.iter().map(Box::as_ref).collect();
        decrypter.decrypt(&events).await?;
        count += events.len() as u64;
        counter.at(count);
    }
    counter.end();
    let read = decrypter.numbers().clone();
    Ok((read, decrypter.into_sources()))
}

/// What became of encrypted events, in words.
pub(super) fn told(read: &ReadCounts) -> String {
    let ReadCounts { encrypted, readable, not_authenticated, .. } = *read;
    let refused = read.refused.iter().map(|(reason, events)| ((*reason).to_owned(), *events)).collect();
    DecryptedNumbers { encrypted, readable, not_authenticated, refused }.to_string()
}

/// Says what became of a room's encrypted events.
pub(super) fn report(room_id: &str, read: &ReadCounts) {
    info!(room_id, encrypted = read.encrypted, readable = read.readable, "{}: {}", shown(room_id), told(read));
}
