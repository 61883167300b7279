//! What state events and members say of a room.
//!
//! Pure: takes texts as they are stored, of which none need be what it should be, and never fails on one.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::event::{hex, is_soft_failed};

/// The longest name that is kept; the specification allows as many bytes.
const LONGEST: usize = 255;

/// What the state of a room says of it.
#[derive(Debug, Default)]
pub(super) struct Described {
    pub(super) name: Option<String>,
    /// It had a name or an alias, which was redacted.
    pub(super) was_named: bool,
    pub(super) canonical_alias: Option<String>,
    pub(super) version: Option<String>,
    pub(super) space: bool,
    pub(super) encrypted: bool,
    taken: Vec<String>,
}

#[derive(Deserialize)]
struct MemberPdu<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    state_key: Option<&'a RawValue>,
}

/// The keys of all contents that are looked at.
#[derive(Default, Deserialize)]
struct StateContent<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    alias: Option<&'a RawValue>,
    #[serde(borrow)]
    room_version: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    is_direct: Option<&'a RawValue>,
}

impl Described {
    pub(super) fn is_nameless(&self) -> bool {
        self.name.is_none() && self.canonical_alias.is_none()
    }

    /// Takes what the event of a type says, unless another of this type was taken before.
    pub(super) fn take(&mut self, kind: &str, internal_metadata: &str, json: &str) {
        let decoded = hex::decoded(json);
        let Ok(pdu) = serde_json::from_str::<MemberPdu<'_>>(decoded.as_deref().unwrap_or(json)) else { return };
        if self.taken.iter().any(|taken| taken == kind)
            || text(pdu.state_key).is_none_or(|key| !key.is_empty())
            || is_soft_failed(internal_metadata)
        {
            return;
        }
        self.taken.push(kind.to_owned());
        let content = content(pdu.content);
        match kind {
            "m.room.name" => self.name = sound(content.name),
            "m.room.canonical_alias" => self.canonical_alias = sound(content.alias),
            "m.room.encryption" => self.encrypted = true,
            "m.room.create" => {
                self.space = text(content.kind).is_some_and(|kind| kind == "m.space");
                self.version = Some(sound(content.room_version).unwrap_or("1".to_owned()));
            }
            _ => {}
        }
    }
}

/// Whether an invitation is one to a direct chat.
pub(super) fn is_direct(json: &str) -> bool {
    let decoded = hex::decoded(json);
    let pdu = serde_json::from_str::<MemberPdu<'_>>(decoded.as_deref().unwrap_or(json));
    pdu.is_ok_and(|pdu| content(pdu.content).is_direct.is_some_and(|value| value.get() == "true"))
}

fn content(raw: Option<&RawValue>) -> StateContent<'_> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

fn text(raw: Option<&RawValue>) -> Option<Cow<'_, str>> {
    serde_json::from_str::<String>(raw?.get()).ok().map(Cow::Owned)
}

/// A text that says something, cut to a sensible length.
fn sound(raw: Option<&RawValue>) -> Option<String> {
    let text = text(raw).filter(|text| !text.trim().is_empty())?;
    Some(match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    })
}

/// Somebody in a room.
#[derive(Debug)]
pub(super) struct NamedMember {
    pub(super) user_id: String,
    pub(super) name: Option<String>,
    /// In the room, or invited.
    pub(super) present: bool,
}

/// Who is in a room, or was.
#[derive(Debug, Default)]
pub(super) struct SomeMembers {
    /// A few, those present first.
    pub(super) some: Vec<NamedMember>,
    /// How many are in the room or invited.
    pub(super) present: i64,
    /// How many have joined.
    pub(super) joined: i64,
    /// How many are known in all.
    pub(super) all: i64,
}

