//! What is to be erased is erased: the lines, what is made of them, and every trace; by `erase`, and by each export. What is to go was
//! decided before; here it goes.

use anyhow::Result;
use chrono::Utc;
use indicatif::HumanCount;
use tracing::{error, info, warn};

use super::super::Outcome;
use super::super::report::{Bar, counted};
use crate::archive::{self, Archive, Buried};
use crate::views;

/// What was completed.
#[derive(Default)]
pub(in crate::cli) struct Completed {
    /// None: there was nothing to be done.
    pub(in crate::cli) buried: Option<Buried>,
    /// Somebody has asked for what cannot be, which is told.
    pub(in crate::cli) is_refused: bool,
}

impl Completed {
    /// How a command ends that has completed it.
    pub(super) fn outcome(&self) -> Outcome {
        if self.is_refused { Outcome::Damaged } else { Outcome::Done }
    }
}

/// Takes in what others have asked to be erased while this process held the archive. True: something of it cannot be, which is told.
fn take_requests(archive: &mut Archive) -> Result<bool> {
    let mut is_refused = false;
    for (request, done) in archive.take_requests(Utc::now().timestamp_millis())? {
        match done {
            Ok(()) => info!("asked for by another process, to be erased: {}", request.what),
            Err(refused) => {
                is_refused = true;
                error!("asked for by another process, and not erased: {}: {refused}", request.what);
            }
        }
    }
    Ok(is_refused)
}

/// Completes what is to be erased: the lines, what is made of them, and every trace; with what policies say, if they are to be carried
/// out. What others have asked for meanwhile is taken in first.
pub(in crate::cli) fn complete(archive: &mut Archive, policies: bool, goes_on: &dyn Fn() -> bool) -> Result<Completed> {
    if !archive.is_indexed() {
        return Ok(Completed::default());
    }
    let is_refused = take_requests(archive)?;
    let buried = complete_selected(archive, policies, goes_on)?;
    Ok(Completed { buried, is_refused })
}

fn complete_selected(archive: &mut Archive, policies: bool, goes_on: &dyn Fn() -> bool) -> Result<Option<Buried>> {
    let held = archive.select_again(Utc::now().timestamp_millis(), policies)?.held;
    if held > 0 {
        warn!(held, "{} of rooms on hold left as they are", counted(held, "event"));
    }
    if !archive.catalog().is_erasing()? {
        archive.copy_tombstones(false)?;
        return Ok(None);
    }
    let buried = lines(archive, goes_on)?;
    if !archive.catalog().is_erasing()? {
        // of all that was looked at there was nothing to take
        archive.copy_tombstones(true)?;
        return Ok(Some(buried));
    }
    if views::has_transcripts(archive.catalog(), archive.directory())? {
        super::super::render::stale(archive, goes_on)?;
    }
    views::forget_rooms(archive)?;
    super::super::search::update(archive, true, goes_on)?;
    if !goes_on() {
        return Err(archive::Error::Stopped.into());
    }
    archive.outputs_are_pending(|_| true)?;
    archive.copy_tombstones(true)?;
    archive.leave_no_trace()?;
    Ok(Some(buried))
}

/// Erases the lines that a run before has left to be erased, and those that others have asked for. True: something that was asked for
/// cannot be, which is told.
pub(in crate::cli) fn lines_left(archive: &mut Archive, goes_on: &dyn Fn() -> bool) -> Result<bool> {
    let is_refused = archive.is_indexed() && take_requests(archive)?;
    if archive.is_indexed() && archive.catalog().is_erasing()? {
        archive.select_again(Utc::now().timestamp_millis(), false)?;
        lines(archive, goes_on)?;
    }
    Ok(is_refused)
}

/// Erases the lines that are to be erased, and tells how it goes.
fn lines(archive: &mut Archive, goes_on: &dyn Fn() -> bool) -> Result<Buried> {
    let mut bar = Bar::new();
    let buried = archive.erase_selected(&mut |done, all| {
        #[allow(clippy::cast_precision_loss, reason = "it is shown as a percentage")]
        let part = done as f64 / all.max(1) as f64;
        let text = || format!("erasing: {} of {}", HumanCount(done), counted(all, "room-day"));
        bar.show(part, text, |line| info!(part, days = done, "{line}"));
        goes_on()
    });
    bar.end();
    let buried = buried?;
    if buried.lines() > 0 {
        info!(
            lines = buried.lines(),
            files = buried.files,
            "erased: {} in {}",
            counted(buried.lines(), "line"),
            counted(buried.files, "file")
        );
    }
    Ok(buried)
}
