//! `synapse-export room`: one room now, as lines or as a document, to a file or a pipe.
//!
//! Reads the database alone, and leaves no archive behind.

mod decrypting;
mod document;
mod moment;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::ops::Range;
use std::path::PathBuf;

use anyhow::Result;
use tokio::sync::watch;
use tracing::{info, warn};

use super::database::DatabaseArgs;
use super::keys::{self, KeyArgs};
use super::lag::InitialCopy;
use super::log::harmless;
use super::meant::find;
use super::output::{Output, OutputDirectory};
use super::report::{self, Counter, SEVERAL_ROWS, counted, shown};
use super::signals::{Now, first, watch_signals};
use super::{Outcome, WrongUsage};
use crate::document::time::Zone;
use crate::event::{Event, Redaction};
use crate::export;
use crate::source::{self, Bans, Database, Row, Rows};
use crate::views::{Asked, Form, MOST_OF_ANY, Split};
use decrypting::Decrypting;
use document::{Document, Place, Written};
use moment::Moment;

/// In place of what is not there.
const EMPTY_PERIOD: &str = "there is nothing of the period that was asked for";
/// How many warnings about events are given in full.
const WARNINGS: u64 = 20;
/// How many events without a place in the stream are counted.
const UNPLACED: u32 = 1_000;

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
            "--show-redacted is for documents: JSON lines have what was redacted in any case, unless --honour-redactions",
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
    let dump = Dump {
        database,
        honour_redactions: args.honour_redactions,
        bans,
        decrypting,
        out,
        counter,
        lines: 0,
        redacted: 0,
        erased: 0,
        damaged: 0,
        duplicates: 0,
        warnings: 0,
    };
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

/// Lines on their way out.
struct Dump<'a> {
    database: &'a Database,
    honour_redactions: bool,
    bans: Bans,
    decrypting: Option<Decrypting>,
    out: Output,
    counter: Counter,
    lines: u64,
    redacted: u64,
    /// Lines that are left of what erased users sent.
    erased: u64,
    damaged: u64,
    duplicates: u64,
    warnings: u64,
}

/// How many events of one depth are remembered.
const AT_A_DEPTH: usize = 100_000;

/// The events of the depth that a dump is at, by which it knows a second row of one: that has the same depth.
#[derive(Default)]
struct AtDepth {
    depth: i64,
    seen: BTreeSet<String>,
}

impl AtDepth {
    /// Whether an event has not been there.
    fn is_first(&mut self, event: &Event) -> bool {
        if self.depth != event.topological_ordering || self.seen.len() >= AT_A_DEPTH {
            self.depth = event.topological_ordering;
            self.seen.clear();
        }
        self.seen.insert(event.event_id.clone())
    }
}

