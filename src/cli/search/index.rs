//! The index of search: brought up to date, switched on and off, and what is said of it. Answers no query.

use anyhow::{Result, bail};
use tracing::{info, warn};

use super::super::ArchiveArgs;
use super::super::Outcome;
use super::super::report::Bar;
use super::super::signals::{Now, interrupt, watch_signals};
use crate::archive::reading::search::Search;
use crate::archive::{self, Archive, SearchStanding};

/// Brings the index up to date, or switches it on or off.
pub(super) fn keep(archive: &ArchiveArgs, is_on: Option<bool>) -> Result<Outcome> {
    let (stop, _stopped) = tokio::sync::watch::channel(false);
    let signal = watch_signals(stop, Now::is("stopping"))?;
    archive.find()?;
    let mut archive = match (archive.open(interrupt(&signal)), *signal.borrow()) {
        (Err(archive::Error::Stopped), Some(number)) => return Ok(Outcome::Signalled(number)),
        (archive, _) => archive?,
    };
    if let Some(on) = is_on {
        archive.set_search(on)?;
    }
    update(&mut archive, false, &|| signal.borrow().is_none())?;
    let number = *signal.borrow();
    if let (None, SearchStanding::Off) = (number, archive.catalog().search_standing()?) {
        if is_on.is_none() {
            bail!("the archive has no index, as it was switched off: --index on makes one");
        }
        info!("the archive has no index any more");
    }
    Ok(number.map_or(Outcome::Done, Outcome::Signalled))
}

/// Brings the index up to date, and tells how it goes.
pub(in crate::cli) fn update(archive: &mut Archive, at_most_a_minute: bool, goes_on: &dyn Fn() -> bool) -> Result<()> {
    let mut bar = None;
    let updated = archive.update_search(at_most_a_minute, &mut |done, all| {
        let text = || format!("search: {done} of {all} events");
        bar.get_or_insert_with(Bar::new).show_of(done, all, text, |part, line| info!(part, events = done, "{line}"));
        goes_on()
    });
    if let Some(bar) = &mut bar {
        bar.end();
    }
    Ok(updated?)
}

/// Says how far the index is, where that matters.
pub(super) fn tell(standing: SearchStanding, is_substring: bool) {
    match standing {
        SearchStanding::Whole => {}
        _ if is_substring => {}
        SearchStanding::Off => info!("the archive has no index (--index on makes one): every text was read"),
        SearchStanding::Behind { lines, of } if lines == of => {
            info!(
                "the archive has no index yet, and every text was read: an export makes one, or synapse-export search --update"
            );
        }
        SearchStanding::Behind { lines, of } if lines <= Search::BEHIND => info!(
            lines,
            "the index lacks {lines} of {of} events, which were read instead; synapse-export search --update brings it up to date"
        ),
        SearchStanding::Behind { lines, of } => warn!(
            lines,
            "the index lacks {lines} of {of} events, of which only the last {} were read: something may not be found until synapse-export search --update has brought it up to date",
            Search::BEHIND
        ),
    }
}
