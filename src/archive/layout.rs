//! Paths within an archive. Room ids are chosen by strangers: no room id leaves `rooms/`, and no two share a directory. Touches no
//! file.

use std::fmt::Write as _;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use sha2::{Digest as _, Sha256};

use super::Error;
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

/// The directory of a room and the day that a path of a file of lines tells, below the archive; none if no export makes such a
/// path. What comes out of a catalog that others may have made goes through here.
pub(crate) fn parts(path: &str) -> Option<(&str, &str)> {
    let (room, file) = path.strip_prefix("rooms/")?.split_once('/')?;
    let day = file.strip_suffix(".jsonl")?;
    (is_room_directory(room) && Day::is_name(day)).then_some((room, day))
}

/// Whether a name is one that [`room_directory`] can give.
fn is_room_directory(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@%=~".contains(&byte);
    !name.is_empty() && name.len() <= LONGEST && !name.starts_with('.') && name.bytes().all(plain)
}

/// Makes sure that a catalog puts a room where its id does.
pub(crate) fn checked_directory(room_id: &str, stored: &str) -> Result<String, Error> {
    let directory = room_directory(room_id);
    if directory == stored { Ok(directory) } else { Err(Error::altered("the directory of a room", stored)) }
}

/// A day as the catalog's text, which is a part of paths and links.
pub(crate) struct DayName(pub(crate) String);

impl FromSql for DayName {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let day = value.as_str()?;
        if Day::is_name(day) {
            return Ok(DayName(day.to_owned()));
        }
        Err(FromSqlError::Other(Box::new(Error::altered("a day", day))))
    }
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
    fn only_what_an_export_makes_is_a_path() {
        for (path, expected) in [
            ("rooms/a@b/2026-11-22.jsonl", Some(("a@b", "2026-11-22"))),
            ("rooms/%2E@x/undated.jsonl", Some(("%2E@x", "undated"))),
            ("rooms/../x.jsonl", None),
            ("rooms/../2026-11-22.jsonl", None),
            ("rooms/a@b/../c@d/2026-11-22.jsonl", None),
            ("rooms//2026-11-22.jsonl", None),
            ("rooms/a b/2026-11-22.jsonl", None),
            ("rooms/a@b/2026-11-22.md", None),
            ("rooms/a@b/2026-13-22.jsonl", None),
            ("/etc/passwd", None),
            ("", None),
        ] {
            assert_eq!(parts(path), expected, "{path}");
        }
        assert!(checked_directory("!a:b", "a@b").is_ok() && checked_directory("!a:b", "../a@b").is_err());
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
            prop_assert!(is_room_directory(&x));
            prop_assert_eq!(a == b, x == y);
        }
    }
}
