//! Encrypted rooms, read with the keys of every kind of source: what a real server, real clients and a real bridge's store have.

#![allow(clippy::unwrap_used, reason = "what surrounds these tests must not fail either")]

mod support;

#[path = "keys/archive.rs"]
mod archive;
#[path = "keys/backup.rs"]
mod backup;
#[path = "keys/cut_off.rs"]
mod cut_off;
#[path = "keys/document.rs"]
mod document;
#[path = "keys/forgetting.rs"]
mod forgetting;
#[path = "keys/go.rs"]
mod go;
#[path = "keys/hostile.rs"]
mod hostile;
#[path = "keys/later.rs"]
mod later;
#[path = "keys/plans.rs"]
mod plans;
#[path = "keys/privacy.rs"]
mod privacy;
#[path = "keys/relations.rs"]
mod relations;
#[path = "keys/room.rs"]
mod room;
#[path = "keys/sources.rs"]
mod sources;
#[path = "keys/speed.rs"]
mod speed;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use assert_cmd::Command;
use flate2::read::GzDecoder;
use serde_json::Value;
use tempfile::TempDir;

use support::{Database, Shape, cluster};

/// The rooms of the sample.
const ROOMS: [&str; 4] = [
    "!oDTimeTA4XEjPsYh0zKtMxWRNThA_CL8FTgefezl41U",
    "!Q262E2zPn9Ww-l8BxjfzGtnHJhrdBhCOiwTpNcRb3rU",
    "!SbONwQgQkXAh5ErGqhKAwptqW-057wiTJK9RnrEAnDU",
    "!861b-CjrHh6Sq0lEgBsk24PlzZggkHKh1KiKv7S4ZX4",
];
const ALICE: &str = "@alicep7h84:lab.test";
const BOB: &str = "@bobp7h84:lab.test";

/// How a command ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// A server, a bridge, and the files that a user has.
struct Lab {
    synapse: Database,
    bridge: Database,
    files: TempDir,
    secrets: Value,
}

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/encrypted").join(name)
}

fn unpacked(name: &str) -> String {
    let mut text = String::new();
    GzDecoder::new(File::open(sample(name)).unwrap()).read_to_string(&mut text).unwrap();
    text
}

/// What each encrypted event says, or why it is refused.
fn truth() -> BTreeMap<String, Value> {
    let lines = BufReader::new(GzDecoder::new(File::open(sample("truth.jsonl.gz")).unwrap())).lines();
    let all = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let encrypted = all.filter(|truth| truth.get("clear").is_none());
    encrypted.map(|truth| (truth["event_id"].as_str().unwrap().to_owned(), truth)).collect()
}

impl Lab {
    fn new(hint: &str) -> Lab {
        let synapse = cluster().database(hint, Shape::V1_163);
        synapse.execute(include_str!("../testdata/schema/keys.sql"));
        synapse.psql(&unpacked("synapse.sql.gz"));
        let bridge = cluster().database(&format!("{hint}_bridge"), Shape::V1_163);
        bridge.execute(include_str!("../testdata/schema/bridge.sql"));
        bridge.psql(&unpacked("bridge.sql.gz"));
        let secrets = serde_json::from_str(&std::fs::read_to_string(sample("secrets.json")).unwrap()).unwrap();
        Lab { synapse, bridge, files: tempfile::tempdir().unwrap(), secrets }
    }

    fn path(&self, name: &str) -> String {
        self.files.path().join(name).display().to_string()
    }

    /// A file with a text in it.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn person(&self, who: &str, what: &str) -> String {
        self.secrets["people"][who][what].as_str().unwrap().to_owned()
    }

    /// Runs the program with nothing of this process's environment.
    fn run<A: AsRef<str>>(&self, arguments: &[A]) -> Ended {
        let database = self.synapse.dsn();
        let arguments = arguments.iter().map(AsRef::as_ref).chain(["--database", &database]);
        Lab::run_alone(&arguments.collect::<Vec<_>>())
    }

    /// The same without naming a database.
    fn run_alone<A: AsRef<str>>(arguments: &[A]) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_synapse-export"));
        command.env_clear().timeout(Duration::from_secs(300)).args(arguments.iter().map(AsRef::as_ref));
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Dumps all rooms with these sources of keys, as lines by their events.
    #[track_caller]
    fn decrypted(&self, sources: &[&str]) -> BTreeMap<String, Value> {
        let mut lines = BTreeMap::new();
        for room in ROOMS {
            let ended = self.run(&[&["room", room, "--decrypt"], sources].concat());
            assert_eq!(ended.code, Some(0), "{ended:#?}");
            for line in ended.stdout.lines() {
                let line: Value = serde_json::from_str(line).unwrap();
                lines.insert(line["event_id"].as_str().unwrap().to_owned(), line);
            }
        }
        lines
    }

    /// The options that name a user's backup, opened with his recovery key of secret storage.
    fn backup(&self, who: &str, user_id: &str) -> Vec<String> {
        let key = self.file(&format!("{who}.recovery"), &self.person(who, "recovery_key"));
        ["--backup-user", user_id, "--recovery-key-file", &key].map(str::to_owned).to_vec()
    }

    fn key_file(&self, who: &str) -> Vec<String> {
        let passphrase = self.file(&format!("{who}.passphrase"), &self.person(who, "export_passphrase"));
        let file = sample(&format!("{who}.keys.txt")).display().to_string();
        ["--key-file", &file, "--key-file-passphrase-file", &passphrase].map(str::to_owned).to_vec()
    }

    fn bridge(&self) -> Vec<String> {
        let key = self.file("pickle", self.secrets["pickle_keys"][""].as_str().unwrap());
        ["--bridge-database", &self.bridge.dsn(), "--pickle-key-file", &key].map(str::to_owned).to_vec()
    }
}

fn options(of: &[Vec<String>]) -> Vec<&str> {
    of.iter().flatten().map(String::as_str).collect()
}
