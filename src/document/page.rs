//! What stands around blocks: what a room is, what a day has, and the lines of indexes. Plain text. Nothing in it is escaped or looked
//! up.

mod told;

use std::ops::Range;

use serde::{Serialize as _, Serializer};

use super::line::{Line, RoomLink};
use super::time::Zone;
pub(super) use told::{rows_of_cover, rows_of_person};

/// What a room is called at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Title {
    /// Its `m.room.name`, else its canonical alias, else what its members are called, else its id.
    pub name: String,
    /// The canonical alias first.
    pub aliases: Vec<String>,
}

/// What a day has to tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages that can be read: no edits, none redacted.
    pub messages: u64,
    /// Encrypted events.
    pub encrypted: u64,
}

/// What stands above a day's blocks.
#[derive(Clone, Debug)]
pub struct DayHead<'a> {
    /// The room's id.
    pub room_id: &'a str,
    /// What it was called at the end of the day.
    pub title: Title,
    /// `2026-11-22`, or `undated`.
    pub day: &'a str,
    /// How many events it has.
    pub events: i64,
    /// What of them is told.
    pub tally: Tally,
    /// The day before that has events.
    pub previous: Option<String>,
    /// The next one.
    pub next: Option<String>,
    /// Of what its times are.
    pub zone: Zone,
}

/// What stands before the days of a room in one document.
#[derive(Clone, Debug)]
pub struct Cover<'a> {
    /// The room's id.
    pub room_id: &'a str,
    /// What it is called.
    pub title: Title,
    /// Its version.
    pub version: Option<String>,
    /// What was asked for, in milliseconds since the epoch; none: all times.
    pub period: Option<Range<i64>>,
    /// When the first and the last event are of, of those found.
    pub span: Option<(i64, i64)>,
    /// Who sent them, who sent the most first: name and id.
    pub people: Vec<(String, String)>,
    /// How many others did.
    pub more_people: u64,
    /// How many events there are.
    pub events: u64,
    /// What of them is told.
    pub tally: Tally,
    /// How many of them are redacted.
    pub redacted: u64,
    /// What these said is shown.
    pub shows_redacted: bool,
    /// How many more there are, which clients did not see.
    pub unseen: u64,
    /// How many cannot be read.
    pub damaged: u64,
    /// When the document is made, in milliseconds since the epoch.
    pub made: i64,
    /// What it is made of.
    pub made_of: &'a MadeOf,
    /// Of what its times are.
    pub zone: Zone,
}

/// What stands before all that one person has sent, room by room.
#[derive(Clone, Debug)]
pub struct PersonCover<'a> {
    /// Who.
    pub user_id: &'a str,
    /// What they are or were called, as far as that is told.
    pub names: Vec<String>,
    /// As on a [`Cover`].
    pub period: Option<Range<i64>>,
    /// In how many rooms.
    pub rooms: u64,
    /// How many events they have sent there.
    pub events: u64,
    /// What of them is told.
    pub tally: Tally,
    /// How many of them are redacted.
    pub redacted: u64,
    /// What these said is shown.
    pub shows_redacted: bool,
    /// How many more there are, which clients did not see.
    pub unseen: u64,
    /// When the document is made, in milliseconds since the epoch.
    pub made: i64,
    /// What it is made of.
    pub made_of: &'a MadeOf,
    /// Of what its times are.
    pub zone: Zone,
}

/// What a document is made of.
#[derive(Clone, Debug, Default)]
pub struct MadeOf {
    /// The server whose events these are.
    pub server: Option<String>,
    /// An archive that is kept, as it was after the run that began then (RFC 3339, or empty where none has come to its end); none: the
    /// server's database.
    pub archived_until: Option<String>,
    /// How many ranges of the archive's streams may still get events.
    pub gaps: u64,
    /// How many events the archive waits for.
    pub waiting: u64,
    /// How many files of lines, one for each day of a room.
    pub files: u64,
    /// Their lines.
    pub lines: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The SHA-256 of these files, one after the other, in hexadecimal digits.
    pub sha256: String,
    /// How many events have which verdict, if that was asked for.
    pub verdicts: Option<Vec<(&'static str, u64)>>,
}

/// What stands above an event that is shown by itself.
#[derive(Clone, Debug)]
pub struct EventHead<'a> {
    /// What its room was called at the end of the day.
    pub title: Title,
    /// `2026-11-22`, or `undated`.
    pub day: &'a str,
    /// What there is to know of it.
    pub lines: Vec<Line>,
    /// Of what its times are.
    pub zone: Zone,
}

/// A part of what is shown with an event.
#[derive(Clone, Copy, Debug)]
pub enum ContextPart {
    /// What stands before it.
    Before,
    /// The event, or what it is told with.
    Itself,
    /// What comes after it.
    After,
}

/// What a room is now; as `room.json` tells it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct RoomFacts {
    /// Its id.
    pub id: String,
    /// Its name, as in [`Title`].
    pub name: String,
    /// Its addresses, as in [`Title`].
    pub aliases: Vec<String>,
    /// Its topic.
    pub topic: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// `m.space`; null: an ordinary room.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The algorithm; null: not encrypted.
    pub encryption: Option<String>,
    /// Who made it.
    pub creator: Option<String>,
    /// The room that it came from.
    #[serde(serialize_with = "id_of")]
    pub predecessor: Option<RoomLink>,
    /// The rooms that it goes on in.
    #[serde(serialize_with = "ids_of")]
    pub successors: Vec<RoomLink>,
}

#[allow(clippy::ref_option, reason = "as serde calls it")]
fn id_of<S: Serializer>(room: &Option<RoomLink>, serializer: S) -> Result<S::Ok, S::Error> {
    room.as_ref().map(|room| &room.room_id).serialize(serializer)
}

fn ids_of<S: Serializer>(rooms: &[RoomLink], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(rooms.iter().map(|room| &room.room_id))
}

/// A name that somebody has or had in a room.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Person {
    /// The display name.
    pub name: String,
    /// Whose it is.
    pub user_id: String,
}

/// A day in the index of a room.
#[derive(Clone, Copy, Debug)]
pub struct DayLine<'a> {
    /// `2026-11-22`, or `undated`.
    pub day: &'a str,
    /// How many messages it has that can be read.
    pub messages: i64,
    /// How many events it has.
    pub events: i64,
}

/// A room in the index of rooms.
#[derive(Clone, Debug)]
pub struct RoomLine {
    /// The room's id.
    pub room_id: String,
    /// What it is called.
    pub name: String,
    /// Another one has a name that looks like it.
    pub shares_name: bool,
    /// Its first address.
    pub alias: Option<String>,
    /// How many messages it has that can be read.
    pub messages: i64,
    /// Its first day that has a date.
    pub first_day: Option<String>,
    /// Its last one.
    pub last_day: Option<String>,
    /// It is a space.
    pub is_space: bool,
    /// What is said in it is encrypted.
    pub is_encrypted: bool,
}