impl Dump<'_> {
    /// Writes the state, if there is to be one, and the events.
    async fn all(mut self, args: &Args, room_id: &str, state: Option<Rows>) -> Result<Outcome> {
        if let Some(rows) = state {
            self.write(rows).await?;
        }
        let state_lines = self.lines;
        let asks = args.honour_redactions || self.decrypting.is_some();
        let at = |moment: Option<Moment>| moment.map(|moment| moment.within(args.timezone));
        let (since, until) = (at(args.since), at(args.until));
        self.write(self.database.room(room_id, since, until, asks)).await?;
        for (lacks, event_id, room_id) in self.database.unplaced(&[room_id.to_owned()], UNPLACED).await? {
            self.damaged += 1;
            self.warnings += 1;
            if self.warnings <= WARNINGS {
                report::unplaced(&event_id, &room_id, &lacks);
            }
        }
        self.counter.end();
        self.out.finish()?;
        if self.warnings > WARNINGS {
            warn!("{} more of these", self.warnings - WARNINGS);
        }
        if let Some(decrypting) = &self.decrypting {
            keys::report(room_id, decrypting.numbers());
        }
        let events = self.lines - state_lines;
        let state = if args.state { format!(", after {state_lines} of its state") } else { String::new() };
        let (redactions, damaged) = (self.redacted, self.damaged);
        let redacted = if args.honour_redactions {
            format!(", {} redacted, {} of erased users", counted(redactions, "line"), self.erased)
        } else {
            String::new()
        };
        info!(
            room_id,
            events,
            state_lines,
            redacted = redactions,
            erased = self.erased,
            damaged,
            duplicates = self.duplicates,
            "{} of {}{state}{redacted}",
            counted(events, "event"),
            shown(room_id)
        );
        if events == 0 && args.period().is_some() {
            info!("{EMPTY_PERIOD}");
        }
        Ok(if damaged + self.duplicates > 0 { Outcome::Damaged } else { Outcome::Done })
    }

    async fn write(&mut self, mut rows: Rows) -> Result<()> {
        let mut at_depth = AtDepth::default();
        loop {
            let chunk = rows.recv().await.ok_or(source::Error::BrokeOff)??;
            if chunk.is_empty() {
                return Ok(());
            }
            let mut events: Vec<Box<Event>> = chunk.into_iter().filter_map(Row::event).collect();
            events.retain(|event| {
                let is_first = at_depth.is_first(event);
                if event.duplicate == is_first {
                    self.duplicates += 1;
                    self.warn(event, &format_args!(" {SEVERAL_ROWS}"));
                }
                is_first
            });
            let shown = match &mut self.decrypting {
                Some(decrypting) => decrypting.events(&events).await?,
                None => Vec::new(),
            };
            let shown = if shown.is_empty() { &events } else { &shown };
            let lines = if self.honour_redactions { self.honoured(&events, shown).await? } else { plain(shown) };
            for event in &events {
                if let Some(damage) = &event.damage {
                    self.damaged += 1;
                    self.warn(event, &format_args!(": {damage}"));
                }
            }
            // JSON lets through what changes how some terminals write; a file or a pipe gets the text as it is stored
            let lines = if self.out.is_terminal() { harmless(&lines) } else { lines };
            self.out.write_all(lines.as_bytes())?;
            self.lines += events.len() as u64;
            self.counter.at(self.lines);
        }
    }

    fn warn(&mut self, event: &Event, text: &dyn std::fmt::Display) {
        self.warnings += 1;
        if self.warnings <= WARNINGS {
            warn!(event_id = event.event_id, "event {}{text}", shown(&event.event_id));
        }
    }

    /// The lines of events as they are `shown`, of those that are redacted what their redaction leaves of what is stored.
    async fn honoured(&mut self, events: &[Box<Event>], shown: &[Box<Event>]) -> Result<String> {
        let redactions = self.database.redactions(events.iter().map(Box::as_ref), &self.bans).await?;
        let of_redactions = self.database.redactions(redactions.values(), &self.bans).await?;
        let knows_erased = self.database.schema().suffices_for_erased().is_ok();
        let senders =
            events.iter().map(Box::as_ref).chain(redactions.values()).filter_map(|event| event.sender.as_deref());
        let erased = if knows_erased { self.database.erased(&senders.collect()).await? } else { BTreeSet::new() };
        let is_erased = |event: &Event| event.sender.as_ref().is_some_and(|sender| erased.contains(sender));
        let redaction = |event: &Event| {
            let event = redactions.get(&event.event_id)?;
            let redacted = of_redactions.contains_key(&event.event_id) || is_erased(event);
            Some(Redaction { event, redacted })
        };
        let (mut lines, mut redacted, mut warnings) = (String::new(), 0, Vec::new());
        for (event, shown) in events.iter().zip(shown) {
            let redaction = redaction(event);
            redacted += u64::from(redaction.is_some());
            let honoured = if redaction.is_none() && is_erased(event) {
                self.erased += 1;
                event.honouring_erasure()
            } else if redaction.is_none() {
                shown.honouring(None)
            } else {
                event.honouring(redaction)
            };
            warnings.extend(honoured.warning.map(|warning| (event, warning)));
            lines.push_str(&honoured.line);
            lines.push('\n');
        }
        self.redacted += redacted;
        for (event, warning) in warnings {
            self.warn(event, &format_args!(": {warning}"));
        }
        Ok(lines)
    }
}

fn plain(events: &[Box<Event>]) -> String {
    let mut lines = String::new();
    for event in events {
        lines.push_str(&event.line);
        lines.push('\n');
    }
    lines
}

fn not_blank(name: &str) -> Result<String, String> {
    let is_blank = name.trim().is_empty();
    (!is_blank).then(|| name.to_owned()).ok_or_else(|| "a room's id, alias or name, or a part of it".to_owned())
}
