//! `synapse-export output`: what is kept up to date elsewhere, from the archive alone.
//!
//! Asks no database.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, bail};
use indicatif::{HumanBytes, HumanCount};
use serde_json::json;
use tracing::{error, info, warn};

use super::output::DataOutput as Out;
use super::report::{Bar, counted, shown};
use super::signals::{Now, interrupt, watch_signals};
use super::{ArchiveArgs, Outcome, WrongUsage};
use crate::archive::{self, Archive, Output, To};
use crate::outputs::{self, Fed};

/// Keep the archive up to date elsewhere, as Parquet files for other engines or in another PostgreSQL; from the archive alone,
/// without Synapse's database
#[derive(clap::Subcommand)]
pub(super) enum Command {
    Add(AddArgs),
    List(ListArgs),
    Run(RunArgs),
    Remove(RemoveArgs),
}

/// Remember an output. It is made by `output run`, or at the end of each export with --on-export
#[derive(clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option")]
pub(super) struct AddArgs {
    #[command(flatten)]
    archive: ArchiveArgs,
    /// What it is called: lower-case letters, digits, - and _
    #[arg(value_parser = name)]
    name: String,
    /// parquet:DIR, a directory of its own, which is made if it is not there; or a postgres:// URL (or postgres:KEY=VALUE…)
    /// of a database that is not Synapse's, with the role of `sql/output_role.sql` and its password in ~/.pgpass
    #[arg(value_name = "parquet:DIR|postgres://…")]
    to: String,
    /// With what redacted messages said, and those of users whom the server has erased; what replies quote stays in them
    #[arg(long)]
    with_redacted: bool,
    /// With what users said whom the server has erased, unless the archive hides that (export --hide-erased)
    #[arg(long)]
    with_erased: bool,
    /// With events that the server rejected or soft-failed, which no client sees
    #[arg(long)]
    with_rejected: bool,
    /// With what encrypted messages say, as far as the archive has decrypted them
    #[arg(long)]
    with_decrypted: bool,
    /// With what each event proves of itself, as `verify` finds out; that takes its time, and is found out when a day is made
    #[arg(long)]
    with_verdicts: bool,
    /// Make it at the end of each export, too
    #[arg(long)]
    on_export: bool,
}

/// List the outputs, and how far they are
#[derive(clap::Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    archive: ArchiveArgs,
    /// One JSON object for each
    #[arg(long)]
    json: bool,
}

/// Bring outputs up to date
#[derive(clap::Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    archive: ArchiveArgs,
    /// Which; all, unless some are named
    names: Vec<String>,
    /// Make all of them anew, whatever is there: where files or rows are lost, or of another state
    #[arg(long, requires = "names")]
    anew: bool,
}

/// Forget an output; its files, or its tables, stay
#[derive(clap::Args)]
pub(super) struct RemoveArgs {
    #[command(flatten)]
    archive: ArchiveArgs,
    /// Which
    name: String,
}

pub(super) fn run(command: &Command) -> Result<Outcome> {
    match command {
        Command::Add(args) => written(&args.archive, |archive, _| add(args, archive)),
        Command::List(args) => list(args),
        Command::Run(args) => written(&args.archive, |archive, goes_on| {
            let outputs = match &*args.names {
                [] => archive.catalog().outputs()?,
                names => names.iter().map(|name| outputs::find(archive, name)).collect::<Result<_, _>>()?,
            };
            if outputs.is_empty() {
                bail!(
                    "the archive has no output: synapse-export output add NAME parquet:DIR (or postgres://…) adds one"
                );
            }
            let failed = feed(archive, &outputs, args.anew, goes_on)?;
            Ok(if failed { Outcome::Nothing } else { Outcome::Done })
        }),
        Command::Remove(args) => written(&args.archive, |archive, _| {
            let is_pending = archive.catalog().is_output_pending(&args.name)?;
            let output = outputs::remove(archive, &args.name)?;
            info!(
                "the output {} is forgotten; what it has stays in {}",
                shown(&output.name),
                shown(&place(&output.to))
            );
            if is_pending {
                warn!(
                    output = output.name,
                    "{} may still have what was erased, and nothing takes that out any more: delete it there",
                    shown(&output.name)
                );
            }
            Ok(Outcome::Done)
        }),
    }
}

