//! What is fuzzed, and what must hold: for the fuzzers here, and for `tests/fuzz.rs`, which gives each a few inputs.
//!
//! A target takes bytes and panics when something does not hold. Text is what it wants: the bytes are cut into fields at
//! each 0xFF, which is in no UTF-8, so that seeds and dictionaries stay readable.

mod archive;
mod config;
mod cost;
mod event;
mod json;
mod layout;
mod lines;
mod message;
#[path = "../markdown/oracles.rs"]
mod oracles;
#[path = "../markdown/read.rs"]
mod read;
#[path = "../markdown/tree.rs"]
mod tree;

/// A target, which panics on a fault.
type Target = fn(&[u8]);

pub(crate) const TARGETS: [(&str, Target); 7] = [
    ("event", event::check),
    ("layout", layout::check),
    ("config", config::check),
    ("message", message::check),
    ("cost", cost::check),
    ("lines", lines::check),
    ("archive", archive::check),
];

/// Gives a target an input.
pub(crate) fn run(name: &str, data: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("there is such a target");
    target(data);
}

/// The fields of an input; there is always a first one.
struct Fields<'a>(std::slice::Split<'a, u8, fn(&u8) -> bool>);

impl<'a> Fields<'a> {
    fn of(data: &'a [u8]) -> Self {
        Fields(data.split(|byte| *byte == 0xff))
    }

    fn text(&mut self) -> Option<String> {
        Some(String::from_utf8_lossy(self.0.next()?).into_owned())
    }

    fn text_or(&mut self, default: &str) -> String {
        self.text().unwrap_or_else(|| default.to_owned())
    }

    /// A number of any size, from the field's own digits or its bytes.
    fn number(&mut self) -> Option<i64> {
        let bytes = self.0.next()?;
        let digits = std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
        digits.or_else(|| {
            Some(bytes.iter().fold(0_i64, |number, byte| number.wrapping_mul(256).wrapping_add((*byte).into())))
        })
    }
}

/// An error with all its causes, as people and programmers see it.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(|error| format!("{error}: {error:?}")).collect::<Vec<_>>().join(": ")
}

/// Whether a text has what the oracles mark elements with, be it escaped.
fn shows_marks(text: &str) -> bool {
    let text = text.to_lowercase();
    ['⟦', '⟧'].iter().any(|mark| text.contains(*mark))
        || ["27e6", "27e7", "10214", "10215", "brk"].iter().any(|written| text.contains(written))
}
