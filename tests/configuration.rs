//! A configuration file: what it stands for, what wins over it, several archives in one; and what an export leaves for who watches.

#![allow(
    clippy::unwrap_used,
    clippy::items_after_statements,
    reason = "what surrounds these tests must not fail either"
)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use support::archive::TestArchive;
use support::story::{EventRow, ROOM};
use support::{Database, Shape, cluster};

const OTHER: &str = "!other:here.test";

/// How a command ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_synapse-export"));
    let output = command.args(arguments).env_clear().envs(environment.iter().copied()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A server with one user, two rooms, and three events in one of them and one in the other.
fn server() -> Database {
    let database = cluster().database("configuration", Shape::V1_163);
    database.user("@alice:here.test");
    database.room(ROOM, "10");
    database.room(OTHER, "10");
    database.events([1, 2, 3]);
    database.event(EventRow::at(4).within(OTHER));
    database
}

/// A file beside an archive.
fn file(archive: &TestArchive, name: &str, text: &str) -> PathBuf {
    let path = archive.path().with_file_name(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn what_the_file_says_holds_where_nothing_else_is_said() {
    let (database, archive) = (server(), TestArchive::new());
    let config = format!(
        "database = \"{}\"\narchive = \"{}\"\nroom = [\"{ROOM}\"]\nno-search = true\nlog-level = \"warn\"\n",
        database.dsn(),
        text(archive.path())
    );
    let config = file(&archive, "synapse-export.toml", &config);
    let own = config.parent().unwrap().to_str().unwrap().to_owned();
    // named, and found in its place
    let ended = run(&["export", "--config", text(&config)], &[]);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{ended:?}");
    assert_eq!(archive.ids(), "$1 $2 $3");
    let ended = run(&["export", "--room", OTHER, "--log-level=info"], &[("XDG_CONFIG_HOME", &own)]);
    assert!(ended.code == Some(0) && ended.stderr.contains("1 selected room"), "{ended:?}");
    assert_eq!(archive.ids(), "$1 $2 $3 $4");
    // what is about the archive holds for all commands, what is about an export for no other
    let ended = run(&["watermark", "show"], &[("SYNAPSE_EXPORT_CONFIG", text(&config))]);
    assert!(ended.code == Some(0) && ended.stdout.contains("last run: number 2"), "{ended:?}");
    let ended = run(&["render"], &[("XDG_CONFIG_HOME", &own)]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let ended = run(&["render"], &[]);
    assert!(ended.code == Some(2) && ended.stderr.contains("--archive"), "{ended:?}");
}

#[test]
fn what_cannot_be_used_is_named_and_not_quoted() {
    let archive = TestArchive::new();
    let refused = |content: &str, why: &str| {
        let config = file(&archive, "a.toml", content);
        let ended = run(&["export", "--config", text(&config)], &[]);
        assert!(ended.code == Some(2) && ended.stderr.contains(why) && !ended.stderr.contains("sesame"), "{ended:?}");
    };
    refused("databse = 'postgres://sesame@host/'", "no option 'databse'; the nearest is 'database'");
    refused("interval = 'sesame'", "the value of 'interval'");
    refused("database = sesame", "line 1");
    let ended = run(&["export", "--config", "/nowhere/a.toml"], &[]);
    assert!(ended.code == Some(2) && ended.stderr.contains("/nowhere/a.toml"), "{ended:?}");
    // who asks for help gets it
    let config = file(&archive, "a.toml", "sesame");
    let ended = run(&["export", "--help", "--config", text(&config)], &[]);
    assert!(ended.code == Some(0) && ended.stdout.contains("--metrics-file"), "{ended:?}");
}

#[test]
fn what_holds_is_shown_with_where_it_is_from_and_without_passwords() {
    let (database, archive) = (server(), TestArchive::new());
    let ended = run(&["export", "--database", &database.dsn(), "--archive", text(archive.path()), "--room", ROOM], &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let homeserver = "database:\n  name: psycopg2\n  args: {user: u, password: sesame, database: synapse, host: db}\n";
    let homeserver = file(&archive, "homeserver.yaml", homeserver);
    let config = file(&archive, "a.toml", "interval = '10s'\nrender-every = '2m'\nconnections = 4\n");
    let shown = |more: &[&str], environment: &[(&str, &str)]| {
        let ended = run(&[&["config", "show", "--config", text(&config)], more].concat(), environment);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(!ended.stdout.contains("sesame"), "{ended:?}");
        ended.stdout
    };
    #[track_caller]
    fn has(shown: &str, line: &str) {
        assert!(shown.lines().any(|found| found == line), "no {line}: {shown}");
    }
    let path = text(&config);
    let place = text(archive.path());
    let told =
        shown(&["--interval", "3s", "--synapse-config", text(&homeserver)], &[("SYNAPSE_EXPORT_ARCHIVE", place)]);
    has(&told, "interval = \"3s\"  # argument");
    has(&told, &format!("render-every = \"2m\"  # {path}"));
    has(&told, &format!("connections = 4  # {path}"));
    has(&told, &format!("archive = \"{place}\"  # environment, SYNAPSE_EXPORT_ARCHIVE"));
    has(&told, &format!("room = [\"{ROOM}\"]  # archive"));
    has(&told, "database = \"synapse on host db, port 5432\"  # homeserver.yaml");
    has(&told, "retry-for = \"2m\"  # default");
    let told = shown(&["--database", "postgres://u:sesame@db/synapse"], &[]);
    has(&told, "database = \"host=db dbname=synapse user=u password=***\"  # argument");

    // what is written to begin with says nothing that it was not told, and names all there is
    let ended = run(&["config", "init", "--synapse-config", text(&homeserver), "--archive", place], &[]);
    assert!(ended.code == Some(0) && !ended.stdout.contains("sesame"), "{ended:?}");
    assert!(ended.stdout.contains("#interval = \"5s\"") && ended.stdout.contains("#metrics-file"), "{ended:?}");
    let written = file(&archive, "written.toml", &ended.stdout);
    let ended = run(&["config", "show", "--config", text(&written)], &[]);
    has(&ended.stdout, &format!("synapse-config = [\"{}\"]  # {}", text(&homeserver), text(&written)));
    // also with every comment taken away that holds a key
    let all: String = std::fs::read_to_string(&written)
        .unwrap()
        .lines()
        .take_while(|line| !line.contains("Several archives"))
        .map(|line| {
            line.strip_prefix('#')
                .filter(|line| line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')))
                .unwrap_or(line)
        })
        .filter(|line| !line.starts_with("on-failure"))
        .fold(String::new(), |all, line| all + line + "\n");
    let all = file(&archive, "all.toml", &all);
    let ended = run(&["config", "show", "--config", text(&all)], &[]);
    // what stands there for a value may be none
    assert!(ended.code == Some(0) || ended.stderr.contains("the value of"), "{ended:?}");
}

#[test]
fn several_archives_are_brought_up_to_date_one_after_the_other() {
    let database = server();
    let (ops, all) = (TestArchive::new(), TestArchive::new());
    let good = |archive: &TestArchive| text(archive.path()).to_owned();
    let config = format!(
        "database = \"{}\"\nlog-level = \"warn\"\n\
         [archive.a]\narchive = \"{}\"\nroom = [\"{OTHER}\"]\n\
         [archive.b]\narchive = \"/proc/nowhere\"\n\
         [archive.c]\narchive = \"{}\"\n",
        database.dsn(),
        good(&ops),
        good(&all)
    );
    let config = file(&ops, "several.toml", &config);
    let ended = run(&["export", "--all-archives", "--config", text(&config)], &[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!((ops.ids(), all.ids()), ("$4".to_owned(), "$1 $2 $3 $4".to_owned()));
    // one by its name, by its directory; without either it is not clear which
    database.event(EventRow::at(5).within(OTHER));
    let ended = run(&["export", "--archive", "a", "--config", text(&config)], &[]);
    assert_eq!((ended.code, ops.ids()), (Some(0), "$4 $5".to_owned()), "{ended:?}");
    let ended = run(&["export", &format!("--archive={}", good(&ops)), "--config", text(&config)], &[]);
    assert_eq!((ended.code, ops.one("select group_concat(room_id) from selection")), (Some(0), OTHER.to_owned()));
    let ended = run(&["watermark", "show", "--archive=c", "--config", text(&config)], &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let ended = run(&["export", "--config", text(&config)], &[]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let ended = run(&["export", "--all-archives"], &[]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
}

#[test]
fn who_watches_finds_figures_and_is_told_of_failures() {
    let (database, archive) = (server(), TestArchive::new());
    let metrics = archive.path().with_file_name("archive.prom");
    let told = archive.path().with_file_name("told");
    let script = format!("echo \"$SYNAPSE_EXPORT_STATUS $SYNAPSE_EXPORT_ARCHIVE $PGPASSWORD\" >> '{}'", text(&told));
    let export = |dsn: &str| {
        run(
            &[
                "export",
                "--database",
                dsn,
                "--archive",
                text(archive.path()),
                "--metrics-file",
                text(&metrics),
                "--on-failure",
                &script,
            ],
            &[("PATH", "/usr/bin:/bin"), ("PGPASSWORD", "sesame")],
        )
    };
    let ended = export(&database.dsn());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!told.exists());
    let written = std::fs::read_to_string(&metrics).unwrap();
    let value = |name: &str| {
        let line = written.lines().find(|line| line.starts_with(&format!("synapse_export_{name}{{archive=\"")));
        line.unwrap_or_else(|| panic!("no {name}: {written}")).rsplit(' ').next().unwrap().to_owned()
    };
    assert_eq!((&*value("new_events"), &*value("watermark"), &*value("pending_transcripts")), ("4", "4", "0"));
    assert_eq!(value("newest_event_timestamp_seconds"), "1795348804.000");
    assert!(
        value("archive_bytes").parse::<u64>().unwrap() > 100 && value("catalog_bytes").parse::<u64>().unwrap() > 4096
    );
    for name in ["last_success_timestamp_seconds", "last_run_duration_seconds"] {
        assert!(value(name).parse::<f64>().unwrap() > 0.0);
    }
    // a failure leaves the figures of before, and is told
    let ended = export("host=127.0.0.1 port=1 user=nobody dbname=none");
    assert_eq!(ended.code, Some(75), "{ended:?}");
    assert_eq!(std::fs::read_to_string(&metrics).unwrap(), written);
    assert_eq!(std::fs::read_to_string(&told).unwrap(), format!("75 {} \n", text(archive.path())));
}

#[test]
fn an_archive_is_held_for_who_copies_it() {
    let (database, archive) = (server(), TestArchive::new());
    let (copy, seen) = (archive.path().with_file_name("copy"), archive.path().with_file_name("seen"));
    let program = env!("CARGO_BIN_EXE_synapse-export");
    let export = |command: &str, more: &[&str]| {
        let dsn = database.dsn();
        let options = ["export", "--database", &dsn, "--archive", text(archive.path()), "--hold-while", command];
        run(&[&options, more].concat(), &[("PATH", "/usr/bin:/bin"), ("PGPASSWORD", "sesame")])
    };
    // nobody else writes, nothing is left in the log, and what is copied is a whole archive
    let command = format!(
        "'{program}' erase --archive \"$SYNAPSE_EXPORT_ARCHIVE\" --event '$1' --yes; echo \"$? [$PGPASSWORD]\" > '{seen}'; \
         stat -c %s \"$SYNAPSE_EXPORT_CATALOG/catalog.sqlite-wal\" >> '{seen}'; cp -R \"$SYNAPSE_EXPORT_ARCHIVE\" '{copy}'",
        seen = text(&seen),
        copy = text(&copy)
    );
    let ended = export(&command, &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(std::fs::read_to_string(&seen).unwrap(), "75 []\n0\n");
    let ended = run(&["verify", "--quick", "--archive", text(&copy)], &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let ended = run(&["erase", "--archive", text(archive.path()), "--event", "$1", "--yes"], &[]);
    assert_eq!(ended.code, Some(0), "afterwards it is let go: {ended:?}");
    // that it fails is told, and is told of
    let told = archive.path().with_file_name("told");
    let ended = export("exit 23", &["--on-failure", &format!("echo $SYNAPSE_EXPORT_STATUS > '{}'", text(&told))]);
    assert!(ended.code == Some(1) && ended.stderr.contains("--hold-while has failed: exit status: 23"), "{ended:?}");
    assert_eq!(std::fs::read_to_string(&told).unwrap(), "1\n");
    // a copy is made of what is there, not of a run that has failed
    std::fs::remove_file(&seen).unwrap();
    let nowhere = ["export", "--database", "host=127.0.0.1 port=1", "--archive", text(archive.path())];
    let ended = run(&[&nowhere[..], &["--hold-while", &command]].concat(), &[("PATH", "/usr/bin:/bin")]);
    assert!(ended.code == Some(75) && !seen.exists(), "{ended:?}");
    let ended = export("true", &["--follow"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
}

#[test]
fn a_signal_ends_what_an_archive_is_held_for() {
    let (database, archive) = (server(), TestArchive::new());
    let begun = archive.path().with_file_name("begun");
    // what the shell waits for is ended, too: it would go on copying
    let command = format!("sleep 300 & echo $! > '{0}.new'; mv '{0}.new' '{0}'; wait", text(&begun));
    let mut child = Command::new(env!("CARGO_BIN_EXE_synapse-export"))
        .args(["export", "--database", &database.dsn(), "--archive", text(archive.path()), "--hold-while", &command])
        .spawn()
        .unwrap();
    support::wait_until("the command has begun", || begun.exists());
    let kill = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(kill.success());
    assert_eq!(child.wait().unwrap().code(), Some(128 + 15));
    let sleeping = std::fs::read_to_string(&begun).unwrap();
    let stat = format!("/proc/{}/stat", sleeping.trim());
    // gone, or waiting for a parent to take note
    support::wait_until("what it had begun has ended", || {
        std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "))
    });
}

#[test]
fn what_the_file_says_holds_for_that_run_and_what_is_remembered_stays() {
    let (database, archive) = (server(), TestArchive::new());
    let place = ["--database", &database.dsn(), "--archive", text(archive.path())].map(str::to_owned);
    let run = |command: &[&str], file: Option<&str>, more: &[&str]| {
        let config = file.map(|content| self::file(&archive, "run.toml", content));
        let mut arguments: Vec<&str> = command.to_vec();
        arguments.extend(place.iter().map(String::as_str));
        arguments.extend(config.iter().flat_map(|path| ["--config", text(path)]));
        arguments.extend(more);
        let ended = self::run(&arguments, &[]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.stdout
    };
    let export = |file: Option<&str>, more: &[&str]| run(&["export"], file, more);
    let selected = || archive.one("select group_concat(mode || ' ' || room_id) from selection");
    let redacted = || archive.one("select value from setting where name = 'show_redacted'");
    export(None, &["--exclude-room", OTHER]);
    assert_eq!((archive.ids(), selected()), ("$1 $2 $3".to_owned(), format!("exclude {OTHER}")));
    // others for a run, and what is exported then is theirs only
    let config = format!("room = [\"{OTHER}\"]\nshow-redacted = true\n");
    database.events([5]);
    export(Some(&config), &[]);
    assert_eq!(
        (archive.ids(), selected(), redacted()),
        ("$1 $2 $3 $4".to_owned(), format!("include {OTHER}"), "1".to_owned())
    );
    // shown is what is remembered, where the file says nothing
    let shown = run(&["config", "show"], Some("interval = '9s'"), &[]);
    assert!(shown.contains(&format!("exclude-room = [\"{OTHER}\"]  # archive\n")), "{shown}");
    assert!(!shown.contains("\nroom = ") && !shown.contains("show-redacted = true"), "{shown}");
    // without the file, what was remembered; also in a catalog that is made anew
    self::run(&["rebuild", "--archive", text(archive.path())], &[]);
    export(None, &[]);
    assert_eq!(
        (archive.ids(), selected(), redacted()),
        ("$1 $2 $3 $4 $5".to_owned(), format!("exclude {OTHER}"), "0".to_owned())
    );
    // an option is remembered, beside a file too
    export(Some(&config), &["--all-rooms", "--show-redacted"]);
    export(Some(&config), &[]);
    assert_eq!((selected(), redacted()), (format!("include {OTHER}"), "1".to_owned()));
    export(None, &[]);
    assert_eq!((selected(), redacted()), (String::new(), "1".to_owned()));
}

#[test]
fn what_else_the_file_says_holds_for_that_run_too() {
    let (database, archive) = (server(), TestArchive::new());
    let (dsn, place) = (database.dsn(), text(archive.path()).to_owned());
    let keys = file(&archive, "none.keys", "[]");
    let export = |content: Option<&str>, more: &[&str]| {
        let config = content.map(|content| file(&archive, "run.toml", content));
        let config: Vec<&str> = config.iter().flat_map(|path| ["--config", text(path)]).collect();
        let all = [&["export", "--database", &dsn, "--archive", &place], &config[..], more].concat();
        let ended = run(&all, &[]);
        assert!(matches!(ended.code, Some(0 | 3)), "{all:?}: {ended:?}");
    };
    let setting =
        |name: &str| archive.one(&format!("select coalesce((select value from setting where name = '{name}'), '')"));
    let mode = || {
        use std::os::unix::fs::PermissionsExt as _;
        archive.path().join("catalog.sqlite").metadata().unwrap().permissions().mode() & 0o777
    };
    let shown = || run(&["config", "show", "--archive", &place], &[]).stdout;
    let transcript = || std::fs::read_to_string(archive.path().join("rooms/room@here.test/2026-11-22.md")).unwrap();
    let store = archive.path().with_file_name("store");
    std::fs::create_dir_all(store.join("local_content")).unwrap();
    export(None, &["--timezone", "Europe/Berlin"]);
    assert!(transcript().contains("timezone: Europe/Berlin\n"), "{}", transcript());
    let config = format!(
        "timezone = 'Asia/Tokyo'\ngroup-readable = true\nmedia-store = ['{}']\nmedia-max-size = '1M'\n\
         decrypt = true\nkey-file = ['{}']\n",
        text(&store),
        text(&keys)
    );
    export(Some(&config), &[]);
    assert!(transcript().contains("timezone: Asia/Tokyo\n"), "{}", transcript());
    assert_eq!((setting("timezone"), mode()), ("Asia/Tokyo".to_owned(), 0o640));
    assert!(setting("media").contains("store") && setting("decrypt").contains("none.keys"));
    // what is remembered is shown, and holds again
    let told = shown();
    assert!(told.contains("timezone = \"Europe/Berlin\"  # archive\n"), "{told}");
    assert_eq!(told.matches("# archive").count(), 1, "{told}");
    export(None, &[]);
    assert!(transcript().contains("timezone: Europe/Berlin\n"), "{}", transcript());
    assert_eq!((setting("media"), setting("decrypt"), mode()), (String::new(), String::new(), 0o600));
    // an option wins over what the file says of the same thing, and is remembered
    export(Some(&config), &["--no-group-readable", "--no-media", "--decrypt=false", "--timezone", "UTC"]);
    assert_eq!((setting("media"), setting("decrypt"), mode()), (String::new(), String::new(), 0o600));
    export(Some("all-rooms = true\n"), &["--room", OTHER]);
    assert_eq!(archive.one("select group_concat(mode || room_id) from selection"), format!("include{OTHER}"));
    export(None, &["--media-store", text(&store), "--decrypt", "--key-file", text(&keys), "--group-readable"]);
    export(Some("media-store = ['/']\nno-group-readable = true\n"), &[]);
    let told = shown();
    for line in [
        format!("media-store = [\"{}\"]  # archive", text(&store)),
        format!("key-file = [\"{}\"]  # archive", text(&keys)),
        "decrypt = true  # archive".to_owned(),
        "group-readable = true  # archive".to_owned(),
        format!("room = [\"{OTHER}\"]  # archive"),
    ] {
        assert!(told.lines().any(|found| found == line), "no {line}: {told}");
    }
    assert!(!told.contains("timezone ="), "{told}");
    // what is forgotten does not come back
    let ended = run(&["keys", "forget", "--archive", &place], &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    export(None, &[]);
    assert_eq!(setting("decrypt"), "");
    assert!(setting("media").contains("store"));
    let config = file(&archive, "run.toml", "avatars = true\n");
    let ended = run(&["export", "--database", &dsn, "--archive", &place, "--config", text(&config)], &[]);
    assert!(ended.code == Some(2) && ended.stderr.contains("media-store"), "{ended:?}");
}
