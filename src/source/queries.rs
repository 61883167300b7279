//! The statements in `sql/`, and how their rows read.

use std::borrow::Cow;

use tokio_postgres::Row as PgRow;

use super::known::Known;
use super::rows::{Found, Place, Row};
use crate::event::{Event, Stored};
use crate::stream::Stream;

/// A statement, and the name by which errors and `pg_stat_activity` know it.
pub(super) struct Statement {
    pub(super) name: &'static str,
    pub(super) sql: Cow<'static, str>,
}

macro_rules! statement {
    ($name:literal) => {
        Statement { name: $name, sql: Cow::Borrowed(include_str!(concat!("../../sql/", $name, ".sql"))) }
    };
}

pub(super) const OPENING: Statement = statement!("opening");
pub(super) const OPTION: Statement = statement!("option");
pub(super) const COLUMNS: Statement = statement!("columns");
pub(super) const ROLE: Statement = statement!("role");
pub(super) const HEADS: Statement = statement!("heads");
pub(super) const LOG_POSITION: Statement = statement!("log_position");
pub(super) const ANCHOR: Statement = statement!("anchor");
pub(super) const PLACES: Statement = statement!("places");
pub(super) const NEWEST_BELOW: Statement = statement!("newest_below");
pub(super) const UNPLACED: Statement = statement!("unplaced");
pub(super) const ROOM_STRETCH: Statement = statement!("room_stretch");
pub(super) const STANDING: Statement = statement!("standing");
pub(super) const SUBSCRIBED: Statement = statement!("subscribed");
pub(super) const ALIAS: Statement = statement!("alias");
pub(super) const ROOM: Statement = statement!("room");
pub(super) const REJECTIONS: Statement = statement!("rejections");
pub(super) const VERSIONS: Statement = statement!("versions");
pub(super) const BAN_REDACTIONS: Statement = statement!("ban_redactions");
pub(super) const REJUDGED: Statement = statement!("rejudged");
pub(super) const REJUDGED_HEAD: Statement = statement!("rejudged_head");
pub(super) const SERVER_NAME: Statement = statement!("server_name");
pub(super) const SERVER_NAME_BY_MEMBERSHIP: Statement = statement!("server_name_by_membership");
pub(super) const LOGIN: Statement = statement!("login");
pub(super) const WRITABLE: Statement = statement!("writable");
pub(super) const SETTINGS: Statement = statement!("settings");
pub(super) const COLLATION: Statement = statement!("collation");
pub(super) const COLLATION_NOW: Statement = statement!("collation_now");
pub(super) const DUPLICATES: Statement = statement!("duplicates");
pub(super) const DUPLICATES_OF_STATE: Statement = statement!("duplicates_of_state");
pub(super) const JSON_PAGES: Statement = statement!("json_pages");
pub(super) const JSON_PLACES: Statement = statement!("json_places");
pub(super) const INDEXES: Statement = statement!("indexes");
pub(super) const SCHEMA_VERSION: Statement = statement!("schema_version");
pub(super) const BACKGROUND_UPDATES: Statement = statement!("background_updates");
pub(super) const SIZES: Statement = statement!("sizes");
pub(super) const REDACTIONS_PENDING: Statement = statement!("redactions_pending");
pub(super) const REDACTIONS_CENSORED: Statement = statement!("redactions_censored");
pub(super) const SURVIVORS: Statement = statement!("survivors");
pub(super) const RETENTION: Statement = statement!("retention");
pub(super) const PURGE_TASKS: Statement = statement!("purge_tasks");
pub(super) const HAS_STATE: Statement = statement!("has_state");
pub(super) const ROOMS: Statement = statement!("rooms");
pub(super) const ROOMS_STATE: Statement = statement!("rooms_state");
pub(super) const ROOMS_PAST_STATE: Statement = statement!("rooms_past_state");
pub(super) const ROOMS_PEOPLE: Statement = statement!("rooms_people");
pub(super) const ROOMS_PAST_PEOPLE: Statement = statement!("rooms_past_people");
pub(super) const ROOMS_INVITES: Statement = statement!("rooms_invites");
pub(super) const ROOMS_COUNTS: Statement = statement!("rooms_counts");

const STORED: &str = include_str!("../../sql/stored.sql");

