//! How batches become durable, and how one that was cut off is undone.
//!
//! Which files are appended to is recorded first. Then the catalog's transaction is made ready while the files are appended
//! to and synced, and is committed when they are.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::resume_unwind;
use std::sync::{Arc, mpsc};
use std::{iter, thread};

use foldhash::fast::RandomState;

use super::adding::Adding;
use super::batch::{Batch, BatchEvent, Committed};
use super::chain::{Chain, FOLD_FROM};
use super::lines::{self, Appending};
use super::stale::Stale;
use super::writing::Writing;
use super::{Archive, Counts, Error, Step, Steps, catalog, durable, layout};
use crate::event::{Day, Event, EventId, OwnedEventId, OwnedRoomId, RoomId};

/// In place of a path in the catalog's table `intent`: any file may be longer than the catalog says. So it is while a first
/// export reads, whose batches need not be recorded one by one then.
pub(super) const EVERY_FILE: &str = "";

/// How many files of a batch may wait to be appended to.
const FILES_AHEAD: usize = 64;

impl Archive {
    /// Makes batches durable as a part of `run`: each by itself, or while the first export goes on, when all that comes is new,
    /// together.
    pub fn commit(&mut self, run: i64, batches: impl IntoIterator<Item = Batch>) -> Result<Committed, Error> {
        let once = self.once;
        let batches = batches.into_iter().map(|batch| if once { batch.without_waiting() } else { batch });
        if !self.is_indexed() {
            return self.commit_together(run, batches.map(ByFile::from));
        }
        let mut committed = Committed::default();
        for mut batch in batches {
            self.erase_arriving(&mut batch)?;
            self.catalog.give_up(&mut batch, run)?;
            // before the watermark moves, so that a run that dies here reads them again
            committed.counts.mended += self.mend(run, &batch)?;
            let mut batch = ByFile::from(batch);
            self.intend(&mut batch)?;
            let batch = self.commit_together(run, iter::once(batch))?;
            if batch.counts.damaged > 0 {
                self.damaged = Some(true);
            }
            committed += batch;
        }
        self.fold_chain(FOLD_FROM)?;
        Ok(committed)
    }

    fn commit_together(&mut self, run: i64, batches: impl Iterator<Item = ByFile>) -> Result<Committed, Error> {
        let Archive { directory, catalog, hook, indexed, lock, readers, .. } = self;
        let mut step = Steps { hook: hook.as_mut(), directory, held: lock.held() };
        let (writing_out, asked) = mpsc::sync_channel(1);
        let writing = catalog.write()?;
        let chain = Chain::open(directory, &writing.0, *readers)?;
        let mut appending = Appending::new(directory, *readers, writing_out, chain)?;
        let (committed, head) = thread::scope(|scope| {
            // without indexes an order is a whole batch, and the one that is recorded the only one in memory for it
            let (files, orders) = mpsc::sync_channel(if *indexed { FILES_AHEAD } else { 0 });
            let (step, directory) = (&mut step, &*directory);
            scope.spawn(move || durable::write_out(directory, &asked));
            let appended = scope.spawn(move || {
                for Append { batch, of } in orders {
                    let mut append = |file: &FileOf, events: &[usize]| {
                        let lines = events.iter().map(|&event| batch.batch.events[event].0.line.as_str());
                        appending.append(&file.path, file.length(), lines, step)
                    };
                    match of {
                        Some((file, events)) => append(&batch.files[file], &events)?,
                        None => batch.files.iter().try_for_each(|file| append(file, &file.events))?,
                    }
                }
                step.at(Step::Sync)?;
                appending.sync()
            });
            let adding = Adding::new(&writing, run, *indexed)?;
            let mut recording = Recording { writing: &writing, adding, run, indexed: *indexed, files };
            let recorded = recording.all(batches);
            drop(recording);
            // why the files could not be written comes first: the catalog then stopped for that
            let head = appended.join().unwrap_or_else(|panic| resume_unwind(panic))?;
            recorded.map(|committed| (committed, head))
        })?;
        if *indexed {
            writing.clear_intent()?;
        }
        if let Some(head) = head {
            writing.chain_is(&head)?;
        }
        step.at(Step::Record)?;
        writing.commit()?;
        step.at(Step::Recorded)?;
        Ok(committed)
    }

