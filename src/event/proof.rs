//! What an event proves of itself: that its content is what its sender's server signed, by its content hash, its id and the
//! signatures on it (Matrix server-server specification, "Signing events", and each room version's "Event IDs" and "Redactions").
//!
//! Computes as Synapse does, of which every room version that it knows is compared with its own functions. Fetches no key, and
//! never says that an event is authentic when a part of it could not be computed.

mod canonical;

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ed25519_dalek::VerifyingKey;
use ruma_common::room_version_rules::{EventIdFormatVersion, RoomIdFormatVersion};
use sha2::{Digest as _, Sha256};

use super::pdu::MAX_DEPTH;
use super::redacted::rules::{Rules, specified};
use super::scan::{self, Fault, Scanner};
use canonical::Node;

/// What neither the content hash nor a signature covers.
const UNHASHED: [&str; 6] = ["age_ts", "unsigned", "signatures", "hashes", "outlier", "destinations"];
/// What the id and signatures do not cover, of what is left by pruning.
const UNSIGNED: [&str; 3] = ["signatures", "unsigned", "age_ts"];

/// How an event stands against its own proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Its content hash, id and signatures hold.
    Authentic,
    /// Its id and signatures hold, and its content is pruned by its room's rules.
    Redacted,
    /// This archive's owner has erased its content, or all of it.
    Erased,
    /// Its content hash, if it is not pruned, and its id hold, and the key of a signature is not known, or was not valid then.
    NoKey,
    /// It cannot be computed.
    NotDecided,
    /// A signature that it must have is missing or does not hold.
    BadSignature,
    /// Its content hash or its id does not hold.
    Altered,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Verdict; 7] = [
        Verdict::Authentic,
        Verdict::Redacted,
        Verdict::Erased,
        Verdict::NoKey,
        Verdict::NotDecided,
        Verdict::BadSignature,
        Verdict::Altered,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Authentic => "authentic",
            Verdict::Redacted => "redacted",
            Verdict::Erased => "erased",
            Verdict::NoKey => "no_key",
            Verdict::NotDecided => "not_decided",
            Verdict::BadSignature => "bad_signature",
            Verdict::Altered => "altered",
        }
    }

    /// Whether it says that something is off.
    #[must_use]
    pub fn is_off(self) -> bool {
        matches!(self, Verdict::BadSignature | Verdict::Altered)
    }
}

/// Why a verdict is not a better one; never quotes content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its id is not the hash of what it says.
    Id,
    /// It was signed for another room.
    Room,
    /// Its content is not what was hashed, nor pruned.
    Content,
    /// Its content is pruned, which it was not when it was archived.
    PrunedSince,
    /// A server has not signed it that must have.
    Unsigned(String),
    /// The signature of a server, by the key with this id, does not hold.
    Signature(String, String),
    /// The key of a server with this id is not known.
    NoKey(String, String),
    /// The key of a server with this id was not valid any more when it says it was sent.
    Expired(String, String),
    /// It cannot be computed.
    Undecided(&'static str),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Id => f.write_str("its id is not the hash of what it says"),
            Why::Room => f.write_str("it was not signed for this room"),
            Why::Content => f.write_str("its content is not what was hashed, nor pruned by its room's rules"),
            Why::PrunedSince => f.write_str("its content is pruned, and was not when it was archived"),
            Why::Unsigned(server) => write!(f, "{} has not signed it", server.escape_debug()),
            Why::Signature(server, key) => {
                write!(f, "the signature of {}, key {}, does not hold", server.escape_debug(), key.escape_debug())
            }
            Why::NoKey(server, key) => {
                write!(f, "the key {} of {} is not known", key.escape_debug(), server.escape_debug())
            }
            Why::Expired(server, key) => {
                write!(f, "the key {} of {} had expired", key.escape_debug(), server.escape_debug())
            }
            Why::Undecided(why) => f.write_str(why),
        }
    }
}

/// A server's public key.
#[derive(Clone, Debug)]
pub struct VerifyKey {
    verifying: VerifyingKey,
    /// Until when events may be signed with it, milliseconds since the epoch; none: no end is known.
    valid_until: Option<i64>,
}

impl VerifyKey {
    /// Takes a key's 32 bytes; none: they are no key.
    #[must_use]
    pub fn new(bytes: &[u8], valid_until: Option<i64>) -> Option<VerifyKey> {
        let verifying = VerifyingKey::from_bytes(bytes.try_into().ok()?).ok()?;
        Some(VerifyKey { verifying, valid_until })
    }

    /// Takes a key as the key API writes it, in base64.
    #[must_use]
    pub fn from_base64(text: &str, valid_until: Option<i64>) -> Option<VerifyKey> {
        VerifyKey::new(&decode(text)?, valid_until)
    }

