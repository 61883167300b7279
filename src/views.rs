//! Views of an archive that people read: each room-day as a document in markdown, and the indexes that lead to them.
//!
//! All of it is derived from what the seam (`archive::reading`) tells, so the same events give the same bytes, whenever and in
//! whatever order they came. A file is written beside the one it replaces, renamed over it, and synced; then the catalog forgets
//! that it was stale. So what is cut off is done again. An event that is asked for alone is `shown`, and written to no file. Here is
//! no SQL, and no markup: `document` has the forms.

mod beacon;
mod by_name;
mod calls;
mod day;
mod elsewhere;
pub(crate) mod facts;
pub(crate) mod found;
mod index;
mod missing;
mod phrases;
mod poll;
mod quotes;
mod relations;
mod rules;
mod said;
mod scene;
mod settings;
pub(crate) mod shown;
mod telling;
mod whole;
mod withheld;
mod workers;

use std::fs::File;
use std::io::{self, BufWriter, Seek as _, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::thread::ScopedJoinHandle;

use crate::archive::reading::{Reader, rooms, title};
use crate::archive::replace::replace;
use crate::archive::{Archive, Borrowed, Error, Readers, StaleDay, durable};
use crate::document::markdown::{self, Markdown};
use crate::document::page::{DayHead, Tally};
use crate::document::time::{self, Zone};
use day::{DayBuilder, Memory};
pub use missing::{Missing, mark_missing, missing};
pub use whole::{Asked, Told, document_cover, document_days};
use workers::Workers;

/// The version of what transcripts look like. One more with each change that those are to get which are rendered already.
const RENDERING: i64 = 1;
/// How many room-days, or rooms' indexes, are rendered before the catalog learns of it.
const AT_ONCE: usize = 2_000;
/// How many a thread takes at a time.
const NEIGHBOURS: usize = 25;
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
    /// Who may read what is rendered.
    readers: Readers,
    /// Of what times are shown.
    zone: Zone,
}

impl Options {
    fn new(show_redacted: bool, zone: Zone) -> Options {
        Options { show_redacted, one_document: false, between: i64::MIN..i64::MAX, readers: Readers::Owner, zone }
    }
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

/// Renders every transcript that is stale, and the indexes. `progress` hears how many room-days are done, and of how many; it
/// ends the work early by returning false.
pub fn render(archive: &mut Archive, progress: &mut dyn FnMut(u64, u64) -> bool) -> Result<Rendered, Error> {
    let mut rendered = Rendered::default();
    if archive.is_indexed() {
        let catalog = archive.catalog().interrupt_handle();
        let interrupt = archive.interrupt().clone();
        match interrupt.during(vec![catalog], || render_into(archive, &mut rendered, progress)) {
            Err(Error::Stopped) => {}
            done => done?,
        }
    }
    Ok(rendered)
}

/// Says that transcripts which an older version of the rendering made have to be rendered anew, `most` at most, others each time;
/// without, all.
pub fn mark_old(archive: &mut Archive, most: Option<usize>) -> Result<usize, Error> {
    if archive.is_indexed() { archive.mark_old(RENDERING, most) } else { Ok(0) }
}

fn render_into(
    archive: &mut Archive,
    rendered: &mut Rendered,
    progress: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<(), Error> {
    let (readers, zone) = (archive.readers(), archive.catalog().zone()?);
    let options = Options { readers, ..Options::new(archive.catalog().shows_redacted()?, zone) };
    let directory = archive.directory().to_owned();
    if !archive.catalog().has_transcripts()? {
        index::is_ours(&directory)?;
        archive.mark_old(RENDERING, Some(0))?;
    }
    // opened before anything is written, so that it learns of every failure since
    let whole = File::open(&directory).map_err(Error::io("open", &directory))?;
    let mut workers = Workers::new(&directory, archive.interrupt().clone());
    let all = archive.catalog().order_stale_days()?;
    let (mut taken, mut goes_on) = (0, true);
    std::thread::scope(|scope| {
        let mut syncing: Option<Syncing<'_>> = None;
        while taken < all && goes_on {
            archive.check_lock()?;
            let stale = archive.catalog().stale_days(taken, AT_ONCE)?;
            let mut tell = |done: usize| {
                goes_on = progress(taken + done as u64, all);
                goes_on
            };
            let made = workers.each(&stale, NEIGHBOURS, &mut tell, &|reader, memory, stale| {
                let tally = render_day(&directory, reader, stale, &options, memory)?;
                Ok((stale.clone(), tally.messages, std::mem::take(&mut memory.remembered.borrowed)))
            });
            if let Some(before) = syncing.take() {
                before.finish(archive, rendered)?;
            }
            let days = made?;
            taken += stale.len() as u64;
            goes_on &= !archive.interrupt().is_told();
            let (directory, whole) = (&directory, &whole);
            let paths: Vec<String> = days.iter().map(|(stale, ..)| transcript(stale)).collect();
            syncing = Some(Syncing { days, synced: scope.spawn(move || sync(directory, whole, paths.into_iter())) });
        }
        syncing.map_or(Ok(()), |last| last.finish(archive, rendered))
    })?;
    if !goes_on {
        return archive.interrupt().check();
    }
    archive.check_lock()?;
    index::render(archive, &mut workers, &whole, rendered)
}

/// Room-days that were rendered, with how many messages they have and which names they borrow, while they are written to the disk and the next ones are
/// rendered.
struct Syncing<'s> {
    days: Vec<(StaleDay, u64, Borrowed)>,
    synced: ScopedJoinHandle<'s, Result<(), Error>>,
}

impl Syncing<'_> {
    /// Tells the catalog of them once they are on the disk.
    fn finish(self, archive: &mut Archive, rendered: &mut Rendered) -> Result<(), Error> {
        self.synced.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        let changes = archive.view_state()?;
        for (stale, messages, borrowed) in &self.days {
            changes.day_is_rendered(stale, *messages, borrowed)?;
        }
        changes.commit()?;
        rendered.days += self.days.len() as u64;
        Ok(())
    }
}

