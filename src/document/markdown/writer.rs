//! Blocks as markdown. Knows no archive.

use std::fmt::Write as _;
use std::io;

use super::super::block::{
    Block, Edited, Encryption, FoldSummary, Head, Poll, PollAnswer, Quote, Reaction, Responses, Root, Said, Saying,
    Small, Unread, Writer,
};
use super::super::line::{Address, FirstNames, Name, RedactionNote, RoomLink, Span};
use super::super::message::Manner;
use super::super::reaction::CUSTOM;
use super::super::text::listed;
use super::super::time;
use super::text::{block, code_cell, code_span, inline, inline_name};
use super::{begins_as_paragraph, live, message};

/// A line of small things longer than this is ended. Bytes.
const LONGEST: usize = 4_000;

/// Writes blocks as markdown.
pub(crate) struct Markdown<'w> {
    out: &'w mut dyn io::Write,
    /// Small things of which the line is not written yet, and the time of the last one.
    line: String,
    clock: String,
}

impl<'w> Markdown<'w> {
    pub(crate) fn to(out: &'w mut dyn io::Write) -> Markdown<'w> {
        Markdown { out, line: String::new(), clock: String::new() }
    }

    /// Writes a paragraph or another block.
    fn block(&mut self, markdown: &str) -> io::Result<()> {
        self.out.write_all(markdown.as_bytes())?;
        self.out.write_all(b"\n\n")
    }

    fn said(&mut self, said: &Said<'_>) -> io::Result<()> {
        let name = name(&said.head.name);
        let mut head = head(&said.head, &name);
        let text = saying(&said.saying, &name);
        let is_plain = said.head.goes_on && said.thread.is_none() && said.quote.is_none() && begins_as_paragraph(&text);
        if let Some(thread) = &said.thread {
            head.push_str(" · ");
            head.push_str(&root(thread));
        }
        if let Some(manner) = manner(&said.saying) {
            head.push_str(" · *");
            head.push_str(manner);
            head.push('*');
        }
        let text = match &said.edited {
            Some(edited) if ends_as_paragraph(&text) => format!("{text} {}", mark(edited)),
            Some(edited) => format!("{text}\n\n{}", mark(edited)),
            None => text,
        };
        if is_plain {
            return self.block(&format!("{head} · {text}"));
        }
        self.block(&head)?;
        if let Some(answered) = &said.quote {
            self.block(&quote(answered))?;
        }
        self.block(&text)
    }

    fn version(&mut self, at: Option<&str>, said: &Saying<'_>) -> io::Result<()> {
        let text = saying_of_old(said);
        match at {
            Some(at) if begins_as_paragraph(&text) => self.block(&format!("{at} · {text}")),
            Some(at) => self.block(at).and_then(|()| self.block(&text)),
            None => self.block(&text),
        }
    }

    fn small(&mut self, small: &Small) {
        if !self.line.is_empty() {
            self.line.push_str(" · ");
        }
        self.line.push_str(&anchor(small.anchor.as_str()));
        let clock = small.at.to_string();
        if self.clock != clock {
            self.line.push_str(&clock);
            self.line.push_str(" · ");
            self.clock = clock;
        }
        write_line(&mut self.line, &small.what);
    }

    fn end_line(&mut self) -> io::Result<()> {
        self.clock.clear();
        let line = std::mem::take(&mut self.line);
        self.block(&format!("<sub>{line}</sub>"))
    }
}

impl Writer for Markdown<'_> {
    fn write(&mut self, block: &Block<'_>) -> io::Result<()> {
        match block {
            Block::Day(day) => self.block(&format!("## {}", time::long(day))),
            Block::Date(date) => self.block(&format!("<sub>**{}** · {}</sub>", time::long(&date.day()), date.offset())),
            Block::Said(said) => self.said(said),
            Block::Redacted(by, mark) => {
                let markdown = format!("{} · {}", head(by, &name(&by.name)), redaction(mark));
                self.block(&markdown)
            }
            Block::Folded(summary) => {
                let summary = match summary {
                    FoldSummary::Original => "redacted original".to_owned(),
                    FoldSummary::Earlier(1) => "earlier version".to_owned(),
                    FoldSummary::Earlier(versions) => format!("{versions} earlier versions"),
                };
                self.block(&format!("<details><summary>{summary}</summary>"))
            }
            Block::Version(at, said) => self.version(at.map(|at| at.to_string()).as_deref(), said),
            Block::Unfolded => self.block("</details>"),
            Block::Made(what) => self.block(&made(what)),
            Block::Small(what) => {
                self.small(what);
                Ok(())
            }
            Block::EndOfSmall => self.end_line(),
            Block::Unread(what) => self.block(&unread(what)),
        }
    }

