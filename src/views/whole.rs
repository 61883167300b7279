//! A room as one document: a cover, and then day by day, in one file, or cut into several. Keeps nothing up to date.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use super::day::{DayBuilder, Memory};
use super::pages::{Pages, Split, WrittenPage};
use super::{IN_MEMORY, Leads, ShowOptions};
use crate::archive::reading::extent::extent;
use crate::archive::reading::names::{MemberNames, Remembered};
use crate::archive::reading::people::People;
use crate::archive::reading::{Reader, rooms, sources, title};
use crate::archive::{Catalog, Error};
use crate::document::block::{Block, Writer};
use crate::document::html::{self, Html};
use crate::document::markdown::{self, Markdown};
use crate::document::page::{Cover, MadeOf, Tally};
use crate::document::time::{self, Zone};
use crate::event::{RoomId, UserId};

/// How many of those who took part are named on the cover.
const NAMED: u32 = 20;

/// What a document looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentFormat {
    /// As text that people read and write.
    Markdown,
    /// As a page.
    Html,
}

/// What a document is to have.
#[derive(Clone, Debug)]
pub struct DocumentRequest<'a> {
    /// Which room.
    pub room: RoomId<'a>,
    /// Of which time, in milliseconds since the epoch; none: of all.
    pub period: Option<Range<i64>>,
    /// Only what this user has sent, and nothing of what others said; none: all.
    pub sender: Option<UserId<'a>>,
    /// Redacted messages are followed by what they said.
    pub show_redacted: bool,
    /// Of what times are shown.
    pub zone: Zone,
    /// What leads from the document to the files of the archive; none: they are not shown.
    pub to_media: Option<Arc<dyn Leads>>,
}

/// What a document has.
#[derive(Clone, Copy, Debug, Default)]
pub struct DocumentCounts {
    /// Events that clients saw.
    pub events: u64,
    /// Messages that can be read.
    pub messages: u64,
    /// Days, of UTC.
    pub days: u64,
}

