//! Transcripts, pages, indexes and links that are rendered, against what they would be now: each is made once more and compared with its file.
//! Changes none. What is stale is not looked at, it is to be rendered anyway.

use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::day::Memory;
use super::workers::Workers;
use super::{AT_ONCE, NEIGHBOURS, Put, RENDERING, ShowOptions, by_name, index, list, render_day};
use crate::archive::reading::{Reader, rooms, sections};
use crate::archive::replace::says;
use crate::archive::{Borrowed, Catalog, Error, HtmlPages, Interrupt};

/// How long is waited before something that differs is looked at again: it may just be rendered.
const WAITS: [Duration; 3] = [Duration::ZERO, Duration::from_millis(100), Duration::from_secs(1)];
/// How many are looked at again.
const AGAIN: usize = 100;

/// What a comparison found.
#[derive(Debug, Default)]
pub(crate) struct Differing {
    /// How many room-days were compared.
    pub(crate) days: u64,
    /// The files that differ, below the archive; one that is gone does too.
    pub(crate) files: Vec<String>,
}

/// Compares all that is rendered. `told` hears how many room-days are done, and of how many.
pub(crate) fn compare(
    catalog: &mut Catalog,
    archive: &Path,
    interrupt: &Interrupt,
    told: &mut dyn FnMut(u64, u64),
) -> Result<Differing, Error> {
    let (html, options) = (catalog.html()?, ShowOptions::of_archive(catalog)?);
    let all = catalog.count_files()?;
    let (mut found, mut behind) = (Differing::default(), 0);
    let mut workers = Workers::new(archive, interrupt.clone());
    loop {
        let (days, last) = catalog.fresh_days(RENDERING, behind, AT_ONCE)?;
        let Some(last) = last else { break };
        behind = last;
        let done = found.days;
        let mut tell = |some: usize| {
            told(done + some as u64, all);
            true
        };
        let made = workers.each(&days, NEIGHBOURS, &mut tell, &|reader, memory, day| {
            let files =
                differing(archive, &mut |put| render_day(archive, reader, day, &options, memory, put).map(drop))?;
            memory.remembered.borrowed = Borrowed::default();
            Ok((day, files))
        })?;
        interrupt.check()?;
        for (day, files) in made.into_iter().filter(|(_, files)| !files.is_empty()) {
            let is_stale = |catalog: &Catalog| catalog.is_stale(day);
            let look = |reader: &Reader<'_>| {
                let mut memory = Memory::default();
                differing(archive, &mut |put| render_day(archive, reader, day, &options, &mut memory, put).map(drop))
            };
            let files = if found.files.len() < AGAIN { again(catalog, &is_stale, &look)? } else { files };
            found.files.extend(files);
        }
        found.days += days.len() as u64;
    }
    indexes(catalog, archive, html, &mut workers, &mut found.files)?;
    interrupt.check()?;
    Ok(found)
}

/// Which files differ that are made in some way.
fn differing(archive: &Path, make: &mut dyn FnMut(&Put<'_>) -> Result<(), Error>) -> Result<Vec<String>, Error> {
    let differing = Mutex::new(Vec::new());
    make(&|path: &str, write: &mut dyn FnMut(&mut (dyn Write + Send)) -> Result<(), Error>| {
        if !says(archive, path, write)? {
            differing.lock().unwrap_or_else(PoisonError::into_inner).push(path.to_owned());
        }
        Ok(())
    })?;
    Ok(differing.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Looks again at what differs: it may have been rendered since it was looked at, or be stale by now.
fn again(
    catalog: &mut Catalog,
    is_stale: &dyn Fn(&Catalog) -> Result<bool, Error>,
    look: &dyn Fn(&Reader<'_>) -> Result<Vec<String>, Error>,
) -> Result<Vec<String>, Error> {
    let mut files = Vec::new();
    for wait in WAITS {
        std::thread::sleep(wait);
        if is_stale(catalog)? {
            return Ok(Vec::new());
        }
        files = catalog.read(look)?;
        if files.is_empty() {
            break;
        }
    }
    Ok(files)
}

/// Which indexes of rooms differ, and which files of the list of rooms.
fn indexes(
    catalog: &mut Catalog,
    archive: &Path,
    html: HtmlPages,
    workers: &mut Workers<'_>,
    files: &mut Vec<String>,
) -> Result<(), Error> {
    let look = |reader: &Reader<'_>, room_id: &str| {
        let mut room = String::new();
        let mut files = differing(archive, &mut |put| {
            room = index::room(html, reader, room_id, put)?.0.directory;
            Ok(())
        })?;
        // by which people go to it
        let link = rooms::link_to(reader, &room)?.filter(|link| !by_name::leads_to(archive, link, &room));
        files.extend(link.map(|link| format!("{}/{link}", by_name::DIRECTORY)));
        Ok(files)
    };
    let mut behind = String::new();
    loop {
        let rooms = catalog.fresh_rooms(&behind, AT_ONCE)?;
        let Some(last) = rooms.last() else { break };
        behind.clone_from(last);
        let found =
            workers.each(&rooms, 1, &mut |_| true, &|reader, _, room_id| Ok((room_id, look(reader, room_id)?)))?;
        for (room_id, found) in found.into_iter().filter(|(_, files)| !files.is_empty()) {
            let is_stale = |catalog: &Catalog| catalog.is_room_stale(room_id);
            let mut again = || again(catalog, &is_stale, &|reader| look(reader, room_id));
            files.extend(if files.len() < AGAIN { again()? } else { found });
        }
    }
    let is_stale = |catalog: &Catalog| {
        let is_rendered = catalog.has_transcripts()? && catalog.stale_transcripts()? == 0;
        let is_stale = sections::any_is_stale(&catalog.reader())? || !catalog.stale_rooms("", 1)?.is_empty();
        Ok(!is_rendered || is_stale)
    };
    files.extend(again(catalog, &is_stale, &|reader| {
        let mut more = Vec::new();
        let mut files = differing(archive, &mut |put| {
            more = list::all(archive, reader, html, put)?;
            Ok(())
        })?;
        files.append(&mut more);
        Ok(files)
    })?);
    Ok(())
}
