//! Why an event cannot be read. Quotes no key and no plaintext.

use std::fmt;

/// Why an event cannot be read. What a stranger wrote stands in it shortened, and nothing of a key or a plaintext.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No source has its session.
    NoSession,
    /// The session that is there knows later messages only.
    StartsLater {
        /// The first index that it knows.
        first: u32,
        /// The message's.
        index: u32,
    },
    /// Whoever has the session did not share it: the code of `m.room_key.withheld`.
    Withheld(String),
    /// The session is there, and cannot be opened: another key, or it is damaged.
    Locked,
    /// The session is there, and damaged.
    SessionDamaged,
    /// Its session is another room's.
    OtherRoom,
    /// The event, or what it encrypts, is not as it should be.
    Damaged(&'static str),
    /// Another event has used the message before: that event.
    Replay(String),
    /// The session is another user's.
    OtherSender,
    /// It is encrypted by an algorithm that is no Megolm; its name.
    Algorithm(String),
    /// It is a state event: what it says in clear could be anything.
    State,
}

impl Refusal {
    /// A word for it, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::NoSession => "no_session",
            Refusal::StartsLater { .. } => "session_starts_later",
            Refusal::Withheld(_) => "withheld",
            Refusal::Locked => "session_cannot_be_opened",
            Refusal::SessionDamaged => "session_damaged",
            Refusal::OtherRoom => "session_of_another_room",
            Refusal::Damaged(_) => "damaged",
            Refusal::Replay(_) => "replay",
            Refusal::OtherSender => "session_of_another_user",
            Refusal::Algorithm(_) => "unknown_algorithm",
            Refusal::State => "state",
        }
    }

    /// That of an algorithm with this name, which a stranger chose.
    pub(crate) fn algorithm(name: &str) -> Refusal {
        Refusal::Algorithm(name.chars().take(100).collect())
    }

    /// That a session is withheld, with a code that a stranger chose.
    #[must_use]
    pub fn withheld(code: &str) -> Refusal {
        Refusal::Withheld(code.chars().take(100).collect())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NoSession => f.write_str("no session"),
            Refusal::StartsLater { first, index } => {
                write!(f, "the session starts later: at index {first}, and this is {index}")
            }
            Refusal::Withheld(code) => write!(f, "the session is withheld ({})", code.escape_debug()),
            Refusal::Locked => f.write_str("the session cannot be opened: another key, or damaged"),
            Refusal::SessionDamaged => f.write_str("the session is damaged where it is kept"),
            Refusal::OtherRoom => f.write_str("the session is another room's"),
            Refusal::Damaged(what) => write!(f, "damaged: {what}"),
            Refusal::Replay(of) => write!(f, "a replay of {}", of.escape_debug()),
            Refusal::OtherSender => f.write_str("the session is another user's"),
            Refusal::Algorithm(name) if name.is_empty() => f.write_str("it names no algorithm"),
            Refusal::Algorithm(name) => write!(f, "unknown algorithm {}", name.escape_debug()),
            Refusal::State => f.write_str("it is a state event"),
        }
    }
}
