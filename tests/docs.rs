//! The documentation: its links lead somewhere, its commands run and end as it says, every `--help` has an example.

#![allow(clippy::unwrap_used, reason = "what surrounds these tests must not fail either")]

mod support;

#[path = "docs/commands.rs"]
mod commands;
#[path = "docs/help.rs"]
mod help;
#[path = "docs/links.rs"]
mod links;
#[path = "docs/scene.rs"]
mod scene;

use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

/// A page of the documentation.
struct Page {
    /// Its path in the repository.
    name: String,
    text: String,
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page, the README first.
fn pages() -> Vec<Page> {
    let mut paths: Vec<PathBuf> = ["docs", "packaging"]
        .into_iter()
        .filter_map(|directory| std::fs::read_dir(repository().join(directory)).ok())
        .flat_map(|entries| entries.map(|entry| entry.unwrap().path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    paths.sort();
    let first =
        ["README.md", "SECURITY.md", "CHANGELOG.md", "tests/fuzz/README.md"].map(|name| repository().join(name));
    let page = |path: PathBuf| Page {
        name: path.strip_prefix(repository()).unwrap().display().to_string(),
        text: std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
    };
    first.into_iter().chain(paths).map(page).collect()
}

impl Page {
    fn parser(&self) -> Parser<'_> {
        Parser::new_ext(&self.text, pulldown_cmark::Options::ENABLE_TABLES)
    }

    /// The blocks of code that are `language`.
    fn blocks(&self, language: &str) -> Vec<String> {
        let mut blocks = Vec::new();
        let mut inside = false;
        for event in self.parser() {
            match event {
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) if &*info == language => {
                    inside = true;
                    blocks.push(String::new());
                }
                Event::End(TagEnd::CodeBlock) => inside = false,
                Event::Text(text) if inside => blocks.last_mut().unwrap().push_str(&text),
                _ => {}
            }
        }
        blocks
    }
}
