//! What is handed on, of a room or of a person: in which form, of which time, and where it goes. What is withheld from it is decided
//! where it is read.

use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use tokio::sync::watch;
use tracing::{info, warn};

use super::output::{DataOutput, OutputDirectory};
use super::report::{Counter, counted, shown};
use super::signals::{Now, interrupt, watch_signals};
use super::{Outcome, WrongUsage};
use crate::archive::{Catalog, Interrupt};
use crate::document::page::MadeOf;
use crate::document::time::Zone;
use crate::event::{OwnedRoomId, UserId};
use crate::handover::{self, Given, Handed, TooLong};
use crate::views::{self, DocumentFormat, MOST_OF_ANY, Split};
use moment::Moment;

mod moment;

/// In place of what is not there.
pub(super) const EMPTY_PERIOD: &str = "there is nothing of the period that was asked for";

/// In which form it is handed on.
#[derive(clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct FormArgs {
    /// Only events sent at or after this time: a date (of --timezone), or RFC 3339
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Only events sent before this time
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// The time zone of the dates that --since and --until name, and of a document's times: an IANA name like Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub(super) timezone: Zone,
    /// As JSON lines (a room's own form), as one markdown document, as a page for browsers (a person's own form), as a zip of all
    /// these, or as an SQLite database; the last two take --output
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// Cut a page for browsers into several: one for each `day`, each `month`, or for so many messages. --output names a directory then,
    /// which must not exist yet; index.html in it leads to them. Those of a zip are by month unless this is given
    #[arg(long, value_name = "day|month|N", value_parser = split)]
    pub(super) split: Option<Split>,
    /// Show what redacted messages said, visibly marked in a document, and what users said whom the server has erased; in lines
    /// also events that clients never saw
    #[arg(long)]
    pub(super) show_redacted: bool,
    /// Go on where it cannot be told whom the server has erased; what they said stays
    #[arg(long)]
    pub(super) ignore_erased: bool,
    /// Check what each event proves by its own hashes and signatures, and tell how many prove what
    #[arg(long)]
    pub(super) verify: bool,
    /// Put the files that events name into an SQLite database too, as far as the archive has them; a zip always has them
    #[arg(long)]
    pub(super) with_media: bool,
    /// Write to this file, which must not exist yet, instead of stdout (-); it is there only once it is whole
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

/// What something that is handed on looks like.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// The lines that an archive has.
    Jsonl,
    /// A transcript with a heading for each day.
    Markdown,
    /// The same as a page that browsers open, print and search; it loads nothing.
    Html,
    /// Pages, transcript and lines in one file, with a manifest.
    Zip,
    /// A database that anything opens which reads SQLite.
    Sqlite,
}

/// Where it goes.
pub(super) enum OutputTarget {
    /// To one file.
    File(DataOutput),
    /// As several files to a directory.
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

impl FormArgs {
    /// The beginning and the end that are asked for, in milliseconds since the epoch.
    pub(super) fn bounds(&self) -> (Option<i64>, Option<i64>) {
        let at = |moment: Option<Moment>| moment.map(|moment| moment.within(self.timezone));
        (at(self.since), at(self.until))
    }

    /// The period that is asked for; none: all times.
    pub(super) fn period(&self) -> Option<Range<i64>> {
        let (since, until) = self.bounds();
        let is_bounded = since.is_some() || until.is_some();
        is_bounded.then(|| since.unwrap_or(i64::MIN)..until.unwrap_or(i64::MAX))
    }

    /// The form.
    pub(super) fn format(&self, unless_given: Format) -> Format {
        self.format.unwrap_or(unless_given)
    }

    /// Whether `--output` names a file.
    fn names_a_file(&self) -> bool {
        self.output.as_ref().is_some_and(|path| path.as_os_str() != "-")
    }

