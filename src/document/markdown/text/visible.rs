//! Characters that nobody sees, and which can therefore make text look like something else.

/// Whether a character has to be spelled out: a control or format character, unless its neighbours are of a script or an
/// emoji that needs it.
pub(super) fn hides(c: char, before: Option<char>, after: Option<char>) -> bool {
    match c {
        '\u{200c}' | '\u{200d}' => !(before.is_some_and(is_joined) && after.is_some_and(is_joined)),
        '\u{fe0f}' if after == Some('\u{20e3}') => !before.is_some_and(|c| c.is_ascii_digit() || c == '#' || c == '*'),
        '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => {
            !before.is_some_and(|c| is_joined(c) && !is_variation_selector(c))
        }
        // the flags of countries' parts
        '\u{e0020}'..='\u{e007f}' => !matches!(before, Some('\u{1f3f4}' | '\u{e0020}'..='\u{e007f}')),
        _ => is_format(c),
    }
}

fn is_joined(c: char) -> bool {
    !c.is_ascii() && !c.is_whitespace() && !is_format(c)
}

fn is_variation_selector(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Whether a character has no glyph of its own, white space aside.
#[allow(clippy::match_same_arms, reason = "one arm of them all would be harder to read")]
pub(super) fn is_format(c: char) -> bool {
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
pub(super) const fn may_hide(byte: u8) -> bool {
    matches!(byte, 0xc2 | 0xcd | 0xd8 | 0xe1..=0xe3 | 0xef..=0xf4)
}
