//! Cuts texts into words, as they are indexed and as queries ask for them: one way for both, so that what is written in a text finds
//! it, in every script.
//!
//! A word is a run of letters, digits and the signs that belong to them, in lower case. Of Latin, Greek, Hebrew and Arabic letters,
//! and of a Cyrillic ё, accents, points and vowel signs are taken off; those of the scripts of India stay, since without them they
//! are other words. Of scripts that set no spaces between words (and of Korean, which sets some behind endings) each character is a
//! word, and what is asked for is a phrase. Whoever changes what comes out raises [`VERSION`].

use std::ops::Range;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::{decompose_canonical, is_combining_mark};
use unicode_segmentation::UnicodeSegmentation as _;

/// Which words come out: an index that was made by another version is made anew.
pub const VERSION: i64 = 1;

/// How many characters of a word count.
const LONGEST: usize = 64;

/// Shows each word of a text with where it stands there, in bytes.
pub fn each<'t>(text: &'t str, take: &mut dyn FnMut(&str, Range<usize>)) {
    let mut cut = Cut { word: String::new(), chars: 0, span: 0..0, take };
    let bytes = text.as_bytes();
    let is_plain = |at: usize| bytes.get(at).is_none_or(u8::is_ascii);
    let mut at = 0;
    while at < bytes.len() {
        // what is followed by ASCII stands for itself
        if bytes[at].is_ascii() && is_plain(at + 1) {
            let c = char::from(bytes[at]);
            if c.is_ascii_alphanumeric() {
                cut.letter(c.to_ascii_lowercase(), at..at + 1);
            } else {
                cut.end();
            }
            at += 1;
        } else {
            let grapheme: &'t str = text[at..].graphemes(true).next().unwrap_or_default();
            let end = at + grapheme.len().max(1);
            cut.grapheme(grapheme, at..end);
            at = end;
        }
    }
    cut.end();
}

/// The words of a text.
#[must_use]
pub fn of(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    each(text, &mut |word, _| words.push(word.to_owned()));
    words
}

/// The words of a text with one space between them, as they are indexed.
pub fn spaced(text: &str, out: &mut String) {
    each(text, &mut |word, _| {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    });
}

/// A text with the same letters folded as in words, and all else as it is: for parts of words.
#[must_use]
pub fn folded(text: &str) -> String {
    let mut all = String::with_capacity(text.len());
    each_folded(text, &mut |c, _| all.push(c));
    all
}

/// Shows each character of such a text with where it stands in the one that it is made of, in bytes.
pub fn each_folded(text: &str, take: &mut dyn FnMut(char, Range<usize>)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at].is_ascii() && bytes.get(at + 1).is_none_or(u8::is_ascii) {
            take(char::from(bytes[at]).to_ascii_lowercase(), at..at + 1);
            at += 1;
            continue;
        }
        let grapheme = text[at..].graphemes(true).next().unwrap_or_default();
        let span = at..at + grapheme.len().max(1);
        at = span.end;
        for c in grapheme.nfkc().filter(|c| !is_invisible(*c) && !is_taken_off(*c)) {
            fold(c, &mut |c| take(c, span.clone()));
        }
    }
}

/// A word that is being read.
struct Cut<'c> {
    word: String,
    chars: usize,
    span: Range<usize>,
    take: &'c mut dyn FnMut(&str, Range<usize>),
}

impl Cut<'_> {
    /// Takes what is seen as one character.
    fn grapheme(&mut self, grapheme: &str, span: Range<usize>) {
        let mut is_word = false;
        for c in grapheme.nfkc() {
            if is_invisible(c) {
                // within a word it is none
                is_word |= self.chars > 0;
            } else if is_unspaced(c) {
                self.end();
                self.letter(c, span.clone());
                is_word = true;
            } else if is_combining_mark(c) {
                if !is_taken_off(c) {
                    self.letter(c, span.clone());
                }
                is_word |= self.chars > 0;
            } else if c.is_alphanumeric() {
                if self.word.chars().next_back().is_some_and(is_unspaced) {
                    self.end();
                }
                fold(c, &mut |c| self.letter(c, span.clone()));
                is_word = true;
            }
        }
        if !is_word || grapheme.chars().next().is_some_and(is_unspaced) {
            self.end();
        }
    }

    fn letter(&mut self, c: char, span: Range<usize>) {
        if self.chars == 0 {
            self.span.start = span.start;
        }
        self.span.end = span.end;
        if self.chars < LONGEST {
            self.word.push(c);
        }
        self.chars += 1;
    }

    fn end(&mut self) {
        if self.chars > 0 {
            (self.take)(&self.word, self.span.clone());
            self.word.clear();
            self.chars = 0;
        }
    }
}

/// Shows the letters that stand for one in words.
fn fold(c: char, take: &mut dyn FnMut(char)) {
    let has_accents = matches!(c,
        '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1fff}' | '\u{370}'..='\u{3ff}' | '\u{590}'..='\u{6ff}' | 'Ё' | 'ё');
    let mut one = |c: char| {
        for c in c.to_lowercase() {
            match c {
                'ß' => ['s', 's'].into_iter().for_each(&mut *take),
                'æ' => ['a', 'e'].into_iter().for_each(&mut *take),
                'œ' => ['o', 'e'].into_iter().for_each(&mut *take),
                'þ' => ['t', 'h'].into_iter().for_each(&mut *take),
                'ł' => take('l'),
                'đ' | 'ð' => take('d'),
                'ø' => take('o'),
                'ħ' => take('h'),
                'ŧ' => take('t'),
                'ı' => take('i'),
                'ς' => take('σ'),
                // Arabic as Persian and Urdu write it
                'ی' | 'ى' => take('ي'),
                'ک' => take('ك'),
                c if is_taken_off(c) => {}
                c => take(c),
            }
        }
    };
    if has_accents { decompose_canonical(c, one) } else { one(c) }
}

