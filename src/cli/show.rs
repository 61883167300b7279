//! `synapse-export show`: one event of an archive, as a transcript shows it, as its line, or as JSON.
//!
//! Asks no database, and changes nothing.

use std::borrow::Cow;
use std::io::{self, Seek as _, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use serde::Serialize;
use serde_json::value::RawValue;
use tempfile::SpooledTempFile;
use tracing::warn;

use super::log::harmless;
use super::output::DataOutput;
use super::{ArchiveArgs, Outcome, report};
use crate::archive::reading::events::CatalogEvent;
use crate::archive::reading::found;
use crate::archive::{Catalog, EncryptionDetails};
use crate::document::line::Anchor;
use crate::document::reaction::ReactionKey;
use crate::event::{Object, Verdict};
use crate::views::shown::{EventText, ShownEvent, address};

/// Show an event of an archive: as a transcript does, with what stands before and after; or its line, or all there is about it as
/// JSON
#[derive(clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// The event's id (in single quotes, for the shell's sake), or its anchor in a transcript
    #[arg(value_name = "EVENT", allow_hyphen_values = true)]
    event: String,
    #[command(flatten)]
    archive: ArchiveArgs,
    /// With so many events of its day before and after
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(..=100),
        conflicts_with_all = ["raw", "json"])]
    context: u16,
    /// Its line alone, as it is
    #[arg(long, conflicts_with = "json")]
    raw: bool,
    /// A JSON object with its line, where that is, and what there is about it
    #[arg(long)]
    json: bool,
    /// Also what is redacted
    #[arg(long)]
    show_redacted: bool,
}

const AFTER_HELP: &str = "\
EVENT is an id ($…, or without the $), or an anchor, as links to transcripts have it behind the #. The anchor of an event whose id \
names a server ($…:example.org, rooms of versions 1 and 2) needs the transcript's path before it: rooms/…/2026-11-22.md#anchor.

What is redacted is not shown without --show-redacted, nor is the line of an event that edits or quotes it: that is said instead, \
on stderr with --raw, which then writes nothing. Exit status 3: the event is archived, but its line cannot be read.";

/// How long it waits, again and again, for a line that cannot be read: beside an export, files may just be written anew.
const WAITS: [Duration; 3] = [Duration::ZERO, Duration::from_millis(50), Duration::from_millis(250)];
/// How much of what is shown is kept in memory before it is in a file: as much as so many of the longest events are, lest what was
/// decrypted is in one. Bytes.
const IN_MEMORY: usize = 32 * 1024 * 1024;

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let archive = &*args.archive.archive;
    let mut catalog = Catalog::open_to_show(archive, args.archive.catalog.directory.as_deref())?;
    let mut waits = WAITS.into_iter();
    let (shown, passage) = loop {
        let (shown, passage) = look(args, archive, &mut catalog)?;
        match (&shown.text, waits.next()) {
            (EventText::Broken(_), Some(wait)) => std::thread::sleep(wait),
            _ => break (shown, passage),
        }
    };
    write(args, &shown, passage)?;
    let EventText::Broken(why) = &shown.text else { return Ok(Outcome::Done) };
    warn!(
        event_id = shown.found.event.event_id,
        "the line of {} cannot be read: {why}; it should be at byte {} of {}, {} bytes long. synapse-export doctor says more of such files",
        report::shown(&shown.found.event.event_id),
        shown.found.start,
        archive.join(&shown.found.path).display(),
        shown.found.length
    );
    Ok(Outcome::Damaged)
}

/// Looks the event up, and makes the passage that is to be shown, if one is: who reads that slowly is not to hold an export up.
fn look(args: &Args, archive: &Path, catalog: &mut Catalog) -> Result<(ShownEvent, SpooledTempFile)> {
    let mut passage = tempfile::spooled_tempfile(IN_MEMORY);
    let zone = catalog.zone()?;
    let found = catalog.read(|reader| {
        let ids = found::ids(reader, &args.event)?;
        let [event_id] = &*ids else { return Ok(Err(ids)) };
        let shown = ShownEvent::of(reader, archive, event_id, args.show_redacted)?;
        if let Some(shown) = shown.as_ref().filter(|_| !args.raw && !args.json) {
            shown.write(reader, args.context.into(), args.show_redacted, zone, &mut passage)?;
        }
        Ok(shown.ok_or_else(Vec::new))
    })?;
    match found {
        Ok(shown) => Ok((shown, passage)),
        Err(ids) if ids.is_empty() => bail!(
            "the archive has no event {}: an id is as clients and lines have it ($…), an anchor as links to transcripts do; that of an id that names a server needs the transcript's path before it (rooms/…/2026-11-22.md#anchor)",
            report::shown(&args.event)
        ),
        Err(ids) => {
            let ids: Vec<String> = ids.iter().map(|id| report::shown(id)).collect();
            bail!("several events have the anchor {}; name one of them: {}", report::shown(&args.event), ids.join(", "))
        }
    }
}

fn write(args: &Args, shown: &ShownEvent, mut passage: SpooledTempFile) -> Result<()> {
    let mut out = DataOutput::stdout();
    match &shown.text {
        _ if args.json => writeln!(out, "{}", harmless(&serde_json::to_string(&ShownJson::of(shown))?))?,
        // a file or a pipe gets the line as it is stored
        EventText::Line(line) if args.raw && out.is_terminal() => writeln!(out, "{}", harmless(line))?,
        EventText::Line(line) if args.raw => writeln!(out, "{line}")?,
        EventText::Withheld(why) if args.raw => warn!(
            event_id = shown.found.event.event_id,
            "the line of {} is not shown: {}; --show-redacted shows it",
            report::shown(&shown.found.event.event_id),
            why.words()
        ),
        EventText::Broken(_) if args.raw => {}
        _ => {
            passage.rewind()?;
            io::copy(&mut passage, &mut out)?;
        }
    }
    Ok(out.flush()?)
}

