//! Words of Matrix's vocabulary, most of which need no memory of their own. Knows none that is not on its list, and refuses none.

use std::borrow::Cow;

/// A word of Matrix's vocabulary, or a stranger's.
pub type Word = Cow<'static, str>;

/// The words that most events use, which need no memory of their own; the frequent ones first.
const WORDS: [&str; 22] = [
    "m.room.message",
    "10",
    "m.room.encrypted",
    "m.reaction",
    "m.room.member",
    "m.annotation",
    "m.in_reply_to",
    "m.replace",
    "m.thread",
    "m.room.redaction",
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
    "7",
    "8",
    "9",
    "11",
    "12",
    "m.sticker",
];

/// The word that a text is.
pub(super) fn word(text: &str) -> Word {
    WORDS.into_iter().find(|word| *word == text).map_or_else(|| Cow::Owned(text.to_owned()), Cow::Borrowed)
}
