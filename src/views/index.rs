//! The indexes: `index.md`, `index.html` and `room.json` of each room that has changed, and when all of them are there the links to rooms
//! and the list of rooms, which are homes of their own (`by_name`, `list`). Renders no day.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use super::facts::facts;
use super::list::FirstPage;
use super::workers::Workers;
use super::{AT_ONCE, Put, Rendered, by_name, list, sync};
use crate::archive::reading::{Reader, people, rooms, sections};
use crate::archive::replace::remove;
use crate::archive::{Archive, Error, HtmlPages, RenderedRoom, ViewState, inside};
use crate::document::page::RoomFacts;
use crate::document::{html, markdown};

/// Renders the indexes of the rooms whose days or names have changed, the links to them, and the list of rooms.
pub(super) fn render(
    archive: &mut Archive,
    workers: &mut Workers<'_>,
    whole: &File,
    rendered: &mut Rendered,
    put: &Put<'_>,
) -> Result<(), Error> {
    let (directory, interrupt) = (archive.directory().to_owned(), archive.interrupt().clone());
    let html = archive.catalog().html()?;
    let has_pages = html == HtmlPages::Kept;
    let readers = archive.readers();
    let write_list = |changes: &ViewState<'_>, also: Vec<String>| {
        let mut synced = |files: Vec<String>| sync(&directory, whole, also.iter().cloned().chain(files));
        list::render(&directory, readers, changes, html, put, &mut synced)
    };
    let mut portion = archive.catalog().stale_rooms("", AT_ONCE)?;
    let mut is_listed = portion.is_empty() && !sections::any_is_stale(&archive.catalog().reader())?;
    while let Some(last) = portion.last() {
        let next = archive.catalog().stale_rooms(last, AT_ONCE)?;
        let rooms = workers.each(&portion, 1, &mut |_| true, &|reader, _, room_id| {
            let rendered = room(html, reader, room_id, put)?;
            if html == HtmlPages::NoMore {
                remove(&directory, &format!("rooms/{}/index.html", rendered.0.directory))?;
            }
            Ok(rendered)
        })?;
        // perhaps these are not all
        interrupt.check()?;
        let changes = archive.view_state()?;
        let mut renamed = BTreeSet::new();
        for (room, before) in &rooms {
            if before.as_ref() != Some(&room.by_name) {
                renamed.extend(before.iter().chain([&room.by_name]).cloned());
                changes.unlink(&room.room_id)?;
            }
            changes.room_is_rendered(room)?;
        }
        // where two rooms share a name, both get another link
        renamed.iter().try_for_each(|name| changes.unlink_all(name))?;
        let of_rooms = rooms.iter().flat_map(|(room, _)| {
            let files = ["room.json", "index.md"].into_iter().chain(has_pages.then_some("index.html"));
            files.map(|file| format!("rooms/{}/{file}", room.directory))
        });
        if next.is_empty() {
            // before no room is stale any more, which would say that it need not be made anew
            write_list(&changes, of_rooms.collect())?;
            is_listed = true;
        } else {
            sync(&directory, whole, of_rooms)?;
        }
        changes.commit()?;
        rendered.rooms += portion.len() as u64;
        portion = next;
    }
    if !is_listed {
        let changes = archive.view_state()?;
        write_list(&changes, Vec::new())?;
        changes.commit()?;
    }
    rendered.no_links = !by_name::link(archive)?;
    Ok(())
}

/// Renders the index of a room; also what it was called in `by-name/`.
pub(super) fn room(
    html: HtmlPages,
    reader: &Reader<'_>,
    room_id: &str,
    put: &Put<'_>,
) -> Result<(RenderedRoom, Option<String>), Error> {
    let (directory, version, before) = rooms::kept(reader, room_id)?;
    let about = facts(reader, room_id, version)?;
    write_json(&format!("rooms/{directory}/room.json"), &about, put)?;
    write_index(reader, &directory, &about, put)?;
    if html == HtmlPages::Kept {
        write_calendar(reader, &directory, &about, put)?;
    }
    let by_name = by_name::safe(&about.name).or_else(|| by_name::safe(&directory));
    let room = RenderedRoom {
        room_id: about.id,
        directory,
        name: about.name,
        aliases: serde_json::to_string(&about.aliases).unwrap_or_default(),
        kind: about.kind,
        is_encrypted: about.encryption.is_some(),
        by_name: by_name.unwrap_or_else(|| "room".to_owned()),
    };
    Ok((room, before))
}

fn write_json(path: &str, about: &RoomFacts, put: &Put<'_>) -> Result<(), Error> {
    put(path, &mut |file| {
        let written = serde_json::to_writer_pretty(&mut *file, about).map_err(io::Error::from);
        written.and_then(|()| file.write_all(b"\n")).map_err(Error::Transcript)
    })
}

