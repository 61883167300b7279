//! What somebody said, with all that was made of it: what it answers before it; edits, reactions and its thread behind it. Knows no
//! markup.

use super::quotes::{DAMAGED, quote, root};
use super::relations::{each_earlier_edit, edited, newest, reactions, redaction, thread};
use super::scene::Scene;
use super::telling::Telling;
use crate::archive::Error;
use crate::archive::reading::events::{CatalogEvent, Related};
use crate::document::block::{Block, FoldSummary, Responses, Said, Saying};
use crate::document::line::{Line, Span};
use crate::document::message::{self, Manner, Message, is_message, without_quote};
use crate::document::poll::{Question, is_start};
use crate::event::Object;

/// A message or a sticker.
pub(super) fn message(event: &CatalogEvent, scene: &mut Scene<'_>, out: &mut Telling<'_>) -> Result<(), Error> {
    let related = scene.related(event)?;
    if event.redacted_by.is_some() || event.is_pruned() {
        return note(event, Vec::new(), related, scene, out);
    }
    let newest = if related.edits { newest(event, scene)? } else { None };
    if newest.is_none() && event.content.is_none() {
        return note(event, vec![Span::words(DAMAGED)], related, scene, out);
    }
    let content = newest.as_ref().and_then(CatalogEvent::new_content).unwrap_or(event.content());
    let mut said = Message::of(event.kind(), content, event.is_reply());
    scene.find_files(&mut said)?;
    // whatever an edit makes of it
    let is_noise = match newest {
        Some(_) => message::is_noise(event.kind(), event.content()),
        None => said.manner() == Manner::Noise,
    };
    if is_noise {
        return Ok(());
    }
    out.tally.messages += 1;
    say(event, Saying::Message(said), related, scene, out)
}

/// An edit is told with its target; one without is a message of its own, and one that does not count is named so.
pub(super) fn edit(event: &CatalogEvent, scene: &mut Scene<'_>, out: &mut Telling<'_>) -> Result<(), Error> {
    if event.redacted_by.is_some() {
        return Ok(());
    }
    let related = scene.related(event)?;
    let is_hidden = scene.is_hidden(event)?;
    let target = scene.edited_by(event)?;
    let is_reply = target.as_ref().is_none_or(CatalogEvent::is_reply);
    let what = match target {
        None if is_hidden => {
            let what = Span::words("an edit of a redacted message that is not in this archive");
            return note(event, vec![what], related, scene, out);
        }
        None => vec![Span::words("an edit of a message that is not in this archive")],
        Some(_) if is_hidden => return Ok(()),
        Some(target) => match event.flaw(&target) {
            None => return Ok(()),
            Some(flaw) => {
                let target = scene.placed(target)?;
                let to = Span::Link("it", scene.address(&target));
                vec![Span::words("an edit "), Span::words(flaw), Span::words(", without effect: "), to]
            }
        },
    };
    let content = event.new_content().unwrap_or(event.content());
    let mut said = Message::of(event.kind(), content, is_reply);
    scene.find_files(&mut said)?;
    say(event, Saying::Noted(what, said), related, scene, out)
}

/// Writes something about an event in place of what it says.
pub(super) fn note(
    event: &CatalogEvent,
    note: Line,
    related: Related,
    scene: &mut Scene<'_>,
    out: &mut Telling<'_>,
) -> Result<(), Error> {
    say(event, Saying::Note(note), related, scene, out)
}

/// Writes what an event says, under the name of its sender.
pub(super) fn say(
    event: &CatalogEvent,
    saying: Saying<'_>,
    related: Related,
    scene: &mut Scene<'_>,
    out: &mut Telling<'_>,
) -> Result<(), Error> {
    let head = out.head(event, scene)?;
    if let Some(redaction) = redaction(event, scene)? {
        out.block(&Block::Redacted(head, redaction))?;
        if scene.options.show_redacted {
            original(event, scene, out)?;
        }
        return made(event, Related { reactions: false, ..related }, scene, out);
    }
    let is_in_thread = event.rel_type.as_deref() == Some("m.thread");
    let thread = if is_in_thread { Some(root(event, scene)?) } else { None };
    let quote = quote(event, scene)?;
    let edited = if related.edits && !event.is_edit() { edited(event, scene)? } else { None };
    out.block(&Block::Said(Said { head, thread, quote, saying, edited }))?;
    if let Some(edited) = edited {
        earlier(event, edited.times, scene, out)?;
    }
    made(event, related, scene, out)
}

/// Writes what others made of an event.
fn made(event: &CatalogEvent, related: Related, scene: &mut Scene<'_>, out: &mut Telling<'_>) -> Result<(), Error> {
    if scene.options.only.is_some() {
        return Ok(());
    }
    let mut made = if related.reactions { reactions(event, scene)? } else { Responses::default() };
    made.thread = if related.thread { thread(event, scene)? } else { None };
    if made.reactions.is_empty() && made.thread.is_none() { Ok(()) } else { out.block(&Block::Made(made)) }
}

/// Writes what a redacted message said.
fn original(event: &CatalogEvent, scene: &Scene<'_>, out: &mut Telling<'_>) -> Result<(), Error> {
    let said = if event.censored {
        Saying::Note(vec![Span::words("The server had removed it before it was archived.")])
    } else if is_message(event.kind()) || is_start(event.kind()) {
        version(event, event.content(), event.is_reply(), scene)?
    } else {
        let body = Object::of(event.content()).text("body").map(without_quote);
        body.map_or_else(|| Saying::Type(Span::of_type(event.kind())), |body| Saying::Text(body.into_owned()))
    };
    out.block(&Block::Folded(FoldSummary::Original))?;
    out.block(&Block::Version(None, said))?;
    out.block(&Block::Unfolded)
}

/// Writes what an event said before the last of its edits.
fn earlier(event: &CatalogEvent, edits: u64, scene: &Scene<'_>, out: &mut Telling<'_>) -> Result<(), Error> {
    out.block(&Block::Folded(FoldSummary::Earlier(edits)))?;
    let mut write = |at, said: Saying<'_>| out.block(&Block::Version(Some(scene.when(at)), said));
    write(event.at, version(event, event.content(), event.is_reply(), scene)?)?;
    each_earlier_edit(event, edits, scene, &mut |edit| {
        write(edit.at, version(edit, edit.new_content().unwrap_or_default(), event.is_reply(), scene)?)
    })?;
    out.block(&Block::Unfolded)
}

/// What a message or a poll said by a content.
fn version<'a>(event: &CatalogEvent, content: &'a str, is_reply: bool, scene: &Scene<'_>) -> Result<Saying<'a>, Error> {
    if is_start(event.kind()) {
        return Ok(Saying::Question(Question::of(content).text()));
    }
    let mut said = Message::of(event.kind(), content, is_reply);
    scene.find_files(&mut said)?;
    Ok(Saying::Message(said))
}
