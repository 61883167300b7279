//! One event for who asks for it: its line, what else there is about it, and the passage of a transcript that it stands in.
//!
//! Says nothing of what is redacted, or quotes that, unless it is to be shown. Writes no file and no SQL.

use std::borrow::Cow;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

use super::ShowOptions;
use super::day::{DayBuilder, Memory, is_told_elsewhere};
use super::relations::redaction;
use super::scene::Scene;
pub(crate) use super::withheld::Withheld;
use crate::archive::reading::Reader;
use crate::archive::reading::events::{self, CatalogEvent, Order, each_related, each_related_to_any};
use crate::archive::reading::found::{self, LocatedEvent, RelatedEvent, Side};
use crate::archive::reading::proof::ProofCounts;
use crate::archive::reading::title;
use crate::archive::{ERASED, ERASED_HERE, EncryptionDetails, Error};
use crate::document::block::{Block, Writer};
use crate::document::line::{Anchor, Line, Span, When};
use crate::document::markdown::{self, Markdown};
use crate::document::page::{ContextPart, EventHead};
use crate::document::reaction::ReactionKey;
use crate::document::text::shortened;
use crate::document::time::{self, Zone};
use crate::event::{EventId, RoomId, Verdict, Why};

/// How many edits and reactions are listed, and how many of them above a passage.
const LISTED: usize = 1_000;
const NAMED: usize = 20;
/// How many events are looked at, beside those that stand on their own, which others may be told with.
const LOOKED_AT: usize = 100;

/// An event, and what there is about it.
#[derive(Debug)]
pub(crate) struct ShownEvent {
    pub(crate) found: LocatedEvent,
    pub(crate) text: EventText,
    /// How it was encrypted, as far as that was found out.
    pub(crate) encryption: Option<EncryptionDetails>,
    /// What it proves of itself, and why no more; none: its line cannot be read.
    pub(crate) proof: Option<(Verdict, Option<Why>)>,
    /// How all events of its day stood when they were last verified.
    pub(crate) judged_day: Option<ProofCounts>,
    /// The event that transcripts tell it with, or itself; none: they do not tell it.
    pub(crate) told_with: Option<CatalogEvent>,
    /// The redaction or ban in effect, if it is archived.
    pub(crate) redaction: Option<CatalogEvent>,
    /// Its edits that are valid, the oldest first; the last one is in effect.
    pub(crate) edits: Listed,
    /// The reactions to it and to its edits, the oldest first.
    pub(crate) reactions: Listed,
}

/// What its line says.
#[derive(Debug)]
pub(crate) enum EventText {
    Line(String),
    /// It is not to be shown.
    Withheld(Withheld),
    /// It cannot be read; why.
    Broken(String),
}

/// The first ones of those that say something of an event.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) events: Vec<CatalogEvent>,
    /// There are others.
    pub(crate) more: bool,
}

impl Listed {
    fn add(&mut self, event: CatalogEvent) {
        if self.events.len() < LISTED {
            self.events.push(event);
        } else {
            self.more = true;
        }
    }
}

/// Where transcripts have an event, below the archive: `rooms/room@a.example/2026-11-22.md#Xf3…`.
pub(crate) fn address(found: &LocatedEvent, told_with: &CatalogEvent) -> String {
    let directory = found.path.rsplit_once('/').map_or("", |(directory, _)| directory);
    format!("{directory}/{}.md#{}", told_with.day, Anchor::of(&told_with.event_id).as_str())
}

