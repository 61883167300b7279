//! How long an archive's first decryption takes, and how much memory:
//! `EVENTS=1000000 cargo test --release --test keys speed -- --ignored --nocapture`.

use std::fmt::Write as _;
use std::process::Command;
use std::time::Instant;

use serde_json::json;
use vodozemac::megolm::{GroupSession, SessionConfig};

use super::Lab;
use super::backup::Backup;
use crate::support::{Database, Shape, cluster};

const USER: &str = "@somebody:speed.test";
/// Of a session.
const EVENTS: usize = 100;
const ROOMS: usize = 50;
/// Between two events, milliseconds.
const APART: usize = 20_000;

#[test]
#[ignore = "it measures"]
fn the_first_decryption() {
    let events: usize = std::env::var("EVENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let synapse = cluster().database("speed", Shape::V1_163);
    synapse.execute(include_str!("../../testdata/schema/keys.sql"));
    let backup = Backup::new(&synapse, USER);
    fill(&synapse, events, &backup);
    let files = tempfile::tempdir().unwrap();
    let lab = Lab { synapse, bridge: cluster().database("none", Shape::V1_163), files, secrets: json!({}) };
    let archive = lab.path("archive");
    let recovery = lab.file("recovery", &backup.recovery_key());
    let run = |what: &str, more: &[&str]| {
        let began = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_synapse-export"))
            .env_clear()
            .args(["export", "--archive", &archive, "--database", &lab.synapse.dsn(), "--no-markdown"])
            .args(more)
            .spawn()
            .unwrap();
        let (mut peak, mut busy) = (0, 0);
        let ended = loop {
            let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
            let number = |line: &str| line.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok());
            peak = status.lines().find(|line| line.starts_with("VmHWM")).and_then(number).unwrap_or(peak);
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
            let after: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
            let ticks = |at: usize| after.get(at).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
            busy = busy.max(ticks(11) + ticks(12));
            if let Some(ended) = child.try_wait().unwrap() {
                break ended;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        };
        assert!(ended.success());
        let seconds = began.elapsed().as_secs_f64();
        println!("{what}: {seconds:.1} s, {}.{:02} s of CPU, {} MB at its peak", busy / 100, busy % 100, peak / 1024);
    };
    run("lines", &["--no-search"]);
    let keys = ["--decrypt", "--backup-user", USER, "--recovery-key-file", &recovery];
    run("decrypted, without search", &[&keys[..], &["--no-search"]].concat());
    run("nothing new", &["--no-search"]);
    let file = format!("{archive}/decrypted.sqlite");
    println!("decrypted.sqlite: {} bytes an event", std::fs::metadata(file).unwrap().len() / events as u64);
}

/// The id of an event: as with hashes, its first characters tell it from the others.
fn event_id(position: usize) -> String {
    let digits: String = format!("{position:043}").chars().rev().collect();
    format!("${digits}")
}

fn fill(synapse: &Database, events: usize, backup: &Backup) {
    synapse.execute(&format!(
        "insert into rooms (room_id, is_public, room_version) select '!room' || n || ':speed.test', false, '10' from generate_series(0, {}) n",
        ROOMS - 1
    ));
    let (mut rows, mut texts, mut keys) = (String::new(), String::new(), String::new());
    for at in 0..events.div_ceil(EVENTS) {
        let room = format!("!room{}:speed.test", at % ROOMS);
        let mut session = GroupSession::new(SessionConfig::version_1());
        let data = backup.session_data(&session);
        writeln!(keys, "{USER}\t{room}\t{}\t1\t0\t0\tf\t{data}", session.session_id()).unwrap();
        for of_session in 0..EVENTS {
            let position = (of_session + at * EVENTS) + 1;
            let body = format!(
                "message {position}, as long as messages are: a few words, and now and then a few more of them"
            );
            let said =
                json!({ "type": "m.room.message", "room_id": room, "content": { "msgtype": "m.text", "body": body } });
            let content = json!({
                "algorithm": "m.megolm.v1.aes-sha2", "session_id": session.session_id(), "device_id": "ABCDEFGHIJ",
                "sender_key": "x".repeat(43), "ciphertext": session.encrypt(said.to_string()).to_base64(),
            });
            let (id, time) = (event_id(position), 1_600_000_000_000 + position * APART);
            writeln!(
                rows,
                "{position}\t{id}\tm.room.encrypted\t{room}\tt\tf\t{position}\t{time}\t{time}\t{USER}\tf\tmaster\t{position}"
            )
            .unwrap();
            let pdu = json!({
                "auth_events": [event_id(1), event_id(2)], "content": content, "depth": position,
                "hashes": { "sha256": "h".repeat(43) }, "origin_server_ts": time, "prev_events": [event_id(position - 1)],
                "room_id": room, "sender": USER, "signatures": { "speed.test": { "ed25519:a_abcd": "s".repeat(86) } },
                "type": "m.room.encrypted",
            });
            writeln!(texts, "{id}\t{room}\t{{}}\t{pdu}\t3").unwrap();
        }
        if texts.len() > 32 * 1024 * 1024 || (at + 1) * EVENTS >= events {
            synapse.psql(&format!(
                "copy events (topological_ordering, event_id, type, room_id, processed, outlier, depth, origin_server_ts, received_ts,
                              sender, contains_url, instance_name, stream_ordering) from stdin;\n{rows}\\.\n\
                 copy event_json (event_id, room_id, internal_metadata, json, format_version) from stdin;\n{texts}\\.\n\
                 copy e2e_room_keys (user_id, room_id, session_id, version, first_message_index, forwarded_count, is_verified, session_data) from stdin;\n{keys}\\.\n",
            ));
            (rows, texts, keys) = Default::default();
        }
    }
    synapse.execute("analyze");
}
