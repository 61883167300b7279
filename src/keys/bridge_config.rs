//! A mautrix bridge's own configuration: where its database is, and with which key it pickles.
//!
//! Facts: `database` and `encryption.pickle_key` of bridges of today, `appservice.database` of older ones, in Go an object with
//! `type` and `uri`, in Python a URL. The rest of the file, with its secrets, is not kept.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use zeroize::Zeroizing;

use super::Error;

/// Where a bridge's store is.
pub struct BridgeConfig {
    /// In PostgreSQL: a URL, which may have a password in it.
    pub database: Option<Zeroizing<String>>,
    /// In a file of SQLite's.
    pub store: Option<PathBuf>,
    /// What it pickles with.
    pub pickle_key: Option<Zeroizing<Vec<u8>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct BridgeFile {
    database: Option<DatabaseSection>,
    appservice: Option<Appservice>,
    encryption: Option<EncryptionSection>,
    bridge: Option<BridgeSection>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Appservice {
    database: Option<DatabaseSection>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct BridgeSection {
    encryption: Option<EncryptionSection>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct EncryptionSection {
    pickle_key: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum DatabaseSection {
    Url(String),
    Typed { uri: String },
}

impl BridgeConfig {
    /// Reads a bridge's `config.yaml`. Its errors quote nothing of it.
    pub fn read(path: &Path) -> Result<BridgeConfig, Error> {
        let text = std::fs::read_to_string(path).map_err(|error| Error::file(path, error))?;
        BridgeConfig::parse(&Zeroizing::new(text)).map_err(|problem| Error::file(path, problem))
    }

    fn parse(text: &str) -> Result<BridgeConfig, &'static str> {
        let options = serde_saphyr::options! {
            duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::LastWins,
            with_snippet: false,
        };
        let file: BridgeFile =
            serde_saphyr::from_str_with_options(text, options).map_err(|_| "it is no YAML of a bridge's")?;
        let database = file.database.or(file.appservice.and_then(|appservice| appservice.database));
        let encryption = file.encryption.or(file.bridge.and_then(|bridge| bridge.encryption));
        let pickle_key = encryption.and_then(|encryption| encryption.pickle_key).filter(|key| !key.is_empty());
        let (DatabaseSection::Url(uri) | DatabaseSection::Typed { uri }) = database.ok_or("it names no database")?;
        let is_postgres = uri.starts_with("postgres://") || uri.starts_with("postgresql://") || uri.contains("dbname=");
        let store = (!is_postgres).then(|| sqlite_path(&uri));
        Ok(BridgeConfig {
            database: is_postgres.then(|| Zeroizing::new(uri)),
            store,
            pickle_key: pickle_key.map(|key| Zeroizing::new(key.into_bytes())),
        })
    }
}

/// The path in an address of SQLite's, as the bridges write it: `file:name.db?_txlock=immediate`, `sqlite:///name.db`.
fn sqlite_path(uri: &str) -> PathBuf {
    let path = uri.strip_prefix("sqlite://").map(|path| path.strip_prefix('/').unwrap_or(path));
    let path = path.or_else(|| uri.strip_prefix("file:")).unwrap_or(uri);
    let path = path.strip_prefix("//").filter(|path| path.starts_with('/')).unwrap_or(path);
    path.split('?').next().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bridges_of_all_times_say_where_their_store_is() {
        let key =
            |config: &BridgeConfig| config.pickle_key.as_ref().map(|key| String::from_utf8(key.to_vec()).unwrap());
        let today =
            "database:\n  type: postgres\n  uri: postgres://u:p@h/d?sslmode=disable\nencryption:\n  pickle_key: abc\n";
        let today = BridgeConfig::parse(today).unwrap();
        assert_eq!(today.database.as_deref().unwrap(), "postgres://u:p@h/d?sslmode=disable");
        assert_eq!((key(&today).as_deref(), today.store), (Some("abc"), None));
        let older = "appservice:\n  database:\n    type: sqlite3-fk-wal\n    uri: file:/data/b.db?_txlock=immediate\nbridge:\n  encryption: {allow: true}\n";
        let older = BridgeConfig::parse(older).unwrap();
        assert!(older.database.is_none() && older.pickle_key.is_none());
        assert_eq!(older.store.unwrap(), Path::new("/data/b.db"));
        let python = BridgeConfig::parse("appservice:\n  database: postgresql://h/d\n").unwrap();
        assert_eq!(python.database.as_deref().unwrap(), "postgresql://h/d");
        let python = BridgeConfig::parse("appservice:\n  database: sqlite:////data/b.db\n").unwrap();
        assert_eq!(python.store.unwrap(), Path::new("/data/b.db"));
        assert_eq!(BridgeConfig::parse("other: 1").map(|_| ()).unwrap_err(), "it names no database");
        assert!(BridgeConfig::parse("database: [sesame").is_err());
    }
}
