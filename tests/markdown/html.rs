//! Matrix HTML: any tree says its text and no more than its marks; any text at all does no harm.

use proptest::prelude::*;
use synapse_export::document::formatted::from_html;
use synapse_export::document::html::{body, escaped};

use crate::oracles::check_frame;
use crate::text::{cases, text};
use crate::tree::{check_body, text_of};

#[derive(Clone, Debug)]
enum Node {
    Text(String),
    Break,
    Rule,
    Element(&'static str, Vec<Node>),
}

const ELEMENTS: [&str; 27] = [
    "b",
    "strong",
    "i",
    "em",
    "del",
    "s",
    "u",
    "sup",
    "sub",
    "code",
    "a",
    "span",
    "font",
    "p",
    "div",
    "h1",
    "h6",
    "ul",
    "ol",
    "blockquote",
    "pre",
    "table",
    "details",
    "b",
    "em",
    "a",
    "code",
];

fn tree() -> impl Strategy<Value = Vec<Node>> {
    let leaf = prop_oneof![8 => text().prop_map(Node::Text), 1 => Just(Node::Break), 1 => Just(Node::Rule), 3 => "[a-z ]{1,3}".prop_map(Node::Text)];
    let node = leaf.prop_recursive(5, 40, 4, |inner| {
        (prop::sample::select(&ELEMENTS[..]), prop::collection::vec(inner, 0..4))
            .prop_map(|(name, children)| Node::Element(name, children))
    });
    prop::collection::vec(node, 1..5)
}

/// A character and whether it is strong, emphasised, struck.
type Marked = (char, [bool; 3]);

fn write(nodes: &[Node], marks: [bool; 3], in_table: bool, in_pre: bool, html: &mut String, shown: &mut Vec<Marked>) {
    for node in nodes {
        match node {
            Node::Text(text) => {
                html.push_str(&text.replace('&', "&amp;").replace('<', "&lt;"));
                shown.extend(text.chars().filter(|c| !c.is_whitespace()).map(|c| (c, marks)));
            }
            Node::Break => html.push_str("<br>"),
            Node::Rule => {
                if !in_table {
                    html.push_str("<hr/>");
                }
            }
            Node::Element(name, children) => {
                let mut inner = marks;
                match *name {
                    "b" | "strong" | "h1" | "h6" => inner[0] = true,
                    "i" | "em" => inner[1] = true,
                    "del" | "s" => inner[2] = true,
                    _ => {}
                }
                let mut put = |open: &str, children: &[Node], close: &str, in_table, in_pre| {
                    html.push_str(open);
                    write(children, inner, in_table, in_pre, html, shown);
                    html.push_str(close);
                };
                match *name {
                    "ul" | "ol" if !in_table && !in_pre => {
                        put(&format!("<{name}>"), &[], "", true, false);
                        for child in children {
                            put("<li>", std::slice::from_ref(child), "</li>", in_table, in_pre);
                        }
                        put("", &[], &format!("</{name}>"), true, false);
                    }
                    "table" => {
                        put("<table><tr>", &[], "", true, false);
                        for (n, child) in children.iter().enumerate() {
                            put(["<td>", "</tr><tr><td>"][n % 2], std::slice::from_ref(child), "</td>", true, in_pre);
                        }
                        put("", &[], "</tr></table>", true, false);
                    }
                    "a" => put("<a href=\"https://example.org/?a=(b)&amp;c;\">", children, "</a>", in_table, in_pre),
                    // its end would be that of the outer one
                    "pre" if in_pre => put("<i>", children, "</i>", in_table, in_pre),
                    "pre" => put("<pre>", children, "</pre>", in_table, true),
                    "ul" | "ol" => put("<div>", children, "</div>", in_table, in_pre),
                    name => put(&format!("<{name}>"), children, &format!("</{name}>"), in_table, in_pre),
                }
            }
        }
    }
}

/// What a parser read, as characters with their marks.
fn marked(read: &str) -> Vec<Marked> {
    let (mut marks, mut shown) = ([0_usize; 3], Vec::new());
    let mut rest = read;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c != '⟦' {
            if !c.is_whitespace() {
                shown.push((c, marks.map(|n| n > 0)));
            }
            continue;
        }
        let (element, after) = rest.split_once('⟧').expect("what is opened is closed");
        rest = after;
        match element {
            "strong" => marks[0] += 1,
            "/strong" => marks[0] -= 1,
            "em" => marks[1] += 1,
            "/em" => marks[1] -= 1,
            "del" => marks[2] += 1,
            "/del" => marks[2] -= 1,
            "html" => rest = rest.split_once("⟦/html⟧").expect("what is opened is closed").1,
            _ => {}
        }
    }
    shown
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(512), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_tree_says_its_text(tree in tree()) {
        let (mut html, mut shown) = (String::new(), Vec::new());
        write(&tree, [false; 3], false, false, &mut html, &mut shown);
        let markdown = from_html(&html).unwrap_or_default();
        let page = body::from_html(&html).unwrap_or_default();
        if markdown.is_empty() {
            prop_assert!(shown.is_empty(), "{}", html);
            return Ok(());
        }
        check_body(&page).map_err(TestCaseError::fail)?;
        let spelled = |c: &char| escaped(&c.to_string()).len() > 7;
        // what hides is spelled out by what is around it
        if !shown.iter().any(|(c, _)| spelled(c) || !c.is_ascii()) {
            prop_assert_eq!(text_of(&page), shown.iter().map(|(c, _)| *c).collect::<String>(), "{}\n{}", html, page);
        }
        for found in check_frame(&markdown).map_err(TestCaseError::fail)? {
            let found: Vec<Marked> = marked(&found);
            let text = |shown: &[Marked]| shown.iter().map(|(c, _)| *c).collect::<String>();
            prop_assert_eq!(text(&found), text(&shown), "{}\n{}", html, markdown);
            for ((c, found), (_, meant)) in found.iter().zip(&shown) {
                for (found, meant) in found.iter().zip(meant) {
                    prop_assert!(*meant || !found, "{} is marked\n{}\n{}", c, html, markdown);
                }
            }
        }
    }

