//! What must hold of HTML as browsers read it, whatever anybody sent: also for `tests/fuzz`.

#![allow(dead_code, reason = "each of those who look uses its own part")]

use std::collections::BTreeSet;

use html5gum::{Token, Tokenizer};
use scraper::node::Element;
use scraper::{ElementRef, Html, Node, Selector};

/// Fails with what was found and all that is needed to see why.
macro_rules! ensure {
    ($holds:expr, $($about:expr),+) => {
        if !$holds {
            return Err([$(format!("{:?}", $about)),+].join("\n"));
        }
    };
}

const VOID: [&str; 5] = ["br", "hr", "img", "input", "meta"];

/// What leads to every file that is at hand.
pub(crate) const A_FILE: &str = "media/a%20file-1.png";

/// The elements that what somebody says may have.
const OF_BODIES: [&str; 30] = [
    "a",
    "audio",
    "b",
    "bdi",
    "blockquote",
    "br",
    "code",
    "del",
    "div",
    "em",
    "hr",
    "i",
    "img",
    "input",
    "label",
    "li",
    "mark",
    "ol",
    "p",
    "pre",
    "small",
    "span",
    "strong",
    "sub",
    "sup",
    "table",
    "td",
    "th",
    "tr",
    "video",
];
/// Beside them, what stands around it.
const OF_PAGES: [&str; 33] = [
    "article", "body", "details", "footer", "h1", "h2", "head", "header", "html", "main", "meta", "meter", "nav",
    "script", "section", "style", "summary", "tbody", "template", "thead", "time", "title", "u", "ul", "dl", "dt",
    "dd", "caption", "colgroup", "col", "figure", "output", "button",
];

fn selected<'a>(page: &'a Html, css: &str) -> Vec<ElementRef<'a>> {
    page.select(&Selector::parse(css).expect("it is a selector")).collect()
}

/// What a tree has, one after the other, as tags and text.
fn told(root: ElementRef<'_>) -> String {
    fn tell(node: ego_tree::NodeRef<'_, Node>, out: &mut String) {
        match node.value() {
            Node::Text(text) => out.push_str(text),
            // browsers put one around rows
            Node::Element(element) if element.name() == "tbody" => node.children().for_each(|child| tell(child, out)),
            Node::Element(element) => {
                out.extend(["⟦", element.name(), "⟧"]);
                node.children().for_each(|child| tell(child, out));
                if !VOID.contains(&element.name()) {
                    out.extend(["⟦/", element.name(), "⟧"]);
                }
            }
            _ => out.push_str("⟦?⟧"),
        }
    }
    let mut out = String::new();
    root.children().for_each(|child| tell(child, &mut out));
    out
}

/// The same as it is written.
fn written(html: &str) -> String {
    let mut out = String::new();
    for Ok(token) in Tokenizer::new(html) {
        match token {
            Token::StartTag(tag) => out.extend(["⟦", &String::from_utf8_lossy(&tag.name), "⟧"]),
            Token::EndTag(tag) => out.extend(["⟦/", &String::from_utf8_lossy(&tag.name), "⟧"]),
            Token::String(text) => out.push_str(&String::from_utf8_lossy(&text)),
            _ => out.push_str("⟦?⟧"),
        }
    }
    out
}

/// HTML of ours stays in its place, is read as the tree that is written, and has nothing but what is ours.
pub(crate) fn check_body(html: &str) -> Result<(), String> {
    let page = format!("<!DOCTYPE html><body><div id=\"q0q\">{html}</div><p id=\"q1q\">after</p>");
    let page = Html::parse_document(&page);
    let body = selected(&page, "body > div#q0q");
    ensure!(body.len() == 1 && selected(&page, "body > *").len() == 2, html);
    let after = selected(&page, "body > div#q0q + p#q1q");
    ensure!(after.len() == 1 && after[0].text().eq(["after"]), html);
    let (found, expected) = (told(body[0]), written(html));
    ensure!(found == expected, found, expected, html);
    for element in body[0].descendent_elements().filter(|element| element.id() != body[0].id()) {
        let name = element.value().name();
        ensure!(OF_BODIES.contains(&name) || ["u", "ul", "tbody"].contains(&name), name, html);
        check_attributes(element.value()).map_err(|fault| format!("{fault}\n{html:?}"))?;
        ensure!(element.value().id().is_none(), html);
    }
    Ok(())
}

