//! `synapse-export media`: brings an archive's files up to date, or says what it has and lacks of them; and what every export does of that.
//!
//! Logs tell numbers: which files there are is data, and goes to stdout.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Result, bail};
use indicatif::{HumanBytes, HumanCount};
use serde_json::json;
use tokio::sync::watch;
use tracing::{info, warn};

use super::database::DatabaseArgs;
use super::output::DataOutput;
use super::remembered::{Holding, MEDIA, Says};
use super::report::{self, Bar, Counter, counted, shown};
use super::signals::{Now, first, interrupt, is_stopped, watch_signals};
use super::{ArchiveArgs, Outcome, WrongUsage, hint};
use crate::archive::{Archive, MediaAsked};
use crate::export::{self, Stop};
use crate::source::{self, Database};
use crate::views;

/// Which files are copied, and from where.
#[derive(clap::Args)]
pub(super) struct MediaArgs {
    /// Copy the files that archived events name from this directory, Synapse's `media_store_path`, or that of a storage provider on disk;
    /// can be repeated. Needs `sql/reader_role_media.sql`. An archive remembers it for the runs to come, in place of what was said before
    #[arg(long, value_name = "DIR")]
    media_store: Vec<PathBuf>,
    /// Members' and rooms' pictures too
    #[arg(long, requires = "media_store")]
    avatars: bool,
    /// Only files up to this size: 500K, 20M, 2G
    #[arg(long, value_name = "SIZE", value_parser = size, requires = "media_store")]
    media_max_size: Option<u64>,
    /// Only files of these media types, as who sent them says: image,video/mp4
    #[arg(long, value_name = "TYPES", value_delimiter = ',', value_parser = media_type, requires = "media_store")]
    media_types: Vec<String>,
}

impl MediaArgs {
    /// Whether a directory is named.
    pub(super) fn names_any(&self) -> bool {
        !self.media_store.is_empty()
    }

    /// What is asked for; none: no files.
    pub(super) fn asked(&self) -> Result<Option<MediaAsked>> {
        if self.media_store.is_empty() {
            // of options clap has seen to that, not of a configuration file
            if self.avatars || self.media_max_size.is_some() || !self.media_types.is_empty() {
                bail!(WrongUsage("which files are copied is said, and not from where: media-store".to_owned()));
            }
            return Ok(None);
        }
        let mut stores = Vec::new();
        for store in &self.media_store {
            let found = std::path::absolute(store).ok().filter(|store| store.is_dir());
            let Some(found) = found else {
                bail!(WrongUsage(format!("--media-store {} is no directory", store.display())));
            };
            let is_store = ["local_content", "remote_content"].iter().any(|name| found.join(name).is_dir());
            if !is_store {
                warn!(
                    "{} has neither local_content nor remote_content, as a media store has: is it Synapse's media_store_path?",
                    found.display()
                );
            }
            stores.push(found);
        }
        Ok(Some(MediaAsked {
            stores,
            avatars: self.avatars,
            max_size: self.media_max_size,
            types: self.media_types.clone(),
        }))
    }
}

/// Has the files copied that were asked for, or are remembered to be; `none`: none from now on.
pub(super) fn hold(args: &MediaArgs, none: bool, says: Says, archive: &mut Archive) -> Result<()> {
    let said = match args.asked()? {
        Some(asked) => Some(Some(asked)),
        None => none.then_some(None),
    };
    let last = archive.catalog().media_asked()?;
    let asked = Holding::of(archive.catalog(), MEDIA, said, says, last)?;
    asked.remember(archive)?;
    Ok(archive.ask_for_media(asked.value.as_ref())?)
}

