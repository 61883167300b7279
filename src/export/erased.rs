//! Whom the server has erased: each run tells an archive that hides what they said. Erases nothing.

use super::later::Later;
use super::{Error, Export, unless_stopped};
use crate::event::UserId;

impl Export<'_, Later> {
    /// Lets the archive know whom the server has erased, if it is to hide what they said and that may be read.
    pub(super) async fn erased(&mut self) -> Result<(), Error> {
        let hides = self.archive().await?.catalog().hides_erased()?;
        if !hides || self.database.schema().suffices_for_erased().is_err() {
            return Ok(());
        }
        let mut after = UserId::of("").owned();
        loop {
            let erased = unless_stopped(&mut self.stop, self.database.erased_after(after.borrowed())).await?;
            let Some(erased) = erased else { return Ok(()) };
            let Some(last) = erased.last() else { break };
            after.clone_from(last);
            self.archive().await?.are_erased(&erased)?;
        }
        let archive = self.archive().await?;
        archive.are_erased(&[])?;
        Ok(archive.are_all_erased()?)
    }
}
