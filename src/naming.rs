//! What a person calls a room, and which rooms that may mean: by id, alias, name, or a part of one, the same everywhere.
//!
//! Names are for whoever may set them, and several rooms may have one: it tells all that may be meant, and chooses none. What changes
//! a selection or what is archived goes by ids and exact aliases, and has no use for this.

/// How many rooms that a text may mean are handed out.
const CANDIDATES: usize = 10;

/// How well a text names a room, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Id,
    Alias,
    /// An alias, but for its server.
    Local,
    /// A name, or an alias without its `#` and its server.
    Name,
    Part,
    /// The beginning of an id.
    IdPart,
}

/// What a room is called.
pub(crate) struct Called<'a> {
    pub(crate) room_id: &'a str,
    pub(crate) name: Option<&'a str>,
    pub(crate) aliases: Vec<&'a str>,
}

impl Called<'_> {
    /// How well a text names it, if it does.
    fn fit(&self, text: &str) -> Option<Fit> {
        let Called { room_id, name, aliases } = self;
        let local = |alias: &&str| alias.split_once(':').map(|(local, _)| local.to_owned());
        let mut locals = aliases.iter().filter_map(local);
        let part = text.to_lowercase();
        let has_part = |name: &str| name.to_lowercase().contains(&part);
        if *room_id == text {
            Some(Fit::Id)
        } else if aliases.contains(&text) {
            Some(Fit::Alias)
        } else if locals.clone().any(|local| local == text) {
            Some(Fit::Local)
        } else if *name == Some(text) || locals.any(|local| local.strip_prefix('#') == Some(text)) {
            Some(Fit::Name)
        } else if name.is_some_and(has_part) || aliases.iter().any(|alias| has_part(alias)) {
            Some(Fit::Part)
        } else {
            // others may have anything in them, as by chance
            (text.len() > 1 && text.starts_with('!') && room_id.starts_with(text)).then_some(Fit::IdPart)
        }
    }
}

/// The rooms that a text may mean: the first of those that it names best, and how many these are.
#[derive(Debug)]
pub struct Matches<T> {
    /// Some of them.
    pub rooms: Vec<T>,
    /// How many there are.
    pub count: usize,
    fit: Option<Fit>,
}

impl<T> Default for Matches<T> {
    fn default() -> Matches<T> {
        Matches { rooms: Vec::new(), count: 0, fit: None }
    }
}

impl<T> Matches<T> {
    /// Takes a room in, if the text names it as well as those before.
    pub(crate) fn add(&mut self, text: &str, called: &Called<'_>, room: impl FnOnce() -> T) {
        let Some(fit) = called.fit(text).filter(|fit| self.fit.is_none_or(|best| *fit <= best)) else { return };
        if self.fit != Some(fit) {
            *self = Matches { fit: Some(fit), ..Matches::default() };
        }
        self.count += 1;
        if self.rooms.len() < CANDIDATES {
            self.rooms.push(room());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let rooms = [
            ("!a:x", Some("Operations"), vec!["#ops2:x", "#second:x"]),
            ("!b:x", Some("Operations board"), vec!["#ops2-board:x"]),
            ("!c:x", Some("#ops2-board:x"), vec![]),
            ("!d:x", Some("lunch"), vec!["#food:x"]),
            ("!e:x", None, vec!["#lunch:x"]),
            ("!f:x", Some("!a:x"), vec![]),
            ("!0pszzzzzzzz", None, vec![]),
        ];
        let mut matches = Matches::default();
        for (room_id, name, aliases) in rooms {
            let called = Called { room_id, name, aliases };
            matches.add(text, &called, || room_id);
        }
        assert_eq!((&*matches.rooms, matches.count), (expected, expected.len()), "{text}");
    }

    #[test]
    fn what_fits_best_is_meant() {
        check("!a:x", &["!a:x"]);
        check("#ops2:x", &["!a:x"]);
        check("#ops2", &["!a:x"]);
        check("ops2", &["!a:x"]);
        check("#second", &["!a:x"]);
        // whoever calls a room so does not get what has that alias
        check("#ops2-board:x", &["!b:x"]);
        check("#ops", &["!a:x", "!b:x", "!c:x"]);
        check("OPERATIONS", &["!a:x", "!b:x"]);
        check("Operations", &["!a:x"]);
        check("lunch", &["!d:x", "!e:x"]);
        check("!0ps", &["!0pszzzzzzzz"]);
        check("zzz", &[]);
        check("!", &["!f:x"]);
    }

    #[test]
    fn some_are_handed_out_and_all_are_counted() {
        let mut matches = Matches::default();
        for number in 0..CANDIDATES + 5 {
            let called = Called { room_id: "!a:x", name: Some("Attic"), aliases: vec![] };
            matches.add("attic", &called, || number);
        }
        assert_eq!((matches.rooms.len(), matches.count), (CANDIDATES, CANDIDATES + 5));
    }
}
