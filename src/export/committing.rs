//! Batches are committed in a thread of their own, one at a time, while the next one is gathered.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::MutexGuard;
use tokio::task::spawn_blocking;
use tracing::debug;

use super::{Error, Export};
use crate::archive::Archive;

impl Export<'_> {
    /// Begins to commit what is gathered, once the batch before it is committed.
    pub(super) async fn commit(&mut self) -> Result<(), Error> {
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return Ok(());
        }
        self.settle().await?;
        let (mut archive, run) = (Arc::clone(self.archive).lock_owned().await, self.run);
        self.committing = Some(spawn_blocking(move || {
            let began = Instant::now();
            let committed = archive.commit(run, &batch)?;
            debug!(events = committed.counts.new_events(), seconds = began.elapsed().as_secs_f64(), "commit");
            Ok(committed)
        }));
        Ok(())
    }

    /// Waits until the batch that is being committed is.
    pub(super) async fn settle(&mut self) -> Result<(), Error> {
        let Some(committing) = self.committing.take() else { return Ok(()) };
        let committed = committing.await.unwrap_or_else(|error| resume_unwind(error.into_panic()))?;
        self.counts += committed.counts;
        for (event_id, room_id, damage) in &committed.damaged {
            self.report.damaged(event_id, room_id, damage);
        }
        Ok(())
    }

    /// The archive, with all that was committed to it.
    pub(super) async fn archive(&mut self) -> Result<MutexGuard<'_, Archive>, Error> {
        self.settle().await?;
        Ok(self.archive.lock().await)
    }
}
