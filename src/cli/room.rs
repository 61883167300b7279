//! `synapse-export room`: one room now, as lines or as a document, to a file or a pipe.
//!
//! Reads the database alone, and leaves no archive behind.

mod decrypting;
mod document;
mod dump;
mod moment;

use std::ops::Range;
use std::path::PathBuf;

use anyhow::Result;
use tokio::sync::watch;
use tracing::{info, warn};

use super::database::DatabaseArgs;
use super::keys::KeyArgs;
use super::lag::InitialCopy;
use super::meant::find;
use super::output::{Output, OutputDirectory};
use super::report::{self, Counter, counted, shown};
use super::signals::{Now, first, watch_signals};
use super::{Outcome, WrongUsage};
use crate::document::time::Zone;
use crate::export;
use crate::source::{self, Bans, Database, Rows};
use crate::views::{Asked, Form, MOST_OF_ANY, Split};
use decrypting::Decrypting;
use document::{Document, Place, Written};
use dump::Dump;
use moment::Moment;

/// How many warnings about events are given in full.
const WARNINGS: u64 = 20;
/// In place of what is not there.
const EMPTY_PERIOD: &str = "there is nothing of the period that was asked for";

/// Dump one room as it is now, in the room's own order: the lines that an archive would have, without one
#[derive(clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option")]
pub(super) struct Args {
    #[command(flatten)]
    database: DatabaseArgs,
    /// The room: its id (!…), an alias (#…), its name, or a part of one of them that no other room has
    #[arg(value_parser = not_blank)]
    room: String,
    /// Only events sent at or after this time: a date (of --timezone), or RFC 3339
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Only events sent before this time
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// The time zone of the dates that --since and --until name, and of a document's times: an IANA name like Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    timezone: Zone,
    /// As JSON lines, as one markdown document, or as a page for browsers
    #[arg(long, value_name = "FORMAT", default_value = "jsonl")]
    format: Format,
    /// Cut a page for browsers into several: one for each `day`, each `month`, or for so many messages. --output names a directory then,
    /// which must not exist yet; index.html in it leads to them
    #[arg(long, value_name = "day|month|N", value_parser = split)]
    split: Option<Split>,
    /// In a document: show what redacted messages said, visibly marked
    #[arg(long, conflicts_with = "honour_redactions")]
    show_redacted: bool,
    /// First the room's state as it is now, one line for each type and state key; when no local user is left in the room,
    /// the newest state event of each that the server has
    #[arg(long)]
    state: bool,
    /// Leave out what has been redacted, as clients do, for a dump to hand on: redacted events are pruned by their room
    /// version's rules and get `unsigned.redacted_because`, edits of redacted events are pruned too, and copies of other events
    /// in `unsigned` are left out. So is what users said whom the server has erased. What a reply quotes in its own text stays
    #[arg(long)]
    honour_redactions: bool,
    /// Decrypt what can be, by the keys that the options below name. In JSON lines `type` and `content` are the decrypted ones, those that
    /// are stored stand under `synapse.encrypted`; of what cannot be read `synapse.undecryptable` says why. In a document what
    /// was encrypted has a mark. The room is read more than once
    #[arg(long)]
    decrypt: bool,
    #[command(flatten)]
    keys: KeyArgs,
    /// With --honour-redactions: go on where it may not be read whom the server has erased; what they said stays
    #[arg(long, requires = "honour_redactions")]
    ignore_erased: bool,
    /// Write to this file, which must not exist yet, instead of stdout (-); it is there only once it is whole
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    initial_copy: InitialCopy,
}

impl Args {
    /// The period that is asked for, in milliseconds since the epoch; none: all times.
    fn period(&self) -> Option<Range<i64>> {
        let at = |moment: Option<Moment>| moment.map(|moment| moment.within(self.timezone));
        let is_bounded = self.since.is_some() || self.until.is_some();
        is_bounded.then(|| at(self.since).unwrap_or(i64::MIN)..at(self.until).unwrap_or(i64::MAX))
    }
}

