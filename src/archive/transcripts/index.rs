//! The indexes: `index.md` of the archive, `index.md` and `room.json` of each room.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use chrono::Datelike as _;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::writing::Writing;
use super::super::{Archive, Error, inside, layout};
use super::phrases::topic;
use super::replace::replace;
use super::title::{Title, state};
use super::workers::Workers;
use super::{AT_ONCE, Rendered, by_name, sync, time};
use crate::document::markdown::{code_cell, excerpt, inline};
use crate::event::Object;

/// How the archive's index begins, by which it is told where the catalog knows of none.
const HEAD: &str = "# Rooms\n\n| room | ";

/// What a room is now; as `room.json` tells it.
#[derive(serde::Serialize)]
struct About {
    id: String,
    name: String,
    aliases: Vec<String>,
    topic: Option<String>,
    version: Option<String>,
    /// `m.space`; null: an ordinary room.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// The algorithm; null: not encrypted.
    encryption: Option<String>,
    creator: Option<String>,
}

impl About {
    fn of(connection: &Connection, room_id: &str, version: Option<String>) -> Result<About, Error> {
        let newest = |kind: &str| state(connection, room_id, kind);
        let text = |content: &Option<String>, key: &str| {
            let text = Object::of(content.as_deref()?).text(key)?;
            Some(text.into_owned()).filter(|text| !text.trim().is_empty())
        };
        let (create, encryption) = (newest("m.room.create")?, newest("m.room.encryption")?);
        let Title { name, aliases } = Title::of(connection, room_id)?;
        let sql = "select sender from room_state where room_id = ?1 and type = 'm.room.create'
                    order by topological_ordering limit 1";
        let creator: Option<Option<String>> =
            connection.prepare_cached(sql)?.query_row([room_id], |row| row.get(0)).optional()?;
        Ok(About {
            id: room_id.to_owned(),
            name,
            aliases,
            topic: newest("m.room.topic")?.as_deref().map(Object::of).as_ref().and_then(topic),
            version: version.or_else(|| text(&create, "room_version")),
            kind: text(&create, "type"),
            encryption: text(&encryption, "algorithm"),
            creator: creator.flatten(),
        })
    }
}

/// Renders the indexes of the rooms whose days or names have changed, the links to them, and the archive's index.
pub(super) fn render(
    archive: &mut Archive,
    workers: &mut Workers<'_>,
    whole: &File,
    rendered: &mut Rendered,
) -> Result<(), Error> {
    let Archive { directory, catalog, interrupt, .. } = archive;
    let stale: Vec<String> = {
        let mut statement = catalog.connection.prepare("select room_id from room where dirty")?;
        statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?
    };
    let mut portions = stale.chunks(AT_ONCE).peekable();
    while let Some(portion) = portions.next() {
        let rooms =
            workers.each(portion, 1, &mut |_| true, &|catalog, _, room_id| room(directory, catalog, room_id))?;
        // perhaps these are not all
        interrupt.check()?;
        let writing = catalog.write()?;
        let mut renamed = BTreeSet::new();
        for room in &rooms {
            update(&writing, room, &mut renamed)?;
        }
        // where two rooms share a name, both get another link
        for name in renamed {
            let sql = "update room set link = null where by_name = ?1 collate nocase and link is not null";
            writing.0.prepare_cached(sql)?.execute([name])?;
        }
        let of_rooms = rooms.iter().flat_map(|Room { directory, .. }| {
            ["room.json", "index.md"].map(|file| format!("rooms/{directory}/{file}"))
        });
        let is_last = portions.peek().is_none();
        if is_last {
            // before no room is stale any more, which would say that it need not be made anew
            write_rooms(directory, &writing.0)?;
        }
        sync(directory, whole, of_rooms.chain(is_last.then(|| "index.md".to_owned())))?;
        writing.commit()?;
    }
    rendered.rooms += stale.len() as u64;
    rendered.no_links = !by_name::link(directory, catalog)?;
    Ok(())
}

/// A room whose index was rendered.
struct Room {
    id: String,
    directory: String,
    name: String,
    /// A JSON array.
    aliases: String,
    kind: Option<String>,
    is_encrypted: bool,
    /// What it was called in `by-name/`.
    by_name: Option<String>,
}

