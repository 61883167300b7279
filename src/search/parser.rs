//! Reads a query as people write it, and says where it is wrong.
//!
//! Words, `"phrases"`, `beginning*`, `AND`, `OR`, `NOT` or `-` before what must not be, parentheses, and operators: `from:alice`.
//! Whatever has no such meaning is a word.

use std::ops::Range;

use chrono::{DateTime, TimeZone};

use super::query::{Condition, Has, Is, Phrase, Query, WrittenCondition};
use super::{dates, words};

/// The most parts that a query has, and how deeply it is nested.
const PARTS: usize = 200;
const DEEPEST: usize = 50;

/// The operators, as they are written before a colon.
pub const OPERATORS: [&str; 8] = ["from", "in", "before", "after", "on", "has", "is", "mentions"];

/// What is wrong with a query, and where, in bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Wrong {
    /// What.
    pub what: String,
    /// Where.
    pub at: Range<usize>,
}

impl Wrong {
    fn new(what: impl Into<String>, at: Range<usize>) -> Wrong {
        Wrong { what: what.into(), at }
    }
}

/// How a query is read.
#[derive(Clone, Debug)]
pub struct QueryContext<Z: TimeZone> {
    /// What time it is, in the zone of its dates.
    pub now: DateTime<Z>,
    /// Words are parts of texts: whatever has a character is one.
    pub substring: bool,
}

/// Puts a command's arguments together. One that has white space in it, but nothing with a meaning, was a phrase before the shell took
/// its quotes.
#[must_use]
pub fn joined(arguments: &[String]) -> String {
    let quoted = arguments.iter().map(|argument| {
        let is_phrase = argument.trim().contains(char::is_whitespace) && !has_meaning(argument);
        if is_phrase { format!("\"{argument}\"") } else { argument.clone() }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

fn has_meaning(argument: &str) -> bool {
    argument.contains(|c| is_quote(c) || matches!(c, '*' | '(' | ')'))
        || argument.split_whitespace().any(|word| {
            matches!(word, "AND" | "OR" | "NOT") || word.starts_with('-') && word.len() > 1 || operator(word).is_some()
        })
}

/// The operator that a word begins with, and the length of that.
fn operator(word: &str) -> Option<(&'static str, usize)> {
    let (name, _) = word.split_once(':')?;
    let known = OPERATORS.into_iter().find(|known| known.eq_ignore_ascii_case(name))?;
    Some((known, name.len() + 1))
}

/// Reads a query; an empty one asks for everything.
pub fn parse<Z: TimeZone>(text: &str, reading: &QueryContext<Z>) -> Result<Query<WrittenCondition>, Wrong> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, text, reading };
    if tokens.is_empty() {
        return Ok(Query::All(Vec::new()));
    }
    let query = parser.any(0)?;
    match parser.peek() {
        None => Ok(query),
        Some(token) => Err(Wrong::new("there is no ( to this )", token.at.clone())),
    }
}

/// A condition of an option, as that of the operator of the same name.
pub fn condition<Z: TimeZone>(
    name: &str,
    value: &str,
    at: Range<usize>,
    reading: &QueryContext<Z>,
) -> Result<WrittenCondition, Wrong> {
    let wrong = |what: String| Wrong::new(what, at.clone());
    if value.trim().is_empty() {
        return Err(wrong(format!(
            "{name}: says nothing behind the colon; it is written without a space: {name}:{}",
            example(name)
        )));
    }
    let date = || {
        let range = dates::range(value, &reading.now);
        range.ok_or_else(|| wrong(format!("this is no date; one is {}", dates::FORMS)))
    };
    let condition = match name {
        "from" => Condition::From(value.to_owned()),
        "in" => Condition::In(value.to_owned()),
        "mentions" => Condition::Mentions(value.to_owned()),
        "before" => Condition::At(i64::MIN..date()?.start),
        "after" => Condition::At(date()?.end..i64::MAX),
        "on" => Condition::At(date()?),
        "has" => {
            let found = Has::ALL.into_iter().find(|has| is_named(value, has.name()));
            Condition::Has(found.ok_or_else(|| wrong(format!("has: knows {}", listed(Has::ALL.map(Has::name)))))?)
        }
        _ => {
            let found = Is::ALL.into_iter().find(|is| is_named(value, is.name()));
            Condition::Is(found.ok_or_else(|| wrong(format!("is: knows {}", listed(Is::ALL.map(Is::name)))))?)
        }
    };
    Ok(WrittenCondition { condition, at })
}

/// Whether somebody wrote a name, be it in the plural.
fn is_named(written: &str, name: &str) -> bool {
    let written = written.to_lowercase();
    written == name || written.strip_suffix('s') == Some(name)
}

fn listed<const N: usize>(names: [&str; N]) -> String {
    names.join(", ")
}

fn example(name: &str) -> &'static str {
    match name {
        "from" | "mentions" => "alice",
        "in" => "ops",
        "has" => "image",
        "is" => "reply",
        _ => "yesterday",
    }
}

