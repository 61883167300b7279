//! JSON as Synapse signs and hashes it: keys in code point order, no white space, no needless escape (Matrix specification, "Canonical
//! JSON"; `canonicaljson` for Python), and numbers as Python spells them, since rooms of versions 1 to 5 may have any.
//!
//! Keeps numbers as they are written, so that none is too large for it.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::super::redacted::rules::Prunable;
use super::super::scan::{self, Fault, Scanner};

/// A JSON value whose scalars are the text that they were read from.
#[derive(Clone, Debug)]
pub(super) enum Node<'a> {
    /// In the order of their keys; of members that come twice the last one.
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
    Array(Vec<Node<'a>>),
    /// A string, number or word, as written.
    Scalar(&'a str),
}

impl<'a> Node<'a> {
    /// Reads a text of so many levels.
    #[cfg(test)]
    fn parse(text: &'a str, levels: usize) -> Result<Node<'a>, Fault> {
        let mut scanner = Scanner::new(text, levels);
        let node = Node::read(&mut scanner)?;
        scanner.end()?;
        Ok(node)
    }

    pub(super) fn read(scanner: &mut Scanner<'a>) -> Result<Node<'a>, Fault> {
        if scanner.is_object() {
            let mut members = Vec::with_capacity(8);
            scanner.object(|scanner, key| {
                members.push((scan::text(key).ok_or(Fault::Grammar)?, Node::read(scanner)?));
                Ok(())
            })?;
            Ok(Node::object(members))
        } else if scanner.is_array() {
            let mut items = Vec::new();
            scanner.array(|scanner| {
                items.push(Node::read(scanner)?);
                Ok(())
            })?;
            Ok(Node::Array(items))
        } else {
            scanner.value().map(Node::Scalar)
        }
    }

    /// An object with these members, given in the order in which they were written.
    pub(super) fn object(mut members: Vec<(Cow<'a, str>, Node<'a>)>) -> Node<'a> {
        // stable: of equal keys the last one written stays last
        members.sort_by(|(one, _), (other, _)| one.cmp(other));
        members.reverse();
        members.dedup_by(|(later, _), (kept, _)| later == kept);
        members.reverse();
        Node::Object(members)
    }

    /// A member of an object.
    pub(super) fn get(&self, key: &str) -> Option<&Node<'a>> {
        let Node::Object(members) = self else { return None };
        members.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// What a string says.
    pub(super) fn text(&self) -> Option<Cow<'a, str>> {
        let Node::Scalar(text) = self else { return None };
        scan::text(text)
    }

    /// Whether it has a number that is no whole one of 64 bits.
    pub(super) fn has_odd_number(&self) -> bool {
        match self {
            Node::Object(members) => members.iter().any(|(_, value)| value.has_odd_number()),
            Node::Array(items) => items.iter().any(Node::has_odd_number),
            Node::Scalar(text) => {
                let is_number = text.starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
                is_number && text.parse::<i64>().is_err() && text.parse::<u64>().is_err()
            }
        }
    }

    /// Writes it without the members of the outermost object that have these names. False: it cannot be written as canonical JSON.
    pub(super) fn write(&self, without: &[&str], out: &mut String) -> bool {
        match self {
            Node::Object(members) => {
                out.push('{');
                let mut is_first = true;
                for (key, value) in members.iter().filter(|(key, _)| !without.contains(&&**key)) {
                    if !std::mem::take(&mut is_first) {
                        out.push(',');
                    }
                    quote(key, out);
                    out.push(':');
                    if !value.write(&[], out) {
                        return false;
                    }
                }
                out.push('}');
                true
            }
            Node::Array(items) => {
                out.push('[');
                for (nth, item) in items.iter().enumerate() {
                    if nth > 0 {
                        out.push(',');
                    }
                    if !item.write(&[], out) {
                        return false;
                    }
                }
                out.push(']');
                true
            }
            Node::Scalar(text) => match text.as_bytes().first() {
                Some(b'"') => match scan::text(text) {
                    Some(Cow::Borrowed(_)) => {
                        out.push_str(text);
                        true
                    }
                    Some(Cow::Owned(text)) => {
                        quote(&text, out);
                        true
                    }
                    None => false,
                },
                Some(b'-' | b'0'..=b'9') => number(text, out),
                _ => {
                    out.push_str(text);
                    true
                }
            },
        }
    }
}

impl Prunable for Node<'_> {
    fn retain(&mut self, keep: &mut dyn FnMut(&str, &mut Self) -> bool) -> Option<bool> {
        let Node::Object(members) = self else { return None };
        members.retain_mut(|(key, value)| keep(key, value));
        Some(!members.is_empty())
    }
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    let mut done = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[done..at]);
        done = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0c => out.push_str("\\f"),
            byte => drop(write!(out, "\\u{byte:04x}")),
        }
    }
    out.push_str(&text[done..]);
    out.push('"');
}

/// Writes a number as Python does: whole ones of any size as they are, others as the shortest text that means the same double, with
/// an exponent below 1e-4 and from 1e16 on (`float.__repr__`). False: it is beyond the range of a double.
fn number(text: &str, out: &mut String) -> bool {
    if !text.contains(['.', 'e', 'E']) {
        out.push_str(if text == "-0" { "0" } else { text });
        return true;
    }
    let Some(value) = text.parse::<f64>().ok().filter(|value| value.is_finite()) else { return false };
    let scientific = format!("{value:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return false };
    let Ok(exponent) = exponent.parse::<i32>() else { return false };
    if value == 0.0 || (-4..16).contains(&exponent) {
        let plain = value.to_string();
        out.push_str(&plain);
        if !plain.contains('.') {
            out.push_str(".0");
        }
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(out, "{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> Option<String> {
        let mut out = String::new();
        Node::parse(text, 100).unwrap().write(&["left_out"], &mut out).then_some(out)
    }

    #[test]
    fn text_is_as_python_writes_it() {
        for (text, expected) in [
            (r#"{ "b" : 1, "a" : [ ], "left_out": 1, "c": {"left_out": 2} }"#, r#"{"a":[],"b":1,"c":{"left_out":2}}"#),
            (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
            ("{\"\u{10000}\":1,\"\u{ffff}\":2,\"é\":3}", "{\"é\":3,\"\u{ffff}\":2,\"\u{10000}\":1}"),
            (r#"["\u00e9\/\u0000\u001F\u007f\b\f\n\r\t\"\\"]"#, "[\"é/\\u0000\\u001f\u{7f}\\b\\f\\n\\r\\t\\\"\\\\\"]"),
            ("[true,false,null]", "[true,false,null]"),
        ] {
            assert_eq!(canonical(text).as_deref(), Some(expected));
        }
    }

    /// Each as Python 3.11 says: `json.dumps(json.loads(text))`.
    #[test]
    fn numbers_are_as_python_spells_them() {
        for (text, expected) in [
            ("0", "0"),
            ("-0", "0"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("1.0", "1.0"),
            ("-0.0", "-0.0"),
            ("0e5", "0.0"),
            ("1e15", "1000000000000000.0"),
            ("1e16", "1e+16"),
            ("12345678901234567.5", "1.2345678901234568e+16"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("5e-324", "5e-324"),
            ("1.7976931348623157E+308", "1.7976931348623157e+308"),
            ("100.10", "100.1"),
            ("9007199254740993.0", "9007199254740992.0"),
        ] {
            assert_eq!(canonical(&format!("[{text}]")), Some(format!("[{expected}]")));
        }
        let mut out = String::new();
        assert!(!number("1e400", &mut out));
    }
}
