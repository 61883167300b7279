//! Markdown as two parsers read it: elements as words in brackets, text with its white space collapsed.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// What `pulldown-cmark` and `comrak`, with GitHub's extensions and some more, read.
pub(crate) fn read(markdown: &str) -> [String; 2] {
    [pulldown(markdown), comrak(markdown)]
}

fn collapsed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn pulldown(markdown: &str) -> String {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS
        | Options::ENABLE_PLUSES_DELIMITED_METADATA_BLOCKS
        | Options::ENABLE_MATH
        | Options::ENABLE_GFM;
    let mut out = String::new();
    for event in Parser::new_ext(markdown, options) {
        match event {
            Event::Start(tag) => out.push_str(&opening(&tag)),
            Event::End(tag) => out.push_str(&closing(tag)),
            Event::Text(text) => out.push_str(&text),
            Event::SoftBreak => out.push('\n'),
            Event::HardBreak => out.push_str(" ⟦br⟧ "),
            Event::Code(code) => out.extend(["⟦code⟧", &code, "⟦/code⟧"]),
            Event::Html(html) | Event::InlineHtml(html) => out.extend(["⟦html⟧", &html, "⟦/html⟧"]),
            Event::Rule => out.push_str(" ⟦hr⟧ "),
            other => out.extend(["⟦", &format!("{other:?}"), "⟧"]),
        }
    }
    collapsed(&out)
}

fn opening(tag: &Tag<'_>) -> String {
    match tag {
        Tag::Paragraph => " ⟦p⟧ ".into(),
        Tag::BlockQuote(kind) => format!(" ⟦quote{}⟧ ", kind.map(|kind| format!("{kind:?}")).unwrap_or_default()),
        Tag::CodeBlock(pulldown_cmark::CodeBlockKind::Fenced(language)) => format!(" ⟦pre {language}⟧ "),
        Tag::List(Some(start)) => format!(" ⟦ol {start}⟧ "),
        Tag::List(None) => " ⟦ul⟧ ".into(),
        Tag::Item => " ⟦li⟧ ".into(),
        Tag::Emphasis => "⟦em⟧".into(),
        Tag::Strong => "⟦strong⟧".into(),
        Tag::Strikethrough => "⟦del⟧".into(),
        Tag::Table(_) => " ⟦table⟧ ".into(),
        Tag::TableHead => " ⟦head⟧ ".into(),
        Tag::TableRow => " ⟦row⟧ ".into(),
        Tag::TableCell => " ⟦cell⟧ ".into(),
        Tag::HtmlBlock => String::new(),
        Tag::Link { dest_url, .. } => format!("⟦a {dest_url}⟧"),
        other => format!("⟦{other:?}⟧"),
    }
}

fn closing(tag: TagEnd) -> String {
    match tag {
        TagEnd::Emphasis => "⟦/em⟧".into(),
        TagEnd::Strong => "⟦/strong⟧".into(),
        TagEnd::Strikethrough => "⟦/del⟧".into(),
        TagEnd::Link => "⟦/a⟧".into(),
        TagEnd::HtmlBlock => String::new(),
        TagEnd::Paragraph => " ⟦/p⟧ ".into(),
        TagEnd::BlockQuote(_) => " ⟦/quote⟧ ".into(),
        TagEnd::CodeBlock => " ⟦/pre⟧ ".into(),
        TagEnd::List(_) => " ⟦/list⟧ ".into(),
        TagEnd::Item => " ⟦/li⟧ ".into(),
        TagEnd::Table => " ⟦/table⟧ ".into(),
        TagEnd::TableHead => " ⟦/head⟧ ".into(),
        TagEnd::TableRow => " ⟦/row⟧ ".into(),
        TagEnd::TableCell => " ⟦/cell⟧ ".into(),
        other => format!("⟦/{other:?}⟧"),
    }
}