    #[test]
    fn any_html_is_harmless(html in hostile()) {
        if let Some(markdown) = from_html(&html) {
            prop_assert!(markdown.len() < 4000 + 60 * html.len());
            check_frame(&markdown).map_err(TestCaseError::fail)?;
        }
        if let Some(page) = body::from_html(&html) {
            prop_assert!(page.len() < 4000 + 60 * html.len());
            check_body(&page).map_err(TestCaseError::fail)?;
        }
    }

    #[test]
    fn any_bytes_are_harmless(html in any::<String>()) {
        if let Some(markdown) = from_html(&html) {
            check_frame(&markdown).map_err(TestCaseError::fail)?;
        }
        if let Some(page) = body::from_html(&html) {
            check_body(&page).map_err(TestCaseError::fail)?;
        }
        check_body(&escaped(&html)).map_err(TestCaseError::fail)?;
    }
}

/// Tag soup.
fn hostile() -> impl Strategy<Value = String> {
    let names = prop::sample::select(vec![
        "b",
        "i",
        "del",
        "sup",
        "code",
        "a",
        "span",
        "p",
        "div",
        "h2",
        "ul",
        "ol",
        "li",
        "blockquote",
        "pre",
        "table",
        "tr",
        "td",
        "th",
        "details",
        "summary",
        "img",
        "hr",
        "br",
        "mx-reply",
        "script",
        "caption",
        "thead",
        "svg",
        "textarea",
        "BUTTON",
    ]);
    let attribute = prop_oneof![
        (
            prop::sample::select(vec!["href", "src"]),
            prop::sample::select(vec![
                "https://a.b/",
                "javascript:",
                "mxc://a.b/c",
                "mxc://a b/c",
                "data:text/html,",
                "//x",
                "matrix:u/a:b",
                "https://matrix.to/#/@a:b"
            ]),
            text()
        )
            .prop_map(|(name, scheme, rest)| format!(" {name}=\"{scheme}{}\"", rest.replace('"', "&quot;"))),
        (
            prop::sample::select(vec![
                "alt",
                "title",
                "class",
                "start",
                "data-mx-spoiler",
                "data-mx-color",
                "style",
                "id",
                "data-mx-maths",
                "data-mx-emoticon",
                "onclick"
            ]),
            prop_oneof![text(), "language-[a-z`\n ]{0,3}", "-?[0-9]{0,12}"]
        )
            .prop_map(|(name, value)| format!(" {name}=\"{}\"", value.replace('"', "&quot;"))),
    ];
    let piece = prop_oneof![
        4 => (names.clone(), prop::collection::vec(attribute, 0..3)).prop_map(|(name, attributes)| format!("<{name}{}>", attributes.concat())),
        3 => names.prop_map(|name| format!("</{name}>")),
        4 => text().prop_map(|text| text.replace('<', "&lt;")),
        1 => text(),
        1 => Just(" ".to_owned()),
        1 => prop::sample::select(vec!["&#x202e;", "&#0;", "&nbsp;", "<!--", "-->", "<![CDATA[", "&#10;", "&Tab;", "<a href='"]).prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}
