//! A table in the making, and as markdown. Holds one of them, whose texts are markdown.

/// A table's rows, their cells markdown.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    cell: Option<String>,
    headed: bool,
}

impl Table {
    pub(super) fn open_row(&mut self) {
        self.rows.push(Vec::new());
    }

    pub(super) fn open_cell(&mut self, heading: bool) {
        if self.rows.is_empty() {
            self.open_row();
        }
        self.headed |= heading && self.rows.len() == 1;
        self.cell = Some(String::new());
    }

    pub(super) fn close_cell(&mut self) {
        if let (Some(row), Some(cell)) = (self.rows.last_mut(), self.cell.take()) {
            row.push(cell);
        }
    }

    /// The cell that is open.
    pub(super) fn cell(&mut self) -> Option<&mut String> {
        self.cell.as_mut()
    }

    /// The markdown; empty when no cell has anything. Markdown's tables have a heading, if an empty one.
    pub(super) fn markdown(mut self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        if self.rows.iter().flatten().all(String::is_empty) {
            return String::new();
        }
        let first = if self.headed { self.rows.remove(0) } else { Vec::new() };
        let mut out = String::from("|");
        for column in 0..columns {
            cell(&mut out, first.get(column).map_or("", String::as_str));
        }
        out.push_str("\n|");
        out.extend(std::iter::repeat_n("---|", columns));
        for row in self.rows.iter().filter(|row| !row.is_empty()) {
            out.push_str("\n|");
            for text in row {
                cell(&mut out, text);
            }
        }
        out
    }
}

fn cell(out: &mut String, text: &str) {
    out.push(' ');
    out.push_str(text);
    out.push_str(if text.is_empty() { "|" } else { " |" });
}
