//! What happened in a room beside the messages, in a few words. Knows no markup.

use super::{beacon, rules, settings};
use crate::archive::Error;
use crate::archive::reading::events::CatalogEvent;
use crate::archive::reading::names::MemberNames;
use crate::document::beacon::is_info;
use crate::document::fold::Remark;
use crate::document::line::{Line, Name, RoomLink, Span};
use crate::document::message::{display_name, topic};
use crate::document::text::shortened;
use crate::event::{Object, UserId};

/// The longest text that is quoted from a state event, in characters.
const LONGEST: usize = 200;

fn words(words: &'static str) -> Span {
    Span::words(words)
}

/// Anybody's text, shortened.
pub(super) fn text(text: &str) -> Span {
    Span::Text(shortened(text, LONGEST))
}

/// Says what a state event did; of one that `is_hidden`, only what holds whatever it said.
pub(super) fn of_state(event: &CatalogEvent, is_hidden: bool, names: &mut MemberNames<'_>) -> Result<Remark, Error> {
    let state_key = event.state_key.as_deref().unwrap_or_default();
    if event.kind() == "m.room.member" {
        return of_member(event, state_key, is_hidden, names);
    }
    let mut what = vec![Span::Name(names.shown(event.sender.as_deref(), event.at)?), words(" ")];
    let done = match (event.kind(), state_key) {
        ("m.room.power_levels", "") if !is_hidden => rules::powers(event, names)?,
        (kind, state_key) => done(kind, state_key, event.content(), is_hidden),
    };
    for mut span in done {
        if let Span::Room(room) = &mut span {
            *room = names.room(&room.room_id)?;
        }
        what.push(span);
    }
    Ok(Remark::Other(what))
}

/// What somebody did by a state event other than a membership.
fn done(kind: &str, state_key: &str, content: &str, is_hidden: bool) -> Line {
    let event = content;
    let content = Object::of(if is_hidden { "{}" } else { content });
    let elsewhere = rules::policy(kind, state_key, &content, is_hidden);
    if let Some(what) = elsewhere.or_else(|| settings::done(kind, state_key, &content, is_hidden)) {
        return what;
    }
    let given = |key: &str| content.given(key).map(|given| text(&given));
    let one = |what: &'static str| vec![words(what)];
    match (kind, state_key) {
        ("m.room.create", "") => {
            let mut what = one("created the room");
            if let Some(version) = content.text("room_version") {
                what.extend([words(" (version "), Span::Text(shortened(&version, 32)), words(")")]);
            }
            if let Some(before) = content.object("predecessor").and_then(|before| before.text("room_id")) {
                what.extend([words(", in the place of "), Span::Room(RoomLink::unknown(before.into_owned()))]);
            }
            what
        }
        ("m.room.name", "") => match given("name") {
            Some(name) => vec![words("named the room “"), name, words("”")],
            None if is_hidden => one("changed the room’s name"),
            None => one("took the room’s name away"),
        },
        ("m.room.topic", "") => match topic(&content) {
            Some(topic) => vec![words("changed the topic to “"), text(&topic), words("”")],
            None if is_hidden => one("changed the topic"),
            None => one("took the topic away"),
        },
        ("m.room.canonical_alias", "") => match given("alias") {
            Some(alias) => vec![words("made "), alias, words(" the room’s address")],
            None if !is_hidden && content.texts("alt_aliases").is_empty() => one("took the room’s address away"),
            None => one("changed the room’s addresses"),
        },
        ("m.room.tombstone", "") => {
            let mut what = one("closed the room");
            let next = content.text("replacement_room").map(|id| Span::Room(RoomLink::unknown(id.into_owned())));
            what.extend(next.into_iter().flat_map(|next| [words(", which goes on in "), next]));
            what.extend(given("body").into_iter().flat_map(|why| [words(": "), why]));
            what
        }
        ("m.room.third_party_invite", _) => match given("display_name") {
            Some(guest) => vec![words("invited "), guest, words(" by mail or phone")],
            None if is_hidden => one("sent or withdrew an invitation by mail or phone"),
            None => one("withdrew an invitation by mail or phone"),
        },
        ("m.space.child", child) => {
            let child = Span::Code(child.to_owned());
            match content.get("via") {
                Some(_) => vec![words("added "), child, words(" to the space")],
                None if is_hidden => vec![words("changed whether "), child, words(" is in the space")],
                None => vec![words("took "), child, words(" out of the space")],
            }
        }
        ("m.space.parent", parent) if content.get("via").is_some() => {
            vec![words("made "), Span::Code(parent.to_owned()), words(" the room’s space")]
        }
        ("m.room.server_acl", "") if !is_hidden => rules::servers(&content),
        (kind, _) if is_info(kind) => beacon::phrase(event, is_hidden),
        (kind, "") => match set(kind, &content, is_hidden) {
            Some(what) => one(what),
            None => vec![words("set "), Span::of_type(kind)],
        },
        (kind, key) => vec![words("set "), Span::of_type(kind), words(" of “"), text(key), words("”")],
    }
}

