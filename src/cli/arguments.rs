//! The arguments of this process, with what the configuration file says where none is given; and how it is complained about them, which
//! never quotes what may be a password.

use std::ffi::OsString;
use std::io::Write as _;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, CommandFactory as _};

use super::config_file::Configured;
use super::{Cli, command};

/// Why arguments, with a configuration file, make no command.
pub(super) enum Refused {
    Clap(clap::Error),
    File(String),
}

/// The arguments of this process, where none are given with what the configuration file says, and that file.
pub(super) fn parsed() -> Result<(ArgMatches, Configured), Refused> {
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

/// Whether a complaint about the arguments would show a connection string.
pub(super) fn may_quote_a_password(error: &clap::Error) -> bool {
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

/// Complains about the arguments, which say how to complain: as clap does.
pub(super) fn usage(line: &str) {
    // a log on a full disk ends nothing
    let _ = writeln!(std::io::stderr(), "synapse-export: {line}");
}
