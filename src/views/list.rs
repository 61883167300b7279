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
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::archive::{Archive, Batch, Catalog, Interrupt, Request, Selection, What};
    use crate::event::tests::stored;
    use crate::event::{Event, EventId, OwnedRoomId, RoomId, Stored};
    use crate::views;

    /// More than are on one page, also when some of them are gone.
    const ROOMS: u64 = 40;

    struct Rooms {
        directory: TempDir,
        archive: Archive,
        events: u64,
    }

    impl Rooms {
        fn new() -> Rooms {
            let directory = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap();
            let mut archive = Archive::open(directory.path(), None).unwrap();
            let run = archive.begin_run(&Selection::default(), &[]).unwrap();
            archive.commit(run, [Batch::default()]).unwrap();
            archive.index().unwrap();
            archive.end_first_export().unwrap();
            views::keep_html(&mut archive, true).unwrap();
            Rooms { directory, archive, events: 0 }
        }

        /// Something is said in a room, or it is called otherwise.
        fn add(&mut self, room: u64, name: Option<&str>) {
            self.events += 1;
            let (event_id, room_id) = (format!("${}", self.events), format!("!{room}:x"));
            let at = 1_795_348_800_000 + self.events;
            let (kind, of_state, content) = match name {
                Some(name) => ("m.room.name", r#""state_key":"","#, serde_json::json!({ "name": name })),
                None => ("m.room.message", "", serde_json::json!({ "body": "x", "msgtype": "m.text" })),
            };
            let pdu = format!(r#"{{"type":"{kind}",{of_state}"content":{content},"origin_server_ts":{at}}}"#);
            let order = i64::try_from(self.events).unwrap();
            let event = Event::from_stored(&Stored {
                event_id: EventId::of(&event_id),
                room_id: RoomId::of(&room_id),
                kind,
                state_key: name.map(|_| ""),
                stream_ordering: order,
                topological_ordering: order,
                origin_server_ts: Some(1_795_348_800_000 + order),
                ..stored(Some(&pdu))
            });
            let run = self.archive.begin_run(&Selection::default(), &[]).unwrap();
            let mut batch = Batch::default();
            batch.push(Box::new(event), false);
            self.archive.commit(run, [batch]).unwrap();
        }

        fn erase(&mut self, room: u64) {
            let what = What::Room(OwnedRoomId::of(format!("!{room}:x")));
            let request = Request { what, whole: true, lasts: false, reason: None };
            self.archive.select_to_erase(&request, 0, false).unwrap();
            self.archive.erase_selected(&mut |_, _| true).unwrap();
            self.render();
            views::forget_rooms(&mut self.archive).unwrap();
            self.archive.leave_no_trace().unwrap();
        }

        fn render(&mut self) {
            views::render(&mut self.archive, &mut |_, _| true).unwrap();
        }

        /// The files of the list; none is there that should not be, and each says what it is to say.
        fn list(&self) -> BTreeMap<String, String> {
            let mut catalog = Catalog::open_to_read(self.directory.path()).unwrap();
            let interrupt = Interrupt::default();
            let differing = views::compare(&mut catalog, self.directory.path(), &interrupt, &mut |_, _| ()).unwrap();
            assert_eq!(differing.files, Vec::<String>::new());
            let missing = views::missing(&catalog, self.directory.path(), 10_000).unwrap();
            assert!(missing.is_empty(), "{missing:?}");
            list(self.directory.path())
        }
    }

    fn list(archive: &Path) -> BTreeMap<String, String> {
        let sections = files(archive).unwrap();
        let sections = sections.iter().map(|name| format!("{DIRECTORY}/{name}"));
        let all = [TRANSCRIPT.0, PAGE.0].map(str::to_owned).into_iter().chain(sections);
        let read = |path: String| {
            let text = fs::read_to_string(archive.join(&path)).unwrap();
            (path, text)
        };
        all.map(read).collect()
    }

    /// Which files have changed, come or gone.
    fn changed<'a>(before: &'a BTreeMap<String, String>, now: &'a BTreeMap<String, String>) -> BTreeSet<&'a str> {
        let differs = |path: &&String| before.get(*path) != now.get(*path);
        before.keys().chain(now.keys()).filter(differs).map(String::as_str).collect()
    }

    #[test]
    fn the_list_does_not_tell_how_the_rooms_came() {
        let mut rooms = Rooms::new();
        let mut random = 1_u64;
        let mut next = |most: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % most
        };
        for room in 0..ROOMS {
            rooms.add(room, Some(&format!("Room {}", room / 2)));
            if next(8) == 0 {
                rooms.render();
                rooms.list();
            }
        }
        for _ in 0..40 {
            let room = next(ROOMS);
            match next(6) {
                0 => rooms.erase(room),
                1 => rooms.add(room, None),
                // in another case, of another place, of several rooms
                2 => rooms.add(room, Some(&format!("room {}", next(ROOMS) / 2))),
                3 => rooms.add(room, Some("Alike")),
                _ => rooms.add(room, Some(&format!("Name {}", next(1000)))),
            }
            if next(3) > 0 {
                rooms.render();
                rooms.list();
            }
        }
        rooms.render();
        let Rooms { directory, archive, .. } = rooms;
        drop(archive);
        let piecemeal = list(directory.path());
        for name in fs::read_dir(directory.path()).unwrap() {
            let path = name.unwrap().path();
            if path.ends_with(DIRECTORY) {
                fs::remove_dir_all(path).unwrap();
            } else if !path.ends_with("rooms") && !path.ends_with("by-name") {
                fs::remove_file(path).unwrap();
            }
        }
        let mut archive = Archive::open(directory.path(), None).unwrap();
        views::keep_html(&mut archive, true).unwrap();
        views::render(&mut archive, &mut |_, _| true).unwrap();
        assert_eq!(piecemeal, list(directory.path()));
        assert!(piecemeal.len() > 10, "{}", piecemeal.len());
    }

    #[test]
    fn what_changes_in_a_room_changes_its_section() {
        let mut rooms = Rooms::new();
        for room in 0..ROOMS {
            rooms.add(room, Some(&format!("Room {room:02}")));
        }
        rooms.render();
        let before = rooms.list();
        assert!(before.len() > 10 && before["index.md"].contains("| rooms from | rooms |"), "{}", before["index.md"]);
        rooms.add(17, None);
        rooms.render();
        let said = rooms.list();
        let of_room = changed(&before, &said);
        assert!(of_room.len() == 2 && of_room.iter().all(|path| path.starts_with("index/")), "{of_room:?}");
        // a namesake's line changes too, in another section
        let stem = of_room.first().unwrap().split_once('.').unwrap().0.to_owned();
        rooms.add(3, Some("Room 17"));
        rooms.render();
        let renamed = rooms.list();
        assert!(changed(&said, &renamed).iter().any(|path| path.starts_with(&stem)));
        assert!(renamed.iter().any(|(path, text)| path.starts_with(&stem) && text.contains("`!17:x`")));
        // what is gone is made again, and what is none of it goes
        let gone = rooms.directory.path().join(of_room.first().unwrap());
        fs::remove_file(&gone).unwrap();
        views::mark_missing(&mut rooms.archive, Some(1)).unwrap();
        let other = rooms.directory.path().join(DIRECTORY).join(format!("{}.md", "0".repeat(32)));
        fs::write(&other, "of a run before").unwrap();
        rooms.render();
        assert_eq!(rooms.list(), renamed);
        assert!(!other.exists());
    }

    #[test]
    fn few_rooms_are_on_one_page_again() {
        let mut rooms = Rooms::new();
        for room in 0..u64::from(MOST) {
            rooms.add(room, Some(&format!("Room {room}")));
        }
        rooms.render();
        let few = rooms.list();
        assert!(few.len() == 2 && few["index.md"].contains("[Room 5](rooms/5@x/index.md)"), "{few:?}");
        for room in 10..30 {
            rooms.add(room, Some("Others"));
        }
        rooms.render();
        let many = rooms.list();
        assert!(!many["index.md"].contains("Room 5") && many.len() > 4, "{many:?}");
        assert!(many.values().any(|text| text.contains("[Room 5](../rooms/5@x/index.md)")));
        for room in 10..30 {
            rooms.erase(room);
        }
        assert_eq!(rooms.list(), few);
        for room in 0..u64::from(MOST) {
            rooms.erase(room);
        }
        assert!(!rooms.directory.path().join("index.md").exists());
    }
}