#[derive(Clone, Debug)]
enum TokenKind {
    Open,
    Close,
    And,
    Or,
    Not,
    Operator { name: &'static str, value: String },
    Words { text: String, is_prefix: bool },
}

#[derive(Clone, Debug)]
struct Token {
    kind: TokenKind,
    at: Range<usize>,
}

/// Cuts a query into its tokens.
fn tokens(text: &str) -> Result<Vec<Token>, Wrong> {
    let (mut tokens, mut at, mut depth) = (Vec::new(), 0, 0_usize);
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let (kind, length) = match c {
            '(' => (TokenKind::Open, 1),
            ')' => (TokenKind::Close, 1),
            '-' if rest[1..].starts_with(|c: char| c.is_alphanumeric() || c == '(' || is_quote(c)) => {
                (TokenKind::Not, 1)
            }
            c if is_quote(c) => {
                let (phrase, length, is_prefix) = quoted(rest, at)?;
                (TokenKind::Words { text: phrase, is_prefix }, length)
            }
            _ => word(rest, at, depth)?,
        };
        match kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        tokens.push(Token { kind, at: at..at + length });
        at += length;
    }
    Ok(tokens)
}

fn is_quote(c: char) -> bool {
    !ends(c).is_empty()
}

/// What ends a phrase that a quote begins, in the languages that use it; none: it is no quote.
fn ends(quote: char) -> &'static [char] {
    match quote {
        '"' => &['"'],
        '“' => &['”', '“', '"'],
        '”' => &['”', '"'],
        '„' => &['“', '”', '"'],
        '«' => &['»'],
        '»' => &['«', '»'],
        _ => &[],
    }
}

/// What stands in quotes, how long that is with them, and whether it is a beginning.
fn quoted(rest: &str, at: usize) -> Result<(String, usize, bool), Wrong> {
    let quote = rest.chars().next().unwrap_or_default();
    let first = quote.len_utf8();
    let Some(length) = rest[first..].find(ends(quote)) else {
        return Err(Wrong::new("this quote does not end", at..at + rest.len()));
    };
    let last = rest[first + length..].chars().next().map_or(0, char::len_utf8);
    let end = first + length + last;
    let is_prefix = rest[end..].starts_with('*');
    Ok((rest[first..first + length].to_owned(), end + usize::from(is_prefix), is_prefix))
}

/// A word, an operator or a keyword, and its length.
fn word(rest: &str, at: usize, depth: usize) -> Result<(TokenKind, usize), Wrong> {
    if let Some((name, begins)) = operator(rest.split_whitespace().next().unwrap_or_default()) {
        if rest[begins..].starts_with(is_quote) {
            let (value, length, _) = quoted(&rest[begins..], at + begins)?;
            return Ok((TokenKind::Operator { name, value }, begins + length));
        }
        let value = bare(&rest[begins..], depth);
        return Ok((TokenKind::Operator { name, value: value.to_owned() }, begins + value.len()));
    }
    let text = bare(rest, depth);
    let kind = match text {
        "AND" | "&&" => TokenKind::And,
        "OR" | "||" => TokenKind::Or,
        "NOT" => TokenKind::Not,
        _ => {
            let beginning = text.strip_suffix('*');
            TokenKind::Words { text: beginning.unwrap_or(text).to_owned(), is_prefix: beginning.is_some() }
        }
    };
    Ok((kind, text.len()))
}

/// What reaches up to a space, a quote, or a parenthesis that closes one of the query's.
fn bare(rest: &str, depth: usize) -> &str {
    let end = rest.find(|c: char| c.is_whitespace() || is_quote(c)).unwrap_or(rest.len());
    let mut word = &rest[..end];
    let mut left = depth;
    while left > 0 && word.ends_with(')') && word.matches(')').count() > word.matches('(').count() {
        word = &word[..word.len() - 1];
        left -= 1;
    }
    word
}

