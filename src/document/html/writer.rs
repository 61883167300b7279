//! Blocks as HTML: one article for each thing said, those of one speaker together, those of one thread in a fold. Knows no archive.

use std::io;

use askama::Template;

use super::super::block::{
    Block, Edited, Encryption, FoldSummary, Head, LiveLocation, Poll, Quote, Reaction, Root, Said, Saying, Small,
    Unread, Writer,
};
use super::super::line::{Anchor, RedactionNote};
use super::super::message::Manner;
use super::super::reaction::CUSTOM;
use super::super::time;
use super::message;
use super::picture::Pictures;
use super::spans::{colour, initials, leading, line, name, names, redaction, voters};
use super::text::{Markup, inline, lined, name as name_of};

/// A line of small things longer than this is ended. Bytes.
const LONGEST: usize = 4_000;

/// Writes blocks as HTML; what is open has to be [ended](Html::end).
pub(crate) struct Html<W> {
    out: W,
    /// Those of one speaker are open.
    in_group: bool,
    in_article: bool,
    thread: Thread,
    /// Small things of which the line is not written yet, and the time of the last one.
    line: String,
    clock: String,
    pictures: Pictures,
}

/// Which thread is open.
#[derive(Default, PartialEq)]
enum Thread {
    #[default]
    None,
    /// One whose beginning is not in the archive.
    Elsewhere,
    /// One that begins here.
    Of(Anchor),
}

impl Thread {
    fn of(root: Option<&Root>) -> Thread {
        match root {
            None => Thread::None,
            Some(Root::Elsewhere) => Thread::Elsewhere,
            Some(Root::At(_, address)) => Thread::Of(address.anchor.clone()),
        }
    }
}

#[derive(Template)]
#[template(path = "blocks.html", block = "group")]
struct GroupTemplate {
    colour: u8,
    initials: Markup,
    picture: Option<Markup>,
    name: Markup,
}

#[derive(Template)]
#[template(path = "blocks.html", block = "said")]
struct SaidTemplate<'a> {
    head: &'a Head,
    manner: Option<&'static str>,
    quote: Option<Markup>,
    text: Markup,
    edited: &'a Option<Edited>,
}

#[derive(Template)]
#[template(path = "blocks.html", block = "quote")]
struct QuoteTemplate {
    answered: Markup,
    said: Markup,
}

#[derive(Template)]
#[template(path = "blocks.html", block = "thread")]
struct ThreadTemplate {
    root: Option<Markup>,
}

#[derive(Template)]
#[template(path = "blocks.html", block = "made")]
struct MadeTemplate<'a> {
    reactions: Vec<(Markup, &'a Reaction)>,
    others: u64,
    thread: Option<Markup>,
}

#[derive(Template)]
#[template(path = "blocks.html", block = "poll")]
struct PollTemplate<'a> {
    poll: &'a Poll,
    most: u64,
}

#[derive(Template)]
#[template(path = "blocks.html", block = "live")]
struct LiveTemplate<'a> {
    live: &'a LiveLocation,
}

#[derive(Template)]
#[template(path = "blocks.html", block = "unread")]
struct UnreadTemplate<'a> {
    unread: &'a Unread,
}

impl<W: io::Write> Html<W> {
    pub(crate) fn to(out: W) -> Html<W> {
        Html {
            out,
            in_group: false,
            in_article: false,
            thread: Thread::None,
            line: String::new(),
            clock: String::new(),
            pictures: Pictures::default(),
        }
    }

    /// What is written to.
    pub(crate) fn out(&mut self) -> &mut W {
        &mut self.out
    }

    pub(crate) fn into_out(self) -> W {
        self.out
    }

