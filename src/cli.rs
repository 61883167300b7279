//! The command line: arguments, environment, terminal, exit codes. The only place for any of them.
//!
//! A verb is a module with its arguments, whose comments are its help, and a function that runs it. An error comes here to be
//! told, with the hint that helps, and to become an exit status.

mod all_archives;
mod compact;
mod config_file;
mod configuration;
mod database;
mod decrypt;
mod doctor;
mod erase;
mod examples;
mod export;
mod handing;
mod keys;
mod lag;
mod leftovers;
mod log;
mod meant;
mod media;
mod metrics;
mod output;
mod outputs;
mod rebuild;
mod remembered;
mod render;
mod report;
mod room;
mod rooms;
mod search;
mod service;
mod shell;
mod show;
mod signals;
mod stats;
mod status;
mod user;
mod verify;
mod watermark;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use tracing::{error, info, warn};

use crate::archive::{Archive, Catalog, Interrupt, Opening, Readers, Turn};
use crate::{archive, config, source};
use config_file::Configured;
use remembered::{GROUP_READABLE, Holding, Says};

/// Archives the rooms of a Synapse homeserver from its PostgreSQL database: exactly once, read-only, without HTTP.
#[derive(Parser)]
#[command(version, propagate_version = true, after_help = AFTER_HELP, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    log: log::Args,
    /// The configuration file, in place of synapse-export.toml in the user's directory of configurations or in /etc
    #[arg(long = "config", global = true, value_name = "FILE", env = "SYNAPSE_EXPORT_CONFIG")]
    _config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Exit status: 0 done · 1 failed, or nothing found · 2 wrong usage · 3 done, but some rows are damaged, lines lost, or something that was verified is off · 75 try again later (another export \
is running, the database is away, or the replica cancels too much or lags) · 130, 143 stopped by a signal: an export keeps what it has read";

#[derive(Subcommand)]
enum Command {
    Export(Box<export::Args>),
    Room(room::Args),
    User(user::Args),
    Rooms(rooms::Args),
    Search(search::Args),
    Show(show::Args),
    Render(render::Args),
    Rebuild(rebuild::Args),
    Verify(verify::Args),
    Erase(erase::Args),
    Compact(compact::Args),
    #[command(subcommand)]
    Output(outputs::Command),
    Status(status::Args),
    Stats(stats::Args),
    Doctor(doctor::Args),
    #[command(subcommand)]
    Keys(keys::Command),
    Media(media::Args),
    #[command(subcommand)]
    Watermark(watermark::Command),
    #[command(subcommand)]
    Config(configuration::Command),
}

/// Which archive.
#[derive(clap::Args)]
struct ArchiveArgs {
    /// The archive's directory
    #[arg(long, value_name = "DIR", env = "SYNAPSE_EXPORT_ARCHIVE")]
    archive: PathBuf,
    /// Write to the archive even if another user owns it or may write to it, who could read and alter all of it
    #[arg(long, env = "SYNAPSE_EXPORT_SHARED_ARCHIVE")]
    shared_archive: bool,
    #[command(flatten)]
    catalog: CatalogArgs,
}

/// Where its catalog is.
#[derive(clap::Args)]
struct CatalogArgs {
    /// The directory of the archive's catalog.sqlite, when that is not to be in the archive: one on a local disk, for an archive
    /// on a network file system. Remembered for the runs to come
    #[arg(long = "catalog", value_name = "DIR")]
    directory: Option<PathBuf>,
}

/// Who may read it.
#[derive(clap::Args)]
struct ReadersArgs {
    /// Let the group of the archive's directory read all that is in it: directories get mode 2750, files 0640, also those that are
    /// there. Remembered for the runs to come
    #[arg(long)]
    group_readable: bool,
    /// Let only its owner read it again
    #[arg(long, conflicts_with = "group_readable")]
    no_group_readable: bool,
}

impl ReadersArgs {
    /// Does to an archive what was asked for; an option that is given also to what is there already, if it is as that was before.
    fn apply(&self, says: Says, archive: &mut Archive) -> Result<(), archive::Error> {
        let said = match (self.group_readable, self.no_group_readable) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        };
        let last = archive.catalog().readers()?;
        let group = Holding::of(archive.catalog(), GROUP_READABLE, said, says, last == Readers::Group)?;
        group.remember(archive)?;
        let readers = if group.value { Readers::Group } else { Readers::Owner };
        if readers != last || (said.is_some() && says == Says::Option) { archive.set_readers(readers) } else { Ok(()) }
    }
}

