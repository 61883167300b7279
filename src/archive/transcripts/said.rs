//! What somebody said, with all that was made of it: answers it gives, edits, reactions, its thread, its redaction.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::ops::ControlFlow;

use super::super::Error;
use super::day::{DAMAGED, Day, is_message};
use super::phrases::type_of;
use super::shown::{self, Order, Related, Shown};
use super::time::{clock, clock_from};
use crate::document::markdown;
use crate::document::markdown::{excerpt, inline};
use crate::document::message::{self, Manner, Message};
use crate::document::text::listed;
use crate::event::Object;

/// How much of a message is quoted, in characters.
const QUOTED: usize = 120;
/// How much of a thread's root its replies tell, in characters.
const ROOT: usize = 48;
/// How many different reactions are shown, and how many names with each.
const REACTIONS: usize = 50;
const NAMED: usize = 10;

impl Day<'_, '_> {
    /// A message or a sticker.
    pub(super) fn message(&mut self, event: &Shown) -> Result<(), Error> {
        let related = Related::to(self.connection, self.room_id, &event.event_id)?;
        if event.redacted_by.is_some() || (event.censored && event.content() == "{}") {
            return self.say(event, "", related);
        }
        let newest = if related.edits { self.newest(event)? } else { None };
        if newest.is_none() && event.content.is_none() {
            return self.say(event, DAMAGED, related);
        }
        let content = newest.as_ref().and_then(Shown::new_content).unwrap_or(event.content());
        let said = Message::of(event.kind(), content, is_reply(event));
        // whatever an edit makes of it
        let is_noise = match newest {
            Some(_) => message::is_noise(event.kind(), event.content()),
            None => said.manner() == Manner::Noise,
        };
        if is_noise {
            return Ok(());
        }
        self.counts.messages += 1;
        let text = spoken(&said, event, self)?;
        self.say(event, &text, related)
    }

    /// An edit is told with its target; one without is a message of its own, and one that does not count is named so.
    pub(super) fn edit(&mut self, event: &Shown) -> Result<(), Error> {
        if event.redacted_by.is_some() {
            return Ok(());
        }
        let related = Related::to(self.connection, self.room_id, &event.event_id)?;
        let is_hidden = self.is_hidden(event)?;
        let target = self.edited_by(event)?;
        let is_reply = target.as_ref().is_none_or(is_reply);
        let what = match target {
            None if is_hidden => {
                return self.say(event, "*an edit of a redacted message that is not in this archive*", related);
            }
            None => "an edit of a message that is not in this archive".to_owned(),
            Some(_) if is_hidden => return Ok(()),
            Some(target) => match event.flaw(&target) {
                None => return Ok(()),
                Some(flaw) => {
                    let target = self.placed(target)?;
                    format!("an edit {flaw}, without effect: {}", self.pointer(&target, "it"))
                }
            },
        };
        let content = event.new_content().unwrap_or(event.content());
        let text = spoken(&Message::of(event.kind(), content, is_reply), event, self)?;
        self.say(event, &format!("*{what}*\n\n{text}"), related)
    }

    /// Writes what an event says, under the name of its sender; with what it answers before it, and what was made of it
    /// behind it.
    pub(super) fn say(&mut self, event: &Shown, text: &str, related: Related) -> Result<(), Error> {
        let (mut head, goes_on) = self.head(event)?;
        if let Some(redacted) = self.redacted(event)? {
            self.block(&format!("{head} · {redacted}"))?;
            if self.options.show_redacted {
                self.original(event)?;
            }
            let thread = if related.thread { self.thread(event)? } else { None };
            return thread.map_or(Ok(()), |thread| self.block(&thread));
        }
        let mut is_plain = goes_on;
        if event.rel_type.as_deref() == Some("m.thread") {
            head.push_str(" · ");
            head.push_str(&self.root(event)?);
            is_plain = false;
        }
        let quote = self.quote(event)?;
        if quote.is_some() || !begins_as_paragraph(text) {
            is_plain = false;
        }
        let edited = if related.edits && !event.is_edit() { self.edited(event)? } else { None };
        let text = match &edited {
            Some((mark, _)) if ends_as_paragraph(text) => format!("{text} {mark}"),
            Some((mark, _)) => format!("{text}\n\n{mark}"),
            None => text.to_owned(),
        };
        if is_plain {
            self.block(&format!("{head} · {text}"))?;
        } else {
            self.block(&head)?;
            if let Some(quote) = quote {
                self.block(&quote)?;
            }
            self.block(&text)?;
        }
        if let Some((_, versions)) = edited {
            self.earlier(event, versions)?;
        }
        let reactions = if related.reactions { self.reactions(event)? } else { Vec::new() };
        let thread = if related.thread { self.thread(event)? } else { None };
        let made: Vec<String> = reactions.into_iter().chain(thread).collect();
        if made.is_empty() { Ok(()) } else { self.block(&made.join(" · ")) }
    }

