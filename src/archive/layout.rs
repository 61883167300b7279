//! Paths within an archive. Room ids are chosen by strangers: no room id leaves `rooms/`, and no two share a directory.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::event::Day;

/// The longest directory name that is not shortened, in bytes.
const LONGEST: usize = 200;
/// What is kept of a longer one.
const KEPT: usize = 160;

/// The directory of a room below `rooms/`: its id without `!`, the first `:` as `@`, every other byte outside
/// `[A-Za-z0-9._-]` as `%XX`, a leading `.` too; over 200 bytes the first 160, `~` and 32 digits of the id's SHA-256.
///
/// ```
/// use synapse_export::archive::layout::room_directory;
///
/// assert_eq!(room_directory("!OGEhHVWSdvArJzumhm:example.org"), "OGEhHVWSdvArJzumhm@example.org");
/// assert_eq!(room_directory("!../../etc:x"), "%2E.%2F..%2Fetc@x");
/// ```
#[must_use]
pub fn room_directory(room_id: &str) -> String {
    let (mut name, local) = match room_id.strip_prefix('!') {
        Some(local) => (String::new(), local),
        // no room id of the specification's; `=` stands in no other name
        None => ("=".to_owned(), room_id),
    };
    let mut colon = false;
    for byte in local.bytes() {
        match byte {
            b':' if !colon => {
                colon = true;
                name.push('@');
            }
            b'.' if name.is_empty() => name.push_str("%2E"),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' => name.push(char::from(byte)),
            _ => {
                let _ = write!(name, "%{byte:02X}");
            }
        }
    }
    if name.is_empty() {
        name.push('%');
    }
    if name.len() > LONGEST {
        name.truncate(KEPT);
        name.push('~');
        for byte in &Sha256::digest(room_id)[..16] {
            let _ = write!(name, "{byte:02x}");
        }
    }
    name
}

/// The file of a room's day, below the archive.
#[must_use]
pub fn day_file(room_id: &str, day: Day) -> String {
    format!("rooms/{}/{day}.jsonl", room_directory(room_id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ordinary_ids_stay_readable() {
        assert_eq!(room_directory("!OGEhHVWSdvArJzumhm:example.org"), "OGEhHVWSdvArJzumhm@example.org");
        assert_eq!(room_directory("!a:[::1]:8448"), "a@%5B%3A%3A1%5D%3A8448");
        assert_eq!(room_directory("!Noth1ng-but_a.hash"), "Noth1ng-but_a.hash");
        assert_eq!(day_file("!a:b", Day::of(Some(0))), "rooms/a@b/1970-01-01.jsonl");
        assert_eq!(day_file("!a:b", Day::of(Some(-1))), "rooms/a@b/undated.jsonl");
    }

    #[test]
    fn hostile_ids_stay_inside() {
        for (room_id, directory) in [
            ("!../../etc:x", "%2E.%2F..%2Fetc@x"),
            ("!..", "%2E."),
            ("!.", "%2E"),
            ("!", "%"),
            ("", "="),
            ("..", "=.."),
            ("!a\0\n/:é%2F", "a%00%0A%2F@%C3%A9%252F"),
        ] {
            assert_eq!(room_directory(room_id), directory);
        }
        assert_ne!(room_directory("!Abc:x"), room_directory("!aBc:x"));
    }

    #[test]
    fn long_ids_are_cut_and_stay_apart() {
        let ids = [format!("!{}:x", "a".repeat(250)), format!("!{}:y", "a".repeat(250))].map(|id| room_directory(&id));
        assert_eq!(ids[0].len(), 160 + 1 + 32);
        assert_ne!(ids[0], ids[1]);
    }

    proptest! {
        #[test]
        fn every_id_has_a_directory_of_its_own(a in "[!.:@/%a=~-]{0,6}|.{0,90}", b in "[!.:@/%a=~-]{0,6}|.{0,90}") {
            let (x, y) = (room_directory(&a), room_directory(&b));
            prop_assert!(!x.is_empty() && x.len() <= LONGEST && !x.starts_with('.'));
            prop_assert!(x.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-@%=~".contains(&c)));
            prop_assert_eq!(a == b, x == y);
        }
    }
}
