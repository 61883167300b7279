//! What an event answers, and the beginning of the thread that it is in: who said it and what, in short. Shows nothing of what is
//! redacted: what is quoted comes from the scene, as clients see it now.

use super::relations::newest;
use super::scene::Scene;
use crate::archive::Error;
use crate::archive::reading::events::CatalogEvent;
use crate::archive::reading::names::remember;
use crate::document::beacon::{Info, is_info};
use crate::document::block::{Quote, Root};
use crate::document::line::{Line, Span};
use crate::document::message::{Message, is_message};
use crate::document::poll::{Question, is_start};

/// How much of a message is quoted, in characters.
const QUOTED: usize = 120;
/// How much of a thread's root its replies tell, in characters.
const ROOT: usize = 48;

/// In place of what an event says that has no readable content.
pub(super) const DAMAGED: &str = "(damaged: see the line)";

/// What a message answers.
pub(super) fn quote(event: &CatalogEvent, scene: &mut Scene<'_>) -> Result<Option<Quote>, Error> {
    let Some(id) = &event.replies_to else { return Ok(None) };
    let Some(target) = scene.named(id)? else { return Ok(Some(Quote::Elsewhere)) };
    let sender = scene.names.shown(target.sender.as_deref(), event.at)?;
    let name = scene.said_by(sender, &target)?;
    let said = in_short(&target, QUOTED, scene)?;
    let day = scene.other_day(&target);
    Ok(Some(Quote::Of { name, day, at: scene.here(target.at), said, address: scene.address(&target) }))
}

/// The beginning of the thread that an event is in.
pub(super) fn root(event: &CatalogEvent, scene: &mut Scene<'_>) -> Result<Root, Error> {
    let id = event.relates_to.as_deref().unwrap_or_default();
    let Some(root) = scene.named(id)? else { return Ok(Root::Elsewhere) };
    Ok(Root::At(in_short(&root, ROOT, scene)?, scene.address(&root)))
}

/// An event on part of a line, as it is now: nothing that is redacted, the last edit of what is not.
fn in_short(event: &CatalogEvent, chars: usize, scene: &mut Scene<'_>) -> Result<Line, Error> {
    let key = (event.event_id.clone(), chars);
    if let Some(known) = scene.in_short.get(&key) {
        return Ok(known.clone());
    }
    let line = shortened(event, chars, scene)?;
    remember(scene.in_short, key, line.clone());
    Ok(line)
}

fn shortened(event: &CatalogEvent, chars: usize, scene: &mut Scene<'_>) -> Result<Line, Error> {
    if scene.is_of_another(event) {
        return Ok(vec![Span::Note("what others said is left out")]);
    }
    if event.is_pruned() || scene.is_redacted(event)? {
        return Ok(vec![Span::Note("redacted")]);
    }
    Ok(match event.kind() {
        kind if is_message(kind) => {
            let (newest, is_reply) = if event.is_edit() {
                (None, scene.edited_by(event)?.as_ref().is_none_or(CatalogEvent::is_reply))
            } else {
                (newest(event, scene)?, event.is_reply())
            };
            let newest = newest.as_ref().or(Some(event).filter(|event| event.is_edit()));
            if newest.is_none() && event.content.is_none() {
                return Ok(vec![Span::Note(DAMAGED)]);
            }
            let content = newest.and_then(CatalogEvent::new_content).unwrap_or(event.content());
            let said = Message::of(kind, content, is_reply);
            vec![said.in_short(chars).map_or(Span::Note(said.nothing()), Span::Text)]
        }
        kind if is_start(kind) => {
            let newest = newest(event, scene)?;
            let content = newest.as_ref().and_then(CatalogEvent::new_content).unwrap_or(event.content());
            vec![Span::words("poll: "), Span::Text(Question::of(content).in_short(chars))]
        }
        kind if is_info(kind) => vec![Span::Text(Info::of(event.content()).in_short(chars))],
        "m.room.encrypted" => vec![Span::Note("an encrypted message")],
        kind if kind.trim().is_empty() => vec![Span::Note("an event that cannot be read")],
        kind => vec![Span::NotedText(kind.to_owned())],
    })
}
