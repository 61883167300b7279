use std::path::PathBuf;

use tokio_postgres::config::{Host, SslMode};

use super::*;

fn read(flags: Flags, env: &[(&str, &str)]) -> Result<Config, Error> {
    Config::read(flags, |name| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
}

fn config(database: &str, env: &[(&str, &str)]) -> Result<Config, Error> {
    read(Flags { database: (!database.is_empty()).then_some(database), ..Flags::default() }, env)
}

fn postgres(config: &Config) -> &tokio_postgres::Config {
    &config.servers[0].postgres
}

/// A file with this text, in a directory that goes with the test.
fn file(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    (directory, path)
}

#[test]
fn urls_and_key_values_say_the_same() {
    for database in [
        "postgres://reader:s%20'cret?@db.example.org:5433/synapse?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem",
        r"host=db.example.org port = 5433 user=reader password='s \'cret?' dbname=synapse sslmode=verify-full sslrootcert=/etc/ca.pem",
    ] {
        let config = config(database, &[("PGPORT", "1"), ("PGUSER", "other"), ("PGSSLMODE", "disable")]).unwrap();
        let postgres = postgres(&config);
        assert_eq!(postgres.get_hosts(), [Host::Tcp("db.example.org".into())]);
        assert_eq!(postgres.get_ports(), [5433]);
        assert_eq!(postgres.get_user(), Some("reader"));
        assert_eq!(postgres.get_password(), Some(&b"s 'cret?"[..]));
        assert_eq!(postgres.get_dbname(), Some("synapse"));
        assert_eq!(config.tls.modes, [SslMode::Require]);
        assert_eq!(config.tls.verify, Verify::Host(Roots::File("/etc/ca.pem".into())));
    }
}

#[test]
fn odd_connection_strings_mean_what_they_mean_to_libpq() {
    let env = [("PGPORT", "6000"), ("PGHOST", "elsewhere")];
    let ports = |database| {
        let config = config(database, &env).unwrap();
        config.servers.iter().map(|server| server.postgres.get_ports()[0]).collect::<Vec<_>>()
    };
    assert_eq!(ports("postgres://a/d"), [6000]);
    assert_eq!(ports("postgres://a,b/d"), [5432, 5432], "several hosts have their ports, or the default");
    assert_eq!(ports("postgres://,/d").len(), 2);
    let password = |database| postgres(&config(database, &[]).unwrap()).get_password().map(<[u8]>::to_vec);
    assert_eq!(password(r"host=h password=a\ "), Some(b"a ".to_vec()));
    assert_eq!(password("host=h password=a\u{a0}b "), Some("a\u{a0}b".as_bytes().to_vec()));
    assert_eq!(password("postgres://u:50%25@h/d"), Some(b"50%".to_vec()));
}

#[test]
fn the_environment_fills_what_is_left_out() {
    let env = [("PGHOST", "/run/pg"), ("PGPORT", "6000"), ("PGUSER", "u"), ("PGDATABASE", "d"), ("PGPASSWORD", "p")];
    let config = config("", &env).unwrap();
    assert_eq!(postgres(&config).get_hosts(), [Host::Unix("/run/pg".into())]);
    assert_eq!(postgres(&config).get_ports(), [6000]);
    assert_eq!((postgres(&config).get_user(), postgres(&config).get_dbname()), (Some("u"), Some("d")));
    assert_eq!(postgres(&config).get_password(), Some(&b"p"[..]));
    assert_eq!(config.servers[0].modes, [SslMode::Disable], "a socket has no TLS");
}

#[test]
fn several_hosts_have_their_ports_addresses_and_passwords() {
    let (_directory, passwords) = file("pgpass", "a:1:d:u:one\n[::1]:*:*:*:no such host\n\\:\\:1:5432:d:u:two\n");
    std::fs::set_permissions(&passwords, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let url = format!("postgres://u@a:1,[::1]/d?passfile={}", passwords.display());
    let config = config(&url, &[]).unwrap();
    let servers = config.servers.iter().map(|server| &server.postgres);
    let found: Vec<_> =
        servers.map(|s| (s.get_hosts()[0].clone(), s.get_ports()[0], s.get_password().unwrap())).collect();
    let host = |name: &str| Host::Tcp(name.to_owned());
    assert_eq!(found, [(host("a"), 1, &b"one"[..]), (host("::1"), 5432, &b"two"[..])]);
    assert!(matches!(self::config("host=a,b port=1,2,3", &[]), Err(Error::Count("port"))));
    assert!(matches!(self::config("host=a,b hostaddr=::1", &[]), Err(Error::Count("hostaddr"))));
}

#[test]
fn a_socket_in_its_usual_place_is_localhost_to_the_password_file() {
    let (_directory, passwords) = file("pgpass", "localhost:5432:d:u:local\n");
    std::fs::set_permissions(&passwords, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    for (host, password) in [("", Some(&b"local"[..])), ("host=/elsewhere", None)] {
        let config = config(&format!("user=u dbname=d passfile={} {host}", passwords.display()), &[]).unwrap();
        assert_eq!(postgres(&config).get_password(), password, "{host}");
    }
}

#[test]
fn a_password_file_others_can_read_is_ignored_with_a_warning() {
    let (directory, path) = file(".pgpass", "*:*:*:*:secret\n");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    let home = [("HOME", directory.path().to_str().unwrap())];
    let config = config("host=a", &home).unwrap();
    assert_eq!(postgres(&config).get_password(), None);
    assert!(matches!(config.warnings(), [warning] if warning.contains("chmod 600")), "{:?}", config.warnings());
}

#[test]
fn flags_come_before_services_before_the_environment_before_synapse() {
    let yaml = "database:\n  name: psycopg2\n  args: {user: yaml, password: yaml, host: yaml, port: 4, dbname: yaml, cp_min: 5, options: yaml}\n";
    let (_yaml, yaml) = file("homeserver.yaml", yaml);
    let (_service, service) =
        file("services", "[other]\nhost=no\n[s]\n# comment\nhost=service\nport=3\ndbname=service\n[t]\nuser=no");
    let env = [("PGSERVICE", "s"), ("PGSERVICEFILE", service.to_str().unwrap()), ("PGPORT", "2"), ("PGUSER", "env")];
    let flags = Flags { database: Some("host=flag"), synapse_config: &[yaml], ..Flags::default() };
    let config = read(flags, &env).unwrap();
    let postgres = postgres(&config);
    assert_eq!(postgres.get_hosts(), [Host::Tcp("flag".into())]);
    assert_eq!((postgres.get_ports(), postgres.get_dbname()), (&[3][..], Some("service")));
    assert_eq!((postgres.get_user(), postgres.get_options()), (Some("env"), Some("yaml")));
    assert_eq!(postgres.get_password(), None, "the password was another user's");
}

#[test]
fn the_password_file_flag_comes_first() {
    let (_directory, path) = file("password", "s e cret\r\nignored");
    let flags = Flags { database: Some("postgres://u:url@h/d"), password_file: Some(&path), ..Flags::default() };
    assert_eq!(postgres(&read(flags, &[("PGPASSWORD", "env")]).unwrap()).get_password(), Some(&b"s e cret"[..]));
    let (_directory, path) = file("password", "\n");
    assert!(matches!(read(Flags { password_file: Some(&path), ..flags }, &[]), Err(Error::PasswordFile(_))));
}

#[test]
fn an_at_sign_in_a_url_s_database_name_is_the_rest_of_a_password() {
    for url in ["postgres://u:1/hunter2@h/d", "postgres://u:a@h/hunter2@h/d", "postgres://u:1/hunter2@h"] {
        let error = read(Flags { database: Some(url), ..Flags::default() }, &[]).err().unwrap().to_string();
        assert!(error.contains("%2F") && !error.contains("hunter2"), "{error}");
    }
    for url in ["postgres://h/a%40b", "postgres://h/d?user=me@server"] {
        assert!(read(Flags { database: Some(url), ..Flags::default() }, &[]).is_ok(), "{url}");
    }
}

#[test]
fn synapses_configuration_says_where_its_events_are() {
    let yaml = |text: &str| {
        let (_directory, path) = file("homeserver.yaml", text);
        read(Flags { synapse_config: &[path], ..Flags::default() }, &[])
    };
    let one = yaml("server_name: x\ndatabase:\n  name: psycopg2\n  args:\n    user: s\n    password: 'p#'\n    database: d\n    host: /run/pg\n    keepalives_idle: 10\n").unwrap();
    assert_eq!(postgres(&one).get_password(), Some(&b"p#"[..]));
    assert_eq!(postgres(&one).get_dbname(), Some("d"));
    assert_eq!(postgres(&one).get_hosts(), [Host::Unix("/run/pg".into())]);
    assert_eq!(postgres(&one).get_keepalives_idle().as_secs(), 10);

    let two = "databases:\n  a: {name: psycopg2, data_stores: [state], args: {host: a}}\n  b: {name: psycopg2, data_stores: [main], args: {host: b}}\n";
    assert_eq!(postgres(&yaml(two).unwrap()).get_hosts(), [Host::Tcp("b".into())]);

    assert!(matches!(yaml("database: {name: sqlite3, args: {database: /x}}"), Err(Error::Sqlite)));
    assert!(matches!(yaml("database_path: /x"), Err(Error::Sqlite)));
    for (text, part) in [
        ("server_name: x", "no 'database'"),
        ("database: {name: psycopg2, args: {pasword: secret}}", "'pasword'"),
        ("database: {name: psycopg2, args: {host: [secret]}}", "'host'"),
        ("database:\n  args: {password: 'secret}\n", "line "),
        ("database: secret", "line "),
    ] {
        let error = yaml(text).err().unwrap().to_string();
        assert!(error.contains(part) && !error.contains("secret"), "{text}: {error}");
    }
}

#[test]
fn later_files_of_synapse_replace_sections_of_earlier_ones() {
    let (directory, first) = file("homeserver.yaml", "database: {name: sqlite3}\n");
    let more = directory.path().join("conf.d");
    std::fs::create_dir(&more).unwrap();
    std::fs::write(more.join("b.yaml"), "database: {name: psycopg2, args: {host: b}}").unwrap();
    std::fs::write(more.join("a.yaml"), "database: {name: psycopg2, args: {host: a, port: 1}}").unwrap();
    std::fs::write(more.join("z.yaml~"), "database: {name: sqlite3}").unwrap();
    let config = read(Flags { synapse_config: &[first, more], ..Flags::default() }, &[]).unwrap();
    assert_eq!(postgres(&config).get_hosts(), [Host::Tcp("b".into())]);
    assert_eq!(postgres(&config).get_ports(), [5432]);
}

#[test]
fn what_cannot_be_had_is_refused_by_name_and_without_its_value() {
    for (database, part) in [
        ("nonsense secret", "key=value"),
        ("host=a password='secret", "closing quote"),
        ("password=my secret=x host=h", "quote a password"),
        ("password=my host=x secret=y", "quote a password"),
        ("password='it'secret=x' host=h", "quote a password"),
        ("postgres://u:my@b?secret=c@h/d", "%40"),
        ("postgres://h/d?password=my&secret=c", "%26"),
        ("postgres://u:1/b?secret=c@h/d", "%2F"),
        ("postgres://u:my@secret@h/d", "%40"),
        ("postgres://u:my/secret@h/d", "%2F"),
        ("postgres://u:secret@h:port/d", "port"),
        ("postgres://u:50%secret@h/d", "%25"),
        ("postgres://u:%00secret@h/d", "%25"),
        ("postgres://h/d?options=-c secret=1", "%3D"),
        ("host=h pasword=secret", "'pasword'"),
        ("postgres://h/d?pasword=secret", "'pasword'"),
        ("host=h sslmode=secret", "sslmode"),
        ("host=h sslcrl=secret", "'sslcrl'"),
        ("host=h target_session_attrs=secret", "target_session_attrs"),
        ("host=h channel_binding=secret", "channel_binding"),
        ("host=h connect_timeout=secret", "connect_timeout"),
        ("host=h connect_timeout=9223372036854775807", "2147483647"),
        ("host=h keepalives_count=4294967296", "2147483647"),
        ("host=h gssencmode=require", "disable or prefer"),
        ("host=h sslmode=verify-full", "sslrootcert"),
        ("host=h sslmode=require sslrootcert=system", "verify-full"),
        ("hostaddr=::1 sslmode=verify-full sslrootcert=system", "'host'"),
        ("host=h service=secret", "service"),
    ] {
        let error = config(database, &[("PGSYSCONFDIR", "/nowhere")]).err().expect(database).to_string();
        assert!(error.contains(part) && !error.contains("secret"), "{database}: {error}");
    }
    assert!(
        config("host=h", &[("PGREQUIREAUTH", "scram-sha-256")]).err().unwrap().to_string().contains("PGREQUIREAUTH")
    );
    assert!(matches!(config("", &[]), Err(Error::None)));
}

#[test]
fn certificates_have_their_usual_places() {
    let directory = tempfile::tempdir().unwrap();
    let home = [("HOME", directory.path().to_str().unwrap())];
    let places = directory.path().join(".postgresql");
    std::fs::create_dir(&places).unwrap();
    for name in ["root.crt", "postgresql.crt", "postgresql.key"] {
        std::fs::write(places.join(name), "").unwrap();
    }
    let tls = |database: &str| config(database, &home).unwrap().tls;
    let roots = || Roots::File(places.join("root.crt"));
    assert_eq!(tls("host=h sslmode=verify-full").verify, Verify::Host(roots()));
    assert_eq!(tls("host=h sslmode=require").verify, Verify::Authority(roots()), "as libpq has it");
    assert_eq!(tls("host=h").verify, Verify::Nothing);
    assert_eq!(tls("host=h sslrootcert=system").verify, Verify::Host(Roots::System));
    assert_eq!(tls("host=h").identity.unwrap().key, places.join("postgresql.key"));
    assert!(tls("host=h sslmode=disable").identity.is_none());
}
