//! `synapse-export verify`: shows what was found, for people or as JSON.
//!
//! Finds nothing itself: see `archive::verifying`.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use indicatif::{HumanBytes, HumanCount};
use serde_json::json;
use tracing::{info, warn};

use super::database::DatabaseArgs;
use super::log::{harmless, visible};
use super::output::Output;
use super::report::{Bar, counted, shown};
use super::signals::{Now, interrupt, watch_signals};
use super::{ArchiveArgs, Outcome, WrongUsage, render};
use crate::archive::verifying::{self, Asked, Compared, GivenKeys, Matching, Off, Verified};
use crate::archive::{self, Catalog, ChainHead};
use crate::event::Verdict;
use crate::source::Database;
use crate::verify::{Seal, ServerError, compare, from_answer, from_homeserver};
use crate::views;

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
    let asked = Asked { room_id, since: args.since.clone(), quick: args.quick, keys, threads };
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
    if !args.quick && args.room.is_none() && args.since.is_none() {
        transcripts(&catalog, args, &mut found.verified)?;
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
    let mut out = Output::stdout();
    if args.json {
        writeln!(out, "{}", harmless(&as_json(args, verified, compared.as_ref(), is_remembered).to_string()))?;
    } else {
        write_text(
            &mut out,
            verified,
            compared.as_ref(),
            sealed.as_ref(),
            is_remembered,
            began.elapsed().as_secs_f64(),
        )?;
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

/// Compares with the server; none: it was told to stop.
fn against_server(
    args: &Args,
    config: &crate::config::Config,
    room_id: Option<&str>,
    mut stopped: tokio::sync::watch::Receiver<bool>,
    verified: &mut Verified,
) -> Result<Option<Compared>> {
    let matching = Matching::begin(&args.archive.archive, args.archive.catalog.directory.as_deref(), room_id)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut bar = Bar::new();
    let mut told = |events: u64, part: f64| {
        let text = || format!("compared {} of the server's", counted(events, "event"));
        bar.show(part.min(1.0), text, |line| info!(part, events, "{line}"));
    };
    let compared = runtime.block_on(async {
        let database = Database::connect(config).await.map_err(ServerError::from)?;
        compare(&database, matching, room_id, &mut stopped, &mut told).await
    });
    bar.end();
    let compared = match compared {
        Err(ServerError::Source(error)) => return Err(error.into()),
        Err(ServerError::Archive(error)) => return Err(error.into()),
        Ok(compared) => compared,
    };
    for (event_id, room_id) in compared.iter().flat_map(|compared| &compared.missing) {
        verified.off(Off::Missing, || format!("the event {event_id} of {room_id} is on the server, and not archived"));
    }
    if let Some(count) = verified.off.get_mut(&Off::Missing) {
        *count = compared.as_ref().map_or(*count, |compared| compared.all.missing);
    }
    Ok(compared)
}

fn server_as_json(compared: &Compared) -> serde_json::Value {
    let in_room = |room: &verifying::InRoom| json!({"missing": room.missing, "purged": room.purged, "pruned": room.pruned, "differs": room.differs});
    let rooms = compared.rooms.iter().map(|(room_id, room)| (room_id.clone(), in_room(room)));
    let mut all = in_room(&compared.all);
    for (key, count) in [
        ("archived", compared.archived),
        ("outliers", compared.outliers),
        ("left_out", compared.left_out),
        ("to_come", compared.to_come),
        ("erased", compared.erased),
        ("waiting", compared.waiting),
    ] {
        all[key] = count.into();
    }
    all["rooms"] = rooms.collect::<serde_json::Map<_, _>>().into();
    all
}

/// Notes transcripts that are gone, as far as they are looked for.
fn transcripts(catalog: &Catalog, args: &Args, verified: &mut Verified) -> Result<()> {
    const LOOKED_FOR: usize = 100_000;
    if !catalog.has_transcripts()? {
        return Ok(());
    }
    let missing = views::missing(catalog, &args.archive.archive, LOOKED_FOR)?;
    for path in &missing.days {
        verified.off(Off::File, || format!("the transcript of {path} is gone; synapse-export render makes it anew"));
    }
    for room in &missing.rooms {
        verified.off(Off::File, || {
            format!("the index or link of rooms/{room} is gone; synapse-export render makes it anew")
        });
    }
    if missing.index {
        verified.off(Off::File, || "index.md is gone; synapse-export render makes it anew".to_owned());
    }
    Ok(())
}

/// Notes files of media that are gone, or are not those that were copied.
fn media(
    catalog: &Catalog,
    args: &Args,
    interrupt: &archive::Interrupt,
    verified: &mut Verified,
) -> Result<(), archive::Error> {
    let (files, bytes) =
        crate::media::verify(catalog, &args.archive.archive, args.quick, interrupt, &mut |path, why| {
            verified.off(Off::File, || format!("{path} {why}"));
        })?;
    if files > 0 {
        info!(files, bytes, "media: {}, {}", counted(files, "file"), HumanBytes(bytes));
    }
    Ok(())
}

/// Remembers what was found, if the archive can be written to: whether it could, and how far its chain goes then.
fn remember(
    args: &Args,
    found: &verifying::Found,
    keys: &GivenKeys,
    interrupt: archive::Interrupt,
) -> Result<(bool, Option<ChainHead>)> {
    let remembered = args.archive.open(interrupt).and_then(|mut archive| archive.remember(found, keys));
    match remembered {
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
    if verified.head.as_ref().is_some_and(|head| chain.bytes < head.bytes) {
        bail!("the archive has changed while it was verified: run this again");
    }
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

fn as_json(args: &Args, verified: &Verified, compared: Option<&Compared>, is_remembered: bool) -> serde_json::Value {
    let verdicts: serde_json::Map<_, _> =
        Verdict::ALL.into_iter().map(|verdict| (verdict.name().to_owned(), verified.verdict(verdict).into())).collect();
    let keys =
        verified.keys.iter().map(|((server, id), events)| json!({"server": server, "key_id": id, "events": events}));
    let off = verified.off.iter().map(|(off, count)| (off.name().to_owned(), (*count).into()));
    json!({
        "files": verified.files,
        "lines": verified.lines,
        "bytes": verified.bytes,
        "verdicts": if args.quick { serde_json::Value::Null } else { verdicts.into() },
        "keys": keys.collect::<Vec<_>>(),
        "chain": {
            "head": verified.head.as_ref().map(|head| json!({"bytes": head.bytes, "hash": head.hash})),
            "begun": verified.begun,
            "unchained_lines": verified.unchained,
        },
        "off": off.collect::<serde_json::Map<_, serde_json::Value>>(),
        "named": verified.named.iter().map(|(off, what)| json!({"kind": off.name(), "what": what})).collect::<Vec<_>>(),
        "server": compared.map(server_as_json),
        "sealed": verified.is_sealed,
        "rewritten": verified.rewritten,
        "remembered": is_remembered,
    })
}

fn write_text(
    out: &mut impl std::io::Write,
    verified: &Verified,
    compared: Option<&Compared>,
    seal: Option<&Seal>,
    is_remembered: bool,
    seconds: f64,
) -> std::io::Result<()> {
    let (files, lines) = (counted(verified.files, "file"), counted(verified.lines, "line"));
    writeln!(out, "{files}, {lines}, {}, {seconds:.1} s", HumanBytes(verified.bytes))?;
    let verdicts = Verdict::ALL.map(|verdict| (verdict.name(), verified.verdict(verdict)));
    let verdicts: Vec<String> = verdicts
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{name} {}", HumanCount(count)))
        .collect();
    if !verdicts.is_empty() {
        writeln!(out, "events: {}", verdicts.join(", "))?;
    }
    for ((server, id), events) in &verified.keys {
        let (server, id) = (visible(server), visible(id));
        writeln!(out, "no key: {id} of {server}, for {}", counted(*events, "event"))?;
    }
    match &verified.head {
        None => writeln!(out, "chain: none yet")?,
        Some(head) => writeln!(out, "chain: {} {}", head.bytes, head.hash)?,
    }
    if verified.begun > 0 {
        let what = "what it says of the time before is not linked to what it says of the time after";
        writeln!(out, "chain: begun anew {}: {what}", counted(verified.begun, "time"))?;
    }
    if verified.unchained > 0 {
        let what = if is_remembered { ", taken into it now" } else { "" };
        writeln!(out, "chain: {} in no commit of it{what}", counted(verified.unchained, "line"))?;
    }
    if let Some(compared) = compared {
        let Compared { archived, outliers, left_out, to_come, erased, waiting, all, .. } = compared;
        let parts = [
            (*archived, "archived"),
            (*left_out, "of rooms that are left out"),
            (*to_come, "to come, or in gaps"),
            (*erased, "erased here"),
            (*waiting, "waited for"),
            (all.missing, "missing"),
            (*outliers, "that no archive takes"),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{} {what}", HumanCount(count)))
            .collect();
        writeln!(out, "server: {}", parts.join(", "))?;
        let (pruned, differs) = (HumanCount(all.pruned), HumanCount(all.differs));
        let purged = HumanCount(all.purged);
        writeln!(
            out,
            "archived, and there no more {purged}; pruned there since {pruned}; with another text there {differs}"
        )?;
        for (room_id, room) in &compared.rooms {
            let (missing, purged) = (HumanCount(room.missing), HumanCount(room.purged));
            let (pruned, differs) = (HumanCount(room.pruned), HumanCount(room.differs));
            let room_id = visible(room_id);
            writeln!(
                out,
                "{room_id}: missing {missing}, no more {purged}, pruned {pruned}, with another text {differs}"
            )?;
        }
    }
    if let Some(seal) = seal {
        match (verified.is_sealed, &*verified.rewritten) {
            (Some(true), []) if verified.off.is_empty() => {
                writeln!(out, "seal: all that was held at {} is there", visible(&seal.time))?;
            }
            (Some(true), []) => writeln!(out, "seal: its place in the chain is there; see what is off")?,
            (Some(true), rewritten) => {
                let files: Vec<_> = rewritten.iter().map(|path| visible(path)).collect();
                writeln!(out, "OFF seal: written anew since {}: {}", visible(&seal.time), files.join(", "))?;
            }
            _ => writeln!(out, "OFF seal: the chain has no commit that the seal of {} knows", visible(&seal.time))?,
        }
    }
    for (off, what) in &verified.named {
        writeln!(out, "OFF {off}: {}", visible(what))?;
    }
    for (off, count) in &verified.off {
        let named = verified.named.iter().filter(|(own, _)| own == off).count() as u64;
        if *count > named {
            writeln!(out, "OFF {off}: and {} more", HumanCount(count - named))?;
        }
    }
    if verified.off.is_empty() {
        writeln!(out, "nothing is off")?;
    }
    Ok(())
}

fn day(text: &str) -> Result<String, String> {
    text.parse::<chrono::NaiveDate>().map(|date| date.to_string()).map_err(|_| "a date like 2026-11-22".to_owned())
}
