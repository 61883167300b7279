//! Links and anchors.

use std::collections::BTreeSet;

use pulldown_cmark::{Event, Tag, TagEnd};

use super::{Page, pages, repository};

impl Page {
    /// What links and pictures lead to.
    fn links(&self) -> Vec<String> {
        let target = |event| match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some(dest_url.into_string()),
            _ => None,
        };
        self.parser().filter_map(target).collect()
    }

    /// The anchors that hosts of repositories give to headings: lower case, hyphens for spaces, no other signs.
    fn anchors(&self) -> BTreeSet<String> {
        let mut anchors = BTreeSet::new();
        let mut heading: Option<String> = None;
        for event in self.parser() {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                Event::End(TagEnd::Heading(_)) => {
                    let text = heading.take().unwrap().to_lowercase().replace(' ', "-");
                    let kept: String = text.chars().filter(|c| c.is_alphanumeric() || *c == '-' || *c == '_').collect();
                    anchors.insert(kept);
                }
                _ => {}
            }
        }
        anchors
    }
}

/// What a link leads to is there: the rest of a text that says where and why not.
fn broken(page: &Page, link: &str, pages: &[Page]) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let directory = repository().join(&page.name).parent().unwrap().to_owned();
    let whole = if path.is_empty() { repository().join(&page.name) } else { directory.join(path) };
    let Ok(found) = whole.canonicalize() else {
        return Some(format!("{}: {link} is not there", page.name));
    };
    let anchor = anchor?;
    let target = pages.iter().find(|page| repository().join(&page.name).canonicalize().is_ok_and(|it| it == found));
    match target {
        Some(target) if target.anchors().contains(anchor) => None,
        _ => Some(format!("{}: {link} has no such heading", page.name)),
    }
}

#[test]
fn every_link_leads_to_what_is_there() {
    let pages = pages();
    let broken: Vec<String> = pages
        .iter()
        .flat_map(|page| page.links().into_iter().filter_map(|link| broken(page, &link, &pages)).collect::<Vec<_>>())
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
    // and such a link would be told
    let page = Page {
        name: "docs/page.md".to_owned(),
        text: "[a](nowhere.md) [b](speed.md#none) [c](speed.md#speed)".to_owned(),
    };
    let told: Vec<bool> = page.links().iter().map(|link| super::links::broken(&page, link, &pages).is_some()).collect();
    assert_eq!(told, [true, true, false]);
}

#[test]
fn the_readme_is_short_and_leads_to_every_page() {
    let pages = pages();
    let readme = &pages[0];
    assert!(readme.text.lines().count() < 150, "{} lines", readme.text.lines().count());
    let links = readme.links();
    for page in pages.iter().filter(|page| page.name.starts_with("docs/")) {
        assert!(links.contains(&page.name), "README.md does not lead to {}", page.name);
    }
}

#[test]
fn pages_that_the_program_names_are_there() {
    let mut named = 0;
    let mut directories = vec![repository().join("src"), repository().join("sql")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for rest in text.split("docs/").skip(1) {
                let Some(end) = rest.find(".md") else { continue };
                let name = &rest[..end];
                if name.chars().all(|c| c.is_ascii_lowercase() || c == '-') {
                    named += 1;
                    assert!(
                        repository().join("docs").join(format!("{name}.md")).is_file(),
                        "{}: {name}",
                        path.display()
                    );
                }
            }
        }
    }
    // one that names none has nothing to check: that is no failure, and known
    let _ = named;
}
