//! Bans that redact what their users have sent and will send: each run tells the archive of all that there are.
//!
//! Decides nothing of what they redact: the archive does, also for what comes later.

use super::later::Later;
use super::{Error, Export, scopes, unless_stopped};
use crate::archive::Selection;

impl Export<'_, Later> {
    /// Lets the archive know which bans redact; by now it has them. Where that may not be read, nothing is known of it.
    pub(super) async fn bans(&mut self, selection: &Selection) -> Result<(), Error> {
        if self.database.schema().suffices_for_bans().is_err() {
            return Ok(());
        }
        let (scopes, _) = scopes(selection, self.archive().await?.catalog())?;
        for scope in &scopes {
            let mut after = None;
            while !self.is_stopped() {
                let bans = self.database.ban_redactions(scope, after.as_ref());
                let Some(bans) = unless_stopped(&mut self.stop, bans).await? else { break };
                let Some(last) = bans.last() else { break };
                after = Some(last.clone());
                self.archive().await?.redact_banned(&bans)?;
            }
        }
        Ok(())
    }
}
