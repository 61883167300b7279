//! No log tells what people said, what they are called, or how to log in, however talkative it is and whatever fails. What
//! must not be told has `sesame` in it, and nothing else has.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::support::archive::TestArchive;
use crate::support::story::ROOM;
use crate::support::{Cluster, Database, Shape};
use crate::{Ended, commands, run, tell};

const FORMATS: [&str; 2] = ["text", "json"];
const PASSWORD: &str = "open-Sesame";

/// A server that asks for a password over TCP; its superuser `ali` has one.
fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let cluster = Cluster::start();
        let database = cluster.database("setting_up", Shape::V1_163);
        database.execute(&format!("create role ali superuser login password '{PASSWORD}'"));
        let who_may = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
        fs::write(cluster.directory().join("data/pg_hba.conf"), who_may).expect("its owner's, or root's");
        database.execute("select pg_reload_conf()");
        let wrong = over_tcp(&cluster, &database, "wrong");
        let patience = Instant::now() + Duration::from_secs(30);
        while !run(&["rooms", "--database", &wrong], &[]).stderr.contains("password authentication failed") {
            assert!(Instant::now() < patience, "the server asks for no password");
            std::thread::sleep(Duration::from_millis(50));
        }
        cluster
    })
}

/// How Ali connects.
fn over_tcp(cluster: &Cluster, database: &Database, password: &str) -> String {
    format!("postgres://ali:{password}@127.0.0.1:{}/{}", cluster.port(), database.name())
}

/// What a command may say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shows {
    /// What people said, on stdout.
    Content,
    Nothing,
}

/// Runs a command at the most talkative level, with what makes other programs talk, and looks at what it tells.
#[track_caller]
fn tells_nothing<A: AsRef<str>>(
    format: &str,
    code: i32,
    shows: Shows,
    arguments: &[A],
    variables: &[(&str, &str)],
) -> Ended {
    let all = [("SYNAPSE_EXPORT_LOG_LEVEL", "debug"), ("SYNAPSE_EXPORT_LOG_FORMAT", format), ("RUST_LOG", "trace")];
    let ended = run(arguments, &[&all[..], variables].concat());
    let arguments: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
    assert_eq!(ended.code, Some(code), "{arguments:?} {variables:?}: {ended:#?}");
    let told = |text: &str| text.to_lowercase().contains("sesame");
    assert!(!told(&ended.stderr), "{arguments:?} {variables:?}: {}", ended.stderr);
    assert_eq!(told(&ended.stdout), shows == Shows::Content, "{arguments:?} {variables:?}: {}", ended.stdout);
    ended
}

/// What an archive remembers of its runs.
#[track_caller]
fn remembers_nothing(archive: &TestArchive) {
    let runs = archive.one("select group_concat(outcome || coalesce(error, '')) from run");
    assert!(!runs.is_empty() && !runs.to_lowercase().contains("sesame"), "{runs}");
}

#[test]
fn no_command_tells_what_people_say_or_how_it_connects() {
    let database = cluster().database("private", Shape::V1_163);
    tell(&database);
    let dsn = over_tcp(cluster(), &database, PASSWORD);
    for format in FORMATS {
        let (archive, files) = (TestArchive::new(), tempfile::tempdir().unwrap());
        for (arguments, is_content) in commands(&["--database", &dsn], archive.path(), files.path()) {
            let code = if arguments[0] == "doctor" { 10 } else { 0 };
            let shows = if is_content { Shows::Content } else { Shows::Nothing };
            tells_nothing(format, code, shows, &arguments, &[]);
        }
        remembers_nothing(&archive);
        // there was something to tell
        let told: String = archive.lines().into_values().map(|line| line.text).collect();
        for word in ["body", "formatted", "topic", "alice", "reason", "url", "avatar", "token", "redacted", "rejected"]
        {
            let is_told =
                [" ", "/", "-", " to be "].iter().any(|between| told.contains(&format!("sesame{between}{word}")));
            assert!(is_told, "{word}: {told}");
        }
        let help = [("SYNAPSE_EXPORT_DATABASE", &*dsn), ("PGPASSWORD", PASSWORD)];
        for command in ["export", "room", "rooms", "doctor"] {
            let said = tells_nothing(format, 0, Shows::Nothing, &[command, "--help"], &help).stdout;
            let said: Vec<&str> = said.split_whitespace().collect();
            assert!(said.join(" ").contains("Other users can see a password here"), "{said:?}");
        }
    }
}

