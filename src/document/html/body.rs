//! Senders' HTML, taken apart and written anew: the elements of the client-server specification ("m.room.message msgtypes",
//! `org.matrix.custom.html`) and no attribute but those written here. Of other elements the text stays.
//!
//! Works on tokens, without a tree: see `formatted`. Every element that is opened is closed, and none stands where browsers would move it
//! (`nesting`), so that what comes out is one tree wherever it is put. Time and memory are linear in the input.

mod colour;
mod nesting;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use html5gum::{StartTag, Token, Tokenizer};

use super::super::formatted::{attribute, is_block, language};
use super::super::visible::settled;
use super::text::{code, escape, escaped, inline, link};
use nesting::{ElementKind, OpenElement};

/// Renders HTML; none when there is nothing to see in it.
#[must_use]
pub fn from_html(html: &str) -> Option<String> {
    with_pictures(html, &BTreeMap::new())
}

/// The same with the pictures that are at hand: where each is, by its address; of others stands what they are called.
#[must_use]
pub fn with_pictures(html: &str, pictures: &BTreeMap<String, String>) -> Option<String> {
    let mut body = Body { pictures: Some(pictures), ..Body::default() };
    for Ok(token) in Tokenizer::new(html) {
        body.token(&token);
    }
    if body.preformatted.is_some() {
        body.end_preformatted();
    }
    body.close_to(0);
    body.visible.then_some(body.out)
}

/// An element whose content is not shown, and how many of its name are open.
#[derive(Debug)]
struct Hidden {
    name: Vec<u8>,
    depth: usize,
}

#[derive(Debug, Default)]
struct Body<'a> {
    pictures: Option<&'a BTreeMap<String, String>>,
    out: String,
    open: Vec<OpenElement>,
    hidden: Option<Hidden>,
    /// Preformatted text, and its language.
    preformatted: Option<(String, Option<String>)>,
    /// What opens the spoiler that was opened last.
    spoiler: String,
    visible: bool,
}

/// The elements within a line, by all their names: what opens and what closes them.
const INLINE: [(&str, &str, &str); 15] = [
    ("b", "<strong>", "</strong>"),
    ("strong", "<strong>", "</strong>"),
    ("i", "<em>", "</em>"),
    ("em", "<em>", "</em>"),
    ("u", "<u>", "</u>"),
    ("del", "<del>", "</del>"),
    ("s", "<del>", "</del>"),
    ("strike", "<del>", "</del>"),
    ("sup", "<sup>", "</sup>"),
    ("sub", "<sub>", "</sub>"),
    ("code", "<code>", "</code>"),
    ("tt", "<code>", "</code>"),
    ("kbd", "<code>", "</code>"),
    ("samp", "<code>", "</code>"),
    ("mark", "<mark>", "</mark>"),
];

const HEADINGS: [(&str, &str); 6] = [
    ("h1", "<p class=\"h1\">"),
    ("h2", "<p class=\"h2\">"),
    ("h3", "<p class=\"h3\">"),
    ("h4", "<p class=\"h3\">"),
    ("h5", "<p class=\"h3\">"),
    ("h6", "<p class=\"h3\">"),
];

