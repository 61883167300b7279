//! What a message tells of a file. Believes nothing of it where bytes are read: types of files are told by those.

use serde_json::value::RawValue;

use super::super::media::FileDisplay;
use super::super::text::shortened;
use crate::event::object::{members, text};

/// What kind of file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they say what they are")]
pub enum FileKind {
    Image,
    File,
    Audio,
    Video,
    Voice,
    Sticker,
}

impl FileKind {
    /// What stands before its name.
    #[must_use]
    pub fn icon(self) -> &'static str {
        match self {
            FileKind::Image => "🖼",
            FileKind::File => "📎",
            FileKind::Audio => "🔊",
            FileKind::Video => "🎬",
            FileKind::Voice => "🎤",
            FileKind::Sticker => "🖼 sticker",
        }
    }
}

/// Stands around the path of a file that is put into a page itself; escaping leaves it in nobody's text.
pub const MARK: char = '\u{1}';

/// A file that is at hand where it is told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLink {
    /// What leads to it: ASCII letters, digits, `.`, `-`, `_`, `%` and `/`, between two [`MARK`]s if it is to be put there.
    pub path: String,
    /// How it is shown, by its bytes.
    pub shown: FileDisplay,
    /// How long it is.
    pub bytes: u64,
}

impl FileLink {
    /// Whether it is in the page itself.
    #[must_use]
    pub fn is_within(&self) -> bool {
        self.path.starts_with(MARK)
    }
}

/// What is told of a file beside its name.
#[derive(Clone, Debug, Default)]
pub struct FileInfo {
    /// Its beginning.
    pub mimetype: Option<String>,
    /// Pixels.
    pub width: Option<u64>,
    /// Pixels.
    pub height: Option<u64>,
    /// Bytes.
    pub size: Option<u64>,
    /// Milliseconds.
    pub duration: Option<u64>,
}

impl FileInfo {
    /// Takes what an object tells, which has each duration in so many milliseconds.
    pub(super) fn take(&mut self, info: &RawValue, durations: u64) {
        for (key, value) in members(info.get()) {
            match &*key {
                "mimetype" => self.mimetype = text(value).map(|kind| shortened(&kind, 100)),
                "w" | "width" => self.width = number(value),
                "h" | "height" => self.height = number(value),
                "size" => self.size = number(value),
                "duration" => self.duration = number(value).and_then(|duration| duration.checked_mul(durations)),
                _ => {}
            }
        }
    }
}

/// A whole number that is not negative; the fraction of one that has one is left out.
fn number(value: &RawValue) -> Option<u64> {
    let (whole, fraction) = value.get().split_once('.').unwrap_or((value.get(), ""));
    whole.parse().ok().filter(|_| fraction.bytes().all(|b| b.is_ascii_digit()))
}
