//! The command line: arguments, environment, terminal, exit codes. The only place for any of them.
//!
//! A verb is a module with its arguments, whose comments are its help, and a function that runs it. An error comes here to be
//! told, with the hint that helps, and to become an exit status. What a verb does is not known here.

mod all_archives;
mod archive;
mod arguments;
mod compact;
mod config_file;
mod configuration;
mod database;
mod decrypt;
mod doctor;
mod ending;
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

use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use tracing::{error, warn};

use archive::{ArchiveArgs, CatalogArgs, ReadersArgs};
use arguments::{Refused, may_quote_a_password, parsed, usage};
use ending::{Outcome, WrongUsage, hint, is_broken_pipe, is_full, status};

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

/// The command line as clap knows it: what help, man pages and completions are made of.
#[must_use]
pub fn command() -> clap::Command {
    examples::before_help(Cli::command())
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

/// Keeps what is in memory, messages and passwords, out of core dumps, and its environment from others that run as this user.
fn keep_to_itself() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    // where it cannot be had the program runs all the same
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_its_memory_is_left_to_others() {
        keep_to_itself();
        let limit = rustix::process::getrlimit(rustix::process::Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
        #[cfg(target_os = "linux")]
        assert_eq!(rustix::process::dumpable_behavior().unwrap(), rustix::process::DumpableBehavior::NotDumpable);
    }
}
