//! Transcripts that are gone though the catalog has them rendered: somebody has deleted them.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::{OptionalExtension as _, params};

use super::super::{Archive, Catalog, Error, catalog, inside, jsonl, layout};
use super::by_name;

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
    /// The archive's `index.md` is gone.
    pub index: bool,
    /// The number of the last file of lines that was looked at.
    last: Option<i64>,
}

impl Missing {
    /// Whether nothing is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.days.is_empty() && self.rooms.is_empty() && !self.index
    }
}

impl Catalog {
    /// Looks for the transcripts of some room-days that are rendered, `most` at most, others each time.
    pub fn missing_transcripts(&self, archive: &Path, most: usize) -> Result<Missing, Error> {
        let start = self.anywhere()?;
        let mut missing = self.missing_between(archive, start, i64::MAX, most)?;
        let before = self.missing_between(archive, 0, start, most - missing.looked_at)?;
        missing.looked_at += before.looked_at;
        missing.days.extend(before.days);
        missing.rooms.extend(before.rooms);
        missing.index = self.lacks_index(archive)?;
        Ok(missing)
    }

    /// Looks for the transcripts of room-days whose files of lines have numbers from `start` on and before `end`, in their order.
    fn missing_between(&self, archive: &Path, start: i64, end: i64, most: usize) -> Result<Missing, Error> {
        let sql = "select file, directory, day from file join room using (room)
                    where file >= ?1 and file < ?2
                      and not exists (select 1 from stale where view = 'markdown' and stale.file = file.file)
                    order by file limit ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let files = statement.query_map(params![start, end, most], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
        })?;
        let links = inside::directory(archive, by_name::DIRECTORY).ok();
        let mut missing = Missing::default();
        let (mut room, mut there) = (String::new(), BTreeSet::new());
        for found in files {
            let (file, directory, day) = found?;
            let path = format!("rooms/{directory}/{day}.jsonl");
            layout::parts(&path).ok_or_else(|| Error::altered("the path of a file", &path))?;
            if directory != room {
                directory.clone_into(&mut room);
                there = jsonl::names(archive, &format!("rooms/{room}"))?;
                let sql = "select link from room where directory = ?1";
                let link =
                    self.connection.prepare_cached(sql)?.query_row([&room], |row| row.get::<_, Option<String>>(0));
                let link = link.optional()?.flatten().filter(|link| !link.is_empty());
                let is_linked = |link: &String| {
                    links.as_ref().is_some_and(|links| by_name::room_of(links, link).as_ref() == Some(&room))
                };
                if !there.contains("index.md") || !there.contains("room.json") || !link.iter().all(is_linked) {
                    missing.rooms.insert(room.clone());
                }
            }
            if !there.contains(&format!("{day}.md")) {
                missing.days.push(path);
            }
            missing.looked_at += 1;
            missing.last = Some(file);
        }
        Ok(missing)
    }

    /// Whether the archive's index is gone: once a room is rendered, there is one.
    fn lacks_index(&self, archive: &Path) -> Result<bool, Error> {
        let sql = "select exists (select 1 from room where has_lines and not dirty)";
        let path = archive.join("index.md");
        Ok(inside::length(archive, "index.md").map_err(Error::io("look at", &path))?.is_none()
            && self.connection.query_row(sql, [], |row| row.get::<_, bool>(0))?)
    }
}

impl Archive {
    /// Says that transcripts which somebody has deleted have to be rendered anew, once `most` room-days at most were looked at,
    /// others each time; without, all.
    pub fn mark_missing(&mut self, most: Option<usize>) -> Result<(), Error> {
        if !self.indexed {
            return Ok(());
        }
        if let Some(most) = most {
            let missing = self.catalog.missing_transcripts(&self.directory, most)?;
            return self.mark_gone(&missing);
        }
        let mut next = 0;
        loop {
            let missing = self.catalog.missing_between(&self.directory, next, i64::MAX, AT_ONCE)?;
            self.mark_gone(&missing)?;
            match missing.last {
                Some(file) => next = file + 1,
                None => break,
            }
        }
        let index = self.catalog.lacks_index(&self.directory)?;
        self.mark_gone(&Missing { index, ..Missing::default() })
    }

    fn mark_gone(&mut self, missing: &Missing) -> Result<(), Error> {
        if missing.is_empty() {
            return Ok(());
        }
        let writing = self.catalog.write()?;
        for path in &missing.days {
            if let Some(file) = catalog::file(&writing.0, path)? {
                writing.file_is_stale(file.number)?;
            }
        }
        for room in &missing.rooms {
            let sql = "update room set dirty = 1, link = null where directory = ?1";
            writing.0.prepare_cached(sql)?.execute([room])?;
        }
        if missing.index {
            // it is made with the last of the rooms
            writing.0.execute(
                "update room set dirty = 1 where room_id = (select min(room_id) from room where has_lines)",
                [],
            )?;
        }
        writing.commit()
    }
}
