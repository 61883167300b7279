//! What an export decrypts: the sources of keys that were named, now or by a run before, and what is said of them.
//!
//! A source that cannot be used delays what it opens, and nothing else.

use anyhow::Result;
use tracing::{info, warn};

use super::keys::KeyArgs;
use super::remembered::{DECRYPT, Holding, Says};
use super::report::Counter;
use super::{ArchiveArgs, WrongUsage, hint};
use crate::archive::Archive;
use crate::export::{self, Stop};
use crate::keys;
use crate::source::Database;

/// Refuses options that would do nothing.
pub(super) fn makes_sense(decrypt: Option<bool>, keys: &KeyArgs) -> Result<(), WrongUsage> {
    if decrypt != Some(true) && keys.names_any() {
        let why = "sources of keys are named, and nothing is decrypted by them without --decrypt";
        return Err(WrongUsage(why.to_owned()));
    }
    if keys.names_any() { keys.check() } else { Ok(()) }
}

/// Makes sure, before an archive is made or what it remembers is replaced, that sources named anew can be used: each is opened. Those that it
/// remembers already may be absent for a while.
pub(super) async fn check(
    decrypt: Option<bool>,
    keys: &KeyArgs,
    archive: &ArchiveArgs,
    database: &Database,
) -> Result<()> {
    if decrypt != Some(true) {
        return Ok(());
    }
    if !keys.names_any() {
        // an archive that is there may remember some
        return if archive.find().is_ok() { Ok(()) } else { Ok(keys.check()?) };
    }
    let named = keys.remembered()?;
    // of one that cannot be looked at, as it has to be brought up to date first, nothing is known
    let remembered = archive.look().ok().and_then(|catalog| catalog.decrypts_with().ok().flatten());
    if remembered.as_ref() == Some(&named) {
        return Ok(());
    }
    let Err(error) = keys.open(database).await else { return Ok(()) };
    let error = error.context("what is named to decrypt with cannot be used, and is not remembered");
    let is_of_what_is_named = error.chain().any(|cause| {
        let of_keys = cause.downcast_ref::<keys::Error>();
        of_keys.is_some_and(|error| !matches!(error, keys::Error::Source(_) | keys::Error::Bridge { .. }))
    });
    if is_of_what_is_named {
        let hint = hint(&error).map_or_else(String::new, |hint| format!("; {hint}"));
        return Err(WrongUsage(format!("{error:#}{hint}")).into());
    }
    Err(error)
}

/// Has an archive decrypted by what was named, or is remembered.
pub(super) fn hold(decrypt: Option<bool>, keys: &KeyArgs, says: Says, archive: &mut Archive) -> Result<()> {
    let said = match decrypt {
        Some(true) if keys.names_any() => Some(Some(keys.remembered()?)),
        Some(false) => Some(None),
        _ => None,
    };
    let last = archive.catalog().decrypts_with()?;
    let with = Holding::of(archive.catalog(), DECRYPT, said, says, last)?;
    if decrypt == Some(true) && with.value.is_none() {
        keys.check()?;
    }
    with.remember(archive)?;
    Ok(archive.decrypt_with(with.value.as_deref())?)
}

/// Decrypts what is new, and what keys that came later open; false: some source could not be used.
pub(super) async fn run(database: &Database, archive: &mut Archive, stop: &Stop) -> Result<bool> {
    let Some(remembered) = archive.catalog().decrypts_with()? else { return Ok(true) };
    if !archive.is_indexed() {
        return Ok(true);
    }
    let Ok(named) = serde_json::from_str::<KeyArgs>(&remembered) else {
        warn!("what the archive remembers of its sources of keys cannot be read; --decrypt names them anew");
        return Ok(false);
    };
    let (sources, failed) = named.open_each(database).await;
    let mut is_whole = failed.is_empty();
    for error in failed {
        let hint = hint(&error).map_or_else(String::new, |hint| format!("; {hint}"));
        warn!("a source of keys cannot be used, and what it opens is decrypted another time: {error:#}{hint}");
    }
    let mut counter = Counter::new("encrypted events", false);
    let decrypted = export::decrypt(database, archive, sources, stop, &mut |done| counter.at(done)).await;
    counter.end();
    match decrypted {
        Ok(sources) => {
            for (name, error) in sources.failed() {
                is_whole = false;
                let error =
                    std::error::Error::source(error).map_or_else(|| error.to_string(), |of| format!("{error}: {of}"));
                warn!("{name} failed, and what it opens is decrypted another time: {error}");
            }
        }
        Err(export::Error::Stopped) => {}
        Err(error @ export::Error::Archive(_)) => return Err(error.into()),
        Err(error) => {
            is_whole = false;
            let error = anyhow::Error::from(error);
            let hint = hint(&error).map_or_else(String::new, |hint| format!("; {hint}"));
            warn!("what is encrypted is decrypted another time: {error:#}{hint}");
        }
    }
    if let Some(numbers) = archive.catalog().decrypted_numbers()? {
        info!(
            encrypted = numbers.encrypted,
            readable = numbers.readable,
            not_authenticated = numbers.not_authenticated,
            "{numbers}"
        );
    }
    Ok(is_whole)
}