    /// The mark of an event that says nothing any more.
    pub(super) fn redacted(&mut self, event: &Shown) -> Result<Option<String>, Error> {
        Ok(match &event.redacted_by {
            Some(by) => Some(self.redaction(by)?),
            None if event.censored && event.content() == "{}" => Some("*[removed by the server]*".to_owned()),
            None => None,
        })
    }

    /// Who redacted something, when and why.
    fn redaction(&mut self, by: &str) -> Result<String, Error> {
        let Some(redaction) = shown::event(self.connection, self.room_id, by)? else {
            return Ok("*[redacted]*".to_owned());
        };
        let who = self.names.shown(redaction.sender.as_deref(), redaction.at)?;
        let reason = Object::of(redaction.content()).text("reason");
        let reason = reason.filter(|reason| redaction.redacted_by.is_none() && !reason.trim().is_empty());
        let reason = reason.map(|reason| format!(": {}", excerpt(&reason, 200))).unwrap_or_default();
        Ok(format!("*[redacted by {who} at {}{reason}]*", clock_from(redaction.at, &self.range)))
    }

    /// What a redacted message said.
    fn original(&mut self, event: &Shown) -> Result<(), Error> {
        let text = if event.censored {
            "*The server had removed it before it was archived.*".to_owned()
        } else if is_message(event.kind()) {
            markdown::blocks(&Message::of(event.kind(), event.content(), is_reply(event)))
        } else if super::poll::is_start(event.kind()) {
            super::poll::Poll::of(event.content()).question()
        } else {
            let body = Object::of(event.content()).text("body").map(message::without_quote);
            body.map_or_else(|| type_of(event.kind()), |body| crate::document::markdown::block(&body))
        };
        self.block("<details><summary>redacted original</summary>")?;
        self.block(&text)?;
        self.block("</details>")
    }

    /// The line that tells what a message answers.
    fn quote(&mut self, event: &Shown) -> Result<Option<String>, Error> {
        let Some(id) = &event.replies_to else { return Ok(None) };
        let Some(target) = self.named(id)? else {
            return Ok(Some("> *a message that is not in this archive*".to_owned()));
        };
        let name = self.names.shown(target.sender.as_deref(), event.at)?;
        let time =
            if target.day == self.name { clock(target.at) } else { format!("{} {}", target.day, clock(target.at)) };
        let said = self.in_short(&target, QUOTED)?;
        Ok(Some(format!("> [{name} {time}]({}): {said}", self.address(&target))))
    }

    /// The link from a thread's reply to its root.
    fn root(&mut self, event: &Shown) -> Result<String, Error> {
        let id = event.relates_to.as_deref().unwrap_or_default();
        let Some(root) = self.named(id)? else {
            return Ok("in a thread whose beginning is not in this archive".to_owned());
        };
        let said = self.in_short(&root, ROOT)?;
        Ok(format!("[in thread: {said}]({})", self.address(&root)))
    }

    /// An event on part of a line, as it is now: nothing that is redacted, the last edit of what is not.
    fn in_short(&mut self, event: &Shown, chars: usize) -> Result<String, Error> {
        // many may answer what was edited many times
        let key = (event.event_id.clone(), chars);
        if let Some(known) = self.names.in_short(&key) {
            return Ok(known);
        }
        let text = self.shortened(event, chars)?;
        self.names.remember_in_short(key, text.clone());
        Ok(text)
    }