/// A room's days, by month, the newest first, and which Matrix id each name of its members is.
fn write_index(reader: &Reader<'_>, room: &str, about: &RoomFacts, put: &Put<'_>) -> Result<(), Error> {
    let head = markdown::room_head(about);
    put(&format!("rooms/{room}/index.md"), &mut |file| {
        file.write_all(head.as_bytes()).map_err(Error::Transcript)?;
        let mut before = None;
        rooms::each_day(reader, &about.id, &mut |day| {
            let line = markdown::day_line(&day, before.as_deref());
            before = Some(day.day.to_owned());
            file.write_all(line.as_bytes()).map_err(Error::Transcript)
        })?;
        let mut any = false;
        let more = people::each(reader, &about.id, &mut |person| {
            let head = if any { "" } else { markdown::people_head() };
            any = true;
            let line = markdown::person_line(person);
            file.write_all(head.as_bytes()).and_then(|()| file.write_all(line.as_bytes())).map_err(Error::Transcript)
        })?;
        let end = if more { markdown::people_end() } else { "" };
        file.write_all(end.as_bytes()).map_err(Error::Transcript)
    })
}

/// A room's days as a calendar, the newest month first, and whose name each is.
fn write_calendar(reader: &Reader<'_>, room: &str, about: &RoomFacts, make: &Put<'_>) -> Result<(), Error> {
    let head = html::room_head(about);
    make(&format!("rooms/{room}/index.html"), &mut |file| {
        let put = |file: &mut dyn io::Write, html: &str| file.write_all(html.as_bytes()).map_err(Error::Transcript);
        put(file, &head)?;
        let mut month: Vec<html::CalendarDay> = Vec::new();
        rooms::each_day(reader, &about.id, &mut |day| {
            if month.first().is_some_and(|first| !first.is_with(day.day)) {
                put(file, &html::room_month(&month))?;
                month.clear();
            }
            month.push(html::CalendarDay::of(&day));
            Ok(())
        })?;
        if !month.is_empty() {
            put(file, &html::room_month(&month))?;
        }
        let mut any = false;
        let more = people::each(reader, &about.id, &mut |person| {
            let head = if any { "" } else { html::people_head() };
            any = true;
            put(file, head)?;
            put(file, &html::person_line(person))
        })?;
        if any {
            put(file, &html::people_end(more))?;
        }
        put(file, &html::end())
    })
}

/// Refuses an index of rooms that somebody else has put where the archive's is to be made for the first time: that name is anybody's.
pub(super) fn is_ours(archive: &Path, (name, begins): FirstPage) -> Result<(), Error> {
    let path = archive.join(name);
    let mut begin = Vec::new();
    let read = inside::read(archive, name).and_then(|file| file.take(begins.len() as u64).read_to_end(&mut begin));
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io("read", &path)(error)),
        // a crash of the machine leaves files without what was written to them
        Ok(_) if begin == begins.as_bytes() || begin.iter().all(|byte| *byte == 0) => Ok(()),
        Ok(_) => Err(Error::InTheWay(path)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::event::tests::stored;
    use crate::event::{Event, EventId, RoomId, Stored};

    const PDU: &str = r#"{"type":"m.room.message","content":{"body":"x"},"origin_server_ts":1795348800000}"#;

    #[test]
    fn more_rooms_than_are_rendered_at_once_are_all_in_the_index() {
        let directory = tempfile::tempdir().unwrap();
        let rooms = directory.path().join("rooms");
        for number in 0..=AT_ONCE {
            let (event_id, room_id) = (format!("${number}"), format!("!{number}:x"));
            let stored =
                Stored { event_id: EventId::of(&event_id), room_id: RoomId::of(&room_id), ..stored(Some(PDU)) };
            let room = rooms.join(format!("{number}@x"));
            fs::create_dir_all(&room).unwrap();
            fs::write(room.join("2026-11-22.jsonl"), Event::from_stored(&stored).line + "\n").unwrap();
        }
        let mut archive = Archive::open(directory.path(), None).unwrap();
        let rendered = crate::views::render(&mut archive, &mut |_, _| true).unwrap();
        assert_eq!(rendered.rooms, AT_ONCE as u64 + 1);
        let sections = fs::read_dir(directory.path().join("index")).unwrap();
        let list: String = sections.map(|section| fs::read_to_string(section.unwrap().path()).unwrap()).collect();
        for number in 0..=AT_ONCE {
            assert!(list.contains(&format!("](../rooms/{number}@x/index.md)")), "{number}");
            assert!(rooms.join(format!("{number}@x/index.md")).exists(), "{number}");
        }
        assert_eq!(crate::views::render(&mut archive, &mut |_, _| true).unwrap(), Rendered::default());
    }
}
