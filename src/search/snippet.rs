//! The part of a text that a result shows, with what was found in it marked. Says nothing of how marks look.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation as _;

/// How many characters are shown, and how many of them before what was found.
const SHOWN: usize = 200;
const BEFORE: usize = 60;
/// How many places are looked at to find where most stand together.
const LOOKED_AT: usize = 50;

/// A part of a text on one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snippet {
    /// The text, its white space collapsed, with `…` where it was cut.
    pub text: String,
    /// What was found, in bytes of that.
    pub hits: Vec<Range<usize>>,
}

/// Cuts out of a text what stands around these places, which are in order.
#[must_use]
pub fn snippet(text: &str, places: &[Range<usize>]) -> Snippet {
    let window = window(text, places);
    let (mut snippet, mut places) = (Snippet::default(), places.iter().peekable());
    if window.start > 0 {
        snippet.text.push('…');
    }
    let (mut is_space, mut is_hit) = (false, false);
    for (at, c) in text[window.clone()].char_indices().map(|(at, c)| (at + window.start, c)) {
        while places.next_if(|place| place.end <= at).is_some() {
            is_hit = false;
        }
        let starts = places.peek().is_some_and(|place| place.contains(&at));
        if c.is_whitespace() {
            is_space = !snippet.text.is_empty();
            continue;
        }
        if std::mem::take(&mut is_space) {
            snippet.text.push(' ');
        }
        let start = snippet.text.len();
        snippet.text.push(c);
        match snippet.hits.last_mut() {
            Some(hit) if starts && is_hit => hit.end = snippet.text.len(),
            _ if starts => snippet.hits.push(start..snippet.text.len()),
            _ => {}
        }
        is_hit = starts;
    }
    if window.end < text.trim_end().len() {
        snippet.text.push('…');
    }
    snippet
}

/// The part of a text to show, in bytes.
fn window(text: &str, places: &[Range<usize>]) -> Range<usize> {
    let places = &places[..places.len().min(LOOKED_AT)];
    // where most stand together; a character has more than a byte in most scripts
    let best = places.iter().enumerate().max_by_key(|(nth, place)| {
        let near = places[*nth..].iter().take_while(|other| other.end <= place.start + SHOWN - BEFORE).count();
        (near, std::cmp::Reverse(*nth))
    });
    let around = best.map_or(0, |(_, place)| place.start);
    let before = text[..around].grapheme_indices(true).rev().take(BEFORE).last().map_or(around, |(at, _)| at);
    let start = if before == 0 { 0 } else { at_word(text, before, around) };
    let end = text[start..].grapheme_indices(true).nth(SHOWN).map_or(text.len(), |(at, _)| start + at);
    let last = best.map_or(start, |(_, place)| place.end.min(end));
    let end = if end == text.len() { end } else { before_word(text, last, end) };
    start..end
}

/// The beginning of the next word between two places, or the first of them.
fn at_word(text: &str, from: usize, to: usize) -> usize {
    let space = text[from..to].find(char::is_whitespace);
    space.map_or(from, |space| from + space + text[from + space..].chars().next().map_or(0, char::len_utf8))
}

/// The end of the last whole word between two places, or the second of them.
fn before_word(text: &str, from: usize, to: usize) -> usize {
    text.get(from..to).and_then(|part| part.rfind(char::is_whitespace)).map_or(to, |space| from + space)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(text: &str, places: &[Range<usize>]) -> String {
        let snippet = snippet(text, places);
        let mut marked = snippet.text.clone();
        for hit in snippet.hits.iter().rev() {
            marked.insert(hit.end, ']');
            marked.insert(hit.start, '[');
        }
        marked
    }

    fn places(text: &str, of: &str) -> Vec<Range<usize>> {
        text.match_indices(of).map(|(at, it)| at..at + it.len()).collect()
    }

    #[test]
    fn a_short_text_is_shown_whole() {
        let text = "  one\n\ntwo  three two ";
        assert_eq!(marked(text, &places(text, "two")), "one [two] three [two]");
        assert_eq!(marked(text, &places(text, "two  three")), "one [two three] two");
        assert_eq!(marked(text, &[]), "one two three two");
        assert_eq!(marked("", &[]), "");
        assert_eq!(marked("ab", &[0..1, 1..2]), "[a][b]");
    }

    #[test]
    fn a_long_text_is_cut_around_what_was_found() {
        let text = format!("{}needle {}", "hay ".repeat(200), "straw ".repeat(200));
        let shown = marked(&text, &places(&text, "needle"));
        assert!(shown.starts_with("…hay") && shown.contains("[needle] straw") && shown.ends_with("straw…"), "{shown}");
        assert!(shown.chars().count() < SHOWN + 10, "{shown}");
        // where most stand together
        let text = format!("needle {}needle and needle {}", "hay ".repeat(200), "straw ".repeat(200));
        let shown = marked(&text, &places(&text, "needle"));
        assert!(shown.contains("[needle] and [needle]"), "{shown}");
    }

    #[test]
    fn no_character_is_cut() {
        let text = "🇩🇪e\u{301}東京".repeat(300);
        let shown = snippet(&text, &places(&text, "京")[100..101]);
        assert_eq!(shown.hits.len(), 1);
        assert_eq!(&shown.text[shown.hits[0].clone()], "京");
    }
}