struct Parser<'p, Z: TimeZone> {
    tokens: &'p [Token],
    at: usize,
    text: &'p str,
    reading: &'p QueryContext<Z>,
}

impl<'p, Z: TimeZone> Parser<'p, Z> {
    fn peek(&self) -> Option<&'p Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<&'p Token> {
        let token = self.peek();
        self.at += usize::from(token.is_some());
        token
    }

    fn any(&mut self, depth: usize) -> Result<Query<WrittenCondition>, Wrong> {
        let mut queries = vec![self.all(depth)?];
        while let Some(Token { kind: TokenKind::Or, at }) = self.peek() {
            self.at += 1;
            self.expects(at, "OR")?;
            queries.push(self.all(depth)?);
        }
        let only = if queries.len() == 1 { queries.pop() } else { None };
        Ok(only.unwrap_or(Query::Any(queries)))
    }

    fn all(&mut self, depth: usize) -> Result<Query<WrittenCondition>, Wrong> {
        let mut queries = Vec::new();
        loop {
            match self.peek() {
                None | Some(Token { kind: TokenKind::Close | TokenKind::Or, .. }) if !queries.is_empty() => break,
                Some(Token { kind: TokenKind::And, at }) if !queries.is_empty() => {
                    self.at += 1;
                    self.expects(at, "AND")?;
                }
                _ => queries.push(self.one(depth)?),
            }
        }
        Ok(Query::all(queries))
    }

    /// Something has to follow a word that joins.
    fn expects(&self, at: &Range<usize>, name: &str) -> Result<(), Wrong> {
        match self.peek() {
            None | Some(Token { kind: TokenKind::Close | TokenKind::And | TokenKind::Or, .. }) => {
                Err(Wrong::new(format!("nothing follows this {name}; in quotes it is a word"), at.clone()))
            }
            _ => Ok(()),
        }
    }

    fn one(&mut self, depth: usize) -> Result<Query<WrittenCondition>, Wrong> {
        let end = self.text.trim_end().len();
        let Some(token) = self.next() else { return Err(Wrong::new("something is missing at the end", end..end + 1)) };
        if depth > DEEPEST || self.at > PARTS {
            return Err(Wrong::new("the query is too long", token.at.clone()));
        }
        match &token.kind {
            TokenKind::Open => {
                if let Some(Token { kind: TokenKind::Close, at }) = self.peek() {
                    return Err(Wrong::new("there is nothing between these parentheses", token.at.start..at.end));
                }
                let query = self.any(depth + 1)?;
                match self.next() {
                    Some(Token { kind: TokenKind::Close, .. }) => Ok(query),
                    _ => Err(Wrong::new("there is no ) to this (; in quotes it is a character", token.at.clone())),
                }
            }
            TokenKind::Not => {
                self.expects(&token.at, "NOT")?;
                Ok(Query::Not(Box::new(self.one(depth + 1)?)))
            }
            TokenKind::Operator { name, value } => {
                Ok(Query::Is(condition(name, value, token.at.clone(), self.reading)?))
            }
            TokenKind::Words { text, is_prefix } => self.words(text, *is_prefix, &token.at),
            TokenKind::Close => Err(Wrong::new("there is no ( to this )", token.at.clone())),
            TokenKind::And => {
                Err(Wrong::new("nothing stands before this AND; in quotes it is a word", token.at.clone()))
            }
            TokenKind::Or => Err(Wrong::new("nothing stands before this OR; in quotes it is a word", token.at.clone())),
        }
    }

    fn words(&self, text: &str, is_prefix: bool, at: &Range<usize>) -> Result<Query<WrittenCondition>, Wrong> {
        let found = words::of(text);
        let is_empty = if self.reading.substring { text.trim().is_empty() } else { found.is_empty() };
        if is_empty {
            let what = "there is no letter and no digit to search for; --substring finds any characters";
            return Err(Wrong::new(what, at.clone()));
        }
        // behind a sign that parts words nothing has begun yet
        let is_prefix = is_prefix && text.ends_with(|c: char| !words::of(&c.to_string()).is_empty() || !c.is_ascii());
        Ok(Query::Words(Phrase { words: found, is_prefix, text: text.to_owned() }))
    }
}

#[cfg(test)]
mod tests;