/// What a tree says, without white space.
pub(crate) fn text_of(html: &str) -> String {
    let page = Html::parse_fragment(html);
    page.root_element().text().flat_map(str::chars).filter(|c| !c.is_whitespace()).collect()
}

fn check_attributes(element: &Element) -> Result<(), String> {
    for (name, value) in element.attrs() {
        let is_word = || {
            let is_of_word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b' ');
            value.len() <= 24 && value.bytes().all(is_of_word)
        };
        let holds = match name {
            "class" | "id" | "type" | "scope" | "start" | "min" | "max" | "value" | "dir" | "lang" | "open"
            | "hidden" | "width" | "height" | "loading" | "preload" | "controls" => is_word(),
            "title" | "aria-label" | "aria-hidden" | "aria-current" | "name" | "content" | "charset" | "http-equiv"
            | "alt" | "download" => true,
            "rel" => ["noreferrer noopener", "prev", "next"].contains(&value),
            "src" => value == A_FILE,
            "href" if value == A_FILE => element.attr("download").is_some(),
            "href" => is_ours(value) || is_web(value) && element.attr("rel") == Some("noreferrer noopener"),
            _ => false,
        };
        ensure!(holds, name, value);
    }
    Ok(())
}

/// Whether an address is one of those that messages may lead to.
fn is_web(href: &str) -> bool {
    let scheme = href.split_once(':').unwrap_or_default().0.to_lowercase();
    ["http", "https", "mailto", "matrix"].contains(&&*scheme)
}

/// Whether an address is within the archive.
fn is_ours(href: &str) -> bool {
    let (file, anchor) = href.split_once('#').unwrap_or((href, ""));
    let is_file =
        file.is_empty() || file.strip_suffix(".html").is_some() && !file.contains(':') && !file.starts_with('/');
    is_file && anchor.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// A page has one style and one script, which its policy names, and loads nothing; its ids are each there once. Returns the links to files
/// of the archive.
pub(crate) fn check_page(text: &str) -> Result<Vec<String>, String> {
    let page = Html::parse_document(text);
    let mut ids = BTreeSet::new();
    let mut links = Vec::new();
    for element in page.root_element().descendent_elements() {
        let name = element.value().name();
        ensure!(OF_BODIES.contains(&name) || OF_PAGES.contains(&name), name, text);
        check_attributes(element.value()).map_err(|fault| format!("{fault}\n{text}"))?;
        if let Some(id) = element.value().id() {
            ensure!(ids.insert(id.to_owned()), id, text);
        }
        links.extend(element.attr("href").filter(|href| is_ours(href)).map(str::to_owned));
    }
    for once in ["html", "head", "title", "style", "script", "main#top", "header", "h1", "meta[http-equiv]"] {
        ensure!(selected(&page, once).len() == 1, once, text);
    }
    let policy = selected(&page, "meta[http-equiv=Content-Security-Policy]")[0].attr("content").unwrap_or_default();
    ensure!(policy.starts_with("default-src 'none'; style-src 'sha256-"), policy);
    ensure!(!policy.contains("unsafe") && !policy.contains("http"), policy);
    // messages and what is around them end where they should
    let strays =
        selected(&page, "article article, article section, .g .g, .b .b, body > article, body > section, body > p");
    ensure!(strays.is_empty(), strays.len(), text);
    let hides = |c: char| c.is_control() && c != '\n' && c != '\t' || ('\u{202a}'..='\u{202e}').contains(&c);
    ensure!(!text.contains(hides), text);
    Ok(links)
}
