//! The public keys of the servers whose users are in the archive: each run that archives events keeps those that the server has, so
//! that what proves them outlives it.

use super::later::Later;
use super::{Error, Export, unless_stopped};

impl Export<'_, Later> {
    /// Takes in the keys of servers, if they may be read.
    pub(super) async fn server_keys(&mut self) -> Result<(), Error> {
        if self.database.schema().suffices_for_server_keys().is_err() {
            return Ok(());
        }
        if self.counts.live + self.counts.backfill == 0 && self.archive().await?.catalog().has_server_keys()? {
            return Ok(());
        }
        let mut after = 0;
        loop {
            let servers = self.archive().await?.catalog().servers_behind(after)?;
            let Some((last, servers)) = servers else { return Ok(()) };
            after = last;
            let keys = unless_stopped(&mut self.stop, self.database.server_keys(&servers)).await?;
            let Some(keys) = keys else { return Ok(()) };
            let keys = keys
                .iter()
                .map(|key| (key.server_name.as_str(), key.key_id.as_str(), key.verify_key.as_slice(), key.valid_until));
            self.archive().await?.add_server_keys(keys)?;
        }
    }
}
