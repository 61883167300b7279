//! No key is anywhere but in what the user gave, and nothing that was decrypted is anywhere but in the output.

use serde_json::Value;

use super::archive::{Archive, all, files};
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
    for secret in secrets(&lab) {
        assert!(!logs.contains(&secret), "{secret}");
    }
}

/// What nothing but the output may say: keys, as they are given and as they are stored, and what events say.
fn secrets(lab: &Lab) -> Vec<String> {
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
    secret
}

/// Keys are those of the user's and those of sessions.
#[test]
fn an_export_that_decrypts_leaves_keys_nowhere_and_plaintexts_in_no_log_and_no_temporary_file() {
    let lab = Lab::new("private_export");
    let temporary = tempfile::tempdir().unwrap();
    let (archive, all) = (Archive::new(&lab, "archive"), all(&lab));
    let directory = archive.directory.display().to_string();
    let mut logs = String::new();
    for more in [&["--decrypt"][..], &["--decrypt=false"]] {
        let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_synapse-export"));
        command.env_clear().env("TMPDIR", temporary.path()).env("SQLITE_TMPDIR", temporary.path());
        command.args(["export", "--archive", &directory, "--database", &lab.synapse.dsn(), "--log-level", "debug"]);
        let sources = if more == ["--decrypt"] { options(&all) } else { Vec::new() };
        let output = command.args(more).args(sources).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        assert!(output.stdout.is_empty());
        logs.push_str(&stderr);
    }
    assert!(logs.contains("83 readable"), "{logs}");
    for secret in secrets(&lab) {
        assert!(!logs.contains(&secret), "{secret}");
    }
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
    // the keys of all sessions that there are
    let store = lab.path("store");
    let ended = lab.run(&[&["keys", "import", "--plain", "--key-store", &store], &*options(&all)].concat());
    assert!(matches!(ended.code, Some(0 | 3)), "{ended:#?}");
    let sessions: Value = serde_json::from_str(&std::fs::read_to_string(&store).unwrap()).unwrap();
    let sessions: Vec<Vec<u8>> = sessions
        .as_array()
        .unwrap()
        .iter()
        .map(|session| {
            let key = session["session_key"].as_str().unwrap();
            // the ratchet, without the version, the index before it, and the public key behind
            vodozemac::base64_decode(key).unwrap()[5..133].to_vec()
        })
        .collect();
    assert!(sessions.len() > 20, "{}", sessions.len());
    for path in files(&archive.directory) {
        let bytes = std::fs::read(&path).unwrap();
        for session in &sessions {
            let is_there = |text: &[u8]| memchr::memmem::find(&bytes, text).is_some();
            // a part in base64 that begins where three bytes do
            let base64 = vodozemac::base64_encode(&session[1..127]);
            assert!(!is_there(&session[..32]) && !is_there(base64.as_bytes()), "{}", path.display());
        }
    }
}