    fn shortened(&mut self, event: &Shown, chars: usize) -> Result<String, Error> {
        if event.censored || shown::is_redacted(self.connection, self.room_id, event, self.names.redactors())? {
            return Ok("*redacted*".to_owned());
        }
        Ok(match event.kind() {
            kind if is_message(kind) => {
                let (newest, is_reply) = if event.is_edit() {
                    (None, self.edited_by(event)?.as_ref().is_none_or(is_reply))
                } else {
                    (self.newest(event)?, is_reply(event))
                };
                let newest = newest.as_ref().or(Some(event).filter(|event| event.is_edit()));
                if newest.is_none() && event.content.is_none() {
                    return Ok(DAMAGED.to_owned());
                }
                let content = newest.and_then(Shown::new_content).unwrap_or(event.content());
                markdown::in_short(&Message::of(event.kind(), content, is_reply), chars)
            }
            kind if super::poll::is_start(kind) => {
                let newest = self.newest(event)?;
                let content = newest.as_ref().and_then(Shown::new_content).unwrap_or(event.content());
                super::poll::Poll::of(content).question_in_short(chars)
            }
            "m.room.encrypted" => "*an encrypted message*".to_owned(),
            kind if kind.trim().is_empty() => "*an event that cannot be read*".to_owned(),
            kind => format!("*{}*", inline(kind)),
        })
    }

