//! `synapse-export room`: one room, as lines or as what is handed on, to a file or a pipe.
//!
//! Reads the archive, or the database alone, and leaves no archive behind.

mod decrypting;
pub(super) mod document;
mod dump;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use tokio::sync::watch;
use tracing::{info, warn};

use super::database::DatabaseArgs;
use super::handing::{self, EMPTY_PERIOD, FormArgs, Format, OutputTarget};
use super::keys::KeyArgs;
use super::lag::InitialCopy;
use super::meant::find;
use super::media::MediaArgs;
use super::render;
use super::report::{Counter, shown};
use super::signals::{Now, first, watch_signals};
use super::{CatalogArgs, Outcome, WrongUsage};
use crate::archive::{self, Catalog};
use crate::config::Config;
use crate::event::OwnedRoomId;
use crate::export;
use crate::source::{self, Bans, Database};
use decrypting::RoomDecrypter;
use document::Document;
use dump::Dump;

/// How many warnings about events are given in full.
const WARNINGS: u64 = 20;

/// Dump one room: as the lines that an archive would have, in the room's own order; or as what is handed on, a page, a text, a zip, a
/// database, from the archive where that has the room
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option")]
pub(super) struct Args {
    #[command(flatten)]
    database: DatabaseArgs,
    /// The room: its id (!…), an alias (#…), its name, or a part of one of them that no other room has
    #[arg(value_parser = not_blank)]
    room: String,
    /// Read it from the archive that --archive names, or from the server. Unless given: what is handed on (all forms but jsonl) from
    /// the archive where that has the room, else from the server; JSON lines, --state and --decrypt from the server
    #[arg(long, value_name = "archive|server")]
    from: Option<From>,
    /// The archive's directory
    #[arg(long, value_name = "DIR", env = "SYNAPSE_EXPORT_ARCHIVE")]
    archive: Option<PathBuf>,
    #[command(flatten)]
    catalog: CatalogArgs,
    #[command(flatten)]
    form: FormArgs,
    /// First the room's state as it is now, one line for each type and state key; when no local user is left in the room,
    /// the newest state event of each that the server has
    #[arg(long)]
    state: bool,
    /// Leave out what has been redacted, as clients do, for a dump to hand on: redacted events are pruned by their room
    /// version's rules and get `unsigned.redacted_because`, edits of redacted events are pruned too, and copies of other events
    /// in `unsigned` are left out. So is what users said whom the server has erased. What a reply quotes in its own text stays
    #[arg(long, conflicts_with = "show_redacted")]
    honour_redactions: bool,
    /// Decrypt what can be, by the keys that the options below name. In JSON lines `type` and `content` are the decrypted ones, those that
    /// are stored stand under `synapse.encrypted`; of what cannot be read `synapse.undecryptable` says why. In a document what
    /// was encrypted has a mark. The room is read more than once
    #[arg(long)]
    decrypt: bool,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    media: MediaArgs,
    #[command(flatten)]
    initial_copy: InitialCopy,
}

const AFTER_HELP: &str = "\
What is handed on leaves out what is redacted, what users said whom the server has erased, edits of both, what replies quote of what they \
answer, and what clients never saw, unless --show-redacted. JSON lines by themselves have all of it, unless --honour-redactions.";

/// From where a room is read.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum From {
    /// The archive that is named.
    Archive,
    /// The server's database.
    Server,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let format = args.form.format(Format::Jsonl);
    makes_sense(args, format)?;
    if let Some((catalog, room_id)) = archived(args, format)? {
        let as_archived = format == Format::Jsonl && !args.honour_redactions;
        return handing::from_archive(
            &args.form,
            &catalog,
            (vec![OwnedRoomId::of(room_id)], None),
            (format, as_archived),
        );
    }
    let config = args.database.config()?;
    let target = args.form.target(format)?;
    let runtime = match format {
        // there is little to do beside reading, and a second thread would only be waited for
        Format::Jsonl => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    read_server(&config, &args.form, runtime, async |database, signal, stopped| {
        Box::pin(dump(args, format, database, target, signal, stopped)).await
    })
}

