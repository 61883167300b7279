//! Matrix HTML as markdown.
//!
//! For the subset of the client-server specification ("m.room.message msgtypes", `org.matrix.custom.html`); other elements
//! are as if they were not there, their text is. Nothing is passed through: what comes out is written here, from marks and
//! text. Works on the tokens of the HTML, without a tree: the algorithm for trees repeats unclosed elements, by which 45 KB
//! become gigabytes. Time and memory are linear in the input, but for the prefixes of at most twelve levels of lists and
//! quotes.

mod blocks;
mod emphasis;
mod inline;
mod paragraph;
mod structure;
mod table;
#[cfg(test)]
mod tests;

use html5gum::{StartTag, Token, Tokenizer};

use self::blocks::{Blocks, OpenList};
pub(super) use self::inline::attribute;
use self::paragraph::{Mark, Paragraph};
use self::table::Table;
use super::markdown::text as markdown;

/// Elements that are open at once; the specification recommends this limit. Deeper ones are as if they were not there.
const MAX_DEPTH: usize = 100;

/// Renders HTML as blocks of markdown; none when there is nothing to see in it.
#[must_use]
pub fn from_html(html: &str) -> Option<String> {
    let mut collector = Collector::default();
    for Ok(token) in Tokenizer::new(html) {
        collector.token(token);
    }
    collector.finish();
    if collector.visible { collector.blocks.finish() } else { None }
}

/// The text that HTML shows, or at least its first `chars` characters, without markup and not escaped; none when there is
/// nothing to see.
#[must_use]
pub fn text(html: &str, chars: usize) -> Option<String> {
    let mut collector = Collector { plain: Some(String::new()), ..Collector::default() };
    for Ok(token) in Tokenizer::new(html) {
        collector.token(token);
        if collector.plain.as_ref().is_some_and(|text| text.len() > chars.saturating_mul(4)) {
            break;
        }
    }
    collector.finish();
    collector.plain.filter(|text| !text.is_empty())
}

/// The elements that matter beyond where they begin; those that mean the same are the same.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Tag {
    Strong,
    Emphasis,
    Deleted,
    Superscript,
    Subscript,
    Code,
    Link,
    Span,
    Heading,
    Quote,
    List,
    Item,
    Table,
    Row,
    Cell,
}

impl Tag {
    fn of(name: &[u8]) -> Option<Tag> {
        Some(match name {
            b"b" | b"strong" => Tag::Strong,
            b"i" | b"em" => Tag::Emphasis,
            b"del" | b"s" | b"strike" => Tag::Deleted,
            b"sup" => Tag::Superscript,
            b"sub" => Tag::Subscript,
            b"code" | b"tt" | b"kbd" | b"samp" => Tag::Code,
            b"a" => Tag::Link,
            b"span" => Tag::Span,
            b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" | b"summary" => Tag::Heading,
            b"blockquote" => Tag::Quote,
            b"ul" | b"ol" => Tag::List,
            b"li" => Tag::Item,
            b"table" => Tag::Table,
            b"tr" => Tag::Row,
            b"td" | b"th" => Tag::Cell,
            _ => return None,
        })
    }
}

/// An element that is open, and what its end has to undo.
#[derive(Debug)]
struct Element {
    tag: Tag,
    mark: bool,
    /// It opened a level of the blocks, or, if it is a table, is being collected.
    own: bool,
    spoiler: bool,
    list: Option<OpenList>,
}

/// An element whose content is not shown, and how many of its name are open.
#[derive(Debug)]
struct HiddenElement {
    name: Vec<u8>,
    depth: usize,
}

/// Preformatted text.
#[derive(Debug, Default)]
struct Preformatted {
    text: String,
    language: Option<String>,
}

#[derive(Debug, Default)]
struct Collector {
    blocks: Blocks,
    paragraph: Paragraph,
    open: Vec<Element>,
    table: Option<Table>,
    hidden: Option<HiddenElement>,
    preformatted: Option<Preformatted>,
    /// Collects text in place of blocks.
    plain: Option<String>,
    visible: bool,
}

