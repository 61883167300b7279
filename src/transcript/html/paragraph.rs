//! A paragraph as text with marks on it, and as markdown.
//!
//! Marks nest. Markdown cannot express every mark everywhere (CommonMark 0.31, "Emphasis and strong emphasis": a delimiter
//! opens or closes only next to the right characters); one that it cannot express is left out, its text never is.

use std::collections::HashSet;

use crate::transcript::markdown::{self, Place, escape, is_word};

/// What a stretch of a paragraph is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mark {
    Strong,
    Emphasis,
    Deleted,
    Superscript,
    Subscript,
    Code,
    Link { target: String, mention: bool },
    /// A link whose text is in an earlier paragraph.
    Spent,
}

impl Mark {
    /// Its delimiters, if it is one of those that depend on what is around them.
    fn delimiter(&self) -> Option<&'static str> {
        match self {
            Mark::Strong => Some("**"),
            Mark::Emphasis => Some("*"),
            Mark::Deleted => Some("~~"),
            _ => None,
        }
    }

    /// Whether two marks' delimiters, side by side, are one run.
    fn runs_into(&self, other: &Mark) -> bool {
        matches!((self.delimiter(), other.delimiter()), (Some(a), Some(b)) if a.as_bytes()[0] == b.as_bytes()[0])
    }
}

#[derive(Debug)]
struct Span {
    mark: Mark,
    start: usize,
    end: usize,
}

/// A paragraph in the making: text, whose newlines are line breaks, and the marks on it, outer ones first.
#[derive(Debug, Default)]
pub(super) struct Paragraph {
    text: String,
    spans: Vec<Span>,
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
                self.spans.push(Span { mark, start: at, end: at });
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
        self.trim_spans();
        let mut writer = Writer { text: &self.text, out: String::with_capacity(self.text.len() + 16), cell, code_end: None };
        let expressible = expressible(&self.text, &self.spans);
        let mut open: Vec<(&Span, Written)> = Vec::new();
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
        let end = writer.out.trim_end_matches([' ', '\n']).len();
        writer.out.truncate(end);
        writer.out
    }

    /// Moves white space out of the marks, since no delimiter may touch it, and drops the marks on nothing.
    fn trim_spans(&mut self) {
        for span in &mut self.spans {
            let marked = &self.text[span.start..span.end];
            span.start += marked.len() - marked.trim_start().len();
            span.end -= marked.len() - marked.trim_end().len();
        }
        self.spans.retain(|span| span.start < span.end && span.mark != Mark::Spent);
    }
}

/// Which spans markdown can express where they are.
fn expressible(text: &str, spans: &[Span]) -> Vec<bool> {
    let mut result = vec![true; spans.len()];
    // whether other markup than the same run of delimiters follows an opening one, or precedes a closing one
    let mut inner_start = vec![false; spans.len()];
    for outer in (0..spans.len().saturating_sub(1)).rev() {
        let inner = outer + 1;
        if spans[inner].start == spans[outer].start && spans[inner].start < spans[outer].end {
            inner_start[outer] = inner_start[inner] || !spans[outer].mark.runs_into(&spans[inner].mark);
        }
    }
    let mut inner_end = vec![false; spans.len()];
    let mut enclosing: Vec<usize> = Vec::new();
    for inner in 0..=spans.len() {
        let start = spans.get(inner).map_or(usize::MAX, |span| span.start);
        while let Some(closed) = enclosing.pop_if(|span| spans[*span].end <= start) {
            if let Some(outer) = enclosing.last().filter(|outer| spans[**outer].end == spans[closed].end) {
                inner_end[*outer] = inner_end[closed] || !spans[*outer].mark.runs_into(&spans[closed].mark);
            }
        }
        enclosing.push(inner);
    }
    let mut ends = HashSet::new();
    for (at, span) in spans.iter().enumerate() {
        let Some(delimiter) = span.mark.delimiter() else { continue };
        let opens = flanks(
            text[..span.start].chars().next_back(),
            text[span.start..].chars().next().filter(|_| !inner_start[at]),
        );
        let closes = flanks(text[span.end..].chars().next(), text[..span.end].chars().next_back().filter(|_| !inner_end[at]));
        // a run that closes and opens at once is read in more than one way
        let key = |at: usize| (at, delimiter.as_bytes()[0]);
        result[at] = opens && closes && !ends.contains(&key(span.start));
        if result[at] {
            ends.insert(key(span.end));
        }
    }
    result
}

/// Whether a delimiter between these characters surely works; an inner one that is none is markup.
fn flanks(outer: Option<char>, inner: Option<char>) -> bool {
    let apart = outer.is_none_or(|c| c.is_whitespace() || c.is_ascii_punctuation() || is_common_punctuation(c));
    apart || inner.is_some_and(is_word)
}

/// Punctuation by every version of Unicode and of CommonMark.
fn is_common_punctuation(c: char) -> bool {
    matches!(c, '¡' | '§' | '«' | '»' | '¿' | '\u{2010}'..='\u{2027}' | '\u{3001}'..='\u{3003}' | '\u{3008}'..='\u{3011}')
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

struct Writer<'a> {
    text: &'a str,
    out: String,
    cell: bool,
    /// Where in `out` code ended last: more code must not follow at once.
    code_end: Option<usize>,
}

impl Writer<'_> {
    fn write(&mut self, range: std::ops::Range<usize>, open: &[(&Span, Written)]) {
        let links = !open.iter().any(|(span, _)| matches!(span.mark, Mark::Link { .. }));
        for (n, line) in self.text[range].split('\n').enumerate() {
            if n > 0 {
                self.out.truncate(self.out.trim_end_matches(' ').len());
                self.out.push_str(if self.cell { "<br>" } else { "  \n" });
            }
            let line_start = self.out.is_empty() || self.out.ends_with('\n');
            let line = if line_start { line.trim_start_matches(' ') } else { line };
            self.escape(line, line_start, links);
        }
    }

    fn escape(&mut self, line: &str, line_start: bool, links: bool) {
        escape(&mut self.out, line, Place { line_start, whole_line: false, cell: self.cell, links });
    }

    fn open(&mut self, span: &Span) -> Written {
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
                if content.starts_with(['^', '!']) {
                    self.out.push('\\');
                } else if *mention && !content.starts_with('@') {
                    self.out.push('@');
                }
            }
            Mark::Superscript => self.out.push_str("<sup>"),
            Mark::Subscript => self.out.push_str("<sub>"),
            mark => self.out.push_str(mark.delimiter().unwrap_or_default()),
        }
        Written::Start
    }

    fn close(&mut self, span: &Span, written: Written) {
        match (&span.mark, written) {
            (Mark::Link { target, .. }, Written::Start) => {
                let target = markdown::target(target).unwrap_or_default();
                self.out.extend(["](", &target, ")"]);
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
        let follows_code = self.code_end == Some(self.out.len());
        match code_in(code, self.cell).filter(|_| !follows_code) {
            Some(span) => self.out.push_str(&span),
            None => self.escape(&code.replace('\n', " "), false, false),
        }
        self.code_end = Some(self.out.len());
    }
}

/// A span of code, in a table's cell if so; none when that cannot be expressed.
pub(super) fn code_in(code: &str, cell: bool) -> Option<String> {
    let span = markdown::code_span(code);
    match cell && span.contains('|') {
        true if span.contains("\\|") || span.contains("\\\\") => None,
        true => Some(span.replace('|', "\\|")),
        false => Some(span),
    }
}