/// Brings the files up to date that the archive asks for; false: that could not be done, which is told.
pub(super) async fn run_in(database: &Database, archive: &mut Archive, stop: &Stop) -> Result<bool> {
    let Some(asked) = archive.catalog().media_asked()? else { return Ok(true) };
    if let Err(problem) = database.schema().suffices_for_media() {
        warn!("no files are copied: {}", report::advised(&problem));
        return Ok(false);
    }
    let (mut bar, mut counter) = (None, None);
    let mut named = |done: u64, all: u64| {
        let text = || format!("names of files: {} of {}", HumanCount(done), counted(all, "line"));
        bar.get_or_insert_with(Bar::new).show_of(done, all, text, |part, line| info!(part, lines = done, "{line}"));
    };
    let mut told = |done| counter.get_or_insert_with(|| Counter::new("files", false)).at(done);
    let copied = export::copy_media(database, archive, &asked, stop, &mut named, &mut told).await;
    if let Some(bar) = &mut bar {
        bar.end();
    }
    if let Some(counter) = &mut counter {
        counter.end();
    }
    let copied = match copied {
        Ok(copied) => copied,
        Err(export::Error::Stopped) => return Ok(true),
        Err(error @ export::Error::Archive(_)) => return Err(error.into()),
        Err(error) => {
            let error = anyhow::Error::from(error);
            let hint = hint(&error).map_or_else(String::new, |hint| format!("; {hint}"));
            warn!("files are copied another time: {error:#}{hint}");
            return Ok(false);
        }
    };
    if copied.hidden > 0 {
        warn!(
            hidden = copied.hidden,
            "{} quarantined by the server since they were copied: transcripts show them no more, and the files stay in media/ (`synapse-export media --list`)",
            counted(copied.hidden, "file")
        );
    }
    if let Some(numbers) = archive.catalog().media_numbers()? {
        let lacking: u64 = numbers.lacking_of_asked().map(|(_, count)| count).sum();
        info!(
            copied = copied.copied,
            bytes = copied.bytes,
            decrypted = copied.decrypted,
            kept = numbers.kept,
            lacking,
            "media: {} copied ({}), {} decrypted; {} here, {} lacking{}",
            counted(copied.copied, "file"),
            HumanBytes(copied.bytes),
            HumanCount(copied.decrypted),
            HumanCount(numbers.kept),
            HumanCount(lacking),
            if lacking > 0 { " (`synapse-export media --list`)" } else { "" }
        );
    }
    Ok(true)
}

/// Copy the files that archived events name, pictures and all else, or list those that are lacking
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option")]
pub(super) struct Args {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    archive: ArchiveArgs,
    #[command(flatten)]
    media: MediaArgs,
    /// Copy none from now on; those that are there stay
    #[arg(long, conflicts_with_all = ["media_store", "list"])]
    no_media: bool,
    /// List what the archive lacks, or does not show, and why; from the archive alone
    #[arg(long)]
    list: bool,
    /// With --list: one JSON object for each, and one with the numbers
    #[arg(long, requires = "list")]
    json: bool,
    /// Render no transcripts: they wait for the next export, or for `synapse-export render`
    #[arg(long)]
    no_markdown: bool,
}

const AFTER_HELP: &str = "\
Why a file is lacking: wanted (not looked for yet) · not_downloaded (the server does not know it) · missing (no store has it) · quarantined · \
too_large · other_type · damaged (it is not what the server knows of it) · preview (of a link) · avatar (without --avatars). \
All are looked for again by each export, and by this.";

