//! Where keys are, and what opens them: the options that all commands that decrypt share. A key is the content of a file or is asked for
//! on the terminal; no option takes one.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args as _;
use megolm_keys::secret_storage::Secret;
use megolm_keys::{key_file, recovery_key};
use tracing::warn;
use zeroize::Zeroizing;

use super::super::WrongUsage;
use super::super::report::shown;
use crate::config::Config;
use crate::event::UserId;
use crate::keys::{BridgeConfig, SourceSecrets, Sources, read_passphrase, read_recovery_key, read_secret_storage};
use crate::source::Database;

/// Where keys are.
#[derive(Clone, Debug, Default, clap::Args, serde::Serialize, serde::Deserialize)]
#[serde(default)]
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
    /// A file of keys that a client has exported, or `keys import` has made; can be repeated
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
    /// The SQLite database of a bridge, or of a client of matrix-nio; can be repeated
    #[arg(long, value_name = "FILE")]
    bridge_store: Vec<PathBuf>,
    /// A file with the pickle key of a bridge or of matrix-nio, beside those that are known; - asks for it; can be repeated
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
    /// The options, by their ids.
    pub(in crate::cli) fn ids() -> Vec<String> {
        let options = KeyArgs::augment_args(clap::Command::new(""));
        options.get_arguments().map(|option| option.get_id().to_string()).collect()
    }

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
        if let Some(user) = self.backup_user.iter().find(|user| !is_user_id(user)) {
            return refused(&format!("--backup-user: {} is no user's id (@name:server)", shown(user)));
        }
        if !self.backup_user.is_empty() && self.recovery_key_file.is_empty() && self.passphrase_file.is_empty() {
            return refused("--backup-user needs --recovery-key-file or --passphrase-file");
        }
        if self.key_file_passphrase_file.is_empty() && !self.key_file.iter().all(|path| is_plain(path)) {
            return refused("--key-file needs --key-file-passphrase-file");
        }
        Ok(())
    }

    /// As it is remembered: absolute paths, addresses, users, and no key.
    pub(in crate::cli) fn remembered(&self) -> Result<String> {
        let mut named = self.clone();
        let paths = [
            &mut named.recovery_key_file,
            &mut named.passphrase_file,
            &mut named.key_file,
            &mut named.key_file_passphrase_file,
            &mut named.bridge_config,
            &mut named.bridge_store,
            &mut named.pickle_key_file,
        ];
        for path in paths.into_iter().flatten().chain(&mut named.secret_storage_file) {
            if path == Path::new("-") {
                return Err(WrongUsage(
                    "what an archive is to be decrypted with is remembered, and what is asked for on the terminal cannot be: name a file"
                        .to_owned(),
                )
                .into());
            }
            *path = std::path::absolute(&*path).with_context(|| format!("cannot use {}", path.display()))?;
        }
        for url in &self.bridge_database {
            let parameters =
                libpq_config::Parameters::from_connection_string(url).map_err(crate::config::Error::from)?;
            if parameters.has("password") || parameters.has("sslpassword") {
                return Err(WrongUsage(
                    "--bridge-database: what an archive is to be decrypted with is remembered, and a password is not: it belongs in ~/.pgpass"
                        .to_owned(),
                )
                .into());
            }
        }
        Ok(serde_json::to_string(&named)?)
    }

    /// Opens the sources that can be opened; and why others cannot be.
    pub(in crate::cli) async fn open_each(&self, database: &Database) -> (Sources, Vec<anyhow::Error>) {
        let (mut sources, mut failed) = (Sources::default(), Vec::new());
        let without = KeyArgs {
            backup_user: Vec::new(),
            key_file: Vec::new(),
            bridge_database: Vec::new(),
            bridge_config: Vec::new(),
            bridge_store: Vec::new(),
            ..self.clone()
        };
        let mut each = Vec::new();
        each.extend(
            self.bridge_database.iter().map(|it| KeyArgs { bridge_database: vec![it.clone()], ..without.clone() }),
        );
        each.extend(self.bridge_config.iter().map(|it| KeyArgs { bridge_config: vec![it.clone()], ..without.clone() }));
        each.extend(self.bridge_store.iter().map(|it| KeyArgs { bridge_store: vec![it.clone()], ..without.clone() }));
        each.extend(self.backup_user.iter().map(|it| KeyArgs { backup_user: vec![it.clone()], ..without.clone() }));
        each.extend(self.key_file.iter().map(|it| KeyArgs { key_file: vec![it.clone()], ..without.clone() }));
        for one in each {
            if let Err(error) = one.needed().open_into(&mut sources, database).await {
                failed.push(error);
            }
        }
        (sources, failed)
    }

    /// Without the files that open only other kinds of sources than are named.
    fn needed(mut self) -> KeyArgs {
        if self.backup_user.is_empty() {
            (self.recovery_key_file, self.passphrase_file, self.secret_storage_file) = (Vec::new(), Vec::new(), None);
        }
        if self.key_file.is_empty() {
            self.key_file_passphrase_file.clear();
        }
        if self.bridge_database.is_empty() && self.bridge_config.is_empty() && self.bridge_store.is_empty() {
            self.pickle_key_file.clear();
        }
        self
    }

    /// Opens all sources.
    pub(in crate::cli) async fn open(&self, database: &Database) -> Result<Sources> {
        let mut sources = Sources::default();
        self.open_into(&mut sources, database).await?;
        Ok(sources)
    }

    async fn open_into(&self, sources: &mut Sources, database: &Database) -> Result<()> {
        let mut given = self.given()?;
        let bridges: Vec<BridgeConfig> =
            self.bridge_config.iter().map(|path| BridgeConfig::read(path)).collect::<Result<_, _>>()?;
        given.pickle_keys.extend(bridges.iter().filter_map(|bridge| bridge.pickle_key.clone()));
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
            sources.add_backup(database, UserId::of(user_id), &given).await?;
        }
        for path in &self.key_file {
            sources.add_key_file(path, &given)?;
        }
        Ok(())
    }

    /// Reads what opens them, or asks for it.
    fn given(&self) -> Result<SourceSecrets> {
        let mut given = SourceSecrets::default();
        for path in &self.recovery_key_file {
            given.secrets.push(match asked(path, "Recovery key: ")? {
                Some(text) => Secret::Key(recovery_key::parse(&text).context("that is no recovery key")?),
                None => read_recovery_key(path)?,
            });
        }
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

/// Whether a key file is not encrypted.
fn is_plain(path: &Path) -> bool {
    std::fs::File::open(path).and_then(key_file::is_plain).unwrap_or(false)
}

fn is_user_id(text: &str) -> bool {
    text.strip_prefix('@').and_then(|rest| rest.split_once(':')).is_some_and(|(_, server)| !server.is_empty())
}

/// The passphrase that a file holds, or that the user types.
pub(super) fn passphrase(path: &Path, prompt: &str) -> Result<Zeroizing<String>> {
    Ok(match asked(path, prompt)? {
        Some(text) => text,
        None => read_passphrase(path)?,
    })
}

/// What the user types, if that is asked for.
fn asked(path: &Path, prompt: &str) -> Result<Option<Zeroizing<String>>> {
    if path != Path::new("-") {
        return Ok(None);
    }
    let text = rpassword::prompt_password(prompt).context("cannot ask on the terminal")?;
    Ok(Some(Zeroizing::new(text)))
}
