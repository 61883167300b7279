//! `synapse-export config`: what holds for an export and from where, and a configuration file to begin with.
//!
//! Asks no database, and shows no secret.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, CommandFactory as _};
use libpq_config::Parameters;
use serde_json::Value;

use super::config_file::{Configured, known};
use super::output::DataOutput;
use super::{Cli, Outcome, export, log, remembered};
use crate::archive::{Catalog, Readers};
use crate::config::{Config, DatabaseFlags};

/// What is shown of a connection string: nothing that could be a secret.
const SHOWN: [&str; 8] = ["service", "host", "hostaddr", "port", "dbname", "user", "sslmode", "options"];

/// Show what holds for an export, or write a configuration file to begin with
#[derive(clap::Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one of it")]
pub(super) enum Command {
    Show(ShowArgs),
    Init(InitArgs),
}

/// Show what holds for `export` with these options, and from where: an argument, the environment, the configuration file, Synapse's
/// configuration, what the archive remembers, or nothing but the default. Passwords are left out
#[derive(clap::Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    export: export::Args,
}

/// Write a configuration file with all options as comments
#[derive(clap::Args)]
pub(super) struct InitArgs {
    /// Synapse's homeserver.yaml, which says where the database is; the file names it, and repeats nothing of it
    #[arg(long, value_name = "FILE")]
    synapse_config: Vec<PathBuf>,
    /// The archive's directory
    #[arg(long, value_name = "DIR")]
    archive: Option<PathBuf>,
    /// Write it to this file, which must not be there yet and which only its owner can read, rather than to stdout
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Shows what holds for an export. What was parsed of it may lack what an export needs.
pub(super) fn show(matches: &ArgMatches, configured: &Configured) -> Result<Outcome> {
    let command = Cli::command();
    let value = |option: &Arg| -> Option<Vec<String>> {
        let raw = matches.try_get_raw(option.get_id().as_str()).ok()??;
        Some(raw.map(|value| value.to_string_lossy().into_owned()).collect())
    };
    let archive = known(&command).find(|option| option.get_long() == Some("archive")).and_then(value);
    let archive = archive.and_then(|values| values.first().map(PathBuf::from));
    let mut out = DataOutput::stdout();
    for option in known(&command) {
        let long = option.get_long().unwrap_or_default();
        let source = matches.value_source(option.get_id().as_str());
        let in_file = configured.values.contains_key(long);
        let from = match (source, &configured.file) {
            (Some(ValueSource::CommandLine), _) => "argument".to_owned(),
            (Some(ValueSource::EnvVariable), _) => {
                let name = option.get_env().map(|name| name.to_string_lossy().into_owned());
                format!("environment, {}", name.unwrap_or_default())
            }
            (_, Some(file)) if in_file => match &configured.archive {
                Some(name) => format!("{}, for [archive.{}]", file.path.display(), log::visible(name)),
                None => file.path.display().to_string(),
            },
            _ => {
                if let Some((values, from)) = of_archive(long, archive.as_deref(), matches) {
                    writeln!(out, "{long} = {}  # {from}", shown(option, long, &values))?;
                    continue;
                }
                "default".to_owned()
            }
        };
        let Some(values) = value(option).filter(|values| !values.is_empty()) else { continue };
        writeln!(out, "{long} = {}  # {from}", shown(option, long, &values))?;
    }
    out.finish()?;
    Ok(Outcome::Done)
}

/// What holds of an option that is not given: what Synapse's configuration says, or the archive remembers.
fn of_archive(long: &str, archive: Option<&Path>, matches: &ArgMatches) -> Option<(Vec<String>, String)> {
    if long == "database" {
        let files: Vec<PathBuf> = matches.try_get_many("synapse_config").ok()??.cloned().collect();
        let flags = DatabaseFlags { synapse_config: &files, ..DatabaseFlags::default() };
        let config = Config::read(flags, |name| std::env::var(name).ok()).ok()?;
        return Some((vec![config.name()], "homeserver.yaml".to_owned()));
    }
    let place = matches.try_get_one::<PathBuf>("directory").ok().flatten();
    let catalog = Catalog::open_to_read_in(archive?, place.map(PathBuf::as_path)).ok()?;
    let values = remembered_of(long, archive?, &catalog)?;
    if values.is_empty() { None } else { Some((values, "archive".to_owned())) }
}

/// What an archive remembers of an option.
fn remembered_of(long: &str, archive: &Path, catalog: &Catalog) -> Option<Vec<String>> {
    let selection = remembered::selection(catalog).ok()?;
    let is = |is: bool| if is { vec!["true".to_owned()] } else { Vec::new() };
    let media = || remembered::or_last(catalog, remembered::MEDIA, catalog.media_asked().ok()?).ok()?;
    let keys = || remembered::or_last(catalog, remembered::DECRYPT, catalog.decrypts_with().ok()?).ok()?;
    let texts = |paths: &[PathBuf]| paths.iter().map(|path| path.display().to_string()).collect();
    Some(match long {
        "room" => selection.include.iter().map(ToString::to_string).collect(),
        "exclude-room" => selection.exclude.iter().map(ToString::to_string).collect(),
        "show-redacted" => {
            is(remembered::or_last(catalog, remembered::SHOW_REDACTED, catalog.shows_redacted().ok()?).ok()?)
        }
        "hide-erased" => is(remembered::or_last(catalog, remembered::HIDE_ERASED, catalog.hides_erased().ok()?).ok()?),
        "timezone" => {
            let zone = remembered::or_last(catalog, remembered::TIMEZONE, catalog.zone().ok()?).ok()?;
            if zone.is_utc() { Vec::new() } else { vec![zone.to_string()] }
        }
        "catalog" => Catalog::elsewhere(archive).ok()?.iter().map(|path| path.display().to_string()).collect(),
        "group-readable" => {
            let last = catalog.readers().ok()? == Readers::Group;
            is(remembered::or_last(catalog, remembered::GROUP_READABLE, last).ok()?)
        }
        "decrypt" => is(keys().is_some()),
        "media-store" => texts(&media()?.stores),
        "avatars" => is(media()?.avatars),
        "media-max-size" => media()?.max_size.iter().map(u64::to_string).collect(),
        "media-types" => media()?.types,
        // of keys, it is remembered by the names of options where they are
        _ => {
            let named: BTreeMap<String, Value> = serde_json::from_str(&keys()?).ok()?;
            match named.get(&long.replace('-', "_"))? {
                Value::String(path) => vec![path.clone()],
                Value::Array(paths) => paths.iter().filter_map(|path| Some(path.as_str()?.to_owned())).collect(),
                _ => Vec::new(),
            }
        }
    })
}

/// Values as TOML has them, without secrets.
fn shown(option: &Arg, long: &str, values: &[String]) -> String {
    let one = |value: &String| {
        let value = if long.contains("database") { masked(value) } else { value.clone() };
        match value.as_str() {
            "true" | "false" => value,
            text if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => value,
            _ => Value::String(log::visible(&value)).to_string(),
        }
    };
    let values: Vec<String> = values.iter().map(one).collect();
    if matches!(option.get_action(), ArgAction::Append) {
        format!("[{}]", values.join(", "))
    } else {
        values.join(", ")
    }
}

/// What may be seen of a connection string.
fn masked(database: &str) -> String {
    let Ok(parameters) = Parameters::from_connection_string(database) else {
        // as it is shown itself, which names a database and no password
        return if database.contains(['=', ':', '@']) { "(not shown)".to_owned() } else { database.to_owned() };
    };
    let mut shown: Vec<String> =
        SHOWN.iter().filter_map(|name| Some(format!("{name}={}", parameters.get(name)?))).collect();
    if parameters.holds_password() {
        shown.push("password=***".to_owned());
    }
    shown.join(" ")
}

/// Writes a file to begin with.
pub(super) fn run(command: &Command) -> Result<Outcome> {
    let Command::Init(args) = command else { return Ok(Outcome::Done) };
    let mut text = String::from(
        "# The configuration of synapse-export. Keys are the options of `synapse-export export`, by their long names; an option that is\n\
         # given wins, then the environment, then this file. `synapse-export config show` tells what holds, and from where.\n",
    );
    for option in known(&Cli::command()) {
        let long = option.get_long().unwrap_or_default();
        let given: Option<Vec<String>> = match long {
            "synapse-config" if !args.synapse_config.is_empty() => {
                let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
                Some(args.synapse_config.iter().map(|path| absolute(path).display().to_string()).collect())
            }
            "archive" => args.archive.as_ref().map(|path| vec![path.display().to_string()]),
            _ => None,
        };
        let help = option.get_help().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(text, "\n# {}", help.replace('\n', "\n# "));
        let _ = match given {
            Some(values) => writeln!(text, "{long} = {}", shown(option, long, &values)),
            None => writeln!(text, "#{long} = {}", example(option)),
        };
    }
    text.push_str(
        "\n# Several archives, which `synapse-export export --all-archives` brings up to date one after the other, and each of which\n\
         # `--archive NAME` names. What stands above holds for all of them, but for 'archive' itself.\n\
         #[archive.ops]\n#archive = \"/srv/archives/ops\"\n#room = [\"!ops:example.org\"]\n",
    );
    let mut out = DataOutput::to(args.output.as_deref())?;
    write!(out, "{text}")?;
    out.finish()?;
    Ok(Outcome::Done)
}

/// A value that an option could have: its default, or what its help calls it.
fn example(option: &Arg) -> String {
    let default = option.get_default_values().first().map(|value| value.to_string_lossy().into_owned());
    let name = option.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    let is_switch = matches!(option.get_action(), ArgAction::SetTrue) || name.as_deref() == Some("BOOL");
    if is_switch {
        return "true".to_owned();
    }
    let values = [default.or(name).unwrap_or_default()];
    shown(option, "", &values)
}