/// Where a document of several files is written to.
pub trait Files {
    /// Makes the next file, which `write` writes.
    fn add(&mut self, name: &str, write: Writes<'_>) -> Result<(), Error>;
}

/// Writes a file.
pub type Writes<'w> = &'w mut dyn FnMut(&mut dyn Write) -> Result<(), Error>;

/// Writes what happened in a room, day by day; also what is told of it, and how many days there are.
pub fn document_days(
    catalog: &Catalog,
    asked: &DocumentRequest<'_>,
    form: DocumentFormat,
    out: &mut dyn Write,
) -> Result<(Tally, u64), Error> {
    let reader = catalog.reader();
    match form {
        DocumentFormat::Markdown => {
            let (told, people) = write_days(&reader, asked, &mut Markdown::to(&mut *out))?;
            write_people(&people, out).map_err(Error::Transcript)?;
            Ok(told)
        }
        DocumentFormat::Html => {
            let mut html = Html::to(&mut *out);
            let (told, people) = write_days(&reader, asked, &mut html)?;
            html.end().and_then(|()| write_people_page(&people, out)).map_err(Error::Transcript)?;
            Ok(told)
        }
    }
}

fn write_days(
    reader: &Reader<'_>,
    asked: &DocumentRequest<'_>,
    out: &mut dyn Writer,
) -> Result<((Tally, u64), People), Error> {
    let only = asked.sender.map(|sender| sender.to_string());
    let to_media = asked.to_media.clone();
    let mut options =
        ShowOptions { one_document: true, only, to_media, ..ShowOptions::new(asked.show_redacted, asked.zone) };
    if let Some(period) = &asked.period {
        options.between = period.clone();
    }
    // what others are called is nobody's business where what they said is left out
    let mut memory = if asked.sender.is_some() { Memory::default() } else { Memory::of_people(&asked.room) };
    let (mut all, mut days) = (Tally::default(), 0);
    for day in &sources::days(reader, asked.room, asked.period.as_ref(), asked.sender)? {
        out.write(&Block::Day(day)).map_err(Error::Transcript)?;
        let tally = DayBuilder::build(reader, &asked.room, day, &options, &mut memory, out)?;
        all.messages += tally.messages;
        all.encrypted += tally.encrypted;
        days += 1;
    }
    Ok(((all, days), memory.remembered.people.take().unwrap_or_default()))
}

/// Writes which Matrix id each name is that was shown.
fn write_people(people: &People, out: &mut dyn Write) -> io::Result<()> {
    let mut head = markdown::people_head().trim_start();
    for person in people.named() {
        out.write_all(std::mem::take(&mut head).as_bytes())?;
        out.write_all(markdown::person_line(person).as_bytes())?;
    }
    if people.more { out.write_all(markdown::people_end().as_bytes()) } else { Ok(()) }
}

fn write_people_page(people: &People, out: &mut dyn Write) -> io::Result<()> {
    let mut any = false;
    for person in people.named() {
        let head = if any { "" } else { html::people_head() };
        any = true;
        out.write_all(head.as_bytes())?;
        out.write_all(html::person_line(person).as_bytes())?;
    }
    if any { out.write_all(html::people_end(people.more).as_bytes()) } else { Ok(()) }
}

/// Writes what a document begins with, once what its days tell is known; `made` a time in milliseconds since the epoch, and what it is
/// made of.
pub fn document_cover(
    catalog: &Catalog,
    asked: &DocumentRequest<'_>,
    form: DocumentFormat,
    (tally, days): (Tally, u64),
    made: (i64, &MadeOf),
    out: &mut dyn Write,
) -> Result<DocumentCounts, Error> {
    let reader = catalog.reader();
    let cover = cover(&reader, asked, tally, made)?;
    let text = match form {
        DocumentFormat::Markdown if reader.decrypts() => markdown::cover(&cover) + markdown::ENCRYPTED_HEAD,
        DocumentFormat::Markdown => markdown::cover(&cover),
        DocumentFormat::Html => html::cover(&cover, reader.decrypts(), &[]),
    };
    out.write_all(text.as_bytes()).map_err(Error::Transcript)?;
    Ok(DocumentCounts { events: cover.events, messages: tally.messages, days })
}

/// Writes what a document ends with.
pub fn document_end(form: DocumentFormat, out: &mut dyn Write) -> Result<(), Error> {
    match form {
        DocumentFormat::Markdown => Ok(()),
        DocumentFormat::Html => out.write_all(html::end().as_bytes()).map_err(Error::Transcript),
    }
}

fn cover<'a>(
    reader: &Reader<'_>,
    asked: &DocumentRequest<'a>,
    tally: Tally,
    (made, made_of): (i64, &'a MadeOf),
) -> Result<Cover<'a>, Error> {
    let room_id = asked.room.as_str();
    let extent = extent(reader, asked.room, asked.period.as_ref(), asked.sender, NAMED)?;
    let (_, version, _) = rooms::kept(reader, room_id)?;
    let until = asked.period.as_ref().map_or(i64::MAX, |period| period.end);
    let mut remembered = Remembered::default();
    let mut names = MemberNames::new(reader, room_id, until..until, &mut remembered);
    let person = |user_id: String| Ok((names.shown(Some(&user_id), Some(until))?.name, user_id));
    let people = extent.senders.into_iter().map(person).collect::<Result<Vec<_>, Error>>()?;
    Ok(Cover {
        room_id,
        title: title::now(reader, room_id)?,
        version,
        period: asked.period.clone(),
        span: extent.span,
        more_people: extent.all_senders - people.len() as u64,
        people,
        events: extent.events,
        tally,
        redacted: extent.redacted,
        shows_redacted: asked.show_redacted,
        unseen: extent.unseen,
        damaged: extent.damaged,
        made,
        made_of,
        zone: asked.zone,
    })
}

