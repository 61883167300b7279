//! What was made of an event by others: its redaction, its edits, reactions to it, its thread. Knows no markup.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::ops::ControlFlow;

use super::scene::Scene;
use crate::archive::Error;
use crate::archive::reading::events::{CatalogEvent, Order, each_related, each_related_to_any, newest_edit};
use crate::document::block::{Edited, Reaction, Responses};
use crate::document::line::{Address, RedactionNote};
use crate::document::reaction::ReactionKey;
use crate::document::text::shortened;
use crate::event::Object;

/// How many different reactions are shown, and how many names with each.
const REACTIONS: usize = 50;
const NAMED: usize = 10;

/// The redaction of an event that says nothing any more.
pub(super) fn redaction(event: &CatalogEvent, scene: &mut Scene<'_>) -> Result<Option<RedactionNote>, Error> {
    let Some(by) = &event.redacted_by else {
        return Ok(event.is_pruned().then_some(RedactionNote::ByServer));
    };
    let Some(redaction) = scene.event(by)? else { return Ok(Some(RedactionNote::Unknown)) };
    let name = scene.sender(&redaction)?;
    let reason = Object::of(redaction.content()).given("reason").filter(|_| redaction.redacted_by.is_none());
    let reason = reason.filter(|_| !scene.is_of_another(&redaction));
    let reason = reason.map(|reason| shortened(&reason, 200));
    Ok(Some(RedactionNote::By { name, at: scene.when(redaction.at), reason }))
}

/// The edit of an event that is in effect: of the valid ones the newest.
pub(super) fn newest(event: &CatalogEvent, scene: &Scene<'_>) -> Result<Option<CatalogEvent>, Error> {
    newest_edit(scene.reader, scene.room(), event)
}

/// That an event was edited, if it was.
pub(super) fn edited(event: &CatalogEvent, scene: &Scene<'_>) -> Result<Option<Edited>, Error> {
    let (mut times, mut last) = (0_u64, None);
    each_related(scene.reader, scene.room(), event.id(), "m.replace", Order::Oldest, &mut |edit| {
        if edit.flaw(event).is_none() {
            times += 1;
            last = edit.at;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok((times > 0).then(|| Edited { at: scene.when(last), times }))
}

/// The edits of an event before the last of so many, the oldest first.
pub(super) fn each_earlier_edit(
    event: &CatalogEvent,
    mut edits: u64,
    scene: &Scene<'_>,
    take: &mut dyn FnMut(&CatalogEvent) -> Result<(), Error>,
) -> Result<(), Error> {
    each_related(scene.reader, scene.room(), event.id(), "m.replace", Order::Oldest, &mut |edit| {
        if edit.flaw(event).is_none() {
            edits -= 1;
            if edits == 0 {
                return Ok(ControlFlow::Break(()));
            }
            take(&edit)?;
        }
        Ok(ControlFlow::Continue(()))
    })
}

/// The reactions to an event, the most frequent first.
pub(super) fn reactions(event: &CatalogEvent, scene: &mut Scene<'_>) -> Result<Responses, Error> {
    let mut made = Responses::default();
    let mut places: HashMap<String, usize> = HashMap::new();
    // a digest of each sender and key: nobody counts twice, however many there are
    let (mut seen, hasher) = (HashSet::new(), RandomState::new());
    each_related_to_any(scene.reader, scene.room(), event, "m.annotation", &mut |reaction| {
        let Some(key) = ReactionKey::of(reaction.content()).filter(|_| reaction.kind() == "m.reaction") else {
            return Ok(());
        };
        let picture = key.picture().map(str::to_owned);
        let ReactionKey { same, shown } = key;
        if !seen.insert(hasher.hash_one((&reaction.sender, &same))) {
            return Ok(());
        }
        let place = match places.get(&same) {
            Some(&place) => place,
            None if made.reactions.len() == REACTIONS => {
                made.other_reactions += 1;
                return Ok(());
            }
            None => {
                places.insert(same, made.reactions.len());
                let picture = picture.map_or(Ok(None), |mxc| scene.picture(&mxc))?;
                made.reactions.push(Reaction { key: None, picture, count: 0, names: Vec::new() });
                made.reactions.len() - 1
            }
        };
        let Reaction { key, count, names, .. } = &mut made.reactions[place];
        *key = key.take().or(shown);
        *count += 1;
        if names.len() < NAMED {
            names.push(scene.sender(&reaction)?);
        }
        Ok(())
    })?;
    made.reactions.sort_by_key(|reaction| std::cmp::Reverse(reaction.count));
    Ok(made)
}

/// How many replies the thread has that an event begins, and where it goes on.
pub(super) fn thread(event: &CatalogEvent, scene: &Scene<'_>) -> Result<Option<(u64, Address)>, Error> {
    let (mut replies, mut first) = (0_u64, None);
    each_related_to_any(scene.reader, scene.room(), event, "m.thread", &mut |reply| {
        replies += 1;
        first.get_or_insert(reply);
        Ok(())
    })?;
    Ok(first.map(|first| (replies, scene.address(&first))))
}