/// Does something to an archive, which must be there.
fn written(
    args: &ArchiveArgs,
    work: impl FnOnce(&mut Archive, &dyn Fn() -> bool) -> Result<Outcome>,
) -> Result<Outcome> {
    let (stop, _stopped) = tokio::sync::watch::channel(false);
    let signal = watch_signals(stop, Now::is("stopping"))?;
    args.find()?;
    let done = args.open(interrupt(&signal)).map_err(anyhow::Error::from);
    let done = done.and_then(|mut archive| work(&mut archive, &|| signal.borrow().is_none()));
    match (done, *signal.borrow()) {
        (Ok(_), Some(number)) => Ok(Outcome::Signalled(number)),
        (Err(error), Some(number)) if super::signals::is_stopped(&error) => Ok(Outcome::Signalled(number)),
        (done, _) => done,
    }
}

fn add(args: &AddArgs, archive: &mut Archive) -> Result<Outcome> {
    if args.with_redacted && args.with_erased {
        return Err(WrongUsage("--with-redacted has what erased users said already".to_owned()).into());
    }
    let AddArgs { name, with_redacted, with_erased, with_rejected, with_decrypted, with_verdicts, on_export, .. } =
        args;
    let output = Output {
        name: name.clone(),
        id: String::new(),
        to: to(&args.to)?,
        with_redacted: *with_redacted,
        with_erased: *with_erased,
        with_rejected: *with_rejected,
        with_decrypted: *with_decrypted,
        with_verdicts: *with_verdicts,
        on_export: *on_export,
    };
    outputs::add(archive, output, &env)?;
    info!("the output {} is remembered: `synapse-export output run {}` makes it", shown(name), shown(name));
    Ok(Outcome::Done)
}

fn list(args: &ListArgs) -> Result<Outcome> {
    let catalog = args.archive.look()?;
    let all = catalog.outputs()?;
    let mut out = Out::stdout();
    let has_news = catalog.has_news_for_outputs()?;
    for output in &all {
        let standing = catalog.output_standing(&output.name)?;
        let is_pending = catalog.is_output_pending(&output.name)?;
        let line = if args.json {
            let mut line = json!({
                "name": output.name, "with_redacted": output.with_redacted, "with_erased": output.with_erased,
                "with_rejected": output.with_rejected, "with_decrypted": output.with_decrypted,
                "with_verdicts": output.with_verdicts, "on_export": output.on_export, "files": standing.files,
                "rows": standing.rows, "bytes": standing.bytes, "stale": standing.stale, "changed_since": has_news, "pending": is_pending,
            });
            match &output.to {
                To::Parquet(directory) => line["parquet"] = json!(directory),
                To::Postgres(address) => line["postgres"] = json!(address),
            }
            line.to_string()
        } else {
            let mut with = Vec::new();
            for (is_set, word) in [
                (output.with_redacted, "with redacted"),
                (output.with_erased, "with erased"),
                (output.with_rejected, "with rejected"),
                (output.with_decrypted, "with decrypted"),
                (output.with_verdicts, "with verdicts"),
                (output.on_export, "on each export"),
            ] {
                with.extend(is_set.then_some(word));
            }
            let with = if with.is_empty() { String::new() } else { format!(", {}", with.join(", ")) };
            let standing = match standing.stale {
                None => "not made yet".to_owned(),
                Some(stale) => format!(
                    "{}, {} rows, {}; {} to be made{}",
                    counted(standing.files, if matches!(output.to, To::Parquet(_)) { "file" } else { "part" }),
                    HumanCount(standing.rows),
                    HumanBytes(standing.bytes),
                    counted(stale, "part"),
                    if has_news { ", and those of what has changed since" } else { "" }
                ),
            };
            let pending = if is_pending { "; may still have what was erased" } else { "" };
            format!("{}  {}{with}: {standing}{pending}", shown(&output.name), shown(&place(&output.to)))
        };
        writeln!(out, "{line}")?;
    }
    out.finish()?;
    Ok(if all.is_empty() { Outcome::Nothing } else { Outcome::Done })
}

