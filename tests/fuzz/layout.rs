//! Room ids and the directories they name.

use synapse_export::archive::layout::{day_file, room_directory};
use synapse_export::event::Day;

use super::Fields;

/// Two room ids.
pub(super) fn check(data: &[u8]) {
    let mut fields = Fields::of(data);
    let (a, b) = (fields.text_or(""), fields.text_or(""));
    for room_id in [&a, &b] {
        let name = room_directory(room_id);
        assert!((1..=200).contains(&name.len()) && !name.starts_with('.'), "{name}");
        assert!(name.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-@%=~".contains(&c)), "{name}");
        match name.split_once('~') {
            None => assert_eq!(room_id_of(&name).as_ref(), Some(room_id), "{name}"),
            Some((kept, hash)) => {
                assert!(kept.len() == 160 && hash.len() == 32 && hash.bytes().all(|c| c.is_ascii_hexdigit()), "{name}");
            }
        }
        let path = day_file(room_id, Day::of(fields.number()));
        assert!(path.strip_prefix("rooms/").is_some_and(|rest| rest.matches('/').count() == 1), "{path}");
    }
    // they may be the same to a file system that knows no case
    assert_eq!(a == b, room_directory(&a) == room_directory(&b), "{a:?} and {b:?}");
}

/// The room id that a directory's name stands for, by the README.
fn room_id_of(name: &str) -> Option<String> {
    let (mut room_id, rest) = match name.strip_prefix('=') {
        Some(rest) => (Vec::new(), rest),
        None => (vec![b'!'], name),
    };
    let mut bytes = if rest == "%" { b"" } else { rest.as_bytes() }.iter();
    while let Some(byte) = bytes.next() {
        room_id.push(match byte {
            b'@' => b':',
            b'%' => {
                let digits = [*bytes.next()?, *bytes.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => *byte,
        });
    }
    String::from_utf8(room_id).ok()
}