    /// Ends what is open.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        self.end_thread()
    }

    fn put(&mut self, html: &str) -> io::Result<()> {
        self.out.write_all(html.as_bytes())
    }

    fn template(&mut self, template: &impl Template) -> io::Result<()> {
        Template::write_into(template, &mut self.out).map_err(io::Error::other)
    }

    fn end_article(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.in_article) { self.put("</article>\n") } else { Ok(()) }
    }

    fn end_group(&mut self) -> io::Result<()> {
        self.end_article()?;
        if std::mem::take(&mut self.in_group) { self.put("</div></section>\n") } else { Ok(()) }
    }

    fn end_thread(&mut self) -> io::Result<()> {
        self.end_group()?;
        if std::mem::take(&mut self.thread) == Thread::None { Ok(()) } else { self.put("</details>\n") }
    }

    /// Ends what what comes is not in, and begins what it is in.
    fn speaker(&mut self, head: &Head, thread: Option<&Root>) -> io::Result<()> {
        self.end_article()?;
        let of = Thread::of(thread);
        if of != self.thread {
            self.end_thread()?;
            if let Some(thread) = thread {
                let root = match thread {
                    Root::Elsewhere => None,
                    Root::At(said, to) => Some(leading(&line(said), to)),
                };
                self.template(&ThreadTemplate { root })?;
                self.thread = of;
            }
        }
        if !head.goes_on || !self.in_group {
            self.end_group()?;
            let by = &head.name;
            let sender = head.sender.as_deref().unwrap_or(&by.name);
            let shown = by.said_as.as_deref().unwrap_or(&by.name);
            let colour = colour(sender);
            let picture = head.avatar.as_ref().and_then(|here| self.pictures.avatar(here, colour));
            self.template(&GroupTemplate { colour, initials: initials(shown), picture, name: name(by) })?;
            self.in_group = true;
        }
        self.in_article = true;
        Ok(())
    }

    fn said(&mut self, said: &Said<'_>) -> io::Result<()> {
        self.speaker(&said.head, said.thread.as_ref())?;
        let quote = match &said.quote {
            None => None,
            Some(quote) => Some(quoted(quote)?),
        };
        let text = Markup(saying(&said.saying, &name(&said.head.name).0)?);
        let manner = manner(&said.saying);
        self.template(&SaidTemplate { head: &said.head, manner, quote, text, edited: &said.edited })
    }

    fn small(&mut self, small: &Small) {
        if !self.line.is_empty() {
            self.line.push_str(" · ");
        }
        let clock = small.at.to_string();
        let shown = if self.clock == clock { "" } else { &clock };
        let time = if shown.is_empty() { String::new() } else { format!("<time>{shown}</time> ") };
        self.line.extend(["<span id=\"", small.anchor.as_str(), "\">", &time, &line(&small.what).0, "</span>"]);
        self.clock = clock;
    }

    fn end_line(&mut self) -> io::Result<()> {
        self.clock.clear();
        let line = std::mem::take(&mut self.line);
        self.end_thread()?;
        self.put(&format!("<p class=\"s\">{line}</p>\n"))
    }
}

impl<W: io::Write> Writer for Html<W> {
    fn write(&mut self, block: &Block<'_>) -> io::Result<()> {
        match block {
            Block::Day(day) => {
                self.end_thread()?;
                self.put(&format!("<h2 class=\"d\" id=\"{day}\"><span>{}</span></h2>\n", time::long(day)))
            }
            Block::Date(date) => {
                self.end_thread()?;
                let (day, offset) = (time::long(&date.day()), date.offset());
                self.put(&format!("<p class=\"d\"><span>{day} <small>{offset}</small></span></p>\n"))
            }
            Block::Said(said) => self.said(said),
            Block::Redacted(head, mark) => {
                self.speaker(head, None)?;
                let text = redacted(mark);
                self.template(&SaidTemplate { head, manner: None, quote: None, text, edited: &None })
            }
            Block::Folded(summary) => {
                let summary = match summary {
                    FoldSummary::Original => "redacted original".to_owned(),
                    FoldSummary::Earlier(1) => "earlier version".to_owned(),
                    FoldSummary::Earlier(versions) => format!("{versions} earlier versions"),
                };
                self.put(&format!("<details class=\"o\"><summary>{summary}</summary>"))
            }
            Block::Version(at, said) => {
                let at = at.map(|at| format!("<time>{at}</time>")).unwrap_or_default();
                let said = saying_of_old(said)?;
                self.put(&format!("<div class=\"v\">{at}{said}</div>"))
            }
            Block::Unfolded => self.put("</details>"),
            Block::Made(made) => {
                let thread = made.thread.as_ref().map(|(replies, first)| {
                    let count = if *replies == 1 { "1 reply".to_owned() } else { format!("{replies} replies") };
                    leading(&Markup(format!("thread: {count}")), first)
                });
                let pictures = &mut self.pictures;
                let reactions = made.reactions.iter().map(|reaction| (key(reaction, pictures), reaction)).collect();
                self.template(&MadeTemplate { reactions, others: made.other_reactions, thread })
            }
            Block::Small(what) => {
                self.small(what);
                Ok(())
            }
            Block::EndOfSmall => self.end_line(),
            Block::Unread(unread) => {
                self.end_thread()?;
                self.template(&UnreadTemplate { unread })
            }
        }
    }

