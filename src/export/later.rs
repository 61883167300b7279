//! Each export after the first, and the end of that: what is new, what was missing and has appeared, what was de-outliered, and what
//! Synapse judges anew.

use super::progress::StreamProgress;
use super::{Error, Export, Looks, Pass, Summary, scopes, unless_stopped};
use crate::archive::{Archive, Counts, RunOutcome, Selection};
use crate::source::Row;
use crate::stream::{Position, Scope, Stream};

/// How many events without a place in the stream a run counts.
const MOST_UNPLACED: u32 = 1_000;

/// Reads into an archive whose index tells what it has.
pub(super) enum Later {}

impl Pass for Later {
    // enough that few files are opened twice, and that a night is mostly one batch; little enough for a small computer
    const BATCH_BYTES: usize = 16 * 1024 * 1024;
    const COMMIT_BYTES: usize = 0;

    fn takes(_: &Row) -> bool {
        true
    }

    async fn read_late(
        export: &mut Export<'_, Later>,
        progress: &mut StreamProgress<'_>,
        end: Option<Position>,
    ) -> Result<(), Error> {
        let (scope, stream) = (progress.scope, progress.stream);
        let at = progress.watermark.as_ref().map(|watermark| watermark.position);
        // gaps that were joined hold events that are archived already, which only the index can tell
        let missing: Vec<_> = progress.remembered.iter().filter(|gap| export.looks.at(gap)).collect();
        if !missing.is_empty() {
            let rows = export.database.probe(scope, stream, missing.iter().map(|gap| (gap.first, gap.last)));
            export.take(rows, progress, None).await?;
            if export.is_stopped() {
                return Ok(());
            }
            if export.looks == Looks::All {
                progress.gaps.expire(export.heads.received_ts);
            }
        }
        // a room's pages show its own ids, those it has since it was de-outliered are asked for here
        if let (Scope::Room(room_id), Some(end)) = (scope, end) {
            let rows = export.database.deoutliered(vec![room_id.to_string()], stream, at, end);
            export.take(rows, progress, None).await?;
        }
        Ok(())
    }
}

impl Export<'_, Later> {
    /// Ends the first export, if that is not done, then exports what is new.
    pub(super) async fn run(&mut self, selection: &Selection) -> Result<(), Error> {
        self.end_first(selection).await?;
        if self.is_stopped() {
            return Ok(());
        }
        self.un_partial_stated().await?;
        self.sticky().await?;
        self.waiting().await?;
        self.all(selection).await?;
        if self.database.looks_for_missing() && !self.is_stopped() {
            self.look_for_missing().await?;
        }
        self.bans(selection).await?;
        self.power_levels().await?;
        self.erased().await?;
        self.server_keys().await?;
        self.unplaced(selection).await
    }

    /// Ends what a run has read by now, and adds it to what it did `before`. With what still waits for its PDU named, or counted
    /// only.
    pub(super) async fn end(
        mut self,
        mut result: Result<(), Error>,
        before: &Summary,
        names_waiting: bool,
    ) -> (Archive, Result<Summary, Error>) {
        let is_cut_off = matches!(result, Err(Error::Stopped));
        if is_cut_off {
            result = Ok(());
        }
        if matches!(result, Err(Error::Source(_))) {
            // what was read before the database failed need not be read again
            result = self.commit().await.and(result);
        }
        result = result.and(self.settle().await);
        let stopped = is_cut_off || self.is_stopped();
        let (waiting, result) = match self.count_waiting(names_waiting).await {
            Ok(waiting) => (waiting, result),
            Err(error) => (0, result.and(Err(error))),
        };
        let (run, mut counts, files) = (self.run, before.counts, before.files + self.files);
        counts += self.counts;
        let summary = Summary { run, counts, files, waiting, stopped };
        let is_as_before = self.counts == Counts::default() && waiting == before.waiting && !stopped;
        let mut archive = self.writer.end();
        if result.is_ok() && !names_waiting && is_as_before {
            return (archive, Ok(summary));
        }
        let outcome = if result.is_ok() { summary.outcome() } else { RunOutcome::Failed };
        if result.is_err() {
            // so that nobody reads a half line; should it fail too, the next run does it
            let _ = archive.recover();
        }
        let error = result.as_ref().err().map(ToString::to_string);
        let ended = archive.end_run(run, outcome, error.as_deref(), files).map_err(Error::from);
        (archive, result.and(ended).map(|()| summary))
    }

    /// Ends a first export that has its index: what was de-outliered since its own id was passed has been in no page, in a room's
    /// neither.
    async fn end_first(&mut self, selection: &Selection) -> Result<(), Error> {
        let Some(first) = self.archive().await?.catalog().first_export()? else { return Ok(()) };
        let (scopes, _) = scopes(selection, self.archive().await?.catalog())?;
        for (stream, head) in Stream::ALL.into_iter().zip(first) {
            if let Some(head) = head.filter(|_| !scopes.is_empty()) {
                self.deoutliered(&scopes, stream, head).await?;
            }
        }
        if !self.is_stopped() {
            self.archive().await?.end_first_export()?;
        }
        Ok(())
    }

    /// Reads the events of all these scopes that were de-outliered up to `head`, for the first export.
    async fn deoutliered(&mut self, scopes: &[Scope], stream: Stream, head: Position) -> Result<(), Error> {
        // with the server among them, of all rooms
        let rooms: Option<Vec<String>> = scopes.iter().map(|scope| scope.room().map(|room| room.to_string())).collect();
        let mut rows = self.database.deoutliered(rooms.unwrap_or_default(), stream, None, head);
        while let Some(chunk) = self.next(&mut rows).await? {
            for event in chunk.into_iter().filter_map(Row::event) {
                self.batch.push(event, false);
                if self.is_full() {
                    self.commit().await?;
                }
            }
        }
        self.commit().await
    }

    /// Names events that are in no page, and so not archived.
    async fn unplaced(&mut self, selection: &Selection) -> Result<(), Error> {
        let rooms: Vec<String> = selection.include.iter().map(ToString::to_string).collect();
        let events = unless_stopped(&mut self.stop, self.database.unplaced(&rooms, MOST_UNPLACED)).await?;
        let events = events.unwrap_or_default();
        if !events.is_empty() {
            let counts = Counts { unplaced: events.len() as u64, ..Counts::default() };
            let run = self.run;
            self.archive().await?.count(run, &counts)?;
            self.counts += counts;
        }
        for (lacks, event, room) in &events {
            self.report.unplaced(event.borrowed(), room.borrowed(), lacks);
        }
        Ok(())
    }
}
