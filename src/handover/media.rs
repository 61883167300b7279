//! The files that events name, as those are given to others, and as far as the archive has them. Never fails for one that is lost.

use std::fs::File;

use super::Given;
use crate::archive::Error;
use crate::archive::reading::Reader;
use crate::event::Event;
use crate::event::media::named;

/// The files of an event: their addresses, and their paths below the archive.
pub(super) fn of(reader: &Reader<'_>, event: &Event) -> Result<Vec<(String, String)>, Error> {
    let (kind, mut found) = (event.kind.as_deref().unwrap_or_default(), Vec::new());
    for named in named(kind, event.content().unwrap_or_default()) {
        if let Some(here) = reader.media(&named.mxc, named.sealed.as_ref())? {
            found.push((named.mxc.into_owned(), here.path));
        }
    }
    Ok(found)
}

/// Opens one by its path; none: somebody has taken it out of the archive, and `lost` counts it.
pub(super) fn open(given: &Given<'_>, reader: &Reader<'_>, path: &str, lost: &mut u64) -> Result<Option<File>, Error> {
    given.goes_on()?;
    let file = reader.open_media(path)?;
    *lost += u64::from(file.is_none());
    Ok(file)
}