    fn is_long(&self) -> bool {
        self.line.len() > LONGEST
    }
}

/// What a reaction says.
fn key(reaction: &Reaction, pictures: &mut Pictures) -> Markup {
    let called = reaction.key.as_deref().unwrap_or(CUSTOM);
    let picture = reaction.picture.as_ref().and_then(|here| pictures.emoji(here, called));
    picture.unwrap_or_else(|| inline(called))
}

fn render(template: &impl Template) -> io::Result<String> {
    template.render().map_err(io::Error::other)
}

fn redacted(mark: &RedactionNote) -> Markup {
    Markup(format!("<div class=\"b\">{}</div>", redaction(mark)))
}

fn quoted(quote: &Quote) -> io::Result<Markup> {
    let Quote::Of { name: by, day, at, said, address: to } = quote else {
        return Ok(Markup(
            "<blockquote class=\"re\"><em class=\"x\">a message that is not in this archive</em></blockquote>"
                .to_owned(),
        ));
    };
    let time = day.as_ref().map_or_else(|| at.to_string(), |day| format!("{day} {at}"));
    let answered = leading(&Markup(format!("<b>{}</b> {time}", name(by))), to);
    Ok(Markup(render(&QuoteTemplate { answered, said: line(said) })?))
}

/// What was said, by the name of who said it.
fn saying(saying: &Saying<'_>, name: &str) -> io::Result<String> {
    Ok(match saying {
        Saying::Message(said) => message::message(said, name),
        Saying::Noted(note, said) => {
            format!("<div class=\"b\"><em class=\"x\">{}</em></div>{}", line(note), message::message(said, name))
        }
        Saying::Note(note) => format!("<div class=\"b\"><em class=\"x\">{}</em></div>", line(note)),
        Saying::Other(kind, text) => {
            format!("<p class=\"x\">{}</p>{}", line(std::slice::from_ref(kind)), plain(text))
        }
        Saying::Text(text) => plain(text),
        Saying::Type(kind) => format!("<div class=\"b\">{}</div>", line(std::slice::from_ref(kind))),
        Saying::LiveLocation(live) => render(&LiveTemplate { live })?,
        Saying::Poll(poll) => {
            let most = poll.answers.iter().map(|answer| answer.count).max().unwrap_or(0);
            render(&PollTemplate { poll, most })?
        }
        Saying::Question(text) => format!("<div class=\"b\"><b>{}</b></div>", question(text)),
    })
}

/// What was said once, in whatever manner.
fn saying_of_old(said: &Saying<'_>) -> io::Result<String> {
    match said {
        Saying::Message(said) => Ok(message::blocks(said)),
        said => saying(said, ""),
    }
}

fn plain(text: &str) -> String {
    format!("<div class=\"b\" dir=\"auto\">{}</div>", lined(text))
}

fn or(text: &str, instead: &str) -> Markup {
    let text = inline(text);
    if text.0.is_empty() { Markup(instead.to_owned()) } else { text }
}

fn question(question: &str) -> Markup {
    or(question, "a poll without a question")
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
