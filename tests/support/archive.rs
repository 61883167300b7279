//! An archive of a test's own: filled through the library, read back without it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use serde_json::value::RawValue;
use synapse_export::archive::{self, Archive, Counts, Hook, Interrupt, Opening, Selection, Step};
use synapse_export::config::Config;
use synapse_export::event::{Damage, EventId, RoomId};
use synapse_export::export::{self, Error, Progress, Report, Summary};
use synapse_export::source;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::Database;

/// A place for an archive, gone when dropped.
pub struct TestArchive {
    path: PathBuf,
    _parent: TempDir,
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The file, below the archive.
    pub path: String,
    pub text: String,
}

impl Line {
    pub fn json(&self) -> Value {
        json(&self.text)
    }

    /// What the line says under `synapse`.
    pub fn about(&self) -> Value {
        self.json()["synapse"].clone()
    }
}

/// What an export told whoever called it.
#[derive(Debug, Default)]
pub struct Heard {
    pub damaged: Vec<(String, String)>,
    pub duplicates: Vec<String>,
    pub unplaced: Vec<String>,
    pub waiting: Vec<String>,
    pub gone: Vec<String>,
}

impl Report for Heard {
    fn progress(&mut self, _: Progress) {}

    fn damaged(&mut self, event: EventId<'_>, room: RoomId<'_>, damage: &Damage) {
        self.damaged.push((event.as_str().to_owned(), format!("{room}: {damage}")));
    }

    fn unplaced(&mut self, event: EventId<'_>, _: RoomId<'_>, lacks: &str) {
        self.unplaced.push(format!("{event}: {lacks}"));
    }

    fn duplicate(&mut self, event: EventId<'_>, _: RoomId<'_>) {
        self.duplicates.push(event.as_str().to_owned());
    }

    fn waiting(&mut self, event: EventId<'_>, _: RoomId<'_>) {
        self.waiting.push(event.as_str().to_owned());
    }

    fn gone(&mut self, event: EventId<'_>, _: RoomId<'_>) {
        self.gone.push(event.as_str().to_owned());
    }
}

