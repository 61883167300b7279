//! Pictures that are shown small and often: of who speaks, and of reactions. One that is put into the page itself is there once: where it
//! is shown again, that leads to where it was first.

use std::collections::HashMap;

use super::super::message::FileLink;
use super::text::{Markup, inline};

/// How many are put into a page: who sends them decides how many there are.
const MOST: usize = 1_000;

/// Those that are in the page.
#[derive(Default)]
pub(super) struct Pictures {
    /// By what is put there; their numbers.
    within: HashMap<String, usize>,
}

impl Pictures {
    /// Somebody's picture, in front of their name, on their colour; none: it is one too many.
    pub(super) fn avatar(&mut self, here: &FileLink, colour: u8) -> Option<Markup> {
        if here.is_within() {
            let image = self.image(here, "slice")?;
            let svg = format!("<svg class=\"av c{colour}\" viewBox=\"0 0 40 40\" aria-hidden=\"true\">{image}</svg>");
            return Some(Markup(svg));
        }
        let size = "width=\"40\" height=\"40\"";
        Some(Markup(format!("<img class=\"av c{colour}\" src=\"{}\" alt=\"\" {size} loading=\"lazy\">", here.path)))
    }

    /// A picture in place of a character, and what it is called; none: it is one too many.
    pub(super) fn emoji(&mut self, here: &FileLink, called: &str) -> Option<Markup> {
        let called = inline(called);
        let image = if here.is_within() {
            let image = self.image(here, "meet")?;
            format!("<svg viewBox=\"0 0 40 40\" role=\"img\" aria-label=\"{called}\">{image}</svg>")
        } else {
            format!("<img src=\"{}\" alt=\"{called}\" loading=\"lazy\">", here.path)
        };
        Some(Markup(format!("<span class=\"cu\">{image}</span>")))
    }

    fn image(&mut self, here: &FileLink, fit: &str) -> Option<String> {
        let next = self.within.len();
        if let Some(number) = self.within.get(&here.path) {
            return Some(format!("<use href=\"#p{number}\"/>"));
        }
        if next == MOST {
            return None;
        }
        self.within.insert(here.path.clone(), next);
        let place = "width=\"40\" height=\"40\"";
        let fit = format!("preserveAspectRatio=\"xMidYMid {fit}\"");
        Some(format!("<image id=\"p{next}\" href=\"{}\" {place} {fit}/>", here.path))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::media::FileDisplay;
    use super::super::super::message::MARK;
    use super::*;

    fn here(path: String) -> FileLink {
        FileLink { path, shown: FileDisplay::Picture, bytes: 1 }
    }

    #[test]
    fn what_is_in_the_page_is_there_once_and_so_many_are() {
        let mut pictures = Pictures::default();
        let within = |number: usize| here(format!("{MARK}media/{number}.png{MARK}"));
        let first = pictures.avatar(&within(0), 3).unwrap().0;
        assert!(first.contains(&format!("<image id=\"p0\" href=\"{}\"", within(0).path)), "{first}");
        let again = pictures.emoji(&within(0), "<x>").unwrap().0;
        assert!(again.contains("<use href=\"#p0\"/>") && again.contains("aria-label=\"&lt;x&gt;\""), "{again}");
        assert!(!again.contains(MARK));
        for number in 1..MOST {
            assert!(pictures.avatar(&within(number), 0).is_some());
        }
        assert!(pictures.avatar(&within(MOST), 0).is_none() && pictures.avatar(&within(1), 0).is_some());
    }

    #[test]
    fn what_is_beside_the_page_is_led_to_each_time() {
        let mut pictures = Pictures::default();
        for _ in 0..2 {
            let html = pictures.avatar(&here("../../media/00/x.png".to_owned()), 3).unwrap().0;
            assert!(html.contains("src=\"../../media/00/x.png\" alt=\"\""), "{html}");
            let html = pictures.emoji(&here("x.png".to_owned()), ":\"x\":").unwrap().0;
            assert!(html.contains("alt=\":&quot;x&quot;:\""), "{html}");
        }
    }
}