    /// Records which files a batch may append to, after a look at each.
    fn intend(&mut self, batch: &mut ByFile) -> Result<(), Error> {
        if batch.files.is_empty() {
            return Ok(());
        }
        self.steps().at(Step::Intend)?;
        // one transaction: to begin to read costs as much as a whole look
        let writing = self.catalog.write()?;
        batch.find_files(&writing)?;
        for file in &batch.files {
            lines::check(&self.directory, &file.path, file.length())?;
        }
        writing.intend(batch.files.iter().map(|file| (file.path.as_str(), file.length().unwrap_or(0))))?;
        writing.commit()
    }

    /// Remembers, as a part of `run`, that the database has several rows of some events; those of which that is new.
    pub fn duplicates(
        &mut self,
        run: i64,
        mut events: Vec<(OwnedEventId, OwnedRoomId)>,
    ) -> Result<Vec<(OwnedEventId, OwnedRoomId)>, Error> {
        let writing = self.catalog.write()?;
        let mut failed = None;
        events.retain(|(event, _)| {
            writing.duplicate(event.borrowed(), run).unwrap_or_else(|error| {
                failed = Some(error);
                false
            })
        });
        if let Some(error) = failed {
            return Err(error);
        }
        writing.count(run, &Counts { duplicates: events.len() as u64, ..Counts::default() }, 1)?;
        writing.commit()?;
        Ok(events)
    }

    /// Undoes a batch that was not finished: its files get back the lengths they had before it. Files that were being written
    /// anew are as before, or as they were to be.
    pub fn recover(&mut self) -> Result<(), Error> {
        self.recover_rewrite()?;
        let intent = self.catalog.intent()?;
        if intent.is_empty() {
            return Ok(());
        }
        self.steps().at(Step::Recover)?;
        // a commit that failed may be in the catalog's log and come to life at the next start, with the lines that are to be
        // taken away, unless another one takes its place
        let writing = self.catalog.write()?;
        writing.clear_intent()?;
        writing.intend(intent.iter().map(|(path, length)| (path.as_str(), *length)))?;
        writing.commit()?;
        let is_before = self.catalog.is_before_9()?;
        let writing = self.catalog.write()?;
        for (path, length) in &intent {
            if path == EVERY_FILE {
                lines::for_each(&self.directory, |path, _| {
                    if layout::parts(path).is_none() {
                        return Ok(());
                    }
                    let committed = catalog::length_by_path(&writing.0, path, is_before)?;
                    lines::truncate(&self.directory, path, committed.unwrap_or(0))
                })?;
            } else {
                lines::truncate(&self.directory, path, *length)?;
            }
        }
        writing.clear_intent()?;
        writing.commit()
    }
}

/// A batch and the files that its events belong to.
struct ByFile {
    batch: Batch,
    files: Vec<FileOf>,
}

/// A file that events of a batch belong to.
struct FileOf {
    path: String,
    day: String,
    /// None: it is new.
    known: Option<catalog::LinesFile>,
    /// Which of the batch's.
    events: Vec<usize>,
}

