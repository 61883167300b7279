//! A PDU's text, looked at once without building a tree: is it a JSON object that every parser reads, and the few values
//! that the line and the catalog need.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::having::Having;
use super::object::{Object, members, text};
use super::scan::{self, Fault, Scanner};

/// The deepest nesting that counts as readable. Synapse, being Python, serves events up to about 1,000 levels, and so far
/// scripts in Python read them; one deeper line would make their whole file unreadable.
pub const MAX_DEPTH: usize = 900;

/// How long an event is sticky at most, milliseconds (MSC4354).
const LONGEST_STICKY: i64 = 60 * 60 * 1000;

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
    /// For how long it is sticky (MSC4354), in milliseconds.
    pub(super) sticky: Option<i64>,
    pub(super) content: Option<Content<'a>>,
    pub(super) synapse: Option<&'a str>,
    own_redacts: Option<Cow<'a, str>>,
}

/// What a PDU's `content` says.
#[derive(Debug, Default)]
pub(super) struct Content<'a> {
    text: &'a str,
    pub(super) relates_to: Option<Cow<'a, str>>,
    pub(super) rel_type: Option<Cow<'a, str>>,
    pub(super) replies_to: Option<Cow<'a, str>>,
    redacts: Option<Cow<'a, str>>,
    /// The relation's `key`.
    key: Option<Cow<'a, str>>,
    body: Option<&'a str>,
    /// `m.new_content`, if it is an object.
    edited: Option<&'a str>,
    having: Having<'a>,
    keys: Keys,
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
enum Keys {
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
        Pdu::read(text, levels).map_err(|fault| match fault {
            Fault::Grammar => grammar(text),
            Fault::Depth => Unparsable::new("it is nested too deeply"),
            Fault::Number => Unparsable::new("it has a number beyond the range of a double"),
            Fault::Surrogate => Unparsable::new("it has a lone surrogate"),
        })
    }

    fn read(text: &'a str, levels: usize) -> Result<Pdu<'a>, Fault> {
        let mut pdu = Pdu { text, is_empty: true, ..Pdu::default() };
        let mut seen: u8 = 0;
        let mut scanner = Scanner::new(text, levels);
        scanner.object(|scanner, key| {
            pdu.is_empty = false;
            let bit = match &*scan::text(key).ok_or(Fault::Grammar)? {
                "content" => {
                    pdu.content = Some(Content::read(text, scanner)?);
                    1
                }
                "synapse" => {
                    pdu.synapse = Some(scanner.value()?);
                    2
                }
                "event_id" => {
                    pdu.event_id = scan::text(scanner.value()?);
                    pdu.odd_id |= pdu.event_id.is_none();
                    4
                }
                "room_id" => {
                    pdu.room_id = scan::text(scanner.value()?);
                    pdu.odd_id |= pdu.room_id.is_none();
                    8
                }
                name => {
                    let value = scanner.value()?;
                    match name {
                        "origin_server_ts" => pdu.origin_server_ts = value.parse().ok(),
                        "type" => pdu.kind = scan::text(value),
                        "sender" => pdu.sender = scan::text(value),
                        "state_key" => pdu.state_key = scan::text(value),
                        "redacts" => pdu.own_redacts = scan::text(value),
                        "msc4354_sticky" => pdu.sticky = duration(value),
                        _ => {}
                    }
                    0
                }
            };
            pdu.repeats |= seen & bit != 0;
            seen |= bit;
            Ok(())
        })?;
        scanner.end()?;
        Ok(pdu)
    }

    /// Where in the text `content` is.
    pub(super) fn content_span(&self) -> Option<Range<usize>> {
        let content = self.content.as_ref()?.text;
        let start = content.as_ptr() as usize - self.text.as_ptr() as usize;
        Some(start..start + content.len())
    }

    /// The event that this redaction redacts: at the top until room version 10, in `content` from 11 on (MSC2174).
    pub(super) fn redacts(&self, room_version: Option<&str>) -> Option<&str> {
        let inner = self.content.as_ref().and_then(|content| content.redacts.as_deref());
        let own = self.own_redacts.as_deref();
        match room_version.and_then(|version| version.parse::<u32>().ok()) {
            Some(..=10) => own,
            Some(_) => inner,
            None => own.or(inner),
        }
    }

    /// Whether something has been taken out of this PDU since it was sent: nothing is left but what redaction spares, and
    /// its content hash (Matrix server-server specification, "Calculating the content hash for an event") does not hold.
    pub(super) fn is_pruned(&self, kind: &str) -> bool {
        let possible = match self.content.as_ref().map_or(Keys::None, |content| content.keys) {
            Keys::None => true,
            Keys::Spared => SPARED_IN.contains(&kind),
            Keys::Others => false,
        };
        possible && content_hash_holds(self.text) == Some(false)
    }
}

