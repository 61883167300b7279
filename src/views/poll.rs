//! A poll with its votes (MSC3381, "Polls" of the client-server specification). Knows no markup.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::relations::newest;
use super::said::{note, say};
use super::scene::Scene;
use super::telling::Telling;
use crate::archive::Error;
use crate::archive::reading::events::{CatalogEvent, Order, each_related};
use crate::archive::reading::names::MemberNames;
use crate::document::block::{Poll, PollAnswer, Saying};
use crate::document::poll::{Question, is_end, is_vote};
use crate::document::text::shortened;

/// How many voters are named with each answer.
const NAMED: usize = 20;

/// Whether an end closes a poll: it comes from who began it, or from who might redact it; none: it is not known who might.
pub(super) fn closes(
    end: &CatalogEvent,
    poll: &CatalogEvent,
    names: &mut MemberNames<'_>,
) -> Result<Option<bool>, Error> {
    match &end.sender {
        sender if *sender == poll.sender => Ok(Some(true)),
        Some(sender) => names.may_redact(sender, end.at),
        None => Ok(None),
    }
}

/// A poll, how it stood when it was closed, or stands.
pub(super) fn poll(event: &CatalogEvent, scene: &mut Scene<'_>, out: &mut Telling<'_>) -> Result<(), Error> {
    let related = scene.related(event)?;
    if event.redacted_by.is_some() {
        return note(event, Vec::new(), related, scene, out);
    }
    out.tally.messages += 1;
    let newest = if related.edits { newest(event, scene)? } else { None };
    let question = Question::of(newest.as_ref().and_then(CatalogEvent::new_content).unwrap_or(event.content()));
    if scene.options.only.is_some() {
        return say(event, Saying::Question(question.text()), related, scene, out);
    }
    let end = end_of(event, scene)?;
    let poll = count(event, &question, end.as_ref(), scene)?;
    out.end_speaker();
    say(event, Saying::Poll(poll), related, scene, out)?;
    out.end_speaker();
    Ok(())
}

/// What closed a poll.
fn end_of(poll: &CatalogEvent, scene: &mut Scene<'_>) -> Result<Option<CatalogEvent>, Error> {
    let mut found = None;
    each_related(scene.reader, scene.room(), poll.id(), "m.reference", Order::Oldest, &mut |event| {
        if !is_end(event.kind()) || closes(&event, poll, &mut scene.names)? != Some(true) {
            return Ok(ControlFlow::Continue(()));
        }
        found = Some(event);
        Ok(ControlFlow::Break(()))
    })?;
    Ok(found)
}

/// Counts the last vote of everybody, as long as the poll was open.
fn count(
    poll: &CatalogEvent,
    question: &Question,
    end: Option<&CatalogEvent>,
    scene: &mut Scene<'_>,
) -> Result<Poll, Error> {
    // by voter a set of answers, one bit each
    let mut ballots: HashMap<String, (u32, Option<i64>)> = HashMap::new();
    each_related(scene.reader, scene.room(), poll.id(), "m.reference", Order::Oldest, &mut |vote| {
        let is_late = end.is_some_and(|end| (vote.at, &vote.event_id) > (end.at, &end.event_id));
        if let Some(sender) = vote.sender.as_ref().filter(|_| is_vote(vote.kind()) && !is_late) {
            ballots.insert(sender.clone(), (question.ballot(vote.content()), vote.at));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let mut ballots: Vec<(String, (u32, Option<i64>))> = ballots.into_iter().collect();
    ballots.sort_by(|(a, (_, at)), (b, (_, bt))| (at, a).cmp(&(bt, b)));
    let answers = question.answers.iter();
    let answers = answers.map(|(_, text)| PollAnswer { text: shortened(text, 200), count: 0, names: Vec::new() });
    let mut counted = Poll {
        question: question.text(),
        answers: answers.collect(),
        closed: end.map(|end| scene.when(end.at)),
        voters: 0,
        spoiled: 0,
        is_secret: !question.is_disclosed && end.is_none(),
    };
    for (voter, (answers, at)) in ballots {
        counted.voters += 1;
        counted.spoiled += u64::from(answers == 0);
        for (bit, PollAnswer { count, names, .. }) in counted.answers.iter_mut().enumerate() {
            if answers & 1 << bit != 0 {
                *count += 1;
                if names.len() < NAMED {
                    names.push(scene.names.shown(Some(&voter), at)?);
                }
            }
        }
    }
    Ok(counted)
}