impl ArchiveArgs {
    /// Opens the archive to write to it; makes it, if there is none.
    fn open(&self, interrupt: Interrupt) -> Result<Archive, archive::Error> {
        self.open_as(Opening { interrupt, turn: Turn::Asks, ..Opening::default() })
    }

    /// The same, in another way.
    fn open_as(&self, opening: Opening<'_>) -> Result<Archive, archive::Error> {
        rebuild::telling(|told| self.opened(Archive::open_as, Opening { told: Some(told), ..opening }))
    }

    /// Makes its catalog anew, and opens it.
    fn rebuild(&self, interrupt: Interrupt) -> Result<Archive, archive::Error> {
        rebuild::telling(|told| {
            let turn = Turn::Asks;
            self.opened(Archive::rebuild, Opening { interrupt, turn, told: Some(told), ..Opening::default() })
        })
    }

    fn opened<'a>(
        &'a self,
        open: impl FnOnce(&'a Path, Opening<'a>) -> Result<Archive, archive::Error>,
        opening: Opening<'a>,
    ) -> Result<Archive, archive::Error> {
        let catalog = self.catalog.directory.as_deref();
        let archive = open(&self.archive, Opening { shared: self.shared_archive, catalog, ..opening })?;
        if archive.catalog().was_put_on_a_network() {
            info!(
                "the catalog is on a network file system: it has a rollback journal there, no write-ahead log; faster and safer is a local disk (--catalog DIR)"
            );
        }
        Ok(archive)
    }

    fn directory(&self) -> &Path {
        &self.archive
    }

    /// Makes sure that there is an archive to be opened.
    fn find(&self) -> Result<(), archive::Error> {
        Catalog::find_in(&self.archive, self.catalog.directory.as_deref())
    }

    /// Opens its catalog to look at it.
    fn look(&self) -> Result<Catalog, archive::Error> {
        Catalog::open_to_read_in(&self.archive, self.catalog.directory.as_deref())
    }
}

/// How a command ended, if it did not fail.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    /// Nothing was found.
    Nothing,
    Damaged,
    Refused,
    /// What `doctor` found.
    Warnings,
    Errors,
    /// As others have, which it has run.
    Ended(u8),
    Signalled(u8),
}

/// What was asked for makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct WrongUsage(String);

/// The command line as clap knows it: what help, man pages and completions are made of.
#[must_use]
pub fn command() -> clap::Command {
    examples::before_help(Cli::command())
}

/// Why arguments, with a configuration file, make no command.
enum Refused {
    Clap(clap::Error),
    File(String),
}

/// The arguments of this process, where none are given with what the configuration file says, and that file.
fn parsed() -> Result<(ArgMatches, Configured), Refused> {
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    // to show what holds, nothing need be there
    let shown = |command: clap::Command| {
        command.mut_subcommand("show", |command| command.mut_arg("archive", |archive| archive.required(false)))
    };
    let command = command().mut_subcommand("config", shown);
    let configured = match Configured::read(&mut arguments, &|name| std::env::var_os(name), &command) {
        Ok(configured) => configured,
        Err(problem) => {
            // who asks for help gets it
            let kinds = [ErrorKind::DisplayHelp, ErrorKind::DisplayVersion];
            return Err(match command.try_get_matches_from(arguments) {
                Err(error) if kinds.contains(&error.kind()) => Refused::Clap(error),
                _ => Refused::File(problem),
            });
        }
    };
    let matches = configured.applied_to(command).try_get_matches_from(arguments).map_err(Refused::Clap)?;
    Ok((matches, configured))
}

/// The arguments of an export, with what the configuration file says by now.
fn export_again() -> anyhow::Result<export::Args> {
    let refused = |refused| match refused {
        Refused::File(problem) => WrongUsage(problem),
        Refused::Clap(_) => WrongUsage("the options and the configuration file do not fit together".to_owned()),
    };
    let (matches, configured) = parsed().map_err(refused)?;
    for warning in &configured.warnings {
        warn!("{warning}");
    }
    match Cli::from_arg_matches(&matches).map_err(|error| refused(Refused::Clap(error)))?.command {
        Command::Export(args) => Ok(args.said_by(&matches)),
        _ => Err(refused(Refused::File("this is no export".to_owned())).into()),
    }
}

