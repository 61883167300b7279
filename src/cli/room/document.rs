//! A room as one markdown document, rendered through an archive of this room alone, which is gone afterwards.
//!
//! The archive is in the temporary directory, for this user alone, and does not outlive the process.

use std::fs::Permissions;
use std::io::{self, BufWriter, Seek as _, Write};
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context as _, Result};
use serde_json::value::RawValue;
use tokio::sync::watch;
use tracing::warn;

use super::decrypting::Decrypting;
use crate::archive::{Archive, Interrupt, Opening, Plaintexts, Sealed, Selection};
use crate::cli::keys;
use crate::cli::leftovers::Leftover;
use crate::cli::report::{Counter, SEVERAL_ROWS, shown, unplaced};
use crate::document::markdown::code_cell;
use crate::event::{Damage, Event, Object, Redaction};
use crate::export::{self, Progress, Report};
use crate::source::{self, Bans, Database, Row, Rows};
use crate::views::{self, Asked, Told};

/// What to write.
pub(super) struct Document<'a> {
    pub(super) asked: Asked<'a>,
    /// The room's state as it is now, to be put in front.
    pub(super) state: Option<Rows>,
    /// What decrypts it.
    pub(super) decrypting: Option<Decrypting>,
}

/// What was written.
pub(super) struct Written {
    pub(super) told: Told,
    /// How many events could not be read, or have several rows.
    pub(super) off: u64,
}

/// How much of a document is kept in memory before its cover, which comes first, is known. Bytes.
const IN_MEMORY: usize = 1024 * 1024;

impl Document<'_> {
    /// Writes the document. It ends early, and leaves nothing behind, once it is told to stop.
    pub(super) async fn write(
        self,
        database: &Database,
        counter: &mut Counter,
        stop: export::Stop,
        out: &mut dyn Write,
    ) -> Result<Written> {
        let Document { asked, state, decrypting } = self;
        let directory = tempfile::Builder::new()
            .prefix("synapse-export.")
            // others of the machine may look into where it is made
            .permissions(Permissions::from_mode(0o700))
            .tempdir();
        let directory = directory.context("cannot make a temporary directory; TMPDIR says where")?;
        let leftover = Leftover::new(directory.path());
        // dropped in this order
        let temporary = (directory, leftover);
        let told = stop.clone();
        let interrupt = Interrupt::when(move || *told.borrow());
        let archive = Archive::open_as(temporary.0.path(), Opening { interrupt, ..Opening::default() })?.for_once();
        let selection = Selection { include: [asked.room_id.to_owned()].into(), ..Selection::default() };
        let stopped = stop.clone();
        let mut heard = Heard { counter, damaged: 0, duplicates: 0 };
        let (mut archive, exported) =
            Box::pin(export::export(database.clone(), archive, &selection, stop, &mut heard)).await;
        exported?;
        let off = heard.damaged + heard.duplicates;
        let mut out = Stoppable { out, stopped };
        let decrypts = decrypting.is_some();
        if let Some(mut decrypting) = decrypting {
            let plaintexts = Sealed::new(temporary.0.path())?;
            Box::pin(decrypting.all(database, asked.room_id, &plaintexts, &out.stopped)).await?;
            keys::report(asked.room_id, decrypting.numbers());
            archive.read_with(Plaintexts::Sealed(plaintexts));
        }
        let mut days = tempfile::spooled_tempfile_in(IN_MEMORY, temporary.0.path());
        // what was encrypted is told twice, as it may be in no file
        let tally = if decrypts {
            views::document_days(&archive, &asked, &mut io::sink())?
        } else {
            views::document_days(&archive, &asked, &mut BufWriter::new(&mut days))?
        };
        days.rewind()?;
        let made = (chrono::Utc::now().timestamp_millis(), database.server_name());
        let told = views::document_cover(&archive, &asked, tally, made, &mut out)?;
        if let Some(state) = state {
            // an export has said it already if bans cannot be read
            let reads_bans = !asked.show_redacted && database.schema().suffices_for_bans().is_ok();
            let bans = if reads_bans { database.bans(asked.room_id).await? } else { Bans::default() };
            write_state(state, database, &bans, asked.show_redacted, &mut out).await?;
        }
        if decrypts {
            views::document_days(&archive, &asked, &mut out)?;
        } else {
            io::copy(&mut days, &mut out)?;
        }
        out.flush()?;
        Ok(Written { told, off })
    }
}

/// Writes the current state as a table; of redacted events what their redaction leaves, unless they are to be shown.
async fn write_state(
    mut rows: Rows,
    database: &Database,
    bans: &Bans,
    show_redacted: bool,
    out: &mut dyn Write,
) -> Result<()> {
    writeln!(out, "## State\n\n| type | state key | content |\n|---|---|---|")?;
    loop {
        let chunk = rows.recv().await.ok_or(source::Error::BrokeOff)??;
        if chunk.is_empty() {
            return Ok(writeln!(out)?);
        }
        let events: Vec<Box<Event>> = chunk.into_iter().filter_map(Row::event).collect();
        let redactions = database.redactions(events.iter().map(Box::as_ref), bans).await?;
        for event in &events {
            writeln!(out, "{}", state_line(event, redactions.get(&event.event_id), show_redacted))?;
        }
    }
}

fn state_line(event: &Event, redaction: Option<&Event>, show_redacted: bool) -> String {
    let (kind, key) = (event.kind.as_deref().unwrap_or_default(), event.state_key.as_deref().unwrap_or_default());
    let stored = event.content().unwrap_or_default();
    let content = match redaction {
        None => code_cell(stored),
        Some(_) if show_redacted => format!("{} *redacted*", code_cell(stored)),
        Some(redaction) => {
            let line = event.honouring(Some(Redaction { event: redaction, redacted: true })).line;
            format!("{} *redacted*", code_cell(Object::of(&line).get("content").map_or("", RawValue::get)))
        }
    };
    format!("| {} | {} | {content} |", code_cell(kind), code_cell(key))
}

/// What the user hears of the export.
struct Heard<'a> {
    counter: &'a mut Counter,
    damaged: u64,
    duplicates: u64,
}

impl Report for Heard<'_> {
    fn progress(&mut self, progress: Progress) {
        self.counter.at(progress.events);
    }

    fn damaged(&mut self, event_id: &str, _: &str, damage: &Damage) {
        self.damaged += 1;
        if self.damaged <= super::WARNINGS {
            warn!(event_id, "event {}: {damage}", shown(event_id));
        }
    }

    fn unplaced(&mut self, event_id: &str, room_id: &str, lacks: &str) {
        self.damaged += 1;
        if self.damaged <= super::WARNINGS {
            unplaced(event_id, room_id, lacks);
        }
    }

    fn duplicate(&mut self, event_id: &str, _: &str) {
        self.duplicates += 1;
        if self.duplicates <= super::WARNINGS {
            warn!(event_id, "event {} {SEVERAL_ROWS}", shown(event_id));
        }
    }
    // in an archive that is exported into once nothing waits
    fn waiting(&mut self, _: &str, _: &str) {}

    fn gone(&mut self, _: &str, _: &str) {}
}

/// Output that ends when the process is told to, so that the temporary directory is removed all the same.
struct Stoppable<'a> {
    out: &'a mut dyn Write,
    stopped: watch::Receiver<bool>,
}

impl Write for Stoppable<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if *self.stopped.borrow() {
            return Err(io::Error::other("stopped by a signal"));
        }
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