    /// Refuses options that would do nothing.
    pub(super) fn check(&self, format: Format) -> Result<(), WrongUsage> {
        let refused = |why: &str| Err(WrongUsage(why.to_owned()));
        if self.period().is_some_and(|period| period.is_empty()) {
            return refused("--since is not before --until: no event can be of that period");
        }
        if self.with_media && format != Format::Sqlite {
            return refused(
                "--with-media is for --format sqlite: a zip has the files in any case, and other forms have none",
            );
        }
        match (format, self.split) {
            (Format::Zip | Format::Sqlite, _) if !self.names_a_file() => {
                return refused("--format zip and sqlite: --output names the file");
            }
            (Format::Html, Some(_)) if !self.names_a_file() => {
                return refused("--split makes several files: --output names the directory for them");
            }
            (Format::Html | Format::Zip, Some(Split::Messages(most))) if most > MOST_OF_ANY => {
                return refused("--split: a page has at most 20000 messages");
            }
            (Format::Jsonl | Format::Markdown | Format::Sqlite, Some(_)) => {
                return refused("--split is for --format html and zip");
            }
            _ => {}
        }
        Ok(())
    }

    /// Where it goes.
    pub(super) fn target(&self, format: Format) -> Result<OutputTarget> {
        Ok(match (self.split.filter(|_| format == Format::Html), &self.output) {
            (Some(split), Some(path)) => OutputTarget::Directory(OutputDirectory::to(path)?, split),
            _ => OutputTarget::File(DataOutput::to(self.output.as_deref())?),
        })
    }

    /// What is handed on, as of now.
    pub(super) fn given<'a>(
        &self,
        catalog: &'a Catalog,
        interrupt: &'a Interrupt,
        rooms: Vec<OwnedRoomId>,
        sender: Option<UserId<'a>>,
    ) -> Given<'a> {
        Given {
            catalog,
            interrupt,
            rooms,
            sender,
            period: self.period(),
            show_redacted: self.show_redacted,
            zone: self.timezone,
            made: chrono::Utc::now().timestamp_millis(),
            made_of: MadeOf::default(),
        }
    }
}

/// What goes into it beside what is given.
pub(super) struct HandedWith<'a> {
    pub(super) format: Format,
    /// Lines are as they are archived, with what is withheld otherwise.
    pub(super) as_archived: bool,
    /// What stands between the cover and the days of a document.
    pub(super) state: Option<&'a mut dyn Read>,
    /// Where a document's temporary files are.
    pub(super) spool: &'a Path,
}

/// Writes it to where it goes.
pub(super) fn write(
    args: &FormArgs,
    given: &Given<'_>,
    with: HandedWith<'_>,
    target: &mut OutputTarget,
    told: &mut dyn FnMut(u64),
) -> Result<Handed> {
    let output = match target {
        OutputTarget::Directory(directory, split) => return Ok(parts(given, *split, directory.path())?),
        OutputTarget::File(output) => output,
    };
    let form = match (with.format, output.file()) {
        (Format::Zip, Some((file, path))) => {
            let split = args.split.unwrap_or(Split::Month);
            return Ok(handover::zip(given, split, handover::beside(path), file, told)?);
        }
        (Format::Sqlite, Some((_, path))) => return Ok(handover::database(given, args.with_media, path, told)?),
        (Format::Zip | Format::Sqlite, None) => bail!("--output names the file"),
        (Format::Jsonl, _) => {
            let is_terminal = output.is_terminal();
            let mut out = Stoppable { out: output, interrupt: given.interrupt, is_terminal };
            let handed = handover::lines(given, with.as_archived, &mut out, told)?;
            out.flush()?;
            return Ok(handed);
        }
        (Format::Markdown, _) => DocumentFormat::Markdown,
        (Format::Html, _) => DocumentFormat::Html,
    };
    let mut out = Stoppable { out: output, interrupt: given.interrupt, is_terminal: false };
    let handed = match handover::document(given, form, with.state, with.spool, &mut out)? {
        Ok(handed) => handed,
        Err(TooLong { what, .. }) if given.sender.is_some() => {
            bail!("there are {what}: --format zip makes several; --since and --until ask for less")
        }
        Err(TooLong { what, split }) => {
            bail!("there are {what}: --split {split} makes several, in a directory; --since and --until ask for less")
        }
    };
    out.flush()?;
    Ok(handed)
}

fn parts(given: &Given<'_>, split: Split, directory: &Path) -> Result<Handed, crate::archive::Error> {
    handover::parts(given, split, directory, &mut views::NewDirectory(directory))
}

/// Whether an archive knows whom the server has erased, or need not.
pub(super) fn knows_erased(args: &FormArgs, catalog: &Catalog) -> Result<bool> {
    Ok(args.show_redacted || args.ignore_erased || catalog.hides_erased()?)
}

