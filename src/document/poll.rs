//! Polls as events have them (MSC3381, "Polls" of the client-server specification): what is asked, and what a vote says.
//! Counts nothing.

use super::message::extensible;
use super::text::shortened;
use crate::event::Object;

/// The most answers that a poll has.
const ANSWERS: usize = 20;

/// The event types before and after polls became a part of the specification.
pub(crate) fn is_start(kind: &str) -> bool {
    matches!(kind, "m.poll.start" | "org.matrix.msc3381.poll.start")
}

pub(crate) fn is_vote(kind: &str) -> bool {
    matches!(kind, "m.poll.response" | "org.matrix.msc3381.poll.response")
}

pub(crate) fn is_end(kind: &str) -> bool {
    matches!(kind, "m.poll.end" | "org.matrix.msc3381.poll.end")
}

/// What is asked.
pub(crate) struct Question {
    text: String,
    /// Id and text.
    pub(crate) answers: Vec<(String, String)>,
    most: usize,
    pub(crate) is_disclosed: bool,
}

impl Question {
    /// What the content of a poll's start asks.
    pub(crate) fn of(content: &str) -> Question {
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
        Question {
            text: start.object("question").and_then(|question| extensible(&question)).unwrap_or_default(),
            answers: answers.collect(),
            most: usize::try_from(start.integer("max_selections").unwrap_or(1)).unwrap_or(1).max(1),
            is_disclosed: !kind.contains("undisclosed"),
        }
    }

    /// At most so many characters of the question.
    pub(crate) fn in_short(&self, chars: usize) -> String {
        shortened(&self.text, chars)
    }

    /// As much of the question as is shown.
    pub(crate) fn text(&self) -> String {
        self.in_short(1_000)
    }

    /// The answers that a vote's content names, one bit each; none: it is spoiled.
    pub(crate) fn ballot(&self, content: &str) -> u32 {
        let content = Object::of(content);
        let selections = content.texts("m.selections");
        let selections = if selections.is_empty() {
            let response =
                ["m.poll.response", "org.matrix.msc3381.poll.response"].iter().find_map(|key| content.object(key));
            response.map(|response| response.texts("answers")).unwrap_or_default()
        } else {
            selections
        };
        let bits = selections.iter().take(self.most).map(|selected| {
            let place = self.answers.iter().position(|(id, _)| id == selected);
            place.map(|place| 1_u32 << place)
        });
        bits.collect::<Option<Vec<u32>>>().unwrap_or_default().into_iter().fold(0, |all, bit| all | bit)
    }
}
