//! A mautrix bridge's own database: the sessions in its crypto store, as they are stored there. Read as Synapse's database is, by the
//! same sessions, and opens nothing.

use super::error::{Error, Problem};
use super::keys::RoomSessions;
use super::session::Session;
use super::statements;
use crate::config::Config;

/// The database of a bridge, read-only.
#[derive(Clone)]
pub struct BridgeDatabase {
    session: Session,
    accounts: Vec<String>,
    has_source: bool,
}

/// A row of a bridge's store.
pub struct BridgeSession {
    /// The session's id.
    pub session_id: String,
    /// Whose it is, as the bridge was told.
    pub sender_key: Option<String>,
    /// Its room.
    pub room_id: String,
    /// What libolm has pickled; none: the bridge has no session.
    pub pickle: Option<Vec<u8>>,
    /// Why it has none.
    pub withheld_code: Option<String>,
    /// Another device than its own has sent it.
    pub forwarded: bool,
}

const TABLE: &str = "crypto_megolm_inbound_session";
const NEEDED: [&str; 7] =
    ["account_id", "session_id", "sender_key", "room_id", "session", "forwarding_chains", "withheld_code"];

impl BridgeDatabase {
    /// Connects, and finds out which accounts there are.
    pub async fn connect(config: &Config) -> Result<BridgeDatabase, Error> {
        let session = Session::new(config)?;
        let mut this = BridgeDatabase { session, accounts: Vec::new(), has_source: false };
        let columns: Vec<String> = this.session.all(&statements::BRIDGE_COLUMNS, &[]).await?;
        let has = |column: &str| columns.iter().any(|own| own == column);
        if columns.is_empty() {
            return Err(Problem::NoBridge.into());
        }
        this.has_source = has("key_source");
        if let Some(lacking) = NEEDED.iter().find(|column| !has(column)) {
            return Err(Problem::Missing(format!("readable column {TABLE}.{lacking}"), "the role".to_owned()).into());
        }
        this.accounts = this.session.all(&statements::BRIDGE_ACCOUNTS, &[]).await?;
        Ok(this)
    }

    /// Whose sessions they are: one for each device that the bridge has.
    #[must_use]
    pub fn accounts(&self) -> &[String] {
        &self.accounts
    }

    /// Sessions by their ids, of all accounts.
    pub async fn sessions(&self, ids: &[&str]) -> Result<Vec<BridgeSession>, Error> {
        let query = statements::BRIDGE_SESSIONS.filled(&[("forwarded", statements::forwarded(self.has_source))]);
        let rows = self.session.all(&query, &[&self.accounts, &ids]).await?;
        Ok(rows.into_iter().map(session).collect())
    }

    /// At most `most` sessions of an account, behind one.
    pub async fn page(&self, account: &str, session_id: &str, most: i64) -> Result<Vec<BridgeSession>, Error> {
        let query = statements::BRIDGE_PAGE.filled(&[("forwarded", statements::forwarded(self.has_source))]);
        let rows = self.session.all(&query, &[&account, &session_id, &most]).await?;
        Ok(rows.into_iter().map(session).collect())
    }

    /// How many sessions of which rooms an account has.
    pub async fn rooms(&self, account: &str) -> Result<Vec<RoomSessions>, Error> {
        let rows = self.session.all(&statements::BRIDGE_ROOMS, &[&account]).await?;
        let room = |row: statements::BridgeRoomsRow| RoomSessions {
            room_id: row.room_id,
            sessions: row.sessions.try_into().unwrap_or(0),
            withheld: row.withheld.try_into().unwrap_or(0),
            first_index: None,
        };
        Ok(rows.into_iter().map(room).collect())
    }

    /// Waits until nothing of ours runs on its server any more.
    pub async fn close(&self) {
        self.session.close().await;
    }
}

fn session(row: statements::BridgeSessionsRow) -> BridgeSession {
    BridgeSession {
        session_id: row.session_id.trim_end().to_owned(),
        sender_key: row.sender_key.map(|key| key.trim_end().to_owned()),
        room_id: row.room_id,
        pickle: row.session,
        withheld_code: row.withheld_code,
        forwarded: row.forwarded.unwrap_or(false),
    }
}