/// Which way the ids of a stream grow.
#[derive(Clone, Copy)]
pub(super) enum Direction {
    Upward,
    Downward,
}

/// The next ids of the whole server.
pub(super) fn page(direction: Direction) -> Statement {
    match direction {
        Direction::Upward => stored(&statement!("page_live"), " order by p.id"),
        Direction::Downward => stored(&statement!("page_backfill"), " order by p.id desc"),
    }
}

/// The next ids of one room.
pub(super) fn room_page(direction: Direction) -> Statement {
    match direction {
        Direction::Upward => of_room("$6", &statement!("room_page_live"), " order by p.id"),
        Direction::Downward => of_room("$6", &statement!("room_page_backfill"), " order by p.id desc"),
    }
}

/// The next events of one room, in its own order.
pub(super) fn room_order() -> Statement {
    of_room("$3", &statement!("room_order"), " order by p.topological_ordering, p.id")
}

/// The next events of a room's current state.
pub(super) fn room_state() -> Statement {
    of_room("$3", &statement!("room_state"), " order by p.type, p.state_key")
}

/// The newest state events of a room without a current state.
pub(super) fn room_past_state() -> Statement {
    of_room("$3", &statement!("room_past_state"), " order by p.type, p.state_key")
}

/// The redactions of events.
pub(super) fn redacted_by() -> Statement {
    stored(&statement!("redacted_by"), "")
}

/// Events by their ids.
pub(super) fn by_id() -> Statement {
    stored(&statement!("by_id"), "")
}

/// Events by the places of their rows in `event_json`, which no index need show.
pub(super) fn by_place() -> Statement {
    let Statement { name, sql } = stored(&statement!("by_place"), "");
    let by_index = "j.event_id = case when w.wanted then p.event_id end";
    Statement { name, sql: sql.replace(by_index, "j.ctid = p.place and j.event_id || '' = p.event_id").into() }
}

/// The next ids that have appeared on the whole server where they were missing.
pub(super) fn probe() -> Statement {
    stored(&statement!("probe"), " order by p.id")
}

/// The next ids that have appeared in one room where they were missing.
pub(super) fn room_probe() -> Statement {
    of_room("$6", &statement!("room_probe"), " order by p.id")
}

/// The next ids of events that have been de-outliered.
pub(super) fn deoutliered() -> Statement {
    stored(&statement!("deoutliered"), " order by p.id")
}

/// A statement by the name of its file in `sql/`, as it is run.
pub(super) fn named(name: &str) -> Option<Statement> {
    let pages = [Direction::Upward, Direction::Downward].map(|direction| [page(direction), room_page(direction)]);
    [
        OPENING,
        OPTION,
        COLUMNS,
        ROLE,
        HEADS,
        LOG_POSITION,
        ANCHOR,
        PLACES,
        NEWEST_BELOW,
        UNPLACED,
        ALIAS,
        ROOM,
        REJECTIONS,
        VERSIONS,
        BAN_REDACTIONS,
        REJUDGED,
        REJUDGED_HEAD,
        SERVER_NAME,
        SERVER_NAME_BY_MEMBERSHIP,
        probe(),
        room_probe(),
        deoutliered(),
        room_order(),
        room_state(),
        room_past_state(),
        redacted_by(),
        by_id(),
        by_place(),
        JSON_PAGES,
        JSON_PLACES,
        ROOM_STRETCH,
        STANDING,
        SUBSCRIBED,
        LOGIN,
        WRITABLE,
        SETTINGS,
        COLLATION,
        COLLATION_NOW,
        DUPLICATES,
        DUPLICATES_OF_STATE,
        INDEXES,
        SCHEMA_VERSION,
        BACKGROUND_UPDATES,
        SIZES,
        REDACTIONS_PENDING,
        REDACTIONS_CENSORED,
        SURVIVORS,
        RETENTION,
        PURGE_TASKS,
        HAS_STATE,
        ROOMS,
        ROOMS_STATE,
        ROOMS_PAST_STATE,
        ROOMS_PEOPLE,
        ROOMS_PAST_PEOPLE,
        ROOMS_INVITES,
        ROOMS_COUNTS,
    ]
    .into_iter()
    .chain(pages.into_iter().flatten())
    .find(|statement| statement.name == name)
}