#[test]
fn no_way_to_give_a_password_tells_it() {
    let database = cluster().database("passwords", Shape::V1_163);
    tell(&database);
    let (port, name) = (cluster().port(), database.name());
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| file(directory.path(), name, text);
    let yaml = |name: &str, password: &str| {
        let args = format!(
            "{{ user: ali, password: {password}, host: 127.0.0.1, port: {port}, dbname: {} }}",
            database.name()
        );
        file(name, &format!("database:\n  name: psycopg2\n  args: {args}\n"))
    };
    let (right, wrong) = (file("right", PASSWORD), file("wrong", "wrong-sesame"));
    let (sound, unsound, list) = (yaml("sound", PASSWORD), yaml("unsound", "\"sesame"), yaml("list", "[sesame]"));
    let pgpass = file("pgpass", &format!("*:*:*:*:{PASSWORD}\n"));
    let open = file("open", &format!("*:*:*:*:{PASSWORD}\n"));
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();
    let key = file("key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nc2VzYW1l\n-----END ENCRYPTED PRIVATE KEY-----\n");
    let sections = format!(
        "[sound]\nhost=127.0.0.1\nport={port}\nuser=ali\ndbname={name}\npassword={PASSWORD}\n[unsound]\npassword sesame\n"
    );
    let services = file("services", &sections);
    let (ali, with, without) = (
        format!("postgres://ali:{PASSWORD}"),
        format!("postgres://ali:{PASSWORD}@127.0.0.1:{port}/{name}"),
        format!("postgres://ali@127.0.0.1:{port}/{name}"),
    );
    // exit status, variables, arguments
    let ways = format!(
        "0 --database {with}
         0 SYNAPSE_EXPORT_DATABASE={with}
         0 PGPASSWORD={PASSWORD} --database {without}
         0 --password-file {right} --database {without}
         0 --synapse-config {sound}
         0 PGPASSFILE={pgpass} --database {without}
         0 PGSERVICEFILE={services} --database service=sound
         1 --database postgres://ali:wrong-sesame@127.0.0.1:{port}/{name}
         1 PGPASSWORD=wrong-sesame --database {without}
         1 --password-file {wrong} --database {without}
         1 PGPASSFILE={open} --database {without}
         1 --database {ali}@127.0.0.1:{port}/no_such_database
         1 --database {ali}@no-such-host.invalid/synapse
         75 --database {ali}@127.0.0.1:1/synapse
         1 --database {with}?sslmode=require
         1 --database {without}?sslmode=require&sslcert={key}&sslkey={key}&sslpassword=sesame
         2 --synapse-config {unsound}
         2 --synapse-config {list}
         2 PGSERVICEFILE={services} --database service=unsound
         2 --database {ali}@h:port/d
         2 --database {ali}@h/d?sslmode=perhaps
         2 --database password-sesame
         2 {with}
         2 --databse={with}"
    );
    for (format, way) in FORMATS.into_iter().flat_map(|format| ways.lines().map(move |way| (format, way))) {
        let mut words = way.split_whitespace().peekable();
        let code = words.next().unwrap().parse().unwrap();
        let variables: Vec<_> =
            std::iter::from_fn(|| words.next_if(|word| word.starts_with(char::is_uppercase))).collect();
        let variables: Vec<_> = variables.iter().map(|word| word.split_once('=').unwrap()).collect();
        let arguments: Vec<&str> = words.collect();
        let shows = if code == 0 { Shows::Content } else { Shows::Nothing };
        let ended = tells_nothing(format, code, shows, &[&["rooms"], &arguments[..]].concat(), &variables);
        assert!(!ended.stderr.is_empty());
        let code = match code {
            0 => 10,
            2 => 2,
            _ => 11,
        };
        tells_nothing(format, code, Shows::Nothing, &[&["doctor"], &arguments[..]].concat(), &variables);
    }
}

/// A file that is its owner's alone.
fn file(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    fs::write(&path, text).expect("a file can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its owner may");
    path.display().to_string()
}

