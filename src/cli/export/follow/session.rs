//! What is made of the lines between two rounds, and what is told of it: in slices, so that it does not keep new events waiting.
//!
//! Reads nothing new of the server's rooms; when a session begins and ends is not decided here.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::sync::watch;

use super::super::super::service::Service;
use super::super::super::signals::{Now, is_stopped};
use super::super::super::{decrypt, media};
use super::super::{Args, make, metrics, tell};
use crate::archive::{Archive, Figures};
use crate::source::Database;

/// How often it is asked when the next original is lost.
const LOSS_ASKED_EVERY: Duration = Duration::from_secs(60 * 60);
/// How often the catalog's log is emptied while nothing is new.
const RESTS_EVERY: Duration = Duration::from_secs(60);
/// How long a slice of what is made between two rounds may take at the least.
const SLICE: Duration = Duration::from_millis(500);
/// After how many times `--render-every` it is not made in slices any more, but to its end.
const PATIENCE: u32 = 10;
/// After how many times `--render-every` keys are looked up anew of what cannot be read, when nothing else is to be made.
const KEYS_EVERY: u32 = 10;

/// An archive that is kept up to date, and what is made of it.
pub(super) struct FollowSession<'a> {
    pub(super) args: &'a Args,
    pub(super) database: Database,
    /// None while a round has it.
    pub(super) archive: Option<Archive>,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) now: Now,
    pub(super) service: Service,
    pub(super) may_render: bool,
    /// Since when something is to be made.
    pub(super) pending: Option<Instant>,
    /// When it was made to its end.
    pub(super) made: Option<Instant>,
    pub(super) is_off: bool,
    /// When the catalog's log was emptied; none: something was written since.
    pub(super) rested: Option<Instant>,
    /// How long the last round has taken.
    pub(super) took: Duration,
    /// When metrics were told, and the figures of then, as long as nothing is new.
    pub(super) told: Option<Instant>,
    pub(super) figures: Option<Figures>,
    /// When the next original is lost, and when that was asked.
    pub(super) next_loss: Option<(Instant, Option<i64>)>,
}

impl FollowSession<'_> {
    /// Makes what is to be made of the lines, as far as it can be by the next round.
    pub(super) async fn make(&mut self, next: Instant) -> Result<()> {
        let FollowSession { args, database, archive: Some(archive), stop, now, service, .. } = self else {
            return Ok(());
        };
        let are_keys_due = self.made.is_some_and(|made| made.elapsed() >= args.render_every * KEYS_EVERY);
        if self.pending.is_none() && are_keys_due && archive.catalog().decrypts_with()?.is_some() {
            self.pending = Some(Instant::now());
        }
        let Some(since) = self.pending else {
            // a look at everything may have written, too
            if self.rested.is_none_or(|rested| rested.elapsed() >= RESTS_EVERY)
                && tokio::task::block_in_place(|| archive.rest())?
            {
                self.rested = Some(Instant::now());
            }
            return Ok(());
        };
        if self.made.is_some_and(|made| made.elapsed() < args.render_every) {
            return Ok(());
        }
        let is_patient = since.elapsed() < args.render_every * PATIENCE;
        let due = next.max(Instant::now() + SLICE);
        let is_cut = Cell::new(false);
        let goes_on = || {
            service.lives();
            let goes_on = !*stop.borrow() && (Instant::now() < due || !is_patient);
            is_cut.set(is_cut.get() || !goes_on);
            goes_on
        };
        let is_decrypted = decrypt::run(database, archive, stop).await?;
        let is_copied = media::run_in(database, archive, stop).await?;
        let whole = self.made.is_none();
        let made = tokio::task::block_in_place(|| make(args, archive, self.may_render, whole, &goes_on, now));
        let is_made = match made {
            Err(error) if is_cut.get() && is_stopped(&error) => true,
            made => made?,
        };
        self.is_off = !(is_decrypted && is_copied && is_made && self.may_render) || archive.lost() > 0;
        self.figures = None;
        if !is_cut.get() {
            self.pending = None;
            self.made = Some(Instant::now());
        }
        Ok(())
    }

    /// Writes the file of metrics, if there is to be one and it is time.
    pub(super) async fn tell(&mut self) -> Result<()> {
        let is_due = self.told.is_none_or(|told| told.elapsed() >= self.args.render_every);
        if self.args.metrics_file.is_none() || !is_due || *self.stop.borrow() {
            return Ok(());
        }
        let next_loss = match self.next_loss {
            Some((asked, next_loss)) if asked.elapsed() < LOSS_ASKED_EVERY => next_loss,
            _ => {
                let next_loss = crate::doctor::next_loss(&self.database).await;
                self.next_loss = Some((Instant::now(), next_loss));
                next_loss
            }
        };
        let told = metrics::RunMetrics { took: self.took, lag: metrics::lag(&self.database).await, next_loss };
        let Some(archive) = &self.archive else { return Ok(()) };
        if self.figures.is_none() {
            self.figures = Some(archive.catalog().figures()?);
        }
        tell(self.args, archive, self.figures.as_ref(), &told);
        self.told = Some(Instant::now());
        Ok(())
    }
}
