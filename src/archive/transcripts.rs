//! Transcripts: each room-day as markdown, and the indexes that lead to them.
//!
//! All of it is derived from the catalog alone, so the same events give the same bytes, whenever and in whatever order they
//! came. A file is written beside the one it replaces, renamed over it, and synced; then the catalog forgets that it was
//! stale. So what is cut off is done again.

mod by_name;
mod day;
mod fold;
mod index;
mod missing;
mod names;
mod pending;
mod phrases;
mod poll;
mod replace;
mod said;
mod shown;
mod target;
mod time;
mod title;
mod workers;

use std::fs::File;
use std::io::{self, BufWriter, Seek as _, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rusqlite::{Connection, params};
use sha2::{Digest as _, Sha256};

use super::writing::signed;
use super::{Archive, Error, jsonl, layout};
use crate::document::markdown::{inline, yaml};
use day::{Counts, Day};
pub use missing::Missing;
use names::Remembered;
use pending::Stale;
use replace::replace;
use title::Title;
use workers::Workers;

/// How many room-days, or rooms' indexes, are rendered before the catalog learns of it.
const AT_ONCE: usize = 2_000;
/// How many a thread takes at a time: two that write to the same directory wait for each other.
const NEIGHBOURS: usize = 100;
/// How much of a day is kept in memory while its counts, which stand at its top, are not known yet. Bytes.
const IN_MEMORY: usize = 256 * 1024;

/// How events are shown.
#[derive(Clone, Debug)]
struct Options {
    /// Redacted messages are followed by what they said.
    show_redacted: bool,
    /// All days are in one document, so that links need no file.
    one_document: bool,
    /// Only events of this time, in milliseconds since the epoch.
    between: Range<i64>,
}

impl Options {
    fn new(show_redacted: bool) -> Options {
        Options { show_redacted, one_document: false, between: i64::MIN..i64::MAX }
    }
}

/// Which transcripts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transcripts {
    /// Every one.
    All,
    /// Those of a room.
    Room(String),
    /// Those of a day, `2026-11-22` or `undated`.
    Day(String),
}

/// What was rendered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// Room-days.
    pub days: u64,
    /// Rooms whose index is new.
    pub rooms: u64,
    /// The file system has no symbolic links, so `by-name/` is not there.
    pub no_links: bool,
}

impl Archive {
    /// Says that transcripts have to be rendered anew; how many.
    pub fn mark(&mut self, which: &Transcripts) -> Result<usize, Error> {
        let writing = self.catalog.write()?;
        let marked = writing.mark(which)?;
        writing.commit()?;
        Ok(marked)
    }

    /// Remembers whether transcripts show what redacted messages said.
    pub fn show_redacted(&mut self, show: bool) -> Result<(), Error> {
        if self.catalog.shows_redacted()? != show {
            let writing = self.catalog.write()?;
            writing.0.execute("replace into setting (name, value) values ('show_redacted', ?1)", [show])?;
            writing.mark(&Transcripts::All)?;
            writing.commit()?;
        }
        Ok(())
    }

    /// Renders every transcript that is stale, and the indexes. `progress` hears how many room-days are done, and of how
    /// many; it ends the work early by returning false.
    pub fn render(&mut self, progress: &mut dyn FnMut(u64, u64) -> bool) -> Result<Rendered, Error> {
        let mut rendered = Rendered::default();
        if self.indexed {
            let catalog = self.catalog.connection.get_interrupt_handle();
            match self.interrupt.clone().during(vec![catalog], || self.render_into(&mut rendered, progress)) {
                Err(Error::Stopped) => {}
                done => done?,
            }
        }
        Ok(rendered)
    }

