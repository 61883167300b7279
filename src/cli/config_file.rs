//! `synapse-export.toml`: what options are given on the command line, for every day.
//!
//! A key is an option's long name, and its value becomes the option's default: so an option that is given wins, then the environment, then
//! the file, and what the file may hold and what it means is known nowhere but where the options are. Quotes no value in an error: it may
//! be a password.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Args as _, Command};
use libpq_config::open_to_others;
use toml::{Table, Value};

use super::database::DatabaseArgs;
use super::remembered::SAY_ONE_THING;
use super::{ArchiveArgs, log};

/// Its name, in the user's directory of configurations or in `/etc`.
const NAME: &str = "synapse-export.toml";
/// What says of one run how it goes, not of every one.
const NOT_OF_FILES: [&str; 6] = ["config", "help", "version", "follow", "all-archives", "look-for-missing"];

/// Keys and their values, as options take them.
type Values = BTreeMap<String, Vec<String>>;

/// A configuration file, as it was read.
pub(super) struct ConfigFile {
    pub(super) path: PathBuf,
    /// What holds for every archive.
    common: Values,
    /// What holds for each of several, by the user's name for it.
    archives: BTreeMap<String, Values>,
}

/// What the file means for a command line.
#[derive(Default)]
pub(super) struct Configured {
    pub(super) file: Option<ConfigFile>,
    /// What holds of it.
    pub(super) values: Values,
    /// The user's name for the archive that is meant, if the file has one.
    pub(super) archive: Option<String>,
    /// What the user should know.
    pub(super) warnings: Vec<String>,
}

impl Configured {
    /// Finds the file, and what of it holds for these arguments, in which a name for an archive becomes its directory.
    pub(super) fn read(
        arguments: &mut [OsString],
        env: &impl Fn(&str) -> Option<OsString>,
        options: &Command,
    ) -> Result<Configured, String> {
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        let named = given(arguments, "config").map(|(_, value)| value).or_else(|| env("SYNAPSE_EXPORT_CONFIG"));
        let mut warnings = Vec::new();
        let text = match named {
            Some(path) => {
                let path = PathBuf::from(path);
                let text =
                    fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
                Some((path, text))
            }
            None => found(&env, &mut warnings)?,
        };
        let Some((path, text)) = text else { return Ok(Configured { warnings, ..Configured::default() }) };
        let file = ConfigFile::parse(&path, &text, options)?;
        if file.holds_password() {
            warnings.extend(open_to_others(&path));
        }
        let place = given(arguments, "archive");
        let meant = place.as_ref().map(|(_, value)| value.clone()).or_else(|| env("SYNAPSE_EXPORT_ARCHIVE"));
        let archive = file.meant(meant.as_deref(), arguments.iter().any(|argument| argument == "--all-archives"));
        let mut values = file.common.clone();
        if let Some(own) = archive.as_ref().and_then(|name| file.archives.get(name)) {
            values.extend(own.clone());
            if let (Some((at, value)), Some([directory])) = (place, own.get("archive").map(Vec::as_slice))
                && archive.as_deref().map(OsStr::new) == Some(&*value)
            {
                let is_joined = arguments[at] != value;
                arguments[at] = if is_joined { format!("--archive={directory}").into() } else { directory.into() };
            }
        }
        // where one of them is given, the file says nothing of the others
        for alike in SAY_ONE_THING.iter().filter(|alike| alike.iter().any(|option| is_given(arguments, option))) {
            values.retain(|key, _| !alike.contains(&&**key));
        }
        Ok(Configured { file: Some(file), values, archive, warnings })
    }

    /// Lets the options of a command, and of all below it, have the values of the file as their defaults.
    pub(super) fn applied_to(&self, command: Command) -> Command {
        let shared = shared();
        self.applied(command, &mut Vec::new(), &shared)
    }

    fn applied(&self, mut command: Command, path: &mut Vec<String>, shared: &[String]) -> Command {
        let takes_all = is_export(path);
        let options: Vec<(String, String)> = command
            .get_arguments()
            .filter_map(|option| Some((option.get_id().to_string(), option.get_long()?.to_owned())))
            .filter(|(_, long)| takes_all || shared.contains(long))
            .collect();
        for (id, long) in options {
            if let Some(values) = self.values.get(&long) {
                command = command.mut_arg(id, |option| option.required(false).default_values(values.clone()));
            }
        }
        let names: Vec<String> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
        for name in names {
            path.push(name.clone());
            command = command.mut_subcommand(name, |command| self.applied(command, path, shared));
            path.pop();
        }
        command
    }
}

/// Whether a command is the one that the file is for, or tells of that.
fn is_export(path: &[String]) -> bool {
    path == ["export"] || path == ["config", "show"]
}

