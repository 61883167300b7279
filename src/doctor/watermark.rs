//! The watermarks: how far the archive has come beside the server, and whether it is the same server. Resets none.

use super::finding::{Finding, chain, n};
use crate::archive::{Catalog, Error};
use crate::export::anchor;
use crate::source::Database;
use crate::stream::{Scope, Stream};

/// How many rooms' watermarks are compared with the server.
const SCOPES: usize = 100;

/// Compares an archive's watermarks with a server; an error is what has kept it from that.
pub(super) async fn compare(catalog: &Catalog, database: &Database) -> Result<Vec<Finding>, String> {
    let failed = |error: Error| chain(&error);
    if let (Some(own), Some(found)) = (catalog.server().map_err(failed)?, database.server_name())
        && own != found
    {
        let what =
            format!("the archive is of the server {}, the database of {}", own.escape_debug(), found.escape_debug());
        return Ok(vec![Finding::error("watermark", what).remedy("give each server an archive of its own")]);
    }
    let heads = database.heads().await.map_err(|error| chain(&error))?;
    let scopes = catalog.scopes().map_err(failed)?;
    let (mut told, mut gaps, mut ids) = (Vec::new(), 0, 0);
    for scope in scopes.iter().take(SCOPES) {
        for stream in Stream::ALL {
            for gap in catalog.gaps(scope, stream).map_err(failed)?.iter() {
                gaps += 1;
                ids += gap.last.0 - gap.first.0 + 1;
            }
            let Some(watermark) = catalog.watermark(scope, stream).map_err(failed)? else { continue };
            let reused = anchor::reused(catalog, database, scope, stream, &watermark).await;
            let reused = reused.map_err(|error| chain(&error))?;
            if let Some(reused) = reused {
                let what = format!("{reused}: the server was restored from a backup, or it is another one");
                let remedy = "if it is the right server, run: synapse-export watermark reset; the next export reads everything again, and loses nothing that is archived";
                return Ok(vec![Finding::error("watermark", what).remedy(remedy)]);
            }
            if *scope == Scope::Server {
                let ahead = heads.of(stream).map_or(0, |head| head.0.saturating_sub(watermark.position.0));
                told.push(format!("{stream} {}, with {} ids to come", watermark.position.0, n(ahead)));
            }
        }
    }
    if scopes.is_empty() {
        return Ok(vec![
            Finding::warning("watermark", "nothing is read yet, or it was reset").remedy("run synapse-export export"),
        ]);
    }
    if told.is_empty() {
        told.push(format!("of {} selected rooms", n(scopes.len() as u64)));
    }
    let gaps = if gaps == 0 {
        "no gaps".to_owned()
    } else {
        format!("gaps: {} ({} ids), which every run probes until they are a day old", n(gaps), n(ids))
    };
    Ok(vec![Finding::fine("watermark", format!("{}; {gaps}", told.join(", ")))])
}