    /// Until when events may be signed with it, milliseconds since the epoch; none: no end is known.
    #[must_use]
    pub fn valid_until(&self) -> Option<i64> {
        self.valid_until
    }

    /// Its 32 bytes.
    #[must_use]
    pub fn bytes(&self) -> [u8; 32] {
        self.verifying.to_bytes()
    }
}

/// A signature on an event.
#[derive(Clone, Debug)]
pub struct Signature {
    /// Whose.
    pub server: String,
    /// The id of its key, `ed25519:…`.
    pub key_id: String,
    /// None: it is none.
    bytes: Option<[u8; 64]>,
}

/// How the content stands against its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ContentStanding {
    Holds,
    Pruned,
    Differs,
    Unknown,
}

/// What of an event is to be checked.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a thing that is checked")]
pub struct Proof {
    id_holds: bool,
    room_holds: bool,
    content: ContentStanding,
    /// It is pruned, and its line says that it was archived whole.
    pruned_since: bool,
    /// What its id is the hash of, and what is signed.
    signed: String,
    /// Who must have signed it; empty: who has.
    required: Vec<String>,
    /// When it says that it was sent, where its keys must have been valid then.
    sent: Option<i64>,
    /// An invitation by a third party that was pruned does not say that it was one, and who signs such is another server.
    may_be_of_third_party: bool,
    signatures: Vec<Signature>,
}

impl Proof {
    /// What the event of a line has to prove; or why that cannot be told.
    pub fn of(line: &str) -> Result<Proof, Why> {
        let LineParts { event_id, room_id, version, mut pdu, contradicts, censored } = LineParts::read(line)?;
        let specified = specified(&version).ok_or(Why::Undecided("its room's version is not known"))?;
        let rules = Rules::of(&version).ok_or(Why::Undecided("its room's version is not known"))?;
        let of_room = specified.room_id_format == RoomIdFormatVersion::V2 || version == "org.matrix.hydra.11";
        let has_own_id = specified.event_id_format == EventIdFormatVersion::V1;
        let kind = text(&pdu, "type").ok_or(Why::Undecided("it has no type"))?.into_owned();
        let makes_room = of_room && kind == "m.room.create";
        let mut room_holds = !contradicts;
        if has_own_id && !has(&pdu, "event_id") {
            pdu.push(("event_id".into(), Node::Scalar(event_id)));
        }
        if makes_room {
            let hash = |id: &str| scan::text(id).map(|id| id.get(1..).unwrap_or_default().to_owned());
            room_holds &= room_id.is_none_or(|room_id| hash(room_id) == hash(event_id));
        } else if !has(&pdu, "room_id")
            && let Some(room_id) = room_id
        {
            pdu.push(("room_id".into(), Node::Scalar(room_id)));
        }
        let whole = Node::object(pdu);
        let mut pruned = whole.clone();
        let kept: &[&str] = if makes_room { &["event_id"] } else { &["event_id", "room_id"] };
        rules.prune_keeping(&mut pruned, &kind, kept);
        let mut signed = String::with_capacity(line.len());
        if !pruned.write(&UNSIGNED, &mut signed) {
            return Err(Why::Undecided("it has a number that Synapse could not have hashed"));
        }
        let event_id = scan::text(event_id).ok_or(Why::Undecided("its id is no text"))?;
        let id_holds = match specified.event_id_format {
            EventIdFormatVersion::V1 => whole.get("event_id").and_then(Node::text).is_some_and(|own| own == event_id),
            EventIdFormatVersion::V2 => is_hash(&event_id, &signed, &STANDARD_NO_PAD),
            EventIdFormatVersion::V3 => is_hash(&event_id, &signed, &URL_SAFE_NO_PAD),
            _ => return Err(Why::Undecided("how its room's version makes ids is not known")),
        };
        let content = whole.get("content");
        let is_third_party = kind == "m.room.member"
            && content.and_then(|content| content.get("membership")?.text()).as_deref() == Some("invite");
        let invites_for = is_third_party && content.is_some_and(|content| content.get("third_party_invite").is_some());
        let content_hash = content_hash(&whole, &pruned);
        // of those in which pruning leaves anything, or numbers are no whole ones, not every pruned one is known as that
        let would_be_known =
            || kind != "m.room.create" && version != "org.matrix.msc3389.10" && !whole.has_odd_number();
        let mut proof = Proof {
            id_holds,
            room_holds,
            content: content_hash,
            pruned_since: content_hash == ContentStanding::Pruned && !censored && would_be_known(),
            signed,
            required: Vec::new(),
            sent: None,
            may_be_of_third_party: is_third_party && !invites_for,
            signatures: signatures(&whole),
        };
        if !invites_for {
            let sender = whole.get("sender").and_then(Node::text);
            proof.require(sender.as_deref().ok_or(Why::Undecided("it has no sender"))?)?;
            if specified.signatures.check_event_id_server {
                proof.require(&event_id)?;
            }
        }
        let is_join = || content.and_then(|content| content.get("membership")?.text()).as_deref() == Some("join");
        if specified.authorization.restricted_join_rule
            && kind == "m.room.member"
            && is_join()
            && let Some(user) = content.and_then(|content| content.get("join_authorised_via_users_server"))
        {
            let user = user.text().ok_or(Why::Undecided("who authorised it is no text"))?;
            proof.require(&user)?;
        }
        if specified.enforce_key_validity {
            let sent = whole.get("origin_server_ts");
            let sent = sent.and_then(|sent| if let Node::Scalar(text) = sent { text.parse().ok() } else { None });
            proof.sent = Some(sent.unwrap_or(i64::MAX));
        }
        Ok(proof)
    }

