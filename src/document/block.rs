//! What a document is made of: blocks, one after the other, and what they hold.
//!
//! Plain text, names as people know them, times, addresses of events. No markup and nothing escaped: whoever writes a form of
//! it escapes all but the words of ours.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::message::Message;
use super::text::collapse;
use super::time;

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
    /// Somebody said something.
    Said(Said<'a>),
    /// Somebody said something, which is redacted.
    Redacted(Head, Redaction),
    /// What comes until [`Block::Unfolded`] is folded.
    Folded(Summary),
    /// What was said at some time, or is hidden; folded.
    Version(Option<When>, Saying<'a>),
    /// The end of what is folded.
    Unfolded,
    /// What others made of what was said.
    Made(Made),
    /// A small thing, on a line with those around it.
    Small(Small),
    /// The line of small things ends.
    EndOfSmall,
    /// Messages that could not be read, on a line of their own.
    Unread(Unread),
}

/// A text on one line.
pub type Line = Vec<Span>;

/// A part of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Span {
    /// Words of ours, which are no markup anywhere.
    Words(Cow<'static, str>),
    /// Words of ours, set apart.
    Note(&'static str),
    /// Anybody's text.
    Text(String),
    /// Anybody's text, set apart.
    NotedText(String),
    /// An identifier.
    Code(String),
    /// Somebody.
    Name(Name),
    /// Several people.
    Names(FirstNames),
    /// Words of ours that lead to an event.
    Link(&'static str, Address),
    /// That something is redacted.
    Redaction(Redaction),
}

impl Span {
    /// Words of ours.
    pub(crate) const fn words(words: &'static str) -> Span {
        Span::Words(Cow::Borrowed(words))
    }

    /// An event's type.
    pub(crate) fn of_type(kind: &str) -> Span {
        if kind.is_empty() { Span::words("an event without a type") } else { Span::Code(kind.to_owned()) }
    }
}

/// Who did something, as others know them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The display name, else the user id.
    pub name: String,
    /// The user id, where the name alone could be somebody else's.
    pub user_id: Option<String>,
}

impl Name {
    /// A name as it is shown, its white space collapsed.
    #[must_use]
    pub fn new(name: &str, user_id: Option<&str>) -> Name {
        Name { name: collapse(name).into_owned(), user_id: user_id.map(|id| collapse(id).into_owned()) }
    }
}

/// The first of several people, and how many more there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FirstNames {
    /// The first ones.
    pub first: Vec<Name>,
    /// How many others there are.
    pub more: u64,
    /// There are others; how many is not known.
    pub many: bool,
}

/// An event's place in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor(String);

impl Anchor {
    /// The first characters of an event's id, where that is a hash, else of a hash of it.
    #[must_use]
    pub fn of(event_id: &str) -> Anchor {
        let is_hash = event_id.strip_prefix('$').filter(|hash| {
            hash.len() == 43 && hash.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        });
        Anchor(match is_hash {
            Some(hash) => hash[..12].to_owned(),
            None => URL_SAFE_NO_PAD.encode(&Sha256::digest(event_id)[..9]),
        })
    }

    /// Letters, digits, `-` and `_`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where an event is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The day whose document it is in, `2026-11-22` or `undated`; none: the same document.
    pub day: Option<String>,
    /// Its place there.
    pub anchor: Anchor,
}

/// A time as it is shown, in UTC: `09:14`, or `2026-11-20 09:14` on another day than the document's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    /// Milliseconds since the epoch.
    at: Option<i64>,
    is_elsewhere: bool,
}

impl When {
    /// A time of the document's day.
    #[must_use]
    pub fn here(at: Option<i64>) -> When {
        When { at, is_elsewhere: false }
    }

    /// A time as it is seen from a day, in milliseconds since the epoch.
    #[must_use]
    pub fn from(at: Option<i64>, day: &Range<i64>) -> When {
        When { at, is_elsewhere: !at.is_some_and(|at| day.contains(&at)) }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&if self.is_elsewhere { time::day_and_clock(self.at) } else { time::clock(self.at) })
    }
}

/// Who says something, where and when.
#[derive(Clone, Debug)]
pub struct Head {
    /// The sender.
    pub name: Name,
    /// The name stands above already.
    pub goes_on: bool,
    /// Its place.
    pub anchor: Anchor,
    /// When.
    pub at: When,
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

/// That something is redacted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redaction {
    /// The server has removed it.
    ByServer,
    /// By something that is not in this archive.
    Unknown,
    /// By somebody.
    By {
        /// Who.
        name: Name,
        /// When.
        at: When,
        /// Why.
        reason: Option<String>,
    },
}

/// What is folded.
#[derive(Clone, Copy, Debug)]
pub enum Summary {
    /// What something said before it was redacted.
    Original,
    /// What something said before it was edited, so many times.
    Earlier(u64),
}

/// A poll with its votes.
#[derive(Clone, Debug)]
pub struct Poll {
    /// What is asked; may be empty.
    pub question: String,
    /// The answers.
    pub answers: Vec<Answer>,
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
pub struct Answer {
    /// May be empty.
    pub text: String,
    /// How many gave it.
    pub count: u64,
    /// The first of them.
    pub names: Vec<Name>,
}

/// What others made of what was said.
#[derive(Clone, Debug, Default)]
pub struct Made {
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
    /// `👍`.
    pub key: String,
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