/// `stored.sql` over the rows of a page. The page's name comes first, so that `pg_stat_activity` shows it.
fn stored(page: &Statement, order: &str) -> Statement {
    let all = STORED.replace("from page p", &format!("from (\n{}) p", page.sql));
    let (comment, _) = page.sql.split_once('\n').unwrap_or_default();
    Statement { name: page.name, sql: format!("{comment}\n{all}{order}").into() }
}

/// `stored` over a page of one room, which is the statement's parameter `room`: its version is looked up once and not for
/// every row.
fn of_room(room: &str, page: &Statement, order: &str) -> Statement {
    let Statement { name, sql } = stored(page, order);
    Statement { name, sql: sql.replace("o.room_id = p.room_id", &format!("o.room_id = {room}::text")).into() }
}

/// A statement over `stored.sql` that does not look up for each row what is known already.
pub(super) fn knowing(known: &Known, statement: Statement) -> Statement {
    let Statement { name, sql } = statement;
    let mut sql = sql.into_owned();
    if known.rejections.is_some() {
        sql = sql.replace("(select true from rejections r where r.event_id = p.event_id limit 1)", "null::boolean");
    }
    if known.versions.is_some() {
        sql = sql.replace("(select max(o.room_version) from rooms o where o.room_id = p.room_id)", "null::text");
    }
    Statement { name, sql: sql.into() }
}

/// Reads a row of `stored.sql`: its place, and what an export makes of it. A row without an id or a room is nothing that an
/// archive can take; `unplaced.sql` tells of those.
pub(super) fn row(row: &PgRow, known: &Known, server_name: &str) -> Result<(Place, Row), tokio_postgres::Error> {
    let id = row.try_get::<_, Option<i64>>(0)?.unwrap_or_default();
    // none: it was asked for by name, and is wanted whatever it is
    let deoutliered: Option<bool> = row.try_get(1)?;
    let event_id = row.try_get::<_, Option<&str>>(2)?.unwrap_or_default();
    let room_id: Option<&str> = row.try_get(6)?;
    let received_ts: Option<i64> = row.try_get(10)?;
    // no columns of `events`: a de-outliered event that was purged since
    let stream_ordering: Option<i64> = row.try_get(3)?;
    let topological_ordering = row.try_get::<_, Option<i64>>(4)?.unwrap_or_default();
    let wanted: Option<bool> = row.try_get(13)?;
    let timeline = row.try_get::<_, Option<bool>>(19)? == Some(true);
    let stored = match stream_ordering {
        Some(stream_ordering) if wanted == Some(true) && !event_id.is_empty() && room_id.is_some() => {
            let room_id = room_id.unwrap_or_default();
            let event = Box::new(Event::from_stored(&Stored {
                event_id,
                room_id,
                kind: row.try_get::<_, Option<&str>>(5)?.unwrap_or_default(),
                sender: row.try_get(7)?,
                state_key: row.try_get(8)?,
                stream_ordering,
                topological_ordering,
                origin_server_ts: row.try_get(9)?,
                received_ts,
                room_version: known.version(room_id).or(row.try_get(16)?),
                outlier: row.try_get::<_, Option<bool>>(11)? == Some(true),
                rejected: known.is_rejected(event_id) || row.try_get(12)?,
                internal_metadata: row.try_get(14)?,
                json: row.try_get(15)?,
                redacts: row.try_get(17)?,
                recheck: row.try_get(18)?,
            }));
            Some(event)
        }
        _ => None,
    };
    let is_asked_for = deoutliered.is_none();
    let found = match stored {
        Some(event) if timeline && (is_asked_for || event.is_timeline_of(server_name)) => Found::Event(event),
        Some(event) if event.is_state_of_outliers() => Found::OutlierState(event),
        _ => Found::Other(event_id.to_owned()),
    };
    let (_, position) = Stream::locate(id);
    let state = match deoutliered {
        None => {
            let text = |column| Ok(row.try_get::<_, Option<String>>(column)?.unwrap_or_default());
            Some((text(5)?, text(8)?))
        }
        Some(_) => None,
    };
    let deoutliered = deoutliered == Some(true);
    let received_ts = received_ts.filter(|_| !deoutliered);
    Ok((Place { id, topological_ordering, state }, Row { position, deoutliered, received_ts, found }))
}