/// The options that every command takes from the file which has them.
fn shared() -> Vec<String> {
    let all = log::Args::augment_args(ArchiveArgs::augment_args(DatabaseArgs::augment_args(Command::new(""))));
    all.get_arguments().filter_map(|option| option.get_long().map(str::to_owned)).collect()
}

/// The options that a file may hold.
pub(super) fn known(options: &Command) -> impl Iterator<Item = &Arg> {
    let export = options.find_subcommand("export");
    let arguments = options.get_arguments().chain(export.into_iter().flat_map(Command::get_arguments));
    arguments.filter(|option| option.get_long().is_some_and(|long| !NOT_OF_FILES.contains(&long)))
}

/// Whether an option stands on a command line, with a value or without.
fn is_given(arguments: &[OsString], name: &str) -> bool {
    let mut given = arguments.iter().skip(1).take_while(|argument| *argument != "--");
    given.any(|argument| {
        let option = argument.to_string_lossy();
        option
            .strip_prefix("--")
            .and_then(|option| option.strip_prefix(name))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    })
}

/// The value of an option on a command line, and where it stands.
fn given(arguments: &[OsString], name: &str) -> Option<(usize, OsString)> {
    let option = format!("--{name}");
    for (at, argument) in arguments.iter().enumerate().skip(1) {
        let text = argument.to_string_lossy();
        if text == "--" {
            break;
        }
        if text == option {
            return arguments.get(at + 1).map(|value| (at + 1, value.clone()));
        }
        if let Some(value) = text.strip_prefix(&option).and_then(|rest| rest.strip_prefix('=')) {
            return Some((at, value.into()));
        }
    }
    None
}

/// The user's file or, if there is none, the machine's.
fn found(
    env: &impl Fn(&str) -> Option<OsString>,
    warnings: &mut Vec<String>,
) -> Result<Option<(PathBuf, String)>, String> {
    let own = env("XDG_CONFIG_HOME").map(PathBuf::from).or_else(|| Some(Path::new(&env("HOME")?).join(".config")));
    for directory in own.into_iter().chain(["/etc".into()]) {
        let path = directory.join(NAME);
        match fs::read_to_string(&path) {
            Ok(text) => return Ok(Some((path, text))),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            // it is somebody else's
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                warnings.push(format!("{} is not read: {error}", path.display()));
            }
            Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
        }
    }
    Ok(None)
}

impl ConfigFile {
    fn parse(path: &Path, text: &str, options: &Command) -> Result<ConfigFile, String> {
        let of_file = |problem: String| format!("{}: {problem}", path.display());
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            let line = line.map_or_else(String::new, |line| format!("line {line}: "));
            of_file(format!("{line}this is no TOML"))
        })?;
        let mut file = ConfigFile { path: path.to_owned(), common: Values::new(), archives: BTreeMap::new() };
        for (key, value) in table {
            match value {
                Value::Table(archives) if key == "archive" => {
                    for (name, value) in archives {
                        let Value::Table(own) = value else {
                            return Err(of_file(format!("'archive.{name}' is to be a table: [archive.{name}]")));
                        };
                        let mut values = Values::new();
                        for (key, value) in own {
                            let read = option_of(options, &key).and_then(|option| read(option, &key, &value));
                            values.insert(key, read.map_err(|problem| of_file(format!("[archive.{name}] {problem}")))?);
                        }
                        if !values.contains_key("archive") {
                            return Err(of_file(format!("[archive.{name}] lacks 'archive', its directory")));
                        }
                        file.archives.insert(name, values);
                    }
                }
                value => {
                    let read = option_of(options, &key).and_then(|option| read(option, &key, &value));
                    file.common.insert(key, read.map_err(of_file)?);
                }
            }
        }
        Ok(file)
    }

    /// The names of the archives, if it has several.
    pub(super) fn archives(&self) -> impl Iterator<Item = &str> {
        self.archives.keys().map(String::as_str)
    }

    /// Which of its archives is meant by a name or a directory; without one, the only one, or the first of all.
    fn meant(&self, given: Option<&OsStr>, all: bool) -> Option<String> {
        let Some(given) = given else {
            let first = self.archives.keys().next().cloned();
            return first.filter(|_| all || self.archives.len() == 1);
        };
        if let Some(name) = given.to_str().filter(|name| self.archives.contains_key(*name)) {
            return Some(name.to_owned());
        }
        let absolute = |path: &OsStr| std::path::absolute(path).ok();
        let is_there = |values: &Values| {
            let directory = values.get("archive").and_then(|values| values.first());
            directory.is_some_and(|directory| absolute(directory.as_ref()) == absolute(given))
        };
        self.archives.iter().find(|(_, values)| is_there(values)).map(|(name, _)| name.clone())
    }

    fn holds_password(&self) -> bool {
        let of = |values: &Values| {
            values.get("database").is_some_and(|values| values.iter().any(|value| has_password(value)))
        };
        of(&self.common) || self.archives.values().any(of)
    }
}