pub(super) fn run(args: &Args) -> Result<Outcome> {
    args.archive.find()?;
    if args.list {
        return list(args);
    }
    let config = if args.no_media { None } else { Some(args.database.config()?) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let (stop, stopped) = watch::channel(false);
        let signal = watch_signals(stop, Now::is("finishing the files at hand"))?;
        let database = match &config {
            None => None,
            Some(config) => tokio::select! {
                database = Database::connect(config) => Some(database?),
                Some(number) = first(signal.clone()) => return Ok(Outcome::Signalled(number)),
            },
        };
        let mut archive = match (args.archive.open(interrupt(&signal)), *signal.borrow()) {
            (Err(crate::archive::Error::Stopped), Some(number)) => return Ok(Outcome::Signalled(number)),
            (archive, _) => archive?,
        };
        if !archive.is_indexed() {
            return Err(crate::archive::Error::NotIndexed(args.archive.archive.clone()).into());
        }
        hold(&args.media, args.no_media, Says::Option, &mut archive)?;
        let Some(database) = database else {
            info!("no files are copied from now on; those that are there stay");
            return Ok(Outcome::Done);
        };
        if archive.catalog().media_asked()?.is_none() {
            return Err(
                WrongUsage("the archive does not know where files are: --media-store DIR says so".to_owned()).into()
            );
        }
        database.schema().suffices_for_media().map_err(source::Error::Schema)?;
        if let (Some(own), Some(server)) = (archive.catalog().server()?, database.server_name())
            && own != server
        {
            return Err(crate::archive::Error::OtherServer { own, found: server.to_owned() }.into());
        }
        let is_done = run_in(&database, &mut archive, &stopped).await;
        database.close().await;
        let rendered = is_done.and_then(|is_done| {
            let renders = !args.no_markdown && signal.borrow().is_none();
            if renders && views::has_transcripts(archive.catalog(), archive.directory())? {
                tokio::task::block_in_place(|| super::render::stale(&mut archive, &|| signal.borrow().is_none()))?;
            }
            Ok(is_done)
        });
        match (rendered, *signal.borrow()) {
            (Err(error), Some(number)) if is_stopped(&error) => Ok(Outcome::Signalled(number)),
            (Ok(_), Some(number)) => Ok(Outcome::Signalled(number)),
            (done, _) => Ok(if done? { Outcome::Done } else { Outcome::Damaged }),
        }
    })
}

fn list(args: &Args) -> Result<Outcome> {
    let catalog = args.archive.look()?;
    let mut out = DataOutput::stdout();
    let Some(numbers) = catalog.media_numbers()? else {
        info!("no files were ever copied into this archive: --media-store DIR says from where");
        return Ok(Outcome::Nothing);
    };
    let mut failed = None;
    catalog.each_lacking_media(&mut |lacking| {
        let line = if args.json {
            json!(lacking).to_string()
        } else {
            let hidden = if lacking.hidden { ", hidden" } else { "" };
            format!("{:<14}  {}  {}{hidden}", lacking.lacks, shown(&lacking.mxc), counted(lacking.events, "event"))
        };
        failed = failed.take().or(writeln!(out, "{line}").err());
        Ok(())
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    if args.json {
        writeln!(out, "{}", json!({ "numbers": numbers }))?;
    } else {
        writeln!(
            out,
            "{} named, {} here ({}), {} decrypted",
            counted(numbers.named, "file"),
            HumanCount(numbers.kept),
            HumanBytes(numbers.bytes),
            HumanCount(numbers.decrypted)
        )?;
    }
    out.finish()?;
    Ok(Outcome::Done)
}

/// Bytes.
fn size(text: &str) -> Result<u64, String> {
    let wrong = || "a size like 500K, 20M or 2G".to_owned();
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let factor: u64 = match unit.to_ascii_uppercase().as_str() {
        "" | "B" => 1,
        "K" | "KB" => 1_000,
        "M" | "MB" => 1_000_000,
        "G" | "GB" => 1_000_000_000,
        _ => return Err(wrong()),
    };
    digits.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).filter(|size| *size > 0).ok_or_else(wrong)
}

fn media_type(text: &str) -> Result<String, String> {
    let is_type = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/.+-".contains(&byte));
    is_type.then(|| text.to_ascii_lowercase()).ok_or_else(|| "media types like image or video/mp4".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_they_are_written() {
        for (text, expected) in
            [("1", Some(1)), ("500K", Some(500_000)), ("20m", Some(20_000_000)), ("2GB", Some(2_000_000_000))]
        {
            assert_eq!(size(text).ok(), expected);
        }
        for text in ["", "K", "-1", "1.5M", "1T", "0", "99999999999999999999", "20 M"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
