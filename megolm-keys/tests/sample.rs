//! Every event of the sample with every source of keys by itself: read, or refused for the reason that libolm gives.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "sample/mod.rs"]
mod sample;

use std::collections::BTreeMap;
use std::time::Instant;

use megolm_keys::backup::{BackupKey, Version};
use megolm_keys::key_file::KeyFile;
use megolm_keys::pickle::PickleKeys;
use megolm_keys::secret_storage::{BACKUP, Secret, SecretStorage};
use megolm_keys::{Encrypted, Refusal, Session, Sessions, Vouched, recovery_key};
use serde_json::Value;
use zeroize::Zeroizing;

type Source = BTreeMap<(String, String), Session>;

fn passphrase(text: &Value) -> Zeroizing<String> {
    Zeroizing::new(text.as_str().unwrap().to_owned())
}

fn recovery(text: &Value) -> Zeroizing<[u8; 32]> {
    recovery_key::parse(text.as_str().unwrap()).unwrap()
}

fn user_id(who: &str) -> String {
    sample::secrets()["people"][who]["user_id"].as_str().unwrap().to_owned()
}

fn key_file(who: &str) -> Source {
    let secret = passphrase(&sample::secrets()["people"][who]["export_passphrase"]);
    let file = KeyFile::open(sample::file(&format!("{who}.keys.txt")), &secret).unwrap();
    let mut source = Source::new();
    file.each(&mut |room_id, session| {
        let session = session.unwrap();
        source.insert((room_id.to_owned(), session.id()), session);
    })
    .unwrap();
    source
}

fn backup(who: &str, key: &BackupKey) -> Source {
    let (mut source, user_id) = (Source::new(), user_id(who));
    for row in sample::rows("synapse.sql.gz", "e2e_room_keys") {
        let [user, room, id, data] =
            ["user_id", "room_id", "session_id", "session_data"].map(|column| row[column].clone().unwrap());
        if user == user_id {
            source.insert((room, id.clone()), key.open(&data, &id).unwrap());
        }
    }
    source
}

/// The bridge's store; none: its session was deleted.
fn bridge(account: &str) -> (Source, BTreeMap<(String, String), String>) {
    let (mut source, mut withheld) = (Source::new(), BTreeMap::new());
    let key = sample::secrets()["pickle_keys"][account].as_str().unwrap().as_bytes().to_vec();
    let mut keys = PickleKeys::new([Zeroizing::new(key)]);
    for row in sample::rows("bridge.sql.gz", "crypto_megolm_inbound_session") {
        if row["account_id"].as_deref() != Some(account) {
            continue;
        }
        let at = (row["room_id"].clone().unwrap(), row["session_id"].clone().unwrap());
        match &row["session"] {
            Some(pickle) => {
                let session = keys.open(&sample::bytes(pickle), &at.1, row["sender_key"].as_deref(), Vouched::Device);
                source.insert(at, session.unwrap());
            }
            None => drop(withheld.insert(at, row["withheld_code"].clone().unwrap())),
        }
    }
    (source, withheld)
}

fn backup_key(who: &str) -> BackupKey {
    BackupKey::new(&recovery(&sample::secrets()["people"][who]["backup_key"]))
}

