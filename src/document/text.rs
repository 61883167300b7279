//! Plain text, shortened and listed, for whatever form it gets later. Knows no markup and escapes nothing.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation as _;

/// The beginning of a text, its white space collapsed: at most `chars` characters, then `…`, cut between words
/// where possible.
#[must_use]
pub fn shortened(text: &str, chars: usize) -> String {
    let (mut short, mut count) = (String::new(), 0);
    for word in text.split_whitespace() {
        if !short.is_empty() {
            short.push(' ');
            count += 1;
        }
        let start = short.len();
        // one more than asked for tells that there is more
        short.extend(word.chars().take((chars + 1).saturating_sub(count)));
        count += short[start..].chars().count();
        if count > chars {
            break;
        }
    }
    let Some((limit, _)) = short.char_indices().nth(chars) else { return short };
    let whole = short.grapheme_indices(true).map(|(at, _)| at).take_while(|at| *at <= limit).last().unwrap_or(0);
    let whole = if whole == 0 { limit } else { whole };
    let end = match short[..whole].rfind(' ') {
        Some(space) if short.as_bytes().get(whole) != Some(&b' ') && space * 2 > whole => space,
        _ => whole,
    };
    short.truncate(end);
    short.truncate(short.trim_end().len());
    // what sets a direction ends with what is left
    let open = short.chars().fold(0_usize, |open, c| match c {
        '\u{2066}'..='\u{2068}' => open + 1,
        '\u{2069}' => open.saturating_sub(1),
        _ => open,
    });
    short.extend(std::iter::repeat_n('\u{2069}', open));
    short.push('…');
    short
}

/// Whether a character that nobody sees only says how a script is set: which way it goes, where a word or a line may break.
pub(crate) fn is_setting(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2060}')
}

/// A text as it looks, to be compared: without what nobody sees and may be left as it is, its white space collapsed.
pub(crate) fn looks(text: &str) -> String {
    let is_seen = |c: &char| {
        !is_setting(*c)
            && !matches!(c, '\u{200c}' | '\u{200d}' | '\u{2066}'..='\u{2069}' | '\u{180b}'..='\u{180f}')
            && !matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' | '\u{e0020}'..='\u{e007f}')
    };
    let seen: String = text.chars().filter(is_seen).collect();
    collapse(&seen).into_owned()
}

/// Text without newlines, runs of white space, or white space around it.
pub(crate) fn collapse(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    if text.bytes().all(|byte| (b' '..0x7f).contains(&byte)) && !text.contains("  ") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    Cow::Owned(out)
}

/// `Alice`, `Alice and Bob`, `Alice, Bob and 3 others`.
#[must_use]
pub fn listed(names: &[String], more: u64) -> String {
    let others = match more {
        0 => None,
        1 => Some("1 other".to_owned()),
        more => Some(format!("{more} others")),
    };
    let mut all: Vec<&str> = names.iter().map(String::as_str).collect();
    all.extend(others.as_deref());
    match all.split_last() {
        None => String::new(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
    }
}

/// A number of bytes for reading: `84 KB`, `1.2 MB` (decimal units).
#[must_use]
pub fn size(bytes: u64) -> String {
    let units = ["B", "KB", "MB", "GB", "TB", "PB", "EB"];
    let (mut unit, mut divisor) = (0, 1);
    let rounded = |divisor: u128| (u128::from(bytes) + divisor / 2) / divisor;
    while unit + 1 < units.len() && rounded(divisor) >= 1000 {
        unit += 1;
        divisor *= 1000;
    }
    let tenths = (u128::from(bytes) * 10 + divisor / 2) / divisor;
    if unit > 0 && tenths < 100 && !tenths.is_multiple_of(10) {
        format!("{}.{} {}", tenths / 10, tenths % 10, units[unit])
    } else {
        format!("{} {}", rounded(divisor), units[unit])
    }
}

/// Milliseconds for reading: `0:07`, `1:02:03`.
pub(crate) fn duration(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// `1 message`, `3 messages`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_makes_no_name_another() {
        for hidden in ['\u{200d}', '\u{200e}', '\u{ad}', '\u{fe0f}', '\u{e0100}', '\u{e01ef}', '\u{e0061}', '\u{e007f}']
        {
            assert_eq!(looks(&format!(" Al{hidden}ice  A{hidden}")), "Alice A", "{}", hidden.escape_unicode());
        }
        assert_eq!(looks("\u{e0061}\u{200b}"), "");
        assert_ne!(looks("Alice"), looks("Alíce"));
    }
}