    fn is_long(&self) -> bool {
        self.line.len() > LONGEST
    }
}

/// A place, for links.
fn anchor(name: &str) -> String {
    format!("<a id=\"{name}\"></a>")
}

/// A link's target, which is made of letters, digits, `-` and `_`.
fn address(of: &Address) -> String {
    let anchor = of.anchor.as_str();
    of.day.as_ref().map_or_else(|| format!("#{anchor}"), |day| format!("{day}.md#{anchor}"))
}

fn name(of: &Name) -> String {
    let sender = match &of.user_id {
        Some(user_id) => format!("{} ({})", inline(&of.name), inline_name(user_id)),
        // a user id, unless it is shown too
        None if of.name.starts_with('@') => inline_name(&of.name),
        None => inline(&of.name),
    };
    match &of.said_as {
        Some(said_as) => format!("{} (via {sender})", inline(said_as)),
        None => sender,
    }
}

fn names(of: &FirstNames) -> String {
    let first: Vec<String> = of.first.iter().map(name).collect();
    if of.many { format!("{} and others", first.join(", ")) } else { listed(&first, of.more) }
}

/// What stands on a line.
pub(crate) fn line(spans: &[Span]) -> String {
    let mut out = String::new();
    write_line(&mut out, spans);
    out
}

fn write_line(out: &mut String, spans: &[Span]) {
    for span in spans {
        match span {
            Span::Words(words) => out.push_str(words),
            Span::Note(words) => out.extend(["*", words, "*"]),
            Span::Text(text) => out.push_str(&inline(text)),
            Span::NotedText(text) => out.extend(["*", &inline(text), "*"]),
            Span::Code(text) => out.push_str(&code_span(text)),
            Span::Name(of) => out.push_str(&name(of)),
            Span::Names(of) => out.push_str(&names(of)),
            Span::Link(words, to) => out.extend(["[", words, "](", &address(to), ")"]),
            Span::Room(room) => out.push_str(&room_link(room, false)),
            Span::Redaction(mark) => out.push_str(&redaction(mark)),
        }
    }
}

/// A room's id, which leads to its index if the archive has it; in a table's cell if so.
pub(super) fn room_link(room: &RoomLink, cell: bool) -> String {
    let id = if cell { code_cell(&room.room_id) } else { code_span(&room.room_id) };
    match &room.directory {
        Some(directory) => format!("[{id}](../{}/index.md)", directory.replace('%', "%25")),
        None => id,
    }
}

/// How what somebody says begins: the name, unless it stands above already, the place and the time.
fn head(head: &Head, name: &str) -> String {
    let mark = match head.encrypted {
        None => "",
        Some(Encryption::Authenticated) => " 🔒",
        Some(Encryption::NotAuthenticated) => " 🔒?",
    };
    let place = format!("{}{}{mark}", anchor(head.anchor.as_str()), head.at);
    if head.goes_on { place } else { format!("**{name}** · {place}") }
}

fn root(root: &Root) -> String {
    match root {
        Root::Elsewhere => "in a thread whose beginning is not in this archive".to_owned(),
        Root::At(said, to) => format!("[in thread: {}]({})", line(said), address(to)),
    }
}

fn quote(quote: &Quote) -> String {
    let Quote::Of { name: by, day, at, said, address: to } = quote else {
        return "> *a message that is not in this archive*".to_owned();
    };
    let time = day.as_ref().map_or_else(|| at.to_string(), |day| format!("{day} {at}"));
    format!("> [{} {time}]({}): {}", name(by), address(to), line(said))
}

fn redaction(mark: &RedactionNote) -> String {
    match mark {
        RedactionNote::ByServer => "*[removed by the server]*".to_owned(),
        RedactionNote::Unknown => "*[redacted]*".to_owned(),
        RedactionNote::By { name: by, at, reason } => {
            let reason = reason.as_ref().map(|reason| format!(": {}", inline(reason))).unwrap_or_default();
            format!("*[redacted by {} at {at}{reason}]*", name(by))
        }
    }
}

fn mark(edited: &Edited) -> String {
    let times = if edited.times > 1 { format!(", {}×", edited.times) } else { String::new() };
    format!("*(edited {}{times})*", edited.at)
}

