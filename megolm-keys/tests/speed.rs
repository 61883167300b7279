//! How fast events are decrypted, and the sessions of a backup opened: `cargo test --release -p megolm-keys --test speed -- --ignored --nocapture`.
//!
//! With `EVENTS_FILE=FILE` it writes what it decrypts, for `peers.py` beside it, which says how fast others do that.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "it is run by hand, and tells")]

use std::fmt::Write as _;

use megolm_keys::backup::BackupKey;
use megolm_keys::pickle::PickleKeys;
use megolm_keys::{Encrypted, Sessions, Vouched};
use serde_json::json;
use vodozemac::Curve25519PublicKey;
use vodozemac::megolm::{GroupSession, InboundGroupSession, SessionConfig};
use vodozemac::pk_encryption::{PkDecryption, PkEncryption};

const SESSIONS: usize = 200;
const EVENTS: usize = 100;

#[test]
#[ignore = "it measures"]
fn decrypting() {
    let mut events = Vec::new();
    let mut exported = Vec::new();
    let mut for_peers = String::new();
    let key = PkDecryption::new();
    let encryption = PkEncryption::from_key(Curve25519PublicKey::from_bytes(key.public_key().to_bytes()));
    for _ in 0..SESSIONS {
        let mut session = GroupSession::new(SessionConfig::version_1());
        let inbound = InboundGroupSession::new(&session.session_key(), SessionConfig::version_1());
        let plain = json!({
            "algorithm": "m.megolm.v1.aes-sha2", "sender_key": "x".repeat(43), "sender_claimed_keys": { "ed25519": "y".repeat(43) },
            "forwarding_curve25519_key_chain": [], "session_key": inbound.export_at_first_known_index().to_base64(),
        });
        let message = encryption.encrypt(plain.to_string().as_bytes()).unwrap();
        let base64 = |bytes: &[u8]| vodozemac::base64_encode(bytes);
        let entry = json!({
            "ciphertext": base64(&message.ciphertext), "mac": base64(&message.mac), "ephemeral": message.ephemeral_key.to_base64(),
        });
        exported.push((session.session_id(), entry.to_string()));
        let session_key = inbound.export_at_first_known_index().to_base64();
        let from = events.len();
        for at in 0..EVENTS {
            let body =
                format!("message {at}, as long as messages are: a few words, and now and then a few more of them");
            let plain = json!({ "type": "m.room.message", "room_id": "!room:a.example", "content": { "msgtype": "m.text", "body": body } });
            let content = json!({
                "algorithm": "m.megolm.v1.aes-sha2", "session_id": session.session_id(), "device_id": "ABCDEFGHIJ",
                "sender_key": "x".repeat(43), "ciphertext": session.encrypt(plain.to_string()).to_base64(),
            });
            events.push(content.to_string());
        }
        let line =
            json!({ "session_id": session.session_id(), "session_key": session_key, "contents": events[from..] });
        writeln!(for_peers, "{line}").unwrap();
    }
    if let Some(file) = std::env::var_os("EVENTS_FILE") {
        std::fs::write(file, for_peers).unwrap();
    }
    let key = BackupKey::new(key.secret_key().to_bytes().as_ref());
    let began = busy();
    let mut opened: Vec<Sessions> = Vec::new();
    for (id, entry) in &exported {
        let mut sessions = Sessions::default();
        sessions.add(key.open(entry, id).unwrap());
        opened.push(sessions);
    }
    println!("{:.0} sessions of a backup a second", per_second(SESSIONS, began));
    let began = busy();
    for (at, content) in events.iter().enumerate() {
        let encrypted = Encrypted::parse(content).unwrap();
        opened[at / EVENTS].decrypt(&encrypted, "!room:a.example").unwrap();
    }
    println!("{:.0} events a second", per_second(events.len(), began));
    let began = busy();
    for (id, _) in &exported {
        PickleKeys::new([]).open(b"bm90aGluZw", id, None, Vouched::Device).unwrap_err();
    }
    println!("{:.0} pickles that nothing opens a second", per_second(SESSIONS, began));
}

/// For how long a core has worked for this process, nanoseconds: what else the machine does is no matter.
fn busy() -> u64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    told.split_whitespace().next().unwrap().parse().unwrap()
}

fn per_second(count: usize, since: u64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "it is told in round numbers")]
    let (count, nanoseconds) = (count as f64, (busy() - since) as f64);
    count / nanoseconds * 1e9
}
