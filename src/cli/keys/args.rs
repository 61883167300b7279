//! Where keys are, and what opens them: the options that all commands that decrypt share. A key is the content of a file or is asked for
//! on the terminal; no option takes one.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use megolm_keys::recovery_key;
use megolm_keys::secret_storage::Secret;
use tracing::warn;
use zeroize::Zeroizing;

use super::super::WrongUsage;
use crate::config::Config;
use crate::keys::{BridgeConfig, Given, Sources, read_passphrase, read_recovery_key, read_secret_storage};
use crate::source::Database;

/// Where keys are.
#[derive(clap::Args)]
#[command(next_help_heading = "Keys")]
pub(in crate::cli) struct KeyArgs {
    /// A user whose key backup is in the database; can be repeated. Needs `sql/reader_role_keys.sql`
    #[arg(long, value_name = "USER")]
    backup_user: Vec<String>,
    /// A file with a recovery key: a backup's own, or that of the user's secret storage; - asks for it; can be repeated
    #[arg(long, value_name = "FILE", requires = "backup_user")]
    recovery_key_file: Vec<PathBuf>,
    /// A file with the passphrase of the user's secret storage; - asks for it; can be repeated
    #[arg(long, value_name = "FILE", requires = "backup_user")]
    passphrase_file: Vec<PathBuf>,
    /// The user's account data of secret storage, a JSON object of contents by type, in place of what the database has
    #[arg(long, value_name = "FILE", requires = "backup_user")]
    secret_storage_file: Option<PathBuf>,
    /// A file of keys that a client has exported; can be repeated
    #[arg(long, value_name = "FILE")]
    key_file: Vec<PathBuf>,
    /// A file with the passphrase of a key file; - asks for it; can be repeated
    #[arg(long, value_name = "FILE", requires = "key_file")]
    key_file_passphrase_file: Vec<PathBuf>,
    /// The database of a mautrix bridge: a postgres:// URL or key=value string; its password belongs in ~/.pgpass; can be repeated
    #[arg(long, value_name = "URL")]
    bridge_database: Vec<String>,
    /// A bridge's own config.yaml, which says where its database is and how it pickles; can be repeated
    #[arg(long, value_name = "FILE")]
    bridge_config: Vec<PathBuf>,
    /// A bridge's SQLite database; can be repeated
    #[arg(long, value_name = "FILE")]
    bridge_store: Vec<PathBuf>,
    /// A file with the pickle key of a bridge, beside those that are known; - asks for it; can be repeated
    #[arg(long, value_name = "FILE")]
    pickle_key_file: Vec<PathBuf>,
}

/// What of the environment counts for the database of a bridge: what says which one is meant for Synapse's.
const FOR_BRIDGES: [&str; 9] = [
    "HOME",
    "USER",
    "PGPASSFILE",
    "PGSSLROOTCERT",
    "PGSSLCERT",
    "PGSSLKEY",
    "PGSERVICEFILE",
    "PGSYSCONFDIR",
    "PGCONNECT_TIMEOUT",
];

impl KeyArgs {
    /// Whether any source is named.
    pub(in crate::cli) fn names_any(&self) -> bool {
        let sources = [&self.key_file, &self.bridge_config, &self.bridge_store];
        !self.backup_user.is_empty()
            || !self.bridge_database.is_empty()
            || sources.iter().any(|paths| !paths.is_empty())
    }

    /// Makes sure that what is named makes sense.
    pub(in crate::cli) fn check(&self) -> Result<(), WrongUsage> {
        let refused = |why: &str| Err(WrongUsage(why.to_owned()));
        if !self.names_any() {
            return refused(
                "no source of keys is named: --backup-user, --key-file, --bridge-database, --bridge-config or --bridge-store",
            );
        }
        if !self.backup_user.is_empty() && self.recovery_key_file.is_empty() && self.passphrase_file.is_empty() {
            return refused("--backup-user needs --recovery-key-file or --passphrase-file");
        }
        if !self.key_file.is_empty() && self.key_file_passphrase_file.is_empty() {
            return refused("--key-file needs --key-file-passphrase-file");
        }
        Ok(())
    }

    /// Opens all sources.
    pub(in crate::cli) async fn open(&self, database: &Database) -> Result<Sources> {
        let mut given = self.given()?;
        let bridges: Vec<BridgeConfig> =
            self.bridge_config.iter().map(|path| BridgeConfig::read(path)).collect::<Result<_, _>>()?;
        given.pickle_keys.extend(bridges.iter().filter_map(|bridge| bridge.pickle_key.clone()));
        let mut sources = Sources::default();
        let configured = bridges.iter().filter_map(|bridge| bridge.database.as_ref().map(|url| url.as_str()));
        for url in self.bridge_database.iter().map(String::as_str).chain(configured) {
            let environment = |name: &str| FOR_BRIDGES.contains(&name).then(|| std::env::var(name).ok()).flatten();
            let config = Config::new(Some(url), environment).context("a bridge's database")?;
            for warning in config.warnings() {
                warn!("{warning}");
            }
            let name = format!("bridge database {}", config.name());
            sources.add_bridge(&config, name, &given).await?;
        }
        for path in self.bridge_store.iter().chain(bridges.iter().filter_map(|bridge| bridge.store.as_ref())) {
            sources.add_store(path, &given)?;
        }
        for user_id in &self.backup_user {
            sources.add_backup(database, user_id, &given).await?;
        }
        for path in &self.key_file {
            sources.add_key_file(path, &given)?;
        }
        Ok(sources)
    }

    /// Reads what opens them, or asks for it.
    fn given(&self) -> Result<Given> {
        let mut given = Given::default();
        for path in &self.recovery_key_file {
            given.secrets.push(match asked(path, "Recovery key: ")? {
                Some(text) => Secret::Key(recovery_key::parse(&text).context("that is no recovery key")?),
                None => read_recovery_key(path)?,
            });
        }
        let passphrase = |path: &Path, prompt: &str| -> Result<Zeroizing<String>> {
            Ok(match asked(path, prompt)? {
                Some(text) => text,
                None => read_passphrase(path)?,
            })
        };
        for path in &self.passphrase_file {
            given.secrets.push(Secret::Passphrase(passphrase(path, "Passphrase of secret storage: ")?));
        }
        for path in &self.key_file_passphrase_file {
            given.passphrases.push(passphrase(path, "Passphrase of the key file: ")?);
        }
        for path in &self.pickle_key_file {
            let key = passphrase(path, "Pickle key: ")?;
            given.pickle_keys.push(Zeroizing::new(key.as_bytes().to_vec()));
        }
        given.secret_storage = self.secret_storage_file.as_deref().map(read_secret_storage).transpose()?;
        Ok(given)
    }
}

/// What the user types, if that is asked for.
fn asked(path: &Path, prompt: &str) -> Result<Option<Zeroizing<String>>> {
    if path != Path::new("-") {
        return Ok(None);
    }
    let text = rpassword::prompt_password(prompt).context("cannot ask on the terminal")?;
    Ok(Some(Zeroizing::new(text)))
}
