//! Which redactions and bans are in effect on events, asked of the database itself.
//!
//! For what has no archive to ask: a room's dump and its state. Judges by the rules of [`crate::event`], and redacts nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::database::Database;
use super::error::Error;
use super::{schema, statements};
use crate::event::{BanRedaction, Event, EventId, OwnedEventId, OwnedUserId, RoomId, UserId};
use crate::stream::Scope;

/// How many bans, or erased users, are read by one statement.
const BANS: usize = 1_000;

/// How many edits of edits are looked behind.
const DEEPEST: usize = 100;

/// The bans of a room that redact, by whom they redact.
#[derive(Debug, Default)]
pub struct Bans(BTreeMap<OwnedUserId, (BanRedaction, Event)>);

impl Bans {
    /// The ban that redacts an event.
    #[must_use]
    pub fn redacting(&self, event: &Event) -> Option<&Event> {
        let (ban, by) = self.0.get(event.sender.as_deref()?)?;
        event.is_redacted_by_ban(ban).then_some(by)
    }
}

impl Database {
    /// The redactions and bans in effect on some events, or on what they edit, by the ids of the events: nothing is left of an
    /// edit of what is redacted. Of several redactions the earliest, as everywhere.
    pub async fn redactions<'a>(
        &self,
        events: impl IntoIterator<Item = &'a Event>,
        bans: &Bans,
    ) -> Result<BTreeMap<OwnedEventId, Event>, Error> {
        let events: Vec<&Event> = events.into_iter().collect();
        let edited = self.edited(&events).await?;
        let mut at_hand: BTreeMap<EventId<'_>, &Event> = edited.iter().map(|event| (event.id(), event)).collect();
        at_hand.extend(events.iter().map(|&event| (event.id(), event)));
        let chains: Vec<Vec<(EventId<'_>, &Event)>> = events.iter().map(|event| chain(event, &at_hand)).collect();
        let ids: BTreeSet<&str> = chains.iter().flatten().map(|(id, _)| id.as_str()).collect();
        let ids: Vec<&str> = ids.into_iter().collect();
        let mut named = BTreeMap::<OwnedEventId, Vec<Event>>::new();
        if !ids.is_empty() {
            for redaction in self.events_of(statements::REDACTED_BY, &[&ids]).await? {
                if let Some(target) = redaction.redacts.clone() {
                    named.entry(target).or_default().push(redaction);
                }
            }
        }
        let mut found = BTreeMap::new();
        for (event, chain) in events.iter().zip(chains) {
            let redacting = chain.into_iter().find_map(|(id, of)| {
                let redactions =
                    named.get(id.as_str()).into_iter().flatten().filter(|redaction| of.is_redacted_by(redaction));
                let earliest = redactions.min_by_key(|redaction| (redaction.origin_server_ts, &redaction.event_id));
                earliest.or_else(|| bans.redacting(of))
            });
            if let Some(redaction) = redacting {
                found.insert(event.event_id.clone(), redaction.clone());
            }
        }
        Ok(found)
    }

    /// What some events edit, and what that edits, as far as it is not among them.
    async fn edited(&self, events: &[&Event]) -> Result<Vec<Event>, Error> {
        let mut edited: Vec<Event> = Vec::new();
        let mut known: BTreeSet<OwnedEventId> = events.iter().map(|event| event.event_id.clone()).collect();
        let mut wanted: BTreeSet<OwnedEventId> =
            events.iter().filter_map(|event| event.edits()).map(EventId::owned).collect();
        for _ in 0..DEEPEST {
            wanted.retain(|id| known.insert(id.clone()));
            if wanted.is_empty() {
                break;
            }
            let ids: Vec<&str> = wanted.iter().map(OwnedEventId::as_str).collect();
            let found = self.events_by_id(&ids).await?;
            wanted = found.iter().filter_map(Event::edits).map(EventId::owned).collect();
            edited.extend(found);
        }
        Ok(edited)
    }

    /// The next bans that redact in a scope, in the order of rooms and users, after one of them; none at the end.
    pub async fn ban_redactions(
        &self,
        scope: &Scope,
        after: Option<&BanRedaction>,
    ) -> Result<Vec<BanRedaction>, Error> {
        if !self.schema.has(schema::BAN_REDACTIONS.0) {
            return Ok(Vec::new());
        }
        self.schema.suffices_for_bans()?;
        let (room_id, user_id) = after.map_or((scope.key(), ""), |ban| (ban.room_id.as_str(), ban.user_id.as_str()));
        let limit = i64::try_from(BANS).unwrap_or(i64::MAX);
        let bans = self.all(&statements::BAN_REDACTIONS, &[&room_id, &user_id, &limit]).await?;
        let bans = bans.into_iter().map(|row| BanRedaction {
            room_id: row.room_id,
            user_id: row.user_id,
            event_id: row.redacting_event_id,
            // 0 ends nothing either where Synapse reads it
            until: row.redact_end_ordering.filter(|until| *until != 0),
        });
        let mut bans: Vec<BanRedaction> =
            bans.filter(|ban| scope.room().is_none_or(|room| ban.room_id.borrowed() == room)).collect();
        // of several rows of a user in a room the same one each time
        bans.dedup_by(|next, kept| {
            let same = (&next.room_id, &next.user_id) == (&kept.room_id, &kept.user_id);
            if same && next.event_id < kept.event_id {
                std::mem::swap(next, kept);
            }
            same
        });
        Ok(bans)
    }

    /// Which of some users the server has erased.
    pub async fn erased(&self, users: &BTreeSet<UserId<'_>>) -> Result<BTreeSet<OwnedUserId>, Error> {
        if users.is_empty() || !self.schema.has(schema::ERASED.0) {
            return Ok(BTreeSet::new());
        }
        let users: Vec<&str> = users.iter().map(|user| user.as_str()).collect();
        Ok(self.all(&statements::ERASED, &[&users]).await?.into_iter().collect())
    }

    /// The next users whom the server has erased, after one of them; none at the end.
    pub async fn erased_after(&self, after: UserId<'_>) -> Result<Vec<OwnedUserId>, Error> {
        if !self.schema.has(schema::ERASED.0) {
            return Ok(Vec::new());
        }
        let limit = i64::try_from(BANS).unwrap_or(i64::MAX);
        self.all(&statements::ERASED_AFTER, &[&after.as_str(), &limit]).await
    }

    /// The bans of a room that redact.
    pub async fn bans(&self, room_id: &str) -> Result<Bans, Error> {
        let scope = Scope::Room(RoomId::of(room_id).owned());
        let (mut bans, mut after) = (Bans::default(), None);
        loop {
            let page = self.ban_redactions(&scope, after.as_ref()).await?;
            let Some(last) = page.last() else { return Ok(bans) };
            after = Some(last.clone());
            let ids: Vec<&str> = page.iter().map(|ban| &*ban.event_id).collect();
            let events = self.events_by_id(&ids).await?;
            let events = events.into_iter().filter(|event| !event.rejected && event.room_id == room_id);
            let events: BTreeMap<OwnedEventId, Event> = events.map(|event| (event.event_id.clone(), event)).collect();
            for ban in page {
                if let Some(event) = events.get(&ban.event_id) {
                    bans.0.insert(ban.user_id.clone(), (ban, event.clone()));
                }
            }
        }
    }
}

/// An event and what it edits, one after the other, by their ids. The last may be one that is not at hand: whether it is
/// redacted is judged by the edit, since an edit has the sender of what it edits.
fn chain<'a>(event: &'a Event, at_hand: &BTreeMap<EventId<'a>, &'a Event>) -> Vec<(EventId<'a>, &'a Event)> {
    let mut chain = vec![(event.id(), event)];
    let mut last = event;
    while let Some(id) = last.edits().filter(|_| chain.len() <= DEEPEST) {
        let edited = at_hand.get(&id).filter(|edited| edited.room_id == event.room_id);
        chain.push((id, edited.unwrap_or(&last)));
        let Some(edited) = edited else { break };
        last = edited;
    }
    chain
}