/// Reads every event by a source, and compares what comes of it with what libolm says.
fn check(name: &str, source: &Source, withheld: &BTreeMap<(String, String), String>) -> usize {
    let contents = sample::contents();
    let mut read = 0;
    for truth in sample::truth() {
        let text = |key: &str| truth[key].as_str().unwrap_or_default().to_owned();
        let (event_id, room_id, label) = (text("event_id"), text("room_id"), text("label"));
        let Some(content) = contents.get(&event_id) else { panic!("{event_id} is not there") };
        let expected = &truth["sources"][name];
        let found = Encrypted::parse(content).and_then(|encrypted| {
            let at = (room_id.clone(), encrypted.session_id.to_string());
            if let Some(code) = withheld.get(&at) {
                return Err(Refusal::withheld(code));
            }
            let Some(session) = source.get(&at) else {
                let is_elsewhere = source.keys().any(|(_, id)| *id == at.1);
                return Err(if is_elsewhere { Refusal::OtherRoom } else { Refusal::NoSession });
            };
            let mut sessions = Sessions::default();
            sessions.add(session.keep().open().unwrap());
            let (payload, used) = sessions.decrypt(&encrypted, &room_id)?;
            Ok((payload, used.first_index(), encrypted.index()))
        });
        match (found, expected) {
            (Ok((payload, first, index)), Value::Object(expected)) if expected.get("error").is_none() => {
                read += 1;
                assert_eq!(first, expected["first_known_index"], "{label}");
                assert_eq!(index, truth["index"], "{label}");
                if truth.get("content").is_some() {
                    assert_eq!(payload.kind, truth["type"], "{label}");
                    let mut content: Value = serde_json::from_str(&payload.content).unwrap();
                    let outside: Value = serde_json::from_str(contents[&event_id].as_str()).unwrap();
                    if let (None, Some(relation)) = (content.get("m.relates_to"), outside.get("m.relates_to")) {
                        content["m.relates_to"] = relation.clone();
                    }
                    assert_eq!(content, truth["content"], "{label}");
                }
            }
            (Err(refusal), Value::Object(expected)) => match expected["error"].as_str().unwrap() {
                "UNKNOWN_MESSAGE_INDEX" => assert_eq!(refusal.code(), "session_starts_later", "{label}"),
                "BAD_SIGNATURE" => {
                    assert_eq!(refusal, Refusal::Damaged("its signature is not its session's"), "{label}");
                }
                "BAD_MESSAGE_VERSION" => assert_eq!(refusal.code(), "damaged", "{label}"),
                other => panic!("{label}: {other}, {refusal}"),
            },
            (Err(refusal), Value::String(expected)) => {
                let code = match expected.as_str() {
                    // what is damaged needs no session to be known for it
                    "no session" if truth["undecryptable"] == "damaged" => "damaged",
                    "no session" => "no_session",
                    "session of another room" => "session_of_another_room",
                    "no ciphertext" => "damaged",
                    other if other.starts_with("algorithm ") => "unknown_algorithm",
                    other if other.starts_with("withheld: ") => "withheld",
                    other => panic!("{label}: {other}"),
                };
                assert_eq!(refusal.code(), code, "{label}: {refusal}");
            }
            (found, expected) => panic!("{label}: {:?}, {expected}", found.map(|found| found.1)),
        }
    }
    read
}

#[test]
fn each_source_opens_what_libolm_opens_with_it() {
    let none = BTreeMap::new();
    let mut read = BTreeMap::new();
    for who in ["alice", "bob"] {
        read.insert(format!("keyfile:{who}"), check(&format!("keyfile:{who}"), &key_file(who), &none));
        let name = format!("backup:{who}");
        read.insert(name.clone(), check(&name, &backup(who, &backup_key(who)), &none));
    }
    for account in ["", "ratchets"] {
        let (source, withheld) = bridge(account);
        let name = format!("bridge:{account}");
        read.insert(name.clone(), check(&name, &source, &withheld));
    }
    assert!(read.values().all(|count| *count > 5), "{read:?}");
}

#[test]
fn sessions_of_several_sources_are_one() {
    let (ratcheted, _) = bridge("ratchets");
    let whole = backup("alice", &backup_key("alice"));
    let mut later = 0;
    for (at, session) in ratcheted {
        let Some(other) = whole.get(&at) else { continue };
        later += u32::from(session.first_index() > other.first_index());
        let mut sessions = Sessions::default();
        let (first, key) = (other.first_index().min(session.first_index()), session.sender_key());
        sessions.add(session);
        sessions.add(other.keep().open().unwrap());
        let all: Vec<_> = sessions.iter().collect();
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].first_index(), all[0].vouched(), all[0].sender_key()), (first, Vouched::Device, key));
    }
    assert!(later > 3);
}

