//! A paragraph as text with marks on it, and as markdown.
//!
//! Marks nest. Markdown cannot express every mark everywhere; one that it cannot express is left out, its text never is.

use super::emphasis::expressible;
use crate::document::markdown::text::{self as markdown, TextPosition, escape};
use crate::document::visible::{edits, spelled};

/// What a stretch of a paragraph is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mark {
    Strong,
    Emphasis,
    Deleted,
    Superscript,
    Subscript,
    Code,
    Link {
        target: String,
        mention: bool,
    },
    /// A link whose text is in an earlier paragraph.
    Spent,
}

impl Mark {
    /// Its delimiters, if it is one of those that depend on what is around them.
    pub(super) fn delimiter(&self) -> Option<&'static str> {
        match self {
            Mark::Strong => Some("**"),
            Mark::Emphasis => Some("*"),
            Mark::Deleted => Some("~~"),
            _ => None,
        }
    }

    /// Whether two marks' delimiters, side by side, are one run.
    pub(super) fn runs_into(&self, other: &Mark) -> bool {
        matches!((self.delimiter(), other.delimiter()), (Some(a), Some(b)) if a.as_bytes()[0] == b.as_bytes()[0])
    }
}

#[derive(Debug)]
pub(super) struct MarkedSpan {
    pub(super) mark: Mark,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A paragraph in the making: text, whose newlines are line breaks, and the marks on it, outer ones first.
#[derive(Debug, Default)]
pub(super) struct Paragraph {
    text: String,
    spans: Vec<MarkedSpan>,
    /// The marks that are not closed, as positions in `spans`.
    open: Vec<usize>,
    last_closed: Option<usize>,
}

impl Paragraph {
    /// Appends text as HTML shows it, with runs of white space as one space, but no-break spaces as they are.
    pub(super) fn push(&mut self, text: &str) {
        let is_space = |c: char| c.is_whitespace() && !matches!(c, '\u{a0}' | '\u{2007}' | '\u{202f}');
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if is_space(c) {
                if !(self.text.is_empty() || self.text.ends_with([' ', '\n'])) {
                    self.text.push(' ');
                }
                rest = rest.trim_start_matches(is_space);
            } else {
                let (word, after) = rest.split_at(rest.find(is_space).unwrap_or(rest.len()));
                self.text.push_str(word);
                rest = after;
            }
        }
    }

    /// Breaks the line; false if that would leave an empty line, which ends a paragraph.
    pub(super) fn break_line(&mut self) -> bool {
        if self.has(&Mark::Code) {
            self.push(" ");
            return true;
        }
        let text = self.text.trim_end_matches(' ');
        if text.is_empty() || text.ends_with('\n') {
            return false;
        }
        self.text.push('\n');
        true
    }

    /// Whether such a mark is open; of links, any.
    pub(super) fn has(&self, mark: &Mark) -> bool {
        let is_link = |mark: &Mark| matches!(mark, Mark::Link { .. } | Mark::Spent);
        self.open.iter().any(|span| {
            let open = &self.spans[*span].mark;
            open == mark || (is_link(open) && is_link(mark))
        })
    }

    pub(super) fn open(&mut self, mark: Mark) {
        let at = self.text.len();
        match self.last_closed.take() {
            Some(last) if self.spans[last].mark == mark && self.spans[last].end == at => self.open.push(last),
            _ => {
                self.open.push(self.spans.len());
                self.spans.push(MarkedSpan { mark, start: at, end: at });
            }
        }
    }

    /// Closes the mark that was opened last.
    pub(super) fn close(&mut self) {
        if let Some(span) = self.open.pop() {
            self.spans[span].end = self.text.len();
            self.last_closed = Some(span);
        }
    }

    /// Takes the paragraph out; what marks are open go on in the next one, except for links, which come once.
    pub(super) fn take(&mut self) -> Paragraph {
        let end = self.text.len();
        let mut next = Paragraph::default();
        for span in &self.open {
            let span = &mut self.spans[*span];
            span.end = end;
            let mark = match &span.mark {
                Mark::Link { .. } if !self.text[span.start..].trim().is_empty() => Mark::Spent,
                mark => mark.clone(),
            };
            next.open(mark);
        }
        std::mem::replace(self, next)
    }

