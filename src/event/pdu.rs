//! A PDU's text, looked at once without building a tree: is it a JSON object that every parser reads, and the few values
//! that the line and the catalog need.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use memchr::{memchr, memchr2};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::object::{Key, members, text};

/// The deepest nesting that counts as readable. Synapse, being Python, serves events up to about 1,000 levels, and so far
/// scripts in Python read them; one deeper line would make their whole file unreadable.
pub const MAX_DEPTH: usize = 900;

/// Why a text is no JSON object that every parser reads; never quotes the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unparsable(String);

impl Unparsable {
    pub(super) fn new(why: &str) -> Self {
        Unparsable(why.to_owned())
    }
}

impl fmt::Display for Unparsable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unparsable {}

/// What a PDU says of itself; every value may be missing, of another type, or forged.
#[derive(Debug, Default)]
pub struct Pdu<'a> {
    /// The object's text, from its `{` to its `}`.
    pub text: &'a str,
    /// It has no member at all.
    pub is_empty: bool,
    /// One of the members below comes twice.
    pub(super) repeats: bool,
    /// Its `event_id` or `room_id` is no string.
    pub(super) odd_id: bool,
    pub(super) event_id: Option<Cow<'a, str>>,
    pub(super) room_id: Option<Cow<'a, str>>,
    pub(super) kind: Option<Cow<'a, str>>,
    pub(super) sender: Option<Cow<'a, str>>,
    pub(super) state_key: Option<Cow<'a, str>>,
    pub(super) origin_server_ts: Option<i64>,
    pub(super) content: Option<&'a RawValue>,
    pub(super) synapse: Option<&'a RawValue>,
    pub(super) relates_to: Option<Cow<'a, str>>,
    pub(super) rel_type: Option<Cow<'a, str>>,
    pub(super) replies_to: Option<Cow<'a, str>>,
    own_redacts: Option<Cow<'a, str>>,
    content_redacts: Option<Cow<'a, str>>,
    content_keys: ContentKeys,
}

/// The event types in whose `content` redaction spares some keys (room versions 1 to 12, "Redactions").
const SPARED_IN: [&str; 7] = [
    "m.room.member",
    "m.room.create",
    "m.room.join_rules",
    "m.room.power_levels",
    "m.room.history_visibility",
    "m.room.aliases",
    "m.room.redaction",
];

/// Common keys of `content` that no redaction spares.
const DROPPED: [&str; 9] =
    ["displayname", "avatar_url", "name", "topic", "url", "msgtype", "alias", "reason", "m.mentions"];

/// Which kind of keys `content` has: what pruning leaves tells whether it may have happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ContentKeys {
    #[default]
    None,
    /// Keys that pruning spares in some event type.
    Spared,
    /// A key that no pruned event has.
    Others,
}

