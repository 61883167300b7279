//! A room of the server, or what somebody sent in theirs, as what is handed on, made of an archive of these rooms alone, which is gone
//! afterwards.
//!
//! The archive is in the temporary directory, for this user alone, and does not outlive the process.

use std::fs::Permissions;
use std::io::{Read, Seek as _, Write};
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context as _, Result, bail};
use tokio::sync::watch;
use tracing::{info, warn};

use super::decrypting::RoomDecrypter;
use crate::archive::{Archive, Interrupt, MediaAsked, Opening, Plaintexts, SealedPlaintexts, Selection};
use crate::cli::handing::{self, FormArgs, Format, HandedWith, OutputTarget};
use crate::cli::leftovers::Leftover;
use crate::cli::media::MediaArgs;
use crate::cli::report::{self, Counter, SEVERAL_ROWS, counted, shown, unplaced};
use crate::cli::{Outcome, keys};
use crate::document::html;
use crate::document::markdown::code_cell;
use crate::event::{Damage, Event, EventId, Object, OwnedRoomId, Redaction, RoomId, UserId};
use crate::export::{self, Progress, Report};
use crate::handover::{self, Handed};
use crate::source::{self, Bans, Database, Row, Rows};

/// What to write.
pub(in crate::cli) struct Document<'a> {
    pub(in crate::cli) form: &'a FormArgs,
    pub(in crate::cli) format: Format,
    pub(in crate::cli) rooms: Vec<OwnedRoomId>,
    /// Whose events alone are handed on.
    pub(in crate::cli) sender: Option<UserId<'a>>,
    /// The room's state as it is now, to be put in front; of one room.
    pub(in crate::cli) state: Option<Rows>,
    /// What decrypts it; one room.
    pub(in crate::cli) decrypting: Option<RoomDecrypter>,
    /// Which files are to be in it.
    pub(in crate::cli) media: &'a MediaArgs,
}

/// How much of the current state is kept in memory. Bytes.
const IN_MEMORY: usize = 1024 * 1024;

impl Document<'_> {
    /// Writes the document, and tells what of whom it is `about`. It ends early, and leaves nothing behind, once it is told to stop.
    pub(in crate::cli) async fn hand_on(
        self,
        database: &Database,
        about: &str,
        mut target: OutputTarget,
        signal: watch::Receiver<Option<u8>>,
        stop: export::Stop,
    ) -> Result<Outcome> {
        report::bans(database);
        let (form, format) = (self.form, self.format);
        let is_terminal = matches!(&target, OutputTarget::File(out) if out.is_terminal());
        let mut counter = Counter::new("events read", is_terminal);
        let written = self.write(database, &mut counter, stop, &mut target).await;
        counter.end();
        let ended = written.and_then(|(handed, off)| {
            handing::finish(target)?;
            handing::tell(form, format, about, "the server", handed);
            Ok(if off > 0 { Outcome::Damaged } else { Outcome::Done })
        });
        // a signal that comes when all is written changes nothing
        let number = signal.borrow().filter(|_| ended.is_err());
        number.map_or(ended, |number| Ok(Outcome::Signalled(number)))
    }

    /// Writes it; what was written, and how many events could not be read, or have several rows.
    async fn write(
        self,
        database: &Database,
        counter: &mut Counter,
        stop: export::Stop,
        target: &mut OutputTarget,
    ) -> Result<(Handed, u64)> {
        let Document { form, format, rooms, sender, state, decrypting, media } = self;
        let media = media.asked()?;
        if media.is_some() {
            database.schema().suffices_for_media().map_err(source::Error::Schema)?;
        }
        let room_id = rooms.first().map(OwnedRoomId::as_str).unwrap_or_default();
        let directory = tempfile::Builder::new()
            .prefix("synapse-export.")
            // others of the machine may look into where it is made
            .permissions(Permissions::from_mode(0o700))
            .tempdir();
        let directory = directory.context("cannot make a temporary directory; TMPDIR says where")?;
        let leftover = Leftover::new(directory.path());
        // dropped in this order
        let temporary = (directory, leftover);
        let interrupt = when(&stop);
        let mut archive = Archive::open_as(temporary.0.path(), Opening { interrupt, ..Opening::default() })?.for_once();
        archive.hide_erased(!form.show_redacted)?;
        let selection = Selection { include: rooms.iter().cloned().collect(), ..Selection::default() };
        let stopped = stop.clone();
        let mut heard = Heard { counter, damaged: 0, duplicates: 0 };
        let (mut archive, exported) =
            Box::pin(export::export(database.clone(), archive, &selection, stop, &mut heard)).await;
        exported?;
        let off = heard.damaged + heard.duplicates;
        if let Some(asked) = media {
            copy_media(database, &mut archive, &asked, &stopped).await?;
        }
        if let Some(mut decrypting) = decrypting {
            let plaintexts = SealedPlaintexts::new(temporary.0.path())?;
            Box::pin(decrypting.all(database, room_id, &plaintexts, &stopped)).await?;
            keys::report(room_id, decrypting.numbers());
            archive.read_with(Plaintexts::Sealed(plaintexts));
        }
        let mut spooled = match state {
            None => None,
            Some(state) => {
                // an export has said it already if bans cannot be read
                let reads_bans = !form.show_redacted && database.schema().suffices_for_bans().is_ok();
                let bans = if reads_bans { database.bans(room_id).await? } else { Bans::default() };
                let mut spooled = tempfile::spooled_tempfile_in(IN_MEMORY, temporary.0.path());
                write_state(state, database, &bans, (form.show_redacted, format), &mut spooled).await?;
                spooled.rewind()?;
                Some(spooled)
            }
        };
        let rooms = match sender {
            Some(sender) => handover::rooms_of(archive.catalog(), sender)?,
            None => rooms,
        };
        if rooms.is_empty() {
            bail!("the server has nothing that {} sent", shown(sender.map(UserId::as_str).unwrap_or_default()));
        }
        let interrupt = when(&stopped);
        let mut given = form.given(archive.catalog(), &interrupt, rooms, sender);
        given.look_through(false, form.verify)?;
        let state = spooled.as_mut().map(|state| state as &mut dyn Read);
        let with = HandedWith { format, as_archived: false, state, spool: temporary.0.path() };
        let handed = handing::write(form, &given, with, target, &mut |_| {})?;
        Ok((handed, off + handed.unread))
    }
}

