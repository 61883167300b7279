//! `keys import`: copies the sessions of all sources into one file, in the form in which clients export theirs, encrypted unless it is
//! said otherwise.
//!
//! The only command that writes a key anywhere, and only there.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use megolm_keys::key_file::NewKeyFile;
use tracing::{info, warn};
use zeroize::Zeroizing;

use super::super::Outcome;
use super::super::database::DatabaseArgs;
use super::super::output::DataOutput;
use super::super::report::counted;
use super::{KeyArgs, with_sources};
use crate::keys::Error;

/// How often the passphrase is hashed: half a second of a core, for whoever tries one.
const ROUNDS: u32 = 500_000;

#[derive(clap::Args)]
pub(in crate::cli) struct Import {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    keys: KeyArgs,
    /// The file to be made: a key file as clients export it, which only its owner can read. It must not exist yet
    #[arg(long, value_name = "FILE")]
    key_store: PathBuf,
    /// A file whose first line is the passphrase that the store is encrypted under; - asks for it
    #[arg(long, value_name = "FILE", required_unless_present = "plain", conflicts_with = "plain")]
    key_store_passphrase_file: Option<PathBuf>,
    /// Do not encrypt it: who reads the file reads what its keys open. It is a list of sessions as JSON, which `--key-file` takes without a
    /// passphrase
    #[arg(long)]
    plain: bool,
}

pub(super) fn run(args: &Import) -> Result<Outcome> {
    args.keys.check()?;
    let passphrase = args.key_store_passphrase_file.as_deref();
    let passphrase =
        passphrase.map(|path| super::args::passphrase(path, "Passphrase of the key store: ")).transpose()?;
    let config = args.database.config()?;
    let out = DataOutput::to(Some(&args.key_store))?;
    let mut random = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *random).map_err(std::io::Error::other).context("cannot get random bytes")?;
    with_sources(&config, &args.keys, async |_, mut sources| {
        let failed = |error: std::io::Error| Error::File { path: args.key_store.clone(), problem: error.to_string() };
        let mut store = match &passphrase {
            Some(passphrase) => NewKeyFile::begin(out, passphrase, ROUNDS, &random).map_err(failed)?,
            None => NewKeyFile::plain(out),
        };
        let (mut sessions, mut unusable) = (0_u64, 0_u64);
        sources
            .each(&mut |room_id, session| {
                let Ok(session) = session else {
                    unusable += 1;
                    return Ok(());
                };
                sessions += 1;
                store.add(room_id, &session).map_err(failed)
            })
            .await?;
        store.end().map_err(failed)?.finish()?;
        info!(sessions, unusable, "{} in {}", counted(sessions, "session"), args.key_store.display());
        if args.plain {
            warn!("the keys in {} are not encrypted: keep it where only you can read it", args.key_store.display());
        }
        if unusable > 0 {
            warn!(unusable, "{} could not be used, and are not in it", counted(unusable, "session"));
        }
        Ok(if unusable > 0 { Outcome::Damaged } else { Outcome::Done })
    })
}
