//! The Parquet output: a directory for each day with the events of all rooms, and one each for rooms and members.
//!
//! One thread reads and another packs, so that what one waits for the other uses, and a few row groups are all that is kept in memory. A
//! file is written beside the one that it replaces, and renamed over it; one that would say the same stays.

mod table;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use parquet::file::writer::SerializedFileWriter;
use rustix::fs::AtFlags;
use sha2::{Digest as _, Sha256};

use super::{Error, looking_at};
use crate::archive::outputs::{MEMBERS, ROOMS};
use crate::archive::reading::Reader;
use crate::archive::reading::outward::{self, Outward, With};
use crate::archive::replace::replace;
use crate::archive::{self, Archive, Catalog, Interrupt, Output, OutputFile, Readers, durable, inside};
use crate::event::Day;
use crate::event::hex::digits as hex;
use crate::views::facts::facts;
pub(super) use table::SCHEMA;
use table::{Rows, Table, Value, time};

/// How long a file becomes before another one is begun, in bytes.
const LONGEST: usize = 128 * 1024 * 1024;
/// What the directories of days are called.
const DAY: &str = "day=";
/// What stands there for no day: Hive's null, beside which real days stay days.
const UNDATED: &str = "__HIVE_DEFAULT_PARTITION__";

/// What was made of some parts.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// Their files, each with its part.
    pub(super) files: Vec<(String, OutputFile)>,
    /// How many files were too many.
    pub(super) removed: u64,
}

/// What the one thread tells the other.
enum Piece {
    /// A part begins.
    Part(String),
    /// Rows of it, a row group.
    Rows(Rows),
    /// It ends.
    End,
}

/// The directory and the table of a part.
fn place(part: &str) -> (String, Table) {
    match part {
        ROOMS => (ROOMS.to_owned(), Table::Rooms),
        MEMBERS => (MEMBERS.to_owned(), Table::Members),
        day if Day::is_name(day) && day != "undated" => (format!("events/{DAY}{day}"), Table::Events),
        _ => (format!("events/{DAY}{UNDATED}"), Table::Events),
    }
}

fn file_name(number: usize) -> String {
    format!("part-{number}.parquet")
}

/// Makes parts of an output anew, until they are on the disk. `told` hears how many are done.
pub(super) fn make(
    archive: &Archive,
    output: &Output,
    parts: &[String],
    told: &mut dyn FnMut(u64),
) -> Result<Made, Error> {
    let whole = File::open(&output.parquet).map_err(looking_at(&output.parquet))?;
    let reading = Reading {
        archive: archive.directory().to_owned(),
        interrupt: archive.interrupt().clone(),
        with: With { redacted: output.with_redacted, rejected: output.with_rejected },
    };
    let (send, pieces) = sync_channel(0);
    let (read, made) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| reading.read(parts, send));
        let made = Packing { output, readers: archive.readers() }.pack(&pieces, told);
        // where that has failed, the other one learns of it
        drop(pieces);
        (reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), made)
    });
    // who packs knows only that there is no more to read
    let made = read.map_err(Error::from).and(made)?;
    let directory = &output.parquet;
    let files: Vec<PathBuf> = made.files.iter().map(|(_, file)| directory.join(&file.path)).collect();
    let mut grown: BTreeSet<PathBuf> = [directory.clone()].into();
    for file in &files {
        grown.extend(file.ancestors().skip(1).take_while(|above| *above != directory).map(PathBuf::from));
    }
    durable::sync_files(directory, &whole, &files, &grown)?;
    Ok(made)
}

/// Removes the files of days that the archive has no more; how many.
pub(super) fn sweep(archive: &Archive, output: &Output) -> Result<u64, Error> {
    let mut removed = 0;
    for name in durable::names(&output.parquet, Table::Events.name())? {
        let directory = format!("{}/{name}", Table::Events.name());
        if name.starts_with(DAY)
            && !archive.catalog().has_output_file(&output.name, &format!("{directory}/{}", file_name(0)))?
        {
            removed += remove_from(output, &directory, 0)?;
            let events = inside::directory(&output.parquet, Table::Events.name());
            let events = events.map_err(looking_at(&output.parquet))?;
            // what others have put there stays
            let _ = rustix::fs::unlinkat(events, &*name, AtFlags::REMOVEDIR);
        }
    }
    Ok(removed)
}

