//! A room as a list of rooms shows it, and what it is for.
//!
//! Texts are as the server has them, set by whoever may; times are in milliseconds since the epoch.

/// What a room is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoomKind {
    /// Anything but the others.
    Room,
    /// A room of rooms: its creation says so.
    Space,
    /// A direct chat, as far as that can be told without its users' private account data: no space, at most two people were
    /// ever in it or invited, and either an invitation says `is_direct`, or they are two and the room has no name and no
    /// alias, and none that was redacted.
    Direct,
}

impl RoomKind {
    /// `room`, `space` or `dm`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            RoomKind::Room => "room",
            RoomKind::Space => "space",
            RoomKind::Direct => "dm",
        }
    }
}

/// A room as a list of rooms shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is something to list")]
pub struct ListedRoom {
    /// Its id.
    pub room_id: String,
    /// What clients call it: its name, else its canonical alias, else after its members, else its id; at most 255
    /// characters.
    pub name: String,
    /// Its canonical alias, else the first of its local ones.
    pub alias: Option<String>,
    /// All its local aliases, but no more than 20.
    pub local_aliases: Vec<String>,
    /// Its version, when the server says it.
    pub version: Option<String>,
    /// What it is for.
    pub kind: RoomKind,
    /// How many have joined; of a room without a current state, how many had when that was last known. None until
    /// counted.
    pub members: Option<u64>,
    /// How many events its timeline has: outliers, and among them what a purge left behind, are not counted. None until
    /// counted.
    pub events: Option<u64>,
    /// `origin_server_ts` of the first event of its timeline, in the order of streams.
    pub first_activity: Option<i64>,
    /// `origin_server_ts` of the last event of its timeline.
    pub last_activity: Option<i64>,
    /// When the server received it, which nobody else can say; that of an event of old versions may not be known.
    pub last_received: Option<i64>,
    /// Whether encryption has been turned on.
    pub encrypted: bool,
    /// Whether no local user is joined.
    pub abandoned: bool,
    /// Whether it is abandoned, and all local users who were in it have forgotten it.
    pub forgotten: bool,
    /// Whether a selection leaves it out by its id, which is for whoever has one to say.
    pub left_out: bool,
}
