//! What strangers can write into a source or an event: whatever it is, it is refused or read, and nothing panics.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "sample/mod.rs"]
mod sample;

use std::io::Cursor;
use std::sync::LazyLock;

use megolm_keys::backup::{BackupKey, Version};
use megolm_keys::key_file::{Error, KeyFile, NewKeyFile, is_plain};
use megolm_keys::pickle::PickleKeys;
use megolm_keys::secret_storage::{BACKUP, Secret, SecretStorage};
use megolm_keys::{Encrypted, Payload, Sessions, Vouched, recovery_key};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use zeroize::Zeroizing;

/// A text with a few bytes of it changed, left out or put in.
fn altered(text: &[u8], changes: &[(Index, u8, u8)]) -> Vec<u8> {
    let mut text = text.to_vec();
    for (at, how, byte) in changes {
        if text.is_empty() {
            break;
        }
        let at = at.index(text.len());
        match how % 4 {
            0 => text[at] = *byte,
            1 => drop(text.remove(at)),
            2 => text.insert(at, *byte),
            _ => text.truncate(at),
        }
    }
    text
}

fn changes() -> impl Strategy<Value = Vec<(Index, u8, u8)>> {
    vec((any::<Index>(), any::<u8>(), any::<u8>()), 0..4)
}

static PICKLE: LazyLock<(Vec<u8>, String)> = LazyLock::new(|| {
    let rows = sample::rows("bridge.sql.gz", "crypto_megolm_inbound_session");
    let row = rows.iter().find(|row| row["account_id"].as_deref() == Some("ratchets") && row["session"].is_some());
    let row = row.unwrap();
    (sample::bytes(row["session"].as_deref().unwrap()), row["session_id"].clone().unwrap())
});

static ENTRY: LazyLock<(String, String, BackupKey)> = LazyLock::new(|| {
    let rows = sample::rows("synapse.sql.gz", "e2e_room_keys");
    let key = sample::secrets()["people"]["alice"]["backup_key"].as_str().unwrap().to_owned();
    let key = BackupKey::new(&recovery_key::parse(&key).unwrap());
    (rows[0]["session_data"].clone().unwrap(), rows[0]["session_id"].clone().unwrap(), key)
});

static CONTENTS: LazyLock<Vec<String>> = LazyLock::new(|| sample::contents().into_values().collect());

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn pickles(changes in changes()) {
        let (pickle, id) = &*PICKLE;
        let pickle = altered(pickle, &changes);
        let opened = PickleKeys::new([]).open(&pickle, id, None, Vouched::Device);
        if let Ok(session) = opened {
            prop_assert_eq!(&session.id(), id);
        }
    }

    #[test]
    fn entries_of_backups(changes in changes()) {
        let (entry, id, key) = &*ENTRY;
        if let Ok(session) = key.open(&String::from_utf8_lossy(&altered(entry.as_bytes(), &changes)), id) {
            prop_assert_eq!(&session.id(), id);
        }
    }

    #[test]
    fn events(which in any::<Index>(), changes in changes()) {
        let (entry, id, key) = &*ENTRY;
        let mut sessions = Sessions::default();
        sessions.add(key.open(entry, id).unwrap());
        let content = altered(which.get(&CONTENTS).as_bytes(), &changes);
        let content = String::from_utf8_lossy(&content);
        match Encrypted::parse(&content) {
            Ok(encrypted) => drop(sessions.decrypt(&encrypted, "!room:a.example").map(|(payload, _)| payload.kind)),
            Err(refusal) => prop_assert!(refusal.to_string().len() < 2_000),
        }
    }

    #[test]
    fn plaintexts(text in vec(any::<u8>(), 0..200), changes in changes()) {
        let _ = Payload::parse(&text, "!room:a.example");
        let plain = br#"{"type":"m.room.message","room_id":"!room:a.example","content":{"body":"hello"}}"#;
        if let Ok(payload) = Payload::parse(&altered(plain, &changes), "!room:a.example") {
            let is_one_line = payload.content.starts_with('{') && !payload.content.contains('\n');
            prop_assert!(is_one_line);
        }
    }

    #[test]
    fn account_data_and_versions(text in ".{0,200}", changes in changes()) {
        let secret = Secret::Key(Zeroizing::new([1; 32]));
        if let Some(storage) = SecretStorage::parse(&text) {
            prop_assert!(storage.secrets(BACKUP, &secret).is_empty());
        }
        let rows = sample::rows("synapse.sql.gz", "account_data");
        let mut storage = SecretStorage::default();
        for row in rows.iter().filter(|row| row["user_id"] == rows[0]["user_id"]) {
            let content = altered(row["content"].as_deref().unwrap().as_bytes(), &changes);
            storage.insert(row["account_data_type"].clone().unwrap(), String::from_utf8_lossy(&content).into_owned());
        }
        prop_assert!(storage.secrets(BACKUP, &secret).is_empty());
        let _ = Version::parse("m.megolm_backup.v1.curve25519-aes-sha2", &text);
        let _ = recovery_key::parse(&text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(16) })]

    #[test]
    fn key_files(changes in changes()) {
        let mut text = Vec::new();
        std::io::Read::read_to_end(&mut sample::file("bob.keys.txt"), &mut text).unwrap();
        let file = altered(&text, &changes);
        let passphrase = Zeroizing::new("export of bob".to_owned());
        // a byte of the rounds would take long, and is refused or does not fit
        match KeyFile::open(Cursor::new(file), &passphrase) {
            Ok(file) => {
                let mut count = 0;
                file.each(&mut |_, session| count += u32::from(session.is_ok())).unwrap();
                prop_assert_eq!(count, 3);
            }
            Err(Error::Io(error)) => panic!("{error}"),
            Err(_) => {}
        }
    }
}

