//! Where the database is, as users and their files say it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use synapse_export::config::{Config, DatabaseFlags, Error};

use super::{Fields, chain};

/// A part of each password, which nothing else has.
const MARK: &str = "Zq7Mark";

/// A password's beginning and end; then any connection string, `homeserver.yaml`, `pg_service.conf` and `.pgpass`.
pub(super) fn check(data: &[u8]) {
    let mut fields = Fields::of(data);
    // no variable and no line has them
    let mut part = || fields.text_or("").replace(['\0', '\n', '\r'], " ");
    check_password(&format!("{}{MARK}{}", part(), part()));
    let (database, yaml, service, passwords) = (fields.text(), fields.text(), fields.text(), fields.text());
    let files = Files::new();
    let mut env = vec![("HOME", files.path("")), ("PGSYSCONFDIR", files.path(""))];
    if let Some(service) = service {
        env.extend([("PGSERVICE", "s".into()), ("PGSERVICEFILE", files.write("services", &service))]);
    }
    files.write(".pgpass", &passwords.unwrap_or_default());
    let synapse_config = yaml.map(|yaml| files.write("homeserver.yaml", &yaml));
    let flags = DatabaseFlags {
        database: database.as_deref(),
        synapse_config: synapse_config.as_slice(),
        ..DatabaseFlags::default()
    };
    let _ = read(flags, &env);
}

/// However a password gets into a configuration, no error shows it; where it is written as it should be, there is none.
fn check_password(password: &str) {
    let files = Files::new();
    let whole = |result: Result<Config, Error>| {
        if let Err(error) = result {
            panic!("{}", chain(&error));
        }
    };
    let database = |text: &str, env: &[(&str, PathBuf)]| {
        let result = read(DatabaseFlags { database: Some(text), ..DatabaseFlags::default() }, env);
        let shown = match &result {
            Ok(config) => config.warnings().join(" "),
            Err(error) => chain(error),
        };
        assert!(!shown.contains(MARK), "{shown} of {text}");
        result
    };
    for careless in [
        format!("postgres://u:{password}@h/d"),
        format!("postgres://u:{password}@h,[::1]:1/d?connect_timeout=3"),
        format!("postgres://h/d?user=u&password={password}&sslmode=prefer"),
        format!("host=h password={password} user=u"),
        format!("host=h password='{password}' user=u"),
        format!("password = {password}"),
    ] {
        let _ = database(&careless, &[]);
    }
    let quoted = password.replace('\\', r"\\").replace('\'', r"\'");
    whole(database(&format!("host=h password='{quoted}' user=u"), &[]));
    let encoded = percent_encoding::utf8_percent_encode(password, percent_encoding::NON_ALPHANUMERIC);
    whole(database(&format!("postgres://u:{encoded}@h/d"), &[]));
    whole(database(&format!("postgres://h/d?user=u&password={encoded}"), &[]));
    whole(database("host=h", &[("PGPASSWORD", password.into())]));
    let service = files.write("services", &format!("[s]\nhost=h\npassword={password}\nuser=u\n"));
    whole(database("service=s", &[("PGSERVICEFILE", service)]));
    let passwords = files.write(".pgpass", &format!("h:*:*:*:{password}\n*:{password}:*:*:x\n{password}"));
    whole(database("host=h", &[("PGPASSFILE", passwords.clone())]));
    fs::set_permissions(&passwords, fs::Permissions::from_mode(0o644)).expect("it is ours");
    whole(database("host=h", &[("PGPASSFILE", passwords)]));
    let alone = files.write("password", password);
    whole(read(
        DatabaseFlags { database: Some("host=h"), password_file: Some(&alone), ..DatabaseFlags::default() },
        &[],
    ));

    let synapse = |value: &str| {
        let yaml = format!(
            "server_name: x\ndatabase:\n  name: psycopg2\n  args:\n    host: h\n    password: {value}\n    cp_min: 5\n"
        );
        let path = files.write("homeserver.yaml", &yaml);
        let result = read(DatabaseFlags { synapse_config: &[path], ..DatabaseFlags::default() }, &[]);
        let shown = result.as_ref().err().map(|error| chain(error)).unwrap_or_default();
        assert!(!shown.contains(MARK), "{shown} of {yaml}");
        result
    };
    let _ = synapse(password);
    let is_printable =
        |c: char| !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}'..='\u{ffff}');
    if password.chars().all(is_printable) {
        whole(synapse(&serde_json::Value::from(password).to_string()));
        whole(synapse(&format!("'{}'", password.replace('\'', "''"))));
    }
}

fn read(flags: DatabaseFlags<'_>, env: &[(&str, PathBuf)]) -> Result<Config, Error> {
    let value = |name: &str| {
        env.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string_lossy().into_owned())
    };
    Config::read(flags, value)
}

/// Files that this user alone can read.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Files(tempfile::tempdir().expect("there is a place for files"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("it can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is ours");
        path
    }
}