impl From<Batch> for ByFile {
    fn from(batch: Batch) -> ByFile {
        let mut days: HashMap<(RoomId<'_>, Day), Vec<usize>, RandomState> = HashMap::default();
        for (at, (event, _)) in batch.events.iter().enumerate() {
            days.entry((event.room(), event.day)).or_default().push(at);
        }
        let file = |((room, day), events): ((RoomId<'_>, Day), Vec<usize>)| FileOf {
            path: layout::day_file(&room, day),
            day: day.to_string(),
            known: None,
            events,
        };
        let mut files: Vec<FileOf> = days.into_iter().map(file).collect();
        files.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        ByFile { batch, files }
    }
}

impl FileOf {
    /// Its committed length, none for a new one.
    fn length(&self) -> Option<u64> {
        self.known.map(|known| known.bytes)
    }
}

impl ByFile {
    fn find_files(&mut self, writing: &Writing<'_>) -> Result<(), Error> {
        for file in &mut self.files {
            file.known = catalog::file(&writing.0, &file.path)?;
        }
        Ok(())
    }
}

/// The first redaction that names an event, of those in a batch, by the event's id.
fn redactions(events: &[BatchEvent]) -> HashMap<EventId<'_>, &Event, RandomState> {
    let mut redactions: HashMap<EventId<'_>, &Event, RandomState> = HashMap::default();
    for (event, _) in events {
        if let Some(target) = &event.redacts {
            let first = redactions.entry(target.borrowed()).or_insert(event);
            if event.precedes(first) {
                *first = event;
            }
        }
    }
    redactions
}

/// Sets what follows from events that are new, or of which something is, and whether clients see them or saw them once: which
/// redactions are in effect, and what is stale. What is redacted, and no event of the archive, by room.
pub(super) fn follow<'e>(
    mut new: Vec<(&'e Event, bool)>,
    stale: &mut Stale,
    writing: &Writing<'_>,
) -> Result<BTreeMap<RoomId<'e>, Vec<EventId<'e>>>, Error> {
    // in the order of the indexes, so that what is looked up lies together
    new.sort_unstable_by_key(|(event, _)| &event.event_id);
    // events whose effective redaction may have changed, and the room where
    let mut redacted = BTreeSet::new();
    for (event, _) in &new {
        redacted.extend(event.redacts.as_ref().map(|target| (target.borrowed(), event.room())));
        if writing.is_redacted(event)? {
            redacted.insert((event.id(), event.room()));
        }
    }
    let mut outliers: BTreeMap<RoomId<'_>, Vec<EventId<'_>>> = BTreeMap::new();
    for (event, room) in redacted {
        if !writing.redact(event)? {
            outliers.entry(room).or_default().push(event);
        }
    }
    for (event, seen) in new {
        stale.add(event, seen, writing)?;
    }
    Ok(outliers)
}

/// An order to append lines of a batch.
struct Append {
    batch: Arc<ByFile>,
    /// Those of some events of one of its files; none: all.
    of: Option<(usize, Vec<usize>)>,
}

/// Adds batches to the catalog, and orders their lines to be written.
struct Recording<'w> {
    writing: &'w Writing<'w>,
    adding: Adding<'w>,
    run: i64,
    indexed: bool,
    files: mpsc::SyncSender<Append>,
}

