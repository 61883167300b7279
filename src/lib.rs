//! Archives the rooms of a Synapse homeserver straight from its PostgreSQL database, read-only.
//!
//! ```text
//! cli          arguments, environment, terminal, exit codes
//! export       the loop: pages → batch → commit; the only place where source and archive meet to write
//! doctor       checks of both → findings with remedies; changes nothing
//! source       everything that knows PostgreSQL or Synapse's tables      archive   everything that knows the directory
//! config       where the database is                                    (unaware of each other)
//! event        an event as stored, as a line; pure
//! stream       streams, positions, gaps; pure
//! transcript   what was said, as markdown; pure
//! ```
//!
//! Imports point downward. What holds everywhere:
//!
//! - The database is only read: see [`source`].
//! - An event has one line, whatever the order of commits, crashes and runs: see [`archive`] and [`stream`].
//! - A line carries the stored PDU unaltered; what does not parse is kept and flagged: see [`event`].
//! - Nothing is kept in memory that grows with the server, a room or a day.

pub mod archive;
pub mod cli;
pub mod config;
pub mod doctor;
pub mod event;
pub mod export;
pub mod source;
pub mod stream;
pub mod transcript;
