//! Events as the database holds them: `stored.sql` over a page, which is one of the other statements.
//!
//! Rows are read by the names of their columns, which are looked for once in each answer: there may be millions of rows.

use tokio_postgres::Row;

use super::statement::{Columns, Statement, fill};
use crate::event::{EventId, RoomId, UserId};

const STORED: &str = include_str!("../../../sql/stored.sql");

/// A statement over `stored.sql`.
#[derive(Clone, Copy)]
pub(in crate::source) struct StoredPage {
    name: &'static str,
    page: &'static str,
    order: &'static str,
    /// The parameter that is its only room, whose version is looked up once and not for every row.
    room: Option<&'static str>,
    json: &'static str,
}

macro_rules! page {
    ($name:literal, $order:literal) => {
        StoredPage {
            name: $name,
            page: include_str!(concat!("../../../sql/", $name, ".sql")),
            order: $order,
            room: None,
            json: "j.event_id = case when w.wanted then p.event_id end",
        }
    };
    ($name:literal, $order:literal, room $room:literal) => {
        StoredPage { room: Some($room), ..page!($name, $order) }
    };
}

/// The next ids of the whole server.
pub(in crate::source) const PAGE_LIVE: StoredPage = page!("page_live", " order by p.id");
pub(in crate::source) const PAGE_BACKFILL: StoredPage = page!("page_backfill", " order by p.id desc");
/// The next ids of one room.
pub(in crate::source) const ROOM_PAGE_LIVE: StoredPage = page!("room_page_live", " order by p.id", room "$6");
pub(in crate::source) const ROOM_PAGE_BACKFILL: StoredPage =
    page!("room_page_backfill", " order by p.id desc", room "$6");
/// The next events of one room, in its own order.
pub(in crate::source) const ROOM_ORDER: StoredPage =
    page!("room_order", " order by p.topological_ordering, p.id", room "$3");
/// The next events of a room's current state.
pub(in crate::source) const ROOM_STATE: StoredPage = page!("room_state", " order by p.type, p.state_key", room "$3");
/// The newest state events of a room without a current state.
pub(in crate::source) const ROOM_PAST_STATE: StoredPage =
    page!("room_past_state", " order by p.type, p.state_key", room "$3");
/// The next ids that have appeared on the whole server where they were missing.
pub(in crate::source) const PROBE: StoredPage = page!("probe", " order by p.id");
/// The next ids that have appeared in one room where they were missing.
pub(in crate::source) const ROOM_PROBE: StoredPage = page!("room_probe", " order by p.id", room "$6");
/// The next ids of events that have been de-outliered.
pub(in crate::source) const DEOUTLIERED: StoredPage = page!("deoutliered", " order by p.id");
/// The redactions of events.
pub(in crate::source) const REDACTED_BY: StoredPage = page!("redacted_by", "");
/// Events by their ids.
pub(in crate::source) const BY_ID: StoredPage = page!("by_id", "");
/// Events by the places of their rows in `event_json`, which no index need show.
pub(in crate::source) const BY_PLACE: StoredPage =
    StoredPage { json: "j.ctid = p.place and j.event_id || '' = p.event_id", ..page!("by_place", "") };

pub(super) const ALL: [StoredPage; 13] = [
    PAGE_LIVE,
    PAGE_BACKFILL,
    ROOM_PAGE_LIVE,
    ROOM_PAGE_BACKFILL,
    ROOM_ORDER,
    ROOM_STATE,
    ROOM_PAST_STATE,
    PROBE,
    ROOM_PROBE,
    DEOUTLIERED,
    REDACTED_BY,
    BY_ID,
    BY_PLACE,
];

/// What was looked up before, and so is not looked up for each row.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::source) struct LookedUp {
    /// The events in `rejections` of which `events` does not tell it.
    pub(in crate::source) rejections: bool,
    /// The versions of rooms.
    pub(in crate::source) versions: bool,
}

impl StoredPage {
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// The statement over the columns that a database has. The page's name comes first, so that `pg_stat_activity` shows it.
    pub(in crate::source) fn statement(&self, columns: Columns, known: LookedUp) -> Statement {
        let page = fill(self.page, &columns.slots());
        let rejection = if known.rejections {
            "null::boolean"
        } else {
            "(select true from rejections r where r.event_id = p.event_id limit 1)"
        };
        let room_version = match self.room {
            Some(room) => format!("(select max(o.room_version) from rooms o where o.room_id = {room}::text)"),
            None if known.versions => "null::text".to_owned(),
            None => "(select max(o.room_version) from rooms o where o.room_id = p.room_id)".to_owned(),
        };
        let [state_key, rejection_reason, recheck] = columns.slots();
        let slots = [
            ("page", &*page),
            ("order", self.order),
            ("rejection", rejection),
            ("room_version", &room_version),
            ("json", self.json),
            state_key,
            rejection_reason,
            recheck,
        ];
        let (comment, _) = self.page.split_once('\n').unwrap_or_default();
        Statement { name: self.name, sql: format!("{comment}\n{}", fill(STORED, &slots)).into() }
    }
}

macro_rules! stored_row {
    ($($column:ident: $type:ty,)+) => {
        /// A row of `stored.sql`. Without a `stream_ordering` it has none of the columns of `events`: it is of a de-outliered event
        /// that was purged since.
        pub(in crate::source) struct StoredRow<'a> {
            $(pub(in crate::source) $column: $type,)+
        }

        /// Where the columns stand in an answer.
        #[derive(Clone, Copy)]
        pub(in crate::source) struct StoredColumns {
            $($column: usize,)+
        }

        impl StoredColumns {
            /// Finds the columns in any row of an answer. One that is not there is an error where it is read.
            pub(in crate::source) fn of(row: &Row) -> StoredColumns {
                let place = |name| row.columns().iter().position(|column| column.name() == name).unwrap_or(usize::MAX);
                StoredColumns { $($column: place(stringify!($column)),)+ }
            }

            /// What a row of this answer says.
            pub(in crate::source) fn read<'a>(&self, row: &'a Row) -> Result<StoredRow<'a>, tokio_postgres::Error> {
                Ok(StoredRow { $($column: row.try_get(self.$column)?,)+ })
            }
        }
    };
}

stored_row! {
    id: Option<i64>,
    // none: it was asked for by name, and is wanted whatever it is
    deoutliered: Option<bool>,
    event_id: Option<EventId<'a>>,
    stream_ordering: Option<i64>,
    topological_ordering: Option<i64>,
    kind: Option<&'a str>,
    room_id: Option<RoomId<'a>>,
    sender: Option<UserId<'a>>,
    state_key: Option<&'a str>,
    origin_server_ts: Option<i64>,
    received_ts: Option<i64>,
    outlier: Option<bool>,
    rejected: Option<bool>,
    wanted: Option<bool>,
    internal_metadata: Option<&'a str>,
    json: Option<&'a str>,
    room_version: Option<&'a str>,
    redacts: Option<EventId<'a>>,
    recheck: Option<bool>,
    timeline: Option<bool>,
}
