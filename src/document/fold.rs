//! Small things that follow one another, folded: who joined or left together, messages that could not be read. They come on
//! lines of their own, which end before anything else.

use std::io;

use super::block::{Block, Small, Unread, Writer};
use super::line::{Anchor, FirstNames, Line, Name, Span, When};
use super::time::Zone;

/// How many names a fold tells.
const NAMED: usize = 3;

/// A small thing in a few words.
pub(crate) enum Remark {
    /// Who did what many do, such as joining; those in a row who did just the same are told together.
    Alike(Name, Line),
    /// Anything else.
    Other(Line),
}

impl Remark {
    /// Whether it says nothing but who did what many do.
    pub(crate) fn is_bare(&self) -> bool {
        matches!(self, Remark::Alike(_, did) if did.len() == 1)
    }

    /// The same, to be told alone.
    pub(crate) fn alone(self) -> Line {
        match self {
            Remark::Alike(name, did) => [vec![Span::Name(name)], did].concat(),
            Remark::Other(what) => what,
        }
    }
}

/// What is not written yet.
#[derive(Default)]
pub(crate) struct Fold {
    /// Something was written that is on a line with what comes.
    in_line: bool,
    group: Option<AlikeGroup>,
    unread: Option<Unread>,
    zone: Zone,
}

/// Several who did the same.
struct AlikeGroup {
    anchor: Anchor,
    at: When,
    names: FirstNames,
    did: Line,
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
    /// With the times of a zone.
    pub(crate) fn within(zone: Zone) -> Fold {
        Fold { zone, ..Fold::default() }
    }

    /// Adds a small thing.
    pub(crate) fn add(
        &mut self,
        event_id: &str,
        at: Option<i64>,
        phrase: Remark,
        out: &mut dyn Writer,
    ) -> io::Result<()> {
        let is_first = self.end_unread(out)?;
        let (anchor, at) = (Anchor::of(event_id), When::here(at, self.zone));
        match phrase {
            Remark::Alike(name, did) => self.add_to_group(anchor, at, did, name, out)?,
            Remark::Other(what) => {
                self.end_group(out)?;
                self.push(Small { anchor, at, what }, out)?;
            }
        }
        // so that a day of nothing else stays readable and out of memory
        if !is_first && out.is_long() { self.end_line(out) } else { Ok(()) }
    }

    fn add_to_group(
        &mut self,
        anchor: Anchor,
        at: When,
        did: Line,
        name: Name,
        out: &mut dyn Writer,
    ) -> io::Result<()> {
        if self.group.as_ref().is_none_or(|group| group.did != did) {
            self.end_group(out)?;
        }
        let group = self.group.get_or_insert_with(|| AlikeGroup { anchor, at, names: FirstNames::default(), did });
        // one may do the same again, as with another device
        if !group.names.first.contains(&name) {
            group.names.push(name);
        }
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
        let at = When::here(at, self.zone);
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
        let Some(AlikeGroup { anchor, at, names, did }) = self.group.take() else { return Ok(()) };
        let what = [vec![Span::Names(names)], did].concat();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::markdown::Markdown;

    fn folded(things: impl FnOnce(&mut Fold, &mut dyn Writer) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        let (mut fold, mut writer) = (Fold::default(), Markdown::to(&mut out));
        things(&mut fold, &mut writer).and_then(|()| fold.end(&mut writer)).unwrap();
        // no place, which is a hash
        let text = String::from_utf8(out).unwrap();
        let parts: Vec<&str> = text.split("<a id=\"").collect();
        parts.iter().map(|part| part.split_once("</a>").map_or(*part, |(_, text)| text)).collect()
    }

    fn name(name: &str) -> Name {
        Name::new(name, None)
    }

    #[test]
    fn who_does_the_same_is_told_together() {
        let told = folded(|fold, out| {
            for joins in ["Ann", "Bob", "Cid", "Dan", "Eve"] {
                fold.add(joins, Some(0), Remark::Alike(name(joins), vec![Span::words(" joined")]), out)?;
            }
            let split = || vec![Span::words(" left: "), Span::Text("*.net".to_owned())];
            for leaves in ["Ann", "Bob"] {
                fold.add("$1", Some(0), Remark::Alike(name(leaves), split()), out)?;
            }
            fold.add("$1", Some(0), Remark::Alike(name("Cid"), vec![Span::words(" left")]), out)?;
            fold.add("$2", Some(60_000), Remark::Other(vec![Span::words("more")]), out)
        });
        assert_eq!(
            told,
            "<sub>00:00 · Ann, Bob, Cid and 2 others joined · Ann and Bob left: \\*.net · Cid left · 00:01 · more</sub>\n\n"
        );
    }

    #[test]
    fn what_could_not_be_read_is_counted_on_a_line_of_its_own() {
        let told = folded(|fold, out| {
            fold.add("$1", None, Remark::Alike(name("Ann"), vec![Span::words(" left")]), out)?;
            for sender in ["Ann", "Ann", "Bob", "Cid", "Dan"] {
                fold.add_unread(sender, Some(0), name(sender), out)?;
            }
            fold.add_unread("$2", Some(60_000), name("Ann"), out)
        });
        let unread = "00:00 – 00:01 · 6 encrypted messages from Ann, Bob, Cid and others could not be read";
        assert_eq!(told, format!("<sub>--:-- · Ann left</sub>\n\n<sub>{unread}</sub>\n\n"));
    }

    #[test]
    fn no_line_grows_with_the_day() {
        let told = folded(|fold, out| {
            (0..10_000).try_for_each(|_| fold.add("$", Some(0), Remark::Other(vec![Span::words("more")]), out))
        });
        assert!(told.lines().count() > 10 && told.lines().all(|line| line.len() < 10_000));
        assert_eq!(told.matches("more").count(), 10_000);
    }
}
