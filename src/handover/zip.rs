//! A zip of all of it: pages, text and lines, and a manifest that names every file with its hash. Holds neither a page nor a file in
//! memory, and opens no path that a sender has chosen.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use chrono::{DateTime, Datelike as _, Timelike as _};
use serde_json::{Map, Value, json};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::document::cover;
use super::media::Copies;
use super::{Given, Handed, NO_ROOM, lines, writing};
use crate::archive::Error;
use crate::archive::hashed::Hashed;
use crate::document::page::Tally;
use crate::event::{Event, RoomId};
use crate::views::{self, DocumentFormat, DocumentRequest, Files, Split, Writes};

/// Writes a zip to a file that is empty. Pages are cut by `split`, and in a temporary file of the directory `spool` until they are whole.
/// `told` hears how many lines are in it.
pub fn zip(
    given: &Given<'_>,
    split: Split,
    spool: &Path,
    file: &File,
    told: &mut dyn FnMut(u64),
) -> Result<Handed, Error> {
    given.during(|| {
        let (mut zip, copies) = (Zip::new(given, file), Copies::default());
        let mut handed = match given.room() {
            Some(of) => room(given, of, "", split, spool, (&mut zip, &copies), told)?.0,
            None => person(given, split, spool, (&mut zip, &copies), told)?,
        };
        // they are packed by what made them
        zip.options = zip.options.compression_method(CompressionMethod::Stored);
        zip.below.clear();
        handed.lost = copies.copy(given, &mut zip)?;
        zip.options = zip.options.compression_method(CompressionMethod::Deflated);
        zip.manifest(about(given, &handed))?;
        Ok(handed)
    })
}