impl Recording<'_> {
    /// Ends early when lines cannot be written; who should have written them says why.
    fn all(&mut self, batches: impl Iterator<Item = ByFile>) -> Result<Committed, Error> {
        let mut committed = Committed::default();
        for mut batch in batches {
            if !self.indexed {
                batch.find_files(self.writing)?;
            }
            let batch = Arc::new(batch);
            // while nothing is looked up all is new, so that it can be written meanwhile
            if !self.indexed && !self.append(&batch, None) {
                break;
            }
            let recorded = self.batch(&batch)?;
            self.writing.count(self.run, &recorded.counts, 1)?;
            committed += recorded;
        }
        Ok(committed)
    }

    /// False: lines cannot be written any more.
    fn append(&self, batch: &Arc<ByFile>, of: Option<(usize, Vec<usize>)>) -> bool {
        self.files.send(Append { batch: Arc::clone(batch), of }).is_ok()
    }

    /// Adds a batch; unless that was done before, has the lines of what is new appended.
    fn batch(&mut self, batch: &Arc<ByFile>) -> Result<Committed, Error> {
        let writing = self.writing;
        let ByFile { batch: Batch { events, states, .. }, files } = &**batch;
        let mut committed = Committed::default();
        let is_any_waiting = writing.is_any_waiting()?;
        let (mut new, mut renamed, mut stale) = (Vec::new(), Vec::new(), Stale::default());
        // without indexes what can be told of redactions is told at once, so that few events are written again with indexes
        let redactions = if self.indexed { HashMap::default() } else { redactions(events) };
        for (nth, FileOf { day, known, events: of_file, .. }) in files.iter().enumerate() {
            let mut lines = Vec::new();
            let file = known.map_or_else(|| self.adding.next_file(), |known| known.number);
            let mut bytes = known.map_or(0, |known| known.bytes);
            let mut is_recorded = known.is_some();
            for &at in of_file {
                let (event, late) = &events[at];
                let redacted_by = redactions.get(&event.id()).filter(|redaction| event.is_redacted_by(redaction));
                let is_new = !self.indexed || !writing.has_event(event.id())?;
                if is_new {
                    // what looks events up joins their files
                    if self.indexed && !is_recorded {
                        self.adding.new_file(day, 0, 0, event)?;
                        is_recorded = true;
                    }
                    self.adding.add(event, file, bytes, redacted_by.map(|redaction| redaction.id()))?;
                    lines.push(at);
                    bytes += event.line.len() as u64 + 1;
                    committed.add(event, *late);
                    if is_any_waiting {
                        writing.wait_no_longer(event.id())?;
                    }
                    if self.indexed {
                        new.push((&**event, event.is_accepted()));
                        // it may have been seen as an outlier, before it was soft-failed
                        if !event.is_accepted() && writing.forget_name(event, event.origin_server_ts)? {
                            renamed.push(event);
                        }
                    }
                } else {
                    committed.counts.known += 1;
                    if let Some(archived) = writing.stream_ordering(event.id())?
                        && archived != event.stream_ordering
                    {
                        committed.elsewhere.push((event.id().owned(), event.room().owned(), archived));
                    }
                    if writing.complete(event)? {
                        stale.day(event.room(), day);
                        new.push((&**event, true));
                    }
                }
            }
            let Some(&first) = lines.first() else { continue };
            let (first, added) = (&events[first].0, lines.len() as u64);
            if is_recorded {
                self.adding.grown_file(file, bytes, added, first)?;
            } else {
                self.adding.new_file(day, bytes, added, first)?;
            }
            committed.files += u64::from(known.map(|known| known.run) != Some(self.run));
            if self.indexed {
                writing.file_is_stale(file)?;
                if known.is_none() {
                    stale.neighbours(first.room(), day, writing)?;
                }
                self.append(batch, Some((nth, lines)));
            }
        }
        for (event, _) in events.iter().filter(|(event, _)| event.duplicate) {
            if writing.duplicate(event.id(), self.run)? {
                committed.counts.duplicates += 1;
                committed.duplicates.push((event.id().owned(), event.room().owned()));
            }
        }
        let mut outliers = follow(new, &mut stale, writing)?;
        for event in renamed {
            stale.name_of(event);
        }
        for state in states {
            if writing.add_name(state, self.indexed)? {
                if writing.is_redacted(state)? {
                    outliers.entry(state.room()).or_default().push(state.id());
                }
                stale.name_of(state);
                writing.room_is_stale(&state.room_id)?;
            }
        }
        for (room, events) in outliers {
            writing.redact_outliers(room, &events, &mut stale)?;
        }
        stale.mark(writing)?;
        self.progress(&batch.batch, &mut committed)?;
        Ok(committed)
    }

    /// Records what a batch says beside its events: what waits or is gone, and how far streams and rooms have come.
    fn progress(&self, batch: &Batch, committed: &mut Committed) -> Result<(), Error> {
        let (writing, Batch { missing, gone, advances, caught_up, .. }) = (self.writing, batch);
        for (event, _) in missing {
            writing.wait_for(event, self.run)?;
        }
        for event in gone {
            if let Some(room) = writing.forget_gone(event.borrowed(), self.run)? {
                committed.counts.gone += 1;
                committed.gone.push((event.clone(), room));
            }
        }
        advances.iter().try_for_each(|advance| writing.advance(advance, self.run))?;
        for room in caught_up {
            writing.caught_up(room.borrowed())?;
        }
        Ok(())
    }
}