/// What was said, by the name of who said it.
fn saying(saying: &Saying<'_>, name: &str) -> String {
    match saying {
        Saying::Message(said) => message::message(said, name),
        Saying::Noted(note, said) => format!("*{}*\n\n{}", line(note), message::message(said, name)),
        Saying::Note(note) => format!("*{}*", line(note)),
        Saying::Other(kind, text) => format!("{}: {}", line(std::slice::from_ref(kind)), block(text)),
        Saying::Text(text) => block(text),
        Saying::Type(kind) => line(std::slice::from_ref(kind)),
        Saying::LiveLocation(of) => live::location(of),
        Saying::Poll(of) => poll(of),
        Saying::Question(text) => question(text),
    }
}

/// How something is said that is not said by people.
fn manner(saying: &Saying<'_>) -> Option<&'static str> {
    let (Saying::Message(said) | Saying::Noted(_, said)) = saying else { return None };
    match said.manner() {
        Manner::Notice => Some("notice"),
        Manner::ServerNotice => Some("notice of the server"),
        Manner::Said | Manner::Emote | Manner::Noise => None,
    }
}

/// What was said once, in whatever manner.
fn saying_of_old(said: &Saying<'_>) -> String {
    match said {
        Saying::Message(said) => message::blocks(said),
        said => saying(said, ""),
    }
}

fn question(question: &str) -> String {
    format!("**{}**", or(question, "a poll without a question"))
}

fn or(text: &str, instead: &str) -> String {
    let text = inline(text);
    if text.is_empty() { instead.to_owned() } else { text }
}

fn poll(poll: &Poll) -> String {
    let mut text = format!("**Poll** · {}", question(&poll.question));
    if let Some(closed) = &poll.closed {
        let _ = write!(text, " · closed {closed}");
    }
    let most = poll.answers.iter().map(|answer| answer.count).max().unwrap_or(0);
    text.push_str("\n\n| | votes | |\n|---|---|---|\n");
    for PollAnswer { text: answer, count, names } in &poll.answers {
        let answer = or(answer, "…");
        let _ = match (*count, poll.is_secret) {
            (_, true) => writeln!(text, "| {answer} | | |"),
            (0, _) => writeln!(text, "| {answer} | 0 | |"),
            (count, _) if count == most => {
                writeln!(text, "| **{answer}** | **{count}** | {} |", voters(names, count))
            }
            (count, _) => writeln!(text, "| {answer} | {count} | {} |", voters(names, count)),
        };
    }
    let _ = match (poll.voters, poll.spoiled, poll.is_secret) {
        (count, _, true) => write!(text, "\n*{count} voted; how is not told before the poll is closed*"),
        (_, 0, _) => Ok(()),
        (_, spoiled, _) => write!(text, "\n*{spoiled} invalid*"),
    };
    text.trim_end().to_owned()
}

fn voters(first: &[Name], count: u64) -> String {
    let others = count - first.len() as u64;
    let first: Vec<String> = first.iter().map(name).collect();
    if others == 0 { first.join(", ") } else { listed(&first, others) }
}

/// What others made of it: `👍 3 (Alice, Bob, Carol) · [thread: 2 replies](…)`.
fn made(made: &Responses) -> String {
    let mut parts: Vec<String> = made.reactions.iter().map(reaction).collect();
    parts.extend(match made.other_reactions {
        0 => None,
        1 => Some("1 other reaction".to_owned()),
        others => Some(format!("{others} other reactions")),
    });
    parts.extend(made.thread.as_ref().map(|(replies, first)| {
        let count = if *replies == 1 { "1 reply".to_owned() } else { format!("{replies} replies") };
        format!("[thread: {count}]({})", address(first))
    }));
    parts.join(" · ")
}

fn reaction(Reaction { key, count, names, .. }: &Reaction) -> String {
    let key = key.as_deref().map_or_else(|| CUSTOM.to_owned(), inline);
    if *count == 1 && names.len() == 1 {
        return format!("{key} {}", name(&names[0]));
    }
    format!("{key} {count} ({})", voters(names, *count))
}

fn unread(Unread { anchor: place, first, last, count, names: by }: &Unread) -> String {
    let (first, last) = (first.to_string(), last.to_string());
    let span = if first == last { first } else { format!("{first} – {last}") };
    let messages = if *count == 1 { "1 encrypted message".to_owned() } else { format!("{count} encrypted messages") };
    format!("<sub>{}{span} · {messages} from {} could not be read</sub>", anchor(place.as_str()), names(by))
}

/// Whether markdown of ours ends with a paragraph, so that a mark can stand behind it.
fn ends_as_paragraph(markdown: &str) -> bool {
    let last = markdown.rsplit("\n\n").next().unwrap_or_default();
    begins_as_paragraph(last) && !markdown.contains("```") && !markdown.contains("~~~") && !last.starts_with(' ')
}

#[cfg(test)]
mod tests;
