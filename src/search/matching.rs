//! Where phrases stand in a text, as an index of words finds them: the same words, one after the other. Answers no query.

use std::ops::Range;

use memchr::memmem;

use super::query::Phrase;
use super::words;

/// A text, cut into what phrases are compared with.
pub struct CutText<'t> {
    whole: &'t str,
    /// The words, one after the other, and where each ends in that and stands in the text.
    words: String,
    places: Vec<(usize, Range<usize>)>,
    /// Parts of words are looked for: the whole text, folded.
    folded: Option<String>,
}

impl<'t> CutText<'t> {
    /// Cuts a text into words.
    #[must_use]
    pub fn of(text: &'t str) -> CutText<'t> {
        let (mut all, mut places) = (String::with_capacity(text.len()), Vec::new());
        words::each(text, &mut |word, span| {
            all.push_str(word);
            places.push((all.len(), span));
        });
        CutText { whole: text, words: all, places, folded: None }
    }

    /// Takes a text for a search for parts of words.
    #[must_use]
    pub fn whole(text: &'t str) -> CutText<'t> {
        CutText { whole: text, words: String::new(), places: Vec::new(), folded: Some(words::folded(text)) }
    }

    fn word(&self, at: usize) -> &str {
        let start = at.checked_sub(1).map_or(0, |before| self.places[before].0);
        &self.words[start..self.places[at].0]
    }

    fn is_at(&self, phrase: &Phrase, at: usize) -> bool {
        let last = phrase.words.len() - 1;
        phrase.words.iter().enumerate().all(|(nth, word)| {
            let found = self.word(at + nth);
            if nth == last && phrase.is_prefix { found.starts_with(&**word) } else { found == word }
        })
    }

    /// The numbers of the words that a phrase begins with.
    fn starts<'p>(&'p self, phrase: &'p Phrase) -> impl Iterator<Item = usize> + 'p {
        let end = match phrase.words.len() {
            0 => 0,
            length => (self.places.len() + 1).saturating_sub(length),
        };
        (0..end).filter(|at| self.is_at(phrase, *at))
    }

    /// Whether a phrase stands in it.
    #[must_use]
    pub fn has(&self, phrase: &Phrase) -> bool {
        match &self.folded {
            Some(folded) => memmem::find(folded.as_bytes(), words::folded(&phrase.text).as_bytes()).is_some(),
            None => self.starts(phrase).next().is_some(),
        }
    }

    /// How often a phrase stands in it, at most so often.
    #[must_use]
    pub fn count(&self, phrase: &Phrase, most: usize) -> usize {
        match &self.folded {
            Some(_) => usize::from(self.has(phrase)),
            None => self.starts(phrase).take(most).count(),
        }
    }

    /// How many words it has.
    #[must_use]
    pub fn length(&self) -> usize {
        self.places.len()
    }

    /// Where in the text phrases stand, in bytes: in order, and each place once.
    #[must_use]
    pub fn places(&self, phrases: &[&Phrase]) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        for phrase in phrases {
            match &self.folded {
                Some(folded) => found.extend(self.parts(folded, &words::folded(&phrase.text))),
                None => found.extend(self.starts(phrase).map(|at| {
                    let last = at + phrase.words.len() - 1;
                    self.places[at].1.start..self.places[last].1.end
                })),
            }
        }
        found.sort_unstable_by_key(|place| (place.start, place.end));
        let mut places: Vec<Range<usize>> = Vec::new();
        for place in found {
            match places.last_mut() {
                Some(last) if place.start < last.end => last.end = last.end.max(place.end),
                _ => places.push(place),
            }
        }
        places
    }

    fn parts(&self, folded: &str, part: &str) -> Vec<Range<usize>> {
        let mut hits = memmem::find_iter(folded.as_bytes(), part.as_bytes()).map(|at| at..at + part.len()).peekable();
        let (mut parts, mut at): (Vec<Range<usize>>, usize) = (Vec::new(), 0);
        words::each_folded(self.whole, &mut |c, span| {
            while hits.next_if(|hit| hit.end <= at).is_some() {}
            if let Some(hit) = hits.peek().filter(|hit| hit.contains(&at)) {
                if at == hit.start {
                    parts.push(span);
                } else if let Some(last) = parts.last_mut() {
                    last.end = span.end;
                }
            }
            at += c.len_utf8();
        });
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phrase(text: &str) -> Phrase {
        let is_prefix = text.ends_with('*');
        Phrase { words: words::of(text), is_prefix, text: text.trim_end_matches('*').to_owned() }
    }

    #[track_caller]
    fn check(text: &str, phrases: &[&str], expected: &[&str]) {
        let phrases: Vec<Phrase> = phrases.iter().map(|text| phrase(text)).collect();
        let cut = CutText::of(text);
        let places = cut.places(&phrases.iter().collect::<Vec<_>>());
        assert_eq!(places.into_iter().map(|place| &text[place]).collect::<Vec<_>>(), expected, "{text}");
        assert_eq!(phrases.iter().any(|phrase| cut.has(phrase)), !expected.is_empty());
    }

    #[test]
    fn phrases_are_found_as_they_were_sent() {
        check("The Quick, brown fox", &["quick brown"], &["Quick, brown"]);
        check("The Quick, brown fox", &["brown quick"], &[]);
        check("replica and Replication", &["repl*"], &["replica", "Replication"]);
        check("In Łódź und lodz", &["lodz"], &["Łódź", "lodz"]);
        check("東京タワーと京都", &["京"], &["京", "京"]);
        check("東京タワーと京都", &["京都", "東京タワー"], &["東京タワー", "京都"]);
        check("a a a", &["a a"], &["a a a"]);
        check("", &["a"], &[]);
        check("one", &["one two"], &[]);
    }

    #[test]
    fn parts_of_words_are_found_as_they_were_sent() {
        let whole = |text: &str, part: &str| {
            let part = Phrase { words: Vec::new(), is_prefix: false, text: part.to_owned() };
            let cut = CutText::whole(text);
            let places = cut.places(&[&part]).into_iter().map(|place| text[place].to_owned()).collect::<Vec<_>>();
            assert_eq!(cut.has(&part), !places.is_empty());
            places
        };
        assert_eq!(whole("Wiederherstellungsplan", "STELL"), ["stell"]);
        assert_eq!(whole("In Łódź!", "ódź!"), ["ódź!"]);
        assert_eq!(whole("In Łódź!", "lod"), ["Łód"]);
        assert_eq!(whole("a->b->c 🎉", "->"), ["->", "->"]);
        assert_eq!(whole("a->b->c 🎉", "🎉"), ["🎉"]);
        assert_eq!(whole("aaaa", "aa"), ["aa", "aa"]);
        assert_eq!(whole("x", "y"), [""; 0]);
    }
}
