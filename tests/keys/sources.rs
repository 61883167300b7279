//! Sources of keys: what opens each, and what is said when nothing does.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::{ALICE, BOB, Lab, ROOMS, options, unpacked};

/// How many of all rooms' events can be read, and what was said of sources.
#[track_caller]
fn readable(lab: &Lab, sources: &[&str]) -> (u64, Vec<Value>) {
    let ended = lab.run(&[&["keys", "check", "--json"], &ROOMS[..], sources].concat());
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let lines: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (rooms, sources): (Vec<Value>, Vec<Value>) = lines.into_iter().partition(|line| line.get("read").is_some());
    assert_eq!(rooms.len(), ROOMS.len());
    (rooms.iter().map(|room| room["read"]["readable"].as_u64().unwrap()).sum(), sources)
}

#[test]
fn a_backup_opens_with_whatever_its_user_has() {
    let lab = Lab::new("opens");
    let all = readable(&lab, &options(&[lab.backup("bob", BOB)])).0;
    assert!(all > 5);
    let own = lab.file("own", &lab.person("bob", "backup_key"));
    assert_eq!(readable(&lab, &["--backup-user", BOB, "--recovery-key-file", &own]).0, all);
    let passphrase = lab.file("passphrase", &(lab.person("bob", "passphrase") + "\n"));
    assert_eq!(readable(&lab, &["--backup-user", BOB, "--passphrase-file", &passphrase]).0, all);
    // a file in place of the table
    let storage = lab.synapse.query_one_text(&format!(
        "select json_object_agg(account_data_type, content::json)::text from account_data where user_id = '{BOB}'"
    ));
    lab.synapse.execute("drop table account_data");
    let storage = lab.file("storage.json", &storage);
    let (recovery, storage) = (lab.backup("bob", BOB), vec!["--secret-storage-file".to_owned(), storage]);
    assert_eq!(readable(&lab, &options(&[recovery, storage])).0, all);
    // a key of a version that was deleted opens that version, which is empty
    let old = lab.file("old", &lab.person("bob", "old_backup_key"));
    let (read, sources) = readable(&lab, &["--backup-user", BOB, "--recovery-key-file", &old]);
    assert_eq!((read, &sources[0]["source"]), (0, &format!("key backup of {BOB}, version 1").into()));
}

#[test]
fn a_key_may_come_through_a_file_descriptor() {
    let lab = Lab::new("descriptor");
    let [key, program] =
        [lab.file("key", &lab.person("bob", "recovery_key")), env!("CARGO_BIN_EXE_synapse-export").to_owned()];
    let check =
        ["keys", "check", "--backup-user", BOB, "--recovery-key-file", "/dev/fd/3", "--database", &lab.synapse.dsn()];
    let output = std::process::Command::new("sh")
        .env_clear()
        .args(["-c", "exec \"$@\" 3<\"$0\"", &key, &program])
        .args(check)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("key backup of @bobp7h84"), "{output:#?}");
}

#[test]
fn a_superseded_version_is_looked_at_too() {
    let lab = Lab::new("superseded");
    let before = readable(&lab, &options(&[lab.backup("alice", ALICE)]));
    lab.synapse.execute(&format!("update e2e_room_keys_versions set deleted = 1 where user_id = '{ALICE}'"));
    assert_eq!(readable(&lab, &options(&[lab.backup("alice", ALICE)])), before);
}

