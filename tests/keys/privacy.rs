//! No key is anywhere but in what the user gave, and nothing that was decrypted is anywhere but in the output.

use super::{ALICE, BOB, Lab, ROOMS, options, truth};

#[test]
fn no_key_and_no_plaintext_is_in_a_log_an_error_or_a_file() {
    let lab = Lab::new("private");
    let temporary = tempfile::tempdir().unwrap();
    let mut all = [lab.backup("alice", ALICE), lab.backup("bob", BOB), lab.key_file("alice"), lab.bridge()].concat();
    let dump = lab.path("dump.jsonl");
    all.extend(["--log-level", "debug", "--output", &dump].map(str::to_owned));
    let mut logs = String::new();
    for room in ROOMS {
        let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_synapse-export"));
        command.env_clear().env("TMPDIR", temporary.path()).env("SQLITE_TMPDIR", temporary.path());
        let output =
            command.args(["room", room, "--decrypt", "--database", &lab.synapse.dsn()]).args(&all).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        logs.push_str(&stderr);
        std::fs::remove_file(&dump).unwrap();
        logs.push_str(
            &lab.run(&[&["keys", "check", room][..], &options(&[lab.bridge(), lab.key_file("bob")])].concat()).stdout,
        );
    }
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
    let mut secret: Vec<String> = Vec::new();
    for who in ["alice", "bob"] {
        for what in ["recovery_key", "backup_key", "export_passphrase"] {
            let text = lab.person(who, what);
            secret.push(text.split_whitespace().collect());
            secret.push(text);
        }
    }
    secret.push(lab.secrets["pickle_keys"][""].as_str().unwrap().to_owned());
    for truth in truth().values() {
        if let Some(body) = truth["content"]["body"].as_str().filter(|body| body.len() > 6) {
            secret.push(body.to_owned());
        }
    }
    for secret in secret {
        assert!(!logs.contains(&secret), "{secret}");
    }
}