#[test]
fn what_fails_quotes_nothing_of_what_it_fails_on() {
    let broken: [(&str, &str, i32, &str); 6] = [
        (
            "no JSON",
            "update event_json set json = 'sesame ' || json where event_id in ('$6', '$13')",
            3,
            "its PDU is kept as text",
        ),
        (
            "a value that cannot be read",
            "alter table rooms rename to rooms_; \
             create view rooms as select room_id, (select json from event_json where event_id = '$6')::int::text as room_version \
                                    from rooms_",
            1,
            "a value cannot be read (SQLSTATE 22P02)",
        ),
        (
            "an error with details",
            "create function fail() returns text language plpgsql as $$ begin \
                 raise exception 'it fails' using detail = (select json from event_json where event_id = '$6'); end $$; \
             alter table rooms rename to rooms_; create view rooms as select room_id, fail() as room_version from rooms_",
            1,
            "ERROR: it fails",
        ),
        (
            "an error that passes",
            "create function fail() returns text language plpgsql as $$ begin \
                 raise exception 'it conflicts' using errcode = '40001', \
                     detail = (select json from event_json where event_id = '$6'); end $$; \
             alter table rooms rename to rooms_; create view rooms as select room_id, fail() as room_version from rooms_",
            75,
            "it conflicts; trying again",
        ),
        (
            "another type",
            "alter table event_json alter json type bytea using convert_to(json, 'UTF8')",
            1,
            "error deserializing column",
        ),
        (
            "another encoding",
            "alter table event_json alter json type bytea using convert_to(json, 'UTF8'); \
             update event_json set json = json || '\\xff' where event_id = '$6'; \
             update pg_database set encoding = pg_char_to_encoding('SQL_ASCII') where datname = current_database()",
            1,
            "a value cannot be read (SQLSTATE 22021)",
        ),
    ];
    for (what, breaking, code, said) in broken {
        let database = cluster().database("broken", Shape::V1_163);
        tell(&database);
        database.execute(breaking);
        if what == "another encoding" {
            // only sessions that come later know of it
            database.psql("alter table event_json alter json type text using convert_from(json, 'SQL_ASCII')");
        }
        let dsn = over_tcp(cluster(), &database, PASSWORD);
        for format in FORMATS {
            let (archive, files) = (TestArchive::new(), tempfile::tempdir().unwrap());
            let file = |name: &str| files.path().join(name).display().to_string();
            let (archive_at, lines, document) = (archive.path().display().to_string(), file("lines"), file("document"));
            let place = ["--database", &dsn, "--retry-for", "1s"];
            for arguments in [
                &["export", "--archive", &archive_at][..],
                &["room", ROOM, "--output", &lines],
                &["room", ROOM, "--format", "markdown", "--output", &document],
            ] {
                let ended = tells_nothing(format, code, Shows::Nothing, &[arguments, &place].concat(), &[]);
                assert!(ended.stderr.contains(said), "{what}: {ended:#?}");
            }
            remembers_nothing(&archive);
            // a view has no index, which is an error
            let code = if breaking.contains("view") { 11 } else { 10 };
            tells_nothing(format, code, Shows::Nothing, &["doctor", "--database", &dsn, "--archive", &archive_at], &[]);
        }
    }
}

#[test]
fn what_is_looked_for_in_vain_is_not_told() {
    let database = cluster().database("sought", Shape::V1_163);
    tell(&database);
    let dsn = over_tcp(cluster(), &database, PASSWORD);
    let (archive, files) = (TestArchive::new(), tempfile::tempdir().unwrap());
    // somebody names the wrong file
    let list = format!("@{}", file(files.path(), "list", "#room:here.test\nsesame\n"));
    let archive_at = archive.path().display().to_string();
    for format in FORMATS {
        // two rooms have it in their names, and one in its members'
        let ended = tells_nothing(format, 1, Shows::Nothing, &["room", "esam", "--database", &dsn], &[]);
        assert!(
            ended.stderr.contains("3 rooms are called") && ended.stderr.contains("!nameless:here.test"),
            "{ended:#?}"
        );
        let export = ["export", "--database", &dsn, "--archive", &archive_at, "--room", &list];
        let ended = tells_nothing(format, 2, Shows::Nothing, &export, &[]);
        assert!(ended.stderr.contains("line 2 of "), "{ended:#?}");
    }
}

#[test]
fn a_damaged_archive_is_not_quoted() {
    let database = cluster().database("archived", Shape::V1_163);
    tell(&database);
    let dsn = over_tcp(cluster(), &database, PASSWORD);
    let day = "rooms/room@here.test/2026-11-22.jsonl";
    let line = |rest: &str| format!(r#"{{"event_id":"$sesame","room_id":"!room:here.test",{rest}}}"#) + "\n";
    let broken: [(&str, String, i32, &str); 6] = [
        ("catalog.sqlite", "sesame ".repeat(1000), 1, "damaged"),
        (day, "sesame\n".to_owned(), 1, "but the catalog knows"),
        // these without a catalog, so that it is made anew from the lines
        (day, "sesame\n".to_owned(), 1, "line 1 of "),
        (day, line(r#""synapse":"sesame""#), 1, "line 1 of "),
        (day, line(r#""synapse":{"stream_ordering":"sesame","topological_ordering":1}"#), 1, "line 1 of "),
        (day, line(r#""content":{"body":"sesame"},"content":"sesame""#), 1, "line 1 of "),
    ];
    for format in FORMATS {
        for (nth, (path, text, code, said)) in broken.iter().enumerate() {
            let archive = TestArchive::new();
            archive.export(&database);
            fs::write(archive.path().join(path), text).unwrap();
            if nth > 1 {
                fs::remove_file(archive.path().join("catalog.sqlite")).unwrap();
            }
            let at = archive.path().display().to_string();
            let export = ["export", "--database", &dsn, "--archive", &at];
            let ended = tells_nothing(format, *code, Shows::Nothing, &export, &[]);
            assert!(ended.stderr.contains(said), "{nth}: {ended:#?}");
            for (arguments, codes) in [
                (&["render", "--all", "--archive", &at][..], &[1, 1, 1, 1, 1, 1]),
                (&["watermark", "show", "--archive", &at], &[1, 0, 1, 1, 1, 1]),
                (&["doctor", "--database", &dsn, "--archive", &at], &[11, 11, 10, 10, 10, 10]),
            ] {
                tells_nothing(format, codes[nth], Shows::Nothing, arguments, &[]);
            }
        }
    }
}