#[test]
fn a_wrong_key_is_known_before_anything_is_opened() {
    let versions: Vec<_> = sample::rows("synapse.sql.gz", "e2e_room_keys_versions")
        .into_iter()
        .map(|row| {
            let text = |column: &str| row[column].clone().unwrap();
            let version = Version::parse(&text("algorithm"), &text("auth_data")).unwrap();
            (text("user_id"), text("version"), version)
        })
        .collect();
    let opened_by = |key: &BackupKey| -> Vec<(&str, &str)> {
        let fitting = versions.iter().filter(|(_, _, version)| version.is_opened_by(key));
        fitting.map(|(user, version, _)| (user.as_str(), version.as_str())).collect()
    };
    let (alice, bob) = (user_id("alice"), user_id("bob"));
    assert_eq!(opened_by(&backup_key("alice")), [(&*alice, "1")]);
    assert_eq!(opened_by(&backup_key("bob")), [(&*bob, "2")]);
    let old = BackupKey::new(&recovery(&sample::secrets()["people"]["bob"]["old_backup_key"]));
    assert_eq!(opened_by(&old), [(&*bob, "1")]);
    // and a key that does not fit opens nothing
    for row in sample::rows("synapse.sql.gz", "e2e_room_keys") {
        let [user, id, data] = ["user_id", "session_id", "session_data"].map(|column| row[column].clone().unwrap());
        assert!(old.open(&data, &id).is_err(), "{user}");
        let own = backup_key(if user == alice { "alice" } else { "bob" });
        assert_eq!(own.open(&data, "another").unwrap_err().to_string(), "another session than its id says");
    }
}

fn secret_storage(who: &str) -> SecretStorage {
    let (mut storage, user_id) = (SecretStorage::default(), user_id(who));
    for row in sample::rows("synapse.sql.gz", "account_data") {
        if row["user_id"].as_ref() == Some(&user_id) {
            storage.insert(row["account_data_type"].clone().unwrap(), row["content"].clone().unwrap());
        }
    }
    storage
}

#[test]
fn secret_storage_has_the_key_of_the_backup() {
    let secrets = sample::secrets();
    for who in ["alice", "bob"] {
        let person = &secrets["people"][who];
        let storage = secret_storage(who);
        let found = storage.secrets(BACKUP, &Secret::Key(recovery(&person["recovery_key"])));
        assert_eq!(found.len(), 1);
        let key = BackupKey::from_secret(&found[0]).unwrap();
        assert_eq!(backup(who, &key).len(), backup(who, &backup_key(who)).len());
        // neither the backup's own key, nor somebody else's
        assert!(storage.secrets(BACKUP, &Secret::Key(recovery(&person["backup_key"]))).is_empty());
        assert!(storage.secrets("m.cross_signing.made_up", &Secret::Key(recovery(&person["recovery_key"]))).is_empty());
    }
}

#[test]
fn a_passphrase_opens_secret_storage() {
    let secrets = sample::secrets();
    let storage = secret_storage("bob");
    let began = Instant::now();
    let found = storage.secrets(BACKUP, &Secret::Passphrase(passphrase(&secrets["people"]["bob"]["passphrase"])));
    assert_eq!(found.len(), 1);
    assert!(BackupKey::from_secret(&found[0]).is_some());
    eprintln!("500,000 rounds in {:?}", began.elapsed());
    let alice = secret_storage("alice");
    // hers knows no passphrase
    assert!(alice.secrets(BACKUP, &Secret::Passphrase(Zeroizing::new("guess".to_owned()))).is_empty());
}

#[test]
fn a_key_file_opens_with_its_passphrase_alone() {
    let wrong = KeyFile::open(sample::file("bob.keys.txt"), &Zeroizing::new("guess".to_owned()));
    assert_eq!(wrong.err().unwrap().to_string(), "the passphrase does not fit it, or it is damaged");
    let no_file = KeyFile::open(sample::file("secrets.json"), &Zeroizing::new("guess".to_owned()));
    assert!(no_file.err().unwrap().to_string().starts_with("it is no file of exported keys"));
}