/// Hands on what an archive has, which is read as it is now, also beside an export.
pub(super) fn from_archive(
    args: &FormArgs,
    catalog: &Catalog,
    (rooms, sender): (Vec<OwnedRoomId>, Option<UserId<'_>>),
    (format, as_archived): (Format, bool),
) -> Result<Outcome> {
    if !as_archived && !args.show_redacted && !catalog.hides_erased()? {
        if !args.ignore_erased {
            bail!(
                "the archive does not know whom the server has erased, whose words are to be left out; run `synapse-export export --hide-erased`, which asks the server, or go on with --ignore-erased, which leaves them in"
            );
        }
        warn!("what erased users said stays: the archive does not know whom the server has erased");
    }
    let mut target = args.target(format)?;
    let (stop, _) = watch::channel(false);
    let signal = watch_signals(stop, Now::is("stopping"))?;
    let interrupt = interrupt(&signal);
    let is_terminal = matches!(&target, OutputTarget::File(out) if out.is_terminal());
    let mut counter = Counter::new("lines written", is_terminal);
    let about = rooms.clone();
    let work = || -> Result<Handed> {
        let _snapshot = catalog.snapshot()?;
        let mut given = args.given(catalog, &interrupt, rooms, sender);
        if !as_archived {
            given.look_through(true, args.verify)?;
        }
        let spool = std::env::temp_dir();
        let with = HandedWith { format, as_archived, state: None, spool: &spool };
        write(args, &given, with, &mut target, &mut |lines| counter.at(lines))
    };
    let handed = work();
    counter.end();
    let number = signal.borrow().filter(|_| handed.is_err());
    if let Some(number) = number {
        let what = if args.names_a_file() { "nothing was written" } else { "what was written is cut off" };
        info!("stopped: {what}");
        return Ok(Outcome::Signalled(number));
    }
    let handed = handed?;
    finish(target)?;
    tell(
        args,
        format,
        sender.map(UserId::as_str).or(about.first().map(OwnedRoomId::as_str)).unwrap_or_default(),
        "the archive",
        handed,
    );
    if handed.unread > 0 {
        warn!(
            "{} whose lines cannot be read are missing; synapse-export doctor says more",
            counted(handed.unread, "event")
        );
    }
    if handed.lost > 0 {
        warn!(
            "{} that the archive has copied and lost since are missing; synapse-export verify names them, and synapse-export media copies them again",
            counted(handed.lost, "file")
        );
    }
    Ok(if handed.unread > 0 || handed.lost > 0 { Outcome::Damaged } else { Outcome::Done })
}

/// All is written: it gets its name.
pub(super) fn finish(target: OutputTarget) -> Result<()> {
    match target {
        OutputTarget::File(out) => out.finish(),
        OutputTarget::Directory(directory, _) => directory.finish(),
    }
}

/// Tells what was handed on, of a room or a person, and from where.
pub(super) fn tell(args: &FormArgs, format: Format, of: &str, from: &str, handed: Handed) {
    let Handed { events, messages, days, .. } = handed;
    let told = match format {
        Format::Jsonl => counted(days, "day"),
        _ => format!("{} on {}", counted(messages, "message"), counted(days, "day")),
    };
    let told = format!("{} of {} from {from}: {told}", counted(events, "event"), shown(of));
    if of.starts_with('@') {
        info!(user_id = of, events, messages, days, "{told}");
    } else {
        info!(room_id = of, events, messages, days, "{told}");
    }
    if events == 0 && args.period().is_some() {
        info!("{EMPTY_PERIOD}");
    }
}

/// Output that ends when the process is told to, so that temporary files are removed all the same.
struct Stoppable<'a> {
    out: &'a mut dyn Write,
    interrupt: &'a Interrupt,
    /// JSON lets through what changes how some terminals write; a file or a pipe gets the text as it is stored.
    is_terminal: bool,
}

impl Write for Stoppable<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.interrupt.is_told() {
            return Err(io::Error::other("stopped by a signal"));
        }
        if self.is_terminal {
            let text = super::log::harmless(&String::from_utf8_lossy(bytes));
            self.out.write_all(text.as_bytes())?;
            return Ok(bytes.len());
        }
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