    /// The text; empty when there is nothing to see.
    pub(super) fn text(&self) -> &str {
        self.text.trim()
    }

    /// The markdown; empty when there is nothing to see.
    pub(super) fn markdown(mut self, cell: bool) -> String {
        if self.text().is_empty() {
            return String::new();
        }
        self.settle();
        self.trim_spans();
        let out = String::with_capacity(self.text.len() + 16);
        let mut writer = MarkWriter {
            text: &self.text,
            out,
            cell,
            plain: self.spans.is_empty() && !cell,
            in_link: false,
            code_end: None,
        };
        let expressible = expressible(&self.text, &self.spans);
        let mut open: Vec<(&MarkedSpan, Written)> = Vec::new();
        let (mut at, mut skip) = (0, 0);
        for (span, expressible) in self.spans.iter().zip(expressible) {
            if !expressible || span.start < skip {
                continue;
            }
            while let Some((last, _)) = open.last().filter(|(last, _)| last.end <= span.start) {
                writer.write(at..last.end, &open);
                at = last.end;
                if let Some((last, written)) = open.pop() {
                    writer.close(last, written);
                }
            }
            writer.write(at..span.start, &open);
            at = span.start;
            match writer.open(span) {
                Written::Whole => {
                    at = span.end;
                    skip = span.end;
                }
                written => open.push((span, written)),
            }
        }
        while let Some((last, _)) = open.last() {
            writer.write(at..last.end, &open);
            at = last.end;
            if let Some((last, written)) = open.pop() {
                writer.close(last, written);
            }
        }
        writer.write(at..self.text.len(), &open);
        writer.out
    }

    /// Ends what sets a direction where its line ends, and shows what does not end; code shows it all.
    fn settle(&mut self) {
        let code = self.spans.iter().filter(|span| span.mark == Mark::Code).map(|span| span.start..span.end);
        let edits = edits(&self.text, &code.collect::<Vec<_>>());
        if edits.is_empty() {
            return;
        }
        let (mut text, mut copied) = (String::with_capacity(self.text.len() + 16), 0);
        // where what stands behind each edit goes
        let mut moved = Vec::with_capacity(edits.len());
        for edit in edits {
            text.push_str(&self.text[copied..edit.at]);
            text.push_str(&edit.put);
            copied = edit.at + edit.taken;
            moved.push((copied, text.len()));
        }
        text.push_str(&self.text[copied..]);
        let place = |at: usize| match moved.partition_point(|(before, _)| *before <= at) {
            0 => at,
            behind => moved[behind - 1].1 + (at - moved[behind - 1].0),
        };
        for span in &mut self.spans {
            (span.start, span.end) = (place(span.start), place(span.end));
        }
        self.text = text;
    }

    /// Moves white space out of the marks, since no delimiter may touch it, and drops the marks on nothing.
    fn trim_spans(&mut self) {
        for span in &mut self.spans {
            let marked = &self.text[span.start..span.end];
            span.start += marked.len() - marked.trim_start().len();
            span.end -= marked.len() - marked.trim_end().len();
        }
        let text = &self.text;
        self.spans.retain(|span| span.start < span.end && span.mark != Mark::Spent && !imitates(text, span));
    }
}

/// Whether a mark makes text look like a line of the transcript's own: a name before a time, or small print.
fn imitates(text: &str, span: &MarkedSpan) -> bool {
    match span.mark {
        Mark::Subscript => {
            let before = text[..span.start].trim_end_matches(|c: char| c != '\n' && c.is_whitespace());
            before.is_empty() || before.ends_with('\n')
        }
        Mark::Strong => text[span.end..].trim_start().strip_prefix('·').is_some_and(|time| is_time(time.trim_start())),
        _ => false,
    }
}

/// Whether this begins with a time of day, known or not.
fn is_time(text: &str) -> bool {
    let is_part = |c: &char| c.is_numeric() || matches!(c, ':' | '-');
    text.chars().take(5).take_while(is_part).count() == 5
}

