//! Parts as rows: which table a part is of, what its columns are, and the thread that reads it from the archive while another one
//! writes. The same for every output, and knows no format.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::Error;
use crate::archive::outputs::{MEMBERS, ROOMS};
use crate::archive::reading::Reader;
use crate::archive::reading::outward::{self, Including, Outward};
use crate::archive::{self, Archive, Catalog, Interrupt, Output};
use crate::event::{Day, RoomId, Verdict};
use crate::views::facts::facts;

/// The version of the tables' columns and of what they mean.
pub(super) const SCHEMA: &str = "2";
/// How many rows, or bytes of them, are sent from thread to thread at once.
pub(super) const ROWS: usize = 100_000;
pub(super) const BYTES: usize = 16 * 1024 * 1024;

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutputTable {
    Events,
    Rooms,
    Members,
}

impl OutputTable {
    /// That of a part.
    pub(super) fn of(part: &str) -> OutputTable {
        match part {
            ROOMS => OutputTable::Rooms,
            MEMBERS => OutputTable::Members,
            _ => OutputTable::Events,
        }
    }

    /// Its columns, in the order in which the values of a row stand.
    pub(super) fn columns(self) -> &'static [&'static str] {
        match self {
            OutputTable::Events => &[
                "event_id",
                "room_id",
                "type",
                "state_key",
                "sender",
                "origin_server_ts",
                "origin_server_ts_sent",
                "received_ts",
                "stream_ordering",
                "depth",
                "relates_to",
                "rel_type",
                "replies_to",
                "redacts",
                "redacted_by",
                "edited_by",
                "censored",
                "soft_failed",
                "rejected",
                "outlier",
                "damaged",
                "decrypted",
                "verdict",
                "body",
                "content",
            ],
            OutputTable::Rooms => &[
                "room_id",
                "name",
                "alias",
                "aliases",
                "topic",
                "type",
                "room_version",
                "encryption",
                "creator",
                "predecessor",
            ],
            OutputTable::Members => {
                &["room_id", "user_id", "membership", "displayname", "origin_server_ts", "event_id"]
            }
        }
    }
}

/// The day of a part, if it is one; none: it is no day, or no certain one.
pub(super) fn day(part: &str) -> Option<&str> {
    (Day::is_name(part) && part != "undated").then_some(part)
}

/// A value of a row.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Text(Option<&'a str>),
    /// Of JSON, as it was sent.
    Json(Option<&'a str>),
    Number(Option<i64>),
    /// Milliseconds since the epoch, in the years that all readers know.
    Time(Option<i64>),
    Flag(bool),
}

/// A time: null where the archive calls an event undated, which not all readers can tell.
fn time(at: Option<i64>) -> Value<'static> {
    const YEAR_10000: i64 = 253_402_300_800_000;
    Value::Time(at.filter(|at| (0..YEAR_10000).contains(at)))
}

/// Rows that go from thread to thread together, in the form that is written of them.
pub(super) trait Group: Send {
    /// None yet of a part.
    fn of(part: &str) -> Self;
    /// Adds a row. All have as many values, of the same kinds.
    fn add(&mut self, row: &[Value<'_>]);
    /// How many there are.
    fn count(&self) -> usize;
    /// Whether they are enough to be sent: see [`ROWS`] and [`BYTES`].
    fn is_full(&self) -> bool;
}

/// What the thread that reads tells the other.
pub(super) enum Piece<G> {
    /// A part begins.
    Part(String),
    /// Rows of it.
    Rows(G),
    /// It ends.
    End,
}

/// Reads parts in a thread of their own, while `write` takes their pieces; fewer, if reading fails.
pub(super) fn read<G: Group, T>(
    archive: &Archive,
    output: &Output,
    parts: &[String],
    write: impl FnOnce(&Receiver<Piece<G>>) -> Result<T, Error>,
) -> Result<T, Error> {
    let reading = ReadingThread {
        archive: archive.directory().to_owned(),
        interrupt: archive.interrupt().clone(),
        with: Including {
            redacted: output.with_redacted,
            rejected: output.with_rejected,
            decrypted: output.with_decrypted,
            verdicts: output.with_verdicts,
        },
    };
    let (send, pieces) = sync_channel(0);
    let (read, written) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| reading.read(parts, send));
        let written = write(&pieces);
        // where that has failed, the other one learns of it
        drop(pieces);
        (reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), written)
    });
    // who writes knows only that there is no more to read
    read.map_err(Error::from).and(written)
}

