use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::config::{Host, SslMode};

use super::*;

const DEFAULTS: Defaults = Defaults {
    application_name: "tests",
    connect_timeout: Duration::from_secs(30),
    keepalives_idle: Duration::from_secs(60),
    keepalives_interval: Duration::from_secs(10),
    keepalives_count: 6,
};

/// A connection as a string, its service and the environment say it, in this order; and what is warned of.
fn warned(database: &str, env: &[(&str, &str)]) -> Result<(Connection, Option<String>), Error> {
    let env = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
    let mut parameters = Parameters::from_connection_string(database)?;
    if let Some(name) = parameters.get("service") {
        let (service, _) = Parameters::from_service(name, &env)?;
        parameters.fill(service);
    }
    parameters.fill(Parameters::from_environment(&env)?);
    Connection::new(&parameters, &DEFAULTS, &env)
}

fn config(database: &str, env: &[(&str, &str)]) -> Result<Connection, Error> {
    Ok(warned(database, env)?.0)
}

fn postgres(config: &Connection) -> &tokio_postgres::Config {
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
    let (config, warning) = warned("host=a", &home).unwrap();
    assert_eq!(postgres(&config).get_password(), None);
    assert!(warning.as_ref().is_some_and(|warning| warning.contains("chmod 600")), "{warning:?}");
}

#[test]
fn an_at_sign_in_a_url_s_database_name_is_the_rest_of_a_password() {
    for url in ["postgres://u:1/hunter2@h/d", "postgres://u:a@h/hunter2@h/d", "postgres://u:1/hunter2@h"] {
        let error = config(url, &[]).err().unwrap().to_string();
        assert!(error.contains("%2F") && !error.contains("hunter2"), "{error}");
    }
    for url in ["postgres://h/a%40b", "postgres://h/d?user=me@server"] {
        assert!(config(url, &[]).is_ok(), "{url}");
    }
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
        ("postgres://u:my@secret:12@h:1/d", "%40"),
        ("postgres://u:my@b?secret@h/d", "%40"),
        ("postgres://u:my/b?secret@h/d", "%2F"),
        ("postgres://u:my@b?a=b=secret@h/d", "%40"),
        ("postgres://u:my@[secret@h/d", "%40"),
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
        let error = config(database, &[("PGSYSCONFDIR", "/nowhere")]).err().expect(database);
        let error = format!("{error}; {}", error.hint().unwrap_or_default());
        assert!(error.contains(part) && !error.contains("secret"), "{database}: {error}");
    }
    assert!(
        config("host=h", &[("PGREQUIREAUTH", "scram-sha-256")]).err().unwrap().to_string().contains("PGREQUIREAUTH")
    );
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

#[test]
fn a_password_stands_in_a_url_as_it_is_or_is_told_how_to() {
    const SIGNS: [char; 11] = ['a', '1', '#', '?', '[', ']', '/', '@', ':', '=', '&'];
    let mut passwords = vec![String::new()];
    for _ in 0..4 {
        passwords =
            passwords.iter().flat_map(|before| SIGNS.iter().map(move |sign| format!("{before}{sign}"))).collect();
        for password in &passwords {
            match config(&format!("postgres://u:{password}@h/d"), &[]) {
                Ok(config) => assert_eq!(postgres(&config).get_password(), Some(password.as_bytes()), "{password}"),
                Err(error) => assert!(
                    error.to_string().contains("%40 for @") || error.to_string().contains("%2F for /"),
                    "{password}: {error}"
                ),
            }
        }
    }
}
