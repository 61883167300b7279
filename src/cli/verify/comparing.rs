//! What an archive is compared with, beyond what its lines prove: the server, what its transcripts should say, its files of media. Mends
//! nothing.

use anyhow::Result;
use indicatif::{HumanBytes, HumanCount};
use tracing::info;

use super::super::report::{Bar, counted};
use super::Args;
use crate::archive::verifying::{Compared, Matching, Off, Verified};
use crate::archive::{self, Catalog};
use crate::source::Database;
use crate::verify::{ServerError, compare};

/// Compares with the server; none: it was told to stop.
pub(super) fn against_server(
    args: &Args,
    config: &crate::config::Config,
    room_id: Option<&str>,
    mut stopped: tokio::sync::watch::Receiver<bool>,
    verified: &mut Verified,
) -> Result<Option<Compared>> {
    let matching = Matching::begin(
        &args.archive.archive,
        args.archive.catalog.directory.as_deref(),
        room_id,
        args.progress.as_deref(),
    )?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut bar = Bar::new();
    let mut told = |events: u64, part: f64| {
        let text = || format!("compared {} of the server's", counted(events, "event"));
        bar.show(part.min(1.0), text, |line| info!(part, events, "{line}"));
    };
    let compared = runtime.block_on(async {
        let database = Database::connect(config).await.map_err(ServerError::from)?;
        compare(&database, matching, room_id, args.pace, &mut stopped, &mut told).await
    });
    bar.end();
    let compared = match compared {
        Err(ServerError::Source(error)) => return Err(error.into()),
        Err(ServerError::Archive(error)) => return Err(error.into()),
        Ok(compared) => compared,
    };
    for (event_id, room_id) in compared.iter().flat_map(|compared| &compared.missing) {
        verified.off(Off::Missing, || format!("the event {event_id} of {room_id} is on the server, and not archived"));
    }
    if let Some(count) = verified.off.get_mut(&Off::Missing) {
        *count = compared.as_ref().map_or(*count, |compared| compared.all.missing);
    }
    Ok(compared)
}

/// Notes transcripts and indexes that are not as the events say, or gone.
pub(super) fn views(args: &Args, interrupt: &archive::Interrupt, verified: &mut Verified) -> Result<()> {
    let (directory, own) = (&*args.archive.archive, args.archive.catalog.directory.as_deref());
    let mut catalog = Catalog::open_to_search(directory, own)?;
    if !catalog.has_transcripts()? {
        return Ok(());
    }
    let mut bar = Bar::new();
    let compared = crate::views::compare(&mut catalog, directory, interrupt, &mut |done, all| {
        let text = || format!("compared transcripts: {} of {}", HumanCount(done), HumanCount(all));
        bar.show_of(done, all, text, |part, line| info!(part, days = done, "{line}"));
    });
    bar.end();
    let compared = compared?;
    verified.transcripts = compared.days;
    let remedy = "synapse-export render --all makes it anew";
    for path in &compared.files {
        match archive::inside::length(directory, path) {
            Ok(None) => verified.off(Off::File, || format!("{path} is gone; {remedy}")),
            _ => verified.off(Off::View, || format!("{path} does not say what its events do; {remedy}")),
        }
    }
    Ok(())
}

/// Notes files of media that are gone, or are not those that were copied.
pub(super) fn media(
    catalog: &Catalog,
    args: &Args,
    interrupt: &archive::Interrupt,
    verified: &mut Verified,
) -> Result<(), archive::Error> {
    let (files, bytes) =
        crate::media::verify(catalog, &args.archive.archive, args.quick, interrupt, &mut |path, why| {
            verified.off(Off::File, || format!("{path} {why}"));
        })?;
    if files > 0 {
        info!(files, bytes, "media: {}, {}", counted(files, "file"), HumanBytes(bytes));
    }
    Ok(())
}
