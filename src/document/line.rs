//! What stands on a line: words of ours, anybody's text, names as people know them, times, addresses of events.
//!
//! Plain text. No markup and nothing escaped: whoever writes a form of it escapes all but the words of ours.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::text::collapse;
use super::time::{LocalDate, Zone};

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
    /// Another room.
    Room(RoomLink),
    /// That something is redacted.
    Redaction(RedactionNote),
}

/// A room that is named in another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomLink {
    /// Its id.
    pub room_id: String,
    /// Its directory beside that of the document, if the archive has it.
    pub directory: Option<String>,
}

impl RoomLink {
    /// A room of which nothing is known.
    pub(crate) fn unknown(room_id: String) -> RoomLink {
        RoomLink { room_id, directory: None }
    }
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
    /// For whom they say it: a name that they may choose as they like.
    pub said_as: Option<String>,
}

impl Name {
    /// A name as it is shown, its white space collapsed.
    #[must_use]
    pub fn new(name: &str, user_id: Option<&str>) -> Name {
        let user_id = user_id.map(|id| collapse(id).into_owned());
        Name { name: collapse(name).into_owned(), user_id, said_as: None }
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
    /// It is not of the period that the document is about.
    pub is_left_out: bool,
}

/// A time as it is shown: `09:14`, or `2026-11-20 09:14` on another date than it is seen from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    /// Milliseconds since the epoch.
    at: Option<i64>,
    zone: Zone,
    is_elsewhere: bool,
}

impl When {
    /// A time of the date that it is seen from.
    #[must_use]
    pub fn here(at: Option<i64>, zone: Zone) -> When {
        When { at, zone, is_elsewhere: false }
    }

    /// A time as it is seen from a date; none: one that is not known.
    #[must_use]
    pub fn from(at: Option<i64>, date: Option<LocalDate>, zone: Zone) -> When {
        let own = zone.date(at);
        let is_here = own.zip(date).is_some_and(|(own, date)| own.is_same_date(date));
        When { at, zone, is_elsewhere: !is_here }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let When { at, zone, .. } = *self;
        f.write_str(&if self.is_elsewhere { zone.day_and_clock(at) } else { zone.clock(at) })
    }
}

/// That something is redacted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedactionNote {
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
