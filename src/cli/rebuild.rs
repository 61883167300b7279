//! `synapse-export rebuild`. Asks no server, and changes no line.

use std::time::Instant;

use anyhow::Result;
use indicatif::HumanCount;
use tracing::{info, warn};

use super::report::{Bar, counted};
use super::signals::{Now, interrupt, watch_signals};
use super::{ArchiveArgs, Outcome};
use crate::archive::{self, Archive, RebuildProgress};

/// Make an archive's catalog.sqlite anew from its files, without the database: where it is lost or damaged, or does not fit
/// them, as in a copy
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    archive: ArchiveArgs,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let (stop, _stopped) = tokio::sync::watch::channel(false);
    let signal = watch_signals(stop, Now::is("stopping"))?;
    let began = Instant::now();
    let mut archive = match (args.archive.rebuild(interrupt(&signal)), *signal.borrow()) {
        (Err(archive::Error::Stopped), Some(number)) => return Ok(Outcome::Signalled(number)),
        (archive, _) => archive?,
    };
    let (events, files) = (archive.catalog().events()?, archive.catalog().count_files()?);
    info!(
        events,
        files,
        seconds = began.elapsed().as_secs_f64(),
        "the catalog is made anew: {} of {}, {:.1} s",
        counted(events, "event"),
        counted(files, "room-day"),
        began.elapsed().as_secs_f64()
    );
    warn_of_loss(&archive);
    super::search::update(&mut archive, false, &|| signal.borrow().is_none())?;
    if let Some(number) = *signal.borrow() {
        return Ok(Outcome::Signalled(number));
    }
    Ok(if archive.lost() > 0 { Outcome::Damaged } else { Outcome::Done })
}

/// Says that lines are lost, which were named, and what becomes of it.
pub(super) fn warn_of_loss(archive: &Archive) {
    let lost = archive.lost();
    if lost > 0 {
        warn!(
            lost,
            "{} less than was archived: the next export reads the server again from the beginning, and adds what is missing, as far as the server still has it",
            if lost == 1 {
                "1 file of lines has".to_owned()
            } else {
                format!("{} files of lines have", HumanCount(lost))
            }
        );
    }
}

/// Does what may make a catalog, and tells how that goes.
pub(super) fn telling<T>(work: impl FnOnce(&mut RebuildProgress<'_>) -> T) -> T {
    let mut bar = None;
    let done = work(&mut |done, all| {
        let text = || format!("catalog: {} of {}", HumanCount(done), counted(all, "room-day"));
        bar.get_or_insert_with(Bar::new).show_of(done, all, text, |part, line| info!(part, days = done, "{line}"));
    });
    if let Some(bar) = &mut bar {
        bar.end();
    }
    done
}