/// What has been written for a mark's beginning.
enum Written {
    /// What its end needs.
    Start,
    /// Nothing, since it is a link to where links must not lead.
    Nothing,
    /// All of it.
    Whole,
}

struct MarkWriter<'a> {
    text: &'a str,
    out: String,
    cell: bool,
    /// There is no mark.
    plain: bool,
    in_link: bool,
    /// Where in `out` code ended last: more code must not follow at once.
    code_end: Option<usize>,
}

impl MarkWriter<'_> {
    fn write(&mut self, range: std::ops::Range<usize>, open: &[(&MarkedSpan, Written)]) {
        let links = !open.iter().any(|(span, _)| matches!(span.mark, Mark::Link { .. }));
        let text = self.text;
        let text = if range.end == text.len() { text[range].trim_end() } else { &text[range] };
        let mut rest = text.split('\n').enumerate().peekable();
        while let Some((n, line)) = rest.next() {
            // trimmed first, since how to escape depends on what follows
            let line = if rest.peek().is_some() { line.trim_end_matches(' ') } else { line };
            if n > 0 {
                self.out.push_str(if self.cell { "<br>" } else { "  \n" });
            }
            let line_start = self.out.is_empty() || self.out.ends_with('\n');
            let line = if line_start { line.trim_start_matches(' ') } else { line };
            self.escape(line, line_start, links);
        }
    }

    fn escape(&mut self, line: &str, line_start: bool, links: bool) {
        // a link's text that begins like a footnote or an alert
        if line.starts_with(['^', '!']) && self.out.ends_with('[') {
            self.out.push('\\');
        }
        escape(&mut self.out, line, TextPosition { line_start, whole_line: self.plain, cell: self.cell, links });
    }

    fn open(&mut self, span: &MarkedSpan) -> Written {
        let content = &self.text[span.start..span.end];
        match &span.mark {
            Mark::Code => {
                self.code(content);
                return Written::Whole;
            }
            Mark::Link { target, mention } => {
                if let Some(own) = markdown::autolink(content).filter(|_| content == target.trim()) {
                    self.out.push_str(&own);
                    return Written::Whole;
                }
                if markdown::target(target).is_none() {
                    return Written::Nothing;
                }
                // what would make an image or a footnote of the link
                if let Some(c @ ('!' | '^')) = self.out.chars().next_back() {
                    self.out.pop();
                    self.out.extend(['\\', c]);
                }
                self.out.push('[');
                self.in_link = true;
                if *mention && !content.starts_with('@') {
                    self.out.push('@');
                }
            }
            Mark::Superscript => self.out.push_str("<sup>"),
            Mark::Subscript => self.out.push_str("<sub>"),
            mark => self.out.push_str(mark.delimiter().unwrap_or_default()),
        }
        Written::Start
    }

    fn close(&mut self, span: &MarkedSpan, written: Written) {
        match (&span.mark, written) {
            (Mark::Link { target, .. }, Written::Start) => {
                let target = markdown::target(target).unwrap_or_default();
                self.out.extend(["](", &target, ")"]);
                self.in_link = false;
            }
            (Mark::Link { target, .. }, _) => {
                let target = target.trim();
                if !target.is_empty() {
                    self.out.push(' ');
                    self.code(&target.chars().take(200).collect::<String>());
                }
            }
            (Mark::Superscript, _) => self.out.push_str("</sup>"),
            (Mark::Subscript, _) => self.out.push_str("</sub>"),
            (mark, _) => self.out.push_str(mark.delimiter().unwrap_or_default()),
        }
    }

    fn code(&mut self, code: &str) {
        // more code at once would be the same; a bracket and a colon in it would make a definition of a link
        let is_unclear = self.code_end == Some(self.out.len()) || (self.in_link && code.contains(']'));
        match markdown::code_in(code, self.cell).filter(|_| !is_unclear) {
            Some(span) => self.out.push_str(&span),
            None => self.escape(&spelled(&code.replace('\n', " "), false), false, false),
        }
        self.code_end = Some(self.out.len());
    }
}
