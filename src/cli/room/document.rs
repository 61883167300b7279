//! A room as one document, rendered through an archive of this room alone, which is gone afterwards.
//!
//! The archive is in the temporary directory, for this user alone, and does not outlive the process.

use std::fs::Permissions;
use std::io::{self, BufWriter, Seek as _, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use tokio::sync::watch;
use tracing::warn;

use super::decrypting::Decrypting;
use crate::archive::{Archive, Interrupt, Opening, Plaintexts, Sealed, Selection};
use crate::cli::keys;
use crate::cli::leftovers::Leftover;
use crate::cli::report::{Counter, SEVERAL_ROWS, shown, unplaced};
use crate::document::html;
use crate::document::markdown::code_cell;
use crate::event::{Damage, Event, Object, Redaction};
use crate::export::{self, Progress, Report};
use crate::source::{self, Bans, Database, Row, Rows};
use crate::views::{self, Asked, Form, MOST_OF_ANY, Split, Told};

/// What to write.
pub(super) struct Document<'a> {
    pub(super) asked: Asked<'a>,
    pub(super) form: Form,
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

/// Where a document goes.
pub(super) enum Place<'a> {
    /// In one file.
    File(&'a mut dyn Write),
    /// Cut into several, in a directory.
    Directory(&'a Path, Split),
}

/// The most bytes of a page by itself.
const LARGEST: u64 = 200_000_000;

/// How much of a document is kept in memory before its cover, which comes first, is known. Bytes.
const IN_MEMORY: usize = 1024 * 1024;

impl Document<'_> {
    /// Writes the document. It ends early, and leaves nothing behind, once it is told to stop.
    pub(super) async fn write(
        self,
        database: &Database,
        counter: &mut Counter,
        stop: export::Stop,
        place: Place<'_>,
    ) -> Result<Written> {
        let Document { asked, form, state, decrypting } = self;
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
        let decrypts = decrypting.is_some();
        if let Some(mut decrypting) = decrypting {
            let plaintexts = Sealed::new(temporary.0.path())?;
            Box::pin(decrypting.all(database, asked.room_id, &plaintexts, &stopped)).await?;
            keys::report(asked.room_id, decrypting.numbers());
            archive.read_with(Plaintexts::Sealed(plaintexts));
        }
        let made = (chrono::Utc::now().timestamp_millis(), database.server_name());
        let out = match place {
            Place::File(out) => out,
            Place::Directory(directory, split) => {
                let told = views::document_parts(&archive, &asked, split, made, directory)?;
                return Ok(Written { told, off });
            }
        };
        let mut out = Stoppable { out, stopped };
        let mut days = tempfile::spooled_tempfile_in(IN_MEMORY, temporary.0.path());
        // what was encrypted is told twice, as it may be in no file
        let (tally, bytes) = if decrypts {
            let mut size = Counted(0);
            (views::document_days(&archive, &asked, form, &mut size)?, size.0)
        } else {
            let tally = views::document_days(&archive, &asked, form, &mut BufWriter::new(&mut days))?;
            (tally, days.stream_position()?)
        };
        if form == Form::Html {
            fits(tally.0.messages, bytes)?;
        }
        days.rewind()?;
        let told = views::document_cover(&archive, &asked, form, tally, made, &mut out)?;
        if let Some(state) = state {
            // an export has said it already if bans cannot be read
            let reads_bans = !asked.show_redacted && database.schema().suffices_for_bans().is_ok();
            let bans = if reads_bans { database.bans(asked.room_id).await? } else { Bans::default() };
            write_state(state, database, &bans, (asked.show_redacted, form), &mut out).await?;
        }
        if decrypts {
            views::document_days(&archive, &asked, form, &mut out)?;
        } else {
            io::copy(&mut days, &mut out)?;
        }
        views::document_end(form, &mut out)?;
        out.flush()?;
        Ok(Written { told, off })
    }
}

/// Refuses a page that is too much for a browser.
fn fits(messages: u64, bytes: u64) -> Result<()> {
    let (what, split) = match messages {
        _ if messages > MOST_OF_ANY => (format!("{messages} messages, and a page has at most {MOST_OF_ANY}"), "month"),
        _ if bytes > LARGEST => (format!("{bytes} bytes, and a page has at most {LARGEST}"), "2000"),
        _ => return Ok(()),
    };
    bail!("there are {what}: --split {split} makes several, in a directory; --since and --until ask for less")
}

/// Counts what is written, and writes it nowhere.
struct Counted(u64);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes the current state as a table; of redacted events what their redaction leaves, unless they are to be shown.
async fn write_state(
    mut rows: Rows,
    database: &Database,
    bans: &Bans,
    (show_redacted, form): (bool, Form),
    out: &mut dyn Write,
) -> Result<()> {
    match form {
        Form::Markdown => writeln!(out, "## State\n\n| type | state key | content |\n|---|---|---|")?,
        Form::Html => out.write_all(html::state_head().as_bytes())?,
    }
    loop {
        let chunk = rows.recv().await.ok_or(source::Error::BrokeOff)??;
        if chunk.is_empty() {
            match form {
                Form::Markdown => writeln!(out)?,
                Form::Html => out.write_all(html::state_end().as_bytes())?,
            }
            return Ok(());
        }
        let events: Vec<Box<Event>> = chunk.into_iter().filter_map(Row::event).collect();
        let redactions = database.redactions(events.iter().map(Box::as_ref), bans).await?;
        for event in &events {
            let line = state_line(event, redactions.get(&event.event_id), show_redacted, form);
            out.write_all(line.as_bytes())?;
        }
    }
}

fn state_line(event: &Event, redaction: Option<&Event>, show_redacted: bool, form: Form) -> String {
    let (kind, key) = (event.kind.as_deref().unwrap_or_default(), event.state_key.as_deref().unwrap_or_default());
    let stored = event.content().unwrap_or_default();
    let pruned = redaction.filter(|_| !show_redacted).map(|redaction| {
        let line = event.honouring(Some(Redaction { event: redaction, redacted: true })).line;
        Object::of(&line).get("content").map_or_else(String::new, |content| content.get().to_owned())
    });
    let content = pruned.as_deref().unwrap_or(stored);
    match form {
        Form::Html => html::state_line(kind, key, content, redaction.is_some()),
        Form::Markdown => {
            let mark = if redaction.is_some() { " *redacted*" } else { "" };
            format!("| {} | {} | {}{mark} |\n", code_cell(kind), code_cell(key), code_cell(content))
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_for_a_page_is_refused_with_what_would_do() {
        let refused = |messages, bytes| fits(messages, bytes).unwrap_err().to_string();
        assert!(fits(MOST_OF_ANY, LARGEST).is_ok());
        assert!(
            refused(MOST_OF_ANY + 1, 0).contains("20001 messages")
                && refused(MOST_OF_ANY + 1, 0).contains("--split month")
        );
        assert!(refused(1, LARGEST + 1).contains("--split 2000"));
    }
}
