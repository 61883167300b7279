//! Blocks of markdown within quotes and lists. Escapes nothing: what it is given is markdown.

/// More levels than this are written as if they were this many: each costs space on every line.
const MAX_LEVELS: usize = 12;

/// What blocks are in.
#[derive(Debug)]
enum Container {
    Quote,
    /// Its marker, whether it is written, and whether the item is the first of its list.
    Item {
        marker: String,
        written: bool,
        first: bool,
    },
}

/// A list: what its next item is marked with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct OpenList {
    next: Option<u32>,
    sign: char,
    items: usize,
}

impl OpenList {
    pub(super) fn is_numbered(&self) -> bool {
        self.next.is_some()
    }

    /// The marker of the next item.
    pub(super) fn marker(&mut self) -> String {
        self.items += 1;
        match &mut self.next {
            Some(number) => {
                let marker = format!("{number}{} ", self.sign);
                *number = (*number + 1).min(999_999_999);
                marker
            }
            None => format!("{} ", self.sign),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Blocks {
    out: String,
    containers: Vec<Container>,
    /// How many of the containers the next block shares with the last one.
    shared: usize,
    /// How many the last block was in.
    last: usize,
    /// The list that the last block was in, and its level, if it has ended there.
    ended: Option<(usize, char)>,
}

impl Blocks {
    /// The markdown; none if no block was written.
    pub(super) fn finish(self) -> Option<String> {
        (!self.out.is_empty()).then_some(self.out)
    }

    pub(super) fn level_is_full(&self) -> bool {
        self.containers.len() >= MAX_LEVELS
    }

    /// Whether nothing has been written in the innermost container, an item.
    pub(super) fn item_is_empty(&self) -> bool {
        matches!(self.containers.last(), Some(Container::Item { written: false, .. }))
    }

    /// A list that begins here, with a sign by which it is not the one before.
    pub(super) fn list(&self, start: Option<u32>) -> OpenList {
        let (usual, other) = if start.is_some() { ('.', ')') } else { ('-', '*') };
        let sign = if self.ended == Some((self.containers.len(), usual)) { other } else { usual };
        OpenList { next: start, sign, items: 0 }
    }

    pub(super) fn end_list(&mut self, list: OpenList) {
        if list.items > 0 {
            self.ended = Some((self.containers.len(), list.sign));
        }
    }

    pub(super) fn open_quote(&mut self) {
        self.containers.push(Container::Quote);
    }

    pub(super) fn open_item(&mut self, list: &mut OpenList) {
        let marker = list.marker();
        self.containers.push(Container::Item { marker, written: false, first: list.items == 1 });
    }

    pub(super) fn close(&mut self) {
        self.containers.pop();
        self.shared = self.shared.min(self.containers.len());
        self.ended = self.ended.filter(|(level, _)| *level <= self.containers.len());
    }

    /// Writes a block.
    pub(super) fn block(&mut self, markdown: &str) {
        if markdown.is_empty() {
            return;
        }
        self.separate();
        for (n, line) in markdown.split('\n').enumerate() {
            if n > 0 {
                self.out.push('\n');
            }
            self.prefix(self.containers.len(), line.is_empty());
            self.out.push_str(line);
        }
        self.shared = self.containers.len();
        self.last = self.shared;
        self.ended = None;
    }

    fn separate(&mut self) {
        if self.out.is_empty() {
            return;
        }
        self.out.push('\n');
        let tight = match self.containers.get(self.shared) {
            Some(Container::Item { marker, written: false, first }) => {
                let interrupts = !marker.starts_with(|c: char| c.is_ascii_digit())
                    || marker.starts_with("1.")
                    || marker.starts_with("1)");
                let in_item =
                    matches!(self.shared.checked_sub(1).map(|n| &self.containers[n]), Some(Container::Item { .. }));
                // an item follows the one before; a list may follow the paragraph that it belongs to
                (!first && self.last > self.shared)
                    || (*first && in_item && interrupts && self.last == self.shared && self.ended.is_none())
            }
            _ => false,
        };
        if !tight {
            self.prefix(self.shared, true);
            self.out.push('\n');
        }
    }

    /// Begins a line within so many containers.
    fn prefix(&mut self, levels: usize, blank: bool) {
        let start = self.out.len();
        for container in &mut self.containers[..levels] {
            match container {
                Container::Quote => self.out.push_str("> "),
                Container::Item { marker, written, .. } if !*written => {
                    self.out.push_str(marker);
                    *written = true;
                }
                Container::Item { marker, .. } => self.out.extend(std::iter::repeat_n(' ', marker.len())),
            }
        }
        if blank {
            let end = self.out.trim_end_matches(' ').len();
            self.out.truncate(end.max(start));
        }
    }
}