impl ShownEvent {
    /// Looks an event up by its id.
    pub(crate) fn of(
        reader: &Reader<'_>,
        archive: &Path,
        event_id: &str,
        show_redacted: bool,
    ) -> Result<Option<ShownEvent>, Error> {
        let Some(mut found) = found::find(reader, event_id)? else { return Ok(None) };
        let line = found.read_line(archive);
        found.event = found.event.decrypted(reader)?;
        let encryption = reader.encryption(event_id)?;
        let proof = line.as_deref().map_or(Ok(None), |line| reader.proof(line, &found.event.day))?;
        let text = match line {
            Err(why) => EventText::Broken(why),
            Ok(line) => match Withheld::of(reader, &found, &line)? {
                Some(why) if !show_redacted => EventText::Withheld(why),
                _ => EventText::Line(line),
            },
        };
        let redaction = match &found.event.redacted_by {
            Some(by) => events::event(reader, RoomId::of(&found.room_id), EventId::of(by))?,
            None => None,
        };
        let told_with = told_with(reader, &found, show_redacted)?;
        let (edits, reactions) = (edits(reader, &found)?, reactions(reader, &found)?);
        let judged_day = reader.judged(&found.room_id, Some(&found.event.day))?;
        Ok(Some(ShownEvent { found, text, encryption, proof, judged_day, told_with, redaction, edits, reactions }))
    }

    /// Writes it as a transcript shows it, with so many events of its day before and after, below what there is about it.
    pub(crate) fn write(
        &self,
        reader: &Reader<'_>,
        context: usize,
        show_redacted: bool,
        zone: Zone,
        out: &mut dyn Write,
    ) -> Result<(), Error> {
        let (options, mut memory) = (ShowOptions::new(show_redacted, zone), Memory::default());
        let place = self.told_with.as_ref().unwrap_or(&self.found.event);
        let head = self.head(reader, place, &options, &mut memory)?;
        out.write_all(markdown::event_head(&head).as_bytes()).map_err(Error::Transcript)?;
        passage(reader, &self.found, self.told_with.as_ref(), context, &options, &mut memory, out)
    }

    /// What stands above its passage.
    fn head<'a>(
        &self,
        reader: &Reader<'_>,
        place: &'a CatalogEvent,
        options: &ShowOptions,
        memory: &mut Memory,
    ) -> Result<EventHead<'a>, Error> {
        let ShownEvent { found, text, encryption, proof, judged_day, told_with, .. } = self;
        let LocatedEvent { event, room_id, path, start, length, .. } = found;
        let title = title::before(reader, room_id, time::range(&place.day).end, &mut memory.remembered)?;
        let code = |text: &str| Span::Code(text.to_owned());
        let when = |at| Span::Text(When::from(at, None, options.zone).to_string());
        let mut what = vec![code(&event.event_id), Span::words(": "), Span::of_type(event.kind())];
        if let Some(state_key) = event.state_key.as_ref().filter(|key| !key.is_empty()) {
            what.extend([Span::words(" of “"), Span::Text(shortened(state_key, 200)), Span::words("”")]);
        }
        what.extend(event.sender.iter().flat_map(|sender| [Span::words(" from "), code(sender)]));
        what.extend([Span::words(", "), when(event.at)]);
        let mut lines = vec![what, vec![Span::words("room: "), code(room_id)]];
        let is_itself = |place: &CatalogEvent| place.event_id == event.event_id;
        lines.push(match told_with {
            _ if !found.is_accepted() => vec![Span::words("transcripts do not tell it: clients do not see it")],
            None => vec![Span::words("transcripts tell nothing of it")],
            Some(place) if is_itself(place) => vec![Span::words("transcript: "), code(&address(found, place))],
            Some(place) => vec![
                Span::words("transcript: "),
                code(&address(found, place)),
                Span::words(", with "),
                code(&place.event_id),
            ],
        });
        let span = format!(", {length} bytes from byte {start} on");
        lines.push(vec![Span::words("line: "), code(path), Span::Words(span.into())]);
        lines.extend(flags(found).map(|flag| vec![Span::words(flag)]));
        lines.extend(encryption.iter().map(encrypted));
        lines.extend(proof.iter().map(|(verdict, why)| {
            let why = why.iter().flat_map(|why| [Span::words(": "), Span::Text(why.to_string())]);
            [Span::words("proof: "), Span::words(verdict.name())].into_iter().chain(why).collect()
        }));
        lines.extend(judged_day.iter().map(|day| vec![Span::words("of its day: "), Span::Text(day.to_string())]));
        let mut scene = Scene::new(reader, room_id, &event.day, options, memory);
        if let Some(mark) = redaction(event, &mut scene)? {
            let by = match event.redacted_by.as_deref() {
                Some(ERASED_HERE) => vec![Span::words(" as this archive has erased it")],
                Some(ERASED) => vec![Span::words(" as the server has erased its sender")],
                Some(by) => vec![Span::words(" by "), code(by)],
                None => Vec::new(),
            };
            lines.push([vec![Span::Redaction(mark)], by].concat());
        }
        match text {
            // transcripts leave out what messages quote, and what cannot be read
            EventText::Line(_) | EventText::Withheld(Withheld::Quoted | Withheld::Unknown) => {}
            EventText::Withheld(why) => {
                lines.push(vec![Span::words(why.words()), Span::words(": --show-redacted shows what it said")]);
            }
            EventText::Broken(why) => {
                lines.push(vec![Span::words("its line cannot be read: "), Span::Text(why.clone())]);
            }
        }
        lines.extend(listed("edits: ", &self.edits, &|edit| {
            vec![code(&edit.event_id), Span::words(" "), when(edit.at)]
        }));
        lines.extend(listed("reactions: ", &self.reactions, &|reaction| {
            let key = ReactionKey::of(reaction.content()).map_or(Cow::Borrowed(""), ReactionKey::text);
            vec![Span::Text(key.into_owned()), Span::words(" "), code(&reaction.event_id)]
        }));
        Ok(EventHead { title, day: &place.day, lines, zone: options.zone })
    }
}

