//! Where a password comes from, and that it is never shown.

use std::time::{Duration, Instant};

use assert_cmd::Command;

use super::{PASSWORD, connect, servers};

/// Everything that `export` says when it is run in this way.
fn said(arguments: &[&str], env: &[(&str, &str)]) -> (Option<i32>, String) {
    let archive = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_synapse-export"));
    command.env_clear().envs(env.iter().copied()).env("RUST_BACKTRACE", "1").timeout(Duration::from_secs(60));
    let output = command.args(["export", "--archive"]).arg(archive.path()).args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.code(), text)
}

#[test]
fn a_password_is_found_in_every_place() {
    let plain = &servers().plain;
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name).display().to_string();
    let (port, escaped) = (plain.port, PASSWORD.replace(':', r"\:"));
    super::certificates::write(path(".pgpass").as_ref(), format!("localhost:{port}:*:scram:{escaped}\n").as_bytes());
    super::certificates::write(path("password").as_ref(), format!("{PASSWORD}\n").as_bytes());
    let name = plain.database.query_one_text("select current_database()");
    let yaml = format!(
        "database:\n  name: psycopg2\n  args:\n    user: scram\n    password: '{PASSWORD}'\n    host: localhost\n    port: {port}\n    dbname: {name}\n"
    );
    super::certificates::write(path("homeserver.yaml").as_ref(), yaml.as_bytes());
    let dsn = plain.dsn("scram");
    let with_password = format!("{dsn} password='{PASSWORD}'");
    let (file, yaml) = (path("password"), path("homeserver.yaml"));
    for (arguments, env) in [
        (vec!["--database", &dsn], vec![("PGPASSWORD", PASSWORD)]),
        (vec!["--database", &dsn], vec![("HOME", home.path().to_str().unwrap())]),
        (vec!["--database", &dsn], vec![("PGPASSFILE", &path(".pgpass"))]),
        (vec!["--database", &dsn, "--password-file", &file], vec![("PGPASSWORD", "wrong")]),
        (vec!["--database", &with_password], vec![("PGPASSWORD", "wrong")]),
        (vec!["--synapse-config", &yaml], vec![]),
        (vec![], vec![("SYNAPSE_EXPORT_DATABASE", with_password.as_str())]),
    ] {
        let (code, text) = said(&arguments, &env);
        assert_eq!(code, Some(0), "{arguments:?} {env:?}: {text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    let (code, text) = said(&["--synapse-config", &yaml], &[("PGPASSWORD", "wrong")]);
    assert_eq!(code, Some(1), "the environment comes before Synapse's configuration: {text}");
}

#[test]
fn what_to_do_about_a_password_is_said() {
    let plain = &servers().plain;
    for role in ["scram", "scram password=wrong"] {
        let (code, text) = said(&["--database", &plain.dsn(role)], &[]);
        assert!(code == Some(1) && text.contains("check the password: --password-file"), "{role}: {code:?} {text}");
        // with the default sslmode, encryption was tried first
        assert!(!text.contains("TLS"), "{role}: {text}");
    }
}

#[test]
fn no_password_is_ever_shown() {
    let plain = &servers().plain;
    let dsn = plain.dsn("scram");
    let secret = "wrong-hunter2";
    let name = plain.database.query_one_text("select current_database()");
    let port = plain.port;
    for database in [
        format!("{dsn} password={secret}"),
        format!("postgres://scram:{secret}@127.0.0.1:{port}/{name}"),
        format!("postgres://scram:{secret}@127.0.0.1:{port}/no_such_database"),
        format!("postgres://scram:{secret}@127.0.0.1:1/{name}"),
        format!("postgres://scram:a@{secret}@127.0.0.1/{name}"),
        format!("postgres://scram:a/{secret}@127.0.0.1/{name}"),
        format!("postgres://scram:1/{secret}@127.0.0.1/{name}"),
        format!("postgres://scram:1@localhost/{secret}@127.0.0.1/{name}"),
        format!("{dsn} password=a {secret}"),
        format!("{dsn} password='{secret}"),
        format!("{dsn} password={secret} unknown=1"),
    ] {
        for (arguments, env) in [
            (vec!["--database", database.as_str()], vec![]),
            (vec![], vec![("SYNAPSE_EXPORT_DATABASE", database.as_str())]),
            (vec!["--help"], vec![("SYNAPSE_EXPORT_DATABASE", database.as_str())]),
        ] {
            let (code, text) = said(&arguments, &env);
            assert!(
                code == Some(0) && arguments == ["--help"] || matches!(code, Some(1 | 2 | 75)),
                "{arguments:?}: {text}"
            );
            assert!(!text.contains(secret) && !text.is_empty(), "{text}");
        }
    }
}

#[test]
fn a_password_file_others_can_read_is_ignored_aloud() {
    let plain = &servers().plain;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("passwords");
    super::certificates::write(&path, format!("*:*:*:*:{}\n", PASSWORD.replace(':', r"\:")).as_bytes());
    let (dsn, env) = (plain.dsn("scram"), [("PGPASSFILE", path.to_str().unwrap())]);
    assert_eq!(said(&["--database", &dsn], &env).0, Some(0));
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o604)).unwrap();
    let (code, text) = said(&["--database", &dsn], &env);
    assert!(code == Some(1) && text.contains("chmod 600") && !text.contains("hunter2"), "{code:?} {text}");
}

