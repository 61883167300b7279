//! A room as one document, with all of it in one file: a cover, and then day by day. Keeps nothing up to date.

use std::io::{self, Write};
use std::ops::Range;

use super::Options;
use super::day::{DayBuilder, Memory};
use crate::archive::reading::extent::extent;
use crate::archive::reading::names::{MemberNames, Remembered};
use crate::archive::reading::people::People;
use crate::archive::reading::{Reader, rooms, title};
use crate::archive::{Archive, Error};
use crate::document::block::{Block, Writer as _};
use crate::document::markdown::{self, Markdown};
use crate::document::page::{Cover, Tally};
use crate::document::time::{self, Zone};

/// How many of those who took part are named on the cover.
const NAMED: u32 = 20;

/// What a document is to have.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// Which room.
    pub room_id: &'a str,
    /// Of which time, in milliseconds since the epoch; none: of all.
    pub period: Option<Range<i64>>,
    /// Redacted messages are followed by what they said.
    pub show_redacted: bool,
    /// Of what times are shown.
    pub zone: Zone,
}

/// What a document has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    /// Events that clients saw.
    pub events: u64,
    /// Messages that can be read.
    pub messages: u64,
    /// Days, of UTC.
    pub days: u64,
}

/// Writes what happened in a room, day by day.
pub fn document_days(archive: &Archive, asked: &Asked<'_>, out: &mut dyn Write) -> Result<(Tally, u64), Error> {
    let catalog = archive.catalog();
    archive.interrupt().during(vec![catalog.interrupt_handle()], || write_days(&catalog.reader(), asked, out))
}

fn write_days(reader: &Reader<'_>, asked: &Asked<'_>, out: &mut dyn Write) -> Result<(Tally, u64), Error> {
    let mut options = Options { one_document: true, ..Options::new(asked.show_redacted, asked.zone) };
    let mut memory = Memory::of_people(asked.room_id);
    let mut writer = Markdown::to(&mut *out);
    let (mut all, mut days) = (Tally::default(), 0);
    for day in &rooms::days_of(reader, asked.room_id)? {
        let range = time::range(day);
        if let Some(period) = &asked.period {
            if range.start >= period.end || range.end <= period.start {
                continue;
            }
            options.between = period.clone();
        }
        writer.write(&Block::Day(day)).map_err(Error::Transcript)?;
        let tally = DayBuilder::build(reader, asked.room_id, day, &options, &mut memory, &mut writer)?;
        all.messages += tally.messages;
        all.encrypted += tally.encrypted;
        days += 1;
    }
    let people = memory.remembered.people.take().unwrap_or_default();
    write_people(&people, out).map_err(Error::Transcript)?;
    Ok((all, days))
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

/// Writes what a document begins with, once what its days tell is known; `made` a time in milliseconds since the epoch, `server` the name
/// of the one that it is of.
pub fn document_cover(
    archive: &Archive,
    asked: &Asked<'_>,
    (tally, days): (Tally, u64),
    (made, server): (i64, Option<&str>),
    out: &mut dyn Write,
) -> Result<Told, Error> {
    let (reader, room_id) = (archive.catalog().reader(), asked.room_id);
    let extent = extent(&reader, room_id, asked.period.as_ref(), NAMED)?;
    let (_, version, _) = rooms::kept(&reader, room_id)?;
    let until = asked.period.as_ref().map_or(i64::MAX, |period| period.end);
    let mut remembered = Remembered::default();
    let mut names = MemberNames::new(&reader, room_id, until..until, &mut remembered);
    let person = |user_id: String| Ok((names.shown(Some(&user_id), Some(until))?.name, user_id));
    let people = extent.senders.into_iter().map(person).collect::<Result<Vec<_>, Error>>()?;
    let cover = Cover {
        room_id,
        title: title::now(&reader, room_id)?,
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
        server,
        zone: asked.zone,
    };
    out.write_all(markdown::cover(&cover).as_bytes()).map_err(Error::Transcript)?;
    if reader.decrypts() {
        out.write_all(markdown::ENCRYPTED_HEAD.as_bytes()).map_err(Error::Transcript)?;
    }
    Ok(Told { events: extent.events, messages: tally.messages, days })
}