/// Marks that are taken off letters: accents, points of Hebrew and Arabic, and stress.
fn is_taken_off(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5c7}' | '\u{610}'..='\u{61a}'
        | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{6d6}'..='\u{6ed}' | '\u{711}' | '\u{730}'..='\u{74a}'
        | '\u{8d3}'..='\u{8ff}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}'
        | '\u{fe20}'..='\u{fe2f}')
}

/// What is not seen within a word, and does not part it: joiners, directions, soft hyphens, the lengthening of Arabic, selectors of
/// variants.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{640}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{e0100}'..='\u{e01ef}')
}

/// Letters of scripts without spaces between words, and of Korean.
fn is_unspaced(c: char) -> bool {
    matches!(c,
        // Thai, Lao, Myanmar, Khmer, New Tai Lue and Tai Tham; their signs stay with their letters
        '\u{e01}'..='\u{e33}' | '\u{e40}'..='\u{e46}' | '\u{e81}'..='\u{eb3}' | '\u{ec0}'..='\u{ec6}' | '\u{edc}'..='\u{edf}'
        | '\u{1000}'..='\u{102a}' | '\u{103f}' | '\u{1050}'..='\u{1055}' | '\u{1780}'..='\u{17b3}'
        | '\u{1950}'..='\u{19c9}' | '\u{1a20}'..='\u{1a54}'
        // kana, Bopomofo, Han, Yi, Hangul
        | '\u{1100}'..='\u{11ff}' | '\u{2e80}'..='\u{2fdf}' | '\u{3005}'..='\u{3007}' | '\u{3021}'..='\u{3029}'
        | '\u{3031}'..='\u{3035}' | '\u{3041}'..='\u{3096}' | '\u{309d}'..='\u{309f}' | '\u{30a1}'..='\u{30fa}'
        | '\u{30fc}'..='\u{30ff}' | '\u{3105}'..='\u{318e}' | '\u{31a0}'..='\u{31bf}' | '\u{31f0}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{a000}'..='\u{a48c}' | '\u{a960}'..='\u{a97c}'
        | '\u{ac00}'..='\u{d7fb}' | '\u{f900}'..='\u{faff}' | '\u{1b000}'..='\u{1b16f}' | '\u{20000}'..='\u{3ffff}')
        && !is_combining_mark(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut words = String::new();
        spaced(text, &mut words);
        assert_eq!(words, expected, "{text}");
    }

    #[test]
    fn words_are_runs_of_letters_and_digits() {
        check("The quick, brown fox!", "the quick brown fox");
        check("don't multi-agent foo_bar a.b(c)", "don t multi agent foo bar a b c");
        check("https://example.org/a?b=c#d", "https example org a b c d");
        check("HashMap::new() v1.2 x86_64", "hashmap new v1 2 x86 64");
        check("  -- 🎉 …", "");
        check(&"x".repeat(200), &"x".repeat(LONGEST));
    }

    #[test]
    fn accents_and_cases_make_no_difference() {
        check("Łódź ŁÓDŹ łódź Ĺ", "lodz lodz lodz l");
        check("Straße STRASSE smørrebrød đường Æsir œuvre", "strasse strasse smorrebrod duong aesir oeuvre");
        check("Cafe\u{301} café CAFÉ naïve", "cafe cafe cafe naive");
        check("İstanbul ışık", "istanbul isik");
        check("Ёлка ёлка елка за\u{301}мок мой", "елка елка елка замок мой");
        check("Ὀδυσσεύς ΟΔΥΣΣΕΥΣ", "οδυσσευσ οδυσσευσ");
        check("ｆｕｌｌ ﬁne", "full fine");
    }

    #[test]
    fn points_of_hebrew_and_arabic_are_taken_off() {
        check("שָׁלוֹם שלום", "שלום שלום");
        check("مُحَمَّد محمد محـــمد", "محمد محمد محمد");
        check("أحمد احمد", "احمد احمد");
        check("می\u{200c}خواهم", "ميخواهم");
        check("\u{202b}שלום\u{202c}", "שלום");
    }

    #[test]
    fn signs_of_the_scripts_of_india_stay_with_their_letters() {
        check("हिन्दी में", "हिन्दी में");
        check("தமிழ் বাংলা ಕನ್ನಡ", "தமிழ் বাংলা ಕನ್ನಡ");
        assert_eq!(of("हिन्दी").len(), 1);
    }

    #[test]
    fn of_scripts_without_spaces_each_character_is_a_word() {
        check("東京タワーへ行く", "東 京 タ ワ ー へ 行 く");
        check("ﾊﾞｽ バス", "バ ス バ ス");
        check("서울에서 만나요", "서 울 에 서 만 나 요");
        check("\u{1109}\u{1165}\u{110b}\u{116e}\u{11af}", "서 울");
        check("ที่นี่กิน", "ที่ นี่ กิ น");
        check("iPhone15を買う", "iphone15 を 買 う");
        check("ບໍ່ ភាសា မြန်မာ", "ບໍ່ ភា សា မြ န် မ ာ");
    }

    #[test]
    fn each_word_is_told_where_it_stands() {
        let text = "Zur Łódź, 東京!";
        let mut found = Vec::new();
        each(text, &mut |word, span| found.push((word.to_owned(), text[span].to_owned())));
        let expected = [("zur", "Zur"), ("lodz", "Łódź"), ("東", "東"), ("京", "京")];
        assert_eq!(found, expected.map(|(word, at)| (word.to_owned(), at.to_owned())));
    }
}
