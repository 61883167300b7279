//! Everything that knows PostgreSQL or Synapse's tables.
//!
//! [`Database`] is the only type that reaches the database, and has no way to write: its methods are the statements in
//! `sql/`, each in a read-only transaction of its own. Knows no archive.
//!
//! Its modules know only those above them here:
//!
//! ```text
//! pooler, server_error   what a pooler, or PostgreSQL itself, says when it refuses; whether that passes
//! error                  why the database could not be read, and what helps
//! statements             the statements in `sql/`, and their rows
//! heads                  how far a server is
//! tls, session           connections, transactions, retry, failover: the only code that runs SQL
//! schema                 which tables and columns are there
//! database               `Database`: connecting, and the questions of a row or few
//! lookups                what is looked up once and not for every row
//! rows                   events, page by page
//! redactions, missing_json, un_partial_stated, standing, rooms, health, keys, media, server_keys    what each of them asks
//! bridge                 the database of a bridge, which has nothing but keys
//! ```

mod bridge;
mod database;
mod error;
mod heads;
mod health;
mod ids;
mod keys;
mod lookups;
mod media;
mod missing_json;
mod pooler;
mod redactions;
mod rooms;
mod rows;
mod schema;
mod server_error;
mod server_keys;
mod session;
mod standing;
mod statements;
mod tls;
mod un_partial_stated;

pub use bridge::{BridgeDatabase, BridgeSession};
pub use database::Database;
pub use error::{Error, Problem};
pub use heads::Heads;
pub use health::{Collation, Index, Login, PendingRedactions, Sampled, Sizes};
pub use keys::{BackupVersion, Device, RoomSessions};
pub use media::StoredMedia;
pub use pooler::PoolerRefusal;
pub use redactions::Bans;
pub use rooms::{ListedRoom, RoomKind};
pub use rows::{Holder, Row, Rows};
pub use schema::Schema;
pub use server_error::{CHECK_THE_WAY, ServerError};
pub use server_keys::ServerKey;
pub use session::Pooler;
pub use standing::Standing;
pub(crate) use tls::connector as tls_connector;
