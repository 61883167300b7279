//! Which transcripts are stale once events have come: those of other room-days than the events' own.
//!
//! A room-day shows more than its own events: edits, reactions, votes and redactions of any day where their target is, quotes
//! and threads' roots where they are referred to, names as of each event, links to its neighbours.

mod marking;

use std::collections::{BTreeMap, BTreeSet};

use super::Error;
use super::borrowed::Renamed;
use super::reading::title::TitlePlace;
use super::writing::Writing;
use crate::document::message::display_name;
use crate::document::text::looks;
use crate::event::{Event, EventId, Object, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId};

/// Gathers what is stale in the rooms of a batch.
///
/// What is the same for many events, such as the edits of one, is asked once for all of them, when it is marked: one member
/// decides how many there are.
#[derive(Default)]
pub(super) struct Stale {
    /// Room-days.
    days: BTreeSet<(OwnedRoomId, String)>,
    rooms: BTreeMap<OwnedRoomId, OfRoom>,
}

/// What is stale in a room, as far as it is to be looked up yet.
#[derive(Default)]
struct OfRoom {
    /// The times, in milliseconds since the epoch, between which somebody's name or the room's may be another.
    renamed: Option<(i64, i64)>,
    /// Since when others may be allowed to end polls.
    empowered: Option<i64>,
    /// The first of what may name it, as `title::first` has them: names before addresses, and then by depth.
    title: Option<TitlePlace>,
    /// By user: what may be another of the names.
    members: BTreeMap<OwnedUserId, Renamed>,
    /// Events on which depends what is shown of those that name them.
    named: BTreeSet<OwnedEventId>,
    /// Events that may be redacted, or no more.
    redacted: BTreeSet<OwnedEventId>,
    /// Those of them that may be bans which redact.
    bans: BTreeSet<OwnedEventId>,
}

impl OfRoom {
    fn rename(&mut self, since: i64, until: i64) {
        let (first, last) = self.renamed.unwrap_or((since, until));
        self.renamed = Some((first.min(since), last.max(until)));
    }
}

/// What is known of an event that another one names.
struct NamedTarget {
    day: String,
    kind: Option<String>,
    state_key: Option<String>,
    origin_server_ts: Option<i64>,
    depth: i64,
    relates_to: Option<OwnedEventId>,
    rel_type: Option<String>,
    redacts: Option<OwnedEventId>,
}

impl Stale {
    /// Takes in an event that is new, or of which something is, after all of its batch are in the catalog. `seen`: clients see it,
    /// or saw it before.
    pub(super) fn add(&mut self, event: &Event, seen: bool, catalog: &Writing<'_>) -> Result<(), Error> {
        let room = event.room();
        // a soft-failed redaction is in effect all the same
        if let Some(id) = event.redacts.as_ref().map(OwnedEventId::borrowed).filter(|_| seen || !event.rejected) {
            self.redacted(room, id, catalog)?;
        }
        // an edit that clients did not see may still stand between another one and what is redacted
        self.referrers(room, event.id());
        if !seen {
            return Ok(());
        }
        if let Some(id) = event.relates_to.as_ref().map(OwnedEventId::borrowed)
            && let Some(target) = catalog.target(room, id)?
        {
            self.day(room, &target.day);
            self.edited(room, &target, catalog)?;
            if event.rel_type.as_deref() == Some("m.replace") {
                self.referrers(room, id);
            }
        }
        // what cannot be read is shown alone where it is answered, and so is who joins or leaves
        if let Some(id) = event.replies_to.as_ref().map(OwnedEventId::borrowed)
            && let Some(target) = catalog.target(room, id)?
            && matches!(target.kind.as_deref(), Some("m.room.encrypted" | "m.room.member"))
        {
            self.day(room, &target.day);
        }
        self.name_of(event);
        Ok(())
    }

    /// Takes in a change of who is called what by an event.
    pub(super) fn name_of(&mut self, event: &Event) {
        let Event { kind, state_key, origin_server_ts, topological_ordering, .. } = event;
        self.name(event.room(), kind.as_deref(), state_key.as_deref(), *origin_server_ts, *topological_ordering);
        if let (Some("m.room.member"), Some(user_id)) = (kind.as_deref(), state_key)
            && let Some(name) = event.content().map(Object::of).as_ref().and_then(display_name)
        {
            let renamed = self.room(event.room()).members.get_mut(user_id.as_str());
            if let Some(renamed) = renamed {
                renamed.names.insert(looks(&name));
            }
        }
    }

