//! What other users of the machine, and whoever watches the terminal, get of a room that is dumped.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::interrupted::kill;
use crate::support::archive::{self, entries};
use crate::support::story::{EventRow, ROOM};
use crate::support::wait_until;
use crate::{command, ended, server, text};

const PROGRAM: &str = env!("CARGO_BIN_EXE_synapse-export");

#[test]
fn nobody_looks_into_the_archive_that_a_document_is_made_from() {
    let database = server();
    let place = tempfile::tempdir().unwrap();
    // it waits when all is made ready to be read into
    database.execute("begin; lock table event_json in access exclusive mode");
    let mut child = Command::new("sh")
        .args(["-c", r#"umask 000; exec "$0" room --format markdown --database "$1" "$2""#])
        .args([PROGRAM, &database.dsn(), ROOM])
        .env_clear()
        .env("TMPDIR", place.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("it has a temporary archive", || !entries(place.path()).is_empty());
    let directory = place.path().join(entries(place.path()).first().unwrap());
    assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
    kill(&child, "TERM");
    database.execute("rollback");
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert!(entries(place.path()).is_empty());
}

#[test]
fn a_terminal_is_told_nothing_by_what_people_wrote() {
    let database = server();
    let (control, direction, deleted) = ('\u{9b}', '\u{202e}', '\u{7f}');
    let body = format!("a {control}2J b {direction} c {deleted} d");
    database.event(EventRow::message(10, &body));
    database.event(EventRow { json: Some(format!("not JSON \u{1b}]0;x {control}")), ..EventRow::at(11) });
    database.event(EventRow::state(12, "m.room.topic", "", &json!({ "topic": body })));
    let arguments = ["room", "--database", &database.dsn(), ROOM, "--quiet"];
    let stored = ended(command().args(arguments)).stdout;
    assert!(stored.contains(&body), "a pipe gets what is stored");
    for more in ["", " --format markdown --state"] {
        let words = arguments.map(|word| format!("'{word}'")).join(" ");
        let terminal = Command::new("script")
            .args(["--quiet", "--return", "--command", &format!("'{PROGRAM}' {words}{more} 2>/dev/null"), "/dev/null"])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let shown = String::from_utf8(terminal.stdout).unwrap();
        assert!(!shown.contains(['\u{1b}', control, direction, deleted]), "{shown}");
        if more.is_empty() {
            let read = |lines: &str| lines.lines().map(archive::json).collect::<Vec<_>>();
            assert_eq!(read(&shown), read(&stored), "it is the same JSON");
        } else {
            assert!(shown.contains("2J b"), "{shown}");
        }
    }
}

#[test]
fn no_core_is_dumped() {
    // a server that never answers
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let mut child = Command::new("sh")
        .args(["-c", r#"ulimit -c unlimited; exec "$0" rooms --database "$1""#, PROGRAM])
        .arg(format!("host=127.0.0.1 port={port} user=u dbname=d"))
        .env_clear()
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (connected, _) = silent.accept().unwrap();
    let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    kill(&child, "KILL");
    child.wait().unwrap();
    drop(connected);
}

#[test]
fn a_dump_takes_no_name_that_somebody_has() {
    let database = server();
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("room.jsonl");
    std::os::unix::fs::symlink(place.path().join("elsewhere"), &path).unwrap();
    let ended = ended(command().args(["room", "--database", &database.dsn(), ROOM, "--output", text(&path)]));
    ended.with(1).saying("is there already");
    assert!(!place.path().join("elsewhere").exists());
}