#[test]
fn the_store_of_a_bridge_opens_by_the_keys_that_are_known_and_that_of_its_configuration() {
    let lab = Lab::new("pickles");
    // one of two accounts has a key of its own, the other one that is known
    let (known, _) = readable(&lab, &["--bridge-database", &lab.bridge.dsn()]);
    let (all, sources) = readable(&lab, &options(&[lab.bridge()]));
    assert!(known > 5 && all > known, "{known} {all}");
    let withheld: u64 =
        sources[0]["rooms"].as_array().unwrap().iter().map(|room| room["withheld"].as_u64().unwrap()).sum();
    assert_eq!(withheld, 1);
    let config = format!(
        "database:\n  type: postgres\n  uri: {}\nencryption:\n  pickle_key: {}\nother: {{secret: 1}}\n",
        lab.bridge.url(),
        lab.secrets["pickle_keys"][""].as_str().unwrap()
    );
    let config = lab.file("config.yaml", &config);
    assert_eq!(readable(&lab, &["--bridge-config", &config]).0, all);
    // what is locked is said to be
    let ended = lab.run(&["keys", "check", ROOMS[0], "--bridge-database", &lab.bridge.dsn()]);
    assert!(ended.stdout.contains("session cannot be opened"), "{ended:#?}");
}

#[test]
fn the_store_of_a_bridge_may_be_a_file() {
    let lab = Lab::new("sqlite");
    let path = lab.path("bridge.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "create table crypto_megolm_inbound_session (account_id text, session_id char(43), sender_key char(43), signing_key char(43),
               room_id text, session bytea, forwarding_chains text, withheld_code text, withheld_reason text,
               primary key (account_id, session_id))",
        )
        .unwrap();
    let rows = lab.bridge.query_one_text(
        "select json_agg(json_build_array(account_id, session_id, sender_key, room_id, convert_from(session, 'UTF8'), withheld_code))::text
           from crypto_megolm_inbound_session",
    );
    for row in serde_json::from_str::<Vec<[Option<String>; 6]>>(&rows).unwrap() {
        connection
            .execute(
                "insert into crypto_megolm_inbound_session (account_id, session_id, sender_key, room_id, session, withheld_code)
                 values (?1, ?2, ?3, ?4, ?5, ?6)",
                rusqlite::params_from_iter(row),
            )
            .unwrap();
    }
    drop(connection);
    let key = lab.file("pickle", lab.secrets["pickle_keys"][""].as_str().unwrap());
    let by_file = readable(&lab, &["--bridge-store", &path, "--pickle-key-file", &key]).0;
    assert_eq!(by_file, readable(&lab, &options(&[lab.bridge()])).0);
    // nothing was written to it, nor beside it
    let beside = std::fs::read_dir(lab.files.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("bridge.db"));
    assert_eq!(beside.count(), 1);
    let ended = lab.run(&["keys", "check", "--bridge-store", &key]);
    assert_eq!(ended.code, Some(1), "{ended:#?}");
}

#[test]
fn the_store_of_a_bridge_in_go_says_where_its_sessions_are_from() {
    let lab = Lab::new("in_go");
    let path = lab.path("bridge.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    // the columns of version 19, in which SQLite's keys may be null
    connection
        .execute_batch(
            "create table crypto_megolm_inbound_session (account_id text, session_id char(43), sender_key char(43), signing_key char(43),
               room_id text, session bytea, forwarding_chains bytea, withheld_code text, withheld_reason text, ratchet_safety jsonb,
               received_at timestamp, max_age bigint, max_messages integer, is_scheduled boolean, key_backup_version text, key_source text,
               primary key (account_id, session_id))",
        )
        .unwrap();
    let rows = lab.bridge.query_one_text(
        "select json_agg(json_build_array(account_id, session_id || '  ', sender_key || ' ', room_id, convert_from(session, 'UTF8') || chr(10),
                withheld_code))::text
           from crypto_megolm_inbound_session",
    );
    for row in serde_json::from_str::<Vec<[Option<String>; 6]>>(&rows).unwrap() {
        let sql = "insert into crypto_megolm_inbound_session (account_id, session_id, sender_key, room_id, session, withheld_code, key_source)
                   values (?1, ?2, ?3, ?4, cast(?5 as blob), ?6, 'direct')";
        // an id is as events have it
        let row = row.map(|text| text.map(|text| text.trim_end_matches(' ').to_owned()));
        connection.execute(sql, rusqlite::params_from_iter(row)).unwrap();
    }
    // without an Olm session, and what nothing says of anything
    connection
        .execute_batch(
            "insert into crypto_megolm_inbound_session (account_id, session_id, sender_key, room_id, withheld_code)
             values ('', '', 'somebody', '', 'm.no_olm'), (null, null, null, null, null)",
        )
        .unwrap();
    let key = lab.file("pickle", lab.secrets["pickle_keys"][""].as_str().unwrap());
    let sources = ["--bridge-store", &path, "--pickle-key-file", &key];
    let vouched_for = || {
        let lines = lab.decrypted(&sources);
        let read: Vec<_> = lines.values().filter_map(|line| line["synapse"].get("encrypted")).collect();
        (read.len(), read.iter().filter(|about| about["authenticated"] == true).count())
    };
    let (all, authenticated) = vouched_for();
    assert!(all > 30 && all == authenticated, "{all} {authenticated}");
    for from in ["backup", "import", "forward"] {
        connection.execute("update crypto_megolm_inbound_session set key_source = ?1", [from]).unwrap();
        assert_eq!(vouched_for(), (all, 0), "{from}");
    }
    let store = lab.path("store");
    let import = ["keys", "import", "--plain", "--key-store", &store];
    assert_eq!(lab.run(&[&import, &sources[..]].concat()).code, Some(0));
}

