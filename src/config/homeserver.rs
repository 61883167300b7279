//! Synapse's own configuration: the `database` or `databases` section of `homeserver.yaml`.
//!
//! Facts: Synapse's `config/_base.py` (files, directories, later sections replace earlier ones) and `config/database.py`.
//! The rest of the file, with its secrets, is not kept.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use libpq_config::Parameters;
use serde::Deserialize;
use serde_json::Value;

use super::Error;

#[derive(Default, Deserialize)]
struct Homeserver {
    database: Option<DatabaseEntry>,
    databases: Option<BTreeMap<String, DatabaseEntry>>,
    database_path: Option<Value>,
    old_signing_keys: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
struct DatabaseEntry {
    name: Option<String>,
    args: Option<BTreeMap<String, Value>>,
    data_stores: Option<Vec<String>>,
}

impl Homeserver {
    fn holds_password(&self) -> bool {
        let mut sections = self.database.iter().chain(self.databases.iter().flat_map(BTreeMap::values));
        sections.any(|section| section.args.as_ref().is_some_and(|args| args.contains_key("password")))
    }
}

/// Reads how Synapse connects to the database that holds the events, and which of the files hold a password of a database's.
pub(super) fn read(paths: &[PathBuf]) -> Result<(Parameters, Vec<PathBuf>), Error> {
    let mut with_password = Vec::new();
    let mut all = Homeserver::default();
    for path in files(paths)? {
        let text = std::fs::read_to_string(&path).map_err(|e| unusable(&path, e.to_string()))?;
        let next = parse(&text).map_err(|problem| unusable(&path, problem))?;
        if next.holds_password() {
            with_password.push(path);
        }
        all.database = next.database.or(all.database);
        all.databases = next.databases.or(all.databases);
        all.database_path = next.database_path.or(all.database_path);
    }
    let problem = |text: &str| Error::Homeserver(text.to_owned());
    let sections = all.database.into_iter().chain(all.databases.into_iter().flat_map(BTreeMap::into_values));
    let holds_events = |section: &DatabaseEntry| {
        section.data_stores.as_ref().is_none_or(|stores| stores.iter().any(|store| store == "main"))
    };
    let mut main = sections.filter(holds_events);
    let section = match (main.next(), main.next()) {
        (Some(section), None) => section,
        (Some(_), Some(_)) => return Err(problem("more than one of its databases holds 'main'")),
        (None, _) if all.database_path.is_some() => return Err(Error::Sqlite),
        (None, _) => return Err(problem("it has no 'database', nor 'databases' with one that holds 'main'")),
    };
    match section.name.as_deref() {
        Some("psycopg2") => Ok((parameters(section.args.unwrap_or_default())?, with_password)),
        Some("sqlite3") | None => Err(Error::Sqlite),
        Some(_) => Err(problem("the 'name' of its database is not psycopg2")),
    }
}

fn unusable(path: &Path, problem: String) -> Error {
    Error::File { path: path.to_owned(), problem }
}

/// The files named, and those of the directories named, in Synapse's order.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let entries = std::fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            let entries = entries.map_err(|e| unusable(path, e.to_string()))?.into_iter().map(|entry| entry.path());
            let yaml = |path: &PathBuf| path.is_file() && path.extension().is_some_and(|extension| extension == "yaml");
            let mut entries: Vec<PathBuf> = entries.filter(yaml).collect();
            entries.sort();
            files.append(&mut entries);
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

/// The public keys with which a server has signed before and does not any more: key id, base64, and until when it did, milliseconds
/// since the epoch. `signing_key_path`, which names a private key, is not looked at.
pub(crate) fn old_signing_keys(paths: &[PathBuf]) -> Result<Vec<(String, String, i64)>, Error> {
    let mut keys = BTreeMap::new();
    for path in files(paths)? {
        let text = std::fs::read_to_string(&path).map_err(|e| unusable(&path, e.to_string()))?;
        let file = parse(&text).map_err(|problem| unusable(&path, problem))?;
        if let Some(own) = file.old_signing_keys {
            keys = own;
        }
    }
    let key =
        |(id, key): (String, Value)| Some((id, key.get("key")?.as_str()?.to_owned(), key.get("expired_ts")?.as_i64()?));
    Ok(keys.into_iter().filter_map(key).collect())
}

/// Reads one file; the error names a place in it and quotes nothing.
fn parse(text: &str) -> Result<Homeserver, String> {
    let options = serde_saphyr::options! {
        // as Synapse's parser has it
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::LastWins,
        with_snippet: false,
    };
    let parsed = serde_saphyr::from_str_with_options::<Option<Homeserver>>(text, options);
    parsed.map(Option::unwrap_or_default).map_err(|error| {
        let place = error.location().map(|at| format!(", line {}, column {}", at.line(), at.column()));
        format!("it is not the YAML that Synapse reads{}", place.unwrap_or_default())
    })
}

/// What Synapse hands to psycopg2, which hands it to libpq.
fn parameters(args: BTreeMap<String, Value>) -> Result<Parameters, Error> {
    let mut parameters = Parameters::default();
    // `cp_min` and its like are for Synapse's connection pool; psycopg2 leaves out what is null
    for (key, value) in args.into_iter().filter(|(key, value)| !key.starts_with("cp_") && !value.is_null()) {
        let value = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            _ => {
                let key = key.escape_debug();
                return Err(Error::Homeserver(format!(
                    "'{key}' in 'args' of its database is neither text nor a number"
                )));
            }
        };
        let key = if key == "database" { "dbname" } else { &key };
        parameters.insert(key, value, "'args' of the database in homeserver.yaml")?;
    }
    Ok(parameters)
}