/// What a dump looks like.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// The lines that an archive would have.
    Jsonl,
    /// A transcript with a heading for each day.
    Markdown,
    /// The same as a page that browsers open, print and search; it loads nothing.
    Html,
}

/// Where the lines of a dump, or its document, go.
enum Target {
    File(Output),
    Directory(OutputDirectory, Split),
}

fn split(text: &str) -> Result<Split, String> {
    match (text, text.parse()) {
        ("day", _) => Ok(Split::Day),
        ("month", _) => Ok(Split::Month),
        (_, Ok(messages)) if messages > 0 => Ok(Split::Messages(messages)),
        _ => Err("`day`, `month`, or a number of messages".to_owned()),
    }
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    makes_sense(args)?;
    let config = args.database.config()?;
    let out = match (args.split, &args.output) {
        (Some(split), Some(path)) => Target::Directory(OutputDirectory::to(path)?, split),
        _ => Target::File(Output::to(args.output.as_deref())?),
    };
    let mut runtime = match args.format {
        // there is little to do beside reading, and a second thread would only be waited for
        Format::Jsonl => tokio::runtime::Builder::new_current_thread(),
        Format::Markdown | Format::Html => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = runtime.worker_threads(2).enable_all().build()?;
    let mut is_connected = false;
    let outcome = runtime.block_on(async {
        let (stop, stopped) = watch::channel(false);
        let signal = watch_signals(stop, Now::is("stopping"))?;
        let database = tokio::select! {
            database = Database::connect(&config) => database?,
            Some(number) = first(signal.clone()) => return Ok(Outcome::Signalled(number)),
        };
        is_connected = true;
        let ended = Box::pin(dump(args, &database, out, signal, stopped)).await;
        // what was being read is cancelled
        database.close().await;
        ended
    })?;
    if let Outcome::Signalled(_) = outcome {
        match &args.output {
            Some(path) if path.as_os_str() != "-" => info!("stopped: nothing was written to {}", path.display()),
            _ if !is_connected => info!("stopped while connecting: nothing was written"),
            _ => info!("stopped: the dump is cut off"),
        }
    }
    Ok(outcome)
}

/// Refuses options that would do nothing.
fn makes_sense(args: &Args) -> Result<(), WrongUsage> {
    let refused = |why: &str| Err(WrongUsage(why.to_owned()));
    if args.decrypt {
        args.keys.check()?;
    } else if args.keys.names_any() {
        return refused("sources of keys are named, and nothing is decrypted without --decrypt");
    }
    if args.period().is_some_and(|period| period.is_empty()) {
        return refused("--since is not before --until: no event can be of that period");
    }
    if let Some(split) = args.split {
        let is_named = args.output.as_ref().is_some_and(|path| path.as_os_str() != "-");
        match args.format {
            Format::Html if !is_named => {
                return refused("--split makes several files: --output names the directory for them");
            }
            Format::Html if args.state || args.decrypt => {
                return refused("--split goes neither with --state nor with --decrypt");
            }
            Format::Html if matches!(split, Split::Messages(most) if most > MOST_OF_ANY) => {
                return refused("--split: a page has at most 20000 messages");
            }
            Format::Html => {}
            Format::Jsonl | Format::Markdown => return refused("--split is for --format html"),
        }
    }
    match args.format {
        Format::Markdown | Format::Html if args.honour_redactions => refused(
            "--honour-redactions is for JSON lines: a document leaves out what was redacted in any case, unless --show-redacted",
        ),
        Format::Jsonl if args.show_redacted => refused(
            "--show-redacted is for --format markdown and html: JSON lines have what was redacted in any case, unless --honour-redactions",
        ),
        _ => Ok(()),
    }
}

/// Reads a room and writes it. Dropping what is read cancels it.
async fn dump(
    args: &Args,
    database: &Database,
    target: Target,
    signal: watch::Receiver<Option<u8>>,
    stopped: export::Stop,
) -> Result<Outcome> {
    let begun = async {
        args.initial_copy.check(database).await?;
        let room_id = find(database, &args.room).await?;
        // should the connection be lost, no server that is behind takes over
        database.heads().await?;
        if args.honour_redactions {
            knows_erased(args, database)?;
        }
        let bans = if args.honour_redactions { database.bans(&room_id).await? } else { Bans::default() };
        let decrypting =
            if args.decrypt { Some(Decrypting::begin(&args.keys, database, &room_id).await?) } else { None };
        let state = if args.state { Some(database.room_state(&room_id).await?) } else { None };
        anyhow::Ok((room_id, bans, decrypting, state))
    };
    let (room_id, bans, decrypting, state) = tokio::select! {
        begun = begun => begun?,
        Some(number) = first(signal.clone()) => return Ok(Outcome::Signalled(number)),
    };
    let is_terminal = matches!(&target, Target::File(out) if out.is_terminal());
    let counter = Counter::new("events read", is_terminal);
    let form = match args.format {
        Format::Jsonl => None,
        Format::Markdown => Some(Form::Markdown),
        Format::Html => Some(Form::Html),
    };
    if let Some(form) = form {
        let ended = document(args, database, (&room_id, form), (state, decrypting), target, counter, stopped).await;
        // a signal that comes when all is written changes nothing
        let number = signal.borrow().filter(|_| ended.is_err());
        return number.map_or(ended, |number| Ok(Outcome::Signalled(number)));
    }
    let Target::File(out) = target else { return Ok(Outcome::Done) };
    let dump = Dump::new(database, args.honour_redactions, bans, decrypting, out, counter);
    tokio::select! {
        ended = dump.all(args, &room_id, state) => ended,
        Some(number) = first(signal) => Ok(Outcome::Signalled(number)),
    }
}

/// Refuses to leave in what erased users said because it cannot be told whose that is, unless it is wanted so.
fn knows_erased(args: &Args, database: &Database) -> Result<()> {
    let Err(problem) = database.schema().suffices_for_erased() else { return Ok(()) };
    if args.ignore_erased {
        warn!("what erased users said stays: {problem}");
        return Ok(());
    }
    let what = "what erased users said cannot be left out (--ignore-erased goes on, and leaves it in)";
    Err(anyhow::Error::from(source::Error::Schema(problem)).context(what))
}

/// Writes a room as one document.
async fn document(
    args: &Args,
    database: &Database,
    (room_id, form): (&str, Form),
    (state, decrypting): (Option<Rows>, Option<Decrypting>),
    mut target: Target,
    mut counter: Counter,
    stopped: export::Stop,
) -> Result<Outcome> {
    report::bans(database);
    let asked = Asked { room_id, period: args.period(), show_redacted: args.show_redacted, zone: args.timezone };
    let place = match &mut target {
        Target::File(out) => Place::File(out),
        Target::Directory(directory, split) => Place::Directory(directory.path(), *split),
    };
    let document = Document { asked, form, state, decrypting };
    let written = document.write(database, &mut counter, stopped, place).await;
    counter.end();
    let Written { told, off } = written?;
    match target {
        Target::File(out) => out.finish()?,
        Target::Directory(directory, _) => directory.finish()?,
    }
    info!(
        room_id,
        events = told.events,
        messages = told.messages,
        days = told.days,
        "{} of {}: {} on {}",
        counted(told.events, "event"),
        shown(room_id),
        counted(told.messages, "message"),
        counted(told.days, "day")
    );
    if told.events == 0 && args.period().is_some() {
        info!("{EMPTY_PERIOD}");
    }
    Ok(if off > 0 { Outcome::Damaged } else { Outcome::Done })
}

fn not_blank(name: &str) -> Result<String, String> {
    let is_blank = name.trim().is_empty();
    (!is_blank).then(|| name.to_owned()).ok_or_else(|| "a room's id, alias or name, or a part of it".to_owned())
}
