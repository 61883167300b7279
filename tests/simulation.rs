//! Whatever a Synapse server does, and however its exports end: the archive equals the timeline, and no line comes twice.
//!
//! `PROPTEST_CASES` sets how many stories are tried. One that fails is printed, shortened, with the seed that finds it
//! again.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says why")]

mod support;

#[path = "simulation/event.rs"]
mod event;
#[path = "simulation/happening.rs"]
mod happening;
#[path = "simulation/server.rs"]
mod server;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};
use proptest::{prop_assert, prop_assert_eq};
use rusqlite::{Connection, OpenFlags};
use support::Shape;
use synapse_export::archive::{Archive, Hook, Selection, Step};
use synapse_export::config;
use synapse_export::event::{Damage, EventId, RoomId};
use synapse_export::export::{self, Progress, Report, Summary};
use synapse_export::source;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use event::{Event, ROOMS};
use happening::{End, Happening, stories};
use server::{Ban, Server};

/// Where a run can be broken off.
const STEPS: [Step; 8] = [
    Step::Intend,
    Step::Append,
    Step::HalfAppended,
    Step::Sync,
    Step::Record,
    Step::Recorded,
    Step::Index,
    Step::Recover,
];

/// Stories of each test, unless `PROPTEST_CASES` says else.
const CASES: u32 = 200;

/// Hears how a run goes, and stops it when it is time.
struct Listener {
    stop: watch::Sender<bool>,
    patience: Option<usize>,
}

impl Listener {
    fn hear(&mut self, events: usize) {
        self.patience = self.patience.map(|patience| patience.saturating_sub(events));
        if self.patience == Some(0) {
            self.stop.send_replace(true);
        }
    }
}

impl Report for Listener {
    fn progress(&mut self, _: Progress) {
        self.hear(1);
    }

    fn damaged(&mut self, event: EventId<'_>, _: RoomId<'_>, damage: &Damage) {
        panic!("{event} is whole, but called damaged: {damage}");
    }

    fn unplaced(&mut self, event: EventId<'_>, _: RoomId<'_>, lacks: &str) {
        panic!("{event} is without {lacks}");
    }

    fn duplicate(&mut self, event: EventId<'_>, _: RoomId<'_>) {
        panic!("{event} has one row at a time");
    }

    fn waiting(&mut self, event: EventId<'_>, _: RoomId<'_>) {
        panic!("{event} is whole, but waited for");
    }

    fn gone(&mut self, event: EventId<'_>, _: RoomId<'_>) {
        panic!("{event} was whole, but is called gone");
    }
}

/// What is the same for all stories.
struct Setting<'a> {
    shape: Shape,
    tables: &'a support::Database,
    database: source::Database,
    runtime: &'a Runtime,
    /// The steps at which runs were broken off.
    broken_at: &'a RefCell<Vec<Step>>,
}

/// What a catalog says of an event: redacted by, recheck, stream ordering, rejected, soft-failed.
type Known = (Option<String>, Option<bool>, i64, bool, bool);

/// A story as it goes: the server, the archive, and what is known to be in it.
struct Story<'a> {
    setting: &'a Setting<'a>,
    server: Server<'a>,
    directory: TempDir,
    selection: Selection,
    /// The archive's files by their paths, and its events.
    files: BTreeMap<String, String>,
    archived: BTreeSet<String>,
    has_lost_catalog: bool,
    /// The bans that the archive knows, as it last heard of them.
    bans: BTreeMap<(usize, &'static str), Ban>,
}

