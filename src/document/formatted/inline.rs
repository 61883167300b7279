//! The elements within a line. A link leads to what `address` lets it, and pictures are named, never shown.

use std::borrow::Cow;

use html5gum::StartTag;

use super::paragraph::Mark;
use super::{Collector, HiddenElement, Tag};
use crate::event::media::is_mxc;

impl Collector {
    pub(super) fn mark(&mut self, tag: Tag, mark: Mark) {
        let is_new = !self.paragraph.has(&mark) && !self.paragraph.has(&Mark::Code);
        if let Some(element) = self.push(tag)
            && is_new
        {
            element.mark = true;
            self.paragraph.open(mark);
        }
    }

    pub(super) fn link(&mut self, tag: &StartTag<()>) {
        self.close(Tag::Link);
        match attribute(tag, b"href").filter(|href| !href.trim().is_empty()) {
            Some(href) => {
                let mention = ["https://matrix.to/#/@", "https://matrix.to/#/%40", "matrix:u/"];
                let mention = mention.iter().any(|start| href.starts_with(start));
                self.mark(Tag::Link, Mark::Link { target: href.into_owned(), mention });
            }
            None => {
                self.push(Tag::Link);
            }
        }
    }

    pub(super) fn span(&mut self, tag: &StartTag<()>) {
        if self.is_mathematics(tag) {
            return;
        }
        if let (Some(reason), Some(element)) = (attribute(tag, b"data-mx-spoiler"), self.push(Tag::Span)) {
            element.spoiler = true;
            self.paragraph.push("(spoiler");
            if !reason.trim().is_empty() {
                self.paragraph.push(": ");
                self.paragraph.push(reason.trim());
            }
            self.paragraph.push(") ||");
        } else if !tag.attributes.contains_key(&b"data-mx-spoiler"[..]) {
            self.push(Tag::Span);
        }
    }

    /// Takes an element that is a formula: its source is shown in place of what it contains.
    pub(super) fn is_mathematics(&mut self, tag: &StartTag<()>) -> bool {
        let Some(source) = attribute(tag, b"data-mx-maths").filter(|source| !source.trim().is_empty()) else {
            return false;
        };
        if tag.name == b"div" {
            self.flush();
            self.code_block(&source, Some("math"));
        } else if self.paragraph.has(&Mark::Code) {
            self.paragraph.push(&source);
        } else {
            self.paragraph.open(Mark::Code);
            self.paragraph.push(&source);
            self.paragraph.close();
        }
        self.hide(tag);
        true
    }

    pub(super) fn hide(&mut self, tag: &StartTag<()>) {
        if !tag.self_closing {
            self.hidden = Some(HiddenElement { name: tag.name.to_vec(), depth: 1 });
        }
    }

    pub(super) fn image(&mut self, tag: &StartTag<()>) {
        let text = [&b"alt"[..], b"title"].into_iter().filter_map(|name| attribute(tag, name));
        let text = text.into_iter().find(|text| !text.trim().is_empty()).unwrap_or(Cow::Borrowed("image"));
        if tag.attributes.contains_key(&b"data-mx-emoticon"[..]) {
            return self.text(&text);
        }
        self.paragraph.push("🖼 ");
        let source = attribute(tag, b"src").filter(|source| is_mxc(source));
        let link = Mark::Link { target: source.as_deref().unwrap_or_default().to_owned(), mention: false };
        if source.is_some() && !self.paragraph.has(&link) && !self.paragraph.has(&Mark::Code) {
            self.paragraph.open(link);
            self.paragraph.push(text.trim());
            self.paragraph.close();
        } else {
            self.paragraph.push(&text);
        }
    }
}

pub(in crate::document) fn attribute<'a>(tag: &'a StartTag<()>, name: &[u8]) -> Option<Cow<'a, str>> {
    Some(String::from_utf8_lossy(&tag.attributes.get(name)?.value))
}
