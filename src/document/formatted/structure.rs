//! The elements that contain blocks: headings, quotes, lists, tables. None nests deeper than `MAX_DEPTH`.

use html5gum::StartTag;

use super::blocks::OpenList;
use super::inline::attribute;
use super::paragraph::Mark;
use super::table::Table;
use super::{Collector, MAX_DEPTH, Tag};

impl Collector {
    /// A heading is a strong line: the transcript has headings of its own.
    pub(super) fn heading(&mut self, tag: &StartTag<()>) {
        self.flush();
        self.mark(Tag::Heading, Mark::Strong);
        if tag.name == b"summary" {
            self.paragraph.push("▸ ");
        }
    }

    pub(super) fn quote(&mut self) {
        self.flush();
        let own = self.has_room();
        if let Some(element) = self.push(Tag::Quote)
            && own
        {
            element.own = true;
            self.blocks.open_quote();
        }
    }

    pub(super) fn list(&mut self, tag: &StartTag<()>) {
        self.flush();
        let start = attribute(tag, b"start").and_then(|start| start.trim().parse().ok());
        let start = start.filter(|start| *start <= 999_999_999).unwrap_or(1);
        let list = self.blocks.list((tag.name == b"ol").then_some(start));
        if let Some(element) = self.push(Tag::List) {
            element.list = Some(list);
        }
    }

    pub(super) fn item(&mut self) {
        self.close(Tag::Item);
        self.flush();
        if self.open.len() >= MAX_DEPTH {
            return;
        }
        let own = self.has_room();
        let mut alone = self.blocks.list(None);
        let list = self.open.iter_mut().rev().find_map(|element| element.list.as_mut()).unwrap_or(&mut alone);
        if own {
            self.blocks.open_item(list);
        } else {
            let marker = if list.is_numbered() { list.marker() } else { "• ".to_owned() };
            self.paragraph.push(&marker);
        }
        if let Some(element) = self.push(Tag::Item) {
            element.own = own;
        }
    }

    pub(super) fn end_item(&mut self) {
        let list = self.open.iter().rev().find_map(|element| element.list.as_ref());
        if self.blocks.item_is_empty() && list.is_some_and(OpenList::is_numbered) {
            // so that the next one keeps its number
            self.blocks.block("\u{a0}");
        }
        self.blocks.close();
    }

    /// Whether quotes and lists can be expressed here.
    pub(super) fn has_room(&mut self) -> bool {
        let in_cell = self.table.as_mut().is_some_and(|table| table.cell().is_some());
        !in_cell && self.plain.is_none() && !self.blocks.level_is_full()
    }

    pub(super) fn start_table(&mut self) {
        self.flush();
        let own = self.table.is_none() && self.plain.is_none();
        if let Some(element) = self.push(Tag::Table)
            && own
        {
            element.own = true;
            self.table = Some(Table::default());
        }
    }

    pub(super) fn row(&mut self) {
        self.flush();
        if self.close_to_table(Tag::Row)
            && self.push(Tag::Row).is_some()
            && let Some(table) = &mut self.table
        {
            table.open_row();
        }
    }

    pub(super) fn cell(&mut self, tag: &StartTag<()>) {
        self.flush();
        if self.close_to_table(Tag::Cell)
            && self.push(Tag::Cell).is_some()
            && let Some(table) = &mut self.table
        {
            table.open_cell(tag.name == b"th");
        }
    }

    /// Closes what is open in the innermost table, down to the row if it is for a cell; false if there is no table, or it
    /// is one within a cell.
    pub(super) fn close_to_table(&mut self, new: Tag) -> bool {
        let Some(table) = self.open.iter().rposition(|element| element.tag == Tag::Table) else { return false };
        let own = self.open[table].own;
        if own {
            let row = self.open.get(table + 1).is_some_and(|element| element.tag == Tag::Row);
            self.close_to(table + 1 + usize::from(row && new == Tag::Cell));
        }
        own
    }
}
