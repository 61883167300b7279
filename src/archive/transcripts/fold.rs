//! Small things that follow one another, folded into one line: joins and leaves, changes of the room, messages that could
//! not be read.

use super::anchor;
use super::phrases::Phrase;
use super::shown::Shown;
use super::time::clock;
use crate::document::text::listed;

/// How many names a fold tells.
const NAMED: usize = 3;
/// A line longer than this is ended, so that a day of nothing else stays readable and out of memory. Bytes.
const LONGEST: usize = 4_000;

/// Where and when a small thing happened.
pub(super) struct Place {
    anchor: String,
    clock: String,
}

impl Place {
    pub(super) fn of(event: &Shown) -> Place {
        Place { anchor: anchor(&event.event_id), clock: clock(event.at) }
    }
}

/// What is not written yet.
#[derive(Default)]
pub(super) struct Fold {
    /// Phrases that are complete, with the time of the last one.
    line: String,
    clock: String,
    group: Option<Group>,
    encrypted: Option<Encrypted>,
}

/// Several who did the same.
struct Group {
    place: Place,
    verb: &'static str,
    names: Names,
}

/// Messages that could not be read.
struct Encrypted {
    anchor: String,
    first: String,
    last: String,
    count: u64,
    names: Names,
}

/// The first names, and how many there are.
#[derive(Default)]
struct Names {
    first: Vec<String>,
    more: u64,
    many: bool,
}

impl Names {
    fn push(&mut self, name: String) {
        if self.first.len() < NAMED {
            self.first.push(name);
        } else {
            self.more += 1;
        }
    }

    /// Adds a name that may be there already; beyond the first ones nothing is known of who else there was.
    fn push_once(&mut self, name: String) {
        if self.first.contains(&name) {
            return;
        }
        if self.first.len() < NAMED {
            self.first.push(name);
        } else {
            self.many = true;
        }
    }

    fn text(&self) -> String {
        if self.many { format!("{} and others", self.first.join(", ")) } else { listed(&self.first, self.more) }
    }
}

impl Fold {
    /// Adds a phrase. Some: a line that is complete.
    pub(super) fn add(&mut self, place: &Place, phrase: Phrase) -> Option<String> {
        let before = self.end_encrypted();
        let (verb, name) = match phrase {
            Phrase::Joined(name) => ("joined", name),
            Phrase::Left(name) => ("left", name),
            Phrase::Other(text) => {
                self.end_group();
                self.push(place, &text);
                return before.or_else(|| self.end_long());
            }
        };
        if self.group.as_ref().is_none_or(|group| group.verb != verb) {
            self.end_group();
            let place = Place { anchor: place.anchor.clone(), clock: place.clock.clone() };
            self.group = Some(Group { place, verb, names: Names::default() });
        }
        if let Some(group) = &mut self.group {
            group.names.push(name);
        }
        before.or_else(|| self.end_long())
    }

    /// Adds a message that could not be read. Some: a line that is complete.
    pub(super) fn add_encrypted(&mut self, place: &Place, name: String) -> Option<String> {
        let before = self.end_line();
        let run = self.encrypted.get_or_insert_with(|| Encrypted {
            anchor: place.anchor.clone(),
            first: place.clock.clone(),
            last: String::new(),
            count: 0,
            names: Names::default(),
        });
        run.last.clone_from(&place.clock);
        run.count += 1;
        run.names.push_once(name);
        before
    }

    /// Ends what is folded.
    pub(super) fn end(&mut self) -> Option<String> {
        // never both: either one ends the other
        self.end_encrypted().or_else(|| self.end_line())
    }

    fn end_long(&mut self) -> Option<String> {
        if self.line.len() > LONGEST { self.end_line() } else { None }
    }

    fn end_group(&mut self) {
        if let Some(Group { place, verb, names }) = self.group.take() {
            self.push(&place, &format!("{} {verb}", names.text()));
        }
    }

    fn push(&mut self, place: &Place, text: &str) {
        if !self.line.is_empty() {
            self.line.push_str(" · ");
        }
        self.line.push_str(&place.anchor);
        if self.clock != place.clock {
            self.line.push_str(&place.clock);
            self.line.push_str(" · ");
            self.clock.clone_from(&place.clock);
        }
        self.line.push_str(text);
    }

    fn end_line(&mut self) -> Option<String> {
        self.end_group();
        self.clock.clear();
        let line = std::mem::take(&mut self.line);
        (!line.is_empty()).then(|| format!("<sub>{line}</sub>"))
    }

    fn end_encrypted(&mut self) -> Option<String> {
        let Encrypted { anchor, first, last, count, names } = self.encrypted.take()?;
        let span = if first == last { first } else { format!("{first} – {last}") };
        let messages =
            if count == 1 { "1 encrypted message".to_owned() } else { format!("{count} encrypted messages") };
        Some(format!("<sub>{anchor}{span} · {messages} from {} could not be read</sub>", names.text()))
    }
}
