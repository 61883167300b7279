//! `synapse-export user`: all that one person sent, to the rooms of an archive or of the server.
//!
//! Reads the archive, or the database alone, and leaves no archive behind.

use std::path::PathBuf;

use anyhow::{Result, bail};
use tokio::sync::watch;
use tracing::info;

use super::database::DatabaseArgs;
use super::handing::{self, FormArgs, Format, OutputTarget};
use super::lag::InitialCopy;
use super::media::MediaArgs;
use super::report::{self, Counter, counted, shown};
use super::room::document::{Document, WrittenDocument};
use super::room::{From, knows_erased};
use super::signals::{Now, first, watch_signals};
use super::{CatalogArgs, Outcome, WrongUsage};
use crate::archive::{self, Catalog};
use crate::event::UserId;
use crate::source::{self, Database};
use crate::{export, handover};

/// Hand on all that one person sent, in whichever room of the archive or the server, without what others said: as a page, a text, JSON
/// lines, a zip of these, or a database
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Who: a Matrix id, @name:server
    #[arg(value_parser = user_id)]
    user: String,
    /// Read the archive that --archive names, or the server: all rooms that the person was ever a member of, in a temporary directory.
    /// Unless given: the archive, if one is named and is there
    #[arg(long, value_name = "archive|server")]
    from: Option<From>,
    /// The archive's directory
    #[arg(long, value_name = "DIR", env = "SYNAPSE_EXPORT_ARCHIVE")]
    archive: Option<PathBuf>,
    #[command(flatten)]
    catalog: CatalogArgs,
    #[command(flatten)]
    form: FormArgs,
    #[command(flatten)]
    media: MediaArgs,
    #[command(flatten)]
    initial_copy: InitialCopy,
}

const AFTER_HELP: &str = "\
What others said is left out: what is answered, what replies quote, reactions to it, votes. So is what is redacted, and what the person said \
if the server has erased them, unless --show-redacted. What the archive, or the server, does not have is not in it.";

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let format = args.form.format(Format::Html);
    makes_sense(args, format)?;
    let user = UserId::of(&args.user);
    if let Some(catalog) = archived(args)? {
        let rooms = handover::rooms_of(&catalog, user)?;
        if rooms.is_empty() {
            bail!("the archive has nothing that {} sent", shown(&args.user));
        }
        return handing::from_archive(&args.form, &catalog, (rooms, Some(user)), (format, false));
    }
    let config = args.database.config()?;
    let target = args.form.target(format)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let outcome = runtime.block_on(async {
        let (stop, stopped) = watch::channel(false);
        let signal = watch_signals(stop, Now::is("stopping"))?;
        let database = tokio::select! {
            database = Database::connect(&config) => database?,
            Some(number) = first(signal.clone()) => return Ok(Outcome::Signalled(number)),
        };
        let ended = Box::pin(from_server(args, (user, format), &database, target, stopped)).await;
        // what was being read is cancelled
        database.close().await;
        // a signal that comes when all is written changes nothing
        let number = signal.borrow().filter(|_| ended.is_err());
        number.map_or(ended, |number| Ok(Outcome::Signalled(number)))
    })?;
    if let Outcome::Signalled(_) = outcome {
        info!("stopped: nothing was written, or what was is cut off");
    }
    Ok(outcome)
}

/// Refuses options that would do nothing.
fn makes_sense(args: &Args, format: Format) -> Result<(), WrongUsage> {
    let refused = |why: &str| Err(WrongUsage(why.to_owned()));
    args.form.check(format)?;
    if format == Format::Html && args.form.split.is_some() {
        return refused("--split is for a room: --format zip makes pages for each room");
    }
    if args.from == Some(From::Archive) && args.archive.is_none() {
        return refused("--from archive: --archive DIR says which");
    }
    if args.media.names_any() {
        if args.from == Some(From::Archive) {
            return refused(
                "--media-store is of what is read from the server; an archive copies files by `export --media-store`",
            );
        }
        if !(matches!(format, Format::Html | Format::Zip) || format == Format::Sqlite && args.form.with_media) {
            return refused(
                "--media-store is for --format html, zip, and sqlite --with-media: other forms have no files",
            );
        }
    } else if args.form.with_media && (args.from == Some(From::Server) || args.archive.is_none()) {
        return refused(
            "--with-media: the files are an archive's, as --archive DIR names it, or, with --from server, those in --media-store DIR",
        );
    }
    Ok(())
}

/// The archive that is read; none: the server.
fn archived(args: &Args) -> Result<Option<Catalog>> {
    let must = args.from == Some(From::Archive) || args.form.with_media && !args.media.names_any();
    if args.from == Some(From::Server) || args.media.names_any() {
        return Ok(None);
    }
    let Some(directory) = &args.archive else { return Ok(None) };
    match Catalog::open_to_search(directory, args.catalog.directory.as_deref()) {
        Err(archive::Error::NoArchive(_) | archive::Error::NotIndexed(_)) if !must => {
            info!("there is no archive yet: the server is read");
            Ok(None)
        }
        opened => Ok(Some(opened?)),
    }
}

/// Reads the rooms that somebody was ever a member of, and writes what they sent there.
async fn from_server(
    args: &Args,
    (user, format): (UserId<'_>, Format),
    database: &Database,
    mut target: OutputTarget,
    stopped: export::Stop,
) -> Result<Outcome> {
    args.initial_copy.check(database).await?;
    if !args.form.show_redacted {
        knows_erased(&args.form, database)?;
    }
    let rooms = database.rooms_of_member(user).await?;
    if rooms.is_empty() {
        bail!("the server knows no room that {} was ever a member of", shown(&args.user));
    }
    info!("reading {}", counted(rooms.len() as u64, "room"));
    report::bans(database);
    let media = args.media.asked()?;
    if media.is_some() {
        database.schema().suffices_for_media().map_err(source::Error::Schema)?;
    }
    let is_terminal = matches!(&target, OutputTarget::File(out) if out.is_terminal());
    let mut counter = Counter::new("events read", is_terminal);
    let document =
        Document { form: &args.form, format, rooms, sender: Some(user), state: None, decrypting: None, media };
    let written = document.write(database, &mut counter, stopped, &mut target).await;
    counter.end();
    let WrittenDocument { handed, off } = written?;
    handing::finish(target)?;
    handing::tell(&args.form, format, user.as_str(), "the server", handed);
    Ok(if off > 0 { Outcome::Damaged } else { Outcome::Done })
}

fn user_id(text: &str) -> Result<String, String> {
    let is_id = text.starts_with('@') && text.contains(':');
    is_id.then(|| text.to_owned()).ok_or_else(|| "a Matrix id, @name:server".to_owned())
}
