//! The list of rooms, `index.md`, and `index.html` where pages in HTML are kept: all rooms by name, on one page as long as they are few;
//! beyond that a page that leads to sections of them, of which only those are written that have changed.
//!
//! What a section is, and which of them are stale, the archive keeps (`archive::sections`); the indexes of rooms are `views::index`.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::Put;
use crate::archive::reading::{Reader, rooms, sections};
use crate::archive::replace::remove;
use crate::archive::sections::{DIRECTORY, ListPlace, Section, begins, files};
use crate::archive::{Error, HtmlPages, Readers, ViewState, inside, layout};
use crate::document::page::RoomLine;
use crate::document::{html, markdown};

/// The list in a form: its file, and how it begins, by which it is told where nothing else tells.
pub(super) type FirstPage = (&'static str, &'static str);
pub(super) const TRANSCRIPT: FirstPage = ("index.md", markdown::INDEX_BEGIN);
pub(super) const PAGE: FirstPage = ("index.html", html::INDEX_BEGIN);

/// How many rooms are on one page at the most, and how many of a section. Tests have fewer rooms.
const MOST: u32 = if cfg!(test) { 6 } else { 1_000 };

/// Writes what of the list is not as the rooms are by now, and takes away what of it is no more, in a transaction that tells the catalog of
/// it. `sync` returns when files below the archive are on the disk.
pub(super) fn render(
    archive: &Path,
    readers: Readers,
    changes: &ViewState<'_>,
    html: HtmlPages,
    put: &Put<'_>,
    sync: &mut dyn FnMut(Vec<String>) -> Result<(), Error>,
) -> Result<(), Error> {
    let reader = &changes.reader();
    let are_kept = sections::are_kept(reader)?;
    let mut written = vec![TRANSCRIPT.0.to_owned()];
    written.extend((html == HtmlPages::Kept).then(|| PAGE.0.to_owned()));
    if sections::are_more(reader, MOST)? {
        if !are_kept {
            changes.keep_sections()?;
        }
        inside::make_directory(archive, DIRECTORY, readers)
            .map_err(Error::io("make the directory", &archive.join(DIRECTORY)))?;
        while let Some((from, until)) = changes.take_stale_sections()? {
            write_sections(reader, &from, until.as_ref(), html, put, &mut |section| {
                written.extend(files_of(section, html));
                changes.add_section(section)
            })?;
        }
    } else if are_kept {
        changes.forget_sections()?;
    }
    write_whole(reader, html, put)?;
    sync(written)?;
    if html == HtmlPages::NoMore {
        remove(archive, PAGE.0)?;
    }
    // after what led to them
    others(archive, reader, html)?.iter().try_for_each(|path| remove(archive, path))
}

/// Makes all of the list, as it is to be while the catalog is as it is; also the files of which it has no more.
pub(super) fn all(archive: &Path, reader: &Reader<'_>, html: HtmlPages, put: &Put<'_>) -> Result<Vec<String>, Error> {
    if sections::are_kept(reader)? {
        write_sections(reader, &ListPlace::default(), None, html, put, &mut |_| Ok(()))?;
    }
    write_whole(reader, html, put)?;
    others(archive, reader, html)
}

/// The files of the list below the archive, but for the first page.
pub(super) fn each_file(
    reader: &Reader<'_>,
    html: HtmlPages,
    take: &mut dyn FnMut(String) -> Result<(), Error>,
) -> Result<(), Error> {
    if sections::are_kept(reader)? {
        sections::each(reader, &mut |section, _| files_of(section, html).try_for_each(&mut *take))?;
    }
    Ok(())
}

/// Files below the archive that are called as a section's, and are none.
fn others(archive: &Path, reader: &Reader<'_>, html: HtmlPages) -> Result<Vec<String>, Error> {
    let mut others: BTreeSet<String> = files(archive)?.iter().map(|name| format!("{DIRECTORY}/{name}")).collect();
    if !others.is_empty() {
        each_file(reader, html, &mut |path| {
            others.remove(&path);
            Ok(())
        })?;
    }
    Ok(others.into_iter().collect())
}

fn files_of(section: &Section, html: HtmlPages) -> impl Iterator<Item = String> {
    let endings = [Some("md"), (html == HtmlPages::Kept).then_some("html")];
    (1..=section.parts).flat_map(move |part| {
        endings.into_iter().flatten().map(move |ending| format!("{}.{ending}", section.stem(part))).collect::<Vec<_>>()
    })
}

