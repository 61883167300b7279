//! Where elements stand: which are open, what has to be around one that comes, and what its coming or an end tag closes.
//!
//! Every element that is opened is closed, the last one first. Knows no attribute, and writes nothing that a sender chose.

use super::super::super::formatted::is_block;
use super::Body;

/// Elements that are open at once; the specification recommends this limit. Deeper ones are as if they were not there.
pub(super) const MAX_DEPTH: usize = 100;

/// What an open element is to those that come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum ElementKind {
    Inline,
    Link,
    Spoiler,
    Paragraph,
    Block,
    List,
    Item,
    Table,
    Row,
    Cell,
}

#[derive(Debug)]
pub(super) struct OpenElement {
    pub(super) kind: ElementKind,
    /// Its name as the sender gives it, such as `b`, and what closes it.
    pub(super) name: &'static str,
    pub(super) close: &'static str,
}

impl Body<'_> {
    /// The innermost of those elements that decide where others stand.
    pub(super) fn container(&self) -> Option<ElementKind> {
        let decides = |kind: &ElementKind| {
            matches!(
                kind,
                ElementKind::Block
                    | ElementKind::List
                    | ElementKind::Item
                    | ElementKind::Table
                    | ElementKind::Row
                    | ElementKind::Cell
            )
        };
        self.open.iter().rev().map(|element| element.kind).find(decides)
    }

    /// Opens what must be around text or an element that stands neither in a table nor in a list directly.
    pub(super) fn settle(&mut self) {
        match self.container() {
            Some(ElementKind::Table) => {
                self.push(ElementKind::Row, "tr", "<tr>", "</tr>");
                self.push(ElementKind::Cell, "td", "<td>", "</td>");
            }
            Some(ElementKind::Row) => self.push(ElementKind::Cell, "td", "<td>", "</td>"),
            Some(ElementKind::List) => self.push(ElementKind::Item, "li", "<li>", "</li>"),
            _ => {}
        }
    }

    /// Ends the paragraph that a block would end.
    pub(super) fn begin_block(&mut self) {
        self.settle();
        let is_between = |kind: ElementKind| {
            !matches!(kind, ElementKind::Inline | ElementKind::Link | ElementKind::Spoiler | ElementKind::Paragraph)
        };
        let within = self.open.iter().rposition(|element| is_between(element.kind)).map_or(0, |at| at + 1);
        if let Some(at) = self.open[within..].iter().position(|element| element.kind == ElementKind::Paragraph) {
            let spoiler = self.open[within + at..].iter().find(|element| element.kind == ElementKind::Spoiler);
            let spoiler = spoiler.map(|element| element.name);
            self.close_to(within + at);
            if let Some(name) = spoiler {
                // what a spoiler hides stays hidden
                let open = std::mem::take(&mut self.spoiler);
                self.open_spoiler(name, open);
            }
        }
    }

    pub(super) fn push(&mut self, kind: ElementKind, name: &'static str, open: &str, close: &'static str) {
        // what text may not stand in directly has room for what must be around that
        let within = match kind {
            ElementKind::Table => 2,
            ElementKind::Row | ElementKind::List => 1,
            _ => 0,
        };
        if self.open.len() + within < MAX_DEPTH {
            self.out.push_str(open);
            self.open.push(OpenElement { kind, name, close });
        }
    }

    /// Where the innermost element of a kind is, if none of others is in between.
    fn within(&self, kind: ElementKind, barriers: &[ElementKind]) -> Option<usize> {
        let at = self.open.iter().rposition(|element| element.kind == kind || barriers.contains(&element.kind))?;
        (self.open[at].kind == kind).then_some(at)
    }

    pub(super) fn item(&mut self) {
        if let Some(at) = self.within(ElementKind::Item, &[ElementKind::List, ElementKind::Table, ElementKind::Cell]) {
            self.close_to(at);
        }
        match self.within(ElementKind::List, &[ElementKind::Table, ElementKind::Cell]) {
            Some(at) => {
                self.close_to(at + 1);
                self.push(ElementKind::Item, "li", "<li>", "</li>");
            }
            None => self.begin_block(),
        }
    }

    pub(super) fn row(&mut self) {
        match self.within(ElementKind::Table, &[]) {
            Some(at) => {
                self.close_to(at + 1);
                self.push(ElementKind::Row, "tr", "<tr>", "</tr>");
            }
            None => self.begin_block(),
        }
    }

    pub(super) fn cell(&mut self, name: &'static str, open: &str, close: &'static str) {
        if self.within(ElementKind::Table, &[]).is_none() {
            return self.begin_block();
        }
        match self.within(ElementKind::Row, &[ElementKind::Table]) {
            Some(at) => self.close_to(at + 1),
            None => self.row(),
        }
        if self.container() == Some(ElementKind::Row) {
            self.push(ElementKind::Cell, name, open, close);
        }
    }

    /// Closes the element that an end tag of this name is of, with those within it; none, if that is beyond what it reaches.
    pub(super) fn close(&mut self, name: &[u8]) {
        let name = if is_block(name) && name != b"p" { b"div" } else { name };
        for at in (0..self.open.len()).rev() {
            let OpenElement { kind, name: open, .. } = self.open[at];
            if open.as_bytes() == name {
                return self.close_to(at);
            }
            let is_beyond = match name {
                b"table" => false,
                b"tr" | b"td" | b"th" => kind == ElementKind::Table,
                b"li" => matches!(kind, ElementKind::List | ElementKind::Table | ElementKind::Cell),
                _ => matches!(kind, ElementKind::Table | ElementKind::Cell),
            };
            if is_beyond {
                return;
            }
        }
    }

    pub(super) fn close_to(&mut self, depth: usize) {
        while self.open.len() > depth
            && let Some(element) = self.open.pop()
        {
            self.out.push_str(element.close);
        }
    }
}