impl Story<'_> {
    fn new<'a>(setting: &'a Setting<'a>) -> Story<'a> {
        Story {
            setting,
            server: Server::start(setting.tables, setting.shape),
            directory: new_directory(),
            selection: Selection::default(),
            files: BTreeMap::new(),
            archived: BTreeSet::new(),
            has_lost_catalog: false,
            bans: BTreeMap::new(),
        }
    }

    fn goes_on(&mut self, happening: Happening) -> Result<(), TestCaseError> {
        let server = &mut self.server;
        match happening {
            Happening::Store { room, drafts, backfill, outlier, commits } => {
                server.store(room, &drafts, backfill, outlier, commits);
            }
            Happening::DeOutlier { which, backfill, commits } => server.de_outlier(which, backfill, commits),
            Happening::BringBack { which, commits } => server.bring_back(which, commits),
            Happening::Commit { which, retried } => server.commit(which, retried),
            Happening::RollBack { which } => server.roll_back(which),
            Happening::Purge { room, which, local_too } => server.purge(room, which, local_too),
            Happening::Censor { which } => server.censor(which),
            Happening::Ban { room, which, user, until } => server.ban(room, which, user, until),
            Happening::Rejudge { which } => server.rejudge(which),
            Happening::Accept { which } => server.accept(which),
            Happening::Flood { room, backfill } => server.flood(room, backfill),
            Happening::Wait { milliseconds } => server.wait(milliseconds),
            Happening::Select { include, exclude } => {
                let rooms = |bits: u8| {
                    (0..ROOMS.len())
                        .filter(|room| bits >> room & 1 == 1)
                        .map(|room| RoomId::of(ROOMS[room].id).owned())
                        .collect()
                };
                self.selection = Selection { include: rooms(include), exclude: rooms(exclude) };
            }
            Happening::Run(end) => self.run(end)?,
            Happening::Reset(streams) => self.open(None)?.reset(&streams).map_err(failure)?,
            Happening::LoseCatalog => {
                // else its state has all
                self.has_lost_catalog |= !self.open(None)?.is_indexed();
                for name in ["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"] {
                    let _ = std::fs::remove_file(self.directory.path().join(name));
                }
            }
            Happening::StartOver => {
                self.directory = new_directory();
                self.files.clear();
                self.archived.clear();
                self.has_lost_catalog = false;
                self.bans.clear();
            }
        }
        Ok(())
    }

    fn open(&self, hook: Option<Hook>) -> Result<Archive, TestCaseError> {
        Archive::open(self.directory.path(), hook).map_err(failure)
    }

    /// Exports, and checks what has come of it.
    fn run(&mut self, end: End) -> Result<(), TestCaseError> {
        self.server.flush();
        let broken_at = Arc::default();
        let result = self.export(end, &broken_at);
        let broken_at = std::mem::take(&mut *broken_at.lock().unwrap());
        prop_assert_eq!(result.is_err(), !broken_at.is_empty(), "{:?}", result);
        self.setting.broken_at.borrow_mut().extend(&broken_at);
        if !self.directory.path().join("catalog.sqlite").exists() {
            prop_assert!(result.is_err(), "there is no catalog");
            // it was lost, and what made it anew was broken off: the next one does it
            return Ok(());
        }

        let known = self.archived.len();
        // a batch that is broken off is undone at once, unless that breaks too
        self.check_lines(broken_at.contains(&Step::Recover))?;
        if let Ok(Some(summary)) = &result {
            prop_assert_eq!(summary.counts.new_events(), (self.archived.len() - known) as u64);
            if !summary.stopped {
                self.check_nothing_is_missing()?;
                self.hear_of_bans()?;
            }
        }
        self.check_catalog(result.is_ok_and(|summary| summary.is_some_and(|summary| !summary.stopped)))
    }

    /// None: it was told to stop before it had begun.
    fn export(&self, end: End, broken_at: &Arc<Mutex<Vec<Step>>>) -> Result<Option<Summary>, TestCaseError> {
        let mut steps = 0;
        let broken_at = Arc::clone(broken_at);
        let hook = move |step| {
            steps += 1;
            match end {
                End::Broken { at, for_good } if steps == at + 1 || (for_good && steps > at) => {
                    broken_at.lock().unwrap().push(step);
                    Err(io::Error::other("the story wants it"))
                }
                _ => Ok(()),
            }
        };
        let patience = if let End::Stopped(after) = end { Some(after) } else { None };
        let (stop, stopped) = watch::channel(false);
        let mut listener = Listener { stop, patience };
        listener.hear(0);
        let archive = self.open(Some(Box::new(hook)))?;
        let database = self.setting.database.clone();
        let export = Box::pin(export::export(database, archive, &self.selection, stopped, &mut listener));
        match self.setting.runtime.block_on(export).1 {
            Err(export::Error::Stopped) if patience.is_some() => Ok(None),
            result => result.map(Some).map_err(failure),
        }
    }

    /// Every line that was there is there still, where it was; every new one is that of an event to be archived, and none
    /// comes twice. What lies beyond the committed lengths may be there only after a death.
    fn check_lines(&mut self, died: bool) -> Result<(), TestCaseError> {
        let catalog = self.catalog()?;
        let mut statement = catalog.prepare("select 'rooms/' || directory || '/' || day || '.jsonl', bytes, events from file join room using (room)").map_err(failure)?;
        let row =
            |row: &rusqlite::Row| Ok((row.get(0)?, (row.get::<_, u32>(1)? as usize, row.get::<_, u32>(2)? as usize)));
        let rows = statement.query_map([], row).map_err(failure)?;
        let mut committed: BTreeMap<String, (usize, usize)> = rows.collect::<Result<_, _>>().map_err(failure)?;
        for (path, text) in lines(self.directory.path()) {
            let (bytes, events) = committed.remove(&path).unwrap_or_default();
            prop_assert!(died || text.len() == bytes, "{path} has {} bytes, committed are {bytes}", text.len());
            let text = text.get(..bytes).unwrap_or_default().to_owned();
            prop_assert_eq!(text.len(), bytes, "{} is too short", path);
            prop_assert_eq!(text.lines().count(), events, "lines of {}", path);
            prop_assert!(text.is_empty() || text.ends_with('\n'), "{path} ends within a line");
            let before = self.files.insert(path.clone(), text.clone()).unwrap_or_default();
            prop_assert!(text.starts_with(&before), "{path} has lost or changed what it had");
            for line in text[before.len()..].lines() {
                self.check_new_line(&path, line)?;
            }
        }
        prop_assert!(committed.is_empty(), "committed, but not there: {committed:?}");
        let intent: bool = one(&catalog, "select exists (select 1 from intent)")?;
        prop_assert!(died || !intent, "a batch is still open");
        Ok(())
    }

    fn check_new_line(&mut self, path: &str, line: &str) -> Result<(), TestCaseError> {
        let short: String = line.chars().take(400).collect();
        let keys: serde_json::Value = serde_json::from_str(line).map_err(failure)?;
        let event = self.server.events.iter().find(|event| event.id == keys["event_id"]);
        let Some(event) = event else { return Err(TestCaseError::fail(format!("no event has this line: {short}"))) };
        prop_assert!(self.archived.insert(event.id.clone()), "{} has a second line in {path}", event.id);
        prop_assert!(event.is_timeline(), "{} is none of the timeline", event.id);
        prop_assert!(self.is_selected(ROOMS[event.room].id), "{} is not selected", event.id);
        prop_assert!(event.has_line(line), "{} is not {short}", event.id);
        prop_assert_eq!(path, event.path());
        Ok(())
    }

    fn check_nothing_is_missing(&self) -> Result<(), TestCaseError> {
        for event in &self.server.events {
            let expected = event.is_timeline() && self.is_selected(ROOMS[event.room].id);
            prop_assert!(!expected || self.archived.contains(&event.id), "{} is missing", event.id);
        }
        Ok(())
    }

    /// A run that is done knows the bans of the rooms that it was to read, as far as their events are archived. One that is
    /// rejected ends the one before.
    fn hear_of_bans(&mut self) -> Result<(), TestCaseError> {
        let catalog = self.catalog()?;
        for (&(room, user_id), &ban) in &self.server.bans {
            let event = &self.server.events[ban.event];
            let is_read = self.selection.include.is_empty() || self.is_selected(ROOMS[room].id);
            if !is_read || !self.archived.contains(&event.id) {
                continue;
            }
            if one(&catalog, &format!("select rejected from event where event_id = '{}'", event.id))? {
                self.bans.remove(&(room, user_id));
            } else {
                self.bans.insert((room, user_id), ban);
            }
        }
        Ok(())
    }

    /// The ban that redacts an event with an id.
    fn ban_of(&self, event: &Event, stream_ordering: i64) -> Option<&str> {
        let ban = self.bans.get(&(event.room, event.sender))?;
        let is_redacted = !event.is_create() && ban.until.is_none_or(|until| stream_ordering < until);
        is_redacted.then(|| &*self.server.events[ban.event].id)
    }

    /// The catalog has the events whose lines are there, and their redactions. A run that is `done` has completed what is
    /// in no line.
    fn check_catalog(&self, done: bool) -> Result<(), TestCaseError> {
        let catalog = self.catalog()?;
        let indexed: bool =
            one(&catalog, "select exists (select 1 from sqlite_schema where name = 'membership_alike')")?;
        let sql = "select event_id, redacted_by, recheck, stream_ordering, rejected, soft_failed from event";
        let mut statement = catalog.prepare(sql).map_err(failure)?;
        let mut events: BTreeMap<String, Known> = BTreeMap::new();
        let mut rows = statement.query([]).map_err(failure)?;
        while let Some(row) = rows.next().map_err(failure)? {
            let event_id: String = row.get_unwrap(0);
            let known = (row.get_unwrap(1), row.get_unwrap(2), row.get_unwrap(3), row.get_unwrap(4), row.get_unwrap(5));
            let twice = events.insert(event_id, known);
            prop_assert!(twice.is_none(), "the catalog has an event twice");
        }
        prop_assert!(events.keys().eq(&self.archived), "the catalog has {:?}, not {:?}", events, self.archived);
        // made anew, it does not know which redactions need their target's server, until they are read again
        let known = |redaction: &Event| {
            let (_, recheck, _, rejected, _) = events.get(&redaction.id)?;
            (!rejected).then(|| recheck.unwrap_or(false))
        };
        for event in &self.server.events {
            let Some((redacted_by, recheck, stream_ordering, rejected, soft_failed)) = events.get(&event.id) else {
                continue;
            };
            if done && event.row().is_some() {
                prop_assert_eq!(*rejected, event.draft.rejected, "{} rejected", event.id);
                prop_assert_eq!(*soft_failed, event.draft.soft_failed, "{} soft-failed", event.id);
            }
            if indexed {
                prop_assert_eq!(
                    redacted_by.as_deref(),
                    self.server.redaction_of(event, known).or(self.ban_of(event, *stream_ordering)),
                    "{} redacted",
                    event.id
                );
            }
            match recheck {
                Some(recheck) => prop_assert_eq!(Some(*recheck), event.recheck(), "{}", event.id),
                None if event.recheck().is_some() => {
                    prop_assert!(self.has_lost_catalog, "{} is incomplete", event.id);
                    let complete = done && event.is_timeline() && self.is_selected(ROOMS[event.room].id);
                    prop_assert!(!complete, "{} is still incomplete", event.id);
                }
                None => {}
            }
        }
        let counted: u32 = one(&catalog, "select coalesce(sum(live + backfill), 0) from run")?;
        prop_assert_eq!(counted as usize, self.archived.len());
        Ok(())
    }

    fn catalog(&self) -> Result<Connection, TestCaseError> {
        let path = self.directory.path().join("catalog.sqlite");
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failure)
    }

    fn is_selected(&self, room_id: &str) -> bool {
        let Selection { include, exclude } = &self.selection;
        (include.is_empty() || include.contains(room_id)) && !exclude.contains(room_id)
    }

    /// Everything ends well: all is committed and archived, once as it was selected last, once whole. Where nothing was
    /// taken away, that is what a single export makes.
    fn ends(&mut self) -> Result<(), TestCaseError> {
        self.server.commit_all();
        self.run(End::Done)?;
        self.selection = Selection::default();
        self.run(End::Done)?;
        if !self.server.has_forgotten {
            let sorted = |files: &BTreeMap<String, String>| -> BTreeMap<String, BTreeSet<String>> {
                files.iter().map(|(path, text)| (path.clone(), text.lines().map(str::to_owned).collect())).collect()
            };
            let before = sorted(&self.files);
            self.goes_on(Happening::StartOver)?;
            self.run(End::Done)?;
            prop_assert!(before == sorted(&self.files), "a single export has other lines");
        }
        Ok(())
    }
}

