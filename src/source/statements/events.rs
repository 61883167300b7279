//! What is asked about events: ids, places, rejections, bans. The events themselves are for [`super::stored`].
//!
//! Ids are those of streams as the database has them, negative where they were backfilled.

use tokio_postgres::Row;

use super::statement::{Statement, TypedStatement};
use crate::event::{OwnedEventId, OwnedRoomId, OwnedUserId};

queries! {
    ANCHOR("anchor") { event_id: Option<String> }
    PLACES("places") { PlacesRow { id: i64, event_id: OwnedEventId } }
    NEWEST_BELOW("newest_below") { NewestBelowRow { id: i64, event_id: OwnedEventId, room_id: OwnedRoomId } }
    UNPLACED("unplaced") { UnplacedRow { lacks: String, event_id: OwnedEventId, room_id: OwnedRoomId } }
    ROOM_STRETCH("room_stretch") { RoomStretchRow { topological_ordering: i64, id: i64 } }
    REJECTIONS("rejections") { RejectionsRow { event_id: OwnedEventId, untold: bool } }
    VERSIONS("versions") { VersionsRow { room_id: OwnedRoomId, room_version: Option<String> } }
    BAN_REDACTIONS("ban_redactions") {
        BanRedactionsRow {
            room_id: OwnedRoomId,
            user_id: OwnedUserId,
            redacting_event_id: OwnedEventId,
            redact_end_ordering: Option<i64>,
        }
    }
    ERASED("erased") { user_id: OwnedUserId }
    ERASED_AFTER("erased_after") { user_id: OwnedUserId }
    UN_PARTIAL_STATED("un_partial_stated") { UnPartialStatedRow { stream_id: i64, event_id: OwnedEventId } }
    UN_PARTIAL_STATED_HEAD("un_partial_stated_head") { stream_id: Option<i64> }
    JSON_PLACES("json_places") { JsonPlacesRow { event_id: String, place: String } }
}
