//! The words of a query, looked for in a text before more is asked about it. Which texts these are is decided elsewhere.

use memchr::memmem::Finder;

use super::super::SearchOptions;
use crate::search::matching::CutText;
use crate::search::query::Phrase;
use crate::search::words;

/// Words that a text is looked through for before more is asked.
pub(super) struct Needles {
    parts: Vec<Finder<'static>>,
    phrases: Vec<Phrase>,
}

impl Needles {
    pub(super) fn of(phrases: &[&Phrase], options: SearchOptions) -> Needles {
        if options.substring {
            let parts = phrases.iter().map(|phrase| Finder::new(words::folded(&phrase.text).as_bytes()).into_owned());
            return Needles { parts: parts.collect(), phrases: Vec::new() };
        }
        Needles { parts: Vec::new(), phrases: phrases.iter().map(|phrase| (*phrase).clone()).collect() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.phrases.is_empty()
    }

    pub(super) fn are_in(&self, body: &str) -> bool {
        if !self.parts.is_empty() {
            let folded = words::folded(body);
            return self.parts.iter().all(|part| part.find(folded.as_bytes()).is_some());
        }
        let text = CutText::of(body);
        self.phrases.iter().all(|phrase| text.has(phrase))
    }
}
