//! The files that events name, as those are given to others, and as far as the archive has them: beside what is written, by names of their
//! own, or in a page itself. Never fails for one that is lost.

mod names;
mod within;

use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::Given;
use crate::archive::Error;
use crate::archive::reading::{Reader, outward};
use crate::document::message::FileLink;
use crate::event::Event;
use crate::event::media::named;
use crate::views::{Files, Leads};
use names::Names;
pub(super) use within::{PageWithFiles, Within};

/// The directory of copies.
const DIRECTORY: &str = "media";

/// A file that an event names.
pub(super) struct HandedFile {
    pub(super) mxc: String,
    /// Its path below the archive.
    pub(super) path: String,
    /// What its sender calls it.
    pub(super) called: Option<String>,
}

/// The files of an event.
pub(super) fn of(reader: &Reader<'_>, event: &Event) -> Result<Vec<HandedFile>, Error> {
    let (kind, mut found) = (event.kind.as_deref().unwrap_or_default(), Vec::new());
    for named in named(kind, event.content().unwrap_or_default()) {
        if let Some(here) = reader.media(&named.mxc, named.sealed.as_ref())? {
            let called = named.name.or_else(|| named.is_avatar.then(|| "avatar".to_owned()));
            found.push(HandedFile { mxc: named.mxc.into_owned(), path: here.path, called });
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

/// Copies beside what is written, each once, by a name of its own. Grows with their number.
#[derive(Clone, Debug, Default)]
pub(super) struct Copies(Arc<Mutex<Names>>);

impl Copies {
    /// Takes in what an event names.
    pub(super) fn look(&self, reader: &Reader<'_>, event: &Event) -> Result<(), Error> {
        for HandedFile { path, called, .. } in of(reader, event)? {
            self.names(|names| names.take(&path, called.as_deref()));
        }
        Ok(())
    }

    /// Takes in what all lines name that are given.
    pub(super) fn look_through(&self, given: &Given<'_>) -> Result<(), Error> {
        let reader = given.catalog.reader();
        if !reader.has_media()? {
            return Ok(());
        }
        for room_id in &given.rooms {
            for day in given.days(room_id.borrowed())? {
                given.goes_on()?;
                outward::each_line_of_day(&reader, room_id, &day, &given.lines(), &mut |line| {
                    self.look(&reader, &line.event)
                })?;
            }
        }
        Ok(())
    }

    /// What leads to them from a document, by the way to where their directory is.
    pub(super) fn from(&self, way: &'static str) -> Arc<dyn Leads> {
        Arc::new(Way { way, copies: self.clone() })
    }

    /// Makes the copies, as they are in the archive; returns how many it has lost.
    pub(super) fn copy(&self, given: &Given<'_>, files: &mut dyn Files) -> Result<u64, Error> {
        let (reader, mut lost) = (given.catalog.reader(), 0);
        for (name, path) in self.names(|names| names.all()) {
            if let Some(mut file) = open(given, &reader, &path, &mut lost)? {
                files.add(&format!("{DIRECTORY}/{name}"), &mut |out| {
                    io::copy(&mut file, out).map(drop).map_err(Error::Transcript)
                })?;
            }
        }
        Ok(lost)
    }

    fn names<T>(&self, work: impl FnOnce(&mut Names) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Debug)]
struct Way {
    way: &'static str,
    copies: Copies,
}

impl Leads for Way {
    fn to(&self, file: FileLink) -> Option<FileLink> {
        let name = self.copies.names(|names| names.of(&file.path).map(names::in_a_link))?;
        Some(FileLink { path: format!("{}{DIRECTORY}/{name}", self.way), ..file })
    }

    /// Who says something may have come before what is given.
    fn to_small(&self, file: FileLink) -> Option<FileLink> {
        self.copies.names(|names| names.take(&file.path, Some("picture")));
        self.to(file)
    }
}