/// Connects to the server, and does with it what is to be done; says what is left of that if a signal ends it.
pub(super) fn read_server(
    config: &Config,
    form: &FormArgs,
    mut runtime: tokio::runtime::Builder,
    work: impl AsyncFnOnce(&Database, watch::Receiver<Option<u8>>, export::Stop) -> Result<Outcome>,
) -> Result<Outcome> {
    let runtime = runtime.worker_threads(2).enable_all().build()?;
    let mut is_connected = false;
    let outcome = runtime.block_on(async {
        let (stop, stopped) = watch::channel(false);
        let signal = watch_signals(stop, Now::is("stopping"))?;
        let database = tokio::select! {
            database = Database::connect(config) => database?,
            Some(number) = first(signal.clone()) => return Ok(Outcome::Signalled(number)),
        };
        is_connected = true;
        let ended = work(&database, signal, stopped).await;
        // what was being read is cancelled
        database.close().await;
        ended
    })?;
    if let Outcome::Signalled(_) = outcome {
        match &form.output {
            Some(path) if path.as_os_str() != "-" => info!("stopped: nothing was written to {}", path.display()),
            _ if !is_connected => info!("stopped while connecting: nothing was written"),
            _ => info!("stopped: the dump is cut off"),
        }
    }
    Ok(outcome)
}

/// Refuses options that would do nothing.
fn makes_sense(args: &Args, format: Format) -> Result<(), WrongUsage> {
    let refused = |why: &str| Err(WrongUsage(why.to_owned()));
    if args.decrypt {
        args.keys.check()?;
    } else if args.keys.names_any() {
        return refused("sources of keys are named, and nothing is decrypted without --decrypt");
    }
    args.form.check(format)?;
    let is_lines = format == Format::Jsonl;
    if args.form.split.is_some() && (args.state || args.decrypt) {
        return refused("--split goes neither with --state nor with --decrypt");
    }
    if args.state && matches!(format, Format::Zip | Format::Sqlite) {
        return refused(
            "--state is for --format jsonl, markdown and html: a zip or a database has the state among its events",
        );
    }
    if args.from == Some(From::Archive) && (args.state || args.decrypt) {
        return refused(
            "--state and --decrypt are of the server: an archive has no state of now, and is decrypted where `export --decrypt` did so",
        );
    }
    place_makes_sense(args.from, args.archive.as_deref(), (&args.form, format), (&args.media, args.decrypt))?;
    match (is_lines, args.honour_redactions) {
        (false, true) => refused(
            "--honour-redactions is for JSON lines: what is handed on leaves out what was redacted in any case, unless --show-redacted",
        ),
        (true, _) if args.form.show_redacted => refused(
            "--show-redacted is for --format markdown, html, zip and sqlite: JSON lines have what was redacted in any case, unless --honour-redactions",
        ),
        (true, false) if args.form.ignore_erased => {
            refused("--ignore-erased: JSON lines have what erased users said in any case, unless --honour-redactions")
        }
        (true, _) if args.form.verify => {
            refused("--verify is for what is handed on; `synapse-export verify` judges an archive's lines")
        }
        _ => Ok(()),
    }
}

/// Refuses files and an archive that what is read, or its form, has not.
pub(super) fn place_makes_sense(
    from: Option<From>,
    archive: Option<&Path>,
    (form, format): (&FormArgs, Format),
    (media, decrypts): (&MediaArgs, bool),
) -> Result<(), WrongUsage> {
    let refused = |why: &str| Err(WrongUsage(why.to_owned()));
    if media.names_any() {
        let shows = matches!(format, Format::Html | Format::Zip) || format == Format::Sqlite && form.with_media;
        if !shows {
            return refused(
                "--media-store is for --format html, zip, and sqlite --with-media: other forms have no files",
            );
        }
        if from == Some(From::Archive) || decrypts {
            return refused(
                "--media-store is of what is read from the server, and not decrypted; an archive copies files by `export --media-store`",
            );
        }
    } else if form.with_media && (from == Some(From::Server) || archive.is_none()) {
        return refused(
            "--with-media: the files are an archive's, as --archive DIR names it, or, with --from server, those in --media-store DIR",
        );
    }
    if from == Some(From::Archive) && archive.is_none() {
        return refused("--from archive: --archive DIR says which");
    }
    Ok(())
}