impl<'a> Pdu<'a> {
    /// Reads a PDU's text.
    ///
    /// # Errors
    /// When it is no JSON object, or one that not every parser reads: with lone surrogates, numbers beyond a double, or
    /// more than [`MAX_DEPTH`] levels.
    pub fn parse(text: &'a str) -> Result<Pdu<'a>, Unparsable> {
        Pdu::within(text, MAX_DEPTH)
    }

    /// Reads the text of a line: what a PDU had under a key of ours is one level deeper there.
    pub(super) fn of_line(text: &'a str) -> Result<Pdu<'a>, Unparsable> {
        Pdu::within(text, MAX_DEPTH + 1)
    }

    fn within(text: &'a str, levels: usize) -> Result<Pdu<'a>, Unparsable> {
        let text = text.trim_matches([' ', '\t', '\n', '\r']);
        if !text.starts_with('{') {
            return Err(Unparsable::new("it is no JSON object"));
        }
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let mut pdu = Top.deserialize(&mut deserializer).map_err(|e| reason(&e))?;
        deserializer.end().map_err(|e| reason(&e))?;
        if let Some(obstacle) = obstacle(text, levels) {
            return Err(Unparsable::new(obstacle));
        }
        if text.contains(r"\u") && has_lone_surrogate(text) {
            return Err(Unparsable::new("it has a lone surrogate"));
        }
        pdu.look_into_content();
        pdu.text = text;
        Ok(pdu)
    }

    /// Where in the text `content` is.
    pub(super) fn content_span(&self) -> Option<Range<usize>> {
        let content = self.content?.get();
        let start = content.as_ptr() as usize - self.text.as_ptr() as usize;
        Some(start..start + content.len())
    }

    /// The event that this redaction redacts: at the top until room version 10, in `content` from 11 on (MSC2174).
    pub(super) fn redacts(&self, room_version: Option<&str>) -> Option<&str> {
        let (own, inner) = (self.own_redacts.as_deref(), self.content_redacts.as_deref());
        match room_version.and_then(|version| version.parse::<u32>().ok()) {
            Some(..=10) => own,
            Some(_) => inner,
            None => own.or(inner),
        }
    }

    /// Whether something has been taken out of this PDU since it was sent: nothing is left but what redaction spares, and
    /// its content hash (Matrix server-server specification, "Calculating the content hash for an event") does not hold.
    pub(super) fn is_pruned(&self, kind: &str) -> bool {
        let possible = match self.content_keys {
            ContentKeys::None => true,
            ContentKeys::Spared => SPARED_IN.contains(&kind),
            ContentKeys::Others => false,
        };
        possible && content_hash_holds(self.text) == Some(false)
    }
}

/// Words a parser's complaint without its position, which says nothing to a reader of the archive.
fn reason(error: &serde_json::Error) -> Unparsable {
    let text = error.to_string();
    Unparsable(text.split(" at line ").next().unwrap_or_default().to_owned())
}

/// Whether `hashes.sha256` is the content hash; none when there is no such hash, or it cannot be computed.
fn content_hash_holds(text: &str) -> Option<bool> {
    let serde_json::Value::Object(mut pdu) = serde_json::from_str(text).ok()? else { return None };
    let said = STANDARD_NO_PAD.decode(pdu.get("hashes")?.get("sha256")?.as_str()?.trim_end_matches('=')).ok()?;
    if said.len() != 32 {
        return None;
    }
    for key in ["hashes", "signatures", "unsigned", "age_ts", "outlier", "destinations"] {
        pdu.remove(key);
    }
    let value = serde_json::Value::Object(pdu);
    // canonical JSON has no floats, so how a server of that time wrote them is unknown
    (!has_float(&value)).then(|| Sha256::digest(canonical(&value)).as_slice() == said)
}

fn has_float(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Number(number) => number.is_f64(),
        serde_json::Value::Array(items) => items.iter().any(has_float),
        serde_json::Value::Object(members) => members.values().any(has_float),
        _ => false,
    }
}

/// Canonical JSON: keys in code point order, which is that of `serde_json`'s map, no white space, no needless escape.
fn canonical(value: &serde_json::Value) -> String {
    value.to_string()
}

/// What keeps some parsers from reading a text that is grammatical JSON.
fn obstacle(text: &str, levels: usize) -> Option<&'static str> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0);
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' if depth == levels => return Some("it is nested too deeply"),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b'"' => at += after_string(&bytes[at..])?,
            b'-' | b'0'..=b'9' => {
                let length = bytes[at..].iter().take_while(|b| b"0123456789.eE+-".contains(b)).count();
                let number = &text[at - 1..at + length];
                // a shorter one without an exponent is never too large
                if (length > 300 || number.contains(['e', 'E'])) && number.parse().is_ok_and(f64::is_infinite) {
                    return Some("it has a number beyond the range of a double");
                }
                at += length;
            }
            _ => {}
        }
    }
    None
}