impl Body<'_> {
    fn token(&mut self, token: &Token) {
        match token {
            Token::StartTag(tag) => self.start(tag),
            Token::EndTag(tag) => self.end(&tag.name),
            Token::String(text) if self.hidden.is_none() => self.text(&String::from_utf8_lossy(text)),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if let Some((preformatted, _)) = &mut self.preformatted {
            return preformatted.push_str(text);
        }
        if text.trim().is_empty() {
            // between a table's cells there is none
            if self
                .container()
                .is_none_or(|kind| !matches!(kind, ElementKind::Table | ElementKind::Row | ElementKind::List))
            {
                self.out.push_str(text.get(..1).filter(|text| *text == "\n").unwrap_or(" "));
            }
            return;
        }
        self.settle();
        self.visible = true;
        if self.open.iter().any(|element| element.close == "</code>") {
            self.out.push_str(&code(text));
        } else {
            let links = !self.open.iter().any(|element| element.kind == ElementKind::Link);
            escape(&mut self.out, &settled(text), links);
        }
    }

    fn start(&mut self, tag: &StartTag<()>) {
        if let Some(hidden) = &mut self.hidden {
            hidden.depth += usize::from(tag.name == hidden.name);
            return;
        }
        let Ok(name) = std::str::from_utf8(&tag.name) else { return };
        if let Some((text, known)) = &mut self.preformatted {
            match name {
                "br" => text.push('\n'),
                "code" if known.is_none() => *known = language(tag),
                _ => {}
            }
            return;
        }
        if let Some((name, open, close)) = INLINE.iter().find(|(known, ..)| *known == name) {
            self.settle();
            return self.push(ElementKind::Inline, name, open, close);
        }
        if let Some((name, open)) = HEADINGS.iter().find(|(known, _)| *known == name) {
            self.begin_block();
            return self.push(ElementKind::Paragraph, name, open, "</p>");
        }
        match name {
            "a" => self.link(tag),
            "span" | "font" => self.span(tag, name == "font"),
            "img" => self.image(tag),
            "br" => {
                self.settle();
                self.out.push_str("<br>");
            }
            "hr" => {
                self.begin_block();
                self.visible = true;
                self.out.push_str("<hr>");
            }
            "div" if self.is_mathematics(tag) => {}
            "p" => {
                self.begin_block();
                self.push(ElementKind::Paragraph, "p", "<p>", "</p>");
            }
            "pre" => {
                self.begin_block();
                self.preformatted = Some((String::new(), None));
            }
            "blockquote" => {
                self.begin_block();
                self.push(ElementKind::Block, "blockquote", "<blockquote>", "</blockquote>");
            }
            "summary" => {
                self.begin_block();
                self.push(ElementKind::Paragraph, "summary", "<p class=\"h3\">", "</p>");
            }
            "ul" => {
                self.begin_block();
                self.push(ElementKind::List, "ul", "<ul>", "</ul>");
            }
            "ol" => {
                self.begin_block();
                let start = attribute(tag, b"start").and_then(|start| start.trim().parse::<i32>().ok());
                let open = start.map_or_else(|| "<ol>".to_owned(), |start| format!("<ol start=\"{start}\">"));
                self.push(ElementKind::List, "ol", &open, "</ol>");
            }
            "li" => self.item(),
            "table" => {
                self.begin_block();
                self.push(ElementKind::Table, "table", "<table>", "</table>");
            }
            "tr" => self.row(),
            "td" => self.cell("td", "<td>", "</td>"),
            "th" => self.cell("th", "<th>", "</th>"),
            "mx-reply" | "script" | "style" | "template" => self.hide(tag),
            name if is_block(name.as_bytes()) && !matches!(name, "thead" | "tbody" | "tfoot") => {
                self.begin_block();
                self.push(ElementKind::Block, "div", "<div>", "</div>");
            }
            _ => {}
        }
    }

    fn link(&mut self, tag: &StartTag<()>) {
        self.settle();
        if let Some(at) = self.open.iter().rposition(|element| element.kind == ElementKind::Link) {
            // not beyond what an end tag reaches either: then it is none
            if self.open[at..].iter().any(|element| matches!(element.kind, ElementKind::Table | ElementKind::Cell)) {
                return;
            }
            self.close_to(at);
            self.settle();
        }
        let href = attribute(tag, b"href").unwrap_or_default();
        let mention = ["https://matrix.to/#/@", "https://matrix.to/#/%40", "matrix:u/"];
        match link(&href) {
            Some(open) if mention.iter().any(|begin| href.starts_with(begin)) => {
                self.push(ElementKind::Link, "a", &open.replacen("<a ", "<a class=\"me\" ", 1), "</a>");
            }
            Some(open) => self.push(ElementKind::Link, "a", &open, "</a>"),
            None if href.trim().is_empty() => {}
            None => {
                let shown: String = href.trim().chars().take(200).collect();
                self.push(ElementKind::Link, "a", &format!("<span title=\"{}\">", inline(&shown)), "</span>");
            }
        }
    }

    fn span(&mut self, tag: &StartTag<()>, is_font: bool) {
        if self.is_mathematics(tag) {
            return;
        }
        self.settle();
        let name = if is_font { "font" } else { "span" };
        let spoiler = attribute(tag, b"data-mx-spoiler");
        let is_in_one = self.open.iter().any(|element| element.kind == ElementKind::Spoiler);
        if let Some(reason) = spoiler.filter(|_| !is_in_one) {
            let reason = inline(&reason).0;
            let label = if reason.is_empty() { "spoiler".to_owned() } else { format!("spoiler: {reason}") };
            let open =
                format!("<label class=\"sp\"><input type=\"checkbox\" aria-label=\"{label}\"><i>{label}</i> <span>");
            return self.open_spoiler(name, open);
        }
        let first = if is_font { &b"color"[..] } else { b"data-mx-color" };
        let colour = attribute(tag, first).or_else(|| attribute(tag, b"data-mx-color"));
        let ground = attribute(tag, b"data-mx-bg-color");
        let colour = colour.and_then(|colour| colour::class(&colour)).map(|number| format!("k{number}"));
        let ground = ground.and_then(|ground| colour::class(&ground)).map(|number| format!("g{number}"));
        let classes = [colour, ground].into_iter().flatten().collect::<Vec<_>>().join(" ");
        let open = if classes.is_empty() { "<span>".to_owned() } else { format!("<span class=\"{classes}\">") };
        self.push(ElementKind::Inline, name, &open, "</span>");
    }

    fn open_spoiler(&mut self, name: &'static str, open: String) {
        self.push(ElementKind::Spoiler, name, &open, "</span></label>");
        self.spoiler = open;
    }

    /// Takes an element that is a formula: its source is shown in place of what it contains.
    fn is_mathematics(&mut self, tag: &StartTag<()>) -> bool {
        let Some(source) = attribute(tag, b"data-mx-maths").filter(|source| !source.trim().is_empty()) else {
            return false;
        };
        if &**tag.name == b"div" {
            self.begin_block();
            self.preformatted = Some((source.into_owned(), Some("math".to_owned())));
            self.end_preformatted();
        } else {
            self.settle();
            self.visible = true;
            self.out.extend(["<code>", &code(&source), "</code>"]);
        }
        self.hide(tag);
        true
    }

    fn hide(&mut self, tag: &StartTag<()>) {
        if !tag.self_closing {
            self.hidden = Some(Hidden { name: tag.name.to_vec(), depth: 1 });
        }
    }

    /// What an image is called: what it shows is elsewhere.
    fn image(&mut self, tag: &StartTag<()>) {
        self.settle();
        self.visible = true;
        let text = [&b"alt"[..], b"title"].into_iter().filter_map(|name| attribute(tag, name));
        let text = text.into_iter().find(|text| !text.trim().is_empty());
        let text = text.as_deref().unwrap_or("image");
        let source = attribute(tag, b"src");
        let here = source.and_then(|source| self.pictures?.get(&*source));
        let shown = here.map(|path| format!("<img src=\"{path}\" alt=\"{}\" loading=\"lazy\">", escaped(text)));
        let shown = shown.as_deref();
        if tag.attributes.contains_key(&b"data-mx-emoticon"[..]) {
            self.out.extend(["<span class=\"cu\">", shown.unwrap_or(&inline(text).0), "</span>"]);
        } else {
            let named = format!("🖼 {}", inline(text).0);
            self.out.extend(["<span class=\"im\">", shown.unwrap_or(&named), "</span>"]);
        }
    }

    fn end_preformatted(&mut self) {
        let Some((text, language)) = self.preformatted.take() else { return };
        let text = text.strip_prefix('\n').unwrap_or(&text).trim_end();
        if text.is_empty() {
            return;
        }
        self.visible = true;
        let language: String = language.unwrap_or_default().chars().take(40).collect();
        let label = if language.is_empty() {
            String::new()
        } else {
            format!("<span class=\"l\">{}</span>", escaped(&language))
        };
        self.out.extend(["<pre>", &label, "<code>", &code(text), "</code></pre>"]);
    }

    fn end(&mut self, name: &[u8]) {
        if let Some(hidden) = &mut self.hidden {
            hidden.depth -= usize::from(*hidden.name == *name);
            if hidden.depth == 0 {
                self.hidden = None;
            }
            return;
        }
        if self.preformatted.is_some() {
            if name == b"pre" {
                self.end_preformatted();
            }
            return;
        }
        self.close(name);
    }
}
