//! A JSON text, read once from its beginning to its end: whether it is one that every parser reads, and where its members are. Makes no
//! values of them, and goes no deeper than it is told.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

/// More levels than any text may have.
const MOST_LEVELS: usize = 1024;

/// What keeps a text from being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is no JSON (RFC 8259).
    Grammar,
    /// It has more levels than are allowed.
    Depth,
    /// A number beyond the range of a double.
    Number,
    /// An escaped half of a surrogate pair.
    Surrogate,
}

/// A place in a JSON text; what is before it has been read.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    levels: usize,
    /// How many objects and arrays are open, and which of them are objects.
    depth: usize,
    objects: [u64; MOST_LEVELS / 64],
    /// There are control characters, which strings must not have.
    has_controls: bool,
}

impl<'a> Scanner<'a> {
    /// At the beginning of a text that may have so many levels.
    pub(super) fn new(text: &'a str, levels: usize) -> Scanner<'a> {
        // without a way out, so that many bytes are compared at once
        let has_controls = text.bytes().fold(u8::MAX, u8::min) < b' ';
        let levels = levels.min(MOST_LEVELS);
        Scanner { text, at: 0, levels, depth: 0, objects: [0; MOST_LEVELS / 64], has_controls }
    }

    /// Where in the text this is.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Nothing but white space may follow.
    pub(super) fn end(mut self) -> Result<(), Fault> {
        self.space();
        if self.at == self.text.len() { Ok(()) } else { Err(Fault::Grammar) }
    }

    /// Whether an object begins here.
    pub(super) fn is_object(&self) -> bool {
        self.peek() == Some(b'{')
    }

    /// Reads an object; `member` gets each key, as it is written, and has to read the value.
    pub(super) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, &'a str) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.expect(b'{')?;
        self.open(true)?;
        if self.closes(b'}') {
            return Ok(());
        }
        loop {
            let key = self.key()?;
            member(self, key)?;
            self.space();
            match self.next()? {
                b',' => self.space(),
                b'}' => {
                    self.depth -= 1;
                    return Ok(());
                }
                _ => return Err(Fault::Grammar),
            }
        }
    }

    /// Whether an array begins here.
    pub(super) fn is_array(&self) -> bool {
        self.peek() == Some(b'[')
    }

    /// Reads an array; `item` has to read each of its items.
    pub(super) fn array(&mut self, mut item: impl FnMut(&mut Self) -> Result<(), Fault>) -> Result<(), Fault> {
        self.expect(b'[')?;
        self.open(false)?;
        if self.closes(b']') {
            return Ok(());
        }
        loop {
            item(self)?;
            self.space();
            match self.next()? {
                b',' => self.space(),
                b']' => {
                    self.depth -= 1;
                    return Ok(());
                }
                _ => return Err(Fault::Grammar),
            }
        }
    }

    /// Reads a value of whatever kind; its text.
    pub(super) fn value(&mut self) -> Result<&'a str, Fault> {
        let (start, outside) = (self.at, self.depth);
        loop {
            match self.next()? {
                b'"' => self.rest_of_string()?,
                b'{' => {
                    self.open(true)?;
                    if !self.closes(b'}') {
                        self.key()?;
                        continue;
                    }
                }
                b'[' => {
                    self.open(false)?;
                    if !self.closes(b']') {
                        continue;
                    }
                }
                b'-' | b'0'..=b'9' => self.rest_of_number()?,
                b't' => self.literally("rue")?,
                b'f' => self.literally("alse")?,
                b'n' => self.literally("ull")?,
                _ => return Err(Fault::Grammar),
            }
            // a value has ended, and what it was the last of
            while self.depth > outside {
                self.space();
                let level = self.depth - 1;
                let in_object = self.objects[level / 64] >> (level % 64) & 1 == 1;
                match (self.next()?, in_object) {
                    (b'}', true) | (b']', false) => self.depth -= 1,
                    (b',', _) => {
                        self.space();
                        if in_object {
                            self.key()?;
                        }
                        break;
                    }
                    _ => return Err(Fault::Grammar),
                }
            }
            if self.depth == outside {
                return Ok(&self.text[start..self.at]);
            }
        }
    }