/// Writes a document as several pages: `index.html`, the cover, and what it leads to. They are in a temporary file in the directory `spool`
/// until all is known.
pub fn document_parts(
    catalog: &Catalog,
    asked: &DocumentRequest<'_>,
    split: Split,
    made: (i64, &MadeOf),
    spool: &Path,
    files: &mut dyn Files,
) -> Result<(DocumentCounts, Tally), Error> {
    let reader = &catalog.reader();
    let mut pages = Pages::new(split, IN_MEMORY, spool);
    let ((tally, days), people) = write_days(reader, asked, &mut pages)?;
    let mut pages = pages.finish().map_err(Error::Transcript)?;
    let parts = parts(split, pages.pages());
    let file_of = |number: usize| parts.get(number).map(|(file, _)| file.clone()).unwrap_or_default();
    let cover = cover(reader, asked, tally, made)?;
    files.add("index.html", &mut |out| {
        let head = html::cover(&cover, reader.decrypts(), &parts);
        out.write_all(head.as_bytes()).and_then(|()| write_people_page(&people, out)).map_err(Error::Transcript)?;
        document_end(DocumentFormat::Html, out)
    })?;
    for (number, (file, _)) in parts.iter().enumerate() {
        files.add(file, &mut |out| {
            let head = html::part_head(&cover.title, &parts, number);
            out.write_all(head.as_bytes()).map_err(Error::Transcript)?;
            pages.copy(number, &file_of, out)?;
            document_end(DocumentFormat::Html, out)
        })?;
    }
    Ok((DocumentCounts { events: cover.events, messages: tally.messages, days }, tally))
}

/// The file of each part, and what it is called. What is too large for one page goes on in `2026-11-22.2.html`.
fn parts(split: Split, pages: &[WrittenPage]) -> Vec<(String, String)> {
    let mut parts: Vec<(String, String)> = Vec::new();
    let (mut last, mut same) = (String::new(), 0);
    for (number, page) in pages.iter().enumerate() {
        let day = page.day.as_deref().unwrap_or_default();
        let (name, label) = match (split, time::date(day)) {
            (Split::Day, _) => (day.to_owned(), time::long(day)),
            (Split::Month, Some(date)) => (date.format("%Y-%m").to_string(), date.format("%B %Y").to_string()),
            (Split::Month, None) => (day.to_owned(), "No date".to_owned()),
            (Split::Messages(_), _) => {
                ((number + 1).to_string(), format!("part {}, from {}", number + 1, time::long(day)))
            }
        };
        same = if name == last { same + 1 } else { 1 };
        let label = if same > 1 { format!("{label} ({same})") } else { label };
        parts.push((html::page_file(&name, same), label));
        last = name;
    }
    parts
}

/// A directory that is empty; its files only their owner can read.
pub struct NewDirectory<'a>(pub &'a Path);

impl Files for NewDirectory<'_> {
    /// Makes a file, and has it on the disk.
    fn add(&mut self, name: &str, write: Writes<'_>) -> Result<(), Error> {
        let path = &self.0.join(name);
        if let Some(directory) = path.parent().filter(|directory| *directory != self.0) {
            let made = DirBuilder::new().mode(0o700).recursive(true).create(directory);
            made.map_err(Error::io("make the directory", directory))?;
        }
        let make = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file: File = make().map_err(Error::io("create", path))?;
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        let file = out.into_inner().map_err(|error| Error::io("write", path)(error.into_error()))?;
        file.sync_all().map_err(Error::io("sync", path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_parts_have_one_file() {
        let pages = ["2026-11-22", "2026-11-22", "2026-11-30", "undated"]
            .map(|day| WrittenPage { day: Some(day.to_owned()), ..WrittenPage::default() });
        let files = |split| parts(split, &pages).into_iter().map(|(file, _)| file).collect::<Vec<_>>();
        assert_eq!(files(Split::Day), ["2026-11-22.html", "2026-11-22.2.html", "2026-11-30.html", "undated.html"]);
        assert_eq!(files(Split::Month), ["2026-11.html", "2026-11.2.html", "2026-11.3.html", "undated.html"]);
        assert_eq!(files(Split::Messages(1)), ["1.html", "2.html", "3.html", "4.html"]);
    }
}
