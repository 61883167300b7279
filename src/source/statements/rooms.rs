//! What is asked of rooms: which there are, and what their state and their members say of them.
//!
//! Counts and times are PostgreSQL's bigint, times in milliseconds since the epoch.

use tokio_postgres::Row;

use super::statement::{Statement, TypedStatement};
use crate::event::OwnedRoomId;

queries! {
    ALIAS("alias") { room_id: Option<String> }
    ROOM("room") { known: bool }
    POWER_LEVELS("power_levels") { event_id: String }
    HAS_STATE("has_state") { has_state: bool }
    ROOMS("rooms") {
        RoomsRow {
            room_id: String,
            room_version: Option<String>,
            current: bool,
            aliases: Vec<String>,
            first_activity: Option<i64>,
            last_activity: Option<i64>,
            last_received: Option<i64>,
            people: i64,
            abandoned: bool,
            forgotten: bool,
        }
    }
    ROOMS_STATE("rooms_state") {
        StateRow { room_id: String, kind: String, event_id: String, internal_metadata: String, json: String }
    }
    ROOMS_PAST_STATE("rooms_past_state") { StateRow }
    ROOMS_PEOPLE("rooms_people") {
        PeopleRow {
            room_id: String,
            user_id: String,
            display_name: Option<String>,
            present: bool,
            all_present: i64,
            joined: i64,
            people: i64,
        }
    }
    ROOMS_PAST_PEOPLE("rooms_past_people") { PeopleRow }
    ROOMS_INVITES("rooms_invites") { InvitesRow { room_id: String, json: String } }
    ROOMS_OF_MEMBER("rooms_of_member") { room_id: OwnedRoomId }
    ROOMS_COUNTS("rooms_counts") { CountsRow { room_id: String, events: i64, members: i64 } }
}