/// An event as JSON tells it.
#[derive(Serialize)]
struct ShownJson<'a> {
    event_id: &'a str,
    room_id: &'a str,
    #[serde(rename = "type")]
    kind: Option<&'a str>,
    state_key: Option<&'a str>,
    sender: Option<&'a str>,
    origin_server_ts: Option<i64>,
    day: &'a str,
    path: &'a str,
    start: u64,
    length: u64,
    anchor: String,
    transcript: Option<String>,
    flags: FlagsJson,
    redacted_by: Option<&'a str>,
    redaction: Option<RedactionJson<'a>>,
    relations: Relations<'a>,
    edits: Vec<AboutJson<'a>>,
    reactions: Vec<AboutJson<'a>>,
    more: More,
    #[serde(skip_serializing_if = "Option::is_none")]
    encrypted: Option<DecryptedJson<'a>>,
    withheld: Option<&'static str>,
    damage: Option<&'a str>,
    proof: Option<ProofJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proofs_of_day: Option<serde_json::Value>,
    line: Option<&'a RawValue>,
}

/// What it proves of itself.
#[derive(Serialize)]
struct ProofJson {
    verdict: &'static str,
    why: Option<String>,
}

#[derive(Serialize)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the line")]
struct FlagsJson {
    censored: bool,
    soft_failed: bool,
    rejected: bool,
    outlier: bool,
    damaged: bool,
}

/// What it says, or why that cannot be read.
#[derive(Serialize)]
struct DecryptedJson<'a> {
    #[serde(flatten)]
    about: &'a EncryptionDetails,
    /// What it says; its line has what is stored.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct RedactionJson<'a> {
    #[serde(flatten)]
    about: AboutJson<'a>,
    reason: Option<String>,
}

#[derive(Serialize)]
struct Relations<'a> {
    relates_to: Option<&'a str>,
    rel_type: Option<&'a str>,
    replies_to: Option<&'a str>,
    redacts: Option<&'a str>,
}

/// An event that says something of it.
#[derive(Serialize)]
struct AboutJson<'a> {
    event_id: &'a str,
    sender: Option<&'a str>,
    origin_server_ts: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Cow<'a, str>>,
}

/// Whether there are more than are listed.
#[derive(Serialize)]
struct More {
    edits: bool,
    reactions: bool,
}

impl<'a> ShownJson<'a> {
    fn of(shown: &'a ShownEvent) -> ShownJson<'a> {
        let ShownEvent { found, text, encryption, proof, judged_day, told_with, redaction, edits, reactions } = shown;
        let event = &found.event;
        let about = |event: &'a CatalogEvent, key| AboutJson {
            event_id: &event.event_id,
            sender: event.sender.as_deref(),
            origin_server_ts: event.at,
            key,
        };
        let redaction = redaction.as_ref().map(|redaction| RedactionJson {
            about: about(redaction, None),
            reason: Object::of(redaction.content())
                .text("reason")
                .filter(|_| redaction.redacted_by.is_none())
                .map(Cow::into_owned),
        });
        let (line, withheld, damage) = match text {
            EventText::Line(line) => (serde_json::from_str(line).ok(), None, None),
            EventText::Withheld(why) => (None, Some(why.words()), None),
            EventText::Broken(why) => (None, None, Some(&**why)),
        };
        let encrypted = encryption.as_ref().map(|about| {
            let is_told = event.encrypted.is_some() && matches!(text, EventText::Line(_));
            let kind = event.kind.as_deref().filter(|_| is_told);
            let content = is_told.then(|| serde_json::from_str(event.content()).ok()).flatten();
            DecryptedJson { about, kind, content }
        });
        ShownJson {
            event_id: &event.event_id,
            room_id: &found.room_id,
            kind: event.kind.as_deref(),
            state_key: event.state_key.as_deref(),
            sender: event.sender.as_deref(),
            origin_server_ts: event.at,
            day: &event.day,
            path: &found.path,
            start: found.start,
            length: found.length,
            anchor: Anchor::of(&event.event_id).as_str().to_owned(),
            transcript: told_with.as_ref().filter(|_| found.is_accepted()).map(|place| address(found, place)),
            flags: FlagsJson {
                censored: event.censored,
                soft_failed: found.soft_failed,
                rejected: found.rejected,
                outlier: found.outlier,
                damaged: found.damaged,
            },
            redacted_by: event.redacted_by.as_deref(),
            redaction,
            relations: Relations {
                relates_to: event.relates_to.as_deref(),
                rel_type: event.rel_type.as_deref(),
                replies_to: event.replies_to.as_deref(),
                redacts: event.redacts.as_deref(),
            },
            edits: edits.events.iter().map(|edit| about(edit, None)).collect(),
            reactions: reactions
                .events
                .iter()
                .map(|reaction| about(reaction, ReactionKey::sent(reaction.content())))
                .collect(),
            more: More { edits: edits.more, reactions: reactions.more },
            encrypted,
            withheld,
            damage,
            proof: proof.as_ref().map(|(verdict, why)| ProofJson {
                verdict: verdict.name(),
                why: why.as_ref().map(ToString::to_string),
            }),
            proofs_of_day: judged_day.as_ref().map(|day| {
                let verdicts = Verdict::ALL.iter().zip(day.verdicts);
                let mut proofs: serde_json::Map<_, _> =
                    verdicts.map(|(verdict, count)| (verdict.name().to_owned(), count.into())).collect();
                proofs.insert("verified".to_owned(), day.at.clone().into());
                proofs.into()
            }),
            line,
        }
    }
}
