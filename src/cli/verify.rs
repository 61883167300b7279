//! `synapse-export verify`: shows what was found, for people or as JSON.
//!
//! Finds nothing itself: see `archive::verifying`; says it as `told` does.

mod comparing;
mod told;

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use indicatif::HumanBytes;
use tracing::{info, warn};

use super::database::DatabaseArgs;
use super::log::harmless;
use super::output::DataOutput;
use super::report::{Bar, shown};
use super::signals::{Now, interrupt, watch_signals};
use super::{ArchiveArgs, Outcome, WrongUsage, render};
use crate::archive::verifying::{self, GivenKeys, Verified, VerifyRequest};
use crate::archive::{self, Catalog, ChainHead};
use crate::verify::{Seal, from_answer, from_homeserver};
use comparing::{against_server, media, views};
use told::VerifyReport;

/// Verify an archive: that every line is the one that was written, where the catalog says, and what each event proves by its own
/// hashes and signatures
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    #[command(flatten)]
    archive: ArchiveArgs,
    /// Only this room: its id (!…), an alias (#…), its name, or a part of one of them that no other room of the archive has
    #[arg(long, value_name = "ROOM")]
    room: Option<String>,
    /// Only days from this one on: YYYY-MM-DD (and what has no day)
    #[arg(long, value_name = "DAY", value_parser = day)]
    since: Option<String>,
    /// Only whether the lines are those that were written, and where the catalog says: not what they say, nor who signed it
    #[arg(long)]
    quick: bool,
    /// The public keys of the archive's own server: a saved answer of its key API (GET /_matrix/key/v2/server). They are
    /// kept with the archive. Can be repeated
    #[arg(long, value_name = "FILE")]
    server_keys: Vec<PathBuf>,
    /// Compare with the server too, whose events are all read for that: the database that the options below, or the
    /// environment, name
    #[arg(long, conflicts_with_all = ["since", "quick"])]
    server: bool,
    /// Keep how far the comparison with the server is in this file, outside the archive: one that was stopped goes on from there
    #[arg(long, value_name = "FILE", requires = "server")]
    progress: Option<PathBuf>,
    /// Read at most so many events of the server in a second
    #[arg(long, value_name = "N", requires = "server", value_parser = clap::value_parser!(u32).range(1..))]
    pace: Option<u32>,
    #[command(flatten)]
    database: DatabaseArgs,
    /// Write what the archive holds, a few lines of text, to a new file: to be printed, signed, or given to somebody to keep
    #[arg(long, value_name = "FILE", conflicts_with_all = ["room", "since"])]
    seal: Option<PathBuf>,
    /// Whether the archive still holds all that it held when this was written with --seal
    #[arg(long, value_name = "FILE", conflicts_with_all = ["room", "since"])]
    against: Option<PathBuf>,
    /// How many threads read, as many as there are cores unless given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// A JSON object
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Verdicts: authentic (content hash, id and signatures hold) · redacted (id and signatures hold, the content is pruned) · erased (by \
this archive's owner) · no_key (hash and id hold, the key of a signature is not known or had expired) · not_decided (it cannot be \
computed) · bad_signature · altered. A server can sign anything for its own users: a signature proves who signed, not what happened.

Reads beside an export. What is found is remembered in the archive, unless an export is running or it may not be written to.

Exit status: 0 nothing is off (no_key and not_decided are nothing off) · 1 failed · 3 something is off, and listed · 75 another run \
holds the archive that --seal has to write to";

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let signal = watch_signals(stop, Now::is("stopping"))?;
    let began = Instant::now();
    let config = args.server.then(|| args.database.config()).transpose()?;
    let (directory, own) = (&*args.archive.archive, args.archive.catalog.directory.as_deref());
    let catalog = Catalog::open_to_show(directory, own)?;
    let room_id = args.room.as_deref().map(|name| render::find(&catalog, name)).transpose()?;
    let keys = given_keys(args, &catalog)?;
    let threads = args.threads.map(usize::from);
    let asked = VerifyRequest { room_id, since: args.since.clone(), quick: args.quick, keys, threads };
    let sealed = args.against.as_ref().map(|path| -> Result<Seal> {
        let read = || format!("cannot read the seal {}", path.display());
        let text = std::fs::read_to_string(path).with_context(read)?;
        Seal::read(&text).with_context(read)
    });
    let sealed = sealed.transpose()?;
    let mut bar = Bar::new();
    let mut told = |done: u64, all: u64| {
        #[allow(clippy::cast_precision_loss, reason = "it is shown as a percentage")]
        let part = done as f64 / all.max(1) as f64;
        let text = || format!("verified {} of {}", HumanBytes(done), HumanBytes(all));
        bar.show(part, text, |line| info!(part, bytes = done, "{line}"));
    };
    let found = verifying::verify(
        directory,
        own,
        &asked,
        sealed.as_ref().map(|seal| &seal.chain),
        &interrupt(&signal),
        &mut told,
    );
    bar.end();
    let mut found = match (found, *signal.borrow()) {
        (Err(archive::Error::Stopped), Some(number)) => return Ok(Outcome::Signalled(number)),
        (found, _) => found?,
    };
    if !args.quick
        && args.room.is_none()
        && args.since.is_none()
        && let Err(error) = views(args, &interrupt(&signal), &mut found.verified)
    {
        return (*signal.borrow()).map_or(Err(error), |number| Ok(Outcome::Signalled(number)));
    }
    if args.room.is_none() && args.since.is_none() {
        match (media(&catalog, args, &interrupt(&signal), &mut found.verified), *signal.borrow()) {
            (Err(archive::Error::Stopped), Some(number)) => return Ok(Outcome::Signalled(number)),
            (looked, _) => looked?,
        }
    }
    drop(catalog);
    let compared = match config {
        None => None,
        Some(config) => match against_server(args, &config, asked.room_id.as_deref(), stopped, &mut found.verified) {
            Ok(None) => return Ok((*signal.borrow()).map_or(Outcome::Damaged, Outcome::Signalled)),
            compared => compared?,
        },
    };
    let (is_remembered, head) = remember(args, &found, &asked.keys, interrupt(&signal))?;
    let verified = &found.verified;
    if let Some(path) = &args.seal {
        let head = head.context("there is no chain to be sealed: nothing is archived yet")?;
        write_seal(args, path, head, verified)?;
    }
    let mut out = DataOutput::stdout();
    let told = VerifyReport { verified, compared: compared.as_ref(), seal: sealed.as_ref(), is_remembered };
    if args.json {
        writeln!(out, "{}", harmless(&told.as_json(args.quick).to_string()))?;
    } else {
        told.write(&mut out, began.elapsed().as_secs_f64())?;
    }
    out.flush()?;
    let is_as_sealed = verified.is_sealed != Some(false) && verified.rewritten.is_empty();
    Ok(if verified.off.is_empty() && is_as_sealed { Outcome::Done } else { Outcome::Damaged })
}