fn has_password(database: &str) -> bool {
    libpq_config::Parameters::from_connection_string(database).map_or(true, |it| it.holds_password())
}

/// The option that a key means.
fn option_of<'a>(options: &'a Command, key: &str) -> Result<&'a Arg, String> {
    let long = |option: &&Arg| option.get_long() == Some(key);
    known(options).find(long).ok_or_else(|| {
        let names = known(options).filter_map(Arg::get_long);
        let nearest = names.map(|name| (strsim::damerau_levenshtein(name, key), name)).min();
        let nearest = nearest.map_or_else(String::new, |(_, name)| format!("; the nearest is '{name}'"));
        format!("there is no option '{}'{nearest}", key.escape_debug())
    })
}

/// The values of a key as its option takes them, once that has said that it does.
fn read(option: &Arg, key: &str, value: &Value) -> Result<Vec<String>, String> {
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Boolean(is) => Ok(is.to_string()),
        _ => Err(format!("'{key}' is to be text, a number, true or false")),
    };
    let values = match value {
        Value::Array(values) if matches!(option.get_action(), ArgAction::Append) => {
            values.iter().map(one).collect::<Result<Vec<_>, _>>()?
        }
        value => vec![one(value)?],
    };
    if matches!(option.get_action(), ArgAction::SetTrue) && !matches!(value, Value::Boolean(_)) {
        return Err(format!("'{key}' is to be true or false"));
    }
    let parser = option.get_value_parser().clone();
    let trial =
        Arg::new("value").long("value").action(ArgAction::Append).allow_hyphen_values(true).value_parser(parser);
    let trial = Command::new("trial").no_binary_name(true).arg(trial);
    let tried = trial.try_get_matches_from(values.iter().map(|value| format!("--value={value}")));
    let possible = || {
        let possible: Vec<String> =
            option.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        if possible.is_empty() { String::new() } else { format!(": {}", possible.join(", ")) }
    };
    tried.map_err(|_| format!("the value of '{key}' cannot be used; see --help of export{}", possible()))?;
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn parse(text: &str) -> Result<ConfigFile, String> {
        ConfigFile::parse(Path::new("a.toml"), text, &super::super::Cli::command())
    }

    #[track_caller]
    fn refused(text: &str, why: &str) {
        match parse(text) {
            Err(problem) => assert!(problem.contains(why), "{problem}"),
            Ok(_) => panic!("{text:?} is read"),
        }
    }

    #[test]
    fn keys_are_those_of_options_and_values_what_they_take() {
        let file = parse("interval = '10s'\nroom = ['!a:x', '#b:x']\nno-search = true\nconnections = 4\n").unwrap();
        assert_eq!(file.common["room"], ["!a:x", "#b:x"]);
        assert_eq!((&*file.common["no-search"][0], &*file.common["connections"][0]), ("true", "4"));
        refused("intervall = '10s'", "no option 'intervall'; the nearest is 'interval'");
        refused(
            "[archive.ops]\narchive = 'x'\nrooms = []",
            "[archive.ops] there is no option 'rooms'; the nearest is 'room'",
        );
        refused("follow = true", "no option 'follow'");
        refused("interval = 'soon'", "the value of 'interval'");
        refused("log-level = 'loud'", "the value of 'log-level'");
        refused("no-search = 'yes'", "'no-search' is to be true or false");
        refused("connections = [2]", "'connections' is to be text");
        refused("[archive.ops]\ninterval = '1s'", "[archive.ops] lacks 'archive'");
        refused("archive.ops = 'x'", "'archive.ops' is to be a table");
        // nothing of it is quoted
        let problem = parse("a = 1\ndatabase = sesame").err().unwrap();
        assert!(problem.contains("line 2") && !problem.contains("sesame"), "{problem}");
    }

    #[test]
    fn of_several_archives_one_is_meant() {
        let file = parse("[archive.a]\narchive = '/srv/a'\n[archive.b]\narchive = '/srv/b'\ninterval = '1s'").unwrap();
        let meant = |given: Option<&str>, all| file.meant(given.map(OsStr::new), all);
        assert_eq!(meant(None, false), None);
        assert_eq!(meant(None, true).as_deref(), Some("a"));
        assert_eq!(meant(Some("b"), false).as_deref(), Some("b"));
        assert_eq!(meant(Some("/srv/b"), false).as_deref(), Some("b"));
        assert_eq!(meant(Some("/srv/c"), false), None);
    }
}
