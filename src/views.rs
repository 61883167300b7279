//! Views of an archive that people read: each room-day as a document in markdown, and as pages in HTML if these are kept, and the indexes
//! that lead to them.
//!
//! All of it is derived from what the seam (`archive::reading`) tells, so the same events give the same bytes, whenever and in
//! whatever order they came. A file is written beside the one it replaces, renamed over it, and synced; then the catalog forgets
//! that it was stale. So what is cut off is done again. An event that is asked for alone is `shown`, and written to no file. Here is
//! no SQL, and no markup: `document` has the forms.

mod beacon;
mod by_name;
mod calls;
mod comparing;
mod day;
mod elsewhere;
pub(crate) mod facts;
pub(crate) mod found;
mod index;
mod leading;
mod list;
mod missing;
mod pages;
mod person;
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

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Seek as _, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::ScopedJoinHandle;

use crate::archive::reading::{Reader, rooms, title};
use crate::archive::replace::{remove_pages, replace};
use crate::archive::{Archive, Borrowed, Catalog, Error, HtmlPages, StaleDay, durable};
use crate::document::block::{Block, Writer};
use crate::document::html;
use crate::document::markdown::{self, Markdown};
use crate::document::page::{DayHead, Tally};
use crate::document::time::{self, Zone};
pub(crate) use comparing::compare;
use day::{DayBuilder, Memory};
use leading::BesideArchive;
pub use leading::Leads;
pub(crate) use missing::has_transcripts;
pub use missing::{Missing, mark_missing, missing};
use pages::{MOST, Pages};
pub use pages::{MOST_OF_ANY, Split};
pub use person::{person_cover, person_days, room_part};
pub use whole::{
    DocumentCounts, DocumentFormat, DocumentRequest, Files, NewDirectory, Writes, document_cover, document_days,
    document_end, document_parts,
};
use workers::Workers;

/// The version of what transcripts look like. One more with each change that those are to get which are rendered already.
const RENDERING: i64 = 1;
/// How many room-days, or rooms' indexes, are rendered before the catalog learns of it.
const AT_ONCE: usize = 2_000;
/// How many a thread takes at a time.
const NEIGHBOURS: usize = 25;
/// How much of a day is kept in memory while its counts, which stand at its top, are not known yet. Bytes.
const IN_MEMORY: usize = 256 * 1024;

/// What becomes of a file that is made: its path below the archive, and what writes it.
type Put<'p> =
    dyn Fn(&str, &mut dyn FnMut(&mut (dyn Write + Send)) -> Result<(), Error>) -> Result<(), Error> + Sync + 'p;

/// How events are shown.
#[derive(Clone, Debug)]
struct ShowOptions {
    /// Redacted messages are followed by what they said.
    show_redacted: bool,
    /// All days are in one document, so that links need no file.
    one_document: bool,
    /// Only what this user has sent, and nothing of what others said; none: all.
    only: Option<String>,
    /// Only events of this time, in milliseconds since the epoch.
    between: Range<i64>,
    /// Of what times are shown.
    zone: Zone,
    /// Whether there are pages in HTML beside transcripts.
    html: HtmlPages,
    /// What leads to the archive's files; none: they are not shown.
    to_media: Option<Arc<dyn Leads>>,
}

impl ShowOptions {
    /// As an archive's transcripts and pages are.
    fn of_archive(catalog: &Catalog) -> Result<ShowOptions, Error> {
        let options = ShowOptions::new(catalog.shows_redacted()?, catalog.zone()?);
        Ok(ShowOptions { html: catalog.html()?, to_media: Some(Arc::new(BesideArchive("../../"))), ..options })
    }

    fn new(show_redacted: bool, zone: Zone) -> ShowOptions {
        ShowOptions {
            show_redacted,
            one_document: false,
            only: None,
            between: i64::MIN..i64::MAX,
            zone,
            html: HtmlPages::Never,
            to_media: None,
        }
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

/// Remembers whether there are pages in HTML beside transcripts.
pub fn keep_html(archive: &mut Archive, keep: bool) -> Result<(), Error> {
    if keep && archive.catalog().html()? != HtmlPages::Kept {
        index::is_ours(archive.directory(), list::PAGE)?;
    }
    archive.keep_html(keep)
}

/// Takes away what was made of rooms of which no line is left.
pub fn forget_rooms(archive: &mut Archive) -> Result<(), Error> {
    let directory = archive.directory().to_owned();
    let rooms: BTreeSet<String> = archive.rooms_without_lines()?.into_iter().collect();
    by_name::forget(&directory, &rooms)?;
    for room in rooms {
        let room = format!("rooms/{room}");
        if durable::names(&directory, &room)?.is_empty() {
            continue;
        }
        for name in ["index.md", "index.html", "room.json"] {
            durable::remove(&directory, &format!("{room}/{name}"))?;
        }
        // where somebody else has put something it stays
        let _ = std::fs::remove_dir(directory.join(&room));
    }
    if !archive.catalog().has_events()? {
        durable::remove(&directory, list::TRANSCRIPT.0)?;
        durable::remove(&directory, list::PAGE.0)?;
    }
    Ok(())
}

fn render_into(
    archive: &mut Archive,
    rendered: &mut Rendered,
    progress: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<(), Error> {
    let readers = archive.readers();
    let options = ShowOptions::of_archive(archive.catalog())?;
    let directory = archive.directory().to_owned();
    if !archive.catalog().has_transcripts()? {
        index::is_ours(&directory, list::TRANSCRIPT)?;
        archive.mark_old(RENDERING, Some(0))?;
    }
    // opened before anything is written, so that it learns of every failure since
    let whole = File::open(&directory).map_err(Error::io("open", &directory))?;
    let mut workers = Workers::new(&directory, archive.interrupt().clone());
    let put = |path: &str, write: &mut dyn FnMut(&mut (dyn Write + Send)) -> Result<(), Error>| {
        replace(&directory, path, readers, write)
    };
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
                let (tally, pages) = render_day(&directory, reader, stale, &options, memory, &put)?;
                if options.html != HtmlPages::Never {
                    remove_pages(&directory, stale.stem(), pages)?;
                }
                let borrowed = std::mem::take(&mut memory.remembered.borrowed);
                Ok(DayRendering { stale: stale.clone(), messages: tally.messages, pages, borrowed })
            });
            if let Some(before) = syncing.take() {
                before.finish(archive, rendered)?;
            }
            let days = made?;
            taken += stale.len() as u64;
            goes_on &= !archive.interrupt().is_told();
            let (directory, whole) = (&directory, &whole);
            let paths: Vec<String> = days.iter().flat_map(DayRendering::files).collect();
            syncing = Some(Syncing { days, synced: scope.spawn(move || sync(directory, whole, paths.into_iter())) });
        }
        syncing.map_or(Ok(()), |last| last.finish(archive, rendered))
    })?;
    if !goes_on {
        return archive.interrupt().check();
    }
    archive.check_lock()?;
    index::render(archive, &mut workers, &whole, rendered, &put)
}