/// Renders the index of a room.
fn room(archive: &Path, connection: &Connection, room_id: &str) -> Result<Room, Error> {
    let sql = "select directory, version, by_name from room where room_id = ?1";
    let (directory, version, by_name): (String, Option<String>, Option<String>) =
        connection.prepare_cached(sql)?.query_row([room_id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let directory = layout::checked_directory(room_id, &directory)?;
    let about = About::of(connection, room_id, version)?;
    write_json(archive, &format!("rooms/{directory}/room.json"), &about)?;
    write_index(archive, connection, &directory, &about)?;
    let About { id, name, aliases, kind, encryption, .. } = about;
    let aliases = serde_json::to_string(&aliases).unwrap_or_default();
    Ok(Room { id, directory, name, aliases, kind, is_encrypted: encryption.is_some(), by_name })
}

/// Tells the catalog what a room is called. `renamed` gathers the names in `by-name/` that it had and has, if these differ.
fn update(writing: &Writing<'_>, room: &Room, renamed: &mut BTreeSet<String>) -> Result<(), Error> {
    let by_name = by_name::safe(&room.name)
        .unwrap_or_else(|| by_name::safe(&room.directory).unwrap_or_else(|| "room".to_owned()));
    if room.by_name.as_ref() != Some(&by_name) {
        renamed.extend(room.by_name.iter().chain([&by_name]).cloned());
        writing.0.prepare_cached("update room set link = null where room_id = ?1")?.execute([&room.id])?;
    }
    let sql = "update room set name = ?2, aliases = ?3, type = ?4, encrypted = ?5, by_name = ?6, dirty = 0, messages =
               (select coalesce(sum(messages), 0) from file where path > ?7 and path < ?7 || '~') where room_id = ?1";
    writing.0.prepare_cached(sql)?.execute(params![
        room.id,
        room.name,
        room.aliases,
        room.kind,
        room.is_encrypted,
        by_name,
        format!("rooms/{}/", room.directory),
    ])?;
    Ok(())
}

fn write_json(archive: &Path, path: &str, about: &About) -> Result<(), Error> {
    replace(archive, path, &mut |file| {
        serde_json::to_writer_pretty(&mut *file, about)?;
        file.write_all(b"\n")
    })
}

/// A room's days, by month, the newest first.
fn write_index(archive: &Path, connection: &Connection, room: &str, about: &About) -> Result<(), Error> {
    let mut head = format!("# {}\n\n[all rooms](../../index.md)\n\n", inline(&about.name));
    if let Some(topic) = &about.topic {
        let _ = write!(head, "{}\n\n", excerpt(topic, 1_000));
    }
    let _ = write!(head, "| | |\n|---|---|\n| room | {} |\n", code_cell(&about.id));
    let aliases: Vec<String> = about.aliases.iter().map(|alias| inline(alias)).collect();
    let version = about.version.as_deref().map(|version| excerpt(version, 32));
    let kind = about.kind.as_deref().map(|kind| if kind == "m.space" { "space".to_owned() } else { excerpt(kind, 40) });
    let creator = about.creator.as_deref().map(inline);
    let encryption = about.encryption.as_deref().map(|algorithm| excerpt(algorithm, 40));
    let aliases = (!aliases.is_empty()).then(|| aliases.join(", "));
    for (name, value) in
        [("addresses", aliases), ("version", version), ("type", kind), ("encryption", encryption), ("creator", creator)]
    {
        if let Some(value) = value {
            let _ = writeln!(head, "| {name} | {value} |");
        }
    }
    let sql = "select path, events, messages from file where path > ?1 and path < ?1 || '~'
                order by path like '%/undated.jsonl', path desc";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([format!("rooms/{room}/")])?;
    let mut month = None;
    replace(archive, &format!("rooms/{room}/index.md"), &mut |file| {
        file.write_all(head.as_bytes())?;
        while let Some((path, events, messages)) =
            rows.next().and_then(|row| row.map(day_of).transpose()).map_err(io::Error::other)?
        {
            let day = layout::checked_day(&about.id, &path).map_err(io::Error::other)?;
            let date = time::date(day);
            let this = date.map(|date| (date.year(), date.month()));
            if month != Some(this) {
                let heading = date.map_or_else(|| "No date".to_owned(), |date| date.format("%B %Y").to_string());
                write!(file, "\n## {heading}\n\n| day | messages | events |\n|---|--:|--:|\n")?;
                month = Some(this);
            }
            let name = date.map_or_else(|| day.to_owned(), |date| date.format("%A %-d").to_string());
            writeln!(file, "| [{name}]({day}.md) | {messages} | {events} |")?;
        }
        Ok(())
    })
}

fn day_of(row: &Row<'_>) -> rusqlite::Result<(String, i64, i64)> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

/// Refuses an `index.md` that somebody else has put where the archive's is to be made for the first time: that name is anybody's.
pub(super) fn is_ours(archive: &Path) -> Result<(), Error> {
    let path = archive.join("index.md");
    let mut begin = Vec::new();
    let read = inside::read(archive, "index.md").and_then(|file| file.take(HEAD.len() as u64).read_to_end(&mut begin));
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io("read", &path)(error)),
        // a crash of the machine leaves files without what was written to them
        Ok(_) if begin == HEAD.as_bytes() || begin.iter().all(|byte| *byte == 0) => Ok(()),
        Ok(_) => Err(Error::InTheWay(path)),
    }
}

/// All rooms, by name.
fn write_rooms(archive: &Path, connection: &Connection) -> Result<(), Error> {
    let sql = "select coalesce(name, room_id), aliases, type, encrypted, messages, room_id,
                      (select min(path) from file where path > 'rooms/' || directory || '/' and path < 'rooms/' || directory || '/u'),
                      (select max(path) from file where path > 'rooms/' || directory || '/' and path < 'rooms/' || directory || '/u')
                 from room order by name collate nocase, room_id";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    replace(archive, "index.md", &mut |file| {
        write!(file, "{HEAD}address | messages | first day | last day | |\n|---|---|--:|---|---|---|\n")?;
        while let Some(line) = rows.next().and_then(|row| row.map(line_of).transpose()).map_err(io::Error::other)? {
            file.write_all(line.as_bytes())?;
        }
        Ok(())
    })
}

