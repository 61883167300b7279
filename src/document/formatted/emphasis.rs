//! Which emphasis markdown can express: its delimiters open and close only next to the right characters (`CommonMark` 0.31,
//! "Emphasis and strong emphasis"). Where parsers differ, or it depends on what may be left out, the answer is no.

use std::collections::HashSet;

use super::paragraph::{Mark, MarkedSpan};
use crate::document::markdown::text::is_word;

/// Which spans of a text can be expressed. They nest, outer ones come first, and none begins or ends with white space.
pub(super) fn expressible(text: &str, spans: &[MarkedSpan]) -> Vec<bool> {
    let beside = Beside::of(text, spans);
    let mut result = vec![true; spans.len()];
    let mut ends = HashSet::new();
    let mut around: Vec<usize> = Vec::new();
    for (at, span) in spans.iter().enumerate() {
        let Some(delimiter) = span.mark.delimiter() else { continue };
        while around.pop_if(|outer| spans[*outer].end <= span.start).is_some() {}
        let before = text[..span.start].chars().next_back();
        let first = text[span.start..].chars().next().filter(|_| !beside.inner_start[at]);
        let last = text[..span.end].chars().next_back().filter(|_| !beside.inner_end[at]);
        let after = text[span.end..].chars().next();
        let works = (is_apart(before) || first.is_some_and(is_word)) && (is_apart(after) || last.is_some_and(is_word));
        // within another emphasis, a delimiter that could close that one would
        let opens_only =
            if first.is_some_and(is_word) { is_apart(before) } else { is_space(before) && !beside.outer_start[at] };
        let closes_outer = !opens_only
            && around.iter().any(|outer| {
                let one_run = spans[*outer].start == span.start && !beside.outer_start[at];
                spans[*outer].mark.runs_into(&span.mark) && !one_run
            });
        // a run that closes one and opens another can be read in more than one way
        let key = |at: usize| (at, delimiter.as_bytes()[0]);
        result[at] = works && !closes_outer && !ends.contains(&key(span.start));
        if result[at] {
            ends.insert(key(span.end));
            around.push(at);
        }
    }
    result
}

/// Where other markup than the same run of delimiters stands between a delimiter and the text next to it.
struct Beside {
    /// After the opening one.
    inner_start: Vec<bool>,
    /// Before the opening one.
    outer_start: Vec<bool>,
    /// Before the closing one.
    inner_end: Vec<bool>,
}

impl Beside {
    fn of(text: &str, spans: &[MarkedSpan]) -> Beside {
        let other = |a: &MarkedSpan, b: &MarkedSpan| !Mark::runs_into(&a.mark, &b.mark);
        // a web address gets brackets
        let addresses = text.contains("://");
        let mut inner_start = vec![addresses; spans.len()];
        for (outer, pair) in spans.windows(2).enumerate().rev() {
            if pair[0].start == pair[1].start {
                inner_start[outer] |= inner_start[outer + 1] || other(&pair[0], &pair[1]);
            }
        }
        let mut outer_start = vec![false; spans.len()];
        for (outer, pair) in spans.windows(2).enumerate() {
            if pair[0].start == pair[1].start {
                outer_start[outer + 1] = outer_start[outer] || other(&pair[0], &pair[1]);
            }
        }
        let mut inner_end = vec![addresses; spans.len()];
        let mut around: Vec<usize> = Vec::new();
        for next in 0..=spans.len() {
            let start = spans.get(next).map_or(usize::MAX, |span| span.start);
            while let Some(inner) = around.pop_if(|span| spans[*span].end <= start) {
                if let Some(outer) = around.last().filter(|outer| spans[**outer].end == spans[inner].end) {
                    inner_end[*outer] |= inner_end[inner] || other(&spans[*outer], &spans[inner]);
                }
            }
            around.push(next);
        }
        Beside { inner_start, outer_start, inner_end }
    }
}

/// Whether next to this character, a delimiter may stand beside anything.
fn is_apart(c: Option<char>) -> bool {
    is_space(c) || c.is_some_and(|c| c.is_ascii_punctuation() || is_common_punctuation(c))
}

fn is_space(c: Option<char>) -> bool {
    c.is_none_or(char::is_whitespace)
}

/// Punctuation by every version of Unicode and of `CommonMark`.
fn is_common_punctuation(c: char) -> bool {
    matches!(c, '¡' | '§' | '«' | '»' | '¿' | '\u{2010}'..='\u{2027}' | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}')
}