impl TestArchive {
    pub fn new() -> Self {
        let parent = tempfile::tempdir().expect("cannot make a directory");
        Self { path: parent.path().join("archive"), _parent: parent }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it. A program that another test starts has, for a moment, the lock of an archive that was just closed.
    #[track_caller]
    fn open(&self) -> Archive {
        for _ in 0..100 {
            match Archive::open(self.path(), None) {
                Err(archive::Error::Locked { .. }) => std::thread::sleep(Duration::from_millis(20)),
                opened => return opened.unwrap_or_else(|error| panic!("{}", chain(&error))),
            }
        }
        panic!("{} stays locked", self.path().display())
    }

    /// Exports what the runs before were told to export; it must succeed.
    #[track_caller]
    pub fn export(&self, database: &Database) -> Counts {
        let archive = self.open();
        let selection = archive.catalog().selection().expect("the catalog can be read");
        export_with(archive, &database.dsn(), &selection).0.unwrap_or_else(|error| panic!("{}", chain(&error)))
    }

    /// Exports these rooms; it must succeed.
    #[track_caller]
    pub fn export_rooms(&self, database: &Database, selection: &Selection) -> Counts {
        let archive = self.open();
        export_with(archive, &database.dsn(), selection).0.unwrap_or_else(|error| panic!("{}", chain(&error)))
    }

    /// Tries to export all rooms of the database at `dsn`.
    #[track_caller]
    pub fn try_export(&self, dsn: &str) -> (Result<Counts, Error>, Heard) {
        let archive = self.open();
        export_with(archive, dsn, &Selection::default())
    }

    /// Tries to export all rooms, with `hook` called at every step of writing.
    #[track_caller]
    pub fn export_hooked(&self, database: &Database, hook: Hook) -> Result<Counts, String> {
        let archive = Archive::open(self.path(), Some(hook)).map_err(|error| chain(&error))?;
        export_with(archive, &database.dsn(), &Selection::default()).0.map_err(|error| chain(&error))
    }

    /// Exports all rooms, and is told to stop at the nth time that writing comes to a step; the outcome.
    #[track_caller]
    pub fn export_stopped_at(&self, database: &Database, step: Step, nth: usize) -> Result<Summary, Error> {
        let (stopping, stopped) = watch::channel(false);
        let mut count = 0;
        let hook = move |at| {
            count += usize::from(at == step);
            if count == nth {
                stopping.send_replace(true);
            }
            Ok(())
        };
        let told = stopped.clone();
        let interrupt = Interrupt::when(move || *told.borrow());
        let archive =
            Archive::open_as(self.path(), Opening { hook: Some(Box::new(hook)), interrupt, ..Opening::default() })
                .map_err(Error::from)?;
        export_until(archive, &database.dsn(), &Selection::default(), stopped).0
    }

    /// Makes sure that transcripts are as a new archive of the same database has them, which is given back.
    #[track_caller]
    pub fn transcripts_agree(&self, database: &Database) -> TestArchive {
        self.render();
        let other = TestArchive::new();
        other.export(database);
        other.render();
        assert_eq!(self.transcripts(), other.transcripts());
        other
    }

    /// Lets a day pass for the events that wait for their PDU.
    #[track_caller]
    pub fn a_day_passes(&self) {
        drop(self.open());
        let catalog = Connection::open(self.path().join("catalog.sqlite")).expect("there is a catalog");
        let sql = "update waiting set since = strftime('%Y-%m-%dT%H:%M:%fZ', since, '-1 day')";
        catalog.execute(sql, []).expect("a catalog can be written to");
    }

    /// Lets the next export read everything again.
    #[track_caller]
    pub fn reset(&self) {
        let mut archive = self.open();
        archive.reset(&synapse_export::stream::Stream::ALL).unwrap_or_else(|error| panic!("{}", chain(&error)));
    }

    /// Renders what is stale, with pages; how many room-days.
    #[track_caller]
    pub fn render(&self) -> u64 {
        let mut archive = self.open();
        synapse_export::views::keep_html(&mut archive, true).unwrap_or_else(|error| panic!("{}", chain(&error)));
        synapse_export::views::render(&mut archive, &mut |_, _| true)
            .unwrap_or_else(|error| panic!("{}", chain(&error)))
            .days
    }

    /// The transcripts, pages and indexes by their paths below the archive.
    #[track_caller]
    pub fn transcripts(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let mut read = |path: String| {
            let text = fs::read_to_string(self.path().join(&path)).expect("a transcript can be read");
            found.insert(path, text);
        };
        read("index.md".to_owned());
        if self.path().join("index.html").exists() {
            read("index.html".to_owned());
        }
        for room in entries(&self.path().join("rooms")) {
            for file in entries(&self.path().join("rooms").join(&room)) {
                if plain(&file).is_none() {
                    read(format!("rooms/{room}/{file}"));
                }
            }
        }
        found
    }

    /// The catalog, to look at.
    pub fn catalog(&self) -> Connection {
        let path = self.path().join("catalog.sqlite");
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("there is a catalog")
    }

    /// The only column of the only row of a query to the catalog, as text; NULL is empty.
    #[track_caller]
    pub fn one(&self, sql: &str) -> String {
        let sql = format!("select coalesce(cast(({sql}) as text), '')");
        self.catalog().query_row(&sql, [], |row| row.get(0)).unwrap_or_else(|error| panic!("{sql}\n{error}"))
    }

    /// The redaction in effect for an event; empty: none.
    #[track_caller]
    pub fn redacted_by(&self, event_id: &str) -> String {
        self.one(&format!("select redacted_by from event where event_id = '{event_id}'"))
    }

    /// Every line by its event, after a look at what holds for every archive between runs: no event has two lines, and
    /// files and catalog agree.
    #[track_caller]
    pub fn lines(&self) -> BTreeMap<String, Line> {
        #[derive(serde::Deserialize)]
        struct Ids {
            event_id: String,
            room_id: String,
        }
        let mut lines = BTreeMap::new();
        let (mut files, mut events) = (BTreeSet::new(), BTreeSet::new());
        for room in entries(&self.path().join("rooms")) {
            let names = entries(&self.path().join("rooms").join(&room));
            for (file, plain) in names.iter().filter_map(|file| Some((file, plain(file)?))) {
                let path = format!("rooms/{room}/{plain}");
                let mut text = fs::read(self.path().join(format!("rooms/{room}/{file}"))).expect("it can be read");
                if file != plain {
                    text = zstd::decode_all(&*text).expect("any program that knows zstd reads it");
                }
                let text = String::from_utf8(text).expect("lines are UTF-8");
                assert!(text.ends_with('\n'), "{path} ends in half a line");
                files.insert((path.clone(), text.len(), text.lines().count()));
                let mut start = 0;
                for line in text.split_terminator('\n') {
                    let place = format!("{path} {start} {}", line.len());
                    start += line.len() + 1;
                    let ids: Ids = serde_json::from_str(line).unwrap_or_else(|error| panic!("{path}: {error}: {line}"));
                    events.insert((ids.event_id.clone(), ids.room_id, place));
                    let line = Line { path: path.clone(), text: line.to_owned() };
                    if let Some(other) = lines.insert(ids.event_id, line.clone()) {
                        panic!("two lines for one event: {other:?} and {line:?}");
                    }
                }
            }
        }
        let catalog = self.catalog();
        let rows = |sql: &str| -> BTreeSet<(String, String, String)> {
            let mut statement = catalog.prepare(sql).expect("the catalog has the tables it documents");
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
            rows.and_then(Iterator::collect).unwrap_or_else(|error| panic!("{sql}\n{error}"))
        };
        let known = rows(
            "select 'rooms/' || directory || '/' || day || '.jsonl', cast(bytes as text), cast(events as text)
               from file join room using (room)",
        );
        let files = files.into_iter().map(|(path, bytes, events)| (path, bytes.to_string(), events.to_string()));
        assert_eq!(files.collect::<BTreeSet<_>>(), known, "the files and what the catalog knows of them");
        let known = rows("select event_id, room_id, path || ' ' || start || ' ' || length from event");
        assert_eq!(events, known, "the lines and the events of the catalog");
        lines
    }

    /// The ids of the archived events, sorted and separated by spaces.
    #[track_caller]
    pub fn ids(&self) -> String {
        self.lines().into_keys().collect::<Vec<_>>().join(" ")
    }
}

fn export_with(archive: Archive, dsn: &str, selection: &Selection) -> (Result<Counts, Error>, Heard) {
    let (_stop, never) = watch::channel(false);
    let (result, heard) = export_until(archive, dsn, selection, never);
    (result.map(|summary| summary.counts), heard)
}

fn export_until(
    archive: Archive,
    dsn: &str,
    selection: &Selection,
    stop: export::Stop,
) -> (Result<Summary, Error>, Heard) {
    let config = Config::new(Some(dsn), |_| None).expect("a test's DSN is sound");
    // long enough to be tried again, short enough to wait for the end
    let config = config.retrying_for(Duration::from_secs(1));
    let mut heard = Heard::default();
    let result = Runtime::new().expect("cannot start a runtime").block_on(async {
        let database = source::Database::connect(&config).await?;
        Box::pin(export::export(database, archive, selection, stop, &mut heard)).await.1
    });
    (result, heard)
}

/// Reads a JSON text however deep it is, which `serde_json` alone refuses to.
#[track_caller]
pub fn json(text: &str) -> Value {
    let error = match serde_json::from_str(text) {
        Ok(value) => return value,
        Err(error) => error,
    };
    if let Ok(members) = serde_json::from_str::<BTreeMap<String, &RawValue>>(text) {
        members.into_iter().map(|(key, value)| (key, json(value.get()))).collect()
    } else if let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(text) {
        items.into_iter().map(|item| json(item.get())).collect()
    } else {
        panic!("{error}: {text}")
    }
}

/// An error with all its causes.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The name of a file of lines without what says that it is compressed; none: it is no such file.
fn plain(name: &str) -> Option<&str> {
    let plain = name.strip_suffix(".zst").unwrap_or(name);
    plain.strip_suffix(".jsonl").map(|_| plain)
}

/// The names in a directory, sorted; none if it is not there.
pub fn entries(directory: &Path) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(directory) else { return BTreeSet::new() };
    entries.map(|entry| entry.expect("a directory can be listed").file_name().into_string().expect("UTF-8")).collect()
}