/// A room-day that was rendered.
struct DayRendering {
    stale: StaleDay,
    messages: u64,
    /// How many it has in HTML.
    pages: usize,
    /// The names that it borrows.
    borrowed: Borrowed,
}

impl DayRendering {
    /// What was written of it, below the archive.
    fn files(&self) -> impl Iterator<Item = String> {
        std::iter::once(transcript(&self.stale)).chain((1..=self.pages).map(|number| page(&self.stale, number)))
    }
}

/// Room-days that were rendered, while they are written to the disk and the next ones are rendered.
struct Syncing<'s> {
    days: Vec<DayRendering>,
    synced: ScopedJoinHandle<'s, Result<(), Error>>,
}

impl Syncing<'_> {
    /// Tells the catalog of them once they are on the disk.
    fn finish(self, archive: &mut Archive, rendered: &mut Rendered) -> Result<(), Error> {
        self.synced.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        let changes = archive.view_state()?;
        for DayRendering { stale, messages, borrowed, .. } in &self.days {
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

/// A page of a room-day in HTML, below the archive; its number begins with 1.
fn page(stale: &StaleDay, number: usize) -> String {
    html::page_file(stale.stem(), number)
}

/// A transcript, and pages in HTML if there are to be some.
struct Both<'w> {
    transcript: Markdown<'w>,
    pages: Option<&'w mut Pages>,
}

impl Writer for Both<'_> {
    fn write(&mut self, block: &Block<'_>) -> io::Result<()> {
        self.transcript.write(block)?;
        self.pages.as_mut().map_or(Ok(()), |pages| pages.write(block))
    }

    fn is_long(&self) -> bool {
        self.transcript.is_long()
    }
}

/// Renders one room-day; also how many pages it has in HTML.
fn render_day(
    archive: &Path,
    reader: &Reader<'_>,
    stale: &StaleDay,
    options: &ShowOptions,
    memory: &mut Memory,
    put: &Put<'_>,
) -> Result<(Tally, usize), Error> {
    let transcript = transcript(stale);
    let path = archive.join(&transcript);
    let directory = path.parent().unwrap_or(archive);
    let mut body = tempfile::spooled_tempfile_in(IN_MEMORY, directory);
    let mut pages = (options.html == HtmlPages::Kept).then(|| Pages::new(Split::Messages(MOST), IN_MEMORY, directory));
    let mut write = || {
        let mut out = BufWriter::new(&mut body);
        let mut writer = Both { transcript: Markdown::to(&mut out), pages: pages.as_mut() };
        let tally = DayBuilder::build(reader, &stale.room_id, stale.day(), options, memory, &mut writer)?;
        out.flush().map_err(Error::Transcript)?;
        Ok(tally)
    };
    let tally = write().map_err(|error| match error {
        Error::Transcript(source) => Error::io("write", &path)(source),
        error => error,
    })?;
    let about = day_head(reader, stale, tally, options.zone, memory)?;
    let head = markdown::day_head(&about);
    body.rewind().map_err(Error::io("write", &path))?;
    put(&transcript, &mut |file| {
        let copied = file.write_all(head.as_bytes()).and_then(|()| io::copy(&mut body, file));
        copied.map(drop).map_err(Error::Transcript)
    })?;
    let pages = match pages {
        Some(pages) => write_pages(archive, stale, &about, pages, put)?,
        None => 0,
    };
    Ok((tally, pages))
}

/// Writes the pages of a room-day; how many.
fn write_pages(
    archive: &Path,
    stale: &StaleDay,
    about: &DayHead<'_>,
    pages: Pages,
    put: &Put<'_>,
) -> Result<usize, Error> {
    let mut pages = pages.finish().map_err(Error::io("write", &archive.join(page(stale, 1))))?;
    let count = pages.pages().len();
    let file_of = |number: usize| html::page_file(about.day, number + 1);
    for number in 0..count {
        let head = html::day_head(about, number + 1, count);
        put(&page(stale, number + 1), &mut |file| {
            file.write_all(head.as_bytes()).map_err(Error::Transcript)?;
            pages.copy(number, &file_of, file)?;
            if number == 0 {
                pages.write_places(&file_of, file)?;
            }
            file.write_all(html::end().as_bytes()).map_err(Error::Transcript)
        })?;
    }
    Ok(count)
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