    /// Takes in a change of who is called what since a time, by an event of a depth, if such an event makes one.
    pub(super) fn name(
        &mut self,
        room: RoomId<'_>,
        kind: Option<&str>,
        state_key: Option<&str>,
        since: Option<i64>,
        depth: i64,
    ) {
        let since = since.unwrap_or(0);
        match (kind, state_key) {
            (Some("m.room.member"), Some(user_id)) => {
                let new = || Renamed { first: since, last: since, depth, names: BTreeSet::new() };
                let renamed = self.room(room).members.entry(UserId::of(user_id).owned()).or_insert_with(new);
                (renamed.first, renamed.last) = (renamed.first.min(since), renamed.last.max(since));
                renamed.depth = renamed.depth.min(depth);
            }
            (Some(kind @ ("m.room.name" | "m.room.canonical_alias")), Some("")) => {
                let room = self.room(room);
                room.rename(since, i64::MAX);
                let place = (usize::from(kind != "m.room.name"), depth);
                room.title = Some(room.title.map_or(place, |first| first.min(place)));
            }
            (Some("m.room.power_levels"), Some("")) => {
                let powers = &mut self.room(room).empowered;
                *powers = Some(powers.map_or(since, |first| first.min(since)));
            }
            _ => {}
        }
    }

    /// Takes in a room-day that is new: its neighbours link to it.
    pub(super) fn neighbours(&mut self, room: RoomId<'_>, day: &str, catalog: &Writing<'_>) -> Result<(), Error> {
        for sql in [
            "select max(day) from file where room = (select room from room where room_id = ?1) and day < ?2",
            "select min(day) from file where room = (select room from room where room_id = ?1) and day > ?2",
        ] {
            let found: Option<String> = catalog.0.prepare_cached(sql)?.query_row([&*room, day], |row| row.get(0))?;
            self.days.extend(found.map(|day| (room.owned(), day)));
        }
        Ok(())
    }

    /// Marks all of it in the catalog.
    pub(super) fn mark(&self, catalog: &Writing<'_>) -> Result<(), Error> {
        for (room, day) in &self.days {
            catalog.mark_day(room.borrowed(), day)?;
        }
        for (room, stale) in &self.rooms {
            let room = room.borrowed();
            let mut renamed = stale.renamed;
            for (user, &Renamed { first, last, .. }) in &stale.members {
                let until = catalog.next_name(room, user.borrowed(), last)?.unwrap_or(i64::MAX);
                let (since, before) = renamed.unwrap_or((first, until));
                renamed = Some((since.min(first), before.max(until)));
            }
            if renamed.is_some() {
                catalog.room_is_stale(&room)?;
            }
            // where every day is stale already there is nothing to look for
            if catalog.has_fresh_day(&room)? {
                catalog.mark_referrers(room, &stale.named)?;
                catalog.mark_banned(room, &stale.bans)?;
                if let Some((since, until)) = renamed {
                    catalog.mark_renamed(&room, since, until)?;
                    catalog.mark_borrowers(room, &stale.members, stale.title)?;
                }
                if let Some(since) = stale.empowered {
                    catalog.mark_empowered(&room, since)?;
                }
            }
        }
        Ok(())
    }

    /// What a redaction takes from its target: it, its quotes, and if it said something of another event, that one's.
    pub(super) fn redacted(&mut self, room: RoomId<'_>, id: EventId<'_>, catalog: &Writing<'_>) -> Result<(), Error> {
        if !self.room(room).redacted.insert(id.owned()) {
            return Ok(());
        }
        // those who name it may be there without it: edits, which say nothing then
        self.referrers(room, id);
        let Some(target) = catalog.target(room, id)? else { return Ok(()) };
        self.day(room, &target.day);
        if let Some(id) = target.relates_to.as_ref().map(OwnedEventId::borrowed)
            && let Some(of) = catalog.target(room, id)?
        {
            self.day(room, &of.day);
            self.edited(room, &of, catalog)?;
            if target.rel_type.as_deref() == Some("m.replace") {
                self.referrers(room, id);
            }
        }
        // a redaction that is redacted gives no reason any more
        if let Some(id) = target.redacts.as_ref().map(OwnedEventId::borrowed)
            && let Some(of) = catalog.target(room, id)?
        {
            self.day(room, &of.day);
        }
        // nor does a ban that redacts
        if target.kind.as_deref() == Some("m.room.member") {
            self.room(room).bans.insert(id.owned());
        }
        let NamedTarget { kind, state_key, origin_server_ts, depth, .. } = &target;
        self.name(room, kind.as_deref(), state_key.as_deref(), *origin_server_ts, *depth);
        Ok(())
    }

    /// The day of what an event edits, where what is said of the edit is told.
    fn edited(&mut self, room: RoomId<'_>, edit: &NamedTarget, catalog: &Writing<'_>) -> Result<(), Error> {
        if let Some(id) = edit
            .relates_to
            .as_ref()
            .map(OwnedEventId::borrowed)
            .filter(|_| edit.rel_type.as_deref() == Some("m.replace"))
            && let Some(target) = catalog.target(room, id)?
        {
            self.day(room, &target.day);
        }
        Ok(())
    }

    /// The days of events that name another, or an edit of it: what is shown of an edit depends on what it edits.
    fn referrers(&mut self, room: RoomId<'_>, id: EventId<'_>) {
        self.room(room).named.insert(id.owned());
    }

    fn room(&mut self, room: RoomId<'_>) -> &mut OfRoom {
        self.rooms.entry(room.owned()).or_default()
    }

    pub(super) fn day(&mut self, room: RoomId<'_>, day: &str) {
        self.days.insert((room.owned(), day.to_owned()));
    }
}
