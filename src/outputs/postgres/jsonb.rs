//! What PostgreSQL's type `jsonb` makes of a JSON text: the same, something else, or an error. Pure.
//!
//! Facts: PostgreSQL manual, "JSON Types"; measured, U+0000, surrogates without their other half and numbers beyond the range of
//! `numeric` are refused (22P05, 22P02, 22003), `-0` and `1e2` become `0` and `100`, and of keys that are there twice the last is kept.
//! White space and the order of keys, which say nothing in JSON, are not looked at.

use std::borrow::Cow;
use std::collections::HashSet;

use foldhash::fast::RandomState;

/// What becomes of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Becomes {
    /// The same.
    Itself,
    /// Something else, without an error.
    Another,
    /// An error; also what is near to one: nothing that is as deep, long or far from 1 has a use.
    Nothing,
}

/// How deep it may be nested: PostgreSQL goes as deep as its stack lets it, thousands.
const DEEPEST: usize = 500;
/// How long it may be, in bytes: PostgreSQL takes a quarter of a GiB of each kind of thing.
const LONGEST: usize = 64 << 20;
/// How many digits a number may have, and how many zeros its exponent may stand for: `numeric` has 16,383 behind the point, and both
/// may come together there.
const DIGITS: usize = 8_000;

/// What becomes of a JSON text, which must be one.
pub(super) fn becomes(text: &str) -> Becomes {
    if text.len() > LONGEST {
        return Becomes::Nothing;
    }
    Scan { bytes: text.as_bytes(), text, at: 0, keys: Vec::new(), worst: Becomes::Itself }.all()
}

struct Scan<'t> {
    bytes: &'t [u8],
    text: &'t str,
    at: usize,
    /// Of each object and array around, the keys so far.
    keys: Vec<HashSet<Cow<'t, str>, RandomState>>,
    worst: Becomes,
}

impl Scan<'_> {
    fn all(mut self) -> Becomes {
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b'{' | b'[' => {
                    self.keys.push(HashSet::default());
                    self.at += 1;
                }
                b'}' | b']' => {
                    self.keys.pop();
                    self.at += 1;
                }
                b'"' => self.string(),
                b'-' | b'0'..=b'9' => self.number(),
                _ => self.at += 1,
            }
            if self.worst == Becomes::Nothing || self.keys.len() > DEEPEST {
                return Becomes::Nothing;
            }
        }
        self.worst
    }

    fn is(&mut self, becomes: Becomes) {
        self.worst = self.worst.max(becomes);
    }

    /// A string, and whether it is a key that was there before.
    fn string(&mut self) {
        let start = self.at;
        let mut has_escapes = false;
        self.at += 1;
        loop {
            match self.bytes.get(self.at) {
                None => return,
                Some(b'"') => break,
                Some(b'\\') => {
                    has_escapes = true;
                    self.escape();
                }
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        let end = self.at;
        let behind = self.bytes.get(end..).unwrap_or_default().iter().find(|byte| !byte.is_ascii_whitespace());
        if behind != Some(&b':') || self.worst == Becomes::Nothing {
            return;
        }
        let key = match self.text.get(start..end) {
            Some(quoted) if has_escapes => serde_json::from_str(quoted).map(Cow::Owned).unwrap_or_default(),
            quoted => Cow::Borrowed(quoted.unwrap_or_default().trim_matches('"')),
        };
        if self.keys.last_mut().is_some_and(|keys| !keys.insert(key)) {
            self.is(Becomes::Another);
        }
    }

    /// What begins with a backslash.
    fn escape(&mut self) {
        match self.unit(self.at) {
            None => self.at += 2,
            Some(0xd800..0xdc00) => match self.unit(self.at + 6) {
                Some(0xdc00..0xe000) => self.at += 12,
                _ => self.is_nothing(),
            },
            Some(0 | 0xdc00..0xe000) => self.is_nothing(),
            Some(_) => self.at += 6,
        }
    }

    fn is_nothing(&mut self) {
        self.is(Becomes::Nothing);
        self.at = self.bytes.len();
    }

    /// The UTF-16 unit that is escaped at a place.
    fn unit(&self, at: usize) -> Option<u32> {
        let digits = self.text.get(at..at + 6)?.strip_prefix("\\u")?;
        u32::from_str_radix(digits, 16).ok()
    }

    fn number(&mut self) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let of_number = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
        let length = rest.iter().position(|byte| !of_number(byte)).unwrap_or(rest.len());
        let number = self.text.get(self.at..self.at + length).unwrap_or_default();
        self.at += length;
        let (digits, exponent) = number.split_once(['e', 'E']).map_or((number, None), |(it, e)| (it, Some(e)));
        let is_far = exponent.is_some_and(|e| e.parse::<i64>().map_or(true, |e| e.unsigned_abs() > DIGITS as u64));
        if digits.len() > DIGITS || is_far {
            self.is_nothing();
        } else if exponent.is_some() || digits.strip_prefix('-').is_some_and(is_zero) {
            self.is(Becomes::Another);
        }
    }
}

fn is_zero(digits: &str) -> bool {
    digits.bytes().all(|byte| matches!(byte, b'0' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_jsonb_makes_of_a_text() {
        use Becomes::{Another, Itself, Nothing};
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for (text, expected) in [
            (r#"{"body":"a \"quoted\" \\u0000 text","n":[1,-1.50,0,0.0],"o":{"body":null}}"#, Itself),
            (r#"{"a":"\ud83d\ude00","b":"Zo\u00eb","c":"\u0001"}"#, Itself),
            (r#"[{"a":1},{"a":2}]"#, Itself),
            (r#"["a","a"]"#, Itself),
            (r#"{"a":1,"a":2}"#, Another),
            (r#"{"a":1,"b":{"c":[{"d":0, "\u0064" : 1}]}}"#, Another),
            ("[1e2]", Another),
            ("[1E-2]", Another),
            ("[-0]", Another),
            ("[-0.00]", Another),
            ("[1e400]", Another),
            (r#"{"a":"\u0000"}"#, Nothing),
            (r#"{"\u0000":1}"#, Nothing),
            (r#"{"a":"\ud83d"}"#, Nothing),
            (r#"{"a":"\ud83dx\ude00"}"#, Nothing),
            (r#"{"a":"\ude00\ud83d"}"#, Nothing),
            (r#"{"a":"\ud83d\u0041"}"#, Nothing),
            ("[1e400000]", Nothing),
            ("[1e99999999999999999999]", Nothing),
            ("[1e-20000]", Nothing),
            (&format!("[1.{}e-9000]", "0".repeat(9_000)), Nothing),
            (&deep(500), Itself),
            (&deep(501), Nothing),
            (&format!("[{}]", "9".repeat(20_000)), Nothing),
        ] {
            assert_eq!(becomes(text), expected, "{}", &text[..text.len().min(100)]);
        }
    }
}