/// The keys that the command line names.
fn given_keys(args: &Args, catalog: &Catalog) -> Result<GivenKeys> {
    let mut keys = GivenKeys::new();
    let server = catalog.server()?;
    for path in &args.server_keys {
        keys.extend(from_answer(path)?);
    }
    if let Some(((other, _), _)) = keys.iter().find(|((of, _), _)| server.as_ref().is_some_and(|server| server != of)) {
        let what = format!("--server-keys has the keys of {}, and the archive is not of that server", shown(other));
        return Err(WrongUsage(what).into());
    }
    if !args.database.synapse_config().is_empty() {
        let server =
            server.context("the archive does not say of which server it is, so whose keys these are is not known")?;
        for (named, key) in from_homeserver(args.database.synapse_config(), &server)? {
            keys.entry(named).or_insert(key);
        }
    }
    Ok(keys)
}

/// Remembers what was found, and that it is sealed, if the archive can be written to: whether it could, and how far its chain goes then.
fn remember(
    args: &Args,
    found: &verifying::VerifyOutcome,
    keys: &GivenKeys,
    interrupt: archive::Interrupt,
) -> Result<(bool, Option<ChainHead>)> {
    let mut has_changed = false;
    let remembered = args.archive.open(interrupt).and_then(|mut archive| {
        let head = archive.remember(found, keys)?;
        let bytes = |head: &Option<ChainHead>| head.as_ref().map_or(0, |head| head.bytes);
        has_changed = bytes(&head) < bytes(&found.verified.head);
        if args.seal.is_some() && !has_changed { archive.seal_chain() } else { Ok(head) }
    });
    match remembered {
        Ok(_) if args.seal.is_some() && has_changed => {
            bail!("the archive has changed while it was verified: run this again")
        }
        Ok(head) => Ok((true, head)),
        Err(error) if args.seal.is_some() => Err(error.into()),
        Err(error) => {
            let causes: Vec<String> = anyhow::Error::from(error).chain().map(ToString::to_string).collect();
            warn!("what was found is not remembered in the archive: {}", causes.join(": "));
            Ok((false, None))
        }
    }
}

fn write_seal(args: &Args, path: &std::path::Path, chain: ChainHead, verified: &Verified) -> Result<()> {
    let time = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let server = Catalog::open_to_show(&args.archive.archive, args.archive.catalog.directory.as_deref())?.server()?;
    let text = Seal { chain, time }.write(server.as_deref(), verified);
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::File::create_new(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().with_context(|| format!("cannot write the seal {}", path.display()))
}

fn day(text: &str) -> Result<String, String> {
    text.parse::<chrono::NaiveDate>().map(|date| date.to_string()).map_err(|_| "a date like 2026-11-22".to_owned())
}
