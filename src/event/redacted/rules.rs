//! What the rules of a room's version spare of a redacted event (Matrix specification, "Redactions" of each room version).
//!
//! Knows the versions that Synapse knows. Works on any JSON, since events of versions 1 to 5 may hold what is no canonical
//! JSON.

use ruma_common::RoomVersionId;
use ruma_common::room_version_rules::{RedactionRules, RoomVersionRules};
use serde_json::{Map, Value};

/// JSON that can be pruned, however it is held.
pub(in crate::event) trait Prunable {
    /// Leaves those members of an object of which `keep` says so; none: it is no object, and stays as it is. Whether any is left.
    fn retain(&mut self, keep: &mut dyn FnMut(&str, &mut Self) -> bool) -> Option<bool>;
}

impl Prunable for Value {
    fn retain(&mut self, keep: &mut dyn FnMut(&str, &mut Self) -> bool) -> Option<bool> {
        let object = self.as_object_mut()?;
        object.retain(|key, value| keep(key, value));
        Some(!object.is_empty())
    }
}

/// What the specification says of a room version, or of the one that a version beyond it builds on; none: it is not known.
pub(in crate::event) fn specified(version: &str) -> Option<RoomVersionRules> {
    let base = match version {
        "org.matrix.msc1767.10" | "org.matrix.msc3389.10" | "org.matrix.msc3757.10" => "10",
        "org.matrix.msc3757.11" | "org.matrix.hydra.11" => "11",
        "org.matrix.msc4242.12" => "12",
        version => version,
    };
    RoomVersionId::try_from(base).ok()?.rules()
}

/// The rules of a room version.
#[derive(Clone, Debug)]
pub(in crate::event) struct Rules {
    base: RedactionRules,
    /// Whether `m.relates_to` keeps which event it is about (MSC3389).
    keep_relation: bool,
    /// Whether `prev_state_events` stay, from which the event's id is computed (MSC4242).
    keep_prev_state_events: bool,
}

impl Rules {
    /// The rules of a room version; none: it is not known.
    pub(in crate::event) fn of(version: &str) -> Option<Rules> {
        Some(Rules {
            base: specified(version)?.redaction,
            keep_relation: version == "org.matrix.msc3389.10",
            keep_prev_state_events: version == "org.matrix.msc4242.12",
        })
    }

    /// Spares nothing that any version prunes.
    pub(super) fn strictest() -> Rules {
        let mut base = RedactionRules::V1;
        base.keep_room_aliases_aliases = false;
        base.keep_origin_membership_prev_state = false;
        Rules { base, keep_relation: false, keep_prev_state_events: false }
    }

    /// Prunes a PDU of this type, which has neither `event_id` nor `room_id`.
    pub(super) fn prune(&self, pdu: &mut Map<String, Value>, kind: &str) {
        let mut value = Value::Object(std::mem::take(pdu));
        self.prune_keeping(&mut value, kind, &[]);
        if let Value::Object(pruned) = value {
            *pdu = pruned;
        }
    }

    /// Prunes a PDU of this type, but for some members.
    pub(in crate::event) fn prune_keeping<J: Prunable>(&self, pdu: &mut J, kind: &str, kept: &[&str]) {
        pdu.retain(&mut |key, value| match key {
            "content" => {
                self.prune_any_content(value, kind);
                true
            }
            "type" | "sender" | "state_key" | "hashes" | "signatures" | "depth" | "prev_events" | "auth_events"
            | "origin_server_ts" => true,
            "origin" | "membership" | "prev_state" => self.base.keep_origin_membership_prev_state,
            "prev_state_events" => self.keep_prev_state_events,
            key => kept.contains(&key),
        });
    }

    /// Prunes the content of an event of this type.
    pub(super) fn prune_content(&self, content: &mut Map<String, Value>, kind: &str) {
        let mut value = Value::Object(std::mem::take(content));
        self.prune_any_content(&mut value, kind);
        if let Value::Object(pruned) = value {
            *content = pruned;
        }
    }

    fn prune_any_content<J: Prunable>(&self, content: &mut J, kind: &str) {
        let rules = &self.base;
        if kind == "m.room.create" && rules.keep_room_create_content {
            return;
        }
        content.retain(&mut |key, value| match (kind, key) {
            ("m.room.member", "membership")
            | ("m.room.create", "creator")
            | ("m.room.join_rules", "join_rule")
            | ("m.room.history_visibility", "history_visibility")
            | (
                "m.room.power_levels",
                "ban" | "events" | "events_default" | "kick" | "redact" | "state_default" | "users" | "users_default",
            ) => true,
            ("m.room.member", "join_authorised_via_users_server") => {
                rules.keep_room_member_join_authorised_via_users_server
            }
            ("m.room.member", "third_party_invite") => {
                rules.keep_room_member_third_party_invite_signed && keep_only(value, &["signed"]).is_some()
            }
            ("m.room.join_rules", "allow") => rules.keep_room_join_rules_allow,
            ("m.room.power_levels", "invite") => rules.keep_room_power_levels_invite,
            ("m.room.redaction", "redacts") => rules.keep_room_redaction_redacts,
            ("m.room.aliases", "aliases") => rules.keep_room_aliases_aliases,
            // of a relation that says neither, nothing is left
            (_, "m.relates_to") => self.keep_relation && keep_only(value, &["rel_type", "event_id"]) == Some(true),
            _ => false,
        });
    }
}

/// Leaves these members of an object; none: it is no object. Whether any is left.
fn keep_only<J: Prunable>(value: &mut J, keys: &[&str]) -> Option<bool> {
    value.retain(&mut |key, _| keys.contains(&key))
}
