//! What happened in a room beside the messages, in a few words.

use std::borrow::Cow;

use super::super::Error;
use super::super::writing::display_name;
use super::names::Names;
use super::shown::Shown;
use crate::document::markdown::{code_span, excerpt, inline};
use crate::document::message::extensible;
use crate::event::Object;

/// The longest text that is quoted from a state event, in characters.
const LONGEST: usize = 200;

/// An event in a few words; runs of joins and of leaves are told together.
pub(super) enum Phrase {
    /// Who joined.
    Joined(String),
    /// Who left.
    Left(String),
    /// Anything else.
    Other(String),
}

/// An event's type.
pub(super) fn type_of(kind: &str) -> String {
    if kind.is_empty() { "an event without a type".to_owned() } else { code_span(kind) }
}

/// The topic that a content gives: as text, or as clients write it that know more (MSC3765).
pub(super) fn topic(content: &Object<'_>) -> Option<String> {
    let is_some = |text: &String| !text.trim().is_empty();
    let text = content.text("topic").map(Cow::into_owned).filter(is_some);
    text.or_else(|| content.object("m.topic").and_then(|topic| extensible(&topic)).filter(is_some))
}

/// Says what a state event did; of one that `is_hidden`, only what holds whatever it said.
pub(super) fn of_state(event: &Shown, is_hidden: bool, names: &mut Names<'_>) -> Result<Phrase, Error> {
    let state_key = event.state_key.as_deref().unwrap_or_default();
    if event.kind() == "m.room.member" {
        return of_member(event, state_key, is_hidden, names);
    }
    let who = names.shown(event.sender.as_deref(), event.at)?;
    let content = Object::of(if is_hidden { "{}" } else { event.content() });
    let text = |key: &str| content.text(key).filter(|text| !text.trim().is_empty()).map(|text| excerpt(&text, LONGEST));
    let what = match (event.kind(), state_key) {
        ("m.room.create", "") => {
            let version = content.text("room_version").map(|version| format!(" (version {})", excerpt(&version, 32)));
            let before = content.object("predecessor").and_then(|before| before.text("room_id"));
            let before = before.map(|room| format!(", in the place of {}", code_span(&room))).unwrap_or_default();
            format!("created the room{}{before}", version.unwrap_or_default())
        }
        ("m.room.name", "") => match text("name") {
            Some(name) => format!("named the room “{name}”"),
            None if is_hidden => "changed the room’s name".to_owned(),
            None => "took the room’s name away".to_owned(),
        },
        ("m.room.topic", "") => match topic(&content).map(|topic| excerpt(&topic, LONGEST)) {
            Some(topic) => format!("changed the topic to “{topic}”"),
            None if is_hidden => "changed the topic".to_owned(),
            None => "took the topic away".to_owned(),
        },
        ("m.room.canonical_alias", "") => match text("alias") {
            Some(alias) => format!("made {alias} the room’s address"),
            None => "changed the room’s addresses".to_owned(),
        },
        ("m.room.avatar", "") => "changed the room’s picture".to_owned(),
        ("m.room.encryption", "") => "turned on encryption".to_owned(),
        ("m.room.join_rules", "") => match content.text("join_rule").as_deref() {
            Some("public") => "let everybody join".to_owned(),
            Some("invite") => "let only those invited join".to_owned(),
            Some("knock") => "let people ask to join".to_owned(),
            Some("restricted" | "knock_restricted") => "let members of certain rooms join".to_owned(),
            _ => "changed who may join".to_owned(),
        },
        ("m.room.history_visibility", "") => match content.text("history_visibility").as_deref() {
            Some("world_readable") => "let everybody read the history".to_owned(),
            Some("shared") => "let members read all of the history".to_owned(),
            Some("invited") => "let members read the history since their invitation".to_owned(),
            Some("joined") => "let members read the history since they joined".to_owned(),
            _ => "changed who may read the history".to_owned(),
        },
        ("m.room.guest_access", "") => match content.text("guest_access").as_deref() {
            Some("can_join") => "let guests join".to_owned(),
            _ if is_hidden => "changed whether guests may join".to_owned(),
            _ => "let no guests join".to_owned(),
        },
        ("m.room.power_levels", "") => "changed who may do what".to_owned(),
        ("m.room.server_acl", "") => "changed which servers may take part".to_owned(),
        ("m.room.pinned_events", "") => "changed the pinned messages".to_owned(),
        ("m.room.tombstone", "") => {
            let next = content.text("replacement_room").map(|room| format!(", which goes on in {}", code_span(&room)));
            let why = text("body").map(|body| format!(": {body}")).unwrap_or_default();
            format!("closed the room{}{why}", next.unwrap_or_default())
        }
        ("m.room.third_party_invite", _) => match text("display_name") {
            Some(guest) => format!("invited {guest} by mail or phone"),
            None if is_hidden => "sent or withdrew an invitation by mail or phone".to_owned(),
            None => "withdrew an invitation by mail or phone".to_owned(),
        },
        ("m.space.child", child) if content.get("via").is_some() => format!("added {} to the space", code_span(child)),
        ("m.space.child", child) if is_hidden => format!("changed whether {} is in the space", code_span(child)),
        ("m.space.child", child) => format!("took {} out of the space", code_span(child)),
        ("m.space.parent", parent) if content.get("via").is_some() => {
            format!("made {} the room’s space", code_span(parent))
        }
        (kind, "") => format!("set {}", type_of(kind)),
        (kind, key) => format!("set {} of “{}”", type_of(kind), excerpt(key, LONGEST)),
    };
    Ok(Phrase::Other(format!("{who} {what}")))
}