/// Writes the first page: all rooms, or where each section is.
fn write_whole(reader: &Reader<'_>, html: HtmlPages, put: &Put<'_>) -> Result<(), Error> {
    let are_kept = sections::are_kept(reader)?;
    put(TRANSCRIPT.0, &mut |file| {
        let mut put = |text: &str| file.write_all(text.as_bytes()).map_err(Error::Transcript);
        if are_kept {
            put(&markdown::sections_head())?;
            each_section(reader, &mut |name, stem, rooms| put(&markdown::section_line(name, stem, rooms)))
        } else {
            put(&markdown::index_head())?;
            rooms::each_room(reader, &mut |room| {
                put(&markdown::index_line(&room, &layout::room_directory(&room.room_id), ""))
            })
        }
    })?;
    if html != HtmlPages::Kept {
        return Ok(());
    }
    put(PAGE.0, &mut |file| {
        let mut put = |text: &str| file.write_all(text.as_bytes()).map_err(Error::Transcript);
        if are_kept {
            put(&html::sections_head())?;
            each_section(reader, &mut |name, stem, rooms| put(&html::section_line(name, stem, rooms)))?;
        } else {
            put(&html::rooms_head())?;
            rooms::each_room(reader, &mut |room| {
                put(&html::rooms_line(&room, &layout::room_directory(&room.room_id), ""))
            })?;
        }
        put(&html::rooms_end(None))
    })
}

/// The sections that have rooms: what the first one is called, the first file without its ending, and how many they are.
fn each_section(reader: &Reader<'_>, take: &mut dyn FnMut(&str, &str, u64) -> Result<(), Error>) -> Result<(), Error> {
    sections::each(reader, &mut |section, name| {
        if section.rooms > 0 { take(name, &section.stem(1), section.rooms) } else { Ok(()) }
    })
}

/// Writes the sections that the rooms between two places make, the first of which begins at the first place. `take` hears of each.
fn write_sections(
    reader: &Reader<'_>,
    from: &ListPlace,
    until: Option<&ListPlace>,
    html: HtmlPages,
    put: &Put<'_>,
    take: &mut dyn FnMut(&Section) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut part = SectionPart::new(from.clone(), html, put);
    sections::each_room(reader, from, until, &mut |place, room| {
        if place.room_id != part.section.from.room_id && begins(&place.room_id) {
            part.end(false)?;
            take(&part.section)?;
            part = SectionPart::new(place, html, put);
        } else if part.rooms == MOST {
            part.end(true)?;
        }
        part.add(&room);
        Ok(())
    })?;
    part.end(false)?;
    take(&part.section)
}

/// A part of a section, in memory until it is as long as one may be.
struct SectionPart<'p> {
    section: Section,
    /// What the section's first room is called.
    name: String,
    rooms: u32,
    transcript: String,
    /// None: no pages are kept.
    page: Option<String>,
    put: &'p Put<'p>,
}

impl<'p> SectionPart<'p> {
    fn new(from: ListPlace, html: HtmlPages, put: &'p Put<'p>) -> SectionPart<'p> {
        let section = Section { from, rooms: 0, parts: 0 };
        let page = (html == HtmlPages::Kept).then(String::new);
        SectionPart { section, name: String::new(), rooms: 0, transcript: String::new(), page, put }
    }

    fn add(&mut self, room: &RoomLine) {
        if self.section.rooms == 0 {
            self.name.clone_from(&room.name);
        }
        if self.rooms == 0 {
            self.section.parts += 1;
            self.transcript = markdown::section_head(&self.name, self.section.parts);
            self.page = self.page.take().map(|_| html::section_head(&self.name, self.section.parts));
        }
        self.section.rooms += 1;
        self.rooms += 1;
        let directory = layout::room_directory(&room.room_id);
        self.transcript.push_str(&markdown::index_line(room, &directory, "../"));
        if let Some(page) = &mut self.page {
            page.push_str(&html::rooms_line(room, &directory, "../"));
        }
    }

    /// Writes it; whether another one `follows`. One without rooms is none.
    fn end(&mut self, follows: bool) -> Result<(), Error> {
        if self.rooms == 0 {
            return Ok(());
        }
        let stem = self.section.stem(self.section.parts);
        let next = follows.then(|| self.section.stem(self.section.parts + 1));
        let next = next.as_deref().map(|stem| stem.rsplit_once('/').map_or(stem, |(_, name)| name));
        self.transcript.push_str(&next.map(markdown::section_end).unwrap_or_default());
        write(self.put, &format!("{stem}.md"), &self.transcript)?;
        if let Some(page) = &mut self.page {
            page.push_str(&html::rooms_end(next));
            write(self.put, &format!("{stem}.html"), page)?;
        }
        self.rooms = 0;
        Ok(())
    }
}

fn write(put: &Put<'_>, path: &str, text: &str) -> Result<(), Error> {
    put(path, &mut |file: &mut (dyn io::Write + Send)| file.write_all(text.as_bytes()).map_err(Error::Transcript))
}

#[cfg(test)]
mod tests;