/// Adds a room: its pages, its text and its lines, below a directory.
fn room(
    given: &Given<'_>,
    of: RoomId<'_>,
    below: &str,
    split: Split,
    spool: &Path,
    (zip, copies): (&mut Zip<'_>, &Copies),
    told: &mut dyn FnMut(u64),
) -> Result<(Handed, Tally), Error> {
    let made = (given.made, &given.made_of);
    let way = copies.from(if below.is_empty() { "" } else { "../" });
    let asked = DocumentRequest { to_media: Some(way), ..given.asked(of) };
    below.clone_into(&mut zip.below);
    // first, since it is from the lines that files have their names
    let (reader, mut of_lines) = (given.catalog.reader(), Handed::default());
    zip.add("events.jsonl", &mut |out| {
        let mut look = |event: &Event| copies.look(&reader, event);
        of_lines = lines::write(given, &[of.owned()], &given.lines(), out, told, &mut look)?;
        Ok(())
    })?;
    let (of_pages, tally) = views::document_parts(given.catalog, &asked, split, made, spool, zip)?;
    zip.add("transcript.md", &mut |out| {
        views::document_cover(given.catalog, &asked, DocumentFormat::Markdown, (tally, of_pages.days), made, out)?;
        views::document_days(given.catalog, &asked, DocumentFormat::Markdown, out).map(drop)
    })?;
    Ok((Handed { messages: of_pages.messages, ..of_lines }, tally))
}

/// Adds what a person has sent, each room in a directory of its own.
fn person(
    given: &Given<'_>,
    split: Split,
    spool: &Path,
    (zip, copies): (&mut Zip<'_>, &Copies),
    told: &mut dyn FnMut(u64),
) -> Result<Handed, Error> {
    let (mut all, mut tally, mut parts) = (Handed::default(), Tally::default(), Vec::new());
    for room_id in &given.rooms {
        given.goes_on()?;
        let (directory, link, name) = views::room_part(given.catalog, room_id)?;
        let before = all.events;
        let (of_room, of_tally) =
            room(given, room_id.borrowed(), &format!("{directory}/"), split, spool, (zip, copies), &mut |lines| {
                told(before + lines);
            })?;
        all.events += of_room.events;
        all.messages += of_room.messages;
        all.days += of_room.days;
        all.unread += of_room.unread;
        tally.messages += of_tally.messages;
        tally.encrypted += of_tally.encrypted;
        parts.push((link, name));
    }
    zip.below.clear();
    zip.add("index.html", &mut |out| {
        cover(given, DocumentFormat::Html, (tally, all.days), &parts, out)?;
        views::document_end(DocumentFormat::Html, out)
    })?;
    zip.add("transcript.md", &mut |out| {
        cover(given, DocumentFormat::Markdown, (tally, all.days), &parts, out)?;
        let asked = DocumentRequest { to_media: Some(copies.from("")), ..given.asked(NO_ROOM) };
        views::person_days(given.catalog, &given.rooms, &asked, DocumentFormat::Markdown, out).map(drop)
    })?;
    Ok(all)
}

/// What is handed on, for programs.
pub(super) fn about(given: &Given<'_>, handed: &Handed) -> Map<String, Value> {
    let of = &given.made_of;
    let time = |at: i64| DateTime::from_timestamp_millis(at).map(|at| at.to_rfc3339());
    let period = given.period.as_ref();
    let verdicts = of.verdicts.as_ref().map(|verdicts| {
        verdicts.iter().map(|(name, number)| ((*name).to_owned(), json!(number))).collect::<Map<_, _>>()
    });
    let about = json!({
        "room_id": given.room(),
        "user_id": given.sender,
        "since": period.filter(|period| period.start != i64::MIN).and_then(|period| time(period.start)),
        "until": period.filter(|period| period.end != i64::MAX).and_then(|period| time(period.end)),
        "with_redacted": given.show_redacted,
        "lines": handed.events,
        "unreadable_lines": handed.unread,
        "lost_files": handed.lost,
        "made": time(given.made),
        "made_by": concat!("synapse-export ", env!("CARGO_PKG_VERSION")),
        "server": of.server,
        "made_from": if of.archived_until.is_some() { "archive" } else { "server" },
        "archived_until": of.archived_until.as_ref().filter(|until| !until.is_empty()),
        "archive_gaps": of.gaps,
        "archive_waits_for": of.waiting,
        "source_files": of.files,
        "source_lines": of.lines,
        "source_bytes": of.bytes,
        "source_sha256": of.sha256,
        "verdicts": verdicts,
    });
    about.as_object().cloned().unwrap_or_default()
}

/// A zip in the making.
struct Zip<'f> {
    to: ZipWriter<BufWriter<&'f File>>,
    options: SimpleFileOptions,
    /// The directory in it that files are added to, with its slash.
    below: String,
    /// What is there by now.
    files: Vec<Value>,
}

impl Zip<'_> {
    fn new<'f>(given: &Given<'_>, file: &'f File) -> Zip<'f> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            // how long a file gets is not known before
            .large_file(true)
            .unix_permissions(0o600)
            .last_modified_time(dos_time(given.made).unwrap_or_default());
        Zip { to: ZipWriter::new(BufWriter::new(file)), options, below: String::new(), files: Vec::new() }
    }

    /// Adds what names all the others, and ends it.
    fn manifest(mut self, mut about: Map<String, Value>) -> Result<(), Error> {
        about.insert("files".to_owned(), Value::Array(std::mem::take(&mut self.files)));
        let text = serde_json::to_vec_pretty(&about).map_err(writing)?;
        self.to.start_file("manifest.json", self.options).map_err(writing)?;
        self.to.write_all(&text).and_then(|()| self.to.write_all(b"\n")).map_err(Error::Transcript)?;
        let mut file = self.to.finish().map_err(writing)?;
        file.flush().map_err(Error::Transcript)
    }
}

impl Files for Zip<'_> {
    fn add(&mut self, name: &str, write: Writes<'_>) -> Result<(), Error> {
        let path = format!("{}{name}", self.below);
        self.to.start_file(&*path, self.options).map_err(writing)?;
        // many small pieces are put together before they are packed
        let mut out = BufWriter::with_capacity(64 * 1024, Hashed::to(&mut self.to));
        write(&mut out)?;
        let hashed = out.into_inner().map_err(|error| Error::Transcript(error.into_error()))?;
        let (bytes, sha256) = hashed.told();
        self.files.push(json!({ "path": path, "bytes": bytes, "sha256": sha256 }));
        Ok(())
    }
}

/// A time as zips have it, of UTC; none: they have no such time.
fn dos_time(at: i64) -> Option<zip::DateTime> {
    let at = DateTime::from_timestamp_millis(at)?;
    let [month, day, hour, minute, second] =
        [at.month(), at.day(), at.hour(), at.minute(), at.second()].map(|part| u8::try_from(part).unwrap_or_default());
    zip::DateTime::from_date_and_time(u16::try_from(at.year()).ok()?, month, day, hour, minute, second).ok()
}
