//! A room's events with what they say decrypted, on their way into a dump or a document. Nothing of it is written anywhere else but sealed.

use anyhow::Result;
use megolm_keys::Refusal;
use tokio::sync::watch;

use crate::archive::{Plaintext, SealedPlaintexts};
use crate::cli::keys::KeyArgs;
use crate::event::{Event, RoomId};
use crate::keys::{Decrypter, Decryption, ReadCounts};
use crate::source::{self, Database, Row};

/// What decrypts a room.
pub(in crate::cli) struct RoomDecrypter(Box<Decrypter>);

impl RoomDecrypter {
    /// Opens the sources of keys, and looks the room through.
    pub(super) async fn begin(keys: &KeyArgs, database: &Database, room_id: &str) -> Result<RoomDecrypter> {
        let sources = keys.open(database).await?;
        let mut decrypter = Decrypter::new(database, sources, RoomId::of(room_id))?;
        decrypter.look_through().await?;
        Ok(RoomDecrypter(Box::new(decrypter)))
    }

    /// Events as they are to be shown, each in its place.
    pub(super) async fn events(&mut self, events: &[Box<Event>]) -> Result<Vec<Box<Event>>> {
        let said = self.said(events).await?;
        let shown = events.iter().zip(said).map(|(event, said)| match said {
            None => event.clone(),
            Some(Ok((said, _))) => Box::new(said),
            Some(Err(refused)) => Box::new(event.undecryptable(refused.code(), &refused.to_string())),
        });
        Ok(shown.collect())
    }

    /// Keeps what all of a room's events say.
    pub(super) async fn all(
        &mut self,
        database: &Database,
        room_id: &str,
        plaintexts: &SealedPlaintexts,
        stopped: &watch::Receiver<bool>,
    ) -> Result<()> {
        let mut rows = database.room(room_id, None, None, true);
        while !*stopped.borrow() {
            let chunk = rows.recv().await.ok_or(source::Error::BrokeOff)??;
            if chunk.is_empty() {
                break;
            }
            let events: Vec<Box<Event>> = chunk.into_iter().filter_map(Row::event).collect();
            let said = self.said(&events).await?;
            for (event, said) in events.iter().zip(said) {
                let Some(Ok((said, authenticated))) = said else { continue };
                let (kind, content) = (said.kind.as_deref().unwrap_or_default(), said.content().unwrap_or_default());
                let plaintext = Plaintext {
                    kind: kind.to_owned(),
                    content: content.to_owned(),
                    authenticated,
                    body: None,
                    has: None,
                };
                plaintexts.put(&event.event_id, &plaintext)?;
            }
        }
        Ok(())
    }

    /// What events say, and whether that is authenticated; none: in clear.
    async fn said(&mut self, events: &[Box<Event>]) -> Result<Vec<Option<Result<(Event, bool), Refusal>>>> {
        let stored: Vec<&Event> = events.iter().map(Box::as_ref).collect();
        let verdicts = self.0.decrypt(&stored).await?;
        let said = stored.into_iter().zip(verdicts).map(|(event, verdict)| match verdict {
            Decryption::Clear => None,
            Decryption::Readable(readable) => {
                Some(readable.put_into(event).map(|said| (said, readable.is_authenticated())))
            }
            Decryption::Refused(refusal) => Some(Err(refusal)),
        });
        Ok(said.collect())
    }

    pub(super) fn numbers(&self) -> &ReadCounts {
        self.0.numbers()
    }
}
