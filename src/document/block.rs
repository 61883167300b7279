//! What a document is made of: blocks, one after the other.
//!
//! They hold what `line` has, and messages as they are; no markup, nothing escaped, and nothing of what a form looks like.

use std::io;

use super::line::{Address, Anchor, FirstNames, Line, Name, RedactionNote, Span, When};
use super::message::{FileLink, Message};
use super::time::LocalDate;

/// Writes blocks in some form, one by one; nobody holds them all.
pub trait Writer {
    /// Writes what comes next.
    fn write(&mut self, block: &Block<'_>) -> io::Result<()>;

    /// Whether the line of small things is as long as one should be.
    fn is_long(&self) -> bool;
}

/// A part of a document.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one at a time")]
pub enum Block<'a> {
    /// A day begins, in a document of several: `2026-11-22` or `undated`.
    Day(&'a str),
    /// What comes is of another date than what came, or of another offset, where times are shown.
    Date(LocalDate),
    /// Somebody said something.
    Said(Said<'a>),
    /// Somebody said something, which is redacted.
    Redacted(Head, RedactionNote),
    /// What comes until [`Block::Unfolded`] is folded.
    Folded(FoldSummary),
    /// What was said at some time, or is hidden; folded.
    Version(Option<When>, Saying<'a>),
    /// The end of what is folded.
    Unfolded,
    /// What others made of what was said.
    Made(Responses),
    /// A small thing, on a line with those around it.
    Small(Small),
    /// The line of small things ends.
    EndOfSmall,
    /// Messages that could not be read, on a line of their own.
    Unread(Unread),
}

/// Who says something, where and when.
#[derive(Clone, Debug)]
pub struct Head {
    /// The sender's id.
    pub sender: Option<String>,
    /// What the sender was called.
    pub name: Name,
    /// The picture that they had then, if it is at hand.
    pub avatar: Option<FileLink>,
    /// The name stands above already.
    pub goes_on: bool,
    /// Its place.
    pub anchor: Anchor,
    /// When.
    pub at: When,
    /// How it was encrypted, if it was.
    pub encrypted: Option<Encryption>,
}

/// How what somebody said was encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// By a session that is its sender's for certain.
    Authenticated,
    /// By a session that comes from where anybody may have put it.
    NotAuthenticated,
}

/// What somebody said.
#[derive(Clone, Debug)]
pub struct Said<'a> {
    /// Who, where and when.
    pub head: Head,
    /// The beginning of the thread that it is in.
    pub thread: Option<Root>,
    /// What it answers.
    pub quote: Option<Quote>,
    /// What was said.
    pub saying: Saying<'a>,
    /// That it was edited.
    pub edited: Option<Edited>,
}

/// The beginning of a thread.
#[derive(Clone, Debug)]
pub enum Root {
    /// It is not in this archive.
    Elsewhere,
    /// What it says, in short, and where.
    At(Line, Address),
}

/// What a message answers.
#[derive(Clone, Debug)]
pub enum Quote {
    /// It is not in this archive.
    Elsewhere,
    /// It is this.
    Of {
        /// Who said it.
        name: Name,
        /// On which other day.
        day: Option<String>,
        /// When.
        at: When,
        /// What it says, in short.
        said: Line,
        /// Where.
        address: Address,
    },
}

/// What was said.
#[derive(Clone, Debug)]
pub enum Saying<'a> {
    /// A message.
    Message(Message<'a>),
    /// A message of which something is to be noted.
    Noted(Line, Message<'a>),
    /// Something that is no message, in words of ours.
    Note(Line),
    /// An event of a type that this program does not know, and its text.
    Other(Span, String),
    /// Text of which nothing more is known.
    Text(String),
    /// An event's type.
    Type(Span),
    /// A live location that begins.
    LiveLocation(LiveLocation),
    /// A poll.
    Poll(Poll),
    /// A poll's question; may be empty.
    Question(String),
}

/// That something was edited.
#[derive(Clone, Copy, Debug)]
pub struct Edited {
    /// When it was last.
    pub at: When,
    /// How often.
    pub times: u64,
}

/// What is folded.
#[derive(Clone, Copy, Debug)]
pub enum FoldSummary {
    /// What something said before it was redacted.
    Original,
    /// What something said before it was edited, so many times.
    Earlier(u64),
}

/// A live location.
#[derive(Clone, Debug)]
pub struct LiveLocation {
    /// What it is of.
    pub description: Option<String>,
    /// For how long it is shared, in milliseconds.
    pub timeout: Option<i64>,
    /// The first of its positions, and the last.
    pub positions: Vec<GeoPosition>,
    /// How many there are between these.
    pub more: u64,
}

/// Where somebody was.
#[derive(Clone, Debug)]
pub struct GeoPosition {
    /// When they said so.
    pub at: When,
    /// `geo:47.1,11.1;u=10`.
    pub uri: Option<String>,
    /// What they call it.
    pub description: Option<String>,
}

/// A poll with its votes.
#[derive(Clone, Debug)]
pub struct Poll {
    /// What is asked; may be empty.
    pub question: String,
    /// The answers.
    pub answers: Vec<PollAnswer>,
    /// When it was closed.
    pub closed: Option<When>,
    /// How many voted.
    pub voters: u64,
    /// How many of these for nothing that there is.
    pub spoiled: u64,
    /// How anybody voted is not told yet.
    pub is_secret: bool,
}

/// An answer of a poll.
#[derive(Clone, Debug)]
pub struct PollAnswer {
    /// May be empty.
    pub text: String,
    /// How many gave it.
    pub count: u64,
    /// The first of them.
    pub names: Vec<Name>,
}

/// What others made of what was said.
#[derive(Clone, Debug, Default)]
pub struct Responses {
    /// The most frequent first.
    pub reactions: Vec<Reaction>,
    /// How many others there are.
    pub other_reactions: u64,
    /// How many replies its thread has, and where that begins.
    pub thread: Option<(u64, Address)>,
}

/// A reaction.
#[derive(Clone, Debug)]
pub struct Reaction {
    /// `👍`; none: a custom emoji whose name nobody gives.
    pub key: Option<String>,
    /// The picture that it is, if it is at hand.
    pub picture: Option<FileLink>,
    /// How many gave it.
    pub count: u64,
    /// The first of them.
    pub names: Vec<Name>,
}

/// A small thing that happened.
#[derive(Clone, Debug)]
pub struct Small {
    /// Its place.
    pub anchor: Anchor,
    /// When.
    pub at: When,
    /// What.
    pub what: Line,
}

/// Messages that could not be read.
#[derive(Clone, Debug)]
pub struct Unread {
    /// The place of the first.
    pub anchor: Anchor,
    /// When the first came.
    pub first: When,
    /// When the last came.
    pub last: When,
    /// How many there are.
    pub count: u64,
    /// Who sent them.
    pub names: FirstNames,
}