/// Returns when files that were made anew are on the disk, and their names.
fn sync(archive: &Path, whole: &File, paths: impl Iterator<Item = String>) -> Result<(), Error> {
    let files: Vec<PathBuf> = paths.map(|path| archive.join(path)).collect();
    let directories = files.iter().filter_map(|file| file.parent()).map(Path::to_owned).collect();
    durable::sync_files(archive, whole, &files, &directories)
}

/// The transcript of a room-day, below the archive.
fn transcript(stale: &StaleDay) -> String {
    format!("{}.md", stale.stem())
}

/// Renders one room-day.
fn render_day(
    archive: &Path,
    reader: &Reader<'_>,
    stale: &StaleDay,
    options: &Options,
    memory: &mut Memory,
) -> Result<Tally, Error> {
    let transcript = transcript(stale);
    let path = archive.join(&transcript);
    let directory = path.parent().unwrap_or(archive);
    let mut body = tempfile::spooled_tempfile_in(IN_MEMORY, directory);
    let mut write = || {
        let mut out = BufWriter::new(&mut body);
        let mut writer = Markdown::to(&mut out);
        let tally = DayBuilder::build(reader, &stale.room_id, stale.day(), options, memory, &mut writer)?;
        out.flush().map_err(Error::Transcript)?;
        Ok(tally)
    };
    let tally = write().map_err(|error| match error {
        Error::Transcript(source) => Error::io("write", &path)(source),
        error => error,
    })?;
    let head = markdown::day_head(&day_head(reader, stale, tally, options.zone, memory)?);
    body.rewind().map_err(Error::io("write", &path))?;
    replace(archive, &transcript, options.readers, &mut |file| {
        let copied = file.write_all(head.as_bytes()).and_then(|()| io::copy(&mut body, file));
        copied.map(drop).map_err(Error::Transcript)
    })?;
    Ok(tally)
}

/// What stands above a day's events.
fn day_head<'a>(
    reader: &Reader<'_>,
    stale: &'a StaleDay,
    tally: Tally,
    zone: Zone,
    memory: &mut Memory,
) -> Result<DayHead<'a>, Error> {
    let (room_id, day, events) = (&*stale.room_id, stale.day(), stale.events);
    let title = title::before(reader, room_id, time::range(day).end, &mut memory.remembered)?;
    let (previous, next) = rooms::neighbours(reader, room_id, day)?;
    Ok(DayHead { room_id, title, day, events, tally, previous, next, zone })
}