#[test]
fn the_stores_of_matrix_nio_open_what_the_keys_in_them_open() {
    let lab = Lab::new("nio");
    // both have the sessions of this file
    let by_file = readable(&lab, &options(&[lab.key_file("alice")])).0;
    assert!(by_file > 5);
    for version in ["0.25", "0.26"] {
        let path = lab.path(&format!("{version}.db"));
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.execute_batch(&unpacked(&format!("nio-{version}.sql.gz"))).unwrap();
        drop(connection);
        let before = std::fs::read(&path).unwrap();
        let (read, sources) = readable(&lab, &["--bridge-store", &path]);
        assert_eq!(read, by_file, "{version}");
        assert_eq!(sources[0]["source"], format!("matrix-nio store {path}"));
        // it vouches for none, as it does not tell what was imported
        let lines = lab.decrypted(&["--bridge-store", &path]);
        let vouched_for = lines.values().filter(|line| line["synapse"]["encrypted"]["authenticated"] == true);
        assert_eq!(vouched_for.count(), 0, "{version}");
        assert_eq!(std::fs::read(&path).unwrap(), before, "{version}");
    }
}

#[test]
fn what_does_not_open_is_named_before_anything_is_read() {
    let lab = Lab::new("closed");
    let wrong = lab.file("wrong", &lab.person("bob", "recovery_key"));
    let garbage = lab.file("garbage", "sesame");
    let nobody = "@nobody:lab.test";
    for (sources, said) in [
        (
            &["--backup-user", ALICE, "--recovery-key-file", &wrong][..],
            "nothing that was given opens the key backup of @alicep7h84",
        ),
        (
            &["--backup-user", ALICE, "--passphrase-file", &garbage],
            "nothing that was given opens the key backup of @alicep7h84",
        ),
        (&["--backup-user", ALICE, "--recovery-key-file", &garbage], "no recovery key"),
        (&["--backup-user", nobody, "--recovery-key-file", &wrong], "has no key backup"),
        (&["--bridge-database", &lab.synapse.dsn()], "this is no database of a bridge that encrypts"),
        (&["--bridge-config", &garbage], "it is no YAML of a bridge's"),
    ] {
        let ended = lab.run(&[&["room", ROOMS[0], "--decrypt"], sources].concat());
        assert_eq!((ended.code, &*ended.stdout), (Some(1), ""), "{ended:#?}");
        assert!(ended.stderr.contains(said) && !ended.stderr.contains("sesame"), "{said}: {ended:#?}");
    }
}