/// Writes what transcripts tell of an event, and of so many events of its day before and after.
pub(crate) fn write_around(
    reader: &Reader<'_>,
    archive: &Path,
    event_id: &str,
    context: usize,
    show_redacted: bool,
    zone: Zone,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let Some(mut found) = found::find(reader, event_id)? else { return Ok(()) };
    // what is wrong with it is told instead of it
    let _ = found.read_line(archive);
    let told_with = told_with(reader, &found, show_redacted)?;
    let options = ShowOptions::new(show_redacted, zone);
    passage(reader, &found, told_with.as_ref(), context, &options, &mut Memory::default(), out)
}

/// Writes the event that an event is told with, and so many events of its day before and after.
fn passage(
    reader: &Reader<'_>,
    found: &LocatedEvent,
    told_with: Option<&CatalogEvent>,
    context: usize,
    options: &ShowOptions,
    memory: &mut Memory,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let (room_id, place) = (&*found.room_id, told_with.unwrap_or(&found.event));
    let before = beside(reader, room_id, place, Side::Before, context)?;
    let after = beside(reader, room_id, place, Side::After, context)?;
    let before = before.iter().rev().map(|of| found::read(reader, room_id, of));
    let after = after.iter().map(|of| found::read(reader, room_id, of));
    let parts: [(_, Box<dyn Iterator<Item = _>>); 3] = [
        (ContextPart::Before, Box::new(before)),
        (ContextPart::Itself, Box::new(told_with.cloned().map(Ok).into_iter())),
        (ContextPart::After, Box::new(after)),
    ];
    for (part, events) in parts {
        let mut events = events.peekable();
        if events.peek().is_some() {
            out.write_all(markdown::part_head(part).as_bytes()).map_err(Error::Transcript)?;
            let mut out = Markdown::to(out);
            DayBuilder::passage(reader, room_id, &place.day, options, memory, &mut out, &mut events)?;
        }
    }
    Ok(())
}

/// What else is to be known of an event.
fn flags(found: &LocatedEvent) -> impl Iterator<Item = &'static str> {
    [
        (found.soft_failed, "soft-failed: the server had accepted it too late, or against the rules of the time"),
        (found.rejected, "rejected: the server found it to be against the room's rules"),
        (found.event.censored, "pruned by the server before it was archived"),
        (found.outlier, "left behind by a purge"),
        (found.damaged, "damaged: its line holds no event that can be read"),
    ]
    .into_iter()
    .filter_map(|(holds, flag)| holds.then_some(flag))
}