/// Runs the command that the process was started with.
#[must_use]
pub fn run() -> ExitCode {
    keep_to_itself();
    let refused = |refused| match refused {
        Refused::Clap(error) if may_quote_a_password(&error) => {
            usage(
                "an argument stands where none belongs; a database is named with --database URL, its password with --password-file FILE",
            );
            ExitCode::from(2)
        }
        Refused::Clap(error) => error.exit(),
        Refused::File(problem) => {
            usage(&log::visible(&problem));
            ExitCode::from(2)
        }
    };
    let (matches, configured) = match parsed() {
        Ok(parsed) => parsed,
        Err(error) => return refused(error),
    };
    if let Some(("config", config)) = matches.subcommand()
        && let Some(("show", options)) = config.subcommand()
    {
        return ended(configuration::show(options, &configured), None);
    }
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return refused(Refused::Clap(error)),
    };
    log::set_up(&cli.log);
    for warning in &configured.warnings {
        warn!("{warning}");
    }
    let result = match cli.command {
        Command::Export(args) if args.is_for_all() => all_archives::run(configured.file.as_ref()),
        Command::Export(args) => {
            let args = Rc::new(args.said_by(&matches));
            return ended(export::run(&args), Some(&args));
        }
        Command::Room(args) => room::run(&args),
        Command::User(args) => user::run(&args),
        Command::Rooms(args) => rooms::run(&args),
        Command::Search(args) => search::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Render(args) => render::run(&args),
        Command::Rebuild(args) => rebuild::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Erase(args) => erase::run(&args),
        Command::Compact(args) => compact::run(&args),
        Command::Output(command) => outputs::run(&command),
        Command::Status(args) => status::run(&args),
        Command::Stats(args) => stats::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Keys(command) => keys::run(&command),
        Command::Media(args) => media::run(&args),
        Command::Watermark(command) => watermark::run(&command),
        Command::Config(command) => configuration::run(&command),
    };
    ended(result, None)
}

/// Tells how a command has ended, of an export also the user's own command.
fn ended(result: anyhow::Result<Outcome>, export: Option<&export::Args>) -> ExitCode {
    let (status, message) = match result {
        Ok(outcome) => (outcome.status(), "done, but something is off, which the log names".to_owned()),
        Err(error) if is_broken_pipe(&error) => return ExitCode::SUCCESS,
        Err(error) => {
            let exit = status(&error);
            let hint = hint(&error).map_or_else(String::new, |hint| format!("; {hint}"));
            let message = format!("{error:#}{hint}");
            error!(exit, "{message}");
            (exit, message)
        }
    };
    if let Some(export) = export
        && (1..128).contains(&status)
    {
        export.failed(status, &message);
    }
    ExitCode::from(status)
}

impl Outcome {
    /// The exit status that it is.
    fn status(self) -> u8 {
        match self {
            Outcome::Done => 0,
            Outcome::Nothing => 1,
            Outcome::Refused => 2,
            Outcome::Damaged => 3,
            Outcome::Warnings => 10,
            Outcome::Errors => 11,
            Outcome::Ended(status) => status,
            Outcome::Signalled(signal) => 128 + signal,
        }
    }
}

/// Keeps what is in memory, messages and passwords, out of core dumps, and its environment from others that run as this user.
fn keep_to_itself() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    // where it cannot be had the program runs all the same
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// Whether a complaint about the arguments would show a connection string.
fn may_quote_a_password(error: &clap::Error) -> bool {
    let text = error.to_string();
    // but for the name of our own option
    let text = text.to_lowercase().replace("--password-file", "");
    error.use_stderr() && (text.contains("://") || text.contains("password") || is_stray(error))
}