#[test]
fn the_role_for_keys_suffices_and_without_it_that_is_said() {
    let lab = Lab::new("key_role");
    let role = format!("{}_reader", lab.synapse.name());
    lab.synapse.psql(&include_str!("../../sql/reader_role.sql").replace("synapse_export", &role));
    let bridge = format!("{}_reader", lab.bridge.name());
    lab.bridge.psql(&include_str!("../../sql/reader_role_bridge.sql").replace("synapse_export_keys", &bridge));
    let as_role =
        |database: &super::Database, role: &str| database.dsn().replace("user=postgres", &format!("user={role}"));
    let sources = [lab.backup("alice", ALICE), vec!["--bridge-database".to_owned(), as_role(&lab.bridge, &bridge)]];
    let run = || {
        let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_synapse-export"));
        command.env_clear().args(["keys", "check", ROOMS[0], "--database", &as_role(&lab.synapse, &role)]);
        let output = command.args(options(&sources)).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, stderr) = run();
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("sql/reader_role_keys.sql"), "{stderr}");
    lab.synapse.psql(&include_str!("../../sql/reader_role_keys.sql").replace("synapse_export", &role));
    let (code, stderr) = run();
    assert_eq!(code, Some(0), "{stderr}");
    lab.synapse.execute(&format!("drop owned by {role}; drop role {role}"));
    lab.bridge.execute(&format!("drop owned by {bridge}; drop role {bridge}"));
}

#[test]
fn sessions_that_are_imported_open_what_their_sources_open() {
    let lab = Lab::new("import");
    let all = [lab.backup("alice", ALICE), lab.backup("bob", BOB), lab.key_file("alice"), lab.bridge()];
    let (store, passphrase) = (lab.path("store"), lab.file("store.passphrase", "open sesame\n"));
    let import = ["keys", "import", "--key-store", &store, "--key-store-passphrase-file", &passphrase];
    let ended = lab.run(&[&import, &*options(&all)].concat());
    assert!(matches!(ended.code, Some(0 | 3)), "{ended:#?}");
    assert!(!ended.stderr.contains("sesame") && ended.stdout.is_empty(), "{ended:#?}");
    let text = std::fs::read_to_string(&store).unwrap();
    assert!(text.starts_with("-----BEGIN MEGOLM SESSION DATA-----\n") && !text.contains("session_key"));
    assert_eq!(std::fs::metadata(&store).unwrap().permissions().mode() & 0o777, 0o600);
    let readable = |sources: &[&str]| {
        let lines = lab.decrypted(sources);
        lines.values().filter(|line| line["synapse"].get("encrypted").is_some()).count()
    };
    assert_eq!(readable(&["--key-file", &store, "--key-file-passphrase-file", &passphrase]), 83);
    // what is not encrypted is said so, and needs no passphrase
    let plain = lab.path("plain");
    let ended = lab.run(&[&["keys", "import", "--plain", "--key-store", &plain], &*options(&all)].concat());
    assert!(matches!(ended.code, Some(0 | 3)) && ended.stderr.contains("are not encrypted"), "{ended:#?}");
    assert_eq!(std::fs::metadata(&plain).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(serde_json::from_str::<Value>(&std::fs::read_to_string(&plain).unwrap()).unwrap().is_array());
    assert_eq!(readable(&["--key-file", &plain]), 83);
    let both = ["keys", "import", "--plain", "--key-store", "both", "--key-store-passphrase-file", &passphrase];
    assert_eq!(lab.run(&[&both, &*options(&all)].concat()).code, Some(2));
    assert_eq!(lab.run(&[&["keys", "import", "--key-store", "neither"], &*options(&all)].concat()).code, Some(2));
    // nothing is overwritten
    assert_eq!(lab.run(&[&import, &*options(&all)].concat()).code, Some(1));
    let wrong = lab.file("wrong", "open barley");
    let ended = lab.run(&["keys", "check", "--key-file", &store, "--key-file-passphrase-file", &wrong]);
    assert_eq!(ended.code, Some(1), "{ended:#?}");
}