/// How it was encrypted, or why it cannot be read.
fn encrypted(of: &EncryptionDetails) -> Line {
    if let Some(detail) = &of.detail {
        return vec![Span::words("encrypted, and cannot be read: "), Span::Text(detail.clone())];
    }
    let mut line = vec![Span::words("encrypted; its session is from the ")];
    line.push(Span::Text(of.source.clone().unwrap_or_default()));
    line.push(Span::words(match (of.authenticated, of.unknown_owner) {
        (Some(true), None) => "",
        (Some(true), Some(())) => ", and whose it is is not known",
        _ => ", and not authenticated: whoever has that could have written it",
    }));
    line
}

/// A line of some of those that say something of an event; none if there are none.
fn listed(words: &'static str, of: &Listed, line: &dyn Fn(&CatalogEvent) -> Line) -> Option<Line> {
    if of.events.is_empty() {
        return None;
    }
    let mut all = vec![Span::words(words)];
    for (at, event) in of.events.iter().take(NAMED).enumerate() {
        all.extend((at > 0).then_some(Span::words(", ")));
        all.extend(line(event));
    }
    all.extend((of.more || of.events.len() > NAMED).then_some(Span::words(" and others")));
    Some(all)
}

/// The event that transcripts tell an event with, or itself.
fn told_with(reader: &Reader<'_>, found: &LocatedEvent, show_redacted: bool) -> Result<Option<CatalogEvent>, Error> {
    let LocatedEvent { event, room_id, .. } = found;
    let options = ShowOptions::new(show_redacted, Zone::default());
    let mut memory = Memory::default();
    let mut is_told = |event: &CatalogEvent| {
        let (mut any, mut alone) = (Any(false), [Ok(event.clone())].into_iter());
        DayBuilder::passage(reader, room_id, &event.day, &options, &mut memory, &mut any, &mut alone)?;
        Ok::<_, Error>(any.0)
    };
    if is_told(event)? {
        return Ok(Some(event.clone()));
    }
    let named = if event.kind() == "m.room.redaction" { &event.redacts } else { &event.relates_to };
    let Some(named) = named else { return Ok(None) };
    let mut memory = Memory::default();
    let place = Scene::new(reader, room_id, &event.day, &options, &mut memory).named(named)?;
    match place {
        Some(place) if is_told(&place)? => Ok(Some(place)),
        _ => Ok(None),
    }
}

/// Whether anything is written.
struct Any(bool);

impl Writer for Any {
    fn write(&mut self, _: &Block<'_>) -> std::io::Result<()> {
        self.0 = true;
        Ok(())
    }

    fn is_long(&self) -> bool {
        false
    }
}

/// The valid edits of an event.
fn edits(reader: &Reader<'_>, found: &LocatedEvent) -> Result<Listed, Error> {
    let (event, mut edits) = (&found.event, Listed::default());
    each_related(reader, RoomId::of(&found.room_id), event.id(), "m.replace", Order::Oldest, &mut |edit| {
        if edit.flaw(event).is_none() {
            edits.add(edit);
        }
        Ok(if edits.more { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(edits)
}

/// The reactions to an event and to its edits.
fn reactions(reader: &Reader<'_>, found: &LocatedEvent) -> Result<Listed, Error> {
    let mut reactions = Listed::default();
    each_related_to_any(reader, RoomId::of(&found.room_id), &found.event, "m.annotation", &mut |reaction| {
        if reaction.kind() == "m.reaction" {
            reactions.add(reaction);
        }
        Ok(())
    })?;
    Ok(reactions)
}

/// The events beside one, the nearest first: so many that stand on their own, and those between that are told with others.
fn beside(
    reader: &Reader<'_>,
    room_id: &str,
    of: &CatalogEvent,
    side: Side,
    count: usize,
) -> Result<Vec<RelatedEvent>, Error> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let (mut events, mut left) = (found::beside(reader, room_id, of, side, count + LOOKED_AT)?, count);
    let end = events.iter().position(|event| {
        left -= usize::from(!event.is_edit && !is_told_elsewhere(&event.kind));
        left == 0
    });
    events.truncate(end.map_or(events.len(), |end| end + 1));
    Ok(events)
}
