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
use super::report::{counted, shown};
use super::room::document::Document;
use super::room::{From, knows_erased, place_makes_sense, read_server};
use super::{CatalogArgs, Outcome, WrongUsage};
use crate::archive::{self, Catalog};
use crate::event::UserId;
use crate::source::Database;
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
    read_server(&config, &args.form, tokio::runtime::Builder::new_multi_thread(), async |database, signal, stopped| {
        Box::pin(from_server(args, (user, format), database, target, (signal, stopped))).await
    })
}

/// Refuses options that would do nothing.
fn makes_sense(args: &Args, format: Format) -> Result<(), WrongUsage> {
    let refused = |why: &str| Err(WrongUsage(why.to_owned()));
    args.form.check(format)?;
    if format == Format::Html && args.form.split.is_some() {
        return refused("--split is for a room: --format zip makes pages for each room");
    }
    place_makes_sense(args.from, args.archive.as_deref(), (&args.form, format), (&args.media, false))
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
    target: OutputTarget,
    (signal, stopped): (watch::Receiver<Option<u8>>, export::Stop),
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
    let document = Document {
        form: &args.form,
        format,
        rooms,
        sender: Some(user),
        state: None,
        decrypting: None,
        media: &args.media,
    };
    document.hand_on(database, user.as_str(), target, signal, stopped).await
}

fn user_id(text: &str) -> Result<String, String> {
    let is_id = text.starts_with('@') && text.contains(':');
    is_id.then(|| text.to_owned()).ok_or_else(|| "a Matrix id, @name:server".to_owned())
}
