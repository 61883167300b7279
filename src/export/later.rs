//! What Synapse says of archived events later: that it judges them anew, or that a ban redacts them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Error, Export, scopes, unless_stopped};
use crate::archive::Selection;
use crate::stream::GAP_LIFETIME;

/// How many of the events that Synapse has judged anew, or may have, are looked at together.
const REJUDGED_AT_ONCE: u32 = 1_000;
/// How many ids of new judgements are looked at again, as some may have been taken by transactions that had not committed.
const UNCOMMITTED: i64 = 1_000;

impl Export<'_> {
    /// Says from where on it is to be followed which events Synapse judges anew: what is read from now on is as it has been
    /// judged by now.
    pub(super) async fn follow_rejudged(&mut self) -> Result<(), Error> {
        if self.archive().await?.catalog().rejudged()?.is_none()
            && let Some(head) = unless_stopped(&mut self.stop, self.database.rejudged_head()).await?
        {
            self.archive().await?.rejudged_up_to(head)?;
        }
        Ok(())
    }

    /// Looks again at archived events that Synapse has rejected since, or accepted again.
    pub(super) async fn rejudged(&mut self) -> Result<(), Error> {
        let head = unless_stopped(&mut self.stop, self.database.rejudged_head()).await?;
        let Some(head) = head else { return Ok(()) };
        let followed = self.archive().await?.catalog().rejudged()?;
        let mut after = followed.unwrap_or(0).saturating_sub(UNCOMMITTED).max(0);
        // the archive may have events of rooms that are left out by now
        let database = self.database.clone().without(&BTreeSet::new());
        while after < head {
            let rejudged = unless_stopped(&mut self.stop, database.rejudged(after, REJUDGED_AT_ONCE)).await?;
            let Some(rejudged) = rejudged else { return Ok(()) };
            let Some(&(last, _)) = rejudged.last() else { break };
            // a page that is full may have ended between two of one id, which an index that should be unique let in
            let is_full = rejudged.len() == REJUDGED_AT_ONCE as usize && last - 1 > after;
            after = if is_full { last - 1 } else { last };
            let archive = self.archive().await?;
            let mut archived = BTreeMap::new();
            for (_, event_id) in &rejudged {
                if let Some(rejected) = archive.catalog().is_rejected(event_id)? {
                    archived.insert(event_id.as_str(), rejected);
                }
            }
            drop(archive);
            let ids: Vec<&str> = archived.keys().copied().collect();
            let events = unless_stopped(&mut self.stop, database.events_by_id(&ids)).await?;
            let Some(events) = events else { return Ok(()) };
            for event in events {
                if archived.get(event.event_id.as_str()) != Some(&event.rejected) {
                    self.batch.push(Box::new(event), false);
                }
            }
            self.commit().await?;
        }
        if followed != Some(head) {
            self.archive().await?.rejudged_up_to(head)?;
        }
        Ok(())
    }

    /// Looks again at sticky events that were archived as soft-failed, until they have expired: Synapse judges them anew when
    /// the state of their room changes, and tells of it nowhere else.
    pub(super) async fn sticky(&mut self) -> Result<(), Error> {
        // the archive may have events of rooms that are left out by now
        let database = self.database.clone().without(&BTreeSet::new());
        let mut after = String::new();
        loop {
            let ids = self.archive().await?.catalog().sticky(&after, REJUDGED_AT_ONCE)?;
            let Some(last) = ids.last() else { break };
            after.clone_from(last);
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let Some(events) = unless_stopped(&mut self.stop, database.events_by_id(&ids)).await? else {
                return Ok(());
            };
            for event in events.into_iter().filter(|event| !event.soft_failed) {
                self.batch.push(Box::new(event), false);
            }
            self.commit().await?;
        }
        // what was decided before it expired may be committed later, but by no transaction that lives longer than any does
        if let Some(now) = self.heads.received_ts.filter(|_| !after.is_empty()) {
            self.archive().await?.unstick(now.saturating_sub(GAP_LIFETIME))?;
        }
        Ok(())
    }

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