fn line_of(row: &Row<'_>) -> rusqlite::Result<String> {
    let (name, aliases, kind): (String, Option<String>, Option<String>) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let (is_encrypted, messages, room_id): (bool, i64, String) = (row.get(3)?, row.get(4)?, row.get(5)?);
    let day = |path: Option<String>| path.and_then(|path| Some(layout::parts(&path)?.1.to_owned())).unwrap_or_default();
    let (first, last) = (day(row.get(6)?), day(row.get(7)?));
    let aliases: Vec<String> = aliases.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
    let alias = aliases.first().map(|alias| inline(alias)).unwrap_or_default();
    let kinds = [(kind.as_deref() == Some("m.space"), "space"), (is_encrypted, "encrypted")];
    let kinds: Vec<&str> = kinds.into_iter().filter(|(holds, _)| *holds).map(|(_, name)| name).collect();
    let room = layout::room_directory(&room_id).replace('%', "%25");
    Ok(format!(
        "| [{}](rooms/{room}/index.md) | {alias} | {messages} | {first} | {last} | {} |\n",
        excerpt(&name, 120),
        kinds.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::event::tests::stored;
    use crate::event::{Event, Stored};

    const PDU: &str = r#"{"type":"m.room.message","content":{"body":"x"},"origin_server_ts":1795348800000}"#;

    #[test]
    fn more_rooms_than_are_rendered_at_once_are_all_in_the_index() {
        let directory = tempfile::tempdir().unwrap();
        let rooms = directory.path().join("rooms");
        for number in 0..=AT_ONCE {
            let (event_id, room_id) = (format!("${number}"), format!("!{number}:x"));
            let stored = Stored { event_id: &event_id, room_id: &room_id, ..stored(Some(PDU)) };
            let room = rooms.join(format!("{number}@x"));
            fs::create_dir_all(&room).unwrap();
            fs::write(room.join("2026-11-22.jsonl"), Event::from_stored(&stored).line + "\n").unwrap();
        }
        let mut archive = Archive::open(directory.path(), None).unwrap();
        let rendered = archive.render(&mut |_, _| true).unwrap();
        assert_eq!(rendered.rooms, AT_ONCE as u64 + 1);
        let index = fs::read_to_string(directory.path().join("index.md")).unwrap();
        for number in 0..=AT_ONCE {
            assert!(index.contains(&format!("](rooms/{number}@x/index.md)")), "{number}");
            assert!(rooms.join(format!("{number}@x/index.md")).exists(), "{number}");
        }
        assert_eq!(archive.render(&mut |_, _| true).unwrap(), Rendered::default());
    }
}
