//! What the command says, where, and with which exit status.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::os::unix::net::UnixListener;

use crate::support::archive::TestArchive;
use crate::support::story::{EventRow, ROOM};
use crate::{command, ended, export, run, server, text};

#[test]
fn each_command_explains_itself() {
    let told: [(&[&str], &[&str]); 5] = [
        (&[], &["export", "watermark", "Exit status"]),
        (&["export"], &["--database", "--archive", "--room", "--exclude-room", "--all-rooms", "--quiet", "2 to 16"]),
        (&["watermark"], &["show", "reset"]),
        (&["watermark", "show"], &["--archive", "--json"]),
        (&["watermark", "reset"], &["--archive", "--stream", "--yes"]),
    ];
    for (command, parts) in told {
        let told = run(&[command, &["--help"]].concat()).with(0);
        for part in parts {
            assert!(told.stdout.contains(part), "{command:?} --help does not tell of {part}: {}", told.stdout);
        }
        assert_eq!(told.stderr, "");
        let short = run(&[command, &["-h"]].concat()).with(0);
        assert!(!short.stdout.is_empty());
    }
    assert_eq!(run(&["--version"]).with(0).stdout, format!("synapse-export {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_usage_ends_with_2_and_makes_no_archive() {
    let directory = tempfile::tempdir().unwrap();
    let archive = directory.path().join("archive");
    let archive = archive.to_str().unwrap();
    for arguments in [
        &[][..],
        &["nonsense"],
        &["export"],
        &["export", "--archive", archive],
        &["export", "--archive", archive, "--database", "nonsense"],
        &["export", "--archive", archive, "--database", "host=h sslmode=perhaps"],
        &["export", "--archive", archive, "--database", "host=h", "--nonsense"],
        &["export", "--archive", archive, "--database", "host=h", "--all-rooms", "--room", "!a:b"],
        &["watermark", "reset", "--archive", archive, "--stream", "sideways"],
        &["watermark", "show"],
    ] {
        let ended = run(arguments).with(2);
        assert!(!ended.stderr.is_empty() && ended.stdout.is_empty(), "{ended:?}");
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

type Variables<'a> = &'a [(&'a str, &'a str)];

#[test]
fn the_database_may_be_named_in_each_way() {
    let database = server();
    let name = database.query_one_text("select current_database()");
    let dsn = database.dsn();
    let value = |key: &str| dsn.split(' ').find_map(|pair| pair.strip_prefix(key)).unwrap();
    let all = [("PGHOST", value("host=")), ("PGPORT", value("port=")), ("PGUSER", "postgres"), ("PGDATABASE", &name)];
    let ways: [(&[&str], Variables); 6] = [
        (&["--database", &dsn], &[]),
        (&["--database", &database.url()], &[]),
        (&[], &[("SYNAPSE_EXPORT_DATABASE", &dsn)]),
        (&[], &all),
        (&["--database", &format!("dbname={name}")], &all[..3]),
        // The flag is stronger than the variable.
        (&["--database", &dsn], &[("SYNAPSE_EXPORT_DATABASE", "host=/nowhere"), ("PGHOST", "/nowhere")]),
    ];
    for (flag, variables) in ways {
        let archive = TestArchive::new();
        let mut command = command();
        let variables = variables.iter().copied();
        let ended =
            ended(command.arg("export").args(flag).env("SYNAPSE_EXPORT_ARCHIVE", archive.path()).envs(variables));
        let ended = ended.with(0);
        assert!(ended.stderr.contains("5 new events"), "{ended:?}");
        assert_eq!(ended.stdout, "");
        assert_eq!(archive.lines().len(), 5);
    }
}

#[test]
fn no_password_is_ever_shown_or_kept() {
    const PASSWORD: &str = "Tr0ub4dor'&3";
    const ENCODED: &str = "Tr0ub4dor%27%263";
    let database = server();
    let archive = TestArchive::new();
    let url = database.url().replace("postgres@", &format!("postgres:{ENCODED}@"));
    let quoted = PASSWORD.replace('\'', r"\'");
    let databases = [
        (0, url.clone()),
        (0, format!("{} password='{quoted}'", database.dsn())),
        (1, url.replace("/cli_", "/no_such_database_")),
        (1, format!("host=/nowhere user=postgres password='{quoted}'")),
        (75, format!("postgres://postgres:{ENCODED}@127.0.0.1:1/synapse")),
        (2, format!("{url}?sslmode=perhaps")),
        (2, format!("host=/nowhere password='{quoted}' nonsense=1")),
        (2, format!("postgres://postgres:{ENCODED}@127.0.0.1:port/synapse")),
        (2, format!("host=/nowhere password='{quoted}")),
        (2, format!("password {quoted}")),
    ];
    for (code, text) in &databases {
        for flag in [true, false] {
            let mut command = command();
            command.args(["export", "--archive"]).arg(archive.path());
            if flag {
                command.args(["--database", text]);
            } else {
                command.env("SYNAPSE_EXPORT_DATABASE", text);
            }
            let ended = ended(&mut command).with(*code);
            for said in [&ended.stdout, &ended.stderr] {
                assert!(!said.contains("Tr0ub4dor"), "{text}: {said}");
            }
        }
    }
    let mut help = command();
    help.args(["export", "--help"]).env("SYNAPSE_EXPORT_DATABASE", &url).env("PGPASSWORD", PASSWORD);
    assert!(!ended(&mut help).stdout.contains("Tr0ub4dor"));
    for (path, bytes) in crate::contents(archive.path()) {
        assert!(!String::from_utf8_lossy(&bytes).contains("Tr0ub4dor"), "the password is in {path}");
    }
}

#[test]
fn a_failure_ends_with_1_and_its_cause() {
    let database = server();
    let archive = TestArchive::new();
    let unreachable = ["export", "--database", "host=/nowhere port=1 user=nobody dbname=synapse", "--archive"];
    let ended = run(&[&unreachable[..], &[text(archive.path())]].concat()).with(1);
    for part in ["/nowhere", "synapse", "nobody"] {
        assert!(ended.stderr.contains(part), "{ended:?}");
    }
    database.execute("drop table rejections");
    export(&database, archive.path(), &[]).with(1).saying("table rejections");
    let file = tempfile::NamedTempFile::new().unwrap();
    export(&database, file.path(), &[]).with(1);
}

#[test]
fn damaged_rows_end_with_3_and_are_named() {
    let database = server();
    let archive = TestArchive::new();
    database.event(EventRow { json: Some("\u{1b}]0;secret text".to_owned()), ..EventRow::at(4) });
    database.event(EventRow { event_id: "$\u{1b}[31mred".to_owned(), ..EventRow::at(5) });
    database.execute("delete from event_json where event_id like '%red'");
    let ended = export(&database, archive.path(), &[]).with(3);
    for part in ["$4", r"$\u{1b}[31mred", ROOM, "1 damaged", "1 not whole yet"] {
        assert!(ended.stderr.contains(part), "it does not say {part:?}: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("secret text") && !ended.stderr.contains('\u{1b}'), "{:?}", ended.stderr);
    assert_eq!(archive.lines().len(), 6);
    let quiet = TestArchive::new();
    let ended = export(&database, quiet.path(), &["--quiet"]).with(3);
    assert!(ended.stderr.contains("$4") && !ended.stderr.contains("new events"), "{}", ended.stderr);
    // a row that is missing may come yet; until then no run is what it should be
    let ended = export(&database, archive.path(), &[]).with(3).saying("not whole yet").saying(r"$\u{1b}[31mred");
    assert!(!ended.stderr.contains("$4"), "{}", ended.stderr);
    archive.a_day_passes();
    export(&database, archive.path(), &[]).with(3).saying("1 damaged").saying(r"$\u{1b}[31mred");
    export(&database, archive.path(), &[]).with(0);
    assert_eq!(archive.lines().len(), 7);
}

#[test]
fn an_ordinary_run_tells_nothing_of_what_people_say() {
    let database = server();
    let archive = TestArchive::new();
    database.event(EventRow { room_id: "!hush:here.test".to_owned(), ..EventRow::message(4, "whispered") });
    for _ in 0..2 {
        let ended = export(&database, archive.path(), &[]).with(0);
        for word in ["!hush", "whispered", ROOM, "$1", "alice", "hello"] {
            assert!(!ended.stderr.contains(word), "{word}: {}", ended.stderr);
        }
        assert_eq!(ended.stdout, "");
    }
    let ended = export(&database, TestArchive::new().path(), &["--quiet"]).with(0);
    assert_eq!((&*ended.stdout, &*ended.stderr), ("", ""));
}

#[test]
fn the_summary_counts_each_kind() {
    let database = server();
    let archive = TestArchive::new();
    database.event(EventRow { rejected: Some("auth_error".to_owned()), ..EventRow::at(4) });
    database.event(EventRow { internal_metadata: r#"{"soft_failed":true}"#.to_owned(), ..EventRow::at(5) });
    database.event(EventRow { outlier: true, ..EventRow::at(6) });
    database.event(EventRow::at(9));
    let ended = export(&database, archive.path(), &[]).with(0);
    for part in [
        "9 new events (7 live, 2 backfill) in 1 file",
        "1 soft-failed",
        "1 rejected",
        "1 purge survivor",
        "0 late",
        "0 damaged",
    ] {
        assert!(ended.stderr.contains(part), "it does not say {part:?}: {}", ended.stderr);
    }
    database.event(EventRow::at(8));
    export(&database, archive.path(), &[]).with(0).saying("1 late arrival").saying("the archive has 9 events");
}

#[test]
fn a_server_without_a_known_name_is_told_what_that_costs() {
    let database = server();
    database.execute("delete from users");
    export(&database, TestArchive::new().path(), &["--quiet"]).with(0).saying("no local user");
}

#[test]
fn a_server_that_is_starting_up_is_to_be_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let mut connection = listener.accept().unwrap().0;
        let mut length = [0; 4];
        connection.read_exact(&mut length).unwrap();
        let mut startup = vec![0; u32::from_be_bytes(length) as usize - 4];
        connection.read_exact(&mut startup).unwrap();
        let fields = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0";
        connection.write_all(b"E").unwrap();
        connection.write_all(&u32::try_from(fields.len() + 4).unwrap().to_be_bytes()).unwrap();
        connection.write_all(fields).unwrap();
    });
    let archive = TestArchive::new();
    let dsn = format!("host=127.0.0.1 port={port} user=postgres sslmode=disable");
    let mut command = command();
    command.args(["export", "--database", &dsn, "--archive"]).arg(archive.path());
    ended(&mut command).with(75).saying("starting up");
    server.join().unwrap();
}

#[test]
fn a_connection_string_in_the_wrong_place_is_not_shown() {
    for argument in ["postgres://u:secret@h/d", "host=h password=secret"] {
        let mut command = command();
        let ended = ended(command.args(["export", argument])).with(2).saying("--database");
        assert!(!ended.stderr.contains("secret"), "{ended:#?}");
    }
}

#[test]
fn a_connection_that_breaks_is_no_success() {
    let directory = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(directory.path().join(".s.PGSQL.5432")).unwrap();
    let server = std::thread::spawn(move || {
        let mut connection = listener.accept().unwrap().0;
        connection.read_exact(&mut [0; 8]).unwrap();
        // It asks for the password and does not listen to it, so that the answer meets a broken pipe.
        connection.shutdown(Shutdown::Read).unwrap();
        connection.write_all(b"R\0\0\0\x08\0\0\0\x03").unwrap();
        connection
    });
    let dsn = format!("host={} user=postgres password=secret", directory.path().display());
    let mut command = command();
    command.args(["export", "--database", &dsn, "--archive"]).arg(directory.path().join("archive"));
    ended(&mut command).with(75).saying("cannot connect").saying("Broken pipe");
    server.join().unwrap();
}

#[test]
fn rooms_are_selected_by_id_alias_or_file_and_remembered() {
    let database = server();
    let archive = TestArchive::new();
    for (id, name) in (11..).zip(["a", "b", "c"]) {
        database.room(&format!("!{name}:here.test"), "10");
        database.event(EventRow { room_id: format!("!{name}:here.test"), ..EventRow::at(id) });
        let alias =
            format!("insert into room_aliases (room_alias, room_id) values ('#{name}:here.test', '!{name}:here.test')");
        database.execute(&alias);
    }
    let list = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(list.path(), "# noisy\n!b:here.test\n\n  #c:here.test \n#\n").unwrap();
    let list = format!("@{}", list.path().display());

    export(&database, archive.path(), &["--room", "#a:here.test"]).with(0).saying("1 selected room");
    assert_eq!(archive.ids(), "$11");
    database.event(EventRow { room_id: "!a:here.test".to_owned(), ..EventRow::at(20) });
    export(&database, archive.path(), &[]).with(0).saying("1 selected room");
    assert_eq!(archive.ids(), "$11 $20");
    export(&database, archive.path(), &["--room", &list, "--exclude-room", "!c:here.test"]).with(0);
    assert_eq!(archive.ids(), "$11 $12 $20");
    export(&database, archive.path(), &["--exclude-room", &list]).with(0).saying("all rooms but 2");
    assert_eq!(archive.ids(), "$-1 $-2 $1 $11 $12 $2 $20 $3");
    export(&database, archive.path(), &["--all-rooms"]).with(0).saying("all rooms");
    assert_eq!(archive.ids(), "$-1 $-2 $1 $11 $12 $13 $2 $20 $3");

    let before = (archive.lines(), archive.one("select count(*) from run"));
    export(&database, archive.path(), &["--room", "#nobody:here.test"]).with(1).saying("`synapse-export rooms`");
    export(&database, archive.path(), &["--room", "!nobody:here.test"]).with(1).saying("`synapse-export rooms`");
    // a list that names nothing must not select everything
    let nothing = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(nothing.path(), " \n# !a:here.test\n#\n").unwrap();
    let nothing = format!("@{}", nothing.path().display());
    for option in ["--room", "--exclude-room"] {
        export(&database, archive.path(), &[option, "@/nowhere"]).with(2).saying("/nowhere");
        export(&database, archive.path(), &[option, &nothing]).with(2).saying("names no room");
        export(&database, archive.path(), &["--room", "!a:here.test", option, &nothing]).with(2);
    }
    export(&database, archive.path(), &["--room", "nonsense"]).with(2).saying("nonsense");
    export(&database, archive.path(), &["--room", "!a:here.test", "--exclude-room", "#a:here.test"]).with(1);
    assert_eq!((archive.lines(), archive.one("select count(*) from run")), before, "nothing was begun");
    // A room that may come is left out beforehand.
    export(&database, archive.path(), &["--exclude-room", "!nobody:here.test"]).with(0).saying("no room");
}

#[test]
fn a_connection_string_where_none_belongs_is_not_quoted() {
    for mistaken in [
        "host=x password=hunter2",
        "host=x password = hunter2",
        "host=x PASSWORD ='hunter2'",
        "host=x sslpassword = hunter2",
        "postgres://u:hunter2@x/y",
        "--database-password=hunter2",
    ] {
        let said = run(&["export", mistaken]).with(2).saying("--database URL").stderr;
        assert!(!said.contains("hunter2"), "{said}");
    }
    run(&["export", "--connections", "0"]).with(2).saying("2..=16");
    // our own option is no secret
    run(&["export", "--password-file"]).with(2).saying("'--password-file <FILE>'");
    // what stands where no argument belongs may be a part of one, a mistyped command is none
    let said = run(&["export", "something"]).with(2).saying("an argument stands where none belongs").stderr;
    assert!(!said.contains("something"), "{said}");
    run(&["exprot"]).with(2).saying("exprot").saying("'export'");
}

#[test]
fn a_stray_argument_is_not_quoted() {
    let secret = "hunter2";
    let with = ["export", "--archive", "a", "--database", "host=h"];
    for stray in [
        &[&with[..], &[secret]].concat()[..],
        &[&with[..], &["--password", secret]].concat(),
        &[&with[..], &["--connections", "user=hunter2"]].concat(),
        &[&with[..], &["--retry-for", "postgres://u:hunter2@h/d"]].concat(),
        &[&with[..], &["--log-level", "u:hunter2@h"]].concat(),
        &["watermark", secret],
        &[secret],
    ] {
        let ended = run(stray).with(2);
        assert!(!ended.stderr.contains(secret) && !ended.stderr.is_empty(), "{stray:?}: {ended:?}");
    }
    run(&["exprt"]).with(2).saying("'export'");
    run(&[&with[..], &["--nonsense"]].concat()).with(2).saying("--nonsense");
}

/// Answers the first connection with this error of PostgreSQL's, and whoever comes after it too.
fn refusing(message: &str) -> u16 {
    let fields = format!("SFATAL\0VFATAL\0CXX000\0M{message}\0\0");
    let length = u32::try_from(fields.len() + 4).expect("it is short").to_be_bytes();
    let answer = [b"E", &length[..], fields.as_bytes()].concat();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it has a port").port();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let _ = client.read(&mut [0; 1_000]);
            let _ = client.write_all(&answer);
        }
    });
    port
}

#[test]
fn a_server_cannot_say_a_line_of_its_own() {
    let said = "no\nsynapse-export: all is well\n  and more\r\u{1b}[2J\u{202e}".to_owned() + &"x".repeat(100_000);
    let port = refusing(&said);
    let dsn = format!("host=127.0.0.1 port={port} user=u dbname=d sslmode=disable");
    let directory = tempfile::tempdir().unwrap();
    let archive = directory.path().join("archive");
    for more in [&[][..], &["--log-format", "json"]] {
        let arguments = ["export", "--archive", archive.to_str().unwrap(), "--database", &dsn];
        let ended = run(&[&arguments, more].concat()).with(1).saying("all is well");
        let whole: Vec<&str> = ended.stderr.lines().filter(|line| line.contains("all is well")).collect();
        assert!(matches!(whole[..], [line] if line.contains("no\\") && line.contains("and more")), "{ended:?}");
        assert!(!ended.stderr.contains(['\r', '\u{1b}', '\u{202e}']) && ended.stderr.len() < 5_000, "{ended:?}");
    }
    let ended = run(&["doctor", "--database", &dsn]).with(11);
    assert_eq!(ended.stdout.lines().filter(|line| line.contains("all is well")).count(), 1, "{ended:?}");
    assert!(ended.stdout.len() < 5_000 && !ended.stdout.contains('\u{1b}'), "{ended:?}");
}
