//! Which redactions of events are in effect.

use std::collections::BTreeMap;

use super::known::Known;
use super::{Database, Error, Scope, queries, schema};
use crate::event::{BanRedaction, Event};

/// How many bans are read by one statement.
const BANS: usize = 1_000;

/// The bans of a room that redact, by whom they redact.
#[derive(Debug, Default)]
pub struct Bans(BTreeMap<String, (BanRedaction, Event)>);

impl Bans {
    /// The ban that redacts an event.
    #[must_use]
    pub fn redacting(&self, event: &Event) -> Option<&Event> {
        let (ban, by) = self.0.get(event.sender.as_deref()?)?;
        event.is_redacted_by_ban(ban).then_some(by)
    }
}

impl Database {
    /// The redactions in effect of some events, by the ids of the events that they leave nothing of: of those that they name,
    /// and of the edits of those. Of several the earliest, as everywhere.
    pub async fn redactions<'a>(
        &self,
        events: impl IntoIterator<Item = &'a Event>,
    ) -> Result<BTreeMap<String, Event>, Error> {
        let mut named = BTreeMap::<&str, Vec<&Event>>::new();
        for event in events {
            for event_id in event.redacted_with() {
                named.entry(event_id).or_default().push(event);
            }
        }
        let mut found = BTreeMap::<String, Event>::new();
        if named.is_empty() {
            return Ok(found);
        }
        let ids: Vec<&str> = named.keys().copied().collect();
        for redaction in self.events(queries::redacted_by(), &ids).await? {
            let targets = redaction.redacts.as_deref().and_then(|target| named.get(target));
            for event in targets.into_iter().flatten().filter(|event| event.is_redacted_by(&redaction)) {
                let earlier = |other: &Event| redaction.precedes(other);
                if found.get(&event.event_id).is_none_or(earlier) {
                    found.insert(event.event_id.clone(), Event::clone(&redaction));
                }
            }
        }
        Ok(found)
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
        let (room_id, user_id) = after.map_or((scope.room_id(), ""), |ban| (&ban.room_id, &ban.user_id));
        let limit = i64::try_from(BANS).unwrap_or(i64::MAX);
        let read = |row: &tokio_postgres::Row| {
            Ok(BanRedaction {
                room_id: row.try_get(0)?,
                user_id: row.try_get(1)?,
                event_id: row.try_get(2)?,
                // 0 ends nothing either where Synapse reads it
                until: row.try_get::<_, Option<i64>>(3)?.filter(|until| *until != 0),
            })
        };
        let mut bans = self.all(&queries::BAN_REDACTIONS, &[&room_id, &user_id, &limit], read).await?;
        bans.retain(|ban| *scope == Scope::Server || ban.room_id == scope.room_id());
        Ok(bans)
    }

    /// The bans of a room that redact.
    pub async fn bans(&self, room_id: &str) -> Result<Bans, Error> {
        let scope = Scope::Room(room_id.to_owned());
        let (mut bans, mut after) = (Bans::default(), None);
        loop {
            let page = self.ban_redactions(&scope, after.as_ref()).await?;
            let Some(last) = page.last() else { return Ok(bans) };
            after = Some(last.clone());
            let ids: Vec<&str> = page.iter().map(|ban| &*ban.event_id).collect();
            let events = self.events(queries::by_id(), &ids).await?;
            let events = events.into_iter().filter(|event| !event.rejected && event.room_id == room_id);
            let events: BTreeMap<String, Event> = events.map(|event| (event.event_id.clone(), event)).collect();
            for ban in page {
                if let Some(event) = events.get(&ban.event_id) {
                    bans.0.insert(ban.user_id.clone(), (ban, event.clone()));
                }
            }
        }
    }

    /// Events by a statement that asks for ids.
    async fn events(&self, statement: queries::Statement, ids: &[&str]) -> Result<Vec<Event>, Error> {
        let statement = self.schema.adapt(statement);
        let failed = Error::query(statement.name);
        let (server_name, excluded): (&str, &[String]) = (&self.server_name, &self.excluded);
        let rows = self.session.query(&statement, &[&server_name, &excluded, &ids]).await?;
        let rows = rows.iter().map(|row| queries::row(row, &Known::default()).map_err(failed));
        rows.filter_map(|row| row.map(|(_, row)| row.event().map(|event| *event)).transpose()).collect()
    }
}
