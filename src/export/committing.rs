//! What is gathered is committed by a task with a thread of its own, one commit at a time, while the next batch is gathered.
//!
//! Whoever looks at the archive settles first: what is read of it holds all that was gathered before.

use std::iter;
use std::panic::resume_unwind;
use std::time::Instant;

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tracing::debug;

use super::{Error, Export, Pass};
use crate::archive::{self, Archive, Batch, Committed};

/// Has the archive: for who looks at it, or as a commit that is under way.
pub(super) struct ArchiveWriter {
    /// None while a commit has it.
    archive: Option<Archive>,
    committing: Option<Committing>,
}

impl ArchiveWriter {
    pub(super) fn of(archive: Archive) -> ArchiveWriter {
        ArchiveWriter { archive: Some(archive), committing: None }
    }

    /// The archive, once no commit is under way.
    pub(super) fn archive(&mut self) -> &mut Archive {
        self.archive.as_mut().expect("no commit is under way")
    }

    /// Gives the archive back, once no commit is under way.
    pub(super) fn end(self) -> Archive {
        self.archive.expect("no commit is under way")
    }
}

/// A commit under way.
struct Committing {
    /// Its batches; none once it has them all.
    batches: Option<mpsc::Sender<Batch>>,
    bytes: usize,
    task: JoinHandle<(Archive, Result<Committed, archive::Error>)>,
}

impl<P: Pass> Export<'_, P> {
    /// Whether it is time to commit.
    pub(super) fn is_full(&self) -> bool {
        self.batch.bytes() >= P::BATCH_BYTES
    }

    /// Lets what is gathered be committed: while the first export goes on with what is gathered next, else by itself.
    pub(super) async fn commit(&mut self) -> Result<(), Error> {
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return Ok(());
        }
        if self.writer.committing.as_ref().is_some_and(|committing| committing.batches.is_none()) {
            self.settle().await?;
        }
        let bytes = batch.bytes();
        let mut committing = match self.writer.committing.take() {
            Some(committing) => committing,
            None => self.begin(),
        };
        // should nobody take it, the commit has failed: who settles it is told why
        let sent = match &committing.batches {
            Some(batches) => batches.send(batch).await.is_ok(),
            None => false,
        };
        committing.bytes += bytes;
        if !sent || committing.bytes >= P::COMMIT_BYTES {
            committing.batches = None;
        }
        self.writer.committing = Some(committing);
        Ok(())
    }

    fn begin(&mut self) -> Committing {
        let mut archive = self.writer.archive.take().expect("no commit is under way");
        let run = self.run;
        let (batches, mut receiver) = mpsc::channel(1);
        let task = spawn_blocking(move || {
            let began = Instant::now();
            let committed = archive.commit(run, iter::from_fn(|| receiver.blocking_recv()));
            if let Ok(committed) = &committed {
                debug!(events = committed.counts.new_events(), seconds = began.elapsed().as_secs_f64(), "commit");
            }
            (archive, committed)
        });
        Committing { batches: Some(batches), bytes: 0, task }
    }

    /// Waits until all that was to be committed is.
    pub(super) async fn settle(&mut self) -> Result<(), Error> {
        let Some(Committing { batches, task, .. }) = self.writer.committing.take() else { return Ok(()) };
        drop(batches);
        let (archive, committed) = task.await.unwrap_or_else(|error| resume_unwind(error.into_panic()));
        self.writer.archive = Some(archive);
        let committed = committed?;
        self.counts += committed.counts;
        self.files += committed.files;
        for (event, room, damage) in &committed.damaged {
            self.report.damaged(event.borrowed(), room.borrowed(), damage);
        }
        self.duplicates(&committed.duplicates);
        let duplicates = self.still_elsewhere(committed.elsewhere).await?;
        if !duplicates.is_empty() {
            let duplicates = self.writer.archive().duplicates(self.run, duplicates)?;
            self.counts.duplicates += duplicates.len() as u64;
            self.duplicates(&duplicates);
        }
        for (event, room) in &committed.gone {
            self.report.gone(event.borrowed(), room.borrowed());
        }
        Ok(())
    }

    /// The archive, with all that was committed to it.
    pub(super) async fn archive(&mut self) -> Result<&mut Archive, Error> {
        self.settle().await?;
        Ok(self.writer.archive())
    }
}