/// The thread that reads.
struct ReadingThread {
    archive: PathBuf,
    interrupt: Interrupt,
    with: Including,
}

/// The other one has failed, and says why.
fn is_over<T>(_: T) -> archive::Error {
    archive::Error::Transcript(io::ErrorKind::BrokenPipe.into())
}

impl ReadingThread {
    /// Sends the rows of parts.
    fn read<G: Group>(&self, parts: &[String], send: SyncSender<Piece<G>>) -> Result<(), archive::Error> {
        let read = self.read_each(parts, &send);
        drop(send);
        match read {
            Err(archive::Error::Transcript(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            read => read,
        }
    }

    fn read_each<G: Group>(&self, parts: &[String], send: &SyncSender<Piece<G>>) -> Result<(), archive::Error> {
        let mut catalog = Catalog::open_to_render(&self.archive)?;
        let handles = vec![catalog.interrupt_handle()];
        self.interrupt.during(handles, || {
            catalog.read(|reader| {
                for part in parts {
                    send.send(Piece::Part(part.clone())).map_err(is_over)?;
                    let mut sending = Sending { part, rows: G::of(part), send, interrupt: &self.interrupt };
                    match OutputTable::of(part) {
                        OutputTable::Events => self.events(reader, part, &mut sending)?,
                        OutputTable::Rooms => rooms(reader, &mut sending)?,
                        OutputTable::Members => self.members(reader, &mut sending)?,
                    }
                    sending.end()?;
                }
                Ok(())
            })
        })
    }

    fn events<G: Group>(&self, reader: &Reader<'_>, day: &str, to: &mut Sending<'_, G>) -> Result<(), archive::Error> {
        outward::rooms_of_day(reader, day)?.iter().try_for_each(|room_id| {
            outward::each_of_day(reader, RoomId::of(room_id), day, self.with, &mut |event| {
                to.add(&of_event(room_id, event))
            })
        })
    }

    fn members<G: Group>(&self, reader: &Reader<'_>, to: &mut Sending<'_, G>) -> Result<(), archive::Error> {
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

/// The columns of an event.
fn of_event<'a>(room_id: &'a str, outward: &'a Outward) -> [Value<'a>; 25] {
    let Outward {
        event,
        body,
        edited_by,
        received_ts,
        stream_ordering,
        soft_failed,
        rejected,
        outlier,
        damaged,
        verdict,
    } = outward;
    let decrypted = event.encrypted.map(|how| if how.authenticated { "authenticated" } else { "unauthenticated" });
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
        Value::Text(decrypted),
        Value::Text(verdict.map(Verdict::name)),
        Value::Text(body.as_deref()),
        Value::Json(event.content.as_deref()),
    ]
}

/// The rooms.
fn rooms<G: Group>(reader: &Reader<'_>, to: &mut Sending<'_, G>) -> Result<(), archive::Error> {
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
struct Sending<'s, G> {
    part: &'s str,
    rows: G,
    send: &'s SyncSender<Piece<G>>,
    interrupt: &'s Interrupt,
}

impl<G: Group> Sending<'_, G> {
    fn add(&mut self, row: &[Value<'_>]) -> Result<(), archive::Error> {
        self.rows.add(row);
        if self.rows.is_full() { self.pass_on() } else { Ok(()) }
    }

    fn pass_on(&mut self) -> Result<(), archive::Error> {
        self.interrupt.check()?;
        let rows = std::mem::replace(&mut self.rows, G::of(self.part));
        if rows.count() == 0 { Ok(()) } else { self.send.send(Piece::Rows(rows)).map_err(is_over) }
    }

    fn end(mut self) -> Result<(), archive::Error> {
        self.pass_on()?;
        self.send.send(Piece::End).map_err(is_over)
    }
}