/// Feeds the outputs that are to be fed by each export, and those that may have what was erased. True: one has failed, which is told,
/// and leaves the export as it is.
pub(super) fn feed_on_export(archive: &mut Archive, goes_on: &dyn Fn() -> bool) -> Result<bool> {
    let pending = archive.catalog().pending_outputs()?;
    let mut outputs = archive.catalog().outputs()?;
    outputs.retain(|output| output.on_export || pending.contains(output));
    feed(archive, &outputs, false, goes_on)
}

/// Feeds the outputs that may have what was erased, until they have it no more. True: one may still have it, which is told.
pub(super) fn confirm(archive: &mut Archive, goes_on: &dyn Fn() -> bool) -> Result<bool> {
    let pending = archive.catalog().pending_outputs()?;
    let failed = feed(archive, &pending, false, goes_on)?;
    let left = archive.catalog().pending_outputs()?;
    for output in &left {
        warn!(output = output.name, "pending: {} may still have what was erased", output.name);
    }
    Ok(failed || !left.is_empty())
}

/// Feeds outputs, one after the other, and tells how it goes. True: one has failed, which is told.
fn feed(archive: &mut Archive, outputs: &[Output], anew: bool, goes_on: &dyn Fn() -> bool) -> Result<bool> {
    let mut any_failed = false;
    for output in outputs {
        if !goes_on() {
            break;
        }
        let began = Instant::now();
        let mut bar = None;
        let fed = outputs::feed(archive, output, anew, &env, &mut |done, all| {
            let text = || format!("output {}: {done} of {}", output.name, counted(all, "part"));
            bar.get_or_insert_with(Bar::new).show_of(done, all, text, |part, line| info!(part, parts = done, "{line}"));
        });
        if let Some(bar) = &mut bar {
            bar.end();
        }
        match fed {
            Ok(fed) => any_failed |= told(&output.name, &fed, began.elapsed().as_secs_f64()),
            Err(outputs::Error::Archive(archive::Error::Stopped)) => return Ok(any_failed),
            // what another writer has taken over is nobody's business any more
            Err(outputs::Error::Archive(failed @ archive::Error::LockLost(_))) => return Err(failed.into()),
            Err(failed) => {
                any_failed = true;
                let hint = failed.hint().map_or_else(String::new, |hint| format!("; {hint}"));
                error!(
                    output = output.name,
                    "the output {} is not up to date: {:#}{hint}",
                    output.name,
                    anyhow::Error::from(failed)
                );
            }
        }
    }
    Ok(any_failed)
}

/// Tells what was made of an output. True: it still has what was erased.
fn told(name: &str, fed: &Fed, seconds: f64) -> bool {
    if fed.parts + fed.rows + fed.removed > 0 {
        info!(
            output = name,
            parts = fed.parts,
            rows = fed.rows,
            removed = fed.removed,
            seconds,
            "output {name}: {} made, {} rows, {seconds:.1} s",
            counted(fed.parts, "part"),
            HumanCount(fed.rows),
        );
    }
    if fed.is_held {
        error!(
            output = name,
            "pending: {name}: what was erased is in none of its tables any more, but on its disk as long as somebody reads what was before; run `synapse-export output run {name}` when they have ended"
        );
    }
    fed.is_held
}

fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn name(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    let is_name = (1..=64).contains(&text.len()) && text.bytes().all(plain) && !text.starts_with('-');
    is_name.then(|| text.to_owned()).ok_or_else(|| "a name has lower-case letters, digits, - and _".to_owned())
}

/// Where an output is to be. What is wrong is not quoted: there may be a password in it.
fn to(text: &str) -> Result<To, WrongUsage> {
    if let Some(directory) = text.strip_prefix("parquet:").filter(|directory| !directory.is_empty()) {
        return Ok(To::Parquet(PathBuf::from(directory)));
    }
    if ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
        return Ok(To::Postgres(text.to_owned()));
    }
    let parameters = text.strip_prefix("postgres:").filter(|parameters| parameters.contains('='));
    let parameters = parameters.map(|parameters| To::Postgres(parameters.to_owned()));
    parameters.ok_or_else(|| WrongUsage("an output is parquet:DIR or postgres://USER@HOST/DATABASE".to_owned()))
}

/// The same, as it is shown.
fn place(to: &To) -> String {
    match to {
        To::Parquet(directory) => format!("parquet:{}", directory.display()),
        To::Postgres(address) if address.contains("://") => address.clone(),
        To::Postgres(address) => format!("postgres:{address}"),
    }
}
