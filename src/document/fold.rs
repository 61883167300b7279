//! Small things that follow one another, folded: who joined or left together, messages that could not be read. They come on
//! lines of their own, which end before anything else.

use std::io;

use super::block::{Anchor, Block, FirstNames, Line, Name, Small, Span, Unread, When, Writer};

/// How many names a fold tells.
const NAMED: usize = 3;

/// A small thing in a few words; runs of joins and of leaves are told together.
pub(crate) enum Phrase {
    /// Who joined.
    Joined(Name),
    /// Who left.
    Left(Name),
    /// Anything else.
    Other(Line),
}

/// What is not written yet.
#[derive(Default)]
pub(crate) struct Fold {
    /// Something was written that is on a line with what comes.
    in_line: bool,
    group: Option<Group>,
    unread: Option<Unread>,
}

/// Several who did the same.
struct Group {
    anchor: Anchor,
    at: When,
    verb: &'static str,
    names: FirstNames,
}

impl FirstNames {
    fn push(&mut self, name: Name) {
        if self.first.len() < NAMED {
            self.first.push(name);
        } else {
            self.more += 1;
        }
    }

    /// Adds a name that may be there already; beyond the first ones nothing is known of who else there was.
    fn push_once(&mut self, name: Name) {
        if self.first.contains(&name) {
            return;
        }
        if self.first.len() < NAMED {
            self.first.push(name);
        } else {
            self.many = true;
        }
    }
}

impl Fold {
    /// Adds a small thing.
    pub(crate) fn add(
        &mut self,
        event_id: &str,
        at: Option<i64>,
        phrase: Phrase,
        out: &mut dyn Writer,
    ) -> io::Result<()> {
        let began = self.end_unread(out)?;
        let (anchor, at) = (Anchor::of(event_id), When::here(at));
        match phrase {
            Phrase::Joined(name) => self.add_to_group(anchor, at, "joined", name, out)?,
            Phrase::Left(name) => self.add_to_group(anchor, at, "left", name, out)?,
            Phrase::Other(what) => {
                self.end_group(out)?;
                self.push(Small { anchor, at, what }, out)?;
            }
        }
        // so that a day of nothing else stays readable and out of memory
        if !began && out.is_long() { self.end_line(out) } else { Ok(()) }
    }

    fn add_to_group(
        &mut self,
        anchor: Anchor,
        at: When,
        verb: &'static str,
        name: Name,
        out: &mut dyn Writer,
    ) -> io::Result<()> {
        if self.group.as_ref().is_none_or(|group| group.verb != verb) {
            self.end_group(out)?;
        }
        let group = self.group.get_or_insert_with(|| Group { anchor, at, verb, names: FirstNames::default() });
        group.names.push(name);
        Ok(())
    }

    /// Adds a message that could not be read.
    pub(crate) fn add_unread(
        &mut self,
        event_id: &str,
        at: Option<i64>,
        name: Name,
        out: &mut dyn Writer,
    ) -> io::Result<()> {
        self.end_line(out)?;
        let at = When::here(at);
        let unread = self.unread.get_or_insert_with(|| Unread {
            anchor: Anchor::of(event_id),
            first: at,
            last: at,
            count: 0,
            names: FirstNames::default(),
        });
        unread.last = at;
        unread.count += 1;
        unread.names.push_once(name);
        Ok(())
    }

    /// Ends what is folded.
    pub(crate) fn end(&mut self, out: &mut dyn Writer) -> io::Result<()> {
        // never both: either one ends the other
        self.end_unread(out)?;
        self.end_line(out)
    }

    fn push(&mut self, small: Small, out: &mut dyn Writer) -> io::Result<()> {
        self.in_line = true;
        out.write(&Block::Small(small))
    }

    fn end_group(&mut self, out: &mut dyn Writer) -> io::Result<()> {
        let Some(Group { anchor, at, verb, names }) = self.group.take() else { return Ok(()) };
        let what = vec![Span::Names(names), Span::words(" "), Span::words(verb)];
        self.push(Small { anchor, at, what }, out)
    }

    fn end_line(&mut self, out: &mut dyn Writer) -> io::Result<()> {
        self.end_group(out)?;
        if std::mem::take(&mut self.in_line) { out.write(&Block::EndOfSmall) } else { Ok(()) }
    }

    /// Whether there was any.
    fn end_unread(&mut self, out: &mut dyn Writer) -> io::Result<bool> {
        let unread = self.unread.take();
        let Some(unread) = unread else { return Ok(false) };
        out.write(&Block::Unread(unread)).map(|()| true)
    }
}