#[test]
fn a_password_in_a_wrong_place_is_not_quoted() {
    for arguments in [
        vec!["hunter2"],
        vec!["--database", "host=127.0.0.1", "hunter2"],
        vec!["--database", "host=127.0.0.1 user=u", "--password-file", "hunter2"],
        vec!["--database", "host=127.0.0.1 user=u", "--password-file", "/", "hunter2"],
        vec!["--passwd=hunter2"],
        vec!["--databse=host=h user=hunter2"],
        vec!["-phunter2"],
        vec!["--database=host=h", "--", "hunter2"],
    ] {
        let (code, text) = said(&arguments, &[]);
        assert!(code == Some(2) && !text.contains("hunter2") && !text.is_empty(), "{arguments:?}: {code:?} {text}");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_synapse-export")).args(["--quiet", "hunter2"]).output().unwrap();
    assert!(output.status.code() == Some(2) && !String::from_utf8_lossy(&output.stderr).contains("hunter2"));
    let output = Command::new(env!("CARGO_BIN_EXE_synapse-export")).args(["exprot"]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("export"), "{output:?}");
}

#[test]
fn any_file_with_a_password_that_others_can_read_is_warned_of() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        super::certificates::write(&path, text.as_bytes());
        path
    };
    let password = file("password", "hunter2\n");
    let yaml = "database: {name: psycopg2, args: {user: u, password: hunter2, host: 127.0.0.1, port: 1}}\n";
    let homeserver = file("homeserver.yaml", yaml);
    let harmless = file("harmless.yaml", &yaml.replace("password: hunter2, ", ""));
    let service = file("service.conf", "[it]\nhost=127.0.0.1\nport=1\nuser=u\npassword=hunter2\n");
    let database = "host=127.0.0.1 port=1 user=u";
    let name = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let (password_name, homeserver_name, harmless_name, service_name) =
        (name(&password), name(&homeserver), name(&harmless), name(&service));
    for (path, arguments, env, warned) in [
        (&password, vec!["--database", database, "--password-file", &password_name], vec![], true),
        (&homeserver, vec!["--synapse-config", &homeserver_name], vec![], true),
        (&harmless, vec!["--synapse-config", &harmless_name], vec![], false),
        (&service, vec!["--database", "service=it"], vec![("PGSERVICEFILE", service_name.as_str())], true),
    ] {
        let arguments = [arguments, vec!["--retry-for", "0s"]].concat();
        for (mode, is_open) in [(0o600, false), (0o640, false), (0o644, true)] {
            std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
            let (_, text) = said(&arguments, &env);
            assert_eq!(text.contains("which holds a password"), is_open && warned, "{mode:o} {arguments:?}: {text}");
            assert!(text.contains("cannot connect") && !text.contains("hunter2"), "{text}");
        }
    }
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let begun = Instant::now();
    let error = connect(&format!("host=127.0.0.1 port={port} user=u connect_timeout=1"), &[]).err().unwrap();
    assert!(error.contains("connect_timeout"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}