fn comrak(markdown: &str) -> String {
    let mut options = comrak::Options::default();
    options.extension.strikethrough = true;
    options.extension.table = true;
    options.extension.autolink = true;
    options.extension.tasklist = true;
    options.extension.footnotes = true;
    options.extension.inline_footnotes = true;
    options.extension.math_dollars = true;
    options.extension.math_code = true;
    options.extension.alerts = true;
    options.extension.description_lists = true;
    options.extension.wikilinks_title_after_pipe = true;
    options.extension.front_matter_delimiter = Some("---".to_owned());
    let arena = comrak::Arena::new();
    let mut out = String::new();
    comrak_node(comrak::parse_document(&arena, markdown, &options), &mut out);
    collapsed(&out)
}

fn comrak_node(node: comrak::Node<'_>, out: &mut String) {
    use comrak::nodes::{ListType, NodeValue};
    let (open, close): (String, &str) = match &node.data().value {
        NodeValue::Document => (String::new(), ""),
        NodeValue::Text(text) => (text.to_string(), ""),
        NodeValue::SoftBreak => ("\n".into(), ""),
        NodeValue::LineBreak => (" ⟦br⟧ ".into(), ""),
        NodeValue::Paragraph => (" ⟦p⟧ ".into(), " ⟦/p⟧ "),
        NodeValue::BlockQuote => (" ⟦quote⟧ ".into(), " ⟦/quote⟧ "),
        NodeValue::CodeBlock(code) => (format!(" ⟦pre {}⟧ {}", code.info, code.literal), " ⟦/pre⟧ "),
        NodeValue::List(list) if list.list_type == ListType::Ordered => (format!(" ⟦ol {}⟧ ", list.start), " ⟦/list⟧ "),
        NodeValue::List(_) => (" ⟦ul⟧ ".into(), " ⟦/list⟧ "),
        NodeValue::Item(_) => (" ⟦li⟧ ".into(), " ⟦/li⟧ "),
        NodeValue::Emph => ("⟦em⟧".into(), "⟦/em⟧"),
        NodeValue::Strong => ("⟦strong⟧".into(), "⟦/strong⟧"),
        NodeValue::Strikethrough => ("⟦del⟧".into(), "⟦/del⟧"),
        NodeValue::Code(code) => (format!("⟦code⟧{}", code.literal), "⟦/code⟧"),
        NodeValue::HtmlBlock(html) => (format!("⟦html⟧{}", html.literal), "⟦/html⟧"),
        NodeValue::HtmlInline(html) => (format!("⟦html⟧{html}"), "⟦/html⟧"),
        NodeValue::ThematicBreak => (" ⟦hr⟧ ".into(), ""),
        NodeValue::Table(_) => (" ⟦table⟧ ".into(), " ⟦/table⟧ "),
        NodeValue::TableRow(true) => (" ⟦head⟧ ".into(), " ⟦/head⟧ "),
        NodeValue::TableRow(false) => (" ⟦row⟧ ".into(), " ⟦/row⟧ "),
        NodeValue::TableCell => (" ⟦cell⟧ ".into(), " ⟦/cell⟧ "),
        // no escape prevents GitHub's links to mail addresses; they link to what they say
        NodeValue::Link(link) if link.url.contains('@') && is_own_text(node, &link.url) => (String::new(), ""),
        NodeValue::Link(link) => (format!("⟦a {}⟧", link.url), "⟦/a⟧"),
        other => (format!("⟦{other:?}⟧"), ""),
    };
    out.push_str(&open);
    for child in node.children() {
        comrak_node(child, out);
    }
    out.push_str(close);
}

/// Whether a link is a bare mail address.
fn is_own_text(link: comrak::Node<'_>, url: &str) -> bool {
    let child = link.first_child().map(|child| child.data());
    matches!(child.as_ref().map(|child| &child.value), Some(comrak::nodes::NodeValue::Text(text)) if url.strip_prefix("mailto:").unwrap_or(url) == text.strip_prefix("mailto:").unwrap_or(text))
}