impl Collector {
    fn token(&mut self, token: Token) {
        match token {
            Token::StartTag(tag) => self.start(&tag),
            Token::EndTag(tag) => self.end(&tag.name),
            Token::String(text) if self.hidden.is_none() => self.text(&String::from_utf8_lossy(&text)),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        match &mut self.preformatted {
            Some(preformatted) => preformatted.text.push_str(text),
            None => self.paragraph.push(text),
        }
    }

    fn start(&mut self, tag: &StartTag<()>) {
        if let Some(hidden) = &mut self.hidden {
            hidden.depth += usize::from(tag.name == hidden.name);
            return;
        }
        if let Some(preformatted) = &mut self.preformatted {
            match &**tag.name {
                b"br" => preformatted.text.push('\n'),
                b"code" if preformatted.language.is_none() => preformatted.language = language(tag),
                _ => {}
            }
            return;
        }
        match &**tag.name {
            b"img" => self.image(tag),
            b"br" => self.line_break(),
            b"hr" => {
                self.flush();
                self.block("___");
            }
            b"pre" => {
                self.flush();
                self.preformatted = Some(Preformatted::default());
            }
            b"div" if self.is_mathematics(tag) => {}
            b"mx-reply" | b"script" | b"style" | b"template" => self.hide(tag),
            name => match Tag::of(name) {
                Some(element) => self.open(element, tag),
                None if is_block(name) => self.flush(),
                None => {}
            },
        }
    }

    fn open(&mut self, element: Tag, tag: &StartTag<()>) {
        match element {
            Tag::Strong => self.mark(element, Mark::Strong),
            Tag::Emphasis => self.mark(element, Mark::Emphasis),
            Tag::Deleted => self.mark(element, Mark::Deleted),
            Tag::Superscript => self.mark(element, Mark::Superscript),
            Tag::Subscript => self.mark(element, Mark::Subscript),
            Tag::Code => self.mark(element, Mark::Code),
            Tag::Link => self.link(tag),
            Tag::Span => self.span(tag),
            Tag::Heading => self.heading(tag),
            Tag::Quote => self.quote(),
            Tag::List => self.list(tag),
            Tag::Item => self.item(),
            Tag::Table => self.start_table(),
            Tag::Row => self.row(),
            Tag::Cell => self.cell(tag),
        }
    }

    fn end(&mut self, name: &[u8]) {
        if let Some(hidden) = &mut self.hidden {
            hidden.depth -= usize::from(*hidden.name == *name);
            if hidden.depth == 0 {
                self.hidden = None;
            }
        } else if self.preformatted.is_some() {
            if name == b"pre" {
                self.end_preformatted();
            }
        } else if let Some(tag) = Tag::of(name) {
            self.close(tag);
        } else if is_block(name) {
            self.flush();
        }
    }

    fn finish(&mut self) {
        if self.preformatted.is_some() {
            self.end_preformatted();
        }
        self.close_to(0);
        self.flush();
    }

    /// Closes the innermost element of a kind with all that is in it, unless it is beyond what such an end tag reaches.
    fn close(&mut self, tag: Tag) {
        let reach = |open: Tag| match tag {
            Tag::Table => false,
            Tag::Row | Tag::Cell => open == Tag::Table,
            Tag::Item => matches!(open, Tag::List | Tag::Table | Tag::Cell),
            _ => matches!(open, Tag::Table | Tag::Cell),
        };
        for at in (0..self.open.len()).rev() {
            if self.open[at].tag == tag {
                return self.close_to(at);
            }
            if reach(self.open[at].tag) {
                return;
            }
        }
    }

    fn close_to(&mut self, depth: usize) {
        while self.open.len() > depth {
            let Some(element) = self.open.pop() else { return };
            if element.spoiler {
                self.paragraph.push("||");
            }
            match element.tag {
                Tag::Heading | Tag::Quote | Tag::List | Tag::Item | Tag::Table | Tag::Row | Tag::Cell => self.flush(),
                _ => {}
            }
            if element.mark {
                self.paragraph.close();
            }
            match element.tag {
                Tag::Quote if element.own => self.blocks.close(),
                Tag::Item if element.own => self.end_item(),
                Tag::List => {
                    if let Some(list) = element.list {
                        self.blocks.end_list(list);
                    }
                }
                Tag::Cell => {
                    if let Some(table) = &mut self.table {
                        table.close_cell();
                    }
                }
                Tag::Table if element.own => {
                    if let Some(table) = self.table.take() {
                        self.block(&table.markdown());
                    }
                }
                _ => {}
            }
        }
    }

    fn push(&mut self, tag: Tag) -> Option<&mut Element> {
        if self.open.len() >= MAX_DEPTH {
            return None;
        }
        self.open.push(Element { tag, mark: false, own: false, spoiler: false, list: None });
        self.open.last_mut()
    }

    fn end_preformatted(&mut self) {
        let Some(Preformatted { text, language }) = self.preformatted.take() else { return };
        if !text.trim().is_empty() {
            self.code_block(text.strip_prefix('\n').unwrap_or(&text), language.as_deref());
        }
    }

    fn code_block(&mut self, code: &str, language: Option<&str>) {
        if let Some(plain) = &mut self.plain {
            plain.extend([code.trim(), " "]);
        } else if self.table.as_mut().is_some_and(|table| table.cell().is_some()) {
            self.block(&markdown::code_cell(code.trim()));
        } else {
            self.block(&markdown::code_block(code, language));
        }
    }

    fn line_break(&mut self) {
        if !self.paragraph.break_line() {
            self.flush();
        }
    }

    /// Ends the paragraph.
    fn flush(&mut self) {
        let paragraph = self.paragraph.take();
        if let Some(plain) = &mut self.plain {
            if !paragraph.text().is_empty() {
                plain.extend([paragraph.text(), " "]);
            }
            return;
        }
        let cell = self.table.as_mut().is_some_and(|table| table.cell().is_some());
        self.block(&paragraph.markdown(cell));
    }

    fn block(&mut self, markdown: &str) {
        if markdown.is_empty() || self.plain.is_some() {
            return;
        }
        self.visible = true;
        match self.table.as_mut().and_then(Table::cell) {
            Some(cell) => {
                if !cell.is_empty() {
                    cell.push_str("<br>");
                }
                cell.push_str(markdown);
            }
            None => self.blocks.block(markdown),
        }
    }
}

/// The language of code: its class that begins with `language-`.
pub(super) fn language(tag: &StartTag<()>) -> Option<String> {
    let class = attribute(tag, b"class")?;
    class.split_whitespace().find_map(|class| class.strip_prefix("language-")).map(str::to_owned)
}

/// Whether an element's beginning and end are those of a paragraph.
pub(super) fn is_block(name: &[u8]) -> bool {
    let names: [&[u8]; 22] = [
        b"p",
        b"div",
        b"details",
        b"caption",
        b"thead",
        b"tbody",
        b"tfoot",
        b"dl",
        b"dt",
        b"dd",
        b"section",
        b"article",
        b"header",
        b"footer",
        b"main",
        b"nav",
        b"aside",
        b"center",
        b"address",
        b"figure",
        b"figcaption",
        b"fieldset",
    ];
    names.contains(&name)
}
