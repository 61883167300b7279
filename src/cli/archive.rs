//! Which archive a command is about, where its catalog is and who may read it, and how it is opened for that. Of what is in it nothing
//! is known here.

use std::path::{Path, PathBuf};

use tracing::info;

use super::rebuild;
use super::remembered::{GROUP_READABLE, Holding, Says};
use crate::archive::{Archive, Catalog, Error, Interrupt, Opening, Readers, Turn};

/// Which archive.
#[derive(clap::Args)]
pub(super) struct ArchiveArgs {
    /// The archive's directory
    #[arg(long, value_name = "DIR", env = "SYNAPSE_EXPORT_ARCHIVE")]
    pub(super) archive: PathBuf,
    /// Write to the archive even if another user owns it or may write to it, who could read and alter all of it
    #[arg(long, env = "SYNAPSE_EXPORT_SHARED_ARCHIVE")]
    pub(super) shared_archive: bool,
    #[command(flatten)]
    pub(super) catalog: CatalogArgs,
}

/// Where its catalog is.
#[derive(clap::Args)]
pub(super) struct CatalogArgs {
    /// The directory of the archive's catalog.sqlite, when that is not to be in the archive: one on a local disk, for an archive
    /// on a network file system. Remembered for the runs to come
    #[arg(long = "catalog", value_name = "DIR")]
    pub(super) directory: Option<PathBuf>,
}

/// Who may read it.
#[derive(clap::Args)]
pub(super) struct ReadersArgs {
    /// Let the group of the archive's directory read all that is in it: directories get mode 2750, files 0640, also those that are
    /// there. Remembered for the runs to come
    #[arg(long)]
    pub(super) group_readable: bool,
    /// Let only its owner read it again
    #[arg(long, conflicts_with = "group_readable")]
    pub(super) no_group_readable: bool,
}

impl ReadersArgs {
    /// Does to an archive what was asked for; an option that is given also to what is there already, if it is as that was before.
    pub(super) fn apply(&self, says: Says, archive: &mut Archive) -> Result<(), Error> {
        let said = match (self.group_readable, self.no_group_readable) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        };
        let last = archive.catalog().readers()?;
        let group = Holding::of(archive.catalog(), GROUP_READABLE, said, says, last == Readers::Group)?;
        group.remember(archive)?;
        let readers = if group.value { Readers::Group } else { Readers::Owner };
        if readers != last || (said.is_some() && says == Says::Option) { archive.set_readers(readers) } else { Ok(()) }
    }
}

impl ArchiveArgs {
    /// Opens the archive to write to it; makes it, if there is none.
    pub(super) fn open(&self, interrupt: Interrupt) -> Result<Archive, Error> {
        self.open_as(Opening { interrupt, turn: Turn::Asks, ..Opening::default() })
    }

    /// The same, in another way.
    pub(super) fn open_as(&self, opening: Opening<'_>) -> Result<Archive, Error> {
        rebuild::telling(|told| self.opened(Archive::open_as, Opening { told: Some(told), ..opening }))
    }

    /// Makes its catalog anew, and opens it.
    pub(super) fn rebuild(&self, interrupt: Interrupt) -> Result<Archive, Error> {
        rebuild::telling(|told| {
            let turn = Turn::Asks;
            self.opened(Archive::rebuild, Opening { interrupt, turn, told: Some(told), ..Opening::default() })
        })
    }

    fn opened<'a>(
        &'a self,
        open: impl FnOnce(&'a Path, Opening<'a>) -> Result<Archive, Error>,
        opening: Opening<'a>,
    ) -> Result<Archive, Error> {
        let catalog = self.catalog.directory.as_deref();
        let archive = open(&self.archive, Opening { shared: self.shared_archive, catalog, ..opening })?;
        if archive.catalog().was_put_on_a_network() {
            info!(
                "the catalog is on a network file system: it has a rollback journal there, no write-ahead log; faster and safer is a local disk (--catalog DIR)"
            );
        }
        Ok(archive)
    }

    pub(super) fn directory(&self) -> &Path {
        &self.archive
    }

    /// Makes sure that there is an archive to be opened.
    pub(super) fn find(&self) -> Result<(), Error> {
        Catalog::find_in(&self.archive, self.catalog.directory.as_deref())
    }

    /// Opens its catalog to look at it.
    pub(super) fn look(&self) -> Result<Catalog, Error> {
        Catalog::open_to_read_in(&self.archive, self.catalog.directory.as_deref())
    }
}
