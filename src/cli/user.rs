//! `synapse-export user`: all that one person sent to the rooms of an archive.
//!
//! Asks no database, and changes nothing.

use anyhow::{Result, bail};

use super::handing::{self, FormArgs, Format};
use super::report::shown;
use super::{ArchiveArgs, Outcome, WrongUsage};
use crate::archive::Catalog;
use crate::event::UserId;
use crate::handover;

/// Hand on all that one person sent, in whichever room of the archive, without what others said: as a page, a text, JSON lines, a zip of
/// these, or a database
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// Who: a Matrix id, @name:server
    #[arg(value_parser = user_id)]
    user: String,
    #[command(flatten)]
    archive: ArchiveArgs,
    #[command(flatten)]
    form: FormArgs,
}

const AFTER_HELP: &str = "\
What others said is left out: what is answered, what replies quote, reactions to it, votes. So is what is redacted, and what the person said \
if the server has erased them, unless --show-redacted. What the archive does not have is not in it.";

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let format = args.form.format(Format::Html);
    args.form.check(format)?;
    if format == Format::Html && args.form.split.is_some() {
        return Err(WrongUsage("--split is for a room: --format zip makes pages for each room".to_owned()).into());
    }
    let catalog = Catalog::open_to_search(&args.archive.archive, args.archive.catalog.directory.as_deref())?;
    let user = UserId::of(&args.user);
    let rooms = handover::rooms_of(&catalog, user)?;
    if rooms.is_empty() {
        bail!("the archive has nothing that {} sent", shown(&args.user));
    }
    handing::from_archive(&args.form, &catalog, (rooms, Some(user)), (format, false))
}

fn user_id(text: &str) -> Result<String, String> {
    let is_id = text.starts_with('@') && text.contains(':');
    is_id.then(|| text.to_owned()).ok_or_else(|| "a Matrix id, @name:server".to_owned())
}
