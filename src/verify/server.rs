//! An archive against the server it is of: every event that the server has now, read page by page as an export reads it, against what is
//! archived. Changes neither, and reads no faster than it is told to.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::archive;
use crate::archive::verifying::{Compared, Matching};
use crate::event::RoomId;
use crate::source::{self, Database, Holder};
use crate::stream::{Position, Scope, Stream};

/// Why the two cannot be compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The database.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// The archive.
    #[error(transparent)]
    Archive(#[from] archive::Error),
}

/// Compares all events of the server, or of one room, with the archive, from where it was done before; none: it was told to stop, and
/// what was found is kept. `pace`: how many events of the server are read in a second, at most. `told` hears how many were read, and
/// which part of the positions is done, 0 to 1.
pub(crate) async fn compare(
    database: &Database,
    mut matching: Matching,
    room_id: Option<&str>,
    pace: Option<u32>,
    stop: &mut watch::Receiver<bool>,
    told: &mut dyn FnMut(u64, f64),
) -> Result<Option<Compared>, Error> {
    if let (Some(own), Some(found)) = (matching.catalog().server()?, database.server_name())
        && own != found
    {
        return Err(archive::Error::OtherServer { own, found: found.to_owned() }.into());
    }
    let heads = database.heads().await?;
    let scope = room_id.map_or(Scope::Server, |room_id| Scope::Room(RoomId::of(room_id).owned()));
    let all: u64 = Stream::ALL.iter().filter_map(|stream| heads.of(*stream)).map(|head| head.0).sum();
    let (mut before, mut read, began) = (0, 0, Instant::now());
    for stream in Stream::ALL {
        let Some(head) = heads.of(stream) else { continue };
        let done = matching.done(stream)?;
        if done.is_some_and(|done| done >= head) {
            before += head.0;
            continue;
        }
        let mut rows = database.pages(&scope, stream, done, head);
        loop {
            let chunk = tokio::select! {
                biased;
                Ok(_) = stop.wait_for(|stop| *stop) => {
                    matching.pause()?;
                    return Ok(None);
                }
                chunk = rows.recv() => chunk.ok_or(source::Error::BrokeOff)??,
            };
            let Some(last) = chunk.last().map(|row| row.position.0) else { break };
            for row in &chunk {
                read += 1;
                match &row.holder {
                    Holder::Event(event) => matching.event(event, stream, row.position)?,
                    Holder::OutlierState(_) | Holder::Other(_) => matching.other()?,
                }
            }
            matching.is_done(stream, Position(last))?;
            #[allow(clippy::cast_precision_loss, reason = "it is shown as a percentage")]
            told(read, (before + last) as f64 / all.max(1) as f64);
            if let Some(pace) = pace {
                #[allow(clippy::cast_precision_loss, reason = "it is a time to wait")]
                let due = Duration::from_secs_f64(read as f64 / f64::from(pace));
                tokio::select! {
                    () = tokio::time::sleep(due.saturating_sub(began.elapsed())) => {}
                    Ok(_) = stop.wait_for(|stop| *stop) => {}
                }
            }
        }
        matching.is_done(stream, head)?;
        before += head.0;
    }
    Ok(Some(matching.end()?))
}
