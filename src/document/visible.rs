//! Characters that nobody sees, and which can therefore make text look like something else.
//!
//! Those that scripts are set with stay as they are: direction marks, soft hyphens, places where a line may or must not break,
//! and isolates, which end where they should. Everything else is spelled out, and in what is no prose these are too.

use std::borrow::Cow;

use super::text::is_setting;

/// Whether a character has to be spelled out: a control or format character, unless it sets a script, or its neighbours are of
/// a script or an emoji that needs it. Isolates are [`settled`] before.
pub(crate) fn hides(c: char, before: Option<char>, after: Option<char>) -> bool {
    match c {
        c if is_setting(c) || is_isolate(c) => false,
        '\u{200c}' | '\u{200d}' => !before.is_some_and(is_joined),
        '\u{fe0f}' if after == Some('\u{20e3}') => !before.is_some_and(|c| c.is_ascii_digit() || c == '#' || c == '*'),
        '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => {
            !before.is_some_and(|c| is_joined(c) && !is_variation_selector(c))
        }
        // what Mongolian letters look like
        '\u{180b}'..='\u{180f}' => !matches!(before, Some('\u{1820}'..='\u{18aa}')),
        // the flags of countries' parts
        '\u{e0020}'..='\u{e007f}' => !matches!(before, Some('\u{1f3f4}' | '\u{e0020}'..='\u{e007f}')),
        _ => is_format(c),
    }
}

/// The same in code and in names of things, where nothing is set.
pub(crate) fn hides_in_code(c: char, before: Option<char>, after: Option<char>) -> bool {
    is_setting(c) || is_isolate(c) || hides(c, before, after)
}

/// Text whose isolates end where its lines end, and in which others stand for those that never begin or end, to be spelled out.
pub(crate) fn settled(text: &str) -> Cow<'_, str> {
    let edits = edits(text, &[]);
    if edits.is_empty() {
        return Cow::Borrowed(text);
    }
    let (mut out, mut copied) = (String::with_capacity(text.len() + 16), 0);
    for TextEdit { at, taken, put } in edits {
        out.push_str(&text[copied..at]);
        out.push_str(&put);
        copied = at + taken;
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// Appends the spelling of a character that hides, such as `\u{202e}`.
pub(crate) fn spell(out: &mut String, c: char) {
    out.extend(c.escape_unicode());
}

/// Code, or the name of something, with the characters that hide spelled out; `lines` keeps its line breaks.
pub(crate) fn spelled(code: &str, lines: bool) -> String {
    let mut out = String::with_capacity(code.len());
    let mut before = None;
    let mut rest = code.chars();
    while let Some(c) = rest.next() {
        let is_kept = c == '\t' || (lines && is_newline(c));
        if !is_kept && hides_in_code(c, before, rest.clone().next()) {
            spell(&mut out, c);
        } else {
            out.push(c);
        }
        before = Some(c);
    }
    out
}

/// Whether a character ends a line.
pub(crate) fn is_newline(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// A change of a text.
pub(crate) struct TextEdit {
    /// Where, in bytes.
    pub(crate) at: usize,
    /// How many bytes go.
    pub(crate) taken: usize,
    /// What comes in their place.
    pub(crate) put: String,
}

/// What settles the isolates of a text, in its order. Those within some ranges, which are in order too, are not looked at.
pub(crate) fn edits(text: &str, passed_over: &[std::ops::Range<usize>]) -> Vec<TextEdit> {
    let mut edits = Vec::new();
    if !text.contains(|c| is_isolate(c) || is_stand_in(c)) {
        return edits;
    }
    let is_looked_at = |at: usize| {
        let next = passed_over.partition_point(|range| range.end <= at);
        passed_over.get(next).is_none_or(|range| at < range.start)
    };
    // the beginnings that are not ended yet, and since when a line has ended before they were
    let (mut open, mut on_line) = (Vec::new(), 0);
    let mut ends = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            '\n' => {
                ends.push((at, open[on_line..].to_vec()));
                on_line = open.len();
            }
            c if is_stand_in(c) && is_looked_at(at) => {
                let mut put = String::new();
                spell(&mut put, c);
                edits.push(TextEdit { at, taken: c.len_utf8(), put });
            }
            c if !is_isolate(c) || !is_looked_at(at) => {}
            END => match open.pop() {
                None => edits.push(TextEdit::show(at, c)),
                // its line has ended it
                Some(_) if open.len() < on_line => {
                    on_line = open.len();
                    edits.push(TextEdit { at, taken: c.len_utf8(), put: String::new() });
                }
                Some(_) => {}
            },
            _ => open.push(at),
        }
    }
    edits.extend(open.iter().map(|at| TextEdit::show(*at, text[*at..].chars().next().unwrap_or_default())));
    for (at, begun) in ends {
        let ended = begun.iter().filter(|begin| open.binary_search(begin).is_err()).count();
        if ended > 0 {
            edits.push(TextEdit { at, taken: 0, put: END.to_string().repeat(ended) });
        }
    }
    edits.sort_by_key(|edit| edit.at);
    edits
}

impl TextEdit {
    fn show(at: usize, isolate: char) -> TextEdit {
        let stand_in = char::from_u32(u32::from(isolate) - FIRST + STAND_IN).unwrap_or(isolate);
        TextEdit { at, taken: isolate.len_utf8(), put: stand_in.to_string() }
    }
}

/// The first isolate, and the first of the characters that stand for those which are to be spelled out; these are no characters.
const FIRST: u32 = 0x2066;
const STAND_IN: u32 = 0xfdd0;

fn is_stand_in(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdd3}')
}

/// Appends the spelling of a character of a text that was [`settled`].
pub(crate) fn spell_settled(out: &mut String, c: char) {
    let isolate = char::from_u32(u32::from(c).wrapping_sub(STAND_IN).wrapping_add(FIRST));
    spell(out, isolate.filter(|_| is_stand_in(c)).unwrap_or(c));
}

/// Ends an isolate.
const END: char = '\u{2069}';

pub(crate) fn is_isolate(c: char) -> bool {
    matches!(c, '\u{2066}'..='\u{2069}')
}

fn is_joined(c: char) -> bool {
    !c.is_ascii() && !c.is_whitespace() && !is_format(c)
}

fn is_variation_selector(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Whether a character has no glyph of its own, white space aside.
#[allow(clippy::match_same_arms, reason = "one arm of them all would be harder to read")]
pub(crate) fn is_format(c: char) -> bool {
    match c {
        '\u{e0100}'..='\u{e01ef}' => false,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}'
        | '\u{2800}' | '\u{feff}' => true,
        '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{fdd0}'..='\u{fdef}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' => true,
        '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' => true,
        _ => (c.is_control() && !c.is_whitespace()) || u32::from(c) & 0xfffe == 0xfffe,
    }
}

/// Whether a UTF-8 sequence that begins with this byte may need a closer look; true for no letter of Europe's languages.
pub(crate) const fn may_hide(byte: u8) -> bool {
    matches!(byte, 0xc2 | 0xcd | 0xd8 | 0xe1..=0xe3 | 0xef..=0xf4)
}