/// What somebody did to a room who set what takes one of a few values.
fn set(kind: &str, content: &Object<'_>, is_hidden: bool) -> Option<&'static str> {
    let value = |key: &str| content.text(key);
    Some(match kind {
        "m.room.avatar" => "changed the room’s picture",
        "m.room.encryption" => "turned on encryption",
        "m.room.join_rules" => match value("join_rule").as_deref() {
            Some("public") => "let everybody join",
            Some("invite") => "let only those invited join",
            Some("knock") => "let people ask to join",
            Some("restricted" | "knock_restricted") => "let members of certain rooms join",
            _ => "changed who may join",
        },
        "m.room.history_visibility" => match value("history_visibility").as_deref() {
            Some("world_readable") => "let everybody read the history",
            Some("shared") => "let members read all of the history",
            Some("invited") => "let members read the history since their invitation",
            Some("joined") => "let members read the history since they joined",
            _ => "changed who may read the history",
        },
        "m.room.guest_access" => match value("guest_access").as_deref() {
            Some("can_join") => "let guests join",
            _ if is_hidden => "changed whether guests may join",
            _ => "let no guests join",
        },
        "m.room.power_levels" => "changed who may do what",
        "m.room.server_acl" => "changed which servers may take part",
        "m.room.pinned_events" => "changed the pinned messages",
        _ => return None,
    })
}

/// Memberships outlive their redaction, names and reasons do not.
fn of_member(
    event: &CatalogEvent,
    user_id: &str,
    is_hidden: bool,
    names: &mut MemberNames<'_>,
) -> Result<Remark, Error> {
    let content = Object::of(event.content());
    let before = names.before(UserId::of(user_id), event.at, event.depth, event.id())?;
    let was = before.as_ref().map(|(membership, _)| membership.as_str());
    let user = names.shown(Some(user_id), event.at)?;
    let sender = names.shown(event.sender.as_deref(), event.at)?;
    let is_own = event.sender.as_deref() == Some(user_id);
    let reason = content.given("reason").filter(|_| !is_hidden);
    let reason = reason.map(|reason| [words(": "), text(&reason)]);
    let alike = |user: Name, did: &'static str, reason: Option<[Span; 2]>| {
        let did = [words(did)].into_iter().chain(reason.into_iter().flatten()).collect();
        Ok(Remark::Alike(user, did))
    };
    let alone = |user: Name, did: &'static str| (vec![Span::Name(user), words(did)], true);
    let both = |did: &'static str| vec![Span::Name(sender.clone()), words(did), Span::Name(user.clone())];
    let (mut what, takes_reason) = match (content.text("membership").as_deref(), was) {
        (Some("join"), Some("join")) => {
            let (old, new) = (before.and_then(|(_, name)| name), display_name(&content));
            (renamed(event, user_id, user, old, new, is_hidden), false)
        }
        (Some("join"), _) => return alike(user, " joined", reason),
        (Some("invite"), _) => (both(" invited "), true),
        (Some("knock"), _) => alone(user, " asked to join"),
        (Some("ban"), _) => (both(" banned "), true),
        (Some("leave"), Some("invite")) if is_own => alone(user, " declined the invitation"),
        (Some("leave"), Some("knock")) if is_own => alone(user, " no longer asks to join"),
        (Some("leave"), _) if is_own => return alike(user, " left", reason),
        (Some("leave"), Some("invite")) => (both(" withdrew the invitation of "), true),
        (Some("leave"), Some("knock")) => ([both(" did not let "), vec![words(" in")]].concat(), true),
        (Some("leave"), Some("ban")) => (both(" lifted the ban on "), true),
        (Some("leave"), _) => (both(" removed "), true),
        _ => (both(" changed the membership of "), false),
    };
    if takes_reason {
        what.extend(reason.into_iter().flatten());
    }
    Ok(Remark::Other(what))
}

/// What a member did who has joined before: another name, or something else.
fn renamed(
    event: &CatalogEvent,
    user_id: &str,
    user: Name,
    old: Option<String>,
    new: Option<String>,
    is_hidden: bool,
) -> Line {
    if is_hidden || old == new {
        return vec![Span::Name(user), words(" changed their profile")];
    }
    let old = old.map_or_else(|| Span::Text(user_id.to_owned()), |old| text(&old));
    match new {
        // nobody is called by a redacted name elsewhere
        Some(new) if event.redacted_by.is_some() => vec![old, words(" is now called "), text(&new)],
        Some(_) => vec![old, words(" is now called "), Span::Name(user)],
        None => vec![old, words(" has no display name any more ("), Span::Name(user), words(")")],
    }
}