    /// Who has signed it, by his word.
    #[must_use]
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    fn require(&mut self, id: &str) -> Result<(), Why> {
        let (_, server) = id.split_once(':').ok_or(Why::Undecided("it does not say of which server it is"))?;
        if !self.required.iter().any(|required| required == server) {
            self.required.push(server.to_owned());
        }
        Ok(())
    }

    /// Judges it by the keys of servers, given the name of the server and the key's id.
    pub fn judge<E>(
        &self,
        mut key: impl FnMut(&str, &str) -> Result<Option<VerifyKey>, E>,
    ) -> Result<(Verdict, Option<Why>), E> {
        let altered = [
            (self.id_holds, Why::Id),
            (self.room_holds, Why::Room),
            (self.content != ContentStanding::Differs, Why::Content),
            (!self.pruned_since, Why::PrunedSince),
        ];
        if let Some((_, why)) = altered.into_iter().find(|(holds, _)| !holds) {
            return Ok((Verdict::Altered, Some(why)));
        }
        let mut unknown = None;
        let signers = self.signatures.iter().map(|signature| &signature.server);
        let required: Vec<&String> =
            if self.required.is_empty() { signers.collect() } else { self.required.iter().collect() };
        if required.is_empty() {
            return Ok((Verdict::BadSignature, Some(Why::Unsigned("any server".to_owned()))));
        }
        for server in required {
            match self.signed_by(server, &mut key)? {
                None => {}
                Some(Why::Unsigned(_)) if self.content == ContentStanding::Pruned && self.may_be_of_third_party => {
                    let why = "it may have been an invitation by a third party before it was pruned";
                    return Ok((Verdict::NotDecided, Some(Why::Undecided(why))));
                }
                Some(why @ (Why::NoKey(..) | Why::Expired(..))) => unknown = Some(why),
                Some(why) => return Ok((Verdict::BadSignature, Some(why))),
            }
        }
        Ok(match (self.content, unknown) {
            (ContentStanding::Unknown, _) => {
                (Verdict::NotDecided, Some(Why::Undecided("its content hash cannot be computed")))
            }
            (_, Some(why)) => (Verdict::NoKey, Some(why)),
            (ContentStanding::Pruned, None) => (Verdict::Redacted, None),
            _ => (Verdict::Authentic, None),
        })
    }

    /// Why a server cannot be said to have signed it; none: it has.
    fn signed_by<E>(
        &self,
        server: &str,
        key: &mut impl FnMut(&str, &str) -> Result<Option<VerifyKey>, E>,
    ) -> Result<Option<Why>, E> {
        let mut why = None;
        for signature in self.signatures.iter().filter(|signature| signature.server == server) {
            let own = || (server.to_owned(), signature.key_id.clone());
            let Some(key) = key(server, &signature.key_id)? else {
                why = why.or_else(|| Some(Why::NoKey(own().0, own().1)));
                continue;
            };
            let holds = signature.bytes.is_some_and(|bytes| {
                let signature = ed25519_dalek::Signature::from_bytes(&bytes);
                key.verifying.verify_strict(self.signed.as_bytes(), &signature).is_ok()
            });
            if !holds {
                why = Some(Why::Signature(own().0, own().1));
            } else if let (Some(sent), Some(until)) = (self.sent, key.valid_until)
                && sent > until
            {
                why = why.or_else(|| Some(Why::Expired(own().0, own().1)));
            } else {
                return Ok(None);
            }
        }
        Ok(Some(why.unwrap_or_else(|| Why::Unsigned(server.to_owned()))))
    }
}