/// The duration of a sticky event: a whole number of milliseconds, which is at most an hour.
fn duration(sticky: &str) -> Option<i64> {
    let duration = Object::of(sticky).integer("duration_ms").filter(|duration| *duration >= 0)?;
    Some(duration.min(LONGEST_STICKY))
}

/// Why a text is no JSON, in a parser's words without their position, which says nothing to a reader of the archive.
fn grammar(text: &str) -> Unparsable {
    let complaint = serde_json::from_str::<&RawValue>(text).map_or_else(|error| error.to_string(), |_| String::new());
    let why = complaint.split(" at line ").next().unwrap_or_default();
    Unparsable::new(if why.is_empty() { "it is no JSON" } else { why })
}

/// Whether `hashes.sha256` is the content hash; none when there is no such hash, or it cannot be computed.
pub(super) fn content_hash_holds(text: &str) -> Option<bool> {
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

pub(super) fn has_float(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Number(number) => number.is_f64(),
        serde_json::Value::Array(items) => items.iter().any(has_float),
        serde_json::Value::Object(members) => members.values().any(has_float),
        _ => false,
    }
}

/// Canonical JSON: keys in code point order, which is that of `serde_json`'s map, no white space, no needless escape.
pub(super) fn canonical(value: &serde_json::Value) -> String {
    value.to_string()
}

impl<'a> Content<'a> {
    /// Reads the content that begins where the scanner is.
    fn read(text: &'a str, scanner: &mut Scanner<'a>) -> Result<Content<'a>, Fault> {
        let (mut content, start) = (Content::default(), scanner.at());
        if scanner.is_object() {
            scanner.object(|scanner, key| {
                let (key, value) = (scan::text(key).ok_or(Fault::Grammar)?, scanner.value()?);
                match &*key {
                    "m.relates_to" => content.look_into_relation(value),
                    "redacts" => content.redacts = scan::text(value),
                    "body" => content.body = Some(value),
                    "msgtype" => content.having.msgtype = Some(value),
                    "formatted_body" => content.having.formatted_body = Some(value),
                    "m.mentions" => content.having.mentions = Some(value),
                    "m.new_content" => content.edited = Some(value).filter(|value| value.starts_with('{')),
                    _ => {}
                }
                content.keys = match content.keys {
                    Keys::None | Keys::Spared if !DROPPED.contains(&&*key) => Keys::Spared,
                    _ => Keys::Others,
                };
                Ok(())
            })?;
        } else {
            scanner.value()?;
        }
        content.text = &text[start..scanner.at()];
        Ok(content)
    }

    /// Whether it says what is to take another event's place.
    pub(super) fn is_edit(&self, is_state: bool) -> bool {
        self.rel_type.as_deref() == Some("m.replace") && !is_state && self.edited.is_some()
    }

    /// What an event of a type says to be read and searched: its body, of an edit the new one, of a reaction its key; of a
    /// reply without the quote that older clients put before it.
    pub(super) fn said(&self, kind: &str, is_state: bool) -> Option<String> {
        if self.is_edit(is_state)
            && let Some(new) = self.edited
        {
            return Object::of(new).text("body").map(Cow::into_owned);
        }
        if kind == "m.reaction" {
            return self.key.as_deref().map(str::to_owned);
        }
        let body = scan::text(self.body?)?;
        let is_quote = self.replies_to.is_some() && (body.starts_with("> <") || body.starts_with("> * <"));
        Some(match body.split_once("\n\n") {
            _ if !is_quote => body.into_owned(),
            Some((_, answer)) => answer.to_owned(),
            None => String::new(),
        })
    }

    /// What a message has beside its text: see [`Having`].
    pub(super) fn has(&self, kind: &str, is_state: bool) -> Option<String> {
        if kind != "m.room.message" || is_state {
            return None;
        }
        match self.edited.filter(|_| self.is_edit(is_state)) {
            None => self.having.words(),
            Some(new) => {
                let new = Object::of(new);
                let value = |key| new.get(key).map(RawValue::get);
                let (msgtype, formatted_body) = (value("msgtype"), value("formatted_body"));
                Having { msgtype, formatted_body, mentions: value("m.mentions") }.words()
            }
        }
    }

    /// Takes the relation, or else the reply, that `m.relates_to` is. What a thread's events reply to only for clients that
    /// know no threads (`is_falling_back`) is no reply.
    fn look_into_relation(&mut self, relation: &'a str) {
        let (mut reply, mut is_falling_back) = (None, false);
        for (key, value) in members(relation) {
            match &*key {
                "event_id" => self.relates_to = text(value),
                "rel_type" => self.rel_type = text(value),
                "key" => self.key = text(value),
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