/// The archive that the room is read from, and its id there; none: the server.
fn archived(args: &Args, format: Format) -> Result<Option<(Catalog, String)>> {
    let must = args.from == Some(From::Archive) || args.form.with_media;
    if args.from == Some(From::Server)
        || args.media.names_any()
        || !must && (format == Format::Jsonl || args.state || args.decrypt)
    {
        return Ok(None);
    }
    let Some(directory) = &args.archive else { return Ok(None) };
    let catalog = match Catalog::open_to_search(directory, args.catalog.directory.as_deref()) {
        Err(archive::Error::NoArchive(_) | archive::Error::NotIndexed(_)) if !must => {
            info!("there is no archive yet: the room is read from the server");
            return Ok(None);
        }
        opened => opened?,
    };
    match render::called(&catalog, &args.room)? {
        Some(_) if !must && !handing::knows_erased(&args.form, &catalog)? => {
            warn!(
                "the archive does not know whom the server has erased, so the room is read from the server; `synapse-export export --hide-erased` lets it know, --ignore-erased reads the archive all the same"
            );
            Ok(None)
        }
        Some(room_id) => Ok(Some((catalog, room_id))),
        None if must => {
            bail!("the archive has nothing of a room {}: index.md lists those that it has", shown(&args.room))
        }
        None => {
            info!("the archive has nothing of this room: it is read from the server");
            Ok(None)
        }
    }
}

/// Reads a room and writes it. Dropping what is read cancels it.
async fn dump(
    args: &Args,
    format: Format,
    database: &Database,
    target: OutputTarget,
    signal: watch::Receiver<Option<u8>>,
    stopped: export::Stop,
) -> Result<Outcome> {
    let begun = async {
        args.initial_copy.check(database).await?;
        let room_id = find(database, &args.room).await?;
        // should the connection be lost, no server that is behind takes over
        database.heads().await?;
        if args.honour_redactions || format != Format::Jsonl && !args.form.show_redacted {
            knows_erased(&args.form, database)?;
        }
        let bans = if args.honour_redactions { database.bans(&room_id).await? } else { Bans::default() };
        let decrypting =
            if args.decrypt { Some(RoomDecrypter::begin(&args.keys, database, &room_id).await?) } else { None };
        let state = if args.state { Some(database.room_state(&room_id).await?) } else { None };
        anyhow::Ok((room_id, bans, decrypting, state))
    };
    let (room_id, bans, decrypting, state) = tokio::select! {
        begun = begun => begun?,
        Some(number) = first(signal.clone()) => return Ok(Outcome::Signalled(number)),
    };
    if format != Format::Jsonl {
        let rooms = vec![OwnedRoomId::of(room_id.clone())];
        let document =
            Document { form: &args.form, format, rooms, sender: None, state, decrypting, media: &args.media };
        return document.hand_on(database, &room_id, target, signal, stopped).await;
    }
    let OutputTarget::File(out) = target else { return Ok(Outcome::Done) };
    let counter = Counter::new("events read", out.is_terminal());
    let dump = Dump::new(database, args.honour_redactions, bans, decrypting, out, counter);
    tokio::select! {
        ended = dump.all(args, &room_id, state) => ended,
        Some(number) = first(signal) => Ok(Outcome::Signalled(number)),
    }
}

/// Refuses to leave in what erased users said because it cannot be told whose that is, unless it is wanted so.
pub(super) fn knows_erased(form: &FormArgs, database: &Database) -> Result<()> {
    let Err(problem) = database.schema().suffices_for_erased() else { return Ok(()) };
    if form.ignore_erased {
        warn!("what erased users said stays: {problem}");
        return Ok(());
    }
    let what = "what erased users said cannot be left out (--ignore-erased goes on, and leaves it in)";
    Err(anyhow::Error::from(source::Error::Schema(problem)).context(what))
}

fn not_blank(name: &str) -> Result<String, String> {
    let is_blank = name.trim().is_empty();
    (!is_blank).then(|| name.to_owned()).ok_or_else(|| "a room's id, alias or name, or a part of it".to_owned())
}