/// A place for an archive: in memory if there is one, since that syncs at once.
fn new_directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::tempdir_in(place).expect("cannot make a directory")
}

/// An archive's files of lines.
fn lines(archive: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for room in std::fs::read_dir(archive.join("rooms")).into_iter().flatten() {
        for file in std::fs::read_dir(room.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "jsonl") {
                let text = std::fs::read_to_string(&path).unwrap();
                files.insert(path.strip_prefix(archive).unwrap().display().to_string(), text);
            }
        }
    }
    files
}

fn one<T: rusqlite::types::FromSql>(catalog: &Connection, sql: &str) -> Result<T, TestCaseError> {
    catalog.query_row(sql, [], |row| row.get(0)).map_err(failure)
}

/// An error with its causes.
fn failure(error: impl std::error::Error) -> TestCaseError {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    TestCaseError::fail(text)
}

#[allow(clippy::print_stdout, reason = "a run that is cut off says nothing else")]
fn try_stories(shape: Shape) {
    let runtime = Runtime::new().unwrap();
    let tables = server::database(shape);
    let config = config::Config::new(Some(&tables.dsn()), |_| None).unwrap();
    let database = runtime.block_on(source::Database::connect(&config)).unwrap();
    let broken_at = RefCell::default();
    let setting = Setting { shape, tables: &tables, database, runtime: &runtime, broken_at: &broken_at };

    let mut config =
        Config { failure_persistence: None, max_shrink_iters: 1_000, max_shrink_time: 120_000, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    let seed = match config.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => rand(),
    };
    config.rng_seed = RngSeed::Fixed(seed);
    let many = config.cases >= CASES;
    let has_failed = Cell::new(false);
    let told = TestRunner::new(config).run(&stories(), |happenings| {
        let mut story = Story::new(&setting);
        let told = happenings.into_iter().try_for_each(|happening| story.goes_on(happening));
        let told = told.and_then(|()| story.ends());
        if let Err(reason) = &told
            && !has_failed.replace(true)
        {
            // to shorten it takes long, and may be cut off: println! is shown then by --nocapture
            println!("with PROPTEST_RNG_SEED={seed}: {reason}");
        }
        told
    });
    match told {
        Ok(()) => {}
        Err(TestError::Abort(reason)) => panic!("{reason}"),
        Err(TestError::Fail(reason, story)) => {
            let story: Vec<String> = story.iter().map(|happening| format!("  {happening:?}")).collect();
            panic!("{reason}\nwith PROPTEST_RNG_SEED={seed}, shortened to:\n{}", story.join("\n"));
        }
    }
    for step in STEPS {
        assert!(!many || broken_at.borrow().contains(&step), "no run was broken off at {step:?}");
    }
}

/// A seed that no other run has had.
fn rand() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(std::process::id())
}

#[test]
fn whatever_happens_the_archive_equals_the_timeline() {
    try_stories(Shape::V1_163);
}

#[test]
fn whatever_happens_to_an_old_server_the_archive_equals_the_timeline() {
    try_stories(Shape::V1_60);
}