    /// The edit of an event that is in effect: of the valid ones the newest.
    pub(super) fn newest(&mut self, event: &Shown) -> Result<Option<Shown>, Error> {
        let mut newest = None;
        let (room, id) = (self.room_id, &event.event_id);
        shown::each_related(self.connection, room, id, "m.replace", Order::Newest, &mut |edit| {
            if edit.flaw(event).is_some() {
                return Ok(ControlFlow::Continue(()));
            }
            newest = Some(edit);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(newest)
    }

    /// The mark of an edited message, and how many versions there were before the last.
    pub(super) fn edited(&mut self, event: &Shown) -> Result<Option<(String, u64)>, Error> {
        let (mut edits, mut last) = (0_u64, None);
        let (room, id) = (self.room_id, &event.event_id);
        shown::each_related(self.connection, room, id, "m.replace", Order::Oldest, &mut |edit| {
            if edit.flaw(event).is_none() {
                edits += 1;
                last = edit.at;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let times = if edits > 1 { format!(", {edits}×") } else { String::new() };
        Ok((edits > 0).then(|| (format!("*(edited {}{times})*", clock_from(last, &self.range)), edits)))
    }

    /// The versions before the last, folded.
    pub(super) fn earlier(&mut self, event: &Shown, versions: u64) -> Result<(), Error> {
        let summary = if versions == 1 { "earlier version".to_owned() } else { format!("{versions} earlier versions") };
        self.block(&format!("<details><summary>{summary}</summary>"))?;
        self.version(event, event.content(), is_reply(event))?;
        let (room, id, connection) = (self.room_id, &event.event_id, self.connection);
        let mut left = versions;
        shown::each_related(connection, room, id, "m.replace", Order::Oldest, &mut |edit| {
            if edit.flaw(event).is_none() {
                left -= 1;
                if left == 0 {
                    return Ok(ControlFlow::Break(()));
                }
                self.version(&edit, edit.new_content().unwrap_or_default(), is_reply(event))?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        self.block("</details>")
    }

    fn version(&mut self, event: &Shown, content: &str, is_reply: bool) -> Result<(), Error> {
        let text = if super::poll::is_start(event.kind()) {
            super::poll::Poll::of(content).question()
        } else {
            markdown::blocks(&Message::of(event.kind(), content, is_reply))
        };
        let time = clock_from(event.at, &self.range);
        if begins_as_paragraph(&text) {
            self.block(&format!("{time} · {text}"))
        } else {
            self.block(&time)?;
            self.block(&text)
        }
    }

    /// The reactions to an event, the most frequent first: `👍 3 (Alice, Bob, Carol)`.
    fn reactions(&mut self, event: &Shown) -> Result<Vec<String>, Error> {
        struct Reaction {
            key: String,
            count: u64,
            names: Vec<String>,
        }
        let mut reactions: Vec<Reaction> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        // a digest of each sender and key: nobody counts twice, however many there are
        let (mut seen, hasher, mut more) = (HashSet::new(), RandomState::new(), 0_u64);
        shown::each_related_to_any(self.connection, self.room_id, event, "m.annotation", &mut |reaction| {
            let relation = Object::of(reaction.content()).object("m.relates_to");
            let key = relation.and_then(|relation| relation.text("key")).filter(|key| !key.trim().is_empty());
            let Some(key) = key.filter(|_| reaction.kind() == "m.reaction") else {
                return Ok(());
            };
            let key = excerpt(&key, 40);
            if !seen.insert(hasher.hash_one((&reaction.sender, &key))) {
                return Ok(());
            }
            let place = match places.get(&key) {
                Some(&place) => place,
                None if reactions.len() == REACTIONS => {
                    more += 1;
                    return Ok(());
                }
                None => {
                    places.insert(key.clone(), reactions.len());
                    reactions.push(Reaction { key, count: 0, names: Vec::new() });
                    reactions.len() - 1
                }
            };
            reactions[place].count += 1;
            if reactions[place].names.len() < NAMED {
                let name = self.names.shown(reaction.sender.as_deref(), reaction.at)?;
                reactions[place].names.push(name);
            }
            Ok(())
        })?;
        reactions.sort_by_key(|reaction| std::cmp::Reverse(reaction.count));
        let mut shown: Vec<String> = Vec::new();
        for Reaction { key, count, names } in reactions {
            let others = count - names.len() as u64;
            shown.push(match others {
                0 if count == 1 => format!("{key} {}", names[0]),
                0 => format!("{key} {count} ({})", names.join(", ")),
                _ => format!("{key} {count} ({})", listed(&names, others)),
            });
        }
        shown.extend((more > 0).then(|| format!("{more} other reactions")));
        Ok(shown)
    }

    /// The link from a thread's root to its replies.
    fn thread(&mut self, event: &Shown) -> Result<Option<String>, Error> {
        let (mut replies, mut first) = (0_u64, None);
        shown::each_related_to_any(self.connection, self.room_id, event, "m.thread", &mut |reply| {
            replies += 1;
            first.get_or_insert(reply);
            Ok(())
        })?;
        let count = if replies == 1 { "1 reply".to_owned() } else { format!("{replies} replies") };
        Ok(first.map(|first| self.pointer(&first, &format!("thread: {count}"))))
    }
}

/// What a message says, as its sender says it.
fn spoken(said: &Message<'_>, event: &Shown, day: &mut Day<'_, '_>) -> Result<String, Error> {
    let name = match said.manner() {
        Manner::Emote => day.names.shown(event.sender.as_deref(), event.at)?,
        _ => String::new(),
    };
    Ok(markdown::message(said, &name))
}

/// Whether the message may begin with what it answers, for clients that know no replies. Of an edit that says what it edits.
fn is_reply(event: &Shown) -> bool {
    event.replies_to.is_some() || event.rel_type.as_deref() == Some("m.thread")
}

/// Whether markdown of ours begins with a paragraph, so that the time can stand before it.
pub(super) fn begins_as_paragraph(markdown: &str) -> bool {
    let line = markdown.lines().next().unwrap_or_default();
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_item = ["- ", "* ", "+ "].iter().any(|marker| line.starts_with(marker))
        || (number.len() < line.len() && (number.starts_with(". ") || number.starts_with(") ")));
    let is_rule = line.len() >= 3 && line.bytes().all(|byte| b"*-_ ".contains(&byte));
    let is_link = ["<http", "<mailto"].iter().any(|begin| line.starts_with(begin));
    let is_other = [">", "#", "|", "```", "~~~", "<", "    "].iter().any(|begin| line.starts_with(begin));
    !(line.is_empty() || is_item || is_rule || is_other && !is_link)
}

/// Whether markdown of ours ends with a paragraph, so that a mark can stand behind it.
fn ends_as_paragraph(markdown: &str) -> bool {
    let last = markdown.rsplit("\n\n").next().unwrap_or_default();
    begins_as_paragraph(last) && !markdown.contains("```") && !markdown.contains("~~~") && !last.starts_with(' ')
}