impl SomeMembers {
    /// Names a room after its members, as clients do (client-server specification, "Calculating the display name for a
    /// room"), but from nobody's point of view: all of them count.
    pub(super) fn call(&self) -> Option<String> {
        let names = |present: bool| -> Vec<String> {
            let people: Vec<&NamedMember> = self.some.iter().filter(|person| person.present == present).collect();
            people.iter().map(|person| person.distinct_name(&people)).collect()
        };
        let (present, past) = (names(true), names(false));
        if present.is_empty() {
            let others = self.all - i64::try_from(past.len()).unwrap_or_default();
            return (!past.is_empty()).then(|| format!("Empty room (was {})", list(&past, others)));
        }
        let others = self.present - i64::try_from(present.len()).unwrap_or_default();
        Some(list(&present, others))
    }
}

impl NamedMember {
    fn distinct_name(&self, people: &[&NamedMember]) -> String {
        let own = self.name.as_deref().map(str::trim).filter(|name| !name.is_empty());
        match own {
            None => self.user_id.clone(),
            Some(name) => {
                let short: String = name.chars().take(LONGEST).collect();
                let same = people.iter().filter(|person| person.name.as_deref().map(str::trim) == Some(name)).count();
                if same > 1 { format!("{short} ({})", self.user_id) } else { short }
            }
        }
    }
}

/// `a`, `a and b`, `a, b and c`, `a, b and 7 others`.
fn list(names: &[String], others: i64) -> String {
    let others = match others {
        ..=0 => None,
        1 => Some("1 other".to_owned()),
        more => Some(format!("{more} others")),
    };
    let names: Vec<&str> = names.iter().map(String::as_str).chain(others.as_deref()).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(names: &[(&str, Option<&str>, bool)], present: i64, all: i64) -> Option<String> {
        let person = |(user_id, name, present): &(&str, Option<&str>, bool)| NamedMember {
            user_id: (*user_id).to_owned(),
            name: name.map(str::to_owned),
            present: *present,
        };
        SomeMembers { some: names.iter().map(person).collect(), present, joined: 0, all }.call()
    }

    #[test]
    fn a_room_is_named_after_its_members() {
        let (ada, bob, carol) = (("@a:x", Some("Ada"), true), ("@b:x", None, true), ("@c:x", Some("Ada"), true));
        assert_eq!(people(&[], 0, 0), None);
        assert_eq!(people(&[ada], 1, 1).as_deref(), Some("Ada"));
        assert_eq!(people(&[ada, bob], 2, 2).as_deref(), Some("Ada and @b:x"));
        assert_eq!(people(&[ada, bob, carol], 3, 3).as_deref(), Some("Ada (@a:x), @b:x and Ada (@c:x)"));
        assert_eq!(people(&[ada, bob], 3, 9).as_deref(), Some("Ada, @b:x and 1 other"));
        assert_eq!(people(&[ada, bob], 7, 9).as_deref(), Some("Ada, @b:x and 5 others"));
        let gone = ("@d:x", Some("Dora"), false);
        assert_eq!(people(&[ada, gone], 1, 2).as_deref(), Some("Ada"));
        assert_eq!(people(&[gone], 0, 1).as_deref(), Some("Empty room (was Dora)"));
    }

    fn name(events: &[&str]) -> Option<String> {
        let mut about = Described::default();
        for json in events {
            about.take("m.room.name", "{}", json);
        }
        about.name
    }

    #[test]
    fn the_newest_event_that_is_one_of_state_names_a_room() {
        let named = |name: &str| format!(r#"{{"state_key":"","content":{{"name":{name}}}}}"#);
        assert_eq!(name(&[&named(r#""new""#), &named(r#""old""#)]).as_deref(), Some("new"));
        assert_eq!(name(&[&named(r#""""#), &named(r#""old""#)]), None, "its name was taken away");
        let strange = r#"{"state_key":"key","content":{"name":"other"}}"#;
        let message = r#"{"content":{"name":"other"}}"#;
        assert_eq!(name(&[strange, message, "nonsense", &named(r#""old""#)]).as_deref(), Some("old"));
        for nothing in ["7", "null", "{}", r#""  ""#, r#""\ud800""#] {
            assert_eq!(name(&[&named(nothing)]), None);
        }
        let long = name(&[&named(&format!(r#""{}""#, "ä".repeat(300)))]).unwrap_or_default();
        assert_eq!(long, "ä".repeat(255) + "…");
    }
}