/// A list of sessions that is not encrypted, as it is written.
static LIST: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let file = KeyFile::open(sample::file("bob.keys.txt"), &Zeroizing::new("export of bob".to_owned())).unwrap();
    let mut list = NewKeyFile::plain(Vec::new());
    file.each(&mut |room_id, session| list.add(room_id, &session.unwrap()).unwrap()).unwrap();
    list.end().unwrap()
});

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn lists_that_are_not_encrypted(changes in changes()) {
        let list = altered(&LIST, &changes);
        let is_plain = is_plain(Cursor::new(&list)).unwrap();
        let is_list = list.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
        prop_assert_eq!(is_plain, is_list);
        let (mut sessions, mut all) = (0, 0);
        let read = KeyFile::plain(Cursor::new(&list)).each(&mut |_, session| {
            all += 1;
            sessions += u32::from(session.is_ok());
        });
        prop_assert!(matches!(read, Ok(()) | Err(Error::NoList)) && all <= 3);
        prop_assert!(!changes.is_empty() || sessions == 3);
    }
}

/// The same file however it is broken into lines, padded and surrounded.
#[test]
fn a_key_file_is_read_in_any_form() {
    let mut text = String::new();
    std::io::Read::read_to_string(&mut sample::file("bob.keys.txt"), &mut text).unwrap();
    let (head, body) = text.split_once('\n').unwrap();
    let (body, end) = body.split_once('\n').unwrap_or((body, "-----END MEGOLM SESSION DATA-----"));
    let passphrase = Zeroizing::new("export of bob".to_owned());
    let lines = |length: usize, ending: &str| {
        let lines: Vec<&str> = body.as_bytes().chunks(length).map(|line| std::str::from_utf8(line).unwrap()).collect();
        lines.join(ending)
    };
    let padding = "=".repeat((4 - body.len() % 4) % 4);
    for form in [
        format!("{head}\n{}\n{end}\n", lines(76, "\n")),
        format!("{head}\r\n{}{padding}\r\n{end}", lines(1, "\r\n")),
        format!("From: somebody\n\n{head}\n{}\n", lines(1_000, "\n  ")),
        format!("{head}\n{body}"),
    ] {
        let mut count = 0;
        let file = KeyFile::open(Cursor::new(form), &passphrase).unwrap();
        file.each(&mut |room, session| {
            assert!(room.starts_with('!'));
            session.unwrap();
            count += 1;
        })
        .unwrap();
        assert_eq!(count, 3);
    }
}