/// Copies the files that the room names into the archive, which goes with it, and tells how many there are.
async fn copy_media(database: &Database, archive: &mut Archive, asked: &MediaAsked, stop: &export::Stop) -> Result<()> {
    let copied = Box::pin(export::copy_media(database, archive, asked, stop, &mut |_, _| {}, &mut |_| {})).await?;
    let numbers = archive.catalog().media_numbers()?.unwrap_or_default();
    let lacking: Vec<String> = numbers.lacking_of_asked().map(|(why, count)| format!("{count} {why}")).collect();
    let lacking = if lacking.is_empty() { "none".to_owned() } else { lacking.join(", ") };
    info!(
        copied = copied.copied,
        bytes = copied.bytes,
        "media: {}; lacking: {lacking}",
        counted(copied.copied, "file")
    );
    Ok(())
}

/// Ends what takes long in an archive once it is told to stop.
fn when(stop: &watch::Receiver<bool>) -> Interrupt {
    let told = stop.clone();
    Interrupt::when(move || *told.borrow())
}

/// Writes the current state as a table; of redacted events what their redaction leaves, unless they are to be shown.
async fn write_state(
    mut rows: Rows,
    database: &Database,
    bans: &Bans,
    (show_redacted, format): (bool, Format),
    out: &mut dyn Write,
) -> Result<()> {
    match format {
        Format::Html => out.write_all(html::state_head().as_bytes())?,
        _ => writeln!(out, "## State\n\n| type | state key | content |\n|---|---|---|")?,
    }
    loop {
        let chunk = rows.recv().await.ok_or(source::Error::BrokeOff)??;
        if chunk.is_empty() {
            match format {
                Format::Html => out.write_all(html::state_end().as_bytes())?,
                _ => writeln!(out)?,
            }
            return Ok(());
        }
        let events: Vec<Box<Event>> = chunk.into_iter().filter_map(Row::event).collect();
        let redactions = database.redactions(events.iter().map(Box::as_ref), bans).await?;
        for event in &events {
            let line = state_line(event, redactions.get(&event.event_id), show_redacted, format);
            out.write_all(line.as_bytes())?;
        }
    }
}

fn state_line(event: &Event, redaction: Option<&Event>, show_redacted: bool, format: Format) -> String {
    let (kind, key) = (event.kind.as_deref().unwrap_or_default(), event.state_key.as_deref().unwrap_or_default());
    let stored = event.content().unwrap_or_default();
    let pruned = redaction.filter(|_| !show_redacted).map(|redaction| {
        let line = event.honouring(Some(Redaction { event: redaction, redacted: true })).line;
        Object::of(&line).get("content").map_or_else(String::new, |content| content.get().to_owned())
    });
    let content = pruned.as_deref().unwrap_or(stored);
    if format == Format::Html {
        return html::state_line(kind, key, content, redaction.is_some());
    }
    let mark = if redaction.is_some() { " *redacted*" } else { "" };
    format!("| {} | {} | {}{mark} |\n", code_cell(kind), code_cell(key), code_cell(content))
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

    fn damaged(&mut self, event: EventId<'_>, _: RoomId<'_>, damage: &Damage) {
        self.damaged += 1;
        if self.damaged <= super::WARNINGS {
            warn!(event_id = &*event, "event {}: {damage}", shown(&event));
        }
    }

    fn unplaced(&mut self, event: EventId<'_>, room: RoomId<'_>, lacks: &str) {
        self.damaged += 1;
        if self.damaged <= super::WARNINGS {
            unplaced(event, room, lacks);
        }
    }

    fn duplicate(&mut self, event: EventId<'_>, _: RoomId<'_>) {
        self.duplicates += 1;
        if self.duplicates <= super::WARNINGS {
            warn!(event_id = &*event, "event {} {SEVERAL_ROWS}", shown(&event));
        }
    }
    // in an archive that is exported into once nothing waits
    fn waiting(&mut self, _: EventId<'_>, _: RoomId<'_>) {}

    fn gone(&mut self, _: EventId<'_>, _: RoomId<'_>) {}
}
