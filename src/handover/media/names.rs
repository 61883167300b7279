//! What copies of files are called: as is [safe](crate::document::media::safe_name), and no two alike anywhere, be it that case is all the
//! difference or how a letter is composed.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use unicode_normalization::UnicodeNormalization as _;

use crate::document::media::{of_path, safe_name};

/// Names that are given.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// By the path below the archive.
    of: BTreeMap<String, String>,
    /// By how they are compared; how often a name was wished for.
    taken: HashMap<String, u64>,
}

impl Names {
    /// Gives a file its name, unless it has one, by what its sender calls it.
    pub(super) fn take(&mut self, path: &str, called: Option<&str>) {
        if self.of.contains_key(path) {
            return;
        }
        let (stem, end) = safe_name(called.unwrap_or_default(), of_path(path));
        let wished = alike(&format!("{stem}.{end}"));
        let mut number = self.taken.get(&wished).copied().unwrap_or(0) + 1;
        let name = loop {
            let name = if number == 1 { format!("{stem}.{end}") } else { format!("{stem}-{number}.{end}") };
            if !self.taken.contains_key(&alike(&name)) {
                break name;
            }
            number += 1;
        };
        self.taken.insert(alike(&name), 1);
        // counted for the next one: many of one name cost no more than others
        self.taken.insert(wished, number);
        self.of.insert(path.to_owned(), name);
    }

    /// The name of a file.
    pub(super) fn of(&self, path: &str) -> Option<&str> {
        self.of.get(path).map(String::as_str)
    }

    /// All names, in order, and what they are of.
    pub(super) fn all(&self) -> BTreeMap<String, String> {
        self.of.iter().map(|(path, name)| (name.clone(), path.clone())).collect()
    }
}

/// A name as it stands in a link: of letters, digits, `.`, `-`, `_` and `%`.
pub(super) fn in_a_link(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// How names are compared where file systems are the least exact.
fn alike(name: &str) -> String {
    name.nfkd().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkd().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_two_are_alike_and_each_file_has_one() {
        let mut names = Names::default();
        let given = [
            ("image.png", "image.png"),
            ("IMAGE.png", "IMAGE-2.png"),
            ("image.png", "image-3.png"),
            ("image-4.png", "image-4.png"),
            ("image.png", "image-5.png"),
            ("e\u{301}.png", "e.png"),
            ("é.png", "é.png"),
            ("É.png", "É-2.png"),
            ("straße.png", "straße.png"),
            ("STRASSE.png", "STRASSE-2.png"),
        ];
        for (number, (called, expected)) in given.iter().enumerate() {
            let path = format!("media/00/{number}.png");
            names.take(&path, Some(called));
            names.take(&path, Some("another"));
            assert_eq!(names.of(&path), Some(*expected));
        }
        assert_eq!((names.all().len(), names.of("media/00/x.png")), (given.len(), None));
        assert_eq!(in_a_link("é x.png"), "%C3%A9%20x.png");
    }

    proptest! {
        #[test]
        fn any_names_are_safe_and_differ(called in prop::collection::vec("(?s)(.{0,30}|[a-zA-Z]{1,2}|[cC][oO][nNmM][1-9]?[. ]?)[./\\\\]{0,3}(exe|SVG|html|sh|png)?", 1..20), more: String) {
            let mut names = Names::default();
            for (number, called) in called.iter().chain([&more, &more]).enumerate() {
                let end = if number % 2 == 0 { "bin" } else { "png" };
                names.take(&format!("media/00/{number}.{end}"), Some(called));
            }
            let all = names.all();
            prop_assert_eq!(all.len(), called.len() + 2);
            prop_assert_eq!(all.keys().map(|name| alike(name)).collect::<BTreeSet<_>>().len(), all.len());
            for name in all.keys() {
                prop_assert!(name.len() <= 255 && !name.starts_with(['.', '-']) && !name.ends_with(['.', ' ']), "{}", name);
                prop_assert!(name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_')), "{}", name);
                let first = name.split('.').next().unwrap().to_lowercase();
                prop_assert!(!["con", "prn", "aux", "nul"].contains(&&*first), "{}", name);
                prop_assert!(!matches!(name.rsplit('.').next().unwrap(), "exe" | "html" | "svg" | "sh"), "{}", name);
            }
        }
    }
}
