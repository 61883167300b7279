//! A poll with its votes (MSC3381, "Polls" of the client-server specification).

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::super::Error;
use super::day::Day;
use super::shown::{self, Order, Related, Shown};
use super::time::clock_from;
use crate::document::markdown::excerpt;
use crate::document::message::extensible;
use crate::document::text::listed;
use crate::event::Object;

/// The most answers that a poll has.
const ANSWERS: usize = 20;
/// How many voters are named with each.
const NAMED: usize = 20;

/// The event types before and after polls became a part of the specification.
pub(super) fn is_start(kind: &str) -> bool {
    matches!(kind, "m.poll.start" | "org.matrix.msc3381.poll.start")
}

pub(super) fn is_vote(kind: &str) -> bool {
    matches!(kind, "m.poll.response" | "org.matrix.msc3381.poll.response")
}

pub(super) fn is_end(kind: &str) -> bool {
    matches!(kind, "m.poll.end" | "org.matrix.msc3381.poll.end")
}

/// Whether an end closes a poll: it comes from who began it. Moderators may too, but who they were is not known here.
pub(super) fn ends(end: &Shown, poll: &Shown) -> bool {
    end.sender == poll.sender
}

/// What is asked.
pub(super) struct Poll {
    question: String,
    /// Id and text.
    answers: Vec<(String, String)>,
    most: usize,
    is_disclosed: bool,
}

impl Poll {
    pub(super) fn of(content: &str) -> Poll {
        let content = Object::of(content);
        let start =
            ["m.poll", "m.poll.start", "org.matrix.msc3381.poll.start"].iter().find_map(|key| content.object(key));
        let start = start.unwrap_or_default();
        let answers = start.items("answers").into_iter().take(ANSWERS).map(|answer| {
            let answer = Object::of(answer.get());
            let id = answer.text("m.id").or_else(|| answer.text("id")).unwrap_or_default();
            (id.into_owned(), extensible(&answer).unwrap_or_default())
        });
        let kind = start.text("kind").unwrap_or_default();
        Poll {
            question: start.object("question").and_then(|question| extensible(&question)).unwrap_or_default(),
            answers: answers.collect(),
            most: usize::try_from(start.integer("max_selections").unwrap_or(1)).unwrap_or(1).max(1),
            is_disclosed: !kind.contains("undisclosed"),
        }
    }

    /// The question, as markdown on a line.
    pub(super) fn question(&self) -> String {
        format!("**{}**", or(excerpt(&self.question, 1_000), "a poll without a question"))
    }

    pub(super) fn question_in_short(&self, chars: usize) -> String {
        format!("poll: {}", excerpt(&self.question, chars))
    }
}

fn or(text: String, instead: &str) -> String {
    if text.is_empty() { instead.to_owned() } else { text }
}

/// What was voted: by answer how often, and by whom.
#[derive(Default)]
struct Votes {
    by_answer: Vec<(u64, Vec<String>)>,
    voters: u64,
    spoiled: u64,
}

impl Day<'_, '_> {
    /// A poll, how it stood when it was closed, or stands.
    pub(super) fn poll(&mut self, event: &Shown) -> Result<(), Error> {
        let related = Related::to(self.connection, self.room_id, &event.event_id)?;
        if event.redacted_by.is_some() {
            return self.say(event, "", related);
        }
        self.counts.messages += 1;
        let newest = if related.edits { self.newest(event)? } else { None };
        let poll = Poll::of(newest.as_ref().and_then(Shown::new_content).unwrap_or(event.content()));
        let end = self.end_of(event)?;
        let votes = self.votes(event, &poll, end.as_ref())?;
        let mut text = format!("**Poll** · {}", poll.question());
        if let Some(end) = &end {
            text.push_str(" · closed ");
            text.push_str(&clock_from(end.at, &self.range));
        }
        let is_secret = !poll.is_disclosed && end.is_none();
        let most = votes.by_answer.iter().map(|(count, _)| *count).max().unwrap_or(0);
        text.push_str("\n\n| | votes | |\n|---|---|---|\n");
        for ((_, answer), (count, names)) in poll.answers.iter().zip(&votes.by_answer) {
            let answer = or(excerpt(answer, 200), "…");
            let others = count - names.len() as u64;
            let row = match (*count, is_secret) {
                (_, true) => format!("| {answer} | | |\n"),
                (0, _) => format!("| {answer} | 0 | |\n"),
                (count, _) if count == most => format!("| **{answer}** | **{count}** | {} |\n", voters(names, others)),
                (count, _) => format!("| {answer} | {count} | {} |\n", voters(names, others)),
            };
            text.push_str(&row);
        }
        let note = match (votes.voters, votes.spoiled, is_secret) {
            (count, _, true) => Some(format!("\n*{count} voted; how is not told before the poll is closed*")),
            (_, 0, _) => None,
            (_, spoiled, _) => Some(format!("\n*{spoiled} invalid*")),
        };
        text.push_str(note.as_deref().unwrap_or_default());
        self.end_speaker();
        self.say(event, text.trim_end(), related)?;
        self.end_speaker();
        Ok(())
    }