/// Memberships outlive their redaction, names and reasons do not.
fn of_member(event: &Shown, user_id: &str, is_hidden: bool, names: &mut Names<'_>) -> Result<Phrase, Error> {
    let content = Object::of(event.content());
    let before = names.before(user_id, event.at, event.depth, &event.event_id)?;
    let was = before.as_ref().map(|(membership, _)| membership.as_str());
    let user = names.shown(Some(user_id), event.at)?;
    let sender = names.shown(event.sender.as_deref(), event.at)?;
    let is_own = event.sender.as_deref() == Some(user_id);
    let reason = content.text("reason").filter(|reason| !is_hidden && !reason.trim().is_empty());
    let reason = reason.map(|reason| format!(": {}", excerpt(&reason, LONGEST))).unwrap_or_default();
    Ok(match (content.text("membership").as_deref(), was) {
        (Some("join"), Some("join")) => {
            let (old, new) = (before.and_then(|(_, name)| name), display_name(&content));
            Phrase::Other(if is_hidden || old.as_deref() == new.as_deref() {
                format!("{user} changed their profile")
            } else {
                let old = old.map_or_else(|| inline(user_id), |old| excerpt(&old, LONGEST));
                match new {
                    // nobody is called by a redacted name elsewhere
                    Some(new) if event.redacted_by.is_some() => {
                        format!("{old} is now called {}", excerpt(&new, LONGEST))
                    }
                    Some(_) => format!("{old} is now called {user}"),
                    None => format!("{old} has no display name any more ({user})"),
                }
            })
        }
        (Some("join"), _) if reason.is_empty() => Phrase::Joined(user),
        (Some("join"), _) => Phrase::Other(format!("{user} joined{reason}")),
        (Some("invite"), _) => Phrase::Other(format!("{sender} invited {user}{reason}")),
        (Some("knock"), _) => Phrase::Other(format!("{user} asked to join{reason}")),
        (Some("ban"), _) => Phrase::Other(format!("{sender} banned {user}{reason}")),
        (Some("leave"), Some("invite")) if is_own => Phrase::Other(format!("{user} declined the invitation{reason}")),
        (Some("leave"), Some("knock")) if is_own => Phrase::Other(format!("{user} no longer asks to join{reason}")),
        (Some("leave"), _) if is_own && reason.is_empty() => Phrase::Left(user),
        (Some("leave"), _) if is_own => Phrase::Other(format!("{user} left{reason}")),
        (Some("leave"), Some("invite")) => Phrase::Other(format!("{sender} withdrew the invitation of {user}{reason}")),
        (Some("leave"), Some("knock")) => Phrase::Other(format!("{sender} did not let {user} in{reason}")),
        (Some("leave"), Some("ban")) => Phrase::Other(format!("{sender} lifted the ban on {user}{reason}")),
        (Some("leave"), _) => Phrase::Other(format!("{sender} removed {user}{reason}")),
        _ => Phrase::Other(format!("{sender} changed the membership of {user}")),
    })
}