    /// Reads a key and what is between it and its value.
    fn key(&mut self) -> Result<&'a str, Fault> {
        let start = self.at;
        self.expect(b'"')?;
        self.rest_of_string()?;
        let key = &self.text[start..self.at];
        self.space();
        self.expect(b':')?;
        self.space();
        Ok(key)
    }

    fn open(&mut self, object: bool) -> Result<(), Fault> {
        if self.depth == self.levels {
            return Err(Fault::Depth);
        }
        let (word, bit) = (&mut self.objects[self.depth / 64], 1 << (self.depth % 64));
        if object {
            *word |= bit;
        } else {
            *word &= !bit;
        }
        self.depth += 1;
        self.space();
        Ok(())
    }

    /// Whether what has just been opened is empty and has been closed.
    fn closes(&mut self, end: u8) -> bool {
        let closes = self.peek() == Some(end);
        if closes {
            self.at += 1;
            self.depth -= 1;
        }
        closes
    }

    fn rest_of_string(&mut self) -> Result<(), Fault> {
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            let length = memchr2(b'"', b'\\', rest).ok_or(Fault::Grammar)?;
            if self.has_controls && rest[..length].iter().any(|&byte| byte < b' ') {
                return Err(Fault::Grammar);
            }
            self.at += length + 1;
            if rest[length] == b'"' {
                return Ok(());
            }
            self.rest_of_escape()?;
        }
    }

    fn rest_of_escape(&mut self) -> Result<(), Fault> {
        match self.next()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => match self.unit()? {
                0xd800..=0xdbff => {
                    if !self.text.as_bytes()[self.at..].starts_with(br"\u") {
                        return Err(Fault::Surrogate);
                    }
                    self.at += 2;
                    if matches!(self.unit()?, 0xdc00..=0xdfff) { Ok(()) } else { Err(Fault::Surrogate) }
                }
                0xdc00..=0xdfff => Err(Fault::Surrogate),
                _ => Ok(()),
            },
            _ => Err(Fault::Grammar),
        }
    }

    /// The four digits of `\u`.
    fn unit(&mut self) -> Result<u32, Fault> {
        (0..4).try_fold(0, |unit, _| Ok(unit << 4 | char::from(self.next()?).to_digit(16).ok_or(Fault::Grammar)?))
    }

    fn rest_of_number(&mut self) -> Result<(), Fault> {
        let start = self.at - 1;
        let mut first = self.text.as_bytes()[start];
        if first == b'-' {
            first = self.next()?;
        }
        match first {
            b'0' => {}
            b'1'..=b'9' => self.digits(),
            _ => return Err(Fault::Grammar),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        let has_exponent = matches!(self.peek(), Some(b'e' | b'E'));
        if has_exponent {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.some_digits()?;
        }
        // a shorter one without an exponent is never too large
        let number = &self.text[start..self.at];
        if (has_exponent || number.len() > 300) && number.parse().is_ok_and(f64::is_infinite) {
            return Err(Fault::Number);
        }
        Ok(())
    }

    fn digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    fn some_digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        self.digits();
        if self.at > start { Ok(()) } else { Err(Fault::Grammar) }
    }

    fn literally(&mut self, rest: &str) -> Result<(), Fault> {
        let is_there = self.text.as_bytes()[self.at..].starts_with(rest.as_bytes());
        self.at += rest.len();
        if is_there { Ok(()) } else { Err(Fault::Grammar) }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\t' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        if self.next()? == byte { Ok(()) } else { Err(Fault::Grammar) }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Result<u8, Fault> {
        let byte = self.peek().ok_or(Fault::Grammar)?;
        self.at += 1;
        Ok(byte)
    }
}

/// What a JSON string says, none if the value is something else; borrowed unless it has escapes.
pub(super) fn text(value: &str) -> Option<Cow<'_, str>> {
    let inner = value.strip_prefix('"')?.strip_suffix('"')?;
    match memchr(b'\\', inner.as_bytes()) {
        None => Some(Cow::Borrowed(inner)),
        Some(_) => serde_json::from_str(value).ok().map(Cow::Owned),
    }
}

#[cfg(test)]
mod tests;
