//! Transcripts that are gone though the catalog has them rendered: somebody has deleted them. Looks and notes, and makes none.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

use super::{by_name, list};
use crate::archive::reading::Reader;
use crate::archive::reading::rooms::{self, RenderedDay};
use crate::archive::sections::files;
use crate::archive::{Archive, Catalog, Error, HtmlPages, durable, inside};

/// How many room-days are looked at before the catalog learns of it.
const AT_ONCE: usize = 5_000;

/// What a look for transcripts found.
#[derive(Debug, Default)]
pub struct Missing {
    /// How many room-days were looked at.
    pub looked_at: usize,
    /// The file of lines of each whose transcript is gone, below the archive.
    pub days: Vec<String>,
    /// Directories of rooms whose index, `room.json` or link is gone.
    pub rooms: BTreeSet<String>,
    /// A file of the list of rooms that is gone, below the archive: `index.md`, or another one.
    pub list: Option<String>,
    /// The number of the last file of lines that was looked at.
    last: Option<i64>,
}

impl Missing {
    /// Whether nothing is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.days.is_empty() && self.rooms.is_empty() && self.list.is_none()
    }
}

/// Looks for the transcripts of some room-days that are rendered, `most` at most, others each time.
pub fn missing(catalog: &Catalog, archive: &Path, most: usize) -> Result<Missing, Error> {
    let reader = catalog.reader();
    let start = rooms::anywhere(&reader)?;
    let mut missing = missing_between(&reader, archive, start, i64::MAX, most)?;
    let before = missing_between(&reader, archive, 0, start, most - missing.looked_at)?;
    missing.looked_at += before.looked_at;
    missing.days.extend(before.days);
    missing.rooms.extend(before.rooms);
    missing.list = missing_list(&reader, archive)?;
    Ok(missing)
}

/// Looks for the transcripts of room-days whose files of lines have numbers from `start` on and before `end`, in their order.
fn missing_between(reader: &Reader<'_>, archive: &Path, start: i64, end: i64, most: usize) -> Result<Missing, Error> {
    let has_pages = rooms::has_pages(reader)?;
    let links = inside::directory(archive, by_name::DIRECTORY).ok();
    let mut missing = Missing::default();
    let (mut room, mut there) = (String::new(), BTreeSet::new());
    rooms::rendered_days(reader, start, end, most, &mut |RenderedDay { number, room: directory, day }| {
        if directory != room {
            directory.clone_into(&mut room);
            there = durable::names(archive, &format!("rooms/{room}"))?;
            let link = rooms::link_to(reader, &room)?;
            let is_linked = |link: &String| {
                links.as_ref().is_some_and(|links| by_name::room_of(links, link).as_ref() == Some(&room))
            };
            let has_all = there.contains("index.md") && there.contains("room.json");
            let lacks_calendar = has_pages && !there.contains("index.html");
            if !has_all || lacks_calendar || !link.iter().all(is_linked) {
                missing.rooms.insert(room.clone());
            }
        }
        if !there.contains(&format!("{day}.md")) || has_pages && !there.contains(&format!("{day}.html")) {
            missing.days.push(format!("rooms/{room}/{day}.jsonl"));
        }
        missing.looked_at += 1;
        missing.last = missing.last.max(Some(number));
        Ok(())
    })?;
    Ok(missing)
}

/// What is gone of the list of rooms, by a file of it: once a room is rendered, there is one.
fn missing_list(reader: &Reader<'_>, archive: &Path) -> Result<Option<String>, Error> {
    let html = if rooms::has_pages(reader)? { HtmlPages::Kept } else { HtmlPages::Never };
    let mut missing = None;
    for (name, _) in [Some(list::TRANSCRIPT), (html == HtmlPages::Kept).then_some(list::PAGE)].into_iter().flatten() {
        let length = inside::length(archive, name).map_err(Error::io("look at", &archive.join(name)))?;
        missing = missing.or(length.is_none().then(|| name.to_owned()));
    }
    let files = files(archive)?;
    list::each_file(reader, html, &mut |path| {
        if missing.is_none() && !path.rsplit_once('/').is_some_and(|(_, name)| files.contains(name)) {
            missing = Some(path);
        }
        Ok(())
    })?;
    Ok(if missing.is_some() && rooms::any_is_rendered(reader)? { missing } else { None })
}

/// Says that transcripts which somebody has deleted have to be rendered anew, once `most` room-days at most were looked at,
/// others each time; without, all.
pub fn mark_missing(archive: &mut Archive, most: Option<usize>) -> Result<(), Error> {
    if !archive.is_indexed() {
        return Ok(());
    }
    let directory = archive.directory().to_owned();
    if let Some(most) = most {
        let missing = missing(archive.catalog(), &directory, most)?;
        return mark_gone(archive, &missing);
    }
    let mut next = 0;
    loop {
        let missing = missing_between(&archive.catalog().reader(), &directory, next, i64::MAX, AT_ONCE)?;
        mark_gone(archive, &missing)?;
        match missing.last {
            Some(number) => next = number + 1,
            None => break,
        }
    }
    let list = missing_list(&archive.catalog().reader(), &directory)?;
    mark_gone(archive, &Missing { list, ..Missing::default() })
}

fn mark_gone(archive: &mut Archive, missing: &Missing) -> Result<(), Error> {
    if missing.is_empty() {
        return Ok(());
    }
    let changes = archive.view_state()?;
    missing.days.iter().try_for_each(|path| changes.day_is_gone(path))?;
    missing.rooms.iter().try_for_each(|room| changes.room_is_gone(room))?;
    if missing.list.is_some() {
        changes.list_is_gone()?;
    }
    changes.commit()
}

/// Whether there are transcripts: the catalog says so, or, where it was made anew since and knows of none, the directory does.
pub(crate) fn has_transcripts(catalog: &Catalog, directory: &Path) -> Result<bool, Error> {
    if catalog.has_transcripts()? || directory.join("index.md").exists() {
        return Ok(true);
    }
    let entries = |directory: &Path| match fs::read_dir(directory) {
        Ok(entries) => Ok(Some(entries)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(Error::io("look into", directory)(error)),
    };
    // rendering that was cut off has written no index yet
    let rooms = directory.join("rooms");
    for room in entries(&rooms)?.into_iter().flatten() {
        let room = room.map_err(Error::io("look into", &rooms))?.path();
        for file in entries(&room)?.into_iter().flatten() {
            let file = file.map_err(Error::io("look into", &room))?.path();
            if file.extension().is_some_and(|extension| extension == "md" || extension == "html") {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
