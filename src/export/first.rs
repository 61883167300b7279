//! The first export of an archive: each event is read once, into an archive whose index is made at the end. Never looks for what is
//! late, or de-outliered since: that waits for the index, which alone can tell whether it is archived already.

use super::progress::StreamProgress;
use super::{Error, Export, Pass};
use crate::archive::Selection;
use crate::source::Row;
use crate::stream::Position;

/// Reads into an archive that has nothing yet.
pub(super) enum First {}

impl Pass for First {
    // several of them are in memory
    const BATCH_BYTES: usize = 6 * 1024 * 1024;
    const COMMIT_BYTES: usize = 128 * 1024 * 1024;

    fn takes(row: &Row) -> bool {
        !row.deoutliered
    }

    async fn read_late(
        _: &mut Export<'_, First>,
        _: &mut StreamProgress<'_>,
        _: Option<Position>,
    ) -> Result<(), Error> {
        Ok(())
    }
}

impl Export<'_, First> {
    /// Reads up to the heads that the first export began with, unless that is done, and makes the index.
    pub(super) async fn run(&mut self, selection: &Selection) -> Result<(), Error> {
        // should other rooms have been selected, the first export has ended already
        self.second_lines().await?;
        let archive = self.archive().await?;
        let first = if archive.is_indexed() { None } else { archive.catalog().first_export()? };
        let Some(first) = first else { return Ok(()) };
        let newest = self.heads;
        self.heads = newest.at(first);
        self.follow_un_partial_stated().await?;
        self.all(selection).await?;
        if self.is_stopped() {
            return Ok(());
        }
        self.archive().await?.index()?;
        self.second_lines().await?;
        self.heads = newest;
        Ok(())
    }
}
