use std::path::PathBuf;

use tokio_postgres::config::Host;

use super::*;

fn read(flags: DatabaseFlags, env: &[(&str, &str)]) -> Result<Config, Error> {
    Config::read(flags, |name| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
}

fn postgres(config: &Config) -> &tokio_postgres::Config {
    &config.connection.servers[0].postgres
}

/// A file with this text, in a directory that goes with the test.
fn file(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    (directory, path)
}

#[test]
fn flags_come_before_services_before_the_environment_before_synapse() {
    let yaml = "database:\n  name: psycopg2\n  args: {user: yaml, password: yaml, host: yaml, port: 4, dbname: yaml, cp_min: 5, options: yaml}\n";
    let (_yaml, yaml) = file("homeserver.yaml", yaml);
    let (_service, service) =
        file("services", "[other]\nhost=no\n[s]\n# comment\nhost=service\nport=3\ndbname=service\n[t]\nuser=no");
    let env = [("PGSERVICE", "s"), ("PGSERVICEFILE", service.to_str().unwrap()), ("PGPORT", "2"), ("PGUSER", "env")];
    let flags = DatabaseFlags { database: Some("host=flag"), synapse_config: &[yaml], ..DatabaseFlags::default() };
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
    let flags = DatabaseFlags {
        database: Some("postgres://u:url@h/d"),
        password_file: Some(&path),
        ..DatabaseFlags::default()
    };
    assert_eq!(postgres(&read(flags, &[("PGPASSWORD", "env")]).unwrap()).get_password(), Some(&b"s e cret"[..]));
    let (_directory, path) = file("password", "\n");
    assert!(matches!(read(DatabaseFlags { password_file: Some(&path), ..flags }, &[]), Err(Error::PasswordFile(_))));
}

#[test]
fn synapses_configuration_says_where_its_events_are() {
    let yaml = |text: &str| {
        let (_directory, path) = file("homeserver.yaml", text);
        read(DatabaseFlags { synapse_config: &[path], ..DatabaseFlags::default() }, &[])
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
    let config = read(DatabaseFlags { synapse_config: &[first, more], ..DatabaseFlags::default() }, &[]).unwrap();
    assert_eq!(postgres(&config).get_hosts(), [Host::Tcp("b".into())]);
    assert_eq!(postgres(&config).get_ports(), [5432]);
}

#[test]
fn a_database_has_to_be_named() {
    let error = read(DatabaseFlags::default(), &[]).err().unwrap();
    assert!(matches!(error, Error::None) && error.hint().is_some_and(|hint| hint.contains("--database")));
    assert!(read(DatabaseFlags::default(), &[("PGHOST", "h")]).is_ok());
}