/// A line taken apart: the PDU as it was, and what was put in front of it.
struct LineParts<'a> {
    /// As they are written, in quotes.
    event_id: &'a str,
    room_id: Option<&'a str>,
    version: Cow<'a, str>,
    pdu: Vec<(Cow<'a, str>, Node<'a>)>,
    /// The PDU says that it is of another room.
    contradicts: bool,
    /// It was pruned before it was archived.
    censored: bool,
}

impl<'a> LineParts<'a> {
    fn read(line: &'a str) -> Result<LineParts<'a>, Why> {
        let (mut front, mut about, mut pdu) = (Vec::new(), None, Vec::with_capacity(16));
        let mut scanner = Scanner::new(line, MAX_DEPTH + 1);
        scanner
            .object(|scanner, key| {
                let key = scan::text(key).ok_or(Fault::Grammar)?;
                let value = Node::read(scanner)?;
                if key == "synapse" && about.is_none() {
                    about = Some(value);
                    front = std::mem::take(&mut pdu);
                } else {
                    pdu.push((key, value));
                }
                Ok(())
            })
            .and_then(|()| scanner.end())
            .map_err(|_| Why::Undecided("it cannot be read"))?;
        let Some(Node::Object(about)) = about else { return Err(Why::Undecided("it has no `synapse` object")) };
        let scalar = |members: &[(Cow<'a, str>, Node<'a>)], key: &str| {
            members.iter().find(|(name, _)| name == key).and_then(|(_, value)| match value {
                Node::Scalar(text) if text.starts_with('"') => Some(*text),
                _ => None,
            })
        };
        if has(&about, "unparsed") {
            return Err(Why::Undecided("its PDU cannot be read"));
        }
        let version = text(&about, "room_version").ok_or(Why::Undecided("its room's version is not known"))?;
        let either = |key| scalar(&front, key).or_else(|| scalar(&pdu, key));
        let event_id = either("event_id").ok_or(Why::Undecided("it has no id"))?;
        let room_id = either("room_id");
        let contradicts = has(&about, "pdu_room_id");
        let censored = about.iter().any(|(key, value)| key == "censored" && matches!(value, Node::Scalar("true")));
        for (key, value) in about {
            match &*key {
                "shadowed" => pdu.push(("synapse".into(), value)),
                "pdu_event_id" => pdu.push(("event_id".into(), value)),
                "pdu_room_id" => pdu.push(("room_id".into(), value)),
                _ => {}
            }
        }
        Ok(LineParts { event_id, room_id, version, pdu, contradicts, censored })
    }
}

fn has(members: &[(Cow<'_, str>, Node<'_>)], key: &str) -> bool {
    members.iter().any(|(name, _)| name == key)
}

fn text<'a>(members: &[(Cow<'a, str>, Node<'a>)], key: &str) -> Option<Cow<'a, str>> {
    members.iter().rfind(|(name, _)| name == key).and_then(|(_, value)| value.text())
}

fn is_hash(event_id: &str, signed: &str, encoding: &GeneralPurpose) -> bool {
    event_id.strip_prefix('$').is_some_and(|hash| hash == encoding.encode(Sha256::digest(signed)))
}

/// Compares a PDU with its content hash.
fn content_hash(whole: &Node<'_>, pruned: &Node<'_>) -> ContentStanding {
    let said = whole.get("hashes").and_then(|hashes| hashes.get("sha256")).and_then(Node::text);
    let Some(said) = said.and_then(|said| decode(&said)) else { return ContentStanding::Unknown };
    let mut text = String::new();
    if !whole.write(&UNHASHED, &mut text) {
        return ContentStanding::Unknown;
    }
    if Sha256::digest(&text).as_slice() == said {
        return ContentStanding::Holds;
    }
    let mut left = String::new();
    pruned.write(&UNHASHED, &mut left);
    if left == text { ContentStanding::Pruned } else { ContentStanding::Differs }
}

fn signatures(pdu: &Node<'_>) -> Vec<Signature> {
    let Some(Node::Object(servers)) = pdu.get("signatures") else { return Vec::new() };
    let of_server = |(server, keys): &(Cow<'_, str>, Node<'_>)| {
        let keys = if let Node::Object(keys) = keys { keys.as_slice() } else { &[] };
        let signature = |(key_id, signature): &(Cow<'_, str>, Node<'_>)| Signature {
            server: server.to_string(),
            key_id: key_id.to_string(),
            bytes: signature.text().and_then(|text| decode(&text)?.try_into().ok()),
        };
        keys.iter().filter(|(key_id, _)| key_id.starts_with("ed25519:")).map(signature).collect::<Vec<_>>()
    };
    servers.iter().flat_map(of_server).collect()
}

/// Reads base64 as servers do: either alphabet, with padding or without it.
fn decode(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabet = if text.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    GeneralPurpose::new(alphabet, LENIENT).decode(text).ok()
}

#[cfg(test)]
mod tests;