    fn render_into(
        &mut self,
        rendered: &mut Rendered,
        progress: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<(), Error> {
        let all: i64 =
            self.catalog.connection.query_row("select count(*) from file where dirty", [], |row| row.get(0))?;
        let options = Options::new(self.catalog.shows_redacted()?);
        if !self.catalog.has_transcripts()? {
            index::is_ours(&self.directory)?;
        }
        // opened before anything is written, so that it learns of every failure since
        let whole = File::open(&self.directory).map_err(Error::io("open", &self.directory))?;
        let directory = self.directory.clone();
        let mut workers = Workers::new(&directory, self.interrupt.clone());
        while rendered.days < all.unsigned_abs() {
            self.lock.held().check()?;
            let stale = self.catalog.stale_days()?;
            if stale.is_empty() {
                break;
            }
            let mut goes_on = true;
            let mut tell = |done: usize| {
                goes_on = progress(rendered.days + done as u64, all.unsigned_abs());
                goes_on
            };
            let counts = workers.each(&stale, NEIGHBOURS, &mut tell, &|catalog, remembered, stale| {
                Ok((stale, day(&directory, catalog, stale, &options, remembered)?))
            })?;
            sync(&directory, &whole, counts.iter().map(|(stale, _)| stale.transcript()))?;
            let writing = self.catalog.write()?;
            for (stale, counts) in &counts {
                writing
                    .0
                    .prepare_cached("update file set dirty = 0, messages = ?2 where path = ?1")?
                    .execute(params![stale.path, signed(counts.messages)])?;
                writing.room_is_stale(&stale.room_id)?;
            }
            writing.commit()?;
            rendered.days += counts.len() as u64;
            if !goes_on {
                return Ok(());
            }
            self.interrupt.check()?;
        }
        self.lock.held().check()?;
        index::render(self, &mut workers, &whole, rendered)
    }

    /// Writes what a document about a whole room begins with.
    pub fn document_head(&self, room_id: &str, out: &mut dyn Write) -> Result<(), Error> {
        let title = Title::of(&self.catalog.connection, room_id)?;
        let head = format!(
            "---\n{}timezone: UTC\ngenerator: {GENERATOR}\n---\n\n# {}\n\n",
            front(room_id, &title),
            inline(&title.name)
        );
        out.write_all(head.as_bytes()).map_err(Error::Transcript)
    }

    /// Writes what happened in a room, day by day; `between` two times in milliseconds since the epoch, or ever.
    pub fn document_days(
        &self,
        room_id: &str,
        between: Option<&Range<i64>>,
        show_redacted: bool,
        out: &mut dyn Write,
    ) -> Result<(), Error> {
        let catalog = self.catalog.connection.get_interrupt_handle();
        self.interrupt.during(vec![catalog], || self.write_days(room_id, between, show_redacted, out))
    }

    fn write_days(
        &self,
        room_id: &str,
        between: Option<&Range<i64>>,
        show_redacted: bool,
        out: &mut dyn Write,
    ) -> Result<(), Error> {
        let mut options = Options { one_document: true, ..Options::new(show_redacted) };
        let mut remembered = Remembered::default();
        for day in &self.catalog.days_of(room_id)? {
            let range = time::range(day);
            if let Some(between) = between {
                if range.start >= between.end || range.end <= between.start {
                    continue;
                }
                options.between = between.clone();
            }
            let heading = format!("## {}\n\n", time::long(day));
            out.write_all(heading.as_bytes()).map_err(Error::Transcript)?;
            Day::write(&self.catalog.connection, room_id, day, &options, &mut remembered, out)?;
        }
        Ok(())
    }
}

/// Returns when files that were made anew are on the disk, and their names.
fn sync(archive: &Path, whole: &File, paths: impl Iterator<Item = String>) -> Result<(), Error> {
    let files: Vec<PathBuf> = paths.map(|path| archive.join(path)).collect();
    let directories = files.iter().filter_map(|file| file.parent()).map(Path::to_owned).collect();
    jsonl::sync_files(archive, whole, &files, &directories)
}

/// Renders one room-day.
fn day(
    archive: &Path,
    connection: &Connection,
    stale: &Stale,
    options: &Options,
    remembered: &mut Remembered,
) -> Result<Counts, Error> {
    let transcript = stale.transcript();
    let path = archive.join(&transcript);
    let directory = path.parent().unwrap_or(archive);
    let mut body = tempfile::spooled_tempfile_in(IN_MEMORY, directory);
    let mut write = || {
        let mut writer = BufWriter::new(&mut body);
        let counts = Day::write(connection, &stale.room_id, stale.day(), options, remembered, &mut writer)?;
        writer.flush().map_err(Error::Transcript)?;
        Ok(counts)
    };
    let counts = write().map_err(|error| match error {
        Error::Transcript(source) => Error::io("write", &path)(source),
        error => error,
    })?;
    let head = head(connection, stale, &counts, remembered)?;
    body.rewind().map_err(Error::io("write", &path))?;
    replace(archive, &transcript, &mut |file| {
        file.write_all(head.as_bytes())?;
        io::copy(&mut body, file).map(drop)
    })?;
    Ok(counts)
}

/// What stands above a day's events.
fn head(connection: &Connection, stale: &Stale, counts: &Counts, remembered: &mut Remembered) -> Result<String, Error> {
    use std::fmt::Write as _;
    let day = stale.day();
    let title = Title::before(connection, &stale.room_id, time::range(day).end, &mut remembered.states)?;
    let room = &stale.path[..=stale.path.rfind('/').unwrap_or(0)];
    let neighbour = |sql: &str| -> Result<Option<String>, Error> {
        let found: Option<String> =
            connection.prepare_cached(sql)?.query_row([&*stale.path, room], |row| row.get(0))?;
        found.map(|path| layout::checked_day(&stale.room_id, &path).map(str::to_owned)).transpose()
    };
    let previous = neighbour("select max(path) from file where path < ?1 and path > ?2")?;
    let next = neighbour("select min(path) from file where path > ?1 and path < ?2 || '~'")?;
    let mut head = String::from("---\n");
    head.push_str(&front(&stale.room_id, &title));
    let _ = write!(head, "day: {day}\ntimezone: UTC\nevents: {}\nmessages: {}\n", stale.events, counts.messages);
    if counts.encrypted > 0 {
        let _ = writeln!(head, "encrypted: {}", counts.encrypted);
    }
    for (key, neighbour) in [("previous", &previous), ("next", &next)] {
        if let Some(neighbour) = neighbour {
            let _ = writeln!(head, "{key}: {neighbour}.md");
        }
    }
    let _ = write!(head, "generator: {GENERATOR}\n---\n\n# {} · {}\n\n", inline(&title.name), time::long(day));
    if let Some(previous) = previous {
        let _ = write!(head, "[← {}]({previous}.md) · ", time::short(&previous, day));
    }
    head.push_str("[all days](index.md)");
    if let Some(next) = next {
        let _ = write!(head, " · [{} →]({next}.md)", time::short(&next, day));
    }
    head.push_str("\n\n");
    Ok(head)
}

const GENERATOR: &str = concat!("synapse-export ", env!("CARGO_PKG_VERSION"));

/// What front matter says of a room.
fn front(room_id: &str, title: &Title) -> String {
    let aliases: Vec<String> = title.aliases.iter().map(|alias| yaml(alias)).collect();
    format!("room: {}\nname: {}\naliases: [{}]\n", yaml(room_id), yaml(&title.name), aliases.join(", "))
}

/// The name of an event's place in a document: the first characters of its id, where that is a hash, else of a hash of it.
fn anchor_name(event_id: &str) -> String {
    let is_hash = event_id.strip_prefix('$').filter(|hash| {
        hash.len() == 43 && hash.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    });
    match is_hash {
        Some(hash) => hash[..12].to_owned(),
        None => URL_SAFE_NO_PAD.encode(&Sha256::digest(event_id)[..9]),
    }
}

/// An event's place in a document, for links.
fn anchor(event_id: &str) -> String {
    format!("<a id=\"{}\"></a>", anchor_name(event_id))
}