/// Removes the files of a directory from one number on; how many.
fn remove_from(output: &Output, directory: &str, first: usize) -> Result<u64, Error> {
    let mut removed = 0;
    for name in durable::names(&output.parquet, directory)? {
        // or what a run has left that was killed
        let own = name.strip_prefix('.').and_then(|name| name.strip_suffix(".new")).unwrap_or(&name);
        let number = own.strip_prefix("part-").and_then(|rest| rest.strip_suffix(".parquet"));
        if number.and_then(|number| number.parse().ok()).is_some_and(|number: usize| number >= first) {
            durable::remove(&output.parquet, &format!("{directory}/{name}"))?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// The thread that reads.
struct Reading {
    archive: PathBuf,
    interrupt: Interrupt,
    with: With,
}

/// The other one has failed, and says why.
fn is_over<T>(_: T) -> archive::Error {
    archive::Error::Transcript(io::ErrorKind::BrokenPipe.into())
}

impl Reading {
    /// Sends the rows of parts.
    fn read(&self, parts: &[String], send: SyncSender<Piece>) -> Result<(), archive::Error> {
        let read = self.read_each(parts, &send);
        drop(send);
        match read {
            Err(archive::Error::Transcript(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            read => read,
        }
    }

    fn read_each(&self, parts: &[String], send: &SyncSender<Piece>) -> Result<(), archive::Error> {
        let mut catalog = Catalog::open_to_render(&self.archive)?;
        let handles = vec![catalog.interrupt_handle()];
        self.interrupt.during(handles, || {
            catalog.read(|reader| {
                for part in parts {
                    send.send(Piece::Part(part.clone())).map_err(is_over)?;
                    let mut sending = Sending { rows: Rows::default(), send, interrupt: &self.interrupt };
                    match place(part).1 {
                        Table::Events => self.events(reader, part, &mut sending)?,
                        Table::Rooms => rooms(reader, &mut sending)?,
                        Table::Members => self.members(reader, &mut sending)?,
                    }
                    sending.end()?;
                }
                Ok(())
            })
        })
    }

    fn events(&self, reader: &Reader<'_>, day: &str, to: &mut Sending<'_>) -> Result<(), archive::Error> {
        outward::rooms_of_day(reader, day)?.iter().try_for_each(|room_id| {
            outward::each_of_day(reader, room_id, day, self.with, &mut |event| to.add(&of_event(room_id, event)))
        })
    }

    fn members(&self, reader: &Reader<'_>, to: &mut Sending<'_>) -> Result<(), archive::Error> {
        outward::each_room(reader, &mut |room_id, _| {
            outward::each_member(reader, room_id, self.with, &mut |member| {
                to.add(&[
                    Value::Text(Some(room_id)),
                    Value::Text(Some(&member.user_id)),
                    Value::Text(Some(&member.membership)),
                    Value::Text(member.displayname.as_deref()),
                    time(Some(member.at)),
                    Value::Text(Some(&member.event_id)),
                ])
            })
        })
    }
}

/// The columns of an event, as `events.schema` has them.
fn of_event<'a>(room_id: &'a str, outward: &'a Outward) -> [Value<'a>; 23] {
    let Outward { event, body, edited_by, received_ts, stream_ordering, soft_failed, rejected, outlier, damaged } =
        outward;
    [
        Value::Text(Some(&event.event_id)),
        Value::Text(Some(room_id)),
        Value::Text(event.kind.as_deref()),
        Value::Text(event.state_key.as_deref()),
        Value::Text(event.sender.as_deref()),
        time(event.at),
        Value::Number(event.at),
        time(*received_ts),
        Value::Number(Some(*stream_ordering)),
        Value::Number(Some(event.depth)),
        Value::Text(event.relates_to.as_deref()),
        Value::Text(event.rel_type.as_deref()),
        Value::Text(event.replies_to.as_deref()),
        Value::Text(event.redacts.as_deref()),
        Value::Text(event.redacted_by.as_deref()),
        Value::Text(edited_by.as_deref()),
        Value::Flag(event.censored),
        Value::Flag(*soft_failed),
        Value::Flag(*rejected),
        Value::Flag(*outlier),
        Value::Flag(*damaged),
        Value::Text(body.as_deref()),
        Value::Text(event.content.as_deref()),
    ]
}

/// The rooms, as `rooms.schema` has them.
fn rooms(reader: &Reader<'_>, to: &mut Sending<'_>) -> Result<(), archive::Error> {
    outward::each_room(reader, &mut |room_id, version| {
        let room = facts(reader, room_id, version)?;
        let aliases = serde_json::Value::from(room.aliases.clone()).to_string();
        to.add(&[
            Value::Text(Some(room_id)),
            Value::Text(Some(&room.name)),
            Value::Text(room.aliases.first().map(String::as_str)),
            Value::Text(Some(&aliases)),
            Value::Text(room.topic.as_deref()),
            Value::Text(room.kind.as_deref()),
            Value::Text(room.version.as_deref()),
            Value::Text(room.encryption.as_deref()),
            Value::Text(room.creator.as_deref()),
            Value::Text(room.predecessor.as_ref().map(|link| &*link.room_id)),
        ])
    })
}

/// Rows of a part on their way.
struct Sending<'s> {
    rows: Rows,
    send: &'s SyncSender<Piece>,
    interrupt: &'s Interrupt,
}

impl Sending<'_> {
    fn add(&mut self, row: &[Value<'_>]) -> Result<(), archive::Error> {
        self.rows.add(row);
        if self.rows.is_full() { self.pass_on() } else { Ok(()) }
    }

    fn pass_on(&mut self) -> Result<(), archive::Error> {
        self.interrupt.check()?;
        let rows = std::mem::take(&mut self.rows);
        if rows.count == 0 { Ok(()) } else { self.send.send(Piece::Rows(rows)).map_err(is_over) }
    }

    fn end(mut self) -> Result<(), archive::Error> {
        self.pass_on()?;
        self.send.send(Piece::End).map_err(is_over)
    }
}

/// The thread that packs.
struct Packing<'a> {
    output: &'a Output,
    readers: Readers,
}

impl Packing<'_> {
    /// Writes the files of parts as their rows come; fewer, if they stop coming.
    fn pack(&self, pieces: &Receiver<Piece>, told: &mut dyn FnMut(u64)) -> Result<Made, Error> {
        let (mut made, mut done) = (Made::default(), 0);
        while let Ok(piece) = pieces.recv() {
            let Piece::Part(part) = piece else { break };
            let (directory, table) = place(&part);
            let mut number = 0;
            while let Ok(Piece::Rows(rows)) = pieces.recv() {
                if number == 0 {
                    let made = inside::make_directory(&self.output.parquet, &directory, self.readers);
                    made.map_err(looking_at(&self.output.parquet))?;
                }
                let path = format!("{directory}/{}", file_name(number));
                let (file, is_last) = self.file(&path, table, rows, pieces)?;
                made.files.push((part.clone(), file));
                number += 1;
                if is_last {
                    break;
                }
            }
            made.removed += remove_from(self.output, &directory, number)?;
            done += 1;
            told(done);
        }
        Ok(made)
    }

    /// Writes a file, beginning with some rows; whether it is the part's last.
    fn file(
        &self,
        path: &str,
        table: Table,
        rows: Rows,
        pieces: &Receiver<Piece>,
    ) -> Result<(OutputFile, bool), Error> {
        let (mut first, mut is_last) = (Some(rows), false);
        let mut file = OutputFile { path: path.to_owned(), rows: 0, bytes: 0, sha256: String::new() };
        replace(&self.output.parquet, path, self.readers, &mut |to| {
            let mut write = || -> Result<(), parquet::errors::ParquetError> {
                let hashing = Hashing { to, hash: Sha256::new(), bytes: 0 };
                let mut writer = SerializedFileWriter::new(hashing, table.schema()?, table.properties()?)?;
                let mut next = first.take();
                while let Some(rows) = next.take() {
                    file.rows += rows.count as u64;
                    rows.write(writer.next_row_group()?)?;
                    if writer.bytes_written() >= LONGEST {
                        break;
                    }
                    match pieces.recv() {
                        Ok(Piece::Rows(rows)) => next = Some(rows),
                        Ok(_) => is_last = true,
                        Err(error) => return Err(parquet::errors::ParquetError::External(Box::new(error))),
                    }
                }
                writer.finish()?;
                writer.flush()?;
                let Hashing { hash, bytes, .. } = writer.inner();
                (file.bytes, file.sha256) = (*bytes, hex(&hash.clone().finalize()));
                Ok(())
            };
            write().map_err(|error| archive::Error::Transcript(io::Error::other(error)))
        })?;
        Ok((file, is_last))
    }
}

/// Passes on what is written, and knows what it was.
struct Hashing<'w> {
    to: &'w mut (dyn Write + Send),
    hash: Sha256,
    bytes: u64,
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
