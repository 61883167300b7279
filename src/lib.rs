//! Archives the rooms of a Synapse homeserver straight from its PostgreSQL database, read-only.
//!
//! ```text
//! cli          arguments, environment, terminal, exit codes
//! export       the loop: pages → batch → commit; the only place where source and archive meet to write
//! verify       what an archive proves: keys that are given, seals; what the lines prove is `archive` and `event`
//! doctor       checks of both → findings with remedies; changes nothing
//! keys         Megolm sessions from backups, files and bridges → what encrypted events say; opened by the crate `megolm_keys`, which is
//!              pure and knows nothing of ours
//! media        files of Synapse's media repository → an archive's `media/`; knows no SQL
//! outputs      archive → elsewhere, kept up to date: Parquet, another PostgreSQL, the only one that is written to; each with its own progress
//! handover     archive → one file to hand on, made once: documents, lines, a zip of both, a database
//! views        archive → documents → files that people read: transcripts, indexes, links; what of them is stale
//! source       everything that knows PostgreSQL or Synapse's tables      archive   everything that knows the directory
//! config       where the database is; libpq's part of it is the crate       (unaware of each other)
//!              `libpq_config`, which knows nothing of ours
//! search       queries, words, where they stand in texts; pure
//! event        an event as stored, as a line; pure
//! ids          of events, rooms and users, which the compiler tells apart; pure
//! naming       what a person calls a room, and which that may mean; pure
//! stream       streams, positions, gaps; pure
//! document     what was said and happened, as blocks; markdown and HTML, which are written of blocks; pure
//! ```
//!
//! Imports point downward. What holds everywhere:
//!
//! - The database is only read: see [`source`].
//! - An event has one line, whatever the order of commits, crashes and runs: see [`archive`] and [`stream`].
//! - The lines are the same by any path, one full export or many small ones. The one exception: where a unique index is broken and
//!   the database has several rows of an event that differ, the line is that of the best text there was when it was archived, and
//!   stays. The event is named, and the run that met it ends as one with damaged rows.
//! - A line carries the stored PDU unaltered; what does not parse is kept and flagged: see [`event`].
//! - What people read is made of documents, and these of what an archive tells through one seam: see [`views`] and [`document`].
//! - Nothing is kept in memory that grows with the server, a room or a day.

pub mod archive;
pub mod cli;
pub mod config;
pub mod doctor;
pub mod document;
pub mod event;
pub mod export;
pub mod handover;
pub mod ids;
pub mod keys;
mod media;
pub mod naming;
pub mod outputs;
pub mod search;
pub mod source;
pub mod stream;
mod verify;
pub mod views;