/// Whether it is about an argument that is neither an option's name nor nearly a command's: a part of a password, if a shell
/// has split that, or what names a database.
fn is_stray(error: &clap::Error) -> bool {
    let given = |kind| match error.get(kind) {
        Some(ContextValue::String(given)) => Some(given.as_str()),
        _ => None,
    };
    match error.kind() {
        ErrorKind::UnknownArgument => given(ContextKind::InvalidArg).is_none_or(|given| !given.starts_with('-')),
        ErrorKind::InvalidSubcommand => {
            let given = given(ContextKind::InvalidSubcommand).unwrap_or_default();
            !Cli::command().get_subcommands().any(|command| strsim::levenshtein(command.get_name(), given) <= 2)
        }
        // a connection string that follows another option
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            given(ContextKind::InvalidValue).is_some_and(|given| given.contains(['=', '@']))
        }
        _ => false,
    }
}

/// The exit status that an error asks for.
fn status(error: &anyhow::Error) -> u8 {
    let transient = of_archive(error).is_some_and(archive::Error::is_transient)
        || of_source(error).is_some_and(source::Error::is_transient);
    if transient || error.is::<lag::Lagging>() || error.is::<lag::Copying>() {
        75
    } else if error.is::<config::Error>() || error.is::<WrongUsage>() {
        2
    } else {
        1
    }
}

/// Whether there is no space for an archive.
fn is_full(error: &anyhow::Error) -> bool {
    of_archive(error).is_some_and(archive::Error::is_full)
}

/// What helps against an error, where it does not say it itself.
fn hint(error: &anyhow::Error) -> Option<String> {
    if error.is::<lag::Lagging>() {
        return Some(lag::Lagging::HINT.to_owned());
    }
    if error.is::<lag::Copying>() {
        return Some(lag::Copying::HINT.to_owned());
    }
    error.chain().find_map(|cause| {
        if let Some(error) = cause.downcast_ref::<config::Error>() {
            return error.hint().map(str::to_owned);
        }
        let of_export = cause.downcast_ref::<crate::export::Error>().map(crate::export::Error::hint);
        let of_source = || cause.downcast_ref::<source::Error>().map(source::Error::hint);
        let of_archive = || cause.downcast_ref::<archive::Error>().map(archive::Error::hint);
        if let Some(error) = cause.downcast_ref::<crate::keys::Error>() {
            return error.hint();
        }
        if let Some(error) = cause.downcast_ref::<crate::outputs::Error>() {
            return error.hint();
        }
        of_export.or_else(of_source).or_else(of_archive).flatten()
    })
}

fn of_source(error: &anyhow::Error) -> Option<&source::Error> {
    error.chain().find_map(|cause| match cause.downcast_ref() {
        Some(crate::export::Error::Source(error)) => Some(error),
        _ => match cause.downcast_ref() {
            Some(crate::keys::Error::Source(error) | crate::keys::Error::Bridge { source: error, .. }) => Some(error),
            _ => cause.downcast_ref(),
        },
    })
}

fn of_archive(error: &anyhow::Error) -> Option<&archive::Error> {
    error.chain().find_map(|cause| match cause.downcast_ref() {
        Some(crate::export::Error::Archive(error)) => Some(error),
        _ => cause.downcast_ref(),
    })
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    // of all errors only those of writing to stdout come as they are, or from a document
    let of_document = match error.downcast_ref() {
        Some(archive::Error::Transcript(error)) => Some(error),
        _ => None,
    };
    let error = error.downcast_ref::<std::io::Error>().or(of_document);
    error.is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Complains about the arguments, which say how to complain: as clap does.
fn usage(line: &str) {
    // a log on a full disk ends nothing
    let _ = writeln!(std::io::stderr(), "synapse-export: {line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_enter_an_archive_is_told_what_to_do() {
        let denied = |kind: std::io::ErrorKind| archive::Error::Io {
            doing: "open",
            path: "archive/.lock".into(),
            source: kind.into(),
        };
        let hint = |error: archive::Error| hint(&crate::export::Error::Archive(error).into());
        assert!(hint(denied(std::io::ErrorKind::PermissionDenied)).is_some());
        assert!(hint(denied(std::io::ErrorKind::StorageFull)).is_none());
    }

    #[test]
    fn nothing_of_its_memory_is_left_to_others() {
        keep_to_itself();
        let limit = rustix::process::getrlimit(rustix::process::Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
        #[cfg(target_os = "linux")]
        assert_eq!(rustix::process::dumpable_behavior().unwrap(), rustix::process::DumpableBehavior::NotDumpable);
    }
}