    /// What closed a poll.
    fn end_of(&mut self, poll: &Shown) -> Result<Option<Shown>, Error> {
        let mut found = None;
        let (room, id) = (self.room_id, &poll.event_id);
        shown::each_related(self.connection, room, id, "m.reference", Order::Oldest, &mut |event| {
            if !(is_end(event.kind()) && ends(&event, poll)) {
                return Ok(ControlFlow::Continue(()));
            }
            found = Some(event);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }

    /// Counts the last vote of everybody, as long as the poll was open.
    fn votes(&mut self, poll_event: &Shown, poll: &Poll, end: Option<&Shown>) -> Result<Votes, Error> {
        // by voter a set of answers, one bit each
        let mut ballots: HashMap<String, (u32, Option<i64>)> = HashMap::new();
        let (room, id) = (self.room_id, &poll_event.event_id);
        shown::each_related(self.connection, room, id, "m.reference", Order::Oldest, &mut |vote| {
            let is_late = end.is_some_and(|end| (vote.at, &vote.event_id) > (end.at, &end.event_id));
            if let Some(sender) = vote.sender.as_ref().filter(|_| is_vote(vote.kind()) && !is_late) {
                ballots.insert(sender.clone(), (ballot(vote.content(), poll), vote.at));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let mut ballots: Vec<(String, (u32, Option<i64>))> = ballots.into_iter().collect();
        ballots.sort_by(|(a, (_, at)), (b, (_, bt))| (at, a).cmp(&(bt, b)));
        let mut votes = Votes { by_answer: vec![(0, Vec::new()); poll.answers.len()], ..Votes::default() };
        for (voter, (answers, at)) in ballots {
            votes.voters += 1;
            votes.spoiled += u64::from(answers == 0);
            for (bit, (count, names)) in votes.by_answer.iter_mut().enumerate() {
                if answers & 1 << bit != 0 {
                    *count += 1;
                    if names.len() < NAMED {
                        names.push(self.names.shown(Some(&voter), at)?);
                    }
                }
            }
        }
        Ok(votes)
    }
}

/// The answers that a vote names, one bit each; none: it is spoiled.
fn ballot(content: &str, poll: &Poll) -> u32 {
    let content = Object::of(content);
    let selections = content.texts("m.selections");
    let selections = if selections.is_empty() {
        let response =
            ["m.poll.response", "org.matrix.msc3381.poll.response"].iter().find_map(|key| content.object(key));
        response.map(|response| response.texts("answers")).unwrap_or_default()
    } else {
        selections
    };
    let bits = selections.iter().take(poll.most).map(|selected| {
        let place = poll.answers.iter().position(|(id, _)| id == selected);
        place.map(|place| 1_u32 << place)
    });
    bits.collect::<Option<Vec<u32>>>().unwrap_or_default().into_iter().fold(0, |all, bit| all | bit)
}

fn voters(names: &[String], others: u64) -> String {
    if others == 0 { names.join(", ") } else { listed(names, others) }
}