/// Whether a text that is grammatical JSON escapes half of a surrogate pair.
fn has_lone_surrogate(text: &str) -> bool {
    let unit = |at: usize| text.get(at + 2..at + 6).and_then(|digits| u16::from_str_radix(digits, 16).ok());
    let (mut at, bytes) = (0, text.as_bytes());
    while let Some(next) = memchr(b'\\', &bytes[at..]) {
        at += next;
        match unit(at).filter(|_| bytes.get(at + 1) == Some(&b'u')) {
            Some(0xd800..=0xdbff) => {
                let low = (bytes.get(at + 6..at + 8) == Some(br"\u")).then(|| unit(at + 6)).flatten();
                if !low.is_some_and(|low| (0xdc00..=0xdfff).contains(&low)) {
                    return true;
                }
                at += 12;
            }
            Some(0xdc00..=0xdfff) => return true,
            Some(_) => at += 6,
            None => at += 2,
        }
    }
    false
}

/// The length of a string's rest, its closing quote included.
fn after_string(rest: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', &rest[at..])?;
        if rest[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// The PDU's top level. Values are skipped, which no nesting makes expensive, unless they are needed.
struct Top;

impl<'de> DeserializeSeed<'de> for Top {
    type Value = Pdu<'de>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Top {
    type Value = Pdu<'de>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pdu = Pdu { is_empty: true, ..Pdu::default() };
        let mut seen: u8 = 0;
        while let Some(key) = map.next_key_seed(Key)? {
            pdu.is_empty = false;
            let bit = match &*key {
                "content" => {
                    pdu.content = Some(map.next_value()?);
                    1
                }
                "synapse" => {
                    pdu.synapse = Some(map.next_value()?);
                    2
                }
                "event_id" => {
                    pdu.event_id = text(map.next_value()?);
                    pdu.odd_id |= pdu.event_id.is_none();
                    4
                }
                "room_id" => {
                    pdu.room_id = text(map.next_value()?);
                    pdu.odd_id |= pdu.room_id.is_none();
                    8
                }
                "origin_server_ts" => {
                    pdu.origin_server_ts = map.next_value::<&RawValue>()?.get().parse().ok();
                    0
                }
                name => {
                    let value = match name {
                        "type" => &mut pdu.kind,
                        "sender" => &mut pdu.sender,
                        "state_key" => &mut pdu.state_key,
                        "redacts" => &mut pdu.own_redacts,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    *value = text(map.next_value()?);
                    0
                }
            };
            pdu.repeats |= seen & bit != 0;
            seen |= bit;
        }
        Ok(pdu)
    }
}

impl<'a> Pdu<'a> {
    fn look_into_content(&mut self) {
        let Some(content) = self.content else { return };
        for (key, value) in members(content.get()) {
            match &*key {
                "m.relates_to" => self.look_into_relation(value),
                "redacts" => self.content_redacts = text(value),
                _ => {}
            }
            self.content_keys = match self.content_keys {
                ContentKeys::None | ContentKeys::Spared if !DROPPED.contains(&&*key) => ContentKeys::Spared,
                _ => ContentKeys::Others,
            };
        }
    }

    /// Takes the relation, or else the reply, that `m.relates_to` is. What a thread's events reply to only for clients that
    /// know no threads (`is_falling_back`) is no reply.
    fn look_into_relation(&mut self, relation: &'a RawValue) {
        let (mut reply, mut is_falling_back) = (None, false);
        for (key, value) in members(relation.get()) {
            match &*key {
                "event_id" => self.relates_to = text(value),
                "rel_type" => self.rel_type = text(value),
                "is_falling_back" => is_falling_back = value.get() == "true",
                "m.in_reply_to" => {
                    let target = members(value.get()).into_iter().rfind(|(key, _)| key == "event_id");
                    reply = target.and_then(|(_, value)| text(value));
                }
                _ => {}
            }
        }
        if self.rel_type.is_none() {
            self.rel_type = reply.is_some().then_some(Cow::Borrowed("m.in_reply_to"));
            self.relates_to.clone_from(&reply);
        }
        let is_threaded = self.rel_type.as_deref() == Some("m.thread");
        self.replies_to = reply.filter(|_| !(is_threaded && is_falling_back));
    }
}
